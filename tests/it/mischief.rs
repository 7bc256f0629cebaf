//! Tells what becomes of agents that lie, die, hang, flood, leave processes behind, or reach outside.

use std::collections::BTreeMap;

use crate::common::House;
use crate::stage::{alive, crew, leased, run, text, told, why, work};

const BY_PART: &str = "worker.agents=script:part.yml";
const ONCE: [&str; 2] = ["--role", "worker.limits.attempts=1"];

/// Has one task on `src/a` played by these steps (a YAML flow list), once.
fn played(steps: &str) -> House {
    let part = format!("steps: {steps}\n");
    let house = crew("", "[{key: one, paths: [src/a]}]", &[("part.yml", &part), ("src/a", "a\n"), ("src/b", "b\n")]);
    work(&house, BY_PART, &ONCE);
    assert_eq!(alive(&house), Vec::<String>::new(), "something outlived its attempt");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    house
}

#[test]
fn a_claim_without_a_change_lands_nothing() {
    let house = played("[{lie: all of it is done}]");
    assert_eq!(house.board()["counts"]["nothing"], 1);
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
}

#[test]
fn agents_that_die_hang_or_flood_are_ended_and_told_apart() {
    let keys = ["code", "signal", "silent", "endless", "flood"];
    let tasks: Vec<String> = keys.iter().map(|key| format!("{{key: {key}, title: {key}, paths: [{key}]}}")).collect();
    let part = "steps:
  - match: {title: code, then: [{say: last words}, {crash: {code: 3}}]}
  - match: {title: signal, then: [{crash: {signal: 11}}]}
  - match: {title: silent, then: [ignore_term, hang]}
  - match: {title: endless, then: [{run: 'while :; do echo on; sleep 0.1; done'}]}
  - match: {title: flood, then: [{flood: {bytes: 1000000000}}]}
";
    let house = crew("", &format!("[{}]", tasks.join(", ")), &[("part.yml", part)]);
    let limits = ["wall_s=2", "idle_s=1", "output_bytes=100000"].map(|limit| format!("worker.limits.{limit}"));
    let mut more = vec!["--workers", "5"];
    more.extend(ONCE);
    more.extend(limits.iter().flat_map(|limit| ["--role", limit]));
    work(&house, BY_PART, &more).exits(5);
    for (id, words) in [
        ("t1", "exited with 3:\nlast words"),
        ("t2", "ended by signal 11"),
        ("t3", "was silent for too long"),
        ("t4", "ran out of time"),
        ("t5", "wrote too much output"),
    ] {
        assert!(why(&house, id).starts_with(words), "{id}: {}", why(&house, id));
    }
    assert_eq!(house.board()["counts"]["kept"], 5);
    assert_eq!(alive(&house), Vec::<String>::new());
    let kept = house.command(&["show", "t5", "--transcript"]).output().unwrap();
    assert_eq!(kept.stdout.len(), 100_000);
}

#[test]
fn what_an_attempt_leaves_running_is_ended_and_counted() {
    let house = played("[{leak: {children: 3}}, {write: {text: \"b\\n\"}}]");
    let ended = &told(&house, "AttemptEnded")[0];
    assert_eq!(ended["usage"]["leaked"], 3);
    assert_eq!(house.landed("src/a"), "b", "work that was done well lands all the same");
}

/// Forks on into a session of its own each time, deaf to every plea, for so many times that it would take a minute.
const ON: &str = "trap '' TERM HUP INT\n[ $1 -lt 1200 ] || exit 0\nsleep 0.05\nsetsid sh on.sh $(($1 + 1)) &\n";

/// Becomes a daemon as daemons do: forks, leaves the session, forks again, and closes what it inherited.
const DAEMON: &str = "(setsid sh -c \"trap '' TERM HUP INT; (sleep 1000; :) &\" &) </dev/null >/dev/null 2>&1\n";

#[test]
fn what_forks_without_end_and_what_became_a_daemon_ends_with_its_attempt() {
    for last in ["write: {text: \"b\\n\"}", "crash: {signal: 9}"] {
        let part = format!("steps: [{{run: 'sh on.sh 0 & sh daemon.sh'}}, {{{last}}}]\n");
        let files = [("part.yml", &part[..]), ("on.sh", ON), ("daemon.sh", DAEMON), ("src/a", "a\n")];
        let house = crew("", "[{key: one, paths: [src/a]}]", &files);
        work(&house, BY_PART, &ONCE);
        assert_eq!(alive(&house), Vec::<String>::new(), "something outlived its attempt");
        let ended = &told(&house, "AttemptEnded")[0];
        assert!(ended["usage"]["leaked"].as_u64().unwrap() >= 2, "{ended}");
        let landed = if last.starts_with("write") { "b" } else { "a" };
        assert_eq!(house.landed("src/a"), landed);
    }
}

#[test]
fn a_stop_ends_what_runs_with_all_that_it_started() {
    let part = "steps: [{leak: {children: 2}}, ignore_term, {run: 'echo $PPID > $TMPDIR/../up'}, hang]\n";
    let house = crew("", "[{key: one, paths: [a]}]", &[("part.yml", part)]);
    let mut running = house.start(&run(BY_PART, &[]));
    house.until("the agent hangs", || {
        let desks = house.home().join("runs");
        walk(&desks).iter().any(|path| path.ends_with("/up"))
    });
    house.artel(&["stop", "--now"]).exits(0);
    assert_eq!(running.wait().unwrap().code(), Some(7));
    assert_eq!(alive(&house), Vec::<String>::new());
    assert_eq!(told(&house, "AttemptLost").len(), 1);
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] };
    entries.flatten().flat_map(|entry| below(entry.path())).collect()
}

