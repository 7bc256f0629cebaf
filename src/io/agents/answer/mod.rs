//! Answers of planners and judges, read from the block at the end of what they said. Strict: what is not in the form that
//! was asked for is no answer.

mod block;
mod schema;
mod plan;
mod review;
mod run;
mod question;

pub use block::AnswerFault;
pub use plan::{PlanAnswer, WrittenAnswer, WrittenDecision, WrittenScope, WrittenTask, plan_schema, read_plan};
pub use question::read_question;
pub use review::{ReviewAnswer, WrittenFinding, WrittenReview, read_review, review_schema};
pub use run::{read_run_verdict, run_schema, whole_verdict};
pub use schema::in_block;
