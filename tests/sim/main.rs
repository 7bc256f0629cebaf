//! Drives the pure machine through a seeded world in which everything may go wrong: random goals, plans, workers,
//! judges and people; delays, losses, duplicates, reorderings; crashes before and after any append; two coordinators.
//! Each step is held against the laws; then the world turns kind and every run must come to its end. Of a seed that
//! breaks a law the shortest story that still breaks it is told.
//!
//! `ARTEL_SEED=7` runs one seed and tells its story; `ARTEL_SEEDS=100000` runs that many instead of 10,000.

mod checks;
mod crew;
mod gates;
mod goals;
mod laws;
mod golden;
mod ledger;
mod mutants;
mod people;
mod plans;
mod repo;
mod story;
mod tale;
mod untrue;
mod world;

use std::io::Write;

use artel::machine::command::{Ask, Command};
use artel::machine::decide::decide;
use artel::machine::due::{Effect, deadline, due};
use artel::machine::event::End;
use artel::machine::state::{State, Status};
use artel::model::ids::RequestId;
use fastrand::Rng;

use laws::{Law, broken, law};
use mutants::Mutant;
use story::Story;
use tale::{Fall, Tale, shorten};
use world::{Job, Mood, Must, World};

/// Seeds of the default run, and the parts that they are split into.
const SEEDS: u64 = 10_000;
const PARTS: u64 = 8;
/// Kinds of events that there are.
const KINDS: usize = 67;
/// One seed in so many has each of its events written and read back.
const STORED: u64 = 16;
/// Seeds in which a bug must be found.
const ENOUGH: u64 = 900;
/// Steps in which a kind world brings every run to its end or the law of progress is broken.
const KIND_STEPS: u32 = 4000;

/// Lives a tale through; says where it broke a law.
fn live(tale: &Tale, story: Story, mutant: Option<Mutant>) -> (World, Option<Fall>) {
    let mut world = World::new(tale.seed, story, mutant);
    let mut steps = 0;
    let fall = match lived(&mut world, tale, &mut steps) {
        Ok(()) => None,
        Err(broken) => Some(Fall { broken, steps }),
    };
    (world, fall)
}

fn lived(world: &mut World, tale: &Tale, steps: &mut usize) -> Law {
    world.open()?;
    for step in &tale.steps {
        *steps += 1;
        world.rng = Rng::with_seed(step.seed);
        world.is_calm = step.is_calm;
        wild_step(world)?;
    }
    world.replayed()?;
    if !tale.goes_on {
        return Ok(());
    }
    world.mood = Mood::Kind;
    world.story.world("the world turns kind");
    world.settle()?;
    to_the_end(world)?;
    second_thoughts(world)?;
    to_the_end(world)?;
    world.replayed()?;
    if tale.seed.is_multiple_of(STORED) { world.stored() } else { Ok(()) }
}

fn wild_step(world: &mut World) -> Law {
    let jump = match world.rng.u8(0..200) {
        0..=7 => world.rng.i64(100_000..500_000),
        8 | 9 => -world.rng.i64(0..5000),
        // A machine that slept, a clock that somebody set.
        10 => world.rng.i64(3_600_000..40_000_000),
        11 => -world.rng.i64(3_600_000..40_000_000),
        _ => world.rng.i64(0..3000),
    };
    world.now_ms += jump;
    // Where nothing happens, people act and time flies: a run that only waits shows nothing.
    let is_idle = world.mail.is_empty() && going(world).next().is_none();
    if is_idle && world.rng.bool() {
        world.now_ms += 400_000;
        people::mend(world);
        if world.rng.bool() {
            world.post(Command::LetLapse, Must::Anything, None);
        }
        return world.settle();
    }
    match world.rng.u8(0..100) {
        0..=40 => several(world, deliver),
        41..=82 => several(world, progress),
        83..=90 => {
            people::ask(world);
            Ok(())
        }
        91 => world.crash(),
        92 => {
            people::tamper(world);
            Ok(())
        }
        93 | 94 => {
            people::put_back(world);
            Ok(())
        }
        95 => lose_or_repeat(world),
        96 if world.rng.bool() => {
            world.post(Command::ReportTrouble { what: "the disk is full".to_owned() }, Must::Anything, None);
            Ok(())
        }
        97 => renew(world),
        98 => match world.stale.take() {
            Some((state, epoch)) => {
                stale_goes_on(world, &state, epoch);
                Ok(())
            }
            None => world.usurp(),
        },
        99 => {
            let short = world.rng.bool().then(|| "1 MiB is free".to_owned());
            world.post(Command::ReportSpace { short }, Must::Anything, None);
            Ok(())
        }
        _ => world.settle(),
    }
}

