//! Owns the reading of a part file: all that is wrong with it at once, each at its line and column. Never plays it.

use std::fmt;

use globset::Glob;
use regex::Regex;
use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::draft::{Move, Reaction, ScopeText, TaskText};
use super::part::{Part, Step};

/// States one thing that is wrong with a part file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFault {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1, in characters.
    pub column: u64,
    /// What is wrong, in one sentence.
    pub what: String,
}

impl fmt::Display for PartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

/// Names the sections that a part may have.
const SECTIONS: [&str; 5] = ["clock", "steps", "plan", "on_handoff", "scopes"];

/// Reads a part file.
///
/// # Errors
/// Gives every fault of the file, in the order of the lines; one only where it is not YAML at all.
pub fn read_part(text: &str) -> Result<Part, Vec<PartFault>> {
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        vec![PartFault { line, column, what: error.without_snippet().to_string() }]
    })?;
    let mut reader = Reader { faults: Vec::new() };
    reader.part(&root);
    if reader.faults.is_empty()
        && let Some(part) = reader.typed::<Part>(&root)
    {
        return Ok(part);
    }
    reader.faults.sort_by_key(|fault| (fault.line, fault.column));
    Err(reader.faults)
}

/// Holds a value of the file with the places of all that is in it.
enum Node {
    One(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    fn get(&self, name: &str) -> Option<&Spanned<Self>> {
        self.entries().iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }

    fn entries(&self) -> &[(Spanned<String>, Spanned<Self>)] {
        match self {
            Self::Map(entries) => entries,
            Self::One(_) | Self::List(_) => &[],
        }
    }

    fn items(&self) -> &[Spanned<Self>] {
        match self {
            Self::List(items) => items,
            Self::One(_) | Self::Map(_) => &[],
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::One(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.value.value()).collect(),
            Self::Map(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.value.clone(), value.value.value())).collect())
            }
        }
    }
}

/// Gathers faults while it goes through the file.
struct Reader {
    faults: Vec<PartFault>,
}

impl Reader {
    fn part(&mut self, root: &Spanned<Node>) {
        for (key, _) in root.value.entries() {
            if !SECTIONS.contains(&key.value.as_str()) {
                self.fault(key, suggest(&format!("there is no section `{}`", key.value), &key.value, &SECTIONS));
            }
        }
        if !["steps", "plan", "scopes"].iter().any(|section| root.value.get(section).is_some()) {
            self.fault(root, "a part has `steps` for a worker, or `plan` or `scopes` for a planner".to_owned());
        }
        root.value.get("steps").into_iter().for_each(|steps| self.steps(steps));
        self.planner(root);
        let scopes = root.value.get("scopes").map(|scopes| scopes.value.entries()).unwrap_or_default();
        scopes.iter().for_each(|(_, planner)| self.planner(planner));
    }

    fn planner(&mut self, planner: &Spanned<Node>) {
        planner.value.get("plan").into_iter().for_each(|moves| self.moves(moves));
        for reaction in planner.value.get("on_handoff").map(|list| list.value.items()).unwrap_or_default() {
            let before = self.faults.len();
            reaction.value.get("then").into_iter().for_each(|moves| self.moves(moves));
            if self.faults.len() == before
                && let Some(typed) = self.typed::<Reaction>(reaction)
            {
                self.pattern(reaction, typed.task.as_deref(), typed.says.as_deref());
            }
        }
    }

    fn moves(&mut self, list: &Spanned<Node>) {
        if !matches!(list.value, Node::List(_)) {
            self.fault(list, "moves are a list".to_owned());
        }
        for one in list.value.items() {
            let before = self.faults.len();
            for task in one.value.get("emit").map(|tasks| tasks.value.items()).unwrap_or_default() {
                self.typed::<TaskText>(task);
            }
            for scope in one.value.get("spawn").map(|scopes| scopes.value.items()).unwrap_or_default() {
                self.typed::<ScopeText>(scope);
            }
            if self.faults.len() == before {
                self.typed::<Move>(one);
            }
        }
    }

    fn steps(&mut self, list: &Spanned<Node>) {
        if !matches!(list.value, Node::List(_)) {
            self.fault(list, "steps are a list".to_owned());
        }
        list.value.items().iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Spanned<Node>) {
        let before = self.faults.len();
        for choice in step.value.get("choose").map(|choices| choices.value.items()).unwrap_or_default() {
            choice.value.get("steps").into_iter().for_each(|steps| self.steps(steps));
        }
        for (_, steps) in step.value.get("on_attempt").map(|cases| cases.value.entries()).unwrap_or_default() {
            self.steps(steps);
        }
        let branches =
            step.value.get("match").into_iter().flat_map(|test| ["then", "or"].map(|name| test.value.get(name)));
        branches.flatten().for_each(|steps| self.steps(steps));
        if self.faults.len() == before
            && let Some(typed) = self.typed::<Step>(step)
        {
            self.lint(step, &typed);
        }
    }

