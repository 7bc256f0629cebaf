//! Owns the page of one run. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use maud::{Markup, html};

use super::forms::Buttons;
use super::frame::{Frame, line, page};
use super::parts::{self, chip, took};
use crate::app::Standing;
use crate::machine::state::State as RunState;
use crate::model::ids::{RunId, TaskId};
use crate::model::spend::Usd;
use crate::ui::web::guard::Caller;
use crate::ui::web::pictures::{curves, times};
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::board::{Board, board};
use crate::views::burn::Burn;
use crate::views::cost::{Cost, CostRow, cost};
use crate::views::critical::critical;
use crate::views::plan_tree::{PlanTree, ScopeNode, TaskNode, plan_tree};
use crate::views::timeline::timeline;
use crate::views::words;

/// Rows of a list that are shown.
const ROWS: usize = 60;
/// Tasks from which on their titles are not told with each box.
const TITLED: usize = 1000;

/// Shows a run.
///
/// # Errors
/// Where there is no such run.
pub async fn run(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Markup, Refused> {
    let made = site.see(&run, move |site, run, follower| {
        let see = |loaded: &crate::app::Loaded, burn: &Burn| {
            let outside = site.place.outside(run, &loaded.state, &loaded.pace);
            let board = board(&loaded.state, &outside)?;
            let title = board.goal.clone();
            Some((title, loaded.state.seq, content(site, standing, run, &loaded.state, &board, burn)))
        };
        let made = follower.see(see).map(|made| (run.clone(), made));
        made.ok_or_else(|| Refused::missing(format!("read run {run}"), "it is not open"))
    });
    let (run, (title, seq, content)) = made.await?;
    let frame = Frame::titled(&title).following(format!("/api/v1/runs/{run}/events?after={seq}"));
    Ok(page(&frame, standing, content))
}

fn content(site: &Site, standing: Standing, run: &RunId, state: &RunState, board: &Board, burn: &Burn) -> Markup {
    let back = format!("/runs/{run}");
    let buttons = Buttons { run, standing, back: &back };
    let trouble = site.hosts.trouble(run);
    html! {
        div #head data-live {
            h1 { (line(&board.goal)) }
            p.faint {
                span.id { (run) } @if let Some(name) = &board.name { " · " (line(name)) }
                " · " (took(board.elapsed_ms)) " · " span.id { (line(&board.branch)) }
                @if let Some(head) = board.head { " at " span.id { (head.short()) } }
            }
            (parts::stands(&board.stands))
            @if let Some(trouble) = &trouble { p.word.w-bad { (line(trouble)) } }
            (parts::progress(&board.counts))
            @if let Some(eta) = &board.eta { p { "about " (words::about(eta.ms)) " to go, " (line(&eta.basis)) } }
            p { (parts::spend(state.total_spent().spend.nano_usd, state.budget.nano_usd)) " · " (board.attempts) " attempts" }
        }
        div #acts data-live { (buttons.of_run(state)) }
        (under_way(run, board))
        (left(run, board, &buttons, state))
        section #plan data-live {
            h2 { "Plan" }
            @if let Some(plan) = plan_tree(state) { (boxes(run, &plan, &critical(state))) }
        }
        section #time data-live {
            h2 { "Attempts by worker" }
            @if let Some(timeline) = timeline(state, site.place.clock.now_ms()) { (times::timeline(run, &timeline)) }
        }
        section #burn data-live { h2 { "Work that is left" } (curves::burn_down(burn)) }
        section #cost data-live {
            h2 { "Spend" }
            (curves::spend(burn))
            @if let Some(cost) = cost(state) { (costs(&cost)) }
        }
        section #conditions data-live { h2 { "Done-conditions" } (conditions(board)) }
        section #landed data-live { h2 { "Landed" } (landed(run, board)) }
        p.faint {
            "As data: "
            @for (at, what) in ["", "/tasks", "/plan", "/timeline", "/burn", "/cost", "/events"].into_iter().enumerate() {
                @if at > 0 { " · " }
                a href={ "/api/v1/runs/" (run) (what) } { (if what.is_empty() { "board" } else { &what[1..] }) }
            }
        }
    }
}

fn under_way(run: &RunId, board: &Board) -> Markup {
    html! {
        section #now data-live {
            @if !(board.running.is_empty() && board.limits.is_empty() && board.frozen.is_empty() && board.batch.is_none() && board.checking.is_none()) {
                h2 { "Under way" }
            }
            @if !board.running.is_empty() {
                div.wide tabindex="0" role="region" aria-label="attempts under way" { table {
                    thead { tr { th { "attempt" } th { "task" } th { "agent" } th.n { "for" } th { "last line" } } }
                    tbody { @for row in board.running.iter().take(ROWS) {
                        tr {
                            td { a href={ "/runs/" (run) "/tasks/" (row.attempt.task) } { (row.attempt) } }
                            td { (line(&row.title)) } td { (line(&row.agent)) } td.n { (took(row.elapsed_ms)) }
                            td { code { (line(row.last_line.as_deref().unwrap_or_default())) } }
                        }
                    } }
                } }
            }
            @for frozen in &board.frozen {
                p {
                    (frozen.tasks) " wait for the split of " (line(&frozen.paths.join(", "))) " by "
                    a href={ "/runs/" (run) "/tasks/" (frozen.by) } { (frozen.by) }
                }
            }
            @for limit in &board.limits {
                p.word.w-warn { (line(&limit.agent)) " waits for a limit until " (parts::time(limit.until_ms)) }
            }
            @if let Some(checking) = &board.checking {
                p { "checking " (line(&checking.check)) ": " code { (line(checking.last_line.as_deref().unwrap_or_default())) } }
            }
            @if let Some(batch) = &board.batch { p { "landing: " (line(&batch.step)) } }
            @if !board.queue.is_empty() { p { (board.queue.len()) " wait to land" } }
        }
    }
}

