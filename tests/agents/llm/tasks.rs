//! Tells how a model does a task by artel's own loop, by each of the four APIs, and what goes over the wire.

use std::io::{Read, Write};
use std::net::TcpListener;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::scene::{AGENTS, CLAUDE, Scene, USED, body, results_in};
use crate::common::said;
use crate::model::{Api, Call, Gate, Script, Turn, Usage};
use crate::stage::{alive, task, told};

#[test]
fn a_task_lands_by_each_api_and_is_counted_to_the_token() {
    for (agent, api) in AGENTS.into_iter().zip([Api::Anthropic, Api::Chat, Api::Responses, Api::Gemini]) {
        let scene = Scene::of(
            agent,
            [
                Turn::calls(Call::read("a.txt")).using(USED),
                Turn::writes("b.txt", "after\n").and(Call::edit("a.txt", "before", "behind")).using(USED),
                Turn::says("Both are written.").using(USED),
            ],
        );
        scene.run(&[]).exits(0);
        assert_eq!((scene.house.landed("b.txt"), scene.house.landed("a.txt")), ("after".into(), "behind".into()));
        scene.is_accounted();
        let turns = scene.turns();
        assert_eq!(turns.len(), 3, "{agent}");
        assert!(turns.iter().all(|seen| seen.api == Some(api) && seen.is_streamed), "{agent}");
        assert!(turns[1].holds("> 1\\tbefore"), "{agent}: what was read is shown as material");
        assert_eq!(results_in(&turns[2]), 3, "{agent}: what was called for at once is answered at once");
        assert_eq!(told(&scene.house, "AttemptLeased")[0]["agent"], agent);
        let handed_up = &task(&scene.house, "t1")["attempts"][0]["handoff"]["done"];
        assert_eq!(handed_up, "Both are written.", "{agent}");
    }
}

#[test]
fn a_server_at_home_is_asked_by_chat_and_needs_no_key() {
    let turns = [Turn::writes("b.txt", "after\n"), Turn::says("It is written.")];
    let mut scene = Scene::of("llm:home::qwen-max", []);
    scene.model = crate::model::Model::plays([Script::of("task-a", turns)]);
    let base = format!("{}/v1", scene.model.url());
    let providers = format!("[providers.home]\nspeaks = \"openai\"\nbase = {base:?}\nunknown_models = \"free\"\n");
    std::fs::create_dir_all(scene.house.home()).unwrap();
    std::fs::write(scene.house.home().join("gateway.toml"), providers).unwrap();
    scene.run(&[]).exits(0);
    assert_eq!(scene.house.landed("b.txt"), "after");
    let turns = scene.turns();
    assert!(turns.iter().all(|seen| seen.api == Some(Api::Chat) && seen.model == "qwen-max"), "{turns:#?}");
    assert!(turns.iter().all(|seen| seen.credentials.is_empty()), "the session's token does not leave the gateway");
}

#[test]
fn what_was_said_is_marked_for_the_cache_of_anthropic_once_each_turn() {
    let turns = [Turn::calls(Call::read("a.txt")), Turn::writes("b.txt", "after\n"), Turn::says("It is written.")];
    let scene = Scene::of(CLAUDE, turns);
    scene.run(&[]).exits(0);
    for seen in scene.turns() {
        let asked = body(&seen);
        let mark = json!({"type": "ephemeral"});
        assert_eq!(asked["system"][0]["cache_control"], mark);
        let last = asked["messages"].as_array().unwrap().last().unwrap();
        assert_eq!(last["content"].as_array().unwrap().last().unwrap()["cache_control"], mark, "{last}");
        assert_eq!(asked.to_string().matches("cache_control").count(), 2, "{asked}");
    }
}

