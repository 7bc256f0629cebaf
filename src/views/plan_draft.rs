//! Owns the plan that waits for a person's word, as a person may edit it. Never shows it.

use crate::machine::rules::edit::planned;
use crate::machine::state::State;
use crate::model::goal::Gate;
use crate::model::plan_edit::{EditedTask, PlanEdit};

/// Gives the plan that waits; none where none does.
pub fn plan_draft(state: &State) -> Option<PlanEdit> {
    state.opening.as_ref()?;
    if state.waiting != Some(Gate::Plan) {
        return None;
    }
    let keys: std::collections::BTreeSet<&String> = planned(state).map(|(_, task)| &task.draft.key).collect();
    let tasks = planned(state).map(|(_, task)| {
        let mut draft = task.draft.clone();
        // What was given up meanwhile never lands: nobody waits for it.
        draft.after.retain(|key| keys.contains(key));
        EditedTask { scope: Some(task.scope), draft }
    });
    Some(PlanEdit { revision: state.asked.edits, tasks: tasks.collect() })
}
