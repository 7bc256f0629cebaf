//! Owns the playing of a worker's part, as a process in an attempt's worktree. Never plans.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use fastrand::Rng;
use globset::Glob;
use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::faults::read_part;
use super::files;
use super::misbehaviour;
use super::part::{Clock, Crash, Part, Step};
use crate::io::agents::brief::Brief;
use crate::model::attempt::Handoff;
use crate::model::ids::AttemptId;
use crate::model::seat::Seat;

/// Hidden verb under which artel plays a part; what it plays stands in the environment.
pub const SCRIPT_VERB: &str = "__script";

/// Argument to the verb by which a player starts a process that does nothing but live.
pub(super) const LINGER: &str = "linger";

/// Says why a part cannot go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// It has come to its end.
    Exit(u8),
    /// A step could not be done.
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Plays the part that the environment names and gives the exit code: 0 done, 1 failed, 2 not playable.
pub fn script_main() -> i32 {
    if env::args().nth(2).as_deref() == Some(LINGER) {
        return misbehaviour::linger();
    }
    let player = Player::from_environment();
    let ended = player.map(|(mut player, steps)| match player.play(&steps) {
        Ok(()) => 0,
        Err(Stop::Exit(code)) => i32::from(code),
        Err(Stop::Failed(why)) => {
            let _ = writeln!(io::stderr(), "{why}");
            1
        }
    });
    ended.unwrap_or_else(|why| {
        let _ = writeln!(io::stderr(), "artel: failed to play a part: {why}");
        2
    })
}

/// Plays one part for one attempt.
pub(super) struct Player {
    pub(super) brief: Brief,
    handoff: PathBuf,
    clock: Clock,
    virtual_clock: Option<PathBuf>,
    virtual_ms: u64,
    rng: Rng,
}

