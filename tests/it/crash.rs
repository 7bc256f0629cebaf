//! Tells that a run survives the death of whatever works on it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::common::House;
use crate::crew::{
    all_end, crew, holds_the_laws, landed_tasks, of_kind, open_gate, playing, processes, signal, text, waits,
};

const TASKS: usize = 20;
const KILLS: usize = 18;

/// Lets the first tasks come to their end.
pub fn open_gates(house: &House, count: usize) {
    (1..=count).for_each(|number| open_gate(house, &format!("t{number}")));
}

/// Builds this many tasks, some of which need a second attempt, and some of which wait for others.
pub fn many(count: usize) -> House {
    let house = House::with(&[("check.sh", "! grep -rq bad src\n")]);
    let tasks: Vec<(String, String)> = (1..=count).map(|n| (format!("k{n:02}"), format!("src/{n}.txt"))).collect();
    for (_, path) in &tasks {
        house.write(path, "old\n");
    }
    let lines: Vec<(&str, &str, &str)> = tasks.iter().map(|(key, path)| (key.as_str(), path.as_str(), "")).collect();
    // What is done must not depend on how often a crash had it tried: the brief says what was refused.
    let steps = waits(&house, "{task}")
        + "  - match:\n      title: \"k.[37]$\"\n      then:\n        \
                 - run: \"if grep -q 'check.sh' \\\"$ARTEL_BRIEF\\\" && grep -q 'not accepted' \\\"$ARTEL_BRIEF\\\"; \
                 then echo good > '{path}'; else echo bad > '{path}'; fi\"\n      or:\n        \
                 - write: {text: \"good\\n\"}\n";
    crew(&house, &lines, &steps, "checks: [\"sh check.sh\"]\n");
    let plan = std::fs::read_to_string(house.repo().join("plan.yml")).unwrap();
    house.write("plan.yml", &plan.replace("key: k04,", "key: k04, after: [k01, k03],"));
    house.commit("ordered");
    house
}

/// Starts a verb that writes its events, and kills it some while after it has written so many beyond those that were
/// seen before, or at once where none are asked for; tells how it ended where it came to its end before.
fn killed_after(house: &House, args: &[&str], (seq, more): (u64, u64), then: Duration) -> Option<i32> {
    let mut child: Child = house.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if tell.send(event["seq"].as_u64()).is_err() {
                break;
            }
        }
    });
    let mut seen = seq;
    let mut is_over = false;
    while seen < seq + more {
        // Whoever takes over stores at least that; what follows may have to wait for a gate.
        let patience = Duration::from_millis(if seen > seq { 300 } else { 20_000 });
        match heard.recv_timeout(patience) {
            Ok(number) => seen = seen.max(number.unwrap_or(seen)),
            Err(mpsc::RecvTimeoutError::Timeout) => break,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                is_over = true;
                break;
            }
        }
    }
    if !is_over {
        // The moment is chance on purpose; what must hold holds at each.
        std::thread::sleep(then);
        let _ = child.kill();
    }
    child.wait().unwrap().code()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_the_undisturbed_one() {
    let tree = |house: &House| house.git(&["rev-parse", &format!("{}:src", house.head())]);
    let undisturbed = many(TASKS);
    open_gates(&undisturbed, TASKS);
    undisturbed.artel(&playing(&["--workers", "3"])).exits(0);

    let house = many(TASKS);
    let seed = std::env::var("ARTEL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut args = playing(&["--workers", "3", "--json"]);
    let mut seq = 0;
    // Each time one more task can come to its end, so that the run is not over before all kills.
    for kill in 1..=KILLS {
        open_gates(&house, kill);
        let more = if kill % 6 == 0 { 0 } else { rng.u64(1..20) };
        let code = killed_after(&house, &args, (seq, more), Duration::from_millis(rng.u64(0..80)));
        assert_eq!(code, None, "it ended before kill {kill}: {:#}", house.board()["left"]);
        // What was stored and not yet printed is no news next time.
        seq = house.events().last().map_or(0, |event| event["seq"].as_u64().unwrap());
        args = vec!["resume", "--json"];
    }
    all_end(&house);
    open_gates(&house, TASKS);
    house.artel(&["resume"]).exits(0);
    assert_eq!(tree(&house), tree(&undisturbed));
    assert_eq!(landed_tasks(&house.events()).len(), TASKS);
    holds_the_laws(&house);
    let worktrees = house.git(&["worktree", "list", "--porcelain"]);
    assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
    let woken = of_kind(&house.events(), "CoordinatorWoke").len();
    // Every sixth kill comes at once, before a take-over where the machine is slow, and the first may come before the run's
    // own; the last that takes over is not killed.
    assert!(woken >= KILLS - KILLS / 6, "not every kill that waits for a take-over came after one: {woken}");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    house.artel(&["deliver"]).exits(0);
}

#[test]
fn nothing_that_a_killed_coordinator_started_lives_on() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let steps = format!("  - leak: {{children: 2}}\n{}  - write: {{text: new}}\n", waits(&house, "never"));
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], &steps, "");
    let mut child = house.start(&playing(&["--workers", "2"]));
    let leaked = || processes(&house).values().filter(|line| line.contains("linger")).count();
    house.until("both attempts have leaked", || leaked() == 4);
    child.kill().unwrap();
    child.wait().unwrap();
    all_end(&house);
}

