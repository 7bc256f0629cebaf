//! Owns how what people say while a session runs reaches it: with the answer of its next tool, each word once, in order.
//! Never interrupts a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kameo::prelude::*;
use serde_json::Value;
use tokio::sync::{Mutex, oneshot};

use super::super::coordinator::{Coordinator, Tell};
use super::super::pushed::Pushed;
use super::super::world::Ground;
use crate::io::tools::{Pending, Tool, Toolbox};
use crate::machine::asked::Heard;
use crate::machine::command::Command;
use crate::model::seat::Seat;

/// Asks what was said to somebody beyond what was heard.
pub struct Listen {
    /// Whose session it is.
    pub seat: Seat,
    /// What was heard.
    pub heard: Heard,
}

/// Tells what was said since.
#[derive(Debug, Default, Reply)]
pub struct Since {
    /// In order.
    pub said: Vec<String>,
    /// What is heard with it.
    pub heard: Heard,
}

impl Message<Listen> for Coordinator {
    type Reply = Since;

    async fn handle(&mut self, Listen { seat, heard }: Listen, _: &mut Context<Self, Since>) -> Since {
        let state = &self.state;
        let task = match seat {
            Seat::Attempt(id) => state.tasks.get(&id.task),
            Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => None,
        };
        let of_task = task.map(|task| task.steering.as_slice()).unwrap_or_default();
        let of_run = state.steering.iter().skip(heard.of_run as usize);
        let said = of_run.chain(of_task.iter().skip(heard.of_task as usize)).cloned().collect();
        Since { said, heard: Heard::of(state, task) }
    }
}

/// Tells what people say with what tools answer.
pub struct Steered {
    pushed: Pushed,
    tools: Arc<dyn Toolbox>,
    coordinator: WeakActorRef<Coordinator>,
    seat: (Seat, u64),
    heard: Mutex<Heard>,
    calls: AtomicU64,
}

impl Steered {
    /// Brings a session what is said to all, and to its task where it does one: takes its tools, where what was pushed is
    /// found and who knows what is said, whose session it is and under which fence, and what its brief holds of it already.
    pub fn new(
        tools: Arc<dyn Toolbox>,
        (ground, coordinator): (&Arc<Ground>, &WeakActorRef<Coordinator>),
        seat: (Seat, u64),
        heard: Heard,
    ) -> Self {
        let (pushed, coordinator) = (Pushed::to(ground), coordinator.clone());
        Self { pushed, tools, coordinator, seat, heard: Mutex::new(heard), calls: AtomicU64::new(0) }
    }

    /// Gives what was said since it was last asked for, once it is written down that it was heard.
    async fn since(&self, calls: u64) -> Vec<String> {
        let Some(coordinator) = self.coordinator.upgrade() else { return Vec::new() };
        let mut heard = self.heard.lock().await;
        let (seat, fence) = self.seat;
        self.pushed.hear(&coordinator).await;
        // One that is at its end has nothing more to tell.
        let Ok(since) = coordinator.ask(Listen { seat, heard: *heard }).await else { return Vec::new() };
        if since.said.is_empty() {
            return Vec::new();
        }
        let command = Command::ReportHeard { seat, fence, heard: since.heard, before_call: calls + 1 };
        let (reply, answer) = oneshot::channel();
        let sent = coordinator.tell(Tell { command, reply: Some(reply) }).send().await;
        drop(coordinator);
        // Whose lease or seat is lost hears nothing more, and what it would have heard stands in the next brief.
        if sent.is_err() || !matches!(answer.await, Ok(Ok(()))) {
            return Vec::new();
        }
        *heard = since.heard;
        since.said
    }
}

impl Toolbox for Steered {
    fn tools(&self) -> Vec<Tool> {
        self.tools.tools()
    }

    fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.tools.call(name, arguments)
    }

    fn news(&self) -> Pending<'_, String> {
        Box::pin(async { worded(&self.since(self.calls.load(Ordering::Relaxed)).await) })
    }
}

/// Marks what people say, so that it is not taken for what the tool answers.
fn worded(said: &[String]) -> String {
    if said.is_empty() {
        return String::new();
    }
    let each: String = said.iter().map(|it| format!("- {}\n", it.trim().replace('\n', "\n  "))).collect();
    format!(
        "\n\n[artel: while you worked, the people who run this said the following; it is part of your brief]\n{each}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_say_is_marked_in_order() {
        assert_eq!(worded(&[]), "");
        insta::assert_snapshot!(worded(&["Use the blue one.".to_owned(), "Two\nlines.\n".to_owned()]));
    }
}
