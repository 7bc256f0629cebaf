//! Owns `artel plan`: shows a goal's plan as tree and table, as JSON, or as a graph, which creates nothing; or has the
//! plan of a run that waits for a word edited.

use std::path::{Path, PathBuf};

use clap::Args;
use termtree::Tree;

use super::args::Format;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::plan_edit::{Source, edit};
use super::run::OpeningArgs;
use super::seam;
use crate::model::inert::{fit, inert};
use crate::views::plan_tree::{self, PlanTree, ScopeNode};
use crate::views::words;

/// Widest scope that is drawn.
const SCOPE_AT_MOST: usize = 100;

/// Shows the plan of a goal, or edits the one that waits for your word.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Goal file; with --edit, --from or --print the run whose plan waits [default: the newest run of this repository]
    #[arg(value_name = "GOAL", required_unless_present_any = ["edit", "from", "print"])]
    goal: Option<PathBuf>,
    /// Edit the plan of a run that waits for your word: what you save is what runs
    #[arg(long, conflicts_with_all = ["from", "print", "dot"])]
    edit: bool,
    /// Take the edited plan from a file; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["print", "dot"])]
    from: Option<PathBuf>,
    /// Print the plan of a run that waits as it would be edited
    #[arg(long, conflicts_with = "dot")]
    print: bool,
    #[command(flatten)]
    opening: OpeningArgs,
    /// Write JSON
    #[arg(long, conflicts_with = "dot")]
    json: bool,
    /// Write a graph for Graphviz
    #[arg(long)]
    dot: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn plan(out: &Out, args: &PlanArgs) -> Result<Exit, Fail> {
    let named = args.goal.as_deref();
    let source = match &args.from {
        Some(file) => Some(Source::File(file)),
        None if args.edit => Some(Source::Editor),
        None => args.print.then_some(Source::Print),
    };
    if let Some(source) = source {
        let run = named.map(|run| run.to_string_lossy().into_owned());
        return edit(out, run.as_deref(), source, Format { json: args.json });
    }
    let plan = seam::plan(named.unwrap_or(Path::new("")), &args.opening.options())?;
    if args.json {
        out.json(&plan)?;
    } else if args.dot {
        out.raw(plan_tree::dot(&plan).as_bytes())?;
    } else {
        out.lines(text(&plan, out.width, out.paint))?;
    }
    Ok(if plan.roots.iter().any(has_failed) { Exit::Incomplete } else { Exit::Done })
}

/// Tells whether a planner of a scope, or one below it, has failed.
fn has_failed(scope: &ScopeNode) -> bool {
    scope.failed.is_some() || scope.scopes.iter().any(has_failed)
}

/// Writes the plan as tree and table.
pub fn text(plan: &PlanTree, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.on(Hue::Strong, &fit(&plan.goal, width))];
    let mut told = vec![words::count(plan.tasks.len(), "task")];
    told.push(format!("longest chain {}", plan.depth));
    let sample = plan.tasks.iter().filter(|task| task.sample).count();
    if sample > 0 {
        told.push(format!("{sample} first as a sample"));
    }
    lines.push(told.join(" · "));
    for root in &plan.roots {
        lines.push(String::new());
        lines.extend(tree(root, width).to_string().lines().map(|line| line.trim_end().to_owned()));
    }
    for root in &plan.roots {
        failures(root, paint, &mut lines);
    }
    if !plan.tasks.is_empty() {
        let mut table = Columns::indented(0);
        table.headings(&["task", "scope", "role", "weight", "rank", "after", "title"]);
        for task in &plan.tasks {
            let after: Vec<String> = task.after.iter().map(ToString::to_string).collect();
            let id = if task.sample { format!("{}*", task.task) } else { task.task.to_string() };
            table.row([
                Cell::new(id).hue(if task.sample { Hue::Busy } else { Hue::Plain }),
                Cell::new(task.scope.to_string()).hue(Hue::Faint),
                Cell::new(&task.role),
                Cell::number(task.weight),
                Cell::number(task.rank),
                Cell::new(after.join(" ")).hue(Hue::Faint),
                Cell::new(&task.title),
            ]);
        }
        lines.push(String::new());
        lines.extend(table.lines(width, paint));
    }
    for note in &plan.notes {
        lines.push(paint.on(Hue::Warning, &fit(&format!("noted: {}", inert(note)), width)));
    }
    lines
}

/// Writes in full why planners failed: the reason names what to do.
fn failures(scope: &ScopeNode, paint: Paint, lines: &mut Vec<String>) {
    if let Some(why) = &scope.failed {
        lines.push(paint.on(Hue::Bad, &format!("{} failed: {}", scope.scope, inert(why))));
    }
    for child in &scope.scopes {
        failures(child, paint, lines);
    }
}

fn tree(scope: &ScopeNode, width: usize) -> Tree<String> {
    let count =
        if scope.tasks.is_empty() { String::new() } else { format!(" · {}", words::count(scope.tasks.len(), "task")) };
    let failed = if scope.failed.is_some() { " · failed" } else { "" };
    let room = width.min(SCOPE_AT_MOST).saturating_sub(12);
    let label = fit(&format!("{} {} ({}){count}{failed}", scope.scope, scope.title, scope.role), room);
    Tree::new(label).with_leaves(scope.scopes.iter().map(|child| tree(child, width.saturating_sub(4))))
}
