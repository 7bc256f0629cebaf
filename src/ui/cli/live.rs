//! Owns following a run to where it rests or ends, hosted in this process or by another: what is waited for, and what
//! becomes of signals and keys meanwhile. Never shows anything itself.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, sleep_until, timeout};

use super::args::{Format, Shown};
use super::exit::Exit;
use super::fail::Fail;
use super::following::Following;
use super::out::Out;
use super::patience::{Hands, LOOK_EVERY, Patience};
use super::seam::{self, Place};
use crate::actors::progress::Progress;
use crate::io::failpoint;
use crate::model::ids::RunId;
use crate::ui::tui::{Input, Stance, Wish};
use crate::views::ended::Class;

/// Says how a followed run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The live view on a terminal, plain lines elsewhere; at the end the board.
    Text,
    /// Plain lines everywhere; at the end the board.
    Plain,
    /// One JSON value for each event; at the end the board as one.
    Json,
}

impl From<Format> for Shape {
    fn from(format: Format) -> Self {
        if format.json { Self::Json } else { Self::Text }
    }
}

impl From<Shown> for Shape {
    fn from(shown: Shown) -> Self {
        if shown.plain { Self::Plain } else { shown.format.into() }
    }
}

/// Hosts a run in this process and follows it until it rests or ends. Ctrl-C once drains, twice ends at once. Where a
/// person looks on and the run waits for their word, it is hosted again once they have given it.
///
/// # Errors
/// Where the run cannot be hosted or read.
pub fn host(out: &Out, place: &Place, run: &RunId, shape: Shape) -> Result<Exit, Fail> {
    let runtime = runtime()?;
    let after = runtime.block_on(hosting(Following::new(out, place, run, shape, Stance::Hosts)));
    // After a second Ctrl-C nothing in this process is waited for.
    runtime.shutdown_background();
    match after? {
        After::Over(exit) => Ok(exit),
        After::Elsewhere => watch(out, place, run, shape),
    }
}

/// Follows a run that another process hosts.
///
/// # Errors
/// Where the run cannot be read.
pub fn watch(out: &Out, place: &Place, run: &RunId, shape: Shape) -> Result<Exit, Fail> {
    watch_from(out, place, run, shape, None)
}

/// Does as [`watch()`], and shows what happened from an event on, line by line, where one is given.
///
/// # Errors
/// As [`watch()`].
pub fn watch_from(out: &Out, place: &Place, run: &RunId, shape: Shape, from: Option<u64>) -> Result<Exit, Fail> {
    let mut following = Following::new(out, place, run, shape, Stance::Follows).told_from(from);
    following.look()?;
    let mut ears = if following.class() == Class::Live { Ears::of(&mut following)? } else { Ears::None };
    loop {
        let is_live = following.class() == Class::Live;
        let may_be_taken_up = following.waits_for_word() && seam::is_answered(place, run);
        if !is_live && !may_be_taken_up {
            return following.close();
        }
        if is_live && !seam::coordinator_lives(place, run) {
            following.look()?;
            if following.class() == Class::Live {
                following.close()?;
                return Ok(Exit::Stopped);
            }
            // It has come to rest meanwhile: a word may be given all the same.
            continue;
        }
        if ears.hear(&mut following, LOOK_EVERY)?.is_some() {
            following.leave();
            return Ok(Exit::Done);
        }
        following.look()?;
    }
}

/// Follows a run until it has ended, whoever works on it, and also while nobody does; shows what happened from an event on,
/// line by line, where one is given.
///
/// # Errors
/// Where the run cannot be read; a server that goes away meanwhile is waited for.
pub fn attend(out: &Out, place: &Place, run: &RunId, shape: Shape, from: Option<u64>) -> Result<Exit, Fail> {
    let mut following = Following::new(out, place, run, shape, Stance::Follows).told_from(from);
    following.look()?;
    if following.has_ended() {
        return following.close();
    }
    let mut patience = Patience::new(run);
    patience.saw(Hands::Enough);
    let mut ears = Ears::of(&mut following)?;
    while !following.has_ended() {
        if ears.hear(&mut following, patience.pause())?.is_some() {
            following.leave();
            return Ok(Exit::Done);
        }
        let remark = match following.look() {
            Ok(()) if following.class() == Class::Live && !seam::coordinator_lives(place, run) => {
                patience.saw(Hands::None)
            }
            Ok(()) => patience.saw(Hands::Enough),
            Err(fail) => patience.missed(fail)?,
        };
        if let Some(remark) = remark {
            following.mention(&remark);
        }
    }
    following.close()
}

/// Hears what a person does at a terminal, in a process that waits for nothing else.
enum Ears {
    /// There is no terminal.
    None,
    /// There is one.
    At(tokio::runtime::Runtime, Input),
}

