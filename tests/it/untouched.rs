//! Tells that what belongs to the user is bit for bit what it was after a run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::House;
use crate::crew::{crew, playing, shape};

const HOOKS: [&str; 19] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "reference-transaction",
    "update",
];

/// Builds a repository with work of the user's in every corner.
fn lived_in() -> House {
    let lines: String = (1..=20).map(|n| format!("line {n}\n")).collect();
    let house = House::with(&[("src/big.txt", &lines), ("src/a.txt", "old\n"), ("mine.txt", "mine\n")]);
    house.git(&["branch", "side"]);
    house.git(&["tag", "v1"]);
    let tasks = [("top", "src/big.txt", ""), ("end", "src/big.txt", ""), ("a", "src/a.txt", "")];
    let steps = "  - match: {title: top, then: [{replace: {find: \"line 1\\n\", with: \"top by {task}\\n\"}}]}\n  \
                 - match: {title: end, then: [{replace: {find: \"line 20\\n\", with: \"end by {task}\\n\"}}]}\n  \
                 - match: {title: ^a$, then: [{write: {text: \"new\\n\"}}]}\n";
    crew(&house, &tasks, steps, "checks: [ls]\n");
    house.write("mine.txt", "stashed\n");
    house.git(&["stash", "push", "--quiet"]);
    house.write("src/a.txt", "staged\n");
    house.git(&["add", "src/a.txt"]);
    house.write("src/a.txt", "staged and changed\n");
    house.write("mine.txt", "changed\n");
    house.write("untracked.txt", "not yet\n");
    house
}

/// Tells which names in a git directory are artel's own to change.
fn is_ours(name: &str) -> bool {
    let parents = ["refs/artel", "refs/heads/artel", "logs/refs/heads/artel", "logs/refs/artel", "worktrees"];
    name.starts_with("objects") || parents.iter().any(|own| name == *own || name.starts_with(&format!("{own}/")))
}

#[test]
fn a_dirty_checkout_and_all_of_git_are_bit_for_bit_what_they_were() {
    let house = lived_in();
    let git = house.repo().join(".git");
    let look = || (shape(&git, &is_ours), shape(&house.repo(), &|name| name == ".git"));
    let before = look();
    house.artel(&playing(&["--workers", "3"])).exits(0).says("does not see them");
    let after = look();
    let names = |shape: &std::collections::BTreeMap<String, _>| shape.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after.0), names(&before.0));
    assert!(after == before, "something of the user's was changed");
    assert!(house.landed("src/big.txt").starts_with("top by t1\nline 2\n"));
    assert!(house.landed("src/big.txt").ends_with("line 19\nend by t2"));
    assert_eq!(house.landed("mine.txt"), "mine", "the run stands on the commit, not on the checkout");
    assert_eq!(house.git(&["worktree", "list"]).lines().count(), 1);
    let worktrees = fs::read_dir(git.join("worktrees")).map_or(0, Iterator::count);
    assert_eq!(worktrees, 0, "nothing of a worktree is left in the git directory");
}

#[test]
fn no_hook_and_no_configured_program_ever_runs() {
    let house = lived_in();
    let canary = house.root().join("canary");
    let program = house.root().join("sing");
    fs::write(&program, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", canary.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for hook in HOOKS {
        let place = house.repo().join(".git/hooks").join(hook);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, format!("#!/bin/sh\necho {hook} >> {}\n", canary.display())).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let sing = program.display();
    let config = format!(
        "[core]\n fsmonitor = {sing}\n sshCommand = {sing}\n editor = {sing}\n pager = {sing}\n\
         [filter \"sing\"]\n clean = {sing}\n smudge = {sing}\n process = {sing}\n required = true\n\
         [diff]\n external = {sing}\n[diff \"sing\"]\n textconv = {sing}\n command = {sing}\n\
         [merge \"sing\"]\n driver = {sing} %A\n[gpg]\n program = {sing}\n[commit]\n gpgSign = true\n\
         [credential]\n helper = {sing}\n[extensions]\n worktreeConfig = true\n"
    );
    let file = house.repo().join(".git/config");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, before + &config).unwrap();
    let info = house.repo().join(".git/info");
    fs::create_dir_all(&info).unwrap();
    fs::write(info.join("attributes"), "*.txt filter=sing diff=sing merge=sing\n").unwrap();

    house.artel(&playing(&["--workers", "3"])).exits(0);
    house.artel(&["diff", "t1"]).exits(0);
    house.artel(&["status", "--json"]).exits(0);
    house.artel(&["gc"]).exits(0);
    assert_eq!(fs::read_to_string(&canary).unwrap_or_default(), "");

    // The canaries do sing where git itself is at work.
    let _ = house.try_git(&["update-index", "--refresh"]);
    house.try_git(&["branch", "proof"]);
    assert_ne!(fs::read_to_string(&canary).unwrap_or_default(), "", "the canaries are dead, so they prove nothing");
}

#[test]
fn attributes_of_the_repository_itself_start_no_filter() {
    let house = House::with(&[(".gitattributes", "*.txt filter=sing merge=sing diff=sing\n"), ("src/a.txt", "old\n")]);
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: \"new\\n\"}\n", "checks: [ls]\n");
    let canary = house.root().join("canary");
    let sing = format!("touch {}; cat", canary.display());
    for key in ["filter.sing.clean", "filter.sing.smudge", "merge.sing.driver", "diff.sing.textconv"] {
        house.git(&["config", key, &sing]);
    }
    house.artel(&playing(&[])).exits(0);
    assert!(!canary.exists());
    assert_eq!(house.landed("src/a.txt"), "new");
}
