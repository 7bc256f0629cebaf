//! Tells how further programs do tasks for artel by the protocol, by a key and by logins of their own. They are large, so
//! that only `ARTEL_NIGHTLY=1 .ci/test` fetches them; without that, each test says that it was skipped.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use crate::common::said;
use crate::llm::keyed;
use crate::model::{COPILOT_MODEL, Model, Script, Seen, Turn, Usage};
use crate::seats::asks;
use crate::stage::{crew, run, told};
use crate::workers::{KEY, counted, found_below};

const TASK: &str = "[{key: task-a, brief: \"This is task-a: write the file.\", paths: [b.txt]}]";

/// A program that is fetched for this alone: where, the line by which a role names it, and what its repository holds.
struct Nightly<'a> {
    folder: &'static str,
    bin: &'static str,
    line: &'a str,
    files: &'a [(&'static str, &'static str)],
}

impl Nightly<'_> {
    /// Gives the folders that `PATH` must hold; says so where the program is not here.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
    fn path(&self) -> Option<PathBuf> {
        let below = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/nightly");
        let (bin, node) = (below.join(self.folder).join("node_modules/.bin"), below.join("node/node_modules/node/bin"));
        if !bin.join(self.bin).exists() || !node.join("node").exists() {
            assert!(std::env::var_os("ARTEL_NIGHTLY").is_none(), "{} is not here: .ci/test installs it", self.bin);
            eprintln!("skipped: {} is not here; ARTEL_NIGHTLY=1 .ci/test installs it where it may", self.bin);
            return None;
        }
        Some(format!("{}:{}", bin.display(), node.display()).into())
    }
}

#[track_caller]
fn does_a_task(program: &Nightly<'_>) {
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

const CODEX: Nightly<'_> = Nightly {
    folder: "codex-acp",
    bin: "codex-acp",
    line: "env CODEX_CONFIG='{\"model\":\"gpt-5-codex\"}' codex-acp",
    files: &[],
};
const CLAUDE: Nightly<'_> =
    Nightly { folder: "claude-agent-acp", bin: "claude-agent-acp", line: "claude-agent-acp", files: &[] };

#[test]
fn codex_does_a_task_by_the_protocol() {
    does_a_task(&CODEX);
}

#[test]
fn claude_code_does_a_task_by_the_protocol() {
    does_a_task(&CLAUDE);
}

#[test]
fn codex_plans_by_the_protocol_in_the_session_in_which_it_asked_a_person() {
    plans_where_it_asked(&CODEX);
}

#[test]
fn claude_code_plans_by_the_protocol_in_the_session_in_which_it_asked_a_person() {
    plans_where_it_asked(&CLAUDE);
}

#[track_caller]
fn plans_where_it_asked(program: &Nightly<'_>) {
    let path = program.path();
    if path.is_some() {
        asks(&format!("acp:{}", program.line), path);
    }
}

/// What a session is not to be given.
const RENEWS: &str = "1//what-renews-the-token";

/// What a program has that works by a login of its own: the name of that, what it asks models by, the file below the home and the variables that
/// artel is started with, and the variables that lead it to a vendor on this machine, which its role lets through.
struct Own<'a> {
    login: &'a str,
    token: &'a str,
    file: Option<(&'a str, serde_json::Value)>,
    variables: &'a [(&'a str, &'a str)],
    leads: &'a [(&'a str, &'a str)],
}

/// Tells that a program does a task by the login that its role grants, and by nothing else; gives what was counted.
#[track_caller]
fn does_a_task_by_its_own_login(program: &Nightly<'_>, model: &Model, own: &Own<'_>) -> Option<Usage> {
    let path = program.path()?;
    let house = crew("", TASK, &[("a.txt", "before\n")]);
    let home = house.root().join("somebody");
    fs::create_dir(&home).unwrap();
    if let Some((file, kept)) = &own.file {
        fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
        fs::write(home.join(file), kept.to_string()).unwrap();
    }
    let role = format!("worker.agents=[{:?}]", format!("acp:{}", program.line));
    let (logins, names) = (format!("worker.grants.logins={}", own.login), own.leads.iter().map(|(name, _)| *name));
    let env = format!("worker.grants.env={}", names.collect::<Vec<_>>().join(","));
    let mut args = run(&role, &["--sandbox", "none"]);
    args.extend(["--role", &logins, "--role", &env]);
    let mut command = house.command(&args);
    command.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap())).env("HOME", &home);
    command.envs(own.leads.iter().chain(own.variables).copied());
    let note = format!("role worker may use your own login of {}: the tokens that it uses are as told", own.login);
    said(&command.output().unwrap()).exits(0).says(&note).says("it tells no price");
    assert_eq!(house.landed("b.txt"), "after");
    model.was_asked_only_by(own.token);
    assert!(model.seen().iter().all(|seen| !seen.holds(RENEWS)), "what renews the login never leaves its file");
    let calls = told(&house, "CallMade");
    let own_words = calls.iter().filter(|call| call["call"]["told"] == true).count();
    assert_eq!(own_words, 1, "{calls:?}");
    house.artel(&["cost"]).exits(0).says("as told by the agent").says("which told no price");
    for secret in [own.token, RENEWS] {
        assert_eq!(found_below(&house.home(), secret), Vec::<String>::new(), "nothing that artel keeps holds it");
    }
    Some(counted(&house))
}

