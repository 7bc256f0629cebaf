//! Owns what becomes of a job's output: the log, its cap, and the readable end of it, all without secrets. Never keeps
//! more in memory than the tail and one chunk.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::model::secrets::Secrets;

/// Takes a job's output in.
pub(super) struct Output {
    log: File,
    cap: u64,
    /// Bytes that the job wrote, those beyond the cap among them.
    pub(super) bytes: u64,
    tail: VecDeque<u8>,
    tail_bytes: usize,
    secrets: Arc<Secrets>,
    /// The end of what was written, as it was: as much as a secret may still lie across, and what may begin one.
    seen: Vec<u8>,
    /// How much of that is kept already.
    kept: usize,
    grown: Option<Arc<Notify>>,
}

impl Output {
    pub(super) fn new(log: File, cap: u64, tail_bytes: usize, secrets: Arc<Secrets>) -> Self {
        Self { log, cap, bytes: 0, tail: VecDeque::new(), tail_bytes, secrets, seen: Vec::new(), kept: 0, grown: None }
    }

    /// Has somebody told whenever the log has grown.
    pub(super) fn telling(self, grown: Option<Arc<Notify>>) -> Self {
        Self { grown, ..self }
    }

    /// Takes one chunk in; what lies beyond the cap reaches neither the log nor the tail.
    pub(super) async fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.cap.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        self.bytes += chunk.len() as u64;
        self.seen.extend_from_slice(&chunk[..chunk.len().min(room)]);
        self.keep(self.seen.len() - self.secrets.undecided(&self.seen)).await
    }

    /// Keeps what was seen so far, with its secrets masked.
    async fn keep(&mut self, so_far: usize) -> io::Result<()> {
        let masked = self.secrets.mask(&self.seen);
        let kept = &masked[self.kept..so_far];
        let gone = so_far.saturating_sub(self.secrets.longest());
        self.seen.drain(..gone);
        self.kept = so_far - gone;
        self.tail.extend(&kept[kept.len().saturating_sub(self.tail_bytes)..]);
        let surplus = self.tail.len().saturating_sub(self.tail_bytes);
        self.tail.drain(..surplus);
        self.log.write_all(kept).await?;
        if let Some(grown) = self.grown.as_ref().filter(|_| !kept.is_empty()) {
            grown.notify_one();
        }
        Ok(())
    }

    /// Tells whether the job wrote more than it may.
    pub(super) fn is_over(&self) -> bool {
        self.bytes > self.cap
    }

    /// Ends the log and gives the readable tail.
    pub(super) async fn finish(mut self) -> io::Result<String> {
        // What a cap cuts off may be the end of a secret.
        if !self.is_over() {
            self.keep(self.seen.len()).await?;
        }
        self.log.flush().await?;
        Ok(readable(self.tail.make_contiguous()))
    }
}

/// Shows bytes that nobody can trust as text that does a terminal no harm: escape sequences are removed, other control
/// characters and those that turn the direction of writing are shown as symbols or numbers.
pub fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut shown = String::with_capacity(text.len());
    for c in console::strip_ansi_codes(&text).chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\u{7f}' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                // Writing to a text cannot fail.
                let _ = write!(shown, "{{U+{:04X}}}", u32::from(c));
            }
            _ => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_tail_moves_a_cursor() {
        let hostile = b"\x1b[31mred\x1b[0m \x1b]0;title\x07ok\r\nbell\x07 back\x08 \xff \xe2\x80\xae \x1b[2J\x1b";
        let shown = readable(hostile);
        assert_eq!(shown, "red ok\nbell\u{2407} back\u{2408} \u{fffd} {U+202E} \u{241b}");
    }

    #[test]
    fn a_tail_is_the_end_and_a_log_ends_at_its_cap() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            let mut output = Output::new(File::create(&path).await.unwrap(), 10, 4, Arc::default());
            output.take(b"abcdef").await.unwrap();
            assert!(!output.is_over());
            output.take(b"ghijklmn").await.unwrap();
            assert!(output.is_over());
            assert_eq!(output.bytes, 14);
            assert_eq!(output.finish().await.unwrap(), "ghij");
            assert_eq!(std::fs::read(&path).unwrap(), b"abcdefghij");
        });
    }

    #[test]
    fn a_secret_is_masked_in_log_and_tail_wherever_chunks_are_parted() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let secrets = [("API_KEY", "canary-canary"), ("OLD_KEY", "canary-canary-old")];
        let secrets = Secrets::of(&secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let text = b"key=canary-canary-old; canary-canarycanary-";
        for part in 1..text.len() {
            runtime.block_on(async {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("log");
                let log = File::create(&path).await.unwrap();
                let mut output = Output::new(log, 100, 30, Arc::new(secrets.clone()));
                for chunk in text.chunks(part) {
                    output.take(chunk).await.unwrap();
                }
                let stars = "*".repeat(13);
                assert_eq!(output.finish().await.unwrap(), format!("********; {stars}canary-"), "chunks of {part}");
                assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("key=****{stars}; {stars}canary-"));
            });
        }
    }
}
