//! Owns what becomes of a goal in words: shown as the goal file that was drafted for it, agreed to, changed or left.
//! Never opens a run.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::columns::{Cell, Columns};
use super::drafting::{self, Drafted};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{OpenOptions, Place};
use crate::app::{Hired, Pays};
use crate::model::check::{Answer, CheckResult};
use crate::model::goal::Budget;
use crate::model::inert::{inert, inert_lines};
use crate::model::login::AS_TOLD;
use crate::model::means::Bounds;
use crate::model::role::{AgentRef, Part};
use crate::views::words as say;

/// Says what was given in the place of a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// A goal file.
    File(PathBuf),
    /// What is wanted, in words.
    Words(String),
}

/// Says how a draft is agreed to.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Without a question.
    pub yes: bool,
    /// Told as JSON.
    pub json: bool,
    /// Whether no sandbox was asked for.
    pub is_open: bool,
}

/// Holds what was agreed to.
#[derive(Debug)]
pub struct Agreed {
    /// The goal file.
    pub goal: PathBuf,
    /// What is said to roles: by the draft first, then by the user.
    pub roles: Vec<String>,
}

/// Tells a file from words: what is there is a file, and what has several words and is no name of one is words.
///
/// # Errors
/// Where it is neither.
pub fn meant(text: &str) -> Result<Meant, Fail> {
    let path = Path::new(text);
    if path.exists() {
        return Ok(Meant::File(path.to_owned()));
    }
    let looks_like_a_file = [".md", ".markdown"].iter().any(|end| text.trim_end().ends_with(end));
    if text.split_whitespace().count() > 1 && !looks_like_a_file {
        return Ok(Meant::Words(text.trim().to_owned()));
    }
    Err(Fail::new(Exit::Faulty, format!("read the goal file `{text}`"))
        .because("there is no such file")
        .hint("look whether it is there and can be read; `artel init` lays down an example")
        .hint("a goal in words has several: artel run \"add a --json flag to list\""))
}

/// Takes a text for a goal file of a server's machine, whose files are not here to be looked at.
///
/// # Errors
/// Where it is words: a draft is tried out and agreed on where its repository is.
pub fn meant_there(text: &str) -> Result<Meant, Fail> {
    if text.starts_with('/') || text.split_whitespace().count() < 2 {
        return Ok(Meant::File(text.into()));
    }
    Err(Fail::new(Exit::Usage, "draft a goal on another machine")
        .because("a draft is tried out and agreed on where its repository is")
        .hint("name a goal file of that machine, such as /srv/engine/goal.md; or type this there"))
}

/// Drafts a goal, shows it, and asks; nothing where it was not agreed to.
///
/// # Errors
/// Where there is nobody to do it, or nothing that tells when it is done.
pub fn agree(out: &Out, place: &Place, words: &str, options: &OpenOptions, way: Way) -> Result<Option<Agreed>, Fail> {
    let crew = drafting::crew(place, options, way.is_open)?;
    let usual = drafting::usual(place)?;
    out.remark(&format!("trying the checks on the base: {}", inert(&usual.0.join("; "))));
    let mut drafted = drafting::write(place, words, usual, crew, options)?;
    let roles: Vec<String> = drafted.crew.settings.iter().chain(&options.roles).cloned().collect();
    let next = command(&drafted.path, &roles);
    if way.yes {
        lines(&drafted, out.error_paint, out.width).iter().for_each(|line| out.remark(line));
        return Ok(Some(Agreed { goal: drafted.path, roles }));
    }
    if way.json {
        out.json(&json(&drafted, &next))?;
        return Ok(None);
    }
    let can_answer = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    loop {
        out.lines(lines(&drafted, out.paint, out.width))?;
        if !can_answer {
            out.line(&format!("nobody is here to ask: --yes goes on, or {next}"))?;
            return Ok(None);
        }
        match ask(out) {
            Said::Yes => return Ok(Some(Agreed { goal: drafted.path, roles })),
            Said::No => {
                out.line(&format!("nothing was begun; the draft stays: {next}"))?;
                return Ok(None);
            }
            Said::Edit => edit(out, place, &mut drafted)?,
        }
    }
}

/// Says what a person answered.
enum Said {
    Yes,
    No,
    Edit,
}

fn ask(out: &Out) -> Said {
    loop {
        out.remark("go on? y, N, or e to edit the goal first");
        let mut line = String::new();
        // An end of input, and an input that breaks, is no yes.
        if std::io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0 {
            return Said::No;
        }
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Said::Yes,
            "" | "n" | "no" => return Said::No,
            "e" | "edit" => return Said::Edit,
            other => out.remark(&format!("`{}` is none of these", inert(other))),
        }
    }
}

