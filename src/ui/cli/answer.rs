//! Owns `artel answer`: gives a blocked task what it waits for, and has it tried again.

use clap::Args;

use super::args::Format;
use super::asking::{may, put, put_and_tell};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{TaskRef, read};
use super::seam::Place;
use crate::machine::command::Ask;
use crate::machine::state::Status;
use crate::model::inert::inert;

/// Answers what a blocked task asks, and has it tried again.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The task, as t12 or RUN/t12
    #[arg(value_name = "TASK")]
    task: TaskRef,
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
/// Where there is no such run or task, or it is not blocked.
pub fn answer(out: &Out, args: &AnswerArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let read = read(&place, args.task.run.as_deref())?;
    let task = args.task.task;
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
    put(&place, &read.run, &read.state, Ask::Steer { task: Some(task), message })?;
    put_and_tell(out, &place, &read, retry, &format!("{task} is told, and tried again"), args.format)
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
