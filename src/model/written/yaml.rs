//! Owns how YAML becomes a tree: core-schema scalars, no anchors, no tags, one document. Never interprets a field.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::fault::Faults;
use super::tree::{Entry, Node, Value, first_line};

/// Deepest nesting that is read; a goal needs four.
const DEPTH_MAX: usize = 32;

/// Reads the YAML at a place of a file; nothing where it is not YAML.
pub fn read(file: &str, at: Range<usize>, faults: &mut Faults) -> Option<Node> {
    let mut builder = Builder { file, base: at.start, open: Vec::new(), root: None, faults };
    for event in Parser::new_from_str(&file[at.clone()]) {
        match event {
            Ok((event, span)) => builder.take(event, &span)?,
            Err(error) => {
                let start = at.start + error.marker().byte_offset().unwrap_or_default();
                let start = file.floor_char_boundary(start.min(at.end));
                let end = file[start..at.end].char_indices().nth(1).map_or(at.end, |(next, _)| start + next);
                builder.faults.add_with_help(
                    &(start..end),
                    format!("this is not YAML: {}", error.info()),
                    "indent with spaces, and put quotes round text that holds `: `, ` #`, `{`, `[`, `*`, `&`, `!` or `@`",
                );
                return None;
            }
        }
    }
    let whole = at.start..at.start;
    Some(builder.root.unwrap_or(Node { at: whole, value: Value::Null }))
}

/// Holds a list or map whose end has not been seen.
struct Open {
    at: Range<usize>,
    node: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, name: Option<(Range<usize>, String)> },
}

struct Builder<'f> {
    file: &'f str,
    base: usize,
    open: Vec<Open>,
    root: Option<Node>,
    faults: &'f mut Faults,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        let at = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(&at, anchor, tag.is_some());
                let value = if style == ScalarStyle::Plain { resolve(&text) } else { Value::Text(text.into_owned()) };
                self.put(Node { at, value })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(&at, anchor, tag.is_some());
                self.begin(at, Collection::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(&at, anchor, tag.is_some());
                self.begin(at, Collection::Map { entries: Vec::new(), name: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                let value = match open.node {
                    Collection::List(nodes) => Value::List(nodes),
                    Collection::Map { entries, .. } => Value::Map(entries),
                };
                let at = first_line(self.file, open.at.start..at.end.max(open.at.start));
                self.put(Node { at, value })
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.faults.add_with_help(&at, "aliases are not read here", "write the value out where it is used");
                self.put(Node { at, value: Value::Null })
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                self.faults.add(&at, "a second YAML document begins here; the front matter holds one");
                None
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..)
            | _ => Some(()),
        }
    }

    fn begin(&mut self, at: Range<usize>, node: Collection) -> Option<()> {
        if self.open.len() >= DEPTH_MAX {
            self.faults.add(&at, format!("nested deeper than {DEPTH_MAX} levels"));
            return None;
        }
        self.open.push(Open { at, node });
        Some(())
    }

    fn put(&mut self, mut node: Node) -> Option<()> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { node: Collection::List(nodes), .. }) => nodes.push(node),
            Some(Open { node: Collection::Map { entries, name }, .. }) => match name.take() {
                Some((at, field)) => {
                    if node.at.is_empty() {
                        node.at = at.clone();
                    }
                    entries.push(Entry { at, name: field, node });
                }
                None => *name = Some((node.at.clone(), field_name(self.file, node, self.faults))),
            },
        }
        Some(())
    }

    fn refuse_properties(&mut self, at: &Range<usize>, anchor: usize, tagged: bool) {
        if anchor != 0 || tagged {
            let help = "write the value out; text that begins with `&` or `!` needs quotes";
            self.faults.add_with_help(at, "anchors and tags are not read here", help);
        }
    }

    fn place(&self, span: &Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or(0..0);
        first_line(self.file, self.base + range.start..self.base + range.end)
    }
}

fn field_name(file: &str, node: Node, faults: &mut Faults) -> String {
    match node.value {
        Value::Text(name) => name,
        Value::Null | Value::Flag(_) | Value::Whole(_) | Value::Real(_) | Value::Date(_) => file[node.at].to_owned(),
        Value::List(_) | Value::Map(_) => {
            faults.add(&node.at, "a field's name must be a word");
            String::new()
        }
    }
}

/// Reads a plain scalar by the core schema of YAML 1.2.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Flag(true),
        "false" | "False" | "FALSE" => return Value::Flag(false),
        _ => {}
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    if !numeric {
        return Value::Text(text.to_owned());
    }
    match (text.parse(), text.parse()) {
        (Ok(whole), _) => Value::Whole(whole),
        (Err(_), Ok(real)) => Value::Real(real),
        (Err(_), Err(_)) => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Option<Node> {
        let mut faults = Faults::default();
        let node = read(text, 0..text.len(), &mut faults);
        faults.unless_any(node).ok()
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "näme: ö1\nlist:\n  - 'a b'\n  - {x: 2}\nnone:\n";
        let Some(Node { value: Value::Map(entries), .. }) = tree(text) else { panic!("a map") };
        assert_eq!(&text[entries[0].node.at.clone()], "ö1");
        let Value::List(nodes) = &entries[1].node.value else { panic!("a list") };
        assert_eq!(&text[nodes[0].at.clone()], "'a b'");
        let Value::Map(inner) = &nodes[1].value else { panic!("a map") };
        assert_eq!((&text[inner[0].node.at.clone()], &inner[0].node.value), ("2", &Value::Whole(2)));
        assert_eq!(&text[entries[2].node.at.clone()], "none");
    }

    #[test]
    fn anchors_aliases_tags_and_second_documents_are_refused() {
        for text in ["a: &x 1\nb: *x\n", "a: !!str 1\n", "a: 1\n--- \nb: 2\n", "a: [", "a: *nowhere", "\t- x: ["] {
            assert_eq!(tree(text), None, "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(tree(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))), None);
        assert_eq!(tree(&"- ".repeat(100)), None);
    }
}
