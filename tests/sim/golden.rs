//! Owns the stored form of events: one of each kind, written down when its version was current, must be read for good
//! and be written so again. `ARTEL_GOLDEN=write cargo test --test sim golden` writes it anew, before a release only.

use std::collections::BTreeMap;

use artel::io::journal::format::{FORMAT, decode, read_lines, write_line};
use artel::io::journal::{Entry, EntryRef};
use artel::machine::event::Event;

/// Names the file of the present version.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/journal-v1.jsonl");

/// Finds an event of each kind in simulated runs; the same ones each time.
pub fn one_of_each_kind() -> BTreeMap<&'static str, Event> {
    let mut kinds = BTreeMap::new();
    for seed in 100_000..100_400 {
        for (kind, event) in super::run(seed).ledger.kinds {
            kinds.entry(kind).or_insert(event);
        }
    }
    kinds
}

fn write() {
    let events = one_of_each_kind();
    let lines = events.iter().zip(1..).map(|((kind, event), seq)| {
        let data = serde_json::to_value(event).expect("a sound golden journal").to_string();
        write_line(EntryRef { seq, at_ms: 1_767_225_600_000, kind, v: FORMAT, data: &data }) + "\n"
    });
    std::fs::write(FILE, lines.collect::<String>()).expect("a sound golden journal");
}

#[test]
fn stored_events_of_every_kind_are_read_and_written_as_they_were() {
    if std::env::var_os("ARTEL_GOLDEN").is_some_and(|word| word == "write") {
        write();
    }
    let entries: Vec<Entry> = read_lines(&std::fs::read_to_string(FILE).expect("a sound golden journal")).unwrap();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds.len(), super::KINDS, "{kinds:?}");
    for entry in &entries {
        let event: Event = decode(entry.as_ref()).expect("a sound golden journal");
        assert_eq!(event.kind(), entry.kind);
        // The order of fields is no part of the form, and serde_json keeps or sorts it as its features say.
        let stored: serde_json::Value = serde_json::from_str(&entry.data).expect("a sound golden journal");
        assert_eq!(serde_json::to_value(&event).expect("a sound golden journal"), stored, "{}", entry.kind);
    }
}
