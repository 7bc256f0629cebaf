//! Agents: the brains that do tasks, how each is given its brief and how it is read back. Runs no process itself.

mod brief;
mod door;
mod login;
mod agent;
mod handoff;
mod told;
mod lines;
mod limits;
mod found;
mod command;
mod claude;
mod codex;
mod called;
mod retold;
pub mod acp;
mod known;
mod version;
mod answer;
pub mod script;
pub mod codemod;
pub mod shard;
pub mod whole;

pub use acp::Acp;
pub use agent::{Agent, AgentError, Left, Play, Report, Stance};
pub use answer::{
    AnswerFault, PlanAnswer, ReviewAnswer, WrittenAnswer, WrittenDecision, WrittenFinding, WrittenReview, WrittenScope,
    WrittenTask, in_block, plan_schema, read_plan, read_question, read_review, read_run_verdict, review_schema,
    run_schema, whole_verdict,
};
pub use brief::{Brief, Desk, EndedBy, GO_ON_FILE, NamedRule, Resumed};
pub use called::Stream;
pub use claude::Claude;
pub use codex::Codex;
pub use command::Command;
pub use door::{Door, TOKEN_VARIABLE};
pub use found::Programs;
pub use handoff::{HANDOFF_BYTES_MAX, HandoffFault, collect, fits, flags, leave};
pub use known::{KnownAgent, Limits as LimitsTold, Says, known_agents, tells};
pub use login::{Login, LoginError};
pub use retold::{Form, LINE_BYTES, Teller};
pub use told::Told;
pub use version::ask_versions;
