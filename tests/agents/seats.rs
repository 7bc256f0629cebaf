//! Tells how the session of a planner or judge that a usage limit ended, or a question to a person, is the same session
//! afterwards, over a death of its coordinator: its model is shown what was said before, and nothing is left of it when it has ended.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::clis::Cli;
use crate::common::{House, said};
use crate::llm::{AGENTS, keyed};
use crate::model::{Call, Model, Script, Seen, Turn};
use crate::stage::{crew, run, told};
use crate::workers::{FILES, KEY, TASK, agent, command, counted, found_below};

const GOAL: &str = "---\nname: a goal\ndone: [\"grep -q quince a.txt\"]\n---\nWrite it.\n";
const WORKER: &str = "worker.agents=[\"command:echo quince > a.txt\"]";
const GOOSE: &str = "acp:env GOOSE_PROVIDER=openai GOOSE_MODEL=gpt-4.1 goose acp";
/// Begins what each is told who goes on.
const LIFTED: &str = "A limit of your account had stopped you";

struct Scene {
    house: House,
    model: Model,
    /// Where the program of the agent lies, where it is one.
    folder: Option<PathBuf>,
}

impl Scene {
    fn command(&self, args: &[&str]) -> Command {
        if let Some(folder) = &self.folder {
            return command(&self.house, &self.model, folder, args);
        }
        let mut command = self.house.command(args);
        keyed(&mut command, &self.model);
        command
    }

    /// Runs until a limit of two hours is met, kills who waits, and goes on when it is lifted.
    #[track_caller]
    fn goes_on(&self, args: &[&str]) {
        let skew = self.house.root().join("skew");
        fs::write(&skew, "0").unwrap();
        let mut waiting = self.command(args).env("ARTEL_SKEW", &skew).spawn().unwrap();
        self.house.until("the limit is met", || !self.left("limited").is_empty());
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        fs::write(&skew, "7300000").unwrap();
        said(&self.command(&["resume"]).env("ARTEL_SKEW", &skew).output().unwrap()).exits(0);
    }

    /// Lists how seats were left in one way.
    fn left(&self, how: &str) -> Vec<Value> {
        told(&self.house, "SeatLeft").iter().map(|it| it["left"][how].clone()).filter(|it| !it.is_null()).collect()
    }

