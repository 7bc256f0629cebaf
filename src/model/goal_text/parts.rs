//! Owns the reading of how a goal is planned, bounded and landed. Never plans.

use std::collections::BTreeMap;

use super::gates::approval;
use crate::model::goal::{Budget, LandingPolicy, Order, Planning, Policy, Split, usual_judge};
use crate::model::means::Bounds;
use crate::model::written::{
    Faults, Fields, Node, Value, count, duration_s, flag, globs, list, nano_usd, relative_path, shown, text, word,
};

pub(super) const PLAN: &[&str] = &[
    "planner",
    "worker",
    "judge",
    "run_judge",
    "resolver",
    "rules",
    "by",
    "files_per_task",
    "sample",
    "exclude",
    "order",
    "iterations",
    "stop_list",
    "approval",
];
pub(in crate::model) const BUDGET: &[&str] = &["wall", "attempts", "cpu", "usd", "tokens", "calls", "task", "roles"];
pub(in crate::model) const BOUNDS: &[&str] = &["usd", "tokens", "calls"];
pub(super) const LANDING: &[&str] = &["policy", "batch", "conflicts"];

const SPLITS: &[(&str, Split)] =
    &[("folder", Split::Folder), ("owner", Split::Owner), ("package", Split::Package), ("count", Split::Count)];
const ORDERS: &[(&str, Order)] = &[("none", Order::None), ("dependency", Order::Dependency)];
const POLICIES: &[(&str, Policy)] = &[("strict", Policy::Strict)];

/// Says whether some tasks run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampled {
    Yes,
    No,
}

fn default_plan() -> Planning {
    Planning {
        planner: "shard".to_owned(),
        worker: "worker".to_owned(),
        judge: usual_judge(),
        run_judge: None,
        resolver: None,
        rules: Vec::new(),
        by: Split::Folder,
        files_per_task: 5,
        sample: 0,
        exclude: Vec::new(),
        order: Order::None,
        iterations: 3,
        stop_list: true,
    }
}

/// Says whether the plan waits for a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    Required,
    None,
}

/// Reads how the goal is planned.
pub(super) fn plan(node: Option<&Node>, faults: &mut Faults) -> (Planning, Sampled, Approval) {
    let mut plan = default_plan();
    let Some(mut fields) = node.and_then(|node| Fields::open(node, "`plan`", PLAN, faults)) else {
        return (plan, Sampled::No, Approval::None);
    };
    let mut sampled = Sampled::No;
    if let Some(role) = fields.take("planner").and_then(|node| role(node, "`planner`", faults)) {
        plan.planner = role;
    }
    if let Some(role) = fields.take("worker").and_then(|node| role(node, "`worker`", faults)) {
        plan.worker = role;
    }
    if let Some(role) = fields.take("judge").and_then(|node| role(node, "`judge`", faults)) {
        plan.judge = role;
    }
    plan.resolver = fields.take("resolver").and_then(|node| role(node, "`resolver`", faults));
    plan.run_judge = fields.take("run_judge").and_then(|node| role(node, "`run_judge`", faults));
    if let Some(node) = fields.take("rules") {
        plan.rules = rules(node, faults);
    }
    let by = fields.take("by").map(|node| word(node, "`by`", SPLITS, faults));
    plan.by = by.flatten().unwrap_or(plan.by);
    let files = fields.take("files_per_task");
    if let Some(files) = files.and_then(|node| count(node, "`files_per_task`", 1..=10_000, faults)) {
        plan.files_per_task = files;
    }
    if let Some(node) = fields.take("sample") {
        plan.sample = count(node, "`sample`", 0..=10_000, faults).unwrap_or_default();
        sampled = if node.value == Value::Whole(0) { Sampled::No } else { Sampled::Yes };
    }
    if let Some(node) = fields.take("exclude") {
        plan.exclude = globs(node, "`exclude`", faults);
    }
    if let Some(node) = fields.take("order") {
        plan.order = word(node, "`order`", ORDERS, faults).unwrap_or(plan.order);
        if plan.order == Order::Dependency && plan.by != Split::Package && by != Some(None) {
            let help = "add `by: package`: what depends on what is known of packages alone";
            faults.add_with_help(&node.at, "`order: dependency` needs a plan by package", help);
        }
    }
    if let Some(iterations) = fields.take("iterations").and_then(|node| count(node, "`iterations`", 1..=1_000, faults))
    {
        plan.iterations = iterations;
    }
    if let Some(stop) = fields.take("stop_list").and_then(|node| flag(node, "`stop_list`", faults)) {
        plan.stop_list = stop;
    }
    let is_required = fields.take("approval").is_some_and(|node| approval(node, faults));
    (plan, sampled, if is_required { Approval::Required } else { Approval::None })
}

