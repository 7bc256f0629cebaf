//! Owns a client of models that is as small as can be: it asks each API for the same, and reads what came without judging.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::model::{Api, Model};

/// What came back for a request.
#[derive(Debug)]
pub struct Came {
    pub head: String,
    /// Of a stream, its chunks put together.
    pub body: String,
    /// All that was announced has come.
    pub is_whole: bool,
}

impl Came {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Gives the data of each event that is one of JSON.
    pub fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|text| serde_json::from_str(text).ok()).collect()
    }
}

/// Asks for a word to be said by an API, whole or streamed, and offers these tools.
pub fn ask(model: &Model, api: Api, is_streamed: bool, words: &str, tools: &[&str]) -> Came {
    let (path, body) = asked(api, is_streamed, words, tools);
    send(model, &path, &[("x-api-key", "the-key")], &body)
}

/// Gives the path and the body of a request.
pub fn asked(api: Api, is_streamed: bool, words: &str, tools: &[&str]) -> (String, Value) {
    let schema = json!({
        "type": "object", "required": ["why"],
        "properties": {
            "file_path": {"type": "string"}, "content": {"type": "string"}, "command": {"type": "string"},
            "why": {"type": "string"}
        }
    });
    let offers = tools.iter().map(|name| match api {
        Api::Anthropic => json!({"name": name, "input_schema": schema}),
        Api::Chat => json!({"type": "function", "function": {"name": name, "parameters": schema}}),
        Api::Responses if *name == "apply_patch" => json!({"type": "custom", "name": name}),
        Api::Responses => json!({"type": "function", "name": name, "parameters": schema}),
        Api::Gemini => json!({"functionDeclarations": [{"name": name, "parametersJsonSchema": schema}]}),
    });
    let offers: Vec<Value> = offers.collect();
    let messages = json!([{"role": "user", "content": words}]);
    match api {
        Api::Anthropic => {
            let body = json!({"model": "m", "stream": is_streamed, "messages": messages, "tools": offers});
            ("/v1/messages".to_owned(), body)
        }
        Api::Chat => {
            let options = json!({"include_usage": true});
            let mut body = json!({"model": "m", "stream": is_streamed, "messages": messages, "tools": offers});
            body["stream_options"] = options;
            ("/v1/chat/completions".to_owned(), body)
        }
        Api::Responses => {
            let body = json!({"model": "m", "stream": is_streamed, "input": messages, "tools": offers});
            ("/v1/responses".to_owned(), body)
        }
        Api::Gemini => {
            let contents = json!([{"role": "user", "parts": [{"text": words}]}]);
            let verb = if is_streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
            (format!("/v1beta/models/m:{verb}"), json!({"contents": contents, "tools": offers}))
        }
    }
}

/// Posts a body, and reads until the other side has no more.
pub fn send(model: &Model, path: &str, headers: &[(&str, &str)], body: &Value) -> Came {
    let mut stream = begin(model, path, headers, body);
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let (body, is_whole) = if head.contains("chunked") {
        unchunked(body)
    } else {
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        (body.to_owned(), length.is_some_and(|it| it == body.len().to_string()))
    };
    Came { head: head.to_owned(), body, is_whole: is_whole && end.is_ok() }
}

/// Posts a body and reads nothing.
pub fn begin(model: &Model, path: &str, headers: &[(&str, &str)], body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(model.url().strip_prefix("http://").unwrap()).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Puts chunks together; tells whether the last came.
fn unchunked(mut rest: &str) -> (String, bool) {
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (whole, true);
        }
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    (whole, false)
}
