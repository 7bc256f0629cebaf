//! Owns what is shown of a run beside its state: what its attempts and checks print while they run. Never changes any of
//! it.

use std::collections::BTreeMap;
use std::fs;

use super::{CHECKING, Place, is_hosted};
use crate::io::agents::{Form, LINE_BYTES, Teller};
use crate::io::transcripts::Shelf;
use crate::machine::state::State;
use crate::model::ids::{AttemptId, RunId};
use crate::views::board::{CheckingRow, Outside};
use crate::views::pace::Pace;
use crate::views::telemetry::agent_name;

/// Bytes before a place in a stream in which the line before is looked for.
const BACK_BYTES: u64 = 16 << 10;
/// Bytes at the end of a log in which its last line is looked for first, and that are shown of one.
const LAST_LINE_BYTES: u64 = 4 << 10;

/// Holds the end of what an attempt printed, as it is told to people.
pub struct Printed {
    /// What it printed.
    pub text: String,
    /// Whether its beginning is left out.
    pub is_cut: bool,
    /// Where what it prints from there on begins.
    pub next: u64,
}

/// Holds the end of what an attempt wrote, byte for byte.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    is_cut: bool,
    next: u64,
}

/// Names the agent of an attempt.
pub fn agent_of(state: &State, id: AttemptId) -> &'static str {
    state.attempt(id).map_or("", |attempt| agent_name(&attempt.agent))
}

impl Place {
    /// Gathers what views need of a run beside its state.
    pub fn outside(&self, run: &RunId, state: &State, pace: &Pace) -> Outside {
        Outside {
            now_ms: self.clock.now_ms(),
            last_lines: self.last_lines(run, state.running.iter().map(|id| (*id, agent_of(state, *id)))),
            checking: self.checking(run),
            pace: pace.clone(),
            coordinated: is_hosted(self, run),
            target: self.target_of(state),
        }
    }

    /// Gives the last line of output of each of these attempts that has one, as its agent's stream is told to people.
    pub fn last_lines<'a>(
        &self,
        run: &RunId,
        attempts: impl IntoIterator<Item = (AttemptId, &'a str)>,
    ) -> BTreeMap<AttemptId, String> {
        let shelf = self.shelf(run);
        if !shelf.is_there() {
            return BTreeMap::new();
        }
        let line = |(id, agent): (AttemptId, &str)| {
            let teller = Form::of(agent).map(|form| Teller::new(form, run.as_str()));
            Some((id, last_line(&shelf, &self.last_of(run, id), teller)?))
        };
        attempts.into_iter().filter_map(line).collect()
    }

    /// Gives at most `most` bytes at the end of what an attempt wrote, byte for byte, from the first line on that is whole;
    /// nothing where it has written nothing or what it wrote was cleared away.
    pub(super) fn written_end(&self, run: &RunId, attempt: AttemptId, most: u64) -> Option<Written> {
        let (mut bytes, from) = self.shelf(run).end_of(&self.last_of(run, attempt), most).ok()??;
        let next = from + bytes.len() as u64;
        // A line whose beginning is not shown says nothing.
        if from > 0 {
            let cut = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            bytes.drain(..cut);
        }
        Some(Written { bytes, is_cut: from > 0, next })
    }

    /// Gives at most `most` bytes at the end of what an attempt printed, as its agent's stream is told to people; nothing
    /// where it has printed nothing or what it printed was cleared away.
    pub fn printed(&self, run: &RunId, (attempt, agent): (AttemptId, &str), most: u64) -> Option<Printed> {
        let Some(form) = Form::of(agent) else {
            let Written { bytes, is_cut, next } = self.written_end(run, attempt, most)?;
            return Some(Printed { text: String::from_utf8_lossy(&bytes).into_owned(), is_cut, next });
        };
        let Written { bytes, mut is_cut, next } = self.written_end(run, attempt, LINE_BYTES)?;
        let mut teller = Teller::new(form, run.as_str());
        let rest = hear_all(&mut teller, &bytes);
        let mut text = teller.take();
        let surplus = text.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        if surplus > 0 {
            let at = text.ceil_char_boundary(surplus);
            let line = text[at..].find('\n').map_or(at, |end| at + end + 1);
            text.drain(..line);
            is_cut = true;
        }
        Some(Printed { text, is_cut, next: next - rest })
    }

