//! Owns the people: in a wild world they ask anything at any time, twice, and move the run's branch by hand; in a kind
//! one they mend what rests.

use artel::machine::command::{Ask, Command};
use artel::machine::event::Rest;
use artel::machine::state::{Flow, Status};
use artel::model::goal::{Budget, Gate};
use artel::model::ids::{RequestId, TaskId};
use artel::model::means::Bounds;

use crate::gates;
use crate::world::{Must, World};

const PLENTY: Bounds = Bounds { nano_usd: Some(1 << 60), tokens: Some(1 << 60), calls: Some(1 << 60) };

fn plenty(of: &Budget) -> Budget {
    Budget {
        wall_s: Some(1 << 40),
        attempts: Some(1 << 40),
        cpu_s: Some(1 << 40),
        nano_usd: PLENTY.nano_usd,
        tokens: PLENTY.tokens,
        calls: PLENTY.calls,
        task: PLENTY,
        roles: of.roles.keys().map(|role| (role.clone(), PLENTY)).collect(),
    }
}

fn send(world: &mut World, ask: Ask) {
    let id: RequestId = format!("q-{}", world.fresh()).parse().expect("it is a request's name");
    world.requests.push((id.clone(), ask.clone()));
    world.post(Command::Request { id, ask }, Must::Anything, None);
}

/// Asks something, sensible or not.
pub fn ask(world: &mut World) {
    if world.rng.u8(0..8) == 0 && !world.requests.is_empty() {
        let at = world.rng.usize(0..world.requests.len());
        let (id, ask) = world.requests[at].clone();
        return world.post(Command::Request { id, ask }, Must::Anything, None);
    }
    if world.rng.bool()
        && let Some(ask) = what_is_wanted(world)
    {
        return send(world, ask);
    }
    if world.rng.bool()
        && let Some(ask) = gates::word(world)
    {
        return send(world, ask);
    }
    if let Some(gate) = world.state.waiting
        && world.rng.u8(0..6) == 0
    {
        return send(world, Ask::Deny { gate, reason: "no".to_owned(), shown: None });
    }
    if world.beside_chance(40, 30)
        && let Some((task, _)) = world.state.tasks.iter().find(|(_, task)| task.wants.is_some())
    {
        let granted = world.beside(41).bool();
        return send(world, Ask::AnswerScope { task: *task, granted, reason: "it is so".to_owned() });
    }
    if let Some(task) = a_kept_task(world)
        && world.rng.u8(0..3) == 0
    {
        let ask = match world.rng.u8(0..4) {
            0 => Ask::DenyTask { task, reason: "no".to_owned() },
            1 | 2 => Ask::ApproveTask(task),
            _ => Ask::Retry(task),
        };
        return send(world, ask);
    }
    let task = TaskId(world.rng.u32(0..world.state.tasks.len() as u32 + 2));
    let other = if world.rng.bool() { Gate::Plan } else { Gate::Sweep };
    let gate = world.state.waiting.unwrap_or(other);
    let ask = match world.rng.u8(0..20) {
        0..=2 => Ask::Approve(gate),
        4 | 19 => Ask::ApproveTask(task),
        5 => Ask::DenyTask { task, reason: "no".to_owned() },
        6..=7 => Ask::Retry(task),
        8 => Ask::Drain,
        9 => Ask::Stop,
        10..=13 => Ask::Resume,
        14 => Ask::Steer { task: world.rng.bool().then_some(task), message: "mind the gap".to_owned() },
        15..=16 => Ask::Revert(task),
        17 => Ask::Deliver { branch: world.rng.bool().then(|| "release".to_owned()), onto: None },
        18 => Ask::Raise(Budget { attempts: Some(world.rng.u64(0..40)), ..Budget::default() }),
        _ => Ask::Retry(task),
    };
    send(world, ask);
}

/// Picks a task that waits for a person's word.
fn a_kept_task(world: &mut World) -> Option<TaskId> {
    let waits = |status: &Status| matches!(status, Status::Kept { .. } | Status::Blocked { .. });
    let kept: Vec<TaskId> =
        world.state.tasks.iter().filter(|(_, task)| waits(&task.status)).map(|(id, _)| *id).collect();
    world.rng.choice(&kept).copied()
}

/// Moves the run's branch by hand: deletes it, sets it back, or rewrites it; or does so with the user's own branch.
pub fn tamper(world: &mut World) {
    if world.rng.u8(0..4) == 0 {
        world.repo.is_user_branch_gone ^= true;
        return world.story.world("somebody deletes the user's branch, or makes it again");
    }
    let Some(branch) = world.repo.branch.filter(|_| world.tampered.is_none()) else { return };
    let to = match world.rng.u8(0..3) {
        0 => None,
        1 => Some(world.state.opening().base),
        _ => Some(world.repo.rewritten(branch)),
    };
    world.tampered = Some((world.repo.branch, to));
    world.repo.branch = to;
    world.story.world(format!("somebody moves the branch to {to:?}"));
}

/// Puts the run's branch back, unless the run has moved it on from there.
pub fn put_back(world: &mut World) {
    if let Some((from, to)) = world.tampered.take()
        && world.repo.branch == to
    {
        world.repo.branch = from;
        world.story.world("somebody puts the branch back");
    }
}

/// Does what a resting run waits for; tells whether there was something.
pub fn mend(world: &mut World) -> bool {
    put_back(world);
    if world.state.short.is_some() {
        world.post(Command::ReportSpace { short: None }, Must::Anything, None);
        return true;
    }
    // A dead coordinator's landing may have followed what a person did by hand; the advice that is given mends both.
    if matches!(&world.state.rest, Some(Rest::Trouble { what }) if what.contains("put it back")) {
        world.repo.branch = world.state.head;
    }
    world.repo.is_user_branch_gone = false;
    let wanted = what_is_wanted(world);
    let is_something = wanted.is_some();
    wanted.into_iter().for_each(|ask| send(world, ask));
    is_something
}

/// Says what a resting run waits for.
fn what_is_wanted(world: &World) -> Option<Ask> {
    match &world.state.rest {
        Some(Rest::Gate(_)) => gates::objection(world).or_else(|| gates::kind_word(&world.state)),
        Some(Rest::Question) => gates::kind_word(&world.state),
        Some(Rest::Budget { .. }) => Some(Ask::Raise(plenty(&world.state.budget))),
        Some(Rest::Stopped | Rest::Trouble { .. }) => Some(Ask::Resume),
        None if world.state.flow != Flow::Open => Some(Ask::Resume),
        None => None,
    }
}
