//! Owns how TOML becomes a tree. Never interprets a field.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::tree::{Entry, Node, Value, first_line};

/// Reads a TOML file, as far as it can be read.
pub fn read(file: &str, faults: &mut Faults) -> Node {
    let (table, errors) = DeTable::parse_recoverable(file);
    note(file, 0, &errors, faults);
    Node { at: 0..0, value: table_of(file, 0, table.get_ref()) }
}

/// Reads the TOML value at a place of a text; nothing where there is none.
pub fn read_value(text: &str, at: Range<usize>) -> Option<Node> {
    let value = DeValue::parse(&text[at.clone()]).ok()?;
    Some(node_of(text, at.start, &value))
}

fn note(file: &str, base: usize, errors: &[toml::de::Error], faults: &mut Faults) {
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        faults.add(&first_line(file, base + at.start..base + at.end), format!("this is not TOML: {}", error.message()));
    }
}

fn table_of(file: &str, base: usize, table: &DeTable<'_>) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(name, value)| Entry {
            at: place(file, base, name.span()),
            name: name.get_ref().clone().into_owned(),
            node: node_of(file, base, value),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at.start);
    Value::Map(entries)
}

fn node_of(file: &str, base: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let at = place(file, base, value.span());
    let value = match value.get_ref() {
        // What recovery from a syntax fault put in takes no place.
        DeValue::String(_) if at.is_empty() => Value::Null,
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Whole(number),
            Err(_) => Value::Real(f64::INFINITY),
        },
        DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node_of(file, base, item)).collect()),
        DeValue::Table(table) => table_of(file, base, table),
    };
    Node { at, value }
}

fn place(file: &str, base: usize, at: Range<usize>) -> Range<usize> {
    first_line(file, base + at.start..base + at.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_syntax_faults_are_found_at_once_and_the_rest_is_read() {
        let text = "a = \nb = 'x'\nb = 'y'\nc = 1\n";
        let mut faults = Faults::default();
        let Value::Map(entries) = read(text, &mut faults).value else { panic!("a map") };
        assert!(entries.iter().any(|entry| entry.name == "c" && entry.node.value == Value::Whole(1)));
        assert!(faults.unless_any(Some(())).unwrap_err().len() >= 2);
    }

    #[test]
    fn a_value_of_a_table_knows_its_place() {
        let text = "[tests.rust]\nskip = 'x'\n";
        let mut faults = Faults::default();
        let Value::Map(entries) = read(text, &mut faults).value else { panic!("a map") };
        let Value::Map(languages) = &entries[0].node.value else { panic!("a map") };
        let Value::Map(fields) = &languages[0].node.value else { panic!("a map") };
        assert_eq!(&text[fields[0].node.at.clone()], "'x'");
    }
}
