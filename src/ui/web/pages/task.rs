//! Owns the page of one task: its brief, each attempt with what it printed and what was found, what it changes. Changes
//! nothing.

use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::{Markup, html};

use super::diff::side_by_side;
use super::forms::Buttons;
use super::frame::{Frame, line, lines, page};
use super::parts::{self, chip, time, took};
use crate::actors::world::blocking;
use crate::app::Printed;
use crate::model::check::{Answer, CheckResult};
use crate::model::ids::{AttemptId, RunId, TaskId};
use crate::model::seat::Seat;
use crate::model::spend::{Spend, Usd};
use crate::model::verdict::{Finding, Ruling};
use crate::ui::web::extract::Path;
use crate::ui::web::guard::Caller;
use crate::ui::web::reads::{named, patch, task_of};
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::ui::web::transcripts;
use crate::views::task::{AttemptView, TaskView};
use crate::views::words;

/// Bytes at the end of what an attempt printed that are shown.
const PRINTED: u64 = 64 << 10;
/// Attempts whose output is shown; the last ones.
const WITH_OUTPUT: usize = 3;

/// Lenses that a judge may look through.
const LENSES: u32 = 3;

/// Holds what the page is made of.
struct Seen {
    run: RunId,
    seq: u64,
    view: TaskView,
    spends: Vec<Spend>,
    printed: Vec<Option<Printed>>,
    wrote: Vec<Wrote>,
    acts: Markup,
}

/// Names what the sessions of an attempt wrote.
struct Wrote {
    worker: Vec<String>,
    judges: Vec<String>,
}

/// Shows a task.
///
/// # Errors
/// Where there is no such run or task.
pub async fn task(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path((run, task)): Path<(String, String)>,
) -> Result<Markup, Refused> {
    let id: TaskId = named(&task)?;
    let seen = site.see(&run, move |site, run, follower| {
        let view = task_of(site, run, follower, id)?;
        let back = format!("/runs/{run}/tasks/{id}");
        let buttons = Buttons { run, standing, back: &back, moved_on: None, target: None };
        let (seq, acts, spends) = follower.see(|loaded, _| {
            let attempts = loaded.state.tasks.get(&id).map(|task| task.attempts.as_slice()).unwrap_or_default();
            let spends = attempts.iter().map(|attempt| attempt.spend).collect();
            (loaded.state.seq, buttons.of_task(&loaded.state, id), spends)
        });
        let first = view.attempts.len().saturating_sub(WITH_OUTPUT);
        let print = |(at, it): (usize, &AttemptView)| {
            (at >= first).then(|| site.place.printed(run, (it.attempt, &it.agent), PRINTED)).flatten()
        };
        let printed = view.attempts.iter().enumerate().map(print).collect();
        let wrote = view.attempts.iter().map(|it| wrote(site, run, it.attempt)).collect();
        Ok(Seen { run: run.clone(), seq, view, spends, printed, wrote, acts })
    });
    let seen = seen.await?;
    let diff = match seen.view.attempts.iter().any(|attempt| attempt.commit.is_some()) {
        true => Some(patch(&site, seen.run.as_str(), id).await),
        false => None,
    };
    let events = format!("/api/v1/runs/{}/events?after={}", seen.run, seen.seq);
    let frame = Frame::titled(&format!("{id} {}", seen.view.title)).following(events).about(id.to_string());
    // A diff of a megabyte is read as code.
    Ok(blocking(move || page(&frame, standing, content(&seen, diff.as_ref()))).await)
}

fn wrote(site: &Site, run: &RunId, attempt: AttemptId) -> Wrote {
    let of = |seat| site.place.transcripts_of(run, seat);
    let judges = (1..=LENSES).flat_map(|lens| of(Seat::Judge { attempt, lens })).collect();
    Wrote { worker: of(Seat::Attempt(attempt)), judges }
}

