//! Owns who may use how much of models. Money, tokens and calls are held before a call and counted after it, so that what a
//! run, a role or a task has used is never more than it may, whatever is under way and whoever dies.

use super::attempt::{self, Loss, leased};
use super::seat::{cut, sits};
use crate::machine::event::{Event, Next};
use crate::machine::rejection::Rejection;
use crate::machine::state::State;
use crate::model::means::{Holder, Means};
use crate::model::seat::Seat;
use crate::model::spend::Call;

/// Holds money, tokens and calls for whoever is at work at a seat, where each budget that bounds it has as much.
pub(in crate::machine) fn ask(state: &State, seat: Seat, fence: u64, means: Means) -> Result<Vec<Event>, Rejection> {
    let own = held_by(state, seat, fence)?;
    for account in state.accounts(seat) {
        let Some(unit) = account.lacks(means) else { continue };
        let is_held = !account.is_short && account.held.of(unit) > own.of(unit);
        let most = unit.written(account.bounds.of(unit).unwrap_or_default());
        let spent = Rejection::MoneyIsSpent { holder: account.holder, most };
        return Err(if is_held { Rejection::MoneyIsHeld } else { spent });
    }
    Ok(vec![Event::AllowanceGranted { seat, means }])
}

/// Gives what is held for whoever is at work at a seat under that fence.
fn held_by(state: &State, seat: Seat, fence: u64) -> Result<Means, Rejection> {
    match seat {
        Seat::Attempt(id) => {
            leased(state, id, Some(fence))?;
            Ok(state.attempt(id).map(|attempt| attempt.held()).unwrap_or_default())
        }
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => Ok(sits(state, seat, fence)?.held()),
    }
}

