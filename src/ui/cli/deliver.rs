//! Owns `artel deliver`: brings what landed into the user's branch, and only then.

use clap::Args;

use super::args::{Format, RunArg};
use super::asking::{Answer, put, tell, wait_for};
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::pick::read;
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
    let answer = put(&place, &read.run, &read.state, Ask::Deliver { branch: args.into.clone() })?;
    if answer == Answer::Stored && !seam::is_answered(&place, &read.run) {
        live::host(out, &place, &read.run, args.format.into())?;
        let state = seam::load(&place, &read.run)?.0;
        return told(out, &read.run, state.delivered.as_ref(), args.format);
    }
    let delivered = wait_for(&place, &read.run, read.state.seq, |event| {
        if let Event::Delivered { branch, result } = event { Some((branch.clone(), result.clone())) } else { None }
    })?;
    if delivered.is_some() {
        return told(out, &read.run, delivered.as_ref(), args.format);
    }
    let under_way = format!("the delivery is under way: `artel log {} --follow` shows it", read.run);
    tell(out, &read.run, answer, &under_way, args.format)
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
