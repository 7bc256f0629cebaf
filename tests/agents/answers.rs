//! Tells that the scripted model speaks as the real ones do, as far as artel and the programs can tell.

use std::io::Read;
use std::thread;

use serde_json::{Value, json};

use crate::asking::{ask, asked, begin, send};
use crate::model::{Api, Call, Gate, Model, Script, Taken, Turn, Usage};

const USAGE: Usage = Usage { input: 11, cache_read: 300, cache_write: 20, output: 45, reasoning: 5 };

/// What each API says of [`USAGE`], and what can be read from it.
fn in_words_of(api: Api) -> (Value, Usage) {
    match api {
        Api::Anthropic => {
            let words = json!({
                "input_tokens": 11, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 20,
                "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
                "output_tokens": 45, "output_tokens_details": {"thinking_tokens": 5}
            });
            (words, USAGE)
        }
        Api::Chat => {
            let words = json!({
                "prompt_tokens": 331, "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 20},
                "completion_tokens": 45, "completion_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 376
            });
            (words, USAGE)
        }
        Api::Responses => {
            let words = json!({
                "input_tokens": 331, "input_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 20},
                "output_tokens": 45, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 376
            });
            (words, USAGE)
        }
        Api::Gemini => {
            let words = json!({
                "promptTokenCount": 331, "cachedContentTokenCount": 300, "candidatesTokenCount": 40,
                "thoughtsTokenCount": 5, "totalTokenCount": 376
            });
            (words, Usage { input: 31, cache_write: 0, ..USAGE })
        }
    }
}

fn usage(api: Api, answer: &Value) -> Value {
    match api {
        Api::Anthropic | Api::Chat => answer["usage"].clone(),
        Api::Responses => answer.get("response").unwrap_or(answer)["usage"].clone(),
        Api::Gemini => answer["usageMetadata"].clone(),
    }
}

#[test]
fn each_api_tells_what_is_said_and_the_usage_in_its_own_words() {
    let turn = Turn::says("here you are").thinking("hm").and(Call::write("/w/a.txt", "one\ntwo\n")).using(USAGE);
    for api in Api::ALL {
        let (words, told) = in_words_of(api);
        let model = Model::plays([Script::of_others([turn.clone()])]);
        let whole = ask(&model, api, false, "go", &["Write"]);
        let streamed = ask(&model, api, true, "go", &["Write"]);
        assert!(whole.is_whole && streamed.is_whole, "{api:?}");
        assert_eq!(usage(api, &whole.json()), words, "{api:?}");
        let events = streamed.events();
        let last = events.iter().map(|event| usage(api, event)).rfind(|it| !it.is_null());
        assert_eq!(last, Some(words), "{api:?}");
        for text in ["here you are", "/w/a.txt", "some why"] {
            assert!(whole.body.contains(text) && streamed.body.contains(text), "{api:?}: no {text}");
        }
        let seen = model.asked();
        assert_eq!(seen.iter().map(|it| it.is_streamed).collect::<Vec<_>>(), [false, true]);
        assert!(seen.iter().all(|it| it.told == Some(told) && it.model == "m" && it.tools == ["Write"]), "{api:?}");
        assert_eq!((model.told(), model.told_of(|it| it.is_streamed)), (told + told, told));
        assert_eq!(told.prompt(), 331);
    }
}

#[test]
fn usage_that_nobody_asked_for_is_not_streamed_by_chat() {
    let model = Model::plays([Script::of_others([Turn::says("yes")])]);
    let (path, mut body) = asked(Api::Chat, true, "go", &["Write"]);
    body["stream_options"] = Value::Null;
    let came = send(&model, &path, &[], &body);
    assert!(came.is_whole && !came.body.contains("usage"), "{came:?}");
    assert_eq!(model.asked()[0].told, None);
}

