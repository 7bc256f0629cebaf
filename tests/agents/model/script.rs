//! Owns the words of a script: whom it is for, and what the model does in each turn.

use std::iter::Sum;
use std::ops::Add;

use serde_json::Value;

use super::gate::Gate;

/// The turns that one agent gets, one after the other; the last is repeated.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) keys: Vec<String>,
    pub(super) turns: Vec<Turn>,
    pub(super) side: String,
    pub(super) is_for_toolless: bool,
}

impl Script {
    /// Answers requests in whose words this key occurs, such as a marker in a task's brief.
    pub fn of(key: &str, turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            keys: vec![key.to_owned()],
            turns: turns.into_iter().collect(),
            side: "a side answer".to_owned(),
            is_for_toolless: false,
        }
    }

    /// Answers all requests that no script before it takes.
    pub fn of_others(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self { keys: Vec::new(), ..Self::of("", turns) }
    }

    /// Asks for one more key.
    pub fn and(mut self, key: &str) -> Self {
        self.keys.push(key.to_owned());
        self
    }

    /// Says this to requests that offer no tools: titles, summaries, probes of a quota. They take no turn.
    pub fn aside(mut self, text: &str) -> Self {
        text.clone_into(&mut self.side);
        self
    }

    /// Gives its turns to requests that offer no tools, too.
    pub fn without_tools(mut self) -> Self {
        self.is_for_toolless = true;
        self
    }

    pub(super) fn is_for(&self, words: &str) -> bool {
        self.keys.iter().all(|key| words.contains(key.as_str()))
    }

    /// Names the script by its keys.
    pub(super) fn name(&self) -> String {
        self.keys.join("+")
    }
}

/// What the model does when it is asked once.
///
/// Texts, paths and contents may hold `{cwd}`, the folder that the agent says it works in, `{turn}`, counted from 1,
/// `{model}`, and `{after WORDS}`: the word that follows these words in the request.
#[derive(Debug, Clone)]
pub struct Turn {
    pub(super) thought: Option<String>,
    pub(super) text: Option<String>,
    pub(super) calls: Vec<Call>,
    pub(super) usage: Usage,
    pub(super) stop: Option<String>,
    pub(super) gate: Option<Gate>,
    pub(super) piece: usize,
    pub(super) ending: Ending,
}

/// How an answer ends.
#[derive(Debug, Clone)]
pub enum Ending {
    Whole,
    /// No answer but a status; without a body, what the API says with this status.
    Refused {
        status: u16,
        headers: Vec<(String, String)>,
        body: Option<Value>,
    },
    /// An error of this kind in the middle of the stream.
    Broken(String),
    /// Nothing more after the beginning, until the other side leaves.
    Hung,
    /// The connection is closed in the middle.
    Cut,
    /// The connection is reset before anything was answered.
    Reset,
}

/// What the model has the agent do; all but `Exact` and `Tool` are mapped onto the tools that the agent offers.
#[derive(Debug, Clone)]
pub enum Call {
    Write {
        path: String,
        content: String,
    },
    Bash {
        command: String,
    },
    Read {
        path: String,
    },
    Edit {
        path: String,
        old: String,
        new: String,
    },
    Exact {
        name: String,
        arguments: Value,
    },
    /// A tool of artel's, by its own name.
    Tool {
        name: String,
        arguments: Value,
    },
}

impl Call {
    pub fn write(path: &str, content: &str) -> Self {
        Self::Write { path: path.to_owned(), content: content.to_owned() }
    }

    pub fn bash(command: &str) -> Self {
        Self::Bash { command: command.to_owned() }
    }

    pub fn read(path: &str) -> Self {
        Self::Read { path: path.to_owned() }
    }

    pub fn edit(path: &str, old: &str, new: &str) -> Self {
        Self::Edit { path: path.to_owned(), old: old.to_owned(), new: new.to_owned() }
    }

    pub fn tool(name: &str, arguments: Value) -> Self {
        Self::Tool { name: name.to_owned(), arguments }
    }

    pub fn exact(name: &str, arguments: Value) -> Self {
        Self::Exact { name: name.to_owned(), arguments }
    }
}

impl Turn {
    pub fn says(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::silent() }
    }

    pub fn calls(call: Call) -> Self {
        Self::silent().and(call)
    }

    pub fn writes(path: &str, content: &str) -> Self {
        Self::calls(Call::write(path, content))
    }

    pub fn runs(command: &str) -> Self {
        Self::calls(Call::bash(command))
    }

    pub fn refuses(status: u16) -> Self {
        Self { ending: Ending::Refused { status, headers: Vec::new(), body: None }, ..Self::silent() }
    }

    pub fn hangs() -> Self {
        Self { ending: Ending::Hung, ..Self::says("never said") }
    }

    pub fn resets() -> Self {
        Self { ending: Ending::Reset, ..Self::silent() }
    }

    fn silent() -> Self {
        Self {
            thought: None,
            text: None,
            calls: Vec::new(),
            usage: Usage::USUAL,
            stop: None,
            gate: None,
            piece: usize::MAX,
            ending: Ending::Whole,
        }
    }

    /// Thinks this first, where the API has a place for it.
    pub fn thinking(mut self, thought: &str) -> Self {
        self.thought = Some(thought.to_owned());
        self
    }

    /// Calls one tool more in the same answer.
    pub fn and(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }

    /// Tells this usage.
    pub fn using(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Gives this reason to stop, in the words of the API.
    pub fn stopping(mut self, reason: &str) -> Self {
        self.stop = Some(reason.to_owned());
        self
    }

    /// Answers when the gate is open.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Sends what is streamed in pieces of so many bytes, whose borders are nowhere in particular.
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// Closes the connection in the middle of the answer.
    pub fn cut(mut self) -> Self {
        self.ending = Ending::Cut;
        self
    }

    /// Tells an error in the middle of the stream, such as `overloaded_error`; where nothing is streamed, instead of it.
    pub fn breaking(mut self, kind: &str) -> Self {
        self.ending = Ending::Broken(kind.to_owned());
        self
    }

    /// Adds a header to a refusal.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ending::Refused { headers, .. } = &mut self.ending {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Gives a refusal a body of its own.
    pub fn body(mut self, value: Value) -> Self {
        if let Ending::Refused { body, .. } = &mut self.ending {
            *body = Some(value);
        }
        self
    }
}

/// Tokens, each counted once, in words that no API has: what is told in an API's words is made of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Read by the model, neither from a cache nor into one.
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// Written by the model, with what it thought.
    pub output: u64,
    /// The part of `output` that it thought.
    pub reasoning: u64,
}

impl Usage {
    /// What a turn tells of which nothing is said.
    pub const USUAL: Self = Self { input: 1000, cache_read: 3000, cache_write: 200, output: 50, reasoning: 7 };

    /// Gives all that the model read.
    pub fn prompt(self) -> u64 {
        self.input + self.cache_read + self.cache_write
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cache_read: self.cache_read + other.cache_read,
            cache_write: self.cache_write + other.cache_write,
            output: self.output + other.output,
            reasoning: self.reasoning + other.reasoning,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), Self::add)
    }
}
