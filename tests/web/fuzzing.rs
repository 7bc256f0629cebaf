//! Tells that the document which describes the server is kept under fire: every operation is asked with what fits it and
//! with what does not, and each answer is one that the document promises. The fuzzer is one that `.ci/test` installs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::said;
use crate::crew::{open_gate, playing};
use crate::wire::{Server, gated};

/// Operations that do nothing here whatever is asked, and why.
const NEVER_DONE: [(&str, &str); 5] = [
    ("POST /api/v1/runs", "it needs the path of a goal file of the server's machine, which nobody guesses"),
    ("POST /api/v1/plans", "it needs one too"),
    ("POST /api/v1/notices", "nobody has named a channel"),
    ("GET /api/v1/runs/{run}/plan/draft", "no plan waits for a word"),
    ("GET /api/v1/runs/{run}/tasks/{task}/tokens", "no model is there that counts them"),
];

/// The operation that gives the document, which the fuzzer reads first and asks for no more.
const DOCUMENT: &str = "GET /api/v1/openapi.json";

fn fuzzer() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/fuzzer/bin/schemathesis");
    program.exists().then_some(program)
}

/// Gives the statuses with which each operation was answered, by what the fuzzer noted.
fn answers(noted: &str) -> BTreeMap<String, BTreeSet<u64>> {
    let mut answers: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for line in noted.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let recorder = &event["ScenarioFinished"]["recorder"];
        let Some(operation) = recorder["label"].as_str() else { continue };
        let asked = recorder["interactions"].as_object().into_iter().flat_map(|asked| asked.values());
        let statuses = asked.filter_map(|one| one["response"]["status_code"].as_u64());
        answers.entry(operation.to_owned()).or_default().extend(statuses);
    }
    answers
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
fn no_request_that_a_fuzzer_thinks_of_is_answered_otherwise_than_described() {
    let Some(fuzzer) = fuzzer() else {
        assert!(std::env::var_os("CI").is_none(), "there is no schemathesis: .ci/test installs it");
        eprintln!("note: there is no schemathesis; run .ci/test");
        return;
    };
    let house = gated("");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&playing(&["--name", "finished"])).exits(0);
    // One more that waits at its gates, and one that waits for a word.
    std::fs::remove_file(house.root().join("gate-t1")).unwrap();
    house.artel(&playing(&["--open-only", "--name", "open"])).exits(0);
    let server = Server::started(&house, &[], &[("ARTEL_TEST_AT_ONCE", "1000000")]);
    house.until("both attempts run or are through", || house.board()["counts"]["running"] != 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (at, noted) = (&server.at, house.root().join("noted.ndjson"));
    let mut command = Command::new(fuzzer);
    command
        .current_dir(house.root())
        .env("HOME", house.root())
        .arg("--config-file")
        .arg(root.join("tests/web/fuzzing.toml"))
        .arg("run")
        .arg(format!("http://{at}/api/v1/openapi.json"))
        .arg("--report-ndjson-path")
        .arg(&noted)
        .args(["--header", &format!("Authorization: Bearer {}", server.token("operator"))]);
    let fuzzed = said(&command.output().unwrap());
    assert_eq!(fuzzed.code, Some(0), "{}\n{}", fuzzed.out, fuzzed.err);
    let document = server.get("viewer", "/api/v1/openapi.json").is(200).json();
    let answers = answers(&std::fs::read_to_string(&noted).unwrap());
    let never: BTreeSet<&str> = NEVER_DONE.iter().map(|(operation, _)| *operation).collect();
    let mut left = never.clone();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let operation = format!("{} {path}", method.to_uppercase());
            if operation == DOCUMENT {
                continue;
            }
            let statuses = answers.get(&operation).cloned().unwrap_or_default();
            assert!(!statuses.is_empty(), "{operation} was never asked: {answers:?}");
            let is_done = statuses.iter().any(|status| *status < 400);
            assert_ne!(is_done, never.contains(&*operation), "{operation} was answered with {statuses:?}");
            left.remove(&*operation);
        }
    }
    assert!(left.is_empty(), "the document has no {left:?}");
}