/// Has a person change the draft, until it is a goal again or they give it up.
fn edit(out: &Out, place: &Place, drafted: &mut Drafted) -> Result<(), Fail> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
    let Some(editor) = set("VISUAL").or_else(|| set("EDITOR")) else {
        out.remark(&format!("no editor is named: set EDITOR, or change {} in another window", drafted.path.display()));
        return Ok(());
    };
    let line = format!("{editor} \"$1\"");
    let ended = std::process::Command::new("sh").args(["-c", &line, "sh"]).arg(&drafted.path).status();
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => out.remark(&format!("`{}` ended with {status}", inert(&editor))),
        Err(error) => out.remark(&format!("`{}` could not be started: {error}", inert(&editor))),
    }
    match drafting::read(place, &drafted.path) {
        Ok((goal, text)) => {
            (drafted.goal, drafted.text) = (goal, text);
            Ok(())
        }
        Err(fail) => {
            out.remark(fail.render(out.error_paint).trim_end());
            out.remark(
                "what is shown is the goal as it was before; e changes it again, and no run takes it as it stands",
            );
            Ok(())
        }
    }
}

/// Writes a draft for a person: the file, who plays what, what it may spend, what its checks say.
pub fn lines(drafted: &Drafted, paint: Paint, width: usize) -> Vec<String> {
    let mut lines = vec![
        format!("{} {}", paint.on(Hue::Strong, "drafted"), inert(&drafted.path.display().to_string())),
        String::new(),
    ];
    lines.extend(drafted.text.lines().map(|line| format!("  {}", inert_lines(line))));
    lines.push(String::new());
    let mut table = Columns::indented(0);
    for (part, agents, how) in plays(drafted) {
        table.row([Cell::new(part).hue(Hue::Strong), Cell::new(agents).hue(Hue::Busy), Cell::new(how)]);
    }
    table.row([Cell::new("spends").hue(Hue::Strong), Cell::new(spends(drafted)), Cell::new(bounded_by(drafted))]);
    let base = drafted.base.short();
    for it in &drafted.tried {
        let (hue, word) = answer(it);
        let how = format!("{word} on {base}, in {}", say::limit(it.wall_ms.div_ceil(1000)));
        table.row([Cell::new("check").hue(Hue::Strong), Cell::new(&it.name), Cell::new(how).hue(hue)]);
    }
    lines.extend(table.lines(width, paint));
    lines
}

fn answer(it: &CheckResult) -> (Hue, String) {
    match (it.answer, it.code) {
        (Answer::Green, _) => (Hue::Good, "holds".to_owned()),
        (_, Some(code)) => (Hue::Bad, format!("red, exit code {code}")),
        (_, None) => (Hue::Bad, "red".to_owned()),
    }
}

/// Lists who plays which part, and how.
fn plays(drafted: &Drafted) -> Vec<(&'static str, String, String)> {
    let names = |agents: &[AgentRef]| agents.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ");
    let of = |name: &str, part: Part| {
        let role = drafted.crew.roles.iter().find(|role| role.name == name && role.part == part);
        role.map(|role| (names(&role.agents), role.about.clone())).unwrap_or_default()
    };
    let (planners, plans) = of(&drafted.goal.plan.planner, Part::Planner);
    let (judges, judging) = of(&drafted.goal.plan.judge, Part::Judge);
    let run_judge = drafted.goal.plan.run_judge.as_deref().map(|role| of(role, Part::Judge));
    let workers: Vec<AgentRef> = drafted.crew.workers.iter().map(|hired| hired.agent.clone()).collect();
    let paid: Vec<String> = drafted.crew.workers.iter().map(paid).collect();
    let mut plays =
        vec![("planner", planners, plans), ("worker", names(&workers), paid.join("; ")), ("judge", judges, judging)];
    plays.extend(run_judge.map(|(judges, judging)| ("run judge", judges, judging)));
    plays
}

