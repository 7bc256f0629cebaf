//! Tells that faults of a machine and of those who work on it cost time and nothing else: clocks that are set, machines
//! that sleep, worktrees that vanish, tasks that kill whoever takes them, checks that lie now and then.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;

use crate::common::House;
use crate::crew::{
    all_end, crew, holds_the_laws, landed_tasks, of_kind, open_gate, playing, processes, signal, text, waits,
};

const THREE: [(&str, &str, &str); 3] = [("a", "src/a.txt", ""), ("b", "src/b.txt", ""), ("c", "src/c.txt", "")];
const OLD: [(&str, &str); 3] = [("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")];

fn gated() -> House {
    let house = House::with(&OLD);
    // The shortest lease there is, so that a clock that is set or a machine that sleeps goes beyond it.
    house.write("artel.toml", "lease_s = 10\n");
    let steps = format!("{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &THREE, &steps, "");
    house
}

/// Starts a run with one worker whose clock is off by as many milliseconds as the file `skew` says.
fn start(house: &House) -> Child {
    let log = fs::File::create(house.root().join("started.log")).unwrap();
    let mut command = house.command(&playing(&["--workers", "1"]));
    command.env("ARTEL_SKEW", house.root().join("skew"));
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// Sets the clock of a run off by so many hours.
fn set_clock(house: &House, hours: i64) {
    // Renamed into place: who reads it meanwhile sees the whole of the old or the new.
    let new = house.root().join("skew.new");
    fs::write(&new, (hours * 3_600_000).to_string()).unwrap();
    fs::rename(new, house.root().join("skew")).unwrap();
}

fn leased(house: &House, attempts: usize) {
    house.until("the next attempt runs", || {
        of_kind(&house.events(), "AttemptLeased").len() == attempts
            && processes(house).values().any(|line| line.contains("sleep 0.02"))
    });
}

#[track_caller]
fn each_was_done_at_once(house: &House, mut run: Child) {
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let events = house.events();
    assert_eq!(landed_tasks(&events), ["t1", "t2", "t3"]);
    assert_eq!(of_kind(&events, "AttemptLeased").len(), 3, "an attempt was made in vain");
    assert_eq!(of_kind(&events, "AttemptLost").len(), 0);
    holds_the_laws(house);
    all_end(house);
}

#[cfg(debug_assertions)]
#[test]
fn a_clock_that_is_set_forth_and_back_costs_no_attempt() {
    let house = gated();
    set_clock(&house, 0);
    let run = start(&house);
    for (number, hours) in [(1, 30), (2, -50), (3, 700)] {
        leased(&house, number);
        set_clock(&house, hours);
        open_gate(&house, &format!("t{number}"));
    }
    each_was_done_at_once(&house, run);
    let mut times: Vec<i64> = house.events().iter().map(|event| event["at_ms"].as_i64().unwrap()).collect();
    times.dedup();
    assert!(!times.is_sorted(), "the clock never went back");
    house.artel(&["status"]).exits(0);
    house.artel(&["cost"]).exits(0);
}

#[cfg(debug_assertions)]
#[test]
fn a_machine_that_slept_for_hours_again_and_again_costs_no_attempt() {
    let house = gated();
    set_clock(&house, 0);
    let run = start(&house);
    leased(&house, 1);
    // More often than a task may lose its worker.
    for times in 1..=7 {
        let all: Vec<u32> = processes(&house).into_keys().collect();
        // What ends by itself meanwhile, as a short sleep does, cannot be stopped and need not be.
        let send = |name: &str| {
            for pid in &all {
                let _ = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).output();
            }
        };
        send("STOP");
        set_clock(&house, times * 9);
        send("CONT");
        // Whatever reaches the coordinator has it look at the clock.
        house.artel(&["steer", &format!("good morning {times}")]).exits(0);
        house.until("it is awake", || of_kind(&house.events(), "Steered").len() == times as usize);
        let renewed = of_kind(&house.events(), "LeaseRenewed").len();
        assert!(renewed >= times as usize && renewed < 4 * times as usize, "{renewed} renewals after {times} nights");
    }
    ["t1", "t2", "t3"].iter().for_each(|task| open_gate(&house, task));
    each_was_done_at_once(&house, run);
}

#[test]
fn a_worktree_that_is_removed_under_an_attempt_is_replaced_and_costs_no_try() {
    let house = gated();
    let run = start(&house);
    leased(&house, 1);
    let trees = house.git(&["worktree", "list", "--porcelain"]);
    let path = trees.lines().filter_map(|line| line.strip_prefix("worktree ")).nth(1).unwrap().to_owned();
    house.git(&["worktree", "remove", "--force", &path]);
    assert!(!std::path::Path::new(&path).exists());
    ["t1", "t2", "t3"].iter().for_each(|task| open_gate(&house, task));
    each_was_done_at_once(&house, run);
    assert_eq!(house.landed("src/a.txt"), "new");
}

#[test]
fn a_task_that_kills_every_worker_is_kept_with_the_evidence_and_the_others_land() {
    let house = House::with(&OLD);
    let steps =
        "  - match: {title: b, then: [{say: about to blow up}, {crash: {signal: 9}}]}\n  - write: {text: new}\n";
    crew(&house, &THREE, steps, "");
    house.write("other.yml", &format!("steps:\n{steps}"));
    house.commit("another agent");
    let both = r#"worker.agents=["script:work.yml","script:other.yml"]"#;
    house.artel(&playing(&["--role", both, "--role", "worker.limits.attempts=2"])).exits(5);
    let mut landed = landed_tasks(&house.events());
    landed.sort();
    assert_eq!(landed, ["t1", "t3"]);
    let tries =
        of_kind(&house.events(), "AttemptLeased").iter().filter(|it| text(&it["attempt"]).starts_with("t2.")).count();
    assert_eq!(tries, 4, "each of two agents tries twice, and then nobody");
    let kept = house.artel(&["show", "t2", "--json"]).exits(0).json();
    let why = text(&kept["why"]);
    assert!(why.contains("signal 9") && why.contains("about to blow up"), "{why}");
    all_end(&house);
}

/// Answers red one time in five, by chance that depends on the seed, the tree and how often it was asked; notes each
/// answer by the tree.
const NOW_AND_THEN: &str = "tree=$(git rev-parse 'HEAD^{tree}')\n\
     echo x >> $SEEN/$tree.asked\n\
     number=$(wc -l < $SEEN/$tree.asked)\n\
     drawn=$(echo \"$SEED $tree $number\" | cksum | cut -d' ' -f1)\n\
     if [ $((drawn % 5)) -eq 0 ]; then echo red >> $SEEN/$tree; exit 1; fi\n\
     echo green >> $SEEN/$tree\n";

#[test]
fn a_check_that_is_red_now_and_then_is_never_counted_green_unmarked() {
    let mut doubted = 0;
    // How many trees are looked at hangs on how fast the machine is: two runs at least, and more until enough was doubted.
    for seed in 1..=12 {
        if seed > 2 && doubted > 2 {
            break;
        }
        let house = House::with(&[("check.sh", NOW_AND_THEN)]);
        let tasks: Vec<(String, String)> = (1..=5).map(|n| (format!("k{n}"), format!("src/{n}.txt"))).collect();
        tasks.iter().for_each(|(_, path)| house.write(path, "old\n"));
        let lines: Vec<_> = tasks.iter().map(|(key, path)| (key.as_str(), path.as_str(), "")).collect();
        let seen = house.root().join("seen");
        fs::create_dir_all(&seen).unwrap();
        house.in_the_open();
        house.write("artel.toml", &format!("[set]\nSEED = \"{seed}\"\nSEEN = \"{}\"\n", seen.display()));
        crew(&house, &lines, "  - write: {text: \"new {attempt}\\n\"}\n", "checks: [sh check.sh]\n");
        let code = house.artel(&playing(&["--workers", "2"])).code;
        assert!(matches!(code, Some(0 | 5)), "{code:?}");
        holds_the_laws(&house);
        let answers = answers(&house);
        for (tree, answers) in &answers {
            let seen = fs::read_to_string(seen.join(tree)).unwrap_or_default();
            let is_marked = answers.iter().any(|answer| answer != "green");
            assert_eq!(seen.contains("red"), is_marked, "seed {seed}, {tree}: {answers:?}, and it answered\n{seen}");
            doubted += usize::from(is_marked);
        }
        let unmarked = fs::read_dir(&seen).unwrap().flatten().map(|it| it.file_name().into_string().unwrap());
        for tree in unmarked.filter(|name| !name.ends_with(".asked")) {
            assert!(answers.contains_key(&tree), "{tree} was checked and no event tells of it");
        }
    }
    assert!(doubted > 2, "the check was hardly ever red: {doubted}");
}

/// Lists what the journal has checks answer, by the tree that they looked at.
fn answers(house: &House) -> BTreeMap<String, Vec<String>> {
    let events = house.events();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut note = |tree: &str, results: &serde_json::Value| {
        let answers = results.as_array().unwrap().iter().map(|result| text(&result["answer"]));
        found.entry(tree.to_owned()).or_default().extend(answers);
    };
    let base = text(&of_kind(&events, "RunOpened")[0]["base_tree"]);
    of_kind(&events, "BaselineTaken").iter().for_each(|it| note(&base, &it["results"]));
    of_kind(&events, "PrefixChecked").iter().for_each(|it| note(&text(&it["tree"]), &it["results"]));
    let ended = of_kind(&events, "AttemptEnded");
    for verdict in of_kind(&events, "VerdictGiven") {
        let judged = ended.iter().find(|it| it["attempt"] == verdict["attempt"]).unwrap();
        note(&text(&judged["outcome"]["candidate"]["tree"]), &verdict["verdict"]["checks"]);
    }
    found
}

#[test]
fn of_two_that_take_a_dead_run_over_at_one_time_one_does_and_the_other_is_told() {
    let house = gated();
    let mut run = start(&house);
    leased(&house, 1);
    signal(run.id(), "KILL");
    run.wait().unwrap();
    all_end(&house);
    let mut both = [house.start(&["resume"]), house.start(&["resume"])];
    let mut refused = None;
    house.until("one of two gives way", || {
        refused = both.iter_mut().position(|child| child.try_wait().unwrap().is_some());
        refused.is_some()
    });
    let [first, second] = &mut both;
    let (gone, stays) = if refused == Some(0) { (first, second) } else { (second, first) };
    assert_eq!(gone.wait().unwrap().code(), Some(12));
    assert!(stays.try_wait().unwrap().is_none(), "both gave way");
    ["t1", "t2", "t3"].iter().for_each(|task| open_gate(&house, task));
    assert_eq!(stays.wait().unwrap().code(), Some(0));
    let mut landed = landed_tasks(&house.events());
    landed.sort();
    assert_eq!(landed, ["t1", "t2", "t3"]);
    assert_eq!(of_kind(&house.events(), "CoordinatorWoke").len(), 2, "the dead one, and the one of two");
    holds_the_laws(&house);
    all_end(&house);
}
