//! Owns how checks are run on a commit: in a clean worktree that no agent has touched, red ones once more where
//! that decides, and what their output says of tests. Never says what an answer means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::room::{Access, Room, Whose, Work};
use super::setup::{For, NotSetUp, set_up};
use super::world::{World, told};
use crate::io::agents::Desk;
use crate::io::git::{GitError, OwnGit, Tree};
use crate::io::hands::{Ended, JobLimits};
use crate::io::process::{How, Program};
use crate::model::attempt::Usage;
use crate::model::check::{Answer, Baseline, Check, CheckResult, Looks};
use crate::model::ids::Oid;
use crate::model::role::Grants;
use crate::model::test_output::TestOutput;

/// Bytes of a check's output in which its numbers are looked for.
const OUTPUT_BYTES: usize = 1 << 20;
/// Bytes of a check's output that are journalled.
const TAIL_BYTES: usize = 4 << 10;

/// The log that names the check that was begun last, by its own log and its name, while that check runs.
pub const CHECKING: &str = "checking";

/// Says which red answers are looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// None: another look follows where it matters.
    Nothing,
    /// Those that are worse than the base's, because this answer decides.
    WhatIsRed,
    /// This is the second look at a tree on which these checks were red; a contradiction is looked at to the bound.
    After(Vec<String>),
}

/// Says why no answer was had.
#[derive(Debug)]
pub enum NoAnswer {
    /// The answer is wanted no longer.
    Cancelled,
    /// Something outside failed.
    Trouble(String),
}

impl From<GitError> for NoAnswer {
    fn from(error: GitError) -> Self {
        Self::Trouble(format!("failed to {}", told(&error)))
    }
}

impl From<NotSetUp> for NoAnswer {
    fn from(not: NotSetUp) -> Self {
        match not {
            NotSetUp::Cancelled => Self::Cancelled,
            NotSetUp::Failed(_) => Self::Trouble(format!("failed to {not}")),
        }
    }
}

/// Runs checks on a commit, in order; stops after the first that is worse than on the base.
pub async fn run(
    world: &Arc<World>,
    (name, commit): (&str, Oid),
    checks: &[Check],
    baseline: &Baseline,
    repeat: Repeat,
    cancelled: watch::Receiver<bool>,
) -> Result<(Vec<CheckResult>, Usage), NoAnswer> {
    let mut results = Vec::new();
    let mut usage = Usage::default();
    if checks.is_empty() {
        return Ok((results, usage));
    }
    let (mut tree, git) = world
        .blocking(move |world| {
            let tree = world.bench.take(commit)?;
            let git = world.own_git(&tree)?;
            Ok((tree, git))
        })
        .await?;
    let git = git.as_ref();
    let whom = For { name, whose: Whose::Checks, grants: &Grants::default(), git, limits: JobLimits::default() };
    let ready = set_up(world, &mut tree, &whom, cancelled.clone()).await;
    let answers = async {
        ready?;
        for (number, check) in checks.iter().enumerate() {
            let log = format!("{name}-{}", number + 1);
            let base = baseline.get(&check.name);
            let result = answer(world, (&tree, git), &log, check, base, &repeat, &cancelled, &mut usage).await?;
            let is_worse = result.is_worse_than(base);
            results.push(result);
            if is_worse {
                break;
            }
        }
        Ok(())
    };
    let answered: Result<(), NoAnswer> = answers.await;
    world
        .blocking(move |world| {
            let _ = tree.turn_back();
            world.bench.give_back(tree);
            Ok(())
        })
        .await?;
    answered.map(|()| (results, usage))
}

/// Runs every check on a commit, whatever the ones before answered.
pub async fn run_all(
    world: &Arc<World>,
    (name, commit): (&str, Oid),
    checks: &[Check],
    cancelled: watch::Receiver<bool>,
) -> Result<Vec<CheckResult>, NoAnswer> {
    let mut results = Vec::new();
    for (number, check) in checks.iter().enumerate() {
        let named = (format!("{name}{}", number + 1), commit);
        let none = BTreeMap::new();
        let one = std::slice::from_ref(check);
        let (answers, _) = run(world, (&named.0, named.1), one, &none, Repeat::WhatIsRed, cancelled.clone()).await?;
        results.extend(answers);
    }
    Ok(results)
}

