//! Owns the reading of done-conditions and checks. Never runs one.

use std::collections::BTreeSet;

use crate::model::check::Check;
use crate::model::goal::{Condition, Find, Query};
use crate::model::written::{
    Faults, Fields, Node, Value, command, duration_s, globs, list, regex, relative_path, shown, text,
};

pub(super) const CONDITION: &[&str] = &["name", "check", "timeout", "query"];
pub(super) const QUERY: &[&str] = &["rule", "regex", "within"];
pub(super) const CHECK: &[&str] = &["name", "run", "timeout"];

/// Longest that a check may take where the file says nothing, in seconds.
const TIMEOUT_S: u64 = 600;

/// Reads the list of done-conditions.
pub(super) fn conditions(node: &Node, faults: &mut Faults) -> Vec<Condition> {
    let mut names = BTreeSet::new();
    let mut conditions = Vec::new();
    for node in list(node, "`done`", faults) {
        let Some(condition) = condition(node, faults) else { continue };
        refuse_second(&mut names, condition.name(), node, "done-conditions", faults);
        conditions.push(condition);
    }
    conditions
}

/// Reads the list of checks.
pub(in crate::model) fn checks(node: &Node, faults: &mut Faults) -> Vec<Check> {
    let mut names = BTreeSet::new();
    let mut checks = Vec::new();
    for node in list(node, "`checks`", faults) {
        let Some(check) = check(node, faults) else { continue };
        refuse_second(&mut names, &check.name, node, "checks", faults);
        checks.push(check);
    }
    checks
}

fn refuse_second(names: &mut BTreeSet<String>, name: &str, node: &Node, what: &str, faults: &mut Faults) {
    if !names.insert(name.to_owned()) {
        let help = "give each a `name` of its own";
        faults.add_with_help(&node.at, format!("two {what} are named `{}`", shown(name)), help);
    }
}

fn condition(node: &Node, faults: &mut Faults) -> Option<Condition> {
    if !matches!(node.value, Value::Map(_)) {
        return short(node, "a done-condition", faults).map(Condition::Check);
    }
    let mut fields = Fields::open(node, "a done-condition", CONDITION, faults)?;
    let name = fields.take("name").map(|node| label(node, faults));
    let timeout = fields.take("timeout");
    let timeout_s = timeout.map(|node| duration_s(node, "`timeout`", faults));
    match (fields.take("check"), fields.take("query")) {
        (Some(check), None) => {
            let run = command(check, "`check`", faults)?;
            let timeout_s = timeout_s.unwrap_or(Some(TIMEOUT_S))?;
            Some(Condition::Check(Check { name: name.unwrap_or_else(|| Some(named_after(&run)))?, run, timeout_s }))
        }
        (None, Some(query)) => {
            if let Some(timeout) = timeout {
                faults.add(&timeout.at, "a query has no `timeout`");
            }
            let (find, within) = self::query(query, faults)?;
            let name = name.unwrap_or_else(|| Some(described(&find)))?;
            Some(Condition::Query(Query { name, find, within }))
        }
        (Some(_), Some(query)) => {
            faults.add_with_help(&query.at, "a done-condition is a `check` or a `query`, not both", "make it two");
            None
        }
        (None, None) => {
            let help = "add `check: COMMAND` or `query: { rule: FILE }` or `query: { regex: PATTERN }`";
            faults.add_with_help(&fields.at, "this done-condition holds nothing that can be executed", help);
            None
        }
    }
}

fn described(find: &Find) -> String {
    match find {
        Find::Rule(file) => format!("no match of {file}"),
        Find::Regex(pattern) => format!("no match of /{pattern}/"),
    }
}

fn query(node: &Node, faults: &mut Faults) -> Option<(Find, Vec<String>)> {
    let mut fields = Fields::open(node, "a query", QUERY, faults)?;
    let within = fields.take("within").map(|node| globs(node, "`within`", faults)).unwrap_or_default();
    let find = match (fields.take("rule"), fields.take("regex")) {
        (Some(rule), None) => Find::Rule(relative_path(rule, "`rule`", faults)?),
        (None, Some(pattern)) => Find::Regex(regex(pattern, "`regex`", faults)?),
        (Some(_), Some(pattern)) => {
            faults.add_with_help(&pattern.at, "a query has a `rule` or a `regex`, not both", "make it two conditions");
            return None;
        }
        (None, None) => {
            faults.add(&fields.at, "a query needs a `rule` (an ast-grep rule file) or a `regex`");
            return None;
        }
    };
    Some((find, within))
}

fn check(node: &Node, faults: &mut Faults) -> Option<Check> {
    if !matches!(node.value, Value::Map(_)) {
        return short(node, "a check", faults);
    }
    let mut fields = Fields::open(node, "a check", CHECK, faults)?;
    let name = fields.take("name").map(|node| label(node, faults));
    let timeout_s = fields.take("timeout").map(|node| duration_s(node, "`timeout`", faults));
    let Some(run) = fields.take("run") else {
        faults.add_with_help(&fields.at, "this check has no command", "add `run: COMMAND`");
        return None;
    };
    let run = command(run, "`run`", faults)?;
    let timeout_s = timeout_s.unwrap_or(Some(TIMEOUT_S))?;
    Some(Check { name: name.unwrap_or_else(|| Some(named_after(&run)))?, run, timeout_s })
}

/// Reads a check that is written as its command alone.
fn short(node: &Node, what: &str, faults: &mut Faults) -> Option<Check> {
    let run = command(node, what, faults)?;
    Some(Check { name: named_after(&run), run, timeout_s: TIMEOUT_S })
}

/// Makes a name of one line out of a command.
fn named_after(run: &str) -> String {
    run.lines().map(str::trim).collect::<Vec<_>>().join("; ").replace(char::is_control, " ")
}

fn label(node: &Node, faults: &mut Faults) -> Option<String> {
    let label = text(node, "`name`", faults)?;
    if label.chars().any(char::is_control) {
        faults.add(&node.at, "`name` must be one line");
        return None;
    }
    Some(label)
}
