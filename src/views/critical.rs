//! Owns which tasks lie on the longest way through what is still open. Never shows it.

use std::collections::BTreeSet;

use crate::machine::state::State;
use crate::model::ids::TaskId;

/// Lists the tasks on the longest way through the open tasks, by rank.
pub fn critical(state: &State) -> BTreeSet<TaskId> {
    let open = |id: &TaskId| state.tasks.get(id).is_some_and(|task| !task.status.is_settled());
    let rank = |id: &TaskId| state.tasks.get(id).map_or(0, |task| task.rank);
    let mut path = BTreeSet::new();
    let mut at = state.tasks.keys().filter(|id| open(id)).max_by_key(|id| (rank(id), std::cmp::Reverse(**id))).copied();
    while let Some(id) = at {
        // A task waits for none that waits for it, so the way ends; were it not so, it would end here.
        if !path.insert(id) {
            break;
        }
        let followers = state.tasks.get(&id).map(|task| task.followers.as_slice()).unwrap_or_default();
        at = followers.iter().filter(|id| open(id)).max_by_key(|id| (rank(id), std::cmp::Reverse(**id))).copied();
    }
    // One task alone is no way.
    if path.len() > 1 { path } else { BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::story::Story;

    #[test]
    fn the_way_leads_from_the_highest_rank_to_who_waits_for_nobody_else() {
        let mut story = Story::open("", &[], 4);
        story.plan(12);
        let path = critical(&story.state);
        assert!(path.contains(&TaskId(11)) && path.contains(&TaskId(12)), "t12 waits for t11: {path:?}");
        assert!(critical(&Story::done("").state).is_empty());
    }
}
