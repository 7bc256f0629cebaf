//! Owns the picture of sums over time: columns, one upon the other, a name each. Pure.

use std::fmt::Write;

use maud::{Markup, html};

use crate::model::inert::fit;
use crate::views::spans::{OTHERS, Spans};
use crate::views::words;

/// Size of a picture, in its own units.
const WIDTH: u64 = 1000;
const HEIGHT: u64 = 208;
/// Columns that are drawn at most.
const COLUMNS: usize = 80;
/// Names that have a colour of their own; the others share the last.
const COLOURS: usize = 6;
/// Columns of a name that are shown.
const NAME: usize = 40;

/// Draws sums over time, the largest names first; `amount` puts a sum into words. Nothing where all are nothing.
pub fn columns(what: &str, spans: &Spans, amount: fn(u64) -> String) -> Markup {
    let mut names: Vec<(&str, u64)> = spans.rows.keys().map(|name| (name.as_str(), spans.total(name))).collect();
    names.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(two.0)));
    let stretches = spans.stretches();
    if stretches == 0 {
        return html! {};
    }
    let (own, rest) = names.split_at(names.len().min(COLOURS - 1));
    let together = stretches.div_ceil(COLUMNS);
    let mut rows: Vec<(String, Vec<u64>)> =
        own.iter().map(|(name, _)| (fit(name, NAME), sums(&[name], spans, together))).collect();
    if !rest.is_empty() {
        let rest: Vec<&str> = rest.iter().map(|(name, _)| *name).collect();
        rows.push((OTHERS.to_owned(), sums(&rest, spans, together)));
    }
    let count = stretches.div_ceil(together);
    let heights = (0..count).map(|at| rows.iter().map(|(_, row)| row[at]).fold(0, u64::saturating_add));
    let most = heights.max().unwrap_or(0).max(1);
    let each_ms = spans.each_ms.saturating_mul(together as u64);
    let span = each_ms.saturating_mul(count as u64);
    let total = names.iter().map(|(_, sum)| *sum).fold(0, u64::saturating_add);
    let label = format!("{what}: {} in {}", amount(total), words::duration(span));
    html! {
        p.axis { span { "up to " (amount(most)) " in " (words::duration(each_ms)) } }
        svg.chart.curves viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (at, path) in stacked(&rows, count as u64, most).iter().enumerate() { path class={ "c-" (at) } d=(path) {} }
        }
        p.axis { span { "0" } span { (words::duration(span)) } }
        ul.legend {
            @for (at, (name, row)) in rows.iter().enumerate() {
                li {
                    svg viewBox="0 0 10 10" aria-hidden="true" { rect class={ "c-" (at) } width="10" height="10" {} }
                    " " (name) " " (amount(row.iter().copied().fold(0, u64::saturating_add)))
                }
            }
        }
    }
}

/// Sums the rows of some names, so many stretches together.
fn sums(names: &[&str], spans: &Spans, together: usize) -> Vec<u64> {
    let mut sums = vec![0_u64; spans.stretches().div_ceil(together)];
    for row in names.iter().filter_map(|name| spans.rows.get(*name)) {
        for (at, sum) in row.iter().enumerate() {
            sums[at / together] = sums[at / together].saturating_add(*sum);
        }
    }
    sums
}

/// Makes a path for each row, each column upon those of the rows before.
fn stacked(rows: &[(String, Vec<u64>)], count: u64, most: u64) -> Vec<String> {
    let height = |sum: u64| u64::try_from(u128::from(sum) * u128::from(HEIGHT) / u128::from(most)).unwrap_or(HEIGHT);
    let mut below = vec![0_u64; usize::try_from(count).unwrap_or(0)];
    let path = |(_, row): &(String, Vec<u64>)| {
        let mut path = String::new();
        for ((at, sum), below) in (0..).zip(row).zip(&mut below) {
            let (x, next) = (at * WIDTH / count, (at + 1) * WIDTH / count);
            let (foot, top) = (HEIGHT - height(*below), HEIGHT - height(below.saturating_add(*sum)));
            *below = below.saturating_add(*sum);
            if top < foot {
                let width = next.saturating_sub(x + 1).max(1);
                let _ = write!(path, "M{x} {foot}V{top}h{width}V{foot}z");
            }
        }
        path
    };
    rows.iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_upon_each_other_and_never_over_the_edge() {
        let mut spans = Spans::default();
        for (name, at_ms, sum) in [("a", 0, 3), ("b", 0, 1), ("a", 1000, 2), ("<b>\u{202e}", 1000, 2)] {
            spans.add(name, at_ms, sum);
        }
        let drawn = columns("sums", &spans, |sum| sum.to_string()).into_string();
        assert!(drawn.contains("M0 208V52h499V208zM500 208V104h499V208z"), "{drawn}");
        assert!(drawn.contains("M0 52V0h499V52z"), "{drawn}");
        assert!(drawn.contains("&lt;b&gt;\\u{202e} 2") && drawn.contains("aria-label=\"sums: 8 in 2.0 s\""), "{drawn}");
        assert_eq!(columns("sums", &Spans::default(), |sum| sum.to_string()).into_string(), "");
    }

    #[test]
    fn a_long_run_of_many_names_is_a_small_picture() {
        let mut spans = Spans::default();
        for at in 0..100_000 {
            spans.add(&format!("name {}", at % 40), at * 1000, 1);
        }
        let drawn = columns("sums", &spans, |sum| sum.to_string()).into_string();
        assert!(drawn.len() < 16 << 10, "{} bytes", drawn.len());
        assert_eq!(drawn.matches("<path").count(), COLOURS);
    }
}
