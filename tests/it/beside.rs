//! Tells that runs beside each other, and people who move branches under a run, do not hurt it.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::common::House;
use crate::crew::{crew, holds_the_laws, landed_tasks, open_gate, playing, processes, text, waits};

const TWO: [(&str, &str, &str); 2] = [("a", "src/a.txt", ""), ("b", "src/b.txt", "")];

fn two() -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("mine.txt", "mine\n")]);
    let steps = format!("{}  - write: {{text: \"new\\n\"}}\n", waits(&house, "go"));
    crew(&house, &TWO, &steps, "checks: [ls]\n");
    house
}

/// Starts a run and waits until its agents are at their gate.
fn at_the_gate(house: &House) -> Child {
    let child = house.start(&playing(&["--workers", "2"]));
    house.until("the agents wait", || {
        processes(house).values().filter(|line| line.contains("__script")).count() == 2
            && house.board()["head"].is_string()
    });
    child
}

#[test]
fn runs_in_one_repository_and_in_two_do_not_disturb_each_other() {
    let house = two();
    let other = house.root().join("other");
    house.git(&["clone", "--quiet", ".", other.to_str().unwrap()]);
    let start = |dir: &std::path::Path, name: &str| {
        let mut command: Command = house.command(&playing(&["--workers", "2", "--name", name]));
        command.current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut children = vec![start(&house.repo(), "one"), start(&house.repo(), "two"), start(&other, "three")];
    house.until("six agents work side by side", || {
        processes(&house).values().filter(|line| line.contains("__script")).count() == 6
    });
    for name in ["one", "two", "three"] {
        assert_eq!(house.artel(&["status", name, "--json"]).json()["coordinated"], true);
    }
    house.artel(&["gc"]).exits(0);
    open_gate(&house, "go");
    for child in &mut children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    for name in ["one", "two", "three"] {
        let board = house.artel(&["status", name, "--json"]).json();
        assert_eq!(board["counts"]["landed"], 2, "{name}");
        let dir = if name == "three" { other.clone() } else { house.repo() };
        let spec = format!("{}:src/a.txt", text(&board["branch"]));
        let shown = Command::new("git").current_dir(dir).args(["show", &spec]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&shown.stdout), "new\n", "{name}");
    }
    assert_eq!(house.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn a_base_branch_that_was_rewritten_does_not_stop_the_run_and_deliver_says_what_holds() {
    let house = two();
    let mut child = at_the_gate(&house);
    house.write("src/a.txt", "rewritten\n");
    house.git(&["add", "--all"]);
    house.git(&["commit", "--quiet", "--amend", "--message", "rewritten"]);
    let main = house.git(&["rev-parse", "main"]);
    open_gate(&house, "go");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    holds_the_laws(&house);
    house.artel(&["deliver"]).exits(10).says("both sides changed src/a.txt");
    assert_eq!(house.git(&["rev-parse", "main"]), main);
}

#[test]
fn a_base_branch_that_went_on_or_went_away_does_not_stop_the_run() {
    let house = two();
    let mut child = at_the_gate(&house);
    house.write("mine.txt", "mine went on\n");
    house.commit("mine");
    house.git(&["checkout", "--quiet", "-b", "elsewhere"]);
    house.git(&["branch", "--quiet", "-D", "main"]);
    open_gate(&house, "go");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    house.artel(&["deliver"]).exits(10).says("there is no branch `main`");
    house.artel(&["deliver", "--into", "elsewhere"]).exits(0);
    assert_eq!(fs::read_to_string(house.repo().join("src/a.txt")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(house.repo().join("mine.txt")).unwrap(), "mine went on\n");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_run_whose_own_branch_was_moved_halts_says_how_to_mend_it_and_goes_on_then() {
    for is_deleted in [false, true] {
        let house = two();
        let mut child = at_the_gate(&house);
        let branch = format!("refs/heads/artel/{}/main", house.run());
        if is_deleted {
            house.git(&["update-ref", "-d", &branch]);
        } else {
            let tree = house.git(&["rev-parse", "main^{tree}"]);
            let commit = house.git(&["commit-tree", &tree, "-p", "main", "-m", "a person was here"]);
            house.git(&["update-ref", &branch, &commit]);
        }
        open_gate(&house, "go");
        assert_eq!(child.wait().unwrap().code(), Some(9));
        assert_eq!(landed_tasks(&house.events()), [] as [&str; 0]);
        let words = text(&house.board()["stands"]["words"]);
        let command =
            words.split('`').find(|part| part.starts_with("git update-ref")).expect("a command that mends it");
        house.artel(&["resume"]).exits(9);
        house.git(&command.split(' ').skip(1).collect::<Vec<_>>());
        house.artel(&["resume"]).exits(0);
        assert_eq!(landed_tasks(&house.events()).len(), 2);
        holds_the_laws(&house);
    }
}
