//! Owns the time line in words: the moments at which a run took a turn; landings between two of them are one moment.

use super::page::Moment;
use crate::machine::event::{Event, Left, Next, Recorded};
use crate::machine::state::State;
use crate::model::ids::Oid;
use crate::views::line::line;
use crate::views::words;

/// Moments that are told from the beginning, and from the end.
pub(super) const FIRST: usize = 20;
const LAST: usize = 40;

/// Gathers moments.
#[derive(Debug, Default)]
pub(super) struct Moments {
    told: Vec<Moment>,
    landings: Option<Landings>,
}

#[derive(Debug)]
struct Landings {
    at: u64,
    at_ms: i64,
    count: usize,
    head: Oid,
}

impl Moments {
    pub(super) fn learn(&mut self, state: &State, recorded: &Recorded) {
        if let Event::BatchLanded { landed, head, .. } = &recorded.event {
            let run = self.landings.get_or_insert(Landings { at: 0, at_ms: 0, count: 0, head: *head });
            *run = Landings { at: recorded.seq, at_ms: recorded.at_ms, count: run.count + landed.len(), head: *head };
            return;
        }
        if !is_turn(&recorded.event) {
            return;
        }
        self.close_landings();
        self.told.push(Moment { at: recorded.seq, at_ms: recorded.at_ms, text: line(state, recorded).text });
    }

    fn close_landings(&mut self) {
        let Some(Landings { at, at_ms, count, head }) = self.landings.take() else { return };
        if count > 0 {
            let text = format!("{} landed, up to {}", words::count(count, "task"), head.short());
            self.told.push(Moment { at, at_ms, text });
        }
    }

    /// Gives the first and the last moments, and how many were left out between.
    pub(super) fn finish(mut self) -> (Vec<Moment>, usize) {
        self.close_landings();
        let skipped = self.told.len().saturating_sub(FIRST + LAST);
        self.told.drain(FIRST.min(self.told.len())..(FIRST + skipped).min(self.told.len()));
        (self.told, skipped)
    }
}

/// Tells whether the run took a turn by an event, or somebody had to be told of it.
fn is_turn(event: &Event) -> bool {
    match event {
        Event::RunOpened(_)
        | Event::BaselineTaken { .. }
        | Event::PlannerFailed { .. }
        | Event::MoneyRanOut { .. }
        | Event::RunJudged { .. }
        | Event::LimitLifted { .. }
        | Event::GateReached { .. }
        | Event::GatePassed { .. }
        | Event::GateRefused { .. }
        | Event::SampleAccepted
        | Event::IterationBegan { .. }
        | Event::ConditionsChecked { .. }
        | Event::DecisionClaimed { .. }
        | Event::ScopeAskRaised { .. }
        | Event::ScopeAnswered { .. }
        | Event::CandidateDenied { .. }
        | Event::QuestionAnswered { .. }
        | Event::SeatLeft { left: Left::Asks { .. }, .. }
        | Event::WordOverdue { .. }
        | Event::PlanEdited { .. }
        | Event::PlanSentBack { .. }
        | Event::DeliveryProposed { .. }
        | Event::DeliveryRefused { .. }
        | Event::TaskOverruled { .. }
        | Event::TaskDropped { .. }
        | Event::TaskRetried { .. }
        | Event::Steered { .. }
        | Event::Delivered { .. }
        | Event::Draining
        | Event::Stopping
        | Event::Resumed
        | Event::BudgetRaised { .. }
        | Event::SpaceRanShort { .. }
        | Event::SpaceCameBack
        | Event::RunParked { .. }
        | Event::RunReopened
        | Event::RunEnded { .. } => true,
        Event::CoordinatorWoke { epoch, .. } => *epoch > 1,
        Event::AttemptLost { next, .. }
        | Event::AttemptLimited { next, .. }
        | Event::AttemptEnded { next, .. }
        | Event::VerdictGiven { next, .. }
        | Event::CandidateReviewed { next, .. }
        | Event::MemberEjected { next, .. } => is_end(next),
        Event::BranchOpened { .. }
        | Event::ScopeOpened { .. }
        | Event::TasksEmitted { .. }
        | Event::PlannerFinished { .. }
        | Event::PlannerWoken { .. }
        | Event::AttemptLeased(_)
        | Event::LeaseRenewed { .. }
        | Event::AllowanceGranted { .. }
        | Event::AllowanceReturned { .. }
        | Event::CallMade { .. }
        | Event::SteeringHeard { .. }
        | Event::TranscriptKept { .. }
        | Event::CandidateAsked { .. }
        | Event::CandidateApproved { .. }
        | Event::SeatTaken { .. }
        | Event::SeatLeft { .. }
        | Event::BatchFormed { .. }
        | Event::BatchMerged { .. }
        | Event::PrefixChecked { .. }
        | Event::BatchLanded { .. }
        | Event::BatchClosed { .. }
        | Event::DeliveryAsked { .. }
        | Event::RequestAnswered { .. }
        | Event::RequestRefused { .. } => false,
    }
}

fn is_end(next: &Next) -> bool {
    matches!(next, Next::Keep { .. } | Next::Block { .. })
}