impl Ears {
    fn of(following: &mut Following<'_>) -> Result<Self, Fail> {
        let Some(has_keys) = following.open_face() else { return Ok(Self::None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(deaf)?;
        let input = {
            let _inside = runtime.enter();
            Input::of_terminal(has_keys).map_err(deaf)?
        };
        Ok(Self::At(runtime, input))
    }

    /// Waits for a while; gives the wish to leave, where there is one.
    fn hear(&mut self, following: &mut Following<'_>, patience: Duration) -> Result<Option<Wish>, Fail> {
        match self {
            Self::None => {
                std::thread::sleep(patience);
                Ok(None)
            }
            Self::At(runtime, input) => match runtime.block_on(async { timeout(patience, input.next()).await }) {
                Ok(heard) => following.hear(&heard),
                Err(_) => Ok(None),
            },
        }
    }
}

fn deaf(error: std::io::Error) -> Fail {
    Fail::new(Exit::Unfit, "listen for keys and Ctrl-C").because(error)
}

/// Starts the threads that runs need.
///
/// # Errors
/// Where the system gives none.
pub fn runtime() -> Result<tokio::runtime::Runtime, Fail> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = failpoint::blocking_threads() {
        builder.max_blocking_threads(threads);
    }
    let built = builder.enable_all().build();
    built.map_err(|error| Fail::new(Exit::Unfit, "start the threads that a run needs").because(error))
}

/// Says what comes after hosting.
enum After {
    /// Nothing.
    Over(Exit),
    /// Another process works on the run.
    Elsewhere,
}

/// Says how hosting came to an end.
enum Hosting {
    /// The run rests or has ended.
    Rests,
    /// A person ended it at once.
    Cut,
}

/// Says what became of waiting for a person's word.
enum Word {
    Given,
    NotGiven,
    Elsewhere,
}

async fn hosting(mut following: Following<'_>) -> Result<After, Fail> {
    // What stands in the journal already is told before anything new can be appended.
    following.look_or_fall_silent()?;
    let mut input = match following.open_face() {
        Some(has_keys) => Input::of_terminal(has_keys),
        None => Input::of_signals(),
    }
    .map_err(deaf)?;
    loop {
        match host_once(&mut following, &mut input).await? {
            Hosting::Cut => return Ok(After::Over(Exit::Stopped)),
            Hosting::Rests if following.waits_for_word() => {}
            Hosting::Rests => return following.close().map(After::Over),
        }
        match word(&mut following, &mut input).await? {
            Word::Given => following.stand(Stance::Hosts),
            Word::NotGiven => return following.close().map(After::Over),
            Word::Elsewhere => {
                following.leave();
                return Ok(After::Elsewhere);
            }
        }
    }
}

async fn host_once(following: &mut Following<'_>, input: &mut Input) -> Result<Hosting, Fail> {
    // Clocks are shown on a terminal alone; elsewhere nothing is looked at before something has happened.
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let has_clocks = following.has_face();
    let (progress, mut seen) = watch::channel(Progress::default());
    let (mut has_news, mut looks_at) = (false, Instant::now());
    let (place, run) = (following.place, following.run.clone());
    let mut host = pin!(seam::host(place, &run, progress));
    let mut is_draining = false;
    loop {
        tokio::select! {
            result = &mut host => {
                let looked = following.look_or_fall_silent();
                if result.is_err() || looked.is_err() {
                    following.leave();
                }
                result.and(looked)?;
                return Ok(Hosting::Rests);
            }
            _ = tick.tick(), if has_clocks => following.look_or_fall_silent()?,
            Ok(()) = seen.changed(), if !has_clocks => has_news = true,
            () = sleep_until(looks_at), if has_news => {
                following.look_or_fall_silent()?;
                (has_news, looks_at) = (false, Instant::now() + LOOK_EVERY);
            }
            heard = input.next() => match following.hear(&heard)? {
                Some(Wish::Interrupt) if is_draining => {
                    following.leave();
                    following.out.remark(&format!("ended at once; what ran is lost: `artel resume {run}` goes on"));
                    return Ok(Hosting::Cut);
                }
                Some(Wish::Interrupt | Wish::Terminate) => {
                    if !std::mem::replace(&mut is_draining, true) {
                        following.drain()?;
                    }
                }
                Some(Wish::Leave | Wish::Suspend | Wish::Redraw | Wish::Ask(_)) | None => {}
            },
        }
    }
}

/// Waits at a gate until somebody has asked something of the run, its word is overdue, or the person who looks on leaves.
async fn word(following: &mut Following<'_>, input: &mut Input) -> Result<Word, Fail> {
    following.stand(Stance::Rests);
    loop {
        if let Ok(heard) = timeout(LOOK_EVERY, input.next()).await
            && following.hear(&heard)?.is_some()
        {
            return Ok(Word::NotGiven);
        }
        following.look_or_fall_silent()?;
        let is_hosted = seam::coordinator_lives(following.place, &following.run);
        if is_hosted || following.class() != Class::Waits {
            return Ok(Word::Elsewhere);
        }
        if following.is_due() {
            return Ok(Word::Given);
        }
    }
}