    /// Gives what an attempt printed from a place on, of at most so many of the bytes that it wrote, and the place after
    /// them; nothing where it has printed nothing or what it printed was cleared away. Unless that is all there is room
    /// for, it ends with a line.
    pub fn printed_from(
        &self,
        run: &RunId,
        (attempt, agent): (AttemptId, &str),
        from: u64,
        most: u64,
    ) -> Option<(String, u64)> {
        let record = self.last_of(run, attempt);
        if let Some(form) = Form::of(agent) {
            return told_from(&self.shelf(run), &record, Teller::new(form, run.as_str()), from);
        }
        let mut bytes = self.shelf(run).part_of(&record, from, most).ok()??;
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
        let last_line = is_name.then(|| last_line(&self.shelf(run), log, None)).flatten();
        Some(CheckingRow { check: check.to_owned(), since_ms, last_line })
    }
}

/// Gives the last line that says something, looked for ever further back; at most so long as is shown of any.
fn last_line(shelf: &Shelf, record: &str, mut teller: Option<Teller>) -> Option<String> {
    // A program's own output is short; an event of a stream may quote a whole file.
    let windows = if teller.is_some() { [64 << 10, LINE_BYTES] } else { [LAST_LINE_BYTES, 64 << 10] };
    let says = |line: &&str| !line.trim().is_empty();
    let most = usize::try_from(LAST_LINE_BYTES).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    for window in windows {
        let from;
        (bytes, from) = shelf.end_of(record, window).ok()??;
        let begun = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        let whole = if from == 0 { bytes.as_slice() } else { &bytes[begun..] };
        let text = match &mut teller {
            Some(teller) => {
                hear_all(teller, whole);
                teller.take()
            }
            None => String::from_utf8_lossy(whole).into_owned(),
        };
        if let Some(line) = text.lines().rfind(says) {
            return Some(line[..line.floor_char_boundary(most)].to_owned());
        }
        if from == 0 {
            return None;
        }
    }
    // Of a line whose beginning is too far back its end says most, where it says anything.
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rfind(says).filter(|_| teller.is_none())?;
    Some(line[line.ceil_char_boundary(line.len().saturating_sub(most))..].to_owned())
}

/// Has a stream told up to its last line that is whole; gives how many bytes after it are not told. What does not look
/// like an event is told without its end too.
fn hear_all(teller: &mut Teller, bytes: &[u8]) -> u64 {
    let rest = &bytes[teller.hear_all(bytes)..];
    if rest.first() == Some(&b'{') {
        return rest.len() as u64;
    }
    teller.hear(rest);
    0
}

