//! Owns what planners and judges have asked people from their seats, and what they were answered: nobody sits where a question
//! waits, and nothing is held there. Never answers: a rule does.

use serde::{Deserialize, Serialize};

use super::awaited::Wait;
use super::state::State;
use crate::model::ids::{AttemptId, TaskId};
use crate::model::seat::Seat;

/// Holds a question that was asked at a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What its asker lacks, in its own words.
    pub missing: String,
    /// Since when it waits, or waited.
    pub wait: Wait,
    /// What has become of it.
    pub reply: Reply,
}

/// Says what has become of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It waits.
    Waits,
    /// It was answered so.
    Given(String),
    /// What its asker was to say is asked no longer.
    Withdrawn,
}

impl State {
    /// Lists the questions that wait for an answer: where each was asked, and the how-manieth it is there, from 1.
    pub fn open_questions(&self) -> impl Iterator<Item = (Seat, u32, &Question)> {
        self.asked.questions.iter().filter_map(|(seat, asked)| {
            let (number, question) = open(asked)?;
            Some((*seat, number, question))
        })
    }

    /// Finds the question that waits for an answer at a seat, with its number there.
    pub fn open_question(&self, seat: Seat) -> Option<(u32, &Question)> {
        open(self.asked.questions.get(&seat)?)
    }

    /// Tells whether a judge of a candidate waits for a person's answer.
    pub fn judge_asks(&self, attempt: AttemptId) -> bool {
        !self.asked.questions.is_empty() && self.open_question(self.review_seat(attempt)).is_some()
    }

    /// Tells whether a judge of a task's candidate waits for a person's answer.
    pub fn is_asked_about(&self, task: TaskId) -> bool {
        self.open_questions().any(|(seat, ..)| matches!(seat, Seat::Judge { attempt, .. } if attempt.task == task))
    }

    /// Lists the candidates that judges look at, or come to, in order of arrival: not those whose judge waits for a person.
    pub fn in_review(&self) -> impl Iterator<Item = AttemptId> {
        self.reviewing.iter().copied().filter(|attempt| !self.judge_asks(*attempt))
    }

    /// Lists all that people have answered to those who sat where somebody sits down next, and to their like before: a
    /// planner hears what its scope's planners were told, a judge what those of its task were, the run's what those before
    /// it were.
    pub fn answered_at(&self, seat: Seat) -> Vec<(&str, &str)> {
        let is_of_it = |other: &Seat| match (seat, *other) {
            (Seat::Planner { scope, .. }, Seat::Planner { scope: of, .. }) => scope == of,
            (Seat::Judge { attempt, .. }, Seat::Judge { attempt: of, .. }) => attempt.task == of.task,
            (Seat::RunJudge { .. }, Seat::RunJudge { .. }) => true,
            (Seat::Attempt(_) | Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. }, _) => false,
        };
        let asked = self.asked.questions.iter().filter(|(other, _)| is_of_it(other)).flat_map(|(_, asked)| asked);
        let given = asked.filter_map(|it| match &it.reply {
            Reply::Given(answer) => Some((it.missing.as_str(), answer.as_str())),
            Reply::Waits | Reply::Withdrawn => None,
        });
        given.collect()
    }

    /// Names the seat from which a candidate is looked at next.
    pub fn review_seat(&self, attempt: AttemptId) -> Seat {
        let lens = u32::try_from(self.looked_at(attempt)).unwrap_or(u32::MAX).saturating_add(1);
        Seat::Judge { attempt, lens }
    }
}

