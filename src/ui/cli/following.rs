//! Owns what a followed run looks like to whoever follows it: the live view on a terminal, or one plain line for each
//! event of interest where there is none. Reads the journal as any other reader does, also when the coordinator lives in
//! this process; asks what a person wishes for by the live view's keys.

use std::collections::BTreeMap;

use super::asking::tried;
use super::bell::Bell;
use super::board_text::{Depth, board as board_lines};
use super::exit::Exit;
use super::fail::Fail;
use super::live::Shape;
use super::log::stamped;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, Place};
use crate::app::refusal;
use crate::machine::command::Ask;
use crate::machine::event::{Event, Recorded};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::{RequestId, RunId};
use crate::model::inert::inert;
use crate::ui::tui::{Face, Heard, Stance, Wish, can_take};
use crate::views::board::{Board, board};
use crate::views::cost::cost;
use crate::views::ended::{Class, ended};
use crate::views::event_json::EventJson;
use crate::views::line::{Interest, line};
use crate::views::notices::Noticing;
use crate::views::pace::Pace;

/// After how many looks without anything new the view is drawn all the same, for its clocks.
const IDLE_LOOKS: u32 = 5;

/// Holds what is shown of a run and the fold behind it.
pub struct Following<'a> {
    /// Where it is written.
    pub out: &'a Out,
    /// Where the run is read.
    pub place: &'a Place,
    /// The run.
    pub run: RunId,
    shape: Shape,
    stance: Stance,
    state: State,
    pace: Pace,
    face: Option<Face>,
    /// Looks since the view was drawn.
    looks: u32,
    /// Requests that were put from here and are not answered yet, in words.
    pending: BTreeMap<RequestId, String>,
    /// How the terminal is told of what a person should know, and what was told already.
    bell: Option<(Bell, Noticing)>,
    /// What was noticed while the view was open, for afterwards.
    noticed: Vec<String>,
    /// The first event that is told though it happened before the run was followed.
    from: Option<u64>,
    /// Whether nobody reads standard output any more.
    is_silent: bool,
}

impl<'a> Following<'a> {
    /// Begins; nothing is read yet.
    pub fn new(out: &'a Out, place: &'a Place, run: &RunId, shape: Shape, stance: Stance) -> Self {
        Self {
            out,
            place,
            run: run.clone(),
            shape,
            stance,
            state: State::default(),
            pace: Pace::default(),
            face: None,
            looks: 0,
            pending: BTreeMap::new(),
            bell: Bell::of(out, place).map(|bell| (bell, Noticing::default())),
            noticed: Vec::new(),
            from: None,
            is_silent: false,
        }
    }

    /// Has events from one on be told though they happened before.
    #[must_use]
    pub fn told_from(self, from: Option<u64>) -> Self {
        Self { from, ..self }
    }

    /// Says how the run stands.
    pub fn class(&self) -> Class {
        ended(&self.state).class
    }

    /// Tells whether the run has ended.
    pub fn has_ended(&self) -> bool {
        self.state.end.is_some()
    }

    /// Opens the live view where there is a terminal for it; tells whether it has keys.
    pub fn open_face(&mut self) -> Option<bool> {
        if self.shape != Shape::Text || !self.out.is_live || self.from.is_some() {
            return None;
        }
        let has_keys = can_take()?;
        self.face = Face::open(self.stance, has_keys, self.out.error_paint.is_on()).ok();
        self.draw();
        self.has_face().then_some(has_keys)
    }

    /// Tells whether the live view is open.
    pub fn has_face(&self) -> bool {
        self.face.is_some()
    }

    /// Tells whether the run waits for a word that can be given here.
    pub fn waits_for_word(&self) -> bool {
        self.class() == Class::Waits && self.face.as_ref().is_some_and(Face::has_keys)
    }

    /// Tells whether the run is to go on though it rests: something was asked of it, or a word is overdue.
    pub fn is_due(&self) -> bool {
        seam::is_due(self.place, &self.run, &self.state)
    }

    /// Says what this process is to the run from here on.
    pub fn stand(&mut self, stance: Stance) {
        self.stance = stance;
        if let Some(face) = &mut self.face {
            face.stand(stance);
        }
    }

