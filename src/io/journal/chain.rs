//! Owns how each event is bound to all before it: a chain of SHA-256 over what is stored of them. Never stores it.
//!
//! A chain shows that events were flipped, taken out or swapped by whoever did not make the chain anew from there on;
//! against whoever did, only a checkpoint helps that was signed and kept elsewhere.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::io::journal::record::EntryRef;
use crate::model::ids::RunId;

/// Stands for all events of a run up to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// Gives what a run's first event is bound to.
    pub fn start(run: &RunId) -> Self {
        let mut hash = Sha256::new_with_prefix(b"artel journal, chain 1\0");
        hash.update(run.as_str());
        Self(hash.finalize().into())
    }

    /// Binds an event to all before it. Each part has its length, or a fixed one, before it, so that nothing can be
    /// moved from one part to the next.
    #[must_use]
    pub fn then(self, entry: EntryRef<'_>) -> Self {
        let EntryRef { seq, at_ms, kind, v, data } = entry;
        let mut hash = Sha256::new_with_prefix(self.0);
        hash.update(seq.to_be_bytes());
        hash.update(at_ms.to_be_bytes());
        hash.update(v.to_be_bytes());
        hash.update((kind.len() as u64).to_be_bytes());
        hash.update(kind);
        hash.update(data);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Says that a text is no link of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a hash of 64 hexadecimal digits")]
pub struct NotAHash(String);

impl FromStr for ChainHash {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let wrong = || NotAHash(text.chars().take(80).collect());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_event_counts() {
        let run: RunId = "r-1".parse().unwrap();
        let event = EntryRef { seq: 1, at_ms: 2, kind: "A", v: 1, data: "{}" };
        let start = ChainHash::start(&run);
        let others = [
            EntryRef { seq: 2, ..event },
            EntryRef { at_ms: 3, ..event },
            EntryRef { kind: "A{", data: "}", ..event },
            EntryRef { v: 2, ..event },
            EntryRef { data: "[]", ..event },
        ];
        let mut all: Vec<_> = others.iter().map(|other| start.then(*other)).collect();
        all.push(start.then(event));
        all.push(start.then(event).then(event));
        all.push(ChainHash::start(&"r-2".parse().unwrap()).then(event));
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
            assert_eq!(one.to_string().parse(), Ok(*one));
        }
    }

    #[test]
    fn the_chain_of_the_first_form_is_for_good() {
        let start = ChainHash::start(&"r-7k2m".parse().unwrap());
        let event = EntryRef { seq: 1, at_ms: 1_767_225_600_000, kind: "Draining", v: 1, data: r#""Draining""# };
        assert_eq!(start.then(event).to_string(), "e76dc2cd715d890d35f89ca3214fb901e75b94767ea2770ad44a3a845cba9e18");
    }
}
