//! Tells that what waits for a person's word holds nothing, survives whatever kills its coordinator, and goes on as exactly
//! what the word was given on.

use std::fs;

use crate::common::House;
use crate::crew::{crew, holds_the_laws, landings, of_kind, open_gate, playing, processes, text, waits};
use crate::terminal::Terminal;

const TWO: [(&str, &str, &str); 2] = [("a", "src/a.txt", ""), ("b", "src/b.txt", "")];
const WRITE: &str = "  - write: {text: \"new by {task}, try {attempt}\\n\"}\n";

fn two(front: &str, steps: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    crew(&house, &TWO, steps, front);
    house
}

/// Gives the one thing that the inbox shows of a task.
fn inbox_of(house: &House, task: &str) -> serde_json::Value {
    let all = house.artel(&["list", "--inbox", "--json"]).exits(0).json();
    let of_task: Vec<_> = all.as_array().unwrap().iter().filter(|item| item["task"] == task).cloned().collect();
    assert_eq!(of_task.len(), 1, "{all}");
    of_task[0].clone()
}

#[test]
fn a_candidate_waits_through_a_kill_and_a_moved_base_and_lands_as_exactly_what_was_approved() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let steps = format!("  - match:\n      path: src/b.txt\n      then:\n{}{WRITE}", indented(&waits(&house, "b")));
    crew(&house, &TWO, &steps, "checks: [ls]\napprove: { paths: [src/a.txt], lines: 400 }\n");
    let mut hosting = house.start(&playing(&[]));
    house.until("the first waits while the second runs", || {
        let board = house.artel(&["status", "--json"]);
        board.code == Some(0) && board.json()["counts"]["gated"] == 1 && board.json()["counts"]["running"] == 1
    });
    let item = inbox_of(&house, "t1");
    assert_eq!(item["bucket"], "needs_input");
    let waiting = item["waiting"].clone();
    assert_eq!(waiting["reasons"], serde_json::json!(["it changes src/a.txt"]));
    assert_eq!((&waiting["extent"]["files"], &waiting["extent"]["lines"]), (&1.into(), &2.into()));
    assert_eq!(waiting["has_moved"], false);
    let commit = text(&waiting["commit"]);
    hosting.kill().unwrap();
    hosting.wait().unwrap();

    // The other lands without a word, and the run rests: nothing of it lives, and its base has moved.
    open_gate(&house, "b");
    house.artel(&["resume"]).exits(6).says("waits for your word on 1 candidate").says("artel approve");
    assert!(processes(&house).is_empty(), "a word is waited for by nobody");
    let waiting = inbox_of(&house, "t1")["waiting"].clone();
    assert_eq!((text(&waiting["commit"]), &waiting["has_moved"]), (commit.clone(), &true.into()));
    house.artel(&["show", "t1"]).exits(0).says("gated").says("has moved").says(&commit[..7]);

    house.artel(&["approve", "t1"]).exits(0).says("carries it out");
    house.artel(&["resume"]).exits(0);
    let (attempt, landed) = landings(&house.events()).last().unwrap().clone();
    assert_eq!(attempt, "t1.1");
    assert_eq!(house.git(&["rev-parse", &format!("{landed}^2")]), commit, "exactly what was approved is what landed");
    assert_eq!(house.told("AttemptLeased").iter().filter(|it| text(&it["attempt"]).starts_with("t1.")).count(), 1);
    let checked = of_kind(&house.events(), "PrefixChecked");
    let tree = house.git(&["rev-parse", &format!("{landed}^{{tree}}")]);
    assert!(checked.iter().any(|it| it["tree"] == tree.as_str()), "it is checked again on the base that moved");
    holds_the_laws(&house);
}

fn indented(steps: &str) -> String {
    steps.lines().map(|line| format!("      {line}\n")).collect()
}

