//! Owns what comes of a login of its own that an agent is let use: it is read when a session begins, masked wherever it would
//! be written down, and what the session spent is told to the journal as the agent tells it. Holds no login.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kameo::prelude::WeakActorRef;

use super::coordinator::{Coordinator, Tell};
use super::world::{World, told as words};
use crate::io::agents::{Desk, Login, Stance, Told};
use crate::io::process::read_small;
use crate::machine::command::Command;
use crate::model::login::login_files;
use crate::model::role::{AgentRef, Role};
use crate::model::seat::Seat;
use crate::model::secrets::Secrets;
use crate::model::spend::{Call, CallEnd};

/// The file on a desk that keeps what an agent had told of a session that a limit ended.
pub(super) const TOLD_FILE: &str = "told.json";
/// Longest such file that is read, in bytes.
const TOLD_BYTES: u64 = 64 << 10;

/// Reads the login that a session is let use; nothing where its role grants none.
///
/// # Errors
/// Says why there is none, and what to do.
pub(super) fn login_of(world: &World, role: &Role, agent: &AgentRef) -> Result<Option<Login>, String> {
    if role.grants.login_of(agent).is_none() {
        return Ok(None);
    }
    let login = Login::read(agent, &world.outer_env, world.now_ms());
    let login = login.map_err(|error| format!("failed to {}", words(&error)))?;
    let is_masked = |(_, secret): (String, String)| world.secrets.find(secret.as_bytes()).is_some();
    if login.as_ref().is_some_and(|login| !login.secrets().all(is_masked)) {
        return Err(format!(
            "failed to use the login of {agent}: it was renewed since this run was taken up, and could not be kept out of \
             what is written down; `artel stop`, then `artel resume`, takes the new one"
        ));
    }
    Ok(login)
}

/// Gathers what nothing that a run writes down may hold: the credentials of an environment, and the logins that its roles
/// grant. One that cannot be read now is not used later either.
pub fn secrets(env: &BTreeMap<String, String>, roles: &BTreeMap<String, Role>, now_ms: i64) -> Secrets {
    let mut all = env.clone();
    for role in roles.values() {
        for agent in role.agents.iter().filter(|agent| role.grants.login_of(agent).is_some()) {
            let login = Login::read(agent, env, now_ms).ok().flatten();
            all.extend(login.iter().flat_map(Login::secrets));
        }
    }
    Secrets::of(&all)
}

/// Removes logins from desks on which their sessions were cut off.
pub fn sweep(desks: &Path) {
    fs::read_dir(desks).into_iter().flatten().flatten().for_each(|desk| forget_login(&Desk::at(desk.path())));
}

/// Removes a login from the desk of a session that is over.
pub(super) fn forget_login(desk: &Desk) {
    for file in login_files() {
        // Most have none.
        let _ = desk.remove_file(file);
    }
}

/// Tells what a session used by its agent's word, each part once: of one that was taken up again, what it used since.
pub(super) fn used_since(told: &Told, earlier: Option<&Desk>) -> Told {
    told.since(earlier.and_then(told_before).as_ref())
}

/// Tells the journal what a session used by its agent's word.
pub(super) async fn account(
    coordinator: &WeakActorRef<Coordinator>,
    ((seat, fence), agent): ((Seat, u64), &AgentRef),
    told: &Told,
    ms: u64,
) {
    let call = Call {
        number: 1,
        provider: agent.account(),
        model: agent.to_string(),
        end: if told.tokens.is_some() { CallEnd::Whole } else { CallEnd::Cut },
        status: 0,
        tokens: told.tokens.unwrap_or_default(),
        nano_usd: told.nano_usd.unwrap_or_default(),
        ms,
        bytes: 0,
        told: true,
    };
    if let Some(coordinator) = coordinator.upgrade() {
        let _ = coordinator.tell(Tell::report(Command::ReportCall { seat, fence, call })).send().await;
    }
}

/// Keeps what an agent has told of a session that may be taken up again.
pub(super) fn keep_told(desk: &Desk, told: &Told) {
    let written = serde_json::to_vec(told).map(|text| desk.keep(TOLD_FILE, &text));
    if !matches!(written, Ok(Ok(()))) {
        tracing::warn!("what an agent told of its session is not kept: when it goes on, that is counted again");
    }
}

fn told_before(desk: &Desk) -> Option<Told> {
    serde_json::from_slice(&read_small(&desk.file(TOLD_FILE), TOLD_BYTES).ok()??).ok()
}

/// Takes a session for failed that used more than its role lets each attempt use, by its own word.
pub(super) fn held_to(role: &Role, told: &Told, stance: Stance) -> Stance {
    let used = told.tokens.map_or(0, |tokens| tokens.total());
    match stance {
        Stance::Done if role.limits.tokens > 0 && used > role.limits.tokens => {
            let most = role.limits.tokens;
            Stance::Failed { why: format!("it used {used} tokens by its own word, and may use {most}") }
        }
        stance @ (Stance::Done | Stance::Failed { .. } | Stance::Blocked { .. } | Stance::Limited { .. }) => stance,
    }
}
