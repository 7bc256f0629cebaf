//! Owns what all pages have round their text. Never writes a text of agents or repositories but inert.

use maud::{DOCTYPE, Markup, html};

use crate::app::Standing;
use crate::model::inert::{fit, inert, inert_lines};

/// Columns of a page's title.
const TITLE: usize = 120;
/// Bytes of one line of others' text that are shown.
const LINE_BYTES: usize = 4 << 10;
/// Bytes of others' text of several lines that are shown.
const TEXT_BYTES: usize = 256 << 10;

/// Says what stands round a page.
#[derive(Debug, Default)]
pub struct Frame {
    title: String,
    here: &'static str,
    events: Option<String>,
    about: Option<String>,
    poll_ms: Option<u32>,
    leads_to: Option<String>,
}

impl Frame {
    /// Gives a page its title.
    pub fn titled(title: &str) -> Self {
        Self { title: fit(title, TITLE), ..Self::default() }
    }

    /// Marks where in the site the page stands.
    #[must_use]
    pub fn at(mut self, here: &'static str) -> Self {
        self.here = here;
        self
    }

    /// Has the page follow events.
    #[must_use]
    pub fn following(mut self, events: String) -> Self {
        self.events = Some(events);
        self
    }

    /// Has the page follow only events that are about a task.
    #[must_use]
    pub fn about(mut self, task: String) -> Self {
        self.about = Some(task);
        self
    }

    /// Has the page look anew every so often.
    #[must_use]
    pub fn looking_every_ms(mut self, ms: u32) -> Self {
        self.poll_ms = Some(ms);
        self
    }

    /// Has a browser go on to a path of this server at once.
    #[must_use]
    pub fn leading_to(mut self, path: &str) -> Self {
        self.leads_to = Some(format!("0; url={path}"));
        self
    }
}

/// Gives the beginning of a text, cut between two characters, and whether anything is left out.
pub fn begin(text: &str, most: usize) -> (&str, bool) {
    let shown = &text[..text.floor_char_boundary(most)];
    (shown, shown.len() < text.len())
}

/// Shows text of whoever wrote it: one line, every character that does something as an escape; of one that is very long
/// the beginning.
pub fn line(text: &str) -> Markup {
    let (shown, is_cut) = begin(text, LINE_BYTES);
    html! { (inert(shown)) @if is_cut { "…" } }
}

/// Shows text of several lines, inert; of one that is very long the beginning.
pub fn lines(text: &str) -> Markup {
    let (shown, is_cut) = begin(text, TEXT_BYTES);
    html! { (inert_lines(shown)) @if is_cut { "…" } }
}

/// Writes a page without navigation, for who is not known yet.
pub fn bare(frame: &Frame, content: Markup) -> Markup {
    shell(frame, html! {}, content)
}

/// Writes a page.
pub fn page(frame: &Frame, standing: Standing, content: Markup) -> Markup {
    let to = |path: &'static str, name: &str| {
        let is_here = frame.here == path;
        html! { a href=(path) aria-current=[is_here.then_some("page")] { (name) } }
    };
    let top = html! {
        header.top {
            nav aria-label="artel" { (to("/", "Runs")) (to("/inbox", "Inbox")) }
            span #link-state .faint role="status" { "not live" }
            span.faint { (standing) }
            form method="post" action="/logout" { button { "Log out" } }
        }
    };
    shell(frame, top, content)
}

fn shell(frame: &Frame, top: Markup, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(to) = &frame.leads_to { meta http-equiv="refresh" content=(to); }
                title { (frame.title) " · artel" }
                link rel="icon" href="/static/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/static/page.css";
                script src="/static/page.js" type="module" {}
            }
            body data-events=[frame.events.as_deref()] data-about=[frame.about.as_deref()] data-poll=[frame.poll_ms] {
                a.skip href="#main" { "Skip to the content" }
                (top)
                main #main { (content) }
            }
        }
    }
}
