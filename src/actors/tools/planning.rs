//! Owns the tools by which a planner's session hands out work while it looks on, and sees what came of it. Each call is
//! brought before the law at once; never plans.

use std::sync::Arc;

use kameo::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::coordinator::Coordinator;
use super::super::iteration_keys::IterationKeys;
use super::super::order::status_of;
use super::super::planning::Mouth;
use crate::io::agents::{AnswerFault, PlanAnswer, WrittenAnswer, WrittenDecision, WrittenScope, WrittenTask};
use crate::io::tools::{Pending, Tool, Toolbox, arguments, schema_of};
use crate::machine::command::PlanStep;
use crate::model::ids::ScopeId;
use crate::model::paths::PathSet;

/// Lines of a scope's status that are told at once.
const LINES: usize = 500;

/// Holds a planner's tools.
#[derive(Clone)]
pub struct PlanningTools {
    inner: Arc<Inner>,
}

struct Inner {
    mouth: Mouth,
    coordinator: WeakActorRef<Coordinator>,
    scope: ScopeId,
    keys: IterationKeys,
    worker: String,
    planner: String,
    own: PathSet,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanStatus {}

/// Asks how what a scope has handed out stands.
pub struct Stands(pub ScopeId);

/// Tells it, a line each.
#[derive(Debug, Reply)]
pub struct Lines(Vec<String>);

impl Message<Stands> for Coordinator {
    type Reply = Lines;

    async fn handle(&mut self, Stands(scope): Stands, _: &mut Context<Self, Lines>) -> Lines {
        Lines(status_of(&self.state, scope))
    }
}

impl PlanningTools {
    /// Speaks for a waking of a scope, whose tasks are of the role `worker` and whose sub-planners are of `planner`.
    pub fn new(
        mouth: Mouth,
        coordinator: WeakActorRef<Coordinator>,
        (scope, keys): (ScopeId, IterationKeys),
        (worker, planner): (String, String),
        own: PathSet,
    ) -> Self {
        Self { inner: Arc::new(Inner { mouth, coordinator, scope, keys, worker, planner, own }) }
    }
}

impl Inner {
    async fn emit(&self, written: WrittenTask) -> Result<String, String> {
        let draft = written.draft(&self.worker, &self.own).map_err(told)?;
        let key = draft.key.clone();
        let PlanAnswer { tasks, .. } = self.keys.name(PlanAnswer { tasks: vec![draft], ..PlanAnswer::default() });
        self.mouth.say(PlanStep::Emit(tasks)).await?;
        Ok(format!("`{key}` is handed out"))
    }

    async fn spawn(&self, written: WrittenScope) -> Result<String, String> {
        let draft = written.draft(&self.planner, &self.own).map_err(told)?;
        let key = draft.key.clone();
        let PlanAnswer { scopes, .. } = self.keys.name(PlanAnswer { scopes: vec![draft], ..PlanAnswer::default() });
        self.mouth.say(PlanStep::Spawn(scopes)).await?;
        Ok(format!("a planner of its own sees to `{key}`"))
    }

    async fn claim(&self, WrittenDecision { key, value }: WrittenDecision) -> Result<String, String> {
        let told = format!("`{}` is decided, for the whole run", key.trim());
        self.mouth.say(PlanStep::Claim { key, value }).await?;
        Ok(told)
    }

    async fn answer(&self, written: WrittenAnswer) -> Result<String, String> {
        let answer = written.answer().map_err(told)?;
        let word = if answer.granted { "may" } else { "may not" };
        let told = format!("`{}` {word}, and goes on with that in its brief", answer.task);
        self.mouth.say(PlanStep::AnswerScope(answer)).await?;
        Ok(told)
    }

    async fn status(&self) -> Result<String, String> {
        let coordinator = self.coordinator.upgrade().ok_or("the run is over")?;
        let Lines(mut lines) = coordinator.ask(Stands(self.scope)).await.map_err(|_| "the run is over")?;
        if lines.is_empty() {
            return Ok("nothing is handed out yet".to_owned());
        }
        let more = lines.len().saturating_sub(LINES);
        lines.truncate(LINES);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        Ok(lines.join("\n"))
    }
}

pub(super) fn told(fault: AnswerFault) -> String {
    match fault {
        AnswerFault::Form(what) => what,
        fault @ (AnswerFault::NoBlock | AnswerFault::Many(_) | AnswerFault::Open | AnswerFault::TooLong(_)) => {
            fault.to_string()
        }
    }
}

impl Toolbox for PlanningTools {
    fn tools(&self) -> Vec<Tool> {
        let tool = |name: &str, about: &str, input| Tool { name: name.to_owned(), about: about.to_owned(), input };
        vec![
            tool(
                "emit_task",
                "Hands a task out at once; its worker may begin while you plan on. What is handed out so need not stand in \
                 your answer again.",
                schema_of::<WrittenTask>(),
            ),
            tool(
                "spawn_planner",
                "Gives a part of your scope to a planner of its own, which begins at once.",
                schema_of::<WrittenScope>(),
            ),
            tool(
                "claim_decision",
                "Decides something once for the whole run, such as which error type is used: all planners and workers are \
                 shown it from then on. What another planner has decided, or was given to decide, is refused.",
                schema_of::<WrittenDecision>(),
            ),
            tool(
                "answer_scope",
                "Answers a task that asks to change files which it does not own, one of yours or one below you that asks for \
                 what lies in your scope: it goes on with them, or with your reason why not.",
                schema_of::<WrittenAnswer>(),
            ),
            tool("plan_status", "Tells how what you have handed out stands now.", schema_of::<PlanStatus>()),
        ]
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let (name, inner) = (name.to_owned(), Arc::clone(&self.inner));
        // Brought to its end whoever waits for it: what is stored has happened.
        let done = tokio::spawn(async move {
            match name.as_str() {
                "emit_task" => inner.emit(arguments(&name, given)?).await,
                "spawn_planner" => inner.spawn(arguments(&name, given)?).await,
                "claim_decision" => inner.claim(arguments(&name, given)?).await,
                "answer_scope" => inner.answer(arguments(&name, given)?).await,
                "plan_status" => {
                    let PlanStatus {} = arguments(&name, given)?;
                    inner.status().await
                }
                _ => Err("there is no such tool".to_owned()),
            }
        });
        Box::pin(async move { done.await.unwrap_or_else(|_| Err("the call broke; this is a bug of artel".to_owned())) })
    }
}