#[test]
fn the_reason_of_a_refusal_is_in_the_next_brief() {
    let steps = "  - run: \"if grep -q 'mind the gap' \\\"$ARTEL_BRIEF\\\"; then echo minded > '{path}'; else echo first > '{path}'; fi\"\n";
    let house = two("approve: [landing]\n", steps);
    house.artel(&playing(&[])).exits(6);
    house.artel(&["approve"]).exits(10).says("t1, t2");
    house.artel(&["deny", "t1", "-m", "mind the gap"]).exits(0);
    house.artel(&["approve", "t2"]).exits(0);
    house.artel(&["resume"]).exits(6);
    house.artel(&["approve"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!((house.landed("src/a.txt"), house.landed("src/b.txt")), ("minded".to_owned(), "first".to_owned()));
    holds_the_laws(&house);
}

#[test]
fn each_reason_of_a_refusal_is_in_every_later_brief() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    // The second attempt is refused by a check; the others write down which reasons their brief holds.
    let has = |reason: &str| format!("grep -o -m 1 '{reason}' \\\"$ARTEL_BRIEF\\\" >> '{{path}}'");
    let steps = format!(
        "  - run: \"echo {{attempt}} > '{{path}}'; {}; {}; if [ {{attempt}} = t1.2 ]; then echo red > '{{path}}'; fi\"\n",
        has("mind the gap"),
        has("also rename it")
    );
    crew(&house, &TWO[..1], &steps, "checks: [\"! cat */a.txt | grep -q red\"]\napprove: [landing]\n");
    house.artel(&playing(&[])).exits(6);
    house.artel(&["deny", "t1", "-m", "mind the gap"]).exits(0);
    house.artel(&["resume"]).exits(6);
    let verdicts = of_kind(&house.events(), "VerdictGiven");
    let rulings: Vec<_> = verdicts.iter().map(|it| (text(&it["attempt"]), text(&it["verdict"]["ruling"]))).collect();
    let ruling = |attempt: &str, ruling: &str| (attempt.to_owned(), ruling.to_owned());
    assert_eq!(rulings, [ruling("t1.1", "accept"), ruling("t1.2", "reject"), ruling("t1.3", "accept")]);
    house.artel(&["deny", "t1", "-m", "also rename it"]).exits(0);
    house.artel(&["resume"]).exits(6);
    house.artel(&["approve", "t1"]).exits(0);
    house.artel(&["resume"]).exits(0);
    let made = |attempt: u32| house.git(&["show", &format!("refs/artel/{}/t1.{attempt}:src/a.txt", house.run())]);
    assert_eq!(made(3), "t1.3\nmind the gap", "what is refused by a check loses no person's reason");
    assert_eq!(house.landed("src/a.txt"), "t1.4\nmind the gap\nalso rename it");
    holds_the_laws(&house);
}

#[test]
fn a_refused_candidate_s_task_may_be_given_up() {
    let house = two("approve: [landing]\n", WRITE);
    house.artel(&playing(&[])).exits(6);
    house.artel(&["deny", "t1", "--drop", "-m", "by hand"]).exits(0);
    house.artel(&["approve", "t2"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.artel(&["show", "t1", "--json"]).json()["status"], "dropped");
    assert_eq!(house.landed("src/a.txt"), "old");
}

#[test]
fn a_word_that_does_not_come_in_time_refuses_and_one_that_came_before_counts() {
    let front = "approve: { landing: true, timeout: 1s, then: deny }\n";
    let house = two(front, WRITE);
    house.artel(&playing(&[])).exits(6);
    house.artel(&["approve", "t2"]).exits(0);
    house.until("the time is over", || {
        // Whoever looks first after that finds the word that was given, and what lacks one.
        let said = house.artel(&["resume"]);
        said.code == Some(5)
    });
    assert_eq!(house.landed("src/b.txt"), "new by t2, try t2.1");
    assert_eq!(house.landed("src/a.txt"), "old");
    assert_eq!(house.artel(&["show", "t1", "--json"]).json()["why"], "no word came within 1 s");
    let overdue = of_kind(&house.events(), "WordOverdue");
    assert_eq!(overdue.len(), 1, "{overdue:?}");
}

#[test]
fn a_word_is_given_on_all_that_waits_once_it_was_shown_and_agreed_to() {
    let house = two("approve: [landing]\n", WRITE);
    house.artel(&playing(&[])).exits(6);
    house.artel(&["approve"]).exits(10).says("artel approve --all");
    house.artel(&["approve", "t1", "--all"]).exits(2);
    house.artel(&["approve", "--yes"]).exits(2);
    // Nobody was asked, or who was asked said no: no word was given.
    house.artel(&["approve", "--all"]).exits(6).says("t1").says("t2").says("--yes");
    let shown = house.artel(&["approve", "--all", "--json"]).exits(6).json();
    let waiting = |task: &str| text(&inbox_of(&house, task)["waiting"]["commit"]);
    assert_eq!([text(&shown[0]["commit"]), text(&shown[1]["commit"])], [waiting("t1"), waiting("t2")]);
    assert_eq!((&shown[0]["what"], &shown[0]["answer"]), (&"t1".into(), &serde_json::Value::Null));
    let asked = |typed: &str| {
        let mut terminal = Terminal::start(&house.command(&["approve", "--all"]), 24, 80);
        terminal.until_shown("approve all 2?");
        terminal.types(typed);
        terminal.end()
    };
    let said = asked("n\n");
    assert!(said.code == Some(6) && said.text().contains("no word was given"), "{}", said.text());
    house.artel(&["resume"]).exits(6);
    let said = asked("y\n");
    assert!(said.code == Some(0) && said.text().contains("2 words stored"), "{}", said.text());
    house.artel(&["resume"]).exits(0);
    assert_eq!(landings(&house.events()).len(), 2);
    house.artel(&["approve", "--all", "--yes"]).exits(10).says("nothing waits");
    holds_the_laws(&house);
}

#[test]
fn all_that_waits_is_approved_by_a_program_and_lands_while_somebody_works_on_it() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")]);
    let steps = format!("  - match:\n      path: src/c.txt\n      then:\n{}{WRITE}", indented(&waits(&house, "c")));
    crew(&house, &[TWO[0], TWO[1], ("c", "src/c.txt", "")], &steps, "approve: { paths: [src/a.txt, src/b.txt] }\n");
    let mut hosting = house.start(&playing(&["--workers", "3"]));
    house.until("two wait while the third runs", || {
        let board = house.artel(&["status", "--json"]);
        board.code == Some(0) && board.json()["counts"]["gated"] == 2 && board.json()["counts"]["running"] == 1
    });
    let run = house.run();
    let said = house.artel(&["approve", "--all", &run, "--yes", "--json"]).exits(0).json();
    let answers: Vec<_> = said.as_array().unwrap().iter().map(|it| (text(&it["what"]), text(&it["answer"]))).collect();
    let carried = |task: &str| (task.to_owned(), "carried_out".to_owned());
    assert_eq!(answers, [carried("t1"), carried("t2")]);
    open_gate(&house, "c");
    assert_eq!(hosting.wait().unwrap().code(), Some(0));
    assert_eq!(landings(&house.events()).len(), 3);
}

#[test]
fn a_delivery_waits_for_a_word_on_exactly_what_is_delivered() {
    let house = two("approve: [delivery]\n", WRITE);
    house.artel(&playing(&[])).exits(0);
    let before = house.git(&["rev-parse", "main"]);
    house.artel(&["deliver"]).exits(6).says("artel approve delivery");
    assert_eq!(house.git(&["rev-parse", "main"]), before, "it waits");
    let all = house.artel(&["list", "--inbox", "--json"]).exits(0).json();
    let waiting: Vec<_> = all.as_array().unwrap().iter().filter(|item| item["waiting"].is_object()).collect();
    assert_eq!(waiting.len(), 1, "{all}");
    assert_eq!(
        (&waiting[0]["waiting"]["branch"], text(&waiting[0]["waiting"]["commit"])),
        (&"main".into(), house.head())
    );
    house.artel(&["deliver"]).exits(10).says("waits for a word");
    house.artel(&["deny", "delivery", "-m", "not on a Friday"]).exits(0);
    house.artel(&["resume"]).exits(0);
    house.artel(&["approve", "delivery"]).exits(10);
    house.artel(&["deliver"]).exits(6);
    house.artel(&["approve"]).exits(0).says("delivered into main");
    assert_eq!(house.git(&["rev-parse", "main"]), house.head());
}

/// Has a run done, whose delivery waits for a word; every check of it holds until somebody writes `bad` into `mine.txt`.
fn proposed(front: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("mine.txt", "mine\n")]);
    crew(&house, &TWO, WRITE, &format!("approve: [delivery]\n{front}"));
    house.artel(&playing(&[])).exits(0);
    house.artel(&["deliver"]).exits(6);
    house
}

