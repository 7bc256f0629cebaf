//! Tells how a usage limit of hours costs nothing: nobody is asked while it lasts, whoever is killed meanwhile, and the
//! work goes on when it is lifted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::Value;

use crate::clis::Cli;
use crate::common::{House, Said, said};
use crate::model::{Model, Script, Turn};
use crate::seats::kept_in;
use crate::stage::{crew, leased, run, told};
use crate::workers::{KEY, agent, command};

const TASKS: &str = "[{key: task-a, brief: \"This is task-a: write the file.\", paths: [a.txt]}, \
                      {key: task-b, brief: \"This is task-b: write the file.\", paths: [b.txt]}]";
const FILES: [(&str, &str); 1] = [("c.txt", "before\n")];
const HOURS: &str = "7200";

/// A crew of one whose model takes no more calls for two hours when it is first asked.
struct Scene {
    house: House,
    model: Model,
    folder: PathBuf,
    role: String,
}

impl Scene {
    fn of(cli: Cli) -> Option<Self> {
        let (agent, folder) = agent(cli)?;
        let writes = |file: &str| [Turn::writes(&format!("{{cwd}}/{file}"), "after\n"), Turn::says("It is written.")];
        let limited = [Turn::refuses(429).header("retry-after", HOURS)];
        let first = Script::of("task-a", limited.into_iter().chain(writes("a.txt")));
        let model = Model::plays_for(KEY, [first, Script::of("task-b", writes("b.txt"))]);
        let house = crew("", TASKS, &FILES);
        let role = format!("worker.agents=[{agent:?}]");
        let scene = Self { house, model, folder, role };
        scene.set_clock(0);
        Some(scene)
    }

    /// Has the clock of whoever is started from here on be off by so many seconds.
    fn set_clock(&self, seconds: u64) {
        fs::write(self.skew(), (seconds * 1000).to_string()).unwrap();
    }

