//! Owns what is told of a seed: its events, refusals and what the world did.

use std::fmt::Write;

use artel::machine::event::Recorded;
use artel::machine::rejection::Rejection;

enum Line {
    Event(Box<Recorded>),
    Refused(&'static str, Rejection),
    World(String),
}

/// Keeps every line, or none: a seed is told by running it once more. Formats nothing before it is asked.
pub struct Story {
    lines: Vec<Line>,
    is_told: bool,
}

impl Story {
    pub fn untold() -> Self {
        Self { lines: Vec::new(), is_told: false }
    }

    pub fn told() -> Self {
        Self { is_told: true, ..Self::untold() }
    }

    pub fn event(&mut self, recorded: &Recorded) {
        self.push(|| Line::Event(Box::new(recorded.clone())));
    }

    pub fn refused(&mut self, what: &'static str, why: Rejection) {
        self.push(|| Line::Refused(what, why));
    }

    pub fn world(&mut self, what: impl Into<String>) {
        self.push(|| Line::World(what.into()));
    }

    fn push(&mut self, line: impl FnOnce() -> Line) {
        if self.is_told {
            self.lines.push(line());
        }
    }

    pub fn lines(&self) -> usize {
        self.lines.len()
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
