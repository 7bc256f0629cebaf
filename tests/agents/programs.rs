//! Tells that the real programs understand the scripted model: each does what it is told, without artel, and counts the
//! same tokens.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::clis::{Cli, Ran, ran};
use crate::model::{Api, Model, Script, Taken, Turn};

const KEY: &str = "sk-of-nobody";

/// A folder to work in and a home, both empty.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(desk.home()).unwrap();
        let made = Command::new("git").args(["init", "--quiet"]).arg(desk.work()).status().unwrap();
        assert!(made.success());
        desk
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn run(&self, program: PathBuf, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.work()).env_clear().envs(env.iter().copied());
        // Claude Code keeps sockets and folders beside those of others where nothing else is said.
        command.env("TMPDIR", self.home()).env("HOME", self.home()).env("PATH", std::env::var_os("PATH").unwrap());
        ran(&mut command, self.dir.path())
    }
}

/// A model that has a file written and a last word said.
fn model() -> Model {
    let writes = Turn::writes("{cwd}/a.txt", "one\ntwo\n");
    let says = Turn::says("all is written").thinking("is it?");
    Model::plays_for(KEY, [Script::of("task-a", [writes, says])])
}

/// Asserts that the file was written, the word said, and that it all went by one API and its key. Gives what the program
/// said last.
#[track_caller]
fn last_word(desk: &Desk, ran: &Ran, model: &Model, api: Api) -> Value {
    let seen = model.asked();
    let asked: Vec<_> = seen.iter().map(|it| (&it.target, &it.taken, &it.tools)).collect();
    let told = || format!("{}{}\n{asked:#?}", ran.out, ran.err);
    assert_eq!(ran.code, Some(0), "{}", told());
    assert_eq!(fs::read_to_string(desk.work().join("a.txt")).ok().as_deref(), Some("one\ntwo\n"), "{}", told());
    assert!(ran.out.contains("all is written"), "{}", told());
    let turns = seen.iter().filter(|it| matches!(it.taken, Taken::Turn { .. })).count();
    assert_eq!(turns, 2, "{}", told());
    assert!(seen.iter().all(|it| it.api == Some(api)), "{}", told());
    model.was_asked_only_by(KEY);
    serde_json::from_str(ran.out.lines().last().unwrap()).unwrap()
}

/// Reads numbers of tokens by their places.
fn tokens<const N: usize>(value: &Value, places: [&str; N]) -> [u64; N] {
    places.map(|place| value.pointer(place).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {place} in {value}")))
}

#[test]
fn claude_code_understands_the_model() {
    let Some(program) = Cli::Claude.program() else { return };
    let (desk, model) = (Desk::new(), model());
    let args = ["-p", "do task-a", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"];
    let url = model.url();
    let env = [
        ("ANTHROPIC_BASE_URL", url.as_str()),
        ("ANTHROPIC_API_KEY", KEY),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ];
    let ran = desk.run(program, &args, &env);
    let last = last_word(&desk, &ran, &model, Api::Anthropic);
    let names = ["/input_tokens", "/cache_read_input_tokens", "/cache_creation_input_tokens", "/output_tokens"];
    let told = model.told();
    assert_eq!(tokens(&last["usage"], names), [told.input, told.cache_read, told.cache_write, told.output]);
    assert_eq!(tokens(&last["usage"], ["/output_tokens_details/thinking_tokens"]), [told.reasoning]);
}

#[test]
fn codex_understands_the_model() {
    let Some(program) = Cli::Codex.program() else { return };
    let (desk, model) = (Desk::new(), model());
    let config = format!(
        r#"check_for_update_on_startup = false
model = "gpt-5-codex"
model_provider = "scripted"
[model_providers.scripted]
name = "scripted"
base_url = "{}/v1"
env_key = "SCRIPTED_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false
[analytics]
enabled = false
[feedback]
enabled = false
"#,
        model.url()
    );
    let home = desk.home();
    fs::write(home.join("config.toml"), config).unwrap();
    let args = ["exec", "--json", "--disable", "plugins", "--dangerously-bypass-approvals-and-sandbox", "do task-a"];
    let env = [("CODEX_HOME", home.to_str().unwrap()), ("SCRIPTED_KEY", KEY)];
    let ran = desk.run(program, &args, &env);
    let last = last_word(&desk, &ran, &model, Api::Responses);
    let names = ["/input_tokens", "/cached_input_tokens", "/cache_write_input_tokens", "/output_tokens"];
    let told = model.told();
    assert_eq!(tokens(&last["usage"], names), [told.prompt(), told.cache_read, told.cache_write, told.output]);
    assert_eq!(tokens(&last["usage"], ["/reasoning_output_tokens"]), [told.reasoning]);
}

fn goose(api: Api, env: &[(&str, &str)]) {
    let Some(program) = Cli::Goose.program() else { return };
    let (desk, model) = (Desk::new(), model());
    let url = model.url();
    let mut all = vec![
        ("GOOSE_MODEL", "a-model"),
        ("GOOSE_MODE", "auto"),
        ("GOOSE_DISABLE_KEYRING", "1"),
        ("GOOSE_DISABLE_SESSION_NAMING", "true"),
        ("OPENAI_HOST", &url),
        ("ANTHROPIC_HOST", &url),
    ];
    all.extend(env);
    let ran = desk.run(program, &["run", "--output-format", "stream-json", "-q", "-t", "do task-a"], &all);
    let last = last_word(&desk, &ran, &model, api);
    let names = ["/input_tokens", "/cache_read_input_tokens", "/cache_write_input_tokens", "/output_tokens"];
    let told = model.told();
    assert_eq!(tokens(&last, names), [told.prompt(), told.cache_read, told.cache_write, told.output]);
}

#[test]
fn goose_understands_the_model_by_chat() {
    goose(Api::Chat, &[("GOOSE_PROVIDER", "openai"), ("OPENAI_API_KEY", KEY)]);
}

#[test]
fn goose_understands_the_model_by_messages() {
    goose(Api::Anthropic, &[("GOOSE_PROVIDER", "anthropic"), ("ANTHROPIC_API_KEY", KEY)]);
}

#[test]
fn goose_asks_chatgpt_by_a_login_that_it_cannot_renew() {
    let Some(program) = Cli::Goose.program() else { return };
    let (desk, vendor) = (Desk::new(), model());
    let folder = desk.home().join(".config/goose/chatgpt_codex");
    fs::create_dir_all(&folder).unwrap();
    let ends = "2100-01-01T00:00:00Z";
    let given = json!({"access_token": KEY, "refresh_token": "", "expires_at": ends, "account_id": "a"});
    fs::write(folder.join("tokens.json"), given.to_string()).unwrap();
    let url = vendor.url();
    let env = [
        ("GOOSE_PROVIDER", "chatgpt_codex"),
        ("GOOSE_MODEL", "gpt-5.4"),
        ("GOOSE_MODE", "auto"),
        ("GOOSE_DISABLE_KEYRING", "1"),
        ("GOOSE_DISABLE_SESSION_NAMING", "true"),
        ("HTTPS_PROXY", url.as_str()),
    ];
    let ran = desk.run(program, &["run", "-q", "-t", "do task-a"], &env);
    let asked: BTreeSet<String> = vendor.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(asked, ["chatgpt.com:443".to_owned()].into(), "{}{}", ran.out, ran.err);
}
