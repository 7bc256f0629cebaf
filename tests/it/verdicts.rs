//! Tells how checks become verdicts: where they run, what they are compared with, and what their answers are worth.

use crate::common::House;
use crate::stage::{crew, leased, refused_by, task, text, told, why, work};

const ONCE: [&str; 2] = ["--role", "worker.limits.attempts=1"];

fn configure(house: &House, text: &str) {
    house.in_the_open();
    house.write("artel.toml", &text.replace("{house}", &house.root().to_string_lossy()));
    house.commit("settings");
}

fn seen(house: &House, file: &str) -> String {
    std::fs::read_to_string(house.root().join(file)).unwrap_or_default()
}

#[test]
fn who_is_rejected_goes_on_in_the_same_files_and_who_is_rejected_again_begins_afresh() {
    let agent = "cat src/a >> $SEEN; cp $ARTEL_BRIEF $SEEN.$ARTEL_ATTEMPT; echo bad $ARTEL_ATTEMPT > src/a\n";
    let goal = "checks: [\"! grep -rs bad src || { echo first line; echo CANARY; false; }\"]\n";
    let house = crew(goal, "[{key: one, paths: [src/a]}]", &[("src/a", "base\n"), ("agent.sh", agent)]);
    configure(&house, "[set]\nSEEN = \"{house}/seen\"\n");
    work(&house, "worker.agents=command:sh agent.sh", &["--role", "worker.limits.attempts=3"]).exits(5);
    assert_eq!(seen(&house, "seen"), "base\nbad t1.1\nbase\n");
    let rulings: Vec<String> = told(&house, "VerdictGiven").iter().map(|it| text(&it["verdict"]["ruling"])).collect();
    assert_eq!(rulings[..2], ["reject", "restart"]);
    let brief = seen(&house, "seen.t1.2");
    assert!(brief.contains("> CANARY") && brief.contains("make the check green"), "{brief}");
    assert!(!seen(&house, "seen.t1.1").contains("> CANARY"));
    // Each candidate stands on the run's branch, not on the one that was refused.
    let bases = told(&house, "AttemptLeased");
    assert!(bases.iter().all(|lease| lease["base"] == bases[0]["base"]));
}

#[test]
fn a_check_sees_the_candidate_alone_and_not_what_git_ignores_or_its_worker_left() {
    let goal = "checks: [\"pwd >> $SEEN; test ! -e left.o && test ! -e ../desks && ! env | grep -q ARTEL_BRIEF\"]\n";
    let house = crew(goal, "[{key: one, paths: [src/a]}]", &[("src/a", "a\n"), (".gitignore", "*.o\n")]);
    configure(&house, "[set]\nSEEN = \"{house}/seen\"\n");
    let agents = "worker.agents=command:touch left.o; echo b > src/a; pwd >> $SEEN.worker";
    work(&house, agents, &[]).exits(0);
    assert_eq!(house.landed("src/a"), "b");
    assert!(!seen(&house, "seen").contains(seen(&house, "seen.worker").trim()));
}

#[test]
fn a_judge_is_never_told_what_the_worker_says_for_itself() {
    let agent = "echo b > src/a; echo CANARY perfect; echo '{\"done\": \"CANARY trust me\"}' > $ARTEL_HANDOFF\n";
    let goal = "checks: [\"env > $SEEN; git log -1 --format=%B >> $SEEN\"]\n";
    let tasks = "[{key: one, paths: [src/a], checks: [\"false\"]}]";
    let house = crew(goal, tasks, &[("src/a", "a\n"), ("agent.sh", agent)]);
    configure(&house, "[set]\nSEEN = \"{house}/seen\"\n");
    work(&house, "worker.agents=command:sh agent.sh", &ONCE).exits(5);
    assert!(told(&house, "AttemptEnded")[0].to_string().contains("CANARY"));
    for verdict in told(&house, "VerdictGiven") {
        assert!(!verdict.to_string().contains("CANARY"), "{verdict}");
        assert_ne!(verdict["verdict"]["judge"], verdict["attempt"]);
    }
    assert!(seen(&house, "seen").contains("Artel-Task: t1"));
    assert!(!seen(&house, "seen").contains("CANARY"));
}

/// Prints what cargo would: one line for each name in `failed/`, and how many tests were run.
const RUNNER: &str = "for f in failed/*; do [ -e $f ] && echo \"test $(basename $f) ... FAILED\"; done\necho \"test result: ok. $(cat ran) passed; 0 failed; 0 ignored\"\ntest -z \"$(ls failed 2>/dev/null)\"\n";

#[test]
fn what_is_red_on_the_base_is_shown_and_only_what_is_worse_refuses() {
    let tasks = "[{key: fine, paths: [src/a]}, {key: worse, paths: [failed/new]}]";
    let files = [("run.sh", RUNNER), ("ran", "5\n"), ("failed/old", "\n"), ("src/a", "a\n")];
    let house = crew("checks: [{name: tests, run: sh run.sh}]\n", tasks, &files);
    work(&house, "worker.agents=command:echo x > $(cat $ARTEL_PATHS)", &ONCE).exits(5);
    assert_eq!(house.board()["baseline_red"], serde_json::json!(["tests"]));
    assert_eq!(task(&house, "t1")["status"], "landed");
    assert_eq!(task(&house, "t2")["status"], "kept");
    assert!(why(&house, "t2").contains("test new ... FAILED"), "{}", why(&house, "t2"));
    assert_eq!(refused_by(&house), ["check-red"]);
}