fn left(run: &RunId, board: &Board, buttons: &Buttons<'_>, state: &RunState) -> Markup {
    html! {
        section #left data-live {
            @if !board.left.is_empty() {
                h2 { "Left over (" (board.left.len()) ")" }
                ul.cards { @for row in board.left.iter().take(ROWS) {
                    li.card {
                        h3 { (chip(run.as_str(), row.task, &row.status, false, None)) " " (line(&row.title)) }
                        p { (line(&row.why)) }
                        (buttons.of_task(state, row.task))
                    }
                } }
            }
        }
    }
}

fn boxes(run: &RunId, plan: &PlanTree, critical: &BTreeSet<TaskId>) -> Markup {
    let tasks: BTreeMap<TaskId, &TaskNode> = plan.tasks.iter().map(|task| (task.task, task)).collect();
    let is_titled = plan.tasks.len() <= TITLED;
    html! {
        @for root in &plan.roots { (scope(run, root, &tasks, critical, is_titled)) }
        @if plan.tasks.is_empty() { p { "No task has been handed out yet." } }
        @if !critical.is_empty() { p.faint { "Framed: the longest way through what is open." } }
    }
}

fn scope(
    run: &RunId,
    node: &ScopeNode,
    tasks: &BTreeMap<TaskId, &TaskNode>,
    critical: &BTreeSet<TaskId>,
    is_titled: bool,
) -> Markup {
    html! {
        div.scope {
            div.head { span.id { (node.scope) } " " (line(&node.title)) @if let Some(why) = &node.failed { " " span.word.w-bad { "planner failed: " (line(why)) } } }
            @for child in &node.scopes { (scope(run, child, tasks, critical, is_titled)) }
            @if !node.tasks.is_empty() {
                ul.tasks { @for task in node.tasks.iter().filter_map(|id| tasks.get(id)) {
                    li { (chip(run.as_str(), task.task, task.status, critical.contains(&task.task), is_titled.then_some(task.title.as_str()))) }
                } }
            }
        }
    }
}

fn costs(cost: &Cost) -> Markup {
    let row = |row: &CostRow| {
        let (tokens, spend) = (&row.spend.tokens, row.spend.nano_usd);
        html! {
            tr {
                td { (line(&row.of)) } td.n { (row.count) } td.n { (took(row.usage.wall_ms)) } td.n { (took(row.usage.cpu_ms)) }
                td.n { (row.spend.calls) } td.n { (tokens.read()) } td.n { (tokens.output) } td.n { (Usd(spend)) }
            }
        }
    };
    html! {
        @for (title, rows) in [("by agent", &cost.by_agent), ("by role", &cost.by_role)] {
            @if !rows.is_empty() {
                div.wide tabindex="0" role="region" aria-label=(title) { table {
                    thead { tr {
                        th { (title) } th.n { "attempts" } th.n { "wall time" } th.n { "processor" } th.n { "calls" }
                        th.n { "tokens in" } th.n { "tokens out" } th.n { "cost" }
                    } }
                    tbody { @for it in rows { (row(it)) } }
                } }
            }
        }
    }
}

fn conditions(board: &Board) -> Markup {
    html! {
        ul { @for row in &board.conditions {
            li {
                (line(&row.name)) " "
                @match row.holds {
                    Some(true) => { span.word.w-good { "holds" } }
                    Some(false) => { span.word.w-bad { "does not hold" } }
                    None => { span.word { "not looked at yet" } }
                }
                @if let Some(why) = &row.why { " " code { (line(why)) } }
            }
        } }
        @for note in &board.notes { p.faint { (line(note)) } }
    }
}

fn landed(run: &RunId, board: &Board) -> Markup {
    let skipped = board.landed.len().saturating_sub(ROWS);
    html! {
        @if board.landed.is_empty() { p { "Nothing has landed yet." } }
        @if skipped > 0 { p.faint { (skipped) " more landed before these." } }
        @if !board.landed.is_empty() {
            div.wide tabindex="0" role="region" aria-label="what landed" { table {
                thead { tr { th { "task" } th { "what" } th { "commit" } th { "agent" } th.n { "files" } th.n { "attempts" } } }
                tbody { @for row in board.landed.iter().skip(skipped) {
                    tr {
                        td { a href={ "/runs/" (run) "/tasks/" (row.task) } { (row.task) } }
                        td { (line(&row.title)) } td.id { (row.commit.short()) } td { (line(&row.agent)) }
                        td.n { (row.files) } td.n { (row.attempts) }
                    }
                } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::story::Story;

    #[test]
    fn two_thousand_tasks_are_drawn_in_less_than_300_kilobytes() {
        let mut story = Story::open("<b>", &[], 4);
        story.plan(2000);
        let run = story.state.opening().run.clone();
        let plan = plan_tree(&story.state).unwrap();
        assert_eq!(plan.tasks.len(), 2000);
        let drawn = boxes(&run, &plan, &critical(&story.state)).into_string();
        assert!(drawn.len() < 300 << 10, "{} bytes", drawn.len());
        assert_eq!(drawn.matches("<a class=\"k k-").count(), 2000);
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"));
    }
}
