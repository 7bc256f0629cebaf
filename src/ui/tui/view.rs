//! Owns what a person is doing in the live view: what is chosen, what is typed, what they are asked; and turns keys into
//! wishes. Pure: never asks anything of a run and never draws.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::subject::{Subject, subjects};
use crate::machine::awaited::{Objection, Shown};
use crate::machine::command::{Ask, Refusal};
use crate::model::goal::Gate;
use crate::model::ids::{Oid, TaskId};
use crate::model::seat::Seat;
use crate::ui::cli::paint::Hue;
use crate::views::board::Board;
use crate::views::line::whose;
use crate::views::waiting::AskedRow;
use crate::views::words;

/// Most characters that are typed in one go.
const TYPED_AT_MOST: usize = 2000;

/// Says what the process that shows the view is to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// It works on the run.
    Hosts,
    /// It works on the run, which finishes what it does and stops.
    Drains,
    /// It works on the run once a person has given their word.
    Rests,
    /// It only looks on.
    Follows,
}

/// Names what was wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// To ask something of the run.
    Ask(Ask),
    /// What Ctrl-C wishes for.
    Interrupt,
    /// What SIGTERM wishes for.
    Terminate,
    /// To leave the view.
    Leave,
    /// To be put aside.
    Suspend,
    /// To have everything drawn anew.
    Redraw,
}

/// Says what keys are taken for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// To look and choose.
    #[default]
    Looking,
    /// To close the help.
    Help,
    /// To type a text.
    Typing(Typing, String),
    /// To say yes or no.
    Sure(Sure),
}

/// Says what a text is typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Why something is refused.
    Deny(Subject),
    /// Why a plan is sent back, as it was shown.
    SendBack(Shown),
    /// What a task's attempts are told; all attempts where there is none.
    Steer(Option<TaskId>),
    /// What whoever asked at a seat is told: the question there with that number.
    Answer(Seat, u32),
}

/// Says what somebody must be sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sure {
    /// That the run stops once what runs is finished.
    Stop,
    /// That the view is left, and with it the run which this process works on.
    Quit,
}

/// Holds what a person is doing.
#[derive(Debug)]
pub struct View {
    /// What keys are taken for.
    pub mode: Mode,
    /// What is chosen.
    pub chosen: Option<Subject>,
    /// What is said below the board.
    pub said: Option<(Hue, String)>,
    /// What this process is to the run.
    pub stance: Stance,
    /// Whether there are keys at all.
    pub has_keys: bool,
}

impl View {
    /// Begins to look.
    pub fn new(stance: Stance, has_keys: bool) -> Self {
        Self { mode: Mode::Looking, chosen: None, said: None, stance, has_keys }
    }

    /// Says something below the board.
    pub fn say(&mut self, hue: Hue, text: impl Into<String>) {
        self.said = Some((hue, text.into()));
    }

    /// Lets go of what is no longer there to be chosen, or has become something that a word could be given on: whoever
    /// chose saw another.
    pub fn keep_up(&mut self, board: &Board) {
        let Some(chosen) = self.chosen.take() else { return };
        let now = subjects(board).into_iter().find(|subject| subject.is_about(chosen));
        self.chosen = now.filter(|now| *now == chosen || !now.takes_a_word());
    }

    /// Takes a text that was pasted: it is typed where something is typed, and nothing elsewhere.
    pub fn paste(&mut self, text: &str) {
        if let Mode::Typing(_, typed) = &mut self.mode {
            let room = TYPED_AT_MOST.saturating_sub(typed.chars().count());
            typed.extend(text.chars().take(room).map(|c| if c.is_control() { ' ' } else { c }));
        }
    }

