//! Owns what is said to all sessions by a file that was pushed to the branch which a run began from. It is looked for when a
//! session uses a tool, so that waiting for it costs nothing. Never says what lay there when the run began.

use std::sync::Arc;

use kameo::prelude::*;
use tokio::sync::oneshot;

use super::coordinator::{Coordinator, Tell};
use super::world::{Ground, blocking, told};
use crate::io::git::GitError;
use crate::machine::command::{Ask, Command};
use crate::model::ids::RequestId;

/// The file.
const FILE: &str = "STEERING.md";

/// Longest text that is said, in bytes.
const BYTES_MOST: u64 = 16 << 10;

/// Has said what was pushed; a text that was said already is not said again.
pub(super) async fn hear(ground: &Arc<Ground>, coordinator: &ActorRef<Coordinator>) {
    let looked = Arc::clone(ground);
    let (id, ask) = match blocking(move || find(&looked)).await {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => return tracing::warn!(error = told(&error), "failed to look for {FILE}"),
    };
    let (reply, answer) = oneshot::channel();
    let command = Command::Request { id, ask };
    if coordinator.tell(Tell { command, reply: Some(reply) }).send().await.is_ok() {
        // Whoever is at its end says nothing more.
        let _ = answer.await;
    }
}

/// Finds the file where it is another one than when the run began. Its text names the request.
fn find(ground: &Ground) -> Result<Option<(RequestId, Ask)>, GitError> {
    let Some(branch) = &ground.opening.branch else { return Ok(None) };
    let Some(head) = ground.repo.ref_target(&format!("refs/heads/{branch}"))? else { return Ok(None) };
    let (tree, _) = ground.repo.commit_of(head)?;
    let Some(found) = ground.repo.entry_at(tree, FILE)?.filter(|it| it.mode & 0o170_000 == 0o100_000) else {
        return Ok(None);
    };
    let before = ground.repo.entry_at(ground.opening.base_tree, FILE)?;
    if before.is_some_and(|before| before.oid == found.oid) {
        return Ok(None);
    }
    let text = if ground.repo.size(found.oid)? > BYTES_MOST {
        format!("it is longer than {} KiB: read it there", BYTES_MOST >> 10)
    } else {
        String::from_utf8_lossy(&ground.repo.read(found.oid)?).trim().to_owned()
    };
    let name = format!("steering-{}", found.oid);
    let Some(id) = name.parse().ok().filter(|_| !text.is_empty()) else { return Ok(None) };
    Ok(Some((id, Ask::Steer { task: None, message: format!("{FILE} of {branch}: {text}") })))
}
