//! Owns the wire: messages of JSON-RPC, one a line, to and from a peer that may misbehave. Never knows what they mean.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use crate::io::agents::lines::Line;

/// Longest message that is taken, in bytes: one can hold a whole file, and no more is built up in memory.
pub(super) const FRAME_BYTES_MOST: usize = 16 << 20;
/// Messages that wait to be heard; a peer that says more waits.
const HEARD_MOST: usize = 4;
/// Messages that wait to be written; a peer that does not read so many does not read at all.
const SAID_MOST: usize = 256;

/// Names one message of a peer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    /// It wants an answer.
    Request { id: Value, method: String, params: Value },
    /// It wants none.
    Notice { method: String, params: Value },
    /// It answers.
    Answer { id: Value, answer: Result<Value, Value> },
    /// It says nothing that is of the protocol.
    Garbage,
}

/// Says what came from a peer.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line.
    Line(Vec<u8>),
    /// A line that is longer than is taken.
    TooLong,
}

/// Says why nothing more can be said to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deaf {
    /// It has gone away.
    Gone,
    /// It does not read.
    Full,
}

/// Holds both ends of the wire.
#[derive(Debug)]
pub(super) struct Peer {
    heard: mpsc::Receiver<Heard>,
    said: mpsc::Sender<Vec<u8>>,
}

impl Peer {
    /// Begins to read from and write to a peer; both end when this is dropped.
    pub(super) fn new(
        from: impl AsyncRead + Unpin + Send + 'static,
        to: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (hear, heard) = mpsc::channel(HEARD_MOST);
        let (said, to_say) = mpsc::channel(SAID_MOST);
        tokio::spawn(listen(from, FRAME_BYTES_MOST, hear));
        tokio::spawn(speak(to, to_say));
        Self { heard, said }
    }

    /// Waits for what comes next; nothing where the peer has closed its end.
    pub(super) async fn hear(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// Says a message, without waiting for the peer to read it.
    pub(super) fn say(&self, message: &Value) -> Result<(), Deaf> {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.said.try_send(line).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Deaf::Full,
            mpsc::error::TrySendError::Closed(_) => Deaf::Gone,
        })
    }
}

/// Passes on the lines of a stream until its end, or until nobody listens.
pub(super) async fn listen(from: impl AsyncRead + Unpin, most: usize, hear: mpsc::Sender<Heard>) {
    let mut from = BufReader::new(from);
    let mut line = Line::of_at_most(most);
    loop {
        let Ok(chunk) = from.fill_buf().await else { return };
        if chunk.is_empty() {
            break;
        }
        let (used, is_end) = line.take(chunk);
        from.consume(used);
        if is_end && hear.send(heard(&mut line)).await.is_err() {
            return;
        }
    }
    if !line.bytes.is_empty() {
        let _ = hear.send(heard(&mut line)).await;
    }
}

fn heard(line: &mut Line) -> Heard {
    let heard = if line.is_whole { Heard::Line(std::mem::take(&mut line.bytes)) } else { Heard::TooLong };
    line.clear();
    heard
}

async fn speak(mut to: impl AsyncWrite + Unpin, mut to_say: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = to_say.recv().await {
        if to.write_all(&line).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Reads what a message is.
pub(super) fn message(value: &Value) -> Message {
    let id = value.get("id").filter(|id| id.is_string() || id.is_number());
    let method = value.get("method").map(Value::as_str);
    let params = || value.get("params").cloned().unwrap_or(Value::Null);
    match (id, method, value.get("result"), value.get("error")) {
        (Some(id), Some(Some(method)), None, None) => {
            Message::Request { id: id.clone(), method: method.to_owned(), params: params() }
        }
        (None, Some(Some(method)), None, None) if value.get("id").is_none() => {
            Message::Notice { method: method.to_owned(), params: params() }
        }
        // Some answer with both, one of which is null.
        (Some(id), None, _, Some(error)) if !error.is_null() => {
            Message::Answer { id: id.clone(), answer: Err(error.clone()) }
        }
        (Some(id), None, Some(result), _) => Message::Answer { id: id.clone(), answer: Ok(result.clone()) },
        _ => Message::Garbage,
    }
}

/// Makes a request.
pub(super) fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// Makes a notification.
pub(super) fn notice(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// Makes an answer.
pub(super) fn answer(id: &Value, answer: Result<Value, Value>) -> Value {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_what_it_holds() {
        let kind = |value: Value| match message(&value) {
            Message::Request { .. } => "request",
            Message::Notice { .. } => "notice",
            Message::Answer { answer: Ok(_), .. } => "result",
            Message::Answer { answer: Err(_), .. } => "error",
            Message::Garbage => "garbage",
        };
        for (value, expected) in [
            (json!({"id": 1, "method": "m"}), "request"),
            (json!({"id": "a", "method": "m", "params": []}), "request"),
            (json!({"method": "m"}), "notice"),
            (json!({"id": 1, "result": null}), "result"),
            (json!({"id": 1, "result": {}, "error": null}), "result"),
            (json!({"id": 1, "error": {"code": 1}}), "error"),
            (json!({"id": 1, "result": null, "error": {"code": 1}}), "error"),
            (json!({"id": null, "method": "m"}), "garbage"),
            (json!({"id": 1, "method": 7}), "garbage"),
            (json!({"id": 1, "method": "m", "result": 1}), "garbage"),
            (json!({"id": [1], "result": 1}), "garbage"),
            (json!([{"id": 1, "result": 1}]), "garbage"),
            (json!("id"), "garbage"),
            (json!({}), "garbage"),
        ] {
            assert_eq!(kind(value.clone()), expected, "{value}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_told_and_not_kept() {
        let (hear, mut heard) = mpsc::channel(9);
        listen(&b"one\nlonger\n\ntwo"[..], 3, hear).await;
        let mut lines = Vec::new();
        while let Some(next) = heard.recv().await {
            lines.push(match next {
                Heard::Line(line) => String::from_utf8(line).unwrap(),
                Heard::TooLong => "too long".to_owned(),
            });
        }
        assert_eq!(lines, ["one", "too long", "", "two"]);
    }
}
