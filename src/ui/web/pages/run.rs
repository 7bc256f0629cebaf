//! Owns the page of one run. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::{Markup, html};

use super::forms::Buttons;
use super::frame::{Frame, line, page};
use super::parts::{self, chip, small_chip, took};
use crate::machine::state::State as RunState;
use crate::model::ids::{RunId, TaskId};
use crate::model::login::AS_TOLD;
use crate::model::seat::Seat;
use crate::model::spend::Usd;
use crate::ui::web::extract::{Path, Query};
use crate::ui::web::guard::Caller;
use crate::ui::web::pictures::{charts, times};
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::board::{Board, board};
use crate::views::chronicle::Chronicle;
use crate::views::cost::{Cost, CostRow, cost};
use crate::views::critical::critical;
use crate::views::plan_tree::{PlanTree, ScopeNode, TaskNode, plan_tree};
use crate::views::timeline::whole_timeline;
use crate::views::traffic::{LANDED, Traffic};
use crate::views::words;

/// Rows of a list that are shown.
const ROWS: usize = 60;
/// Tasks from which on their titles are not told with each box, boxes are folded, and a page that looks anew is given
/// how they stand alone.
const MANY: usize = 400;
/// How long landing must go on for a rate to be told, in milliseconds.
const PEAK_MS: u64 = 300_000;
/// Paths that are listed where most happened.
const HOTTEST: usize = 12;

/// Says how a page is looked at.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Look {
    /// 1 where a page that is there already looks anew.
    live: Option<u8>,
}

/// Holds what the page is made of.
struct Seen<'a> {
    run: &'a RunId,
    state: &'a RunState,
    board: &'a Board,
    told: &'a Chronicle,
    trouble: Option<String>,
    now_ms: i64,
    /// Names what those wrote who sat in a seat.
    wrote: &'a dyn Fn(Seat) -> Vec<String>,
    /// Whether the page is there already.
    is_there: bool,
}

/// Shows a run.
///
/// # Errors
/// Where there is no such run.
pub async fn run(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
    Query(Look { live }): Query<Look>,
) -> Result<Markup, Refused> {
    let is_there = live == Some(1);
    let made = site.see(&run, move |site, run, follower| {
        // The branch that it was opened from is looked at only where somebody is asked about it.
        let waits = follower.see(|loaded, _| loaded.state.waiting.is_some().then(|| loaded.state.clone()));
        let moved_on = waits.and_then(|state| site.place.moved_on(&state));
        let see = |loaded: &crate::app::Loaded, told: &Chronicle| {
            let state = &loaded.state;
            let outside = site.place.outside(run, state, &loaded.pace);
            let board = board(state, &outside)?;
            let title = board.goal.clone();
            let (trouble, now_ms) = (site.hosts.trouble(run).map(|it| it.words()), outside.now_ms);
            let back = format!("/runs/{run}");
            let buttons = Buttons { run, standing, back: &back, moved_on, target: outside.target };
            let wrote = |seat| site.place.transcripts_of(run, seat);
            let seen = Seen { run, state, board: &board, told, trouble, now_ms, wrote: &wrote, is_there };
            Some((title, state.seq, state.is_live(), content(&seen, &buttons)))
        };
        let made = follower.see(see).map(|made| (run.clone(), made));
        made.ok_or_else(|| Refused::missing(format!("read run {run}"), "it is not open"))
    });
    let (run, (title, seq, is_live, content)) = made.await?;
    let mut frame = Frame::titled(&title).following(format!("/api/v1/runs/{run}/events?after={seq}"));
    if is_live {
        // What agents and checks print is no event.
        frame = frame.looking_every_ms(2000);
    }
    Ok(page(&frame, standing, content))
}

