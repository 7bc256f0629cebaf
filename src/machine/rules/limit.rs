//! Owns what becomes of an attempt that a limit of its agent's account ended: it goes on when the limit is lifted, at no
//! cost, and until then nothing else is handed to that agent.

use super::attempt::leased;
use crate::machine::event::{Event, Next};
use crate::machine::rejection::Rejection;
use crate::machine::state::{Attempt, State, Task};
use crate::model::attempt::{Parked, Usage};
use crate::model::ids::AttemptId;
use crate::model::role::AgentRef;

/// No limit is believed to last longer, in milliseconds: those of subscriptions are lifted within a week.
const LONGEST_MS: i64 = 8 * 24 * 3_600_000;

/// How long a limit is waited for that names no time, the first time in a row and at most, in milliseconds.
const PAUSE_MS: [i64; 2] = [60_000, 3_600_000];

pub(in crate::machine) fn report(
    state: &State,
    (id, fence): (AttemptId, u64),
    (told_ms, why): (Option<i64>, &str),
    (usage, parked): (Usage, Option<&Parked>),
    now_ms: i64,
) -> Result<Vec<Event>, Rejection> {
    let task = leased(state, id, Some(fence))?;
    let attempt = state.attempt(id).ok_or(Rejection::StaleAttempt(id))?;
    let until_ms = until(state, (&attempt.agent.account(), attempt.started_ms), told_ms, now_ms);
    let next = Next::Again(task.again.clone());
    let (why, parked) = (why.to_owned(), parked.cloned());
    Ok(vec![Event::AttemptLimited { attempt: id, until_ms, why, usage, next, parked }])
}

/// Says when an account is asked again of which somebody met a limit who began at a time: when it was told, within bounds,
/// and later where that was told too early before.
pub(in crate::machine) fn until(
    state: &State,
    (account, started_ms): (&str, i64),
    told_ms: Option<i64>,
    now_ms: i64,
) -> i64 {
    let times = times(state, account, started_ms);
    let latest_ms = now_ms.saturating_add(LONGEST_MS);
    let own_ms = match told_ms.filter(|told_ms| *told_ms > now_ms) {
        Some(told_ms) => told_ms.max(now_ms.saturating_add(pause_ms(times - 1))),
        None => now_ms.saturating_add(pause_ms(times)),
    };
    // Who ran beside the one that met it first learns nothing that would shorten the wait, nor lengthens it by guessing.
    let known_ms = state.limits.get(account).map(|limit| limit.until_ms);
    let until_ms = match known_ms.filter(|known_ms| *known_ms > now_ms && *known_ms <= latest_ms) {
        Some(known_ms) if told_ms.is_none() => known_ms,
        Some(known_ms) => own_ms.max(known_ms),
        None => own_ms,
    };
    until_ms.min(latest_ms)
}

/// Counts how often in a row an account's limit was met, the last time by somebody who began at a time.
pub(in crate::machine) fn times(state: &State, account: &str, started_ms: i64) -> u32 {
    let known = state.limits.get(account);
    known.map_or(1, |known| known.times.saturating_add(u32::from(started_ms >= known.until_ms)))
}

fn pause_ms(times: u32) -> i64 {
    let [first, most] = PAUSE_MS;
    if times == 0 { 0 } else { (first << (times - 1).min(10)).min(most) }
}

/// Finds the attempt of a task that a limit ended, whose session the same agent takes up again: the last that was not lost.
pub(in crate::machine) fn resumed<'a>(task: &'a Task, agent: &AgentRef) -> Option<(u32, &'a Attempt, &'a Parked)> {
    let (at, last) = task.attempts.iter().enumerate().rev().find(|(_, it)| it.lost.is_none())?;
    let parked = last.parked.as_ref().filter(|_| last.agent == *agent)?;
    Some((u32::try_from(at).ok()? + 1, last, parked))
}

/// Tells until when a task is not handed out because its agent waits for a limit, in milliseconds since 1970.
pub(in crate::machine) fn holds(state: &State, task: &Task, now_ms: i64) -> Option<i64> {
    state.limit_of(task).map(|(_, limit)| limit.until_ms).filter(|until_ms| *until_ms > now_ms)
}

