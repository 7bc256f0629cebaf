//! Owns what an attempt came to before it is reported, and which report that makes. Never judges it.

use crate::io::agents::Stance;
use crate::io::gateway::{Metered, Refusal};
use crate::machine::command::Command;
use crate::model::attempt::{Handoff, Outcome, Parked, Usage};
use crate::model::ids::{AttemptId, Oid};
use crate::model::means::Means;
use crate::model::seat::Seat;

/// What an attempt came to.
pub struct Played {
    outcome: Outcome,
    handoff: Handoff,
    usage: Usage,
    /// The limit that ended it, where one did.
    limit: Option<Limit>,
    /// What its next call would have needed, where it had to end because a budget left too little.
    lacked: Option<Means>,
}

/// The limit of an agent's account or provider that ended an attempt.
pub struct Limit {
    why: String,
    /// When it is lifted, in milliseconds since 1970, where that is known.
    until_ms: Option<i64>,
    /// What there is to go on from then.
    parked: Option<Parked>,
}

impl Limit {
    /// Reads the limit that a session ended by, where it did.
    pub fn of(stance: &Stance) -> Option<Self> {
        match stance {
            Stance::Limited { why, resets_at_ms } => {
                Some(Self { why: why.clone(), until_ms: *resets_at_ms, parked: None })
            }
            Stance::Done | Stance::Failed { .. } | Stance::Blocked { .. } => None,
        }
    }

    /// Says what there is to go on from when it is lifted.
    pub fn leaving(self, session: Option<String>, files: Option<Oid>) -> Self {
        let parked = Parked { session, files };
        Self { parked: (parked != Parked::default()).then_some(parked), ..self }
    }
}

impl Played {
    /// Says how it ended.
    pub fn of(outcome: Outcome, handoff: Handoff, usage: Usage) -> Self {
        Self { outcome, handoff, usage, limit: None, lacked: None }
    }

    /// Says that it did not end well.
    pub fn failed(why: String) -> Self {
        Self::of(Outcome::Failed { why }, Handoff::default(), Usage::default())
    }

    /// Says that it ended because a budget left too little for its next call.
    pub fn out_of_money(wants: Means) -> Self {
        Self { lacked: Some(wants), ..Self::failed("no money is left".to_owned()) }
    }

    /// Says by which limit it ended, where one ended it.
    pub fn ended_by(self, limit: Option<Limit>) -> Self {
        Self { limit, ..self }
    }

    /// Makes the report of an attempt.
    pub fn report(self, attempt: AttemptId, fence: u64) -> Command {
        let Self { outcome, handoff, usage, limit, lacked } = self;
        if let Some(wants) = lacked {
            return Command::ReportOutOfMoney { seat: Seat::Attempt(attempt), fence, wants };
        }
        match limit {
            Some(Limit { why, until_ms, parked }) => {
                Command::ReportLimited { attempt, fence, until_ms, why, usage, parked }
            }
            None => Command::ReportAttempt { attempt, fence, outcome, handoff, usage },
        }
    }
}

/// Holds what a session says of its end against what the gateway saw: by its word a provider is asked again, and what
/// failed while a provider took no calls failed by that.
pub fn as_metered(stance: Stance, metered: &Metered, now_ms: i64) -> Stance {
    if let (
        Stance::Limited { .. } | Stance::Failed { .. },
        Some(refusal @ (Refusal::OutOfCredit { .. } | Refusal::SpendRate { .. })),
    ) = (&stance, &metered.refused)
    {
        // A person has to look at it, whatever is said of waiting.
        return Stance::Limited { why: refusal.to_string(), resets_at_ms: None };
    }
    let until_ms = metered.limited_until_ms.filter(|until_ms| *until_ms > now_ms);
    match (stance, until_ms) {
        (Stance::Limited { why, .. } | Stance::Failed { why }, Some(until_ms)) => {
            Stance::Limited { why, resets_at_ms: Some(until_ms) }
        }
        (stance @ (Stance::Limited { .. } | Stance::Failed { .. }), None)
        | (stance @ (Stance::Done | Stance::Blocked { .. }), _) => stance,
    }
}

/// Takes a session that its agent ended in good order for one that a limit ended, where that is what its last call met: some
/// agents tell of it in plain words alone.
pub fn as_answered(stance: Stance, metered: &Metered, now_ms: i64) -> Stance {
    let until_ms = metered.limited_until_ms.filter(|until_ms| metered.is_limited && *until_ms > now_ms);
    match (stance, until_ms) {
        (Stance::Done, Some(_)) => {
            let why = "its model takes no calls until a limit is lifted".to_owned();
            Stance::Limited { why, resets_at_ms: until_ms }
        }
        (stance @ (Stance::Done | Stance::Failed { .. } | Stance::Blocked { .. } | Stance::Limited { .. }), _) => {
            stance
        }
    }
}

