//! Tells what an attempt and a check find around them: environment, ports, set-up, and what is kept warm.

use std::collections::BTreeSet;

use crate::common::{House, said};
use crate::stage::{crew, run, task, told, why, work};

const TWO: &str = "[{key: one, paths: [a]}, {key: two, paths: [b]}]";

/// Writes `artel.toml` with `{house}` filled in, and commits it.
fn configure(house: &House, text: &str) {
    house.in_the_open();
    house.write("artel.toml", &text.replace("{house}", &house.root().to_string_lossy()));
    house.commit("settings");
}

fn lines(house: &House, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(house.root().join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_attempt_gets_a_short_list_of_variables_and_what_was_granted() {
    let house = crew("checks: [\"env > $SEEN.check\"]\n", "[{key: one, paths: [a]}]", &[]);
    configure(&house, "env = [\"GRANTED\"]\n[set]\nSEEN = \"{house}/seen\"\nWHERE = \"{worktree}|{tmp}\"\n");
    let args = run("worker.agents=command:env > $SEEN; pwd > a", &["--role", "worker.grants.env=MINE"]);
    let mut command = house.command(&args);
    command.env("GRANTED", "to all").env("MINE", "to workers").env("MY_API_KEY", "canary").env("LD_PRELOAD", "");
    said(&command.output().unwrap()).exits(0);
    let (env, check) = (lines(&house, "seen"), lines(&house, "seen.check"));
    let value = |env: &[String], name: &str| {
        env.iter().find_map(|line| line.strip_prefix(&format!("{name}=")).map(str::to_owned)).unwrap_or_default()
    };
    for env in [&env, &check] {
        assert!(!env.iter().any(|line| line.contains("canary") || line.starts_with("ARTEL_HOME")), "{env:?}");
        assert_eq!(value(env, "GRANTED"), "to all");
        assert_ne!(value(env, "TMPDIR"), "");
    }
    assert_eq!((value(&env, "MINE"), value(&check, "MINE")), ("to workers".to_owned(), String::new()));
    assert_ne!(value(&env, "TMPDIR"), value(&check, "TMPDIR"));
    assert_eq!(value(&env, "WHERE"), format!("{}|{}", house.landed("a"), value(&env, "TMPDIR")));
    assert_eq!(check.iter().filter(|line| line.contains("/t1.1/")).count(), 0, "a check finds no worker's desk");
}

#[test]
fn attempts_at_one_time_hold_ports_and_temporary_folders_of_their_own() {
    let house = crew(
        "",
        TWO,
        &[(
            "meet.sh",
            "echo $ARTEL_PORT_1 $ARTEL_PORT_2 $TMPDIR > $SEEN.$ARTEL_TASK\ntest -d $TMPDIR || exit 1\ni=0; until [ -e $SEEN.t1 ] && [ -e $SEEN.t2 ]; do i=$((i+1)); [ $i -lt 400 ] || exit 1; sleep 0.05; done\n",
        )],
    );
    configure(&house, "[set]\nSEEN = \"{house}/seen\"\n");
    work(&house, "worker.agents=command:sh meet.sh", &["--workers", "2", "--role", "worker.grants.ports=2"]).exits(0);
    let held: Vec<String> = ["seen.t1", "seen.t2"].iter().flat_map(|file| lines(&house, file)).collect();
    let words: BTreeSet<&str> = held.iter().flat_map(|line| line.split(' ')).collect();
    assert_eq!(words.len(), 6, "four ports and two folders, all different: {held:?}");
}

#[test]
fn set_up_runs_once_in_each_worktree_where_what_it_makes_stays_warm() {
    let house = crew("checks: [\"test -f deps/made\"]\n", TWO, &[(".gitignore", "deps/\n*.tmp\n")]);
    configure(
        &house,
        "setup = [\"echo $PWD >> $COUNT; mkdir -p deps; touch deps/made\"]\nwarm = [\"deps\"]\n[set]\nCOUNT = \"{house}/count\"\n",
    );
    let agents = "worker.agents=command:test -f deps/made || exit 7; echo x > $(cat $ARTEL_PATHS)";
    work(&house, agents, &["--workers", "1"]).exits(0);
    let ran = lines(&house, "count");
    let trees: BTreeSet<&String> = ran.iter().collect();
    assert_eq!(ran.len(), trees.len(), "twice in one worktree: {ran:?}");
    assert_eq!(trees.len(), 2, "one worktree to work in and one to check in: {ran:?}");
}

#[test]
fn set_up_runs_again_where_what_it_made_was_cleaned_away() {
    let house = crew("checks: [\"test -f deps/made\"]\n", TWO, &[(".gitignore", "deps/\n")]);
    configure(&house, "setup = [\"mkdir -p deps; touch deps/made\"]\n");
    let agents = "worker.agents=command:test -f deps/made || exit 7; echo x > $(cat $ARTEL_PATHS)";
    work(&house, agents, &["--workers", "1"]).exits(0);
    assert_eq!(house.board()["counts"]["landed"], 2);
}

#[test]
fn what_is_warm_stays_in_the_worktree_and_other_ignored_files_go() {
    let look = "ls -A cache 2>/dev/null | tr '\\n' ' ' >> $SEEN; ls *.tmp >> $SEEN 2>/dev/null; echo . >> $SEEN; mkdir -p cache; touch cache/$ARTEL_TASK left.tmp; echo x > $(cat $ARTEL_PATHS)\n";
    let house = crew("", TWO, &[(".gitignore", "cache/\n*.tmp\n"), ("look.sh", look)]);
    configure(&house, "warm = [\"cache\"]\n[set]\nSEEN = \"{house}/seen\"\n");
    work(&house, "worker.agents=command:sh look.sh", &["--workers", "1"]).exits(0);
    assert_eq!(lines(&house, "seen"), [".", "t1 ."]);
    assert_eq!(house.git(&["ls-tree", "-r", "--name-only", &house.head(), "cache", "left.tmp"]), "");
}

#[test]
fn a_set_up_that_fails_is_named_with_what_it_said() {
    let setup = "setup = [\"true\", \"echo no network; exit 9\"]\n";
    // Where checks need it, the run halts before any work is done in vain.
    let house = crew("checks: [\"true\"]\n", TWO, &[]);
    configure(&house, setup);
    let said = work(&house, "worker.agents=command:true", &[]).exits(9);
    said.says("echo no network; exit 9").says("exited with 9").says("no network");
    // Where nothing but attempts needs it, each task tells.
    let goal = "---\nname: a goal\ndone: [{name: none, query: {regex: nowhere, within: [src]}}]\n---\nDo it.\n";
    let house = crew("", TWO, &[]);
    house.write("goal.md", goal);
    configure(&house, setup);
    work(&house, "worker.agents=command:echo x > a", &["--role", "worker.limits.attempts=1"]).exits(5);
    assert!(
        why(&house, "t1").contains("`echo no network; exit 9` exited with 9:\nno network"),
        "{}",
        why(&house, "t1")
    );
    assert_eq!(house.board()["counts"]["landed"], 0);
    assert_eq!(task(&house, "t2")["status"], "kept");
}

#[test]
fn time_that_a_part_only_claims_is_told_and_not_slept() {
    let house = crew(
        "",
        "[{key: one, paths: [a]}]",
        &[("part.yml", "steps: [{wait: {ms: 3600000}}, {write: {text: \"x\\n\"}}]\n")],
    );
    work(&house, "worker.agents=script:part.yml", &[]).exits(0);
    assert!(told(&house, "AttemptEnded")[0]["usage"]["wall_ms"].as_u64().unwrap() >= 3_600_000);
}