    /// Takes a key; gives what is wished for by it, if anything.
    pub fn press(&mut self, key: KeyEvent, board: &Board) -> Option<Wish> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match sign(key.code).filter(|_| is_control) {
            Some('c') => return Some(Wish::Interrupt),
            Some('z') => return Some(Wish::Suspend),
            Some('l') => return Some(Wish::Redraw),
            Some(_) | None => {}
        }
        match std::mem::take(&mut self.mode) {
            Mode::Looking => self.look(key, board),
            Mode::Help => None,
            Mode::Typing(what, typed) => self.type_on(what, typed, key, board),
            Mode::Sure(sure) => self.answer(sure, key),
        }
    }

    fn look(&mut self, key: KeyEvent, board: &Board) -> Option<Wish> {
        self.said = None;
        match sign(key.code)? {
            DOWN | 'j' => self.choose(board, 1),
            UP | 'k' => self.choose(board, -1),
            ESCAPE => self.chosen = None,
            '?' | 'h' => self.mode = Mode::Help,
            'a' => return self.approve(board),
            'd' => self.deny(board),
            'b' => self.send_back(board),
            'r' => return self.retry(board),
            's' => {
                let task = self.chosen.and_then(Subject::task);
                self.mode = Mode::Typing(Typing::Steer(task), String::new());
            }
            'x' => self.mode = Mode::Sure(Sure::Stop),
            'q' => match self.stance {
                Stance::Follows | Stance::Rests => return Some(Wish::Leave),
                Stance::Hosts | Stance::Drains => self.mode = Mode::Sure(Sure::Quit),
            },
            _ => {}
        }
        None
    }

    fn choose(&mut self, board: &Board, step: isize) {
        let all = subjects(board);
        let at = self.chosen.and_then(|chosen| all.iter().position(|subject| subject.is_about(chosen)));
        let last = all.len().checked_sub(1);
        self.chosen = last.map(|last| match (at, step < 0) {
            (None, false) => all[0],
            (None, true) => all[last],
            (Some(at), _) => all[at.saturating_add_signed(step).min(last)],
        });
    }

    /// Gives what is chosen; else the one thing that waits for a word.
    fn meant(&self, board: &Board) -> Option<Subject> {
        let mut waiting = Subject::gate(board).into_iter().chain(board.asked.iter().filter_map(Subject::asked));
        let only = waiting.next().filter(|_| waiting.next().is_none());
        self.chosen.or(only)
    }

    fn approve(&mut self, board: &Board) -> Option<Wish> {
        match self.meant(board) {
            Some(Subject::Gate(gate, shown)) => Some(Wish::Ask(Ask::ApproveGate { gate, shown })),
            Some(Subject::Candidate { attempt, commit }) => Some(Wish::Ask(Ask::ApproveCandidate { attempt, commit })),
            Some(Subject::Delivery(head)) => {
                let branch = delivered(board, head)?;
                Some(Wish::Ask(Ask::ApproveDelivery { branch, head }))
            }
            Some(Subject::Left { task, is_kept: true }) => Some(Wish::Ask(Ask::ApproveTask(task))),
            Some(Subject::Question(seat, number)) => {
                self.mode = Mode::Typing(Typing::Answer(seat, number), String::new());
                None
            }
            Some(Subject::Left { .. } | Subject::Limit(_) | Subject::Running(_)) | None => {
                self.say(Hue::Warning, "choose a gate, what waits for your word or a kept task, then press a");
                None
            }
        }
    }

    fn deny(&mut self, board: &Board) {
        match self.meant(board) {
            Some(
                subject @ (Subject::Gate(..)
                | Subject::Candidate { .. }
                | Subject::Delivery(_)
                | Subject::Left { is_kept: true, .. }),
            ) => {
                self.mode = Mode::Typing(Typing::Deny(subject), String::new());
            }
            Some(Subject::Left { .. } | Subject::Limit(_) | Subject::Running(_) | Subject::Question(..)) | None => {
                self.say(Hue::Warning, "choose a gate, what waits for your word or a kept task, then press d");
            }
        }
    }

    fn send_back(&mut self, board: &Board) {
        if let Some(Subject::Gate(Gate::Plan, shown)) = self.meant(board) {
            self.mode = Mode::Typing(Typing::SendBack(shown), String::new());
        } else {
            self.say(Hue::Warning, "choose a plan that waits for your word, then press b");
        }
    }

    fn retry(&mut self, board: &Board) -> Option<Wish> {
        match self.meant(board) {
            Some(Subject::Left { task, .. } | Subject::Limit(task)) => Some(Wish::Ask(Ask::Retry(task))),
            Some(
                Subject::Gate(..)
                | Subject::Candidate { .. }
                | Subject::Delivery(_)
                | Subject::Question(..)
                | Subject::Running(_),
            )
            | None => {
                self.say(Hue::Warning, "choose a task that is kept, blocked or waits for a limit, then press r");
                None
            }
        }
    }

    fn type_on(&mut self, what: Typing, mut typed: String, key: KeyEvent, board: &Board) -> Option<Wish> {
        match sign(key.code) {
            Some(ESCAPE) => return None,
            Some(ENTER) => return self.typed(what, typed.trim(), board),
            Some(BACKSPACE) => drop(typed.pop()),
            Some('u') if key.modifiers.contains(KeyModifiers::CONTROL) => typed.clear(),
            Some(c) if !c.is_control() && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                push(&mut typed, c);
            }
            Some(_) | None => {}
        }
        self.mode = Mode::Typing(what, typed);
        None
    }

    fn typed(&mut self, what: Typing, text: &str, board: &Board) -> Option<Wish> {
        if text.is_empty() {
            self.say(Hue::Warning, "nothing was typed, and so nothing asked");
            return None;
        }
        let text = text.to_owned();
        match what {
            Typing::Steer(task) => Some(Wish::Ask(Ask::Steer { task, message: text })),
            Typing::Answer(seat, number) => Some(Wish::Ask(Ask::AnswerQuestion { seat, number, answer: text })),
            Typing::Deny(subject) if !subjects(board).iter().any(|now| now.is_about(subject)) => {
                self.say(Hue::Warning, "it no longer waits for your word; nothing was asked");
                None
            }
            Typing::SendBack(_) if board.gate != Some(Gate::Plan) => {
                self.say(Hue::Warning, "the plan no longer waits for your word; nothing was asked");
                None
            }
            Typing::SendBack(shown) => Some(Wish::Ask(Ask::SendPlanBack(Objection { reason: text, shown }))),
            Typing::Deny(Subject::Gate(gate, shown)) => {
                Some(Wish::Ask(Ask::Deny { gate, reason: text, shown: Some(shown) }))
            }
            Typing::Deny(Subject::Candidate { attempt, commit }) => {
                let then = Refusal::Redo;
                Some(Wish::Ask(Ask::DenyCandidate { attempt, commit, reason: text, then }))
            }
            Typing::Deny(Subject::Delivery(head)) => {
                let branch = delivered(board, head)?;
                Some(Wish::Ask(Ask::DenyDelivery { branch, head, reason: text }))
            }
            Typing::Deny(Subject::Left { task, .. } | Subject::Limit(task) | Subject::Running(task)) => {
                Some(Wish::Ask(Ask::DenyTask { task, reason: text }))
            }
            Typing::Deny(Subject::Question(..)) => None,
        }
    }

    fn answer(&self, sure: Sure, key: KeyEvent) -> Option<Wish> {
        let is_sure = matches!(sign(key.code), Some('y' | 'Y'));
        is_sure.then_some(match sure {
            Sure::Stop => Wish::Ask(Ask::Drain),
            Sure::Quit => Wish::Interrupt,
        })
    }

    /// Says what is asked of the person, or what was said; nothing where that is nothing.
    pub fn prompt(&self) -> Option<(Hue, String)> {
        match &self.mode {
            Mode::Looking | Mode::Help => self.said.clone(),
            Mode::Typing(what, typed) => Some((Hue::Strong, format!("{}: {typed}▏", what.words()))),
            Mode::Sure(Sure::Stop) => Some((
                Hue::Warning,
                "stop the run once what runs is finished? y stops it, any other key does not".into(),
            )),
            Mode::Sure(Sure::Quit) => {
                let words = if self.stance == Stance::Drains {
                    "it is stopping; y ends it at once, and what runs is lost; any other key waits on"
                } else {
                    "this process works on the run: y finishes what runs and stops; any other key stays"
                };
                Some((Hue::Warning, words.to_owned()))
            }
        }
    }

    /// Names the keys that do something as things stand.
    pub fn keys(&self) -> &'static str {
        match (&self.mode, self.has_keys) {
            (_, false) if self.stance == Stance::Follows => "Ctrl-C leaves",
            (_, false) => "Ctrl-C finishes what runs and stops; twice it ends at once",
            (Mode::Looking | Mode::Help, true) => {
                "↑↓ choose  a approve  d deny  r retry  s steer  x stop  ? help  q quit"
            }
            (Mode::Typing(..), true) => "Enter sends it  Esc does not",
            (Mode::Sure(_), true) => "y yes  any other key no",
        }
    }

    /// Explains the keys, one a line.
    pub fn help(&self) -> [(&'static str, &'static str); 11] {
        let quit = match self.stance {
            Stance::Follows => "leaves the view; the run goes on, as after Ctrl-C",
            Stance::Rests => "leaves; the run waits for `artel approve` and `artel resume`",
            Stance::Hosts | Stance::Drains => {
                "asks, then does what Ctrl-C does: once finishes what runs, twice ends it"
            }
        };
        [
            ("↑ ↓  j k", "choose a gate, a task that is left over, or one that runs"),
            ("Esc", "choose nothing"),
            ("a", "approve: let it pass, land or go out; answer what is asked"),
            ("d", "deny, with a reason that you type: refuse it, or give the kept task up"),
            ("b", "back: have the plan that waits made anew, for a reason that you type"),
            ("r", "retry: have the kept or blocked task tried again, what waits for a limit at once"),
            ("s", "steer: tell the chosen task, or all where none is chosen, what you type"),
            ("x", "stop: asks, then finishes what runs and begins nothing new"),
            ("Ctrl-L", "draw everything anew"),
            ("Ctrl-Z", "suspend this process"),
            ("q", quit),
        ]
    }
}

