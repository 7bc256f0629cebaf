//! Owns what a turn becomes when it is told to somebody: its blanks filled, and one answer for each of the two ways in
//! which it may be asked for, with the usage that each part of it tells.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::api::Api;
use super::script::{Call, Turn, Usage};
use super::tools::{Offer, Use, mapped};
use super::{anthropic, chat, gemini, responses};

/// A turn in an API's words.
pub struct Answer {
    /// All at once.
    pub whole: Value,
    /// What `whole` tells; in a stream, what has been told when all of it was sent.
    pub told: Option<Usage>,
    /// Piece by piece.
    pub events: Vec<Event>,
    /// How many events are the beginning, after which one may hang.
    pub begun: usize,
    /// How many events are half of the answer.
    pub half: usize,
    /// What is sent instead of the other half where the stream breaks.
    pub broken: Event,
}

/// An event of a stream.
pub struct Event {
    pub name: Option<&'static str>,
    pub text: String,
    /// What all events so far tell, where this one tells anything.
    pub told: Option<Usage>,
}

impl Event {
    pub fn of(value: &Value) -> Self {
        Self { name: None, text: value.to_string(), told: None }
    }

    /// Names an event by its type, as two of the APIs do.
    pub fn named(name: &'static str, mut value: Value) -> Self {
        value["type"] = name.into();
        Self { name: Some(name), text: value.to_string(), told: None }
    }

    pub fn telling(self, usage: Usage) -> Self {
        Self { told: Some(usage), ..self }
    }

    pub fn line(&self) -> String {
        let name = self.name.map_or_else(String::new, |name| format!("event: {name}\n"));
        format!("{name}data: {}\n\n", self.text)
    }
}

/// What an answer is made of, whichever API it is for.
pub struct Said<'a> {
    pub model: String,
    pub thought: Option<String>,
    pub text: Option<String>,
    pub uses: Vec<Use>,
    pub usage: Usage,
    pub stop: Option<&'a str>,
    /// The kind of the error where the stream breaks.
    pub kind: &'a str,
    /// What was asked.
    pub body: &'a Value,
}

impl<'a> Said<'a> {
    pub fn of(turn: &'a Turn, kind: &'a str, blanks: &Blanks, offers: &[Offer], body: &'a Value) -> Self {
        let fill = |text: &String| blanks.fill(text);
        Self {
            model: blanks.model.clone(),
            thought: turn.thought.as_ref().map(fill),
            text: turn.text.as_ref().map(fill),
            uses: turn.calls.iter().map(|call| mapped(&blanks.fill_call(call), offers)).collect(),
            usage: turn.usage,
            stop: turn.stop.as_deref(),
            kind,
            body,
        }
    }

    pub fn told_to(&self, api: Api) -> Answer {
        match api {
            Api::Anthropic => anthropic::answer(self),
            Api::Chat => chat::answer(self),
            Api::Responses => responses::answer(self),
            Api::Gemini => gemini::answer(self),
        }
    }
}

/// Gives an identifier that no other answer of this process has.
pub fn fresh(prefix: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("{prefix}_{:020}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// What the blanks of a turn are filled with.
pub struct Blanks {
    pub model: String,
    /// Which turn of its script it is, counted from 1.
    pub turn: usize,
    /// All texts of the request.
    pub words: String,
}

/// What is said before the folder that a program works in: by artel where a session goes on in another, else by the program.
const FOLDER_MARKS: [&str; 5] =
    ["You work in: ", "Primary working directory: ", "Working directory: ", "<cwd>", "<working-directory>"];

impl Blanks {
    fn fill(&self, text: &str) -> String {
        let mut text = text
            .replace("{turn}", &self.turn.to_string())
            .replace("{model}", &self.model)
            .replace("{cwd}", &self.cwd());
        while let Some((before, rest)) = text.split_once("{after ")
            && let Some((mark, after)) = rest.split_once('}')
        {
            text = format!("{before}{}{after}", self.word_after(mark));
        }
        text
    }

    fn fill_call(&self, call: &Call) -> Call {
        let fill = |text: &String| self.fill(text);
        match call {
            Call::Write { path, content } => Call::Write { path: fill(path), content: fill(content) },
            Call::Bash { command } => Call::Bash { command: fill(command) },
            Call::Read { path } => Call::Read { path: fill(path) },
            Call::Edit { path, old, new } => Call::Edit { path: fill(path), old: fill(old), new: fill(new) },
            Call::Exact { name, arguments } => {
                Call::Exact { name: name.clone(), arguments: self.fill_value(arguments) }
            }
            Call::Tool { name, arguments } => Call::Tool { name: name.clone(), arguments: self.fill_value(arguments) },
        }
    }

    fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill(text).into(),
            Value::Array(all) => all.iter().map(|it| self.fill_value(it)).collect(),
            Value::Object(all) => all.iter().map(|(key, it)| (key.clone(), self.fill_value(it))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn cwd(&self) -> String {
        let found = FOLDER_MARKS.iter().find_map(|mark| self.words.split_once(mark));
        let folder = found.and_then(|(_, rest)| rest.split(['\n', '<', '`']).next());
        folder.map_or("/dev/null/no folder is named", str::trim).to_owned()
    }

    fn word_after(&self, mark: &str) -> &str {
        let is_beside = |c: char| c.is_whitespace() || "`'\"<>()".contains(c);
        let rest = self.words.split_once(mark).map_or("", |(_, rest)| rest).trim_start_matches(is_beside);
        rest.split(is_beside).next().unwrap_or_default().trim_end_matches(['.', ',', ';', ':'])
    }
}
