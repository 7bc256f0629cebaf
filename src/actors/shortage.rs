//! Owns what is made of a full disk: measuring it, making room, not believing what failed while it was full. Never waits.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::io::space;
use crate::machine::command::Command;
use crate::model::attempt::Outcome;
use crate::model::check::{Answer, CheckResult};
use crate::model::verdict::Ruling;

/// What the system says of a full disk, in the words of git, SQLite and the C library.
const WORDS: [&str; 2] = ["No space left on device", "no space is left"];

/// How long it is until a full disk is looked at again, the first time and at most.
const PATIENCE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(32)];

/// Says what is short where the run's state or its repository lies. A disk that was short must have a quarter more
/// free, lest the run start and stop by turns. Worktrees that nobody uses are removed meanwhile: what was built in them may
/// be what fills it, and nothing takes them while nothing new is begun.
pub fn look(world: &Arc<World>, was_short: bool) -> Option<String> {
    let wanted = world.opening.config.free_mib_min.saturating_mul(1 << 20);
    let wanted = if was_short { wanted.saturating_add(wanted / 4) } else { wanted };
    let short =
        [world.place.root(), world.repo.identity()].into_iter().find_map(|place| space::shortage(place, wanted));
    if short.is_some() && world.has_idle_trees() {
        let world = Arc::clone(world);
        drop(tokio::task::spawn_blocking(move || world.clear_idle_trees()));
    }
    short
}

/// Gives how long to wait after so many looks that found the disk still full.
pub fn patience(looks: u32) -> Duration {
    let [first, most] = PATIENCE;
    first.saturating_mul(1 << looks.min(10)).min(most)
}

/// Gives what a report made on a full disk counts for: a bad end says nothing against the work, so it is not heard, and
/// what is owed is done again. An attempt is lost, which counts: it may itself have filled the disk.
pub fn believed(command: Command, is_short: bool) -> Option<Command> {
    let is_doubtful = |text: &str| is_short || WORDS.iter().any(|words| text.contains(words));
    if let Command::ReportAttempt { attempt, outcome: Outcome::Failed { why }, .. } = &command
        && is_doubtful(why)
    {
        // What a library says of a full disk may be anything.
        return Some(Command::ReportLost { attempt: *attempt, why: format!("the disk is short of space: {why}") });
    }
    let is_heard = if let Command::ReportTrouble { what } = &command {
        !is_doubtful(what)
    } else if let Command::ReportVerdict { verdict, .. } = &command {
        !is_short || verdict.ruling == Ruling::Accept
    } else if let Command::ReportPrefix { results, .. }
    | Command::ReportBaseline { results }
    | Command::ReportConditions { results, .. } = &command
    {
        !is_short || results.iter().all(is_green)
    } else {
        true
    };
    is_heard.then_some(command)
}

fn is_green(result: &CheckResult) -> bool {
    result.answer == Answer::Green
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attempt::{Handoff, Usage};
    use crate::model::ids::{AttemptId, TaskId};

    const FULL: &str = "write `x`: No space left on device (os error 28)";

    fn trouble(what: &str) -> Command {
        Command::ReportTrouble { what: what.to_owned() }
    }

    fn failed(why: &str) -> Command {
        let outcome = Outcome::Failed { why: why.to_owned() };
        let attempt = AttemptId { task: TaskId(1), number: 1 };
        Command::ReportAttempt { attempt, fence: 1, outcome, handoff: Handoff::default(), usage: Usage::default() }
    }

    #[test]
    fn what_failed_on_a_full_disk_is_not_believed() {
        for (text, is_short) in [(FULL, false), ("it broke", true)] {
            assert_eq!(believed(trouble(text), is_short), None);
            assert!(matches!(believed(failed(text), is_short), Some(Command::ReportLost { .. })));
        }
        assert_eq!(believed(trouble("it broke"), false), Some(trouble("it broke")));
        assert_eq!(believed(failed("it broke"), false), Some(failed("it broke")));
    }

    #[test]
    fn a_red_check_is_asked_for_again_and_a_green_one_stands() {
        let result = |answer| CheckResult {
            name: "tests".into(),
            answer,
            code: Some(1),
            wall_ms: 1,
            runs: 1,
            executed: None,
            failed: Default::default(),
            tail: String::new(),
        };
        let baseline = |answer| Command::ReportBaseline { results: vec![result(answer)] };
        assert_eq!(believed(baseline(Answer::Red), true), None);
        assert_eq!(believed(baseline(Answer::Red), false), Some(baseline(Answer::Red)));
        assert_eq!(believed(baseline(Answer::Green), true), Some(baseline(Answer::Green)));
    }

    #[test]
    fn a_full_disk_is_looked_at_ever_more_rarely() {
        let waits: Vec<u64> = [0, 1, 4, 5, 90].into_iter().map(|looks| patience(looks).as_secs()).collect();
        assert_eq!(waits, [1, 2, 16, 32, 32]);
    }
}
