//! Owns the looks at a whole tree: the checks on the base, and whether the done-conditions hold. Never says that the
//! run is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;
use tokio::sync::watch;

use super::checks::{self, NoAnswer};
use super::world::{World, told};
use crate::io::syntax::scan;
use crate::machine::command::Command;
use crate::model::check::{Answer, CheckResult};
use crate::model::globs::globs;
use crate::model::goal::{Condition, Find, Query};
use crate::model::ids::Oid;

/// Places that a red query names.
const NAMED_AT_MOST: usize = 20;

/// Runs the run's checks on its base.
pub async fn take_baseline(world: &Arc<World>, cancelled: watch::Receiver<bool>) -> Option<Command> {
    let base = world.opening.base;
    match checks::run_all(world, ("base-", base), &world.opening.goal.checks, cancelled).await {
        Ok(results) => Some(Command::ReportBaseline { results }),
        Err(NoAnswer::Cancelled) => None,
        Err(NoAnswer::Trouble(what)) => Some(Command::ReportTrouble { what }),
    }
}

/// Looks at every done-condition on the head of the run's branch.
pub async fn check_conditions(world: &Arc<World>, head: Oid, cancelled: watch::Receiver<bool>) -> Option<Command> {
    match look_at_conditions(world, head, cancelled).await {
        Ok(results) => Some(Command::ReportConditions { head, results }),
        Err(NoAnswer::Cancelled) => None,
        Err(NoAnswer::Trouble(what)) => Some(Command::ReportTrouble { what }),
    }
}

/// Looks at every done-condition on a commit.
pub(super) async fn look_at_conditions(
    world: &Arc<World>,
    commit: Oid,
    cancelled: watch::Receiver<bool>,
) -> Result<Vec<CheckResult>, NoAnswer> {
    let mut results = Vec::new();
    for (number, condition) in world.opening.goal.done.iter().enumerate() {
        let answers = match condition {
            Condition::Check(check) => {
                let name = format!("done-{}-{}", commit.short(), number + 1);
                let none = BTreeMap::new();
                let one = std::slice::from_ref(check);
                let repeat = checks::Repeat::WhatIsRed;
                checks::run(world, (&name, commit), one, &none, repeat, cancelled.clone()).await?.0
            }
            Condition::Query(query) => vec![ask(world, commit, query).await?],
        };
        results.extend(answers);
    }
    Ok(results)
}

/// Looks for what must not be there.
async fn ask(world: &Arc<World>, head: Oid, query: &Query) -> Result<CheckResult, NoAnswer> {
    let query = query.clone();
    let name = query.name.clone();
    let started = world.now_ms();
    let found = world.blocking(move |world| Ok(look(world, head, &query))).await?;
    let found = found.map_err(NoAnswer::Trouble)?;
    let wall_ms = u64::try_from(world.now_ms() - started).unwrap_or(0);
    let answer = if found.is_empty() { Answer::Green } else { Answer::Red };
    let mut tail = found.iter().take(NAMED_AT_MOST).cloned().collect::<Vec<_>>().join("\n");
    if found.len() > NAMED_AT_MOST {
        tail.push_str(&format!("\nand {} more", found.len() - NAMED_AT_MOST));
    }
    Ok(CheckResult {
        name,
        answer,
        code: Some(i32::from(!found.is_empty())),
        wall_ms,
        runs: 1,
        executed: None,
        failed: BTreeSet::new(),
        tail,
    })
}

/// Lists the places that a query finds in a commit.
fn look(world: &World, head: Oid, query: &Query) -> Result<Vec<String>, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    let goal = &world.opening.goal;
    // What states the goal may tell of what is to go, and no task may change it.
    let own = if query.within.is_empty() { &world.opening.own } else { &BTreeSet::new() };
    let within = if query.within.is_empty() { &goal.owns } else { &query.within };
    let within = globs(within).map_err(|error| failed(&error))?;
    let never = globs(&goal.never).map_err(|error| failed(&error))?;
    let (tree, _) = world.repo.commit_of(head).map_err(|error| failed(&error))?;
    let files = world.repo.files(tree).map_err(|error| failed(&error))?;
    let odd = files.not_utf8.into_iter().map(|file| (String::from_utf8_lossy(&file.path).into_owned(), file.oid));
    let wanted = files.files.into_iter().map(|file| (file.path, file.oid)).chain(odd).filter(|(path, _)| {
        (within.is_empty() || within.is_match(path)) && !never.is_match(path) && !own.contains(path)
    });
    let read = |oid| world.repo.read(oid).map_err(|error| failed(&error));
    let mut found = Vec::new();
    match &query.find {
        Find::Rule(name) => {
            let rules = world.rules(std::slice::from_ref(name)).map_err(|error| failed(&error))?;
            for (path, oid) in wanted {
                for rule in rules.iter().filter(|rule| rule.reads(&path)) {
                    // What cannot be read as source is told by the checks, not by a query over source.
                    let matches = scan(rule, &path, &read(oid)?).unwrap_or_default();
                    found.extend(matches.iter().map(|it| format!("{path}:{}: {}", it.line, it.text)));
                }
            }
        }
        Find::Regex(pattern) => {
            let pattern = Regex::new(pattern).map_err(|error| failed(&error))?;
            for (path, oid) in wanted {
                let bytes = read(oid)?;
                let text = String::from_utf8_lossy(&bytes);
                for (number, line) in text.lines().enumerate().filter(|(_, line)| pattern.is_match(line)) {
                    let shown: String = line.chars().take(200).collect();
                    found.push(format!("{path}:{}: {shown}", number + 1));
                }
            }
        }
    }
    Ok(found)
}
