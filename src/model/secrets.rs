//! Owns the values that nothing which is written down may hold: credentials of whoever started artel. Never shows one.

use std::collections::BTreeMap;
use std::fmt;

use aho_corasick::AhoCorasick;

/// Words in the name of an environment variable that make its value a secret.
const WORDS: [&str; 9] =
    ["KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"];

/// Words at the end of such a name by which it tells of a place, not of the secret itself.
const PLACES: [&str; 6] = ["FILE", "PATH", "DIR", "HOME", "SOCK", "URL"];

/// The shortest value, in bytes, that is taken for a secret: shorter ones stand in texts by chance.
const SHORTEST: usize = 12;

/// Holds secret values and the names of the variables that they are in.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Each form of each value, after its variable's name.
    forms: Vec<(String, String)>,
    /// Finds the forms, each by its number.
    finder: Option<AhoCorasick>,
}

impl Secrets {
    /// Takes the secrets of an environment: values of at least 12 bytes whose variable is named after a key, a token, a
    /// password or another credential, and not after the file or place where one is.
    ///
    /// # Panics
    /// Never: an environment is far smaller than what can be searched for.
    pub fn of(env: &BTreeMap<String, String>) -> Self {
        let mut forms = Vec::new();
        for (name, value) in env.iter().filter(|(name, value)| is_secret(name) && value.trim().len() >= SHORTEST) {
            let value = value.trim();
            forms.push((name.clone(), value.to_owned()));
            let json = serde_json::Value::from(value).to_string();
            let in_json = &json[1..json.len() - 1];
            if in_json != value {
                forms.push((name.clone(), in_json.to_owned()));
            }
        }
        if forms.is_empty() {
            return Self::default();
        }
        match AhoCorasick::new(forms.iter().map(|(_, form)| form)) {
            Ok(finder) => Self { forms, finder: Some(finder) },
            Err(error) => panic!("bug: the environment's secrets could not be searched for: {error}"),
        }
    }

    /// Tells how long the longest form is, in bytes; 0 where there is none.
    pub fn longest(&self) -> usize {
        self.forms.iter().map(|(_, form)| form.len()).max().unwrap_or_default()
    }

    /// Counts the bytes at the end of these that may be the beginning of a secret.
    pub fn undecided(&self, bytes: &[u8]) -> usize {
        let begun = |(_, form): &(String, String)| {
            let most = bytes.len().min(form.len() - 1);
            (1..=most).rev().find(|count| bytes.ends_with(&form.as_bytes()[..*count])).unwrap_or_default()
        };
        self.forms.iter().map(begun).max().unwrap_or_default()
    }

    /// Names the variable whose value stands in these bytes, where one does.
    pub fn find(&self, bytes: &[u8]) -> Option<&str> {
        let found = self.finder.as_ref()?.find(bytes)?;
        Some(&self.forms[found.pattern().as_usize()].0)
    }

    /// Gives bytes with stars in the place of all secrets.
    pub fn mask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = bytes.to_vec();
        for found in self.finder.iter().flat_map(|finder| finder.find_overlapping_iter(bytes)) {
            masked[found.range()].fill(b'*');
        }
        masked
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    let words: Vec<&str> = name.split(['_', '-']).collect();
    words.iter().any(|word| WORDS.contains(word)) && !words.last().is_some_and(|word| PLACES.contains(word))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.forms.iter().map(|(name, _)| name)).finish()
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
        for name in ["MONKEY", "SSH_AUTH_SOCK", "PATH", "KEYBOARD", "SSH_KEY_PATH", "TOKEN_URL"] {
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
        let masked = |text: &str| String::from_utf8(secrets.mask(text.as_bytes())).unwrap();
        let json = serde_json::Value::from("so: first \"line\"\nsecond!").to_string();
        assert_eq!(secrets.find(json.as_bytes()), Some("PEM_KEY"));
        let stars = "*".repeat(json.len() - "\"so: !\"".len());
        assert_eq!(masked(&json), format!("\"so: {stars}!\""));
        assert_eq!(
            masked("x first \"line\"\nsecond y aaaaaaaaaaaabb"),
            format!("x {} y {}", "*".repeat(19), "*".repeat(14))
        );
        assert_eq!(masked("nothing"), "nothing");
        assert_eq!(secrets.undecided(b"first first \"li"), 9);
        assert_eq!(
            (secrets.undecided(b"x aaaaaaaaaaaab"), secrets.undecided(b"x\n"), secrets.undecided(b"")),
            (13, 0, 0)
        );
        assert_eq!(Secrets::default().mask(b"aaaaaaaaaaaa"), b"aaaaaaaaaaaa");
        assert!(!format!("{secrets:?}").contains("aaaa"));
    }
}