/// Gets one check's answer; a red one that decides is asked for again, and two answers on one tree are told.
#[expect(clippy::too_many_arguments, reason = "each says one thing, and only this file calls it")]
async fn answer(
    world: &Arc<World>,
    place: (&Tree, Option<&OwnGit>),
    log: &str,
    check: &Check,
    base: Option<&CheckResult>,
    repeat: &Repeat,
    cancelled: &watch::Receiver<bool>,
    usage: &mut Usage,
) -> Result<CheckResult, NoAnswer> {
    let before = match repeat {
        Repeat::After(reds) => u32::from(reds.contains(&check.name)),
        Repeat::Nothing | Repeat::WhatIsRed => 0,
    };
    let mut looks = Looks::after(before, world.opening.config.flaky_reruns);
    let mut shown: Option<CheckResult> = None;
    loop {
        let result = once(world, place, log, check, cancelled, usage).await?;
        let is_red = result.is_worse_than(base);
        looks.learn(is_red);
        // What is shown of two answers is the red one: that is what somebody must mend.
        if is_red || shown.is_none() {
            shown = Some(result);
        }
        if *repeat == Repeat::Nothing || looks.is_enough() {
            break;
        }
    }
    let Some(mut result) = shown else { return Err(NoAnswer::Cancelled) };
    let Looks { green, red, .. } = looks;
    result.runs = green + red;
    if let Some(answer) = looks.contradiction() {
        result.answer = answer;
        result.tail = format!("gave two answers on one tree: {green} green, {red} red\n{}", result.tail);
    }
    Ok(result)
}

async fn once(
    world: &Arc<World>,
    (tree, git): (&Tree, Option<&OwnGit>),
    log: &str,
    check: &Check,
    cancelled: &watch::Receiver<bool>,
    usage: &mut Usage,
) -> Result<CheckResult, NoAnswer> {
    let desk = Desk::at(world.desk(&format!("check-{log}")));
    let trouble = |error: &dyn std::error::Error| NoAnswer::Trouble(format!("failed to {}", told(error)));
    desk.lay(&BTreeMap::new()).map_err(|error| trouble(&error))?;
    let room = Room {
        whose: Whose::Checks,
        tree,
        access: Access::Write,
        desk: &desk,
        grants: &Grants::default(),
        git,
        ports: None,
    };
    let work = Work {
        program: Program::Shell(check.run.clone()),
        env: BTreeMap::new(),
        read: &[],
        limits: JobLimits {
            wall: Duration::from_secs(check.timeout_s),
            idle: Duration::from_secs(check.timeout_s),
            ..JobLimits::default()
        },
        log,
        tail_bytes: OUTPUT_BYTES,
    };
    let job = world.job(&room, work).map_err(NoAnswer::Trouble)?;
    let sign = world.log(CHECKING);
    let told = format!("{log}\n{}", check.name);
    // Only for whoever watches: nothing depends on it.
    let _ = std::fs::write(&sign, &told);
    let ended = world.hands.run(job, cancelled.clone()).await;
    if std::fs::read_to_string(&sign).is_ok_and(|now| now == told) {
        let _ = std::fs::remove_file(&sign);
    }
    world.clear_tmp(&desk).await;
    let ended = ended.map_err(|error| trouble(&error))?;
    *usage += ended.usage;
    if ended.how == How::Cancelled {
        return Err(NoAnswer::Cancelled);
    }
    let output = &world.instruments().map_err(NoAnswer::Trouble)?.output;
    Ok(result(output, check, &ended))
}

fn result(output: &TestOutput, check: &Check, ended: &Ended) -> CheckResult {
    let answer = if ended.how == How::Exited(0) { Answer::Green } else { Answer::Red };
    let code = match ended.how {
        How::Exited(code) => Some(code),
        How::Signalled(_) | How::WallLimit | How::IdleLimit | How::OutputLimit | How::Cancelled | How::InitLost => None,
    };
    let mut tail = last_bytes(&ended.tail, TAIL_BYTES);
    if code.is_none() {
        tail = format!("{tail}\n(the check {})", ended.how);
    }
    CheckResult {
        name: check.name.clone(),
        answer,
        code,
        wall_ms: ended.usage.wall_ms,
        runs: 1,
        executed: output.executed(&ended.tail),
        failed: output.failed(&ended.tail),
        tail,
    }
}

/// Gives the end of a text, whole lines where it can.
fn last_bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut from = text.len() - most;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let line = text[from..].find('\n').map_or(from, |at| from + at + 1);
    text[line..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_is_cut_at_a_line() {
        assert_eq!(last_bytes("one\ntwo\nthree", 100), "one\ntwo\nthree");
        assert_eq!(last_bytes("one\ntwo\nthree", 8), "three");
        assert_eq!(last_bytes("äöü", 3), "ü");
    }
}
