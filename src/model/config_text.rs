//! The written form of `artel.toml`, read into a [`Config`] or into the list of all its faults. Never opens a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::config::{Config, TestLister};
use super::goal_text::{BOUNDS, BUDGET, budget};
use super::sandbox::Tier;
use super::written::{
    Faults, Fields, Node, SIZE_MAX, Value, command, count, glob, globs, list, nearest, read_toml, regex, relative_path,
    shown, text, word,
};

pub use super::written::Fault;

const CONFIG: &[&str] = &[
    "setup",
    "checks",
    "protect",
    "warm",
    "workers",
    "judges",
    "branch_prefix",
    "env",
    "set",
    "sandbox",
    "read",
    "lease_s",
    "free_mib_min",
    "flaky_reruns",
    "budget",
    "tests",
];
const TIERS: &[(&str, Tier)] = &[("bubblewrap", Tier::Bubblewrap), ("landlock", Tier::Landlock), ("none", Tier::None)];
const LISTER: &[&str] = &["files", "test_files", "test", "skip", "executed", "failed"];

/// Reads `artel.toml`; what is not written has its default.
///
/// # Errors
/// All that is wrong with it, in the order of the file; never empty.
pub fn read(file: &str) -> Result<Config, Vec<Fault>> {
    let mut faults = Faults::default();
    if file.len() > SIZE_MAX {
        faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
        return faults.unless_any(None);
    }
    let node = read_toml(file, &mut faults);
    let config = fields(&node, &mut faults);
    faults.unless_any(config)
}

/// Lists the fields that are read, by the part of the file that holds them.
pub fn known_fields() -> Vec<(&'static str, &'static [&'static str])> {
    vec![("Config", CONFIG), ("TestLister", LISTER), ("WrittenBudget", BUDGET), ("WrittenBounds", BOUNDS)]
}

fn fields(node: &Node, faults: &mut Faults) -> Option<Config> {
    let mut config = Config::default();
    let mut fields = Fields::open(node, "`artel.toml`", CONFIG, faults)?;
    if let Some(node) = fields.take("setup") {
        config.setup = commands(node, "`setup`", faults);
    }
    if let Some(node) = fields.take("checks") {
        config.checks = commands(node, "`checks`", faults);
        refuse_twice(node, &config.checks, faults);
    }
    if let Some(node) = fields.take("protect") {
        protect(&mut config.protect, node, faults);
    }
    if let Some(node) = fields.take("warm") {
        let each = list(node, "`warm`", faults).iter();
        config.warm = each.filter_map(|node| relative_path(node, "each folder of `warm`", faults)).collect();
    }
    if let Some(prefix) = fields.take("branch_prefix").and_then(|node| branch_prefix(node, faults)) {
        config.branch_prefix = prefix;
    }
    if let Some(node) = fields.take("env") {
        let each = list(node, "`env`", faults).iter();
        config.env = each.filter_map(|node| variable(node, faults)).collect();
    }
    if let Some(node) = fields.take("set") {
        config.set = settings(node, faults);
    }
    config.sandbox = fields.take("sandbox").and_then(|node| word(node, "`sandbox`", TIERS, faults));
    if let Some(node) = fields.take("read") {
        config.read = list(node, "`read`", faults).iter().filter_map(|node| absolute_path(node, faults)).collect();
    }
    config.budget = budget(fields.take("budget"), faults);
    if let Some(node) = fields.take("tests") {
        listers(&mut config.tests, node, faults);
    }
    let mut number = |name: &'static str, least, most, into: &mut u32| {
        let read = fields.take(name).and_then(|node| count(node, &format!("`{name}`"), least..=most, faults));
        *into = read.unwrap_or(*into);
    };
    number("workers", 0, 10_000, &mut config.workers);
    number("judges", 0, 10_000, &mut config.judges);
    number("flaky_reruns", 0, 100, &mut config.flaky_reruns);
    if let Some(lease_s) = fields.take("lease_s").and_then(|node| count(node, "`lease_s`", 10..=86_400, faults)) {
        config.lease_s = lease_s;
    }
    let most = 1 << 30;
    if let Some(mib) = fields.take("free_mib_min").and_then(|node| count(node, "`free_mib_min`", 0..=most, faults)) {
        config.free_mib_min = mib;
    }
    Some(config)
}

/// Reads a path outside the repository.
pub(super) fn absolute_path(node: &Node, faults: &mut Faults) -> Option<PathBuf> {
    let written = text(node, "each path that is granted", faults)?;
    let path = PathBuf::from(&written);
    if path.is_absolute() && path.components().all(|part| !matches!(part, std::path::Component::ParentDir)) {
        return Some(path);
    }
    faults.add_with_help(
        &node.at,
        format!("`{}` is not an absolute path", shown(&written)),
        "begin it with `/`, and write it without `..`",
    );
    None
}