fn content(seen: &Seen<'_>, buttons: &Buttons<'_>) -> Markup {
    let Seen { run, state, board, told, .. } = seen;
    html! {
        (head(seen))
        div #acts data-live { (buttons.of_run(state)) }
        (under_way(run, board))
        (left(run, board, buttons, state))
        section #plan {
            h2 { "Plan" }
            (picture(run))
            div #plan-list data-live data-keep[seen.is_there && state.tasks.len() > MANY] {
                @if !(seen.is_there && state.tasks.len() > MANY) {
                    @if let Some(plan) = plan_tree(state) { (boxes(run, &plan, &critical(state))) }
                }
            }
        }
        section #time data-live {
            h2 { "Attempts by worker" }
            @if let Some(times) = whole_timeline(state, &told.seatings, seen.now_ms) { (times::timeline(run, &times)) }
        }
        section #burn data-live { h2 { "Work that is left" } (charts::burn_down(&told.burn)) }
        section #traffic data-live { h2 { "Landing" } (traffic(&told.traffic)) }
        section #cost data-live {
            h2 { "Spend" }
            (charts::spend(&told.burn))
            @if !told.outlay.by_role.rows.is_empty() {
                h3 { "over time by role" } (charts::outlay("by-role", "spend by role", &told.outlay.by_role))
                h3 { "over time by model" } (charts::outlay("by-model", "spend by model", &told.outlay.by_model))
            }
            @if let Some(cost) = cost(state) { (costs(&cost)) }
        }
        section #sittings data-live { (sittings(seen)) }
        section #conditions data-live { h2 { "Done-conditions" } (conditions(board)) }
        section #landed data-live { h2 { "Landed" } (landed(run, board)) }
        p.faint {
            "As data: "
            @for (at, what) in DATA.into_iter().enumerate() {
                @if at > 0 { " · " }
                a href={ "/api/v1/runs/" (run) (what) } { (if what.is_empty() { "board" } else { &what[1..] }) }
            }
        }
    }
}

/// What of a run programs may read, below its own path.
const DATA: [&str; 12] = [
    "",
    "/tasks",
    "/plan",
    "/graph",
    "/timeline",
    "/burn",
    "/traffic",
    "/outlay",
    "/cost",
    "/digest",
    "/journal",
    "/events",
];

/// Lists who planned and judged last, with all that they wrote.
fn sittings(seen: &Seen<'_>) -> Markup {
    let rows: Vec<_> = seen.told.seatings.over.iter().rev().take(ROWS).collect();
    html! {
        @if !rows.is_empty() {
            h2 { "Planned and judged" }
            div.wide tabindex="0" role="region" aria-label="who planned and judged" { table {
                thead { tr { th { "seat" } th { "agent" } th { "from" } th.n { "for" } th { "all of it" } } }
                tbody { @for sat in rows {
                    tr {
                        td.id { (sat.seat) } td { (line(&sat.agent)) } td { (parts::time(sat.from_ms)) }
                        td.n { (took(words::between_ms(sat.from_ms, sat.to_ms))) }
                        td { @for record in (seen.wrote)(sat.seat) { (parts::whole_of(seen.run, &record)) " " } }
                    }
                } }
            } }
        }
    }
}

fn head(seen: &Seen<'_>) -> Markup {
    let Seen { run, state, board, .. } = seen;
    html! {
        div #head data-live {
            h1 { (line(&board.goal)) }
            p.faint {
                span.id { (run) } @if let Some(name) = &board.name { " · " (line(name)) }
                " · " (took(board.elapsed_ms)) " · " span.id { (line(&board.branch)) }
                @if let Some(head) = board.head { " at " span.id { (head.short()) } }
            }
            (parts::stands(&board.stands))
            @if let Some(trouble) = &seen.trouble { p.word.w-bad { (line(trouble)) } }
            (parts::numbers(&board.counts, board.queue.len()))
            (parts::progress(&board.counts))
            @if let Some(eta) = &board.eta { p { "about " (words::about(eta.ms)) " to go, " (line(&eta.basis)) } }
            p { (parts::spend(state.total_spent().spend.nano_usd, state.budget.nano_usd)) (parts::of_calls(state)) " · " (board.attempts) " attempts" }
            p { a href={ "/runs/" (run) "/journal" } { "Journal and replay" } " · " a href={ "/runs/" (run) "/digest" } { "Digest, to be printed" } }
        }
    }
}

/// Holds the place of the picture of the plan, which a script draws.
pub fn picture(run: &RunId) -> Markup {
    html! {
        div #graph hidden data-graph={ "/api/v1/runs/" (run) "/graph" } data-marks={ "/api/v1/runs/" (run) "/marks" }
            data-task={ "/runs/" (run) "/tasks/" } data-told={ "/api/v1/runs/" (run) "/tasks/" } {
            canvas tabindex="0" role="application" aria-describedby="graph-help"
                aria-label="the plan as a picture: scopes as boxes, tasks by how they stand" {}
            div.acts {
                button type="button" data-graph-do="in" { "Larger" }
                button type="button" data-graph-do="out" { "Smaller" }
                button type="button" data-graph-do="fit" { "All" }
                button type="button" data-graph-do="scope" { "This scope" }
                p role="status" { a #graph-told hidden href={ "/runs/" (run) } {} }
            }
            p.faint #graph-help {
                "Drag to move, pinch or Ctrl and wheel to size. Keys: arrows from task to task, " kbd { "<" } " and " kbd { ">" }
                " along what waits for what, " kbd { "+" } " " kbd { "-" } " " kbd { "0" } " size, " kbd { "s" } " its scope, Enter opens."
            }
        }
    }
}

