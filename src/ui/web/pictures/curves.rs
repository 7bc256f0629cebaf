//! Owns the pictures of how work went down and money went up over time. Pure.

use maud::{Markup, html};

use crate::model::spend::Usd;
use crate::views::burn::{Burn, Point};
use crate::views::words;

/// Size of a picture, in its own units.
const WIDTH: u64 = 1000;
const HEIGHT: u64 = 208;
/// What stands free at the top and at the bottom.
const TOP: u64 = 4;
const FOOT: u64 = 4;

/// Draws how many tasks there were, how many are open, and how many are left for a person.
pub fn burn_down(burn: &Burn) -> Markup {
    let most = burn.points.iter().map(|point| u64::from(point.total)).max().unwrap_or(0);
    let open = |point: &Point| u64::from(point.total.saturating_sub(point.through + point.left));
    let last = burn.points.last();
    let label = last.map_or_else(String::new, |last| format!("{} of {} tasks are open", open(last), last.total));
    let lines = [
        ("line-plain", steps(burn, most, |point| u64::from(point.total))),
        ("line-good", steps(burn, most, open)),
        ("line-bad", steps(burn, most, |point| u64::from(point.left))),
    ];
    html! {
        (curves(&label, &most.to_string(), burn, &lines))
        ul.legend {
            (named("line-plain", "all tasks")) (named("line-good", "open")) (named("line-bad", "left for a person"))
        }
    }
}

/// Draws what calls to models have cost over time; nothing where they cost nothing.
pub fn spend(burn: &Burn) -> Markup {
    let most = burn.points.iter().map(|point| point.nano_usd).max().unwrap_or(0);
    if most == 0 {
        return html! {};
    }
    let lines = [("line-busy", steps(burn, most, |point| point.nano_usd))];
    let label = format!("{} spent on models", Usd(most));
    curves(&label, &Usd(most).to_string(), burn, &lines)
}

fn named(class: &str, name: &str) -> Markup {
    html! { li { svg viewBox="0 0 20 10" aria-hidden="true" { path class=(class) d="M0 5H20" {} } " " (name) } }
}

fn curves(label: &str, most: &str, burn: &Burn, lines: &[(&str, String)]) -> Markup {
    let span = words::duration(words::between_ms(from(burn), to(burn)));
    html! {
        p.axis { span { "up to " (most) } }
        svg.chart.curves viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            path.grid d={ "M0 " (TOP) "H" (WIDTH) "M0 " (HEIGHT - FOOT) "H" (WIDTH) } {}
            @for (class, path) in lines { path class=(class) d=(path) {} }
        }
        p.axis { span { "0" } span { (span) } }
    }
}

fn from(burn: &Burn) -> i64 {
    burn.points.first().map_or(0, |point| point.at_ms)
}

fn to(burn: &Burn) -> i64 {
    burn.points.last().map_or(0, |point| point.at_ms)
}

/// Makes the path of a line that holds its height until the next point.
fn steps(burn: &Burn, most: u64, of: impl Fn(&Point) -> u64) -> String {
    let span = words::between_ms(from(burn), to(burn)).max(1);
    let room = HEIGHT - TOP - FOOT;
    let height = |value: u64| {
        HEIGHT - FOOT - u64::try_from(u128::from(value) * u128::from(room) / u128::from(most.max(1))).unwrap_or(0)
    };
    let mut path = String::new();
    let mut before = None;
    for point in &burn.points {
        let x = words::between_ms(from(burn), point.at_ms) * WIDTH / span;
        let y = height(of(point));
        match before {
            None => path.push_str(&format!("M{x} {y}")),
            Some(same) if same == y => continue,
            Some(_) => path.push_str(&format!("H{x}V{y}")),
        }
        before = Some(y);
    }
    if before.is_some() {
        path.push_str(&format!("H{WIDTH}"));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_and_ends_at_the_edges_and_stays_inside() {
        let point = |at_ms, through| Point { at_ms, total: 10, through, left: 0, nano_usd: 0 };
        let burn = Burn { points: vec![point(5, 0), point(5, 1), point(105, 4), point(205, 10)], ..Burn::default() };
        assert_eq!(steps(&burn, 10, |it| u64::from(it.through)), "M0 204H0V184H500V124H1000V4H1000");
        assert_eq!(steps(&Burn::default(), 0, |_| 0), "");
        assert!(burn_down(&burn).into_string().contains("0 of 10 tasks are open"));
        assert!(spend(&burn).into_string().is_empty());
        assert!(burn_down(&Burn::default()).into_string().contains("<svg"));
    }
}
