//! Tells that no head that did not land is ever lost, by git's own clearing or by ours.

use crate::common::House;
use crate::crew::{crew, landings, of_kind, open_gate, playing, processes, text, waits};

/// Plays a run of three tasks: one lands, one is kept with a candidate, and one was refused once before it landed.
fn with_leftovers() -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")]);
    let tasks = [("a", "src/a.txt", ""), ("b", "src/b.txt", ""), ("c", "src/c.txt", "")];
    let steps = "  - match: {title: b, then: [{write: {text: \"bad b {attempt}\\n\"}}]}\n  \
                 - match: {title: a, then: [{write: {text: \"new a\\n\"}}]}\n  \
                 - match: {title: c, then: [{on_attempt: {1: [{write: {text: \"bad c\\n\"}}], \
                 else: [{write: {text: \"new c\\n\"}}]}}]}\n";
    crew(&house, &tasks, steps, "checks: [\"if grep -rq bad src; then echo it is bad; exit 1; fi\"]\n");
    house.artel(&playing(&[])).exits(5);
    house
}

/// Lists every candidate of the newest run: the attempt and its commit.
fn candidates(house: &House) -> Vec<(String, String)> {
    let ended = of_kind(&house.events(), "AttemptEnded");
    let made = ended.iter().filter(|it| it["outcome"]["candidate"].is_object());
    made.map(|it| (text(&it["attempt"]), text(&it["outcome"]["candidate"]["commit"]))).collect()
}

#[test]
fn candidates_that_did_not_land_stay_pinned_and_git_does_not_clear_them_away() {
    let house = with_leftovers();
    let made = candidates(&house);
    assert_eq!(made.len(), 5, "one of a, two of b, two of c: {made:?}");
    house.git(&["reflog", "expire", "--expire=now", "--all"]);
    house.git(&["gc", "--prune=now", "--quiet"]);
    let run = house.run();
    for (attempt, commit) in &made {
        assert!(house.try_git(&["cat-file", "-e", commit]).status.success(), "{attempt} is gone");
        let has_landed = ["t1.1", "t3.2"].contains(&attempt.as_str());
        let pin = house.try_git(&["rev-parse", "--verify", "--quiet", &format!("refs/artel/{run}/{attempt}")]);
        assert_eq!(pin.status.success(), !has_landed, "{attempt}");
    }
    house.artel(&["diff", "t2"]).exits(0).says("bad b t2.2");
}

#[test]
fn artel_clears_away_only_what_landed() {
    let house = with_leftovers();
    let run = house.run();
    let refs = |house: &House| house.git(&["for-each-ref", "--format=%(refname)", "refs/artel", "refs/heads"]);
    let before = refs(&house);
    assert!(before.contains(&format!("refs/heads/artel/{run}/t1\n")), "{before}");
    house.artel(&["gc", "--dry-run"]).exits(0).says("would be cleared away");
    assert_eq!(refs(&house), before, "a dry run clears nothing");
    house.artel(&["gc"]).exits(0);
    let mut left: Vec<String> = refs(&house).lines().map(str::to_owned).collect();
    left.sort();
    let kept = ["t2.1", "t2.2", "t3.1"].map(|attempt| format!("refs/artel/{run}/{attempt}"));
    let mut wanted: Vec<String> = kept.to_vec();
    let anchor = format!("refs/artel/{run}/anchor");
    wanted.extend([anchor, format!("refs/heads/artel/{run}/main"), "refs/heads/main".to_owned()]);
    wanted.sort();
    assert_eq!(left, wanted);
    house.git(&["reflog", "expire", "--expire=now", "--all"]);
    house.git(&["gc", "--prune=now", "--quiet"]);
    for (attempt, commit) in candidates(&house) {
        assert!(house.try_git(&["cat-file", "-e", &commit]).status.success(), "{attempt} is gone");
    }
    house.artel(&["gc"]).exits(0).says("nothing to clear away");
    house.artel(&["diff", "t2"]).exits(0).says("bad b");
}

#[test]
fn what_landed_on_a_branch_that_stands_there_no_more_is_kept_and_told() {
    for moves in [["-f", "main"].as_slice(), &["-D"]] {
        let house = with_leftovers();
        let branch = format!("artel/{}/main", house.run());
        let last = landings(&house.events()).pop().unwrap().1;
        let [how, to @ ..] = moves else { unreachable!() };
        house.git(&[&["branch", how, &branch], to].concat());
        let said = house.artel(&["verify"]).exits(14).says(&format!("no branch holds {last}, which landed last"));
        said.says(&format!("`git branch -f {branch} {last}` keeps it"));
        house.artel(&["gc"]).exits(0);
        house.git(&["branch", "-f", &branch, &last]);
        house.artel(&["verify"]).exits(0);
        house.git(&["branch", "-D", &branch]);
        house.git(&["reflog", "expire", "--expire=now", "--all"]);
        house.git(&["gc", "--prune=now", "--quiet"]);
        for (attempt, commit) in candidates(&house) {
            assert!(house.try_git(&["cat-file", "-e", &commit]).status.success(), "{attempt} is gone");
        }
    }
}

#[test]
fn what_landed_is_as_well_kept_on_another_branch() {
    let house = with_leftovers();
    let branch = format!("artel/{}/main", house.run());
    house.git(&["branch", "-m", &branch, "mine"]);
    house.artel(&["verify"]).exits(0);
}

#[test]
fn a_run_that_rests_or_was_killed_leaves_no_worktree() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let steps = format!("{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], &steps, "approve: [landing]\n");
    let trees = || house.git(&["worktree", "list"]).lines().count() - 1;
    let mut run = house.command(&playing(&[])).spawn().unwrap();
    house.until("both have a worktree", || trees() == 2);
    run.kill().unwrap();
    run.wait().unwrap();
    house.until("its agents have ended with it", || processes(&house).is_empty());
    assert_eq!(trees(), 2);
    house.artel(&["gc", "--dry-run"]).exits(0).says("worktree").says("nobody works on");
    house.artel(&["gc"]).exits(0);
    assert_eq!(trees(), 0);
    ["t1", "t2"].iter().for_each(|task| open_gate(&house, task));
    house.artel(&["resume"]).exits(6);
    assert_eq!(trees(), 0, "it waits for a word");
    house.artel(&["gc"]).exits(0).says("nothing to clear away");
    house.artel(&["approve", "--all", "--yes"]).exits(0);
    house.artel(&["resume"]).exits(0);
}

#[test]
fn a_run_that_has_not_ended_keeps_everything() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: new}\n", "approve: [plan]\n");
    house.artel(&playing(&[])).exits(6);
    let before = house.git(&["for-each-ref"]);
    house.artel(&["gc"]).exits(0).says("nothing to clear away");
    assert_eq!(house.git(&["for-each-ref"]), before);
    house.artel(&["approve"]).exits(0);
    house.artel(&["resume"]).exits(0);
}
