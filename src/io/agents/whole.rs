//! Owns how a goal becomes a single task: for what one agent does from end to end. Never looks into the repository.

use std::collections::BTreeSet;

use crate::model::goal::Goal;
use crate::model::paths::PathSet;
use crate::model::task::TaskDraft;

/// Drafts the one task of a planning, counted from 1. It owns all that the goal does; what the goal owns by its very name
/// it owns by name too, so that tests and lock files among it may change.
pub fn task(goal: &Goal, iteration: u32) -> TaskDraft {
    let conditions: Vec<String> = goal.done.iter().map(|condition| format!("- {}", condition.name())).collect();
    let again =
        if iteration > 1 { "Work on it has landed before and did not reach it; go on from there. " } else { "" };
    let by_name = goal.owns.iter().filter(|path| !path.contains(['*', '?', '[', '{', '\\'])).cloned();
    TaskDraft {
        key: format!("i{iteration}/goal"),
        title: goal.name.clone(),
        brief: format!(
            "Reach the goal below; nobody else works on it. {again}It is reached when these hold:\n{}",
            conditions.join("\n")
        ),
        paths: PathSet { files: by_name.collect(), ..PathSet::everything() },
        after: BTreeSet::new(),
        checks: Vec::new(),
        role: goal.plan.worker.clone(),
        rules: goal.plan.rules.clone(),
        weight: 1,
        splits: PathSet::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::goal_text;

    #[test]
    fn one_task_owns_what_the_goal_owns_and_is_another_in_each_planning() {
        let text = "---\nname: a goal\ndone: [\"true\"]\nowns: [\"src/**\", Cargo.lock]\nplan: { planner: whole }\n---\nDo it.\n";
        let goal = goal_text::read(text).unwrap();
        let (first, second) = (task(&goal, 1), task(&goal, 2));
        assert!(first.paths.holds("any/where.rs") && first.paths.files.contains("Cargo.lock"));
        assert_eq!(first.paths.files.len(), 1);
        assert_ne!(first.key, second.key);
        assert!(second.brief.contains("did not reach it") && !first.brief.contains("did not reach it"));
        assert!(first.brief.ends_with("- true"), "{}", first.brief);
    }
}