impl Typing {
    fn words(self) -> String {
        match self {
            Self::Deny(Subject::Candidate { attempt, .. }) => {
                format!("why is {attempt} refused; it is done again, by somebody who is told")
            }
            Self::Deny(Subject::Delivery(_)) => "why is the delivery refused".to_owned(),
            Self::Deny(Subject::Gate(gate, _)) => format!("why is the {} refused", words::gate(gate)),
            Self::Deny(Subject::Left { task, .. } | Subject::Limit(task) | Subject::Running(task)) => {
                format!("why is {task} given up")
            }
            Self::SendBack(_) => "why is the plan sent back; it is made anew, by a planner who is told".to_owned(),
            Self::Deny(Subject::Question(seat, _)) | Self::Answer(seat, _) => format!("answer {}", whose(seat)),
            Self::Steer(Some(task)) => format!("tell {task}"),
            Self::Steer(None) => "tell all attempts".to_owned(),
        }
    }
}

/// Gives the branch into which that is to be delivered, while it waits.
fn delivered(board: &Board, head: Oid) -> Option<String> {
    let waits = |row: &&AskedRow| Subject::asked(row) == Some(Subject::Delivery(head));
    board.asked.iter().find(waits).map(|row| row.title.clone())
}

/// Stand for keys that write nothing.
const ESCAPE: char = '\u{1b}';
const ENTER: char = '\r';
const BACKSPACE: char = '\u{8}';
const UP: char = '\u{11}';
const DOWN: char = '\u{12}';

/// Gives the character that a key writes, or one that stands for it; none for keys that are taken for nothing.
fn sign(code: KeyCode) -> Option<char> {
    if let KeyCode::Char(c) = code {
        return Some(c);
    }
    let others = [
        (KeyCode::Esc, ESCAPE),
        (KeyCode::Enter, ENTER),
        (KeyCode::Backspace, BACKSPACE),
        (KeyCode::Up, UP),
        (KeyCode::Down, DOWN),
    ];
    others.into_iter().find(|(other, _)| *other == code).map(|(_, sign)| sign)
}

/// Types a character, where there is room for one.
fn push(typed: &mut String, c: char) {
    if typed.chars().count() < TYPED_AT_MOST {
        typed.push(c);
    }
}
