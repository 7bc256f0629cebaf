//! Answers of planners and judges, read from the block at the end of what they said. Strict: what is not in the form that
//! was asked for is no answer.

mod block;
mod plan;
mod review;
mod run;
mod question;

pub use block::AnswerFault;
pub use plan::{PlanAnswer, WrittenAnswer, WrittenDecision, WrittenScope, WrittenTask, read_plan};
pub use question::read_question;
pub use review::{ReviewAnswer, WrittenFinding, WrittenReview, read_review};
pub use run::{read_run_verdict, whole_verdict};