/// Gives what the inbox shows of the delivery that waits.
fn delivery_of(house: &House) -> serde_json::Value {
    let all = house.artel(&["list", "--inbox", "--json"]).exits(0).json();
    let waits: Vec<_> = all.as_array().unwrap().iter().filter(|item| item["waiting"]["branch"] == "main").collect();
    assert_eq!(waits.len(), 1, "{all}");
    waits[0].clone()
}

#[test]
fn a_delivery_into_a_branch_that_moved_goes_out_only_where_the_merge_is_green() {
    for front in ["done: [\"! grep -q bad mine.txt\"]\n", "checks: [\"! grep -q bad mine.txt\"]\n"] {
        let house = proposed(front);
        let tip = |branch: &str| house.git(&["rev-parse", branch]);
        let (asked, head) = (tip("main"), house.head());
        let waiting = delivery_of(&house)["waiting"].clone();
        assert_eq!((text(&waiting["onto"]), text(&waiting["onto_now"])), (asked.clone(), asked.clone()));
        assert_eq!(waiting["has_moved"], false);

        house.write("mine.txt", "bad\n");
        let bad = house.commit("somebody else's work");
        let item = delivery_of(&house);
        let waiting = &item["waiting"];
        assert_eq!((text(&waiting["onto"]), text(&waiting["onto_now"])), (asked.clone(), bad.clone()));
        assert_eq!(waiting["has_moved"], true);
        let moved = format!("main has moved from {} to {}", &asked[..10], &bad[..10]);
        assert!(text(&item["why"]).contains(&moved), "{item}");
        house.artel(&["status"]).says(&moved);
        house.artel(&["approve", "--all"]).exits(6).says(&moved);

        house.artel(&["approve", "delivery"]).exits(10).says("is red").says("mine.txt");
        assert_eq!(tip("main"), bad, "nothing goes out that is red");
        assert_eq!(house.git(&["status", "--porcelain"]), "");
        let item = delivery_of(&house);
        assert!(text(&item["why"]).contains("did not go out") && text(&item["why"]).contains("is red"), "{item}");
        for verb in [&["inbox"][..], &["status"]] {
            let shown = house.artel(verb).out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(shown.contains(&text(&item["why"])), "no room for {}: {shown}", item["why"]);
        }

        house.write("mine.txt", "good\n");
        let good = house.commit("mended");
        house.artel(&["approve", "delivery"]).exits(0).says("delivered into main");
        assert_eq!(house.git(&["log", "-1", "--format=%P", "main"]), format!("{good} {head}"));
        assert_eq!(fs::read_to_string(house.repo().join("src/a.txt")).unwrap(), "new by t1, try t1.1\n");
    }
}

