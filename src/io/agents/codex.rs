//! Owns the agent `codex`: Codex without a screen, its command line, and what its event stream says. Never asks it for
//! anything while it runs.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::agent::{Agent, AgentError, Ending, Left, Play, Report, report};
use super::brief::{Brief, Desk};
use super::door::{Door, TOKEN_VARIABLE};
use super::found::{Found, Programs, quoted};
use super::limits::{is_limit, resets_at_ms};
use super::lines::each_event;
use super::login::Login;
use super::told::{Told, count, text};
use crate::io::process::Program;
use crate::model::role::Effort;
use crate::model::spend::Tokens;

/// How the program is got.
pub(super) const HOW_TO_GET: &str = "npm install -g @openai/codex";

/// Settings that keep it to its task: no traffic but the model's, no updates, nothing that the provider would do on the
/// network in its place.
const SETTINGS: [&str; 4] =
    ["check_for_update_on_startup=false", "analytics.enabled=false", "feedback.enabled=false", "web_search=disabled"];

/// Settings that lead it to the gateway, whose address only the shell knows.
const GATEWAY: [&str; 8] = [
    "model_provider='artel'",
    "model_providers.artel.name='artel'",
    "model_providers.artel.base_url='http://$ARTEL_GATE/openai/v1'",
    "model_providers.artel.env_key='OPENAI_API_KEY'",
    "model_providers.artel.wire_api='responses'",
    "model_providers.artel.supports_websockets=false",
    "model_providers.artel.request_max_retries=2",
    "model_providers.artel.stream_max_retries=2",
];

/// Settings that lead it to its tools.
const TOOLS: [&str; 2] =
    ["mcp_servers.artel.url='http://$ARTEL_GATE/mcp'", "mcp_servers.artel.bearer_token_env_var='ARTEL_TOKEN'"];

/// The folder on its desk in which it keeps its settings and sessions.
const HOME: &str = "codex";

/// The file in that folder from which it reads its login.
const LOGIN_FILE: &str = "auth.json";

/// Plays briefs by Codex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codex {
    programs: Programs,
    model: Option<String>,
    effort: Option<Effort>,
    door: Option<Door>,
    /// The login that it is let use.
    login: Option<Login>,
}

impl Codex {
    /// Takes where programs are found, the model, and what leads to artel; where that leads to no models it uses its own
    /// login, and keeps its files where that lies.
    pub fn new(programs: Programs, model: Option<String>, door: Option<Door>) -> Self {
        Self { programs, model, effort: None, door, login: None }
    }

    /// Says how hard it is to think; as it does by itself without.
    #[must_use]
    pub fn thinking(self, effort: Option<Effort>) -> Self {
        Self { effort, ..self }
    }

    /// Lets it use its own login.
    #[must_use]
    pub fn logged_in(self, login: Login) -> Self {
        Self { login: Some(login), ..self }
    }
}

impl Agent for Codex {
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError> {
        let Found { program, read } = self.programs.get("codex", HOW_TO_GET)?;
        let mut env = brief.env(desk);
        env.insert("NO_COLOR".to_owned(), "1".to_owned());
        let mut line = String::new();
        let key = self.door.as_ref().and_then(Door::key);
        if let Some(key) = key {
            env.insert("OPENAI_API_KEY".to_owned(), key.to_owned());
            env.insert("CODEX_HOME".to_owned(), desk.file(HOME).to_string_lossy().into_owned());
            // It refuses a home that is not there.
            line.push_str("mkdir -p \"$CODEX_HOME\" && ");
        }
        if let Some(login) = &self.login {
            env.extend(login.variables());
            env.insert("CODEX_HOME".to_owned(), desk.file(HOME).to_string_lossy().into_owned());
            line.push_str("unset OPENAI_API_KEY; mkdir -p \"$CODEX_HOME\" && ");
            line.push_str(&Login::written_to(&format!("\"$CODEX_HOME/{LOGIN_FILE}\"")));
        }
        // Only in a home that is the session's own: else there is none named, or it is the user's.
        if brief.resumes.is_some() && env.contains_key("CODEX_HOME") {
            // Its indexes name the folder in which they were made; it makes them anew from the sessions themselves.
            line.push_str("rm -f \"$CODEX_HOME\"/*.sqlite* && ");
        }
        let native = Native::behind(&program);
        if let Some(tools) = native.as_ref().and_then(|native| native.tools.as_ref()) {
            line.push_str(&format!("export PATH={}:\"$PATH\" && ", quoted(&tools.to_string_lossy())));
        }
        let program = native.map_or(program, |native| native.program);
        line.push_str(&format!("exec {} exec --json --skip-git-repo-check", quoted(&program.to_string_lossy())));
        // Its own sandbox would have to be made inside ours, which lets nobody make another.
        line.push_str(" --dangerously-bypass-approvals-and-sandbox --disable plugins");
        SETTINGS.iter().for_each(|setting| line.push_str(&format!(" -c {setting}")));
        if key.is_some() {
            GATEWAY.iter().for_each(|setting| line.push_str(&format!(" -c \"{setting}\"")));
        }
        if let Some(door) = &self.door {
            env.insert(TOKEN_VARIABLE.to_owned(), door.token().to_owned());
            TOOLS.iter().for_each(|setting| line.push_str(&format!(" -c \"{setting}\"")));
        }
        if let Some(model) = &self.model {
            line.push_str(&format!(" --model {}", quoted(model)));
        }
        if let Some(effort) = self.effort {
            line.push_str(&format!(" -c model_reasoning_effort={}", effort.word()));
        }
        if let Some(schema) = brief.schema_file(desk) {
            line.push_str(&format!(" --output-schema {schema}"));
        }
        if let Some(resumed) = &brief.resumes {
            line.push_str(&format!(" resume {}", quoted(&resumed.session)));
        }
        line.push_str(&format!(" - < {}", brief.first_word(desk)));
        let home = env.contains_key("CODEX_HOME").then_some(HOME);
        Ok(Play::Process { program: Program::Shell(line), files: brief.files()?, env, read, home })
    }

