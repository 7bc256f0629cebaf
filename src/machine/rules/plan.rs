//! Owns what planners may do: tasks inside their scope, disjoint sub-scopes, one owner a decision, all bounded.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graphmap::DiGraphMap;

use crate::machine::command::PlanStep;
use crate::machine::event::{Event, NewTask};
use crate::machine::rejection::Rejection;
use crate::machine::rules::asked;
use crate::machine::rules::seat::sits;
use crate::machine::state::{Planning, Scope, State};
use crate::model::ids::{ScopeId, TaskId};
use crate::model::role::{Limits, Part};
use crate::model::seat::Seat;
use crate::model::task::{ScopeDraft, TaskDraft, Work};

pub(in crate::machine) fn report(
    state: &State,
    (id, wake, fence): (ScopeId, u32, u64),
    step: &PlanStep,
) -> Result<Vec<Event>, Rejection> {
    let scope = state.scopes.get(&id).ok_or(Rejection::NoScope(id))?;
    if scope.wake != wake || scope.status != Planning::Active {
        return Err(Rejection::StalePlanner { scope: id, wake });
    }
    if state.plans_by_session(&scope.draft.role) {
        let seat = Seat::Planner { scope: id, wake };
        sits(state, seat, fence)?;
        if matches!(step, PlanStep::Done | PlanStep::Fail(_)) {
            return Err(Rejection::StaleSeat(seat));
        }
    }
    match step {
        PlanStep::Emit(drafts) => emit(state, id, scope, drafts),
        PlanStep::Spawn(drafts) => spawn(state, id, scope, drafts),
        PlanStep::Claim { key, value } => asked::claim(state, id, key, value),
        PlanStep::AnswerScope(answer) => asked::answer(state, id, answer),
        PlanStep::Done => Ok(vec![Event::PlannerFinished { scope: id, wake }]),
        PlanStep::Fail(why) => Ok(vec![Event::PlannerFailed { scope: id, wake, why: why.clone() }]),
    }
}

pub(in crate::machine) fn limits(state: &State, role: &str) -> Limits {
    state.opening().roles.get(role).map(|role| role.limits.clone()).unwrap_or_default()
}

/// Makes sure that the run has a role for this part, and an agent in it.
pub(in crate::machine) fn can_play(state: &State, key: &str, role: &str, part: Part) -> Result<(), Rejection> {
    let found = state.opening().roles.get(role).filter(|role| role.part == part && !role.agents.is_empty());
    found.map(|_| ()).ok_or_else(|| Rejection::NoRole { key: key.to_owned(), role: role.to_owned() })
}

fn emit(state: &State, id: ScopeId, scope: &Scope, drafts: &[TaskDraft]) -> Result<Vec<Event>, Rejection> {
    let mut fresh: Vec<&TaskDraft> = Vec::new();
    let mut seen = BTreeSet::new();
    for draft in drafts {
        if draft.key.is_empty() {
            return Err(Rejection::NoKey);
        }
        if !state.task_keys.contains_key(&draft.key) && seen.insert(&draft.key) {
            fresh.push(draft);
        }
    }
    let limit = limits(state, &scope.draft.role).tasks;
    if scope.emitted as usize + fresh.len() > limit as usize {
        return Err(Rejection::TooMany { scope: id, what: "tasks", limit });
    }
    let first = next_task(state);
    let names: BTreeMap<&str, TaskId> =
        fresh.iter().zip(first.0..).map(|(draft, number)| (draft.key.as_str(), TaskId(number))).collect();
    let mut waits = DiGraphMap::<TaskId, ()>::new();
    let mut tasks = Vec::with_capacity(fresh.len());
    for draft in fresh {
        if !scope.draft.paths.covers(&draft.paths) {
            return Err(Rejection::TaskOutside { key: draft.key.clone(), scope: id });
        }
        let open = state.splits.iter().filter_map(|id| state.tasks.get(id)).map(|task| &task.draft);
        may_split(open.chain(tasks.iter().map(|task: &NewTask| &task.draft)), draft)?;
        can_play(state, &draft.key, &draft.role, Part::Worker)?;
        let task = names[draft.key.as_str()];
        let mut after = Vec::new();
        for key in &draft.after {
            let before = names.get(key.as_str()).or_else(|| state.task_keys.get(key)).copied();
            let before = before.ok_or_else(|| Rejection::UnknownTask { key: draft.key.clone(), after: key.clone() })?;
            waits.add_edge(before, task, ());
            after.push(before);
        }
        tasks.push(new_task(task, draft.clone(), after));
    }
    if let Err(cycle) = petgraph::algo::toposort(&waits, None) {
        let key = tasks.iter().find(|task| task.id == cycle.node_id()).map(|task| task.draft.key.clone());
        return Err(Rejection::Cycle { key: key.unwrap_or_default() });
    }
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::TasksEmitted { scope: id, tasks }])
}