/// Has a stream told from a place on, up to its last line that is whole; gives the place after it too.
fn told_from(shelf: &Shelf, record: &str, mut teller: Teller, from: u64) -> Option<(String, u64)> {
    // Whether a text goes on is told by the line before.
    let back = from.min(BACK_BYTES);
    let bytes = shelf.part_of(record, from - back, back + LINE_BYTES).ok()??;
    let (before, mut after) = bytes.split_at(bytes.len().min(usize::try_from(back).unwrap_or(usize::MAX)));
    let is_full = after.len() as u64 == LINE_BYTES;
    let mut next = from;
    match before.strip_suffix(b"\n") {
        Some(before) => {
            let last = before.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            if let Some(last) = last.or((back == from).then_some(0)) {
                teller.hear(&before[last..]);
                teller.take();
            }
        }
        // What is left of a line that was told already, or was too long.
        None if !before.is_empty() => {
            let end = after.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let passed = end.unwrap_or(if is_full { after.len() } else { 0 });
            after = &after[passed..];
            next += passed as u64;
            if end.is_none() {
                return Some((String::new(), next));
            }
        }
        None => {}
    }
    let heard = teller.hear_all(after);
    if heard == 0 && is_full && after.len() as u64 == LINE_BYTES {
        return Some(("· a line that is too long to be told\n".to_owned(), next + after.len() as u64));
    }
    Some((teller.take(), next + heard as u64))
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::place::testing::opened;
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        fs::read(format!("{}/tests/fixtures/transcripts/{name}.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// A place with the transcript of one attempt, and that attempt.
    fn written(dir: &std::path::Path, name: &str, bytes: &[u8]) -> (Place, RunId, AttemptId) {
        let (place, run) = opened(dir);
        fs::create_dir_all(place.dir.logs(&run)).unwrap();
        fs::write(place.dir.logs(&run).join(format!("{name}.log")), bytes).unwrap();
        (place, run, "t1.1".parse().unwrap())
    }

    #[test]
    fn a_stream_that_is_followed_is_told_as_one_that_is_read_whole_wherever_it_pauses() {
        for (agent, name) in [("claude", "claude/success"), ("codex:gpt", "codex/success"), ("acp:x", "acp/claude")] {
            let temp = tempfile::tempdir().unwrap();
            let mut bytes = fixture(name);
            let piece = r#"{"from":{"method":"session/update","params":{"update":{"sessionUpdate":"agent_message_chunk","content":{"text":"WORD"}}}}}"#;
            bytes.extend_from_slice(format!("{}\n", piece.replace("WORD", "one ")).repeat(9).as_bytes());
            bytes.extend_from_slice(b"the end\n");
            let (place, run, id) = written(temp.path(), "t1.1", b"");
            let mut file = fs::OpenOptions::new().append(true).open(place.dir.logs(&run).join("t1.1.log")).unwrap();
            let (mut all, mut next) = (String::new(), 0);
            for part in bytes.chunks(97) {
                file.write_all(part).unwrap();
                let (text, after) = place.printed_from(&run, (id, agent), next, 64 << 10).unwrap();
                (all, next) = (all + &text, after);
            }
            let whole = place.printed(&run, (id, agent), 64 << 10).unwrap();
            assert_eq!((all, next), (whole.text, whole.next), "{agent}");
            assert_eq!((next, whole.is_cut), (bytes.len() as u64, false));
        }
    }

    #[test]
    fn a_line_of_a_stream_that_is_too_long_is_passed_over_and_what_follows_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let mut bytes = fixture("claude/success");
        bytes.extend_from_slice(format!("{{\"type\":\"assistant\",\"a\":\"{}\"}}\n", "x".repeat(3 << 20)).as_bytes());
        bytes.extend_from_slice(b"and on\n{\"type\":\"assis");
        let (place, run, id) = written(temp.path(), "t1.1", &bytes);
        let (mut all, mut next) = (String::new(), 0);
        loop {
            let (text, after) = place.printed_from(&run, (id, "claude"), next, 64 << 10).unwrap();
            if after == next {
                break;
            }
            (all, next) = (all + &text, after);
        }
        assert!(all.ends_with("$0.02\n· a line that is too long to be told\nand on\n"), "{all}");
        let end = place.printed(&run, (id, "claude"), 64 << 10).unwrap();
        assert_eq!((end.text.as_str(), end.is_cut, end.next), ("and on\n", true, next));
        assert_eq!(next, bytes.len() as u64 - 14, "half a line is held back");
    }

    #[test]
    fn the_last_line_is_of_the_attempt_that_was_begun_last_and_is_a_whole_one() {
        let temp = tempfile::tempdir().unwrap();
        let (place, run, id) = written(temp.path(), "t1.1", b"of the one that is gone\n");
        let last = |agent: &str| place.last_lines(&run, [(id, agent)]).remove(&id);
        let write = |bytes: &[u8]| fs::write(place.dir.logs(&run).join("t1.1~2.log"), bytes).unwrap();
        assert_eq!(last("command:x").as_deref(), Some("of the one that is gone"));
        write(b"one\ntwo");
        assert_eq!(last("command:x").as_deref(), Some("two"));
        write(&fixture("claude/success"));
        assert_eq!(last("claude:opus").as_deref(), Some("■ done, 8500 tokens, $0.02"));
        // A result that quotes a file is longer than a few kilobytes.
        let result = serde_json::json!({"type": "user", "message": {"content": [
            {"type": "tool_result", "content": format!("line one\n{}", "x".repeat(300 << 10))}]}});
        write(format!("{result}\n{{\"type\":\"assis").as_bytes());
        assert_eq!(last("claude").as_deref(), Some("  → line one …"));
        write(format!("begins here {}", "x".repeat(9 << 10)).as_bytes());
        assert!(last("command:x").is_some_and(|line| line.starts_with("begins here") && line.len() == 4 << 10));
        write(format!("begins far back {} end", "x".repeat(90 << 10)).as_bytes());
        assert!(last("command:x").is_some_and(|line| line.ends_with("x end") && line.len() == 4 << 10));
        write(&[b'x'; 3 << 20]);
        assert_eq!(last("claude"), None);
    }
}