    /// Holds that who sits at a seat took up once what a limit had ended there, that its model was shown these words of
    /// before, and these of what has come about since.
    #[track_caller]
    fn is_the_same_session(&self, seat: &str, before: &str, since: &str) {
        let taken: Vec<Value> = told(&self.house, "SeatTaken").into_iter().filter(|it| it["seat"] == seat).collect();
        let taken_up: Vec<&Value> = taken.iter().map(|it| &it["resumes"]).collect();
        assert_eq!(taken_up, [&Value::Null, &taken[0]["fence"]]);
        assert_eq!(taken[0]["agent"], taken[1]["agent"]);
        let limited = self.left("limited");
        assert!(limited.len() == 1 && limited[0]["session"].is_string(), "{limited:?}");
        let told_on: Vec<Seen> = self.model.asked().into_iter().filter(|seen| seen.holds(LIFTED)).collect();
        assert!(
            !told_on.is_empty() && told_on.iter().all(|seen| seen.holds(before) && seen.holds(since)),
            "{told_on:?}"
        );
        assert_eq!(counted(&self.house), self.model.told(), "what was counted is what the model told");
        assert_eq!(found_below(self.house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
        self.house.artel(&["log"]).exits(0).says("goes on in its session");
        self.house.artel(&["verify"]).exits(0);
        assert_eq!(kept_in(&self.house), Vec::<String>::new(), "what is over is kept nowhere");
    }
}

/// Lists what is kept of sessions on desks.
pub fn kept_in(house: &House) -> Vec<String> {
    let desks = house.home().join("runs").join(house.run()).join("desks");
    let folders = fs::read_dir(&desks).into_iter().flatten().flatten().map(|entry| entry.path());
    let below = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let names = below.map(|entry| entry.path().strip_prefix(&desks).unwrap().display().to_string());
    names
        .filter(|name| name.starts_with("parked/") || ["claude", "codex", "home"].iter().any(|it| name.ends_with(it)))
        .collect()
}

fn limit() -> Turn {
    Turn::refuses(429).header("retry-after", "7200")
}

fn block(value: &Value) -> Turn {
    Turn::says(&format!("I have looked.\n\n```artel\n{value}\n```\n"))
}

/// Hands a task out, meets the limit, and has nothing more to plan when that is lifted.
fn plans(agent: &str, folder: Option<PathBuf>) {
    let task = json!({"key": "one", "title": "write it", "brief": "This is work-one.", "paths": ["a.txt"]});
    let turns = [Turn::calls(Call::tool("emit_task", task)), limit(), block(&json!({}))];
    let model = Model::plays_for(KEY, [Script::of("Scope `root`", turns)]);
    let scene = Scene { house: House::with(&[("goal.md", GOAL), ("b.txt", "b\n")]), model, folder };
    let planner = format!("shard.agents=[{agent:?}]");
    scene.goes_on(&["run", "goal.md", "--role", &planner, "--role", WORKER, "--role", "worker.mechanical=false"]);
    assert_eq!(scene.house.landed("a.txt"), "quince");
    assert_eq!(told(&scene.house, "TasksEmitted").len(), 1, "nothing is handed out twice");
    scene.is_the_same_session("s0/1", "`one` is handed out", "What you have handed out stands so now:");
}

/// Notes what is wrong, meets the limit, and rules when that is lifted.
fn judges(agent: &str, folder: Option<PathBuf>) {
    let found = json!({"class": "missed-case", "path": "b.txt", "what": "one case is missed", "advice": "see to it"});
    let score = |name: &str| json!({"criterion": name, "score": 9, "evidence": "b.txt"});
    let scores = ["brief", "restraint", "soundness"].map(score);
    let accepts = block(&json!({"scores": scores, "findings": [], "ruling": "accept"}));
    let turns = [Turn::calls(Call::tool("findings", json!({"findings": [found]}))), limit(), accepts];
    let model = Model::plays_for(KEY, [Script::of("# Judge:", turns)]);
    let scene = Scene { house: crew("", TASK, &FILES), model, folder };
    let judge = format!("judge.agents=[\"ladder\",{agent:?}]");
    let more = ["--role", &judge, "--role", "judge.lenses=diff"];
    scene.goes_on(&run("worker.agents=[\"command:echo after > b.txt\"]", &more));
    assert_eq!(scene.house.landed("b.txt"), "after");
    scene.is_the_same_session("t1.1/1", "1 noted", "What you had noted with `findings` is not kept");
}

/// Asks a person by a tool, and plans in the same session when that has answered.
pub fn asks(agent: &str, folder: Option<PathBuf>) {
    let by_tool = Turn::calls(Call::tool("ask", json!({"question": "Which fruit?"})));
    goes_on_answered(agent, folder, &[by_tool, Turn::says("I have asked.")]);
}

/// The same by the block of its last words.
fn asks_in_words(agent: &str, folder: Option<PathBuf>) {
    goes_on_answered(agent, folder, &[block(&json!({"ask": "Which fruit?"}))]);
}

fn goes_on_answered(agent: &str, folder: Option<PathBuf>, asks: &[Turn]) {
    let task = json!({"key": "one", "title": "write it", "brief": "This is work-one.", "paths": ["a.txt"]});
    let turns = [asks, &[block(&json!({"tasks": [task]})), block(&json!({}))]].concat();
    let model = Model::plays_for(KEY, [Script::of("Scope `root`", turns)]);
    let scene = Scene { house: House::with(&[("goal.md", GOAL), ("b.txt", "b\n")]), model, folder };
    let planner = format!("shard.agents=[{agent:?}]");
    let args = ["run", "goal.md", "--role", &planner, "--role", WORKER, "--role", "worker.mechanical=false"];
    said(&scene.command(&args).output().unwrap()).exits(6);
    assert_ne!(kept_in(&scene.house), Vec::<String>::new(), "its session is kept");
    scene.house.artel(&["answer", "s0", "A quince."]).exits(0);
    said(&scene.command(&["resume"]).output().unwrap()).exits(0);
    assert_eq!(scene.house.landed("a.txt"), "quince");
    let taken: Vec<Value> = told(&scene.house, "SeatTaken").into_iter().filter(|it| it["seat"] == "s0/1").collect();
    assert_eq!(taken.iter().map(|it| &it["resumes"]).collect::<Vec<_>>(), [&Value::Null, &taken[0]["fence"]]);
    let told_on: Vec<Seen> =
        scene.model.asked().into_iter().filter(|seen| seen.holds("You had asked a person")).collect();
    let knows = |seen: &Seen| seen.holds("an answer to: Which fruit?: A quince.") && seen.holds("Scope `root`");
    assert!(!told_on.is_empty() && told_on.iter().all(knows), "{told_on:?}");
    assert_eq!(kept_in(&scene.house), Vec::<String>::new(), "what is over is kept nowhere");
}

fn of(cli: Cli, name: Option<&'static str>, plays: fn(&str, Option<PathBuf>)) {
    let Some((agent, folder)) = agent(cli) else { return };
    plays(name.unwrap_or(agent), Some(folder));
}

#[cfg(debug_assertions)]
#[test]
fn a_planner_of_artels_own_loop_goes_on_with_what_was_said_before_a_limit() {
    for agent in AGENTS {
        plans(agent, None);
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_judge_of_artels_own_loop_goes_on_with_what_was_said_before_a_limit() {
    for agent in AGENTS {
        judges(agent, None);
    }
}

#[cfg(debug_assertions)]
#[test]
fn claude_code_goes_on_planning_in_the_session_that_a_limit_ended() {
    of(Cli::Claude, None, plans);
}

#[cfg(debug_assertions)]
#[test]
fn claude_code_goes_on_judging_in_the_session_that_a_limit_ended() {
    of(Cli::Claude, None, judges);
}

#[cfg(debug_assertions)]
#[test]
fn codex_goes_on_planning_in_the_session_that_a_limit_ended() {
    of(Cli::Codex, None, plans);
}

#[cfg(debug_assertions)]
#[test]
fn codex_goes_on_judging_in_the_session_that_a_limit_ended() {
    of(Cli::Codex, None, judges);
}

#[cfg(debug_assertions)]
#[test]
fn goose_goes_on_planning_in_the_session_that_a_limit_ended() {
    of(Cli::Goose, Some(GOOSE), plans);
}

#[cfg(debug_assertions)]
#[test]
fn the_judge_of_the_run_goes_on_with_what_was_said_before_a_limit() {
    let done = json!({"ruling": "done", "why": "all is there"});
    let turns = [
        Turn::calls(Call::read("b.txt")),
        limit(),
        Turn::calls(Call::tool("verdict", done)),
        Turn::says("It is done."),
    ];
    let model = Model::plays_for(KEY, [Script::of("# Judge of the run:", turns)]);
    let role =
        format!("about = 'has the last word'\npart = 'judge'\nprompt = 'run-judge'\nagents = [{:?}]\n", AGENTS[0]);
    let files = [FILES[0], (".artel/roles/last.toml", role.as_str())];
    let scene = Scene { house: crew("plan: { run_judge: last }\n", TASK, &files), model, folder: None };
    scene.goes_on(&run("worker.agents=[\"command:echo after > b.txt\"]", &[]));
    assert_eq!(told(&scene.house, "RunJudged").len(), 1);
    scene.is_the_same_session("run/1", "tool_result", "what ran is gone");
}

#[test]
fn a_verdict_that_was_given_before_a_limit_was_met_stands() {
    let score = |name: &str| json!({"criterion": name, "score": 9, "evidence": "b.txt"});
    let scores = ["brief", "restraint", "soundness"].map(score);
    let rules = Turn::calls(Call::tool("verdict", json!({"scores": scores, "ruling": "accept"})));
    let model = Model::plays_for(KEY, [Script::of("# Judge:", [rules, limit()])]);
    let scene = Scene { house: crew("", TASK, &FILES), model, folder: None };
    let judge = format!("judge.agents=[\"ladder\",{:?}]", AGENTS[0]);
    let more = ["--role", &judge, "--role", "judge.lenses=diff"];
    said(&scene.command(&run("worker.agents=[\"command:echo after > b.txt\"]", &more)).output().unwrap()).exits(0);
    assert_eq!((scene.house.landed("b.txt"), told(&scene.house, "SeatTaken").len()), ("after".to_owned(), 1));
    assert_eq!(kept_in(&scene.house), Vec::<String>::new());
}

#[test]
fn artels_own_loop_plans_in_the_session_in_which_it_asked_a_person() {
    for agent in AGENTS {
        asks(agent, None);
        asks_in_words(agent, None);
    }
}

#[test]
fn claude_code_plans_in_the_session_in_which_it_asked_a_person() {
    of(Cli::Claude, None, asks);
    of(Cli::Claude, None, asks_in_words);
}

#[test]
fn codex_plans_in_the_session_in_which_it_asked_a_person() {
    of(Cli::Codex, None, asks);
}

#[test]
fn goose_plans_in_the_session_in_which_it_asked_a_person() {
    of(Cli::Goose, Some(GOOSE), asks);
}
