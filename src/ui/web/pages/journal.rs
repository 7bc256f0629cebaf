//! Owns the page of a run's journal: its events, sifted, and the board as it was at any of them. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::{Markup, html};

use super::frame::{Frame, line, lines, page};
use super::parts::{self, time};
use super::run::picture;
use crate::app::AppError;
use crate::model::ids::RunId;
use crate::model::spend::Usd;
use crate::ui::web::extract::{Path, Query};
use crate::ui::web::guard::Caller;
use crate::ui::web::past::{Asked, board_then, number};
use crate::ui::web::reads::not_open;
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::board::Board;
use crate::views::journal::{Page, Row, Sieve};
use crate::views::words;

/// Events that a page shows.
const ROWS: usize = 100;
/// Rows of the board's lists that are shown.
const SHOWN: usize = 12;
/// Names of kinds and actors that can be chosen among.
const CHOICES: usize = 200;

/// Holds what the page is made of.
struct Seen {
    run: RunId,
    asked: Asked,
    page: Page,
    actors: Vec<String>,
    kinds: BTreeMap<&'static str, usize>,
    then: Then,
}

/// Holds the run as it was.
struct Then {
    seq: u64,
    board: Board,
    nano_usd: u64,
    at_ms: i64,
    event: Option<(String, String)>,
}

/// Shows a run's journal.
///
/// # Errors
/// Where there is no such run, or what is asked cannot be read.
pub async fn journal(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Markup, Refused> {
    let sieve = match &*asked.only {
        // The rows stay as they are, and are not looked for.
        "then" => Sieve { after: Some(u64::MAX), ..Sieve::default() },
        _ => Sieve { limit: Some(ROWS), ..asked.sieve()? },
    };
    let at = number(&asked.at)?;
    let seen = site.see(&run, move |site, run, _| look(site, run, asked, &sieve, at));
    let seen = seen.await?;
    let events = format!("/api/v1/runs/{}/events?after={}", seen.run, seen.page.last_seq);
    let frame = Frame::titled(&format!("Journal of {}", seen.then.board.goal)).following(events);
    Ok(page(&frame, standing, content(&seen)))
}

fn look(site: &Site, run: &RunId, asked: Asked, sieve: &Sieve, at: Option<u64>) -> Result<Seen, Refused> {
    let (page, (actors, kinds)) = site.pasts.index(run, |index| (index.page(run, sieve), index.sorts()))?;
    let seq = at.unwrap_or(page.last_seq).clamp(1, page.last_seq.max(1));
    let then = site.pasts.at(run, seq, |loaded| {
        let board = board_then(loaded)?;
        let nano_usd = loaded.state.total_spent().spend.nano_usd;
        Some(Then { seq, board, nano_usd, at_ms: loaded.state.last_ms, event: None })
    })?;
    let mut then = then.ok_or_else(|| not_open(run))?;
    let entries = site.place.journal.read(run, seq, 1).map_err(AppError::from)?;
    then.event = entries.into_iter().next().map(|entry| {
        let whole: Result<serde_json::Value, _> = serde_json::from_str(&entry.data);
        let text = whole.and_then(|whole| serde_json::to_string_pretty(&whole)).unwrap_or(entry.data);
        (entry.kind, text)
    });
    Ok(Seen { run: run.clone(), asked, page, actors, kinds, then })
}

fn content(seen: &Seen) -> Markup {
    let run = &seen.run;
    html! {
        p { a href={ "/runs/" (run) } { "← " (run) } }
        h1 { "Journal of " (line(&seen.then.board.goal)) }
        section #replay {
            h2 { "Replay" }
            (slider(seen))
            (then(run, &seen.then))
            (picture(run))
        }
        section #events {
            h2 { "Events" }
            (sieve(seen))
            div #rows data-live data-keep[seen.asked.only == "then"] {
                @if seen.asked.only != "then" { (rows(seen)) }
            }
        }
    }
}

/// Draws what a form must carry along so that nothing else changes.
fn carried(asked: &Asked, but: &[&str]) -> Markup {
    html! {
        @for (name, value) in asked.fields().into_iter().filter(|(name, value)| !value.is_empty() && !but.contains(name)) {
            input type="hidden" name=(name) value=(crate::model::inert::inert(value));
        }
    }
}

fn slider(seen: &Seen) -> Markup {
    let last = seen.page.last_seq;
    html! {
        form #replay-form method="get" data-replay {
            (carried(&seen.asked, &["at"]))
            label for="replay-at" { "The board as it was when this event had happened" }
            input #replay-at type="range" min="1" max=(last) value=(seen.then.seq) step="1";
            div.acts {
                label { "Event " input #replay-number type="number" name="at" min="1" max=(last) value=(seen.then.seq) inputmode="numeric"; }
                button.main { "Show" }
            }
        }
    }
}

