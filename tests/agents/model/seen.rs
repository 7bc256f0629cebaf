//! Owns what the server knows of a request after it: who asked for what, by which credential, and what was told.

use super::api::Api;
use super::http::Request;
use super::script::Usage;

/// A request, and what came of it so far.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `None` for probes, lists of models and the counting of tokens.
    pub api: Option<Api>,
    /// The path with its query.
    pub target: String,
    pub model: String,
    pub is_streamed: bool,
    /// Each credential after where it stood: a header's name, or `?key`.
    pub credentials: Vec<(String, String)>,
    /// The names of the tools that were offered.
    pub tools: Vec<String>,
    pub taken: Taken,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
    /// The usage that was told, where any was; of an answer that broke off, what had been told before.
    pub told: Option<Usage>,
    /// The client left before it had the whole answer.
    pub is_abandoned: bool,
    /// Everything as it came.
    pub request: Request,
}

/// What answered a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// This turn, counted from 1, of the script with these keys.
    Turn { script: String, turn: usize },
    /// Something that takes no turn, since no tools were offered.
    Aside,
    /// Something that needs no model.
    Fixed,
    /// A refusal, since the key was not the one that is asked for.
    Unknown,
}

impl Seen {
    /// Tells whether a text occurs in the request, in its head or its body.
    pub fn holds(&self, text: &str) -> bool {
        let headers = self.request.headers.iter().any(|(_, value)| value.contains(text));
        headers || self.target.contains(text) || String::from_utf8_lossy(&self.request.body).contains(text)
    }

    /// Tells whether the request carries this key and no other credential; a probe may carry none.
    pub fn is_by(&self, key: &str) -> bool {
        let all = self.credentials.iter().all(|(_, value)| value == key);
        all && (self.api.is_none() || self.credentials.len() == 1)
    }
}
