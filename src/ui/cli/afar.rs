//! Owns what each verb means where a server on another machine is meant: the calls that do it, or why none does. Makes no
//! call itself.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::exit::Exit;
use super::fail::Fail;

/// Says what a verb means on another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afar {
    /// These calls do it, below the prefix of all.
    Calls(&'static [&'static str]),
    /// Nothing does, for this reason.
    Refused(&'static str),
    /// It tells of this program, and of no machine: a server that the environment names does not concern it.
    Program,
}

use Afar::{Calls, Program, Refused};

/// Where a run is asked something.
const ASKED: Afar = Calls(&["POST /runs/{run}/requests"]);
/// Why no sandbox is chosen from afar.
const HELD: Afar = Refused("how a server's runs are held apart is said where it starts: `artel serve --sandbox`");

/// Lists all verbs, with a flag where that makes another call; what stands earlier fits first.
pub const FORMS: [(&str, Afar); 51] = [
    ("demo", Refused("it makes a folder where it is typed, and works on that")),
    ("init", Refused("it lays files down in the checkout where it is typed")),
    ("run --sandbox", HELD),
    ("run", Calls(&["POST /runs"])),
    ("plan --print", Calls(&["GET /runs/{run}/plan/draft"])),
    ("plan --edit", ASKED),
    ("plan --from", ASKED),
    ("plan", Calls(&["POST /plans"])),
    ("status --timeline", Calls(&["GET /runs/{run}/timeline"])),
    ("status", Calls(&["GET /runs/{run}"])),
    ("list --inbox", Calls(&["GET /inbox"])),
    ("list", Calls(&["GET /runs"])),
    ("inbox", Calls(&["GET /inbox", "GET /runs/{run}/inbox"])),
    ("show --transcript", Calls(&["GET /runs/{run}/transcripts/{transcript}"])),
    ("show", Calls(&["GET /runs/{run}/tasks/{task}"])),
    ("log", Calls(&["GET /runs/{run}/events"])),
    ("diff", Calls(&["GET /runs/{run}/tasks/{task}/diff"])),
    ("cost", Calls(&["GET /runs/{run}/cost"])),
    ("digest", Calls(&["GET /runs/{run}/digest"])),
    ("watch", Calls(&["GET /runs/{run}/events"])),
    ("attach", Calls(&["GET /runs/{run}/events"])),
    ("serve --link", Calls(&["POST /links"])),
    ("serve", Refused("it hosts the runs of the machine where it is typed")),
    ("approve --all", ASKED),
    ("approve", ASKED),
    ("deny --redo", ASKED),
    ("deny", ASKED),
    ("retry", ASKED),
    ("stop --now", ASKED),
    ("stop", ASKED),
    ("resume --sandbox", HELD),
    ("resume", Calls(&["POST /runs/{run}/requests", "POST /runs/{run}/host"])),
    ("steer", ASKED),
    ("answer", ASKED),
    ("grant", ASKED),
    ("deliver", ASKED),
    ("revert", ASKED),
    ("verify", Calls(&["GET /runs/{run}/verify"])),
    ("gc --dry-run", Calls(&["GET /gc"])),
    ("gc", Calls(&["POST /gc"])),
    ("doctor --repair", Calls(&["POST /repair"])),
    ("doctor", Calls(&["GET /doctor"])),
    ("roles show --exact", Calls(&["GET /runs/{run}/tasks/{task}/tokens"])),
    ("roles show", Calls(&["GET /runs/{run}/tasks/{task}/brief"])),
    ("roles --agents", Calls(&["GET /agents"])),
    ("roles", Calls(&["GET /roles"])),
    ("prices", Calls(&["GET /prices"])),
    ("schema", Calls(&["GET /schemas"])),
    ("notify", Calls(&["POST /notices"])),
    ("completions", Program),
    ("man", Program),
];

/// Says who names the server that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Nobody: this machine is meant.
    Nowhere,
    /// The command line.
    Here,
    /// The environment.
    Around,
}

