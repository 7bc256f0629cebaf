//! Owns the record of a session: what was said and done, one JSON object a line, written as it happens, without secrets
//! and bounded. Never reads one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::model::secrets::Secrets;

/// Says that a record could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write {}", path.display())]
pub struct TranscriptError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes down a session.
pub struct Transcript {
    path: PathBuf,
    file: File,
    secrets: Secrets,
    /// Bytes that may be written yet.
    room: u64,
    grown: Option<Arc<Notify>>,
}

impl Transcript {
    /// Begins a record anew, of at most so many bytes.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub async fn begin(path: &Path, bytes_max: u64, secrets: Secrets) -> Result<Self, TranscriptError> {
        let failed = |source| TranscriptError { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        let file = File::create(path).await.map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, secrets, room: bytes_max, grown: None })
    }

    /// Has somebody told whenever it has grown.
    #[must_use]
    pub fn telling(self, grown: Arc<Notify>) -> Self {
        Self { grown: Some(grown), ..self }
    }

    /// Adds a line; where no room is left for it, nothing more is added.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn add(&mut self, line: &Value) -> Result<(), TranscriptError> {
        let mut bytes = self.secrets.mask(line.to_string().as_bytes());
        bytes.push(b'\n');
        if bytes.len() as u64 > self.room {
            if self.room > 0 {
                self.room = 0;
                return self.write(b"{\"cut\":\"the record is longer than it may be\"}\n").await;
            }
            return Ok(());
        }
        self.room -= bytes.len() as u64;
        self.write(&bytes).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), TranscriptError> {
        let failed = |source| TranscriptError { path: self.path.clone(), source };
        self.file.write_all(bytes).await.map_err(failed)?;
        self.file.flush().await.map_err(failed)?;
        self.grown.iter().for_each(|grown| grown.notify_one());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_record_is_bounded_and_holds_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/t1.1.log");
        let secrets = Secrets::of(&[("API_KEY".to_owned(), "canary-canary".to_owned())].into());
        let mut transcript = Transcript::begin(&path, 60, secrets).await.unwrap();
        for line in [json!({"said": "a canary-canary"}), json!({"said": "x".repeat(60)}), json!({"said": "y"})] {
            transcript.add(&line).await.unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{kept}");
        assert!(!kept.contains("canary") && lines[1]["cut"].is_string(), "{kept}");
    }
}
