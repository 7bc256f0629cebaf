//! Owns what is noted of transcripts: each belongs to a session that was begun. Never reads one.

use super::money::is_its;
use crate::machine::event::Event;
use crate::machine::rejection::Rejection;
use crate::machine::state::State;
use crate::model::seat::Seat;

/// Notes how far a transcript is, also of an attempt that is over: it was written.
pub(in crate::machine) fn keep(
    state: &State,
    (seat, fence): (Seat, u64),
    record: &str,
    (bytes, sha256): (u64, &str),
) -> Result<Vec<Event>, Rejection> {
    is_its(state, seat, fence)?;
    Ok(vec![Event::TranscriptKept { seat, record: record.to_owned(), bytes, sha256: sha256.to_owned() }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::machine::testing::{Scene, attempt, draft, failed};

    #[test]
    fn a_transcript_is_that_of_a_session_which_was_begun() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        let seat = Seat::Attempt(attempt(1, 1));
        let keep =
            |fence| Command::KeepTranscript { seat, fence, record: "t1.1".into(), bytes: 7, sha256: "ab".into() };
        let kept = Event::TranscriptKept { seat, record: "t1.1".into(), bytes: 7, sha256: "ab".into() };
        assert_eq!(scene.when(&keep(1)), Ok(vec![kept.clone()]));
        assert_eq!(scene.when(&keep(2)), Err(Rejection::StaleAttempt(attempt(1, 1))));
        let over = scene.ends(attempt(1, 1), failed());
        assert_eq!(over.when(&keep(1)), Ok(vec![kept]), "it was written, whatever came of it");
    }
}
