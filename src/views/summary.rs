//! Owns a run in a few words and numbers, as lists of runs show it. Never shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::{Counts, counts};
use super::ended::{Ended, ended};
use super::inbox::{Bucket, Item, inbox};
use crate::machine::state::State;
use crate::model::ids::RunId;

/// Tells of a run in a few words and numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// The run.
    pub run: RunId,
    /// Its goal.
    pub goal: String,
    /// How it stands or ended.
    pub stands: Ended,
    /// Tasks by status.
    pub counts: Counts,
    /// Attempts that were made.
    pub attempts: u64,
    /// What calls to models have cost, in nano-dollars.
    pub nano_usd: u64,
    /// What they may cost, in nano-dollars, where that is limited.
    pub budget_nano_usd: Option<u64>,
    /// Accepted candidates that have not landed yet.
    pub queue: usize,
    /// What needs a person, failed or is finished; of tasks only those that need one or failed.
    #[serde(skip)]
    pub inbox: Vec<Item>,
}

impl Summary {
    /// Counts what needs a person.
    pub fn needs(&self) -> usize {
        self.inbox.iter().filter(|item| item.bucket == Bucket::NeedsInput).count()
    }
}

/// Sums a run up; nothing where it is not open.
pub fn summary(state: &State) -> Option<Summary> {
    let opening = state.opening.as_deref()?;
    let mut items = inbox(state);
    items.retain(Item::is_open);
    Some(Summary {
        run: opening.run.clone(),
        goal: opening.goal.name.clone(),
        stands: ended(state),
        counts: counts(state.tally),
        attempts: state.attempts_made(),
        nano_usd: state.total_spent().spend.nano_usd,
        budget_nano_usd: state.budget.nano_usd,
        queue: state.queue.len(),
        inbox: items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::story::Story;

    #[test]
    fn a_summary_counts_what_needs_a_person_and_leaves_what_is_finished_out() {
        let story = Story::incomplete("");
        let made = summary(&story.state).unwrap();
        assert_eq!(made.needs(), 1, "t6 lacks something");
        assert!(made.inbox.iter().all(|item| item.task.is_none() || item.bucket != Bucket::Finished));
        assert_eq!(made.counts, counts(story.state.tally));
        assert_eq!(summary(&State::default()), None);
    }
}