fn then(run: &RunId, then: &Then) -> Markup {
    let Then { seq, board, nano_usd, at_ms, event } = then;
    html! {
        div #then data-live data-at=(seq) {
            p { "Event " (seq) ", " (time(*at_ms)) ", " (parts::took(board.elapsed_ms)) " after the run was opened" }
            (parts::stands(&board.stands))
            (parts::numbers(&board.counts, board.queue.len()))
            (parts::progress(&board.counts))
            p { (board.attempts) " attempts, " (Usd(*nano_usd)) " spent on models, " (words::count(board.landed.len(), "task")) " landed" }
            @if let Some(batch) = &board.batch { p { "landing: " (line(&batch.step)) } }
            @if !board.running.is_empty() {
                p { "under way: " @for row in board.running.iter().take(SHOWN) {
                    a href={ "/runs/" (run) "/tasks/" (row.attempt.task) } { (row.attempt) } " " (line(&row.title)) "; "
                } @if board.running.len() > SHOWN { "and " (board.running.len() - SHOWN) " more" } }
            }
            @if !board.left.is_empty() {
                p { "left over: " @for row in board.left.iter().take(SHOWN) {
                    a href={ "/runs/" (run) "/tasks/" (row.task) } { (row.task) } " " (line(&row.why)) "; "
                } @if board.left.len() > SHOWN { "and " (board.left.len() - SHOWN) " more" } }
            }
            @if let Some((kind, text)) = event {
                details id="then-event" { summary { (line(kind)) " as it is stored" } pre tabindex="0" { (lines(text)) } }
            }
        }
    }
}

fn sieve(seen: &Seen) -> Markup {
    let asked = &seen.asked;
    html! {
        form.sieve method="get" {
            (carried(asked, &["text", "kind", "task", "actor", "before", "after"]))
            label { "Text" input type="search" name="text" value=(crate::model::inert::inert(&asked.text)) maxlength="200"; }
            label { "Kind" select name="kind" {
                option value="" { "all" }
                @for (kind, count) in seen.kinds.iter().take(CHOICES) {
                    option value=(kind) selected[*kind == asked.kind] { (kind) " (" (count) ")" }
                }
            } }
            label { "Task" input name="task" value=(crate::model::inert::inert(&asked.task)) maxlength="12" placeholder="t12"; }
            label { "Whose doing" select name="actor" {
                option value="" { "anybody's" }
                @for name in seen.actors.iter().take(CHOICES) {
                    option value=(name) selected[*name == asked.actor] { (line(name)) }
                }
            } }
            button.main { "Search" }
        }
    }
}

fn rows(seen: &Seen) -> Markup {
    let (run, page) = (&seen.run, &seen.page);
    html! {
        (pager(seen))
        @if page.rows.is_empty() { p { "No event is like that." } }
        @if page.first_seq > 1 { p.faint { "Events before " (page.first_seq) " are not searched; the replay shows each of them." } }
        @if !page.rows.is_empty() {
            div.wide tabindex="0" role="region" aria-label="events" { table.journal {
                thead { tr { th.n { "event" } th { "time" } th { "what" } th { "whose doing" } th { "kind" } } }
                tbody { @for row in &page.rows { (event(run, &seen.asked, row)) } }
            } }
        }
        (pager(seen))
    }
}

fn event(run: &RunId, asked: &Asked, row: &Row) -> Markup {
    let hue = match row.tone.as_str() {
        "good" => "t-good",
        "bad" => "t-bad",
        "warning" => "t-warn",
        _ => "",
    };
    let sign = match row.tone.as_str() {
        "good" => "✓ ",
        "bad" => "! ",
        "warning" => "~ ",
        _ => "",
    };
    html! {
        tr id={ "e-" (row.seq) } {
            td.n { a href={ "?" (query(asked, &[("at", row.seq.to_string())])) "#replay" } title="the board as it was then" { (row.seq) } }
            td { (time(row.at_ms)) }
            td {
                span class=(hue) { (sign) (line(&row.text)) }
                @for task in &row.tasks { " " a href={ "/runs/" (run) "/tasks/" (task) } { (task) } }
            }
            td { (line(&row.actor)) }
            td.faint { (row.kind) }
        }
    }
}

fn pager(seen: &Seen) -> Markup {
    let rows = &seen.page.rows;
    let (first, last) = (rows.last().map(|row| row.seq), rows.first().map(|row| row.seq));
    html! {
        p.pager {
            @if let Some(last) = last.filter(|_| seen.page.has_newer) {
                a href={ "?" (query(&seen.asked, &[("after", last.to_string()), ("before", String::new())])) } { "newer" } " "
            }
            @if let Some(first) = first.filter(|_| seen.page.has_older) {
                a href={ "?" (query(&seen.asked, &[("before", first.to_string()), ("after", String::new())])) } { "older" }
            }
        }
    }
}

/// Writes the query that asks the same but for some fields.
fn query(asked: &Asked, other: &[(&str, String)]) -> String {
    let changed = |name: &str| other.iter().find(|(changed, _)| *changed == name).map(|(_, value)| value.as_str());
    let fields = asked.fields().into_iter().map(|(name, value)| (name, changed(name).unwrap_or(value)));
    let written: Vec<String> = fields
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    written.join("&")
}

/// Writes a text so that it is one value of a query.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_asks_the_same_but_for_what_it_changes_and_holds_nothing_active() {
        let asked = Asked {
            text: "a&b=<\"\u{202e}>".to_owned(),
            before: "9".to_owned(),
            at: "4".to_owned(),
            ..Asked::default()
        };
        let made = query(&asked, &[("after", "12".to_owned()), ("before", String::new())]);
        assert_eq!(made, "text=a%26b%3D%3C%22%E2%80%AE%3E&after=12&at=4");
        assert_eq!(query(&Asked::default(), &[]), "");
    }
}
