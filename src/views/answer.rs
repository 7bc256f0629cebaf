//! Owns what planners and judges are told of the form of their answers: the end of each of their prompts, whatever comes
//! before it. Never reads an answer.

use super::brief::{BriefError, BriefView, render};

/// How a planner answers.
const PLAN: &str = include_str!("../../prompts/answer-plan.md");

/// How a judge answers.
const REVIEW: &str = include_str!("../../prompts/answer-review.md");

/// How the judge of a run answers.
const RUN: &str = include_str!("../../prompts/answer-run.md");

/// What is said of an answer that could not be read.
const AGAIN: &str = include_str!("../../prompts/answer-again.md");

/// Names the form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A planner's.
    Plan,
    /// A judge's.
    Review,
    /// That of a run's judge.
    Run,
}

impl Form {
    fn text(self) -> &'static str {
        match self {
            Self::Plan => PLAN,
            Self::Review => REVIEW,
            Self::Run => RUN,
        }
    }
}

/// Fills a template and says at its end how it is answered.
///
/// # Errors
/// As for [`render`].
pub fn ask(template: &str, form: Form, view: &BriefView) -> Result<String, BriefError> {
    Ok(format!("{}\n{}", render(template, view)?.trim_end(), render(form.text(), view)?))
}

/// Asks once more, where `said` could not be read for `fault`.
///
/// # Errors
/// As for [`render`].
pub fn ask_again(form: Form, view: &BriefView, said: &str, fault: &str) -> Result<String, BriefError> {
    let view = BriefView { said: said.to_owned(), fault: fault.to_owned(), ..view.clone() };
    Ok(format!("{}\n{}", render(AGAIN, &view)?.trim_end(), render(form.text(), &view)?))
}
