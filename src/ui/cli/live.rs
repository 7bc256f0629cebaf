//! Owns following a run: a block that is redrawn on a terminal, or one plain line for each event of interest where
//! there is none. Reads the journal as any other reader does, also when the coordinator lives in this process.

use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::args::Format;
use super::board_text::{Depth, board as board_lines};
use super::exit::Exit;
use super::fail::Fail;
use super::log::stamped;
use super::out::Out;
use super::seam::{self, Place};
use crate::actors::progress::Progress;
use crate::io::failpoint;
use crate::machine::command::Ask;
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::model::inert::inert;
use crate::views::board::{Board, board};
use crate::views::ended::{Class, ended};
use crate::views::event_json::EventJson;
use crate::views::line::{Interest, line};
use crate::views::pace::Pace;

/// How often the journal is looked at and the block redrawn: five times a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After how many looks without anything new the block is redrawn all the same, for its clocks.
const IDLE_LOOKS: u32 = 5;

/// Says how a followed run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A block on a terminal, plain lines elsewhere; at the end the board.
    Text,
    /// One JSON value for each event; at the end the board as one.
    Json,
}

impl From<Format> for Shape {
    fn from(format: Format) -> Self {
        if format.json { Self::Json } else { Self::Text }
    }
}

/// Hosts a run in this process and follows it until it rests or ends. Ctrl-C once drains, twice ends at once.
///
/// # Errors
/// Where the run cannot be hosted or read.
pub fn host(out: &Out, place: &Place, run: &RunId, shape: Shape) -> Result<Exit, Fail> {
    let runtime = runtime()?;
    let exit = runtime.block_on(hosting(Screen::new(out, place, run, shape)));
    // After a second Ctrl-C nothing in this process is waited for.
    runtime.shutdown_background();
    exit
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
    let mut screen = Screen::new(out, place, run, shape);
    screen.from = from;
    loop {
        screen.look()?;
        if screen.class() != Class::Live {
            return screen.close();
        }
        if !seam::coordinator_lives(place, run) {
            screen.look()?;
            let exit = screen.close()?;
            return Ok(if screen.class() == Class::Live { Exit::Stopped } else { exit });
        }
        std::thread::sleep(LOOK_EVERY);
    }
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

fn listen(kind: SignalKind) -> Result<Signal, Fail> {
    signal(kind).map_err(|error| Fail::new(Exit::Unfit, "listen for Ctrl-C").because(error))
}

async fn hosting(mut screen: Screen<'_>) -> Result<Exit, Fail> {
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    // Clocks are shown on a terminal alone; elsewhere nothing is looked at before something has happened.
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let has_clocks = screen.shape == Shape::Text && screen.out.is_live;
    let (progress, mut seen) = watch::channel(Progress::default());
    let (mut has_news, mut looks_at) = (false, Instant::now());
    let (place, run) = (screen.place, screen.run.clone());
    // What stands in the journal already is told before anything new can be appended.
    screen.look_or_fall_silent()?;
    let mut host = pin!(seam::host(place, &run, progress));
    let mut is_draining = false;
    loop {
        tokio::select! {
            result = &mut host => {
                let looked = screen.look_or_fall_silent();
                screen.erase();
                result.and(looked)?;
                return screen.close();
            }
            _ = tick.tick(), if has_clocks => screen.look_or_fall_silent()?,
            Ok(()) = seen.changed(), if !has_clocks => has_news = true,
            () = sleep_until(looks_at), if has_news => {
                screen.look_or_fall_silent()?;
                (has_news, looks_at) = (false, Instant::now() + LOOK_EVERY);
            }
            _ = interrupt.recv() => {
                if std::mem::replace(&mut is_draining, true) {
                    screen.erase();
                    screen.out.remark(&format!("ended at once; what ran is lost: `artel resume {run}` goes on"));
                    return Ok(Exit::Stopped);
                }
                screen.drain()?;
            }
            _ = terminate.recv() => {
                if !std::mem::replace(&mut is_draining, true) {
                    screen.drain()?;
                }
            }
        }
    }
}

/// Holds what is on the screen and the fold behind it.
struct Screen<'a> {
    out: &'a Out,
    place: &'a Place,
    run: RunId,
    shape: Shape,
    state: State,
    pace: Pace,
    /// Lines of the block that stand on the terminal.
    drawn: usize,
    /// Looks since the block was drawn.
    looks: u32,
    /// Said below the block.
    said: Option<String>,
    /// The first event that is told though it happened before the run was followed.
    from: Option<u64>,
    /// Whether nobody reads standard output any more.
    is_silent: bool,
}

