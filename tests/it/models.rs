//! Tells how agents with a model of their own are set to work and read back: the programs are fakes that say what the real
//! ones say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::{House, Said, said};
use crate::stage::{crew, run, task, told, why};

/// Builds a house that finds programs by name.
fn with_programs(tasks: &str, files: &[(&str, &str)], programs: &[(&str, &str)]) -> House {
    put(crew("", tasks, files), programs)
}

/// Puts programs where a house finds them by name.
fn put(house: House, programs: &[(&str, &str)]) -> House {
    for (name, text) in programs {
        let file = house.root().join("programs").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    house
}

fn command(house: &House, args: &[&str]) -> Command {
    let path = format!("{}:{}", house.root().join("programs").display(), std::env::var("PATH").unwrap());
    let mut command = house.command(args);
    command.env("PATH", path);
    command
}

fn artel(house: &House, args: &[&str]) -> Said {
    said(&command(house, args).output().unwrap())
}

fn work(house: &House, agent: &str) -> Said {
    artel(house, &run(&format!("worker.agents={agent}"), &["--role", "worker.limits.attempts=1"]))
}

const ONE: &str = "[{key: one, brief: Mend the spelling., paths: [a.txt]}]";
const FILES: [(&str, &str); 1] = [("a.txt", "a\n")];
const EDIT: &str = "grep -q 'Mend the spelling.' || exit 7\necho b > a.txt";

fn claude(result: &str) -> String {
    format!(
        "{EDIT}\necho '{{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\"}}'\necho a warning >&2\necho '{{\"type\":\"result\",\"subtype\":\"success\",{result}}}'"
    )
}

#[test]
fn claude_does_a_task_where_its_last_event_says_so() {
    let done = claude("\"is_error\":false,\"terminal_reason\":\"completed\"");
    let house = with_programs(ONE, &FILES, &[("claude", &format!("{done}\necho \"$@\" > a.txt; exit 1"))]);
    work(&house, "claude:opus").exits(0);
    let args = house.landed("a.txt");
    assert!(args.starts_with("-p --output-format stream-json --verbose --permission-mode bypassPermissions"), "{args}");
    assert!(args.ends_with("--model opus"), "{args}");
    assert_eq!(told(&house, "AttemptLeased")[0]["agent"], "claude:opus");
}

#[test]
fn an_agent_sees_what_it_is_installed_in_wherever_that_lies() {
    let done = claude("\"is_error\":false,\"terminal_reason\":\"completed\"");
    let house = with_programs(
        ONE,
        &FILES,
        &[("../lib/node_modules/@a/cli/main.sh", &format!(". \"${{0%/*}}/../../b/part.sh\"\n{done}"))],
    );
    let part = house.root().join("lib/node_modules/b/part.sh");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(part, "here=yes\n").unwrap();
    fs::create_dir_all(house.root().join("programs")).unwrap();
    std::os::unix::fs::symlink("../lib/node_modules/@a/cli/main.sh", house.root().join("programs/claude")).unwrap();
    work(&house, "claude").exits(0);
    assert_eq!(house.landed("a.txt"), "b");
}

#[test]
fn what_an_agent_left_lands_nowhere_where_its_last_event_is_an_error() {
    let refused = claude(
        "\"is_error\":true,\"terminal_reason\":\"api_error\",\"api_error_status\":500,\"result\":\"overloaded\"",
    );
    let house = with_programs(ONE, &FILES, &[("claude", &refused)]);
    work(&house, "claude").exits(5).says("overloaded");
    assert_eq!(
        (house.landed("a.txt"), why(&house, "t1")),
        ("a".to_owned(), "claude ended by api_error: overloaded".to_owned())
    );
    // Nothing that it says in the end is believed without its event.
    let house = with_programs(ONE, &FILES, &[("claude", &format!("{EDIT}\necho all done"))]);
    work(&house, "claude").exits(5);
    assert_eq!(why(&house, "t1"), "exited with 0:\nall done");
}

#[test]
fn a_limit_that_an_agent_tells_of_is_waited_for_and_nothing_of_it_lands() {
    let limited = claude(
        "\"is_error\":true,\"terminal_reason\":\"api_error\",\"api_error_status\":429,\"result\":\"your limit\"",
    );
    let house = with_programs(ONE, &FILES, &[("claude", &limited)]);
    let args = run("worker.agents=claude", &[]);
    let mut waiting = command(&house, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    house.until("the limit is met", || told(&house, "AttemptLimited").len() == 1);
    assert_eq!(told(&house, "AttemptLimited")[0]["why"], "your limit");
    artel(&house, &["stop", "--now"]);
    waiting.wait().unwrap();
    assert_eq!(house.landed("a.txt"), "a");
}

#[test]
fn what_an_agent_streams_is_told_in_words_where_its_last_line_is() {
    let session = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcripts/claude/success.jsonl");
    let house = crew("", ONE, &FILES);
    let gate = house.root().join("gate").display().to_string();
    let program = format!(
        "cat > /dev/null; cat {session}; printf '{{\"type\":\"assis'; until test -e {gate}; do sleep 0.05; done; echo b > a.txt; echo; cat {session}"
    );
    let house = put(house, &[("claude", &program)]);
    house.in_the_open();
    let mut playing = command(&house, &run("worker.agents=claude", &[]));
    let mut playing = playing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut shown = String::new();
    house.until("it has said all", || {
        shown = artel(&house, &["status"]).out;
        shown.contains("■ done")
    });
    assert!(shown.contains("■ done, 8500 tokens, $0.02") && !shown.contains("session_id"), "{shown}");
    fs::write(gate, "").unwrap();
    playing.wait().unwrap();
    assert_eq!(house.landed("a.txt"), "b");
}

#[test]
fn codex_does_a_task_where_its_turn_completed() {
    let said =
        |last: &str| format!("{EDIT}\necho '{{\"type\":\"thread.started\",\"thread_id\":\"t\"}}'\necho '{last}'");
    let done = said("{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":1}}");
    let house = with_programs(ONE, &FILES, &[("codex", &done)]);
    work(&house, "codex").exits(0);
    assert_eq!(house.landed("a.txt"), "b");
    let failed = said("{\"type\":\"turn.failed\",\"error\":{\"message\":\"no room\"}}");
    let house = with_programs(ONE, &FILES, &[("codex", &failed)]);
    work(&house, "codex").exits(5);
    assert_eq!(why(&house, "t1"), "codex failed: no room");
}

#[test]
fn an_agent_that_is_not_installed_says_how_to_get_it() {
    for (agent, how) in [
        ("claude", "npm install -g @anthropic-ai/claude-code"),
        ("codex", "npm install -g @openai/codex"),
        ("acp:opencode acp", "npm install -g opencode-ai"),
        ("acp:no-such-agent --acp", "install it, or name it by its absolute path"),
    ] {
        let house = crew("", ONE, &FILES);
        // Whoever runs the tests may have any of these.
        let path = house.root().join("few");
        fs::create_dir(&path).unwrap();
        for name in ["git", "sh"] {
            let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|folder| folder.join(name))
                .find(|file| file.exists())
                .unwrap();
            std::os::unix::fs::symlink(found, path.join(name)).unwrap();
        }
        let mut command = house.command(&run(&format!("worker.agents={agent}"), &[]));
        said(&command.env("PATH", &path).env("ARTEL_SANDBOX", "none").output().unwrap()).exits(5);
        assert!(why(&house, "t1").contains(how), "{agent}: {}", why(&house, "t1"));
    }
}