/// Reads a role's name, which is also the name of its file.
pub(super) fn role(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    let name = text(node, what, faults)?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        return Some(name);
    }
    let help = "`artel roles` lists them; settings of a role are given by `--role ROLE.FIELD=VALUE`";
    faults.add_with_help(&node.at, format!("{what} is the name of a role: letters, digits, `-` and `_`"), help);
    None
}

fn rules(node: &Node, faults: &mut Faults) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    for node in list(node, "`rules`", faults) {
        let Some(rule) = relative_path(node, "each rule file", faults) else { continue };
        if rules.contains(&rule) {
            faults.add(&node.at, format!("`{rule}` stands twice in `rules`"));
        } else {
            rules.push(rule);
        }
    }
    rules
}

/// Reads what the run may use; nothing bounds it where nothing is written.
pub(in crate::model) fn budget(node: Option<&Node>, faults: &mut Faults) -> Budget {
    let Some(mut fields) = node.and_then(|node| Fields::open(node, "`budget`", BUDGET, faults)) else {
        return Budget::default();
    };
    let Bounds { nano_usd, tokens, calls } = bounds(&mut fields, faults);
    Budget {
        wall_s: fields.take("wall").and_then(|node| duration_s(node, "`wall`", faults)),
        attempts: fields.take("attempts").and_then(|node| count(node, "`attempts`", 1..=i64::MAX, faults)),
        cpu_s: fields.take("cpu").and_then(|node| duration_s(node, "`cpu`", faults)),
        nano_usd,
        tokens,
        calls,
        task: fields.take("task").map(|node| bounds_of(node, "`task`", faults)).unwrap_or_default(),
        roles: fields.take("roles").map(|node| bounds_of_roles(node, faults)).unwrap_or_default(),
    }
}

/// Reads what bounds calls to models.
fn bounds(fields: &mut Fields<'_>, faults: &mut Faults) -> Bounds {
    Bounds {
        nano_usd: fields.take("usd").and_then(|node| nano_usd(node, "`usd`", faults)),
        tokens: fields.take("tokens").and_then(|node| count(node, "`tokens`", 1..=i64::MAX, faults)),
        calls: fields.take("calls").and_then(|node| count(node, "`calls`", 1..=i64::MAX, faults)),
    }
}

fn bounds_of(node: &Node, what: &str, faults: &mut Faults) -> Bounds {
    let fields = Fields::open(node, what, BOUNDS, faults);
    fields.map(|mut fields| bounds(&mut fields, faults)).unwrap_or_default()
}

fn bounds_of_roles(node: &Node, faults: &mut Faults) -> BTreeMap<String, Bounds> {
    let Value::Map(entries) = &node.value else {
        faults.add_with_help(
            &node.at,
            "`roles` names roles and what each may use",
            "write `roles: { judge: { usd: 5 } }`",
        );
        return BTreeMap::new();
    };
    let named =
        entries.iter().map(|it| (it.name.clone(), bounds_of(&it.node, &format!("`{}`", shown(&it.name)), faults)));
    named.collect()
}

/// Reads how accepted work lands.
pub(super) fn landing(node: Option<&Node>, faults: &mut Faults) -> LandingPolicy {
    let mut landing = LandingPolicy { policy: Policy::Strict, batch: 64, conflicts: 2 };
    let Some(mut fields) = node.and_then(|node| Fields::open(node, "`landing`", LANDING, faults)) else {
        return landing;
    };
    if let Some(node) = fields.take("policy") {
        if node.value == Value::Text("budgeted".to_owned()) {
            faults.add_with_help(&node.at, "the policy `budgeted` comes with a later version", "use `strict`");
        } else if let Some(policy) = word(node, "`policy`", POLICIES, faults) {
            landing.policy = policy;
        }
    }
    if let Some(batch) = fields.take("batch").and_then(|node| count(node, "`batch`", 1..=1_000, faults)) {
        landing.batch = batch;
    }
    if let Some(tries) = fields.take("conflicts").and_then(|node| count(node, "`conflicts`", 0..=100, faults)) {
        landing.conflicts = tries;
    }
    landing
}