/// Says with which model an agent works and what pays for it.
fn paid(hired: &Hired) -> String {
    let model = match &hired.agent {
        AgentRef::Claude { model: Some(model) } | AgentRef::Codex { model: Some(model) } => format!("model {model}"),
        AgentRef::Claude { model: None } | AgentRef::Codex { model: None } | AgentRef::Acp(_) => {
            "the model of its own choice".to_owned()
        }
        AgentRef::Llm(name) => format!("model {}", name.model()),
        AgentRef::Command(_)
        | AgentRef::Script(_)
        | AgentRef::Codemod
        | AgentRef::Shard
        | AgentRef::Whole
        | AgentRef::Ladder
        | AgentRef::Revert => "no model that artel knows of".to_owned(),
    };
    match &hired.pays {
        Pays::Key(provider) => format!("{model}, paid with your key of {provider}, counted and bounded"),
        Pays::Granted => format!("{model}, by its own login: counted {AS_TOLD}"),
        Pays::Login => format!("{model}, by its own login: not counted, not bounded"),
        Pays::Nothing => model,
    }
}

fn spends(drafted: &Drafted) -> String {
    let budget = drafted.goal.budget.or(&drafted.usual);
    let others = [
        budget.attempts.map(|most| say::count(usize::try_from(most).unwrap_or(usize::MAX), "attempt")),
        budget.cpu_s.map(|s| format!("{} of processor time", say::limit(s))),
        budget.wall_s.map(say::limit),
    ];
    let parts: Vec<String> = budget.bounds().written().into_iter().chain(others.into_iter().flatten()).collect();
    if parts.is_empty() { "without a bound".to_owned() } else { format!("at most {}", parts.join(", ")) }
}

/// Names the bounds that `artel.toml` sets, and the goal does not.
fn bounded_by(drafted: &Drafted) -> String {
    let (own, usual) = (&drafted.goal.budget, &drafted.usual);
    let each = [
        ("usd", own.nano_usd, usual.nano_usd),
        ("tokens", own.tokens, usual.tokens),
        ("calls", own.calls, usual.calls),
        ("attempts", own.attempts, usual.attempts),
        ("cpu", own.cpu_s, usual.cpu_s),
        ("wall", own.wall_s, usual.wall_s),
    ];
    let taken = each.into_iter().filter(|(_, own, usual)| own.is_none() && usual.is_some());
    let mut names: Vec<&str> = taken.map(|(name, ..)| name).collect();
    names.extend((usual.task != Bounds::default()).then_some("task"));
    names.extend((!usual.roles.is_empty()).then_some("roles"));
    if names.is_empty() { String::new() } else { format!("{} as artel.toml says", names.join(", ")) }
}

/// Writes the line that runs a draft as it was shown.
fn command(path: &Path, roles: &[String]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut line = format!("artel run {}", quoted(&path.display().to_string()));
    roles.iter().for_each(|role| line.push_str(&format!(" --role {}", quoted(role))));
    line
}

#[derive(Debug, Serialize)]
struct DraftJson<'a> {
    draft: String,
    text: &'a str,
    base: String,
    workers: &'a [Hired],
    roles: Vec<RoleJson>,
    checks: &'a [CheckResult],
    budget: Budget,
    next: &'a str,
}

#[derive(Debug, Serialize)]
struct RoleJson {
    part: &'static str,
    agents: String,
    how: String,
}

fn json<'a>(drafted: &'a Drafted, next: &'a str) -> DraftJson<'a> {
    let roles = plays(drafted).into_iter().map(|(part, agents, how)| RoleJson { part, agents, how });
    DraftJson {
        draft: drafted.path.display().to_string(),
        text: &drafted.text,
        base: drafted.base.to_string(),
        workers: &drafted.crew.workers,
        roles: roles.collect(),
        checks: &drafted.tried,
        budget: drafted.goal.budget.or(&drafted.usual),
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a goal of mine");
        std::fs::write(&odd, "").unwrap();
        let odd = odd.to_str().unwrap();
        assert_eq!(meant(odd).unwrap(), Meant::File(odd.into()));
        assert_eq!(meant(" fix the bug\n").unwrap(), Meant::Words("fix the bug".to_owned()));
        for neither in ["goal", "gaol.md", "my gaol.md", "", "  ", "no/such/file"] {
            let fail = meant(neither).unwrap_err();
            assert_eq!(fail.exit(), Exit::Faulty, "{neither}");
            assert!(fail.render(Paint::plain()).contains("a goal in words has several"));
        }
    }

    #[test]
    fn the_line_that_runs_a_draft_is_read_by_a_shell_as_it_was_meant() {
        let line = command(Path::new("/a b/it's.md"), &["worker.agents=[\"claude\"]".to_owned()]);
        assert_eq!(line, r#"artel run '/a b/it'\''s.md' --role 'worker.agents=["claude"]'"#);
    }
}