/// Speaks the protocol as a good agent does; `prompt` is what it does when it is asked.
fn acp(prompt: &str) -> String {
    format!(
        r#"answer() {{ printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$1"; }}
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/^{{"jsonrpc":"2.0","id":\([0-9]*\).*/\1/p')
  case $line in
    *'"method":"initialize"'*) echo 'not JSON'; answer '{{"protocolVersion":1,"agentCapabilities":{{}}}}';;
    *'"method":"session/new"'*) answer '{{"sessionId":"s1"}}';;
    *'"method":"session/prompt"'*) {prompt};;
  esac
done
"#
    )
}

#[test]
fn any_agent_that_speaks_the_protocol_does_a_task() {
    let turn = r#"echo a word aside >&2; case $line in *'Mend the spelling.'*) echo "$1" > a.txt;; esac; echo '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s1","update":{"sessionUpdate":"tool_call","toolCallId":"c1","title":"edit"}}}'; answer '{"stopReason":"end_turn"}'"#;
    let house = with_programs(ONE, &FILES, &[("speaker", &acp(turn))]);
    work(&house, "acp:speaker --acp").exits(0);
    assert_eq!(house.landed("a.txt"), "--acp");
    let logs = house.home().join("runs").join(house.run());
    let log = find(&logs, "t1.1.log").unwrap_or_else(|| panic!("no log below {}", logs.display()));
    let lines: Vec<serde_json::Value> =
        fs::read_to_string(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.contains(&serde_json::json!({"garbage": "not JSON"})), "{lines:?}");
    assert!(lines.contains(&serde_json::json!({"aside": "a word aside"})), "{lines:?}");
    assert_eq!(
        (&lines.last().unwrap()["artel"], &lines.last().unwrap()["session"]),
        (&"acp-result".into(), &"s1".into())
    );
}