#[test]
fn what_a_model_thought_is_given_back_to_it_with_its_signature() {
    for (agent, place, shown) in [
        (AGENTS[0], "/messages/1/content/0", json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"})),
        (AGENTS[2], "/input/1", json!({"type": "reasoning", "encrypted_content": "c2ln", "summary": []})),
        (AGENTS[3], "/contents/1/parts/0/thoughtSignature", json!("c2ln")),
    ] {
        let turns =
            [Turn::calls(Call::read("a.txt")).thinking("hm"), Turn::writes("b.txt", "after\n"), Turn::says("Done.")];
        let scene = Scene::of(agent, turns);
        scene.run(&["--role", "worker.effort=medium"]).exits(0);
        for seen in &scene.turns()[1..] {
            assert_eq!(body(seen).pointer(place), Some(&shown), "{agent}: {}", body(seen));
        }
        assert_eq!(scene.house.landed("b.txt"), "after");
        scene.is_accounted();
    }
}

#[test]
fn how_hard_a_model_thinks_is_said_in_its_own_words_or_not_at_all() {
    for (agent, place, expected) in [
        (AGENTS[0], "/thinking/type", json!("enabled")),
        (AGENTS[1], "/reasoning_effort", json!("high")),
        (AGENTS[2], "/reasoning/effort", json!("high")),
        (AGENTS[3], "/generationConfig/thinkingConfig/thinkingBudget", json!(24_000)),
    ] {
        for (role, expected) in [("worker.effort=high", Some(&expected)), ("worker.mechanical=false", None)] {
            let scene = Scene::of(agent, [Turn::writes("b.txt", "after\n"), Turn::says("Done.")]);
            scene.run(&["--role", role]).exits(0);
            assert_eq!(body(&scene.turns()[0]).pointer(place), expected, "{agent}");
        }
    }
}

#[test]
fn no_worktree_and_no_sandbox_is_there_before_a_command_is_run() {
    let gate = Gate::default();
    let turns = [
        Turn::calls(Call::read("a.txt"))
            .and(Call::exact("search_code", json!({"pattern": "bef.re"})))
            .and(Call::exact("repo_map", json!({}))),
        Turn::writes("b.txt", "after\n"),
        Turn::says("It is written.").behind(&gate),
    ];
    let scene = Scene::of(CLAUDE, turns);
    let started = scene.command(&scene.args(&[])).spawn().unwrap();
    gate.is_reached_by(1);
    assert_eq!(alive(&scene.house).len(), 1, "nobody is there but artel");
    assert_eq!(scene.worktrees(), Vec::<String>::new());
    gate.open();
    let mut started = started;
    assert_eq!(started.wait().unwrap().code(), Some(0));
    assert_eq!(scene.house.landed("b.txt"), "after");
    assert_eq!(scene.worktrees(), Vec::<String>::new(), "it was committed from memory");
    let files = ["read", "list", "search_code", "edit", "write", "remove", "shell", "repo_map"];
    let own = ["task_brief", "handoff", "ask", "blocked", "request_scope", "flag_file", "hand_over"];
    assert_eq!(scene.turns()[0].tools, [&files[..], &own].concat());
    let shown: Vec<String> = scene.results().into_iter().map(|(text, _)| text).collect();
    let searched = "> a.txt:1: before\n> 1 matching lines in 1 files; 3 files were searched.\n";
    let mapped = "> 0 of 0 source files, those first that matter most here.\n";
    assert_eq!(shown, ["> 1\tbefore\n", searched, mapped, "Done: 6 bytes."]);
}

#[test]
fn a_command_runs_in_the_sandbox_on_what_was_edited_and_its_work_is_edited_on() {
    let look = "cat a.txt; git status --short; touch /outside; env | grep -c API_KEY; echo made > b.txt";
    let turns = [
        Turn::calls(Call::edit("a.txt", "before", "behind")),
        Turn::runs(look),
        Turn::calls(Call::edit("b.txt", "made", "made and mended")).and(Call::read("b.txt")),
        Turn::runs("cat b.txt; exit 3"),
        Turn::says("Both are written."),
    ];
    let scene = Scene::of(CLAUDE, turns);
    scene.run(&["--sandbox", "bubblewrap"]).exits(0);
    assert_eq!(scene.house.landed("a.txt"), "behind");
    assert_eq!(scene.house.landed("b.txt"), "made and mended");
    let results = scene.results();
    let (first, is_error) = &results[1];
    assert!(!is_error && first.starts_with("It exited with 0.\n> behind\n>  M a.txt\n"), "{first}");
    assert!(first.contains("Read-only file system") && first.contains("> 0\n"), "{first}");
    assert_eq!(results[4].0, "It exited with 3.\n> made and mended\n");
    scene.is_accounted();
}

#[cfg(debug_assertions)]
/// Goes out by the proxy that it is told of: to a host that is granted, to one that is not, and to the model.
const GOING_OUT: &str = r#"python3 - <<'END'
import base64, os, socket, urllib.request
user, place = os.environ["HTTPS_PROXY"].removeprefix("http://").rsplit("@", 1)
host, port = place.split(":")
def connect(to):
    s = socket.create_connection((host, int(port)), 20)
    right = base64.b64encode(user.encode()).decode()
    s.sendall(f"CONNECT {to}:443 HTTP/1.1\r\nproxy-authorization: Basic {right}\r\n\r\n".encode())
    s.settimeout(20)
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(4096)
    return s, got.split(b" ")[1].decode()
s, status = connect("registry.example.com")
s.sendall(b"a package, please")
print("granted", status, s.recv(4096).decode())
print("other", connect("elsewhere.example.com")[1])
model = urllib.request.Request(f"http://{place}/anthropic/v1/messages", b"{}", {"x-api-key": user.split(":")[1]})
try:
    print("model", urllib.request.build_opener(urllib.request.ProxyHandler({})).open(model).status)
except urllib.error.HTTPError as error:
    print("model", error.code)
END
echo after > b.txt"#;

#[cfg(debug_assertions)]
#[test]
fn a_command_reaches_the_hosts_that_its_role_grants_and_no_model() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = host.local_addr().unwrap().to_string();
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = host.accept().unwrap();
        let mut asked = [0; 17];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(b"here it is").unwrap();
        String::from_utf8(asked.to_vec()).unwrap()
    });
    let scene = Scene::of(CLAUDE, [Turn::runs(GOING_OUT), Turn::says("It is written.")]);
    let mut command = scene.command(&scene.args(&["--role", "worker.grants.egress=registry.example.com"]));
    command.env("ARTEL_TEST_HOSTS", format!("registry.example.com={address}")).env("ARTEL_TEST_WORLD", &address);
    said(&command.output().unwrap()).exits(0);
    assert_eq!(scene.results()[0].0, "It exited with 0.\n> granted 200 here it is\n> other 403\n> model 403\n");
    assert_eq!(answers.join().unwrap(), "a package, please");
    scene.house.artel(&["log"]).says("t1.1 reached registry.example.com: 27 B").says("was not let reach");
    assert_eq!(scene.model.asked().len(), 2, "the command asked no model");
}

