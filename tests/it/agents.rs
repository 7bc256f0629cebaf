//! Tells how agents take turns at a task, how a command is briefed and read, and whom their words reach.

use crate::common::{House, RENAME, rename_goal};
use crate::stage::{crew, leased, task, text, told, why, work};

/// Renames `old`, and finds `odd`, for which it knows no fix.
const HALF: &str = "id: rename\nlanguage: python\nrule: { pattern: old($A) }\nfix: new($A)\n---\nid: odd\nlanguage: python\nrule: { pattern: odd($A) }\n";
const BY_HAND: &str = "worker.agents=codemod,command:sh fix.sh";
const FIX: &str = "while read -r path; do sed -i 's/odd(/new(/; s/old(1)/new(0)/' \"$path\"; done < \"$ARTEL_PATHS\"\n";

fn migration(rule: &str, more: &str, files: &[(&str, &str)]) -> House {
    let goal = rename_goal(&format!("plan: {{ rules: [rename.yml], files_per_task: 1 }}\n{more}"));
    let mut all = vec![("rename.yml", rule), ("goal.md", goal.as_str()), ("fix.sh", FIX)];
    all.extend(files);
    House::with(&all)
}

fn agents_of(house: &House) -> Vec<String> {
    leased(house).into_iter().map(|(attempt, agent)| format!("{attempt} {agent}")).collect()
}

#[test]
fn what_the_first_agent_left_over_reaches_the_second_as_the_rest_of_its_task() {
    let house = migration(HALF, "", &[("src/a.py", "print(old(1))\nodd(2)\n"), ("src/b.py", "old(3)\n")]);
    house.artel(&["run", "goal.md", "--role", BY_HAND]).exits(0);
    assert_eq!(house.landed("src/a.py"), "print(new(1))\nnew(2)");
    let agents = agents_of(&house);
    assert!(agents.contains(&"t1.1 codemod".to_owned()) && agents.contains(&"t3.1 command:sh fix.sh".to_owned()));
    assert_eq!(agents.len(), 3, "only what was left over reaches the second: {agents:?}");
    let rest = task(&house, "t3");
    assert!(text(&rest["title"]).starts_with("rest of "), "{rest}");
    assert_eq!(rest["paths"], serde_json::json!(["src/a.py"]));
}

#[test]
fn an_agent_that_changes_nothing_and_leaves_places_hands_the_task_itself_on() {
    let house = migration(HALF, "", &[("src/a.py", "odd(2)\n")]);
    house.artel(&["run", "goal.md", "--role", BY_HAND]).exits(0);
    assert_eq!(agents_of(&house), ["t1.1 codemod", "t1.2 command:sh fix.sh"]);
    assert_eq!(house.landed("src/a.py"), "new(2)");
}

#[test]
fn what_no_agent_could_change_is_kept_and_named() {
    let house = migration(HALF, "", &[("src/a.py", "odd(2)\n")]);
    house.artel(&["run", "goal.md"]).exits(5).says("t1").says("1 place is left");
    assert_eq!(house.board()["counts"]["kept"], 1);
    // The rest of a task is not done by an agent that changes nothing, either.
    let house = migration(HALF, "", &[("src/a.py", "odd(2)\nold(2)\n")]);
    house.artel(&["run", "goal.md", "--role", "worker.agents=codemod,command:true"]).exits(5);
    assert!(why(&house, "t2").contains("its agent changed nothing"), "{}", why(&house, "t2"));
}

#[test]
fn what_was_rejected_of_the_first_agent_is_done_afresh_by_the_second() {
    let house = migration(RENAME, "checks: [\"! grep -rq 'new(1)' src\"]\n", &[("src/a.py", "old(1)\n")]);
    house.artel(&["run", "goal.md", "--role", BY_HAND]).exits(0);
    assert_eq!(agents_of(&house), ["t1.1 codemod", "t1.2 command:sh fix.sh"]);
    let attempts = &task(&house, "t1")["attempts"];
    assert_eq!(attempts[0]["verdict"]["findings"][0]["rule"], "check-red");
    assert_eq!(attempts[1]["from"], serde_json::Value::Null);
    assert_eq!(house.landed("src/a.py"), "new(0)");
}

