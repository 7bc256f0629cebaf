//! Tells that what a run needs on this machine is bounded, and that clearing away brings back what was there before.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::common::House;
use crate::crew::{crew, landed_tasks, playing};
use crate::deaths::files;

/// Builds so many tasks, each of which notes the worktree that it works in, as each check does.
fn noting(house: &House, tasks: usize) {
    let paths: Vec<(String, String)> = (1..=tasks).map(|n| (format!("k{n}"), format!("src/{n}.txt"))).collect();
    paths.iter().for_each(|(_, path)| house.write(path, "old\n"));
    let lines: Vec<_> = paths.iter().map(|(key, path)| (key.as_str(), path.as_str(), "")).collect();
    let note = |name: &str| format!("pwd >> {}", house.root().join(name).display());
    let steps = format!("  - run: \"{}\"\n  - write: {{text: new}}\n", note("worked"));
    crew(house, &lines, &steps, &format!("checks: [\"{}\"]\n", note("checked")));
}

fn noted(house: &House, name: &str) -> BTreeSet<String> {
    fs::read_to_string(house.root().join(name)).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn no_more_worktrees_are_made_than_work_and_judge_at_once() {
    let house = House::with(&[("artel.toml", "workers = 2\njudges = 1\n")]);
    noting(&house, 12);
    house.artel(&playing(&["--sandbox", "none"])).exits(0);
    assert_eq!(landed_tasks(&house.events()).len(), 12);
    let worked = noted(&house, "worked");
    assert!(worked.len() <= 2, "{worked:?}");
    // One to judge in, and one for what is about to land.
    let checked = noted(&house, "checked");
    assert!(checked.len() <= 2, "{checked:?}");
    assert!(worked.is_disjoint(&checked));
}

/// Lists all files of the state directory but the journal, which is kept.
fn kept(house: &House) -> Vec<PathBuf> {
    let home = house.home();
    let is_journal = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().starts_with("artel.db");
    let found = files(&home, &|path| !is_journal(path));
    let mut found: Vec<PathBuf> = found.iter().map(|path| path.strip_prefix(&home).unwrap().to_owned()).collect();
    found.sort();
    found
}

#[test]
fn a_look_at_what_could_be_cleared_away_takes_no_lock_and_clearing_none_of_a_run_that_goes_on() {
    let house = House::with(&[]);
    noting(&house, 1);
    house.artel(&playing(&["--open-only"])).exits(0);
    let lock = house.home().join("runs").join(house.run()).join("lock");
    for args in [&["gc", "--dry-run"][..], &["gc"]] {
        house.artel(args).exits(0).says("nothing to clear away");
        assert!(!lock.exists(), "{args:?} took the lock of a run that nobody has worked on");
    }
    house.artel(&["resume", "--sandbox", "none"]).exits(0);
    fs::write(&lock, "whoever was last\n").unwrap();
    house.artel(&["gc", "--dry-run"]).exits(0).says("logs");
    assert_eq!(fs::read_to_string(&lock).unwrap(), "whoever was last\n");
    house.artel(&["gc"]).exits(0).says("cleared away");
    assert_ne!(fs::read_to_string(&lock).unwrap(), "whoever was last\n");
}

/// Has a run die as soon as its end is stored, with all that it had still there, and clears it away.
#[cfg(debug_assertions)]
#[test]
fn what_a_run_left_that_died_at_its_end_is_cleared_away_to_the_last_file() {
    let undisturbed = House::with(&[]);
    noting(&undisturbed, 3);
    let alone = ["--workers", "1", "--sandbox", "none"];
    undisturbed.artel(&playing(&alone)).exits(0);
    let last = undisturbed.events().len();

    let house = House::with(&[]);
    noting(&house, 3);
    let refs = house.git(&["for-each-ref"]);
    let mut command = house.command(&playing(&alone));
    command.env("ARTEL_FAILPOINT", format!("synced:{last}")).output().unwrap();
    assert!(house.git(&["worktree", "list"]).lines().count() > 1, "it left nothing to clear away");
    assert_eq!(house.events().last().unwrap()["kind"], "RunEnded");
    house.artel(&["gc"]).exits(0).says("worktree").says("cleared away");
    let run = house.run();
    assert_eq!(house.git(&["worktree", "list"]).lines().count(), 1);
    assert!(!house.repo().join(".git/worktrees").exists());
    assert_eq!(kept(&house), [PathBuf::from(format!("runs/{run}/lock"))]);
    // The branch is what the run was for; it goes when its user has delivered it.
    let branch = format!("refs/heads/artel/{run}/main");
    house.git(&["update-ref", "-d", &branch]);
    assert_eq!(house.git(&["for-each-ref"]), refs);
    house.artel(&["gc"]).exits(0).says("nothing to clear away");
}
