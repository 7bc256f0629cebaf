//! Owns the reading of a goal file as a whole: its fields, their defaults, and what must fit together.
//! Never opens a file.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::conditions::checks;
use super::front::split;
use super::gates::approve;
use super::parts::{Approval, budget, landing, plan};
use super::{conditions, gates, parts};
use crate::model::goal::{Condition, Find, Gate, Goal};
use crate::model::written::{Fault, Faults, Fields, Node, SIZE_MAX, Value, globs, read_yaml, text};

const GOAL: &[&str] = &["name", "done", "checks", "plan", "owns", "never", "budget", "landing", "approve"];

const NO_CONDITION: &str = "the goal has no done-condition that can be executed";
const CONDITIONS_LOOK_LIKE: &str = "say what must hold when it is done: a command that must exit with 0, or a query \
that must find nothing:\ndone:\n  - cargo test\n  - name: no try! is left\n    query: { regex: 'try!\\(' }";

/// Reads a goal file.
///
/// # Errors
/// All that is wrong with it, in the order of the file; never empty.
pub fn read(file: &str) -> Result<Goal, Vec<Fault>> {
    let mut faults = Faults::default();
    if file.len() > SIZE_MAX {
        faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
        return faults.unless_any(None);
    }
    let Some((front, prose)) = split(file, &mut faults) else { return faults.unless_any(None) };
    if file[prose.clone()].trim().is_empty() {
        let help = "say below the second `---` what is wanted and why: planners and workers read it";
        faults.add_with_help(&(front.end..front.end + 3), "the goal has no prose below this line", help);
    }
    let goal = read_yaml(file, front, &mut faults).and_then(|node| read_fields(&node, &mut faults));
    faults.unless_any(goal).map(|mut goal| {
        file[prose].clone_into(&mut goal.prose);
        goal.hash = Sha256::digest(file.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        goal
    })
}

/// Lists the rule files that a goal names, by the names under which the run holds their texts.
pub fn rule_files(goal: &Goal) -> BTreeSet<String> {
    let asked = goal.done.iter().filter_map(|condition| match condition {
        Condition::Check(_) => None,
        Condition::Query(query) => match &query.find {
            Find::Rule(file) => Some(file.clone()),
            Find::Regex(_) => None,
        },
    });
    goal.plan.rules.iter().cloned().chain(asked).collect()
}

/// Lists the fields that are read, by the part of the file that holds them.
pub fn known_fields() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("WrittenGoal", GOAL),
        ("WrittenCondition", conditions::CONDITION),
        ("WrittenQuery", conditions::QUERY),
        ("WrittenCheck", conditions::CHECK),
        ("WrittenPlan", parts::PLAN),
        ("WrittenBudget", parts::BUDGET),
        ("WrittenBounds", parts::BOUNDS),
        ("WrittenLanding", parts::LANDING),
        ("WrittenApproval", gates::APPROVE),
    ]
}

fn read_fields(node: &Node, faults: &mut Faults) -> Option<Goal> {
    let mut fields = Fields::open(node, "the goal", GOAL, faults)?;
    let name = match fields.take("name") {
        Some(node) => name(node, faults),
        None => {
            faults.add_with_help(&fields.at, "the goal has no `name`", "add `name: a-few-words`");
            None
        }
    };
    let done = match fields.take("done") {
        Some(node) => done(node, faults),
        None => {
            faults.add_with_help(&fields.at, NO_CONDITION, CONDITIONS_LOOK_LIKE);
            Vec::new()
        }
    };
    let (planning, sampled, approval) = plan(fields.take("plan"), faults);
    let (mut gates, gating) = fields.take("approve").map(|node| approve(node, sampled, faults)).unwrap_or_default();
    if approval == Approval::Required {
        gates.insert(Gate::Plan);
    }
    let goal = Goal {
        name: name.unwrap_or_default(),
        done,
        checks: fields.take("checks").map(|node| checks(node, faults)).unwrap_or_default(),
        plan: planning,
        owns: fields.take("owns").map(|node| globs(node, "`owns`", faults)).unwrap_or_default(),
        never: fields.take("never").map(|node| globs(node, "`never`", faults)).unwrap_or_default(),
        budget: budget(fields.take("budget"), faults),
        landing: landing(fields.take("landing"), faults),
        approve: gates,
        gating,
        prose: String::new(),
        hash: String::new(),
    };
    Some(goal)
}

/// Reads the done-conditions, of which there is at least one.
fn done(node: &Node, faults: &mut Faults) -> Vec<Condition> {
    if matches!(&node.value, Value::List(nodes) if nodes.is_empty()) {
        faults.add_with_help(&node.at, NO_CONDITION, CONDITIONS_LOOK_LIKE);
    }
    conditions::conditions(node, faults)
}

