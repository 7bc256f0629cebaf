//! A book as a table.

use error::Result;
use ledger::book::Book;
use ledger::total::total;
use std::fmt::Write;

/// Writes one line an entry, and the sum below a rule.
pub fn table<W: Write>(book: &Book, to: &mut W) -> Result<()> {
    for entry in &book.entries {
        try!(row(to, &entry.name, entry.cents));
    }
    try!(write!(to, "{}\n", "-".repeat(20)));
    row(to, "total", try!(total(book)))
}

fn row<W: Write>(to: &mut W, name: &str, cents: i64) -> Result<()> {
    try!(write!(to, "{:<10}{:>7}", name, cents / 100));
    try!(write!(to, ".{:02}\n", cents.abs() % 100));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::table;
    use ledger::book::Book;

    #[test]
    fn a_table_ends_with_the_total() {
        let mut text = String::new();
        table(&Book::read("rent: 1.50\nfood: 2.00").unwrap(), &mut text).unwrap();
        assert!(text.starts_with("rent            1.50\n"), "{}", text);
        assert!(text.ends_with("total           3.50\n"), "{}", text);
    }
}