    /// Finds what the types cannot say.
    fn lint(&mut self, at: &Spanned<Node>, step: &Step) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "few steps have more laws than their types")]
        match step {
            Step::Chmod { mode, .. } if u32::from_str_radix(mode, 8).map_or(true, |mode| mode > 0o7777) => {
                self.fault(at, format!("`{mode}` is no mode; write it in octal, such as \"755\""));
            }
            Step::Conflict { line: 0, .. } => self.fault(at, "lines count from 1".to_owned()),
            Step::Replace { find, .. } if find.is_empty() => {
                self.fault(at, "nothing is looked for: `find` is empty".to_owned());
            }
            Step::Choose(choices) if choices.iter().all(|choice| choice.weight == 0) => {
                self.fault(at, "one of the choices must have a weight above 0".to_owned());
            }
            Step::OnAttempt(cases) => {
                for name in cases.keys().filter(|name| *name != "else" && name.parse::<u32>().is_err()) {
                    self.fault(at, format!("`{name}` is neither the number of an attempt nor `else`"));
                }
            }
            Step::Match { path, title, .. } => self.pattern(at, path.as_deref(), title.as_deref()),
            _ => {}
        }
    }

    fn pattern(&mut self, at: &Spanned<Node>, glob: Option<&str>, regex: Option<&str>) {
        if let Some(error) = glob.and_then(|glob| Glob::new(glob).err()) {
            self.fault(at, error.to_string());
        }
        if let Some(error) = regex.and_then(|regex| Regex::new(regex).err()) {
            let message = error.to_string();
            self.fault(at, format!("bad regular expression: {}", message.lines().last().unwrap_or_default()));
        }
    }

    fn typed<T: DeserializeOwned>(&mut self, node: &Spanned<Node>) -> Option<T> {
        match serde_json::from_value(node.value.value()) {
            Ok(typed) => Some(typed),
            Err(error) => {
                self.fault(node, plain(&error.to_string()));
                None
            }
        }
    }

    fn fault<T>(&mut self, at: &Spanned<T>, what: String) {
        let (line, column) = (at.referenced.line().max(1), at.referenced.column().max(1));
        self.faults.push(PartFault { line, column, what });
    }
}

/// Turns what serde says of an unknown name into a question that helps.
fn plain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown ") else { return message.to_owned() };
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let Some(name) = quoted.next() else { return message.to_owned() };
    let known: Vec<&str> = quoted.collect();
    let sort = if rest.starts_with("variant") { "step or move" } else { "field" };
    suggest(&format!("there is no {sort} `{name}`"), name, &known)
}

fn suggest(sentence: &str, name: &str, known: &[&str]) -> String {
    let closest = known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match closest {
        Some(closest) if strsim::jaro_winkler(name, closest) > 0.7 => format!("{sentence}; did you mean `{closest}`?"),
        Some(_) => format!("{sentence}; there are {}", known.join(", ")),
        None => sentence.to_owned(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::One(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::One(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        Node::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(Spanned<String>, Spanned<Node>)> = Vec::new();
        while let Some((key, value)) = from.next_entry::<Spanned<String>, Spanned<Node>>()? {
            if entries.iter().any(|(other, _)| other.value == key.value) {
                return Err(de::Error::custom(format!("`{}` stands twice in one map", key.value)));
            }
            entries.push((key, value));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        read_part(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_faults_are_told_at_once_and_in_place() {
        let text = "\
stepz: 1
steps:
  - repalce: {path: a, find: b, with: c}
  - replace: {path: a, find: b}
  - chmod: {mode: '999'}
  - on_attempt:
      first: [nothing]
      2:
        - hangs
        - choose: [{weight: 0, steps: [hang]}]
  - match: {title: '(', then: []}
plan:
  - emit: [{key: a, paths: [a]}, {key: b, pats: [b]}]
on_handoff:
  - {task: '[', then: [done]}
";
        assert_eq!(
            faults(text),
            [
                "line 1, column 1: there is no section `stepz`; did you mean `steps`?",
                "line 3, column 5: there is no step or move `repalce`; did you mean `replace`?",
                "line 4, column 5: missing field `with`",
                "line 5, column 5: `999` is no mode; write it in octal, such as \"755\"",
                "line 9, column 11: there is no step or move `hangs`; did you mean `hang`?",
                "line 10, column 11: one of the choices must have a weight above 0",
                "line 11, column 5: bad regular expression: error: unclosed group",
                "line 13, column 34: there is no field `pats`; did you mean `paths`?",
                "line 15, column 5: error parsing glob '[': unclosed character class; missing ']'",
            ]
        );
    }

    #[test]
    fn what_is_no_yaml_has_a_place_too() {
        let faults = read_part("steps:\n  - say: [\n").unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].line >= 2, "{faults:?}");
        assert!(read_part("").is_err());
        assert!(read_part("clock: real").unwrap_err()[0].what.contains("`steps` for a worker"));
    }

    #[test]
    fn yes_and_no_are_words() {
        assert!(read_part("steps: [{replace: {find: y, with: no}}, {say: on}]").is_ok());
    }

    #[test]
    fn a_name_is_no_number_and_a_key_stands_once() {
        assert_eq!(faults("steps: [{say: 7}]"), ["line 1, column 9: invalid type: integer `7`, expected a string"]);
        assert!(faults("steps: []\nsteps: []")[0].contains("line 2"));
    }

    #[test]
    fn an_attempt_is_named_by_number_or_else() {
        assert!(read_part("steps: [{on_attempt: {1: [nothing], else: [hang]}}]").is_ok());
        let all = faults("steps: [{on_attempt: {one: [nothing]}}]");
        assert_eq!(all, ["line 1, column 9: `one` is neither the number of an attempt nor `else`"]);
    }
}