impl Player {
    fn from_environment() -> Result<(Self, Vec<Step>), String> {
        let place = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"));
        let text = |name: &str| {
            let path = place(name)?;
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let Part { clock, steps, .. } = read_part(&text("ARTEL_PART")?)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let brief: Brief = serde_json::from_str(&text("ARTEL_BRIEF_JSON")?).map_err(|error| error.to_string())?;
        let player = Self {
            rng: Rng::with_seed(seed_of(&brief)),
            brief,
            handoff: place("ARTEL_HANDOFF")?,
            clock,
            virtual_clock: place("ARTEL_VIRTUAL").ok(),
            virtual_ms: 0,
        };
        Ok((player, steps.ok_or("it has no `steps`")?))
    }

    fn play(&mut self, steps: &[Step]) -> Result<(), Stop> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Replace { .. }
            | Step::Append { .. }
            | Step::Write { .. }
            | Step::Delete { .. }
            | Step::Chmod { .. }
            | Step::Symlink { .. }
            | Step::Conflict { .. }
            | Step::Outside { .. }
            | Step::BreakTest { .. }
            | Step::DeleteTest { .. } => files::change(self, step),
            Step::Wait { ms } => self.wait(*ms),
            Step::Say(line) => Ok(writeln!(io::stdout(), "{}", self.fill(line))?),
            Step::Run(line) => run(&self.fill(line)),
            Step::Handoff(handoff) => self.hand_off(handoff),
            Step::Lie(claim) => {
                self.hand_off(&Handoff { done: claim.clone(), ..Handoff::default() })?;
                Err(Stop::Exit(0))
            }
            Step::Blocked(missing) => {
                self.hand_off(&Handoff { blocked: Some(missing.clone()), ..Handoff::default() })?;
                Err(Stop::Exit(0))
            }
            Step::Garble(text) => Ok(fs::write(&self.handoff, self.fill(text))?),
            Step::Fail(why) => Err(Stop::Failed(self.fill(why))),
            Step::FailIf { path, contains } => files::refuse(&self.fill(path), &self.fill(contains)),
            Step::Crash(Crash::Code(code)) => Err(Stop::Exit(*code)),
            Step::Crash(Crash::Signal(signal)) => misbehaviour::raise(*signal),
            Step::Hang => misbehaviour::hang(),
            Step::Flood { bytes } => misbehaviour::flood(*bytes),
            Step::Leak { children } => misbehaviour::leak(*children),
            Step::Fork { children } => misbehaviour::fork(*children),
            Step::IgnoreTerm => misbehaviour::ignore_term(),
            Step::Nothing => Ok(()),
            Step::Choose(choices) => {
                let total: u64 = choices.iter().map(|choice| u64::from(choice.weight)).sum();
                let mut drawn = self.rng.u64(..total.max(1));
                let chosen = choices.iter().find(|choice| {
                    let hit = drawn < u64::from(choice.weight);
                    drawn = drawn.saturating_sub(u64::from(choice.weight));
                    hit
                });
                chosen.map_or(Ok(()), |choice| self.play(&choice.steps))
            }
            Step::OnAttempt(cases) => {
                let case =
                    cases.get(&self.attempt().map_or(0, |it| it.number).to_string()).or_else(|| cases.get("else"));
                case.map_or(Ok(()), |steps| self.play(steps))
            }
            Step::Match { path, title, then, or } => {
                let fits = self.fits(path.as_deref(), title.as_deref());
                self.play(if fits { then } else { or })
            }
        }
    }

    /// Tells whether one of the owned paths matches a glob and the title a regular expression, where they are given.
    fn fits(&self, path: Option<&str>, title: Option<&str>) -> bool {
        // A pattern that does not compile is a fault of the part, found when it was read.
        let glob = path.map(|glob| Glob::new(glob).map(|glob| glob.compile_matcher()));
        let owned = || self.brief.paths.iter();
        glob.is_none_or(|glob| glob.is_ok_and(|glob| owned().any(|path| glob.is_match(path))))
            && title.is_none_or(|title| Regex::new(title).is_ok_and(|title| title.is_match(&self.brief.title)))
    }

    fn wait(&mut self, ms: u64) -> Result<(), Stop> {
        match (self.clock, &self.virtual_clock) {
            (Clock::Real, _) => std::thread::sleep(Duration::from_millis(ms)),
            (Clock::Virtual, None) => {}
            (Clock::Virtual, Some(clock)) => {
                self.virtual_ms = self.virtual_ms.saturating_add(ms);
                fs::write(clock, self.virtual_ms.to_string())?;
            }
        }
        Ok(())
    }

    fn hand_off(&self, handoff: &Handoff) -> Result<(), Stop> {
        let handoff = self.filled(serde_json::to_value(handoff).map_err(io::Error::from)?);
        Ok(fs::write(&self.handoff, handoff.to_string())?)
    }

    fn filled(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(name, value)| (name, self.filled(value))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    fn attempt(&self) -> Option<AttemptId> {
        match self.brief.seat {
            Seat::Attempt(attempt) => Some(attempt),
            Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => None,
        }
    }

    /// Fills the holes of a text; `{path}` is the first path that the task owns.
    pub(super) fn fill(&self, text: &str) -> String {
        self.fill_for(text, self.brief.paths.iter().next().unwrap_or_default())
    }

    /// Fills the holes of a text with `{path}` as given.
    pub(super) fn fill_for(&self, text: &str, path: &str) -> String {
        let task = self.attempt().map(|it| it.task.to_string()).unwrap_or_default();
        text.replace("{task}", &task)
            .replace("{attempt}", &self.brief.seat.to_string())
            .replace("{seed}", &self.brief.seed.to_string())
            .replace("{path}", path)
    }
}

fn run(line: &str) -> Result<(), Stop> {
    let status = Command::new("sh").arg("-c").arg(line).stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(Stop::Failed(format!("`{line}`: {status}"))) }
}

/// Mixes the seed with the attempt, so that attempts differ and the same attempt of the same seed does not.
fn seed_of(brief: &Brief) -> u64 {
    let digest = Sha256::digest(format!("{} {}", brief.seed, brief.seat));
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
