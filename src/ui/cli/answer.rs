//! Owns `artel answer`: tells whoever asked a person, a worker, planner or judge, what it waits for, and has it go on.

use clap::Args;

use super::args::Format;
use super::asking::{may, put, put_and_tell};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{Asker, AskerRef, Read, read};
use super::seam::Place;
use crate::machine::command::Ask;
use crate::machine::state::{State, Status};
use crate::model::ids::TaskId;
use crate::model::inert::inert;
use crate::model::seat::Seat;
use crate::views::line::whose;

/// Answers what a blocked task, a planner or a judge asks, and has it go on.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// Who asks: t12 (or RUN/t12), s3 for a planner, `run` for the run's judge
    #[arg(value_name = "WHO")]
    who: AskerRef,
    /// What it is told
    #[arg(value_name = "ANSWER")]
    answer: String,
    #[command(flatten)]
    format: Format,
}

/// Characters of a question that are quoted beside its answer.
const QUOTED: usize = 300;

/// Runs the verb.
///
/// # Errors
/// Where there is no such run or task, or nobody asks anything there.
pub fn answer(out: &Out, args: &AnswerArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let read = read(&place, args.who.run.as_deref())?;
    if let Some((seat, number)) = asked(&read.state, args.who.asker) {
        let ask = Ask::AnswerQuestion { seat, number, answer: args.answer.clone() };
        return put_and_tell(out, &place, &read, ask, &format!("{} is told, and goes on", whose(seat)), args.format);
    }
    let name = match args.who.asker {
        Asker::Task(task) => return of_worker(out, (&place, &read), task, args),
        Asker::Scope(scope) => format!("the planner of {scope}"),
        Asker::Run => "the run's judge".to_owned(),
    };
    Err(Fail::new(Exit::Refused, format!("answer {name} in {}", read.run))
        .because(format!("{name} asks nothing"))
        .hint(format!("`artel inbox {}` shows what waits for you", read.run)))
}

/// Finds what a planner or judge asks.
fn asked(state: &State, asker: Asker) -> Option<(Seat, u32)> {
    let is_of = |seat: Seat| match seat {
        Seat::Attempt(_) => false,
        Seat::Planner { scope, .. } => asker == Asker::Scope(scope),
        Seat::Judge { attempt, .. } => asker == Asker::Task(attempt.task),
        Seat::RunJudge { .. } => asker == Asker::Run,
    };
    let mut open = state.open_questions().filter(|_| state.end.is_none());
    open.find(|(seat, ..)| is_of(*seat)).map(|(seat, number, _)| (seat, number))
}

/// Tells a blocked task's next attempt, and has it tried again.
fn of_worker(out: &Out, (place, read): (&Place, &Read), task: TaskId, args: &AnswerArgs) -> Result<Exit, Fail> {
    let retry = Ask::Retry(task);
    may(&read.run, &read.state, &retry)?;
    let Some(Status::Blocked { missing }) = read.state.tasks.get(&task).map(|task| &task.status) else {
        return Err(Fail::new(Exit::Refused, format!("answer {task} of {}", read.run))
            .because(format!("{task} is not blocked, and so asks nothing"))
            .hint(format!(
                "`artel steer \"…\" --task {task}` tells its next attempt, `artel retry {task}` has it tried"
            )));
    };
    let message = format!("You were blocked on \"{}\". The answer: {}", quoted(missing), args.answer);
    put(place, &read.run, &read.state, Ask::Steer { task: Some(task), message })?;
    put_and_tell(out, place, read, retry, &format!("{task} is told, and tried again"), args.format)
}

/// Quotes what an agent said in one harmless line.
fn quoted(missing: &str) -> String {
    let line = inert(&missing.split_whitespace().collect::<Vec<_>>().join(" ")).replace('"', "'");
    let cut = if line.chars().nth(QUOTED).is_some() { "…" } else { "" };
    line.chars().take(QUOTED).collect::<String>() + cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_quoted_in_one_harmless_line() {
        assert_eq!(quoted("an answer to: Which\ncolour?"), "an answer to: Which colour?");
        assert!(!quoted("\u{1b}[2J\"").contains(['\u{1b}', '"']));
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), QUOTED + 1);
    }
}
