//! Owns the page of all runs. Changes nothing.

use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::{Markup, html};

use super::frame::{Frame, line, page};
use super::parts;
use crate::actors::world::blocking;
use crate::ui::web::guard::Caller;
use crate::ui::web::reads::{RunRow, run_rows};
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::words;

/// Runs that are shown.
const SHOWN: usize = 200;

/// Shows all runs.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn runs(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
) -> Result<Markup, Refused> {
    let rows = blocking(move || run_rows(&site)).await?;
    let content = html! {
        h1 { "Runs" }
        div #runs data-live {
            @if rows.is_empty() { p { "There are no runs yet: " code { "artel run --detach goal.md" } " opens one." } }
            ul.cards { @for row in rows.iter().take(SHOWN) { li.card { (card(row)) } } }
            @if rows.len() > SHOWN { p.faint { (rows.len() - SHOWN) " older ones are not shown; " code { "artel list" } " lists them." } }
        }
    };
    Ok(page(&Frame::titled("Runs").at("/").looking_every_ms(3000), standing, content))
}

fn card(row: &RunRow) -> Markup {
    let title = row.summary.as_ref().map_or(row.run.as_str(), |summary| summary.goal.as_str());
    let repo = row.repo.strip_suffix("/.git").unwrap_or(&row.repo);
    html! {
        h2 { a href={ "/runs/" (row.run) } { (line(title)) } }
        p.faint {
            span.id { (row.run) }
            @if let Some(name) = &row.name { " · " (line(name)) }
            " · " (line(repo)) " · opened " (parts::time(row.opened_at_ms))
        }
        @if let Some(summary) = &row.summary {
            (parts::stands(&summary.stands))
            (parts::numbers(&summary.counts, summary.queue))
            (parts::progress(&summary.counts))
            p {
                (parts::spend(summary.nano_usd, summary.budget_nano_usd)) " · "
                (words::count(usize::try_from(summary.attempts).unwrap_or(usize::MAX), "attempt"))
            }
            @if summary.needs() > 0 {
                p { a.word.w-warn href="/inbox" { (summary.needs()) " in your inbox" } }
            }
        }
        @if let Some(trouble) = &row.trouble { p.word.w-bad { (line(trouble)) } }
        @if !row.coordinated && row.summary.as_ref().is_some_and(|it| it.stands.class == crate::views::ended::Class::Live) {
            p.word.w-warn { "nobody works on it" }
        }
    }
}