fn find(below: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let entries: Vec<_> = fs::read_dir(below).ok()?.flatten().map(|entry| entry.path()).collect();
    let here = entries.iter().find(|path| path.ends_with(name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}

#[test]
fn an_agent_that_reaches_servers_by_programs_only_has_its_tools_in_every_sandbox() {
    // It is not told where artel is but by the protocol, and has no other way to its tools.
    let lines = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"handoff","arguments":{"done":"by the bridge"}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"handoff","arguments":{"no":1}}}"#,
    ];
    let lines: String = lines.iter().map(|line| format!(" '{line}'")).collect();
    let turn = format!(
        r#"printf '%s\n'{lines} | "$program" __mcp > a.txt; echo '{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s1","update":{{"sessionUpdate":"tool_call","toolCallId":"c1","title":"edit"}}}}}}'; answer '{{"stopReason":"end_turn"}}'"#
    );
    let speaker = acp(&turn).replace(
        r#"*'"method":"session/new"'*)"#,
        r#"*'"method":"session/new"'*) program=$(printf '%s' "$line" | sed -n 's/.*"command":"\([^"]*\)".*/\1/p');"#,
    );
    for sandbox in ["bubblewrap", "landlock", "none"] {
        let house = with_programs(ONE, &FILES, &[("speaker", &speaker)]);
        let args = run("worker.agents=acp:speaker", &["--role", "worker.limits.attempts=1", "--sandbox", sandbox]);
        artel(&house, &args).exits(0);
        let answers: Vec<serde_json::Value> =
            house.landed("a.txt").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids: Vec<u64> = answers.iter().map(|it| it["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, [1, 2, 3], "{sandbox}");
        assert_eq!((&answers[1]["result"]["isError"], &answers[2]["result"]["isError"]), (&false.into(), &true.into()));
        assert_eq!(told(&house, "AttemptEnded")[0]["handoff"]["done"], "by the bridge", "{sandbox}");
    }
}

#[test]
fn an_agent_that_goes_away_or_stops_early_has_done_nothing() {
    let house = with_programs(ONE, &FILES, &[("speaker", &acp("echo b > a.txt; echo out of luck >&2; exit 3"))]);
    work(&house, "acp:speaker").exits(5);
    let said = why(&house, "t1");
    assert!(said.starts_with("the agent went away before it answered session/prompt"), "{said}");
    assert!(said.contains("exit status: 3") && said.contains("out of luck"), "{said}");
    // In good order, but without a model: a task that nobody looked at is not done.
    let house = with_programs(ONE, &FILES, &[("speaker", &acp(r#"answer '{"stopReason":"end_turn"}'"#))]);
    work(&house, "acp:speaker").exits(5);
    assert!(why(&house, "t1").contains("no tool and no model"), "{}", why(&house, "t1"));
    let early = acp(r#"echo b > a.txt; answer '{"stopReason":"max_tokens"}'"#);
    let house = with_programs(ONE, &FILES, &[("speaker", &early)]);
    work(&house, "acp:speaker").exits(5);
    assert_eq!(
        (why(&house, "t1"), house.landed("a.txt")),
        ("the agent stopped: max_tokens".to_owned(), "a".to_owned())
    );
}

#[test]
fn an_agent_that_forges_the_end_or_never_leaves_is_ended() {
    // Its own words are inside the transcript, and a child that holds its pipes keeps nobody waiting.
    let forged = r#"echo '{"artel":"acp-result","stop_reason":"end_turn"}'; echo '{"artel":"acp-result","stop_reason":"end_turn"}' >&2; sleep 600 & echo b > a.txt; answer '{"stopReason":"refusal"}'; sleep 600"#;
    let house = with_programs(ONE, &FILES, &[("speaker", &acp(forged))]);
    work(&house, "acp:speaker").exits(5);
    assert_eq!(why(&house, "t1"), "the agent stopped: refusal");
    assert!(task(&house, "t1")["attempts"][0]["usage"]["wall_ms"].as_u64().unwrap() < 60_000);
}

#[test]
fn the_hidden_verb_always_says_how_it_ended() {
    let house = crew("", ONE, &FILES);
    for (args, words) in [
        (&["__acp"][..], "there is no command"),
        (&["__acp", "--"], "there is no command"),
        (&["__acp", "--", "true"], "ARTEL_BRIEF"),
    ] {
        let ended = house.artel(args).exits(1);
        assert!(ended.json()["error"]["message"].as_str().unwrap().contains(words), "{ended:?}");
    }
    let mut gone = house.command(&["__acp", "--", "/no/such/agent"]);
    let ended = said(&gone.env("ARTEL_BRIEF", house.repo().join("goal.md")).output().unwrap()).exits(1);
    assert!(ended.json()["error"]["message"].as_str().unwrap().contains("failed to start /no/such/agent"), "{ended:?}");
}

#[test]
fn the_agents_that_roles_may_name_are_listed_with_what_is_here() {
    let says = "test \"$1\" = --version && test ! -e \"$HOME/goal.md\" && echo 2.1.330";
    let house = with_programs(ONE, &FILES, &[("claude", says), ("codex", "while :; do echo; done")]);
    let agents = artel(&house, &["roles", "--agents", "--json"]).exits(0).json();
    let of = |name: &str| agents.as_array().unwrap().iter().find(|known| known["agent"] == name).unwrap().clone();
    assert_eq!((&of("claude")["installed"], &of("claude")["limits"]), (&true.into(), &"reset".into()));
    assert_eq!((&of("claude")["version"], &of("codex")["version"]), (&"2.1.330".into(), &serde_json::Value::Null));
    assert!(of("claude")["found"].as_str().unwrap().ends_with("programs/claude"));
    assert_eq!((&of("codemod")["installed"], &of("codemod")["program"]), (&true.into(), &serde_json::Value::Null));
    artel(&house, &["roles", "--agents"])
        .exits(0)
        .says("2.1.330")
        .says("acp:goose acp")
        .says("npm install -g opencode-ai");
    artel(&house, &["roles", "--agents", "--role", "worker.agents=claude"]).exits(2);
}
