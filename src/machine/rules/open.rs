//! Owns how a run begins and how it is taken over: opened once, its branch made, its base checked, woken.

use crate::machine::command::Opening;
use crate::machine::event::{Event, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt;
use crate::machine::state::State;
use crate::model::check::CheckResult;
use crate::model::ids::{Oid, ScopeId};
use crate::model::paths::PathSet;
use crate::model::task::ScopeDraft;

pub(in crate::machine) fn open(opening: &Opening) -> Vec<Event> {
    let goal = &opening.goal;
    let root = ScopeDraft {
        key: "root".to_owned(),
        title: goal.name.clone(),
        paths: PathSet::everything(),
        decisions: std::collections::BTreeSet::new(),
        role: goal.plan.planner.clone(),
        brief: String::new(),
    };
    vec![
        Event::RunOpened(Box::new(opening.clone())),
        Event::ScopeOpened { scope: ScopeId(0), parent: None, draft: root, iteration: 1 },
    ]
}

pub(in crate::machine) fn wake(state: &State, epoch: u64) -> Result<Vec<Event>, Rejection> {
    if epoch <= state.epoch {
        return Err(Rejection::StaleEpoch { epoch, current: state.epoch });
    }
    let mut events = vec![Event::CoordinatorWoke { epoch }];
    for id in &state.running {
        events.extend(attempt::lost(state, *id, "its coordinator died")?);
    }
    Ok(events)
}

pub(in crate::machine) fn branch(state: &State, at: Oid) -> Result<Vec<Event>, Rejection> {
    if state.head.is_some() {
        return Err(Rejection::Stale("the opening of the branch"));
    }
    if at != state.opening().base {
        return Ok(trouble(
            state,
            &format!("the run's branch was to be made at {} but stands at {at}", state.opening().base),
        ));
    }
    Ok(vec![Event::BranchOpened { at }])
}

pub(in crate::machine) fn baseline(state: &State, results: &[CheckResult]) -> Result<Vec<Event>, Rejection> {
    if state.baseline.is_some() {
        return Err(Rejection::Stale("the baseline"));
    }
    Ok(vec![Event::BaselineTaken { results: results.to_vec() }])
}

pub(in crate::machine) fn trouble(state: &State, what: &str) -> Vec<Event> {
    if state.rest.is_some() || state.end.is_some() {
        return Vec::new();
    }
    vec![Event::RunParked { why: Rest::Trouble { what: what.to_owned() } }]
}
