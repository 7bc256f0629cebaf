//! Owns how landing went over time: landings, conflicts, candidates that were thrown out, and which paths were fought
//! over. Learns from events, because the state does not keep when something landed. Never reads a clock.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::spans::Spans;
use crate::machine::event::{Event, Lease, Recorded};
use crate::machine::state::State;
use crate::model::ids::TaskId;

/// Paths that are kept; from there on the coldest half is dropped.
const PATHS: usize = 4096;
/// Paths of one task that are counted: whoever owns more owns no single file.
const PATHS_OF_TASK: usize = 64;

/// Names the row of landings.
pub const LANDED: &str = "landed";
/// Names the row of conflicts on merging.
pub const CONFLICTS: &str = "conflicts";
/// Names the row of candidates that a check threw out of their batch.
pub const EJECTED: &str = "ejected";

/// Holds how landing went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Landings, conflicts and candidates that were thrown out, over time.
    pub over_time: Spans,
    /// How often each path was worked on and fought over.
    paths: BTreeMap<String, Heat>,
}

/// Counts what happened at one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Heat {
    /// Merges that met a conflict there.
    pub conflicts: u32,
    /// Attempts at tasks that own it.
    pub attempts: u32,
    /// Landings of tasks that own it.
    pub landed: u32,
}

/// Shows how landing went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrafficView {
    /// Landings, conflicts and candidates that were thrown out, over time.
    pub over_time: Spans,
    /// The paths at which most happened, the hottest first.
    pub hottest: Vec<HotPath>,
}

/// Shows what happened at one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HotPath {
    /// The path; a folder ends in `/`.
    pub path: String,
    /// What happened.
    pub heat: Heat,
}

impl Traffic {
    /// Shows it, with at most so many paths.
    pub fn view(&self, most: usize) -> TrafficView {
        let row = |(path, heat): (&str, Heat)| HotPath { path: path.to_owned(), heat };
        TrafficView { over_time: self.over_time.clone(), hottest: self.hottest(most).into_iter().map(row).collect() }
    }

    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        let at_ms = recorded.at_ms;
        if let Event::AttemptLeased(Lease { attempt, .. }) = &recorded.event {
            self.touch(state, attempt.task, |heat| heat.attempts += 1);
        } else if let Event::BatchLanded { landed, .. } = &recorded.event {
            self.over_time.add(LANDED, at_ms, landed.len() as u64);
            for link in landed {
                self.touch(state, link.attempt.task, |heat| heat.landed += 1);
            }
        } else if let Event::BatchMerged { conflicts, .. } = &recorded.event {
            self.over_time.add(CONFLICTS, at_ms, conflicts.len() as u64);
            for path in conflicts.iter().flat_map(|conflict| conflict.paths.iter().take(PATHS_OF_TASK)) {
                self.paths.entry(path.clone()).or_default().conflicts += 1;
            }
            self.cool();
        } else if let Event::MemberEjected { .. } = &recorded.event {
            self.over_time.add(EJECTED, at_ms, 1);
        }
    }

    /// Lists the paths at which most happened, the hottest first.
    pub fn hottest(&self, most: usize) -> Vec<(&str, Heat)> {
        let mut rows: Vec<(&str, Heat)> = self.paths.iter().map(|(path, heat)| (path.as_str(), *heat)).collect();
        rows.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(two.0)));
        rows.truncate(most);
        rows
    }

    fn touch(&mut self, state: &State, task: TaskId, count: impl Fn(&mut Heat)) {
        let Some(task) = state.tasks.get(&task) else { return };
        for path in task.draft.paths.iter().take(PATHS_OF_TASK) {
            match self.paths.get_mut(path) {
                Some(heat) => count(heat),
                None => count(self.paths.entry(path.to_owned()).or_default()),
            }
        }
        self.cool();
    }

    fn cool(&mut self) {
        if self.paths.len() <= PATHS {
            return;
        }
        let mut heats: Vec<Heat> = self.paths.values().copied().collect();
        heats.sort_unstable();
        let middle = heats[heats.len() / 2];
        // Where all are alike none tells more than another, and all go.
        self.paths.retain(|_, heat| *heat > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::evolve::evolve;
    use crate::views::story::Story;

    #[test]
    fn what_lands_and_what_conflicts_is_counted_where_it_happened() {
        let story = Story::incomplete("");
        let (mut state, mut traffic) = (State::default(), Traffic::default());
        for recorded in &story.events {
            state = evolve(state, recorded);
            traffic.learn(&state, recorded);
        }
        assert_eq!(traffic.over_time.total(LANDED), u64::from(state.tally.landed));
        let conflicts = traffic.over_time.total(CONFLICTS);
        assert!(conflicts > 0);
        let hottest = traffic.hottest(3);
        assert_eq!(hottest[0].0, "src/runtime/shared.rs");
        assert_eq!(u64::from(hottest[0].1.conflicts), conflicts);
        let all = traffic.hottest(usize::MAX);
        let attempts: u32 = all.iter().map(|(_, heat)| heat.attempts).sum();
        assert_eq!(u64::from(attempts), state.attempts_made(), "each task owns one file");
    }

    #[test]
    fn paths_stay_few_and_the_hottest_stay() {
        let mut traffic = Traffic::default();
        for number in 0..3 * PATHS {
            traffic.paths.entry(format!("path {number}")).or_default().attempts += 1;
            traffic.paths.entry("hot".to_owned()).or_default().conflicts += 1;
            traffic.cool();
            assert!(traffic.paths.len() <= PATHS);
        }
        assert_eq!(traffic.hottest(1)[0].0, "hot");
        assert_eq!(traffic.hottest(1)[0].1.conflicts as usize, 3 * PATHS);
    }
}
