//! Owns the laws of the gateway as a whole, kept over real loopback between a fake provider and a fake client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::testing::{Fake, Heard, KEY, Plan, Rest, Room, Said, Wire, ask, request, serve};
use super::*;
use crate::io::clock::ManualClock;

const MESSAGES: &str = "/anthropic/v1/messages";
const HI: &str = r#"{"model":"m","max_tokens":10,"messages":[]}"#;
const HI_STREAM: &str = r#"{"model":"m","max_tokens":10,"stream":true,"messages":[]}"#;
const DONE: &str = r#"{"usage":{"input_tokens":7,"output_tokens":3}}"#;
const START: &str = r#"{"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}"#;

fn gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

async fn passed(gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

fn bound(body: &str, output: u64) -> u64 {
    (body.len() as u64 + 4096) * 200 + output * 500
}

/// What a call of each API is asked and answered with, and whether the answer is a stream; each reads 100 tokens, 60 of
/// them from a cache, and writes 20, 5 of them reasoning.
fn one_of_each() -> [(&'static str, &'static str, Said, Api, bool); 8] {
    let chat = concat!(
        r#""usage":{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":60},"#,
        r#""completion_tokens_details":{"reasoning_tokens":5}}"#
    );
    let response = concat!(
        r#""usage":{"input_tokens":100,"output_tokens":20,"input_tokens_details":{"cached_tokens":60},"#,
        r#""output_tokens_details":{"reasoning_tokens":5}}"#
    );
    let meta = concat!(
        r#""usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"#,
        r#""candidatesTokenCount":15,"thoughtsTokenCount":5}"#
    );
    let (read, written) = (
        r#""input_tokens":40,"cache_read_input_tokens":60"#,
        r#""output_tokens":20,"output_tokens_details":{"thinking_tokens":5}"#,
    );
    let start = format!(r#"{{"type":"message_start","message":{{"usage":{{{read},"output_tokens":1}}}}}}"#);
    let delta = format!(r#"{{"type":"message_delta","usage":{{{written}}}}}"#);
    let whole = |text: &str| Said::json(format!("{{{text}}}"));
    let (chats, responses) = ("/openai/v1/chat/completions", "/openai/v1/responses");
    let (gemini, gemini_stream) =
        ("/gemini/v1beta/models/m:generateContent", "/gemini/v1beta/models/m:streamGenerateContent?alt=sse");
    let text = r#"{"choices":[{"delta":{"content":"x"}}]}"#;
    let created = r#"{"type":"response.created","response":{"usage":null}}"#;
    let (chat_end, response_end) = (format!("{{\"choices\":[],{chat}}}"), format!("{{\"response\":{{{response}}}}}"));
    let gemini_parts = [r#"{"usageMetadata":{"promptTokenCount":100}}"#, &format!("{{{meta}}}")];
    [
        (MESSAGES, HI, whole(&format!("\"usage\":{{{read},{written}}}")), Api::Messages, false),
        (MESSAGES, HI_STREAM, Said::events(&[&start, &delta]), Api::Messages, true),
        (chats, HI, whole(chat), Api::Chat, false),
        (chats, HI_STREAM, Said::events(&[text, &chat_end, "[DONE]"]), Api::Chat, true),
        (responses, r#"{"model":"m"}"#, whole(response), Api::Responses, false),
        (responses, r#"{"model":"m","stream":true}"#, Said::events(&[created, &response_end]), Api::Responses, true),
        (gemini, "{}", whole(meta), Api::Gemini, false),
        (gemini_stream, "{}", Said::events(&gemini_parts), Api::Gemini, true),
    ]
}

#[tokio::test]
async fn each_api_is_counted_to_the_token_streamed_and_not() {
    let tokens = Tokens { input: 40, cache_read: 60, output: 20, reasoning: 5, ..Tokens::default() };
    let nano_usd = 40 * 100 + 60 * 10 + 20 * 500;
    for (target, body, said, api, streamed) in one_of_each() {
        let answer = said.clone();
        let room = Room::new(move |_| answer.clone()).await;
        let heard = room.ask(target, body).await;
        let expected = match said {
            Said::Whole(_, _, text) => text,
            Said::Stream(chunks, _) => chunks.concat(),
            Said::After(..) => unreachable!("no answer here waits"),
        };
        assert_eq!((heard.status(), heard.text()), (200, expected), "{target}");
        let (metered, calls) = room.end().await;
        let call = &calls[0];
        assert_eq!((call.api, call.streamed, &call.outcome), (Some(api), streamed, &Outcome::Complete), "{target}");
        assert_eq!((call.tokens, call.nano_usd, call.status), (tokens, nano_usd, 200), "{target}");
        assert!(call.reserved.nano_usd >= call.nano_usd && call.priced && call.number == 1, "{call:?}");
        assert_eq!((metered.calls, metered.tokens, metered.nano_usd), (1, tokens, nano_usd));
    }
}

#[tokio::test]
async fn the_key_goes_out_and_the_token_does_not() {
    for (target, header, sent) in [
        (MESSAGES, "x-api-key: TOKEN", ("x-api-key", KEY.to_owned())),
        (MESSAGES, "authorization: Bearer TOKEN\r\ncookie: TOKEN", ("x-api-key", KEY.to_owned())),
        ("/openai/v1/responses", "authorization: Bearer TOKEN", ("authorization", format!("Bearer {KEY}"))),
        ("/gemini/v1beta/models/m:generateContent", "x-goog-api-key: TOKEN", ("x-goog-api-key", KEY.to_owned())),
        ("/gemini/v1beta/models/m:generateContent?key=TOKEN", "x-a: b", ("x-goog-api-key", KEY.to_owned())),
    ] {
        let room = Room::new(|_| Said::json(DONE)).await;
        let token = room.session.token().reveal().to_owned();
        let full = request(target, &format!("{header}\r\nproxy-authorization: TOKEN"), HI).replace("TOKEN", &token);
        let answer = ask(&room.address, &full).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert!(!answer.everything().contains(KEY));
        let heard = &room.fake.heard()[0];
        assert_eq!(heard.headers.get(sent.0), Some(&sent.1), "{target}");
        assert!(!heard.everything().contains(&token), "{}", heard.everything());
        assert_eq!(heard.headers["accept-encoding"], "identity");
        let shown = format!("{:?} {:?} {:?}", room.gateway, room.session, room.session.token());
        assert!(!shown.contains(KEY) && !shown.contains(&token), "{shown}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_session_only() {
    let room = Room::new(|_| Said::json(DONE)).await;
    let terms = Terms { models: vec!["*".to_owned()], ..Terms::default() };
    let other = room.gateway.open("a2", terms, Arc::clone(&room.pocket) as _).unwrap();
    let address = serve(&other).await;
    let with = |token: &str| request(MESSAGES, &format!("x-api-key: {token}"), HI);
    assert_eq!(ask(&address, &with(room.session.token().reveal())).await.status(), 401);
    assert_eq!(ask(&room.address, &with(other.token().reveal())).await.status(), 401);
    assert_eq!(ask(&room.address, &with("")).await.status(), 401);
    assert_eq!(ask(&room.address, &with(KEY)).await.status(), 401);
    assert_eq!(ask(&room.address, &request(MESSAGES, "x-a: b", HI)).await.status(), 401);
    assert!(room.fake.heard().is_empty());
    assert_eq!(ask(&address, &with(other.token().reveal())).await.status(), 200);
    assert_eq!(other.close().await.refusals, 1);
    let (metered, calls) = room.end().await;
    assert_eq!((metered.refusals, metered.refused), (4, None));
    assert!(calls.iter().filter(|call| matches!(call.outcome, Outcome::Refused(_))).count() == 5);
}

#[tokio::test]
async fn what_leads_nowhere_is_refused_in_the_form_of_its_api() {
    let room = Room::new(|_| Said::json(DONE)).await;
    let anthropic = room.ask("/anthropic/v1/files", HI).await;
    assert_eq!(anthropic.status(), 404);
    assert_eq!(anthropic.json()["error"]["type"], "not_found_error");
    assert_eq!(anthropic.headers["x-should-retry"], "false");
    let gemini = room.ask("/gemini/v1beta/models/m:embedContent", HI).await;
    assert_eq!(gemini.json()["error"]["status"], "NOT_FOUND");
    let openai = room.ask("/openai/v1/files", HI).await;
    assert_eq!(openai.json()["error"]["code"], "stray");
    let token = room.session.token().reveal();
    for (line, status) in [
        ("POST http://evil.example/anthropic/v1/messages", 400),
        ("CONNECT evil.example:443", 407),
        ("PUT /anthropic/v1/messages", 405),
        ("POST /anthropic/v1/../v1/messages", 404),
        ("POST /anthropic/v1/%2e%2e/messages", 404),
        ("POST //anthropic/v1/messages", 404),
        ("POST /anthropic/v1/messages\0", 400),
        ("POST /nobody/v1/messages", 404),
    ] {
        let text = format!("{line} HTTP/1.1\r\nhost: x\r\nx-api-key: {token}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(ask(&room.address, &text).await.status(), status, "{line}");
    }
    assert!(room.fake.heard().is_empty());
    let (_, calls) = room.end().await;
    assert!(calls.iter().all(|call| matches!(call.outcome, Outcome::Refused(Refusal::Stray { .. }))), "{calls:?}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let mut plan = Plan::default();
    plan.config.body_bytes_max = 1000;
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let token = format!("x-api-key: {}", room.session.token().reveal());
    let told = format!("POST {MESSAGES} HTTP/1.1\r\nhost: x\r\n{token}\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(ask(&room.address, &told).await.status(), 413);
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001));
    let untold = format!("POST {MESSAGES} HTTP/1.1\r\nhost: x\r\n{token}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    assert_eq!(ask(&room.address, &untold).await.status(), 413);
    let head = format!("POST {MESSAGES} HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "x".repeat(100 << 10));
    // The connection is closed on what was not read, which may overtake the answer.
    assert!(matches!(ask(&room.address, &head).await.status(), 431 | 0));
    let many = format!("POST {MESSAGES} HTTP/1.1\r\nhost: x\r\n{}\r\n\r\n", "x-a: b\r\n".repeat(200));
    assert_eq!(ask(&room.address, &many).await.status(), 431);
    let packed = request(MESSAGES, &format!("{token}\r\ncontent-encoding: gzip"), HI);
    assert_eq!(ask(&room.address, &packed).await.status(), 415);
    let longest = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(1000 - 20));
    assert_eq!((longest.len(), room.ask(MESSAGES, &longest).await.status()), (1000, 200));
    assert_eq!(room.fake.heard().len(), 1);
}

#[tokio::test]
async fn clients_find_somebody_there_and_the_models_they_may_ask() {
    let mut plan = Plan::default();
    plan.terms.models = vec!["m".to_owned(), "named-*".to_owned(), "named-here".to_owned()];
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let mut wire = Wire::to(&room.address).await;
    wire.stream.write_all(b"HEAD /anthropic/api/hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(wire.head().await.unwrap().line, "HTTP/1.1 200 OK");
    let get = |path: &str| {
        let token = room.session.token().reveal();
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
    };
    let openai = ask(&room.address, &get("/openai/v1/models?client_version=1")).await.json();
    assert_eq!(openai["data"][0]["id"], "m");
    assert_eq!(openai["data"].as_array().unwrap().len(), 1, "what has no price cannot be asked");
    let local = ask(&room.address, &get("/local/v1/models")).await.json();
    assert_eq!(local["data"][1]["id"], "named-here");
    assert_eq!(ask(&room.address, &get("/anthropic/v1/models")).await.json()["first_id"], "m");
    assert_eq!(ask(&room.address, &get("/gemini/v1beta/models")).await.json()["models"][0]["name"], "models/m");
    assert!(room.fake.heard().is_empty());
}

#[tokio::test]
async fn tokens_are_counted_for_free() {
    let room = Room::of(Plan { budget: 0, ..Plan::default() }, |_| Said::json(r#"{"input_tokens":100}"#)).await;
    let heard = room.ask("/anthropic/v1/messages/count_tokens", r#"{"model":"m","messages":[]}"#).await;
    assert_eq!(heard.json()["input_tokens"], 100);
    let (metered, calls) = room.end().await;
    assert_eq!((metered.calls, metered.tokens, metered.nano_usd, calls.len()), (1, Tokens::default(), 0, 1));
}

#[tokio::test]
async fn a_streamed_chat_is_asked_for_its_usage() {
    let room = Room::new(|_| Said::events(&[r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#])).await;
    room.ask("/openai/v1/chat/completions", HI_STREAM).await;
    assert_eq!(room.fake.heard()[0].json()["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn models_are_asked_that_are_allowed_and_have_a_price() {
    let mut plan = Plan::default();
    plan.terms.models = vec!["m".to_owned(), "u*".to_owned()];
    let room = Room::of(plan, |_| Said::json(r#"{"usage":{"prompt_tokens":5,"completion_tokens":6}}"#)).await;
    let of = |model: &str| HI.replace("\"m\"", &format!("{model:?}"));
    let refused = room.ask(MESSAGES, &of("other")).await;
    assert_eq!((refused.status(), refused.headers["x-should-retry"].as_str()), (400, "false"));
    let unpriced = room.ask("/openai/v1/chat/completions", &of("unknown")).await;
    assert_eq!(unpriced.json()["error"]["code"], "unpriced");
    let search = HI.replace("[]", r#"[],"tools":[{"type":"web_search_20250305"}]"#);
    assert!(room.ask(MESSAGES, &search).await.text().contains("web_search_20250305"));
    assert!(room.fake.heard().is_empty());
    assert_eq!(room.ask("/local/v1/chat/completions", &of("unknown")).await.status(), 200);
    assert!(!room.fake.heard()[0].headers.contains_key("authorization"));
    let (metered, calls) = room.end().await;
    assert_eq!((metered.refusals, metered.unpriced, metered.nano_usd, metered.refused), (3, 1, 0, None));
    let call = calls.last().unwrap();
    assert_eq!((call.tokens.total(), call.priced, call.reserved.nano_usd), (11, false, 0));
}

#[tokio::test]
async fn fifty_calls_at_once_overshoot_a_budget_by_nothing() {
    let mut plan = Plan { budget: 10 * bound(HI, 10) + 77, ..Plan::default() };
    plan.config.breaker.repeats = 1000;
    // Each call costs as much as it may.
    let dear = format!(
        r#"{{"usage":{{"input_tokens":0,"cache_creation_input_tokens":{n},"cache_creation":{{"ephemeral_1h_input_tokens":{n}}},"output_tokens":10}}}}"#,
        n = HI.len() + 4096
    );
    let room = Room::of(plan, move |_| Said::json(dear.clone())).await;
    let asking = (0..50).map(|_| {
        let (address, request) = (room.address.clone(), room.request(MESSAGES, HI));
        tokio::spawn(async move { ask(&address, &request).await.status() })
    });
    let mut statuses = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        statuses.push(asked.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 10], vec![400; 40]].concat());
    assert_eq!((room.pocket.spent(), room.pocket.reserved()), (10 * bound(HI, 10), 0));
    let (metered, _) = room.end().await;
    assert!(matches!(metered.refused, Some(Refusal::BudgetReached { .. })));
    assert_eq!((metered.calls, metered.refusals), (10, 40));
}

#[tokio::test]
async fn a_session_ends_at_its_own_limits_too() {
    for (terms, code) in [
        (Terms { calls: Some(2), ..Terms::default() }, "call_limit"),
        (Terms { tokens: Some(20 + HI.len() as u64 + 4096 + 9), ..Terms::default() }, "token_limit"),
        (Terms { nano_usd: Some(2 * 2200 + bound(HI, 10) - 1), ..Terms::default() }, "money_limit"),
    ] {
        let terms = Terms { models: vec!["m".to_owned()], ..terms };
        let room = Room::of(Plan { terms, ..Plan::default() }, |_| Said::json(DONE)).await;
        assert_eq!(room.ask(MESSAGES, HI).await.status(), 200, "{code}");
        assert_eq!(room.ask(MESSAGES, HI).await.status(), 200, "{code}");
        assert_eq!(room.ask(MESSAGES, HI).await.status(), 400, "{code}");
        let (metered, _) = room.end().await;
        assert_eq!(metered.refused.map(|refusal| refusal.code()), Some(code));
    }
}

#[tokio::test]
async fn chunks_pass_as_they_come() {
    let gate = gate();
    let rest = Rest::After(Arc::clone(&gate), vec![r#"data: {"usage":{"output_tokens":3}}"#.to_owned() + "\n\n"]);
    let said = Said::Stream(vec![format!("data: {START}\n\n")], rest);
    let room = Room::new(move |_| said.clone()).await;
    let mut wire = Wire::to(&room.address).await;
    wire.stream.write_all(room.request(MESSAGES, HI_STREAM).as_bytes()).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status(), 200);
    assert_eq!(wire.chunk().await.unwrap(), format!("data: {START}\n\n").into_bytes());
    gate.add_permits(1);
    assert!(!wire.chunk().await.unwrap().is_empty());
    assert!(wire.chunk().await.unwrap().is_empty());
    let (metered, _) = room.end().await;
    assert_eq!((metered.tokens.input, metered.tokens.output), (7, 3));
}

/// Says how a stream is cut.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Provider,
    Client,
    Close,
}

async fn cut(how: Cut, events: &[&str], body: &str) -> Call {
    let gone = gate();
    let rest = if how == Cut::Provider { Rest::Cut } else { Rest::Silence(Arc::clone(&gone)) };
    let said = Said::Stream(events.iter().map(|event| format!("data: {event}\n\n")).collect(), rest);
    let room = Room::new(move |_| said.clone()).await;
    let mut wire = Wire::to(&room.address).await;
    wire.stream.write_all(room.request(MESSAGES, body).as_bytes()).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status(), 200);
    for _ in events {
        wire.until("\n\n").await.unwrap();
    }
    if how == Cut::Client {
        drop(wire);
        passed(&gone).await;
    } else if how == Cut::Provider {
        assert!(wire.until("\r\n0\r\n").await.is_none(), "a cut answer does not look whole");
    }
    let (metered, calls) = room.end().await;
    if how == Cut::Close {
        passed(&gone).await;
    }
    assert_eq!((metered.cut, calls.len(), &calls[0].outcome), (1, 1, &Outcome::Cut));
    calls[0].clone()
}

#[tokio::test]
async fn a_cut_answer_costs_as_much_as_it_may_have() {
    let text = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"some words"}}"#;
    let plain = &HI_STREAM.replace("[]", r#"[],"thinking":{"type":"disabled"}"#);
    let thinking = HI_STREAM.replace("[]", r#"[],"thinking":{"type":"adaptive"}"#);
    for how in [Cut::Provider, Cut::Client, Cut::Close] {
        let call = cut(how, &[START, text], plain).await;
        assert_eq!(call.tokens.input, 7);
        assert!((10..=12).contains(&call.tokens.output), "{call:?}");
        assert_eq!(call.nano_usd, 7 * 100 + call.tokens.output * 500);
        let call = cut(how, &[START, text], &thinking).await;
        assert_eq!((call.tokens.input, call.tokens.output), (7, 11), "more was seen than the request allows");
        let call = cut(how, &[START], &thinking).await;
        assert_eq!((call.tokens.input, call.tokens.output, call.nano_usd), (7, 10, 7 * 100 + 10 * 500));
        let call = cut(how, &[r#"{"type":"ping"}"#], plain).await;
        assert_eq!(call.nano_usd, bound(plain, 10));
        assert_eq!(call.nano_usd, call.reserved.nano_usd);
    }
}

#[tokio::test]
async fn a_count_that_is_the_last_one_holds_though_the_rest_is_cut() {
    let gone = gate();
    let last = r#"data: {"type":"message_delta","usage":{"output_tokens":3}}"#;
    let said = Said::Stream(vec![format!("data: {START}\n\n{last}\n\n")], Rest::Silence(Arc::clone(&gone)));
    let room = Room::new(move |_| said.clone()).await;
    let mut wire = Wire::to(&room.address).await;
    wire.stream.write_all(room.request(MESSAGES, HI_STREAM).as_bytes()).await.unwrap();
    wire.until("message_delta").await.unwrap();
    drop(wire);
    passed(&gone).await;
    let (_, calls) = room.end().await;
    assert_eq!((calls[0].tokens.output, &calls[0].outcome), (3, &Outcome::Complete));
}

#[tokio::test]
async fn a_session_closes_though_its_client_takes_nothing() {
    let text = format!("data: {}\n\n", "x".repeat(1 << 16));
    let said = Said::Stream(vec![text; 128], Rest::Silence(gate()));
    let room = Room::new(move |_| said.clone()).await;
    let mut wire = Wire::to(&room.address).await;
    wire.stream.write_all(room.request(MESSAGES, HI_STREAM).as_bytes()).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status(), 200);
    let (metered, calls) = room.end().await;
    assert_eq!((metered.cut, &calls[0].outcome, calls[0].nano_usd), (1, &Outcome::Cut, bound(HI_STREAM, 10)));
    assert!(wire.until("\r\n0\r\n").await.is_none(), "what was broken off does not look whole");
}

#[tokio::test]
async fn who_goes_away_before_the_answer_is_charged_what_it_may_cost() {
    let (gate, gone) = (gate(), gate());
    let said = Said::After(Arc::clone(&gate), Box::new(Said::json(DONE)));
    let room = Room::new(move |_| said.clone()).await;
    let mut wire = Wire::to(&room.address).await;
    wire.stream.write_all(room.request(MESSAGES, HI).as_bytes()).await.unwrap();
    while room.fake.heard().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(wire);
    let (metered, calls) = room.end().await;
    assert_eq!((metered.nano_usd, calls[0].status, &calls[0].outcome), (bound(HI, 10), 0, &Outcome::Cut));
    gone.add_permits(1);
}

#[tokio::test]
async fn a_provider_that_is_not_there_costs_nothing() {
    let mut plan = Plan::default();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let provider = Provider::at(Family::Anthropic, format!("http://{nobody}"));
    plan.config.providers.insert("anthropic".to_owned(), provider);
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let heard = room.ask(MESSAGES, HI).await;
    assert_eq!((heard.status(), heard.headers.get("x-should-retry")), (502, None));
    let (metered, _) = room.end().await;
    assert_eq!((metered.failed, metered.nano_usd), (1, 0));
}

#[tokio::test]
async fn a_key_goes_over_no_line_that_is_not_the_providers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 4096];
        let count = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await.unwrap();
        hello.truncate(count);
        hello
    });
    let mut plan = Plan::default();
    let key = KeySource::Literal(KEY.to_owned());
    plan.config.providers.insert("anthropic".to_owned(), Provider { key, ..Provider::at(Family::Anthropic, base) });
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let answer = room.ask(MESSAGES, HI).await;
    assert_eq!(answer.status(), 502, "{answer:?}");
    assert!(!answer.everything().contains(KEY));
    let hello = heard.await.unwrap();
    assert!(!String::from_utf8_lossy(&hello).contains(KEY) && hello[0] == 22, "a handshake and nothing else");
    let (metered, _) = room.end().await;
    assert_eq!((metered.failed, metered.nano_usd), (1, 0));
}

#[tokio::test]
async fn errors_pass_and_cost_nothing_and_hold_no_key() {
    let body = format!(r#"{{"error":{{"message":"wrong: {KEY}"}}}}"#);
    for (status, expected) in [(400, 400), (401, 400), (403, 403), (404, 404), (500, 500), (529, 529), (302, 302)] {
        let body = body.clone();
        let room = Room::new(move |_| {
            let headers = vec![("location", "http://evil.example/".to_owned()), ("request-id", "r1".to_owned())];
            Said::Whole(status, headers, body.clone())
        })
        .await;
        let heard = room.ask(MESSAGES, HI).await;
        assert_eq!(heard.status(), expected);
        assert!(!heard.everything().contains(KEY), "{}", heard.everything());
        assert!(!heard.headers.contains_key("location"));
        if status != 401 {
            assert_eq!(heard.headers["request-id"], "r1");
        }
        assert_eq!(room.fake.heard().len(), 1);
        let (metered, calls) = room.end().await;
        assert_eq!((metered.failed, metered.nano_usd, &calls[0].outcome), (1, 0, &Outcome::Failed));
        let is_refused = matches!(metered.refused, Some(Refusal::KeyRefused { .. }));
        assert_eq!(is_refused, status == 401);
    }
}

#[tokio::test]
async fn rules_are_read_again_when_they_change_and_are_in_force_on_the_next_call() {
    let fake = Fake::new(|_| Said::json(DONE)).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    let write = |models: &str| {
        let text = format!(
            "[providers.anthropic]\nbase = \"{}\"\nkey = \"none\"\nmodels = {models}\nunknown_models = \"free\"\n",
            fake.base
        );
        std::fs::write(&file, text).unwrap();
    };
    write("[\"m\"]");
    let at = file.clone();
    let read = move || {
        let text = std::fs::read_to_string(&at).map_err(|error| error.to_string())?;
        let config = GatewayConfig::from_toml(&text, &Default::default()).map_err(|faults| faults[0].what.clone())?;
        Ok(Rules { config, prices: Prices::from_toml("").unwrap(), version: format!("v{}", text.len()) })
    };
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (rules, tells) = (read().unwrap(), Arc::clone(&told));
    let follow = Follow::new(vec![file.clone()], read, move |why| tells.lock().unwrap().push(why));
    let gateway = Gateway::following(rules, follow, Arc::new(ManualClock::at(0))).unwrap();
    let pocket = Arc::new(Pocket::of(1_000_000));
    let terms = Terms { models: vec!["*".to_owned()], ..Terms::default() };
    let session = gateway.open("a1", terms, Arc::clone(&pocket) as _).unwrap();
    let address = serve(&session).await;
    let hi = request(MESSAGES, &format!("x-api-key: {}", session.token().reveal()), HI);
    let status = async || ask(&address, &hi).await.status();
    assert_eq!(status().await, 200);
    write("[\"another\"]");
    assert_eq!(status().await, 400);
    write("[\"another\"");
    assert_eq!((status().await, status().await), (400, 400), "those before stay in force");
    assert_eq!(told.lock().unwrap().len(), 1, "a broken edit is told once");
    std::fs::remove_file(&file).unwrap();
    assert_eq!((status().await, told.lock().unwrap().len()), (400, 2), "so is a file that is gone");
    write("[\"m\", \"other\"]");
    assert_eq!(status().await, 200);
    session.close().await;
    let calls = pocket.calls();
    let refused: Vec<_> = calls.iter().filter(|it| matches!(it.outcome, Outcome::Refused(_))).collect();
    assert_eq!(refused.len(), 4);
    assert!(refused.iter().all(|it| it.policy == refused[0].policy && it.policy != calls[0].policy), "{refused:?}");
    assert_eq!(fake.heard().len(), 2);
}

#[tokio::test]
async fn a_refused_key_is_shown_once_a_minute_until_it_is_another() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "sk-old").unwrap();
    let plan = Plan { key: KeySource::File(file.path().to_owned()), ..Plan::default() };
    let answers = |heard: &Heard| match heard.headers["x-api-key"].as_str() {
        "sk-old" => Said::Whole(401, Vec::new(), "{}".to_owned()),
        "sk-little" if heard.text().contains("other") => Said::Whole(403, Vec::new(), "{}".to_owned()),
        _ => Said::json(DONE),
    };
    let room = Room::of(plan, answers).await;
    for _ in 0..3 {
        let heard = room.ask(MESSAGES, HI).await;
        assert_eq!((heard.status(), heard.headers["x-should-retry"].as_str()), (400, "false"));
        assert!(heard.everything().contains("does not accept the key"));
    }
    assert_eq!(room.fake.heard().len(), 1, "once");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    tokio::time::resume();
    room.ask(MESSAGES, HI).await;
    room.ask(MESSAGES, HI).await;
    assert_eq!(room.fake.heard().len(), 2, "once a minute");
    assert!(room.session.metered().unusable.is_some());
    std::fs::write(file.path(), "sk-little").unwrap();
    assert_eq!(room.ask(MESSAGES, HI).await.status(), 200, "another key is shown at once");
    assert_eq!(room.session.metered().unusable, None);
    let other = HI.replace("\"m\"", "\"other\"");
    assert_ne!(other, HI);
    assert_eq!(room.ask(MESSAGES, &other).await.status(), 403, "the provider's own word passes");
    assert_eq!(room.ask(MESSAGES, &other).await.status(), 400);
    assert_eq!(room.ask(MESSAGES, HI).await.status(), 200, "another model may be asked");
    assert_eq!(room.fake.heard().len(), 5);
}

#[tokio::test]
async fn a_model_that_wants_no_calls_for_long_gets_none() {
    let room = Room::new(|heard: &Heard| {
        if heard.text().contains("other") {
            return Said::json(DONE);
        }
        Said::Whole(429, vec![("retry-after", "7200".to_owned())], "{}".to_owned())
    })
    .await;
    let first = room.ask(MESSAGES, HI).await;
    assert_eq!((first.status(), first.headers["retry-after"].as_str()), (429, "7200"));
    assert_eq!(room.session.metered().limited_until_ms, Some(1_000_000 + 7_200_000));
    let second = room.ask(MESSAGES, HI).await;
    assert_eq!(second.status(), 429);
    let wait: u64 = second.headers["retry-after"].parse().unwrap();
    assert!((7100..=7200).contains(&wait), "{wait}");
    assert_eq!(second.json()["error"]["type"], "rate_limit_error");
    assert_eq!(room.fake.heard().len(), 1);
    assert_eq!(room.ask(MESSAGES, &HI.replace("\"m\"", "\"other\"")).await.status(), 200);
    let (metered, calls) = room.end().await;
    assert_eq!((metered.failed, metered.refusals, metered.refused, metered.nano_usd), (1, 1, None, 2200));
    assert!(matches!(calls[1].outcome, Outcome::Refused(Refusal::Limited { .. })));
    assert_eq!(calls[1].reserved.nano_usd, bound(HI, 10), "what was reserved is given back");
}

#[tokio::test]
async fn calls_of_all_sessions_wait_for_their_turn_at_one_model() {
    let gate = gate();
    let mut plan = Plan::default();
    let said = Said::After(Arc::clone(&gate), Box::new(Said::json(DONE)));
    let fake = Fake::new(move |_| said.clone()).await;
    let provider = Provider { calls_at_once: 1, ..Provider::at(Family::Anthropic, fake.base.clone()) };
    plan.config.providers.insert("anthropic".to_owned(), provider);
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let terms = Terms { models: vec!["*".to_owned()], ..Terms::default() };
    let other = room.gateway.open("a2", terms, Arc::clone(&room.pocket) as _).unwrap();
    let address = serve(&other).await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (one, another) = (room.request(MESSAGES, HI), format!("x-api-key: {}", other.token().reveal()));
        let (here, there) = (room.address.clone(), address.clone());
        asking.spawn(async move { ask(&here, &one).await.status() });
        asking.spawn(async move { ask(&there, &request(MESSAGES, &another, HI)).await.status() });
    }
    for answered in 1..=6 {
        gate.add_permits(1);
        assert_eq!(asking.join_next().await.unwrap().unwrap(), 200);
        assert!(fake.heard().len() <= answered + 1, "one call is under way at a time");
    }
    assert_eq!(other.close().await.calls + room.end().await.0.calls, 6);
}

#[tokio::test]
async fn a_session_that_goes_in_circles_is_cut_off() {
    let mut plan = Plan::default();
    plan.config.breaker.repeats = 3;
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    for status in [200, 200, 200, 400] {
        assert_eq!(room.ask(MESSAGES, HI).await.status(), status);
    }
    assert_eq!(room.ask(MESSAGES, &HI.replace("[]", "[1]")).await.status(), 400);
    assert_eq!(room.fake.heard().len(), 3);
    let (metered, _) = room.end().await;
    assert_eq!(metered.refused, Some(Refusal::Repeats { times: 3 }));
}

#[tokio::test]
async fn a_session_that_fails_over_and_over_is_cut_off() {
    let mut plan = Plan::default();
    plan.config.breaker.errors = 2;
    let room = Room::of(plan, |_| Said::Whole(500, Vec::new(), "{}".to_owned())).await;
    for status in [500, 500, 400] {
        assert_eq!(room.ask(MESSAGES, HI).await.status(), status);
    }
    let (metered, _) = room.end().await;
    assert_eq!(metered.refused, Some(Refusal::Errors { times: 2 }));
}

#[tokio::test]
async fn sessions_that_spend_too_fast_together_are_all_cut_off() {
    let mut plan = Plan::default();
    plan.config.breaker.nano_usd_per_minute = Some(4400);
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let terms = || Terms { models: vec!["*".to_owned()], ..Terms::default() };
    let [second, third] =
        ["a2", "a3"].map(|name| room.gateway.open(name, terms(), Arc::clone(&room.pocket) as _).unwrap());
    let mut asked = Vec::new();
    for session in [&second, &third] {
        let key = format!("x-api-key: {}", session.token().reveal());
        asked.push((serve(session).await, request(MESSAGES, &key, HI)));
    }
    assert_eq!(room.ask(MESSAGES, HI).await.status(), 200);
    assert_eq!(ask(&asked[0].0, &asked[0].1).await.status(), 200);
    assert_eq!(room.ask(MESSAGES, HI).await.status(), 400);
    assert_eq!(ask(&asked[1].0, &asked[1].1).await.status(), 400, "also who has spent nothing yet");
    let (spent, metered) = (Refusal::SpendRate { spent: 4400, limit: 4400 }, third.close().await);
    assert_eq!((metered.refused, room.end().await.0.refused), (Some(spent.clone()), Some(spent)));
}

#[tokio::test]
async fn refusals_without_end_are_counted_and_not_told() {
    let room = Room::new(|_| Said::json(DONE)).await;
    let mut wire = Wire::to(&room.address).await;
    for _ in 0..150 {
        wire.stream.write_all(room.request("/anthropic/v1/files", "").as_bytes()).await.unwrap();
        assert_eq!(wire.message().await.unwrap().status(), 404);
    }
    let (metered, calls) = room.end().await;
    assert_eq!((metered.refusals, calls.len()), (150, 100));
}

#[tokio::test]
async fn a_closed_session_answers_nobody() {
    let room = Room::new(|_| Said::json(DONE)).await;
    let request = room.request(MESSAGES, HI);
    let address = room.address.clone();
    let (metered, _) = room.end().await;
    assert_eq!(metered, Metered::default());
    assert_eq!(ask(&address, &request).await.status(), 400);
}

#[tokio::test]
async fn a_connection_serves_one_call_after_another_and_the_provider_keeps_its_own() {
    let mut plan = Plan::default();
    plan.config.breaker.repeats = 100;
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let mut wire = Wire::to(&room.address).await;
    for number in 1..=20 {
        wire.stream.write_all(room.request(MESSAGES, HI).as_bytes()).await.unwrap();
        assert_eq!(wire.message().await.unwrap().text(), DONE);
        assert_eq!(room.fake.heard().len(), number);
    }
    let (metered, calls) = room.end().await;
    assert_eq!((metered.calls, metered.nano_usd), (20, 20 * 2200));
    assert_eq!(calls.iter().map(|call| call.number).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_missing_key_is_told_and_ends_the_session() {
    let mut plan = Plan::default();
    let fake = Fake::new(|_| Said::json(DONE)).await;
    let key = KeySource::env("ARTEL_NO_SUCH_KEY", &std::collections::BTreeMap::new());
    let provider = Provider { key, ..Provider::at(Family::Anthropic, fake.base.clone()) };
    plan.config.providers.insert("anthropic".to_owned(), provider);
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let heard = room.ask(MESSAGES, HI).await;
    assert!(heard.text().contains("the variable `ARTEL_NO_SUCH_KEY` is not set"), "{}", heard.text());
    let (metered, _) = room.end().await;
    assert!(matches!(metered.refused, Some(Refusal::NoKey { .. })));
    assert_eq!(metered.nano_usd, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once_lose_no_usage_and_spend_nothing_over_the_budget() {
    const SESSIONS: usize = 200;
    let body = r#"{"model":"m","max_tokens":1000,"messages":[]}"#;
    let (most, each) = (bound(body, 1000), 4000 * 100 + 1000 * 500);
    let budget = 100 * most;
    let count = AtomicU64::new(0);
    let fake = Fake::new(move |_| match count.fetch_add(1, Ordering::SeqCst) % 5 {
        4 => Said::Stream(Vec::new(), Rest::Cut),
        _ => Said::json(r#"{"usage":{"input_tokens":4000,"output_tokens":1000}}"#),
    })
    .await;
    let mut plan = Plan { budget, ..Plan::default() };
    let key = KeySource::Literal(KEY.to_owned());
    let at = Provider { key, calls_at_once: 64, ..Provider::at(Family::Anthropic, fake.base.clone()) };
    plan.config.providers.insert("anthropic".to_owned(), at);
    let room = Room::of(plan, |_| Said::json(DONE)).await;
    let mut asking = JoinSet::new();
    for number in 0..SESSIONS {
        let terms = Terms { models: vec!["m".to_owned()], ..Terms::default() };
        let session = room.gateway.open(number.to_string(), terms, Arc::clone(&room.pocket) as _).unwrap();
        asking.spawn(async move {
            let address = serve(&session).await;
            let request = request(MESSAGES, &format!("x-api-key: {}", session.token().reveal()), body);
            for _ in 0..3 {
                ask(&address, &request).await;
            }
            session.close().await
        });
    }
    let metered = asking.join_all().await;
    let heard = fake.heard().len() as u64;
    let (cut, spent) = (heard / 5, room.pocket.spent());
    assert_eq!(spent, (heard - cut) * each + cut * most, "what was sent is counted, what broke off at its most");
    assert_eq!(metered.iter().map(|it| it.nano_usd).sum::<u64>(), spent);
    assert_eq!(metered.iter().map(|it| (it.calls, it.cut)).fold((0, 0), |(a, b), (x, y)| (a + x, b + y)), (heard, cut));
    assert_eq!(room.pocket.reserved(), 0);
    assert!(spent <= budget && budget - spent < most, "{spent} of {budget}: no more, and all that fits");
}