#[test]
fn the_same_seed_draws_the_same_run_and_another_seed_another() {
    let part = "steps: [{choose: [{steps: [{write: {text: \"red\\n\"}}]}, {weight: 2, steps: [{write: {text: \"green\\n\"}}]}, {steps: [{crash: {code: 5}}]}]}]\n";
    let tasks: Vec<String> = (1..=5).map(|n| format!("{{key: t{n}, paths: [f{n}]}}")).collect();
    let tree = |seed: &str| {
        let house = crew("", &format!("[{}]", tasks.join(", ")), &[("part.yml", part)]);
        house.artel(&run(BY_PART, &["--seed", seed]));
        let ends: BTreeMap<String, String> = told(&house, "AttemptEnded")
            .iter()
            .map(|end| (text(&end["attempt"]), end["outcome"].as_object().unwrap().keys().next().unwrap().clone()))
            .collect();
        (house.git(&["rev-parse", &format!("{}^{{tree}}", house.head())]), ends)
    };
    let first = tree("7");
    assert_eq!(first, tree("7"));
    assert_ne!(first.0, tree("8").0);
}

#[test]
fn what_is_written_beside_the_worktree_never_lands() {
    let house = played("[{outside: {}}, {write: {text: \"b\\n\"}}]");
    let changed = house.git(&["diff", "--name-only", "main", &house.head()]);
    assert_eq!(changed, "src/a");
}

#[test]
fn a_pipe_a_link_that_leaves_and_a_nested_repository_are_no_candidate() {
    for (steps, words) in [
        ("[{run: mkfifo src/a.pipe}]", "neither a file nor a link"),
        ("[{symlink: {path: src/l, target: /etc/passwd}}]", "src/l"),
        ("[{symlink: {path: src/l, target: ../../up}}]", "src/l"),
        ("[{run: 'mkdir src/sub && cd src/sub && git init -q && touch x'}]", "git repository of its own"),
    ] {
        let house = played(steps);
        let why = why(&house, "t1");
        assert!(why.contains("left what no commit may hold") && why.contains(words), "{steps}: {why}");
        assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
    }
}

#[test]
fn git_of_a_worktree_may_be_tampered_with_and_nothing_of_it_runs_or_counts() {
    // In a sandbox the first line is refused, and what follows tampers with the git of the job's own.
    let evil = "rm .git && git init -q\ngit config core.fsmonitor \"touch $PROOF\" && git config core.hooksPath evil\n\
                hook=$(git rev-parse --git-dir)/hooks/post-checkout\nmkdir -p ${hook%/*}\n\
                printf '#!/bin/sh\\ntouch $PROOF\\n' > $hook && chmod +x $hook\n";
    let part = "steps: [{run: sh evil.sh}, {write: {text: \"b\\n\"}}]\n";
    for is_open in [true, false] {
        let house = crew(
            "checks: [\"git status --porcelain && test -d src\"]\n",
            "[{key: one, paths: [src/a]}, {key: two, paths: [src/b]}]",
            &[("part.yml", part), ("evil.sh", evil), ("src/a", "a\n"), ("src/b", "a\n")],
        );
        if is_open {
            house.in_the_open();
        }
        let proof = house.root().join("proof");
        house.write("artel.toml", &format!("[set]\nPROOF = \"{}\"\n", proof.display()));
        house.commit("settings");
        let config = std::fs::read(house.repo().join(".git/config")).unwrap();
        work(&house, BY_PART, &["--workers", "1"]).exits(0);
        assert_eq!((house.landed("src/a"), house.landed("src/b")), ("b".to_owned(), "b".to_owned()));
        assert!(!proof.exists(), "something of the agent's was run");
        assert_eq!(std::fs::read(house.repo().join(".git/config")).unwrap(), config);
        assert_eq!(house.git(&["worktree", "list"]).lines().count(), 1);
    }
}

#[test]
fn who_commits_in_its_worktree_is_judged_by_its_files_alone() {
    let commit = "[{run: 'echo b > src/a && git -c user.name=Evil -c user.email=e@e commit -qam sneaky'}, {run: 'echo c >> src/a'}]";
    let base_and = |house: &House| house.git(&["log", "--format=%an %s", &house.head()]);
    let house = played(commit);
    assert_eq!(house.landed("src/a"), "b\nc");
    assert!(!base_and(&house).contains("sneaky") && !base_and(&house).contains("Evil"), "{}", base_and(&house));
}

#[test]
fn an_agent_that_removes_its_worktree_fails_and_takes_nobody_with_it() {
    let house = crew("", "[{key: one, paths: [a]}, {key: two, paths: [b]}]", &[("a", "a\n")]);
    let agents = r#"worker.agents=["command:case $ARTEL_TASK in t1) rm -rf \"$PWD\";; *) echo b > b;; esac"]"#;
    work(&house, agents, &["--workers", "1"]).exits(5);
    assert_eq!(leased(&house).iter().filter(|(attempt, _)| attempt.starts_with("t1.")).count(), 2);
    assert_eq!(house.landed("b"), "b");
    assert_eq!(house.landed("a"), "a");
}
