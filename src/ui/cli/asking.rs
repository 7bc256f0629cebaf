//! Owns how a request is put to a run and how its answer is waited for. Never answers one itself.

use std::time::Duration;

use serde::Serialize;

use super::args::Format;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::Read;
use super::seam::{self, Place};
use crate::app::refusal;
use crate::machine::command::Ask;
use crate::machine::event::Event;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::model::inert::inert;

/// How often, and how many times, the journal is looked at for an answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 100;

/// Says what became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was carried out.
    CarriedOut,
    /// It is stored; nobody works on the run, or its coordinator is slow.
    Stored,
}

/// Stores a request and, where a coordinator lives, waits for the answer. What the law would refuse as the run
/// stands is refused at once and not stored.
///
/// # Errors
/// Where the run refuses, or the request cannot be stored.
pub fn put(place: &Place, run: &RunId, state: &State, ask: Ask) -> Result<Answer, Fail> {
    may(run, state, &ask)?;
    let tried = tried(&ask, run);
    if let Some(is_carried_out) = seam::ask_there(place, run, &ask)? {
        return Ok(if is_carried_out { Answer::CarriedOut } else { Answer::Stored });
    }
    let id = seam::ask(place, run, ask)?;
    if !seam::is_answered(place, run) {
        return Ok(Answer::Stored);
    }
    let answer = wait_for(place, run, state.seq, |event| {
        if let Event::RequestRefused { id: answered, why } = event {
            (*answered == id).then(|| Err(refused(&tried, run, why.clone())))
        } else {
            (*event == Event::RequestAnswered { id: id.clone() }).then_some(Ok(Answer::CarriedOut))
        }
    })?;
    answer.unwrap_or(Ok(Answer::Stored))
}

/// Looks whether the law lets something be asked as the run stands.
///
/// # Errors
/// Where it would be refused.
pub fn may(run: &RunId, state: &State, ask: &Ask) -> Result<(), Fail> {
    refusal(state, ask).map_or(Ok(()), |why| Err(refused(&tried(ask, run), run, why)))
}

/// Looks at each event after a number until one is the wanted one; none where it does not come in time.
///
/// # Errors
/// Where the journal cannot be read.
pub fn wait_for<T>(
    place: &Place,
    run: &RunId,
    after_seq: u64,
    wanted: impl Fn(&Event) -> Option<T>,
) -> Result<Option<T>, Fail> {
    let mut seen = after_seq;
    for _ in 0..LOOKS {
        for recorded in seam::events(place, run, seen + 1)? {
            seen = recorded.seq;
            if let Some(found) = wanted(&recorded.event) {
                return Ok(Some(found));
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(None)
}

/// What became of a request, for programs.
#[derive(Debug, Serialize)]
struct AnswerJson<'a> {
    run: &'a RunId,
    answer: Answer,
    told: &'a str,
}

/// Puts a request and says what became of it.
///
/// # Errors
/// As [`put`].
pub fn put_and_tell(out: &Out, place: &Place, read: &Read, ask: Ask, done: &str, format: Format) -> Result<Exit, Fail> {
    let run = &read.run;
    let answer = put(place, run, &read.state, ask)?;
    let told = match answer {
        Answer::CarriedOut => inert(done),
        Answer::Stored if seam::is_answered(place, run) => {
            "the request is stored; the coordinator has not answered yet".to_owned()
        }
        Answer::Stored => format!("the request is stored; nobody works on {run}: `artel resume {run}` carries it out"),
    };
    tell(out, run, answer, &told, format)
}

/// Says what became of a request that was put.
///
/// # Errors
/// Where it cannot be written.
pub fn tell(out: &Out, run: &RunId, answer: Answer, told: &str, format: Format) -> Result<Exit, Fail> {
    if format.json {
        out.json_line(&AnswerJson { run, answer, told })?;
    } else {
        out.line(told)?;
    }
    Ok(Exit::Done)
}

fn refused(tried: &str, run: &RunId, why: String) -> Fail {
    let exit = if why.starts_with("there is no task") { Exit::Missing } else { Exit::Refused };
    Fail::new(exit, tried).because(why).hint(format!("`artel status {run}` shows how the run stands"))
}

/// Says what is asked, as a fragment that fits after "failed to".
pub fn tried(ask: &Ask, run: &RunId) -> String {
    match ask {
        Ask::Approve(gate) | Ask::ApproveGate { gate, .. } => {
            format!("approve the {} of {run}", crate::views::words::gate(*gate))
        }
        Ask::ApproveTask(task) => format!("let {task} of {run} land"),
        Ask::Deny { gate, .. } => format!("refuse the {} of {run}", crate::views::words::gate(*gate)),
        Ask::ApproveCandidate { attempt, commit } => format!("let {} of {attempt} in {run} land", commit.short()),
        Ask::DenyCandidate { attempt, commit, .. } => format!("refuse {} of {attempt} in {run}", commit.short()),
        Ask::ApproveDelivery { branch, .. } => format!("let {run} be delivered into {branch}"),
        Ask::DenyDelivery { branch, .. } => format!("refuse the delivery of {run} into {branch}"),
        Ask::SendPlanBack(_) => format!("send the plan of {run} back"),
        Ask::EditPlan(_) => format!("edit the plan of {run}"),
        Ask::DenyTask { task, .. } => format!("give up {task} of {run}"),
        Ask::Retry(task) => format!("have {task} of {run} tried again"),
        Ask::Drain | Ask::Stop => format!("stop {run}"),
        Ask::Resume => format!("resume {run}"),
        Ask::Steer { .. } => format!("steer {run}"),
        Ask::AnswerScope { task, .. } => format!("answer what {task} of {run} asks to change"),
        Ask::AnswerQuestion { seat, .. } => format!("answer what {} of {run} asks", crate::views::line::whose(*seat)),
        Ask::Revert(task) => format!("take {task} of {run} back out"),
        Ask::Deliver { .. } => format!("deliver {run}"),
        Ask::Raise(_) => format!("raise the budget of {run}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::TaskId;
    use crate::views::story::Story;

    #[test]
    fn what_the_law_refuses_is_refused_before_it_is_stored() {
        let story = Story::incomplete("");
        assert_eq!(refusal(&story.state, &Ask::Retry(TaskId(8))), None);
        let why = refusal(&story.state, &Ask::Retry(TaskId(2))).unwrap();
        assert_eq!(why, "t2 is landed, and not kept or blocked");
        let run = "r-7k2m".parse().unwrap();
        assert_eq!(refused("x", &run, why).exit(), Exit::Refused);
        let why = refusal(&story.state, &Ask::Retry(TaskId(99))).unwrap();
        assert_eq!(refused("x", &run, why).exit(), Exit::Missing);
    }
}
