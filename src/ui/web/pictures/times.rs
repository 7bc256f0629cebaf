//! Owns the picture of who worked, planned and judged over time, and what was waited for. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use maud::{Markup, html};

use crate::model::ids::RunId;
use crate::model::inert::fit;
use crate::views::timeline::{Bar, Mark, SeatBar, SeatMark, Timeline};
use crate::views::words;

/// Width of the picture, in its own units.
const WIDTH: u64 = 1000;
/// Height of one worker's row.
const ROW: usize = 18;
/// Bars from which on they are not named one by one.
const NAMED: usize = 300;
/// Rows that are drawn of each sort.
const ROWS: usize = 200;
/// Columns of an agent's name that are told.
const NAME: usize = 60;

struct Scale<'a> {
    run: &'a RunId,
    from_ms: i64,
    span: u64,
    is_named: bool,
}

impl Scale<'_> {
    fn x(&self, at_ms: i64) -> u64 {
        (words::between_ms(self.from_ms, at_ms) * WIDTH / self.span).min(WIDTH)
    }

    /// Gives a bar's left edge and its width, wide enough to be seen.
    fn stretch(&self, start_ms: i64, end_ms: i64) -> (u64, u64) {
        let x = self.x(start_ms).min(WIDTH - 2);
        (x, self.x(end_ms).saturating_sub(x).max(2))
    }
}

/// Draws the timeline; `run` is what its links lead to.
pub fn timeline(run: &RunId, timeline: &Timeline) -> Markup {
    let attempts: usize = timeline.slots.iter().map(Vec::len).sum();
    let sittings: usize = timeline.seats.iter().map(Vec::len).sum();
    let span = words::between_ms(timeline.from_ms, timeline.to_ms).max(1);
    let is_named = attempts + sittings <= NAMED;
    let scale = Scale { run, from_ms: timeline.from_ms, span, is_named };
    let workers = timeline.slots.len();
    let label = format!(
        "{}, {} by planners and judges, in {}",
        words::count(attempts, "attempt") + &format!(" by {}", words::count(workers, "worker")),
        words::count(sittings, "sitting"),
        words::duration(span)
    );
    html! {
        @if !timeline.seats.is_empty() {
            h3 { "Planners and judges" }
            (chart(&scale, &timeline.seats, &label, seat))
        }
        @if !timeline.seats.is_empty() { h3 { "Workers" } }
        (chart(&scale, &timeline.slots, &label, worker))
        p.axis { span { "0" } span { (words::duration(span)) } }
        ul.legend {
            @for mark in [Mark::Landed, Mark::Candidate, Mark::Running, Mark::Nothing, Mark::Failed, Mark::Lost] {
                (sample(&format!("m-{}", mark.word()), mark.word()))
            }
            @if !timeline.seats.is_empty() { (sample("m-answered", "planned or judged")) }
            li { svg viewBox="0 0 10 10" aria-hidden="true" { path.wait d="M0 5H10" {} } " waited for a worker" }
        }
        @if workers > ROWS { p.faint { (workers - ROWS) " more workers are not drawn." } }
    }
}

fn sample(class: &str, word: &str) -> Markup {
    html! { li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(class) width="10" height="10" {} } " " (word) } }
}

/// A bar as it is drawn.
struct Drawn {
    class: &'static str,
    x: u64,
    width: u64,
    /// Where its wait begins.
    waits_from: Option<u64>,
    is_marked: bool,
    name: String,
    says: String,
    leads_to: Option<String>,
}

fn chart<T>(scale: &Scale<'_>, rows: &[Vec<T>], label: &str, draw: fn(&Scale<'_>, &T) -> Drawn) -> Markup {
    let shown = &rows[..rows.len().min(ROWS)];
    let height = shown.len() * ROW + 2;
    let bars = shown.iter().enumerate().flat_map(|(number, row)| row.iter().map(move |bar| (number * ROW + 2, bar)));
    html! {
        @if scale.is_named {
            svg.chart height=(height) viewBox={ "0 0 " (WIDTH) " " (height) } preserveAspectRatio="none" role="group" aria-label=(label) {
                @for (y, bar) in bars { (named(&draw(scale, bar), y)) }
            }
        } @else {
            svg.chart height=(height) viewBox={ "0 0 " (WIDTH) " " (height) } preserveAspectRatio="none" role="img" aria-label=(label) {
                @for (class, path) in merged(bars.map(|(y, bar)| (y, draw(scale, bar)))) { path class=(class) d=(path) {} }
            }
        }
    }
}

fn named(bar: &Drawn, y: usize) -> Markup {
    let rect = html! {
        @if let Some(from) = bar.waits_from { path.wait d={ "M" (from) " " (y + ROW / 2 - 2) "H" (bar.x) } {} }
        rect class={ (bar.class) @if bar.is_marked { " m-marked" } } x=(bar.x) y=(y) width=(bar.width) height=(ROW - 4) rx="2" {
            title { (bar.name) " " (bar.says) }
        }
    };
    html! {
        @match &bar.leads_to {
            Some(path) => { a href=(path) aria-label={ (bar.name) " " (bar.says) } { (rect) } }
            None => { (rect) }
        }
    }
}