    fn read(&self, left: Left<'_>) -> Report {
        let mut story = Story::default();
        each_event(left.log, |event| story.hear(&event));
        let told = Told { session: story.session, tokens: story.tokens, nano_usd: None, cumulative: true };
        report(left, story.ending, told).saying(story.said)
    }
}

/// Names the program that the package's script starts, and the folder of tools that it finds there.
#[derive(Debug, PartialEq, Eq)]
struct Native {
    program: PathBuf,
    tools: Option<PathBuf>,
}

impl Native {
    /// Finds the program behind the script of the npm package; nothing where the program is no such script or the package
    /// is laid out in another way, and is to be run as it is.
    fn behind(script: &Path) -> Option<Self> {
        let (platform, triple) = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => ("linux-x64", "x86_64-unknown-linux-musl"),
            ("linux", "aarch64") => ("linux-arm64", "aarch64-unknown-linux-musl"),
            ("macos", "x86_64") => ("darwin-x64", "x86_64-apple-darwin"),
            ("macos", "aarch64") => ("darwin-arm64", "aarch64-apple-darwin"),
            _ => return None,
        };
        if script.extension().is_none_or(|ending| ending != "js") {
            return None;
        }
        let package = format!("node_modules/@openai/codex-{platform}/vendor/{triple}");
        let vendor = script.ancestors().map(|folder| folder.join(&package)).find(|folder| folder.is_dir())?;
        let program = ["bin/codex", "codex/codex"].map(|name| vendor.join(name)).into_iter().find(|it| it.is_file())?;
        let tools = ["codex-path", "path"].map(|name| vendor.join(name)).into_iter().find(|it| it.is_dir());
        Some(Self { program, tools })
    }
}

/// Collects what the event stream tells.
#[derive(Debug, Default)]
struct Story {
    session: Option<String>,
    tokens: Option<Tokens>,
    ending: Option<Ending>,
    /// Its last message.
    said: String,
}

impl Story {
    fn hear(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("thread.started") => self.session = text(event, "thread_id"),
            Some("item.completed") if event["item"]["type"] == "agent_message" => {
                event["item"]["text"].as_str().unwrap_or_default().clone_into(&mut self.said);
            }
            // A turn that goes on after another has not ended as that did.
            Some("turn.started") if !matches!(self.ending, Some(Ending::Failed(_) | Ending::Limited(..))) => {
                self.ending = None;
            }
            Some("turn.completed") => {
                self.tokens = event["usage"].is_object().then(|| tokens(&event["usage"]));
                if self.ending.is_none() {
                    self.ending = Some(Ending::Done);
                }
            }
            Some("turn.failed") => {
                let why = text(&event["error"], "message").unwrap_or_else(|| "it does not say why".to_owned());
                self.ending = Some(if is_limit(&why) {
                    // The time is written in the zone of the machine, which the process shares.
                    let resets_at_ms = resets_at_ms(&why, &TimeZone::system());
                    Ending::Limited(why, resets_at_ms)
                } else {
                    Ending::Failed(format!("codex failed: {why}"))
                });
            }
            _ => {}
        }
    }
}

