//! Owns what is said to all sessions by a file that was pushed to the branch which a run began from. It is looked for when a
//! session uses a tool, so that waiting for it costs nothing. Never says what lay there when the run began.

use std::sync::Arc;

use kameo::prelude::*;
use tokio::sync::{Mutex, oneshot};

use super::coordinator::{Coordinator, Tell};
use super::world::{Ground, blocking, told};
use crate::io::git::{FileEntry, GitError};
use crate::machine::command::{Ask, Command};
use crate::model::ids::{Oid, RequestId};

/// The file.
const FILE: &str = "STEERING.md";

/// Longest text that is said, in bytes.
const BYTES_MOST: u64 = 16 << 10;

/// What was pushed, as somebody would ask for it to be said.
type Said = (RequestId, Ask);

/// Looks for what is pushed while a session runs.
pub(super) struct Pushed {
    ground: Arc<Ground>,
    /// Where the branch stood at the last look.
    head: Mutex<Option<Oid>>,
}

impl Pushed {
    /// Has not looked yet.
    pub(super) fn to(ground: &Arc<Ground>) -> Self {
        Self { ground: Arc::clone(ground), head: Mutex::default() }
    }

    /// Has said what was pushed since the last look; a text that was said already is not said again.
    pub(super) async fn hear(&self, coordinator: &ActorRef<Coordinator>) {
        let mut seen = self.head.lock().await;
        let (ground, before) = (Arc::clone(&self.ground), *seen);
        let (head, found) = match blocking(move || find(&ground, before)).await {
            Ok(looked) => looked,
            Err(error) => return tracing::warn!(error = told(&error), "failed to look for {FILE}"),
        };
        *seen = head;
        let Some((id, ask)) = found else { return };
        let (reply, answer) = oneshot::channel();
        let command = Command::Request { id, ask };
        if coordinator.tell(Tell { command, reply: Some(reply) }).send().await.is_ok() {
            // Whoever is at its end says nothing more.
            let _ = answer.await;
        }
    }
}

/// Finds where the branch stands and, where that is elsewhere than before, the file, if it is another one than when the run
/// began. Its text names the request.
fn find(ground: &Ground, before: Option<Oid>) -> Result<(Option<Oid>, Option<Said>), GitError> {
    let Some(branch) = &ground.opening.branch else { return Ok((None, None)) };
    let head = ground.repo.ref_target(&format!("refs/heads/{branch}"))?;
    let Some(commit) = head.filter(|_| head != before) else { return Ok((head, None)) };
    let (tree, _) = ground.repo.commit_of(commit)?;
    let at_first = ground.repo.entry_at(ground.opening.base_tree, FILE)?.map(|it| it.oid);
    let found = ground.repo.entry_at(tree, FILE)?.filter(|it| is_text(it) && Some(it.oid) != at_first);
    let Some(oid) = found.map(|it| it.oid) else { return Ok((head, None)) };
    let text = if ground.repo.size(oid)? > BYTES_MOST {
        format!("it is longer than {} KiB: read it there", BYTES_MOST >> 10)
    } else {
        String::from_utf8_lossy(&ground.repo.read(oid)?).trim().to_owned()
    };
    let id = format!("steering-{oid}").parse().ok().filter(|_| !text.is_empty());
    let ask = Ask::Steer { task: None, message: format!("{FILE} of {branch}: {text}") };
    Ok((head, id.map(|id| (id, ask))))
}

/// Tells a file from a link, a folder and another repository.
fn is_text(entry: &FileEntry) -> bool {
    entry.mode & 0o170_000 == 0o100_000
}