fn several(world: &mut World, act: fn(&mut World) -> Law) -> Law {
    act(world)?;
    while world.rng.u8(0..3) > 0 {
        act(world)?;
    }
    Ok(())
}

fn deliver(world: &mut World) -> Law {
    if world.mail.is_empty() {
        return Ok(());
    }
    let at = world.rng.usize(0..world.mail.len());
    if world.chance(5) {
        let again = world::Mail { of: None, ..world.mail[at].clone() };
        world.mail.push(again);
    }
    let mail = world.mail.remove(at);
    world.handle(mail)
}

fn progress(world: &mut World) -> Law {
    let going: Vec<Effect> = going(world).cloned().collect();
    if let Some(effect) = world.rng.choice(&going) {
        let is_landing = matches!(effect, Effect::Merge { .. } | Effect::Check { .. } | Effect::Land { .. });
        if !is_landing || world.rng.u8(0..world.slowness) == 0 {
            crew::progress(world, effect);
        }
    }
    Ok(())
}

/// Lists what is under way and has not reported yet.
fn going(world: &World) -> impl Iterator<Item = &Effect> {
    let is_going = |job: &Job| !matches!(job, Job::Reported(_) | Job::Going { silent: true });
    world.flight.iter().filter(move |(_, job)| is_going(job)).map(|(effect, _)| effect)
}

fn lose_or_repeat(world: &mut World) -> Law {
    if world.mail.is_empty() {
        return Ok(());
    }
    let at = world.rng.usize(0..world.mail.len());
    if world.rng.bool() {
        let again = world::Mail { of: None, ..world.mail[at].clone() };
        world.mail.push(again);
        return Ok(());
    }
    if crew::is_money(&world.mail[at].command) {
        // A worker waits for the answer, and goes on only with it.
        return Ok(());
    }
    let lost = world.mail.remove(at);
    if let Command::Request { id, ask } = lost.command {
        // A request is stored durably: it is read again.
        world.post(Command::Request { id, ask }, Must::Anything, None);
    }
    if let Some(effect) = lost.of {
        world.flight.remove(&effect);
    }
    world.settle()
}

fn renew(world: &mut World) -> Law {
    let running: Vec<_> = world.state.running.iter().copied().collect();
    let Some(attempt) = world.rng.choice(&running).copied() else { return Ok(()) };
    let fence = world.state.attempt(attempt).map_or(0, |it| it.fence) + world.rng.u64(0..2);
    world.post(Command::RenewLease { attempt, fence }, Must::Anything, None);
    Ok(())
}

/// Lets a coordinator that was passed over wake from its sleep: it decides as if nothing had been, and stores that.
fn stale_goes_on(world: &mut World, state: &State, epoch: u64) {
    if let Some(effect) = due(state).iter().find(|effect| matches!(effect, Effect::Land { .. })) {
        crew::half_done(world, effect);
    }
    let id: RequestId = format!("stale-{}", world.fresh()).parse().expect("it is a request's name");
    let commands = [
        Command::Advance,
        Command::ReportTrouble { what: "its agents are gone".to_owned() },
        Command::Request { id, ask: Ask::Drain },
    ];
    for command in commands {
        if let Ok(events) = decide(state, &command, world.now_ms)
            && !events.is_empty()
        {
            return world.store(epoch, events);
        }
    }
}

