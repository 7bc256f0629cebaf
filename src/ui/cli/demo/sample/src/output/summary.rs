//! A book in one sentence.

use error::Result;
use ledger::book::Book;
use ledger::total::{share, total};

/// Tells the total and the part of one entry.
pub fn summary(book: &Book, name: &str) -> Result<String> {
    let part = try!(share(book, name));
    let whole = try!(total(book));
    Ok(format!("{} cents, of which {} is {} per mille", whole, name, part))
}

#[cfg(test)]
mod tests {
    use super::summary;
    use ledger::book::Book;

    #[test]
    fn a_sentence_tells_it() {
        let book = Book::read("rent: 7.50\nfood: 2.50").unwrap();
        assert_eq!(summary(&book, "food").unwrap(), "1000 cents, of which food is 250 per mille");
        assert!(summary(&book, "car").is_err());
    }
}
