//! Owns parts that several pages show: how a run stands, progress, money, fields. Never asks anything.

use maud::{Markup, html};

use super::frame::line;
use crate::machine::state::State as RunState;
use crate::model::ids::RunId;
use crate::model::means::Unit;
use crate::model::spend::Usd;
use crate::views::board::Counts;
use crate::views::ended::{Class, Ended};
use crate::views::words;

/// Shows how a run stands.
pub fn stands(stands: &Ended) -> Markup {
    let hue = match stands.class {
        Class::Done => "w-good",
        Class::Live => "w-busy",
        Class::Incomplete | Class::Denied | Class::Trouble => "w-bad",
        Class::Waits | Class::Stopped | Class::Budget => "w-warn",
        Class::Unopened => "",
    };
    html! { p { span class={ "word " (hue) } { (stands.class.word()) } " " (line(&stands.words)) } }
}

/// Shows how many tasks are through, and where the others are.
pub fn progress(counts: &Counts) -> Markup {
    let through = counts.landed + counts.nothing;
    let told = counts.by_status().into_iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told.map(|(status, count)| format!("{count} {status}")).collect();
    html! {
        progress max=(counts.total.max(1)) value=(through) aria-label="tasks that are through" {}
        p { (through) " of " (counts.total) " · " (told.join(" · ")) }
    }
}

/// Shows what was spent, and of what.
pub fn spend(nano_usd: u64, budget: Option<u64>) -> Markup {
    html! {
        @match budget {
            Some(budget) => {
                meter min="0" max=(budget.max(1)) value=(nano_usd.min(budget)) aria-label="money spent of the budget" {}
                " " (Usd(nano_usd)) " of " (Usd(budget))
            }
            None if nano_usd > 0 => { (Usd(nano_usd)) }
            None => { "nothing on models" }
        }
    }
}

/// Shows what was used of the tokens and calls that may be, where they are bounded.
pub fn of_calls(state: &RunState) -> Markup {
    let (used, bounds) = (state.total_spent().spend.means(), state.budget.bounds());
    html! {
        @for unit in [Unit::Tokens, Unit::Calls] {
            @if let Some(most) = bounds.of(unit) { " · " (used.of(unit)) " of " (unit.written(most)) }
        }
    }
}

/// Shows the numbers that tell most: what landed, what is red, what waits.
pub fn numbers(counts: &Counts, queue: usize) -> Markup {
    let red = counts.kept + counts.blocked;
    let waiting = counts.waiting + counts.ready;
    let under_way = counts.running + counts.judging;
    html! {
        p.numbers {
            span.word.t-good { "✓ " (counts.landed + counts.nothing) " landed" } " "
            @if red > 0 { span.word.t-bad { "! " (red) " red" } " " }
            @if under_way > 0 { span.word.t-busy { "▸ " (under_way) " under way" } " " }
            @if queue > 0 { span.word.t-busy { "⇢ " (queue) " to land" } " " }
            @if waiting > 0 { span.word { "· " (waiting) " waiting" } }
        }
    }
}

/// Shows a task as a small box coloured by how it stands, without its title; its name says how it stands by its sign.
pub fn small_chip(run: &str, task: impl std::fmt::Display, status: &str, is_critical: bool) -> Markup {
    html! {
        a class={ "k k-" (status) @if is_critical { " k-crit" } } href={ "/runs/" (run) "/tasks/" (task) } { (task) }
    }
}

/// Shows a task as a small box coloured by how it stands.
pub fn chip(run: &str, task: impl std::fmt::Display, status: &str, is_critical: bool, title: Option<&str>) -> Markup {
    let name = task.to_string();
    let label = title.map(|title| format!("{name} {status}: {}", crate::model::inert::fit(title, 60)));
    html! {
        a class={ "k k-" (status) @if is_critical { " k-crit" } } href={ "/runs/" (run) "/tasks/" (name) }
            title=[label.as_deref()] aria-label=(label.as_deref().unwrap_or(&format!("{name} {status}"))) { (name) }
    }
}

/// Shows where all that sessions wrote is to be had, byte for byte; nothing where it was cleared away.
pub fn whole(run: &RunId, records: &[String]) -> Markup {
    html! {
        @if !records.is_empty() {
            p.faint { "All of it, as it was written: "
                @for (at, record) in records.iter().enumerate() {
                    @if at > 0 { " · " }
                    (whole_of(run, record))
                }
            }
        }
    }
}

/// Shows where all that one session wrote is to be had.
pub fn whole_of(run: &RunId, record: &str) -> Markup {
    html! { a href={ "/api/v1/runs/" (run) "/transcripts/" (record) } download { (line(record)) } }
}

/// Shows a time as people of any zone read it.
pub fn time(at_ms: i64) -> Markup {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    let shown = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at.to_string()) { (shown) } }
}

/// Shows how long something took.
pub fn took(ms: u64) -> Markup {
    html! { (words::duration(ms)) }
}
