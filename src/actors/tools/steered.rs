//! Owns how what people say while a session runs reaches it: with the answer of its next tool, each word once, in order.
//! Never interrupts a session.

use std::sync::Arc;

use kameo::prelude::*;
use serde_json::Value;
use tokio::sync::Mutex;

use super::super::coordinator::Coordinator;
use crate::io::tools::{Pending, Tool, Toolbox};
use crate::model::ids::TaskId;

/// Counts what a session has heard of what people have said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// To all tasks.
    pub of_run: usize,
    /// To its own.
    pub of_task: usize,
}

/// Asks what was said to a task beyond what was heard.
pub struct Listen {
    /// The task, where it is asked for one.
    pub task: Option<TaskId>,
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

    async fn handle(&mut self, Listen { task, heard }: Listen, _: &mut Context<Self, Since>) -> Since {
        let state = &self.state;
        let of_task =
            task.and_then(|task| state.tasks.get(&task)).map(|task| task.steering.as_slice()).unwrap_or_default();
        let news = state.steering.iter().skip(heard.of_run).chain(of_task.iter().skip(heard.of_task));
        let said = news.cloned().collect();
        Since { said, heard: Heard { of_run: state.steering.len(), of_task: of_task.len() } }
    }
}

/// Adds what people say to what tools answer.
pub struct Steered {
    tools: Arc<dyn Toolbox>,
    coordinator: WeakActorRef<Coordinator>,
    task: Option<TaskId>,
    heard: Mutex<Heard>,
}

impl Steered {
    /// Brings a task's session what is said to it and to all: takes its tools, who knows what is said, and what its brief
    /// holds of it already.
    pub fn of_task(
        tools: Arc<dyn Toolbox>,
        coordinator: WeakActorRef<Coordinator>,
        task: TaskId,
        heard: Heard,
    ) -> Self {
        Self { tools, coordinator, task: Some(task), heard: Mutex::new(heard) }
    }

    /// Brings a session that does no task what is said to all.
    pub fn of_run(tools: Arc<dyn Toolbox>, coordinator: WeakActorRef<Coordinator>, heard: Heard) -> Self {
        Self { tools, coordinator, task: None, heard: Mutex::new(heard) }
    }

    /// Gives what was said since it was last asked for.
    async fn news(&self) -> Vec<String> {
        let Some(coordinator) = self.coordinator.upgrade() else { return Vec::new() };
        let mut heard = self.heard.lock().await;
        // One that is at its end has nothing more to tell.
        let Ok(since) = coordinator.ask(Listen { task: self.task, heard: *heard }).await else { return Vec::new() };
        *heard = since.heard;
        since.said
    }
}

impl Toolbox for Steered {
    fn tools(&self) -> Vec<Tool> {
        self.tools.tools()
    }

    fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
        let name = name.to_owned();
        Box::pin(async move {
            let answer = self.tools.call(&name, arguments).await;
            let news = self.news().await;
            let with_news = |text: String| format!("{text}{}", worded(&news));
            answer.map(with_news).map_err(with_news)
        })
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
