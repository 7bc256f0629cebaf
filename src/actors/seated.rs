//! Owns who sits at a seat as its session is told, and what lies there of a session that a limit or a question ended until
//! the same agent takes it up again. Never says who sits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::logins::TOLD_FILE;
use super::world::{World, told};
use crate::io::agents::{Desk, EndedBy, Resumed};
use crate::machine::seats::ParkedSession;
use crate::machine::state::State;
use crate::model::role::{AgentRef, Role};
use crate::model::seat::Seat;
use crate::views::brief::AnsweredView;

/// Names the desk below which lies what is kept, by the fences of those who sat there.
const KEPT: &str = "parked";

/// Tells a session who it is.
#[derive(Debug, Clone)]
pub struct Seated {
    /// Where it sits.
    pub seat: Seat,
    /// The fence under which it sits.
    pub fence: u64,
    /// The agent.
    pub agent: AgentRef,
    /// Its role.
    pub role: Role,
    /// The session that it takes up again.
    pub resumes: Option<ParkedSession>,
    /// What those who sat there asked people, and what they were answered.
    pub answered: Vec<AnsweredView>,
}

impl Seated {
    /// Finds who sits at a seat under a fence.
    pub fn of(state: &State, seat: Seat, fence: u64) -> Option<Self> {
        let sitting = state.sitting.get(&seat).filter(|sitting| sitting.fence == fence)?;
        let (agent, resumes) = (sitting.agent.clone(), sitting.resumes.clone());
        let answered = state.answered_at(seat).into_iter().map(AnsweredView::of).collect();
        Some(Self { seat, fence, agent, role: state.role_at(seat)?.clone(), resumes, answered })
    }

    /// Names the session that it takes up again, with what it is told first.
    pub(super) fn resumed(&self, world: &World, news: &[String]) -> Option<Resumed> {
        let ParkedSession { session, fence, has_asked, .. } = self.resumes.as_ref()?;
        let resumed = Resumed::of(session, kept(world, *fence))?;
        if !has_asked {
            return Some(resumed.knowing(news));
        }
        // What an agent wrote stays in its line.
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let answers = self.answered.iter().map(|it| format!("- {}: {}", line(&it.missing), it.answer.trim()));
        let news: Vec<String> = answers.chain(news.iter().cloned()).collect();
        Some(Resumed { ended_by: EndedBy::Question, ..resumed.knowing(&news) })
    }
}

/// Gives the desk on which is kept what there is of the session of who sat under a fence.
pub(super) fn kept(world: &World, fence: u64) -> Desk {
    Desk::at(folder(world).join(fence.to_string()))
}

fn folder(world: &World) -> PathBuf {
    world.desk(KEPT)
}

/// Keeps what an agent has of its session in a folder on its desk, for who takes that up again; tells whether it is kept.
pub(super) fn keep(world: &World, fence: u64, desk: &Desk, home: &str) -> bool {
    let to = kept(world, fence);
    let moved = to.lay(&BTreeMap::new()).and_then(|()| {
        // What it told is there where it has a login of its own.
        desk.hand_over(&to, TOLD_FILE)?;
        desk.hand_over(&to, home)
    });
    moved.unwrap_or_else(|error| {
        tracing::warn!(error = told(&error), "what an agent has of its session is not kept: it begins anew");
        false
    })
}

/// Removes what is kept of sessions that nobody takes up any more. It looks at what is stored alone: whoever sat down since
/// is left in peace.
pub(super) fn sweep(world: &World, state: &State) {
    // There are some only while somebody waits for a limit.
    let Ok(entries) = fs::read_dir(folder(world)) else { return };
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let fences: BTreeSet<u64> = names.filter(|fence| *fence <= state.seatings).collect();
    let over: Vec<Desk> = fences.difference(&state.seatings_kept()).map(|fence| kept(world, *fence)).collect();
    if over.is_empty() {
        return;
    }
    tokio::task::spawn_blocking(move || {
        for desk in over {
            if let Err(error) = desk.remove() {
                tracing::warn!(error = told(&error), "what was kept of a session stays until the run is cleared away");
            }
        }
    });
}
