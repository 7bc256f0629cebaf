//! Owns the way of requests from people to a live coordinator: stored first, then nudged over a socket; and how one learns
//! that another has taken its run over. Never answers a request itself.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::*;
use tokio::net::UnixDatagram;

use super::coordinator::{Coordinator, Tell};
use super::progress::Lost;
use super::world::World;
use crate::io::journal::JournalError;
use crate::machine::command::{Ask, Command};

/// How long a request may lie whose nudge was lost, which takes a sender that dies between the two.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long a request may lie where no nudge can come.
const DEAF_PATIENCE: Duration = Duration::from_secs(30);

/// Brings that another coordinator has claimed the run.
struct PassedOver;

impl Message<PassedOver> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, _: PassedOver, ctx: &mut Context<Self, ()>) {
        self.stop(Lost::PassedOver, ctx);
    }
}

/// Tells a coordinator that requests are stored for it; says whether one listens.
pub fn nudge(socket: &Path) -> bool {
    let send = || -> io::Result<()> {
        let from = std::os::unix::net::UnixDatagram::unbound()?;
        from.set_nonblocking(true)?;
        from.send_to(b"!", socket)?;
        Ok(())
    };
    match send() {
        Ok(()) => true,
        // A full socket means that it was nudged already.
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Brings requests that are stored after a row to the coordinator, for as long as it lives and nobody has claimed the run
/// after its epoch.
pub async fn follow(
    world: Arc<World>,
    (epoch, mut last): (u64, i64),
    socket: Option<UnixDatagram>,
    coordinator: WeakActorRef<Coordinator>,
) {
    let mut nudged = [0_u8; 16];
    loop {
        let (journal, run) = (Arc::clone(&world.journal), world.run.clone());
        let look = move || Ok::<_, JournalError>((journal.epoch(&run)?, journal.requests(&run, last)?));
        let Ok(Ok((owner, rows))) = tokio::task::spawn_blocking(look).await else {
            tracing::warn!(run = %world.run, "failed to read requests; trying again");
            tokio::time::sleep(DEAF_PATIENCE).await;
            continue;
        };
        if owner != epoch {
            if let Some(coordinator) = coordinator.upgrade() {
                let _ = coordinator.tell(PassedOver).send().await;
            }
            return;
        }
        for row in rows {
            last = row.row;
            let Some(coordinator) = coordinator.upgrade() else { return };
            match serde_json::from_str::<Ask>(&row.body) {
                Ok(ask) => {
                    let ask = seen(&world, ask).await;
                    let _ = coordinator.tell(Tell::report(Command::Request { id: row.id, ask })).send().await;
                }
                Err(error) => tracing::warn!(request = %row.id, %error, "left a request that cannot be read"),
            }
        }
        match &socket {
            Some(socket) => {
                // A nudge and the end of patience lead to the same look.
                let _ = tokio::time::timeout(PATIENCE, socket.recv(&mut nudged)).await;
            }
            None => tokio::time::sleep(DEAF_PATIENCE).await,
        }
        if coordinator.upgrade().is_none() {
            return;
        }
    }
}

/// Notes of a delivery that is asked for where the branch stands into which it would go.
pub async fn seen(world: &Arc<World>, ask: Ask) -> Ask {
    let Ask::Deliver { branch, .. } = ask else { return ask };
    let into = branch.clone().or_else(|| world.opening.branch.clone()).unwrap_or_default();
    let look = move |world: &World| world.repo.ref_target(&format!("refs/heads/{into}"));
    // A branch that cannot be read is refused when it is delivered into.
    let onto = world.blocking(look).await.ok().flatten();
    Ask::Deliver { branch, onto }
}

/// Listens for nudges, in place of whoever listened there before.
///
/// # Errors
/// What the system refuses; requests then wait for the feed's patience.
pub fn listen(socket: &Path) -> io::Result<UnixDatagram> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    UnixDatagram::bind(socket)
}
