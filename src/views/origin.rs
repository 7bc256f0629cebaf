//! Owns whose doing an event is and which tasks it is about, so that a journal can be sifted by them. Never shows it.

use crate::machine::event::{Event, Lease, Recorded, Subject};
use crate::machine::state::State;
use crate::model::ids::{AttemptId, TaskId};
use crate::model::seat::Seat;

/// Names what is the coordinator's doing.
pub const COORDINATOR: &str = "coordinator";
/// Names what is a person's doing.
pub const PERSON: &str = "person";

/// Lists the tasks that an event is about.
pub fn tasks(event: &Event) -> Vec<TaskId> {
    if let Some(attempt) = attempt(event) {
        return vec![attempt.task];
    }
    if let Some(seat) = seat(event) {
        return match seat {
            Seat::Attempt(attempt) | Seat::Judge { attempt, .. } => vec![attempt.task],
            Seat::Planner { .. } | Seat::RunJudge { .. } => Vec::new(),
        };
    }
    let of = |attempts: &[AttemptId]| attempts.iter().map(|attempt| attempt.task).collect();
    if let Event::TaskOverruled { task }
    | Event::TaskDropped { task, .. }
    | Event::TaskRetried { task }
    | Event::ScopeAskRaised { task, .. }
    | Event::ScopeAnswered { task, .. }
    | Event::Steered { task: Some(task), .. } = event
    {
        vec![*task]
    } else if let Event::PlanEdited { dropped, changed, added, .. } = event {
        let new = changed.iter().chain(added.iter().map(|it| &it.task)).map(|task| task.id);
        dropped.iter().copied().chain(new).collect()
    } else if let Event::PlanSentBack { dropped, .. } = event {
        dropped.clone()
    } else if let Event::BatchFormed { members, .. } = event {
        of(members)
    } else if let Event::BatchMerged { chain, conflicts, .. } = event {
        let links = chain.iter().map(|link| link.attempt.task);
        links.chain(conflicts.iter().map(|conflict| conflict.attempt.task)).collect()
    } else if let Event::BatchLanded { landed, .. } = event {
        landed.iter().map(|link| link.attempt.task).collect()
    } else if let Event::TasksEmitted { tasks, .. } = event {
        tasks.iter().map(|task| task.id).collect()
    } else if let Event::PlannerWoken { handoffs, .. } = event {
        handoffs.clone()
    } else {
        Vec::new()
    }
}

/// Names whose doing an event is: an agent, a judge, a person, or the coordinator; `state` is the fold up to and with it.
pub fn actor(state: &State, recorded: &Recorded) -> String {
    let event = &recorded.event;
    if let Event::VerdictGiven { verdict, .. } = event {
        // Each attempt has a judge of its own, named after it: sifted are those of one sort.
        return verdict.judge.split(" of t").next().unwrap_or_default().to_owned();
    }
    if let Event::CandidateReviewed { review, .. } = event {
        return review.judge.clone();
    }
    if let Event::RunJudged { judge, .. } = event {
        return judge.clone();
    }
    if let Event::SeatTaken { agent, .. } = event {
        return agent.to_string();
    }
    let is_of_agent = matches!(
        event,
        Event::AttemptLeased(_) | Event::AttemptEnded { .. } | Event::AttemptLimited { .. } | Event::AttemptLost { .. }
    );
    if let Some(attempt) = attempt(event).filter(|_| is_of_agent).and_then(|id| state.attempt(id)) {
        return attempt.agent.to_string();
    }
    match seat(event) {
        Some(Seat::Attempt(id)) => {
            return state.attempt(id).map_or_else(|| COORDINATOR.to_owned(), |attempt| attempt.agent.to_string());
        }
        Some(seat) => {
            let sits = state.sitting.get(&seat).map(|sitting| sitting.agent.to_string());
            return sits.or_else(|| state.role_at(seat).map(|role| role.name.clone())).unwrap_or_default();
        }
        None => {}
    }
    let is_of_person = matches!(
        event,
        Event::RunOpened(_)
            | Event::GatePassed { .. }
            | Event::GateRefused { .. }
            | Event::TaskOverruled { .. }
            | Event::TaskDropped { .. }
            | Event::TaskRetried { .. }
            | Event::Steered { .. }
            | Event::PlanEdited { .. }
            | Event::PlanSentBack { .. }
            | Event::QuestionAnswered { .. }
            | Event::ScopeAnswered { by: None, .. }
            | Event::DeliveryAsked { .. }
            | Event::BudgetRaised { .. }
            | Event::Draining
            | Event::Stopping
            | Event::Resumed
            | Event::RequestAnswered { .. }
            | Event::RequestRefused { .. }
    );
    if is_of_person { PERSON } else { COORDINATOR }.to_owned()
}