/// Looks whether what was typed can be done on another machine, where one is meant.
///
/// # Errors
/// Where it cannot, with the reason.
pub fn may(matches: &ArgMatches, named: Named) -> Result<(), Fail> {
    let (mut verb, mut last) = (String::new(), matches);
    while let Some((name, inner)) = last.subcommand() {
        verb = format!("{verb} {name}").trim_start().to_owned();
        last = inner;
    }
    let is_typed = |id: &str| matches!(last.value_source(id), Some(ValueSource::CommandLine));
    let fits = |form: &str| match form.split_once(" --") {
        Some((of, flag)) => of == verb && is_typed(&flag.replace('-', "_")),
        None => form == verb,
    };
    let found = FORMS.iter().find(|(form, _)| fits(form));
    let why = match (found, named) {
        (_, Named::Nowhere) | (Some((_, Calls(_))), _) | (Some((_, Program)), Named::Around) => return Ok(()),
        (Some((_, Refused(why))), _) => why,
        (Some((_, Program)), Named::Here) => "it tells of this program, and of no machine",
        (None, _) => "this verb works on the machine itself",
    };
    let form = found.map_or(verb.as_str(), |(form, _)| form);
    let hint = match named {
        Named::Around => "ARTEL_SERVER names a server: unset it, and type this on the machine that is meant",
        Named::Here | Named::Nowhere => "go without `--server`, on the machine that is meant",
    };
    Err(Fail::new(Exit::Usage, format!("do `artel {form}` on another machine")).because(why).hint(hint))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Command, CommandFactory};

    use super::*;
    use crate::ui::cli::args::Cli;
    use crate::ui::web::routes::routes;

    fn verbs(command: &Command, before: &str, into: &mut BTreeSet<String>) {
        for verb in command.get_subcommands() {
            let name = format!("{before} {}", verb.get_name()).trim_start().to_owned();
            verbs(verb, &name, into);
            into.insert(name);
        }
    }

    fn found<'a>(command: &'a Command, verb: &str) -> &'a Command {
        verb.split(' ').fold(command, |command, name| command.find_subcommand(name).unwrap())
    }

    #[test]
    fn each_verb_is_a_call_or_says_why_it_is_none() {
        let command = Cli::command();
        let mut all = BTreeSet::new();
        verbs(&command, "", &mut all);
        let plain: Vec<&str> = FORMS.iter().map(|(form, _)| *form).filter(|form| !form.contains("--")).collect();
        assert_eq!(plain.iter().map(|form| (*form).to_owned()).collect::<BTreeSet<_>>(), all);
        assert_eq!(plain.len(), all.len(), "a verb stands twice");
        for (verb, flag) in FORMS.iter().filter_map(|(form, _)| form.split_once(" --")) {
            let of = found(&command, verb);
            let known = of.get_arguments().find(|argument| argument.get_long() == Some(flag));
            assert_eq!(known.map(|known| known.get_id().as_str()), Some(&*flag.replace('-', "_")), "{verb} --{flag}");
            let at = |wanted: &str| FORMS.iter().position(|(form, _)| *form == wanted).unwrap();
            assert!(at(&format!("{verb} --{flag}")) < at(verb), "{verb} fits before it");
        }
        let routes: BTreeSet<String> =
            routes().iter().map(|route| format!("{} {}", route.method.to_uppercase(), route.path)).collect();
        for (form, afar) in FORMS {
            if let Calls(calls) = afar {
                assert!(!calls.is_empty() && calls.iter().all(|call| routes.contains(*call)), "{form}: {calls:?}");
            }
        }
    }

    #[test]
    fn the_documents_list_each_verb_with_its_calls_or_the_reason() {
        let page = include_str!("../../../docs/serve.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for (form, afar) in FORMS {
            let told = match afar {
                Calls(calls) => calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(" · "),
                Refused(why) => format!("none: {why}"),
                Program => "none: it tells of this program, and of no machine".to_owned(),
            };
            let row = format!("| `{form}` | {told} |");
            assert!(rows.contains(&row.as_str()), "docs/serve.md lacks\n{row}");
        }
    }

    #[test]
    fn what_is_refused_says_so_and_the_environment_stops_no_completions() {
        let asked = |line: &str, named: Named| {
            let matches = Cli::command().try_get_matches_from(line.split(' ')).unwrap();
            may(&matches, named).map_err(|fail| (fail.exit(), fail.render(crate::ui::cli::paint::Paint::plain())))
        };
        for (line, why) in [
            ("artel init", "in the checkout"),
            ("artel demo --sample", "makes a folder"),
            ("artel serve", "hosts the runs"),
            ("artel run /goal.md --sandbox none", "artel serve --sandbox"),
            ("artel resume --sandbox none", "artel serve --sandbox"),
        ] {
            assert_eq!(asked(line, Named::Nowhere), Ok(()));
            for named in [Named::Here, Named::Around] {
                let (exit, text) = asked(line, named).unwrap_err();
                assert!(exit == Exit::Usage && text.contains(why) && text.contains("hint:"), "{line}: {text}");
            }
        }
        for line in ["artel serve --link", "artel run /goal.md", "artel roles show worker --task t1", "artel gc -n"] {
            assert_eq!(asked(line, Named::Here), Ok(()), "{line}");
        }
        assert_eq!(asked("artel completions bash", Named::Around), Ok(()));
        assert_eq!(asked("artel completions bash", Named::Here).unwrap_err().0, Exit::Usage);
    }
}
