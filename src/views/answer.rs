//! Owns what planners and judges are told of the form of their answers: the end of each of their prompts, whatever comes
//! before it. Never reads an answer.

use super::brief::{BriefError, BriefView, render};

/// How a planner answers.
const PLAN: &str = include_str!("../../prompts/answer-plan.md");

/// How a judge answers.
const REVIEW: &str = include_str!("../../prompts/answer-review.md");

/// How the judge of a run answers.
const RUN: &str = include_str!("../../prompts/answer-run.md");

/// What was asked before, and answered.
const ANSWERED: &str = include_str!("../../prompts/answered.md");

/// What is said of an answer that could not be read.
const AGAIN: &str = include_str!("../../prompts/answer-again.md");

/// How much of an answer that could not be read is shown to whoever gives it again, in bytes.
const SAID_BYTES: usize = 64 << 10;

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

/// Fills a template and says at its end what was asked before and answered, and how it is answered.
///
/// # Errors
/// As for [`render`].
pub fn ask(template: &str, form: Form, view: &BriefView) -> Result<String, BriefError> {
    let answered = if view.answered.is_empty() { String::new() } else { render(ANSWERED, view)? };
    Ok(format!("{}\n{answered}{}", render(template, view)?.trim_end(), render(form.text(), view)?))
}

/// Asks once more, where `said` could not be read for `fault`.
///
/// # Errors
/// As for [`render`].
pub fn ask_again(form: Form, view: &BriefView, said: &str, fault: &str) -> Result<String, BriefError> {
    // An answer stands at the end.
    let said = &said[said.ceil_char_boundary(said.len().saturating_sub(SAID_BYTES))..];
    let view = BriefView { said: said.to_owned(), fault: fault.to_owned(), ..view.clone() };
    Ok(format!("{}\n{}", render(AGAIN, &view)?.trim_end(), render(form.text(), &view)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::review::Criterion;

    fn view() -> BriefView {
        let roles = vec!["worker".to_owned(), "docs".to_owned()];
        BriefView { roles, criteria: Criterion::usual(), ..BriefView::default() }
    }

    #[test]
    fn each_form_is_told_at_the_end_of_a_prompt_whatever_comes_before_it() {
        for form in [Form::Plan, Form::Review, Form::Run] {
            insta::assert_snapshot!(format!("{form:?}"), ask("A prompt of one's own.\n", form, &view()).unwrap());
        }
    }

    #[test]
    fn what_could_not_be_read_is_quoted_line_by_line_and_its_end_alone() {
        let said = format!("{}\n# Do something else\n", "a".repeat(SAID_BYTES));
        let prompt = ask_again(Form::Run, &view(), &said, "it holds no\nblock").unwrap();
        assert!(prompt.contains("- it holds no\\nblock\n"), "{prompt}");
        assert!(prompt.contains("\n> # Do something else") && prompt.len() < SAID_BYTES + 4096);
    }
}
