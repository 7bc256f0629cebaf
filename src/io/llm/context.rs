//! Owns what becomes of a context that has grown long: old results are taken out of it, or it is begun anew from a note that
//! the model leaves itself. Never asks a model.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{Answer, Message};
use crate::io::tools::Tool;
use crate::model::role::ContextPolicy;

/// Names the tool by which a model leaves its note.
pub(super) const HAND_OVER: &str = "hand_over";
/// What a model is told when it is to leave its note.
pub(super) const ASKED: &str = "Your context is nearly used up, and you will go on in a new one that holds the brief and your note \
alone. Call hand_over now, and nothing else: whoever goes on must not have to find out again what you know.";
/// Results that stay when a context is made shorter: those of the last turns.
const TURNS_KEPT: usize = 4;
/// Bytes of a result that is worth taking out.
const STUB_BYTES: usize = 400;
/// Bytes of each part of a note.
const PART_BYTES: usize = 8 << 10;

/// Says when a context is long, and what becomes of it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// What becomes of it.
    pub policy: ContextPolicy,
    /// Tokens that make it long; 0 is no bound.
    pub tokens: u64,
}

impl Context {
    /// Tells whether the context of an answer is long.
    pub(super) fn is_long(&self, answer: &Answer) -> bool {
        self.tokens > 0 && answer.read.saturating_add(answer.written) >= self.tokens
    }
}

/// Holds what a model leaves itself when its context ends; its own words, never trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// What is done.
    pub done: String,
    /// What is left to do.
    pub left: String,
    /// What was decided, and why.
    pub decided: String,
    /// What was found out, and what does not work.
    pub found: String,
}

impl Note {
    /// Reads the note of an answer: the arguments of its call, or its words where it made none.
    pub(super) fn of(answer: &Answer) -> Self {
        let call = answer.calls.iter().find(|call| call.name == HAND_OVER);
        let note = call.and_then(|call| serde_json::from_value::<Self>(call.arguments.clone()).ok());
        let mut note = note.unwrap_or_else(|| Self { left: answer.text.clone(), ..Self::default() });
        for part in [&mut note.done, &mut note.left, &mut note.decided, &mut note.found] {
            part.truncate(part.floor_char_boundary(PART_BYTES));
        }
        note
    }
}

/// Describes the tool by which a model leaves its note.
pub(super) fn hand_over() -> Tool {
    let text = |about: &str| json!({"type": "string", "description": about});
    Tool {
        name: HAND_OVER.to_owned(),
        about: "Leaves a note for yourself when you are told that your context ends; at no other time.".to_owned(),
        input: json!({
            "type": "object",
            "properties": {
                "done": text("What is done, by file."),
                "left": text("What is left to do, in order."),
                "decided": text("What you decided, and why."),
                "found": text("What you found out that costs time to find, and what you tried that does not work.")
            },
            "required": ["done", "left", "decided", "found"],
            "additionalProperties": false
        }),
    }
}

/// Words the beginning of a new context: the brief, and the note as it was written down.
pub(super) fn begun_anew(brief: &str, note: &str) -> String {
    let note: Value = serde_json::from_str(note).unwrap_or_default();
    let mut text = format!(
        "{brief}\n\nYou began this in another context, which ended. Your files are as you left them. Your note of then:\n"
    );
    for part in ["done", "left", "decided", "found"] {
        let said = note[part].as_str().unwrap_or_default();
        text.push_str(&format!("\n{part}:\n{}\n", super::look::quoted(said)));
    }
    text
}

/// Gives what people said while these came about, in order.
pub(super) fn told(messages: &[Message]) -> String {
    let outcomes = messages.iter().flat_map(|message| match message {
        Message::Done(outcomes) => outcomes.as_slice(),
        Message::Said(_) | Message::Answered(_) => &[],
    });
    outcomes.map(|outcome| outcome.told.as_str()).collect()
}

/// Puts short words in the place of old results; tells how many.
pub(super) fn compact(messages: &mut [Message]) -> usize {
    let turns = messages.iter().filter(|message| matches!(message, Message::Done(_))).count();
    let old = messages.iter_mut().filter_map(|message| match message {
        Message::Done(outcomes) => Some(outcomes),
        Message::Said(_) | Message::Answered(_) => None,
    });
    let mut stubs = 0;
    for outcome in old.take(turns.saturating_sub(TURNS_KEPT)).flatten() {
        if outcome.text.len() > STUB_BYTES {
            let bytes = outcome.text.len();
            outcome.text =
                format!("({bytes} bytes were taken out to make room; call {} again if you need it)", outcome.name);
            stubs += 1;
        }
    }
    stubs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::llm::model::{Call, Outcome, Stop};

    fn done(bytes: usize) -> Message {
        let (id, name, text) = ("1".to_owned(), "read".to_owned(), "x".repeat(bytes));
        Message::Done(vec![Outcome { id, name, text, is_error: false, told: String::new() }])
    }

    #[test]
    fn old_results_are_taken_out_and_those_of_the_last_turns_stay() {
        let mut messages = vec![Message::Said("brief".to_owned())];
        messages.extend([done(1000), done(10), done(1000), done(1000), done(1000), done(1000)]);
        assert_eq!(compact(&mut messages), 1);
        assert!(matches!(&messages[1], Message::Done(all) if all[0].text.contains("call read again")));
        assert_eq!(messages[3..], [done(1000), done(1000), done(1000), done(1000)]);
        assert_eq!(compact(&mut messages), 0, "there is nothing more");
    }

    fn answer(text: &str, calls: Vec<Call>) -> Answer {
        let (text, thought, form) = (text.to_owned(), String::new(), Value::Null);
        Answer { text, thought, calls, stop: Stop::Done, read: 0, written: 0, form }
    }

    #[test]
    fn a_note_is_what_was_handed_over_or_said_and_no_longer_than_it_may_be() {
        let arguments = json!({"done": "é".repeat(PART_BYTES), "left": "b", "decided": "", "found": ""});
        let call = Call { id: "1".to_owned(), name: HAND_OVER.to_owned(), arguments };
        let note = Note::of(&answer("words", vec![call]));
        assert_eq!((note.done.len(), note.left.as_str()), (PART_BYTES, "b"));
        let call = Call { id: "1".to_owned(), name: HAND_OVER.to_owned(), arguments: json!("no note") };
        assert_eq!(Note::of(&answer("words", vec![call])).left, "words");
    }

    #[test]
    fn a_note_is_material_in_the_new_context() {
        let note = serde_json::to_string(&Note { left: "Obey.\nNow.".to_owned(), ..Note::default() }).unwrap();
        let text = begun_anew("The brief.", &note);
        assert!(text.starts_with("The brief.\n") && text.contains("> Obey.\n> Now.\n"), "{text}");
    }
}
