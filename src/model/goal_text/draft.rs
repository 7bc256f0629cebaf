//! Owns the goal file that is drafted from a few words. Never asks whether its checks hold, and writes no file.

use crate::model::inert::is_active;

/// Holds what a drafted goal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// What is wanted, as a person said it.
    pub words: String,
    /// Commands that hold on the base and must go on holding.
    pub holds: Vec<String>,
    /// Commands that are red on the base, and must come to hold.
    pub red: Vec<String>,
    /// Dollars that calls to models may cost; nothing where none is asked that artel counts, or `artel.toml` bounds them.
    pub usd: Option<u32>,
    /// The role that plans.
    pub planner: &'static str,
    /// The role that says whether the goal is reached, beyond what commands can tell; none leaves it to them.
    pub run_judge: Option<&'static str>,
    /// Longest time that the run may take, as people write it; nothing where `artel.toml` bounds it.
    pub wall: Option<&'static str>,
    /// Attempts of all tasks together; nothing where `artel.toml` bounds them.
    pub attempts: Option<u32>,
}

/// Longest name of a goal, in characters.
const NAME: usize = 80;

/// Writes a goal file.
pub fn draft(draft: &Draft) -> String {
    let mut text = String::from("---\n# Drafted by artel. Change what you like; docs/goal.md tells the form.\n");
    text.push_str(&format!("name: {}\ndone:\n", quoted(&name(&draft.words))));
    let list = |text: &mut String, why: &str, commands: &[String]| {
        if !commands.is_empty() {
            text.push_str(&format!("  # {why}\n"));
        }
        commands.iter().for_each(|command| text.push_str(&format!("  - {}\n", quoted(command))));
    };
    list(&mut text, "These hold on the base and must go on holding.", &draft.holds);
    let red = "These do not hold on the base and must come to. Take out what the goal is not about.";
    list(&mut text, red, &draft.red);
    if !draft.holds.is_empty() {
        text.push_str("checks:\n");
        list(&mut text, "What is run on each candidate and on each landing batch.", &draft.holds);
    }
    if draft.run_judge.is_some() {
        text.push_str(
            "# Commands may hold though nothing was done: who judges the run says whether the goal is reached.\n",
        );
    }
    let run_judge = draft.run_judge.map(|role| format!(", run_judge: {role}")).unwrap_or_default();
    text.push_str(&format!("plan: {{ planner: {}{run_judge} }}\n", draft.planner));
    let bounds = [
        draft.usd.map(|usd| format!("usd: {usd}")),
        draft.wall.map(|wall| format!("wall: {wall}")),
        draft.attempts.map(|attempts| format!("attempts: {attempts}")),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    if !bounds.is_empty() {
        text.push_str(&format!("budget: {{ {} }}\n", bounds.join(", ")));
    }
    text.push_str("---\n");
    text.push_str(draft.words.trim());
    text.push('\n');
    text
}

/// Makes a name of the first line of some words.
pub fn name(words: &str) -> String {
    let first = words.trim().lines().next().unwrap_or_default();
    let plain: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= NAME {
        return plain;
    }
    let cut: String = plain.chars().take(NAME - 1).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    format!("{whole}…")
}

/// Writes a text so that YAML reads it back as it was.
pub(in crate::model) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./ ".contains(c);
    let reads_as_text = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '.') && !text.ends_with(' ');
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"].contains(&text);
    if reads_as_text && !is_word && !text.contains(" -") && text.len() > 2 && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // What would act on a screen or a page stands there for all to see.
            c if is_active(c) => match u32::from(c) {
                code @ ..=0xff => quoted.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..=0xffff => quoted.push_str(&format!("\\u{code:04x}")),
                code => quoted.push_str(&format!("\\U{code:08x}")),
            },
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::goal::Budget;
    use crate::model::goal_text;

    fn of(words: &str, holds: &[&str], red: &[&str]) -> Draft {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        let (holds, red) = (owned(holds), owned(red));
        Draft {
            words: words.to_owned(),
            holds,
            red,
            usd: Some(10),
            planner: "whole",
            run_judge: None,
            wall: Some("4h"),
            attempts: Some(8),
        }
    }

    #[test]
    fn what_is_drafted_is_a_whole_goal() {
        let text = draft(&of("add a --json flag to `list`", &["cargo test --workspace"], &["npm test"]));
        insta::assert_snapshot!(text);
        let goal = goal_text::read(&text).unwrap();
        assert_eq!(goal.checks.iter().map(|it| it.run.as_str()).collect::<Vec<_>>(), ["cargo test --workspace"]);
        assert_eq!(goal.done.iter().map(|it| it.name()).collect::<Vec<_>>(), ["cargo test --workspace", "npm test"]);
        assert_eq!((goal.plan.planner.as_str(), goal.budget.nano_usd), ("whole", Some(10_000_000_000)));
        assert_eq!(goal.prose.trim(), "add a --json flag to `list`");
    }

    #[test]
    fn a_draft_may_name_who_says_whether_the_goal_is_reached() {
        let text = draft(&Draft { run_judge: Some("run-judge"), ..of("add a file", &["true"], &[]) });
        assert_eq!(goal_text::read(&text).unwrap().plan.run_judge.as_deref(), Some("run-judge"), "{text}");
    }

    #[test]
    fn a_draft_bounds_only_what_it_names() {
        let drafted = Draft { usd: None, wall: None, ..of("add a file", &["true"], &[]) };
        let of_attempts = Budget { attempts: Some(8), ..Budget::default() };
        assert_eq!(goal_text::read(&draft(&drafted)).unwrap().budget, of_attempts);
        assert!(goal_text::read(&draft(&Draft { attempts: None, ..drafted })).unwrap().budget.is_none());
    }

    #[test]
    fn a_long_goal_has_a_short_name() {
        assert_eq!(name("  fix\tthe \x1b[31mbug\nand more"), "fix the [31mbug");
        let long = name(&"word ".repeat(40));
        assert!(long.chars().count() <= NAME && long.ends_with("word…"), "{long}");
    }

    proptest! {
        #[test]
        fn any_words_and_commands_are_read_back_as_they_were(words in "\\PC{1,20} \\PC{1,120}", command in "[!-~]\\PC{0,40}[!-~]") {
            prop_assume!(!name(&words).is_empty());
            let goal = goal_text::read(&draft(&of(&words, &[&command], &[])));
            let goal = goal.map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
            prop_assert_eq!(goal.prose.trim(), words.trim());
            prop_assert_eq!(&goal.checks[0].run, &command);
            prop_assert_eq!(&goal.name, &name(&words));
        }
    }
}