#[test]
fn each_agent_has_its_own_tries_then_the_task_is_kept_and_the_run_goes_on() {
    let tasks = "[{key: bad, paths: [a.txt]}, {key: good, paths: [b.txt]}]";
    let house = crew("", tasks, &[("a.txt", "a\n"), ("b.txt", "b\n")]);
    let agents = r#"worker.agents=["command:grep -q b $ARTEL_PATHS && echo c >> b.txt || exit 3", "command:echo no way; exit 4"]"#;
    let said = work(&house, agents, &["--role", "worker.limits.attempts=2", "--workers", "1"]).exits(5);
    let of_bad: Vec<String> =
        leased(&house).into_iter().filter(|(id, _)| id.starts_with("t1.")).map(|it| it.1).collect();
    assert_eq!(of_bad.len(), 4, "two tries of each of two agents: {of_bad:?}");
    assert!(of_bad[..2].iter().all(|agent| agent.contains("exit 3")), "{of_bad:?}");
    assert!(of_bad[2..].iter().all(|agent| agent.contains("exit 4")), "{of_bad:?}");
    assert_eq!(why(&house, "t1"), "exited with 4:\nno way");
    said.says("t1").says("exited with 4");
    assert_eq!(house.landed("b.txt"), "b\nc");
    assert_eq!(house.landed("a.txt"), "a");
}

#[test]
fn a_command_is_briefed_by_files_and_environment_and_works_in_its_own_worktree() {
    let tasks = "[{key: one, title: Mend it, brief: Mend the spelling., paths: [out/], checks: [test -d out]}]";
    let look = "cp $ARTEL_BRIEF out/brief.md; cp $ARTEL_BRIEF_JSON out/brief.json; cp $ARTEL_PATHS out/paths; pwd > out/pwd\necho $ARTEL_RUN $ARTEL_TASK $ARTEL_ATTEMPT > out/names; ls > out/files; echo '{\"done\": \"said\"}' > $ARTEL_HANDOFF\n";
    let house = crew("", tasks, &[("out/x", "x\n"), ("look.sh", look)]);
    work(&house, "worker.agents=command:sh look.sh", &[]).exits(0);
    let brief = house.landed("out/brief.md");
    for words in ["# Mend it", "Mend the spelling.", "`out/`", "`test -d out`", "Do what is written."] {
        assert!(brief.contains(words), "no {words} in\n{brief}");
    }
    let json: serde_json::Value = serde_json::from_str(&house.landed("out/brief.json")).unwrap();
    assert_eq!((json["task"].as_str(), json["attempt"].as_str()), (Some("t1"), Some("t1.1")));
    assert_eq!(house.landed("out/paths"), "out/");
    assert_eq!(house.landed("out/names"), format!("{} t1 t1.1", house.run()));
    let pwd = house.landed("out/pwd");
    assert!(!pwd.starts_with(&*house.repo().to_string_lossy()) && pwd.starts_with(&*house.home().to_string_lossy()));
    assert!(house.landed("out/files").contains("look.sh"), "the whole tree is there");
    assert_eq!(told(&house, "AttemptEnded")[0]["handoff"]["done"], "said");
}

#[test]
fn an_agent_that_exits_with_0_having_done_nothing_lands_nothing() {
    let house = crew("", "[{key: one, paths: [a.txt]}]", &[("a.txt", "a\n")]);
    work(&house, "worker.agents=command:true", &[]).exits(0).says("nothing to do");
    let board = house.board();
    assert_eq!((&board["counts"]["nothing"], &board["counts"]["landed"]), (&1.into(), &0.into()));
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
    assert!(told(&house, "BatchLanded").is_empty() && told(&house, "BatchFormed").is_empty());
}

#[test]
fn who_is_refused_and_then_changes_nothing_has_not_done_the_task() {
    let house = crew("checks: [\"! grep -rq bad src\"]\n", "[{key: one, paths: [src/a]}]", &[("src/a", "a\n")]);
    let undo = r#"worker.agents=["command:case $ARTEL_ATTEMPT in *.1) echo bad > src/a;; *) git checkout -q -- . && echo a > src/a;; esac"]"#;
    work(&house, undo, &[]).exits(5);
    assert!(why(&house, "t1").contains("its agent changed nothing"), "{}", why(&house, "t1"));
    assert_eq!(house.board()["counts"]["nothing"], 0);
}

