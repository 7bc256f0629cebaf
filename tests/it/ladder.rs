//! Tells how each rung of the ladder that needs no process refuses, and that a refusal lands nothing.

use crate::common::{House, RENAME, rename_goal};
use crate::stage::{crew, refused_by, task, told, why, work};

/// Holds one task to what it may do: what the goal says, what the task owns, its steps, and the files.
fn judged(goal: &str, owns: &str, steps: &str, files: &[(&str, &str)], more: &[&str]) -> House {
    let part = format!("steps: {steps}\n");
    let mut all = vec![("part.yml", part.as_str()), ("src/a.txt", "a\n"), ("src/b.txt", "b\n")];
    all.extend(files);
    let house = crew(goal, &format!("[{{key: one, paths: [{owns}]}}]"), &all);
    let mut args = vec!["--role", "worker.limits.attempts=1"];
    args.extend(more);
    work(&house, "worker.agents=script:part.yml", &args);
    house
}

/// Asserts that the one task was refused by this rule alone, is kept with the reason, and landed nothing.
#[track_caller]
fn refuses(house: &House, rule: &str) {
    assert_eq!(refused_by(house), [rule], "{}", task(house, "t1"));
    assert_eq!(task(house, "t1")["status"], "kept");
    assert_ne!(why(house, "t1"), "");
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
    house.artel(&["status"]).exits(0).says("t1");
}

#[test]
fn a_path_that_the_task_does_not_own_is_not_changed() {
    refuses(
        &judged("", "src/a.txt", "[{append: {text: x}}, {outside: {path: src/b.txt}}]", &[], &[]),
        "path-not-owned",
    );
    refuses(&judged("", "src/a.txt", "[{delete: {path: src/b.txt}}]", &[], &[]), "path-not-owned");
}

#[test]
fn what_the_goal_never_lets_change_or_does_not_own_stays() {
    refuses(&judged("never: [\"src/b*\"]\n", "src/", "[{append: {text: x}}]", &[], &[]), "path-never");
    refuses(&judged("owns: [\"src/a*\"]\n", "src/", "[{append: {text: x}}]", &[], &[]), "path-outside-goal");
}

#[test]
fn a_file_keeps_its_mode_and_its_type() {
    refuses(&judged("", "src/", "[{chmod: {path: src/a.txt, mode: \"755\"}}]", &[], &[]), "mode-changed");
    let steps = "[{delete: {path: src/a.txt}}, {symlink: {path: src/a.txt, target: b.txt}}]";
    refuses(&judged("", "src/", steps, &[], &[]), "mode-changed");
}

#[test]
fn files_that_git_obeys_do_not_change() {
    let house = judged("", "src/", "[{write: {path: src/.gitattributes, text: \"* -text\\n\"}}]", &[], &[]);
    refuses(&house, "git-file-changed");
}

#[test]
fn a_candidate_is_of_bounded_size() {
    let many = "[{run: 'for n in 1 2 3 4; do echo $n > src/$n; done'}]";
    refuses(&judged("", "src/", many, &[], &["--role", "worker.limits.changed_files=3"]), "too-many-files");
    let much = "[{run: 'head -c 5000 /dev/zero > src/large'}]";
    refuses(&judged("", "src/", much, &[], &["--role", "worker.limits.changed_bytes=4000"]), "too-many-bytes");
    // The hands stop the file itself, before there is a candidate.
    let house = judged("", "src/", much, &[], &["--role", "worker.limits.file_bytes=4096"]);
    assert_eq!(task(&house, "t1")["status"], "kept");
    // 0 is no bound, not the bound 0.
    let house = judged("", "src/", much, &[], &["--role", "worker.limits.file_bytes=0"]);
    assert_eq!(task(&house, "t1")["status"], "landed");
}

#[test]
fn what_guards_the_run_is_not_changed_by_any_task() {
    let files =
        [("check.sh", "true\n"), (".github/workflows/ci.yml", "on: push\n"), ("artel.toml", ""), ("r.yml", RENAME)];
    let goal = "checks: [sh check.sh]\nplan: { rules: [r.yml] }\n";
    for path in ["goal.md", "check.sh", ".github/workflows/ci.yml", "artel.toml", "r.yml", "part.yml", "plan.yml"] {
        let steps = format!("[{{append: {{path: {path}, text: \"\\n\"}}}}]");
        let house = judged(goal, &format!(".github/, ., {path}"), &steps, &files, &[]);
        refuses(&house, "path-protected");
    }
}

const TESTS: &str = "def test_one():\n    assert 1 == 1\n\ndef test_two():\n    assert 2 == 2\n";

#[test]
fn a_test_changes_only_where_the_task_owns_it_by_name() {
    let files = [("tests/test_x.py", TESTS)];
    let steps = "[{append: {path: tests/test_x.py, text: \"\\n\"}}]";
    refuses(&judged("", "tests/, src/", steps, &files, &[]), "guard-changed");
    let house = judged("", "tests/test_x.py", steps, &files, &[]);
    assert_eq!(task(&house, "t1")["status"], "landed");
}

