//! What a book comes to.

use error::{Error, Result};
use ledger::book::Book;

/// Adds all entries up.
pub fn total(book: &Book) -> Result<i64> {
    let mut sum: i64 = 0;
    for entry in &book.entries {
        sum = try!(sum.checked_add(entry.cents).ok_or_else(|| Error::Number(entry.name.clone())));
    }
    Ok(sum)
}

/// Tells what part of the whole an entry is, in thousandths.
pub fn share(book: &Book, name: &str) -> Result<i64> {
    let part = try!(book.find(name)).cents;
    match try!(total(book)) {
        0 => Err(Error::Number("0".to_string())),
        whole => Ok(part * 1000 / whole),
    }
}

#[cfg(test)]
mod tests {
    use super::{share, total};
    use ledger::book::Book;

    #[test]
    fn a_book_adds_up() {
        let book = Book::read("rent: 750.00\nfood: 250.00").unwrap();
        assert_eq!(total(&book), Ok(100_000));
        assert_eq!(share(&book, "food"), Ok(250));
        assert!(share(&Book::default(), "food").is_err());
    }
}
