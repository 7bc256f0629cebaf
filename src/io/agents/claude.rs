//! Owns the agent `claude`: Claude Code without a screen, its command line, and what its event stream says. Never asks it
//! for anything while it runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::agent::{Agent, AgentError, Ending, Left, Play, Report, report};
use super::brief::{Brief, Desk};
use super::door::{Door, GATE_VARIABLE, TOKEN_VARIABLE, TOOLS};
use super::found::{Programs, quoted};
use super::lines::each_event;
use super::login::Login;
use super::told::{Told, count, nano_usd, text};
use crate::io::process::Program;
use crate::model::role::{Effort, Limits};
use crate::model::spend::Tokens;

/// How the program is got.
pub(super) const HOW_TO_GET: &str = "npm install -g @anthropic-ai/claude-code";

/// Tools by which a worker would leave its worktree, set itself to work later, or speak to sessions beside it.
const TOOLS_REFUSED: &str = "EnterWorktree,ExitWorktree,Workflow,CronCreate,CronDelete,CronList,ScheduleWakeup,\
                             RemoteTrigger,ListAgents,SendMessage";

/// The tools of its own that a planner or judge has: those that look, and a shell whose files nobody can change.
const TOOLS_THAT_LOOK: &str = "Bash,Glob,Grep,Read";

/// Tools that change something; what these did is not undone by what others were denied.
const TOOLS_THAT_CHANGE: [&str; 5] = ["Bash", "Edit", "MultiEdit", "NotebookEdit", "Write"];

/// Environment that keeps it to its task: no traffic but the model's, no updates, no ten tries over minutes, all tools in
/// sight; and the leave to work unasked, which it gives to the superuser only in a sandbox.
const ENVIRONMENT: [(&str, &str); 8] = [
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("DISABLE_TELEMETRY", "1"),
    ("DISABLE_ERROR_REPORTING", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("CLAUDE_CODE_MAX_RETRIES", "3"),
    ("ENABLE_TOOL_SEARCH", "false"),
    ("IS_SANDBOX", "1"),
    ("NO_COLOR", "1"),
];

/// The folder on its desk in which it keeps its settings and sessions.
const HOME: &str = "claude";

/// Plays briefs by Claude Code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claude {
    programs: Programs,
    model: Option<String>,
    effort: Option<Effort>,
    door: Option<Door>,
    /// The login that it is let use, with the options by which it bounds itself then.
    login: Option<(Login, String)>,
}

impl Claude {
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

    /// Lets it use its own login, within limits that it holds itself to: nobody else counts then.
    #[must_use]
    pub fn logged_in(self, login: Login, limits: &Limits) -> Self {
        let mut bounds = String::new();
        if limits.calls > 0 {
            bounds.push_str(&format!(" --max-turns {}", limits.calls));
        }
        if limits.nano_usd > 0 {
            // Each cent of it: a nano-dollar less is no less to anybody.
            bounds.push_str(&format!(" --max-budget-usd {:.4}", limits.nano_usd as f64 / 1e9));
        }
        Self { login: Some((login, bounds)), ..self }
    }
}