#[test]
fn what_is_replayed_is_what_was_lived() {
    let house = many(4);
    open_gates(&house, 4);
    let child = house.command(&playing(&["--json"])).stdout(Stdio::piped()).spawn().unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let lines = String::from_utf8(out.stdout).unwrap();
    let mut live: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut board = live.pop().unwrap();
    assert_eq!(live, house.events());
    let mut read = house.board();
    for board in [&mut board, &mut read] {
        for moving in ["coordinated", "now_ms"] {
            board.as_object_mut().unwrap().remove(moving);
        }
    }
    assert_eq!(board, read);
}

/// Has one task wait at its gate; gives the coordinator and the processes of that attempt: its init and its agent.
fn one_at_work(house: &House) -> (Child, u32, u32) {
    let steps = format!("{}  - write: {{text: new}}\n", waits(house, "{attempt}"));
    crew(house, &[("a", "src/a.txt", "")], &steps, "");
    let child = house.start(&playing(&[]));
    let find = |verb: &str| processes(house).into_iter().find(|(_, line)| line.contains(verb)).map(|(pid, _)| pid);
    house.until("the agent waits", || processes(house).values().any(|line| line.contains("sleep 0.02")));
    (child, find("__init").unwrap(), find("__script").unwrap())
}

#[test]
fn the_death_of_an_init_or_of_an_agent_is_one_attempt_and_the_task_lands_once() {
    for kill_init in [true, false] {
        let house = House::with(&[("src/a.txt", "old\n")]);
        let (mut child, init, agent) = one_at_work(&house);
        signal(if kill_init { init } else { agent }, "KILL");
        house.until("it is tried again", || house.board()["attempts"] == 2);
        open_gate(&house, "t1.2");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(landed_tasks(&house.events()), ["t1"]);
        holds_the_laws(&house);
        all_end(&house);
    }
}

#[test]
fn a_stopped_agent_is_ended_at_its_limit_and_its_task_is_done_once() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    house.write(".artel/roles/worker.toml", "[limits]\nwall_s = 2\n");
    let (mut child, _, agent) = one_at_work(&house);
    signal(agent, "STOP");
    house.until("it is tried again", || house.board()["attempts"] == 2);
    assert!(!processes(&house).contains_key(&agent), "the stopped agent lives on");
    open_gate(&house, "t1.1");
    open_gate(&house, "t1.2");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
    holds_the_laws(&house);
}

#[test]
fn a_coordinator_that_slept_beyond_its_leases_has_each_task_done_once() {
    let house = House::with(&[("src/a.txt", "old\n"), ("artel.toml", "lease_s = 10\n")]);
    let (mut child, _, agent) = one_at_work(&house);
    signal(child.id(), "STOP");
    open_gate(&house, "t1.1");
    house.until("the agent has ended while nobody listens", || !processes(&house).contains_key(&agent));
    let leased = of_kind(&house.events(), "AttemptLeased")[0]["until_ms"].as_i64().unwrap();
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    house.until("the lease has lapsed", || now() > leased + 1_000);
    open_gate(&house, "t1.2");
    signal(child.id(), "CONT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
    let events = house.events();
    let ended = of_kind(&events, "AttemptEnded").len() + of_kind(&events, "AttemptLost").len();
    assert_eq!(ended, of_kind(&events, "AttemptLeased").len(), "each attempt has one end");
    holds_the_laws(&house);
}

#[test]
fn a_coordinator_that_was_passed_over_stores_nothing_more() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let (mut first, _, _) = one_at_work(&house);
    signal(first.id(), "STOP");
    // While it holds its locks nobody can pass it over, however long it sleeps.
    house.artel(&["resume"]).exits(12).says(&first.id().to_string());
    let run = house.run();
    std::fs::remove_file(house.home().join("runs").join(&run).join("lock")).unwrap();
    house.artel(&["resume"]).exits(12);
    for pool in find(&house.home().join("trees"), "lock") {
        std::fs::remove_file(pool).unwrap();
    }
    open_gate(&house, "t1.2");
    house.artel(&["resume"]).exits(0);
    let (events, head) = (house.events(), house.head());
    open_gate(&house, "t1.1");
    signal(first.id(), "CONT");
    assert_eq!(first.wait().unwrap().code(), Some(12), "{:?}", text(&events[0]["kind"]));
    assert_eq!(house.events(), events);
    assert_eq!(house.head(), head);
    all_end(&house);
    holds_the_laws(&house);
}

fn find(dir: &std::path::Path, name: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name() == name {
            found.push(entry.path());
        } else if entry.path().is_dir() {
            found.extend(find(&entry.path(), name));
        }
    }
    found
}
