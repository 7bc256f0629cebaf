//! Owns how the body of a request is read: which model, how much of it, and what else it asks for. Changes nothing of
//! it but the wish to be told the usage at the end of a stream.

use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::call::Api;
use super::extras::{Speed, Tool, ToolSet, extra_tool, extra_tool_set};
use super::refusal::Refusal;
use super::route::MODEL_BYTES;

/// Says what a request asks of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// The model.
    pub(super) model: String,
    /// Whether the answer is to come as a stream.
    pub(super) streamed: bool,
    /// Tokens that each answer may have; nothing where the request does not say.
    pub(super) output_max: Option<u64>,
    /// How many answers it wants.
    pub(super) answers: u64,
    /// Whether the model may think without showing all of it.
    pub(super) thinks: bool,
    /// Whether the model is to read what the provider holds and the request does not.
    pub(super) refers: bool,
    /// What it asks for beside tokens.
    pub(super) extra: Option<String>,
    /// The body that is sent.
    pub(super) body: Bytes,
}

/// Reads a request for an answer.
///
/// # Errors
/// The refusal says what is wrong with the body.
pub(super) fn read(api: Api, model: Option<&str>, streamed: Option<bool>, body: Bytes) -> Result<Wish, Refusal> {
    let wish = match api {
        Api::Messages => messages(&body),
        Api::Responses => responses(&body),
        Api::Chat => chat(&body),
        Api::Gemini => gemini(&body),
    };
    let mut wish = wish.map_err(|error| Refusal::bad(format!("the body is no request for {}: {error}", api.name())))?;
    if let Some(model) = model {
        model.clone_into(&mut wish.model);
    }
    wish.streamed = streamed.unwrap_or(wish.streamed);
    if wish.body.is_empty() {
        wish.body = body;
    }
    sound_model(&wish.model)?;
    Ok(wish)
}

/// Reads a request that only counts tokens.
///
/// # Errors
/// The refusal says what is wrong with the body.
pub(super) fn read_count(model: Option<&str>, body: Bytes) -> Result<Wish, Refusal> {
    #[derive(Deserialize)]
    struct Count {
        model: String,
        tools: Option<Vec<Tool>>,
    }
    let (model, extra) = match model {
        Some(model) => (model.to_owned(), None),
        None => {
            let read = from_json::<Count>(&body);
            let read = read.map_err(|error| Refusal::bad(format!("the body counts nothing: {error}")))?;
            // To count what a tool says of itself a provider may have to ask it.
            (read.model, extra_tool(read.tools.as_deref()))
        }
    };
    sound_model(&model)?;
    Ok(Wish { model, output_max: Some(0), extra, body, ..Wish::default() })
}

fn from_json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body)
}