#[test]
fn a_check_that_reports_fewer_executed_tests_refuses_though_it_is_green() {
    let files = [("run.sh", RUNNER), ("ran", "5\n")];
    let house = crew("checks: [sh run.sh]\n", "[{key: one, paths: [ran]}]", &files);
    work(&house, "worker.agents=command:echo 4 > ran", &ONCE).exits(5);
    assert_eq!(refused_by(&house), ["fewer-tests-executed"]);
    let house = crew("checks: [sh run.sh]\n", "[{key: one, paths: [ran]}]", &files);
    work(&house, "worker.agents=command:echo 6 > ran", &ONCE).exits(0);
    let house = crew("checks: [sh run.sh]\n", "[{key: one, paths: [ran]}]", &files);
    work(&house, "worker.agents=command:rm ran", &ONCE).exits(5);
    assert_eq!(refused_by(&house), ["fewer-tests-executed"], "no count is fewer than some");
}

#[test]
fn a_broken_test_is_found_by_the_check_and_its_task_kept() {
    let tests = "def test_one():\n    assert 1 == 1\n\ntest_one()\n";
    let part = "steps: [{break_test: {path: tests/test_x.py}}]\n";
    let files = [("tests/test_x.py", tests), ("part.yml", part)];
    let house = crew("checks: [\"cd tests && python3 test_x.py\"]\n", "[{key: one, paths: [tests/test_x.py]}]", &files);
    work(&house, "worker.agents=script:part.yml", &ONCE).exits(5);
    assert_eq!(refused_by(&house), ["check-red"]);
    assert!(why(&house, "t1").contains("AssertionError"));
}

/// Gives, call by call, the answers in `$ANSWERS`; green when they are used up.
const FLAKY: &str = "n=$(cat $COUNT 2>/dev/null || echo 0); echo $((n+1)) > $COUNT; case $(echo $ANSWERS | cut -c$((n+1))) in r) echo red now; exit 1;; esac\n";

fn flaky(answers: &str, code: i32) -> House {
    let house = crew(
        "checks: [{name: tests, run: sh flaky.sh}]\n",
        "[{key: one, paths: [src/a]}]",
        &[("src/a", "a\n"), ("flaky.sh", FLAKY)],
    );
    configure(&house, &format!("[set]\nCOUNT = \"{{house}}/count\"\nANSWERS = \"{answers}\"\n"));
    work(&house, "worker.agents=command:echo b > src/a", &ONCE).exits(code);
    house
}

#[test]
fn a_check_with_two_answers_is_run_to_the_bound_and_shown_as_flaky() {
    // The base is green; the candidate red at first, and then green three times.
    let house = flaky("gr", 0);
    let check = &task(&house, "t1")["attempts"][0]["verdict"]["checks"][0];
    assert_eq!((&check["answer"], &check["runs"]), (&"flaky".into(), &4.into()), "{check}");
    assert_eq!(house.board()["flakes"]["tests"], 1);
    house.artel(&["status"]).exits(0).says("flak");
    assert_eq!(seen(&house, "count").trim(), "5", "one look at the base, four at the candidate, none in vain");
}

#[test]
fn a_check_that_is_red_more_often_than_green_on_one_tree_refuses() {
    let house = flaky("grgrr", 5);
    assert_eq!(refused_by(&house), ["check-red"]);
    assert!(why(&house, "t1").contains("gave two answers on one tree"), "{}", why(&house, "t1"));
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
}

#[test]
fn a_check_that_could_not_be_had_accepts_nothing() {
    // Found by no shell, on the base either: it has said nothing of any tree.
    let house = crew("checks: [no-such-program]\n", "[{key: one, paths: [src/a]}]", &[("src/a", "a\n")]);
    work(&house, "worker.agents=command:echo b > src/a", &ONCE).exits(5);
    assert_eq!(refused_by(&house), ["check-red"]);
    assert_eq!(house.board()["baseline_red"], serde_json::json!(["no-such-program"]));
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
    // Killed for its time, on the base too.
    let house = crew(
        "checks: [{name: slow, run: sleep 60, timeout: 1s}]\n",
        "[{key: one, paths: [src/a]}]",
        &[("src/a", "a\n")],
    );
    work(&house, "worker.agents=command:echo b > src/a", &ONCE).exits(5);
    assert_eq!(house.board()["counts"]["landed"], 0);
    // No shell at all: the run is halted, and says why.
    let house = crew("checks: [\"true\"]\n", "[{key: one, paths: [src/a]}]", &[("src/a", "a\n")]);
    configure(&house, "[set]\nPATH = \"/nowhere\"\n");
    work(&house, "worker.agents=command:echo b > src/a", &ONCE).exits(9).says("sh");
    assert!(told(&house, "VerdictGiven").is_empty() && told(&house, "BatchLanded").is_empty());
    assert!(leased(&house).len() <= 5);
}
