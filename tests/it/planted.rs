//! Tells that no verb of artel runs a program that a repository names: no hook, filter, driver, monitor, pager or helper.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{House, RENAME, rename_goal};

/// Settings by which git runs a program on one occasion or another; each is given one that leaves a mark.
const SETTINGS: [&str; 22] = [
    "core.fsmonitor",
    "core.editor",
    "core.pager",
    "core.sshCommand",
    "core.askPass",
    "core.gitProxy",
    "core.alternateRefsCommand",
    "sequence.editor",
    "credential.helper",
    "diff.external",
    "diff.evil.textconv",
    "diff.evil.command",
    "filter.evil.smudge",
    "filter.evil.clean",
    "filter.evil.process",
    "merge.evil.driver",
    "gpg.program",
    "gpg.ssh.program",
    "gpg.ssh.defaultKeyCommand",
    "uploadpack.packObjectsHook",
    "trailer.evil.command",
    "interactive.diffFilter",
];

const HOOKS: [&str; 16] = [
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "post-update",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "commit-msg",
    "reference-transaction",
    "update",
];

/// Makes a program that leaves its name beside the repository.
fn program(house: &House, name: &str) -> String {
    let path = house.root().join("programs").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mark = house.root().join("ran").join(name);
    fs::create_dir_all(house.root().join("ran")).unwrap();
    fs::write(&path, format!("#!/bin/sh\ntouch '{}'\ncat\n", mark.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

fn ran(house: &House) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(house.root().join("ran"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Plants programs in a git directory: its hooks, another folder of hooks, its settings.
fn plant(house: &House, git_dir: &str, at: &str) {
    let git_dir = house.repo().join(git_dir);
    for hook in HOOKS {
        for folder in [git_dir.join("hooks"), house.root().join(format!("{at}-hooks"))] {
            fs::create_dir_all(&folder).unwrap();
            let place = folder.join(hook);
            let _ = fs::remove_file(&place);
            std::os::unix::fs::symlink(program(house, &format!("{at}-{hook}")), place).unwrap();
        }
    }
    let config = git_dir.join("config");
    let config = config.to_string_lossy();
    let set = |name: &str, value: &str| drop(house.git(&["config", "--file", &config, name, value]));
    for setting in SETTINGS {
        set(setting, &program(house, &format!("{at}-{setting}")));
    }
    set("core.hooksPath", &house.root().join(format!("{at}-hooks")).to_string_lossy());
    // By attributes of the user's, every file has the filter.
    let attributes = house.root().join("attributes");
    fs::write(&attributes, "* filter=evil diff=evil merge=evil\n").unwrap();
    set("core.attributesFile", &attributes.to_string_lossy());
    for (name, value) in
        [("commit.gpgsign", "true"), ("merge.verifySignatures", "true"), ("filter.evil.required", "true")]
    {
        set(name, value);
    }
}

fn house() -> House {
    let goal = rename_goal("checks: [\"true\"]\nplan: { planner: shard, rules: [rename.yml], files_per_task: 1 }\n");
    let files = [
        ("a.py", "old(1)\n"),
        ("b.py", "old(2)\n"),
        ("rename.yml", RENAME),
        ("goal.md", &goal),
        (".gitattributes", "* diff=evil merge=evil\n"),
    ];
    let house = House::with(&files);
    house.git(&["branch", "side"]);
    // A repository inside the repository: git would ask its monitor for its state.
    let nested = house.repo().join("nested");
    house.git(&["init", "--quiet", &nested.to_string_lossy()]);
    fs::write(nested.join("x"), "x").unwrap();
    plant(&house, "nested/.git", "nested");
    plant(&house, ".git", "own");
    fs::write(house.repo().join(".git/info/attributes"), "*.py filter=other\n").unwrap();
    fs::remove_dir_all(house.root().join("ran")).unwrap();
    fs::create_dir_all(house.root().join("ran")).unwrap();
    house
}

#[test]
fn the_marks_are_left_where_git_runs_what_is_planted() {
    let house = house();
    house.try_git(&["status"]);
    house.try_git(&["commit", "--allow-empty", "--message", "x"]);
    house.try_git(&["diff", "HEAD~0"]);
    assert!(ran(&house).iter().any(|name| name == "own-core.fsmonitor"), "{:?}", ran(&house));
}

#[test]
fn no_verb_runs_what_is_planted() {
    let house = house();
    let base = fs::read_to_string(house.repo().join(".git/refs/heads/side")).unwrap().trim().to_owned();
    let ok = |args: &[&str]| {
        let said = house.artel(args);
        assert_eq!(ran(&house), [""; 0], "{args:?} ran them");
        assert_eq!(said.code, Some(0), "{args:?}: {}{}", said.out, said.err);
    };
    ok(&["plan", "goal.md"]);
    ok(&["run", "goal.md"]);
    for verb in ["status", "list", "log", "cost"] {
        ok(&[verb]);
    }
    for verb in ["show", "diff"] {
        ok(&[verb, "t1"]);
    }
    ok(&["deliver"]);
    assert_eq!(fs::read_to_string(house.repo().join("a.py")).unwrap(), "new(1)\n");
    ok(&["deliver", "--into", "side"]);
    house.artel(&["revert", "t1"]);
    assert_eq!(ran(&house), [""; 0], "revert ran them");
    ok(&["gc"]);
    ok(&["doctor"]);
    let agent =
        "worker.agents=['command:sed -i s/old/new/ $(cat $ARTEL_PATHS); git status; git commit -qam x; git log']";
    ok(&["run", "goal.md", "--base", &base, "--sandbox", "bubblewrap", "--role", agent]);
}

#[test]
fn a_filter_of_the_repositorys_own_is_left_to_its_owner() {
    let house = house();
    fs::write(house.repo().join(".gitattributes"), "*.py filter=evil\n").unwrap();
    house.try_git(&[
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "filter.evil.process=",
        "-c",
        "filter.evil.clean=cat",
        "-c",
        "commit.gpgsign=false",
        "commit",
        "--quiet",
        "--all",
        "--message",
        "filtered",
    ]);
    fs::remove_dir_all(house.root().join("ran")).unwrap();
    fs::create_dir_all(house.root().join("ran")).unwrap();
    assert_eq!(house.artel(&["run", "goal.md"]).code, Some(0));
    let said = house.artel(&["deliver"]);
    assert_eq!(ran(&house), [""; 0]);
    let told = format!("{}{}", said.out, said.err);
    assert!(said.code != Some(0) && told.contains("filter.evil") && told.contains("git merge --ff-only"), "{told}");
    assert_eq!(fs::read_to_string(house.repo().join("a.py")).unwrap(), "old(1)\n");
}
