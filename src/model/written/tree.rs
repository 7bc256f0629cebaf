//! Owns the tree that a written file is read into: values that know their place. Never interprets one.

use std::ops::Range;

use super::fault::shown;

/// Largest file that is read, in bytes.
pub const SIZE_MAX: usize = 1 << 20;

/// Holds one value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its place in the file, in bytes; of a value over several lines, the first.
    pub at: Range<usize>,
    /// What stands there.
    pub value: Value,
}

/// Says what stands at one place.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Another number.
    Real(f64),
    /// A date or a time.
    Date(String),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Fields in order; a name may occur twice.
    Map(Vec<Entry>),
}

/// Holds one field of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The place of its name.
    pub at: Range<usize>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// Says in words what stands here.
    pub fn found(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Flag(flag) => format!("`{flag}`, which is read as a yes or no"),
            Value::Whole(number) => format!("the number {number}"),
            Value::Real(number) => format!("the number {number}"),
            Value::Date(date) => format!("the date {date}"),
            Value::Text(text) => format!("the text `{}`", shown(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a table of fields".to_owned(),
        }
    }
}

/// Cuts a place down to its first line.
pub(super) fn first_line(text: &str, at: Range<usize>) -> Range<usize> {
    let start = floor(text, at.start);
    let end = floor(text, at.end).max(start);
    let line = &text[start..end];
    let line = line.split('\n').next().unwrap_or(line).trim_end();
    start..start + line.len()
}

fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}
