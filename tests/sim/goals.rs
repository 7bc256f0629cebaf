//! Owns the random goals: what a run is opened with, and the tree that it stands on.

use std::collections::{BTreeMap, BTreeSet};

use artel::machine::command::Opening;
use artel::model::config::Config;
use artel::model::goal::{Budget, Condition, Find, Gate, Goal, LandingPolicy, Order, Planning, Policy, Query, Split};
use artel::model::ids::Oid;
use artel::model::means::Bounds;
use artel::model::review::Lens;
use artel::model::role::{AgentRef, CONTEXT_TOKENS, ContextPolicy, Grants, Limits, Part, Role};
use fastrand::Rng;

use crate::checks::check;
use crate::gates;
use crate::repo::{Blob, Tree};

pub fn tree(rng: &mut Rng) -> Tree {
    let mut tree = Tree::new();
    for folder in ["a", "b", "c", "c/d"] {
        for file in 0..rng.u32(1..4) {
            let blob = Blob { id: tree.len() as u32 + 1, is_old: rng.u8(0..4) != 0, ..Blob::default() };
            tree.insert(format!("{folder}/{file}"), blob);
        }
    }
    if rng.u8(0..4) == 0 {
        tree.insert("a/legacy".to_owned(), Blob { id: 900, breaks_tests: true, ..Blob::default() });
    }
    tree
}

pub fn opening(rng: &mut Rng, base: Oid, base_tree: Oid) -> Opening {
    let limits =
        |rng: &mut Rng| Limits { attempts: rng.u32(1..4), depth: 2, fan_out: 3, tasks: 12, ..Limits::default() };
    let planners = match rng.u8(0..8) {
        0..=1 => vec![AgentRef::Shard],
        2..=6 => vec![AgentRef::Script("plan.yml".into())],
        _ => vec![AgentRef::Claude { model: None }, AgentRef::Codex { model: None }],
    };
    let hears = planners.iter().all(AgentRef::is_session);
    let judges = match rng.u8(0..7) {
        0 => vec![AgentRef::Ladder, AgentRef::Codex { model: None }, AgentRef::Command("./judge.sh".into())],
        _ => vec![AgentRef::Ladder],
    };
    let lenses = [vec![], vec![Lens::Diff], vec![Lens::Codebase, Lens::Result]];
    let lenses = lenses[rng.usize(0..3)].clone();
    let mut roles = BTreeMap::new();
    let mut add = |name: &str, part: Part, agents: Vec<AgentRef>, limits: Limits| {
        let role = Role {
            name: name.to_owned(),
            about: String::new(),
            part,
            agents,
            prompt: String::new(),
            failover: false,
            mechanical: false,
            lenses: if part == Part::Judge { lenses.clone() } else { Vec::new() },
            criteria: Vec::new(),
            effort: None,
            context: ContextPolicy::default(),
            context_tokens: CONTEXT_TOKENS,
            limits,
            grants: Grants::default(),
        };
        roles.insert(name.to_owned(), role);
    };
    let all = [AgentRef::Codemod, AgentRef::Command("./fix.sh".into()), AgentRef::Script("part.yml".into())];
    let some = all[rng.usize(0..3)..].to_vec();
    add("planner", Part::Planner, planners, limits(rng));
    add("worker", Part::Worker, some, limits(rng));
    add("second", Part::Worker, vec![AgentRef::Script("second.yml".into())], limits(rng));
    add("judge", Part::Judge, judges, limits(rng));
    let run_judges = vec![AgentRef::Claude { model: None }, AgentRef::Command("./judge-run.sh".into())];
    add("run-judge", Part::Judge, run_judges, limits(rng));
    let resolvers = vec![AgentRef::Claude { model: None }, AgentRef::Command("./resolve.sh".into())];
    add("resolver", Part::Worker, resolvers, limits(rng));
    add("idle", Part::Worker, Vec::new(), limits(rng));
    have_stood_in(&mut roles, base_tree);
    Opening {
        run: "r-sim".parse().expect("it is a run's name"),
        name: None,
        repo: "/repo/.git".to_owned(),
        goal: {
            let mut goal = goal(rng);
            gates::gate(&mut goal, base_tree, hears);
            goal
        },
        goal_text: String::new(),
        config: Config { lease_s: 300, ..Config::default() },
        roles,
        prompts: BTreeMap::new(),
        assets: BTreeMap::new(),
        protect: Vec::new(),
        own: BTreeSet::new(),
        base,
        base_tree,
        branch: rng.bool().then(|| "main".to_owned()),
        workers: rng.u32(1..5),
        judges: rng.u32(1..4),
        seed: 1,
        notes: Vec::new(),
    }
}

