//! Owns how the work that is left went down over time. Learns from events, because the state does not keep when something
//! landed. Never reads a clock.

use schemars::JsonSchema;
use serde::Serialize;

use crate::machine::event::{Event, Recorded};
use crate::machine::state::State;

/// Points that are kept; from there on every second one is dropped.
const POINTS_AT_MOST: usize = 512;

/// Shows how much work there was and how much is through, over time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Burn {
    /// The points, by time.
    pub points: Vec<Point>,
    /// How many changes lie between two points.
    #[serde(skip)]
    pub(crate) stride: u32,
    /// How many changes there were since the last point.
    #[serde(skip)]
    pub(crate) unseen: u32,
}

/// Tells where the work stood at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Point {
    /// The time, in milliseconds since 1970.
    pub at_ms: i64,
    /// Tasks that there were.
    pub total: u32,
    /// Tasks that were through: landed, or with nothing to do.
    pub through: u32,
    /// Tasks that were left for a person or given up.
    pub left: u32,
    /// What calls to models had cost, in nano-dollars.
    pub nano_usd: u64,
}

impl Burn {
    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        if matches!(recorded.event, Event::LeaseRenewed { .. }) {
            return;
        }
        let tally = state.tally;
        let point = Point {
            at_ms: recorded.at_ms,
            total: tally.total(),
            through: tally.landed + tally.nothing,
            left: tally.kept + tally.blocked + tally.dropped + tally.reverted,
            nano_usd: state.total_spent().spend.nano_usd,
        };
        let same = |last: &Point| Point { at_ms: point.at_ms, ..*last } == point;
        if self.points.last().is_some_and(same) {
            return;
        }
        self.unseen += 1;
        // The last point always stands for how it is.
        let between = self.points.len() > 1 && self.unseen < self.stride.max(1);
        if between {
            self.points.pop();
        } else {
            self.unseen = 0;
        }
        self.points.push(point);
        if self.points.len() > POINTS_AT_MOST {
            let last = self.points.len() - 1;
            let mut at = 0;
            self.points.retain(|_| {
                at += 1;
                (at - 1) % 2 == 0 || at - 1 == last
            });
            self.stride = self.stride.max(1) * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::evolve::evolve;
    use crate::views::story::Story;

    #[test]
    fn the_last_point_is_how_it_stands_and_points_stay_few() {
        let story = Story::incomplete("");
        let mut burn = Burn::default();
        let mut state = State::default();
        for recorded in &story.events {
            state = evolve(state, recorded);
            burn.learn(&state, recorded);
        }
        let last = burn.points.last().unwrap();
        assert_eq!((last.total, last.through), (state.tally.total(), state.tally.landed + state.tally.nothing));
        assert!(burn.points.is_sorted_by_key(|point| point.at_ms), "{burn:?}");
        let recorded = story.events.last().unwrap().clone();
        for count in 0..5000_u32 {
            state.tally.landed = count;
            burn.learn(&state, &Recorded { at_ms: recorded.at_ms + i64::from(count), ..recorded.clone() });
            assert!(burn.points.len() <= POINTS_AT_MOST);
            assert_eq!(burn.points.last().unwrap().through, count + state.tally.nothing);
        }
    }
}
