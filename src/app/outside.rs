//! Owns what is shown of a run beside its state: what its attempts and checks print while they run. Never changes any of
//! it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{CHECKING, Place, is_hosted};
use crate::machine::state::State;
use crate::model::ids::{AttemptId, RunId};
use crate::views::board::{CheckingRow, Outside};
use crate::views::pace::Pace;

/// Bytes at the end of a log in which its last line is looked for.
const LAST_LINE_BYTES: u64 = 4 << 10;

impl Place {
    /// Gathers what views need of a run beside its state.
    pub fn outside(&self, run: &RunId, state: &State, pace: &Pace) -> Outside {
        Outside {
            now_ms: self.clock.now_ms(),
            last_lines: self.last_lines(run, &state.running),
            checking: self.checking(run),
            pace: pace.clone(),
            coordinated: is_hosted(self, run),
        }
    }

    /// Gives the last line of output of each of these attempts that has one.
    pub fn last_lines<'a>(
        &self,
        run: &RunId,
        attempts: impl IntoIterator<Item = &'a AttemptId>,
    ) -> BTreeMap<AttemptId, String> {
        let logs = self.dir.logs(run);
        let line = |id: &AttemptId| Some((*id, last_line(&logs.join(format!("{id}.log")))?));
        attempts.into_iter().filter_map(line).collect()
    }

    /// Gives at most `most` bytes at the end of what an attempt printed, and whether there was more before them; nothing
    /// where it has printed nothing or what it printed was cleared away.
    pub fn printed(&self, run: &RunId, attempt: AttemptId, most: u64) -> Option<(String, bool)> {
        self.printed_end(run, attempt, most).map(|(text, is_cut, _)| (text, is_cut))
    }

    /// Does as [`Place::printed`], and tells where what is printed from there on begins.
    pub fn printed_end(&self, run: &RunId, attempt: AttemptId, most: u64) -> Option<(String, bool, u64)> {
        let (bytes, from) = self.shelf(run).end_of(&self.last_of(run, attempt), most).ok()??;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // A line whose beginning is not shown says nothing.
        let whole_lines = if from == 0 { text.as_str() } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
        Some((whole_lines.to_owned(), from > 0, from + bytes.len() as u64))
    }

    /// Gives at most `most` bytes of what an attempt printed from a place on, and the place after them; nothing where it
    /// has printed nothing or what it printed was cleared away. Unless that is all there is room for, it ends with a line.
    pub fn printed_from(&self, run: &RunId, attempt: AttemptId, from: u64, most: u64) -> Option<(String, u64)> {
        let mut bytes = self.shelf(run).part_of(&self.last_of(run, attempt), from, most).ok()??;
        let is_full = bytes.len() as u64 == most;
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => bytes.truncate(at + 1),
            // A line longer than that is told in pieces, none of which ends within a character.
            None if is_full => bytes.truncate(whole_characters(&bytes)),
            None => bytes.clear(),
        }
        Some((String::from_utf8_lossy(&bytes).into_owned(), from + bytes.len() as u64))
    }

    /// Names the transcript of an attempt: of one whose worktree was lost and that was begun once more, the later.
    fn last_of(&self, run: &RunId, attempt: AttemptId) -> String {
        self.shelf(run).last(&attempt.to_string())
    }

    /// Tells which check was begun last and still runs, by its name.
    fn checking(&self, run: &RunId) -> Option<CheckingRow> {
        let logs = self.dir.logs(run);
        let sign = logs.join(format!("{CHECKING}.log"));
        let since = fs::metadata(&sign).ok()?.modified().ok()?;
        let told = fs::read_to_string(&sign).ok()?;
        let (log, check) = told.split_once('\n')?;
        let is_name = log.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        let since_ms = jiff::Timestamp::try_from(since).ok()?.as_millisecond();
        let last_line = is_name.then(|| last_line(&logs.join(format!("{log}.log")))).flatten();
        Some(CheckingRow { check: check.to_owned(), since_ms, last_line })
    }
}

fn last_line(log: &Path) -> Option<String> {
    let mut file = fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(LAST_LINE_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

/// Counts the bytes up to the last character that is whole; all of them where none is.
fn whole_characters(bytes: &[u8]) -> usize {
    let begins = |byte: &u8| byte & 0xc0 != 0x80;
    let last = bytes.iter().rposition(begins).filter(|at| bytes.len() - at < 4);
    match last {
        Some(at) if std::str::from_utf8(&bytes[at..]).is_err() && at > 0 => at,
        Some(_) | None => bytes.len(),
    }
}
