//! Owns the reading of what the judge of a run says. Never decides what follows.

use super::block::{self, AnswerFault};
use super::schema::strict;
use crate::model::review::{RunRuling, RunVerdict};

/// Longest text that is kept, in characters.
const TEXT_CHARS: usize = 2000;

/// Most lines of each part of a handoff.
const LINES_MOST: usize = 50;

/// Reads the answer of the judge of a run; only a run that is done misses nothing.
///
/// # Errors
/// What is wrong with it.
pub fn read_run_verdict(said: &str) -> Result<RunVerdict, AnswerFault> {
    whole_verdict(block::read(said)?)
}

/// Gives the schema of the answer of a run's judge.
pub fn run_schema() -> String {
    strict::<RunVerdict>()
}

/// Takes a verdict that says what it has to.
///
/// # Errors
/// What is wrong with it.
pub fn whole_verdict(mut verdict: RunVerdict) -> Result<RunVerdict, AnswerFault> {
    let form = |what: &str| Err(AnswerFault::Form(what.to_owned()));
    if verdict.why.trim().is_empty() {
        return form("it does not say why");
    }
    let handoff = &mut verdict.handoff;
    for lines in [&mut handoff.holds, &mut handoff.missing, &mut handoff.advice] {
        lines.retain(|line| !line.trim().is_empty());
        lines.truncate(LINES_MOST);
        lines.iter_mut().for_each(|line| *line = short(line));
    }
    match (verdict.ruling, handoff.missing.is_empty()) {
        (RunRuling::Done, false) => form("it says that the run is done, and that something is missing"),
        (RunRuling::Continue | RunRuling::Restart, true) => form("it does not say what is missing"),
        (RunRuling::Done, true) | (RunRuling::Continue | RunRuling::Restart, false) => {
            Ok(RunVerdict { why: short(&verdict.why), ..verdict })
        }
    }
}

fn short(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<RunVerdict, String> {
        read_run_verdict(&format!("```artel\n{json}\n```")).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_ruling_is_read_with_what_it_hands_over() {
        let verdict = of(r#"{"ruling":"continue","why":" half ","handoff":{"missing":["the docs",""]}}"#).unwrap();
        assert_eq!((verdict.ruling, verdict.why.as_str()), (RunRuling::Continue, "half"));
        assert_eq!(verdict.handoff.missing, ["the docs"]);
        assert_eq!(of(r#"{"ruling":"done","why":"all there"}"#).unwrap().ruling, RunRuling::Done);
    }

    #[test]
    fn what_contradicts_itself_is_no_answer() {
        for (json, why) in [
            (r#"{"ruling":"done","why":"x","handoff":{"missing":["y"]}}"#, "something is missing"),
            (r#"{"ruling":"restart","why":"x"}"#, "does not say what is missing"),
            (r#"{"ruling":"done","why":" "}"#, "does not say why"),
            (r#"{"ruling":"fine","why":"x"}"#, "unknown variant"),
        ] {
            let fault = of(json).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }
}
