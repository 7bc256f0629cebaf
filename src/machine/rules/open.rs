//! Owns how a run begins and how it is taken over: opened once, its branch made, its base checked, woken.

use crate::machine::command::Opening;
use crate::machine::event::{Event, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::{self, Loss};
use crate::machine::rules::seat;
use crate::machine::state::State;
use crate::model::check::CheckResult;
use crate::model::ids::{Oid, ScopeId};
use crate::model::paths::PathSet;
use crate::model::sandbox::Tier;
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

pub(in crate::machine) fn wake(state: &State, epoch: u64, sandbox: Option<Tier>) -> Result<Vec<Event>, Rejection> {
    if epoch <= state.epoch {
        return Err(Rejection::StaleEpoch { epoch, current: state.epoch });
    }
    let mut events = vec![Event::CoordinatorWoke { epoch, sandbox }];
    for id in &state.running {
        events.extend(attempt::lost(state, *id, "its coordinator died", Loss::Other)?);
    }
    events.extend(seat::cut_all(state, "its coordinator died"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::machine::due::Effect;
    use crate::machine::testing::{Scene, attempt, draft, green, kinds, oid};

    #[test]
    fn nothing_but_opening_is_possible_before_a_run_is_open() {
        let empty = State::default();
        assert_eq!(crate::machine::decide::decide(&empty, &Command::Advance, 0), Err(Rejection::NotOpen));
        assert!(crate::machine::due::due(&empty).is_empty());
    }

    #[test]
    fn a_run_is_opened_once_with_its_root_scope() {
        let scene = Scene::open();
        assert_eq!(scene.state.scopes[&ScopeId(0)].draft.role, "planner");
        let again = Command::Open(Box::new(scene.state.opening().clone()));
        assert_eq!(scene.when(&again), Err(Rejection::AlreadyOpen));
    }

    #[test]
    fn an_older_coordinator_may_not_wake() {
        let stale = Rejection::StaleEpoch { epoch: 1, current: 1 };
        assert_eq!(Scene::open().when(&Command::Wake { epoch: 1, sandbox: None }), Err(stale));
    }

    #[test]
    fn what_ran_under_a_dead_coordinator_is_lost_and_tried_again() {
        let scene =
            Scene::open().begun().planned(vec![draft("a", "a")]).does(Command::Wake { epoch: 2, sandbox: None });
        assert!(scene.state.running.is_empty());
        assert_eq!(scene.task(1).lost, 0);
        let scene = scene.settled();
        assert!(scene.state.running.contains(&attempt(1, 2)));
    }

    #[test]
    fn the_branch_is_opened_once_and_at_the_base_only() {
        let at = |number| Command::ReportBranch { at: oid(number) };
        assert_eq!(kinds(&Scene::open().when(&at(9)).unwrap()), ["RunParked"]);
        let scene = Scene::open().does(at(1));
        assert_eq!(scene.when(&at(1)), Err(Rejection::Stale("the opening of the branch")));
        assert!(!scene.owes().contains(&Effect::OpenBranch));
    }

    #[test]
    fn the_baseline_is_taken_once() {
        let results = || vec![green("tests")];
        let scene = Scene::open().does(Command::ReportBaseline { results: results() });
        assert!(scene.state.baseline.as_ref().is_some_and(|baseline| baseline.contains_key("tests")));
        let again = Command::ReportBaseline { results: results() };
        assert_eq!(scene.when(&again), Err(Rejection::Stale("the baseline")));
    }

    #[test]
    fn trouble_rests_the_run_until_somebody_takes_it_over() {
        let what = "the disk is full".to_owned();
        let scene = Scene::open().does(Command::ReportTrouble { what: what.clone() });
        assert_eq!(scene.state.rest, Some(Rest::Trouble { what: what.clone() }));
        assert!(scene.owes().is_empty());
        assert_eq!(scene.when(&Command::ReportTrouble { what }), Ok(Vec::new()), "told once is enough");
        assert!(scene.does(Command::Wake { epoch: 2, sandbox: None }).state.is_live());
    }
}
