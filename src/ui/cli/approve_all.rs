//! Owns `artel approve --all`: shows each thing of a run that waits for a person's word and what will happen, asks once, and
//! gives the word on exactly what was shown.

use std::io::{BufRead, IsTerminal};

use serde::Serialize;

use super::args::Format;
use super::asking::{Answer, put};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::pick::Read;
use super::seam::{self, Place};
use crate::machine::command::Ask;
use crate::machine::event::Subject;
use crate::machine::state::State;
use crate::model::ids::Oid;
use crate::model::inert::{headline, inert};
use crate::views::waiting::{Waiting, waiting};
use crate::views::words;

/// Longest text that is said of a thing, in columns.
const LONGEST: usize = 400;

/// Says whether a person is asked before the word is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sure {
    /// They have said so already.
    Yes,
    /// They are asked, where there is a terminal for it.
    Ask,
}

/// One thing that waits, as it is shown, and the word on exactly that.
struct Thing {
    what: String,
    title: String,
    shown: Waiting,
    ask: Ask,
}

/// What became of one word, for programs.
#[derive(Debug, Serialize)]
struct Became<'a> {
    what: &'a str,
    then: &'a str,
    commit: Option<String>,
    answer: Option<Answer>,
    refused: Option<String>,
}

/// Gives the word on all that waits, where the person is sure of it.
///
/// # Errors
/// Where nothing waits, or nothing can be written. What the run refuses is said; the other words are given all the same.
pub fn approve_all(out: &Out, place: &Place, read: &Read, sure: Sure, format: Format) -> Result<Exit, Fail> {
    let run = &read.run;
    let things = things(&read.state, seam::outside(place, run, &read.state, &read.pace).target);
    if things.is_empty() {
        return Err(Fail::new(Exit::Refused, format!("give your word in {run}")).because("nothing waits for it"));
    }
    if !format.json {
        out.lines(lines(&things, out.paint))?;
    }
    if sure == Sure::Ask && !agrees(out, things.len(), format)? {
        if format.json {
            out.json(&things.iter().map(|thing| thing.became(None)).collect::<Vec<_>>())?;
        }
        return Ok(Exit::Waits);
    }
    // The person may have thought about it for long.
    let (now, _) = seam::load(place, run)?;
    let mut exit = Exit::Done;
    let (mut all, mut stored) = (Vec::new(), 0);
    for thing in &things {
        let answer = put(place, run, &now, thing.ask.clone());
        match &answer {
            Ok(Answer::Stored) => stored += 1,
            Ok(Answer::CarriedOut) if !format.json => out.line(&format!("{} is approved", inert(&thing.what)))?,
            Ok(Answer::CarriedOut) => {}
            Err(fail) => {
                exit = fail.exit();
                out.remark(fail.render(out.error_paint).trim_end());
            }
        }
        all.push(thing.became(Some(&answer)));
    }
    if format.json {
        out.json(&all)?;
    } else if stored > 0 {
        out.line(&left(place, read, stored))?;
    }
    Ok(exit)
}

/// Says who carries out what nobody has carried out yet.
fn left(place: &Place, read: &Read, stored: usize) -> String {
    let (run, words) = (&read.run, words::count(stored, "word"));
    if seam::is_answered(place, run) {
        return format!("{words} stored; the coordinator has not answered yet");
    }
    format!("{words} stored; nobody works on {run}: `artel resume {run}` carries that out")
}

/// Lists what waits, the gate first and the delivery last.
fn things(state: &State, target: Option<Oid>) -> Vec<Thing> {
    let thing = |(on, mut shown): (Subject, Waiting)| {
        let (what, title, ask) = match on {
            Subject::Gate(gate) => {
                (words::gate(gate).to_owned(), String::new(), Ask::ApproveGate { gate, shown: shown.shown? })
            }
            Subject::Candidate(id) => {
                let title = state.tasks.get(&id.task).map(|task| task.draft.title.clone());
                let ask = Ask::ApproveCandidate { attempt: id, commit: shown.commit? };
                (id.task.to_string(), title.unwrap_or_default(), ask)
            }
            Subject::Question(_) => return None,
            Subject::Delivery => {
                shown.note_target(target);
                let (branch, head) = (shown.branch.clone()?, shown.commit?);
                ("delivery".to_owned(), branch.clone(), Ask::ApproveDelivery { branch, head })
            }
        };
        Some(Thing { what, title, shown, ask })
    };
    waiting(state).into_iter().filter_map(thing).collect()
}

/// Shows each thing: what will happen, and why it waits.
fn lines(things: &[Thing], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for thing in things {
        let title = headline(&thing.title, LONGEST);
        lines.push(format!("{}  {title}", paint.on(Hue::Warning, &thing.what)).trim_end().to_owned());
        lines.push(format!("    {}", headline(&thing.shown.then, LONGEST)));
        lines.push(format!("    {}", paint.on(Hue::Faint, &headline(&thing.shown.words(), LONGEST))));
    }
    lines
}

/// Asks once, where somebody can answer.
fn agrees(out: &Out, count: usize, format: Format) -> Result<bool, Fail> {
    if format.json {
        return Ok(false);
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        out.line("nobody is here to ask: --yes gives your word on all of it")?;
        return Ok(false);
    }
    out.remark(&format!("approve {}? y, N", if count == 1 { "it".to_owned() } else { format!("all {count}") }));
    let mut line = String::new();
    // An end of input, and an input that breaks, is no yes.
    let is_read = std::io::stdin().lock().read_line(&mut line).is_ok();
    let agrees = is_read && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !agrees {
        out.line("no word was given")?;
    }
    Ok(agrees)
}

impl Thing {
    fn became(&self, answer: Option<&Result<Answer, Fail>>) -> Became<'_> {
        let refused = |fail: &Fail| fail.render(Paint::plain()).lines().next().unwrap_or_default().to_owned();
        Became {
            what: &self.what,
            then: &self.shown.then,
            commit: self.shown.commit.map(|commit| commit.to_string()),
            answer: answer.and_then(|answer| answer.as_ref().ok().copied()),
            refused: answer.and_then(|answer| answer.as_ref().err()).map(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::goal::Gate;
    use crate::views::story::Story;

    #[test]
    fn each_thing_that_waits_is_shown_with_what_its_word_brings_and_names_its_commit() {
        let (story, task) = Story::awaiting();
        let things = things(&story.state, None);
        assert_eq!(things.len(), 1);
        let Ask::ApproveCandidate { attempt, commit } = &things[0].ask else { panic!("{:?}", things[0].ask) };
        assert_eq!((attempt.task, Some(*commit)), (task, things[0].shown.commit));
        let lines = lines(&things, Paint::plain());
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with(&task.to_string()) && lines[1].len() > 4, "{lines:?}");
        assert!(lines[2].contains("waits for your word"), "{lines:?}");
    }

    #[test]
    fn a_gate_is_among_what_waits_and_an_ended_run_has_nothing() {
        let mut story = Story::open("", &[Gate::Plan], 2);
        story.plan(4);
        story.advance();
        let [Thing { ask: Ask::ApproveGate { gate: Gate::Plan, shown }, .. }] = things(&story.state, None)[..] else {
            panic!("not the plan alone")
        };
        assert_eq!(shown, story.state.shown(), "it is the plan that is shown");
        assert!(things(&Story::done("").state, None).is_empty());
    }
}
