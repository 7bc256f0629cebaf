//! Owns the tools by which a worker reads its brief and hands up what it did, asks, or says what is missing. All go by the
//! handoff's file, as if the agent had written it itself; never ends a session.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::world::{blocking, told};
use crate::io::agents::{collect, leave};
use crate::io::tools::{Pending, Tool, Toolbox, arguments, schema_of};
use crate::model::attempt::Handoff;

/// Bytes of a question, or of what is missing: a person reads it in one line of the inbox.
const WORDS_BYTES_MAX: usize = 8 << 10;

/// Holds a worker's tools.
#[derive(Debug)]
pub struct WorkingTools {
    brief: String,
    slot: Arc<Slot>,
}

/// Holds the place of one attempt's handoff.
#[derive(Debug)]
struct Slot {
    place: PathBuf,
    /// What the attempt waits for, once it has said so; held while the file is written.
    missing: Mutex<Option<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskBrief {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// The question, with all that a person who does not see your session needs to answer it.
    question: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Blocked {
    /// What is missing, and what you tried.
    missing: String,
}

impl WorkingTools {
    /// Takes the brief, and the place of the attempt's handoff.
    pub fn new(brief: String, handoff: PathBuf) -> Self {
        Self { brief, slot: Arc::new(Slot { place: handoff, missing: Mutex::default() }) }
    }
}

impl Toolbox for WorkingTools {
    fn tools(&self) -> Vec<Tool> {
        let tool = |name: &str, about: &str, input| Tool { name: name.to_owned(), about: about.to_owned(), input };
        vec![
            tool("task_brief", "Gives your task's whole brief again, word for word.", schema_of::<TaskBrief>()),
            tool(
                "handoff",
                "Hands up what you did, once, when you are done: to the planner that made your task. A later call \
                 replaces an earlier one.",
                schema_of::<Handoff>(),
            ),
            tool(
                "ask",
                "Asks a person a question without whose answer you cannot go on. Nobody answers while you run: end \
                 your session after this call; the task is tried again with the answer in its brief.",
                schema_of::<Ask>(),
            ),
            tool(
                "blocked",
                "Says that the task cannot be done until something is there. End your session after this call.",
                schema_of::<Blocked>(),
            ),
        ]
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let name = name.to_owned();
        Box::pin(async move {
            match name.as_str() {
                "task_brief" => arguments::<TaskBrief>(&name, given).map(|_| self.brief.clone()),
                "handoff" => {
                    let handoff = arguments::<Handoff>(&name, given)?;
                    self.leave(move |slot, missing| slot.replace(handoff, missing)).await?;
                    Ok("taken".to_owned())
                }
                "ask" => {
                    let Ask { question } = arguments(&name, given)?;
                    let missing = format!("an answer to: {}", said("question", &question)?);
                    self.leave(|slot, was| slot.miss(missing, was)).await?;
                    Ok("The question is asked. End your session: your task goes on when a person has answered."
                        .to_owned())
                }
                "blocked" => {
                    let Blocked { missing } = arguments(&name, given)?;
                    let missing = said("missing", &missing)?.to_owned();
                    self.leave(|slot, was| slot.miss(missing, was)).await?;
                    Ok("noted. End your session.".to_owned())
                }
                _ => Err(format!("a worker has no tool `{name}`")),
            }
        })
    }
}

impl WorkingTools {
    /// Writes to the slot, which no other call does meanwhile.
    async fn leave(
        &self,
        write: impl FnOnce(&Slot, &mut Option<String>) -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let slot = Arc::clone(&self.slot);
        let done = move || {
            // It is whole after each statement that changes it.
            let mut missing = slot.missing.lock().unwrap_or_else(PoisonError::into_inner);
            write(&slot, &mut missing)
        };
        blocking(done).await
    }
}

impl Slot {
    /// Leaves a handoff in the place of any before it; what is missing stays so.
    fn replace(&self, mut handoff: Handoff, missing: &mut Option<String>) -> Result<(), String> {
        if handoff.blocked.is_some() {
            missing.clone_from(&handoff.blocked);
        } else {
            handoff.blocked.clone_from(missing);
        }
        leave(&self.place, &handoff).map_err(|error| told(&error))
    }

    /// Says what is missing, beside what was handed up before.
    fn miss(&self, what: String, missing: &mut Option<String>) -> Result<(), String> {
        // What cannot be read is none, and is replaced.
        let before = collect(&self.place).ok().flatten().unwrap_or_default();
        leave(&self.place, &Handoff { blocked: Some(what.clone()), ..before }).map_err(|error| told(&error))?;
        *missing = Some(what);
        Ok(())
    }
}

/// Takes words that a person is to read.
fn said<'w>(what: &str, words: &'w str) -> Result<&'w str, String> {
    let words = words.trim();
    if words.is_empty() {
        return Err(format!("`{what}` is empty: say it in words"));
    }
    if words.len() > WORDS_BYTES_MAX {
        return Err(format!("`{what}` is longer than {WORDS_BYTES_MAX} bytes: say it in fewer words"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Scene {
        dir: tempfile::TempDir,
        tools: WorkingTools,
    }

    impl Scene {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let tools = WorkingTools::new("Mend it.\n".to_owned(), dir.path().join("handoff.json"));
            Self { dir, tools }
        }

        async fn call(&self, name: &str, given: Value) -> Result<String, String> {
            self.tools.call(name, given).await
        }

        fn handoff(&self) -> Option<Handoff> {
            collect(&self.dir.path().join("handoff.json")).unwrap()
        }
    }

    #[test]
    fn what_is_offered_is_described() {
        let tools = Scene::new().tools.tools();
        let each: Vec<Value> =
            tools.iter().map(|it| json!({"name": it.name, "about": it.about, "input": it.input})).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&each).unwrap());
    }