/// Reads the goal's name: one line, short enough for a table.
fn name(node: &Node, faults: &mut Faults) -> Option<String> {
    let name = text(node, "`name`", faults)?;
    if name.chars().count() > 80 || name.chars().any(char::is_control) {
        faults.add(&node.at, "`name` must be one line of at most 80 characters");
        return None;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::gating::{Gating, Then, Timeout};
    use crate::model::goal::{Order, Split};
    use crate::model::means::Bounds;

    const FULL: &str = r#"---
name: try-to-question-mark
done:
  - cargo test --offline                     # short form
  - name: no try! is left
    query: { rule: rules/try.yml, within: ["src/**/*.rs"] }
  - query: { regex: 'try!\(' }
  - name: tests
    check: cargo test
    timeout: 10m
checks:
  - cargo check
  - { name: tests, run: cargo test, timeout: 90 }
plan: { planner: shard, worker: worker, rules: [rules/try.yml], by: package, files_per_task: 4, sample: 2, exclude: ["vendor/**"], order: dependency, iterations: 7, stop_list: false }
owns: ["src/**"]
never: ["src/generated/**"]
budget: { wall: 2h, attempts: 500, cpu: 4h }
landing: { policy: strict, batch: 32, conflicts: 1 }
approve: [plan, sweep]
---
Replace `try!` by `?`.
"#;
    const SMALL: &str = "---\nname: g\ndone: [cargo test]\n---\nDo it.\n";

    fn faults(file: &str) -> Vec<String> {
        read(file).unwrap_err().iter().map(|fault| format!("{}: {}", &file[fault.at.clone()], fault.what)).collect()
    }

    fn front(fields: &str) -> String {
        format!("---\nname: g\ndone: [cargo test]\n{fields}\n---\nDo it.\n")
    }

    #[test]
    fn every_field_is_read() {
        let goal = read(FULL).unwrap();
        assert_eq!(goal.done.len(), 4);
        assert_eq!(goal.done[0].name(), "cargo test --offline");
        let Condition::Query(query) = &goal.done[1] else { panic!("a query") };
        assert_eq!(query.within, ["src/**/*.rs"]);
        assert_eq!(goal.done[2].name(), r"no match of /try!\(/");
        assert_eq!((goal.checks[0].timeout_s, goal.checks[1].timeout_s), (600, 90));
        assert_eq!((goal.plan.by, goal.plan.order), (Split::Package, Order::Dependency));
        assert_eq!((goal.plan.files_per_task, goal.plan.sample, goal.plan.iterations), (4, 2, 7));
        assert!(!goal.plan.stop_list);
        assert_eq!(
            (goal.budget.wall_s, goal.budget.attempts, goal.budget.cpu_s),
            (Some(7200), Some(500), Some(14_400))
        );
        assert_eq!((goal.landing.batch, goal.landing.conflicts), (32, 1));
        assert_eq!(goal.approve, [Gate::Plan, Gate::Sweep].into());
        assert_eq!(goal.prose, "Replace `try!` by `?`.\n");
        assert_eq!(rule_files(&goal), ["rules/try.yml".to_owned()].into());
    }

    #[test]
    fn calls_to_models_are_bounded_for_the_run_a_role_and_a_task() {
        let budget =
            "budget: { usd: 20, tokens: 5000000, calls: 900, task: { usd: 0.5 }, roles: { judge: { tokens: 7 } } }";
        let budget = read(&front(budget)).unwrap().budget;
        let run = Bounds { nano_usd: Some(20_000_000_000), tokens: Some(5_000_000), calls: Some(900) };
        assert_eq!(budget.bounds(), run);
        assert_eq!(budget.task, Bounds { nano_usd: Some(500_000_000), ..Bounds::default() });
        assert_eq!(budget.roles["judge"], Bounds { tokens: Some(7), ..Bounds::default() });
        for wrong in
            ["tokens: 0", "calls: many", "task: 5", "task: { wall: 2h }", "roles: [judge]", "roles: { judge: 5 }"]
        {
            assert!(read(&front(&format!("budget: {{ {wrong} }}"))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let goal = read(SMALL).unwrap();
        assert_eq!((goal.plan.planner.as_str(), goal.plan.worker.as_str()), ("shard", "worker"));
        assert_eq!((goal.plan.files_per_task, goal.plan.sample, goal.plan.iterations), (5, 0, 3));
        assert!(goal.plan.stop_list && goal.checks.is_empty() && goal.owns.is_empty());
        assert_eq!((goal.landing.batch, goal.landing.conflicts), (64, 2));
        assert_eq!(goal.budget, crate::model::goal::Budget::default());
    }

    #[test]
    fn the_hash_is_that_of_the_files_bytes() {
        assert_eq!(read(SMALL).unwrap().hash, "072c503213b76f9b1412b3429aed08e3ae329fc7ad9a05c67eb7dc20e4c2eafe");
        assert_ne!(read(SMALL).unwrap().hash, read(&format!("{SMALL} ")).unwrap().hash);
    }

    #[test]
    fn a_byte_order_mark_and_crlf_change_neither_fields_nor_places() {
        let windows = format!("\u{feff}{}", FULL.replace('\n', "\r\n"));
        let (unix, goal) = (read(FULL).unwrap(), read(&windows).unwrap());
        assert_eq!((goal.done, goal.plan), (unix.done, unix.plan));
        assert_eq!(goal.prose, "Replace `try!` by `?`.\r\n");
        let broken = windows.replace("by: package", "by: packge");
        assert_eq!(faults(&broken), ["packge: `by` cannot be `packge`"]);
    }

    #[test]
    fn a_goal_without_an_executable_done_condition_is_refused_and_shown_one() {
        for done in ["", "done:", "done: []", "done: [{ name: nothing }]"] {
            let file = format!("---\nname: g\n{done}\n---\nDo it.\n");
            let faults = read(&file).unwrap_err();
            assert_eq!(faults.len(), 1, "{done:?}: {faults:?}");
            assert!(faults[0].what.contains("can be executed"), "{faults:?}");
            assert!(faults[0].help.as_ref().unwrap().contains("query"), "{faults:?}");
        }
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        for (fields, expected) in [
            ("budgte: {}", "budgte: the goal has no field `budgte`"),
            ("plan: { by: package, bye: 1 }", "bye: `plan` has no field `bye`"),
            ("owns: src", "src: `owns` must be a list, not the text `src`"),
            ("owns: ['[']", "'[': `[` is not a glob: unclosed character class; missing ']'"),
            ("owns: [/src/**]", "/src/**: `/src/**` matches no path of the repository"),
            ("never: [src/]", "src/: `src/` names a folder and matches no file"),
            ("checks: [true]", "true: a check must be a text, not `true`, which is read as a yes or no"),
            ("checks: [{ name: x }]", "{ name: x }: this check has no command"),
            ("checks: [a, a]", "a: two checks are named `a`"),
            ("budget: { wall: soon }", "soon: `wall` must be a duration, not the text `soon`"),
            ("budget: { attempts: 0 }", "0: `attempts` is at least 1, not 0"),
            ("budget: { cpu: 0 }", "0: `cpu` of no time lets nothing run"),
            ("landing: { policy: budgeted }", "budgeted: the policy `budgeted` comes with a later version"),
            ("landing: { batch: many }", "many: `batch` must be a whole number, not the text `many`"),
            ("plan: { rules: [../x.yml] }", "../x.yml: each rule file is no path of the repository"),
            ("plan: { stop_list: 1 }", "1: `stop_list` must be yes or no, not the number 1"),
            ("plan: { planner: 'a b' }", "'a b': `planner` is the name of a role: letters, digits, `-` and `_`"),
            ("approve: [sweep]", "sweep: the gate `sweep` opens after a sample, and there is none"),
            ("approve: { sweep: true }", "true: the gate `sweep` opens after a sample, and there is none"),
            ("approve: { landin: true }", "landin: `approve` has no field `landin`"),
            ("approve: { landing: required }", "required: `landing` must be yes or no, not the text `required`"),
            ("approve: { plan: perhaps }", "perhaps: `plan` cannot be `perhaps`"),
            ("plan: { approval: maybe }", "maybe: `approval` cannot be `maybe`"),
            ("approve: { paths: [src/] }", "src/: `src/` names a folder and matches no file"),
            (
                "approve: { roles: ['a b'] }",
                "'a b': each of `roles` is the name of a role: letters, digits, `-` and `_`",
            ),
            ("approve: { lines: few }", "few: `lines` must be a whole number, not the text `few`"),
            ("approve: { files: -1 }", "-1: `files` is from 0 to 1000000, not -1"),
            ("approve: { spend: 0 }", "0: `spend` of no money lets nothing run"),
            ("approve: { plan: true, timeout: 8h }", "8h: `timeout` does not say what happens then"),
            ("approve: { plan: true, then: deny }", "deny: `then` does not say when"),
            ("approve: { timeout: 8h, then: shrug }", "shrug: `then` cannot be `shrug`"),
            ("name: again", "name: `name` is written twice"),
        ] {
            assert_eq!(faults(&front(fields)), [expected], "{fields}");
        }
    }

    #[test]
    fn what_waits_for_a_word_is_a_list_or_a_table() {
        let of = |fields: &str| {
            let goal = read(&front(fields)).unwrap();
            (goal.approve, goal.gating)
        };
        let (gates, gating) = of("approve: [plan, landing, delivery]");
        assert_eq!((gates, gating), ([Gate::Plan, Gate::Landing, Gate::Delivery].into(), Gating::default()));
        assert_eq!(of("plan: { approval: required }").0, [Gate::Plan].into());
        assert_eq!(of("approve: { plan: required, landing: false }").0, [Gate::Plan].into());
        let table = "approve:\n  paths: ['src/auth/**']\n  roles: [worker-strong]\n  lines: 400\n  files: 20\n  \
                     spend: $5\n  timeout: 8h\n  then: escalate";
        let wanted = Gating {
            paths: vec!["src/auth/**".to_owned()],
            roles: ["worker-strong".to_owned()].into(),
            lines: Some(400),
            files: Some(20),
            nano_usd: Some(5_000_000_000),
            timeout: Some(Timeout { after_s: 8 * 3600, then: Then::Escalate }),
        };
        assert_eq!(of(table), (BTreeSet::new(), wanted));
    }

    #[test]
    fn all_faults_are_found_at_once_in_the_order_of_the_file() {
        let file = "---\nnaem: g\ndone:\n  - query: { regex: '(' }\n  - check: [x]\nbudget: { wall: x }\n---\n\n";
        let places: Vec<usize> = read(file).unwrap_err().iter().map(|fault| fault.at.start).collect();
        assert!(places.len() >= 6 && places.is_sorted(), "{:?}", faults(file));
    }

    #[test]
    fn front_matter_that_is_missing_or_open_and_prose_that_is_empty_are_named() {
        assert_eq!(faults("# Goal\n"), ["# Goal: the front matter is missing: the first line is not `---`"]);
        assert_eq!(faults(""), [": the front matter is missing: the first line is not `---`"]);
        assert_eq!(faults("---\nname: g\n"), ["---: the front matter that begins here does not end"]);
        assert_eq!(faults("---\nname: g\ndone: [x]\n---\n \n"), ["---: the goal has no prose below this line"]);
        assert_eq!(faults("---\n---\nDo it.\n").len(), 1);
    }

    #[test]
    fn the_documented_example_can_be_read() {
        let page = include_str!("../../../docs/goal.md");
        let example = page.split("```").nth(1).and_then(|block| block.strip_prefix("yaml\n")).unwrap();
        assert_eq!(read(example).unwrap().done.len(), 3);
    }

    #[test]
    fn a_name_of_any_length_makes_a_message_of_few_characters() {
        let file = front(&format!("? {}\n: 1\nlanding: {{ policy: {} }}", "x".repeat(100_000), "y".repeat(900)));
        assert!(read(&file).unwrap_err().iter().all(|fault| fault.what.len() < 200));
    }

    #[test]
    fn a_command_of_several_lines_has_a_name_of_one() {
        let goal = read("---\nname: g\ndone:\n  - |\n    cargo build\n    cargo test\n---\nDo it.\n").unwrap();
        assert_eq!(goal.done[0].name(), "cargo build; cargo test");
        let Condition::Check(check) = &goal.done[0] else { panic!("a check") };
        assert_eq!(check.run, "cargo build\ncargo test");
    }

    #[test]
    fn a_file_beyond_the_bound_and_an_alias_bomb_are_refused() {
        assert_eq!(faults(&format!("{SMALL}{}", "x".repeat(SIZE_MAX))).len(), 1);
        let bomb = front("owns: &a [x]\nnever: [*a, *a, *a, *a]");
        assert!(faults(&bomb).iter().any(|fault| fault.contains("aliases are not read here")));
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_read_or_refused_with_places_inside_it(file in "(---\n)?.*(\n---\n)?.*") {
            places_are_inside(&file);
        }

        #[test]
        fn a_mutated_goal_is_read_or_refused_with_places_inside_it(
            at in 0..FULL.len(), length in 0..40_usize, put in "[-:{}\\[\\]'\"&*!|>%@`# \n\tä\u{0}a0]{0,6}",
        ) {
            let end = (at + length).min(FULL.len());
            places_are_inside(&format!("{}{put}{}", &FULL[..at], &FULL[end..]));
        }
    }

    fn places_are_inside(file: &str) {
        if let Err(faults) = read(file) {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(file.get(fault.at.clone()).is_some(), "{fault:?}");
            }
        }
    }
}
