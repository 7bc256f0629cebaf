//! Owns how single values are read: texts, counts, durations, words, globs, regular expressions, paths.
//! Each reader notes what is wrong and gives nothing then. Never knows a field.

use std::ops::RangeInclusive;

use super::fault::{Faults, nearest, shown};
use super::fields::listed;
use super::tree::{Node, Value};
use crate::model::spend::nano_usd_of;

/// Reads a text that is not blank.
pub fn text(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    match &node.value {
        Value::Text(text) if text.trim().is_empty() => {
            faults.add(&node.at, format!("{what} is empty"));
            None
        }
        Value::Text(text) => Some(text.clone()),
        Value::Flag(_) | Value::Whole(_) | Value::Real(_) | Value::Date(_) => {
            faults.add_with_help(&node.at, wrong(what, "a text", node), "put it in quotes");
            None
        }
        Value::Null | Value::List(_) | Value::Map(_) => {
            faults.add(&node.at, wrong(what, "a text", node));
            None
        }
    }
}

/// Reads a command line for `sh -c`.
pub fn command(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    let line = text(node, what, faults)?;
    if line.contains('\0') {
        faults.add(&node.at, format!("{what} holds a NUL character, which no command line can"));
        return None;
    }
    Some(line.trim().to_owned())
}

/// Reads yes or no.
pub fn flag(node: &Node, what: &str, faults: &mut Faults) -> Option<bool> {
    if let Value::Flag(flag) = node.value {
        return Some(flag);
    }
    faults.add_with_help(&node.at, wrong(what, "yes or no", node), "write `true` or `false`, without quotes");
    None
}

/// Reads a whole number within bounds.
pub fn count<T: TryFrom<i64>>(node: &Node, what: &str, bounds: RangeInclusive<i64>, faults: &mut Faults) -> Option<T> {
    let Value::Whole(number) = node.value else {
        faults.add(&node.at, wrong(what, "a whole number", node));
        return None;
    };
    if !bounds.contains(&number) {
        let within = match (*bounds.start(), *bounds.end()) {
            (least, i64::MAX) => format!("at least {least}"),
            (least, most) => format!("from {least} to {most}"),
        };
        faults.add(&node.at, format!("{what} is {within}, not {number}"));
        return None;
    }
    T::try_from(number).ok().or_else(|| {
        faults.add(&node.at, format!("{what} is too large"));
        None
    })
}

/// Reads a duration of at least one second, such as `90s`, `10m`, `2h`, `1d`, or a number of seconds; gives seconds.
pub fn duration_s(node: &Node, what: &str, faults: &mut Faults) -> Option<u64> {
    let read = match &node.value {
        Value::Whole(number) => u64::try_from(*number).ok(),
        Value::Text(text) => seconds_of(text),
        Value::Null | Value::Flag(_) | Value::Real(_) | Value::Date(_) | Value::List(_) | Value::Map(_) => None,
    };
    match read {
        Some(0) => faults.add(&node.at, format!("{what} of no time lets nothing run")),
        None => {
            let help = "write `90s`, `10m`, `2h`, `1d`, several such as `1h30m`, or a whole number of seconds";
            faults.add_with_help(&node.at, wrong(what, "a duration", node), help);
        }
        Some(_) => {}
    }
    read.filter(|seconds| *seconds > 0)
}

/// Reads an amount of dollars above nothing, such as `5`, `0.25` or `$12.50`; gives nano-dollars.
pub fn nano_usd(node: &Node, what: &str, faults: &mut Faults) -> Option<u64> {
    let read = match &node.value {
        Value::Whole(number) => nano_usd_of(&number.to_string()),
        Value::Real(number) => nano_usd_of(&number.to_string()),
        Value::Text(text) => nano_usd_of(text),
        Value::Null | Value::Flag(_) | Value::Date(_) | Value::List(_) | Value::Map(_) => None,
    };
    match read {
        Some(0) => faults.add(&node.at, format!("{what} of no money lets nothing run")),
        None => faults.add_with_help(&node.at, wrong(what, "an amount of dollars", node), "write `5` or `0.25`"),
        Some(_) => {}
    }
    read.filter(|nano| *nano > 0)
}