/// Takes back what is held; no more than is.
pub(in crate::machine) fn give_back(
    state: &State,
    seat: Seat,
    fence: u64,
    means: Means,
) -> Result<Vec<Event>, Rejection> {
    let means = means.min(held_by(state, seat, fence)?);
    Ok(if means.is_nothing() { Vec::new() } else { vec![Event::AllowanceReturned { seat, means }] })
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

/// Says that somebody could not go on because a budget leaves too little: it is tried again when there is more, but for a
/// task that has used up its own, which a person looks at first.
pub(in crate::machine) fn ran_out(
    state: &State,
    seat: Seat,
    fence: u64,
    wants: Means,
) -> Result<Vec<Event>, Rejection> {
    held_by(state, seat, fence)?;
    let account = state.accounts(seat).find_map(|account| Some((account.lacks(wants)?, account)));
    let why = account.as_ref().map_or_else(
        || "what its next call needed was held for others".to_owned(),
        |(unit, account)| {
            let most = account.words(*unit, account.bounds.of(*unit).unwrap_or_default());
            format!("its next call could use more than is left of {most}, which are all that may be used")
        },
    );
    let of = account.filter(|(_, account)| !account.is_short).map(|(_, account)| account.holder);
    let is_kept = matches!(of, Some(Holder::Task(_)));
    let mut events: Vec<Event> = of.map(|of| Event::MoneyRanOut { seat, of }).into_iter().collect();
    match seat {
        Seat::Attempt(attempt) if is_kept => {
            let next = Next::Keep { why: why.clone() };
            events.push(Event::AttemptLost { attempt, why, counts: false, next });
        }
        Seat::Attempt(id) => events.extend(attempt::lost(state, id, &why, Loss::Other)?),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => events.push(cut(state, seat, &why)),
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
    use crate::model::ids::TaskId;
    use crate::model::means::Bounds;
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

    fn usd(nano_usd: u64) -> Means {
        Means { nano_usd, ..Means::default() }
    }

    fn asking(scene: &Scene, task: u32, nano_usd: u64) -> Command {
        Command::AskAllowance { seat: Seat::Attempt(attempt(task, 1)), fence: fence(scene, task), means: usd(nano_usd) }
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

    fn spent(holder: Holder, most: &str) -> Rejection {
        Rejection::MoneyIsSpent { holder, most: most.to_owned() }
    }

    fn ran_out(scene: &Scene, task: u32, wants: Means) -> Command {
        let seat = Seat::Attempt(attempt(task, 1));
        Command::ReportOutOfMoney { seat, fence: fence(scene, task), wants }
    }

    fn bounded(budget: Budget) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.goal.budget = budget;
            opening.roles.get_mut("worker").unwrap().agents = vec![AgentRef::Script("part.yml".into())];
        });
        scene.begun().planned(vec![draft("a", "a"), draft("b", "b")]).settled()
    }

    fn asks(scene: &Scene, task: u32, means: Means) -> Command {
        Command::AskAllowance { seat: Seat::Attempt(attempt(task, 1)), fence: fence(scene, task), means }
    }

    const CALL: Means = Means { nano_usd: 1, tokens: 40, calls: 1 };

    fn money(scene: &Scene) -> (u64, u64) {
        (scene.state.held().nano_usd, scene.state.accounted().nano_usd)
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
        assert_eq!(refused(&scene, 1, 41), spent(Holder::Run, "$0.0000001"));
        let returned =
            Command::ReturnAllowance { seat: Seat::Attempt(attempt(1, 1)), fence: fence(&scene, 1), means: usd(1) };
        assert_eq!(money(&asked(&scene.clone().does(returned), 2, 41)), (100, 100));
        assert_eq!(money(&asked(&scene, 2, 40)), (100, 100));
        assert_eq!(money(&asked(&working(None), 1, u64::MAX)).0, u64::MAX);
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
        let rests = scene.clone().does(ran_out(&scene, 1, usd(30))).does(ran_out(&scene, 2, usd(30))).settled();
        assert_eq!(rests.status(1), &Status::Ready);
        let Some(Rest::Budget { what }) = &rests.state.rest else { panic!("{:?}", rests.state.rest) };
        assert!(what.starts_with('$'), "{what}");
        let more = Budget { nano_usd: Some(500), ..Budget::default() };
        let on = rests.asks(Ask::Raise(more)).settled();
        assert_eq!(on.status(1), &Status::Running);
        assert_eq!(money(&on), (0, 100), "what was held for the lost attempt counts");
    }

    #[test]
    fn tokens_and_calls_of_a_run_are_held_and_counted_as_money_is() {
        let tokens = bounded(Budget { tokens: Some(100), ..Budget::default() });
        let held = tokens.clone().does(asks(&tokens, 1, CALL)).does(asks(&tokens, 2, CALL));
        assert_eq!(held.state.held(), Means { nano_usd: 2, tokens: 80, calls: 2 });
        assert_eq!(held.when(&asks(&held, 1, CALL)).unwrap_err(), Rejection::MoneyIsHeld);
        let alone = tokens.clone().does(asks(&tokens, 1, CALL)).does(asks(&tokens, 1, CALL));
        assert_eq!(alone.when(&asks(&alone, 1, CALL)).unwrap_err(), spent(Holder::Run, "100 tokens"));
        let used = called(&alone, 1, 1).ends(attempt(1, 1), failed());
        assert_eq!(used.state.accounted(), Means { nano_usd: 1, tokens: 11, calls: 1 }, "what was not used is free");
        let calls = bounded(Budget { calls: Some(1), ..Budget::default() });
        let calls = calls.clone().does(asks(&calls, 1, CALL));
        assert_eq!(calls.when(&asks(&calls, 2, CALL)).unwrap_err(), Rejection::MoneyIsHeld);
        let calls = called(&calls, 1, 1);
        let rests = calls.clone().does(ran_out(&calls, 1, CALL)).does(ran_out(&calls, 2, CALL)).settled();
        assert_eq!(rests.state.rest, Some(Rest::Budget { what: "1 calls to models".into() }));
        let more = rests.clone().asks(Ask::Raise(Budget { calls: Some(9), ..Budget::default() })).settled();
        assert_eq!(more.status(1), &Status::Running);
        let other = rests.asks(Ask::Raise(Budget { cpu_s: Some(9), ..Budget::default() })).settled();
        assert!(matches!(other.state.rest, Some(Rest::Budget { .. })), "nothing was raised of what was used up");
    }

    #[test]
    fn what_was_held_for_who_is_lost_counts_until_it_is_known_what_was_used() {
        let scene = bounded(Budget { tokens: Some(100), ..Budget::default() });
        let lost = scene.clone().does(asks(&scene, 1, CALL));
        let lost = lost.does(Command::ReportLost { attempt: attempt(1, 1), why: "it died".into() });
        assert_eq!(lost.state.accounted(), CALL);
        let spend = lost.state.total_spent().spend;
        assert_eq!((spend.calls, spend.tokens.total()), (0, 0), "and nobody says that they were used");
        let known = called(&lost, 1, 1);
        assert_eq!(known.state.accounted(), CALL);
        assert_eq!(known.state.total_spent().spend.tokens.total(), 11);
    }

    #[test]
    fn a_task_that_has_used_up_its_own_budget_is_kept_while_the_others_go_on() {
        let task = Bounds { tokens: Some(50), ..Bounds::default() };
        let scene = bounded(Budget { task, ..Budget::default() });
        let scene = scene.clone().does(asks(&scene, 1, CALL)).does(asks(&scene, 2, CALL));
        assert_eq!(scene.when(&asks(&scene, 1, CALL)).unwrap_err(), spent(Holder::Task(TaskId(1)), "50 tokens"));
        let scene = called(&scene, 1, 1);
        let scene = scene.clone().ends(attempt(1, 1), failed()).settled();
        let fence = scene.state.attempt(attempt(1, 2)).unwrap().fence;
        let seat = Seat::Attempt(attempt(1, 2));
        let asks = Command::AskAllowance { seat, fence, means: CALL };
        assert_eq!(scene.when(&asks).unwrap_err(), spent(Holder::Task(TaskId(1)), "50 tokens"), "across attempts");
        let kept = scene.does(Command::ReportOutOfMoney { seat, fence, wants: CALL }).settled();
        let Status::Kept { why, .. } = kept.status(1) else { panic!("{:?}", kept.status(1)) };
        assert!(why.contains("50 tokens of task t1"), "{why}");
        assert_eq!((kept.status(2), &kept.state.rest), (&Status::Running, &None));
        let more = Bounds { tokens: Some(500), ..Bounds::default() };
        let more =
            kept.asks(Ask::Raise(Budget { task: more, ..Budget::default() })).asks(Ask::Retry(TaskId(1))).settled();
        let fence = more.state.attempt(attempt(1, 3)).unwrap().fence;
        assert!(more.when(&Command::AskAllowance { seat: Seat::Attempt(attempt(1, 3)), fence, means: CALL }).is_ok());
    }

    #[test]
    fn nobody_begins_in_a_role_that_has_used_up_its_budget_until_it_is_raised() {
        let of = |calls| Budget {
            roles: [("worker".to_owned(), Bounds { calls, ..Bounds::default() })].into(),
            ..Budget::default()
        };
        let scene = bounded(of(Some(1)));
        let scene = scene.clone().does(asks(&scene, 1, CALL));
        assert_eq!(scene.when(&asks(&scene, 2, CALL)).unwrap_err(), Rejection::MoneyIsHeld, "all who play it share it");
        let scene = called(&scene, 1, 1);
        let short = scene.clone().does(ran_out(&scene, 2, CALL)).does(ran_out(&scene, 1, CALL)).settled();
        assert_eq!(short.state.rest, Some(Rest::Budget { what: "1 calls to models of role worker".into() }));
        assert!(!short.state.is_money_short);
        let on = short.asks(Ask::Raise(of(Some(5)))).settled();
        assert_eq!((on.status(1), on.status(2)), (&Status::Running, &Status::Running));
    }

    #[test]
    fn a_budget_of_a_role_that_is_not_there_is_not_raised() {
        let roles = [("jugde".to_owned(), Bounds { calls: Some(1), ..Bounds::default() })].into();
        let raise = Ask::Raise(Budget { roles, ..Budget::default() });
        let scene = bounded(Budget::default());
        let asked = scene.clone().asks(raise);
        assert_eq!(asked.state.budget, scene.state.budget);
    }
}