impl<'a> Screen<'a> {
    fn new(out: &'a Out, place: &'a Place, run: &RunId, shape: Shape) -> Self {
        let (state, pace) = (State::default(), Pace::default());
        Self {
            out,
            place,
            run: run.clone(),
            shape,
            state,
            pace,
            drawn: 0,
            looks: 0,
            said: None,
            from: None,
            is_silent: false,
        }
    }

    fn class(&self) -> Class {
        ended(&self.state).class
    }

    /// Takes in what happened and shows it.
    fn look(&mut self) -> Result<(), Fail> {
        let is_first = self.state.seq == 0;
        // Of what another machine's server meets, that one is told.
        let notices = self.place.here().map(|here| here.notices.take()).unwrap_or_default();
        for notice in notices {
            self.erase();
            self.out.remark(&format!("note: {}", inert(&notice)));
        }
        for recorded in seam::events(self.place, &self.run, self.state.seq + 1)? {
            self.pace.learn(&recorded);
            self.state = evolve(std::mem::take(&mut self.state), &recorded);
            self.looks = IDLE_LOOKS;
            if self.is_silent {
                continue;
            }
            if self.from.is_some_and(|from| recorded.seq < from) {
                continue;
            }
            match self.shape {
                Shape::Json => self.out.json_line(&EventJson::of(&self.run, &self.state, &recorded))?,
                // What happened before the run is followed is on the board at the end.
                Shape::Text if self.out.is_live || (is_first && recorded.seq > 1 && self.from.is_none()) => {}
                Shape::Text => {
                    let line = line(&self.state, &recorded);
                    if line.interest == Interest::Progress {
                        self.out.line(&stamped(&recorded, &line, self.out.paint, &jiff::tz::TimeZone::system()))?;
                    }
                }
            }
        }
        self.looks += 1;
        if self.shape == Shape::Text && self.out.is_live && self.looks > IDLE_LOOKS {
            self.looks = 0;
            self.draw();
        }
        Ok(())
    }

    /// Takes in what happened and shows it; a reader who went away does not end the run.
    fn look_or_fall_silent(&mut self) -> Result<(), Fail> {
        match self.look() {
            Err(fail) if fail.is_closed_pipe() => {
                self.is_silent = true;
                Ok(())
            }
            other => other,
        }
    }

    fn view(&self) -> Option<Board> {
        board(&self.state, &seam::outside(self.place, &self.run, &self.state, &self.pace))
    }

    /// Redraws the block in one write; a terminal that cannot be written to is nobody's loss.
    fn draw(&mut self) {
        let term = console::Term::buffered_stderr();
        let (height, width) = term.size();
        let width = usize::from(width).saturating_sub(1).max(20);
        let Some(view) = self.view() else { return };
        let mut lines = board_lines(&view, Depth::LIVE, width, self.out.error_paint);
        lines.truncate(usize::from(height).saturating_sub(2).max(3));
        lines.extend(self.said.iter().map(|said| crate::model::inert::fit(said, width)));
        let _ = term.clear_last_lines(self.drawn);
        for line in &lines {
            let _ = term.write_line(line);
        }
        self.drawn = lines.len();
        let _ = term.flush();
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            let term = console::Term::stderr();
            let _ = term.clear_last_lines(std::mem::take(&mut self.drawn));
        }
    }

    fn drain(&mut self) -> Result<(), Fail> {
        seam::ask(self.place, &self.run, Ask::Drain)?;
        let said = "stopping: what runs is finished first; Ctrl-C once more ends it at once".to_owned();
        if self.out.is_live && self.shape == Shape::Text {
            self.said = Some(said);
            self.draw();
        } else {
            self.out.remark(&said);
        }
        Ok(())
    }

    /// Shows the board for good and gives the exit code.
    fn close(&mut self) -> Result<Exit, Fail> {
        self.erase();
        let Some(view) = self.view() else {
            return Err(Fail::new(Exit::Missing, format!("read run {}", self.run)).because("it holds no events"));
        };
        match self.shape {
            Shape::Text | Shape::Json if self.is_silent => {}
            Shape::Json => self.out.json_line(&view)?,
            Shape::Text => {
                if !self.out.is_live {
                    self.out.line("")?;
                }
                self.out.lines(board_lines(&view, Depth::FULL, self.out.width, self.out.paint))?;
            }
        }
        Ok(Exit::of_run(self.class()))
    }
}
