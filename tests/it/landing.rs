//! Tells how candidates land: conflicts, batches, bisection, and what the run's branch is made of.

use std::collections::BTreeSet;
use std::process::Command;

use crate::common::{House, said};
use crate::crew::{crew, holds_the_laws, landed_tasks, landings, of_kind, open_gate, playing, text, waits};

const FOUR: [(&str, &str, &str); 4] = [
    ("one", "src/same.py", "one.yml"),
    ("two", "src/same.py", "two.yml"),
    ("three", "src/same.py", "three.yml"),
    ("four", "src/same.py", "four.yml"),
];

fn four_rules() -> Vec<(String, String)> {
    let rule =
        |name: &str| format!("id: {name}\nlanguage: python\nrule: {{ pattern: {name}($A) }}\nfix: {name}_new($A)\n");
    ["one", "two", "three", "four"].iter().map(|name| (format!("{name}.yml"), rule(name))).collect()
}

/// Builds the conflict set: four tasks that edit the same line.
fn conflict_set(steps: &str, front: &str) -> House {
    let house = House::with(&[("src/same.py", "total = one(1) + two(2) + three(3) + four(4)\n")]);
    for (name, text) in four_rules() {
        house.write(&name, &text);
    }
    let rules = "plan: { rules: [one.yml, two.yml, three.yml, four.yml], iterations: 1 }\n";
    crew(&house, &FOUR, steps, &format!("{rules}{front}"));
    house
}

#[test]
fn of_four_that_cannot_adapt_one_lands_and_three_are_kept_and_named() {
    let steps = "  - replace: {find: \"total =\", with: \"{task} =\"}\n";
    let house = conflict_set(steps, "checks: [\"ls src\"]\n");
    let before = house.git(&["rev-parse", "main"]);
    let said = house.artel(&playing(&["--workers", "4"])).exits(5);
    let board = house.board();
    assert_eq!((board["counts"]["landed"].clone(), board["counts"]["kept"].clone()), (1.into(), 3.into()));
    let left = board["left"].as_array().unwrap();
    assert_eq!(left.len(), 3);
    for row in left {
        let (task, why) = (text(&row["task"]), text(&row["why"]));
        assert!(why.contains("src/same.py"), "{task} is kept without a reason that helps: {why}");
        assert!(said.out.contains(&task), "{task} is not named:\n{}", said.out);
    }
    let conflicts = of_kind(&house.events(), "MemberEjected");
    assert!(!conflicts.is_empty(), "nothing ever conflicted");
    assert!(conflicts.iter().all(|it| it["findings"][0]["rule"] == "conflict"), "{conflicts:?}");
    assert_eq!(house.git(&["rev-parse", "main"]), before);
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    holds_the_laws(&house);
}

#[test]
fn a_resolver_is_shown_both_sides_of_a_conflict_and_brings_them_together() {
    let steps = "  - run: \"sed -i 's/ =/_{task} =/' src/same.py\"\n";
    let house = conflict_set(steps, "");
    let goal = std::fs::read_to_string(house.repo().join("goal.md")).unwrap();
    let goal = goal.replace("iterations: 1", "iterations: 1, resolver: resolver");
    house.write("goal.md", &goal.replacen("---\n", "---\nlanding: { conflicts: 9 }\n", 1));
    // Keeps what stands there, and puts its own task's name beside.
    let line = "grep -q '^> This landed: ' $ARTEL_BRIEF && grep -q '^> The change that did not merge:' $ARTEL_BRIEF && \
                sed -i \"s/ =/_$ARTEL_TASK =/\" src/same.py";
    let role = format!("about = 'resolves'\npart = 'worker'\nprompt = 'resolver'\nagents = [{line:?}]\n")
        .replace("[\"", "[\"command:");
    house.write(".artel/roles/resolver.toml", &role);
    house.commit("a resolver");
    house.artel(&playing(&["--workers", "4"])).exits(0);
    let events = house.events();
    let ejected: BTreeSet<String> = of_kind(&events, "MemberEjected").iter().map(|it| text(&it["attempt"])).collect();
    assert!(!ejected.is_empty(), "nothing ever conflicted");
    let leased = of_kind(&events, "AttemptLeased");
    for attempt in ejected {
        let (task, number) = attempt.split_once('.').unwrap();
        let next = format!("{task}.{}", number.parse::<u32>().unwrap() + 1);
        let lease = leased.iter().find(|it| it["attempt"] == next.as_str()).unwrap();
        assert!(text(&lease["agent"]).contains("This landed"), "neither author resolves: {lease}");
    }
    let landed = house.landed("src/same.py");
    assert!(["t1", "t2", "t3", "t4"].iter().all(|task| landed.contains(task)), "{landed}");
    holds_the_laws(&house);
}