#[test]
fn a_delivery_is_asked_about_with_the_branch_that_it_goes_into() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    crew(&house, &TWO, WRITE, "approve: [delivery]\n");
    house.artel(&playing(&[])).exits(0);
    house.git(&["branch", "side", "main"]);
    house.artel(&["deliver", "--into", "side"]).exits(6);
    house.commit("somebody else's work");
    let waiting = || {
        let all = house.artel(&["list", "--inbox", "--json"]).exits(0).json();
        all.as_array().unwrap().iter().find(|item| item["waiting"].is_object()).unwrap()["waiting"].clone()
    };
    assert_eq!(waiting()["has_moved"], false, "main is another branch");
    let moved = house.git(&["rev-parse", "main"]);
    house.git(&["branch", "--force", "side", "main"]);
    assert_eq!((waiting()["has_moved"].clone(), text(&waiting()["onto_now"])), (true.into(), moved));
}

#[test]
fn a_plan_that_waits_is_edited_and_the_edit_is_what_runs() {
    let house = two("plan: { approval: required }\n", WRITE);
    house.artel(&playing(&[])).exits(6);
    let plan = house.artel(&["plan", "--print"]).exits(0).out;
    assert!(plan.contains("key: \"a\"") && plan.contains("key: \"b\""), "{plan}");
    house.write("editor.sh", "sed -i -e '/key: \"b\"/,$d' \"$1\"\nprintf '    brief: tell it\\n  - key: more\\n    role: worker\\n    paths: [src/more.txt]\\n    after: [a]\\n' >> \"$1\"\n");
    let editor = format!("sh {}", house.repo().join("editor.sh").display());
    let edit = |more: &[&str]| {
        let output = house.command(&[&["plan"], more].concat()).env("EDITOR", &editor).output().unwrap();
        crate::common::said(&output)
    };
    edit(&["--edit"]).exits(0).says("carries it out");
    house.artel(&["resume"]).exits(6);
    assert_eq!(house.told("AttemptLeased").len(), 0, "an edit is no word");
    let refused = fs::read_to_string(house.repo().join("plan.yml")).unwrap();
    house.write("outside.yml", &refused);
    house.artel(&["plan", "--from", "outside.yml"]).exits(3).says("has no field `plan`");
    let stale = plan.clone();
    house.write("stale.yml", &stale);
    house.artel(&["plan", "--from", "stale.yml"]).exits(10).says("was edited since");
    house.artel(&["approve", "plan"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.landed("src/more.txt"), "new by t3, try t3.1");
    assert_eq!(house.landed("src/b.txt"), "old");
    let order: Vec<String> = house.told("AttemptLeased").iter().map(|it| text(&it["attempt"])).collect();
    assert_eq!(order, ["t1.1", "t3.1"], "it waited for what it was told to");
    assert_eq!(house.artel(&["show", "t1", "--json"]).json()["brief"], "tell it");
    holds_the_laws(&house);
}

/// Plans two tasks, and after as many reasons as were sent back what they ask for.
const PLANS: &str = r#"one='{"key":"a","title":"a","brief":"do a","paths":["src/a.txt"]}'
two='{"key":"b","title":"b","brief":"do b","paths":["src/b.txt"]}'
plan="$one,$two"
if grep -q 'leave b alone' "$ARTEL_BRIEF"; then plan=$one; fi
if grep -q 'leave b alone' "$ARTEL_BRIEF" && grep -q 'b after all' "$ARTEL_BRIEF" \
    && grep -q 'a: sent back and gone' "$ARTEL_BRIEF"; then plan=$two; fi
printf '```artel\n{"tasks":[%s]}\n```\n' "$plan"
"#;

fn sessions_plan(house: &House) -> Vec<&'static str> {
    house.write("plan.sh", PLANS);
    house.commit("a planner");
    vec!["run", "goal.md", "--role", "shard.agents=[\"command:sh plan.sh\"]", "--role", "worker.agents=script:work.yml"]
}