#[test]
fn output_of_a_command_is_cut_and_its_time_is_bounded() {
    let turns = [
        Turn::calls(Call::exact("shell", json!({"command": "seq 1 20000; echo after > b.txt"}))),
        Turn::calls(Call::exact("shell", json!({"command": "echo begun; sleep 600", "seconds": 1}))),
        Turn::says("It is written."),
    ];
    let scene = Scene::of(CLAUDE, turns);
    scene.run(&[]).exits(0);
    let results = scene.results();
    assert!(results[0].0.contains("The beginning of its output is not shown.") && results[0].0.len() < 64 << 10);
    assert!(results[0].0.ends_with("> 20000\n"), "{}", results[0].0);
    assert_eq!(results[1].0, "It ran out of time.\n> begun\n");
    assert_eq!(scene.house.landed("b.txt"), "after");
}

/// Removes what the attempts' worktrees are.
fn remove_worktrees(scene: &Scene) {
    let all = scene.worktrees();
    assert!(!all.is_empty(), "a command has run");
    for path in all {
        std::fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn a_worktree_that_is_lost_is_one_error_and_the_session_goes_on() {
    for second in [Turn::runs("cat b.txt"), Turn::calls(Call::read("b.txt"))] {
        let gate = Gate::default();
        let turns = [
            Turn::writes("b.txt", "after\n"),
            Turn::runs("echo made > made.txt"),
            second.behind(&gate),
            Turn::runs("cat b.txt; ls"),
            Turn::says("It is written."),
        ];
        let scene = Scene::of(CLAUDE, turns);
        let mut started = scene.command(&scene.args(&[])).spawn().unwrap();
        gate.is_reached_by(1);
        remove_worktrees(&scene);
        gate.open();
        assert_eq!(started.wait().unwrap().code(), Some(0));
        let results = scene.results();
        let errors: Vec<bool> = results.iter().map(|(_, is_error)| *is_error).collect();
        assert_eq!(errors, [false, false, true, false], "{results:?}");
        assert!(results[2].0.contains("was lost"), "{results:?}");
        assert_eq!(results[3].0, "It exited with 0.\n> after\n> a.txt\n> b.txt\n> goal.md\n> plan.yml\n");
        assert_eq!(scene.house.landed("b.txt"), "after");
    }
}

#[test]
fn files_are_made_moved_and_removed_in_memory() {
    let exact = |name: &str, arguments: Value| Call::exact(name, arguments);
    let calls = [
        Call::write("new/x.txt", "x\n"),
        exact("read", json!({"path": "new"})),
        Call::write("new", "a file\n"),
        exact("remove", json!({"path": "new/x.txt"})),
        Call::write("new", "a file\n"),
        Call::write("new/x.txt", "x\n"),
        Call::edit("run.sh", "echo a", "echo b"),
        exact("remove", json!({"path": "folder/c.txt"})),
        exact("read", json!({"path": "folder/c.txt"})),
        Call::write("folder/c.txt/deep", "now a folder\n"),
        exact("list", json!({"globs": ["{new,folder}*", "folder/**"]})),
    ];
    let turn = calls[1..].iter().cloned().fold(Turn::calls(calls[0].clone()), Turn::and);
    let task = "[{key: task-a, brief: \"This is task-a: do it.\", paths: [.]}]";
    let files = [("a.txt", "before\n"), ("run.sh", "echo a\n"), ("folder/c.txt", "c\n"), ("folder/d.txt", "d\n")];
    let scene = Scene::with(CLAUDE, "", task, &files, [Script::of("task-a", [turn, Turn::says("It is done.")])]);
    scene.house.git(&["update-index", "--chmod=+x", "run.sh"]);
    scene.house.git(&["commit", "--quiet", "-m", "it can be run"]);
    scene.house.git(&["reset", "--quiet", "--hard"]);
    scene.run(&[]).exits(0);
    let told: Vec<(String, bool)> = scene.results();
    let told: Vec<(&str, bool)> = told.iter().map(|(text, is_error)| (text.as_str(), *is_error)).collect();
    let expected = [
        ("Done: 2 bytes.", false),
        ("new is a folder; use list", true),
        ("new: a folder is there", true),
        ("Done.", false),
        ("Done: 7 bytes.", false),
        ("new/x.txt: new is no folder", true),
        ("Done.", false),
        ("Done.", false),
        ("there is no file folder/c.txt", true),
        ("Done: 13 bytes.", false),
        ("> folder/c.txt/deep\n> folder/d.txt\n> new\n", false),
    ];
    assert_eq!(told, expected);
    let landed = scene.house.git(&["diff", "--raw", "--abbrev=4", "--no-renames", "main", &scene.house.head()]);
    let landed: Vec<(&str, &str)> =
        landed.lines().map(|line| (&line[8..14], line.rsplit('\t').next().unwrap())).collect();
    let expected =
        [("000000", "folder/c.txt"), ("100644", "folder/c.txt/deep"), ("100644", "new"), ("100755", "run.sh")];
    assert_eq!(landed, expected);
}

/// Finds the process that watches over the command of an artel that was started.
fn watcher(artel: u32) -> Option<Pid> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = pids.find(|pid| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let parent = read("stat").rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parent == Some(artel) && read("cmdline").contains("__init")
    });
    found.and_then(Pid::from_raw)
}

