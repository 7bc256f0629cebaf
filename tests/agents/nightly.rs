//! Tells how further programs do tasks for artel by the protocol. They are large, so that only `ARTEL_NIGHTLY=1 .ci/test`
//! fetches them; without that, each test says that it was skipped.

use std::path::{Path, PathBuf};

use crate::common::said;
use crate::llm::keyed;
use crate::model::{Model, Script, Turn, Usage};
use crate::stage::{crew, run, told};
use crate::workers::{KEY, counted, found_below};

const TASK: &str = "[{key: task-a, brief: \"This is task-a: write the file.\", paths: [b.txt]}]";

/// A program that is fetched for this alone: where, the line by which a role names it, and what its repository holds.
struct Nightly {
    folder: &'static str,
    bin: &'static str,
    line: &'static str,
    files: &'static [(&'static str, &'static str)],
}

impl Nightly {
    /// Gives the folders that `PATH` must hold; says so where the program is not here.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
    fn path(&self) -> Option<PathBuf> {
        let below = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/nightly");
        let (bin, node) = (below.join(self.folder).join("node_modules/.bin"), below.join("node/node_modules/node/bin"));
        if !bin.join(self.bin).exists() || !node.join("node").exists() {
            eprintln!("skipped: {} is not here; ARTEL_NIGHTLY=1 .ci/test installs it where it may", self.bin);
            return None;
        }
        Some(format!("{}:{}", bin.display(), node.display()).into())
    }
}

#[track_caller]
fn does_a_task(program: &Nightly) {
    let Some(path) = program.path() else { return };
    let used = Usage { input: 1234, cache_read: 300, cache_write: 0, output: 77, reasoning: 0 };
    let turns = [Turn::runs("echo after > b.txt").using(used), Turn::says("It is written.").using(used)];
    let model = Model::plays_for(KEY, [Script::of("task-a", turns)]);
    let mut files = vec![("a.txt", "before\n")];
    files.extend(program.files);
    let house = crew("", TASK, &files);
    let role = format!("worker.agents=[{:?}]", format!("acp:{}", program.line));
    let mut command = house.command(&run(&role, &["--sandbox", "bubblewrap"]));
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    said(&keyed(&mut command, &model).env("PATH", path).output().unwrap()).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    model.was_asked_only_by(KEY);
    assert_eq!(counted(&house), model.told(), "what was counted is what the model told");
    assert!(!told(&house, "CallMade").is_empty());
    assert_eq!(found_below(house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
}

#[test]
fn gemini_cli_does_a_task_by_the_protocol() {
    let line = "gemini --acp -m gemini-2.5-pro";
    does_a_task(&Nightly { folder: "gemini-cli", bin: "gemini", line, files: &[] });
}

#[test]
fn opencode_does_a_task_by_the_protocol() {
    let files: &[(&str, &str)] = &[(
        "opencode.json",
        "{\"$schema\": \"https://opencode.ai/config.json\", \"model\": \"anthropic/claude-sonnet-4-5\", \"small_model\": \"anthropic/claude-sonnet-4-5\"}\n",
    )];
    does_a_task(&Nightly { folder: "opencode-ai", bin: "opencode", line: "opencode acp", files });
}

#[test]
fn qwen_code_does_a_task_by_the_protocol() {
    let line = "env OPENAI_MODEL=gpt-4.1 qwen --acp --auth-type openai";
    does_a_task(&Nightly { folder: "qwen-code", bin: "qwen", line, files: &[] });
}

#[test]
fn copilot_does_a_task_by_the_protocol() {
    let line = "env COPILOT_MODEL=gpt-4.1 copilot --acp";
    does_a_task(&Nightly { folder: "copilot", bin: "copilot", line, files: &[] });
}