/// Turns a kind world until the run has ended and nothing is owed.
fn to_the_end(world: &mut World) -> Law {
    for _ in 0..KIND_STEPS {
        world.now_ms += 10;
        let quiet: Vec<_> = world.flight.iter().filter(|(_, job)| !matches!(job, Job::Reported(_))).collect();
        let quiet = quiet.first().map(|(effect, _)| (*effect).clone());
        if !world.mail.is_empty() {
            deliver(world)?;
        } else if let Some(effect) = quiet {
            crew::progress(world, &effect);
        } else if world.state.end.is_some() {
            return ended(world);
        } else if people::mend(world) {
            // Their word is on its way.
        } else if let Some(at_ms) = deadline(&world.state, world.now_ms) {
            world.now_ms = at_ms;
            world.post(Command::LetLapse, Must::Anything, None);
            world.settle()?;
        } else {
            return Err(broken("the world is kind, nothing is under way, and the run neither moves nor rests"));
        }
    }
    Err(broken(format!("the run has not ended after {KIND_STEPS} steps in a kind world")))
}

fn ended(world: &mut World) -> Law {
    people::put_back(world);
    if !matches!(world.state.end, Some(End::Denied { .. })) {
        laws::all_ended(&world.state)?;
        let (stands, head) = (world.repo.branch, world.state.head);
        law(stands == head, || format!("the branch stands at {stands:?}, and the journal has it at {head:?}"))?;
        world.ledger.undelivered(&world.state)?;
    }
    for (id, _) in &world.requests {
        law(world.state.answered.contains_key(id), || format!("request {id} was never answered"))?;
    }
    Ok(())
}

