//! Owns where the user wants to be told of runs, and of what. Never holds a secret, only where one is.

use std::collections::{BTreeMap, BTreeSet};

use crate::io::keys::KeySource;
use crate::model::notice::Cause;

/// Says where notices go; the user's own, never a repository's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotifyConfig {
    /// Whether the terminal in which a run is followed rings its bell.
    pub bell: bool,
    /// Whether that terminal is asked to show a notice of the desktop's.
    pub desktop: bool,
    /// What the terminal is told of.
    pub on: BTreeSet<Cause>,
    /// Ways out, by name.
    pub channels: BTreeMap<String, Channel>,
}

/// Says where one kind of notices goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What it is told of.
    pub on: BTreeSet<Cause>,
    /// How it is reached.
    pub way: Way,
}

/// Says how a channel is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A program; no shell reads the words.
    Command(Vec<String>),
    /// A web address.
    Webhook {
        /// Where it is: an address may hold a secret itself, and then stands where keys stand.
        url: KeySource,
        /// What signs; none where nothing is signed.
        secret: KeySource,
        /// What is sent.
        body: Body,
    },
}

/// Says what is sent to a web address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The notice with all that is known of it.
    Artel,
    /// One text, as Slack and what is compatible with it take.
    Slack,
}
