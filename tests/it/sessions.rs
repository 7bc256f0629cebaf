//! Tells how planners and judges work that are sessions of programs: what they are shown, what they may not do, how their
//! answers are taken, and what follows.

use serde_json::Value;

use crate::common::{House, Said};
use crate::stage::{leased, told};

/// What every story's goal says beside its name.
const GOAL: &str = "---\nname: a goal\ndone: [\"true\"]\n---\nDo what is written.\n";

/// A worker that writes its task's key into each of its paths.
const WORKER: &str =
    "worker.agents=[\"command:for f in $(cat $ARTEL_PATHS); do mkdir -p $(dirname $f); echo $ARTEL_TASK > $f; done\"]";

/// Builds a house with a program that plans and one that judges.
fn house(planner: &str, judge: &str) -> House {
    House::with(&[("goal.md", GOAL), ("a.txt", "a\n"), ("plan.sh", planner), ("judge.sh", judge)])
}

fn run(house: &House, more: &[&str]) -> Said {
    let mut args = vec!["run", "goal.md", "--role", "shard.agents=[\"command:sh plan.sh\"]"];
    args.extend(["--role", "worker.mechanical=false", "--role", WORKER]);
    args.extend(more);
    house.artel(&args)
}

const JUDGED: [&str; 2] = ["--role", "judge.agents=[\"ladder\",\"command:sh $ARTEL_JUDGE\"]"];

/// Says an answer that hands out tasks, as JSON.
fn answers(json: &str) -> String {
    format!("cat <<'EOF'\nI have looked.\n```artel\n{json}\n```\nEOF\n")
}

