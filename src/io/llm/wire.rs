//! Owns the way to models by their APIs: each question becomes a request in the form of one, streamed, and what comes is put
//! together. Never retries, and never holds a credential but the token of its session.

use std::time::Duration;

use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    CacheControl, ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent, ContentPart, MessageContent, ReasoningEffort,
    StopReason, StreamEnd, ToolResponse,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};

use super::model::{Answer, Ask, Call, Failure, Message, Model, Outcome, Stop};
use crate::io::tools::{Pending, Tool};
use crate::model::role::Effort;

/// Tokens that an answer may have: enough for a file, and little enough that what is held for it is little.
const OUTPUT_TOKENS: u32 = 16 << 10;
/// The same where the model thinks, which counts.
const THINKING_OUTPUT_TOKENS: u32 = 32 << 10;
/// Longest wait that a provider may ask for before it counts as a limit, in seconds: so long the gateway waits.
const PATIENCE_S: u64 = 60;
/// Characters of an error that are passed on.
const ERROR_CHARS: usize = 2_000;

/// Says in the form of which API a model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's Chat Completions.
    Chat,
    /// Gemini's generateContent.
    Gemini,
}

/// Says why no model can be asked.
#[derive(Debug, thiserror::Error)]
pub enum WiredError {
    /// There is no HTTP to be had.
    #[error("make a client for models")]
    Client(#[source] reqwest::Error),
    /// The library refuses its own settings.
    #[error("make a client for models: {0}")]
    Library(String),
}

/// Asks one model.
pub struct Wired {
    client: Client,
    target: ServiceTarget,
    options: ChatOptions,
    wire: Wire,
    silence: Duration,
}

impl Wired {
    /// Makes the way to a model behind a gateway at `base` (`http://127.0.0.1:1234/anthropic`), which knows the session by
    /// its token. Whoever is silent for longer than `silence` has broken off.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn new(
        base: &str,
        token: String,
        (wire, model): (Wire, &str),
        effort: Option<Effort>,
        silence: Duration,
    ) -> Result<Self, WiredError> {
        // One that is installed already does as well; nothing is encrypted on the way to one's own process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(WiredError::Client)?;
        let client = Client::builder().with_reqwest(http).build();
        let (kind, version) = match wire {
            Wire::Messages => (AdapterKind::Anthropic, "v1"),
            Wire::Responses => (AdapterKind::OpenAIResp, "v1"),
            Wire::Chat => (AdapterKind::OpenAI, "v1"),
            Wire::Gemini => (AdapterKind::Gemini, "v1beta"),
        };
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(format!("{base}/{version}/")),
            auth: AuthData::from_single(token),
            model: ModelIden::new(kind, model.to_owned()),
        };
        let client = client.map_err(|error| WiredError::Library(error.to_string()))?;
        Ok(Self { client, target, options: options(wire, effort), wire, silence })
    }

    async fn answer(&self, ask: &Ask) -> Result<Answer, Failure> {
        let request = request(self.wire, ask);
        let opened = self.client.exec_chat_stream(self.target.clone(), request, Some(&self.options)).await;
        let mut stream = opened.map_err(|error| failure(&error))?.stream;
        loop {
            let silent = || Failure::Passing("the model was silent for too long".to_owned());
            let next = tokio::time::timeout(self.silence, stream.next()).await.map_err(|_| silent())?;
            match next {
                Some(Ok(ChatStreamEvent::End(end))) => return self.whole(end),
                Some(Ok(
                    ChatStreamEvent::Start
                    | ChatStreamEvent::Chunk(_)
                    | ChatStreamEvent::ReasoningChunk(_)
                    | ChatStreamEvent::ThoughtSignatureChunk(_)
                    | ChatStreamEvent::ToolCallChunk(_)
                    | ChatStreamEvent::Heartbeat,
                )) => {}
                Some(Err(error)) => return Err(failure(&error)),
                None => return Err(broken_off()),
            }
        }
    }

    /// Reads what has come when the stream ended.
    fn whole(&self, end: StreamEnd) -> Result<Answer, Failure> {
        let content = end.captured_content.unwrap_or_default();
        let thought = end.captured_reasoning_content.unwrap_or_default();
        let calls: Vec<Call> = content
            .tool_calls()
            .into_iter()
            .map(|call| Call {
                id: call.call_id.clone(),
                name: call.fn_name.clone(),
                arguments: call.fn_arguments.clone(),
            })
            .collect();
        let stop = match end.captured_stop_reason {
            Some(StopReason::ContentFilter(_)) => Stop::Refused,
            Some(StopReason::MaxTokens(_)) => Stop::Length,
            Some(StopReason::Other(why)) => {
                return Err(Failure::Passing(format!("the model stopped: {}", crate::model::written::shown(&why))));
            }
            // Where two of the APIs break off, the library tells of an end without a reason.
            None if self.wire != Wire::Chat => return Err(broken_off()),
            Some(StopReason::Completed(_) | StopReason::ToolCall(_) | StopReason::StopSequence(_)) | None => {
                if calls.is_empty() { Stop::Done } else { Stop::Calls }
            }
        };
        let text = content.texts().join("\n");
        let content = if content.contains_reasoning_content() || thought.is_empty() {
            content
        } else {
            content.append(ContentPart::ReasoningContent(thought.clone()))
        };
        let form = serde_json::to_value(&content).map_err(|error| Failure::Lasting(error.to_string()))?;
        let tokens = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        let used = end.captured_usage.unwrap_or_default();
        let (read, written) = (tokens(used.prompt_tokens), tokens(used.completion_tokens));
        Ok(Answer { text, thought, calls, stop, read, written, form })
    }
}

