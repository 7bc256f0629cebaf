//! A book from its text to its table.

extern crate fieldbook;

use fieldbook::ledger::book::Book;
use fieldbook::output::csv::csv;
use fieldbook::output::table::table;
use fieldbook::Error;

fn both(text: &str) -> Result<String, Error> {
    Book::read(text).and_then(|book| {
        let mut out = String::new();
        csv(&book, &mut out).and_then(|()| table(&book, &mut out)).map(|()| out)
    })
}

#[test]
fn a_book_is_read_and_written() {
    let out = both("rent: 700.00\nfood: 200.00\n").unwrap();
    assert!(out.starts_with("name,cents\nrent,70000\n"));
    assert!(out.ends_with("900.00\n"));
}

#[test]
fn a_bad_line_is_told() {
    assert_eq!(both("rent: x").unwrap_err(), Error::Unexpected('x'));
}
