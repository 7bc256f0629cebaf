//! Owns the values that nothing which is written down may hold: credentials of whoever started artel. Never shows one.

use std::collections::BTreeMap;
use std::fmt;

use aho_corasick::AhoCorasick;

/// Words in the name of an environment variable that make its value a secret.
const WORDS: [&str; 9] =
    ["KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"];

/// The shortest value, in bytes, that is taken for a secret: shorter ones stand in texts by chance.
const SHORTEST: usize = 12;

/// Holds secret values and the names of the variables that they are in.
#[derive(Clone, Default)]
pub struct Secrets {
    names: Vec<String>,
    /// Whose pattern by number is the name of the same number.
    values: Option<AhoCorasick>,
    forms: Vec<String>,
}

impl Secrets {
    /// Takes the secrets of an environment: values of at least 12 bytes whose variable is named after a key, a token, a
    /// password or another credential. `SSH_AUTH_SOCK` and the like name a place and are none.
    pub fn of(env: &BTreeMap<String, String>) -> Self {
        let is_secret = |name: &str| name.to_uppercase().split(['_', '-']).any(|word| WORDS.contains(&word));
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, value) in env.iter().filter(|(name, value)| is_secret(name) && value.trim().len() >= SHORTEST) {
            let value = value.trim();
            // As it is, and as it stands in JSON, where that differs.
            let json = serde_json::Value::from(value).to_string();
            for form in [value, &json[1..json.len() - 1]] {
                if values.last().is_none_or(|last| last != form) {
                    names.push(name.clone());
                    values.push(form.to_owned());
                }
            }
        }
        let forms = values;
        let values = (!forms.is_empty()).then(|| AhoCorasick::new(&forms).ok()).flatten();
        Self { names, values, forms }
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Counts the bytes at the end of these that may be the beginning of a secret.
    pub fn undecided(&self, bytes: &[u8]) -> usize {
        let begun = |form: &String| {
            let most = bytes.len().min(form.len().saturating_sub(1));
            (1..=most).rev().find(|count| bytes.ends_with(&form.as_bytes()[..*count])).unwrap_or_default()
        };
        self.forms.iter().map(begun).max().unwrap_or_default()
    }

    /// Names the variable whose value stands in these bytes, where one does.
    pub fn find(&self, bytes: &[u8]) -> Option<&str> {
        let found = self.values.as_ref()?.find(bytes)?;
        Some(&self.names[found.pattern().as_usize()])
    }

    /// Puts stars in the place of all secrets that stand in these bytes; tells whether there were any.
    pub fn mask(&self, bytes: &mut [u8]) -> bool {
        let Some(values) = &self.values else { return false };
        let found: Vec<_> = values.find_overlapping_iter(&*bytes).map(|it| it.range()).collect();
        for range in &found {
            bytes[range.clone()].fill(b'*');
        }
        !found.is_empty()
    }

    /// Gives a text with stars in the place of its secrets.
    pub fn masked(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.mask(&mut bytes);
        // Whole values were covered, so that what is left is text; else nothing is shown.
        String::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Secrets {
        Secrets::of(&pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn credentials_are_known_by_name_and_length() {
        let of = |name: &str, value: &str| secrets(&[(name, value)]).find(b"x canary-value-1 y").is_some();
        for name in ["ANTHROPIC_API_KEY", "github_token", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "TOKEN"] {
            assert!(of(name, "canary-value-1") && of(name, "canary-value-1\n"), "{name}");
        }
        for name in ["MONKEY", "SSH_AUTH_SOCK", "PATH", "KEYBOARD"] {
            assert!(!of(name, "canary-value-1"), "{name}");
        }
        assert!(!of("TOKEN", "canary") && !of("TOKEN", ""));
    }

    #[test]
    fn each_form_of_a_secret_is_found_and_masked() {
        let secrets = secrets(&[
            ("PEM_KEY", "first \"line\"\nsecond"),
            ("A_TOKEN", "aaaaaaaaaaaa"),
            ("B_TOKEN", "aaaaaaaaaaaabb"),
        ]);
        let json = serde_json::Value::from("so: first \"line\"\nsecond!").to_string();
        assert_eq!(secrets.find(json.as_bytes()), Some("PEM_KEY"));
        let masked = secrets.masked(&json);
        assert!(
            masked.starts_with("\"so: ****") && masked.ends_with("****!\"") && !masked.contains("line"),
            "{masked}"
        );
        assert_eq!(serde_json::from_str::<String>(&masked).unwrap().len(), masked.len() - 2);
        assert_eq!(
            secrets.masked("x first \"line\"\nsecond y aaaaaaaaaaaabb"),
            format!("x {} y {}", "*".repeat(19), "*".repeat(14))
        );
        assert_eq!(secrets.masked("nothing"), "nothing");
        assert_eq!(secrets.undecided(b"first first \"li"), 9);
        assert_eq!(
            (secrets.undecided(b"x aaaaaaaaaaaab"), secrets.undecided(b"x\n"), secrets.undecided(b"")),
            (13, 0, 0)
        );
        assert_eq!(Secrets::default().masked("aaaaaaaaaaaa"), "aaaaaaaaaaaa");
        assert!(!format!("{secrets:?}").contains("aaaa"));
    }
}