fn commands(node: &Node, what: &str, faults: &mut Faults) -> Vec<String> {
    let each = format!("each command of {what}");
    list(node, what, faults).iter().filter_map(|node| command(node, &each, faults)).collect()
}

fn refuse_twice(node: &Node, checks: &[String], faults: &mut Faults) {
    let unique: BTreeSet<&String> = checks.iter().collect();
    if unique.len() != checks.len() {
        faults.add(&node.at, "a command stands twice in `checks`");
    }
}

/// Adds globs to the protected ones; `!GLOB` takes a default out.
fn protect(protected: &mut Vec<String>, node: &Node, faults: &mut Faults) {
    for node in list(node, "`protect`", faults) {
        let taken_out = match &node.value {
            Value::Text(text) => text.strip_prefix('!'),
            Value::Null
            | Value::Flag(_)
            | Value::Whole(_)
            | Value::Real(_)
            | Value::Date(_)
            | Value::List(_)
            | Value::Map(_) => None,
        };
        let Some(out) = taken_out else {
            protected.extend(glob(node, "each glob of `protect`", faults));
            continue;
        };
        if let Some(at) = protected.iter().position(|glob| glob == out) {
            protected.remove(at);
            continue;
        }
        let help = match nearest(out, protected.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `!{meant}`?"),
            None => "`artel schema config` lists the defaults; write one of them after the `!`".to_owned(),
        };
        faults.add_with_help(&node.at, format!("`{}` is not protected by default", shown(out)), help);
    }
}

fn branch_prefix(node: &Node, faults: &mut Faults) -> Option<String> {
    let prefix = text(node, "`branch_prefix`", faults)?;
    let sound = prefix.split('/').all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    });
    if !sound || prefix.len() > 100 {
        let help = "use letters, digits, `-`, `_`, with `/` between the parts, such as `artel` or `bots/artel`";
        faults.add_with_help(&node.at, "`branch_prefix` does not make a branch name everywhere", help);
        return None;
    }
    Some(prefix)
}

