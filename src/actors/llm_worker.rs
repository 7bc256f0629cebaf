//! Owns how artel's own loop plays an attempt: a model behind the attempt's gate, a place for its tools, and what is made of
//! what it left. Never judges it, and holds no key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;
use tokio::time::Instant;

use super::briefing::brief;
use super::coordinator::Coordinator;
use super::keeping::{Keeping, keep_all};
use super::llm_session::{LlmSession, looking, no_port, open, stance_of};
use super::order::Order;
use super::parking::{kept, turns_file};
use super::played::{Limit, Played};
use super::tools::{BriefTool, Steered, WorkingTools};
use super::worker::{made_of, snapshot};
use super::workplace::{Remains, Workplace};
use super::world::{World, blocking, told};
use crate::io::agents::{Desk, Stance, collect};
use crate::io::gateway::Metered;
use crate::io::git::GitError;
use crate::io::llm::{End, FileTools, SYSTEM, Talked, park, parked, told_further};
use crate::io::tools::{Joined, Toolbox};
use crate::model::attempt::{Handoff, Outcome, Usage};
use crate::model::ids::Oid;
use crate::model::seat::Seat;

/// Bytes of a session's last words that are handed up.
const WORDS_BYTES: usize = 16 << 10;

/// Plays an attempt to its end.
pub(super) async fn play(
    world: &Arc<World>,
    order: Order,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Result<Played, GitError> {
    let seat = (Seat::Attempt(order.attempt), order.fence);
    let gate = match open(world, seat, (&order.agent, &order.role), coordinator) {
        Ok(gate) => gate,
        Err(why) => return Ok(Played::failed(why)),
    };
    let brief = match brief(world, &order) {
        Ok(brief) => brief,
        Err(why) => return Ok(Played::failed(why)),
    };
    let earlier = order.resumes.as_ref().and_then(|resuming| parked(&turns_file(world, resuming.attempt)));
    let earlier = earlier.map(|messages| told_further(messages, brief.go_on_by_tools()));
    let text = brief.text;
    let began = Instant::now();
    let until = began + Duration::from_secs(order.role.limits.wall_s);
    let place = Arc::new(Workplace::new(world, &order, until, coordinator.clone(), cancelled.clone()));
    let name = order.attempt.to_string();
    let desk = Desk::at(world.desk(&format!("{name}-tools")));
    if let Err(error) = desk.lay(&BTreeMap::new()) {
        return Ok(Played::failed(format!("failed to {}", told(&error))));
    }
    let tools = tools(world, &order, (&place, &text, &desk), coordinator);
    let session = LlmSession {
        agent: &order.agent,
        role: &order.role,
        system: SYSTEM,
        brief: text,
        tools: tools.as_ref(),
        keeping: Keeping::begin(world, seat, (&name, &order.agent), coordinator),
        note: world.desk(&format!("{name}-note")).join("note.json"),
        earlier,
        until,
    };
    let talked = gate.inside(async |door, token| session.lead(world, door, token, cancelled).await).await;
    let (ended, metered) = match talked {
        Ok((ended, metered)) => (ended, metered),
        Err(error) => (Err(no_port(&error)), Metered::default()),
    };
    keep_all(world, seat, &format!("{name}-command-"), coordinator).await;
    let wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    made(world, order, (&place, &desk), (ended, metered), wall_ms).await
}

/// Gives a session its tools: those of its place, and those by which it hands up, asks, and hears what people say.
fn tools(
    world: &World,
    order: &Order,
    (place, brief, desk): (&Arc<Workplace>, &str, &Desk),
    coordinator: &WeakActorRef<Coordinator>,
) -> Arc<dyn Toolbox> {
    let files = FileTools::new(Arc::<Workplace>::clone(place));
    let looking = looking(world, files, place.from(), order.task.paths.clone());
    let (brief, working) = (BriefTool::of(brief), WorkingTools::new(desk.handoff()));
    let joined = Arc::new(Joined::new(vec![looking, Arc::new(brief), Arc::new(working)]));
    Arc::new(Steered::new(
        joined,
        (&world.ground, coordinator),
        (Seat::Attempt(order.attempt), order.fence),
        order.heard,
    ))
}

/// Makes of a session's end what is reported of its attempt.
async fn made(
    world: &Arc<World>,
    order: Order,
    (place, desk): (&Workplace, &Desk),
    (ended, metered): (Result<Talked, String>, Metered),
    wall_ms: u64,
) -> Result<Played, GitError> {
    let (remains, commands) = place.close().await;
    let attempt = order.attempt;
    let session = match &ended {
        Ok(Talked { end: End::Limited(_), messages }) => {
            park(&turns_file(world, attempt), messages).await.then(|| attempt.to_string())
        }
        Ok(_) | Err(_) => None,
    };
    let ended = ended.map(|talked| talked.end);
    let usage = Usage { wall_ms, ..commands };
    let lacked = metered.lacked();
    let is_out_of_money = lacked.is_some();
    // It is taken up once more from where the limit had ended it.
    let is_stopped = is_out_of_money || matches!(ended, Ok(End::Cancelled));
    let (stance, words) = stance_of(ended, &metered, world.now_ms());
    let limit = Limit::of(&stance);
    if let Some(resumed) = order.resumes.as_ref().filter(|_| !is_stopped) {
        // It was taken up; where a limit ended it again, it is kept anew.
        let _ = std::fs::remove_file(turns_file(world, resumed.attempt));
    }
    let from = place.from();
    let handed = desk.handoff();
    let mut handoff = blocking(move || collect(&handed)).await.ok().flatten().unwrap_or_default();
    let missing = handoff.blocked.take();
    let outcome = world.blocking(move |world| {
        let why = match stance {
            Stance::Done if missing.is_some() && !is_out_of_money => {
                give_back(world, remains);
                return Ok((Outcome::Blocked { missing: missing.unwrap_or_default() }, None));
            }
            Stance::Done if !is_out_of_money => return Ok((candidate(world, &order, from, remains, usage)?, None)),
            Stance::Done => "no money is left".to_owned(),
            Stance::Limited { why, .. } => {
                let files = kept(&order, candidate(world, &order, from, remains, usage));
                return Ok((Outcome::Failed { why }, files));
            }
            Stance::Failed { why } => why,
            Stance::Blocked { missing } => missing,
        };
        give_back(world, remains);
        Ok((Outcome::Failed { why }, None))
    });
    let (outcome, files) = outcome.await?;
    let limit = limit.map(|limit| limit.leaving(session, files));
    if let Some(wants) = lacked {
        return Ok(Played::out_of_money(wants));
    }
    // Who hands nothing up has said last what was done.
    if handoff == Handoff::default() {
        handoff.done = words[..words.floor_char_boundary(WORDS_BYTES)].to_owned();
    }
    Ok(Played::of(outcome, handoff, usage).ended_by(limit))
}

fn give_back(world: &World, remains: Remains) {
    if let Remains::Tree(tree) = remains {
        // Whatever stands there, what was an agent's leads no git of this machine astray.
        let _ = tree.turn_back();
        world.workshop.give_back(*tree);
    }
}

/// Makes a candidate of what a session left.
fn candidate(world: &World, order: &Order, from: Oid, remains: Remains, usage: Usage) -> Result<Outcome, GitError> {
    match remains {
        Remains::Edits(edits) => made_of(world, order, (from, &edits), Vec::new(), usage),
        Remains::Tree(tree) => {
            // Whatever stands there, what was an agent's leads no git of this machine astray.
            let _ = tree.turn_back();
            let outcome = snapshot(world, order, &tree, from, usage)?;
            world.workshop.give_back_as_read(*tree);
            Ok(outcome)
        }
    }
}
