//! Owns the reading of which tools a session called: from what artel's own loop noted, or from the stream of another program
//! and what stands beside it of when that grew. Never believes more of it than names, times and whether they failed.

use std::io::{BufReader, Read};

use serde::Deserialize;

use super::Place;
use crate::io::agents::Stream;
use crate::model::ids::{AttemptId, RunId};
use crate::model::telemetry::{Span, ToolCall};
use crate::views::telemetry::{calling_session, tool_spans};

/// Bytes at the end of what a session noted that are read for the tools that it called.
const NOTED_BYTES: u64 = 8 << 20;
/// Bytes at the beginning of another program's stream that are.
const STREAM_BYTES: u64 = 64 << 20;

impl Place {
    /// Tells the tools that the session of a span called, as far as its transcript is still there, and then the span. Blocks
    /// on the disk.
    pub(super) fn with_tools(&self, run: &RunId, span: Span) -> Vec<Span> {
        let calls = match calling_session(&span) {
            None => Vec::new(),
            Some((agent, attempt)) => match Stream::of(agent) {
                Some(stream) => self.heard(run, attempt, stream),
                None => self.noted(run, attempt),
            },
        };
        let mut all = tool_spans(&span, &calls);
        all.push(span);
        all
    }

    /// Reads what artel's own loop noted.
    fn noted(&self, run: &RunId, attempt: AttemptId) -> Vec<ToolCall> {
        #[derive(Deserialize)]
        struct Line {
            result: Called,
            from_ms: i64,
            to_ms: i64,
        }
        #[derive(Deserialize)]
        struct Called {
            id: String,
            name: String,
            is_error: bool,
        }
        let read = |line: &str| {
            let Line { result: Called { id, name, is_error }, from_ms, to_ms } = serde_json::from_str(line).ok()?;
            Some(ToolCall { id, name, from_ms, to_ms, is_error })
        };
        let bytes = self.written_end(run, attempt, NOTED_BYTES).map(|it| it.bytes).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().filter_map(read).collect()
    }

    /// Reads another program's stream; what cannot be read tells of no tools.
    fn heard(&self, run: &RunId, attempt: AttemptId, stream: Stream) -> Vec<ToolCall> {
        let shelf = self.shelf(run);
        let record = shelf.last(&attempt.to_string());
        let (Ok(times), Ok(Some(from))) = (shelf.times(&record), shelf.open(&record)) else { return Vec::new() };
        stream.tools_called(BufReader::new(from.take(STREAM_BYTES)), |length| times.at(length))
    }
}
