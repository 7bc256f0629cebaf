//! Owns `artel deny`: refuses at a gate, a candidate or a delivery that waits, or gives a kept task up.

use clap::Args;

use super::approve::{Subject, subject};
use super::args::{Format, RunFlag};
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::Target;
use super::seam::Place;
use crate::machine::awaited::Objection;
use crate::machine::command::{Ask, Refusal};
use crate::model::goal::Gate;
use crate::views::words;

/// Refuses at a gate, a candidate or a delivery that waits, or gives a kept task up.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// What: plan, sweep, spend, delivery, a task that waits or is kept as t12, or a run [default: what waits]
    #[arg(value_name = "WHAT")]
    what: Option<Target>,
    /// Why; it is kept with the run, and whoever does it again is told [default: no reason was given]
    #[arg(long, short = 'm', value_name = "TEXT")]
    reason: Option<String>,
    /// Have the plan made anew, by a planner who is told why; a candidate's task is done again without it too
    #[arg(long, conflicts_with = "drop")]
    redo: bool,
    /// Give the task of a refused candidate up: it is not done again
    #[arg(long)]
    drop: bool,
    #[command(flatten)]
    run: RunFlag,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or it refuses.
pub fn deny(out: &Out, args: &DenyArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let (read, subject) = subject(&place, args.what.as_ref(), args.run.text())?;
    let unfit = |why, hint| Err(Fail::new(Exit::Refused, format!("refuse in {}", read.run)).because(why).hint(hint));
    if args.drop && matches!(subject, Subject::Gate(_) | Subject::Delivery(..)) {
        return unfit("only a task can be given up", "leave `--drop` out");
    }
    let is_done_again = matches!(subject, Subject::Gate(Gate::Plan) | Subject::Candidate(..));
    if args.redo && !is_done_again {
        return unfit("only a plan and the task of a candidate are done again", "leave `--redo` out");
    }
    if args.redo && args.reason.is_none() {
        return unfit("whoever does it again is to be told why", "say it: `-m \"why\"`");
    }
    let reason = args.reason.clone().unwrap_or_else(|| "no reason was given".to_owned());
    let then = if args.drop { Refusal::Drop } else { Refusal::Redo };
    let (ask, done) = match subject {
        Subject::Gate(Gate::Plan) if args.redo => {
            let objection = Objection { reason, shown: read.state.shown() };
            (Ask::SendPlanBack(objection), "the plan is sent back, and made anew".to_owned())
        }
        Subject::Gate(gate) => {
            let shown = Some(read.state.shown());
            (Ask::Deny { gate, reason, shown }, format!("the {} is refused", words::gate(gate)))
        }
        Subject::Candidate(attempt, commit) => {
            let task = attempt.task;
            let done = if args.drop { format!("{task} is given up") } else { format!("{task} is done again") };
            (Ask::DenyCandidate { attempt, commit, reason, then }, done)
        }
        Subject::Delivery(branch, head) => {
            let done = format!("nothing is delivered into {branch}");
            (Ask::DenyDelivery { branch, head, reason }, done)
        }
        Subject::Task(task) => (Ask::DenyTask { task, reason }, format!("{task} is given up")),
    };
    put_and_tell(out, &place, &read, ask, &done, args.format)
}
