//! Owns the page of what needs a person: each thing once, with what may be said about it. Never says it.

use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::{Markup, html};

use super::forms::Buttons;
use super::frame::{Frame, line, page};
use crate::actors::world::blocking;
use crate::app::Standing;
use crate::ui::web::guard::Caller;
use crate::ui::web::reads::open_items;
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::inbox::{Bucket, Item};

/// Things that are shown of each bucket.
const SHOWN: usize = 100;

/// Shows what needs a person.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn inbox(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
) -> Result<Markup, Refused> {
    let content = blocking(move || content(&site, standing)).await?;
    Ok(page(&Frame::titled("Inbox").at("/inbox").looking_every_ms(3000), standing, content))
}

fn content(site: &Site, standing: Standing) -> Result<Markup, Refused> {
    let items = open_items(site)?;
    site.states.keep_only(&items.iter().map(|item| &item.run).collect());
    let bucket = |bucket: Bucket| {
        let of_bucket: Vec<&Item> = items.iter().filter(|item| item.bucket == bucket).collect();
        html! {
            h2 { (bucket.word()) " (" (of_bucket.len()) ")" }
            ul.cards {
                @for item in of_bucket.iter().take(SHOWN) { li.card data-key=(key(item)) { (card(site, standing, item)) } }
            }
        }
    };
    Ok(html! {
        h1 { "Inbox" }
        div #inbox data-live {
            @if items.is_empty() { p { "Nothing needs you." } }
            (bucket(Bucket::NeedsInput)) (bucket(Bucket::Failed)) (bucket(Bucket::Finished))
        }
    })
}

/// Names a thing, so that its card stays the same when others come and go.
fn key(item: &Item) -> String {
    let asker = item.waiting.as_ref().and_then(|it| it.seat).map(|seat| format!(" {seat}")).unwrap_or_default();
    let task = item.task.map(|task| task.to_string()).unwrap_or_default();
    format!("{} {task} {}{asker}", item.run, item.bucket.word())
}

fn card(site: &Site, standing: Standing, item: &Item) -> Markup {
    let path = match item.task {
        Some(task) => format!("/runs/{}/tasks/{task}", item.run),
        None => format!("/runs/{}", item.run),
    };
    html! {
        h3 { a href=(path) { (line(&item.title)) } }
        p.faint { span.id { (item.run) @if let Some(task) = item.task { "/" (task) } } }
        p { (line(&item.why)) }
        @if item.task.is_some() && item.bucket != Bucket::Finished {
            p { a href={ (path) "#attempts" } { "What was tried" } " · " a href={ (path) "#diff" } { "changes" } }
        }
        (acts(site, standing, item))
    }
}

/// Shows what may be said about a thing.
fn acts(site: &Site, standing: Standing, item: &Item) -> Markup {
    // What is finished needs nobody, and there may be years of it: nothing is read for a button.
    if item.bucket == Bucket::Finished {
        return html! {};
    }
    // About a run that cannot be read nothing can be said.
    let Ok(state) = site.states.of(&site.place, &item.run) else { return html! {} };
    // The branch that it was opened from is looked at only where somebody is asked about it.
    let is_asked = item.task.is_none() && state.waiting.is_some();
    let moved_on = is_asked.then(|| site.place.moved_on(&state)).flatten();
    let target = item.waiting.as_ref().and_then(|waiting| waiting.onto_now);
    let buttons = Buttons { run: &item.run, standing, back: "/inbox", moved_on, target };
    match item.task {
        Some(task) => buttons.of_task(&state, task),
        None => match item.waiting.as_ref().and_then(|waiting| waiting.seat) {
            Some(seat) => buttons.of_question(&state, seat),
            None => buttons.of_run(&state),
        },
    }
}