#[test]
fn a_blocked_task_names_what_is_missing_and_lets_none_that_wait_for_it_start() {
    let tasks = "[{key: one, paths: [a.txt]}, {key: two, paths: [b.txt], after: [one]}]";
    let part = "steps: [{write: {text: \"half\\n\"}}, {blocked: \"a licence for {path}\"}]\n";
    let house = crew("", tasks, &[("a.txt", "a\n"), ("part.yml", part)]);
    work(&house, "worker.agents=script:part.yml", &[]).exits(5).says("a licence for a.txt");
    assert_eq!(task(&house, "t1")["status"], "blocked");
    assert_eq!(task(&house, "t2")["status"], "waiting");
    assert_eq!(leased(&house).len(), 1);
    assert_eq!(house.landed("a.txt"), "a");
}

#[test]
fn a_handoff_that_cannot_be_read_fails_the_attempt_and_says_why() {
    let tasks =
        "[{key: garbage, paths: [a]}, {key: large, paths: [b]}, {key: fifo, paths: [c]}, {key: link, paths: [d]}]";
    let bad = "h=$ARTEL_HANDOFF; echo edit > $(cat $ARTEL_PATHS)\ncase $ARTEL_TASK in\nt1) echo nonsense > $h;;\nt2) head -c 2000000 /dev/zero > $h;;\nt3) mkfifo $h;;\nt4) ln -s /etc/hostname $h;;\nesac\n";
    let house = crew("", tasks, &[("bad.sh", bad)]);
    work(&house, "worker.agents=command:sh bad.sh", &["--role", "worker.limits.attempts=1"]).exits(5);
    for (id, words) in [("t1", "its handoff is not one"), ("t2", "longer than"), ("t3", "regular file"), ("t4", "link")]
    {
        assert!(why(&house, id).contains(words), "{id}: {}", why(&house, id));
    }
    assert_eq!(house.board()["counts"]["landed"], 0);
}

#[test]
fn an_exit_code_counts_for_more_than_what_the_handoff_claims() {
    let house = crew("", "[{key: one, paths: [a]}]", &[("a", "a\n")]);
    let agents = r#"worker.agents=["command:echo b > a; echo '{\"done\": \"all of it\"}' > $ARTEL_HANDOFF; exit 9"]"#;
    work(&house, agents, &["--role", "worker.limits.attempts=1"]).exits(5);
    assert!(why(&house, "t1").contains("exited with 9"));
    assert_eq!(house.landed("a"), "a");
}

#[test]
fn each_handoff_reaches_its_planner_once_also_when_the_task_is_tried_again() {
    let goal = "---\nname: a goal\ndone: [\"true\"]\n---\nDo it.\n";
    let plan = "plan:\n  - emit: [{key: one, paths: [a]}]\non_handoff:\n  - task: one\n    says: too long\n    then:\n      - emit: [{key: \"more-{wake}\", paths: [b]}]\n";
    let part = "steps:\n  - on_attempt:\n      1: [{handoff: {concerns: [too long]}}, {fail: at first}]\n      else: [{write: {text: \"done\\n\"}}]\n";
    let house = House::with(&[("goal.md", goal), ("plan.yml", plan), ("part.yml", part), ("a", "a\n"), ("b", "b\n")]);
    work(&house, "worker.agents=script:part.yml", &[]).exits(0);
    let tasks = told(&house, "TasksEmitted");
    let keys: Vec<String> = tasks
        .iter()
        .flat_map(|it| it["tasks"].as_array().unwrap().clone())
        .map(|it| text(&it["draft"]["key"]))
        .collect();
    assert_eq!(keys.len(), 2, "one answer to one handoff: {keys:?}");
    assert_eq!((house.landed("a"), house.landed("b")), ("done".to_owned(), "done".to_owned()));
}

#[test]
fn what_a_person_says_reaches_the_next_attempt() {
    let house = crew("", "[{key: one, paths: [out]}]", &[("out", "\n")]);
    let agents = r#"worker.agents=["command:cp $ARTEL_BRIEF out; grep -q 'the blue one' out || exit 1"]"#;
    let mut open = crate::stage::run(agents, &["--role", "worker.limits.attempts=1"]);
    open.push("--open-only");
    house.artel(&open).exits(0);
    house.artel(&["steer", "be brief"]).exits(0);
    house.artel(&["resume"]).exits(5);
    house.artel(&["steer", "take the blue one", "--task", "t1"]).exits(0);
    house.artel(&["retry", "t1"]).exits(0);
    house.artel(&["resume"]).exits(0);
    let brief = house.landed("out");
    assert!(brief.contains("- be brief\n- take the blue one"), "{brief}");
    assert_eq!(leased(&house).len(), 2);
}
