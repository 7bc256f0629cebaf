//! Tells how a run looks on a real terminal: a block that fits it, nothing raw, and the board at the end.

use unicode_width::UnicodeWidthStr;

use crate::common::{House, RENAME, rename_goal};
use crate::terminal::on_terminal;

/// What a hostile agent writes: a title for the terminal, a jump, a clear screen, a bell and a turn of direction.
const HOSTILE: &str = "\\033]0;owned\\007\\033[77;99H\\033[2J\\007\\342\\200\\256";

/// Four tasks at once, of an agent that talks and takes a little longer than a block stays as it is.
fn busy() -> House {
    let goal = rename_goal("checks: [\"echo checked; sleep 0.3\"]\nplan: { rules: [rename.yml], files_per_task: 1 }\n");
    let agent = format!(
        "head -c 10000000 /dev/zero | tr '\\0' x; sleep 0.5; echo; for n in 1 2 3; do printf '{HOSTILE} at work on a line that is far too long for any terminal of a sane width: %s\\n' $n; sleep 0.5; done\nsed -i s/old/new/ $(cat \"$ARTEL_PATHS\")\n"
    );
    let mut files = vec![("rename.yml".to_owned(), RENAME.to_owned()), ("goal.md".to_owned(), goal)];
    files.push(("agent.sh".to_owned(), agent));
    let deep = "a/folder/whose/name/is/much/too/long/for/eighty/columns/of/text";
    files.extend((0..4).map(|n| (format!("src/{deep}/file_{n}.py"), format!("print(old({n}))\n"))));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    House::with(&files)
}

const AGENT: [&str; 8] =
    ["run", "goal.md", "--workers", "4", "--role", "worker.agents=command:sh agent.sh", "--name", "LOOK"];

fn looks_well(rows: u16, columns: u16) {
    let house = busy();
    let shown = on_terminal(house.command(&AGENT), rows, columns);
    let text = shown.text();
    assert_eq!(shown.code, Some(0), "{text}");
    let raw = shown.raw();
    for sign in ["\u{1b}]", "\u{1b}[77;99H", "\u{1b}[2J", "\u{7}", "\u{202e}"] {
        assert!(!raw.contains(sign), "{sign:?} reached the terminal");
    }
    assert!(shown.bytes.len() < 1 << 20, "{} bytes were written: a long line is shown short", shown.bytes.len());
    let screens = shown.screens(rows, columns);
    let shows = |word: &str| screens.iter().any(|screen| screen.contains(word));
    assert!(shows("\\x1b]0;owned"), "what the agent says is shown, harmless");
    for word in ["running", "at work", "judging", "checking", "landed", "4 of 4"] {
        assert!(shows(word), "no `{word}` in {text}");
    }
    assert!(screens.len() > 4, "it was redrawn");
    // Each drawing fills the terminal and no more: the first line is the head's, the last one names the keys.
    let (_, live) = screens.split_last().unwrap();
    for screen in live.iter().filter(|screen| screen.contains("LOOK")) {
        let lines: Vec<&str> = screen.lines().collect();
        assert!(lines[0].starts_with("r-") && lines[0].contains("  LOOK  "), "{screen}");
        assert!(lines[usize::from(rows) - 1].contains("q quit"), "{screen}");
    }
    let board = console::strip_ansi_codes(raw.rsplit("\u{1b}[?1049l").next().unwrap()).into_owned();
    let too_wide = board.lines().find(|line| line.trim_matches('\r').width() > usize::from(columns));
    assert_eq!(too_wide, None);
}

#[test]
fn a_run_fits_a_small_terminal() {
    looks_well(24, 80);
}

#[test]
fn a_run_fits_a_large_terminal() {
    looks_well(40, 120);
}

#[test]
fn no_verb_lets_a_terminal_be_reached_by_what_an_agent_said() {
    let house = busy();
    house.artel(&AGENT).exits(0);
    for words in [
        &["status"][..],
        &["status", "--timeline"],
        &["show", "t1"],
        &["log"],
        &["diff", "t1"],
        &["list", "--inbox", "--all"],
        &["cost"],
        &["watch"],
        &["plan", "goal.md"],
        &["gc", "-n"],
        &["doctor"],
    ] {
        let shown = on_terminal(house.command(words), 24, 80);
        assert_eq!(shown.code, Some(0), "{words:?}");
        let raw = String::from_utf8_lossy(&shown.bytes).into_owned();
        assert!(raw.contains("\u{1b}[") || words[0] == "plan" || words[0] == "list", "{words:?} is coloured");
        for sign in ["\u{1b}]", "\u{1b}[77;99H", "\u{1b}[2J", "\u{7}", "\u{202e}"] {
            assert!(!raw.contains(sign), "{words:?}: {sign:?} reached the terminal");
        }
        let mut plain = house.command(words);
        plain.env("NO_COLOR", "1");
        let shown = on_terminal(plain, 24, 80);
        let coloured =
            ["\u{1b}[0m", "\u{1b}[3", "\u{1b}[1m"].iter().any(|it| String::from_utf8_lossy(&shown.bytes).contains(it));
        assert!(!coloured, "{words:?} with NO_COLOR");
    }
}
