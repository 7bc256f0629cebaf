//! A book as comma-separated values.

use error::Result;
use ledger::book::Book;
use std::fmt::Write;

/// Writes a head line and one line an entry.
pub fn csv<W: Write>(book: &Book, to: &mut W) -> Result<()> {
    try!(to.write_str("name,cents\n"));
    for entry in &book.entries {
        try!(write!(to, "{},{}\n", entry.name, entry.cents));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::csv;
    use ledger::book::Book;

    #[test]
    fn values_are_separated_by_commas() {
        let mut text = String::new();
        csv(&Book::read("rent: 1.00").unwrap(), &mut text).unwrap();
        assert_eq!(text, "name,cents\nrent,100\n");
    }
}