/// Takes an ended run up again: kept tasks are let land or tried again, some that landed are taken out, and the
/// branch is delivered.
fn second_thoughts(world: &mut World) -> Law {
    let mut asks = vec![Ask::Deliver { branch: Some("release".to_owned()), onto: None }];
    for (id, task) in &world.state.tasks {
        match task.status {
            Status::Kept { .. } | Status::Blocked { .. } if id.0 % 3 == 0 => asks.push(Ask::ApproveTask(*id)),
            Status::Kept { .. } | Status::Blocked { .. } => asks.push(Ask::Retry(*id)),
            // Two people ask for the same.
            Status::Landed { .. } if id.0 % 5 == 0 => asks.extend([Ask::Revert(*id), Ask::Revert(*id)]),
            Status::Landed { .. }
            | Status::Waiting
            | Status::Ready
            | Status::Running
            | Status::Judging
            | Status::Gated
            | Status::Queued
            | Status::Nothing
            | Status::Dropped { .. }
            | Status::Reverted { .. } => {}
        }
    }
    for ask in asks {
        let id: RequestId = format!("again-{}", world.fresh()).parse().expect("it is a request's name");
        world.requests.push((id.clone(), ask.clone()));
        world.post(Command::Request { id, ask }, Must::Anything, None);
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs one seed; where a law is broken, tells the shortest story that still breaks it.
fn run(seed: u64) -> World {
    let tale = Tale::of(seed);
    let (world, fall) = live(&tale, Story::untold(), None);
    let Some(fall) = fall else { return world };
    let short = shorten(&tale, &fall, |tale| live(tale, Story::untold(), None).1);
    let (world, fall) = live(&short, Story::told(), None);
    let broken = fall.expect("a shorter story of a fall ends with it").broken;
    panic!(
        "{}\nseed {seed}: {broken}\n{} of its {} steps are told; all of it: ARTEL_SEED={seed} cargo test --test sim one_seed",
        world.story.tell(),
        short.steps.len(),
        tale.steps.len()
    );
}

fn run_part(part: u64) {
    let seeds = number("ARTEL_SEEDS").unwrap_or(SEEDS);
    if number("ARTEL_SEED").is_some() {
        return;
    }
    for seed in (part..seeds).step_by(PARTS as usize) {
        run(seed);
    }
}

macro_rules! parts {
    ($($name:ident $part:literal)*) => {
        $(
            #[test]
            fn $name() {
                run_part($part);
            }
        )*
    };
}

parts! {
    laws_hold_in_part_0 0
    laws_hold_in_part_1 1
    laws_hold_in_part_2 2
    laws_hold_in_part_3 3
    laws_hold_in_part_4 4
    laws_hold_in_part_5 5
    laws_hold_in_part_6 6
    laws_hold_in_part_7 7
}

#[test]
fn one_seed_tells_its_story() {
    let seed = number("ARTEL_SEED").unwrap_or(1);
    let (world, fall) = live(&Tale::of(seed), Story::told(), None);
    if number("ARTEL_SEED").is_some() {
        let _ = write!(std::io::stdout(), "{}", world.story.tell());
    }
    assert!(fall.is_none(), "seed {seed}: {}", fall.expect("it fell").broken);
    assert!(world.journal.len() > 5, "a run that holds no events proves nothing");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let told = || live(&Tale::of(11), Story::told(), None).0.story.tell();
    assert_eq!(told(), told());
}

/// A simulator that never reaches a law does not prove it.
#[test]
fn every_kind_of_event_happens() {
    let kinds = golden::one_of_each_kind();
    assert_eq!(kinds.len(), KINDS, "{:?}", kinds.keys());
}

/// Finds the first seed in which a bug breaks a law. A world that breaks down over it has found it too.
fn found(mutant: Mutant) -> Option<(u64, Option<Fall>)> {
    (0..ENOUGH).find_map(|seed| {
        let lived = std::panic::catch_unwind(|| live(&Tale::of(seed), Story::untold(), Some(mutant)).1);
        lived.map_or(Some((seed, None)), |fall| fall.map(|fall| (seed, Some(fall))))
    })
}

#[test]
fn laws_find_the_bugs_that_are_put_in() {
    let all = mutants::ALL;
    let survivors: Vec<&Mutant> = all.iter().filter(|mutant| found(**mutant).is_none()).collect();
    let missed = survivors.len() as f64 / all.len() as f64;
    assert!(
        all.len() >= 20 && missed <= 0.05,
        "{} of {} bugs were not found: {survivors:?}",
        survivors.len(),
        all.len()
    );
}

#[test]
fn a_law_finds_who_grants_or_is_asked_for_what_its_scope_does_not_hold() {
    for mutant in [Mutant::GrantedOutsideScope, Mutant::AskedElsewhere] {
        let (seed, fall) = found(mutant).expect("it is found");
        let broken = fall.unwrap_or_else(|| panic!("{mutant:?} breaks the world of seed {seed}, and no law")).broken;
        assert!(broken.at.file().ends_with("laws/asked.rs"), "{mutant:?}: {broken}");
    }
}

#[test]
fn a_law_finds_a_plan_that_is_sent_back_unseen_or_in_part() {
    for mutant in [Mutant::OldPlanSentBack, Mutant::SentBackStands] {
        let (seed, fall) = found(mutant).unwrap_or_else(|| panic!("{mutant:?} is not found"));
        assert!(fall.is_some(), "{mutant:?} breaks the world of seed {seed}, and no law");
    }
}

#[test]
fn the_story_of_a_broken_law_is_made_short() {
    for mutant in [Mutant::NoFence, Mutant::FlakyNotMarked, Mutant::RevertedTwice] {
        let (seed, fall) = found(mutant).expect("it is found");
        let (tale, fall) = (Tale::of(seed), fall.expect("a law finds it"));
        let short = shorten(&tale, &fall, |tale| live(tale, Story::untold(), Some(mutant)).1);
        let (world, again) = live(&short, Story::told(), Some(mutant));
        assert_eq!(again.expect("it breaks still").broken.at, fall.broken.at);
        let long = live(&tale, Story::told(), Some(mutant)).0.story.lines();
        let (steps, of) = (short.steps.len(), tale.steps.len());
        assert!(steps * 4 <= of, "{mutant:?}: {steps} of {of} steps are left");
        assert!(world.story.lines() < long, "{mutant:?}: {} of {long} lines are left", world.story.lines());
    }
}
