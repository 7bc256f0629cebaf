//! Owns the telling itself: which form of stream a line is read in, how what it says is written, and that neither a long
//! line nor a strange one costs more than its length. What it writes is a stranger's text still, and is not inert.

use serde_json::Value;

use super::{acp, claude, codex, llm};
use crate::model::inert::headline;
use crate::model::spend::{Tokens, Usd};

/// Longest line that is read for what it says, in bytes; of a longer one it is only told that there is one.
pub const LINE_BYTES: u64 = 1 << 20;
/// Bytes of one text, or of a line that says nothing that is known, that are told.
const TEXT_BYTES: usize = 32 << 10;
/// Columns of what is told on one line.
const COLUMNS: usize = 160;
/// Columns of that which are kept for what a session took.
const ENDING: usize = 40;
/// Arguments that say most of a call, the first that is there; else it is whichever text comes first.
const TELLING: [&str; 11] = [
    "file_path",
    "path",
    "filePath",
    "notebook_path",
    "command",
    "cmd",
    "pattern",
    "query",
    "url",
    "description",
    "prompt",
];

/// Says in which form a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Claude Code's.
    Claude,
    /// Codex's.
    Codex,
    /// That of artel's client of the Agent Client Protocol.
    Acp,
    /// That of artel's own loop.
    Llm,
}

impl Form {
    /// Gives the form of an agent's stream, by the agent's name with whatever follows it; nothing where the agent is a
    /// program of which nothing is known.
    pub fn of(agent: &str) -> Option<Self> {
        match agent.split(':').next()? {
            "claude" => Some(Self::Claude),
            "codex" => Some(Self::Codex),
            "acp" => Some(Self::Acp),
            "llm" => Some(Self::Llm),
            _ => None,
        }
    }
}

/// Says what the end of the text belongs to, where the next line may go on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// To what was said.
    Said,
    /// To what was thought, of which so many columns more are told.
    Thought(usize),
}

/// Tells a stream line by line.
#[derive(Debug)]
pub struct Teller {
    form: Form,
    /// What stands in a path of the run's worktrees before the name of one.
    home: String,
    text: String,
    open: Open,
    /// The call that was told last: some agents announce one twice.
    called: String,
}

impl Teller {
    /// Begins to tell a stream of this form; paths in worktrees of that run are told as the repository has them.
    pub fn new(form: Form, run: &str) -> Self {
        let home = format!("/{run}/work/");
        Self { form, home, text: String::new(), open: Open::Nothing, called: String::new() }
    }

    /// Hears all lines of some bytes that have an end; gives how many bytes those are.
    pub fn hear_all(&mut self, bytes: &[u8]) -> usize {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes[..whole].split_inclusive(|byte| *byte == b'\n').for_each(|line| self.hear(line));
        whole
    }

    /// Hears one line.
    pub fn hear(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if line.len() as u64 > LINE_BYTES {
            return self.note("a line that is too long to be told");
        }
        let is_known = line.first() == Some(&b'{')
            && serde_json::from_slice::<Value>(line).is_ok_and(|event| match self.form {
                Form::Claude => claude::tell(self, &event),
                Form::Codex => codex::tell(self, &event),
                Form::Acp => acp::tell(self, &event),
                Form::Llm => llm::tell(self, &event),
            });
        if !is_known && !line.is_empty() {
            self.said(&String::from_utf8_lossy(line));
        }
    }

    /// Takes what was told since this was asked last.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Tells a text as it is.
    pub(super) fn said(&mut self, text: &str) {
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        self.close();
        self.push_cut(text);
        self.text.push('\n');
    }

    /// Tells a piece of a text that may go on.
    pub(super) fn said_on(&mut self, piece: &str) {
        if self.open != Open::Said {
            self.close();
            self.open = Open::Said;
        }
        self.push_cut(piece);
    }

    /// Tells what was thought, in short.
    pub(super) fn thought(&mut self, text: &str) {
        self.line("thinks: ", text);
    }

    /// Tells a piece of what was thought, as long as that is short.
    pub(super) fn thought_on(&mut self, piece: &str) {
        let room = match self.open {
            Open::Thought(room) => room,
            Open::Nothing | Open::Said => {
                self.close();
                self.text.push_str("thinks: ");
                COLUMNS
            }
        };
        let mut left = piece.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
        let shown: String = left.by_ref().take(room).collect();
        self.text.push_str(&shown);
        if room > 0 && left.next().is_some() {
            self.text.push('…');
        }
        self.open = Open::Thought(room - shown.chars().count());
    }

    /// Tells that a tool was called, with the argument that says most.
    pub(super) fn calls(&mut self, name: &str, arguments: &Value) {
        let told = self.telling(arguments);
        self.calls_with(name, &told);
    }

    /// Tells that a tool was called, with what is known of what for.
    pub(super) fn calls_with(&mut self, name: &str, with: &str) {
        let call = format!("{name} {}", self.at_home(with));
        if call != self.called {
            self.line("▸ ", &call);
            self.called = call;
        }
    }

    /// Tells what a tool answered.
    pub(super) fn answers(&mut self, text: &str, is_error: bool) {
        let text = if text.trim().is_empty() { "nothing" } else { text };
        self.line(if is_error { "  ✗ " } else { "  → " }, text);
        self.called.clear();
    }

    /// Tells something that happened beside.
    pub(super) fn note(&mut self, text: &str) {
        self.line("· ", text);
    }

    /// Tells how it ended, with what that took.
    pub(super) fn ends(&mut self, how: &str, tokens: Option<Tokens>, nano_usd: Option<u64>) {
        let tokens = tokens.map(|tokens| format!(", {} tokens", tokens.total())).unwrap_or_default();
        let cost = nano_usd.map(|nano| format!(", {}", Usd(nano))).unwrap_or_default();
        self.line("■ ", &format!("{}{tokens}{cost}", headline(how, COLUMNS - ENDING)));
    }

    /// Chooses the argument that says most; nothing where none is a text.
    pub(super) fn telling(&self, arguments: &Value) -> String {
        let Some(all) = arguments.as_object() else { return String::new() };
        let named = TELLING.iter().filter_map(|name| words(all.get(*name)?)).next();
        named.or_else(|| all.values().find_map(words)).unwrap_or_default()
    }

    /// Gives a path in a worktree as the repository has it.
    fn at_home<'a>(&self, path: &'a str) -> &'a str {
        let inside = path.starts_with('/').then(|| path.split_once(self.home.as_str())).flatten();
        inside.and_then(|(_, inside)| inside.split_once('/')).map_or(path, |(_, inside)| inside)
    }

    fn line(&mut self, sign: &str, text: &str) {
        self.close();
        self.text.push_str(sign);
        self.text.push_str(headline(text, COLUMNS).trim_end());
        self.text.push('\n');
    }

    fn push_cut(&mut self, text: &str) {
        let shown = &text[..text.floor_char_boundary(TEXT_BYTES)];
        self.text.push_str(shown);
        if shown.len() < text.len() {
            self.text.push('…');
        }
    }

    /// Ends a text that might have gone on.
    pub(super) fn close(&mut self) {
        if std::mem::replace(&mut self.open, Open::Nothing) != Open::Nothing {
            self.text.push('\n');
        }
    }
}

/// Reads a text, or the words of a command.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(all) => {
            let words: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            words.filter(|words| !words.is_empty()).map(|words| words.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Joins the texts of content that is one text, or parts that each are.
pub(super) fn text_of(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten();
    let texts = parts.filter_map(|part| part["text"].as_str().or_else(|| part["content"]["text"].as_str()));
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => texts.collect::<Vec<_>>().join("\n"),
    }
}
