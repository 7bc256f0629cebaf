//! Owns the tools by which a worker hands up what it did, asks, or says what is missing. All go by the
//! handoff's file, as if the agent had written it itself; never ends a session.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::world::{blocking, told};
use crate::io::agents::{collect, fits, flags, leave};
use crate::io::tools::{Pending, Tool, Toolbox, arguments, schema_of};
use crate::model::attempt::{Flagged, Handoff, ScopeAsk};

/// Bytes of a question, or of what is missing: a person reads it in one line of the inbox.
const WORDS_BYTES_MAX: usize = 8 << 10;

/// Holds a worker's tools.
#[derive(Debug)]
pub struct WorkingTools {
    slot: Arc<Slot>,
}

/// Holds the place of one session's handoff.
#[derive(Debug)]
pub(super) struct Slot {
    place: PathBuf,
    /// What was said beside a handoff; held while the file is written.
    beside: Mutex<Beside>,
}

/// Holds what a worker says beside its handoff, which no later one takes back.
#[derive(Debug, Clone, Default)]
struct Beside {
    /// What the attempt waits for.
    missing: Option<String>,
    /// What it has to change beside what it owns.
    wants: Option<ScopeAsk>,
    /// Files that too many tasks change.
    flagged: Vec<Flagged>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// The question, with all that a person who does not see your session needs to answer it.
    question: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Blocked {
    /// What is missing, and what you tried.
    missing: String,
}

impl WorkingTools {
    /// Takes the place of the attempt's handoff.
    pub fn new(handoff: PathBuf) -> Self {
        Self { slot: Arc::new(Slot::at(handoff)) }
    }
}

impl Toolbox for WorkingTools {
    fn tools(&self) -> Vec<Tool> {
        vec![
            tool::<Handoff>(
                "handoff",
                "Hands up what you did, once, when you are done: to the planner that made your task. A later call \
                 replaces an earlier one.",
            ),
            tool::<Ask>(
                "ask",
                "Asks a person a question without whose answer you cannot go on. Nobody answers while you run: end \
                 your session after this call; the task is tried again with the answer in its brief.",
            ),
            tool::<Blocked>(
                "blocked",
                "Says that the task cannot be done until something is there. End your session after this call.",
            ),
            tool::<ScopeAsk>(
                "request_scope",
                "Asks whoever planned your task for leave to change files that it does not own, without which it cannot be \
                 done. End your session after this call: the task goes on with the answer in its brief.",
            ),
            tool::<Flagged>(
                "flag_file",
                "Flags a file that too many tasks change, so that whoever planned your task has it split. Go on with your \
                 task.",
            ),
        ]
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let name = name.to_owned();
        Box::pin(async move {
            match name.as_str() {
                "handoff" => {
                    let handoff = arguments::<Handoff>(&name, given)?;
                    self.leave(move |slot, beside| slot.replace(handoff, beside)).await?;
                    Ok("taken".to_owned())
                }
                "ask" => {
                    let missing = answer_to(&ask_of(given)?);
                    self.leave(|slot, beside| slot.miss(missing, beside)).await?;
                    Ok("The question is asked. End your session: your task goes on when a person has answered."
                        .to_owned())
                }
                "blocked" => {
                    let missing = blocked_of(given)?;
                    self.leave(|slot, beside| slot.miss(missing, beside)).await?;
                    Ok("noted. End your session.".to_owned())
                }
                "request_scope" => {
                    let wants: ScopeAsk = arguments(&name, given)?;
                    fits(&wants)?;
                    self.leave(|slot, beside| slot.want(wants, beside)).await?;
                    Ok("It is asked for. End your session: your task goes on with the answer.".to_owned())
                }
                "flag_file" => {
                    let flagged: Flagged = arguments(&name, given)?;
                    self.leave(|slot, beside| slot.flag(flagged, beside)).await?;
                    Ok("noted. Go on with your task.".to_owned())
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
        write: impl FnOnce(&Slot, &mut Beside) -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let slot = Arc::clone(&self.slot);
        blocking(move || slot.leave(write)).await
    }
}

impl Slot {
    /// Takes the place of a handoff.
    pub(super) fn at(place: PathBuf) -> Self {
        Self { place, beside: Mutex::default() }
    }

    /// Says what is missing.
    pub(super) fn says(&self, missing: String) -> Result<(), String> {
        self.leave(|slot, beside| slot.miss(missing, beside))
    }

    fn leave(&self, write: impl FnOnce(&Self, &mut Beside) -> Result<(), String>) -> Result<(), String> {
        // It is whole after each statement that changes it.
        let mut beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        write(self, &mut beside)
    }

    /// Leaves a handoff in the place of any before it; what was said beside it stays so.
    fn replace(&self, handoff: Handoff, beside: &mut Beside) -> Result<(), String> {
        if let Some(wants) = &handoff.wants {
            fits(wants)?;
        }
        let is_said = |flagged: &Flagged| beside.flagged.iter().any(|it| it.path == flagged.path);
        let more: Vec<Flagged> = handoff.flagged.iter().filter(|it| !is_said(it)).cloned().collect();
        let all = Beside {
            missing: handoff.blocked.clone().or_else(|| beside.missing.clone()),
            wants: handoff.wants.clone().or_else(|| beside.wants.clone()),
            flagged: beside.flagged.iter().cloned().chain(more).collect(),
        };
        self.write(handoff, all, beside)
    }

    /// Says what is missing, beside what was handed up before.
    fn miss(&self, what: String, beside: &mut Beside) -> Result<(), String> {
        self.write(self.before(), Beside { missing: Some(what), ..beside.clone() }, beside)
    }

    /// Asks to change what the task does not own.
    fn want(&self, wants: ScopeAsk, beside: &mut Beside) -> Result<(), String> {
        let missing = Some(wants.words());
        self.write(self.before(), Beside { missing, wants: Some(wants), ..beside.clone() }, beside)
    }

    /// Flags a file; a later word on the same replaces an earlier one.
    fn flag(&self, flagged: Flagged, beside: &mut Beside) -> Result<(), String> {
        let mut all = beside.clone();
        all.flagged.retain(|it| it.path != flagged.path);
        all.flagged.push(flagged);
        self.write(self.before(), all, beside)
    }

    /// Gives what was handed up before.
    fn before(&self) -> Handoff {
        // What cannot be read is none, and is replaced.
        collect(&self.place).ok().flatten().unwrap_or_default()
    }

    fn write(&self, handoff: Handoff, all: Beside, beside: &mut Beside) -> Result<(), String> {
        flags(&all.flagged)?;
        let Beside { missing, wants, flagged } = all.clone();
        let handoff = Handoff { blocked: missing, wants, flagged, ..handoff };
        leave(&self.place, &handoff).map_err(|error| told(&error))?;
        *beside = all;
        Ok(())
    }
}

/// Describes a tool.
pub(super) fn tool<T: JsonSchema>(name: &str, about: &str) -> Tool {
    Tool { name: name.to_owned(), about: about.to_owned(), input: schema_of::<T>() }
}

/// Reads what the tool `ask` was given.
pub(super) fn ask_of(given: Value) -> Result<String, String> {
    let Ask { question } = arguments("ask", given)?;
    said("question", &question).map(str::to_owned)
}

/// Says what is missing where a person has not answered.
pub fn answer_to(question: &str) -> String {
    format!("an answer to: {question}")
}

/// Reads what the tool `blocked` was given.
pub(super) fn blocked_of(given: Value) -> Result<String, String> {
    let Blocked { missing } = arguments("blocked", given)?;
    said("missing", &missing).map(str::to_owned)
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
            let tools = WorkingTools::new(dir.path().join("handoff.json"));
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
    async fn what_is_said_beside_a_handoff_stays_whatever_is_handed_up_later() {
        let scene = Scene::new();
        scene.call("flag_file", json!({"path": "src/all.rs", "why": "each task adds a line"})).await.unwrap();
        scene.call("flag_file", json!({"path": "src/all.rs", "why": "each adds an arm"})).await.unwrap();
        scene.call("request_scope", json!({"paths": ["b.rs", "c/"], "why": "they call it"})).await.unwrap();
        scene.call("handoff", json!({"done": "half"})).await.unwrap();
        let handoff = scene.handoff().unwrap();
        assert_eq!((handoff.done.as_str(), handoff.flagged.len()), ("half", 1));
        assert_eq!(handoff.flagged[0].why, "each adds an arm");
        assert_eq!(handoff.wants.unwrap().paths, ["b.rs", "c/"]);
        assert_eq!(handoff.blocked.as_deref(), Some("leave to change b.rs, c/ too: they call it"));
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
            ("request_scope", json!({"paths": [], "why": "x"}), "name 1 to 50 paths"),
            ("request_scope", json!({"paths": ["../a"], "why": "x"}), "is no path"),
            ("request_scope", json!({"paths": ["a"], "why": ""}), "say in `why`"),
            ("flag_file", json!({"path": "/etc/passwd", "why": "x"}), "is no path"),
            ("flag_file", json!({"path": "a", "why": " "}), "`why` is empty"),
            ("verdict", json!({}), "no tool `verdict`"),
        ] {
            let why = scene.call(name, given).await.unwrap_err();
            assert!(why.contains(words), "{name}: {why}");
        }
        assert_eq!(scene.handoff(), None);
    }
}