#[test]
fn a_conflict_that_may_not_be_tried_again_is_kept_with_its_files() {
    let steps = "  - conflict: {path: src/same.py, line: 1, text: \"total = {task}\"}\n";
    let house = conflict_set(steps, "landing: { conflicts: 0 }\n");
    house.artel(&playing(&["--workers", "4"])).exits(5);
    let board = house.board();
    let whys: Vec<String> = board["left"].as_array().unwrap().iter().map(|row| text(&row["why"])).collect();
    assert!(!whys.is_empty());
    for why in whys {
        assert!(why.contains("conflicts with what landed before it") && why.contains("src/same.py"), "{why}");
    }
    holds_the_laws(&house);
}

#[test]
fn of_four_that_follow_rules_all_land_on_the_same_line() {
    let house = conflict_set("  - nothing\n", "checks: [\"ls src\"]\n");
    let args = ["run", "goal.md", "--role", "shard.agents=script:plan.yml", "--workers", "4"];
    house.artel(&args).exits(0);
    assert_eq!(house.landed("src/same.py"), "total = one_new(1) + two_new(2) + three_new(3) + four_new(4)");
    assert_eq!(landed_tasks(&house.events()).into_iter().collect::<BTreeSet<_>>().len(), 4);
    holds_the_laws(&house);
}

/// Builds six tasks of which the first two land before the others come together, and `c` is red beside `a`.
fn semantic_conflict(steps: &str) -> House {
    let files = ["p", "q", "a", "b", "c", "d"];
    let house = House::with(&[]);
    for name in files {
        house.write(&format!("src/{name}.txt"), "old\n");
    }
    let gate = house.root().join("gate-landing");
    let check = format!(
        "new() {{ grep -q new \"src/$1.txt\"; }}\n\
         if new p && new q; then until test -e {}; do sleep 0.02; done; fi\n\
         if new a && new c; then echo 'a and c do not go together'; exit 1; fi\n",
        gate.display()
    );
    house.write("check.sh", &check);
    let tasks: Vec<(String, String)> =
        files.iter().map(|name| ((*name).to_owned(), format!("src/{name}.txt"))).collect();
    let lines: Vec<(&str, &str, &str)> = tasks.iter().map(|(key, path)| (key.as_str(), path.as_str(), "")).collect();
    let steps = format!("{}{steps}", waits(&house, "{task}"));
    crew(&house, &lines, &steps, "checks: [\"sh check.sh\"]\n");
    house
}

/// Has `p` land, then holds the landing of `q` until the others are accepted, and lets them land in one batch.
fn play_in_one_batch(house: &House) -> std::process::Child {
    let child = house.start(&playing(&["--workers", "6"]));
    house.until("the run is open", || house.command(&["status"]).output().unwrap().status.success());
    open_gate(house, "t1");
    house.until("t1 has landed", || house.board()["counts"]["landed"] == 1);
    open_gate(house, "t2");
    house.until("t2 is landing", || house.board()["batch"]["members"].as_array().is_some_and(|it| it.len() == 1));
    for (number, task) in ["t3", "t4", "t5", "t6"].iter().enumerate() {
        open_gate(house, task);
        house.until("it is accepted", || house.board()["queue"].as_array().unwrap().len() == number + 1);
    }
    open_gate(house, "landing");
    child
}

