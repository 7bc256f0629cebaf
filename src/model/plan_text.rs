//! Owns the written form of a plan that a person edits: YAML that says all there is to each task, and is read back into
//! the same. Never opens a file, and never asks whether the plan is sound.

use std::collections::BTreeSet;

use super::goal_text::{checks, quoted};
use super::ids::ScopeId;
use super::paths::PathSet;
use super::plan_edit::{EditedTask, PlanEdit};
use super::task::TaskDraft;
use super::written::{Fault, Faults, Fields, Node, count, list, read_yaml, text, texts};

/// Largest plan that is read, in bytes: the twenty thousand tasks that a planner may hand out unless its role says
/// otherwise, at two hundred each.
pub const SIZE_MAX: usize = 4 << 20;

const PLAN: &[&str] = &["revision", "tasks"];
const TASK: &[&str] =
    &["key", "scope", "title", "brief", "paths", "after", "checks", "role", "rules", "splits", "weight"];

const HEAD: &str = "\
# The plan that waits for your word. What stands here when you save it is what runs.
# Take a task out by deleting it; split one by writing two, with keys of their own, inside its paths.
# `after` names the keys of the tasks that it waits for. Of the tasks that may begin, the one with the most weight
# behind it begins first. An empty file changes nothing.
";

/// Writes a plan.
pub fn write(plan: &PlanEdit) -> String {
    let mut out = format!("{HEAD}revision: {}\ntasks:\n", plan.revision);
    for EditedTask { scope, draft } in &plan.tasks {
        let TaskDraft { key, title, brief, paths, after, checks, role, rules, weight, splits } = draft;
        out.push_str(&format!("  - key: {}\n", quoted(key)));
        if let Some(scope) = scope {
            out.push_str(&format!("    scope: {scope}\n"));
        }
        out.push_str(&format!("    title: {}\n    role: {}\n    weight: {weight}\n", quoted(title), quoted(role)));
        let paths = paths.iter().map(|path| if path.is_empty() { "." } else { path }.to_owned());
        listed(&mut out, "paths", paths);
        listed(&mut out, "splits", splits.iter().map(str::to_owned));
        listed(&mut out, "after", after.iter().cloned());
        listed(&mut out, "rules", rules.iter().cloned());
        if !checks.is_empty() {
            out.push_str("    checks:\n");
        }
        for check in checks {
            let (name, run) = (quoted(&check.name), quoted(&check.run));
            out.push_str(&format!("      - name: {name}\n        run: {run}\n        timeout: {}\n", check.timeout_s));
        }
        written_brief(&mut out, brief);
    }
    if plan.tasks.is_empty() {
        out.push_str("  []\n");
    }
    out
}

fn listed(out: &mut String, name: &str, values: impl Iterator<Item = String>) {
    let values: Vec<String> = values.map(|value| quoted(&value)).collect();
    if values.is_empty() {
        return;
    }
    out.push_str(&format!("    {name}:\n"));
    values.iter().for_each(|value| out.push_str(&format!("      - {value}\n")));
}

/// Writes a brief line by line where YAML reads that back as it was, and in quotes where not.
fn written_brief(out: &mut String, brief: &str) {
    if brief.trim().is_empty() {
        return;
    }
    let body = brief.strip_suffix('\n').unwrap_or(brief);
    let is_plain = |line: &str| line == line.trim_end() && line.chars().all(|c| !c.is_control() && c.is_ascii());
    let is_block = !body.starts_with([' ', '\n']) && !body.ends_with('\n') && body.split('\n').all(is_plain);
    if !is_block {
        out.push_str(&format!("    brief: {}\n", quoted(brief)));
        return;
    }
    out.push_str(if brief.ends_with('\n') { "    brief: |\n" } else { "    brief: |-\n" });
    for line in body.split('\n') {
        out.push_str(if line.is_empty() { "" } else { "      " });
        out.push_str(line);
        out.push('\n');
    }
}

