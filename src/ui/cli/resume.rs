//! Owns `artel resume`: goes on with a run in this process, after a stop, a crash, a spent budget or a request that
//! nobody was there to carry out.

use clap::Args;

use super::args::{RunArg, Sandbox, Shown};
use super::asking::put;
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::pick::read;
use super::seam::{self, Place};
use super::serve;
use crate::machine::command::Ask;
use crate::machine::event::Rest;
use crate::machine::state::{Flow, State};
use crate::model::goal::Budget;
use crate::model::means::Bounds;
use crate::model::spend::nano_usd_of;
use crate::model::written::seconds_of;

/// Goes on with a run.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    run: RunArg,
    /// Raise the budget of wall time since the run opened, such as 90s, 10m, 2h, 1d
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    wall: Option<u64>,
    /// Raise the budget of attempts
    #[arg(long, value_name = "N")]
    attempts: Option<u64>,
    /// Raise the budget of processor time, such as 90s, 10m, 2h, 1d
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    cpu: Option<u64>,
    /// Raise the budget of money for calls to models, in dollars, such as 5 or 0.25
    #[arg(long, value_name = "DOLLARS", value_parser = dollars)]
    usd: Option<u64>,
    /// Raise the budget of tokens of calls to models
    #[arg(long, value_name = "N")]
    tokens: Option<u64>,
    /// Raise the budget of calls to models
    #[arg(long, value_name = "N")]
    calls: Option<u64>,
    /// Raise what attempts at one task may use together: usd=N, tokens=N or calls=N, several with commas
    #[arg(long, value_name = "WHAT=N", value_parser = bounds)]
    task_budget: Option<Bounds>,
    /// Raise what those who play a role may use together, such as judge.usd=5, several with commas
    #[arg(long, value_name = "ROLE.WHAT=N", value_parser = of_role)]
    role_budget: Vec<(String, Bounds)>,
    #[command(flatten)]
    sandbox: Sandbox,
    #[command(flatten)]
    shown: Shown,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or it cannot be hosted.
pub fn resume(out: &Out, args: &ResumeArgs) -> Result<Exit, Fail> {
    let place = Place::open()?.in_sandbox(args.sandbox.tier());
    let read = read(&place, args.run.text())?;
    let raised = raised(args);
    if raised != Budget::default() {
        put(&place, &read.run, &read.state, Ask::Raise(raised.clone()))?;
    }
    let must_be_asked = must_be_asked(&read.state);
    if must_be_asked {
        put(&place, &read.run, &read.state, Ask::Resume)?;
    }
    let shape = args.shown.into();
    // What was asked is done by who holds the run already; who asks for nothing is told who that is.
    let has_asked = must_be_asked || raised != Budget::default();
    seam::host_there(&place, &read.run)?;
    if place.is_there() || (has_asked && seam::coordinator_lives(&place, &read.run)) {
        return live::watch(out, &place, &read.run, shape);
    }
    if crate::app::is_served(place.here()?) {
        serve::hand_over(&place, &read.run)?;
        return live::watch(out, &place, &read.run, shape);
    }
    live::host(out, &place, &read.run, shape)
}

fn raised(args: &ResumeArgs) -> Budget {
    let mut raised = Budget {
        wall_s: args.wall,
        attempts: args.attempts,
        cpu_s: args.cpu,
        nano_usd: args.usd,
        tokens: args.tokens,
        calls: args.calls,
        task: args.task_budget.unwrap_or_default(),
        ..Budget::default()
    };
    for (role, bounds) in &args.role_budget {
        raised.roles.entry(role.clone()).or_default().raise(bounds);
    }
    raised
}

/// Reads what bounds calls to models, such as `usd=5,tokens=100000`.
fn bounds(text: &str) -> Result<Bounds, String> {
    let mut bounds = Bounds::default();
    for part in text.split(',') {
        let whole = |number: &str| number.parse::<u64>().ok().filter(|number| *number > 0);
        let (place, amount) = match part.split_once('=') {
            Some(("usd", number)) => (&mut bounds.nano_usd, nano_usd_of(number).filter(|nano| *nano > 0)),
            Some(("tokens", number)) => (&mut bounds.tokens, whole(number)),
            Some(("calls", number)) => (&mut bounds.calls, whole(number)),
            Some(_) | None => return Err("write usd=N, tokens=N or calls=N".to_owned()),
        };
        *place = Some(amount.ok_or("the amount is a number above 0")?);
    }
    Ok(bounds)
}

fn of_role(text: &str) -> Result<(String, Bounds), String> {
    let (role, written) = text.split_once('.').ok_or("write ROLE.usd=N, ROLE.tokens=N or ROLE.calls=N")?;
    Ok((role.to_owned(), bounds(written)?))
}

/// Tells whether the run rests for a reason that a word ends. At a gate or at its end only other requests help;
/// they may be stored already, so the run is hosted and finds them.
fn must_be_asked(state: &State) -> bool {
    if state.end.is_some() {
        return false;
    }
    match &state.rest {
        Some(Rest::Stopped | Rest::Budget { .. } | Rest::Trouble { .. }) => true,
        Some(Rest::Gate(_) | Rest::Question) | None => state.flow != Flow::Open,
    }
}

/// Reads an amount of dollars as goal files write it, in nano-dollars.
fn dollars(text: &str) -> Result<u64, String> {
    nano_usd_of(text).filter(|nano| *nano > 0).ok_or_else(|| "write an amount of dollars, such as 5 or 0.25".to_owned())
}

/// Reads a duration as goal files write it, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no duration: write 90s, 10m, 2h or 1d");
    seconds_of(text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::story::Story;

    #[test]
    fn durations_are_read_as_goal_files_write_them() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("2h"), Ok(7200));
        assert_eq!(seconds("1d"), Ok(86_400));
        for wrong in ["", "h", "-1s", "1.5h", "1w", "99999999999999999999s", "9999999999999999999d", "ü"] {
            assert!(seconds(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_a_run_that_rests_is_asked_to_resume() {
        assert!(!must_be_asked(&Story::at_work("").state));
        assert!(!must_be_asked(&Story::incomplete("").state));
        let mut stopped = Story::at_work("");
        stopped.ask("q-1", Ask::Stop);
        assert!(must_be_asked(&stopped.state));
        stopped.advance();
        assert!(must_be_asked(&stopped.state));
    }
}