/// A model that has a task done, and counts what that uses.
fn writing(token: &str) -> Model {
    let used = Usage { input: 1234, cache_read: 300, cache_write: 0, output: 77, reasoning: 0 };
    let turns = [Turn::runs("echo after > b.txt").using(used), Turn::says("It is written.").using(used)];
    Model::plays_for(token, [Script::of("task-a", turns)])
}

#[test]
fn gemini_cli_works_by_its_own_login_where_that_is_granted() {
    let program = Nightly { folder: "gemini-cli", bin: "gemini", line: "gemini --acp -m gemini-2.5-pro", files: &[] };
    let token = "ya29.a-token-of-somebody";
    let model = writing(token);
    let kept = json!({"access_token": token, "refresh_token": RENEWS, "token_type": "Bearer", "expiry_date": 4_102_444_800_000_i64});
    let url = model.url();
    let own = Own {
        login: "gemini",
        token,
        file: Some((".gemini/oauth_creds.json", kept)),
        variables: &[],
        leads: &[("CODE_ASSIST_ENDPOINT", url.as_str())],
    };
    let Some(counted) = does_a_task_by_its_own_login(&program, &model, &own) else { return };
    let told = model.told();
    // It does not say which of them came from a cache.
    assert_eq!((counted.input, counted.output), (told.prompt(), told.output));
}

#[test]
fn copilot_works_by_a_token_of_its_own_where_that_is_granted() {
    let line = format!("copilot --acp --model {COPILOT_MODEL}");
    let program = Nightly { folder: "copilot", bin: "copilot", line: &line, files: &[] };
    let token = "github_pat_a_token_of_somebody";
    let model = writing(token);
    let url = model.url();
    let own = Own {
        login: "copilot",
        token,
        file: None,
        variables: &[("COPILOT_GITHUB_TOKEN", token), ("GH_TOKEN", RENEWS)],
        leads: &[("COPILOT_API_URL", &url), ("COPILOT_DEBUG_GITHUB_API_URL", &url)],
    };
    let Some(counted) = does_a_task_by_its_own_login(&program, &model, &own) else { return };
    assert_eq!(counted, model.told(), "its word is what the model told");
}

#[test]
fn opencode_asks_chatgpt_by_a_login_that_it_cannot_renew() {
    let program = Nightly { folder: "opencode-ai", bin: "opencode", line: "", files: &[] };
    let Some(path) = program.path() else { return };
    let (vendor, dir) = (Model::plays([]), tempfile::tempdir().unwrap());
    let model = "openai/gpt-5.5";
    let config = json!({"model": model, "small_model": model, "autoupdate": false, "share": "disabled"});
    let ends_ms = 4_102_444_800_000_i64;
    let given =
        json!({"openai": {"type": "oauth", "access": "at", "refresh": "", "expires": ends_ms, "accountId": "a"}});
    let mut command = Command::new("opencode");
    command.args(["run", "--format", "json", "do task-a"]).current_dir(dir.path()).env_clear();
    command.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap())).env("HOME", dir.path());
    command.env("TMPDIR", dir.path()).env("HTTPS_PROXY", vendor.url());
    for name in ["OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_LSP_DOWNLOAD", "OPENCODE_DISABLE_MODELS_FETCH"] {
        command.env(name, "1");
    }
    command.env("OPENCODE_CONFIG_CONTENT", config.to_string()).env("OPENCODE_AUTH_CONTENT", given.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It asks again and again, so that it ends with this only.
    let _group = Group(command.process_group(0).spawn().unwrap());
    let is_to = |seen: &Seen, host: &str| seen.target.contains(host);
    vendor.waits("ChatGPT", |seen| seen.iter().filter(|seen| is_to(seen, "chatgpt.com:443")).count() > 1);
    let asked = vendor.seen();
    assert!(asked.iter().all(|seen| !is_to(seen, "openai.com")), "nobody is asked to renew it: {asked:#?}");
}

/// A process whose group ends with this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
