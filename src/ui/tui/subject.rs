//! Owns what a person can choose in the live view: each gate, candidate, task or limit that something can be done about. Never does
//! it.

use std::collections::BTreeSet;

use crate::machine::awaited::Shown;
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, Oid, TaskId};
use crate::model::seat::Seat;
use crate::views::board::Board;
use crate::views::waiting::AskedRow;

/// Names what can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A gate that waits; what is said is said of exactly what is shown there.
    Gate(Gate, Shown),
    /// A candidate that waits for a word; what is said is said of exactly that commit.
    Candidate {
        /// The attempt.
        attempt: AttemptId,
        /// Its candidate.
        commit: Oid,
    },
    /// A delivery of exactly that commit, which waits for a word.
    Delivery(Oid),
    /// The question at a seat with that number there, which waits for an answer.
    Question(Seat, u32),
    /// A task that is left over; says whether it is kept, so that its candidate may be let through or given up.
    Left {
        /// The task.
        task: TaskId,
        /// Whether it is kept.
        is_kept: bool,
    },
    /// The first of the tasks that wait for a usage limit.
    Limit(TaskId),
    /// The task of an attempt that runs.
    Running(TaskId),
}

impl Subject {
    /// Names the task, where it is one.
    pub fn task(self) -> Option<TaskId> {
        match self {
            Self::Question(Seat::Judge { attempt, .. } | Seat::Attempt(attempt), _) => Some(attempt.task),
            Self::Gate(..) | Self::Delivery(_) | Self::Question(Seat::Planner { .. } | Seat::RunJudge { .. }, _) => {
                None
            }
            Self::Candidate { attempt, .. } => Some(attempt.task),
            Self::Left { task, .. } | Self::Limit(task) | Self::Running(task) => Some(task),
        }
    }

    /// Tells whether it may be approved or denied.
    pub fn takes_a_word(self) -> bool {
        match self {
            Self::Gate(..) | Self::Candidate { .. } | Self::Delivery(_) | Self::Left { is_kept: true, .. } => true,
            Self::Left { .. } | Self::Limit(_) | Self::Running(_) | Self::Question(..) => false,
        }
    }

    /// Tells whether this is the same thing, however it stands.
    pub fn is_about(self, other: Self) -> bool {
        match (self, other) {
            (Self::Gate(one, _), Self::Gate(another, _)) => one == another,
            (Self::Delivery(one), Self::Delivery(another)) => one == another,
            (Self::Question(one, first), Self::Question(another, second)) => (one, first) == (another, second),
            (one, another) => one.task().is_some() && one.task() == another.task(),
        }
    }

    /// Gives the gate that waits.
    pub fn gate(board: &Board) -> Option<Self> {
        Some(Self::Gate(board.gate?, board.shown?))
    }

    /// Gives what can be said of what waits for a word.
    pub fn asked(row: &AskedRow) -> Option<Self> {
        if let (Some(seat), Some(number)) = (row.seat, row.number) {
            return Some(Self::Question(seat, number));
        }
        let commit = row.commit?;
        Some(row.attempt.map_or(Self::Delivery(commit), |attempt| Self::Candidate { attempt, commit }))
    }
}

/// Lists what can be chosen, in the order in which it stands on the screen.
pub fn subjects(board: &Board) -> Vec<Subject> {
    let gate = Subject::gate(board);
    let left = board.left.iter().filter(|row| row.can_be_retried());
    let left = left.map(|row| Subject::Left { task: row.task, is_kept: row.status == "kept" });
    let limits = board.limits.iter().filter_map(|row| row.first).map(Subject::Limit);
    let running = board.running.iter().map(|row| Subject::Running(row.attempt.task));
    let asked = board.asked.iter().filter_map(Subject::asked);
    let mut tasks: BTreeSet<TaskId> = BTreeSet::new();
    let all = gate.into_iter().chain(asked).chain(left).chain(limits).chain(running);
    // Of what is no task there is one gate, and one delivery.
    all.filter(|subject| subject.task().is_none_or(|task| tasks.insert(task))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::board::board;
    use crate::views::story::Story;

    #[test]
    fn each_task_is_chosen_once_as_what_is_most_pressing_of_it() {
        let seen = |story: &Story| board(&story.state, &story.outside()).unwrap();
        let mut asked = seen(&Story::awaiting().0).asked.remove(0);
        let mut board = seen(&Story::at_work(""));
        let before = subjects(&board);
        let last = *before.last().unwrap();
        assert!(matches!(last, Subject::Running(_)), "{last:?}");
        asked.attempt = board.running.last().map(|row| row.attempt);
        let candidate = Subject::asked(&asked).unwrap();
        assert_eq!(candidate.task(), last.task());
        board.asked.push(asked);
        board.running.extend(board.running.clone());
        let mut want = vec![candidate];
        want.extend(before.iter().filter(|subject| **subject != last));
        assert_eq!(subjects(&board), want);
    }
}