#[test]
fn a_sandbox_that_is_lost_is_one_error_and_the_session_goes_on() {
    let turns = [
        Turn::writes("b.txt", "after\n"),
        Turn::runs("echo made > made; sleep 600"),
        Turn::runs("cat b.txt made; rm made"),
        Turn::says("It is written."),
    ];
    let scene = Scene::of(CLAUDE, turns);
    scene.house.in_the_open();
    let mut started = scene.command(&scene.args(&[])).spawn().unwrap();
    let has_begun = || scene.worktrees().iter().any(|tree| std::fs::exists(format!("{tree}/made")).unwrap());
    scene.house.until("the command runs", has_begun);
    kill_process(watcher(started.id()).unwrap(), Signal::KILL).unwrap();
    assert_eq!(started.wait().unwrap().code(), Some(0));
    let results = scene.results();
    assert!(results[1].1 && results[1].0.starts_with("the command lost the process that watched"), "{results:?}");
    assert_eq!(results[2].0, "It exited with 0.\n> after\n> made\n", "what could be read was kept");
    assert_eq!(scene.house.landed("b.txt"), "after");
    assert_eq!(alive(&scene.house), Vec::<String>::new());
}

#[test]
fn what_a_model_may_not_do_is_an_error_that_it_is_told() {
    let wrong = |name: &str, arguments: Value| Call::exact(name, arguments);
    let mut calls = vec![
        wrong("nothing", json!({})),
        wrong("read", json!({"path": "a.txt", "mode": "x"})),
        wrong("read", json!({})),
        wrong("read", json!([1])),
        wrong("read", json!({"path": "folder"})),
        wrong("edit", json!({"path": "a.txt", "old": "e", "new": "x"})),
        wrong("edit", json!({"path": "a.txt", "old": "none", "new": "x"})),
        wrong("write", json!({"path": "a.txt/b", "content": "x"})),
        wrong("write", json!({"path": "folder", "content": "x"})),
        wrong("remove", json!({"path": "none"})),
        wrong("search_code", json!({"pattern": "("})),
        wrong("list", json!({"globs": ["["]})),
        wrong("hand_over", json!({"done": "", "left": "", "decided": "", "found": ""})),
        wrong("shell", json!({"command": " "})),
    ];
    let paths = ["../goal.md", "/etc/passwd", ".git/config", ".GIT/HEAD", "folder/../a.txt", "a\\b", ""];
    calls.extend(paths.map(|path| wrong("write", json!({"path": path, "content": "x"}))));
    calls.extend(paths.map(|path| wrong("read", json!({ "path": path }))));
    let all = calls.len();
    let at_once = |calls: &[Call]| calls[1..].iter().cloned().fold(Turn::calls(calls[0].clone()), Turn::and);
    // In memory first, then in a worktree.
    let turns = [
        at_once(&calls),
        Turn::runs("true"),
        at_once(&calls),
        Turn::writes("b.txt", "after\n"),
        Turn::says("It is written."),
    ];
    let files = [("a.txt", "before e\n"), ("folder/c.txt", "c\n")];
    let scene = Scene::with(CLAUDE, "", super::scene::TASK, &files, [Script::of("task-a", turns)]);
    scene.run(&[]).exits(0);
    let results = scene.results();
    assert_eq!(results.len(), 2 * all + 2);
    for (text, is_error) in results[..all].iter().chain(&results[all + 1..2 * all + 1]) {
        assert!(is_error, "{text}");
        assert!(text.len() < 400 && !text.contains("\n"), "{text}");
    }
    assert_eq!(scene.house.git(&["diff", "--name-only", "main", &scene.house.head()]), "b.txt");
}

