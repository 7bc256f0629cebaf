//! Owns `artel deliver`: brings what landed into the user's branch, and only then.

use clap::Args;

use super::args::{Format, RunArg};
use super::asking::{Answer, put, tell, wait_for};
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::pick::{Read, read};
use super::seam::{self, Place};
use crate::machine::command::Ask;
use crate::machine::event::Event;
use crate::model::ids::{Oid, RunId};
use crate::model::inert::inert;

/// Brings what landed into a branch of yours.
#[derive(Debug, Args)]
pub struct DeliverArgs {
    #[command(flatten)]
    run: RunArg,
    /// Branch to deliver into [default: the branch that the run was opened from]
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb; where nobody works on the run, this process carries the delivery out.
///
/// # Errors
/// Where there is no such run, nothing has landed, or the branch cannot take it.
pub fn deliver(out: &Out, args: &DeliverArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let read = read(&place, args.run.text())?;
    let answer = put(&place, &read.run, &read.state, Ask::Deliver { branch: args.into.clone(), onto: None })?;
    if answer == Answer::Stored && !seam::is_answered(&place, &read.run) {
        live::host(out, &place, &read.run, args.format.into())?;
    }
    let under_way = format!("the delivery is under way: `artel log {} --follow` shows it", read.run);
    tell_delivered(out, &place, &read, answer, &under_way, args.format)
}

/// Says what became of a delivery that was asked for: it went out or did not, or it waits for a person's word.
///
/// # Errors
/// Where it did not go out, or the journal cannot be read.
pub fn tell_delivered(
    out: &Out,
    place: &Place,
    read: &Read,
    answer: Answer,
    under_way: &str,
    format: Format,
) -> Result<Exit, Fail> {
    let run = &read.run;
    let came = wait_for(place, run, read.state.seq, |event| {
        if let Event::Delivered { branch, result } = event {
            return Some(Came::Of(branch.clone(), result.clone()));
        }
        matches!(event, Event::DeliveryProposed { .. }).then_some(Came::Waits)
    })?;
    match came {
        Some(Came::Of(branch, result)) => told(out, run, Some(&(branch, result)), format),
        Some(Came::Waits) => {
            let waits = format!("the delivery waits for a word: artel approve delivery --run {run}");
            tell(out, run, Answer::CarriedOut, &waits, format)?;
            Ok(Exit::Waits)
        }
        None if seam::is_answered(place, run) => tell(out, run, answer, &inert(under_way), format),
        None => told(out, run, None, format),
    }
}

/// Says what came of a delivery.
enum Came {
    /// It went out, or did not.
    Of(String, Result<Oid, String>),
    /// It waits for a person's word.
    Waits,
}

fn told(
    out: &Out,
    run: &RunId,
    delivered: Option<&(String, Result<Oid, String>)>,
    format: Format,
) -> Result<Exit, Fail> {
    match delivered {
        Some((branch, Ok(at))) => {
            let told = format!("delivered into {} at {}", inert(branch), at.short());
            tell(out, run, Answer::CarriedOut, &told, format)
        }
        Some((branch, Err(why))) => {
            let tried = format!("deliver {run} into {branch}");
            Err(Fail::new(Exit::Refused, tried).because(why.clone()).hint("the run's own branch is untouched"))
        }
        None => Err(Fail::new(Exit::Trouble, format!("deliver {run}"))
            .because("the run came to rest before it was delivered")
            .hint(format!("`artel status {run}` shows how the run stands"))),
    }
}
