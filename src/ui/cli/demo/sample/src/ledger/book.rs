//! Many lines of a ledger.

use error::{Error, Result};
use ledger::entry::Entry;

/// Entries in the order in which they were written.
#[derive(Debug, Default)]
pub struct Book {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Book {
    /// Reads one entry a line; empty lines are skipped.
    pub fn read(text: &str) -> Result<Book> {
        let mut book = Book::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            book.entries.push(try!(line.parse()));
        }
        Ok(book)
    }

    /// Finds an entry by its name.
    pub fn find(&self, name: &str) -> Result<&Entry> {
        let mut named = self.entries.iter().filter(|entry| entry.name == name);
        named.next().ok_or_else(|| Error::Missing(name.to_string()))
    }

    /// Moves cents from one entry to another.
    pub fn shift(&mut self, from: &str, to: &str, cents: i64) -> Result<()> {
        try!(self.find(from));
        try!(self.find(to));
        for entry in &mut self.entries {
            if entry.name == from {
                entry.cents -= cents;
            }
            if entry.name == to {
                entry.cents += cents;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Book;

    #[test]
    fn cents_are_shifted_and_none_is_lost() {
        let mut book = Book::read("rent: 700.00\n\nfood: 200.00\n").unwrap();
        book.shift("rent", "food", 50).unwrap();
        assert_eq!(book.find("food").unwrap().cents, 20_050);
        assert!(book.shift("rent", "car", 50).is_err());
        assert_eq!(book.find("rent").unwrap().cents, 69_950);
    }
}