fn content(seen: &Seen, diff: Option<&Result<String, Refused>>) -> Markup {
    let Seen { run, view, .. } = seen;
    html! {
        div #head data-live {
            p { a href={ "/runs/" (run) } { "← " (run) } }
            h1 { (view.task) " " (line(&view.title)) }
            p { span class={ "k k-" (view.status) } { (view.status) } @if let Some(why) = &view.why { " " (line(why)) } }
            dl {
                @if let Some(commit) = view.landed { dt { "landed as" } dd.id { (commit) } }
                @if let Some(reverted) = view.reverts { dt { "takes out" } dd { (chip(run.as_str(), reverted, "", false, None)) } }
                dt { "scope" } dd { @for (id, title) in view.scopes.iter().rev() { span.id { (id) } " " (line(title)) " " } }
                dt { "role" } dd { (line(&view.role)) }
                dt { "paths" } dd { @for path in view.paths.iter().take(40) { code { (line(path)) } " " } }
                @if !view.after.is_empty() { dt { "after" } dd { @for (id, status) in &view.after { (chip(run.as_str(), id, status, false, None)) " " } } }
                @if !view.followers.is_empty() { dt { "followed by" } dd { @for (id, status) in &view.followers { (chip(run.as_str(), id, status, false, None)) " " } } }
                @for told in &view.steering { dt { "told" } dd { (line(told)) } }
            }
        }
        div #acts data-live { (seen.acts) }
        @if !view.brief.trim().is_empty() { section { h2 { "Brief" } pre { (lines(view.brief.trim())) } } }
        div #attempts data-live {
            @for (at, attempt_view) in view.attempts.iter().enumerate().rev() {
                (attempt(seen, at, attempt_view))
            }
        }
        div #diff data-live {
            @match diff {
                Some(Ok(patch)) => { h2 { "What the last candidate changes" } (side_by_side(patch)) }
                Some(Err(refused)) => { h2 { "What the last candidate changes" } p { (line(&refused.fault.why)) } }
                None => {}
            }
        }
    }
}

fn attempt(seen: &Seen, at: usize, it: &AttemptView) -> Markup {
    let Seen { run, .. } = seen;
    let (spend, printed) = (seen.spends.get(at), seen.printed.get(at).and_then(Option::as_ref));
    let is_running = it.outcome == "running";
    html! {
        section.card id={ "attempt-" (it.attempt) } {
            h2 { (it.attempt) " " (line(&it.agent)) " " span class={ "word " (hue(it.outcome)) } { (it.outcome) } }
            p.faint {
                "begun " (time(it.started_ms)) " · took " (took(it.wall_ms)) " · " (took(it.usage.cpu_ms)) " of processor time"
                @if let Some(spend) = spend.filter(|spend| spend.calls > 0) {
                    " · " (spend.calls) " calls, " (spend.tokens.total()) " tokens, " (Usd(spend.nano_usd))
                }
            }
            @if let Some(why) = &it.why { pre { (lines(why)) } }
            dl {
                dt { "stood on" } dd.id { (it.base.short()) }
                @if let Some(commit) = it.commit { dt { "candidate" } dd { span.id { (commit) } " " a href={ "/runs/" (run) "/attempts/" (it.attempt) "/diff" } { "what it changes" } } }
                @if let Some(commit) = it.landed { dt { "landed as" } dd.id { (commit) } }
                @if let Some(next) = it.next.as_ref().filter(|_| it.landed.is_none()) { dt { "then" } dd { (line(next)) } }
                @if let Some(handoff) = &it.handoff {
                    @if !handoff.done.is_empty() { dt { "says" } dd { (line(&handoff.done)) } }
                    @for (name, said) in [("concern", &handoff.concerns), ("deviation", &handoff.deviations), ("finding", &handoff.findings)] {
                        @for text in said { dt { (name) } dd { (line(text)) } }
                    }
                    @for it in &handoff.flagged { dt { "flags" } dd { code { (line(&it.path)) } " " (line(&it.why)) } }
                    @if let Some(wants) = &handoff.wants { dt { "asks" } dd { (line(&wants.words())) } }
                    @for left in &handoff.leftovers { dt { "left" } dd { code { (line(&left.path)) ":" (left.line) } " " (line(&left.why)) } }
                }
            }
            @for review in &it.reviews {
                h3 { (ruled(review.ruling)) " by " (line(&review.judge)) " (lens " (review.lens.word()) ")" }
                ul {
                    @for it in &review.scores {
                        li { code { (line(&it.criterion)) } " " (it.score) " of 10: " (line(&it.evidence)) }
                    }
                    @for it in &review.findings { li { (finding(it)) } }
                    @for it in &review.notes { li.faint { (finding(it)) } }
                }
            }
            @if let Some(wrote) = seen.wrote.get(at) { (parts::whole(run, &wrote.judges)) }
            @if let Some(verdict) = &it.verdict {
                h3 { (ruled(verdict.ruling)) " by " (line(&verdict.judge)) }
                ul { @for it in &verdict.findings { li { (finding(it)) } } }
                @for result in it.checks() { (check(it, result)) }
            }
            @for it in &it.ejected { p { "landing: " (finding(it)) } }
            @if is_running || printed.is_some() {
                details id={ "printed-" (it.attempt) } open[is_running] {
                    summary.press { @if is_running { "What it prints" } @else { "What it printed" } @if printed.is_some_and(|it| it.is_cut) { ", the end of it" } }
                    pre tabindex="0" data-log=[is_running.then(|| format!("/api/v1/runs/{run}/attempts/{}/log", it.attempt))]
                        data-next=[is_running.then_some(printed.map_or(0, |it| it.next))] {
                        @if let Some(printed) = printed { (lines(&printed.text)) }
                    }
                }
            }
            @if let Some(wrote) = seen.wrote.get(at) { (parts::whole(run, &wrote.worker)) }
        }
    }
}