#[test]
fn tests_do_not_become_fewer_and_no_more_of_them_are_skipped() {
    let files = [("tests/test_x.py", TESTS)];
    let owned = "tests/test_x.py";
    let one = "[{delete_test: {path: tests/test_x.py, test: test_two}}]";
    refuses(&judged("", owned, one, &files, &[]), "fewer-tests");
    refuses(&judged("", owned, "[{delete_test: {path: tests/test_x.py}}]", &files, &[]), "fewer-tests");
    let skip = "[{replace: {path: tests/test_x.py, find: def test_two, with: \"@pytest.mark.skip\\ndef test_two\"}}]";
    refuses(&judged("", owned, skip, &files, &[]), "more-skips");
}

#[test]
fn files_are_whole_and_hold_no_conflict() {
    let files = [("src/x.py", "def f():\n    return 1\n")];
    let broken = "[{replace: {path: src/x.py, find: \"():\", with: \"(:\"}}]";
    refuses(&judged("", "src/x.py", broken, &files, &[]), "parse-error");
    let marked = "[{append: {path: src/a.txt, text: \"<<<<<<< ours\\na\\n=======\\nb\\n>>>>>>> theirs\\n\"}}]";
    refuses(&judged("", "src/a.txt", marked, &files, &[]), "conflict-markers");
}

#[test]
fn a_mechanical_role_changes_no_literals_and_takes_out_no_lines_but_as_its_rules_do() {
    let files = [("r.yml", RENAME), ("src/x.py", "a = old('one')\nb = 2\nc = 3\n")];
    let mechanical = ["--role", "worker.mechanical=true"];
    let tasks = "[{key: one, paths: [src/x.py], rules: [r.yml]}]";
    let with = |line: &str, mechanical: &[&str]| {
        let house = crew("plan: { rules: [r.yml] }\n", tasks, &files);
        let agents = format!("worker.agents=[\"command:{line}\"]");
        let mut more = vec!["--role", "worker.limits.attempts=1"];
        more.extend(mechanical);
        work(&house, &agents, &more);
        house
    };
    refuses(&with("sed -i 's/one/two/' src/x.py", &mechanical), "literals-changed");
    refuses(&with("sed -i '/^b/d' src/x.py", &mechanical), "unexplained-deletion");
    assert_eq!(task(&with("sed -i '/^b/d; s/one/two/' src/x.py", &[]), "t1")["status"], "landed");
    assert_eq!(task(&with("sed -i 's/old/new/' src/x.py", &mechanical), "t1")["status"], "landed");
}

#[test]
fn what_the_rule_itself_takes_out_is_explained_whoever_does_it() {
    let rule = "id: gone\nlanguage: python\nrule: { pattern: drop($A) }\nfix: ''\n";
    let files = [("r.yml", rule), ("src/x.py", "drop('one')\nb = 2\n")];
    let house = crew("plan: { rules: [r.yml] }\n", "[{key: one, paths: [src/x.py], rules: [r.yml]}]", &files);
    let agents = "worker.agents=command:sed -i 's/^drop.*//' src/x.py";
    work(&house, agents, &["--role", "worker.mechanical=true"]).exits(0);
    assert_eq!(house.landed("src/x.py"), "\nb = 2");
}

#[test]
fn a_codemod_whose_rule_never_rests_or_breaks_the_syntax_lands_nothing() {
    let never = "id: n\nlanguage: python\nrule: { pattern: old($A) }\nfix: old(old($A))\n";
    let breaks = "id: b\nlanguage: python\nrule: { pattern: old($A) }\nfix: old($A\n";
    for (rule, words) in [(never, ""), (breaks, "no longer parses")] {
        let house = House::with(&[
            ("rename.yml", rule),
            ("goal.md", &rename_goal("plan: { rules: [rename.yml] }\n")),
            ("src/a.py", "print(old(1))\n"),
        ]);
        house.artel(&["run", "goal.md"]).exits(5);
        assert_eq!(house.board()["counts"]["kept"], 1, "{}", house.board());
        assert!(why(&house, "t1").contains(words), "{}", why(&house, "t1"));
        assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
    }
}

#[test]
fn a_submodule_stays_as_it_is() {
    let house = crew("", "[{key: one, paths: [.]}]", &[("src/a", "a\n")]);
    let gitlink = format!("160000,{},vendor", house.git(&["rev-parse", "HEAD"]));
    house.git(&["update-index", "--add", "--cacheinfo", &gitlink]);
    house.git(&["commit", "--quiet", "--message", "a submodule"]);
    for line in ["rmdir vendor", "touch vendor/x", "echo b > src/a"] {
        let agents = format!("worker.agents=[\"command:{line}\"]");
        work(&house, &agents, &["--role", "worker.limits.attempts=1"]);
        let is_fine = line.contains("src/a");
        assert_eq!(task(&house, "t1")["status"], if is_fine { "landed" } else { "kept" }, "{line}");
        assert_eq!(house.git(&["ls-tree", &house.head(), "vendor"]), house.git(&["ls-tree", "main", "vendor"]));
    }
    assert!(told(&house, "BatchLanded").len() == 1);
}