#[test]
fn a_plan_that_is_sent_back_is_made_anew_by_a_planner_who_is_told_every_reason() {
    let house = two("approve: [plan]\n", WRITE);
    let mut run = sessions_plan(&house);
    run.extend(["--role", "worker.mechanical=false"]);
    house.artel(&run).exits(6);
    let waits = || {
        let plan = house.artel(&["plan", "--print"]).exits(0).out;
        ["a", "b"].map(|key| plan.contains(&format!("key: \"{key}\"\n")))
    };
    assert_eq!(waits(), [true, true]);
    house.artel(&["deny", "plan", "--redo"]).exits(10).says("told why");
    house.artel(&["deny", "plan", "--redo", "--drop", "-m", "no"]).exits(2);
    house.artel(&["deny", "plan", "--redo", "-m", "leave b alone"]).exits(0).says("carries it out");
    house.artel(&["resume"]).exits(6);
    assert_eq!(waits(), [true, false]);
    house.artel(&["deny", "plan", "--redo", "-m", "b after all"]).exits(0);
    house.artel(&["resume"]).exits(6);
    assert_eq!(waits(), [false, true]);
    house.artel(&["show", "t1"]).exits(0).says("its plan was sent back: leave b alone");
    let sent_back = of_kind(&house.events(), "PlanSentBack");
    assert_eq!(sent_back.iter().map(|it| text(&it["reason"])).collect::<Vec<_>>(), ["leave b alone", "b after all"]);
    house.artel(&["approve", "plan"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!((house.landed("src/a.txt"), house.landed("src/b.txt")), ("old".into(), "new by t4, try t4.1".into()));
    // What was sent back is no unfinished business.
    for verb in ["status", "digest"] {
        assert_eq!(house.artel(&[verb, "--json"]).exits(0).json()["left"], serde_json::json!([]), "{verb}");
    }
    house.artel(&["deny", "t4", "--redo", "-m", "no"]).exits(10).says("leave `--redo` out");
    holds_the_laws(&house);
}

#[test]
fn a_plan_that_is_written_down_is_not_made_anew() {
    let house = two("approve: [plan]\n", WRITE);
    house.artel(&playing(&[])).exits(6);
    house.artel(&["deny", "plan", "--redo", "-m", "no"]).exits(10).says("would be the same again");
    assert!(house.told("PlanSentBack").is_empty());
    house.artel(&["approve", "plan"]).exits(0);
    house.artel(&["resume"]).exits(0);
}