impl Model for Wired {
    fn ask<'a>(&'a self, ask: &'a Ask) -> Pending<'a, Result<Answer, Failure>> {
        Box::pin(self.answer(ask))
    }
}

fn options(wire: Wire, effort: Option<Effort>) -> ChatOptions {
    let options = ChatOptions::default()
        .with_capture_usage(true)
        .with_capture_content(true)
        .with_capture_reasoning_content(true)
        .with_capture_tool_calls(true);
    let most = if effort.is_some() || wire != Wire::Messages { THINKING_OUTPUT_TOKENS } else { OUTPUT_TOKENS };
    let wanted = effort.map(|effort| match effort {
        Effort::Low => ReasoningEffort::Low,
        Effort::Medium => ReasoningEffort::Medium,
        Effort::High => ReasoningEffort::High,
    });
    match (wire, wanted) {
        (Wire::Messages | Wire::Gemini, None) => options.with_max_tokens(most),
        // Without a word the library takes the end of a model's name (`-max`) for one; this word asks for nothing.
        (Wire::Responses, None) => options.with_max_tokens(most).with_reasoning_effort(ReasoningEffort::Budget(0)),
        // A server at home may be able to write less than that altogether.
        (Wire::Chat, None) => options.with_reasoning_effort(ReasoningEffort::Budget(0)),
        (Wire::Chat, Some(wanted)) => options.with_reasoning_effort(wanted),
        (Wire::Messages | Wire::Gemini | Wire::Responses, Some(wanted)) => {
            options.with_max_tokens(most).with_reasoning_effort(wanted)
        }
    }
}

/// Puts a question into the library's form; what was said is marked for the cache of the one API that wants it marked.
fn request(wire: Wire, ask: &Ask) -> ChatRequest {
    let is_marked = wire == Wire::Messages;
    let mut messages: Vec<ChatMessage> = ask.messages.iter().map(message).collect();
    if is_marked && let Some(last) = messages.pop() {
        messages.push(last.with_options(CacheControl::Ephemeral));
        messages.insert(0, ChatMessage::system(ask.system.clone()).with_options(CacheControl::Ephemeral));
    }
    let request = ChatRequest::from_messages(messages).with_tools(ask.tools.iter().map(tool));
    if is_marked { request } else { request.with_system(ask.system.clone()) }
}