fn sound_model(model: &str) -> Result<(), Refusal> {
    let is_sound = !model.is_empty() && model.len() <= MODEL_BYTES && model.bytes().all(|byte| byte.is_ascii_graphic());
    if is_sound { Ok(()) } else { Err(Refusal::bad("the model has no name that can be one")) }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

fn messages(body: &[u8]) -> Result<Wish, serde_json::Error> {
    #[derive(Deserialize)]
    struct Body {
        model: String,
        stream: Option<bool>,
        max_tokens: Option<u64>,
        thinking: Option<Kind>,
        tools: Option<Vec<Tool>>,
        mcp_servers: Option<Vec<IgnoredAny>>,
        container: Option<IgnoredAny>,
        context_management: Option<IgnoredAny>,
        service_tier: Option<String>,
        speed: Option<String>,
        inference_geo: Option<String>,
    }
    let body: Body = from_json(body)?;
    let speed = Speed { service_tier: body.service_tier, speed: body.speed, inference_geo: body.inference_geo };
    let servers = body.mcp_servers.is_some_and(|servers| !servers.is_empty());
    Ok(Wish {
        model: body.model,
        streamed: body.stream.unwrap_or(false),
        output_max: body.max_tokens,
        answers: 1,
        // Some models think where nothing is said of it.
        thinks: body.thinking.is_none_or(|thinking| thinking.kind != "disabled") || body.context_management.is_some(),
        refers: body.container.is_some(),
        extra: extra_tool(body.tools.as_deref()).or(speed.extra()).or(servers.then(|| "mcp_servers".to_owned())),
        ..Wish::default()
    })
}

fn responses(body: &[u8]) -> Result<Wish, serde_json::Error> {
    #[derive(Deserialize)]
    struct Body {
        model: String,
        stream: Option<bool>,
        max_output_tokens: Option<u64>,
        tools: Option<Vec<Tool>>,
        previous_response_id: Option<IgnoredAny>,
        conversation: Option<IgnoredAny>,
        prompt: Option<IgnoredAny>,
        background: Option<bool>,
        service_tier: Option<String>,
    }
    let body: Body = from_json(body)?;
    let speed = Speed { service_tier: body.service_tier, ..Speed::default() };
    let is_background = body.background.unwrap_or(false);
    Ok(Wish {
        model: body.model,
        streamed: body.stream.unwrap_or(false),
        output_max: body.max_output_tokens,
        answers: 1,
        thinks: true,
        refers: body.previous_response_id.is_some() || body.conversation.is_some() || body.prompt.is_some(),
        extra: extra_tool(body.tools.as_deref()).or(speed.extra()).or(is_background.then(|| "background".to_owned())),
        ..Wish::default()
    })
}

fn chat(body: &[u8]) -> Result<Wish, serde_json::Error> {
    #[derive(Deserialize)]
    struct Body<'b> {
        model: String,
        stream: Option<bool>,
        #[serde(borrow, default, deserialize_with = "as_written")]
        stream_options: Option<&'b RawValue>,
        max_tokens: Option<u64>,
        max_completion_tokens: Option<u64>,
        n: Option<u64>,
        tools: Option<Vec<Tool>>,
        web_search_options: Option<IgnoredAny>,
        service_tier: Option<String>,
    }
    let read: Body<'_> = from_json(body)?;
    let streamed = read.stream.unwrap_or(false);
    let told = if streamed { telling_usage(body, read.stream_options)? } else { None };
    let speed = Speed { service_tier: read.service_tier, ..Speed::default() };
    Ok(Wish {
        model: read.model,
        streamed,
        // A server that does not know the newer name goes by the older.
        output_max: read.max_completion_tokens.max(read.max_tokens),
        answers: read.n.unwrap_or(1),
        thinks: true,
        refers: false,
        extra: extra_tool(read.tools.as_deref())
            .or(speed.extra())
            .or(read.web_search_options.is_some().then(|| "web_search_options".to_owned())),
        body: told.map(Bytes::from).unwrap_or_default(),
    })
}

/// Reads a value as it is written, also where that is `null`.
fn as_written<'b, D: serde::Deserializer<'b>>(from: D) -> Result<Option<&'b RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Gives a chat's body with the wish to be told the usage; nothing where it has that already.
fn telling_usage(body: &[u8], options: Option<&RawValue>) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let Some(written) = options.map(RawValue::get) else {
        let Some(open) = body.iter().position(|byte| *byte == b'{') else { return Ok(None) };
        let (before, after) = body.split_at(open + 1);
        return Ok(Some([before, b"\"stream_options\":{\"include_usage\":true},", after].concat()));
    };
    let fields: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(written)?;
    let mut fields = fields.unwrap_or_default();
    if fields.get("include_usage") == Some(&true.into()) {
        return Ok(None);
    }
    fields.insert("include_usage".to_owned(), true.into());
    let start = written.as_ptr() as usize - body.as_ptr() as usize;
    let text = serde_json::Value::Object(fields).to_string();
    Ok(Some([&body[..start], text.as_bytes(), &body[start + written.len()..]].concat()))
}