fn open(asked: &[Question]) -> Option<(u32, &Question)> {
    let last = asked.last().filter(|question| question.reply == Reply::Waits)?;
    Some((u32::try_from(asked.len()).unwrap_or(u32::MAX), last))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::machine::command::{Ask, Command, Leave, PlanStep};
    use crate::machine::due::{deadline, due};
    use crate::machine::event::{Event, Rest, Subject};
    use crate::machine::laws::{follows, moves_or_rests};
    use crate::machine::state::{Flow, Status};
    use crate::machine::testing::{Scene, attempt, candidate, draft, kinds, result};
    use crate::model::attempt::Usage;
    use crate::model::check::Answer;
    use crate::model::gating::{Then, Timeout};
    use crate::model::goal::Gate;
    use crate::model::ids::ScopeId;
    use crate::model::means::Means;
    use crate::model::review::{Criterion, Lens, Review, RunHandoff, RunRuling, RunVerdict, Score};
    use crate::model::role::{AgentRef, Part, Role};
    use crate::model::verdict::Ruling;

    fn claude() -> Vec<AgentRef> {
        vec!["claude".parse().unwrap()]
    }

    /// Has sessions plan, judge each candidate and judge the run.
    fn seated() -> Scene {
        with_timeout(None)
    }

    fn with_timeout(then: Option<Then>) -> Scene {
        let scene = Scene::opened(|opening| {
            let planner = opening.roles.get_mut("planner").unwrap();
            planner.agents = claude();
            let role = Role { part: Part::Judge, ..planner.clone() };
            let of_run = Role { name: "run-judge".into(), ..role.clone() };
            let agents = [vec![AgentRef::Ladder], claude()].concat();
            let judge = Role { name: opening.goal.plan.judge.clone(), agents, ..role };
            opening.roles.extend([of_run, judge].map(|role| (role.name.clone(), role)));
            opening.judges = 1;
            opening.goal.plan.run_judge = Some("run-judge".into());
            opening.goal.gating.timeout = then.map(|then| Timeout { after_s: 60, then });
        });
        scene.begun().settled()
    }

    const PLANNER: Seat = Seat::Planner { scope: ScopeId(0), wake: 1 };

    fn judge(task: u32) -> Seat {
        Seat::Judge { attempt: attempt(task, 1), lens: 1 }
    }

    fn leaving(scene: &Scene, seat: Seat, leave: Leave) -> Command {
        let fence = scene.state.sitting[&seat].fence;
        Command::LeaveSeat { seat, fence, leave, usage: Usage::default() }
    }

    fn leaves(scene: Scene, seat: Seat, leave: Leave) -> Scene {
        let command = leaving(&scene, seat, leave);
        scene.does(command).settled()
    }

    fn asks(scene: Scene, seat: Seat) -> Scene {
        leaves(scene, seat, Leave::Asks { missing: "an answer to: Which colour?".into(), session: None })
    }

    fn answering(seat: Seat, number: u32) -> Ask {
        Ask::AnswerQuestion { seat, number, answer: " Blue. ".into() }
    }

    fn answered(scene: Scene, seat: Seat, number: u32) -> Scene {
        scene.asks(answering(seat, number)).settled()
    }

    /// Has two tasks planned, and the first one's candidate wait for what its judge says.
    fn judged() -> Scene {
        let emit = PlanStep::Emit(vec![draft("a", "a"), draft("b", "b")]);
        let scene = leaves(seated().plans(emit), PLANNER, Leave::Done);
        let scene = scene.ends(attempt(1, 1), candidate(1)).accepted(attempt(1, 1)).settled();
        assert!(scene.state.sitting.contains_key(&judge(1)));
        scene
    }

    fn review(scene: &Scene, seat: Seat) -> Command {
        let Seat::Judge { attempt, lens } = seat else { panic!("it judges") };
        let score = |it: Criterion| Score { criterion: it.name, score: 10, evidence: "a".into() };
        let review = Review {
            lens: Lens::Diff,
            judge: String::new(),
            ruling: Ruling::Accept,
            scores: scene.state.judge().unwrap().scored().into_iter().map(score).collect(),
            findings: Vec::new(),
            notes: Vec::new(),
        };
        let fence = scene.state.sitting[&seat].fence;
        Command::ReportReview { attempt, lens, fence, review, usage: Usage::default() }
    }

    #[test]
    fn who_asks_holds_nothing_until_it_is_answered_and_all_else_goes_on() {
        let scene = seated().plans(PlanStep::Emit(vec![draft("a", "a")]));
        let fence = scene.state.sitting[&PLANNER].fence;
        let means = Means { nano_usd: 5, tokens: 5, calls: 1 };
        let scene = scene.does(Command::AskAllowance { seat: PLANNER, fence, means }).settled();
        assert_eq!(scene.state.accounted(), means);
        let scene = asks(scene, PLANNER);
        assert_eq!((scene.state.accounted(), scene.state.sitting.len()), (Means::default(), 0));
        assert!(scene.state.is_live() && scene.status(1) == &Status::Running, "its task goes on");
        let stale = Command::ReportPlan { scope: ScopeId(0), wake: 1, fence, step: PlanStep::Emit(Vec::new()) };
        assert!(scene.when(&stale).is_err(), "who is gone says nothing more");
        let scene = scene.does(Command::Wake { epoch: 2, sandbox: None }).settled();
        assert_eq!(scene.state.open_question(PLANNER).map(|(number, _)| number), Some(1), "it outlives a coordinator");
        let scene = answered(scene, PLANNER, 1);
        assert!(scene.state.sitting.contains_key(&PLANNER));
        assert_eq!(scene.state.answered_at(PLANNER), [("an answer to: Which colour?", "Blue.")]);
    }

    #[test]
    fn a_run_in_which_nothing_else_goes_on_rests_on_a_question_and_is_woken_by_its_answer() {
        let scene = asks(seated(), PLANNER);
        assert_eq!((&scene.state.rest, due(&scene.state)), (&Some(Rest::Question), Vec::new()));
        assert_eq!(moves_or_rests(&scene.state, &[]), Ok(()));
        assert!(scene.refusal(Ask::Resume).contains("waiting for a person's answer"));
        for wrong in [answering(PLANNER, 0), answering(PLANNER, 2), answering(judge(1), 1)] {
            assert!(scene.refusal(wrong).contains("waits for an answer"));
        }
        let empty = Ask::AnswerQuestion { seat: PLANNER, number: 1, answer: " ".into() };
        assert!(scene.refusal(empty).contains("say it in words"));
        let scene = answered(scene, PLANNER, 1);
        assert!(scene.state.is_live() && scene.state.sitting.contains_key(&PLANNER));
        assert!(scene.refusal(answering(PLANNER, 1)).contains("waits for an answer"), "it is answered once");
    }

    #[test]
    fn a_plan_whose_planner_asks_is_not_whole_and_waits_for_no_word() {
        let mut scene = seated();
        Arc::make_mut(scene.state.opening.as_mut().unwrap()).goal.approve.insert(Gate::Plan);
        let scene = asks(scene.plans(PlanStep::Emit(vec![draft("a", "a")])), PLANNER);
        assert_eq!((&scene.state.rest, scene.state.waiting), (&Some(Rest::Question), None));
        let scene = leaves(answered(scene, PLANNER, 1), PLANNER, Leave::Done);
        assert_eq!((&scene.state.rest, scene.state.waiting), (&Some(Rest::Gate(Gate::Plan)), Some(Gate::Plan)));
    }

    #[test]
    fn the_agent_whose_turn_it_is_takes_up_its_session_with_the_answer() {
        let leave = Leave::Asks { missing: "a word".into(), session: Some("s".into()) };
        let scene = leaves(seated(), PLANNER, leave);
        assert_eq!(scene.state.parked[&PLANNER].session, "s");
        let scene = answered(scene, PLANNER, 1);
        let resumes = scene.state.sitting[&PLANNER].resumes.clone().unwrap();
        assert_eq!((resumes.session.as_str(), resumes.has_asked, scene.state.turn_at(PLANNER).tries), ("s", true, 0));
    }

    #[test]
    fn who_asks_again_and_again_has_failed() {
        let mut scene = seated();
        for number in 1..=3 {
            scene = answered(asks(scene, PLANNER), PLANNER, number);
        }
        assert_eq!(scene.state.answered_at(PLANNER).len(), 3);
        let leave = Leave::Asks { missing: "a word".into(), session: None };
        let events = scene.when(&leaving(&scene, PLANNER, leave.clone())).unwrap();
        let Event::SeatLeft { left: crate::machine::event::Left::Failed { why }, .. } = &events[0] else {
            panic!("{events:?}")
        };
        assert_eq!(why, "it has asked 3 times before, and lacks a word");
        let left = crate::machine::event::Left::Asks { missing: "a word".into(), session: None };
        let turn = Some(scene.state.turn_at(PLANNER));
        let again = Event::SeatLeft { seat: PLANNER, left, usage: Usage::default(), turn };
        assert!(follows(&scene.state, &again).unwrap_err().what.contains("asks once more after 3 times"));
    }

    #[test]
    fn a_candidate_whose_judge_asks_waits_and_holds_nobody_up() {
        let scene = asks(judged(), judge(1));
        assert_eq!((scene.status(1), scene.state.in_review().count()), (&Status::Judging, 0));
        assert_eq!(scene.state.task_keys.len(), 2);
        let scene = scene.ends(attempt(2, 1), candidate(2)).accepted(attempt(2, 1)).settled();
        assert!(scene.state.sitting.contains_key(&judge(2)), "the one judge looks at another");
        let scene = answered(scene, judge(1), 1);
        assert_eq!(scene.state.sitting.len(), 1, "no more judge than there are judges");
        let command = review(&scene, judge(2));
        let scene = scene.does(command).settled();
        assert!(scene.state.sitting.contains_key(&judge(1)), "and it is next");
        let command = review(&scene, judge(1));
        let scene = scene.does(command);
        assert_eq!(scene.status(1), &Status::Queued);
    }

    #[test]
    fn a_task_whose_judge_asks_may_be_given_up_and_its_question_with_it() {
        let scene = judged();
        let drop = || Ask::DenyTask { task: TaskId(1), reason: "no".into() };
        assert!(!scene.refusal(drop()).is_empty(), "not while it is judged");
        let scene = asks(scene, judge(1)).asks(drop()).settled();
        assert!(matches!(scene.status(1), Status::Dropped { .. }) && scene.state.reviewing.is_empty());
        assert_eq!(scene.state.open_questions().count(), 0);
        assert!(!scene.refusal(answering(judge(1), 1)).is_empty());
    }

    /// Has all done that is planned, and the run's judge sit.
    fn closing() -> Scene {
        let scene = leaves(seated(), PLANNER, Leave::Done).looked(Answer::Green);
        assert!(scene.state.sitting.contains_key(&RUN));
        scene
    }

    const RUN: Seat = Seat::RunJudge { iteration: 1 };

    #[test]
    fn a_run_whose_judge_asks_waits_for_a_person_and_does_not_end() {
        let scene = asks(closing(), RUN);
        assert_eq!((&scene.state.rest, &scene.state.end), (&Some(Rest::Question), &None));
        let scene = answered(scene, RUN, 1);
        let fence = scene.state.sitting[&RUN].fence;
        let verdict = RunVerdict { ruling: RunRuling::Done, why: "so".into(), handoff: RunHandoff::default() };
        let scene = scene.does(Command::ReportRunVerdict { iteration: 1, fence, verdict, usage: Usage::default() });
        assert!(scene.state.end.is_some());
    }

    #[test]
    fn what_the_run_s_judge_asks_is_withdrawn_where_the_run_has_moved_and_its_number_is_not_used_again() {
        let scene = asks(closing(), RUN);
        let moved = scene.given(Event::BaselineTaken { results: vec![result("tests", Answer::Green)] });
        assert!(moved.state.open_question(RUN).is_some());
        let mut state = moved;
        state.state.end = Some(crate::machine::event::End::Denied { reason: "no".into() });
        let again = state.given(Event::RunReopened);
        assert_eq!((again.state.open_question(RUN), again.state.asked.questions[&RUN].len()), (None, 1));
        assert!(again.state.answered_at(RUN).is_empty());
    }

    #[test]
    fn a_stopped_or_draining_run_is_answered_and_goes_on_when_it_is_resumed() {
        let scene = asks(seated(), PLANNER).asks(Ask::Drain);
        let scene = answered(scene, PLANNER, 1);
        assert_eq!((&scene.state.rest, scene.state.sitting.len()), (&Some(Rest::Stopped), 0));
        let scene = scene.asks(Ask::Resume).settled();
        assert!(scene.state.sitting.contains_key(&PLANNER));
        let stopped = asks(judged(), judge(1)).asks(Ask::Stop).settled();
        assert_eq!(stopped.state.rest, Some(Rest::Stopped));
        let scene = answered(stopped, judge(1), 1).asks(Ask::Resume).settled();
        assert!(scene.state.sitting.contains_key(&judge(1)));
    }

    #[test]
    fn a_run_that_rests_on_a_question_goes_on_with_what_a_person_gives_it_beside() {
        let scene = leaves(seated().plans(PlanStep::Emit(vec![draft("a", "a")])), PLANNER, Leave::Failed("x".into()));
        let scene = asks(scene, PLANNER);
        let blocked = crate::model::attempt::Outcome::Blocked { missing: "a licence".into() };
        let scene = scene.ends(attempt(1, 1), blocked).settled();
        assert_eq!(scene.state.rest, Some(Rest::Question));
        let scene = scene.asks(Ask::Retry(TaskId(1))).settled();
        assert_eq!(scene.status(1), &Status::Running);
    }

    #[test]
    fn an_answer_that_does_not_come_in_time_has_whoever_asked_go_on_without_or_waits_on() {
        let late = |then| {
            let mut scene = asks(with_timeout(Some(then)), PLANNER);
            assert_eq!(deadline(&scene.state, scene.now_ms), Some(scene.now_ms + 60_000));
            scene.now_ms += 60_000;
            let events = scene.when(&Command::LetLapse).unwrap();
            (kinds(&events), scene.does(Command::LetLapse).settled())
        };
        for then in [Then::Approve, Then::Deny] {
            let (kinds, scene) = late(then);
            assert_eq!(kinds, ["WordOverdue", "QuestionAnswered"]);
            assert!(scene.state.sitting.contains_key(&PLANNER));
            assert!(scene.state.answered_at(PLANNER)[0].1.contains("no word came within 60 s"));
        }
        for then in [Then::Escalate, Then::Stop] {
            let (kinds, scene) = late(then);
            assert_eq!(kinds, ["WordOverdue"]);
            let on = scene.state.awaited().next().unwrap();
            assert!(on.0 == Subject::Question(PLANNER) && on.1.is_overdue);
            let is_stopped = scene.state.flow == Flow::Draining && scene.state.rest == Some(Rest::Stopped);
            assert_eq!(is_stopped, then == Then::Stop);
            assert_eq!(answered(scene, PLANNER, 1).state.answered_at(PLANNER).len(), 1);
        }
    }

    #[test]
    fn nobody_sits_where_a_question_waits() {
        let scene = asks(judged(), judge(1));
        let taken = Event::SeatTaken { seat: judge(1), agent: claude().remove(0), fence: 99, resumes: None };
        assert!(follows(&scene.state, &taken).unwrap_err().what.contains("its question waits for an answer"));
        let unasked = Event::QuestionAnswered { seat: judge(1), number: 2, answer: "x".into() };
        assert!(follows(&scene.state, &unasked).unwrap_err().what.contains("does not wait"));
    }
}