    /// Takes in what happened and shows it.
    ///
    /// # Errors
    /// Where the journal cannot be read, or standard output not be written.
    pub fn look(&mut self) -> Result<(), Fail> {
        let is_first = self.state.seq == 0;
        // Of what another machine's server meets, that one is told.
        let notices = self.place.here().map(|here| here.notices.take()).unwrap_or_default();
        for notice in notices {
            self.notice(format!("note: {}", inert(&notice)));
        }
        for recorded in seam::events(self.place, &self.run, self.state.seq + 1)? {
            self.pace.learn(&recorded);
            self.state = evolve(std::mem::take(&mut self.state), &recorded);
            self.looks = IDLE_LOOKS;
            self.answered(&recorded.event);
            self.ring(&recorded, is_first);
            let is_before = self.from.map_or(is_first && recorded.seq > 1, |from| recorded.seq < from);
            if !self.is_silent {
                self.tell(&recorded, is_before)?;
            }
        }
        self.looks += 1;
        if self.has_face() && self.looks > IDLE_LOOKS {
            self.draw();
        }
        Ok(())
    }

    /// Tells an event where events are told one by one.
    fn tell(&self, recorded: &Recorded, is_before: bool) -> Result<(), Fail> {
        match self.shape {
            Shape::Json if self.from.is_some_and(|from| recorded.seq < from) => Ok(()),
            Shape::Json => self.out.json_line(&EventJson::of(&self.run, &self.state, recorded)),
            // What happened before the run is followed is on the board at the end.
            Shape::Text | Shape::Plain if self.has_face() || is_before => Ok(()),
            Shape::Text | Shape::Plain => {
                let line = line(&self.state, recorded);
                if line.interest == Interest::Progress {
                    self.out.line(&stamped(recorded, &line, self.out.paint, &jiff::tz::TimeZone::system()))?;
                }
                Ok(())
            }
        }
    }

