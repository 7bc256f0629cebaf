//! Owns what is told of a failed seed: its last events, refusals and what the world did.

use std::collections::VecDeque;
use std::fmt::Write;

use artel::machine::event::Recorded;
use artel::machine::rejection::Rejection;

enum Line {
    Event(Box<Recorded>),
    Refused(&'static str, Rejection),
    World(String),
}

/// Keeps the last lines; formats none before it is asked.
pub struct Story {
    lines: VecDeque<Line>,
    keep: usize,
}

impl Story {
    pub fn new(keep: usize) -> Self {
        Self { lines: VecDeque::new(), keep }
    }

    pub fn event(&mut self, recorded: &Recorded) {
        self.push(Line::Event(Box::new(recorded.clone())));
    }

    pub fn refused(&mut self, what: &'static str, why: Rejection) {
        self.push(Line::Refused(what, why));
    }

    pub fn world(&mut self, what: impl Into<String>) {
        self.push(Line::World(what.into()));
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() == self.keep {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub fn tell(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let told = match line {
                Line::Event(it) => format!("{:>5} @{} {:?}", it.seq, it.at_ms, it.event),
                Line::Refused(what, why) => format!("      refused {what}: {why}"),
                Line::World(what) => format!("      world: {what}"),
            };
            let short: String = told.chars().take(400).collect();
            writeln!(text, "{short}").expect("a text takes every line");
        }
        text
    }
}
