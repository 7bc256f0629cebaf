//! Owns the versions of the events' stored forms: how an old one is lifted to today's, and the text form in which a
//! journal leaves the database. Never alters what is stored: lifting happens on reading.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::io::journal::record::{Entry, EntryRef, NewEntry};

/// The version in which events are written. Rises when the form of any event gains a field or changes meaning.
pub const FORMAT: u32 = 1;

/// Lifts the content of one event from a version to the next: gets that version, the event's kind, its content.
pub type Upcast = fn(u32, &str, &mut Value);

/// Step n lifts version n + 1 to version n + 2.
const UPCASTS: [Upcast; FORMAT as usize - 1] = [];

/// Says why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A newer artel wrote it.
    #[error("read event {seq} ({kind}): its form {found} is newer than {FORMAT}; use the artel that wrote it")]
    Newer {
        /// Its number.
        seq: u64,
        /// Its kind.
        kind: String,
        /// The version of its form.
        found: u32,
    },
    /// No artel ever wrote such a version.
    #[error("read event {seq} ({kind}): version 0 was never written")]
    Unversioned {
        /// Its number.
        seq: u64,
        /// Its kind.
        kind: String,
    },
    /// Its content is not what its kind and version promise.
    #[error("read event {seq} ({kind}, version {v})")]
    Content {
        /// Its number.
        seq: u64,
        /// Its kind.
        kind: String,
        /// The version of its form.
        v: u32,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A line of the text form is not an event.
    #[error("read line {line} as an event")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

/// Writes an event of a kind as it is appended.
///
/// # Panics
/// Panics where it has no form in JSON, which no event of artel's may lack.
pub fn encode<T: Serialize>(kind: &str, event: &T, at_ms: i64) -> NewEntry {
    let data = match serde_json::to_string(event) {
        Ok(data) => data,
        Err(error) => panic!("bug: an event could not be written as JSON: {error}"),
    };
    NewEntry { at_ms, kind: kind.to_owned(), v: FORMAT, data }
}

/// Reads an event's content into today's type, lifting it first where it is older.
///
/// # Errors
/// [`FormatError`] with the event's number: newer than this program, or not of the promised form.
pub fn decode<T: DeserializeOwned>(entry: EntryRef<'_>) -> Result<T, FormatError> {
    decode_by(&UPCASTS, entry)
}

fn decode_by<T: DeserializeOwned>(upcasts: &[Upcast], entry: EntryRef<'_>) -> Result<T, FormatError> {
    let EntryRef { seq, kind, v, data, .. } = entry;
    let wrong = |source| FormatError::Content { seq, kind: kind.to_owned(), v, source };
    let first = (v as usize).checked_sub(1).ok_or_else(|| FormatError::Unversioned { seq, kind: kind.to_owned() })?;
    let owed = upcasts.get(first..).ok_or_else(|| FormatError::Newer { seq, kind: kind.to_owned(), found: v })?;
    if owed.is_empty() {
        return serde_json::from_str(data).map_err(wrong);
    }
    let mut content = serde_json::from_str(data).map_err(wrong)?;
    for (from, upcast) in (v..).zip(owed) {
        upcast(from, kind, &mut content);
    }
    serde_json::from_value(content).map_err(wrong)
}

/// Writes an event as one line of JSON, without the line's end; its content goes in as it is stored.
pub fn write_line(entry: EntryRef<'_>) -> String {
    let EntryRef { seq, at_ms, kind, v, data } = entry;
    // A line break can only stand between the tokens of valid JSON, where a space means the same.
    let data = data.replace(['\n', '\r'], " ");
    format!(r#"{{"seq":{seq},"at_ms":{at_ms},"kind":{},"v":{v},"data":{data}}}"#, Value::from(kind))
}

/// Reads events from lines of JSON as [`write_line`] makes them; empty lines are passed over.
///
/// # Errors
/// [`FormatError::Line`] for the first line that is not an event.
pub fn read_lines(text: &str) -> Result<Vec<Entry>, FormatError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        seq: u64,
        at_ms: i64,
        kind: String,
        v: u32,
        data: Value,
    }
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(at, line)| {
            let Line { seq, at_ms, kind, v, data } =
                serde_json::from_str(line).map_err(|source| FormatError::Line { line: at + 1, source })?;
            Ok(Entry { seq, at_ms, kind, v, data: data.to_string() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [(u32, &str); FORMAT as usize] = [(1, include_str!("../../../tests/golden/journal-v1.jsonl"))];

    fn entry(v: u32, data: &str) -> Entry {
        Entry { seq: 7, at_ms: 0, kind: "TaskAdded".to_owned(), v, data: data.to_owned() }
    }

    #[test]
    fn a_journal_of_every_version_is_still_read() {
        for (v, text) in GOLDEN {
            let entries = read_lines(text).unwrap();
            assert_eq!(entries.len(), text.lines().count(), "version {v}");
            for (entry, seq) in entries.iter().zip(1..) {
                assert_eq!((entry.seq, entry.v), (seq, v));
                decode::<Value>(entry.as_ref()).unwrap();
            }
        }
    }

    #[test]
    fn what_was_written_as_lines_is_written_so_again() {
        for (_, text) in GOLDEN {
            let again: Vec<_> = read_lines(text).unwrap().iter().map(|entry| write_line(entry.as_ref())).collect();
            assert_eq!(again.join("\n"), text.trim_end());
        }
    }

    #[test]
    fn an_event_of_many_lines_is_written_as_one() {
        let line = write_line(entry(1, "{\n  \"a\": \"b\\nc\"\r\n}").as_ref());
        assert_eq!(line.lines().count(), 1);
        assert_eq!(read_lines(&line).unwrap()[0].data, r#"{"a":"b\nc"}"#);
    }

    #[test]
    fn an_old_event_is_lifted_step_by_step() {
        let upcasts: [Upcast; 2] = [
            |v, kind, data| data["first"] = format!("{v} {kind}").into(),
            |v, _, data| data["second"] = format!("{v} after {}", data["first"]).into(),
        ];
        let lifted: Value = decode_by(&upcasts, entry(1, "{}").as_ref()).unwrap();
        assert_eq!(lifted, serde_json::json!({"first": "1 TaskAdded", "second": "2 after \"1 TaskAdded\""}));
        let half: Value = decode_by(&upcasts, entry(2, r#"{"first":1}"#).as_ref()).unwrap();
        assert_eq!(half, serde_json::json!({"first": 1, "second": "2 after 1"}));
        let whole: Value = decode_by(&upcasts, entry(3, "{}").as_ref()).unwrap();
        assert_eq!(whole, serde_json::json!({}));
    }

    #[test]
    fn a_newer_event_is_refused_by_its_number() {
        let fault = decode::<Value>(entry(FORMAT + 1, "{}").as_ref()).unwrap_err();
        assert!(matches!(fault, FormatError::Newer { seq: 7, .. }), "{fault:?}");
        let fault = decode::<Value>(entry(0, "{}").as_ref()).unwrap_err();
        assert!(matches!(fault, FormatError::Unversioned { .. }), "{fault:?}");
    }

    #[test]
    fn content_that_is_no_json_is_named() {
        let fault = decode::<Value>(entry(1, "{").as_ref()).unwrap_err();
        assert!(matches!(fault, FormatError::Content { seq: 7, .. }), "{fault:?}");
        let fault = read_lines("\n{\"seq\":1}\n").unwrap_err();
        assert!(matches!(fault, FormatError::Line { line: 2, .. }), "{fault:?}");
    }
}
