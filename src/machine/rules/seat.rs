//! Owns who plans and judges in sessions: one sits at a seat at a time, in the order of its role, within what the run may
//! use; who fails gives its turn to the next, and who meets a limit takes it again later, and its session with it. Who asks a
//! person leaves, so that nothing is held while the question waits, and keeps its turn.

use crate::machine::command::Leave;
use crate::machine::event::{Event, Left, Next, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::limit;
use crate::machine::seats::Sitting;
use crate::machine::state::State;
use crate::model::attempt::Usage;
use crate::model::ids::AttemptId;
use crate::model::review::{Lens, Review};
use crate::model::seat::Seat;
use crate::model::verdict::{Finding, Ruling, Rung};

/// How many questions may be asked at one seat: each takes a person.
pub(in crate::machine) const QUESTIONS_AT_MOST: usize = 3;

/// Seats whoever may sit: as many planners at one time as there are workers, and as many judges as there are judges.
pub(in crate::machine) fn take(state: &State, now_ms: i64) -> Vec<Event> {
    let opening = state.opening();
    let planners = state.sitting.keys().filter(|seat| matches!(seat, Seat::Planner { .. })).count();
    // Who was answered comes before those who came to sit while it waited.
    let judges = state.sitting.keys().filter(|seat| matches!(seat, Seat::Judge { .. })).count();
    let mut free_planners = (opening.workers.max(1) as usize).saturating_sub(planners);
    let mut free_judges = (opening.judges.max(1) as usize).saturating_sub(judges);
    let used_up = state.used_up_roles();
    let mut events = Vec::new();
    for seat in state.empty_seats() {
        let is_used_up = state.role_at(seat).is_some_and(|role| used_up.contains(role.name.as_str()));
        if is_used_up || limit_holds(state, seat, now_ms) {
            continue;
        }
        let free = match seat {
            Seat::Planner { .. } => Some(&mut free_planners),
            Seat::Judge { .. } => Some(&mut free_judges),
            Seat::RunJudge { .. } | Seat::Attempt(_) => None,
        };
        if let Some(free) = free {
            if *free == 0 {
                continue;
            }
            *free -= 1;
        }
        let Some(agent) = state.next_at(seat, now_ms).cloned() else { continue };
        let fence = state.seatings + events.len() as u64 + 1;
        let resumes = state.parked_at(seat, &agent).map(|parked| parked.fence);
        events.push(Event::SeatTaken { seat, agent, fence, resumes });
    }
    events
}

fn limit_holds(state: &State, seat: Seat, now_ms: i64) -> bool {
    state.limit_at(seat).is_some_and(|(_, limit)| limit.until_ms > now_ms)
}

/// Finds who sits at a seat under that fence.
pub(in crate::machine) fn sits(state: &State, seat: Seat, fence: u64) -> Result<&Sitting, Rejection> {
    state.sitting.get(&seat).filter(|sitting| sitting.fence == fence).ok_or(Rejection::StaleSeat(seat))
}

pub(in crate::machine) fn leave(
    state: &State,
    (seat, fence): (Seat, u64),
    leave: &Leave,
    usage: Usage,
    now_ms: i64,
) -> Result<Vec<Event>, Rejection> {
    let sitting = sits(state, seat, fence)?;
    match leave {
        Leave::Done => match seat {
            Seat::Planner { scope, wake } => {
                let left = Event::SeatLeft { seat, left: Left::Done, usage, turn: None };
                Ok(vec![left, Event::PlannerFinished { scope, wake }])
            }
            // A judge is done when it has said something.
            Seat::Judge { .. } | Seat::RunJudge { .. } | Seat::Attempt(_) => Err(Rejection::StaleSeat(seat)),
        },
        Leave::Failed(why) => Ok(failed(state, (seat, sitting), why, usage)),
        Leave::Limited { until_ms, why, session } => {
            let account = sitting.agent.account();
            let until_ms = limit::until(state, (&account, sitting.since_ms), *until_ms, now_ms);
            let left = Left::Limited { until_ms, why: why.clone(), session: session.clone() };
            Ok(vec![Event::SeatLeft { seat, left, usage, turn: Some(state.turn_at(seat)) }])
        }
        Leave::Asks { missing, session } => Ok(asks(state, (seat, sitting), (missing, session.as_ref()), usage)),
    }
}

/// Has a person asked; who has asked too often has failed.
fn asks(
    state: &State,
    (seat, sitting): (Seat, &Sitting),
    (missing, session): (&str, Option<&String>),
    usage: Usage,
) -> Vec<Event> {
    if state.asked.questions.get(&seat).is_some_and(|asked| asked.len() >= QUESTIONS_AT_MOST) {
        let why = format!("it has asked {QUESTIONS_AT_MOST} times before, and lacks {missing}");
        return failed(state, (seat, sitting), &why, usage);
    }
    let left = Left::Asks { missing: missing.to_owned(), session: session.cloned() };
    vec![Event::SeatLeft { seat, left, usage, turn: Some(state.turn_at(seat)) }]
}

/// Gives whoever asked at a seat an answer to exactly that question.
pub(in crate::machine) fn answer(
    state: &State,
    (seat, number): (Seat, u32),
    answer: &str,
) -> Result<Vec<Event>, Rejection> {
    let waits = state.end.is_none() && state.open_question(seat).is_some_and(|(open, _)| open == number);
    if !waits {
        return Err(Rejection::NoQuestion { seat, number });
    }
    if answer.trim().is_empty() {
        return Err(Rejection::EmptyAnswer(seat));
    }
    Ok(vec![Event::QuestionAnswered { seat, number, answer: answer.trim().to_owned() }])
}

/// Ends a session that says nothing against its agent.
pub(in crate::machine) fn cut(state: &State, seat: Seat, why: &str) -> Event {
    let left = Left::Cut { why: why.to_owned() };
    Event::SeatLeft { seat, left, usage: Usage::default(), turn: Some(state.turn_at(seat)) }
}

/// Ends the session of a run's judge where the run has begun to move again.
pub(in crate::machine) fn unwanted(state: &State) -> Option<Event> {
    let judge = state.sitting.keys().find(|seat| matches!(seat, Seat::RunJudge { .. }))?;
    (!state.awaits_run_judge()).then(|| cut(state, *judge, "the run goes on"))
}

/// Ends all sessions that say nothing against their agents.
pub(in crate::machine) fn cut_all(state: &State, why: &str) -> Vec<Event> {
    state.sitting.keys().map(|seat| cut(state, *seat, why)).collect()
}

/// Ends a session that gave no answer: the next takes its turn, or the seat is given up. Where a judge was to speak, it
/// is told before it leaves that nobody gave a verdict, as any verdict is.
fn failed(state: &State, (seat, sitting): (Seat, &Sitting), why: &str, usage: Usage) -> Vec<Event> {
    let turn = state.turn_after(seat);
    let left = Event::SeatLeft { seat, left: Left::Failed { why: why.to_owned() }, usage, turn };
    if turn.is_some() {
        return vec![left];
    }
    match seat {
        Seat::Planner { scope, wake } => vec![left, Event::PlannerFailed { scope, wake, why: why.to_owned() }],
        Seat::Judge { attempt, lens } => vec![unjudged(lens_of(state, lens), sitting, attempt, why), left],
        Seat::RunJudge { .. } => {
            let what = format!("have the run judged: no judge gave a verdict: {why}");
            vec![left, Event::RunParked { why: Rest::Trouble { what } }]
        }
        Seat::Attempt(_) => vec![left],
    }
}

/// Keeps a candidate for a person on which nobody gave a verdict.
fn unjudged(lens: Lens, sitting: &Sitting, attempt: AttemptId, why: &str) -> Event {
    let why = format!("no judge gave a verdict: {why}");
    let finding = Finding {
        rung: Rung::Review,
        rule: "not-judged".to_owned(),
        path: None,
        what: why.clone(),
        advice: "look at the candidate yourself, or try the task again".to_owned(),
    };
    let review = Review {
        lens,
        judge: sitting.agent.to_string(),
        ruling: Ruling::Reject,
        scores: Vec::new(),
        findings: vec![finding],
        notes: Vec::new(),
    };
    Event::CandidateReviewed { attempt, review, next: Next::Keep { why } }
}

pub(in crate::machine) fn lens_of(state: &State, lens: u32) -> Lens {
    let index = lens.saturating_sub(1) as usize;
    state.lenses().get(index).copied().unwrap_or(Lens::Diff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Command, PlanStep};
    use crate::machine::due::{deadline, due};
    use crate::machine::laws::{follows, moves_or_rests};
    use crate::machine::testing::{Scene, attempt, draft};
    use crate::model::ids::ScopeId;
    use crate::model::role::{AgentRef, Part, Role};

    const HOUR: i64 = 3_600_000;

    fn agents(names: &[&str]) -> Vec<AgentRef> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// Has sessions of these agents plan.
    fn planning(names: &[&str], failover: bool) -> Scene {
        let scene = Scene::opened(|opening| {
            let role = opening.roles.get_mut("planner").unwrap();
            (role.agents, role.failover) = (agents(names), failover);
        });
        scene.begun().settled()
    }

    fn planner(scene: &Scene) -> Seat {
        Seat::Planner { scope: ScopeId(0), wake: scene.state.scopes[&ScopeId(0)].wake }
    }

    fn leaves(scene: Scene, seat: Seat, leave: Leave) -> Scene {
        let fence = scene.state.sitting[&seat].fence;
        scene.does(Command::LeaveSeat { seat, fence, leave, usage: Usage::default() }).settled()
    }

    fn limited(scene: Scene, seat: Seat, in_ms: i64) -> Scene {
        parking(scene, seat, in_ms, None)
    }

    /// Has whoever sits there meet a limit and leave a session of that name.
    fn parking(scene: Scene, seat: Seat, in_ms: i64, session: Option<&str>) -> Scene {
        let until_ms = Some(scene.now_ms + in_ms);
        let leave = Leave::Limited { until_ms, why: "enough".into(), session: session.map(str::to_owned) };
        leaves(scene, seat, leave)
    }

    /// Tells which session is taken up at a seat by who sits there.
    fn taken_up(scene: &Scene, seat: Seat) -> Option<String> {
        scene.state.sitting.get(&seat)?.resumes.as_ref().map(|parked| parked.session.clone())
    }

    fn sits_there(scene: &Scene, seat: Seat) -> Option<String> {
        scene.state.sitting.get(&seat).map(|sitting| sitting.agent.to_string())
    }

    #[test]
    fn who_met_a_limit_sits_down_again_when_it_is_lifted_and_owes_nothing_meanwhile() {
        let scene = planning(&["claude", "codex"], false);
        let seat = planner(&scene);
        let scene = limited(scene, seat, 2 * HOUR);
        assert_eq!(sits_there(&scene, seat), None);
        assert!(due(&scene.state).is_empty() && scene.state.is_live());
        assert_eq!(moves_or_rests(&scene.state, &[]), Ok(()));
        assert_eq!(deadline(&scene.state, scene.now_ms), Some(scene.now_ms + 2 * HOUR));
        let scene = scene.does(Command::Wake { epoch: 2, sandbox: None }).settled();
        assert_eq!(sits_there(&scene.clone().later(2 * HOUR - 1), seat), None, "also under another coordinator");
        assert_eq!(sits_there(&scene.later(2 * HOUR), seat), Some("claude".into()), "and no try is lost");
    }

    #[test]
    fn who_sits_down_again_takes_up_its_session_until_that_has_ended() {
        let scene = planning(&["claude", "codex"], false);
        let seat = planner(&scene);
        let waiting = parking(scene, seat, HOUR, Some("s"));
        assert_eq!(waiting.state.seatings_kept(), [1].into());
        let scene = waiting.clone().later(HOUR);
        assert_eq!((taken_up(&scene, seat), scene.state.parked.len()), (Some("s".into()), 0));
        assert_eq!(scene.state.seatings_kept(), [1, 2].into());
        let cut = scene.clone().does(Command::Wake { epoch: 2, sandbox: None }).settled();
        assert_eq!(taken_up(&cut, seat), Some("s".into()), "who was cut off says nothing against the session");
        assert_eq!(cut.state.seatings_kept(), [1, 3].into());
        let again = parking(cut, seat, HOUR, Some("t")).later(HOUR);
        assert_eq!((taken_up(&again, seat), again.state.seatings_kept()), (Some("t".into()), [3, 4].into()));
        let gone = limited(again, seat, HOUR).later(HOUR);
        assert_eq!((taken_up(&gone, seat), gone.state.seatings_kept()), (None, [5].into()));
        let failed = leaves(scene, seat, Leave::Failed("it made no sense".into()));
        assert_eq!((sits_there(&failed, seat), taken_up(&failed, seat)), (Some("claude".into()), None));
        let mut later = waiting;
        later.now_ms += HOUR;
        let events = later.when(&Command::Advance).unwrap();
        let Some(Event::SeatTaken { resumes: Some(1), agent, fence, .. }) = events.first() else {
            panic!("{events:?}")
        };
        let other = Event::SeatTaken { seat, agent: agent.clone(), fence: *fence, resumes: None };
        let broken = follows(&later.state, &other).unwrap_err().what;
        assert!(broken.contains("takes up None at s0/1, not Some(1)"), "{broken}");
    }

    #[test]
    fn a_session_is_not_taken_up_where_another_has_sat_since_or_the_waking_is_over() {
        let scene = planning(&["claude", "codex"], true);
        let seat = planner(&scene);
        let standing_in = parking(scene, seat, HOUR, Some("s"));
        assert_eq!((sits_there(&standing_in, seat), taken_up(&standing_in, seat)), (Some("codex".into()), None));
        assert_eq!(standing_in.state.parked, Default::default(), "it is for nobody any longer");
        let back = limited(standing_in, seat, 2 * HOUR).later(HOUR);
        assert_eq!((sits_there(&back, seat), taken_up(&back, seat)), (Some("claude".into()), None));
        let waiting = parking(back, seat, HOUR, Some("t"));
        assert_eq!(waiting.state.parked.len(), 1);
        let Seat::Planner { scope, wake } = seat else { panic!("it plans") };
        let over = waiting.given(Event::PlannerFailed { scope, wake, why: "x".into() });
        assert_eq!(over.state.parked, Default::default());
    }

    #[test]
    fn another_sits_down_while_a_limit_lasts_where_the_role_lets_it() {
        let scene = planning(&["claude", "claude:opus", "codex"], true);
        let seat = planner(&scene);
        let scene = limited(scene, seat, 2 * HOUR);
        assert_eq!(sits_there(&scene, seat), Some("codex".into()), "not another model of the same account");
        let scene = limited(scene, seat, HOUR);
        assert_eq!(sits_there(&scene, seat), None);
        assert_eq!(deadline(&scene.state, scene.now_ms), Some(scene.now_ms + HOUR), "the first that is lifted counts");
        let scene = scene.later(HOUR);
        assert_eq!(sits_there(&scene, seat), Some("codex".into()));
        let scene = leaves(scene, seat, Leave::Failed("it made no sense".into())).later(2 * HOUR);
        assert_eq!(scene.state.turn_at(seat).tries, 1, "who stands in uses up the tries of whose turn it is");
    }

    #[test]
    fn nobody_sits_down_out_of_turn() {
        let scene = planning(&["claude", "codex"], true);
        let seat = planner(&scene);
        let left =
            leaves(scene, seat, Leave::Failed("x".into())).given(cut(&planning(&["claude"], true).state, seat, "x"));
        let taken =
            |agent: &str| Event::SeatTaken { seat, agent: agents(&[agent])[0].clone(), fence: 99, resumes: None };
        let why = follows(&left.state, &taken("codex")).unwrap_err();
        assert!(why.what.contains("not its turn"), "{why}");
        assert_eq!(follows(&left.state, &taken("claude")), Ok(()));
    }

    #[test]
    fn a_judge_that_met_a_limit_lets_another_judge_and_is_no_try() {
        let scene = Scene::opened(|opening| {
            let judge = Role {
                name: "judge".into(),
                part: Part::Judge,
                agents: agents(&["ladder", "claude", "codex"]),
                failover: true,
                ..opening.roles["worker"].clone()
            };
            opening.roles.insert("judge".into(), judge);
        });
        let scene = scene.begun().planned(vec![draft("a", "a")]).queued(1).settled();
        let seat = Seat::Judge { attempt: attempt(1, 1), lens: 1 };
        let scene = limited(scene, seat, HOUR);
        assert_eq!(sits_there(&scene, seat), Some("codex".into()));
        assert_eq!(scene.state.turn_at(seat), crate::machine::event::Turn::default());
        let scene = leaves(scene, seat, Leave::Failed("x".into()));
        let scene = leaves(scene, seat, Leave::Failed("x".into()));
        let scene = leaves(scene, seat, Leave::Failed("x".into()));
        let scene = leaves(scene, seat, Leave::Failed("x".into()));
        assert!(matches!(scene.status(1), crate::machine::state::Status::Kept { .. }), "{:?}", scene.status(1));
        let judged = &scene.task(1).attempts[0].reviews[0].judge;
        assert_eq!(judged, "codex", "it is told who sat there last");
    }

    #[test]
    fn a_planner_s_moves_are_heard_under_its_fence_alone() {
        let scene = planning(&["claude"], false);
        let step = PlanStep::Claim { key: "k".into(), value: "v".into() };
        assert!(scene.when(&scene.plan(0, step.clone())).is_ok());
        let Command::ReportPlan { scope, wake, fence, .. } = scene.plan(0, step.clone()) else { panic!("it plans") };
        let late = Command::ReportPlan { scope, wake, fence: fence + 1, step };
        assert_eq!(scene.when(&late), Err(Rejection::StaleSeat(Seat::Planner { scope, wake })));
    }
}
