//! Tells how a run's branch reaches the user's, and how one task is taken back out.

use std::fs;

use crate::common::House;
use crate::crew::{crew, holds_the_laws, of_kind, playing, text};

const TWO: [(&str, &str, &str); 2] = [("a", "src/a.txt", ""), ("b", "src/b.txt", "")];
const WRITE: &str = "  - write: {text: \"new by {task}\\n\"}\n";

fn landed() -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("mine.txt", "mine\n")]);
    crew(&house, &TWO, WRITE, "");
    house.artel(&playing(&[])).exits(0);
    house
}

#[test]
fn a_clean_checkout_is_brought_forward_and_delivering_twice_is_once() {
    let house = landed();
    let head = house.head();
    house.artel(&["deliver"]).exits(0).says("delivered into main");
    assert_eq!(house.git(&["rev-parse", "main"]), head);
    assert_eq!(house.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(fs::read_to_string(house.repo().join("src/a.txt")).unwrap(), "new by t1\n");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    house.artel(&["deliver"]).exits(0).says("delivered into main");
    assert_eq!(house.git(&["rev-parse", "main"]), head);
}

#[test]
fn a_branch_that_is_not_checked_out_moves_and_the_checkout_does_not() {
    let house = landed();
    house.git(&["branch", "side", "main"]);
    house.artel(&["deliver", "--into", "side"]).exits(0);
    assert_eq!(house.git(&["rev-parse", "side"]), house.head());
    assert_eq!(fs::read_to_string(house.repo().join("src/a.txt")).unwrap(), "old\n");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    house.artel(&["deliver", "--into", "nowhere"]).exits(10).says("there is no branch `nowhere`");
}

#[test]
fn a_branch_that_went_on_is_merged_into() {
    let house = landed();
    house.write("mine.txt", "mine went on\n");
    let mine = house.commit("mine");
    house.artel(&["deliver"]).exits(0);
    let parents = house.git(&["log", "-1", "--format=%P", "main"]);
    assert_eq!(parents, format!("{mine} {}", house.head()));
    assert_eq!(fs::read_to_string(house.repo().join("src/b.txt")).unwrap(), "new by t2\n");
    assert_eq!(fs::read_to_string(house.repo().join("mine.txt")).unwrap(), "mine went on\n");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    let merged = house.git(&["rev-parse", "main"]);
    house.artel(&["deliver"]).exits(0);
    assert_eq!(house.git(&["rev-parse", "main"]), merged, "a second merge was made");
}

#[test]
fn a_conflict_is_refused_and_nothing_is_touched() {
    let house = landed();
    house.write("src/a.txt", "mine\n");
    let mine = house.commit("mine");
    house.artel(&["deliver"]).exits(10).says("both sides changed src/a.txt");
    assert_eq!(house.git(&["rev-parse", "main"]), mine);
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    assert_eq!(house.board()["delivered"][1]["Err"].as_str().map(str::is_empty), Some(false));
}

#[test]
fn changes_that_would_be_lost_are_not_touched() {
    let house = landed();
    let before = house.git(&["rev-parse", "main"]);
    house.write("src/a.txt", "not committed\n");
    house.write("mine.txt", "staged\n");
    house.git(&["add", "mine.txt"]);
    let status = house.git(&["status", "--porcelain"]);
    house.artel(&["deliver"]).exits(10).says("src/a.txt").says("would be lost");
    assert_eq!(house.git(&["rev-parse", "main"]), before);
    assert_eq!(house.git(&["status", "--porcelain"]), status);
    assert_eq!(fs::read_to_string(house.repo().join("src/a.txt")).unwrap(), "not committed\n");
    house.git(&["checkout", "--quiet", "src/a.txt"]);
    house.artel(&["deliver"]).exits(0);
    assert_eq!(house.git(&["status", "--porcelain"]), "M  mine.txt", "what does not overlap stays as it is");
}

#[test]
fn a_landed_task_is_taken_back_out_after_the_run_and_the_checks_run_again() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    crew(&house, &TWO, WRITE, "checks: [ls]\n");
    house.artel(&playing(&[])).exits(0);
    let checks = of_kind(&house.events(), "VerdictGiven").len();
    house.artel(&["revert", "t1"]).exits(0);
    assert_eq!((house.landed("src/a.txt"), house.landed("src/b.txt")), ("old".to_owned(), "new by t2".to_owned()));
    let board = house.board();
    assert_eq!((&board["counts"]["reverted"], &board["counts"]["landed"]), (&1.into(), &2.into()));
    assert!(of_kind(&house.events(), "VerdictGiven").len() > checks, "nobody judged the revert");
    let message = house.git(&["log", "-1", "--format=%B", "--first-parent", &house.head()]);
    assert!(message.contains("revert t1"), "{message}");
    holds_the_laws(&house);
    house.artel(&["revert", "t1"]).exits(10).says("t1");
    house.artel(&["deliver"]).exits(0);
    assert_eq!(fs::read_to_string(house.repo().join("src/a.txt")).unwrap(), "old\n");
}

#[test]
fn a_revert_that_conflicts_is_kept_and_so_is_one_that_turns_a_check_red() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let tasks = [("a", "src/a.txt", ""), ("b", "src/b.txt", ""), ("again", "src/a.txt", "")];
    let steps = "  - match: {title: again, then: [{replace: {find: \"by t1\", with: \"by t1 and {task}\"}}], \
                 or: [{write: {text: \"new by {task}\\n\"}}]}\n";
    house.write("check.sh", "if ! grep -q new src/b.txt && grep -q and src/a.txt; then echo a needs b; exit 1; fi\n");
    crew(&house, &tasks, steps, "checks: [sh check.sh]\n");
    let plan = fs::read_to_string(house.repo().join("plan.yml")).unwrap();
    house.write("plan.yml", &plan.replace("key: again,", "key: again, after: [a, b],"));
    house.commit("ordered");
    house.artel(&playing(&[])).exits(0);
    let before = house.head();
    house.artel(&["revert", "t1"]).exits(5);
    house.artel(&["revert", "t2"]).exits(5);
    assert_eq!(house.head(), before);
    let board = house.board();
    assert_eq!((&board["counts"]["kept"], &board["counts"]["landed"]), (&2.into(), &3.into()));
    let whys: Vec<String> = board["left"].as_array().unwrap().iter().map(|row| text(&row["why"])).collect();
    assert!(whys[0].contains("src/a.txt"), "{whys:?}");
    assert!(whys[1].contains("a needs b"), "{whys:?}");
    holds_the_laws(&house);
}