/// Reads a plan.
///
/// # Errors
/// All that is wrong with it, in the order of the file; never empty.
pub fn read(file: &str) -> Result<PlanEdit, Vec<Fault>> {
    let mut faults = Faults::default();
    if file.len() > SIZE_MAX {
        faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
        return faults.unless_any(None);
    }
    let plan = read_yaml(file, 0..file.len(), &mut faults).and_then(|node| plan(&node, &mut faults));
    faults.unless_any(plan)
}

fn plan(node: &Node, faults: &mut Faults) -> Option<PlanEdit> {
    let mut fields = Fields::open(node, "the plan", PLAN, faults)?;
    let Some(revision) = fields.take("revision") else {
        faults.add_with_help(&fields.at, "the plan has no `revision`", "leave the one that artel wrote");
        return None;
    };
    let revision = count(revision, "`revision`", 0..=i64::from(u32::MAX), faults);
    let tasks = fields.take("tasks").map(|node| list(node, "`tasks`", faults)).unwrap_or_default();
    let tasks: Vec<EditedTask> = tasks.iter().filter_map(|node| task(node, faults)).collect();
    Some(PlanEdit { revision: revision?, tasks })
}

fn task(node: &Node, faults: &mut Faults) -> Option<EditedTask> {
    let mut fields = Fields::open(node, "a task", TASK, faults)?;
    let key = needed(&mut fields, "key", faults).and_then(|node| text(node, "`key`", faults));
    let title = fields.take("title").map(|node| text(node, "`title`", faults));
    let role = needed(&mut fields, "role", faults).and_then(|node| text(node, "`role`", faults));
    let paths = needed(&mut fields, "paths", faults).map(|node| texts(node, "`paths`", faults));
    let scope = fields.take("scope").and_then(|node| scope(node, faults));
    let of = |fields: &mut Fields, name: &str, faults: &mut Faults| {
        fields.take(name).map(|node| texts(node, &format!("`{name}`"), faults)).unwrap_or_default()
    };
    let after: BTreeSet<String> = of(&mut fields, "after", faults).into_iter().collect();
    let rules = of(&mut fields, "rules", faults);
    let splits = PathSet::parse(of(&mut fields, "splits", faults));
    let checks = fields.take("checks").map(|node| checks(node, faults)).unwrap_or_default();
    let weight = fields.take("weight").map(|node| count(node, "`weight`", 0..=1_000_000_000, faults));
    let brief = fields.take("brief").map(|node| text(node, "`brief`", faults));
    let key = key?;
    let draft = TaskDraft {
        title: title.unwrap_or_else(|| Some(key.clone()))?,
        key,
        brief: brief.unwrap_or_else(|| Some(String::new()))?,
        paths: PathSet::parse(paths?),
        after,
        checks,
        role: role?,
        rules,
        weight: weight.unwrap_or(Some(1))?,
        splits,
    };
    Some(EditedTask { scope, draft })
}

fn needed<'n>(fields: &mut Fields<'n>, name: &str, faults: &mut Faults) -> Option<&'n Node> {
    let node = fields.take(name);
    if node.is_none() {
        faults.add_with_help(&fields.at, format!("this task has no `{name}`"), format!("add `{name}: …`"));
    }
    node
}

