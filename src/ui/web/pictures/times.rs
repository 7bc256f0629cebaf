//! Owns the picture of attempts by worker over time. Pure.

use maud::{Markup, html};

use crate::model::ids::RunId;
use crate::model::inert::inert;
use crate::views::timeline::{Mark, Timeline};
use crate::views::words;

/// Width of the picture, in its own units.
const WIDTH: u64 = 1000;
/// Height of one worker's row.
const ROW: usize = 18;
/// Attempts from which on their names are not told one by one.
const NAMED: usize = 800;

/// Draws the timeline; `run` is what its links lead to.
pub fn timeline(run: &RunId, timeline: &Timeline) -> Markup {
    let span = words::between_ms(timeline.from_ms, timeline.to_ms).max(1);
    let x = |at_ms: i64| words::between_ms(timeline.from_ms, at_ms) * WIDTH / span;
    let count: usize = timeline.slots.iter().map(Vec::len).sum();
    let height = timeline.slots.len() * ROW + 2;
    let label = format!("{count} attempts by {} workers in {}", timeline.slots.len(), words::duration(span));
    html! {
        svg.chart height=(height) viewBox={ "0 0 " (WIDTH) " " (height) } preserveAspectRatio="none" role="group" aria-label=(label) {
            @for (number, slot) in timeline.slots.iter().enumerate() {
                @for bar in slot {
                    @let width = (x(bar.end_ms) - x(bar.start_ms)).max(2);
                    @let rect = html! {
                        rect class={ "m-" (bar.mark.word()) } x=(x(bar.start_ms)) y=(number * ROW + 2) width=(width) height=(ROW - 4) rx="2" {
                            @if count <= NAMED {
                                title {
                                    (bar.attempt) " " (bar.mark.word()) ", " (inert(&bar.agent)) ", "
                                    (words::duration(words::between_ms(bar.start_ms, bar.end_ms)))
                                }
                            }
                        }
                    };
                    @if count <= NAMED {
                        a href={ "/runs/" (run) "/tasks/" (bar.attempt.task) } aria-label={ (bar.attempt) " " (bar.mark.word()) } { (rect) }
                    } @else { (rect) }
                }
            }
        }
        p.axis { span { "0" } span { (words::duration(span)) } }
        ul.legend {
            @for mark in [Mark::Landed, Mark::Candidate, Mark::Running, Mark::Nothing, Mark::Failed, Mark::Lost] {
                li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class={ "m-" (mark.word()) } width="10" height="10" {} } " " (mark.word()) }
            }
        }
    }
}