/// Tells when the next limit is lifted.
pub(in crate::machine) fn next_lift(state: &State, now_ms: i64) -> Option<i64> {
    state.limits.values().map(|limit| limit.until_ms).filter(|until_ms| *until_ms > now_ms).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, Command};
    use crate::machine::due::{deadline, due};
    use crate::machine::event::Rest;
    use crate::machine::laws::{follows, moves_or_rests};
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, attempt, candidate, draft, failed, oid};
    use crate::model::goal::Budget;
    use crate::model::ids::TaskId;
    use crate::model::means::Means;
    use crate::model::seat::Seat;

    const HOUR: i64 = 3_600_000;

    fn agents(names: &[&str]) -> Vec<AgentRef> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// Runs one worker's tasks by `worker`, and those of the role `other` by `other`.
    fn working(worker: &[&str], other: &str, tasks: &[(&str, &str)], workers: u32) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.workers = workers;
            opening.roles.get_mut("worker").unwrap().agents = agents(worker);
            opening.roles.get_mut("idle").unwrap().agents = agents(&[other]);
        });
        let draft = |(key, role): &(&str, &str)| {
            let mut draft = draft(key, key);
            draft.role = (*role).to_owned();
            draft
        };
        scene.begun().planned(tasks.iter().map(draft).collect())
    }

    fn one() -> Scene {
        working(&["claude:opus"], "codex", &[("a", "worker")], 1)
    }

    fn meeting(scene: &Scene, id: AttemptId, until_ms: Option<i64>) -> Command {
        let fence = scene.state.attempt(id).unwrap().fence;
        Command::ReportLimited {
            attempt: id,
            fence,
            until_ms,
            why: "enough".into(),
            usage: Usage::default(),
            parked: None,
        }
    }

    fn met(scene: Scene, task: u32, number: u32, in_ms: Option<i64>) -> Scene {
        let command = meeting(&scene, attempt(task, number), in_ms.map(|ms| scene.now_ms + ms));
        scene.does(command).settled()
    }

    fn running(scene: &Scene) -> Vec<(u32, u32)> {
        scene.state.running.iter().map(|id| (id.task.0, id.number)).collect()
    }

    fn waits_ms(scene: &Scene) -> i64 {
        scene.state.limits["claude"].until_ms - scene.now_ms
    }

    #[test]
    fn a_limit_costs_no_try_and_its_task_goes_on_with_the_same_agent_when_it_is_lifted() {
        let before = one();
        let scene = met(before.clone(), 1, 1, Some(2 * HOUR));
        assert_eq!((scene.status(1), &scene.task(1).again), (&Status::Ready, &before.task(1).again));
        assert_eq!(running(&scene.clone().later(2 * HOUR - 1)), []);
        let scene = scene.later(2 * HOUR);
        assert_eq!(running(&scene), [(1, 2)]);
        assert_eq!(scene.task(1).attempts[1].agent, agents(&["claude:opus"])[0]);
        assert!(scene.task(1).findings.is_empty(), "it says nothing against the task");
    }

    /// Has the first task's attempt of that number meet a limit of an hour and leave this behind.
    fn parking(scene: Scene, number: u32, parked: Parked) -> Scene {
        let until_ms = Some(scene.now_ms + HOUR);
        let Command::ReportLimited { attempt, fence, why, usage, .. } = meeting(&scene, attempt(1, number), until_ms)
        else {
            panic!("it met none")
        };
        scene.does(Command::ReportLimited { attempt, fence, until_ms, why, usage, parked: Some(parked) }).settled()
    }

    #[test]
    fn the_same_agent_takes_up_its_session_and_its_files_and_no_other_does() {
        let made = Parked { session: Some("s".into()), files: Some(oid(7)) };
        let scene = parking(one(), 1, made.clone()).later(HOUR);
        let of = |scene: &Scene, at: usize| {
            let it = &scene.task(1).attempts[at];
            (it.resumes, it.from, it.base == scene.task(1).attempts[0].base)
        };
        assert_eq!(of(&scene, 1), (Some(1), Some(oid(7)), true));
        let lost = scene.clone().does(Command::ReportLost { attempt: attempt(1, 2), why: "gone".into() }).settled();
        assert_eq!(of(&lost, 2), (Some(1), Some(oid(7)), true), "who was lost says nothing against the session");
        let again = parking(lost, 3, Parked { files: None, ..made.clone() }).later(HOUR);
        assert_eq!(of(&again, 3), (Some(3), None, true));
        let failed = scene.ends(attempt(1, 2), failed()).settled();
        assert_eq!(of(&failed, 2), (None, None, true), "what failed is begun anew");
        let standing_in = parking(standing_in(&[("a", "worker")]), 1, made.clone());
        assert_eq!(of(&standing_in, 1), (None, None, true), "it is no session of who stands in");
        let waiting = parking(one(), 1, made);
        let mut later = waiting.clone();
        later.now_ms += HOUR;
        let Event::AttemptLeased(mut lease) = later.when(&Command::Advance).unwrap().remove(0) else {
            panic!("a lease")
        };
        lease.resumes = None;
        let broken = follows(&waiting.state, &Event::AttemptLeased(lease)).unwrap_err().what;
        assert!(broken.contains("takes up None, not Some(1)"), "{broken}");
    }

    #[test]
    fn a_run_that_waits_for_a_limit_is_live_owes_nothing_and_wakes_when_it_is_lifted() {
        let scene = met(one(), 1, 1, Some(2 * HOUR));
        assert!(scene.state.is_live() && due(&scene.state).is_empty());
        assert_eq!(moves_or_rests(&scene.state, &[]), Ok(()));
        assert_eq!(deadline(&scene.state, scene.now_ms), Some(scene.now_ms + 2 * HOUR));
        let mut stuck = scene.state;
        stuck.last_ms += 2 * HOUR;
        assert!(moves_or_rests(&stuck, &[]).is_err(), "the limit was lifted and nothing began");
    }

    #[test]
    fn a_limit_outlives_its_coordinator() {
        let scene = met(one(), 1, 1, Some(HOUR)).does(Command::Wake { epoch: 2, sandbox: None });
        assert_eq!(running(&scene.clone().later(HOUR - 1)), []);
        assert_eq!(running(&scene.later(HOUR)), [(1, 2)]);
    }

    #[test]
    fn who_waits_holds_up_those_of_the_same_agent_and_nobody_else() {
        let tasks = [("a", "worker"), ("b", "worker"), ("c", "idle"), ("d", "idle")];
        let same = met(working(&["claude:opus"], "claude", &tasks, 1), 1, 1, Some(HOUR));
        assert_eq!(running(&same), [], "another model of one program meets the same limit");
        assert_eq!(running(&met(working(&["claude:opus"], "codex", &tasks, 1), 1, 1, Some(HOUR))), [(3, 1)]);
    }

    #[test]
    fn a_task_that_goes_on_with_another_agent_does_not_wait() {
        let tasks = [("a", "worker"), ("b", "worker")];
        let scene = working(&["claude", "codex"], "codex", &tasks, 2);
        let scene = met(scene, 1, 1, Some(HOUR)).ends(attempt(2, 1), failed()).settled();
        assert_eq!(running(&scene), [], "it may try once more");
        let scene = scene.later(HOUR).ends(attempt(1, 2), failed()).settled().ends(attempt(1, 3), failed()).settled();
        assert_eq!(scene.task(1).attempts[3].agent, agents(&["codex"])[0]);
        let scene = met(scene, 2, 2, Some(HOUR));
        assert_eq!(running(&scene), [(1, 4)]);
    }

    /// Has the next agent of the role stand in for one that waits.
    fn standing_in(tasks: &[(&str, &str)]) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.workers = 1;
            let role = opening.roles.get_mut("worker").unwrap();
            (role.agents, role.failover) = (agents(&["claude:opus", "claude", "codex"]), true);
        });
        let draft = |(key, role): &(&str, &str)| {
            let mut draft = draft(key, key);
            draft.role = (*role).to_owned();
            draft
        };
        scene.begun().planned(tasks.iter().map(draft).collect())
    }

    fn played_by(scene: &Scene, task: u32) -> Vec<String> {
        scene.task(task).attempts.iter().map(|it| it.agent.to_string()).collect()
    }

    #[test]
    fn the_next_agent_of_another_account_stands_in_while_a_limit_lasts_and_no_longer() {
        let scene = met(standing_in(&[("a", "worker"), ("b", "worker")]), 1, 1, Some(1000));
        assert_eq!((running(&scene), played_by(&scene, 1)), (vec![(1, 2)], vec!["claude:opus".into(), "codex".into()]));
        assert_eq!(scene.task(1).again, Scene::opened(|_| ()).begun().planned(vec![draft("a", "a")]).task(1).again);
        let scene = scene.ends(attempt(1, 2), candidate(1)).accepted(attempt(1, 2)).settled();
        assert_eq!(played_by(&scene, 2), ["codex"], "nobody runs into the limit meanwhile");
        let scene = scene.later(1000).ends(attempt(2, 1), failed()).settled();
        assert_eq!(played_by(&scene, 2), ["codex", "claude:opus"], "whose turn it is plays again when it can");
    }

    #[test]
    fn who_stands_in_uses_up_tries_and_a_task_waits_where_all_wait() {
        let scene = met(met(standing_in(&[("a", "worker")]), 1, 1, Some(3 * HOUR)), 1, 2, Some(HOUR));
        assert_eq!(running(&scene), []);
        assert_eq!(scene.state.limit_of(scene.task(1)).unwrap().0, "codex", "the first that is lifted");
        assert_eq!(moves_or_rests(&scene.state, &due(&scene.state)), Ok(()));
        let mut scene = scene.later(HOUR);
        assert_eq!(running(&scene), [(1, 3)]);
        let mut tries = 0;
        while let Some((_, number)) = running(&scene).first().copied() {
            scene = scene.ends(attempt(1, number), failed()).settled();
            tries += 1;
        }
        assert!(matches!(scene.status(1), Status::Kept { .. }));
        assert_eq!(tries, 6, "two tries for each turn, whoever plays it");
        assert!(played_by(&scene, 1)[1..].iter().all(|agent| agent == "codex"));
    }

    #[test]
    fn a_limit_without_a_time_is_waited_for_ever_longer_up_to_an_hour() {
        let mut scene = one();
        let mut waited = Vec::new();
        for number in 1..=8 {
            scene = met(scene, 1, number, None);
            waited.push(waits_ms(&scene) / 60_000);
            let wait = waits_ms(&scene);
            scene = scene.later(wait);
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 32, 60, 60]);
        let scene = scene.ends(attempt(1, 9), failed()).settled();
        assert_eq!(waits_ms(&met(scene, 1, 10, None)), 60_000, "another end begins the row anew");
    }

    #[test]
    fn an_absurd_time_is_bounded() {
        assert_eq!(waits_ms(&met(one(), 1, 1, Some(i64::MAX / 2))), LONGEST_MS);
        assert_eq!(waits_ms(&met(one(), 1, 1, Some(-1))), 60_000);
        assert_eq!(waits_ms(&met(one(), 1, 1, Some(0))), 60_000);
        let early = met(one(), 1, 1, Some(1)).later(1);
        assert_eq!(waits_ms(&met(early, 1, 2, Some(1))), 60_000, "what was told too early is told no earlier twice");
    }

    #[test]
    fn those_who_ran_side_by_side_meet_a_limit_once() {
        let scene = working(&["claude"], "codex", &[("a", "worker"), ("b", "worker")], 2);
        let scene = met(met(scene, 1, 1, None), 2, 1, None);
        assert_eq!((waits_ms(&scene), scene.state.limits["claude"].times), (60_000, 1));
        let scene = working(&["claude"], "codex", &[("a", "worker"), ("b", "worker")], 2);
        let scene = met(met(scene, 1, 1, Some(2 * HOUR)), 2, 1, Some(HOUR));
        assert_eq!(waits_ms(&scene), 2 * HOUR, "the later time counts");
        let scene = scene.later(2 * HOUR);
        assert_eq!(running(&scene), [(1, 2), (2, 2)]);
    }

    #[test]
    fn who_began_before_the_limit_does_not_lift_it_by_ending_well() {
        let scene = working(&["claude"], "codex", &[("a", "worker"), ("b", "worker")], 2);
        let scene = met(scene, 1, 1, Some(HOUR)).ends(attempt(2, 1), candidate(2));
        assert_eq!(waits_ms(&scene), HOUR);
        let scene = scene.accepted(attempt(2, 1)).later(HOUR);
        assert!(scene.ends(attempt(1, 2), candidate(1)).state.limits.is_empty());
    }

    #[test]
    fn a_person_s_word_lifts_a_limit_at_once() {
        let scene = met(one(), 1, 1, Some(HOUR));
        let retry = Ask::Retry(TaskId(1));
        let scene = scene.asks(retry.clone());
        assert_eq!(scene.refusal(retry), "t1 is ready, and not kept or blocked");
        assert_eq!(running(&scene.settled()), [(1, 2)]);
    }

    #[test]
    fn a_run_that_waits_for_a_limit_can_be_stopped_and_uses_up_its_wall_time() {
        let scene = met(one(), 1, 1, Some(HOUR));
        assert_eq!(scene.clone().asks(Ask::Drain).settled().state.rest, Some(Rest::Stopped));
        let stopped = scene.clone().asks(Ask::Stop).settled();
        assert_eq!(stopped.state.rest, Some(Rest::Stopped));
        let resumed = stopped.asks(Ask::Resume).settled();
        assert_eq!(running(&resumed), [], "going on after a stop lifts no limit");
        assert_eq!(running(&resumed.later(HOUR)), [(1, 2)]);
        let short = scene.asks(Ask::Raise(Budget { wall_s: Some(60), ..Budget::default() }));
        assert!(matches!(short.later(60_000).state.rest, Some(Rest::Budget { .. })));
    }

    #[test]
    fn money_that_was_held_is_free_and_a_late_report_is_refused() {
        let scene = one();
        let fence = scene.state.attempt(attempt(1, 1)).unwrap().fence;
        let scene = scene.does(Command::AskAllowance {
            seat: Seat::Attempt(attempt(1, 1)),
            fence,
            means: Means { nano_usd: 60, ..Means::default() },
        });
        let report = meeting(&scene, attempt(1, 1), None);
        let scene = scene.does(report.clone());
        assert_eq!((scene.state.held(), scene.state.accounted()), (Means::default(), Means::default()));
        assert_eq!(scene.when(&report), Err(Rejection::StaleAttempt(attempt(1, 1))));
    }

    #[test]
    fn laws_hold_limits() {
        let scene = one();
        let event = |next| Event::AttemptLimited {
            attempt: attempt(1, 1),
            until_ms: 0,
            why: String::new(),
            usage: Usage::default(),
            next,
            parked: None,
        };
        let refusal = |scene: &Scene, event: &Event| follows(&scene.state, event).unwrap_err().what;
        assert!(refusal(&scene, &event(Next::Nothing)).contains("met a limit and becomes"));
        assert!(refusal(&scene, &Event::LimitLifted { agent: "claude".into() }).contains("no limit of claude"));
        let waiting = met(scene, 1, 1, Some(HOUR));
        let mut blind = waiting.clone();
        blind.state.limits.clear();
        let lease = blind.when(&Command::Advance).unwrap().remove(0);
        assert!(refusal(&waiting, &lease).contains("waits for a limit"));
        let stood_in = standing_in(&[("a", "worker")]);
        let lease = met(stood_in.clone(), 1, 1, Some(HOUR)).task(1).attempts[1].agent.clone();
        let early = stood_in.does(Command::ReportLost { attempt: attempt(1, 1), why: "gone".into() });
        let Event::AttemptLeased(mut own) = early.when(&Command::Advance).unwrap().remove(0) else { panic!("a lease") };
        own.agent = lease;
        assert!(refusal(&early, &Event::AttemptLeased(own)).contains("whose turn it is not"));
    }
}