fn scope(node: &Node, faults: &mut Faults) -> Option<ScopeId> {
    let written = text(node, "`scope`", faults)?;
    let scope = written.parse().ok();
    if scope.is_none() {
        faults.add_with_help(&node.at, format!("`{written}` names no scope"), "scopes are named as s0, s1");
    }
    scope
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::check::Check;
    use crate::model::inert::is_active;
    use crate::model::role::Limits;

    fn draft(key: &str, brief: &str) -> TaskDraft {
        TaskDraft {
            key: key.to_owned(),
            title: "Do: it".to_owned(),
            brief: brief.to_owned(),
            paths: PathSet::parse(["src/a.rs".to_owned(), "docs/".to_owned()]),
            after: ["b #1".to_owned()].into(),
            checks: vec![Check { name: "own".into(), run: "cargo test -p a".into(), timeout_s: 90 }],
            role: "worker".to_owned(),
            rules: vec!["rules/x.yml".to_owned()],
            weight: 3,
            splits: PathSet::parse(["src/a.rs".to_owned()]),
        }
    }

    fn plan_of(draft: TaskDraft) -> PlanEdit {
        PlanEdit { revision: 2, tasks: vec![EditedTask { scope: Some(ScopeId(0)), draft }] }
    }

    #[test]
    fn a_plan_is_written_for_people_and_read_back() {
        let plan = plan_of(draft("a", "Rename it.\n\n  - here\n  - and there: all\n"));
        let text = write(&plan);
        insta::assert_snapshot!(text);
        assert_eq!(read(&text), Ok(plan));
        let whole = plan_of(TaskDraft { paths: PathSet::everything(), ..draft("a", "") });
        assert_eq!(read(&write(&whole)), Ok(whole));
        let none = PlanEdit { revision: 0, tasks: Vec::new() };
        assert_eq!(read(&write(&none)), Ok(none));
    }

    #[test]
    fn a_written_plan_holds_nothing_active_and_is_read_back_all_the_same() {
        let hostile = "a\u{202e}b\u{7}\u{1b}[31m\u{e0041}\u{ad}é";
        let plan = plan_of(TaskDraft { title: hostile.to_owned(), ..draft(hostile, &format!("{hostile}\n{hostile}")) });
        let text = write(&plan);
        assert!(!text.chars().any(|c| c != '\n' && is_active(c)), "{text:?}");
        assert!(text.contains('é'), "what is only not of English stays readable");
        assert_eq!(read(&text), Ok(plan));
    }

    #[test]
    fn a_plan_as_large_as_a_planner_may_make_is_read_and_a_larger_one_is_not() {
        let small = TaskDraft { checks: Vec::new(), rules: Vec::new(), after: [].into(), ..draft("a", "") };
        let task =
            |n: u32| EditedTask { scope: Some(ScopeId(0)), draft: TaskDraft { key: format!("c{n}"), ..small.clone() } };
        let plan = PlanEdit { revision: 0, tasks: (0..Limits::default().tasks).map(task).collect() };
        let text = write(&plan);
        assert!(text.len() < SIZE_MAX, "{} bytes", text.len());
        assert!(read(&text) == Ok(plan), "it is read back as it was");
        assert_eq!(read(&format!("{text}{}", "#".repeat(SIZE_MAX))).unwrap_err().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |file: &str| {
            let faults = read(file).unwrap_err();
            faults.iter().map(|it| format!("{}: {}", &file[it.at.clone()], it.what)).collect::<Vec<_>>()
        };
        assert_eq!(told("tasks: []\n"), ["tasks: []: the plan has no `revision`"]);
        let task = |more: &str| format!("revision: 0\ntasks:\n  - {{ key: a, role: worker, paths: [a]{more} }}\n");
        assert!(read(&task("")).is_ok());
        assert_eq!(told(&task(", scope: here")), ["here: `here` names no scope"]);
        assert_eq!(told(&task(", priority: 1")), ["priority: a task has no field `priority`"]);
        assert_eq!(told(&task(", weight: much")), ["much: `weight` must be a whole number, not the text `much`"]);
    }

    proptest! {
        #[test]
        fn any_brief_and_key_are_read_back_as_they_were(key in "\\PC{0,12}[!-~]", brief in "(?s).{0,60}[!-~]\n?") {
            let plan = plan_of(draft(&key, &brief));
            prop_assume!(!key.trim().is_empty());
            let read = read(&write(&plan)).map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
            prop_assert_eq!(read, plan);
        }
    }
}