/// Reads a count of a whole thread, whose input contains what came from the cache or went into it.
pub(super) fn tokens(usage: &Value) -> Tokens {
    let (cache_read, cache_write) = (count(usage, "cached_input_tokens"), count(usage, "cache_write_input_tokens"));
    let input = count(usage, "input_tokens").saturating_sub(cache_read).saturating_sub(cache_write);
    let (output, reasoning) = (count(usage, "output_tokens"), count(usage, "reasoning_output_tokens"));
    Tokens { input, cache_read, cache_write, output, reasoning, ..Tokens::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::agent::Stance;
    use super::super::brief::Resumed;
    use super::super::brief::testing::brief;
    use super::super::found::testing::program;
    use super::*;
    use crate::io::process::How;

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/transcripts/codex/{name}.jsonl"))
    }

    fn read(how: How, log: &Path) -> Report {
        let codex = Codex::new(Programs::default(), None, None);
        codex.read(Left { how, tail: "the end", log, handoff: Ok(None) })
    }

    fn of(name: &str, code: i32) -> Report {
        read(How::Exited(code), &fixture(name))
    }

    fn of_text(text: &str) -> Report {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), text).unwrap();
        read(How::Exited(0), &dir.path().join("log"))
    }

    #[test]
    fn a_turn_that_completed_is_done_and_tells_what_the_thread_used() {
        let report = of("success", 0);
        assert_eq!(report.stance, Stance::Done);
        let session = Some("01a2042a-dae6-7813-9041-e59018bfe397".to_owned());
        let tokens = Some(Tokens {
            input: 2000,
            cache_read: 6000,
            cache_write: 0,
            output: 100,
            reasoning: 14,
            ..Tokens::default()
        });
        assert_eq!(report.told, Told { session, tokens, nano_usd: None, cumulative: true });
        assert_eq!(of("429-short", 0).stance, Stance::Done);
        let resumed = of("resumed", 0);
        assert_eq!(resumed.stance, Stance::Done);
        assert_eq!(
            resumed.told.tokens,
            Some(Tokens {
                input: 3000,
                cache_read: 9000,
                cache_write: 0,
                output: 150,
                reasoning: 21,
                ..Tokens::default()
            })
        );
    }

    #[test]
    fn what_a_session_that_goes_on_tells_of_all_of_it_is_counted_once() {
        let all = of("resumed", 0).told;
        let first = Told { session: all.session.clone(), ..of("success", 0).told };
        let own = Tokens { input: 1000, cache_read: 3000, output: 50, reasoning: 7, ..Tokens::default() };
        assert_eq!(all.since(Some(&first)).tokens, Some(own));
    }

    #[test]
    fn a_limit_is_told_with_its_end_where_that_is_written() {
        let Stance::Limited { why, resets_at_ms: Some(at) } = of("usage-limit", 1).stance else { panic!("no limit") };
        assert!(why.contains("usage limit"), "{why}");
        let day = jiff::civil::datetime(2026, 11, 23, 2, 13, 0, 0).to_zoned(TimeZone::system()).unwrap();
        assert_eq!(at, day.timestamp().as_millisecond());
        let failed = "{\"type\":\"turn.failed\",\"error\":{\"message\":\"exceeded retry limit, last status: 429 Too Many Requests\"}}";
        assert!(matches!(of_text(failed).stance, Stance::Limited { resets_at_ms: None, .. }));
    }

    #[test]
    fn a_turn_that_failed_is_a_failure_whatever_the_code() {
        for (name, words) in [("401", "unexpected status 401"), ("500", "high demand"), ("context", "ran out of room")]
        {
            let Stance::Failed { why } = of(name, 0).stance else { panic!("{name} is no failure") };
            assert!(why.contains(words), "{name}: {why}");
        }
        let text = std::fs::read_to_string(fixture("401")).unwrap();
        let and_then = format!("{text}{{\"type\":\"turn.completed\",\"usage\":{{}}}}\n");
        assert!(
            matches!(of_text(&and_then).stance, Stance::Failed { .. }),
            "a turn that completed after one that failed"
        );
    }

    #[test]
    fn a_stream_that_was_cut_or_is_garbage_is_a_failure_with_its_last_lines() {
        let whole = std::fs::read_to_string(fixture("success")).unwrap();
        let failed = Stance::Failed { why: "exited with 0:\nthe end".to_owned() };
        for cut in [0, 40, whole.len() / 2, whole.trim_end().len() - 1] {
            let end = (0..=cut).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
            assert_eq!(of_text(&whole[..end]).stance, failed, "cut at {end}");
        }
        for garbage in
            ["{\"type\":[\"turn.completed\"]}", "turn.completed", "{\"type\":\"turn.started\"}", "{\"type\":null}"]
        {
            assert_eq!(of_text(garbage).stance, failed, "{garbage}");
        }
        let huge = "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":-4,\"cached_input_tokens\":99999999999999999999,\"output_tokens\":\"7\"}}";
        assert_eq!(of_text(huge).told.tokens, Some(Tokens::default()));
        let going_on = format!("{whole}{{\"type\":\"turn.started\"}}\n");
        assert_eq!(of_text(&going_on).stance, failed, "a turn that never ended");
    }

    #[test]
    fn it_is_given_its_brief_on_its_input_and_the_gateway_by_its_settings() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        program(&root.join("node_modules/@openai/codex/bin/codex.js"), "#!/usr/bin/env node\n");
        std::fs::create_dir_all(root.join("node_modules/.bin")).unwrap();
        let link = root.join("node_modules/.bin/codex");
        std::os::unix::fs::symlink("../@openai/codex/bin/codex.js", link).unwrap();
        let programs = Programs::new(Some(root.join("node_modules/.bin").display().to_string()), None);
        let desk = Desk::at(root.join("desk"));
        let line = |model: Option<&str>, door: Option<Door>| {
            let codex =
                Codex::new(programs.clone(), model.map(str::to_owned), door).thinking(model.map(|_| Effort::High));
            let Play::Process { program: Program::Shell(line), env, read, .. } = codex.play(&brief(), &desk).unwrap()
            else {
                panic!("no line for a shell")
            };
            assert_eq!(read, [root.join("node_modules")]);
            (line.replace(&*root.to_string_lossy(), "DIR"), env)
        };
        let (plain, env) = line(None, None);
        insta::assert_snapshot!(plain);
        assert!(!env.contains_key("CODEX_HOME") && !env.contains_key("OPENAI_API_KEY"), "{env:?}");
        let (gated, env) = line(Some("gpt-5-codex"), Some(Door::to_models_and_tools("token".to_owned())));
        insta::assert_snapshot!(gated);
        assert_eq!(env["CODEX_HOME"], desk.file("codex").to_string_lossy());
    }

    #[test]
    fn it_goes_on_in_a_session_and_by_its_own_login_where_it_is_let() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("codex"), "");
        let programs = Programs::new(Some(dir.path().display().to_string()), None);
        let desk = Desk::at(dir.path().join("desk"));
        let home = BTreeMap::from([("HOME".to_owned(), dir.path().display().to_string())]);
        std::fs::create_dir(dir.path().join(".codex")).unwrap();
        let kept = r#"{"tokens":{"id_token":"id","access_token":"at","refresh_token":"rt","account_id":"a"}}"#;
        std::fs::write(dir.path().join(".codex/auth.json"), kept).unwrap();
        let login = Login::read(&"codex".parse().unwrap(), &home, 0).unwrap().unwrap();
        let resumes = Resumed::of("01a2042a-dae6", Desk::at("/earlier".into()));
        let brief = Brief { resumes, ..brief() };
        let codex = Codex::new(programs, None, Some(Door::to_tools("token".to_owned()))).logged_in(login);
        let Play::Process { program: Program::Shell(line), env, home, .. } = codex.play(&brief, &desk).unwrap() else {
            panic!("no line for a shell")
        };
        let written = "printf %s \"$ARTEL_LOGIN_TOKEN\" > \"$CODEX_HOME/auth.json\") && unset ARTEL_LOGIN_TOKEN";
        assert!(line.contains(written), "{line}");
        assert!(line.contains(" resume 01a2042a-dae6 - < "), "{line}");
        assert!(line.ends_with("desk/go-on.md"), "{line}");
        assert!(!line.contains("model_provider=") && !line.contains("at\""), "{line}");
        assert_eq!((home, env["CODEX_HOME"].as_str()), (Some("codex"), desk.file("codex").to_str().unwrap()));
        assert!(env["ARTEL_LOGIN_TOKEN"].contains("\"at\"") && !env["ARTEL_LOGIN_TOKEN"].contains("\"rt\""));
        for session in ["", "-c", "a b", "$(x)", "a/../b"] {
            assert_eq!(Resumed::of(session, Desk::at("/d".into())), None, "{session:?}");
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn the_program_behind_the_script_of_the_package_is_run_itself() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("node_modules/@openai/codex/bin/codex.js");
        assert_eq!(Native::behind(&script), None);
        let vendor = dir.path().join("node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl");
        program(&vendor.join("bin/codex"), "");
        assert_eq!(Native::behind(&script), Some(Native { program: vendor.join("bin/codex"), tools: None }));
        std::fs::create_dir_all(vendor.join("path")).unwrap();
        assert_eq!(Native::behind(&script).unwrap().tools, Some(vendor.join("path")));
        assert_eq!(Native::behind(&dir.path().join("bin/codex")), None);
    }
}