fn message(said: &Message) -> ChatMessage {
    match said {
        Message::Said(text) => ChatMessage::user(text.clone()),
        Message::Answered(answer) => {
            let form = serde_json::from_value(answer.form.clone());
            ChatMessage::assistant(form.unwrap_or_else(|_| MessageContent::from_text(answer.text.clone())))
        }
        Message::Done(outcomes) => {
            let response = |it: &Outcome| {
                let error = if it.is_error { "error: " } else { "" };
                let text = format!("{error}{}{}", it.text, it.told);
                ToolResponse::new(it.id.clone(), text).with_fn_name(it.name.clone())
            };
            ChatMessage::tool(MessageContent::from_tool_responses(outcomes.iter().map(response).collect()))
        }
    }
}

fn tool(tool: &Tool) -> genai::chat::Tool {
    genai::chat::Tool::new(tool.name.clone()).with_description(tool.about.clone()).with_schema(tool.input.clone())
}

fn broken_off() -> Failure {
    Failure::Passing("the answer broke off".to_owned())
}

/// Reads what went wrong; an error of HTTP lies in others where an answer is streamed.
fn failure(error: &genai::Error) -> Failure {
    if let genai::Error::WebStream { error: inner, cause, .. } = error {
        return match inner.downcast_ref::<genai::Error>() {
            Some(inner) => failure(inner),
            None => Failure::Passing(format!("the answer broke off: {}", short(cause))),
        };
    }
    let said = if let genai::Error::HttpError { body, .. } = error {
        said(body)
    } else if let genai::Error::ChatResponse { body, .. } = error {
        said(&body.to_string())
    } else {
        short(&error.to_string())
    };
    let Some(status) = error.status().map(|status| status.as_u16()) else {
        let may_pass = matches!(
            error,
            genai::Error::ChatResponse { .. } | genai::Error::StreamParse { .. } | genai::Error::WebModelCall { .. }
        );
        return if may_pass { Failure::Passing(said) } else { Failure::Lasting(said) };
    };
    let header = |name: &str| error.headers().and_then(|all| all.get(name)).and_then(|value| value.to_str().ok());
    let wait_s = header("retry-after").and_then(|text| text.trim().parse::<u64>().ok());
    let is_over = wait_s.is_some_and(|wait_s| wait_s > PATIENCE_S) || header("x-should-retry") == Some("false");
    let told = format!("{status}: {said}");
    let code = code(error);
    match (status, code.as_deref()) {
        (_, Some("usage_limit_reached")) => Failure::Limited(said),
        (429 | 529, _) if is_over => Failure::Limited(said),
        (408 | 409 | 429 | 500.., _) => Failure::Passing(told),
        (_, Some("context_length_exceeded" | "request_too_large")) => Failure::TooLong(told),
        (400 | 413, _) if is_length(&said) => Failure::TooLong(told),
        (_, _) => Failure::Lasting(told),
    }
}

/// Takes what an error says to programs out of its body: its code, else its type.
fn code(error: &genai::Error) -> Option<String> {
    let genai::Error::HttpError { body, .. } = error else { return None };
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let places = [body.pointer("/error/code"), body.pointer("/error/type")];
    places.into_iter().flatten().find_map(|it| it.as_str()).map(str::to_owned)
}

/// Tells whether an error says that there is more than the model can read, where it has no code for it.
fn is_length(said: &str) -> bool {
    let said = said.to_lowercase();
    ["too long", "context length", "context window", "maximum context", "context_length", "too many tokens"]
        .iter()
        .any(|words| said.contains(words))
}

/// Takes the message out of an error's body.
fn said(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let places = [value.pointer("/error/message"), value.pointer("/message"), value.pointer("/error")];
    let message = places.into_iter().flatten().find_map(|it| it.as_str());
    short(message.unwrap_or(body))
}

