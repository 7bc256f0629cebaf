//! Owns what becomes of a plan that a person sends back: nothing of it stands, and its planner makes another, told why.

use crate::machine::event::Event;
use crate::machine::rejection::Rejection;
use crate::machine::rules::edit::planned;
use crate::machine::state::State;
use crate::model::ids::{ScopeId, TaskId};

/// How often plans of one run are sent back. Each takes a person, so that it bounds nobody who reads them; it stops a program
/// that answers for one.
pub const SENT_BACK_MOST: usize = 50;

/// Sends the plan back that waits for a word.
pub(in crate::machine) fn plan(state: &State, reason: &str) -> Result<Vec<Event>, Rejection> {
    if reason.trim().is_empty() {
        return Err(Rejection::SentBackForNothing);
    }
    if !state.is_planned_by_session() {
        return Err(Rejection::NoPlannerHears);
    }
    if state.asked.sent_back.len() >= SENT_BACK_MOST {
        return Err(Rejection::SentBackTooOften(SENT_BACK_MOST));
    }
    let root = ScopeId(0);
    let wake = state.scopes.get(&root).ok_or(Rejection::NoScope(root))?.wake + 1;
    let dropped: Vec<TaskId> = planned(state).map(|(id, _)| id).collect();
    Ok(vec![
        Event::PlanSentBack { reason: reason.to_owned(), dropped },
        Event::PlannerWoken { scope: root, wake, handoffs: Vec::new() },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::awaited::{Objection, Shown};
    use crate::machine::command::{Ask, Command, Leave, PlanStep};
    use crate::machine::event::Rest;
    use crate::machine::laws::follows;
    use crate::machine::state::{Planning, Status};
    use crate::machine::testing::{Scene, draft, kinds, part, request};
    use crate::model::attempt::Usage;
    use crate::model::goal::Gate;
    use crate::model::plan_edit::{EditedTask, PlanEdit};
    use crate::model::role::AgentRef;
    use crate::model::seat::Seat;
    use crate::model::task::{ScopeDraft, TaskDraft};

    /// Has a session plan, and a person asked before anything of it begins.
    fn begun(agent: &str) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.goal.approve.insert(Gate::Plan);
            opening.goal.plan.sample = 1;
            opening.roles.get_mut("planner").unwrap().agents = vec![agent.parse::<AgentRef>().unwrap()];
        });
        scene.begun().settled()
    }

    fn leaves(scene: Scene, scope: u32) -> Scene {
        let scope = ScopeId(scope);
        let seat = Seat::Planner { scope, wake: scene.state.scopes[&scope].wake };
        let fence = scene.state.sitting[&seat].fence;
        scene.does(Command::LeaveSeat { seat, fence, leave: Leave::Done, usage: Usage::default() }).settled()
    }

    /// Has the root's session hand this out, and nobody else be asked.
    fn planned_by(scene: Scene, drafts: Vec<TaskDraft>) -> Scene {
        leaves(scene.plans(PlanStep::Emit(drafts)), 0)
    }

    fn back(scene: &Scene, reason: &str) -> Ask {
        Ask::SendPlanBack(Objection { reason: reason.into(), shown: scene.state.shown() })
    }

    #[test]
    fn a_plan_that_is_sent_back_is_made_anew_and_asked_about_again() {
        let scene = planned_by(begun("claude"), vec![draft("a", "a"), draft("b", "b")]);
        assert_eq!(scene.state.rest, Some(Rest::Gate(Gate::Plan)));
        let word = back(&scene, "too much at once");
        let old = Ask::EditPlan(PlanEdit { revision: 0, tasks: Vec::new() });
        let events = scene.when(&request("q", word.clone())).unwrap();
        assert_eq!(kinds(&events), ["PlanSentBack", "PlannerWoken", "RequestAnswered"]);
        let scene = scene.asks(word).settled();
        assert_eq!((scene.state.waiting, scene.state.rest.clone(), scene.state.end.clone()), (None, None, None));
        assert!(scene.state.sitting.contains_key(&Seat::Planner { scope: ScopeId(0), wake: 2 }));
        assert_eq!(scene.status(1), &Status::Dropped { reason: "its plan was sent back: too much at once".into() });
        assert!(scene.refusal(Ask::Approve(Gate::Plan)).contains("nothing waits"));
        let scene = planned_by(scene, vec![draft("a", "a")]);
        assert_eq!((scene.state.waiting, scene.status(3)), (Some(Gate::Plan), &Status::Ready));
        assert!(scene.task(3).sample && !scene.state.sample_accepted, "the sample is of the plan that stands");
        assert!(scene.refusal(old).contains("edited since"), "an edit of the plan before is none of this");
        let scene = scene.asks(Ask::Approve(Gate::Plan)).settled();
        assert_eq!(scene.status(3), &Status::Running);
        assert!(matches!(scene.lands(3).status(3), Status::Landed { .. }));
    }

    #[test]
    fn what_was_shown_is_what_is_sent_back() {
        let scene = planned_by(begun("claude"), vec![draft("a", "a")]);
        let word = back(&scene, "no");
        let edited = EditedTask { scope: None, draft: draft("b", "b") };
        let moved = scene.clone().asks(Ask::EditPlan(PlanEdit { revision: 0, tasks: vec![edited] }));
        assert!(moved.refusal(word.clone()).contains("edited since it was shown"));
        let again = planned_by(scene.asks(word.clone()).settled(), vec![draft("a", "a")]);
        assert!(!again.refusal(word).is_empty(), "the same word is not one on the plan that followed");
        let shown = Shown { since_ms: 0, ..again.state.shown() };
        let old = Ask::SendPlanBack(Objection { reason: "no".into(), shown });
        assert!(again.refusal(old).contains("waits anew"));
    }

    #[test]
    fn only_a_session_is_told_and_only_with_a_reason() {
        let scene = planned_by(begun("claude"), vec![draft("a", "a")]);
        assert!(scene.refusal(back(&scene, " \n")).contains("with the reason"));
        let gated = Scene::opened(|opening| _ = opening.goal.approve.insert(Gate::Plan));
        let ruled = gated.begun().planned(vec![draft("a", "a")]);
        assert_eq!(ruled.state.waiting, Some(Gate::Plan));
        assert!(ruled.refusal(back(&ruled, "no")).contains("by rule or is written down"));
        let event = Event::PlanSentBack { reason: "no".into(), dropped: vec![TaskId(1)] };
        assert!(follows(&ruled.state, &event).unwrap_err().what.contains("nobody who hears why"));
        assert!(follows(&scene.state, &event).is_ok());
        let some = Event::PlanSentBack { reason: "no".into(), dropped: Vec::new() };
        assert!(follows(&scene.state, &some).unwrap_err().what.contains("not all of the plan"));
    }

    #[test]
    fn plans_are_not_sent_back_without_end() {
        let mut scene = planned_by(begun("claude"), vec![draft("a", "a")]);
        for time in 0..SENT_BACK_MOST {
            let word = back(&scene, &format!("{time}"));
            scene = planned_by(scene.asks(word).settled(), vec![draft("a", "a")]);
        }
        assert_eq!(scene.state.asked.sent_back.last().map(String::as_str), Some("49"));
        let refused = scene.refusal(back(&scene, "no"));
        assert_eq!(refused, Rejection::SentBackTooOften(SENT_BACK_MOST).to_string());
    }

    #[test]
    fn nothing_of_what_was_sent_back_stands_in_the_way_of_another_plan() {
        let below = || ScopeDraft { decisions: ["style".into()].into(), ..part("a", "a/") };
        let plans = |scene: Scene, scope: u32, step| {
            let command = scene.plan(scope, step);
            scene.does(command)
        };
        let once = |scene: Scene, child: u32| {
            let claim = PlanStep::Claim { key: "errors".into(), value: "one enum".into() };
            let scene = scene.plans(claim).plans(PlanStep::Spawn(vec![below()])).settled();
            let drafts = (0..6).map(|n| draft(&format!("t{n}"), "a/x")).collect();
            let scene = plans(scene, child, PlanStep::Emit(drafts));
            leaves(leaves(scene, child), 0)
        };
        let scene = once(begun("claude"), 1);
        assert_eq!((scene.state.waiting, scene.state.tasks.len()), (Some(Gate::Plan), 6));
        let word = back(&scene, "one part too many");
        let scene = once(scene.asks(word).settled(), 2);
        let [gone, stands] = [1, 2].map(|id| scene.state.scopes[&ScopeId(id)].status.clone());
        assert_eq!((gone, stands), (Planning::SentBack, Planning::Finished));
        assert_eq!((scene.state.decisions["style"], scene.state.tally.ready), (ScopeId(2), 6));
        let into = |scope| EditedTask { scope: Some(ScopeId(scope)), draft: draft("more", "a/y") };
        let edit = |task| Ask::EditPlan(PlanEdit { revision: 1, tasks: vec![task] });
        assert!(scene.refusal(edit(into(1))).contains("no scope"));
        assert_eq!(scene.refusal(edit(into(2))), "");
        let scene = scene.asks(Ask::Approve(Gate::Plan)).settled();
        assert_eq!(scene.status(7), &Status::Running);
    }

    #[test]
    fn a_planner_that_finds_nothing_to_hand_out_then_ends_the_run_as_ever() {
        let scene = planned_by(begun("claude"), vec![draft("a", "a")]);
        let word = back(&scene, "it is all there already");
        let scene = leaves(scene.asks(word).settled(), 0);
        assert_eq!(scene.state.waiting, None);
        let head = scene.state.head.unwrap();
        let look = Command::ReportConditions { head, results: vec![crate::machine::testing::green("done")] };
        assert_eq!(kinds(&scene.when(&look).unwrap()), ["ConditionsChecked", "RunEnded"]);
    }
}
