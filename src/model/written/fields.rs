//! Owns how a map is read by a list of known field names. Never knows what a field means.

use std::ops::Range;

use super::fault::{Faults, nearest, shown};
use super::tree::{Entry, Node, Value};

/// Gives out the fields of one map, once each.
#[derive(Debug)]
pub struct Fields<'n> {
    /// The place of the map.
    pub at: Range<usize>,
    known: &'static [&'static str],
    entries: Vec<&'n Entry>,
}

impl<'n> Fields<'n> {
    /// Opens a map and notes fields that are unknown or written twice; nothing where it is no map.
    pub fn open(node: &'n Node, what: &str, known: &'static [&'static str], faults: &mut Faults) -> Option<Self> {
        let Value::Map(all) = &node.value else {
            let want = format!("{what} is a table of fields, not {}", node.found());
            faults.add_with_help(&node.at, want, format!("its fields are {}", listed(known)));
            return None;
        };
        let mut entries: Vec<&Entry> = Vec::new();
        for entry in all {
            if !known.contains(&entry.name.as_str()) {
                let help = match nearest(&entry.name, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known here are {}", listed(known)),
                };
                let name = shown(&entry.name);
                faults.add_with_help(&entry.at, format!("{what} has no field `{name}`"), help);
            } else if entries.iter().any(|earlier| earlier.name == entry.name) {
                faults.add(&entry.at, format!("`{}` is written twice", entry.name));
            } else {
                entries.push(entry);
            }
        }
        Some(Self { at: node.at.clone(), known, entries })
    }

    /// Takes a field's value; one that is written and left empty counts as not written.
    pub fn take(&mut self, name: &str) -> Option<&'n Node> {
        debug_assert!(self.known.contains(&name), "`{name}` is read and not in the list of known fields");
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        Some(&self.entries.remove(at).node).filter(|node| node.value != Value::Null)
    }
}

/// Lists words for a person.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