fn short(text: &str) -> String {
    let kept: String = text.chars().take(ERROR_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if kept.trim().is_empty() { "nothing was said".to_owned() } else { kept.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use tokio::net::TcpListener;

    use super::*;

    fn read(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Failure {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let error = genai::Error::HttpError {
            status: StatusCode::from_u16(status).unwrap(),
            canonical_reason: String::new(),
            body: body.to_owned(),
            headers: Box::new(headers),
        };
        failure(&error)
    }

    #[test]
    fn an_error_says_whether_it_may_pass() {
        let no = r#"{"error":{"message":"no"}}"#;
        let passing = |status: u16| Failure::Passing(format!("{status}: no"));
        for status in [408, 429, 500, 502, 503, 529] {
            assert_eq!(read(status, &[], no), passing(status));
        }
        assert_eq!(read(429, &[("retry-after", "60")], no), passing(429));
        assert_eq!(read(429, &[("retry-after", "7200")], no), Failure::Limited("no".to_owned()));
        assert_eq!(read(529, &[("x-should-retry", "false")], no), Failure::Limited("no".to_owned()));
        for status in [400, 401, 403, 404, 413, 422] {
            assert_eq!(read(status, &[], no), Failure::Lasting(format!("{status}: no")));
        }
        for words in [
            "prompt is too long: 250000 tokens > 200000 maximum",
            "This model's maximum context length is 8192 tokens",
            "Your input exceeds the context window of this model.",
        ] {
            let body = serde_json::json!({"error": {"message": words}}).to_string();
            assert_eq!(read(400, &[], &body), Failure::TooLong(format!("400: {words}")));
        }
        let coded = |status, code: &str| {
            read(status, &[], &serde_json::json!({"error": {"message": "no", "code": code}}).to_string())
        };
        assert_eq!(coded(400, "context_length_exceeded"), Failure::TooLong("400: no".to_owned()));
        assert_eq!(coded(413, "request_too_large"), Failure::TooLong("413: no".to_owned()));
        assert_eq!(coded(429, "usage_limit_reached"), Failure::Limited("no".to_owned()));
        assert_eq!(coded(429, "rate_limit_exceeded"), passing(429));
    }

    #[test]
    fn what_a_provider_says_is_one_short_line() {
        for (body, expected) in [
            (r#"{"type":"error","error":{"type":"x","message":"a\u001b[31m\nb"}}"#, "400: a [31m b"),
            (r#"{"message":"plain"}"#, "400: plain"),
            (r#"{"error":"a word"}"#, "400: a word"),
            ("<html>", "400: <html>"),
            ("", "400: nothing was said"),
        ] {
            assert_eq!(read(400, &[], body), Failure::Lasting(expected.to_owned()));
        }
        let Failure::Lasting(long) = read(400, &[], &"é".repeat(9_000)) else { panic!("it may not pass") };
        assert_eq!(long.chars().count(), 5 + ERROR_CHARS);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_for_too_long_has_broken_off() {
        // Whoever connects is heard by nobody.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/anthropic", listener.local_addr().unwrap());
        let silence = Duration::from_secs(600);
        let wired = Wired::new(&base, "t".to_owned(), (Wire::Messages, "claude-sonnet-4-5"), None, silence).unwrap();
        let ask = Ask { system: "s".to_owned(), messages: vec![Message::Said("hello".to_owned())], tools: Vec::new() };
        let silent = Failure::Passing("the model was silent for too long".to_owned());
        assert_eq!(wired.ask(&ask).await, Err(silent));
    }

    #[tokio::test]
    async fn who_is_not_there_may_come_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/openai", listener.local_addr().unwrap());
        drop(listener);
        let silence = Duration::from_secs(600);
        let wired = Wired::new(&base, "t".to_owned(), (Wire::Chat, "m"), None, silence).unwrap();
        let ask = Ask { system: "s".to_owned(), messages: vec![Message::Said("hello".to_owned())], tools: Vec::new() };
        assert!(matches!(wired.ask(&ask).await, Err(Failure::Passing(_))));
    }
}
