//! Owns `artel approve`: lets a gate pass, a candidate that waits or a kept task's land, or a delivery go out.

use clap::Args;

use super::approve_all::{Sure, approve_all};
use super::args::{Format, RunFlag};
use super::asking::{Answer, put, put_and_tell};
use super::deliver::tell_delivered;
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::pick::{Read, Target, TaskRef, read};
use super::seam::{self, Place};
use crate::machine::command::Ask;
use crate::machine::event::Subject as Awaited;
use crate::machine::state::State;
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, Oid, TaskId};
use crate::views::waiting::asker;
use crate::views::words;

/// Lets a gate pass, a candidate that waits or a kept task's land, or a delivery go out.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// What: plan, sweep, spend, delivery, a task that waits or is kept as t12, or a run [default: what waits]
    #[arg(value_name = "WHAT")]
    what: Option<Target>,
    /// Give your word on all that waits in the run: each is shown before, with what will happen, and you are asked once
    #[arg(long)]
    all: bool,
    /// With --all: give it without being asked
    #[arg(long, short, requires = "all")]
    yes: bool,
    #[command(flatten)]
    run: RunFlag,
    #[command(flatten)]
    format: Format,
}

/// Names what a person gives their word on, in a run that was read.
pub enum Subject {
    /// A gate.
    Gate(Gate),
    /// A kept task.
    Task(TaskId),
    /// A candidate that waits: exactly that one.
    Candidate(AttemptId, Oid),
    /// A delivery that waits: exactly that one.
    Delivery(String, Oid),
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or it refuses.
pub fn approve(out: &Out, args: &ApproveArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    if args.all {
        let run = match &args.what {
            None => args.run.text(),
            Some(Target::Run(text)) => Some(text.as_str()),
            Some(Target::Gate(_) | Target::Task(_)) => {
                return Err(Fail::new(Exit::Usage, "give your word on all that waits")
                    .because("`--all` means a run, and not one thing in it"));
            }
        };
        let sure = if args.yes { Sure::Yes } else { Sure::Ask };
        return approve_all(out, &place, &read(&place, run)?, sure, args.format);
    }
    let (read, subject) = subject(&place, args.what.as_ref(), args.run.text())?;
    let (ask, done) = match subject {
        Subject::Gate(gate) => {
            (Ask::ApproveGate { gate, shown: read.state.shown() }, format!("the {} is approved", words::gate(gate)))
        }
        Subject::Task(task) => (Ask::ApproveTask(task), format!("{task} may land, if its checks hold")),
        Subject::Candidate(attempt, commit) => {
            (Ask::ApproveCandidate { attempt, commit }, format!("{} of {attempt} may land", commit.short()))
        }
        Subject::Delivery(branch, head) => return deliver(out, &place, &read, (branch, head), args.format),
    };
    put_and_tell(out, &place, &read, ask, &done, args.format)
}

/// Lets a delivery go out; where nobody works on the run, this process carries it out.
fn deliver(out: &Out, place: &Place, read: &Read, what: (String, Oid), format: Format) -> Result<Exit, Fail> {
    let (branch, head) = what;
    let done = format!("{} is to be delivered into {branch}", head.short());
    let answer = put(place, &read.run, &read.state, Ask::ApproveDelivery { branch, head })?;
    if answer == Answer::Stored && !seam::is_answered(place, &read.run) {
        live::host(out, place, &read.run, format.into())?;
    }
    tell_delivered(out, place, read, answer, &done, format)
}

/// Finds the run and what in it is meant.
///
/// # Errors
/// Where there is no such run, or nothing in it waits.
pub fn subject(place: &Place, what: Option<&Target>, run: Option<&str>) -> Result<(Read, Subject), Fail> {
    match what {
        Some(Target::Gate(Gate::Delivery)) => {
            let read = read(place, run)?;
            let subject = delivery(&read.state).ok_or_else(|| nothing(&read, "no delivery waits for it"))?;
            Ok((read, subject))
        }
        Some(Target::Gate(gate)) => Ok((read(place, run)?, Subject::Gate(*gate))),
        Some(Target::Task(TaskRef { run: of, task })) => {
            let read = read(place, of.as_deref().or(run))?;
            let subject = candidate(&read.state, *task).unwrap_or(Subject::Task(*task));
            Ok((read, subject))
        }
        Some(Target::Run(text)) => waiting(read(place, Some(text))?),
        None => waiting(read(place, run)?),
    }
}

fn candidate(state: &State, task: TaskId) -> Option<Subject> {
    let mut candidates = state.asked.candidates.iter();
    candidates.find(|(id, _)| id.task == task).map(|(id, asked)| Subject::Candidate(*id, asked.commit))
}

fn delivery(state: &State) -> Option<Subject> {
    state.asked.delivery.as_ref().map(|asked| Subject::Delivery(asked.branch.clone(), asked.head))
}

/// Finds the one thing that waits; where several do, a person names which.
fn waiting(read: Read) -> Result<(Read, Subject), Fail> {
    // A question wants an answer, which no word is.
    let takes_a_word = |on: &Awaited| !matches!(on, Awaited::Question(_));
    let all: Vec<Awaited> = read.state.awaited().map(|(on, _)| on).filter(takes_a_word).collect();
    let subject = match all.as_slice() {
        [] => return Err(nothing(&read, "nothing waits for it")),
        [Awaited::Gate(gate)] => Some(Subject::Gate(*gate)),
        [Awaited::Candidate(id)] => candidate(&read.state, id.task),
        [Awaited::Delivery] => delivery(&read.state),
        [Awaited::Question(_)] => None,
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|on| match on {
                    Awaited::Gate(gate) => words::gate(*gate).to_owned(),
                    Awaited::Candidate(id) => id.task.to_string(),
                    Awaited::Delivery => "delivery".to_owned(),
                    Awaited::Question(seat) => asker(*seat),
                })
                .collect();
            return Err(Fail::new(Exit::Refused, format!("give your word in {}", read.run))
                .because(format!("{} things wait for it: {}", names.len(), names.join(", ")))
                .hint(format!(
                    "name one: `artel approve {} --run {run}`, or see all: `artel approve --all {run}`",
                    names[0],
                    run = read.run
                )));
        }
    };
    match subject {
        Some(subject) => Ok((read, subject)),
        None => Err(nothing(&read, "nothing waits for it")),
    }
}

fn nothing(read: &Read, why: &str) -> Fail {
    Fail::new(Exit::Refused, format!("give your word in {}", read.run))
        .because(why)
        .hint("name a kept task, as t12, to let its candidate land or to give it up")
}
