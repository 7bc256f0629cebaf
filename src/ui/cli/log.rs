//! Owns `artel log`: what happened in a run, one line or one JSON value an event.

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::args::RunArg;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint, of_tone};
use super::patience::{Hands, Patience};
use super::seam::{self, Place};
use crate::machine::event::Recorded;
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::views::ended::{Class, ended};
use crate::views::event_json::EventJson;
use crate::views::line::{Interest, Line, line};

/// Shows what happened, event by event.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(flatten)]
    run: RunArg,
    /// Go on showing events as they happen until the run has ended, also while nobody works on it
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
    let mut log =
        Log { out, args, place: &place, run: &run, zone: TimeZone::system(), state: State::default(), day: None };
    if args.follow {
        return log.follow();
    }
    let events = log.read()?;
    log.tell(events)?;
    let last = log.state.seq;
    if let Some(at) = args.at.filter(|at| *at == 0 || *at > last) {
        return Err(
            Fail::new(Exit::Missing, format!("find event {at} of {run}")).because(format!("its last event is {last}"))
        );
    }
    Ok(Exit::Done)
}

/// Tells a run's events, and holds how far that is.
struct Log<'a> {
    out: &'a Out,
    args: &'a LogArgs,
    place: &'a Place,
    run: &'a RunId,
    zone: TimeZone,
    state: State,
    /// The day of the last event that was told.
    day: Option<Date>,
}

impl Log<'_> {
    /// Reads what was not told yet.
    fn read(&self) -> Result<Vec<Recorded>, Fail> {
        seam::events(self.place, self.run, self.state.seq + 1)
    }

    /// Tells what happened and happens until the run has ended, whoever works on it.
    fn follow(&mut self) -> Result<Exit, Fail> {
        let mut patience = Patience::new(self.run);
        loop {
            // What is stored after this was asked is read the next time; what whoever worked on it stored before, this time.
            let is_hosted = seam::coordinator_lives(self.place, self.run);
            let remark = match self.read() {
                Ok(events) => {
                    self.tell(events)?;
                    // One that has ended may be delivered from or taken back out of still.
                    if self.state.end.is_some() && !is_hosted {
                        return Ok(Exit::Done);
                    }
                    let is_alone = ended(&self.state).class == Class::Live && !is_hosted;
                    patience.saw(if is_alone { Hands::None } else { Hands::Enough })
                }
                Err(fail) => patience.missed(fail)?,
            };
            if let Some(remark) = remark {
                self.out.remark(&format!("note: {remark}"));
            }
            std::thread::sleep(patience.pause());
        }
    }

    fn tell(&mut self, events: Vec<Recorded>) -> Result<(), Fail> {
        for recorded in events {
            if self.args.at.is_some_and(|at| recorded.seq > at) {
                return Ok(());
            }
            self.state = evolve(std::mem::take(&mut self.state), &recorded);
            if recorded.seq >= self.args.at.unwrap_or(self.args.from) {
                self.tell_one(&recorded)?;
            }
        }
        Ok(())
    }

    fn tell_one(&mut self, recorded: &Recorded) -> Result<(), Fail> {
        if self.args.json {
            return self.out.json_line(&EventJson::of(self.run, &self.state, recorded));
        }
        let line = line(&self.state, recorded);
        if self.args.brief && line.interest == Interest::Detail {
            return Ok(());
        }
        let at = jiff::Timestamp::from_millisecond(recorded.at_ms).unwrap_or_default();
        let today = at.to_zoned(self.zone.clone()).date();
        if self.day.replace(today) != Some(today) {
            self.out.line(&self.out.paint.on(Hue::Strong, &today.to_string()))?;
        }
        self.out.line(&stamped(recorded, &line, self.out.paint, &self.zone))
    }
}
