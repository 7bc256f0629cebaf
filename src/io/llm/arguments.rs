//! Owns how the arguments of a call are read: a stranger's JSON. Never guesses what was meant.

use serde_json::{Map, Value};

/// Holds the arguments of one call.
pub(super) struct Arguments<'a> {
    fields: Option<&'a Map<String, Value>>,
    known: &'static [&'static str],
}

impl<'a> Arguments<'a> {
    /// Takes the arguments of a tool that knows these.
    ///
    /// # Errors
    /// Where there are others.
    pub(super) fn new(value: &'a Value, known: &'static [&'static str]) -> Result<Self, String> {
        let fields = value.as_object();
        let odd = fields.into_iter().flatten().map(|(name, _)| name).find(|name| !known.contains(&name.as_str()));
        match odd {
            Some(odd) => Err(format!(
                "there is no argument `{}`; there are: {}",
                crate::model::written::shown(odd),
                known.join(", ")
            )),
            None => Ok(Self { fields, known }),
        }
    }

    fn get(&self, name: &'static str) -> Option<&'a Value> {
        debug_assert!(self.known.contains(&name), "a schema names what is read");
        self.fields?.get(name).filter(|value| !value.is_null())
    }

    /// Reads a text that must be there.
    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, String> {
        self.maybe_text(name)?.ok_or_else(|| format!("the argument `{name}` is missing"))
    }

    /// Reads a text that may be missing.
    pub(super) fn maybe_text(&self, name: &'static str) -> Result<Option<&'a str>, String> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| format!("the argument `{name}` must be a text"));
        self.get(name).map(text).transpose()
    }

    /// Reads a whole number that may be missing.
    pub(super) fn maybe_count(&self, name: &'static str) -> Result<Option<u64>, String> {
        let count = |value: &Value| {
            let whole = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            whole.ok_or_else(|| format!("the argument `{name}` must be a whole number of at least 0"))
        };
        self.get(name).map(count).transpose()
    }

    /// Reads a list of texts, or one text; empty where it is missing.
    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<&'a str>, String> {
        let wrong = || format!("the argument `{name}` must be a list of texts");
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.as_str()]),
            Some(Value::Array(all)) => all.iter().map(|it| it.as_str().ok_or_else(wrong)).collect(),
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Null) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let value = json!({"path": 7, "lines": "12", "globs": ["a", 1], "gone": null, "one": "x"});
        let read = Arguments::new(&value, &["path", "lines", "globs", "gone", "one"]).unwrap();
        assert_eq!(read.text("path").unwrap_err(), "the argument `path` must be a text");
        assert_eq!(read.text("gone").unwrap_err(), "the argument `gone` is missing");
        assert_eq!(read.maybe_count("lines"), Ok(Some(12)));
        assert!(read.texts("globs").is_err());
        assert_eq!(read.texts("one"), Ok(vec!["x"]));
        let odd = Arguments::new(&value, &["path"]).err().unwrap();
        assert!(odd.contains("there is no argument `lines`; there are: path"), "{odd}");
    }
}