/// Makes sure that a task splits what it owns, and that nobody else is at that.
pub(in crate::machine) fn may_split<'a>(
    mut others: impl Iterator<Item = &'a TaskDraft>,
    draft: &TaskDraft,
) -> Result<(), Rejection> {
    if draft.splits.is_empty() {
        return Ok(());
    }
    if !draft.paths.covers(&draft.splits) {
        return Err(Rejection::SplitsOutside { key: draft.key.clone() });
    }
    match others.find(|other| other.splits.overlaps(&draft.splits)) {
        Some(other) => Err(Rejection::SplitTwice { key: draft.key.clone(), by: other.key.clone() }),
        None => Ok(()),
    }
}

pub(in crate::machine) fn next_task(state: &State) -> TaskId {
    TaskId(state.tasks.last().map_or(1, |id| id.0 + 1))
}

pub(in crate::machine) fn new_task(id: TaskId, draft: TaskDraft, after: Vec<TaskId>) -> NewTask {
    NewTask { id, draft, work: Work::Brief, after, agent: 0, findings: Vec::new() }
}

fn spawn(state: &State, id: ScopeId, parent: &Scope, drafts: &[ScopeDraft]) -> Result<Vec<Event>, Rejection> {
    let limits = limits(state, &parent.draft.role);
    let siblings = parent.children.iter().filter_map(|child| state.scopes.get(child));
    let mut beside: Vec<&ScopeDraft> =
        siblings.filter(|sibling| sibling.stands_in(state.iteration)).map(|sibling| &sibling.draft).collect();
    let mut events = Vec::new();
    let mut number = state.scopes.last_key_value().map_or(0, |(last, _)| last.0);
    let mut decisions: BTreeMap<&String, ScopeId> = BTreeMap::new();
    for draft in drafts {
        if draft.key.is_empty() {
            return Err(Rejection::NoKey);
        }
        if state.scope_keys.contains_key(&draft.key) || beside.iter().any(|other| other.key == draft.key) {
            continue;
        }
        if parent.depth + 1 > limits.depth {
            return Err(Rejection::TooMany {
                scope: id,
                what: "levels of planners below the root",
                limit: limits.depth,
            });
        }
        if beside.len() >= limits.fan_out as usize {
            return Err(Rejection::TooMany { scope: id, what: "sub-planners", limit: limits.fan_out });
        }
        can_play(state, &draft.key, &draft.role, Part::Planner)?;
        if !parent.draft.paths.covers(&draft.paths) {
            return Err(Rejection::ScopeOutside { key: draft.key.clone(), parent: id });
        }
        if let Some(other) = beside.iter().find(|other| other.paths.overlaps(&draft.paths)) {
            return Err(Rejection::ScopesOverlap { key: draft.key.clone(), other: other.key.clone() });
        }
        number += 1;
        for decision in &draft.decisions {
            if let Some(decided) = state.decided.get(decision) {
                let (owner, value) = (decided.scope, decided.value.clone());
                return Err(Rejection::Decided { decision: decision.clone(), owner, value });
            }
            let owner = decisions.get(decision).or_else(|| state.decisions.get(decision));
            if let Some(owner) = owner.copied().filter(|owner| *owner != id) {
                return Err(Rejection::DecisionTaken { decision: decision.clone(), owner });
            }
            decisions.insert(decision, ScopeId(number));
        }
        beside.push(draft);
        events.push(Event::ScopeOpened {
            scope: ScopeId(number),
            parent: Some(id),
            draft: draft.clone(),
            iteration: state.iteration,
        });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, after, attempt, draft, failed, kinds, part};

    fn refusal(scene: &Scene, step: PlanStep) -> Rejection {
        scene.when(&scene.plan(0, step)).expect_err("the law refuses this")
    }

    fn emit(drafts: Vec<TaskDraft>) -> PlanStep {
        PlanStep::Emit(drafts)
    }

    fn below(scope: u32, step: PlanStep) -> Command {
        Command::ReportPlan { scope: ScopeId(scope), wake: 1, fence: 0, step }
    }

    #[test]
    fn only_the_present_waking_of_a_known_scope_is_heard() {
        let scene = Scene::open();
        assert_eq!(scene.when(&below(7, PlanStep::Done)), Err(Rejection::NoScope(ScopeId(7))));
        let late = Command::ReportPlan { scope: ScopeId(0), wake: 2, fence: 0, step: PlanStep::Done };
        assert_eq!(scene.when(&late), Err(Rejection::StalePlanner { scope: ScopeId(0), wake: 2 }));
        let done = scene.plans(PlanStep::Done);
        assert_eq!(refusal(&done, emit(vec![])), Rejection::StalePlanner { scope: ScopeId(0), wake: 1 });
    }

    #[test]
    fn a_task_that_is_emitted_twice_is_emitted_once() {
        let scene = Scene::open().plans(emit(vec![draft("a", "a"), draft("a", "b")]));
        assert_eq!(scene.state.tasks.len(), 1);
        assert_eq!(scene.when(&scene.plan(0, emit(vec![draft("a", "c")]))), Ok(Vec::new()));
    }

    #[test]
    fn a_task_lies_in_the_scope_of_its_planner() {
        let scene = Scene::open().plans(PlanStep::Spawn(vec![part("a", "a/")]));
        let outside = scene.when(&below(1, emit(vec![draft("t", "b/x")])));
        assert_eq!(outside, Err(Rejection::TaskOutside { key: "t".into(), scope: ScopeId(1) }));
        assert!(scene.when(&below(1, emit(vec![draft("t", "a/x")]))).is_ok());
    }

    #[test]
    fn what_a_task_waits_for_is_known_and_no_ring() {
        let scene = Scene::open();
        let unknown = emit(vec![after(draft("a", "a"), "b")]);
        assert_eq!(refusal(&scene, unknown), Rejection::UnknownTask { key: "a".into(), after: "b".into() });
        let itself = emit(vec![after(draft("a", "a"), "a")]);
        assert_eq!(refusal(&scene, itself), Rejection::Cycle { key: "a".into() });
        let ring = emit(vec![after(draft("a", "a"), "b"), after(draft("b", "b"), "a")]);
        assert!(matches!(refusal(&scene, ring), Rejection::Cycle { .. }));
    }

    #[test]
    fn a_task_may_wait_for_a_later_one_of_the_same_list() {
        let drafts = vec![after(draft("late", "a"), "early"), draft("early", "b")];
        let scene = Scene::open().begun().planned(drafts);
        assert_eq!(scene.task(2).followers, [TaskId(1)]);
        assert_eq!(scene.task(2).rank, 2, "the longer chain counts for the one that it hangs on");
        assert_eq!(scene.lands(2).status(1), &Status::Running);
    }

    #[test]
    fn a_role_has_an_agent_and_plays_the_part_that_it_is_named_for() {
        let scene = Scene::open();
        for role in ["nobody", "idle", "planner"] {
            let task = TaskDraft { role: role.into(), ..draft("a", "a") };
            assert_eq!(refusal(&scene, emit(vec![task])), Rejection::NoRole { key: "a".into(), role: role.into() });
        }
        let scope = ScopeDraft { role: "worker".into(), ..part("a", "a/") };
        let refused = refusal(&scene, PlanStep::Spawn(vec![scope]));
        assert_eq!(refused, Rejection::NoRole { key: "a".into(), role: "worker".into() });
    }

    #[test]
    fn nothing_is_without_a_key() {
        let scene = Scene::open();
        assert_eq!(refusal(&scene, emit(vec![draft("", "a")])), Rejection::NoKey);
        assert_eq!(refusal(&scene, PlanStep::Spawn(vec![part("", "a/")])), Rejection::NoKey);
    }

    #[test]
    fn tasks_sub_planners_and_depth_are_bounded() {
        let scene = Scene::open().plans(emit((0..5).map(|n| draft(&n.to_string(), "a")).collect()));
        let more = emit(vec![draft("x", "a"), draft("y", "a")]);
        let too_many = |scope, what, limit| Rejection::TooMany { scope: ScopeId(scope), what, limit };
        assert_eq!(refusal(&scene, more), too_many(0, "tasks", 6));
        let wide = PlanStep::Spawn(vec![part("a", "a/"), part("b", "b/"), part("c", "c/")]);
        assert_eq!(refusal(&scene, wide), too_many(0, "sub-planners", 2));
        let scene = scene.plans(PlanStep::Spawn(vec![part("a", "a/")]));
        let deep = scene.when(&below(1, PlanStep::Spawn(vec![part("d", "a/d/")])));
        assert_eq!(deep, Err(too_many(1, "levels of planners below the root", 1)));
    }

    #[test]
    fn scopes_lie_in_their_parents_and_beside_their_siblings() {
        let scene = Scene::opened(|opening| {
            opening.roles.get_mut("planner").unwrap().limits.depth = 2;
        });
        let scene = scene.plans(PlanStep::Spawn(vec![part("a", "a/")]));
        let overlap = refusal(&scene, PlanStep::Spawn(vec![part("b", "a/b/")]));
        assert_eq!(overlap, Rejection::ScopesOverlap { key: "b".into(), other: "a".into() });
        let outside = scene.when(&below(1, PlanStep::Spawn(vec![part("b", "b/")])));
        assert_eq!(outside, Err(Rejection::ScopeOutside { key: "b".into(), parent: ScopeId(1) }));
        assert_eq!(scene.when(&scene.plan(0, PlanStep::Spawn(vec![part("a", "z/")]))), Ok(Vec::new()), "known by key");
    }

    #[test]
    fn a_decision_has_one_owner_who_may_hand_it_down_once() {
        let deciding = |key: &str, folder: &str| ScopeDraft { decisions: ["style".into()].into(), ..part(key, folder) };
        let scene = Scene::opened(|opening| {
            opening.roles.get_mut("planner").unwrap().limits.depth = 2;
        });
        let twice = PlanStep::Spawn(vec![deciding("a", "a/"), deciding("b", "b/")]);
        let taken = |owner| Rejection::DecisionTaken { decision: "style".into(), owner: ScopeId(owner) };
        assert_eq!(refusal(&scene, twice), taken(1));
        let scene = scene.plans(PlanStep::Spawn(vec![deciding("a", "a/")]));
        let down = below(1, PlanStep::Spawn(vec![deciding("c", "a/c/"), deciding("d", "a/d/")]));
        assert_eq!(scene.when(&down), Err(taken(2)), "two siblings may not both have it of their parent");
        assert_eq!(refusal(&scene, PlanStep::Spawn(vec![deciding("b", "b/")])), taken(1));
    }

    #[test]
    fn a_failed_planner_is_named_when_the_run_ends() {
        let scene = Scene::open().begun().plans(PlanStep::Fail("it gave up".into()));
        assert_eq!(scene.state.scopes[&ScopeId(0)].status, Planning::Failed("it gave up".into()));
        let events = scene.when(&Command::ReportConditions {
            head: scene.state.head.unwrap(),
            results: vec![crate::machine::testing::green("done")],
        });
        assert_eq!(kinds(&events.unwrap()), ["ConditionsChecked", "RunEnded"]);
    }

    #[test]
    fn a_planner_that_had_finished_is_woken_once_by_each_end_of_an_attempt() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        let scene = scene.ends(attempt(1, 1), failed()).settled();
        let root = &scene.state.scopes[&ScopeId(0)];
        assert_eq!((root.wake, root.given.as_slice(), root.inbox.len()), (2, &[attempt(1, 1)][..], 0));
        let scene = scene.plans(PlanStep::Done).settled();
        assert_eq!(scene.state.scopes[&ScopeId(0)].wake, 2, "a handoff is given once");
    }
}