    /// Takes in what happened and shows it; a reader who went away does not end the run.
    ///
    /// # Errors
    /// As [`Following::look`].
    pub fn look_or_fall_silent(&mut self) -> Result<(), Fail> {
        match self.look() {
            Err(fail) if fail.is_closed_pipe() => {
                self.is_silent = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Takes what a person did; gives what is wished for that concerns whoever waits for the run.
    ///
    /// # Errors
    /// Where a request could not be put.
    pub fn hear(&mut self, heard: &Heard) -> Result<Option<Wish>, Fail> {
        let wish = match (heard, &mut self.face) {
            (_, Some(face)) => face.hear(heard),
            (Heard::Interrupt, None) => Some(Wish::Interrupt),
            (Heard::Terminate, None) => Some(Wish::Terminate),
            (Heard::Suspend | Heard::Key(_) | Heard::Paste(_) | Heard::Resized, None) => None,
        };
        match wish {
            Some(Wish::Ask(ask)) => {
                self.put(ask);
                Ok(None)
            }
            Some(Wish::Suspend) => {
                if self.face.as_mut().is_some_and(|face| !face.suspend()) {
                    // The terminal is somebody else's: lines do not take it away from them.
                    self.face = None;
                }
                Ok(None)
            }
            Some(Wish::Redraw) => Ok(None),
            other => Ok(other),
        }
    }

    /// Puts a request to the run and says what became of it, as far as that is known.
    fn put(&mut self, ask: Ask) {
        let words = tried(&ask, &self.run);
        if let Some(why) = refusal(&self.state, &ask) {
            return self.say(Hue::Bad, &format!("refused to {words}: {why}"));
        }
        match self.put_durably(ask) {
            Ok(Some(id)) => {
                let is_alone = self.stance == Stance::Follows && !seam::is_answered(self.place, &self.run);
                let then = if is_alone { ": `artel resume` carries it out" } else { "" };
                self.say(Hue::Busy, &format!("asked to {words}{then}"));
                self.pending.insert(id, words);
            }
            Ok(None) => self.say(Hue::Good, &format!("asked the server to {words}")),
            Err(fail) => self.say(Hue::Bad, fail.render(Paint::plain()).lines().next().unwrap_or_default()),
        }
    }

    fn put_durably(&mut self, ask: Ask) -> Result<Option<RequestId>, Fail> {
        if seam::ask_there(self.place, &self.run, &ask)?.is_some() {
            return Ok(None);
        }
        let id = if self.stance == Stance::Follows {
            // What only looks on was opened to be read.
            seam::ask(&Place::open()?, &self.run, ask)?
        } else {
            seam::ask(self.place, &self.run, ask)?
        };
        Ok(Some(id))
    }

    /// Says how a request that was put from here was answered.
    fn answered(&mut self, event: &Event) {
        let (id, refused) = if let Event::RequestAnswered { id } = event {
            (id, None)
        } else if let Event::RequestRefused { id, why } = event {
            (id, Some(why))
        } else {
            return;
        };
        let Some(words) = self.pending.remove(id) else { return };
        match refused {
            None => self.say(Hue::Good, &format!("done: {words}")),
            Some(why) => self.say(Hue::Bad, &format!("refused to {words}: {why}")),
        }
    }

    /// Tells the terminal of what a person should know; nothing of what happened before the run was followed.
    fn ring(&mut self, recorded: &Recorded, is_before: bool) {
        let Some((bell, noticing)) = &mut self.bell else { return };
        let notices = noticing.learn(&self.state, recorded);
        if !is_before {
            notices.iter().for_each(|notice| bell.ring(notice));
        }
    }

    fn say(&mut self, hue: Hue, text: &str) {
        if let Some(face) = &mut self.face {
            face.say(hue, text);
        }
    }

    /// Says something of what is followed, below the board or on standard error.
    pub fn mention(&mut self, text: &str) {
        match &mut self.face {
            Some(face) => face.say(Hue::Warning, text),
            None => self.out.remark(&format!("note: {text}")),
        }
    }

    fn notice(&mut self, notice: String) {
        match &mut self.face {
            Some(face) => {
                face.say(Hue::Warning, notice.clone());
                self.noticed.push(notice);
            }
            None => self.out.remark(&notice),
        }
    }

    fn view(&self) -> Option<Board> {
        board(&self.state, &seam::outside(self.place, &self.run, &self.state, &self.pace))
    }

    fn draw(&mut self) {
        self.looks = 0;
        let there = if self.has_face() { seam::board_there(self.place, &self.run) } else { None };
        if let (Some(view), Some(cost)) = (there.or_else(|| self.view()), cost(&self.state))
            && let Some(face) = &mut self.face
        {
            face.show(view, cost);
        }
    }

    /// Asks for what Ctrl-C asks for when it is pressed once.
    ///
    /// # Errors
    /// Where the request cannot be stored.
    pub fn drain(&mut self) -> Result<(), Fail> {
        seam::ask(self.place, &self.run, Ask::Drain)?;
        self.stand(Stance::Drains);
        let said = "stopping: what runs is finished first; Ctrl-C once more ends it at once";
        if self.has_face() {
            self.say(Hue::Warning, said);
        } else {
            self.out.remark(said);
        }
        Ok(())
    }

    /// Gives the terminal back, where it was taken, and says what was noticed meanwhile.
    pub fn leave(&mut self) {
        self.face = None;
        for notice in std::mem::take(&mut self.noticed) {
            self.out.remark(&notice);
        }
    }

    /// Shows the board for good and gives the exit code.
    ///
    /// # Errors
    /// Where the run holds no events, or standard output cannot be written.
    pub fn close(&mut self) -> Result<Exit, Fail> {
        self.leave();
        let Some(view) = self.view() else {
            return Err(Fail::new(Exit::Missing, format!("read run {}", self.run)).because("it holds no events"));
        };
        match self.shape {
            Shape::Json | Shape::Text | Shape::Plain if self.is_silent => {}
            Shape::Json => self.out.json_line(&view)?,
            Shape::Text | Shape::Plain => {
                if !self.out.is_live || self.shape == Shape::Plain {
                    self.out.line("")?;
                }
                self.out.lines(board_lines(&view, Depth::FULL, self.out.width, self.out.paint))?;
            }
        }
        Ok(Exit::of_run(self.class()))
    }
}