/// Draws many bars as one path of each class; bars of one class that touch become one.
fn merged(bars: impl Iterator<Item = (usize, Drawn)>) -> BTreeMap<&'static str, String> {
    let mut paths: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut last: Option<(usize, &'static str, u64, u64)> = None;
    let put = |paths: &mut BTreeMap<&'static str, String>, bar: Option<(usize, &'static str, u64, u64)>| {
        let Some((y, class, from, to)) = bar else { return };
        let _ = write!(paths.entry(class).or_default(), "M{from} {y}h{}v{}h-{}z", to - from, ROW - 4, to - from);
    };
    for (y, bar) in bars {
        match &mut last {
            Some((row, class, from, to)) if *row == y && *class == bar.class && (*from..=*to).contains(&bar.x) => {
                *to = (*to).max(bar.x + bar.width);
            }
            _ => {
                put(&mut paths, last.take());
                last = Some((y, bar.class, bar.x, bar.x + bar.width));
            }
        }
    }
    put(&mut paths, last);
    paths
}

fn worker(scale: &Scale<'_>, bar: &Bar) -> Drawn {
    let (x, width) = scale.stretch(bar.start_ms, bar.end_ms);
    let took = words::duration(words::between_ms(bar.start_ms, bar.end_ms));
    let says = if scale.is_named {
        let resolves = if bar.resolves { "; brings a conflict together" } else { "" };
        let waited = bar.waited.map(|wait| format!("; began {} after {}", words::duration(wait.then_ms), wait.task));
        format!("{}, {}, {took}{resolves}{}", bar.mark.word(), fit(&bar.agent, NAME), waited.unwrap_or_default())
    } else {
        String::new()
    };
    let wait = bar.waited.map(|wait| bar.start_ms.saturating_sub_unsigned(wait.then_ms));
    Drawn {
        class: match bar.mark {
            Mark::Running => "m-running",
            Mark::Landed => "m-landed",
            Mark::Candidate => "m-candidate",
            Mark::Nothing => "m-nothing",
            Mark::Failed => "m-failed",
            Mark::Lost => "m-lost",
        },
        x,
        width,
        waits_from: wait.map(|at_ms| scale.x(at_ms)).filter(|from| *from < x),
        is_marked: bar.resolves,
        name: bar.attempt.to_string(),
        says,
        leads_to: Some(format!("/runs/{}/tasks/{}", scale.run, bar.attempt.task)),
    }
}

fn seat(scale: &Scale<'_>, bar: &SeatBar) -> Drawn {
    let (x, width) = scale.stretch(bar.start_ms, bar.end_ms);
    let took = words::duration(words::between_ms(bar.start_ms, bar.end_ms));
    Drawn {
        class: match bar.mark {
            SeatMark::Sits => "m-running",
            SeatMark::Answered => "m-answered",
            SeatMark::Failed => "m-failed",
        },
        x,
        width,
        waits_from: None,
        is_marked: false,
        name: bar.seat.to_string(),
        says: format!("{}, {}, {took}", bar.mark.word(), fit(&bar.agent, NAME)),
        leads_to: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{AttemptId, TaskId};
    use crate::model::seat::Seat;
    use crate::views::timeline::Wait;

    fn bar(task: u32, start_ms: i64, end_ms: i64, mark: Mark) -> Bar {
        let attempt = AttemptId { task: TaskId(task), number: 1 };
        Bar { attempt, agent: "a<b\u{202e}".to_owned(), start_ms, end_ms, mark, resolves: false, waited: None }
    }

    fn of(slots: Vec<Vec<Bar>>, seats: Vec<Vec<SeatBar>>) -> String {
        let run: RunId = "r-1".parse().unwrap();
        let times = Timeline { run: run.clone(), from_ms: 0, to_ms: 10_000, slots, seats };
        timeline(&run, &times).into_string()
    }

    #[test]
    fn it_is_seen_who_waited_for_what_and_who_planned() {
        let waits = Bar {
            waited: Some(Wait { task: TaskId(1), then_ms: 2000 }),
            resolves: true,
            ..bar(2, 7000, 10_000, Mark::Running)
        };
        let seat: Seat = "s0/1".parse().unwrap();
        let plans = SeatBar { seat, agent: "claude".to_owned(), start_ms: 0, end_ms: 500, mark: SeatMark::Answered };
        let drawn = of(vec![vec![bar(1, 0, 5000, Mark::Landed), waits]], vec![vec![plans]]);
        for piece in [
            "t2.1 running, a&lt;b\\u{202e}, 3.0 s; brings a conflict together; began 2.0 s after t1",
            "class=\"wait\" d=\"M500 9H700\"",
            "m-running m-marked",
            "s0/1 answered, claude, 500 ms",
            "2 attempts by 1 worker, 1 sitting by planners and judges, in 10.0 s",
        ] {
            assert!(drawn.contains(piece), "no {piece} in {drawn}");
        }
    }

    #[test]
    fn a_hundred_thousand_attempts_are_a_small_picture() {
        let slots: Vec<Vec<Bar>> = (0..64)
            .map(|slot| {
                let each = |at: i64| {
                    let mark = if (at + slot) % 7 == 0 { Mark::Failed } else { Mark::Landed };
                    bar(1, at * 6, at * 6 + 5, mark)
                };
                (0..1600).map(each).collect()
            })
            .collect();
        let drawn = of(slots, Vec::new());
        assert!(drawn.len() < 600 << 10, "{} bytes", drawn.len());
        assert!(drawn.matches("<path").count() < 20);
    }
}