fn attempt(event: &Event) -> Option<AttemptId> {
    if let Event::AttemptLeased(Lease { attempt, .. })
    | Event::LeaseRenewed { attempt, .. }
    | Event::AttemptLost { attempt, .. }
    | Event::AttemptLimited { attempt, .. }
    | Event::AttemptEnded { attempt, .. }
    | Event::CandidateReviewed { attempt, .. }
    | Event::VerdictGiven { attempt, .. }
    | Event::CandidateAsked { attempt, .. }
    | Event::CandidateApproved { attempt, .. }
    | Event::CandidateDenied { attempt, .. }
    | Event::WordOverdue { on: Subject::Candidate(attempt), .. }
    | Event::MemberEjected { attempt, .. } = event
    {
        Some(*attempt)
    } else {
        None
    }
}

fn seat(event: &Event) -> Option<Seat> {
    if let Event::AllowanceGranted { seat, .. }
    | Event::AllowanceReturned { seat, .. }
    | Event::CallMade { seat, .. }
    | Event::MoneyRanOut { seat, .. }
    | Event::SteeringHeard { seat, .. }
    | Event::TranscriptKept { seat, .. }
    | Event::SeatTaken { seat, .. }
    | Event::SeatLeft { seat, .. } = event
    {
        Some(*seat)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::evolve::evolve;
    use crate::views::story::Story;

    #[test]
    fn what_is_awaited_and_said_of_a_candidate_is_found_by_its_task() {
        let (mut story, task) = Story::awaiting();
        let waiting = &story.state.asked.candidates;
        let (attempt, commit) = waiting.iter().map(|(id, it)| (*id, it.commit)).next().unwrap();
        story.ask("q-1", crate::machine::command::Ask::ApproveCandidate { attempt, commit });
        let of_task = story.events.iter().filter(|recorded| tasks(&recorded.event).contains(&task));
        let kinds: Vec<&str> = of_task.map(|recorded| recorded.event.kind()).collect();
        assert!(kinds.ends_with(&["CandidateAsked", "CandidateApproved"]), "{kinds:?}");
        let told = |kind| story.events.iter().rfind(|recorded| recorded.event.kind() == kind).unwrap();
        let told = crate::views::concerns::tasks_of(&story.state, &told("CandidateAsked").event);
        assert_eq!(told, [task], "whoever follows it looks at it again");
    }

    #[test]
    fn each_event_has_an_actor_and_every_task_is_found_by_what_happened_to_it() {
        let story = Story::incomplete("");
        let mut state = State::default();
        let (mut actors, mut touched) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for recorded in &story.events {
            state = evolve(state, recorded);
            let actor = actor(&state, recorded);
            assert!(!actor.is_empty(), "{recorded:?}");
            actors.insert(actor);
            touched.extend(tasks(&recorded.event));
        }
        assert_eq!(touched, state.tasks.keys().copied().collect());
        for name in ["codemod", "ladder", COORDINATOR, PERSON] {
            assert!(actors.contains(name), "{name}: {actors:?}");
        }
    }
}