fn gemini(body: &[u8]) -> Result<Wish, serde_json::Error> {
    #[derive(Deserialize, Default)]
    struct Thinking {
        #[serde(alias = "thinking_budget", rename = "thinkingBudget")]
        budget: Option<i64>,
    }
    #[derive(Deserialize, Default)]
    struct Generation {
        #[serde(alias = "max_output_tokens", rename = "maxOutputTokens")]
        output_max: Option<u64>,
        #[serde(alias = "candidate_count", rename = "candidateCount")]
        candidates: Option<u64>,
        #[serde(alias = "thinking_config", rename = "thinkingConfig")]
        thinking: Option<Thinking>,
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(alias = "generation_config", rename = "generationConfig")]
        generation: Option<Generation>,
        #[serde(alias = "cached_content", rename = "cachedContent")]
        cached: Option<IgnoredAny>,
        tools: Option<ToolSet>,
        #[serde(alias = "service_tier", rename = "serviceTier")]
        tier: Option<String>,
    }
    let body: Body = from_json(body)?;
    let generation = body.generation.unwrap_or_default();
    let speed = Speed { service_tier: body.tier, ..Speed::default() };
    Ok(Wish {
        output_max: generation.output_max,
        answers: generation.candidates.unwrap_or(1),
        thinks: generation.thinking.and_then(|thinking| thinking.budget) != Some(0),
        refers: body.cached.is_some(),
        extra: extra_tool_set(body.tools.as_ref()).or(speed.extra()),
        ..Wish::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(api: Api, body: &str) -> Wish {
        let model = matches!(api, Api::Gemini).then_some("g");
        read(api, model, None, Bytes::from(body.to_owned())).unwrap()
    }

    fn why(api: Api, body: &str) -> String {
        read(api, None, None, Bytes::from(body.to_owned())).unwrap_err().to_string()
    }

    #[test]
    fn what_bounds_a_call_is_read() {
        let wish_of = |api, body| {
            let wish = wish(api, body);
            (wish.model, wish.streamed, wish.output_max, wish.answers, wish.thinks, wish.refers)
        };
        let of = |model: &str, streamed, most, answers, thinks, refers| {
            (model.to_owned(), streamed, most, answers, thinks, refers)
        };
        for (api, body, expected) in [
            (Api::Messages, r#"{"model":"m","max_tokens":5,"stream":true}"#, of("m", true, Some(5), 1, true, false)),
            (Api::Messages, r#"{"model":"m","thinking":{"type":"adaptive"}}"#, of("m", false, None, 1, true, false)),
            (Api::Messages, r#"{"model":"m","thinking":{"type":"disabled"}}"#, of("m", false, None, 1, false, false)),
            (Api::Responses, r#"{"model":"m","max_output_tokens":7}"#, of("m", false, Some(7), 1, true, false)),
            (Api::Responses, r#"{"model":"m","previous_response_id":"r"}"#, of("m", false, None, 1, true, true)),
            (Api::Responses, r#"{"model":"m","previous_response_id":null}"#, of("m", false, None, 1, true, false)),
            (
                Api::Chat,
                r#"{"model":"m","max_tokens":9,"max_completion_tokens":8,"n":3}"#,
                of("m", false, Some(9), 3, true, false),
            ),
            (
                Api::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":3,"candidateCount":2,"thinkingConfig":{"thinkingBudget":0}}}"#,
                of("g", false, Some(3), 2, false, false),
            ),
            (
                Api::Gemini,
                r#"{"generation_config":{"max_output_tokens":3},"cached_content":"c"}"#,
                of("g", false, Some(3), 1, true, true),
            ),
        ] {
            assert_eq!(wish_of(api, body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (api, body) in [
            (Api::Messages, ""),
            (Api::Messages, "[]"),
            (Api::Messages, "{}"),
            (Api::Messages, r#"{"model":"a","model":"b"}"#),
            (Api::Messages, r#"{"model":"m","max_tokens":-1}"#),
            (Api::Messages, r#"{"model":"m","max_tokens":1e9}"#),
            (Api::Messages, r#"{"model":"m"} {"model":"n"}"#),
            (Api::Responses, r#"{"model":"m","max_output_tokens":"5"}"#),
            (Api::Chat, r#"{"model":"m","n":-1}"#),
            (Api::Chat, r#"{"model":"m","stream":true,"stream_options":3}"#),
            (Api::Gemini, r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#),
        ] {
            assert!(why(api, body).contains("the body is no request for"), "{body}");
        }
        let deep = format!("{}{}", r#"{"model":"m","x":"#, "[".repeat(100_000));
        assert!(why(Api::Messages, &deep).contains("no request"));
        for model in ["", "a b", "a\\u0000b", "\\u00e9", &"x".repeat(MODEL_BYTES + 1)] {
            assert!(why(Api::Chat, &format!(r#"{{"model":"{model}"}}"#)).contains("no name"), "{model}");
        }
    }

    #[test]
    fn a_streamed_chat_asks_for_its_usage_and_is_the_same_otherwise() {
        for (body, sent) in [
            (
                r#"{"model":"m","stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
            ),
            (
                "  { \"stream\" : true, \"model\": \"m\" }",
                "  {\"stream_options\":{\"include_usage\":true}, \"stream\" : true, \"model\": \"m\" }",
            ),
            (
                r#"{"model":"m","stream_options": {"include_usage":false} ,"stream":true,"z":1,"a":2}"#,
                r#"{"model":"m","stream_options": {"include_usage":true} ,"stream":true,"z":1,"a":2}"#,
            ),
            (
                r#"{"model":"m","stream_options":null,"stream":true}"#,
                r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#,
            ),
            (
                r#"{"stream_options":{"x":1},"model":"m","stream":true}"#,
                r#"{"stream_options":{"x":1,"include_usage":true},"model":"m","stream":true}"#,
            ),
        ] {
            assert_eq!(wish(Api::Chat, body).body, sent, "{body}");
        }
        for same in [
            r#"{"model":"m"}"#,
            r#"{"model":"m","stream":false,"stream_options":null}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ] {
            assert_eq!(wish(Api::Chat, same).body, same);
        }
        let responses = r#"{"model":"m","stream":true}"#;
        assert_eq!(wish(Api::Responses, responses).body, responses);
    }

    #[test]
    fn what_costs_more_than_tokens_is_named() {
        for (api, body, extra) in [
            (
                Api::Messages,
                r#"{"model":"m","tools":[{"name":"f"},{"type":"web_search_20250305"}]}"#,
                "web_search_20250305",
            ),
            (Api::Messages, r#"{"model":"m","mcp_servers":[{"url":"x"}]}"#, "mcp_servers"),
            (Api::Messages, r#"{"model":"m","speed":"fast"}"#, "speed = fast"),
            (Api::Messages, r#"{"model":"m","inference_geo":"us"}"#, "inference_geo = us"),
            (Api::Responses, r#"{"model":"m","tools":[{"type":"function"},{"type":"web_search"}]}"#, "web_search"),
            (Api::Responses, r#"{"model":"m","tools":[{"type":"namespace","tools":[{"type":"mcp"}]}]}"#, "mcp"),
            (Api::Responses, r#"{"model":"m","background":true}"#, "background"),
            (Api::Responses, r#"{"model":"m","service_tier":"priority"}"#, "service_tier = priority"),
            (Api::Chat, r#"{"model":"m","web_search_options":{}}"#, "web_search_options"),
            (Api::Gemini, r#"{"tools":[{"functionDeclarations":[]},{"googleSearch":{}}]}"#, "googleSearch"),
        ] {
            assert_eq!(wish(api, body).extra.as_deref(), Some(extra), "{body}");
        }
        for (api, body) in [
            (
                Api::Messages,
                r#"{"model":"m","service_tier":"auto","tools":[{"name":"f","input_schema":{}},{"type":"custom"},{"type":"bash_20250124"}],"mcp_servers":[]}"#,
            ),
            (
                Api::Responses,
                r#"{"model":"m","service_tier":"default","tools":[{"type":"local_shell"},{"type":"namespace","tools":[{"type":"function"}]}]}"#,
            ),
            (Api::Chat, r#"{"model":"m","tools":[{"type":"function"}]}"#),
            (Api::Gemini, r#"{"tools":[{"functionDeclarations":[]}]}"#),
        ] {
            assert_eq!(wish(api, body).extra, None, "{body}");
        }
    }

    #[test]
    fn a_count_costs_nothing_and_names_its_model() {
        let wish = read_count(None, Bytes::from_static(br#"{"model":"m","messages":[]}"#)).unwrap();
        assert_eq!((wish.model.as_str(), wish.output_max), ("m", Some(0)));
        assert_eq!(read_count(Some("g"), Bytes::from_static(b"{}")).unwrap().model, "g");
        assert!(read_count(None, Bytes::from_static(b"{}")).is_err());
    }
}