    #[tokio::test]
    async fn the_brief_is_given_byte_for_byte() {
        assert_eq!(Scene::new().call("task_brief", json!({})).await.unwrap(), "Mend it.\n");
    }

    #[tokio::test]
    async fn a_handoff_is_taken_as_its_file_would_be_and_a_later_one_replaces_it() {
        let scene = Scene::new();
        scene.call("handoff", json!({"done": "one", "concerns": ["two"]})).await.unwrap();
        let leftover = json!({"path": "a", "line": 3, "why": "odd"});
        scene.call("handoff", json!({"done": "all", "leftovers": [leftover]})).await.unwrap();
        let handoff = scene.handoff().unwrap();
        assert_eq!((handoff.done.as_str(), handoff.concerns.len(), handoff.leftovers[0].line), ("all", 0, 3));
    }

    #[tokio::test]
    async fn who_asks_is_blocked_on_the_answer_whatever_it_hands_up() {
        let scene = Scene::new();
        scene.call("handoff", json!({"done": "half"})).await.unwrap();
        scene.call("ask", json!({"question": " Which colour? "})).await.unwrap();
        let asked = Some("an answer to: Which colour?".to_owned());
        let handoff = scene.handoff().unwrap();
        assert_eq!((handoff.done.as_str(), &handoff.blocked), ("half", &asked));
        scene.call("handoff", json!({"done": "more"})).await.unwrap();
        assert_eq!(scene.handoff().unwrap().blocked, asked);
        scene.call("blocked", json!({"missing": "a compiler"})).await.unwrap();
        let handoff = scene.handoff().unwrap();
        assert_eq!((handoff.done.as_str(), handoff.blocked.as_deref()), ("more", Some("a compiler")));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_and_leaves_nothing() {
        let scene = Scene::new();
        let long = "x".repeat(WORDS_BYTES_MAX + 1);
        for (name, given, words) in [
            ("handoff", json!({"doen": "all"}), "unknown field `doen`, expected one of `done`"),
            ("handoff", json!({"done": 7}), "invalid type: integer `7`, expected a string"),
            ("handoff", json!({"leftovers": [{"path": "a", "line": -1, "why": ""}]}), "invalid value: integer `-1`"),
            ("handoff", json!({"done": "x".repeat(2 << 20)}), "longer than 1048576 bytes"),
            ("handoff", json!([]), "do not fit the schema of `handoff`: they are no object"),
            ("ask", json!({}), "missing field `question`"),
            ("ask", json!({"question": " "}), "`question` is empty"),
            ("ask", json!({"question": long}), "is longer than 8192 bytes"),
            ("blocked", json!({"missing": ["a"]}), "invalid type"),
            ("task_brief", json!({"of": "t2"}), "unknown field `of`"),
            ("verdict", json!({}), "no tool `verdict`"),
        ] {
            let why = scene.call(name, given).await.unwrap_err();
            assert!(why.contains(words), "{name}: {why}");
        }
        assert_eq!(scene.handoff(), None);
    }
}
