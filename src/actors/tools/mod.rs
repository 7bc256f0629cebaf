//! The toolboxes of sessions, by what their sessions are for. They act on an attempt's own things alone, and report
//! nothing that the session's end does not bear out.

mod brief;
mod working;
mod asking;
mod looking;
mod steered;
mod planning;
mod judging;

pub use asking::AskingTools;
pub use brief::BriefTool;
pub use judging::{ReviewingTools, RunJudgingTools};
pub use looking::LookingTools;
pub use planning::PlanningTools;
pub use steered::Steered;
pub use working::{WorkingTools, answer_to};
