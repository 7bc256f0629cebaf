//! Owns who may spend how much on calls to models. Money is held before a call and counted after it, so that what a run
//! has spent is never more than it may, whatever is under way and whoever dies.

use super::attempt::{self, Loss, leased};
use super::seat::{cut, sits};
use crate::machine::event::Event;
use crate::machine::rejection::Rejection;
use crate::machine::state::State;
use crate::model::seat::Seat;
use crate::model::spend::Call;

/// Holds money for whoever is at work at a seat, where it is there.
pub(in crate::machine) fn ask(state: &State, seat: Seat, fence: u64, nano_usd: u64) -> Result<Vec<Event>, Rejection> {
    let own = held_by(state, seat, fence)?;
    match state.budget.nano_usd {
        Some(limit) if state.is_money_short || state.money_accounted().saturating_add(nano_usd) > limit => {
            let is_held = !state.is_money_short && state.money_held() > own;
            Err(if is_held { Rejection::MoneyIsHeld } else { Rejection::MoneyIsSpent { limit } })
        }
        Some(_) | None => Ok(vec![Event::AllowanceGranted { seat, nano_usd }]),
    }
}

/// Gives what is held for whoever is at work at a seat under that fence.
fn held_by(state: &State, seat: Seat, fence: u64) -> Result<u64, Rejection> {
    match seat {
        Seat::Attempt(id) => {
            leased(state, id, Some(fence))?;
            Ok(state.attempt(id).map_or(0, |attempt| attempt.held()))
        }
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => Ok(sits(state, seat, fence)?.held()),
    }
}

/// Takes money back that is held; no more than is.
pub(in crate::machine) fn give_back(
    state: &State,
    seat: Seat,
    fence: u64,
    nano_usd: u64,
) -> Result<Vec<Event>, Rejection> {
    let nano_usd = nano_usd.min(held_by(state, seat, fence)?);
    Ok(if nano_usd > 0 { vec![Event::AllowanceReturned { seat, nano_usd }] } else { Vec::new() })
}

/// Counts a call, also of an attempt that is over: it was made.
pub(in crate::machine) fn call(state: &State, seat: Seat, fence: u64, call: &Call) -> Result<Vec<Event>, Rejection> {
    is_its(state, seat, fence)?;
    Ok(vec![Event::CallMade { seat, call: call.clone() }])
}

/// Holds that what is told was done by whoever had that fence, also by an attempt that is over.
pub(in crate::machine) fn is_its(state: &State, seat: Seat, fence: u64) -> Result<(), Rejection> {
    match seat {
        Seat::Attempt(id) => {
            let is_its = state.attempt(id).is_some_and(|attempt| attempt.fence == fence);
            is_its.then_some(()).ok_or(Rejection::StaleAttempt(id))
        }
        // What was held for a session that was cut off was counted as spent.
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => sits(state, seat, fence).map(|_| ()),
    }
}