fn traffic(traffic: &Traffic) -> Markup {
    let spans = &traffic.over_time;
    let peak = spans.most_an_hour(LANDED, PEAK_MS);
    let hot = traffic.hottest(HOTTEST);
    html! {
        @if spans.stretches() == 0 { p { "Nothing has been merged yet." } }
        @if let Some(peak) = peak.filter(|peak| *peak > 0) { p { "At best " (peak) " landings an hour." } }
        (charts::landings(spans))
        @if !hot.is_empty() {
            h3 { "Hottest paths" }
            div.wide tabindex="0" role="region" aria-label="hottest paths" { table {
                thead { tr { th { "path" } th.n { "conflicts" } th.n { "attempts" } th.n { "landed" } } }
                tbody { @for (path, heat) in hot {
                    tr { td { code { (line(path)) } } td.n { (heat.conflicts) } td.n { (heat.attempts) } td.n { (heat.landed) } }
                } }
            } }
        }
    }
}

fn under_way(run: &RunId, board: &Board) -> Markup {
    html! {
        section #now data-live {
            @if !(board.running.is_empty() && board.sitting.is_empty() && board.limits.is_empty() && board.frozen.is_empty() && board.batch.is_none() && board.checking.is_none()) {
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
            @if !board.sitting.is_empty() {
                div.wide tabindex="0" role="region" aria-label="who plans and judges" { table {
                    thead { tr { th { "seat" } th { "what" } th { "agent" } th.n { "for" } } }
                    tbody { @for row in board.sitting.iter().take(ROWS) {
                        tr { td.id { (row.seat) } td { (line(&row.title)) } td { (line(&row.agent)) } td.n { (took(row.elapsed_ms)) } }
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

/// Draws the plan as boxes in boxes.
pub fn boxes(run: &RunId, plan: &PlanTree, critical: &BTreeSet<TaskId>) -> Markup {
    let tasks: BTreeMap<TaskId, &TaskNode> = plan.tasks.iter().map(|task| (task.task, task)).collect();
    let drawing = Drawing { run, tasks, critical, are_many: plan.tasks.len() > MANY };
    html! {
        @for root in &plan.roots { (drawing.scope(root, true)) }
        @if plan.tasks.is_empty() { p { "No task has been handed out yet." } }
        @if !critical.is_empty() { p.faint { "Framed: the longest way through what is open." } }
    }
}

struct Drawing<'a> {
    run: &'a RunId,
    tasks: BTreeMap<TaskId, &'a TaskNode>,
    critical: &'a BTreeSet<TaskId>,
    are_many: bool,
}

impl Drawing<'_> {
    /// Draws a scope; where tasks are many, only the outermost is open.
    fn scope(&self, node: &ScopeNode, is_outer: bool) -> Markup {
        let own: Vec<&TaskNode> = node.tasks.iter().filter_map(|id| self.tasks.get(id).copied()).collect();
        let through = own.iter().filter(|task| matches!(task.status.as_str(), "landed" | "nothing")).count();
        html! {
            details.scope id={ "box-" (node.scope) } open[is_outer || !self.are_many] {
                summary.head {
                    span.id { (node.scope) } " " (line(&node.title))
                    @if !own.is_empty() { span.faint { " " (through) " of " (own.len()) } }
                    @if let Some(why) = &node.failed { " " span.word.w-bad { "planner failed: " (line(why)) } }
                }
                @for child in &node.scopes { (self.scope(child, false)) }
                @if !own.is_empty() { div.tasks { @for task in own { (self.task(task)) } } }
            }
        }
    }

    fn task(&self, task: &TaskNode) -> Markup {
        let (run, is_critical) = (self.run.as_str(), self.critical.contains(&task.task));
        if self.are_many {
            small_chip(run, task.task, &task.status, is_critical)
        } else {
            chip(run, task.task, &task.status, is_critical, Some(&task.title))
        }
    }
}

fn costs(cost: &Cost) -> Markup {
    let row = |row: &CostRow| {
        let (tokens, spend) = (&row.spend.tokens, row.spend.nano_usd);
        html! {
            tr {
                td { (line(&row.of)) @if row.spend.told > 0 { " " span.faint { (AS_TOLD) } } } td.n { (row.count) } td.n { (took(row.usage.wall_ms)) } td.n { (took(row.usage.cpu_ms)) }
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