    fn skew(&self) -> PathBuf {
        self.house.root().join("skew")
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = command(&self.house, &self.model, Path::new(&self.folder), args);
        let log = fs::File::create(self.house.root().join("started.log")).unwrap();
        command.env("ARTEL_SKEW", self.skew()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn begin(&self) -> Child {
        let child = self.start(&run(&self.role, &["--workers", "1"]));
        self.house.until("the limit is met", || told(&self.house, "AttemptLimited").len() == 1);
        child
    }

    fn artel(&self, args: &[&str]) -> Said {
        let mut command = command(&self.house, &self.model, Path::new(&self.folder), args);
        said(&command.env("ARTEL_SKEW", self.skew()).output().unwrap())
    }

    fn board(&self) -> Value {
        self.artel(&["status", "--json"]).json()
    }

    #[track_caller]
    fn waits(&self) {
        let limit = &self.board()["limits"][0];
        assert_eq!(limit["tasks"], 2, "{limit}");
        assert_eq!(leased(&self.house).len(), 1, "nobody runs into the same limit");
        assert_eq!(self.model.asked().len(), 1, "nobody is asked");
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[track_caller]
fn a_limit_is_waited_for(cli: Cli) {
    let Some(scene) = Scene::of(cli) else { return };
    let child = scene.begin();
    scene.waits();
    let told_ms = told(&scene.house, "AttemptLimited")[0]["until_ms"].as_i64().unwrap();
    let wait_ms = told_ms - scene.board()["now_ms"].as_i64().unwrap();
    assert!((7_000_000..=7_200_000).contains(&wait_ms), "{wait_ms}");
    scene.artel(&["status"]).says("waiting for a usage limit").says("2 tasks").says("retry");
    scene.artel(&["show", "t1"]).says("waits for a usage limit of").says("limited");
    scene.artel(&["log"]).says("t1.1 met a limit").says("goes on in 2 h 00 min");
    let inbox = scene.artel(&["list", "--inbox", "--json"]).exits(0).json();
    assert_eq!(inbox.as_array().map(Vec::len), Some(0), "it is no person's business");
    kill(child);

    let child = scene.start(&["resume"]);
    scene.house.until("somebody took the run over", || told(&scene.house, "CoordinatorWoke").len() == 2);
    scene.waits();
    kill(child);

    scene.set_clock(7300);
    scene.artel(&["resume"]).exits(0);
    for file in ["a.txt", "b.txt"] {
        assert_eq!(scene.house.landed(file), "after");
    }
    assert_eq!(leased(&scene.house).len(), 3, "each was done at once");
    assert_eq!(told(&scene.house, "AttemptEnded").len(), 2);
}

#[cfg(debug_assertions)]
#[test]
fn claude_code_goes_on_when_a_limit_is_lifted() {
    a_limit_is_waited_for(Cli::Claude);
}

#[cfg(debug_assertions)]
#[test]
fn codex_goes_on_when_a_limit_is_lifted() {
    a_limit_is_waited_for(Cli::Codex);
}

#[cfg(debug_assertions)]
#[test]
fn who_knows_better_has_what_waits_tried_at_once() {
    let Some(scene) = Scene::of(Cli::Claude) else { return };
    let mut child = scene.begin();
    scene.artel(&["retry", "t2"]).exits(0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(told(&scene.house, "LimitLifted").len(), 1);
    assert_eq!(leased(&scene.house).len(), 3);
    assert_eq!(scene.house.landed("a.txt"), "after");
}

/// The second of the role's agents: a program that writes the file of whichever task it is given.
const STANDS_IN: &str =
    "command:for f in a b; do if grep -q \\\"This is task-$f\\\" $ARTEL_BRIEF; then echo after > $f.txt; fi; done";

/// Has a program stand behind Claude Code; nothing where that is not here.
fn with_a_second() -> Option<Scene> {
    let (agent, _) = agent(Cli::Claude)?;
    let role = format!("worker.agents=[{agent:?}, \"{STANDS_IN}\"]");
    Some(Scene { role, ..Scene::of(Cli::Claude)? })
}

#[test]
fn another_agent_stands_in_while_a_limit_of_hours_lasts() {
    let Some(scene) = with_a_second() else { return };
    scene.artel(&run(&scene.role, &["--workers", "1", "--role", "worker.failover=true"])).exits(0);
    let played: Vec<String> =
        leased(&scene.house).into_iter().map(|(attempt, agent)| format!("{attempt} {}", &agent[..6])).collect();
    assert_eq!(played, ["t1.1 claude", "t1.2 comman", "t2.1 comman"]);
    assert_eq!(scene.model.asked().len(), 1, "nobody runs into the same limit");
    assert_eq!((scene.house.landed("a.txt"), scene.house.landed("b.txt")), ("after".into(), "after".into()));
}

#[test]
fn another_agent_stands_in_for_one_whose_key_is_refused_which_is_shown_once() {
    let Some(mut scene) = with_a_second() else { return };
    scene.model = Model::plays_for("another-key", [Script::of("task-a", [Turn::says("never said")])]);
    let args = run(&scene.role, &["--workers", "1", "--role", "worker.failover=true"]);
    scene.artel(&args).exits(0);
    assert_eq!(scene.model.asked().len(), 1, "the key is shown once");
    let limited = &told(&scene.house, "AttemptLimited")[0];
    assert!(limited["why"].as_str().unwrap().contains("does not accept the key"), "{limited}");
    assert_eq!((scene.house.landed("a.txt"), scene.house.landed("b.txt")), ("after".into(), "after".into()));
}

/// A program that plans one task when it is first called, and nothing after that.
const PLANS: &str = "case $ARTEL_SEAT in */1) k=yes;; esac\necho '```artel'\n\
                     if test \"$k\"; then echo '{\"tasks\":[{\"key\":\"a\",\"title\":\"t\",\"brief\":\"This is task-a\",\"paths\":[\"a.txt\"]}]}'; else echo '{}'; fi\n\
                     echo '```'\n";

/// Has Claude Code plan, whose model takes no more calls for two hours, with a program behind it.
fn planning(failover: &str) -> Option<(Scene, Vec<String>)> {
    let (agent, folder) = agent(Cli::Claude)?;
    let limited = [Turn::refuses(429).header("retry-after", HOURS)];
    let model = Model::plays_for(KEY, [Script::of("Scope `root`", limited)]);
    let house =
        House::with(&[("goal.md", "---\nname: a goal\ndone: [\"true\"]\n---\nDo it.\n"), ("plan.sh", PLANS), FILES[0]]);
    let planner = format!("shard.agents=[{agent:?}, \"command:sh plan.sh\"]");
    let worker = format!("worker.agents=[\"{STANDS_IN}\"]");
    let scene = Scene { house, model, folder, role: planner.clone() };
    scene.set_clock(0);
    let args = ["run", "goal.md", "--role", &planner, "--role", &worker, "--role", "worker.mechanical=false"];
    let failover = format!("shard.failover={failover}");
    Some((scene, args.into_iter().chain(["--role", &failover]).map(str::to_owned).collect()))
}

#[test]
fn another_planner_stands_in_while_a_limit_of_hours_lasts() {
    let Some((scene, args)) = planning("true") else { return };
    scene.artel(&args.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    let sat: Vec<String> =
        told(&scene.house, "SeatTaken").iter().map(|it| it["agent"].to_string()[..7].to_owned()).collect();
    assert_eq!(sat, ["\"claude", "\"comman", "\"comman"], "it waits for nobody, and nobody meets the same limit");
    assert_eq!((scene.model.asked().len(), scene.house.landed("a.txt")), (1, "after".to_owned()));
    let left = told(&scene.house, "SeatLeft").remove(0);
    assert!(left["left"]["limited"]["session"].is_string(), "{left}");
    assert_eq!(kept_in(&scene.house), Vec::<String>::new(), "nobody takes up what another has done since");
}

#[cfg(debug_assertions)]
#[test]
fn a_planner_that_met_a_limit_of_hours_costs_nothing_while_it_lasts_and_sits_down_again() {
    let Some((scene, args)) = planning("false") else { return };
    let child = scene.start(&args.iter().map(String::as_str).collect::<Vec<_>>());
    scene.house.until("the limit is met", || told(&scene.house, "SeatLeft").len() == 1);
    let limit = &scene.board()["limits"][0];
    assert_eq!((&limit["seats"], &limit["tasks"]), (&1.into(), &0.into()), "{limit}");
    scene.artel(&["status"]).says("waits for a usage limit of claude");
    kill(child);
    let child = scene.start(&["resume"]);
    scene.house.until("somebody took the run over", || told(&scene.house, "CoordinatorWoke").len() == 2);
    assert_eq!((told(&scene.house, "SeatTaken").len(), scene.model.asked().len()), (1, 1), "nobody is asked");
    kill(child);
}
