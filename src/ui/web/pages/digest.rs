//! Owns the digest as HTML: a page of the site, and a document that stands alone. Gathers nothing.

use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::diff::side_by_side;
use super::frame::{Frame, line, page};
use crate::actors::world::blocking;
use crate::model::ids::{Oid, RunId};
use crate::model::inert::inert;
use crate::ui::web::extract::{Path, Query};
use crate::ui::web::guard::Caller;
use crate::ui::web::reads::{Wanted, digest_of};
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::digest::lay::{Laid, Piece, Row, lay};

/// The look of a digest that stands alone; on the site the site's own does the same.
const LOOK: &str = "body { font: 11pt/1.45 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; \
    color: #1b1f24; background: #fff; overflow-wrap: anywhere; } h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; \
    margin: 1.2rem 0 0.3rem; } ul { padding-left: 1.2rem; margin: 0.3rem 0; } a { color: #0b5394; } code { font-family: \
    ui-monospace, monospace; font-size: 0.92em; } .at { color: #57606a; font-size: 0.85em; } @media print { body { \
    margin: 0; max-width: none; font-size: 9.5pt; } h2 { break-after: avoid; } li { break-inside: avoid; } }";

/// Shows the digest of a run.
///
/// # Errors
/// Where there is no such run.
pub async fn digest(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Refused> {
    let digest = digest_of(&site, &run, &wanted).await?;
    let run = digest.run.clone();
    let title = format!("Digest of {run}");
    let content = html! {
        p.faint.acts { a href={ "/runs/" (run) } { "The run" } }
        div.digest { (body(&lay(&digest), Some(""), &run)) }
    };
    Ok(page(&Frame::titled(&title), standing, content))
}

/// Shows what a delivery of a run brought; of nothing else that a repository holds.
///
/// # Errors
/// Where there is no such run, or it delivered no such commit.
pub async fn delivered(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path((run, commit)): Path<(String, String)>,
) -> Result<Markup, Refused> {
    let digest = digest_of(&site, &run, &Wanted::default()).await?;
    let wanted = commit.parse::<Oid>().ok();
    let found = digest.delivered.iter().filter_map(|told| told.commit).find(|commit| Some(*commit) == wanted);
    let missing =
        || Refused::missing(format!("show what was delivered at {commit}"), "the run delivered no such commit");
    let commit = found.ok_or_else(missing)?;
    let patch = site.see(&run, move |site, _, follower| {
        let state = follower.see(|loaded, _| loaded.state.clone());
        Ok(site.place.patch_of_delivery(&state, commit)?)
    });
    let (text, run) = (patch.await?, digest.run.clone());
    let made = move || {
        let title = format!("What was delivered at {}", commit.short());
        let content = html! {
            p { a href={ "/runs/" (run) "/digest" } { "← Digest" } }
            h1 { (title) }
            (side_by_side(&text))
        };
        page(&Frame::titled(&title), standing, content)
    };
    Ok(blocking(made).await)
}

/// Writes a digest as a document that stands alone; `server` is where its claims can be looked at.
pub fn document(laid: &Laid, server: Option<&str>, run: &RunId) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing in it is fetched or run, whatever it quotes.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Digest of " (run) " · artel" }
                style { (PreEscaped(LOOK)) }
            }
            body { main { (body(laid, server, run)) } }
        }
    };
    page.into_string()
}

fn body(laid: &Laid, server: Option<&str>, run: &RunId) -> Markup {
    let written = |pieces: &[Piece]| html! { @for it in pieces { (piece(it, server, run)) } };
    html! {
        h1 { (written(&laid.title)) }
        @for section in &laid.sections {
            section {
                h2 { (section.heading) }
                ul { @for (row, under) in nested(&section.rows) {
                    li {
                        (written(&row.pieces))
                        @if !under.is_empty() { ul { @for row in under { li { (written(&row.pieces)) } } } }
                    }
                } }
            }
        }
        p.faint { "#N is an event; " code { "artel log " (run) " --at N" } " shows it." }
    }
}

/// Gives each row with those that stand below it.
fn nested(rows: &[Row]) -> impl Iterator<Item = (&Row, &[Row])> {
    let heads = rows.iter().enumerate().filter(|(at, row)| *at == 0 || row.depth == 0);
    heads.map(|(at, row)| {
        let below = &rows[at + 1..];
        let count = below.iter().take_while(|row| row.depth > 0).count();
        (row, &below[..count])
    })
}

fn piece(piece: &Piece, server: Option<&str>, run: &RunId) -> Markup {
    let to = |rest: String| server.map(|server| format!("{server}/runs/{run}/{rest}"));
    let linked = |to: Option<String>, text: Markup| match to {
        Some(to) => html! { a href=(to) { (text) } },
        None => text,
    };
    match piece {
        Piece::Says(text) => html! { (inert(text)) },
        Piece::Quotes(text) => line(text),
        Piece::At(at) => html! { " " span.at { (linked(to(format!("journal?at={at}")), html! { "#" (at) })) } },
        Piece::Task(task) => linked(to(format!("tasks/{task}")), html! { b { (task) } }),
        Piece::Commit(attempt, commit) => {
            linked(to(format!("attempts/{attempt}/diff")), html! { code { (commit.short()) } })
        }
        Piece::Head(commit) => linked(to(format!("deliveries/{commit}/diff")), html! { code { (commit.short()) } }),
    }
}