/// Takes what failed because a provider could not be used for a limit that was met: another agent may then stand in, and
/// none of its tries is lost.
pub fn as_unusable(stance: Stance, metered: &Metered) -> Stance {
    match (stance, &metered.unusable) {
        (Stance::Failed { .. }, Some(why)) => Stance::Limited { why: why.clone(), resets_at_ms: None },
        (stance @ (Stance::Failed { .. } | Stance::Done | Stance::Blocked { .. } | Stance::Limited { .. }), _) => {
            stance
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(stance: Stance, limited_until_ms: Option<i64>) -> Stance {
        as_metered(stance, &Metered { limited_until_ms, ..Metered::default() }, 100)
    }

    fn limited(resets_at_ms: Option<i64>) -> Stance {
        Stance::Limited { why: "enough".to_owned(), resets_at_ms }
    }

    #[test]
    fn the_gateway_knows_best_until_when_a_limit_lasts() {
        assert_eq!(seen(limited(Some(150)), Some(200)), limited(Some(200)));
        assert_eq!(seen(limited(None), Some(200)), limited(Some(200)));
        assert_eq!(seen(limited(Some(150)), None), limited(Some(150)), "its own login does not pass the gateway");
        assert_eq!(seen(limited(Some(150)), Some(99)), limited(Some(150)), "what is over says nothing");
    }

    #[test]
    fn who_is_cut_off_because_the_run_spends_too_fast_waits_as_for_a_limit_and_is_told_of() {
        let refused = Some(Refusal::SpendRate { spent: 5_000_000_000, limit: 4_000_000_000 });
        let metered = Metered { refused, ..Metered::default() };
        let Stance::Limited { why, resets_at_ms: None } =
            as_metered(Stance::Failed { why: "error 400".to_owned() }, &metered, 100)
        else {
            panic!("it waits")
        };
        assert!(crate::views::limits::is_of_a_person(&why), "{why}");
    }

    #[test]
    fn who_ends_in_good_order_after_a_limit_that_nothing_followed_met_it() {
        let met = |is_limited, limited_until_ms| Metered { is_limited, limited_until_ms, ..Metered::default() };
        let Stance::Limited { resets_at_ms: Some(200), .. } = as_answered(Stance::Done, &met(true, Some(200)), 100)
        else {
            panic!("no limit")
        };
        for metered in [met(false, Some(200)), met(true, Some(99)), met(false, None)] {
            assert_eq!(as_answered(Stance::Done, &metered, 100), Stance::Done);
        }
        let failed = || Stance::Failed { why: "no".to_owned() };
        assert_eq!(as_answered(failed(), &met(true, Some(200)), 100), failed());
    }

    #[test]
    fn an_empty_account_is_a_limit_that_time_does_not_lift() {
        let refused = Some(Refusal::OutOfCredit { provider: "openai".to_owned() });
        let metered = Metered { refused, limited_until_ms: Some(200), ..Metered::default() };
        for stance in [limited(Some(150)), Stance::Failed { why: "exit code 1".to_owned() }] {
            let Stance::Limited { why, resets_at_ms: None } = as_metered(stance, &metered, 100) else {
                panic!("no limit")
            };
            assert!(crate::views::limits::is_of_a_person(&why), "{why}");
        }
        assert_eq!(as_metered(Stance::Done, &metered, 100), Stance::Done);
    }

    #[test]
    fn what_failed_because_a_provider_could_not_be_used_met_a_limit() {
        let failed = || Stance::Failed { why: "exit code 1".to_owned() };
        let unusable = Metered { unusable: Some("no key".to_owned()), ..Metered::default() };
        let limited = Stance::Limited { why: "no key".to_owned(), resets_at_ms: None };
        assert_eq!(as_unusable(failed(), &unusable), limited);
        assert_eq!(as_unusable(failed(), &Metered::default()), failed());
        assert_eq!(as_unusable(Stance::Done, &unusable), Stance::Done, "what is done is done");
    }

    #[test]
    fn what_failed_under_a_limit_failed_by_it_and_what_is_done_is_done() {
        let failed = || Stance::Failed { why: "enough".to_owned() };
        assert_eq!(seen(failed(), Some(200)), limited(Some(200)));
        assert_eq!(seen(failed(), Some(99)), failed());
        assert_eq!(seen(failed(), None), failed());
        assert_eq!(seen(Stance::Done, Some(200)), Stance::Done, "another model did it");
    }
}
