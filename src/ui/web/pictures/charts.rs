//! Owns the numbers that charts are drawn from: of each a table, which is also what is read where nothing is drawn. Pure;
//! never says where on a screen a number lies.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::model::inert::fit;
use crate::model::spend::{DOLLAR, Usd};
use crate::views::burn::{Burn, Point};
use crate::views::spans::{OTHERS, Spans};
use crate::views::traffic::{CONFLICTS, EJECTED, LANDED};
use crate::views::words;

/// Points of a line that are told at most.
const POINTS: usize = 200;
/// Columns that are told at most.
const COLUMNS: usize = 80;
/// Columns of a name that are shown.
const NAME: usize = 40;
/// Hues of names that have none by what they mean; the last is that of all that have no hue of their own.
const HUES: [&str; 6] = ["busy", "good", "bad", "warn", "plan", "plain"];

/// A table of numbers over time that is to be drawn.
struct Chart {
    id: &'static str,
    label: String,
    /// How long each row lasts where it is a column; nothing where it holds until the next.
    each_ms: Option<u64>,
    unit: Unit,
    /// Each with its hue, one of those of the style sheet.
    names: Vec<(String, &'static str)>,
    /// When, and a number for each name.
    rows: Vec<(i64, Vec<u64>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    /// Of numbers in nano-dollars.
    Usd,
}

impl Unit {
    /// Writes a number as it is, in digits alone.
    fn exact(self, number: u64) -> String {
        match self {
            Self::Count => number.to_string(),
            Self::Usd => {
                let text = format!("{}.{:09}", number / DOLLAR, number % DOLLAR);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        }
    }

    /// Writes a number as people read it.
    fn told(self, number: u64) -> String {
        match self {
            Self::Count => number.to_string(),
            Self::Usd => Usd(number).to_string(),
        }
    }
}

/// Shows how many tasks there were, how many were open, and how many were left for a person.
pub fn burn_down(burn: &Burn) -> Markup {
    let open = |point: &Point| u64::from(point.total.saturating_sub(point.through + point.left));
    let Some(last) = burn.points.last() else { return html! {} };
    let row = |point: &Point| (point.at_ms, vec![u64::from(point.total), open(point), u64::from(point.left)]);
    let names = [("all tasks", "plain"), ("open", "good"), ("left for a person", "bad")];
    drawn(&Chart {
        id: "burn-down",
        label: format!("{} of {} tasks are open", open(last), last.total),
        each_ms: None,
        unit: Unit::Count,
        names: names.map(|(name, hue)| (name.to_owned(), hue)).to_vec(),
        rows: thinned(&burn.points).iter().map(row).collect(),
    })
}

/// Shows what calls to models had cost; nothing where they cost nothing.
pub fn spend(burn: &Burn) -> Markup {
    let Some(last) = burn.points.last().filter(|last| last.nano_usd > 0) else { return html! {} };
    drawn(&Chart {
        id: "spend",
        label: format!("{} spent on models", Usd(last.nano_usd)),
        each_ms: None,
        unit: Unit::Usd,
        names: vec![("spent".to_owned(), "busy")],
        rows: thinned(&burn.points).iter().map(|point| (point.at_ms, vec![point.nano_usd])).collect(),
    })
}

/// Shows what landed, conflicted and was thrown out in each stretch of time; nothing where nothing did.
pub fn landings(spans: &Spans) -> Markup {
    let names = [(LANDED, "good"), (CONFLICTS, "bad"), (EJECTED, "warn")];
    let names = names.into_iter().filter(|(name, _)| spans.total(name) > 0);
    let rows = names.map(|(name, hue)| (name.to_owned(), hue, vec![name])).collect();
    columns("landings", "landings, conflicts and candidates thrown out", spans, Unit::Count, rows)
}

/// Shows what was spent in each stretch of time, those who spent most each by name; nothing where nothing was.
pub fn outlay(id: &'static str, what: &str, spans: &Spans) -> Markup {
    let mut names: Vec<&str> = spans.rows.keys().map(String::as_str).collect();
    names.sort_by_key(|name| std::cmp::Reverse(spans.total(name)));
    let rest = names.split_off(names.len().min(HUES.len() - 1));
    // By name, so that a hue stays with its name while sums grow.
    names.sort_unstable();
    let mut rows: Vec<_> = names.into_iter().zip(HUES).map(|(name, hue)| (fit(name, NAME), hue, vec![name])).collect();
    if !rest.is_empty() {
        rows.push((OTHERS.to_owned(), HUES[HUES.len() - 1], rest));
    }
    columns(id, what, spans, Unit::Usd, rows)
}

/// Shows sums over time; each row is told its name, its hue and the names whose sums it holds.
fn columns(
    id: &'static str,
    what: &str,
    spans: &Spans,
    unit: Unit,
    rows: Vec<(String, &'static str, Vec<&str>)>,
) -> Markup {
    if spans.stretches() == 0 {
        return html! {};
    }
    let together = spans.stretches().div_ceil(COLUMNS);
    let each_ms = spans.each_ms.saturating_mul(together as u64);
    let sums: Vec<Vec<u64>> = rows.iter().map(|(_, _, names)| sums(names, spans, together)).collect();
    let total = sums.iter().flatten().copied().fold(0, u64::saturating_add);
    let count = spans.stretches().div_ceil(together);
    let span = words::duration(each_ms.saturating_mul(count as u64));
    let starts = std::iter::successors(Some(spans.from_ms), |at_ms| Some(at_ms.saturating_add_unsigned(each_ms)));
    drawn(&Chart {
        id,
        label: format!("{what}: {} in {span}", unit.told(total)),
        each_ms: Some(each_ms),
        unit,
        names: rows.into_iter().map(|(name, hue, _)| (name, hue)).collect(),
        rows: starts
            .take(count)
            .enumerate()
            .map(|(at, start)| (start, sums.iter().map(|row| row[at]).collect()))
            .collect(),
    })
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

/// Keeps the last point of each moment, and of many moments as many as are told, the first and the last among them.
fn thinned(points: &[Point]) -> Vec<Point> {
    let mut moments: BTreeMap<i64, Point> = BTreeMap::new();
    for point in points {
        // A clock that was turned back counts as one that stood still.
        let at_ms = moments.last_key_value().map_or(point.at_ms, |(last_ms, _)| point.at_ms.max(*last_ms));
        moments.insert(at_ms, Point { at_ms, ..*point });
    }
    let (each, end) = (moments.len().div_ceil(POINTS - 1).max(1), moments.len().saturating_sub(1));
    let is_kept = |at: usize| at.is_multiple_of(each) || at == end;
    moments.into_values().enumerate().filter(|(at, _)| is_kept(*at)).map(|(_, point)| point).collect()
}

/// Writes the place of a picture, which a script draws, and the numbers that it is drawn from.
fn drawn(chart: &Chart) -> Markup {
    let Chart { id, label, each_ms, unit, names, rows } = chart;
    let is_money = *unit == Unit::Usd;
    html! {
        figure.chart id=(id) aria-label=(label) data-each=[each_ms] data-unit=[is_money.then_some("USD")] {
            div hidden data-plot tabindex="0" role="application" aria-label="the chart; arrow keys go along it" {}
            details {
                summary { "Numbers" @if is_money { ", in USD" } }
                div.wide tabindex="0" role="region" aria-label={ "numbers: " (label) } { table {
                    thead { tr {
                        th { @if each_ms.is_some() { "from" } @else { "time" } " (UTC)" }
                        @for (name, hue) in names { th data-hue=(hue) { (name) } }
                    } }
                    tbody { @for (at_ms, numbers) in rows {
                        tr { td { (moment(*at_ms)) } @for number in numbers { td { (unit.exact(*number)) } } }
                    } }
                } }
            }
        }
    }
}

/// Writes a time to the millisecond, in UTC.
fn moment(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spend::nano_usd_of;

    const fn point(at_ms: i64, through: u32) -> Point {
        Point { at_ms, total: 10, through, left: 1, nano_usd: through as u64 * 1_500_000 }
    }

    fn burn(points: Vec<Point>) -> Burn {
        Burn { points, ..Burn::default() }
    }

    #[test]
    fn a_line_tells_each_moment_once_and_time_never_goes_back() {
        let burn = burn(vec![point(5, 0), point(5, 1), point(1005, 4), point(900, 5)]);
        let told = burn_down(&burn).into_string();
        assert!(told.contains("aria-label=\"4 of 10 tasks are open\""), "{told}");
        let body = told.split("<tbody>").nth(1).unwrap();
        let rows = "<tr><td>1970-01-01 00:00:00.005</td><td>10</td><td>8</td><td>1</td></tr>\
                    <tr><td>1970-01-01 00:00:01.005</td><td>10</td><td>4</td><td>1</td></tr></tbody>";
        assert!(body.starts_with(rows), "{body}");
        let told = spend(&burn).into_string();
        assert!(told.contains("<td>0.0075</td>") && told.contains("$0.0075 spent on models"), "{told}");
        assert_eq!(burn_down(&Burn::default()).into_string(), "");
        assert_eq!(spend(&super::tests::burn(vec![point(5, 0)])).into_string(), "");
    }

    #[test]
    fn a_long_line_is_thinned_and_ends_as_it_stands() {
        for count in [1, 2, POINTS - 1, POINTS, POINTS + 1, 512, 10_000] {
            let points: Vec<Point> = (0..count).map(|at| point(at as i64, at as u32)).collect();
            let kept = thinned(&points);
            assert!(kept.len() <= POINTS && kept.len() >= count.min(POINTS / 2), "{} of {count}", kept.len());
            assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
            assert!(kept.is_sorted_by(|one, two| one.at_ms < two.at_ms));
        }
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn sums_are_told_under_their_names_and_no_name_does_anything() {
        let mut spans = Spans::default();
        for (name, at_ms, sum) in [("a", 0, 3), ("b", 0, 1), ("a", 1000, 2_500_000_000), ("<b>\u{202e}", 1000, 2)] {
            spans.add(name, at_ms, sum);
        }
        let told = outlay("by-role", "sums", &spans).into_string();
        let head = "<th>from (UTC)</th><th data-hue=\"busy\">&lt;b&gt;\\u{202e}</th><th data-hue=\"good\">a</th>";
        assert!(told.contains(head), "{told}");
        let rows = "<tr><td>1970-01-01 00:00:00.000</td><td>0</td><td>0.000000003</td><td>0.000000001</td></tr>\
                    <tr><td>1970-01-01 00:00:01.000</td><td>0.000000002</td><td>2.5</td><td>0</td></tr>";
        assert!(told.contains(rows), "{told}");
        assert!(told.contains("data-each=\"1000\"") && told.contains("aria-label=\"sums: $2.51 in 2.0 s\""), "{told}");
        assert_eq!(outlay("by-role", "sums", &Spans::default()).into_string(), "");
    }

    #[test]
    fn what_landing_met_keeps_its_hue_whatever_else_it_met() {
        let mut spans = Spans::default();
        spans.add(EJECTED, 0, 1);
        assert!(landings(&spans).into_string().contains("(UTC)</th><th data-hue=\"warn\">ejected</th></tr>"));
        spans.add(LANDED, 0, 7);
        let told = landings(&spans).into_string();
        assert!(told.contains("<th data-hue=\"good\">landed</th><th data-hue=\"warn\">ejected</th></tr>"), "{told}");
        assert_eq!(landings(&Spans::default()).into_string(), "");
    }

    #[test]
    fn a_long_run_of_many_names_is_a_small_table_of_the_whole_sum() {
        let mut spans = Spans::default();
        for at in 0..100_000 {
            spans.add(&format!("name {}", at % 40), at * 1000, 7);
        }
        let told = outlay("by-model", "sums", &spans).into_string();
        assert!(told.len() < 24 << 10, "{} bytes", told.len());
        assert_eq!(told.matches("<th ").count(), HUES.len());
        let cells = told.split("<td>").skip(1).map(|cell| cell.split('<').next().unwrap());
        assert_eq!(cells.filter_map(nano_usd_of).sum::<u64>(), 700_000);
    }
}
