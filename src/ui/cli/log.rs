//! Owns `artel log`: what happened in a run, one line or one JSON value an event.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use super::args::RunArg;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint, of_tone};
use super::seam::{self, Place};
use crate::machine::event::Recorded;
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::views::ended::{Class, ended};
use crate::views::event_json::EventJson;
use crate::views::line::{Interest, Line, line};

/// How often the journal is looked at for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows what happened, event by event.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(flatten)]
    run: RunArg,
    /// Go on showing events as they happen, until the run rests or ends
    #[arg(long, short)]
    follow: bool,
    /// Leave out what happens behind the scenes
    #[arg(long, short)]
    brief: bool,
    /// First event to show, by its number
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// Show this event alone, by its number
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["from", "follow", "brief"])]
    at: Option<u64>,
    /// One JSON value a line, each a whole event
    #[arg(long)]
    json: bool,
}

/// Writes a line with the time of day before it.
pub fn stamped(recorded: &Recorded, line: &Line, paint: Paint, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_millisecond(recorded.at_ms).unwrap_or_default();
    let time = at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    format!("{}  {}", paint.on(Hue::Faint, &time), paint.on(of_tone(line.tone), &line.text))
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn log(out: &Out, args: &LogArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let run = seam::find(&place, args.run.text())?;
    let zone = TimeZone::system();
    let mut state = State::default();
    let mut day = None;
    loop {
        for recorded in seam::events(&place, &run, state.seq + 1)? {
            state = evolve(state, &recorded);
            if recorded.seq < args.at.unwrap_or(args.from) {
                continue;
            }
            if args.at.is_some_and(|at| recorded.seq > at) {
                return Ok(Exit::Done);
            }
            if args.json {
                out.json_line(&EventJson::of(&run, &state, &recorded))?;
                continue;
            }
            let line = line(&state, &recorded);
            if args.brief && line.interest == Interest::Detail {
                continue;
            }
            let at = jiff::Timestamp::from_millisecond(recorded.at_ms).unwrap_or_default();
            let today = at.to_zoned(zone.clone()).date();
            if day.replace(today) != Some(today) {
                out.line(&out.paint.on(Hue::Strong, &today.to_string()))?;
            }
            out.line(&stamped(&recorded, &line, out.paint, &zone))?;
        }
        let is_over = ended(&state).class != Class::Live || !seam::coordinator_lives(&place, &run);
        if args.at.is_some_and(|at| at == 0 || at > state.seq) {
            let last = state.seq;
            return Err(Fail::new(Exit::Missing, format!("find event {} of {run}", args.at.unwrap_or(0)))
                .because(format!("its last event is {last}")));
        }
        if !args.follow || is_over {
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