#[test]
fn a_long_context_is_begun_anew_from_the_brief_and_the_note_alone() {
    let long = Usage { input: 5000, ..USED };
    let note =
        json!({"done": "a.txt is read", "left": "write b.txt", "decided": "as it was", "found": "a secret word"});
    let turns = [
        Turn::calls(Call::read("a.txt")).using(long),
        Turn::calls(Call::exact("hand_over", note.clone())).using(long),
        Turn::writes("b.txt", "after\n").using(USED),
        Turn::says("It is written.").using(USED),
    ];
    let scene = Scene::of(CLAUDE, turns);
    scene.run(&["--role", "worker.context_tokens=4000"]).exits(0);
    assert_eq!(scene.house.landed("b.txt"), "after");
    let turns = scene.turns();
    assert_eq!(turns.len(), 4);
    let (first, anew) = (body(&turns[0]), body(&turns[2]));
    let messages = anew["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{anew}");
    let text = |asked: &Value| asked["messages"][0]["content"][0]["text"].as_str().unwrap().to_owned();
    let (brief, text) = (text(&first), text(&anew));
    assert!(text.starts_with(&brief), "{text}");
    for part in ["a.txt is read", "write b.txt", "as it was", "a secret word"] {
        assert!(text[brief.len()..].contains(&format!("> {part}\n")), "{text}");
    }
    assert!(!anew["messages"].to_string().contains("before"), "nothing else of the old context is there");
    let file = scene.house.home().join("runs").join(scene.house.run()).join("desks/t1.1-note/note.json");
    assert_eq!(serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap(), note);
    scene.is_accounted();
}

