//! Owns the choice of the law for each command. Never changes the state; each arm is one rule's file.

use super::command::Command;
use super::event::Event;
use super::rejection::Rejection;
use super::rules::{
    advance, asked, attempt, landing, limit, money, open, plan, request, review, seat, space, transcript, verdict, word,
};
use super::state::State;

/// Says what a command makes happen now, or why it is refused.
///
/// # Errors
/// A [`Rejection`] says which law stands against the command; nothing has changed then.
pub fn decide(state: &State, command: &Command, now_ms: i64) -> Result<Vec<Event>, Rejection> {
    match (command, &state.opening) {
        (Command::Open(opening), None) => return Ok(open::open(opening)),
        (_, None) => return Err(Rejection::NotOpen),
        (_, Some(_)) => {}
    }
    match command {
        Command::Open(_) => Err(Rejection::AlreadyOpen),
        Command::Wake { epoch, sandbox } => open::wake(state, *epoch, *sandbox),
        Command::Advance => Ok(advance::advance(state, now_ms)),
        Command::LetLapse => Ok(word::lapse(state, now_ms)),
        Command::Request { id, ask } => Ok(request::request(state, id, ask)),
        Command::ReportBranch { at } => open::branch(state, *at),
        Command::ReportBaseline { results } => open::baseline(state, results),
        Command::ReportPlan { scope, wake, fence, step } => plan::report(state, (*scope, *wake, *fence), step),
        Command::RenewLease { attempt, fence } => attempt::renew(state, *attempt, *fence, now_ms),
        Command::ReportAttempt { attempt, fence, outcome, handoff, usage } => {
            attempt::report(state, (*attempt, *fence), outcome, handoff, *usage)
        }
        Command::AskAllowance { seat, fence, means } => money::ask(state, *seat, *fence, *means),
        Command::ReturnAllowance { seat, fence, means } => money::give_back(state, *seat, *fence, *means),
        Command::ReportCall { seat, fence, call } => money::call(state, *seat, *fence, call),
        Command::KeepTranscript { seat, fence, record, bytes, sha256 } => {
            transcript::keep(state, (*seat, *fence), record, (*bytes, sha256))
        }
        Command::ReportOutOfMoney { seat, fence, wants } => money::ran_out(state, *seat, *fence, *wants),
        Command::ReportHeard { seat, fence, heard, before_call } => {
            asked::heard(state, (*seat, *fence), *heard, *before_call)
        }
        Command::LeaveSeat { seat, fence, leave, usage } => seat::leave(state, (*seat, *fence), leave, *usage, now_ms),
        Command::ReportReview { attempt, lens, fence, review, usage } => {
            review::report(state, (*attempt, *lens, *fence), review, *usage)
        }
        Command::ReportLimited { attempt, fence, until_ms, why, usage, parked } => {
            limit::report(state, (*attempt, *fence), (*until_ms, why), (*usage, parked.as_ref()), now_ms)
        }
        Command::ReportRunVerdict { iteration, fence, verdict, usage } => {
            advance::judged(state, (*iteration, *fence), verdict, *usage)
        }
        Command::ReportLost { attempt, why } => attempt::lost(state, *attempt, why, attempt::Loss::Worker),
        Command::ReportVerdict { attempt, verdict, usage } => verdict::report(state, *attempt, verdict, *usage),
        Command::ReportMerge { batch, chain, conflicts } => landing::merged(state, *batch, chain, conflicts),
        Command::ReportPrefix { batch, upto, tree, results } => landing::checked(state, *batch, *upto, *tree, results),
        Command::ReportLanding { batch, head, tree } => landing::landed(state, *batch, *head, *tree),
        Command::ReportBranchMoved { found } => Ok(landing::branch_moved(state, *found)),
        Command::ReportConditions { head, results } => advance::conditions(state, *head, results),
        Command::ReportDelivery { branch, result } => request::delivered(state, branch, result),
        Command::ReportSpace { short } => Ok(space::report(state, short.as_ref())),
        Command::ReportTrouble { what } => Ok(open::trouble(state, what)),
    }
}
