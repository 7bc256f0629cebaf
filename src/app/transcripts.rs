//! Owns the reading of what a run's sessions wrote, held against what the journal says that they wrote. Changes none of it.

use std::io::Read;

use super::place::decode_events;
use super::{AppError, Place};
use crate::io::transcripts::{Mark, Noted, Shelf, audit};
use crate::machine::event::Event;
use crate::model::ids::RunId;
use crate::model::seat::{Seat, again};

/// Holds a transcript to be read.
pub struct Transcript {
    /// All of it, byte for byte.
    pub from: Box<dyn Read + Send>,
    /// Up to which byte the journal tells what it holds; 0 where it does not.
    pub noted: u64,
    /// What is wrong with it, by the journal.
    pub flaw: Option<String>,
}

impl Place {
    /// Opens the transcript of that name; nothing where there is none, or it was cleared away.
    ///
    /// # Errors
    /// Where it or the journal cannot be read.
    pub fn transcript(&self, run: &RunId, record: &str) -> Result<Option<Transcript>, AppError> {
        let shelf = self.shelf(run);
        let failed = |source| AppError::Read { what: "the transcript", path: shelf.file(record), source };
        let Some(from) = shelf.open(record).map_err(failed)? else { return Ok(None) };
        let mut noted = Vec::new();
        self.journal.survey(run, &mut |entry, _| {
            // What cannot be read is told by who looks whether the journal is sound.
            let Ok(recorded) = decode_events(entry) else { return };
            if let Event::TranscriptKept { record: of, bytes, sha256, .. } = recorded.event
                && of == record
            {
                noted.push(Noted { seq: recorded.seq, record: of, mark: Mark { bytes, sha256 } });
            }
        })?;
        let up_to = noted.iter().map(|it| it.mark.bytes).max().unwrap_or(0);
        let flaw = audit(&shelf, noted).first().map(ToString::to_string);
        Ok(Some(Transcript { from, noted: up_to, flaw }))
    }

    /// Lists the transcripts of who sat in a seat of a run, in order, as far as they are still there.
    pub fn transcripts_of(&self, run: &RunId, seat: Seat) -> Vec<String> {
        let (shelf, record) = (self.shelf(run), seat.record());
        let mut all = shelf.all(&record);
        all.extend(shelf.all(&again(&record)));
        all
    }

    /// Lists the transcripts of a run by name.
    pub fn transcripts(&self, run: &RunId) -> Vec<String> {
        self.shelf(run).named("")
    }

    pub(super) fn shelf(&self, run: &RunId) -> Shelf {
        Shelf::at(self.dir.logs(run))
    }
}
