//! Tells that the document which describes the server is kept under fire: every operation is asked with what fits it and
//! with what does not, and each answer is one that the document promises. The fuzzer is one that `.ci/test` installs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::said;
use crate::crew::{open_gate, playing};
use crate::wire::{Server, gated};

fn fuzzer() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/fuzzer/bin/schemathesis");
    program.exists().then_some(program)
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
    let server = Server::started(&house, &[], &[("ARTEL_TEST_WRONG_AT_ONCE", "1000")]);
    house.until("both attempts run or are through", || house.board()["counts"]["running"] != 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let at = &server.at;
    let mut command = Command::new(fuzzer);
    command
        .current_dir(house.root())
        .env("HOME", house.root())
        .arg("--config-file")
        .arg(root.join("tests/web/fuzzing.toml"))
        .arg("run")
        .arg(format!("http://{at}/api/v1/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {}", server.token("operator"))]);
    let fuzzed = said(&command.output().unwrap());
    assert_eq!(fuzzed.code, Some(0), "{}\n{}", fuzzed.out, fuzzed.err);
    server.get("viewer", "/api/v1/runs").is(200);
}