/// Says that somebody could not go on for want of money; it is tried again when there is more.
pub(in crate::machine) fn ran_out(state: &State, seat: Seat, fence: u64) -> Result<Vec<Event>, Rejection> {
    const WHY: &str = "the money that the run may spend is spent";
    held_by(state, seat, fence)?;
    let mut events = Vec::new();
    if state.budget.nano_usd.is_some() && !state.is_money_short {
        events.push(Event::MoneyRanOut { seat });
    }
    match seat {
        Seat::Attempt(id) => events.extend(attempt::lost(state, id, WHY, Loss::Other)?),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => events.push(cut(state, seat, WHY)),
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, Command};
    use crate::machine::event::Rest;
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, attempt, draft, failed};
    use crate::model::goal::Budget;
    use crate::model::role::AgentRef;
    use crate::model::spend::{CallEnd, Tokens};

    fn working(limit: Option<u64>) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.goal.budget.nano_usd = limit;
            opening.roles.get_mut("worker").unwrap().agents = vec![AgentRef::Script("part.yml".into())];
        });
        scene.begun().planned(vec![draft("a", "a"), draft("b", "b")]).settled()
    }

    fn fence(scene: &Scene, task: u32) -> u64 {
        scene.state.attempt(attempt(task, 1)).unwrap().fence
    }

    fn asking(scene: &Scene, task: u32, nano_usd: u64) -> Command {
        Command::AskAllowance { seat: Seat::Attempt(attempt(task, 1)), fence: fence(scene, task), nano_usd }
    }

    fn asked(scene: &Scene, task: u32, nano_usd: u64) -> Scene {
        scene.clone().does(asking(scene, task, nano_usd))
    }

    fn refused(scene: &Scene, task: u32, nano_usd: u64) -> Rejection {
        scene.when(&asking(scene, task, nano_usd)).unwrap_err()
    }

    fn called(scene: &Scene, task: u32, nano_usd: u64) -> Scene {
        let tokens = Tokens { input: 10, output: 1, ..Tokens::default() };
        let (provider, model) = ("p".to_owned(), "m".to_owned());
        let call = Call {
            number: 1,
            provider,
            model,
            end: CallEnd::Whole,
            status: 200,
            tokens,
            nano_usd,
            ms: 1,
            bytes: 0,
            told: false,
        };
        scene.clone().does(Command::ReportCall {
            seat: Seat::Attempt(attempt(task, 1)),
            fence: fence(scene, task),
            call,
        })
    }

    fn money(scene: &Scene) -> (u64, u64) {
        (scene.state.money_held(), scene.state.money_accounted())
    }

    #[test]
    fn money_is_held_before_a_call_and_counted_after_it() {
        let scene = asked(&working(Some(100)), 1, 60);
        assert_eq!(money(&scene), (60, 60));
        let scene = called(&scene, 1, 25);
        assert_eq!(money(&scene), (35, 60));
        let spend = scene.state.total_spent().spend;
        assert_eq!((spend.calls, spend.nano_usd, spend.tokens.input), (1, 25, 10));
    }

    #[test]
    fn nothing_is_granted_above_the_limit_and_the_refusal_says_whether_waiting_helps() {
        let scene = asked(&working(Some(100)), 1, 60);
        assert_eq!(refused(&scene, 2, 41), Rejection::MoneyIsHeld);
        assert_eq!(refused(&scene, 1, 41), Rejection::MoneyIsSpent { limit: 100 });
        let returned =
            Command::ReturnAllowance { seat: Seat::Attempt(attempt(1, 1)), fence: fence(&scene, 1), nano_usd: 1 };
        assert_eq!(money(&asked(&scene.clone().does(returned), 2, 41)), (100, 100));
        assert_eq!(money(&asked(&scene, 2, 40)), (100, 100));
        assert_eq!(asked(&working(None), 1, u64::MAX).state.money_held(), u64::MAX);
    }

    #[test]
    fn what_an_attempt_did_not_use_is_free_when_it_reports_and_spent_when_it_is_lost() {
        let scene = called(&asked(&working(Some(100)), 1, 60), 1, 25);
        assert_eq!(money(&scene.clone().ends(attempt(1, 1), failed())), (0, 25));
        let lost = Command::ReportLost { attempt: attempt(1, 1), why: "it died".into() };
        let lost = scene.does(lost);
        assert_eq!(money(&lost), (0, 60));
        assert_eq!(money(&called(&lost, 1, 30)), (0, 60), "it was counted when the attempt was lost");
    }

    #[test]
    fn a_run_whose_money_is_spent_rests_and_goes_on_after_a_raise() {
        let scene = called(&asked(&working(Some(100)), 1, 100), 1, 90);
        let ran_out =
            |task| Command::ReportOutOfMoney { seat: Seat::Attempt(attempt(task, 1)), fence: fence(&scene, task) };
        let rests = scene.clone().does(ran_out(1)).does(ran_out(2)).settled();
        assert_eq!(rests.status(1), &Status::Ready);
        let Some(Rest::Budget { what }) = &rests.state.rest else { panic!("{:?}", rests.state.rest) };
        assert!(what.starts_with('$'), "{what}");
        let more = Budget { nano_usd: Some(500), ..Budget::default() };
        let on = rests.asks(Ask::Raise(more)).settled();
        assert_eq!(on.status(1), &Status::Running);
        assert_eq!(money(&on), (0, 100), "what was held for the lost attempt counts");
    }
}
