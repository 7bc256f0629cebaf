//! Owns the plan as it was made: scopes, nested, and tasks with what they wait for. Also writes it as a graph for
//! Graphviz, where every text is quoted. Never shows it otherwise.

use std::collections::BTreeMap;
use std::fmt::Write;

use petgraph::Direction;
use petgraph::graphmap::DiGraphMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machine::state::{Planning, State};
use crate::model::ids::{ScopeId, TaskId};
use crate::model::inert::inert;

/// Shows a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanTree {
    /// The goal's name.
    pub goal: String,
    /// Outermost scopes, each with what lies in it.
    pub roots: Vec<ScopeNode>,
    /// All tasks in order.
    pub tasks: Vec<TaskNode>,
    /// How many tasks the longest chain of tasks that wait for one another holds; 0 without tasks.
    pub depth: u32,
    /// What was noticed about the repository.
    pub notes: Vec<String>,
}

/// Shows a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeNode {
    /// The scope.
    pub scope: ScopeId,
    /// Its name within the run, the same however often it is planned.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// The role that plans it.
    pub role: String,
    /// What it owns.
    pub paths: Vec<String>,
    /// Decisions that its planner alone takes.
    pub decisions: Vec<String>,
    /// Why its planner failed, where it did.
    pub failed: Option<String>,
    /// Its own tasks.
    pub tasks: Vec<TaskId>,
    /// Its sub-scopes.
    pub scopes: Vec<ScopeNode>,
}

/// Shows a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskNode {
    /// The task.
    pub task: TaskId,
    /// Its name within the run, the same however often it is planned.
    pub key: String,
    /// Its scope.
    pub scope: ScopeId,
    /// One line for people.
    pub title: String,
    /// The role that does it.
    pub role: String,
    /// What it may change.
    pub paths: Vec<String>,
    /// What it waits for.
    pub after: Vec<TaskId>,
    /// Expected effort.
    pub weight: u64,
    /// The longest chain of work that hangs on it, itself included.
    pub rank: u64,
    /// Whether it belongs to the sample.
    pub sample: bool,
    /// Its state in one word.
    pub status: String,
}

/// Reads the plan of an open run; none before the run is open.
pub fn plan_tree(state: &State) -> Option<PlanTree> {
    let opening = state.opening.as_deref()?;
    let tasks: Vec<TaskNode> = state
        .tasks
        .iter()
        .map(|(id, task)| TaskNode {
            task: *id,
            key: task.draft.key.clone(),
            scope: task.scope,
            title: task.draft.title.clone(),
            role: task.draft.role.clone(),
            paths: task.draft.paths.iter().map(str::to_owned).collect(),
            after: task.after.clone(),
            weight: task.draft.weight,
            rank: task.rank,
            sample: task.sample,
            status: task.status.word().to_owned(),
        })
        .collect();
    let roots = state.scopes.iter().filter(|(_, scope)| scope.parent.is_none());
    let roots = roots.filter_map(|(id, _)| scope_node(state, *id, &tasks)).collect();
    let depth = depth(&tasks);
    Some(PlanTree { goal: opening.goal.name.clone(), roots, tasks, depth, notes: opening.notes.clone() })
}

fn scope_node(state: &State, id: ScopeId, tasks: &[TaskNode]) -> Option<ScopeNode> {
    let scope = state.scopes.get(&id)?;
    Some(ScopeNode {
        scope: id,
        key: scope.draft.key.clone(),
        title: scope.draft.title.clone(),
        role: scope.draft.role.clone(),
        paths: scope.draft.paths.iter().map(str::to_owned).collect(),
        decisions: scope.draft.decisions.iter().cloned().collect(),
        failed: match &scope.status {
            Planning::Failed(why) => Some(why.clone()),
            Planning::Active | Planning::Finished | Planning::SentBack => None,
        },
        tasks: tasks.iter().filter(|task| task.scope == id).map(|task| task.task).collect(),
        scopes: scope.children.iter().filter_map(|child| scope_node(state, *child, tasks)).collect(),
    })
}

/// Counts the tasks of the longest chain; the law lets no ring of waiting tasks in, and a ring would count as none.
fn depth(tasks: &[TaskNode]) -> u32 {
    let mut waits = DiGraphMap::<TaskId, ()>::new();
    for task in tasks {
        waits.add_node(task.task);
        for before in &task.after {
            waits.add_edge(*before, task.task, ());
        }
    }
    let mut depths: BTreeMap<TaskId, u32> = BTreeMap::new();
    for id in petgraph::algo::toposort(&waits, None).unwrap_or_default() {
        let before = waits.neighbors_directed(id, Direction::Incoming).filter_map(|before| depths.get(&before)).max();
        let depth = before.map_or(1, |before| before + 1);
        depths.insert(id, depth);
    }
    depths.values().max().copied().unwrap_or(0)
}

/// Writes the plan as a Graphviz graph.
pub fn dot(plan: &PlanTree) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for root in &plan.roots {
        cluster(plan, root, 1, &mut out);
    }
    for task in &plan.tasks {
        for before in &task.after {
            let _ = writeln!(out, "  {before} -> {};", task.task);
        }
    }
    out.push_str("}\n");
    out
}

fn cluster(plan: &PlanTree, scope: &ScopeNode, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}subgraph cluster_{} {{", scope.scope);
    let _ = writeln!(out, "{indent}  label={};", quoted(&format!("{} {}", scope.scope, scope.title)));
    for task in plan.tasks.iter().filter(|task| task.scope == scope.scope) {
        let label = quoted(&format!("{} {}", task.task, task.title));
        let style = if task.sample { ", style=bold" } else { "" };
        let _ = writeln!(out, "{indent}  {} [label={label}{style}];", task.task);
    }
    for child in &scope.scopes {
        cluster(plan, child, depth + 1, out);
    }
    let _ = writeln!(out, "{indent}}}");
}

/// Quotes a text so that Graphviz takes it for nothing but text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", inert(text).replace('\\', "\\\\").replace('"', "\\\""))
}
