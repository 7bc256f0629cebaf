//! Owns which tasks an event is about, so that whoever follows a run looks at no others. Never shows one.

use crate::machine::event::{Event, Left};
use crate::machine::state::State;
use crate::model::ids::TaskId;
use crate::model::seat::Seat;
use crate::model::task::Work;

/// Lists the tasks whose standing may have changed by an event; `state` is the fold up to and with it.
#[expect(clippy::wildcard_enum_match_arm, reason = "most events are about no task")]
pub fn tasks_of(state: &State, event: &Event) -> Vec<TaskId> {
    match event {
        Event::AttemptLost { attempt, .. }
        | Event::AttemptLimited { attempt, .. }
        | Event::AttemptEnded { attempt, .. }
        | Event::VerdictGiven { attempt, .. }
        | Event::CandidateReviewed { attempt, .. }
        | Event::CandidateAsked { attempt, .. }
        | Event::CandidateApproved { attempt, .. }
        | Event::CandidateDenied { attempt, .. }
        | Event::MemberEjected { attempt, .. } => vec![attempt.task],
        Event::SeatLeft { seat: Seat::Judge { attempt, .. }, left: Left::Asks { .. }, .. }
        | Event::QuestionAnswered { seat: Seat::Judge { attempt, .. }, .. } => vec![attempt.task],
        Event::TaskOverruled { task }
        | Event::TaskDropped { task, .. }
        | Event::TaskRetried { task }
        | Event::ScopeAskRaised { task, .. }
        | Event::ScopeAnswered { task, .. } => vec![*task],
        Event::PlanEdited { .. } | Event::PlanSentBack { .. } => crate::views::origin::tasks(event),
        Event::TasksEmitted { tasks, .. } => tasks.iter().map(|task| task.id).collect(),
        Event::BatchLanded { landed, .. } => {
            let reverted = |task: TaskId| match state.tasks.get(&task).map(|task| &task.work) {
                Some(Work::Revert(other)) => Some(*other),
                Some(Work::Brief) | None => None,
            };
            landed.iter().flat_map(|link| [Some(link.attempt.task), reverted(link.attempt.task)]).flatten().collect()
        }
        _ => Vec::new(),
    }
}