#[test]
fn a_request_takes_a_turn_of_the_first_script_whose_keys_it_holds() {
    let model = Model::plays([
        Script::of("task-a", [Turn::says("a judge")]).and("judge"),
        Script::of("task-a", [Turn::says("first"), Turn::says("then {turn} by {model} in {cwd} at {after file}")]),
        Script::of_others([Turn::says("others")]).aside("a title"),
    ]);
    let says = |words: &str, tools: &[&str]| {
        ask(&model, Api::Anthropic, false, words, tools).json()["content"][0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(says("judge it: task-a", &["Write"]), "a judge");
    assert_eq!(says("do it: task-a", &["Write"]), "first");
    let words = "do it: task-a\nWorking directory: /w/here\nin the file `out/a.txt`.";
    assert_eq!(says(words, &["Write"]), "then 2 by m in /w/here at out/a.txt");
    assert_eq!(says("a name for this?", &[]), "a title");
    assert_eq!(says("do it: task-b", &["Write"]), "others");
    let taken: Vec<_> = model.seen().into_iter().map(|seen| seen.taken).collect();
    let turn = |script: &str, turn| Taken::Turn { script: script.to_owned(), turn };
    assert_eq!(taken, [turn("task-a+judge", 1), turn("task-a", 1), turn("task-a", 2), Taken::Aside, turn("", 1)]);
}

#[test]
fn who_offers_no_tools_gets_the_smallest_value_of_a_schema() {
    let model = Model::plays([Script::of("plain", [Turn::says("a turn")]).without_tools()]);
    let schema = json!({
        "$defs": {"kind": {"enum": ["good", "bad"]}},
        "properties": {
            "kind": {"$ref": "#/$defs/kind"}, "n": {"type": "integer", "minimum": 3}, "all": {"type": "array"},
            "why": {"anyOf": [{"type": "string", "minLength": 6}]}, "is": {"type": ["boolean", "null"]}
        }
    });
    let (path, mut body) = asked(Api::Responses, false, "judge", &[]);
    body["text"] = json!({"format": {"type": "json_schema", "schema": schema}});
    let came = send(&model, &path, &[], &body).json();
    let value: Value = serde_json::from_str(came["output"][0]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(value, json!({"kind": "good", "n": 3, "all": [], "why": "somexx", "is": false}));
    assert!(ask(&model, Api::Chat, false, "plain", &[]).body.contains("a turn"));
}

#[test]
fn a_file_is_written_by_whatever_tool_there_is() {
    let model = Model::plays([Script::of_others([Turn::writes("/w/{after named}", "one\ntwo\n")])]);
    let called = |tools: &[&str]| {
        let call = ask(&model, Api::Responses, false, "a file named a.txt", tools).json()["output"][0].clone();
        let input = call["input"].as_str().or(call["arguments"].as_str()).unwrap().to_owned();
        (call["name"].as_str().unwrap().to_owned(), input)
    };
    assert_eq!(called(&["Bash", "Write"]).0, "Write");
    let (name, patch) = called(&["shell", "apply_patch"]);
    assert_eq!(name, "apply_patch");
    assert_eq!(patch, "*** Begin Patch\n*** Add File: /w/a.txt\n+one\n+two\n*** End Patch\n");
    let (name, arguments) = called(&["shell"]);
    assert_eq!(name, "shell");
    assert!(arguments.contains("cat > '/w/a.txt'"), "{arguments}");
    assert_eq!(called(&["Wait"]).0, "NO_TOOL_TO_WRITE");
}

#[test]
fn the_other_calls_find_their_tools_too() {
    let turns = [
        (Turn::runs("make"), "Bash", json!({"command": "make", "why": "some why"})),
        (Turn::calls(Call::read("a")), "Read", json!({"file_path": "a", "why": "some why"})),
        (Turn::calls(Call::edit("a", "x", "y")), "Edit", json!({"file_path": "a", "why": "some why"})),
        (Turn::calls(Call::exact("Odd", json!({"n": ["{turn}"]}))), "Odd", json!({"n": ["1"]})),
    ];
    for (turn, name, input) in turns {
        let model = Model::plays([Script::of_others([turn])]);
        let came = ask(&model, Api::Anthropic, false, "go", &["Bash", "Read", "Edit"]).json();
        assert_eq!((&came["content"][0]["name"], &came["content"][0]["input"]), (&name.into(), &input));
    }
}

#[test]
fn refusals_come_in_the_words_of_the_api_or_in_those_of_the_script() {
    let own = Turn::refuses(429).header("retry-after", "2").body(json!({"no": "more"}));
    for api in Api::ALL {
        for is_streamed in [false, true] {
            let model = Model::plays([Script::of_others([Turn::refuses(529), own.clone()])]);
            let came = ask(&model, api, is_streamed, "go", &["Write"]);
            assert!(came.head.starts_with("HTTP/1.1 529 ") && came.json()["error"].is_object(), "{came:?}");
            let came = ask(&model, api, is_streamed, "go", &["Write"]);
            assert!(came.head.contains("\r\nretry-after: 2\r\n") && came.json() == json!({"no": "more"}), "{came:?}");
            let known: Vec<_> = model.asked().iter().map(|it| (it.status, it.told)).collect();
            assert_eq!(known, [(Some(529), None), (Some(429), None)]);
        }
    }
}

#[test]
fn an_answer_may_break_off_in_four_ways() {
    for api in Api::ALL {
        let breaks = Turn::says("half").breaking("overloaded_error");
        let model =
            Model::plays([Script::of_others([breaks, Turn::says("half").cut(), Turn::resets(), Turn::hangs()])]);
        let came = ask(&model, api, true, "go", &["Write"]);
        assert!(came.is_whole && came.body.contains("half") && came.body.contains("overloaded_error"), "{came:?}");
        let came = ask(&model, api, true, "go", &["Write"]);
        assert!(!came.is_whole && came.body.contains("half"), "{came:?}");
        let came = ask(&model, api, true, "go", &["Write"]);
        assert!(!came.is_whole && came.head.is_empty(), "{came:?}");

        let (path, body) = asked(api, true, "go", &["Write"]);
        let mut stream = begin(&model, &path, &[], &body);
        assert!(stream.read(&mut [0; 16]).unwrap() > 0);
        assert!(!model.is_asked(4)[3].is_abandoned);
        drop(stream);
        model.waits("leaving", |seen| seen[3].is_abandoned);
    }
}

#[test]
fn what_is_not_streamed_breaks_off_too() {
    let cut = Turn::says("half").cut();
    let model =
        Model::plays([Script::of_others([Turn::says("").breaking("api_error"), cut, Turn::resets(), Turn::hangs()])]);
    let came = ask(&model, Api::Chat, false, "go", &["Write"]);
    assert!(came.head.starts_with("HTTP/1.1 500 ") && came.is_whole, "{came:?}");
    for _ in 0..2 {
        assert!(!ask(&model, Api::Chat, false, "go", &["Write"]).is_whole);
    }
    // The end of the server ends what hangs.
    let (path, body) = asked(Api::Chat, false, "go", &["Write"]);
    let mut stream = begin(&model, &path, &[], &body);
    model.is_asked(4);
    drop(model);
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn an_answer_waits_for_its_gate_and_may_come_in_pieces() {
    let gate = Gate::default();
    let turn = Turn::says("näher").behind(&gate).in_pieces_of(3).stopping("max_tokens");
    let model = Model::plays([Script::of_others([turn])]);
    thread::scope(|scope| {
        let came = scope.spawn(|| ask(&model, Api::Anthropic, true, "go", &["Write"]));
        gate.is_reached_by(1);
        assert_eq!(model.asked()[0].status, None);
        gate.open();
        let came = came.join().unwrap();
        assert!(came.is_whole && came.body.contains("näher") && came.body.contains("max_tokens"), "{came:?}");
    });
}

#[test]
fn only_the_key_is_let_in() {
    let model = Model::plays_for("the-key", [Script::of_others([Turn::says("yes")])]);
    assert_eq!(ask(&model, Api::Anthropic, false, "go", &["Write"]).json()["content"][0]["text"], "yes");
    model.was_asked_only_by("the-key");
    model.never_heard("a-token");
    let (path, body) = asked(Api::Responses, false, "go", &["Write"]);
    let bearer = ("authorization", "Bearer the-key");
    assert!(send(&model, &path, &[bearer], &body).head.contains(" 200 "));
    for wrong in [&[("authorization", "Bearer a-token")][..], &[bearer, ("x-api-key", "a-token")], &[]] {
        assert!(send(&model, &path, wrong, &body).head.contains(" 401 "));
    }
    let (path, body) = asked(Api::Gemini, false, "go", &["Write"]);
    assert!(send(&model, &format!("{path}?key=the-key"), &[], &body).head.contains(" 200 "));
    let seen = model.seen();
    assert_eq!(seen.iter().filter(|it| it.taken == Taken::Unknown).count(), 3);
    assert_eq!(seen.iter().filter(|it| it.holds("a-token")).count(), 2);
    assert_eq!(seen.last().unwrap().credentials, [("?key".to_owned(), "the-key".to_owned())]);
}

#[test]
fn what_needs_no_model_is_answered_too() {
    let model = Model::plays([]);
    assert_eq!(send(&model, "/v1/messages/count_tokens", &[], &json!({})).json()["input_tokens"], 100);
    assert_eq!(send(&model, "/v1beta/models/m:countTokens", &[], &json!({})).json()["totalTokens"], 100);
    assert!(send(&model, "/elsewhere", &[], &json!({})).head.contains(" 404 "));
    assert!(ask(&model, Api::Chat, false, "go", &["Write"]).head.contains(" 404 "));
}