fn task(key: &str, path: &str) -> String {
    format!(r#"{{"key":"{key}","title":"write {path}","brief":"Write {path}.","paths":["{path}"]}}"#)
}

fn tasks(tasks: &[String]) -> String {
    answers(&format!(r#"{{"tasks":[{}]}}"#, tasks.join(",")))
}

/// Plans these tasks when it is first called, and nothing after that.
fn once(first: &str) -> String {
    format!("case $ARTEL_SEAT in */1) {first}\n;; *) {}\n;; esac\n", answers("{}"))
}

/// Gives the place of a session's log.
fn log(house: &House, name: &str) -> std::path::PathBuf {
    house.home().join("runs").join(house.run()).join("logs").join(format!("{name}.log"))
}

/// Lists who sat where, in order.
fn seats(house: &House) -> Vec<String> {
    told(house, "SeatTaken").iter().map(|it| it["seat"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_session_plans_and_workers_do_what_it_hands_out() {
    let house = house(&once(&tasks(&[task("one", "b.txt"), task("two", "c.txt")])), "");
    run(&house, &[]).exits(0);
    assert_eq!((house.landed("b.txt"), house.landed("c.txt")), ("t1".to_owned(), "t2".to_owned()));
    assert_eq!(seats(&house), ["s0/1", "s0/2"], "it was called again when all that it had handed out was done");
}

#[test]
fn a_planner_may_spawn_planners_and_each_is_told_of_its_own_tasks_only() {
    let parts = r#"{"scopes":[{"key":"docs","title":"the docs","brief":"See to the docs.","paths":["docs/"]},
        {"key":"src","title":"the source","brief":"See to the source.","paths":["src/"]}]}"#;
    let below = |folder: &str| tasks(&[task(&format!("{folder}-1"), &format!("{folder}/x"))]);
    let planner = format!(
        "case $ARTEL_SEAT in s0/1) {}\n;; s1/1) {}\n;; s2/1) {}\n;; *) {}\n;; esac\n",
        answers(parts),
        below("docs"),
        below("src"),
        answers("{}"),
    );
    let house = house(&planner, "");
    run(&house, &[]).exits(0);
    let mut wrote = [house.landed("docs/x"), house.landed("src/x")];
    wrote.sort();
    assert_eq!(wrote, ["t1", "t2"]);
    let woken = told(&house, "PlannerWoken");
    let mut scopes: Vec<&str> = woken.iter().map(|it| it["scope"].as_str().unwrap()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["s1", "s2"], "each handoff wakes the planner of its task, once");
}

#[test]
fn a_planner_cannot_change_what_it_sees() {
    let tries =
        "if echo x > a.txt || echo x > new.txt || git commit -qam x; then k=could; else k=could-not; fi 2> /dev/null\n";
    let planner =
        format!("{tries}{}", once(&tasks(&[task("KEY", "b.txt")])).replace("'EOF'", "EOF").replace("KEY", "$k"))
            .replace("```", "\\`\\`\\`");
    for tier in ["bubblewrap", "landlock"] {
        let house = house(&planner, "");
        run(&house, &["--sandbox", tier]).exits(0);
        let emitted = told(&house, "TasksEmitted");
        assert_eq!(emitted[0]["tasks"][0]["draft"]["key"], "could-not", "{tier}");
        assert_eq!(house.landed("a.txt"), "a", "{tier}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_for_once_more_and_then_fails_closed() {
    let again = format!(
        "case $(cat $ARTEL_BRIEF) in *'could not be read'*) {}\n;; *) echo nothing;; esac\n",
        tasks(&[task("one", "b.txt")])
    );
    let planner = format!("case $ARTEL_SEAT in */1) {again} ;; *) {}\n;; esac\n", answers("{}"));
    let mended = house(&planner, "");
    run(&mended, &[]).exits(0);
    assert_eq!(mended.landed("b.txt"), "t1");

    let mute = house("echo I would do it.\n", "");
    run(&mute, &["--role", "shard.limits.attempts=1"]).exits(5).says("no block that begins with ```artel");
    assert_eq!((told(&mute, "SeatTaken").len(), told(&mute, "PlannerFailed").len()), (1, 1));
}

#[test]
fn what_the_law_refuses_is_told_to_the_planner_which_may_mend_it() {
    let outside = r#"{"scopes":[{"key":"docs","title":"t","brief":"b","paths":["docs/"]},{"key":"more","title":"t","brief":"b","paths":["docs/more/"]}]}"#;
    let planner = format!(
        "case $(cat $ARTEL_BRIEF) in *overlaps*) {}\n;; *) case $ARTEL_SEAT in */1) {}\n;; *) {}\n;; esac ;; esac\n",
        tasks(&[task("one", "b.txt")]),
        answers(outside),
        answers("{}"),
    );
    let house = house(&planner, "");
    run(&house, &[]).exits(0);
    assert_eq!(house.landed("b.txt"), "t1");
}

#[test]
fn the_next_planner_of_its_role_is_asked_when_one_fails() {
    let house = house(&once(&tasks(&[task("one", "b.txt")])), "");
    let both = "shard.agents=[\"command:exit 3\",\"command:sh plan.sh\"]";
    house
        .artel(&[
            "run",
            "goal.md",
            "--role",
            both,
            "--role",
            "shard.limits.attempts=2",
            "--role",
            "worker.mechanical=false",
            "--role",
            WORKER,
        ])
        .exits(0);
    let agents: Vec<Value> = told(&house, "SeatTaken").iter().map(|it| it["agent"].clone()).collect();
    let (bad, good) = ("command:exit 3", "command:sh plan.sh");
    assert_eq!(agents, [bad, bad, good, bad, bad, good], "each waking begins with the first");
}

fn scores(score: u8) -> String {
    let one = |name: &str| format!(r#"{{"criterion":"{name}","score":{score},"evidence":"b.txt"}}"#);
    format!("[{},{},{}]", one("brief"), one("restraint"), one("soundness"))
}

fn verdict(score: u8, findings: &str, ruling: &str) -> String {
    answers(&format!(r#"{{"scores":{},"findings":{findings},"ruling":"{ruling}"}}"#, scores(score)))
}

fn found(class: &str) -> String {
    format!(r#"[{{"class":"{class}","path":"b.txt","what":"b.txt lacks a line","advice":"add it"}}]"#)
}

fn judged(judge: &str, more: &[&str]) -> (House, Said) {
    let house = house(&once(&tasks(&[task("one", "b.txt")])), judge);
    let judge = house.root().join("judge.sh");
    std::fs::copy(house.repo().join("judge.sh"), &judge).unwrap();
    let agents = JUDGED[1].replace("$ARTEL_JUDGE", &judge.display().to_string());
    let read = format!("judge.grants.read=[\"{}\"]", judge.display());
    let mut all = vec!["--role", agents.as_str(), "--role", read.as_str()];
    all.extend(more);
    let said = run(&house, &all);
    (house, said)
}

#[test]
fn a_judge_accepts_what_has_passed_its_checks() {
    let (house, said) = judged(&verdict(9, "[]", "accept"), &[]);
    said.exits(0);
    assert_eq!(house.landed("b.txt"), "t1");
    let reviews = told(&house, "CandidateReviewed");
    assert_eq!((reviews.len(), &reviews[0]["review"]["ruling"]), (1, &Value::from("accept")));
}

#[test]
fn each_lens_sees_something_else_and_each_can_veto() {
    let sees =
        "grep -q '^> +t1' $ARTEL_BRIEF && patch=yes; ls b.txt 2>/dev/null; ls a.txt 2>/dev/null; echo patch $patch\n";
    let judge = format!("{sees}{}", verdict(9, "[]", "accept"));
    let (house, said) = judged(&judge, &["--role", "judge.lenses=diff,result,codebase"]);
    said.exits(0);
    let saw = |lens: u32| {
        let log = std::fs::read_to_string(log(&house, &format!("judge-t1.1-{lens}"))).unwrap();
        log.lines().take_while(|line| !line.starts_with("I have")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(saw(1), ["patch yes"], "the change and no file");
    assert_eq!(saw(2), ["b.txt", "patch"], "the changed files and no change");
    assert_eq!(saw(3), ["b.txt", "a.txt", "patch yes"], "all of both");
}

#[test]
fn what_a_judge_finds_goes_back_to_the_worker_who_goes_on_from_there() {
    let judge = format!(
        "case $ARTEL_SEAT in t1.1/*) {}\n;; *) {}\n;; esac\n",
        verdict(9, &found("missed-line"), "reject"),
        verdict(9, "[]", "accept")
    );
    let (house, said) = judged(&judge, &["--role", "worker.agents=[\"command:cat $ARTEL_BRIEF >> b.txt\"]"]);
    said.exits(0);
    assert_eq!(leased(&house).len(), 2);
    assert!(house.landed("b.txt").contains("b.txt lacks a line"), "the second attempt was told of it");
}

#[test]
fn a_score_below_its_least_is_a_veto_whatever_the_ruling() {
    let (house, said) = judged(&verdict(5, "[]", "accept"), &["--role", "worker.limits.attempts=1"]);
    said.exits(5);
    let review = &told(&house, "CandidateReviewed")[0];
    assert_eq!(review["review"]["findings"].as_array().unwrap().len(), 3, "{review}");
    assert!(review["next"]["keep"].is_object(), "{review}");
}

#[test]
fn judging_comes_to_an_end_because_new_faults_count_in_the_first_rounds_only() {
    let judge = "n=${ARTEL_SEAT#t1.}; n=${n%/*}\n".to_owned()
        + &verdict(9, &found("fault-NUMBER"), "reject")
            .replace("'EOF'", "EOF")
            .replace("NUMBER", "$n")
            .replace("```", "\\`\\`\\`");
    let worker = "worker.agents=[\"command:cat $ARTEL_BRIEF >> b.txt\"]";
    let more = ["--role", worker, "--role", "worker.limits.attempts=9", "--role", "judge.limits.rounds=2"];
    let (house, said) = judged(&judge, &more);
    said.exits(0);
    let reviews = told(&house, "CandidateReviewed");
    assert_eq!(reviews.len(), 3);
    let last = &reviews[2]["review"];
    assert_eq!((&last["ruling"], last["notes"].as_array().unwrap().len()), (&Value::from("accept"), 1));
}

#[test]
fn a_candidate_that_nobody_could_judge_waits_for_a_person() {
    let (house, said) = judged("exit 1\n", &["--role", "judge.limits.attempts=1"]);
    said.exits(5).says("no judge gave a verdict");
    assert!(house.artel(&["list", "--inbox"]).exits(0).out.contains("t1"));
    house.artel(&["approve", "t1"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.landed("b.txt"), "t1");
}

/// A run whose planner plans `b.txt` first and `c.txt` in the second iteration, and whose end is judged by a program.
fn judged_at_its_end(judge: &str, goal: &str) -> (House, Said) {
    let none = answers("{}");
    let planner = format!(
        "cp $ARTEL_BRIEF $TMPDIR/../brief-seen\ncase $ARTEL_SEAT in */1) {}\n;; */3) {}\n;; *) {none}\n;; esac\n",
        tasks(&[task("one", "b.txt")]),
        tasks(&[task("one", "c.txt")]),
    );
    let goal = format!("---\nname: a goal\n{goal}plan: {{ run_judge: last }}\n---\nDo what is written.\n");
    let role = "about = 'has the last word'\npart = 'judge'\nprompt = 'run-judge'\nagents = ['command:sh judge.sh']\n";
    let house = House::with(&[
        ("goal.md", &goal),
        ("plan.sh", &planner),
        ("judge.sh", judge),
        (".artel/roles/last.toml", role),
        ("a.txt", "a\n"),
    ]);
    let said = run(&house, &[]);
    (house, said)
}

fn rules(ruling: &str, missing: &str) -> String {
    answers(&format!(r#"{{"ruling":"{ruling}","why":"c.txt {ruling}","handoff":{{"missing":[{missing}]}}}}"#))
}

#[test]
fn the_run_s_judge_may_have_it_go_on_though_all_conditions_hold() {
    let judge = format!(
        "if test -e c.txt; then {}\nelse {}\nfi\n",
        rules("done", ""),
        rules("continue", r#""c.txt is missing""#)
    );
    let (house, said) = judged_at_its_end(&judge, "done: [\"true\"]\n");
    said.exits(0);
    assert_eq!((house.landed("b.txt"), house.landed("c.txt")), ("t1".to_owned(), "t2".to_owned()));
    let rulings: Vec<Value> = told(&house, "RunJudged").iter().map(|it| it["verdict"]["ruling"].clone()).collect();
    assert_eq!(rulings, ["continue", "done"]);
    let desk = house.home().join("runs").join(house.run());
    let seen = find(&desk, "brief-seen").into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    assert!(seen.into_iter().any(|brief| brief.contains("- is missing: c.txt is missing")), "the planner was told");
}

/// Finds files of a name below a folder.
fn find(folder: &std::path::Path, name: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => find(&entry.path(), name),
        Ok(_) if entry.file_name() == name => vec![entry.path()],
        Ok(_) | Err(_) => Vec::new(),
    });
    below.collect()
}

#[test]
fn the_run_s_judge_cannot_say_done_over_a_red_condition() {
    let (house, said) = judged_at_its_end(&rules("done", ""), "done: [\"false\"]\n");
    said.exits(9).says("it says that the run is done while this does not hold: false");
    assert_eq!(told(&house, "RunJudged").len(), 0);
}

#[test]
fn what_the_run_s_judge_finds_missing_when_nothing_more_may_be_planned_is_told() {
    let judge = rules("restart", r#""all of it""#);
    let goal = "done: [\"true\"]\n";
    let house = {
        let (house, said) = judged_at_its_end(&judge, goal);
        said.exits(5).says("its judge does not call it done: c.txt restart");
        house
    };
    assert_eq!(told(&house, "RunJudged").len(), 3, "three iterations are allowed");
}

#[test]
fn a_brief_is_shown_byte_for_byte_as_the_agent_got_it() {
    let house = house(&once(&tasks(&[task("one", "b.txt")])), "");
    run(&house, &["--role", "worker.agents=[\"command:cp $ARTEL_BRIEF b.txt\"]"]).exits(0);
    // The attempt is over: what is shown is the brief of the next one, which differs in its number alone.
    let shown = house.artel(&["roles", "show", "worker", "--task", "t1", "--json"]).exits(0).json();
    let (brief, got) = (shown["brief"].as_str().unwrap(), house.landed("b.txt"));
    assert_eq!(brief.trim_end(), got.replace("attempt 1.", "attempt 2."));
    let tokens = brief.len().div_ceil(4);
    assert_eq!((&shown["tokens"], &shown["exact"]), (&tokens.into(), &false.into()));
    let args = ["roles", "show", "worker", "--task", "t1"];
    house.artel(&args).exits(0).says(&format!("{} bytes, about {tokens} tokens (bytes / 4)", brief.len()));
    let exact = house.artel(&[&args[..], &["--exact"]].concat()).exits(4);
    exact.says("artel does not know which model it asks").says(&format!("about {tokens} tokens (bytes / 4)"));
    house.artel(&["roles", "show", "judge", "--task", "t1"]).exits(11).says("the role `worker` does it");
}
