//! Owns an example for each verb, which its help and its manual page end with. Never runs one.

use clap::{Command, CommandFactory};

use super::args::Cli;

/// What a person might type, and what it does, verb by verb.
const EXAMPLES: [(&str, &str, &str); 34] = [
    ("demo", "artel demo --sample", "migrates a small crate that is built in"),
    ("init", "artel init", "lays down what a first run needs"),
    ("run", "artel run goal.md --workers 4 --name TICKET-123", "works on a goal with four attempts at one time"),
    ("plan", "artel plan goal.md", "shows what a run would do"),
    ("status", "artel status TICKET-123 --timeline", "shows who worked when"),
    ("list", "artel list", "lists the runs of all repositories"),
    ("inbox", "artel inbox --json", "tells a program what needs a person"),
    ("show", "artel show t3", "shows a task of the newest run here"),
    ("digest", "artel digest --since 24h --md", "tells what the newest run here came to since yesterday"),
    ("log", "artel log --follow --json", "tells a program each event as it happens"),
    ("diff", "artel diff TICKET-123/t3", "shows what a task's candidate changes"),
    ("cost", "artel cost", "shows what the newest run here has cost"),
    ("watch", "artel watch TICKET-123", "follows a run that another process works on"),
    ("attach", "artel attach r-7k2m --from 100", "tells what happened from event 100 on"),
    ("serve", "artel serve --link", "shows where the pages of the server are"),
    ("approve", "artel approve plan", "lets the plan of the newest run here pass"),
    ("deny", "artel deny t8 --reason \"by hand\"", "gives a kept task up"),
    ("retry", "artel retry t6 t9", "has two tasks tried again"),
    ("stop", "artel stop TICKET-123", "finishes what runs and begins nothing new"),
    ("resume", "artel resume --usd 40", "goes on with more money"),
    ("steer", "artel steer \"keep the old names\" --task t3", "tells one task's attempts something"),
    ("answer", "artel answer t6 \"MIT\"", "answers what a blocked task asks"),
    ("grant", "artel grant t6", "lets a task change what it asked for"),
    ("deliver", "artel deliver", "brings what landed into the branch that the run was opened from"),
    ("revert", "artel revert t4", "takes one landed task back out"),
    ("verify", "artel verify r-7k2m", "proves what the journal of a run holds"),
    ("gc", "artel gc --dry-run", "tells what would be cleared away"),
    ("doctor", "artel doctor", "says what is wrong here and what to do about it"),
    ("roles", "artel roles --agents", "lists the agents of this machine"),
    ("prices", "artel prices", "lists what models cost"),
    ("schema", "artel schema", "prints the schemas of all files"),
    (
        "completions",
        "artel completions bash > ~/.local/share/bash-completion/completions/artel",
        "completes verbs in bash",
    ),
    ("man", "artel man ~/.local/share/man/man1", "installs the manual pages for you alone"),
    ("notify", "artel notify", "sends a test notice through every channel of notify.toml"),
];

/// Gives the shape of the command line, each verb with its example.
pub fn command() -> Command {
    Cli::command().mut_subcommands(|verb| {
        let example = EXAMPLES.iter().find(|(name, ..)| *name == verb.get_name());
        match example {
            Some((_, line, does)) => verb.after_help(format!("Example:\n  {line}\n      {does}")),
            None => verb,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn each_verb_has_one_example_that_it_understands() {
        let mut verbs: Vec<String> = Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        let mut found: Vec<&str> = EXAMPLES.iter().map(|(verb, ..)| *verb).collect();
        verbs.sort();
        found.sort_unstable();
        assert_eq!(found, verbs);
        for (verb, line, _) in EXAMPLES {
            let quoted: Vec<&str> = line.split('"').collect();
            let words = quoted.iter().enumerate().flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().collect::<Vec<_>>(),
                _ => vec![*part],
            });
            let words: Vec<&str> = words.take_while(|word| *word != ">").collect();
            assert_eq!(words[1], verb);
            let parsed = Cli::try_parse_from(&words);
            assert!(parsed.is_ok(), "{line}: {:?}", parsed.err().map(|error| error.to_string()));
        }
    }
}
