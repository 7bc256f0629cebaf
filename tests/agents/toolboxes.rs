//! Tells how the real programs call the tools that artel gives each session: in the sandbox, by the session's own gate.

use serde_json::{Value, json};

use crate::clis::Cli;
use crate::common::House;
use crate::llm::scene::{CLAUDE, Scene};
use crate::model::{Call, Gate, Model, Script, Turn};
use crate::stage::{crew, leased, run, task, told};
use crate::workers::{FILES, KEY, TASK, agent, artel, command, counted, found_below};

/// Has the model call tools one after the other, write the file, and end.
fn calling(calls: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<Turn> {
    let calls = calls.into_iter().map(|(name, arguments)| Turn::calls(Call::tool(name, arguments)));
    calls.chain([Turn::writes("{cwd}/b.txt", "after\n"), Turn::says("It is written.")]).collect()
}

/// Gives what the model was told after its last turn, which holds all that the tools answered.
fn heard(model: &Model) -> String {
    String::from_utf8_lossy(&model.asked().last().unwrap().request.body).into_owned()
}

fn handoff_of(house: &House) -> Value {
    let handoffs: Vec<Value> = told(house, "AttemptEnded").iter().map(|it| it["handoff"].clone()).collect();
    handoffs.last().unwrap().clone()
}

#[track_caller]
fn calls_its_tools(cli: Cli) {
    let Some((agent, folder)) = agent(cli) else { return };
    let turns = calling([
        ("task_brief", json!({})),
        ("search_code", json!({"pattern": "bef[o]re", "paths": ["*.txt"]})),
        ("search_code", json!({"pattern": "("})),
        ("repo_map", json!({"paths": ["lib"]})),
        ("handoff", json!({"doen": "a slip"})),
        ("handoff", json!({"done": "the file is written", "concerns": ["it is short"], "findings": ["a.txt is old"]})),
    ]);
    let model = Model::plays_for(KEY, [Script::of("task-a", turns)]);
    let house = crew("", TASK, &[FILES[0], ("lib/store.py", "class Store:\n    def put(self, it): pass\n")]);
    let role = format!("worker.agents=[{agent:?}]");
    artel(&house, &model, &folder, &run(&role, &["--sandbox", "bubblewrap"])).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    let heard = heard(&model);
    for words in ["a.txt:1: before", "unclosed group", "def put(self, it)", "unknown field", "taken"] {
        assert!(heard.contains(words), "no `{words}` in {heard}");
    }
    assert!(heard.matches("This is task-a: write the file.").count() >= 2, "the brief, and the tool's answer: {heard}");
    let handoff = handoff_of(&house);
    assert_eq!((&handoff["done"], &handoff["concerns"]), (&json!("the file is written"), &json!(["it is short"])));
    assert_eq!(counted(&house), model.told(), "calls of tools are not counted as calls of models");
    assert_eq!(told(&house, "CallRefused").len(), 0);
    let mut kept = found_below(house.root(), "Bearer artel-");
    // What an agent keeps in its own home is its affair: the token died with the session.
    kept.retain(|path| !path.contains("/desks/t1.1/home/"));
    assert_eq!(kept, Vec::<String>::new(), "artel writes the token nowhere");
}

#[test]
fn claude_code_calls_its_tools_in_the_sandbox() {
    calls_its_tools(Cli::Claude);
}

#[test]
fn codex_calls_its_tools_in_the_sandbox() {
    calls_its_tools(Cli::Codex);
}

#[test]
fn goose_calls_its_tools_in_the_sandbox() {
    calls_its_tools(Cli::Goose);
}

#[test]
fn a_question_waits_for_a_person_whose_answer_stands_in_the_next_brief() {
    let Some((agent, folder)) = agent(Cli::Goose) else { return };
    let asks = [Turn::calls(Call::tool("ask", json!({"question": "Which colour?"}))), Turn::says("I wait.")];
    let model = Model::plays_for(
        KEY,
        [Script::of("The answer: the blue one", calling([("task_brief", json!({}))])), Script::of("task-a", asks)],
    );
    let house = crew("", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    artel(&house, &model, &folder, &run(&role, &["--sandbox", "bubblewrap"])).exits(5);
    let blocked = task(&house, "t1");
    assert_eq!((&blocked["status"], &blocked["why"]), (&json!("blocked"), &json!("an answer to: Which colour?")));
    house.artel(&["answer", "t1", "the blue one"]).exits(0);
    artel(&house, &model, &folder, &["resume"]).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    assert_eq!(leased(&house).len(), 2);
    house.artel(&["answer", "t1", "again"]).exits(10).says("t1 is landed");
}

#[test]
fn what_a_person_says_meanwhile_comes_with_the_next_answer_of_a_tool_once() {
    let Some((agent, folder)) = agent(Cli::Goose) else { return };
    let gate = Gate::default();
    let mut turns = calling([("task_brief", json!({})), ("task_brief", json!({})), ("task_brief", json!({}))]);
    turns[1] = turns[1].clone().behind(&gate);
    let model = Model::plays_for(KEY, [Script::of("task-a", turns)]);
    let house = crew("", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    let mut running = command(&house, &model, &folder, &run(&role, &["--sandbox", "bubblewrap"])).spawn().unwrap();
    gate.is_reached_by(1);
    house.artel(&["steer", "be brief"]).exits(0).says("is told");
    house.artel(&["steer", "take the blue one", "--task", "t1"]).exits(0).says("is told");
    gate.open();
    assert!(running.wait().unwrap().success());
    let heard = heard(&model);
    assert_eq!((heard.matches("be brief").count(), heard.matches("- take the blue one").count()), (1, 1), "{heard}");
    assert!(heard.find("be brief") < heard.find("take the blue one"));
    let written: Vec<Value> = told(&house, "SteeringHeard");
    let [written] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!((&written["seat"], &written["heard"]), (&json!("t1.1"), &json!({"of_run": 1, "of_task": 1})));
    assert_eq!(written["before_call"], 3, "it came with the answer of the second");
}

#[test]
fn a_file_that_is_pushed_meanwhile_comes_with_the_next_answer_of_a_tool_once() {
    let gate = Gate::default();
    let again = Turn::writes("b.txt", "again\n").behind(&gate);
    let turns = [Turn::writes("b.txt", "once\n"), again, Turn::writes("b.txt", "after\n"), Turn::says("It is done.")];
    let scene = Scene::with(CLAUDE, "", TASK, &FILES, [Script::of("task-a", turns)]);
    let mut running = scene.command(&scene.args(&[])).spawn().unwrap();
    gate.is_reached_by(1);
    scene.house.write("STEERING.md", "Take the blue one.\n");
    scene.house.commit("steer");
    gate.open();
    assert!(running.wait().unwrap().success());
    let heard = heard(&scene.model);
    assert_eq!(heard.matches("STEERING.md of main: Take the blue one.").count(), 1, "{heard}");
    assert_eq!(told(&scene.house, "Steered").len(), 1);
    let written: Vec<Value> = told(&scene.house, "SteeringHeard");
    let [written] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!((&written["seat"], &written["before_call"]), (&json!("t1.1"), &json!(3)));
}

#[test]
fn a_session_whose_model_artel_has_no_key_for_has_its_tools() {
    let Some((_, folder)) = agent(Cli::Goose) else { return };
    let model = Model::plays_for(KEY, [Script::of("task-a", calling([("handoff", json!({"done": "all"}))]))]);
    let house = crew("", TASK, &FILES);
    // The agent logs in by itself, which takes the network.
    let line = format!(
        "acp:env GOOSE_PROVIDER=openai GOOSE_MODEL=a-model GOOSE_DISABLE_KEYRING=1 OPENAI_HOST={} OPENAI_API_KEY={KEY} \
         GOOSE_PATH_ROOT=$TMPDIR goose acp",
        model.url()
    );
    let role = format!("worker.agents=[{line:?}]");
    let mut command = house.command(&run(&role, &["--sandbox", "none"]));
    command.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    crate::common::said(&command.output().unwrap()).exits(0);
    assert_eq!(handoff_of(&house)["done"], "all");
    assert_eq!(told(&house, "CallMade").len(), 0, "artel counts nothing of what it does not pay");
}

#[test]
fn a_worker_flags_a_file_and_asks_for_leave_and_its_planner_answers_by_a_tool() {
    let Some((agent, folder)) = agent(Cli::Goose) else { return };
    let asks = [
        Turn::calls(Call::tool("flag_file", json!({"path": "a.txt", "why": "each task adds a line"}))),
        Turn::calls(Call::tool("request_scope", json!({"paths": ["c.txt"], "why": "it calls it"}))),
        Turn::says("I wait."),
    ];
    let writes = [Turn::writes("{cwd}/b.txt", "after\n"), Turn::writes("{cwd}/c.txt", "too\n"), Turn::says("Done.")];
    let task = json!({"key": "one", "title": "write", "brief": "This is task-a: write the file.", "paths": ["b.txt"]});
    let none = "```artel\n{}\n```";
    let claim = json!({"key": "tone", "value": "plain words"});
    let plans = [
        Turn::calls(Call::tool("claim_decision", claim)),
        Turn::calls(Call::tool("emit_task", task)),
        Turn::says(none),
        Turn::calls(Call::tool("answer_scope", json!({"task": "one", "grant": true, "reason": "nobody else does"}))),
        Turn::says(none),
        Turn::says(none),
    ];
    let model = Model::plays_for(
        KEY,
        [
            Script::of("you asked to change c.txt too, and may: nobody else does", writes).and("tone: plain words"),
            Script::of("Scope `root`", plans),
            Script::of("This is task-a", asks),
        ],
    );
    let house = crew("", TASK, &FILES);
    let planner = format!("shard.agents=[{agent:?}]");
    let worker = format!("worker.agents=[{agent:?}]");
    let args = ["run", "goal.md", "--role", &planner, "--role", "worker.mechanical=false", "--role", &worker];
    artel(&house, &model, &folder, &args).exits(0);
    assert_eq!((house.landed("b.txt"), house.landed("c.txt")), ("after".to_owned(), "too".to_owned()));
    assert_eq!(told(&house, "ScopeAnswered")[0]["by"], "s0");
    let flags = told(&house, "AttemptEnded")[0]["handoff"]["flagged"].clone();
    assert_eq!(flags, json!([{"path": "a.txt", "why": "each task adds a line"}]));
}