/// Reads a duration as people write it; gives seconds, nothing where it is none or longer than a century.
pub fn seconds_of(text: &str) -> Option<u64> {
    const CENTURY_S: u64 = 100 * 366 * 86_400;
    let text = text.trim();
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = match &rest[..letters] {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "" if digits == text.len() => 1,
            _ => return None,
        };
        rest = rest[letters..].trim_start();
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (total <= CENTURY_S).then_some(total)
}

/// Reads one of several words.
pub fn word<T: Copy>(node: &Node, what: &str, known: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let Value::Text(written) = &node.value else {
        faults.add(&node.at, wrong(what, &format!("one of {}", listed(&words)), node));
        return None;
    };
    let found = known.iter().find(|(word, _)| word == written).map(|(_, value)| *value);
    if found.is_none() {
        let help = match nearest(written, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? known are {}", listed(&words)),
            None => format!("known are {}", listed(&words)),
        };
        faults.add_with_help(&node.at, format!("{what} cannot be `{}`", shown(written)), help);
    }
    found
}

/// Gives the values of a list.
pub fn list<'n>(node: &'n Node, what: &str, faults: &mut Faults) -> &'n [Node] {
    if let Value::List(nodes) = &node.value {
        return nodes;
    }
    faults.add_with_help(
        &node.at,
        wrong(what, "a list", node),
        "put it in brackets, or each value on a line of its own",
    );
    &[]
}

/// Reads a list of texts.
pub fn texts(node: &Node, what: &str, faults: &mut Faults) -> Vec<String> {
    let each = format!("each value of {what}");
    list(node, what, faults).iter().filter_map(|node| text(node, &each, faults)).collect()
}

/// Reads a list of globs over paths of the repository.
pub fn globs(node: &Node, what: &str, faults: &mut Faults) -> Vec<String> {
    let each = format!("each glob of {what}");
    list(node, what, faults).iter().filter_map(|node| glob(node, &each, faults)).collect()
}

/// Reads a glob over paths of the repository.
pub fn glob(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    let glob = text(node, what, faults)?;
    if let Err(error) = globset::Glob::new(&glob) {
        faults.add(&node.at, format!("`{}` is not a glob: {}", shown(&glob), error.kind()));
        return None;
    }
    if let Some(folder) = glob.strip_suffix('/') {
        let help = format!("write `{folder}/**`");
        faults.add_with_help(&node.at, format!("`{glob}` names a folder and matches no file"), help);
        return None;
    }
    if leaves_the_repository(&glob) {
        let help = "globs are matched against paths from the root of the repository, such as `src/main.rs`";
        faults.add_with_help(&node.at, format!("`{}` matches no path of the repository", shown(&glob)), help);
        return None;
    }
    Some(glob)
}

/// Reads a path of the repository.
pub fn relative_path(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    let path = text(node, what, faults)?;
    let path = path.strip_prefix("./").unwrap_or(&path);
    if path.is_empty() || path.contains(['\0', '\\']) || leaves_the_repository(path) {
        let help = "write it from the root of the repository, with `/`, such as `rules/try.yml`";
        faults.add_with_help(&node.at, format!("{what} is no path of the repository"), help);
        return None;
    }
    Some(path.to_owned())
}

fn leaves_the_repository(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| matches!(part, "." | ".."))
}

/// Reads a regular expression.
pub fn regex(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    let pattern = text(node, what, faults)?;
    let fault = match ::regex::Regex::new(&pattern) {
        Ok(_) => return Some(pattern),
        Err(::regex::Error::CompiledTooBig(limit)) => format!("it needs more than {limit} bytes"),
        Err(error) => reason(&error.to_string()),
    };
    let help = "the syntax is that of Rust's `regex`: no look-around and no back-references; in YAML use single quotes";
    faults.add_with_help(&node.at, format!("{what} is no regular expression: {fault}"), help);
    None
}

/// Takes the reason out of a message that also draws the pattern.
fn reason(message: &str) -> String {
    let last = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(message);
    last.trim().trim_start_matches("error:").trim().to_owned()
}

fn wrong(what: &str, want: &str, node: &Node) -> String {
    format!("{what} must be {want}, not {}", node.found())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), ("45", 45)] {
            assert_eq!(seconds_of(text), Some(seconds), "{text}");
        }
        for text in ["", "m", "1.5h", "-1s", "10x", "1h 5", "99999999999999999999d", "9999999999d", "ten minutes"] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }
}