/// Shows what one attempt's candidate changes.
///
/// # Errors
/// Where there is no such attempt, or it left no candidate.
pub async fn changes(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path((run, attempt)): Path<(String, String)>,
) -> Result<Markup, Refused> {
    let id: AttemptId = named(&attempt)?;
    let text = transcripts::patch(&site, &run, id).await?;
    let run = site.find(&run).await?;
    let made = move || {
        let content = html! {
            p { a href={ "/runs/" (run) "/tasks/" (id.task) } { "← " (id.task) } }
            h1 { "What " (id) " changes" }
            (side_by_side(&text))
        };
        page(&Frame::titled(&format!("What {id} changes")), standing, content)
    };
    Ok(blocking(made).await)
}

fn hue(outcome: &str) -> &'static str {
    match outcome {
        "candidate" | "nothing" => "w-good",
        "running" => "w-busy",
        "failed" | "blocked" => "w-bad",
        _ => "w-warn",
    }
}

fn ruled(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Accept => "Accepted",
        Ruling::Reject => "Rejected",
        Ruling::Restart => "To start afresh, said",
    }
}

fn finding(it: &Finding) -> Markup {
    html! {
        code { (line(&it.rule)) } " " @if let Some(path) = &it.path { code { (line(path)) } " " } (line(&it.what))
        @if !it.advice.is_empty() { br; span.faint { "→ " (line(&it.advice)) } }
    }
}

fn check(it: &AttemptView, result: &CheckResult) -> Markup {
    let (word, hue) = match result.answer {
        Answer::Green => ("green", "w-good"),
        Answer::Red => ("red", "w-bad"),
        Answer::Flaky => ("flaky", "w-warn"),
    };
    html! {
        details id={ "check-" (it.attempt) "-" (line(&result.name)) } {
            summary {
                (line(&result.name)) " " span class={ "word " (hue) } { (word) } " in " (took(result.wall_ms))
                @if let Some(count) = result.executed { ", " (words::count(usize::try_from(count).unwrap_or(usize::MAX), "test")) }
            }
            pre tabindex="0" { (lines(&result.tail)) }
        }
    }
}
