//! Owns the tools by which whoever plans or judges says what a person has to give first. They leave it where a command leaves
//! its handoff, so that both are read alike; never ends a session.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::super::world::blocking;
use super::working::{Ask, Blocked, Slot, answer_to, ask_of, blocked_of, tool};
use crate::io::tools::{Pending, Tool, Toolbox};

/// Holds the tools of one who sits at a seat.
#[derive(Debug)]
pub struct AskingTools {
    slot: Arc<Slot>,
}

impl AskingTools {
    /// Takes the place of the session's handoff.
    pub fn new(handoff: PathBuf) -> Self {
        Self { slot: Arc::new(Slot::at(handoff)) }
    }
}

impl Toolbox for AskingTools {
    fn tools(&self) -> Vec<Tool> {
        vec![
            tool::<Ask>(
                "ask",
                "Asks a person a question without whose answer you cannot go on. Nobody answers while you run: end your \
                 session after this call, without an answer of your own; another goes on in your place with theirs.",
            ),
            tool::<Blocked>(
                "blocked",
                "Says that you cannot go on until a person has given or mended something. End your session after this \
                 call, without an answer of your own.",
            ),
        ]
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let missing = match name {
            "ask" => ask_of(given).map(|question| answer_to(&question)),
            "blocked" => blocked_of(given),
            _ => Err(format!("nobody at a seat has a tool `{name}`")),
        };
        let slot = Arc::clone(&self.slot);
        Box::pin(async move {
            let missing = missing?;
            blocking(move || slot.says(missing)).await?;
            Ok("It is asked. End your session: it goes on in your place when a person has answered.".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::io::agents::collect;

    #[test]
    fn what_is_offered_is_described() {
        let tools = AskingTools::new(PathBuf::new()).tools();
        let each: Vec<Value> =
            tools.iter().map(|it| json!({"name": it.name, "about": it.about, "input": it.input})).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&each).unwrap());
    }

    #[tokio::test]
    async fn what_is_asked_is_left_as_a_command_would_leave_it_and_the_last_word_stands() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("handoff.json");
        let tools = AskingTools::new(place.clone());
        let left = || collect(&place).unwrap().and_then(|handoff| handoff.blocked);
        for (name, given) in [("ask", json!({"question": " "})), ("blocked", json!({})), ("handoff", json!({}))] {
            assert!(tools.call(name, given).await.is_err() && left().is_none(), "{name}");
        }
        tools.call("ask", json!({"question": "Which colour?"})).await.unwrap();
        assert_eq!(left().as_deref(), Some("an answer to: Which colour?"));
        tools.call("blocked", json!({"missing": "the old design"})).await.unwrap();
        assert_eq!(left().as_deref(), Some("the old design"));
    }
}