#[test]
fn a_long_context_is_made_shorter_where_its_role_says_so() {
    let long = Usage { input: 5000, ..USED };
    let wide = "x".repeat(600);
    let read = || Turn::calls(Call::read("a.txt")).using(USED);
    let turns =
        [read(), read(), read(), read(), read().using(long), Turn::writes("b.txt", "after\n"), Turn::says("Written.")];
    let files = [("a.txt", wide.as_str())];
    let scene = Scene::with(CLAUDE, "", super::scene::TASK, &files, [Script::of("task-a", turns)]);
    scene.run(&["--role", "worker.context_tokens=5000", "--role", "worker.context=compact"]).exits(0);
    let turns = scene.turns();
    assert_eq!(turns.len(), 7);
    let shown = |seen: &crate::model::Seen| body(seen).to_string().matches(&wide).count();
    assert_eq!((shown(&turns[4]), shown(&turns[5])), (4, 4), "of five results the oldest is taken out");
    assert!(turns[5].holds("were taken out to make room"));
    assert!(!turns[4].holds("were taken out to make room"));
    scene.is_accounted();
}

#[test]
fn a_brief_is_counted_by_the_provider_of_its_agent_s_model_and_that_costs_nothing() {
    let args = ["roles", "show", "worker", "--task", "t1", "--exact"];
    let counts =
        ["/v1/messages/count_tokens", "/v1/responses/input_tokens", "/v1/responses/input_tokens", ":countTokens"];
    for (agent, path) in AGENTS.into_iter().zip(counts) {
        let scene =
            Scene::of(agent, [Turn::writes("b.txt", "after\n").using(USED), Turn::says("Written.").using(USED)]);
        scene.run(&[]).exits(0);
        let shown = scene.artel(&[&args[..], &["--json"]].concat()).exits(0).json();
        assert_eq!((&shown["tokens"], &shown["exact"]), (&json!(100), &json!(true)), "{agent}");
        scene.artel(&args).exits(0).says(&format!("100 tokens (counted for {agent} by its provider)"));
        let seen = scene.model.seen();
        let counted = seen.iter().filter(|it| it.target.ends_with(path)).collect::<Vec<_>>();
        assert!(counted.len() == 2 && counted.iter().all(|it| it.holds("This is task-a")), "{agent}: {counted:?}");
        scene.is_accounted();
        let unasked = scene.house.artel(&args).exits(4);
        unasked.says("there is no key for").says("without --exact it has about").says("tokens (bytes / 4)");
    }
}