#[test]
fn a_batch_that_is_red_together_is_searched_and_only_the_culprit_is_kept() {
    let house = semantic_conflict("  - write: {text: \"new\\n\"}\n");
    let mut child = play_in_one_batch(&house);
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let events = house.events();
    assert_eq!(landed_tasks(&events), ["t1", "t2", "t3", "t4", "t6"]);
    let formed = of_kind(&events, "BatchFormed");
    let together = formed.iter().find(|it| it["members"].as_array().unwrap().len() == 4).expect("one batch of four");
    let landed = of_kind(&events, "BatchLanded");
    let prefix = landed.iter().find(|it| it["batch"] == together["batch"]).unwrap();
    assert_eq!(prefix["landed"].as_array().unwrap().len(), 2, "the green prefix lands at once: {prefix}");
    let ejected = of_kind(&events, "MemberEjected");
    assert_eq!(ejected.len(), 1);
    assert_eq!(text(&ejected[0]["attempt"]), "t5.1");
    assert!(text(&ejected[0]["findings"][0]["what"]).contains("a and c do not go together"), "{}", ejected[0]);
    let left = house.board()["left"].clone();
    assert_eq!(left[0]["task"], "t5");
    assert!(text(&left[0]["why"]).contains("a and c do not go together"), "{left}");
    assert_eq!(house.landed("src/c.txt"), "old");
    holds_the_laws(&house);
}

#[test]
fn the_culprit_is_tried_again_with_what_the_checks_said_and_lands() {
    let adapts = "  - on_attempt:\n      \
                  1: [{write: {text: \"new\\n\"}}]\n      \
                  else: [{run: 'grep -q \"do not go together\" \"$ARTEL_BRIEF\"'}, {write: {text: \"adapted\\n\"}}]\n";
    let house = semantic_conflict(adapts);
    let mut child = play_in_one_batch(&house);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(house.landed("src/c.txt"), "adapted");
    assert_eq!(house.landed("src/a.txt"), "new");
    assert_eq!(of_kind(&house.events(), "MemberEjected").len(), 1);
    holds_the_laws(&house);
}

#[test]
fn every_commit_of_the_branch_passes_the_checks_and_says_whose_it_is() {
    let house = House::with(&[("check.sh", "test \"$(cat src/*.txt | grep -c old)\" -le 8\n")]);
    let tasks: Vec<(String, String)> = (1..=8).map(|n| (format!("k{n}"), format!("src/{n}.txt"))).collect();
    for (_, path) in &tasks {
        house.write(path, "old\n");
    }
    let lines: Vec<(&str, &str, &str)> = tasks.iter().map(|(key, path)| (key.as_str(), path.as_str(), "")).collect();
    let steps = "  - replace: {find: old, with: \"new by {task}\"}\n";
    crew(&house, &lines, steps, "checks: [\"sh check.sh\"]\n");
    house.artel(&playing(&["--workers", "4"])).exits(0);
    holds_the_laws(&house);
    let (run, head, base) = (house.run(), house.head(), house.git(&["rev-parse", "main"]));

    let list = house.git(&["rev-list", "--first-parent", &format!("{base}..{head}")]);
    let commits: Vec<&str> = list.lines().collect();
    assert_eq!(commits.len(), 8);
    let clone = house.root().join("clone");
    let git = |args: &[&str]| {
        let out = Command::new("git").current_dir(&clone).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    house.git(&["clone", "--quiet", "--no-checkout", ".", clone.to_str().unwrap()]);
    for commit in &commits {
        git(&["-c", "advice.detachedHead=false", "checkout", "--quiet", commit]);
        let checked = Command::new("sh").current_dir(&clone).arg("check.sh").output().unwrap();
        said(&checked).exits(0);
        let message = house.git(&["log", "-1", "--format=%B", commit]);
        for trailer in [format!("Artel-Run: {run}"), "Artel-Task: t".to_owned(), "Artel-Attempt: t".to_owned()] {
            assert!(message.contains(&trailer), "{commit} has no `{trailer}`:\n{message}");
        }
        assert_eq!(house.git(&["log", "-1", "--format=%P", commit]).split(' ').count(), 2, "a merge has two parents");
    }
    let by_journal: Vec<String> = landings(&house.events()).into_iter().rev().map(|(_, commit)| commit).collect();
    assert_eq!(by_journal, commits);
    for number in 1..=8 {
        let branch = house.git(&["rev-parse", &format!("refs/heads/artel/{run}/t{number}")]);
        let second: BTreeSet<String> =
            commits.iter().map(|commit| house.git(&["rev-parse", &format!("{commit}^2")])).collect();
        assert!(second.contains(&branch), "the branch of t{number} is what was merged");
        let message = house.git(&["log", "-1", "--format=%B", &branch]);
        assert!(
            message.contains(&format!("Artel-Task: t{number}")) && message.contains("Artel-Agent: script"),
            "{message}"
        );
    }
}