/// Has some roles let others stand in; drawn from what is there, so that no seed draws another number for it.
fn have_stood_in(roles: &mut BTreeMap<String, Role>, base_tree: Oid) {
    for (name, at) in [("worker", 0), ("planner", 1), ("judge", 1), ("run-judge", 1)] {
        let stands_in = base_tree.0[at].is_multiple_of(2);
        roles.entry(name.to_owned()).and_modify(|role| role.failover = stands_in);
    }
}

fn goal(rng: &mut Rng) -> Goal {
    let query = Query { name: "no-old".into(), find: Find::Regex("old".into()), within: Vec::new() };
    let mut done = vec![Condition::Query(query)];
    if rng.bool() {
        done.push(Condition::Check(check("sound")));
    }
    let checks = [vec![], vec![check("tests")], vec![check("tests"), check("lint")]];
    let mut one_in = |n: u8| rng.u8(0..n) == 0;
    let approve = [(Gate::Plan, one_in(4)), (Gate::Sweep, one_in(2))];
    let scarce = rng.u8(0..16);
    Goal {
        name: "sim".to_owned(),
        done,
        checks: checks[rng.usize(0..3)].clone(),
        plan: Planning {
            planner: "planner".to_owned(),
            worker: "worker".to_owned(),
            judge: "judge".to_owned(),
            resolver: (rng.u8(0..3) == 0).then(|| "resolver".to_owned()),
            run_judge: (rng.u8(0..6) == 0).then(|| "run-judge".to_owned()),
            rules: Vec::new(),
            by: Split::Count,
            files_per_task: 1,
            sample: if rng.bool() { 0 } else { rng.u32(1..4) },
            exclude: Vec::new(),
            order: Order::None,
            iterations: rng.u32(1..4),
            stop_list: false,
        },
        owns: Vec::new(),
        never: Vec::new(),
        budget: Budget {
            wall_s: (rng.u8(0..6) == 0).then(|| rng.u64(60..4000)),
            attempts: (rng.u8(0..3) == 0).then(|| rng.u64(1..25)),
            cpu_s: (rng.u8(0..6) == 0).then(|| rng.u64(1..60)),
            nano_usd: (rng.u8(0..4) == 0).then(|| rng.u64(1..3000)),
            // Each of these ends many a run early, and two of them in one run show no more.
            tokens: (scarce == 0).then(|| rng.u64(1..9000)),
            calls: (scarce == 1).then(|| rng.u64(1..40)),
            task: Bounds { tokens: (scarce == 2).then(|| rng.u64(300..3000)), ..Bounds::default() },
            roles: (scarce == 3).then(|| ("worker".to_owned(), of_role(rng))).into_iter().collect(),
        },
        landing: LandingPolicy { policy: Policy::Strict, batch: rng.u32(1..9), conflicts: rng.u32(0..3) },
        approve: approve.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(gate, _)| gate).collect(),
        gating: Default::default(),
        prose: String::new(),
        hash: String::new(),
    }
}

fn of_role(rng: &mut Rng) -> Bounds {
    Bounds { nano_usd: Some(rng.u64(100..3000)), ..Bounds::default() }
}
