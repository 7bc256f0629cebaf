//! Owns what is wrong with a written file: where, what, and what would mend it. Never prints.

use std::ops::Range;

/// States one thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes from the start of the file; both ends lie on character boundaries.
    pub at: Range<usize>,
    /// What is wrong, in a lower-case fragment.
    pub what: String,
    /// What would mend it, where that can be said.
    pub help: Option<String>,
}

/// Collects the faults of one file.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, at: &Range<usize>, what: impl Into<String>) {
        self.0.push(Fault { at: at.clone(), what: what.into(), help: None });
    }

    /// Notes a fault and what would mend it.
    pub fn add_with_help(&mut self, at: &Range<usize>, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Fault { at: at.clone(), what: what.into(), help: Some(help.into()) });
    }

    /// Tells whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the value when it is there and nothing was found wrong.
    ///
    /// # Errors
    /// All faults, in the order of the file.
    pub fn unless_any<T>(self, value: Option<T>) -> Result<T, Vec<Fault>> {
        let mut faults = self.0;
        match value {
            Some(value) if faults.is_empty() => Ok(value),
            _ => {
                faults.sort_by_key(|fault| (fault.at.start, fault.at.end));
                faults.dedup();
                Err(faults)
            }
        }
    }
}

/// Shows a written text in a message: control characters made visible, cut after 60 characters.
pub fn shown(text: &str) -> String {
    let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let cut = if text.chars().nth(60).is_some() { "…" } else { "" };
    text.chars().take(60).map(visible).chain([cut.to_owned()]).collect()
}

/// Finds the known word that was probably meant.
pub fn nearest<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if written.len() > 100 {
        return None;
    }
    let written = written.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, word), word))
        .filter(|(distance, word)| *distance <= 1.max(word.chars().count() / 3))
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("budgte", ["budget", "landing"]), Some("budget"));
        assert_eq!(nearest("files-per-task", ["files_per_task"]), Some("files_per_task"));
        assert_eq!(nearest("xyz", ["budget", "landing"]), None);
        assert_eq!(nearest("", ["by"]), None);
    }

    #[test]
    fn faults_come_in_the_order_of_the_file() {
        let mut faults = Faults::default();
        faults.add(&(5..6), "later");
        faults.add_with_help(&(1..2), "earlier", "mend it");
        let faults = faults.unless_any(Some(())).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>(), ["earlier", "later"]);
    }
}