/// Reads the name of an environment variable.
pub(super) fn variable(node: &Node, faults: &mut Faults) -> Option<String> {
    let name = text(node, "each name of `env`", faults)?;
    if is_variable(&name) {
        return Some(name);
    }
    let help = "write the name alone, such as `RUSTUP_HOME`; values are set in `[set]`";
    faults.add_with_help(&node.at, format!("`{}` names no environment variable", shown(&name)), help);
    None
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads the table of environment variables that are set; their values may be empty.
fn settings(node: &Node, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut set = BTreeMap::new();
    let Value::Map(entries) = &node.value else {
        faults.add(&node.at, format!("`set` is a table of variables, not {}", node.found()));
        return set;
    };
    for entry in entries {
        if !is_variable(&entry.name) {
            faults.add(&entry.at, format!("`{}` names no environment variable", shown(&entry.name)));
        }
        let value = match &entry.node.value {
            Value::Text(text) if text.is_empty() => Some(String::new()),
            Value::Text(_)
            | Value::Null
            | Value::Flag(_)
            | Value::Whole(_)
            | Value::Real(_)
            | Value::Date(_)
            | Value::List(_)
            | Value::Map(_) => command(&entry.node, "each value of `set`", faults),
        };
        if let Some(value) = value {
            refuse_unknown_holes(&value, &entry.node, faults);
            set.insert(entry.name.clone(), value);
        }
    }
    set
}

/// Notes a `{word}` that would not be filled in.
fn refuse_unknown_holes(value: &str, node: &Node, faults: &mut Faults) {
    const HOLES: [&str; 3] = ["worktree", "cache", "tmp"];
    for part in value.split('{').skip(1) {
        let Some((hole, _)) = part.split_once('}') else { continue };
        let is_word = !hole.is_empty() && hole.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_word && !HOLES.contains(&hole) {
            let help = "known are `{worktree}`, `{cache}` and `{tmp}`";
            faults.add_with_help(&node.at, format!("nothing fills in `{{{hole}}}`"), help);
        }
    }
}

fn listers(tests: &mut BTreeMap<String, TestLister>, node: &Node, faults: &mut Faults) {
    let Value::Map(entries) = &node.value else {
        faults.add(&node.at, format!("`tests` is a table of languages, not {}", node.found()));
        return;
    };
    for entry in entries {
        let what = format!("`tests.{}`", shown(&entry.name));
        lister(tests.entry(entry.name.clone()).or_default(), &entry.node, &what, faults);
    }
}

/// Reads what is written of one language over its default.
fn lister(lister: &mut TestLister, node: &Node, what: &str, faults: &mut Faults) {
    let Some(mut fields) = Fields::open(node, what, LISTER, faults) else { return };
    for (name, into) in [("files", &mut lister.files), ("test_files", &mut lister.test_files)] {
        if let Some(node) = fields.take(name) {
            *into = globs(node, &format!("`{name}`"), faults);
        }
    }
    for (name, into) in [("test", &mut lister.test), ("skip", &mut lister.skip)] {
        if let Some(pattern) = fields.take(name).and_then(|node| regex(node, &format!("`{name}`"), faults)) {
            *into = pattern;
        }
    }
    for (name, into) in [("executed", &mut lister.executed), ("failed", &mut lister.failed)] {
        if let Some(node) = fields.take(name) {
            let each = format!("each pattern of `{name}`");
            let nodes = list(node, &format!("`{name}`"), faults).iter();
            *into = nodes.filter_map(|node| regex(node, &each, faults)).collect();
        }
    }
    if lister.files.is_empty() {
        let help = "write `files = [\"**/*.zig\"]`";
        faults.add_with_help(&fields.at, format!("{what} is no language known here and names no `files`"), help);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(file: &str) -> Vec<String> {
        read(file).unwrap_err().iter().map(|fault| format!("{}: {}", &file[fault.at.clone()], fault.what)).collect()
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(read("").unwrap(), Config::default());
        assert_eq!(read("\u{feff}# nothing\r\n").unwrap(), Config::default());
    }

    #[test]
    fn every_field_is_read() {
        let file = r#"
setup = ["npm ci"]
checks = ["npm test", "npm run lint"]
protect = ["secrets/**", "!**/Cargo.lock"]
warm = ["node_modules", "./target"]
workers = 4
judges = 2
branch_prefix = "bots/artel"
env = ["NPM_TOKEN"]
lease_s = 60
flaky_reruns = 0
budget = { wall = "2h", usd = 0.5, task = { calls = 9 }, roles = { judge = { tokens = 7 } } }
[set]
TMPDIR = "{tmp}"
EMPTY = ""
[tests.rust]
skip = "SKIP"
[tests.zig]
files = ["**/*.zig"]
test = '^test "'
"#;
        let config = read(file).unwrap();
        assert_eq!((config.workers, config.judges, config.lease_s, config.flaky_reruns), (4, 2, 60, 0));
        assert_eq!(config.warm, ["node_modules", "target"]);
        assert_eq!(config.set["EMPTY"], "");
        assert_eq!((config.budget.wall_s, config.budget.nano_usd), (Some(7200), Some(500_000_000)));
        assert_eq!((config.budget.task.calls, config.budget.roles["judge"].tokens), (Some(9), Some(7)));
        assert!(config.protect.contains(&"secrets/**".to_owned()) && config.protect.contains(&"artel.toml".to_owned()));
        assert!(!config.protect.contains(&"**/Cargo.lock".to_owned()));
        assert_eq!(config.tests["rust"].skip, "SKIP");
        assert_eq!(config.tests["rust"].test, Config::default().tests["rust"].test);
        assert_eq!(config.tests["zig"].files, ["**/*.zig"]);
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        for (file, expected) in [
            ("wrokers = 1", "wrokers: `artel.toml` has no field `wrokers`"),
            ("workers = \"two\"", "\"two\": `workers` must be a whole number, not the text `two`"),
            ("workers = -1", "-1: `workers` is from 0 to 10000, not -1"),
            ("protect = [\"!**/Crago.lock\"]", "\"!**/Crago.lock\": `**/Crago.lock` is not protected by default"),
            ("warm = [\"/target\"]", "\"/target\": each folder of `warm` is no path of the repository"),
            ("branch_prefix = \"-x\"", "\"-x\": `branch_prefix` does not make a branch name everywhere"),
            ("env = [\"A=b\"]", "\"A=b\": `A=b` names no environment variable"),
            ("set = { A = \"{wroktree}/x\" }", "\"{wroktree}/x\": nothing fills in `{wroktree}`"),
            ("[tests.rust]\ntset = 'x'", "tset: `tests.rust` has no field `tset`"),
            (
                "[tests]\nzig = { test = 'x' }",
                "{ test = 'x' }: `tests.zig` is no language known here and names no `files`",
            ),
            ("budget = { usd = 0 }", "0: `usd` of no money lets nothing run"),
            ("[budget]\nhours = 2", "hours: `budget` has no field `hours`"),
            ("checks = ['a', 'a']", "['a', 'a']: a command stands twice in `checks`"),
            ("lease_s = 1999-01-01", "1999-01-01: `lease_s` must be a whole number, not the date 1999-01-01"),
        ] {
            assert_eq!(faults(file), [expected], "{file}");
        }
    }

    #[test]
    fn faults_of_syntax_and_of_fields_are_found_at_once() {
        let found = faults("workers = \nbogus = 1\n[tests.rust]\nskip = '('\n");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_read_or_refused_with_places_inside_it(file in "([a-z_]{1,8} ?= ?)?.*\n?.*") {
            if let Err(faults) = read(&file) {
                for fault in faults {
                    prop_assert!(file.get(fault.at.clone()).is_some(), "{fault:?}");
                }
            }
        }
    }
}