impl Agent for Claude {
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError> {
        let found = self.programs.get("claude", HOW_TO_GET)?;
        let mut env = brief.env(desk);
        env.extend(ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut files = brief.files()?;
        let mut line = String::new();
        if let Some(key) = self.door.as_ref().and_then(Door::key) {
            env.insert("ANTHROPIC_API_KEY".to_owned(), key.to_owned());
            env.insert("CLAUDE_CONFIG_DIR".to_owned(), desk.file(HOME).to_string_lossy().into_owned());
            // Whatever else could say who pays would be taken for the key.
            line.push_str("unset ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN; ");
            line.push_str("export ANTHROPIC_BASE_URL=\"http://$ARTEL_GATE/anthropic\"; ");
        }
        if let Some((login, _)) = &self.login {
            env.extend(login.variables());
            env.insert("CLAUDE_CONFIG_DIR".to_owned(), desk.file(HOME).to_string_lossy().into_owned());
            line.push_str("unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN; ");
        }
        line.push_str(&format!(
            "exec {} -p --output-format stream-json --verbose --permission-mode bypassPermissions {} \
             --disallowedTools {TOOLS_REFUSED}",
            quoted(&found.program.to_string_lossy()),
            match &brief.resumes {
                Some(resumed) => format!("--resume {}", quoted(&resumed.session)),
                None => format!("--session-id {}", session_of(brief)),
            },
        ));
        if brief.is_to_read() {
            line.push_str(&format!(" --tools {TOOLS_THAT_LOOK}"));
        }
        if let Some(door) = &self.door {
            env.insert(TOKEN_VARIABLE.to_owned(), door.token().to_owned());
            files.insert(TOOLS_FILE.to_owned(), tools_file());
            let place = desk.file(TOOLS_FILE);
            line.push_str(&format!(" --strict-mcp-config --mcp-config {}", quoted(&place.to_string_lossy())));
        }
        if let Some(schema) = brief.schema_file(desk) {
            line.push_str(&format!(" --json-schema \"$(cat {schema})\""));
        }
        if let Some(model) = &self.model {
            line.push_str(&format!(" --model {}", quoted(model)));
        }
        if let Some(effort) = self.effort {
            line.push_str(&format!(" --effort {}", effort.word()));
        }
        if let Some((_, bounds)) = &self.login {
            line.push_str(bounds);
        }
        line.push_str(&format!(" < {}", brief.first_word(desk)));
        let home = env.contains_key("CLAUDE_CONFIG_DIR").then_some(HOME);
        Ok(Play::Process { program: Program::Shell(line), files, env, read: found.read, home })
    }

    fn read(&self, left: Left<'_>) -> Report {
        let mut story = Story::default();
        each_event(left.log, |event| story.hear(&event));
        let said = story.last.as_ref().map(last_word).unwrap_or_default();
        let (ending, told) = story.end();
        report(left, ending, told).saying(said)
    }
}

/// Gives what a result says last: by the schema that it was held to, where it did that.
fn last_word(result: &Value) -> String {
    match &result["structured_output"] {
        answer if answer.is_object() => answer.to_string(),
        _ => result["result"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The file on its desk that says where its tools are.
const TOOLS_FILE: &str = "mcp.json";

/// Says where its tools are, by the variables that it fills in itself: the token stands in no file.
fn tools_file() -> String {
    let headers = json!({"Authorization": format!("Bearer ${{{TOKEN_VARIABLE}}}")});
    let server = json!({"type": "http", "url": format!("http://${{{GATE_VARIABLE}}}/mcp"), "headers": headers});
    json!({"mcpServers": {TOOLS: server}}).to_string()
}

/// Names an attempt's session as a UUID that is the same whenever it is asked for.
fn session_of(brief: &Brief) -> String {
    let digest = Sha256::digest(format!("artel session {} {}", brief.run, brief.seat));
    let mut bytes: Vec<u8> = digest.iter().take(16).copied().collect();
    // Version 5 and variant 1: a name that was hashed.
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Collects what the event stream tells.
#[derive(Debug, Default)]
struct Story {
    session: Option<String>,
    /// When the limit that was met is lifted, in milliseconds since 1970.
    resets_at_ms: Option<i64>,
    /// Calls of tools that change something and have not come back, by id.
    under_way: BTreeSet<String>,
    has_changed: bool,
    /// What was used since the result before, summed.
    since: Option<(Tokens, u64)>,
    last: Option<Value>,
}

impl Story {
    fn hear(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("system") if event["subtype"] == "init" => self.session = text(event, "session_id"),
            Some("rate_limit_event") => self.hear_of_limit(&event["rate_limit_info"]),
            Some("assistant") => {
                for call in parts(event, "tool_use") {
                    let changes = call["name"].as_str().is_some_and(|name| TOOLS_THAT_CHANGE.contains(&name));
                    if let Some(id) = text(call, "id").filter(|_| changes) {
                        self.under_way.insert(id);
                    }
                }
            }
            Some("user") => {
                for answer in parts(event, "tool_result") {
                    let was_one = text(answer, "tool_use_id").is_some_and(|id| self.under_way.remove(&id));
                    self.has_changed |= was_one && answer["is_error"] != true;
                }
            }
            Some("result") => self.hear_of_result(event),
            _ => {}
        }
    }

    fn hear_of_limit(&mut self, limit: &Value) {
        let is_met = limit["status"] == "rejected";
        let resets_s = limit["resetsAt"].as_i64().filter(|s| *s > 0);
        self.resets_at_ms = resets_s.filter(|_| is_met).and_then(|s| s.checked_mul(1000));
    }

    fn hear_of_result(&mut self, event: &Value) {
        self.session = text(event, "session_id").or_else(|| self.session.take());
        if let Some(used) = event["model_usage_since_last_result"].as_object() {
            let (tokens, nano) = self.since.get_or_insert_default();
            for model in used.values() {
                *tokens += tokens_of_model(model);
                *nano = nano.saturating_add(nano_usd(&model["costUSD"]).unwrap_or(0));
            }
        }
        self.last = Some(event.clone());
    }

    fn end(self) -> (Option<Ending>, Told) {
        let Self { session, resets_at_ms, has_changed, since, last, .. } = self;
        let Some(last) = last else { return (None, Told { session, ..Told::default() }) };
        let told = match since {
            Some((tokens, nano)) => Told { session, tokens: Some(tokens), nano_usd: Some(nano), cumulative: false },
            None => {
                Told { session, tokens: whole(&last), nano_usd: nano_usd(&last["total_cost_usd"]), cumulative: true }
            }
        };
        (Some(ending(&last, has_changed, resets_at_ms)), told)
    }
}

/// Lists the parts of one kind of a message.
pub(super) fn parts<'a>(event: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    let kind = kind.to_owned();
    event["message"]["content"].as_array().into_iter().flatten().filter(move |part| part["type"] == kind.as_str())
}

fn tokens_of_model(model: &Value) -> Tokens {
    Tokens {
        input: count(model, "inputTokens"),
        cache_read: count(model, "cacheReadInputTokens"),
        cache_write: count(model, "cacheCreationInputTokens"),
        output: count(model, "outputTokens"),
        ..Tokens::default()
    }
}

/// Sums what a result says of all of the session.
pub(super) fn whole(result: &Value) -> Option<Tokens> {
    let models = result["modelUsage"].as_object()?;
    let mut tokens = Tokens::default();
    models.values().for_each(|model| tokens += tokens_of_model(model));
    Some(tokens)
}

/// Judges the last result. Its `subtype` is no sign: it is `success` where the model's provider refused.
pub(super) fn ending(result: &Value, has_changed: bool, resets_at_ms: Option<i64>) -> Ending {
    let errors = result["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let said = text(result, "result").unwrap_or_else(|| errors.take(5).collect::<Vec<_>>().join("; "));
    let reason = text(result, "terminal_reason");
    let of_api = [text(result, "api_error"), text(result, "api_error_type")];
    let says = |word: &str| of_api.iter().flatten().any(|it| it == word);
    let is_error =
        result["is_error"] != false || result["api_error_status"].is_number() || of_api.iter().any(Option::is_some);
    if is_error || reason.as_deref() != Some("completed") {
        let is_limit = result["api_error_status"] == 429
            || says("rate_limit_error")
            || says("usage_limit_reached")
            || says("billing_error");
        if is_error && is_limit {
            return Ending::Limited(said, resets_at_ms);
        }
        let reason = reason.or_else(|| text(result, "subtype")).unwrap_or_else(|| "an error".to_owned());
        return Ending::Failed(format!("claude ended by {reason}: {said}"));
    }
    let denied: Vec<&str> = result["permission_denials"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|denial| denial["tool_name"].as_str().unwrap_or("a tool"))
        .collect();
    if !denied.is_empty() && !has_changed {
        return Ending::Failed(format!("claude changed nothing: it was denied {}", denied.join(", ")));
    }
    Ending::Done
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::super::agent::Stance;
    use super::super::brief::testing::brief;
    use super::super::found::testing::program;
    use super::*;
    use crate::io::process::How;

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/transcripts/claude/{name}.jsonl"))
    }

    fn read(how: How, log: &std::path::Path) -> Report {
        let claude = Claude::new(Programs::default(), None, None);
        claude.read(Left { how, tail: "the end", log, handoff: Ok(None) })
    }

    fn of(name: &str, code: i32) -> Report {
        read(How::Exited(code), &fixture(name))
    }

    fn of_text(text: &str) -> Report {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), text).unwrap();
        read(How::Exited(0), &dir.path().join("log"))
    }

    fn tokens(input: u64, cache_read: u64, cache_write: u64, output: u64) -> Option<Tokens> {
        Some(Tokens { input, cache_read, cache_write, output, ..Tokens::default() })
    }

    #[test]
    fn a_session_that_completed_is_done_and_tells_what_it_used() {
        let report = of("success", 0);
        assert_eq!(report.stance, Stance::Done);
        let session = Some("dc0f8243-5388-4bbf-b5be-1b54656616bb".to_owned());
        let tokens = tokens(2000, 6000, 400, 100);
        assert_eq!(report.told, Told { session, tokens, nano_usd: Some(13_200_000), cumulative: false });
        for name in ["429-short", "schema"] {
            assert_eq!(of(name, 0).stance, Stance::Done, "{name}");
        }
    }

    #[test]
    fn a_session_that_was_taken_up_again_tells_its_own_part_only() {
        let report = of("resumed", 0);
        assert_eq!(report.stance, Stance::Done);
        assert_eq!((report.told.tokens, report.told.nano_usd), (tokens(1000, 3000, 200, 50), Some(6_600_000)));
        let old = std::fs::read_to_string(fixture("resumed")).unwrap().replace("since_last_result", "of_something");
        let told = of_text(&old).told;
        assert_eq!((told.tokens, told.nano_usd), (tokens(3000, 9000, 600, 150), Some(19_800_000)));
        assert!(told.cumulative);
    }

    #[test]
    fn a_limit_is_told_with_its_end_where_that_is_known() {
        let Stance::Limited { why, resets_at_ms } = of("usage-limit", 1).stance else { panic!("no limit") };
        assert!(why.starts_with("You've hit your 5-hour limit"), "{why}");
        assert_eq!(resets_at_ms, Some(1_795_400_000_000));
        let Stance::Limited { why, resets_at_ms } = of("429", 1).stance else { panic!("no limit") };
        assert!(why.contains("429") && resets_at_ms.is_none(), "{why}");
    }

    #[test]
    fn an_error_is_a_failure_though_its_subtype_is_success() {
        for (name, words) in [
            ("500", "api_error: API Error: 500"),
            ("401", "api_error: Invalid API key"),
            ("max-turns", "max_turns: Reached maximum number of turns (3)"),
            ("budget", "budget_exhausted: Reached maximum budget"),
            ("interrupted", "aborted_streaming"),
            ("no-such-session", "No conversation found"),
        ] {
            // The exit code of an interrupted session is 0.
            let Stance::Failed { why } = of(name, 0).stance else { panic!("{name} is no failure") };
            assert!(why.contains(words), "{name}: {why}");
        }
        assert_eq!(of("budget", 1).told.tokens, tokens(200_000, 3000, 200, 10_000));
    }

    #[test]
    fn who_was_denied_and_changed_nothing_has_done_nothing() {
        let Stance::Failed { why } = of("denied", 0).stance else { panic!("no failure") };
        assert_eq!(why, "claude changed nothing: it was denied Write");
        // Denied one thing and let do another, it may have found its way.
        let text = std::fs::read_to_string(fixture("denied")).unwrap();
        assert_eq!(of_text(&text.replace("\"is_error\":true", "\"is_error\":false")).stance, Stance::Done);
    }

    #[test]
    fn a_stream_that_was_cut_is_a_failure_with_its_last_lines() {
        let whole = std::fs::read_to_string(fixture("success")).unwrap();
        for cut in [0, 40, whole.len() / 2, whole.trim_end().len() - 1] {
            let end = (0..=cut).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
            let failed = Stance::Failed { why: "exited with 0:\nthe end".to_owned() };
            assert_eq!(of_text(&whole[..end]).stance, failed, "cut at {end}");
        }
        let gone = read(How::Signalled(9), std::path::Path::new("/nowhere/log")).stance;
        assert_eq!(gone, Stance::Failed { why: "ended by signal 9:\nthe end".to_owned() });
    }

    #[test]
    fn garbage_is_passed_over_and_never_taken_for_success() {
        for garbage in [
            "{\"type\":\"result\"}",
            "{\"type\":\"result\",\"is_error\":\"false\",\"terminal_reason\":\"completed\"}",
            "{\"type\":\"result\",\"is_error\":0,\"terminal_reason\":\"completed\"}",
            "{\"type\":\"result\",\"is_error\":false,\"terminal_reason\":[\"completed\"]}",
            "{\"type\":\"result\",\"is_error\":false,\"terminal_reason\":\"completed\",\"api_error_status\":500}",
            "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\",\"resetsAt\":9e300}}",
            "{\"type\":\"assistant\",\"message\":{\"content\":{\"a\":7}}}",
            "\u{0}\u{1b}[2J{}",
        ] {
            let report = of_text(garbage);
            assert!(matches!(report.stance, Stance::Failed { .. }), "{garbage}: {report:?}");
        }
        let whole = std::fs::read_to_string(fixture("success")).unwrap();
        let strewn = whole.replace('\n', "\n{{{\n[1,2]\n\"type\"\nnull\n{\"type\":7}\n");
        assert_eq!(of_text(&strewn).stance, Stance::Done);
    }

    #[test]
    fn it_is_given_its_brief_on_its_input_and_the_gateway_by_its_variables() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("bin/claude"), "#!/bin/sh\n");
        let programs = Programs::new(Some(dir.path().join("bin").display().to_string()), None);
        let desk = Desk::at(dir.path().join("desk"));
        let line = |model: Option<&str>, door: Option<Door>| {
            let claude =
                Claude::new(programs.clone(), model.map(str::to_owned), door).thinking(model.map(|_| Effort::High));
            let played = claude.play(&brief(), &desk).unwrap();
            let Play::Process { program: Program::Shell(line), files, env, read, .. } = played else {
                panic!("no line for a shell")
            };
            assert!(files.values().all(|text| !text.contains("token")), "{files:?}");
            assert_eq!(read, [dir.path().canonicalize().unwrap().join("bin")]);
            let named = [dir.path().canonicalize().unwrap(), dir.path().to_owned()];
            (named.iter().fold(line, |line, it| line.replace(&*it.to_string_lossy(), "DIR")), env)
        };
        let (plain, env) = line(None, None);
        insta::assert_snapshot!(plain);
        assert!(!env.contains_key("CLAUDE_CONFIG_DIR") && !env.contains_key("ANTHROPIC_API_KEY"), "{env:?}");
        let (gated, env): (String, BTreeMap<String, String>) =
            line(Some("opus[1m]"), Some(Door::to_models_and_tools("token".to_owned())));
        insta::assert_snapshot!(gated);
        assert_eq!(env["ANTHROPIC_API_KEY"], "token");
        assert_eq!(env["CLAUDE_CONFIG_DIR"], desk.file("claude").to_string_lossy());
    }

    #[test]
    fn who_plans_or_judges_has_tools_that_look_alone() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("claude"), "#!/bin/sh\n");
        let claude = Claude::new(Programs::new(Some(dir.path().display().to_string()), None), None, None);
        let line = |seat: &str| {
            let played =
                claude.play(&Brief { seat: seat.parse().unwrap(), ..brief() }, &Desk::at("/desk".into())).unwrap();
            let Play::Process { program: Program::Shell(line), .. } = played else { panic!("no line for a shell") };
            line
        };
        for seat in ["s0/1", "t1.1/1"] {
            assert!(line(seat).contains(" --tools Bash,Glob,Grep,Read "), "{}", line(seat));
        }
        assert!(!line("t1.1").contains("--tools"));
    }

    #[test]
    fn a_session_has_one_name_and_no_other_has_it() {
        let session = session_of(&brief());
        assert_eq!((session.len(), &session[14..15]), (36, "5"));
        assert_eq!(session, session_of(&brief()));
        let mut other = brief();
        other.seat = "t1.2".parse().unwrap();
        assert_ne!(session, session_of(&other));
    }

    #[test]
    fn who_does_not_have_it_is_told_how_to_get_it() {
        let error = Claude::new(Programs::default(), None, None).play(&brief(), &Desk::at("/desk".into())).unwrap_err();
        assert!(error.to_string().contains("npm install -g @anthropic-ai/claude-code"), "{error}");
    }
}
