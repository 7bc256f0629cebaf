//! Owns how a part becomes a process: artel itself, under its hidden verb. Never plays it here.

use std::path::PathBuf;

use super::faults::read_part;
use super::player::SCRIPT_VERB;
use crate::io::agents::agent::{Agent, AgentError, Play};
use crate::io::agents::brief::{Brief, Desk};
use crate::io::process::Program;

/// Plays briefs as a part says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    artel: PathBuf,
    name: String,
    text: String,
}

impl Script {
    /// Takes the program that plays, and a part's name and text.
    pub fn new(artel: PathBuf, name: String, text: String) -> Self {
        Self { artel, name, text }
    }
}

impl Agent for Script {
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError> {
        let part = read_part(&self.text).map_err(|faults| AgentError::Part { name: self.name.clone(), faults })?;
        if part.steps.is_none() {
            return Err(AgentError::NoSuchPart { name: self.name.clone(), wanted: "steps" });
        }
        let mut files = brief.files()?;
        files.insert("part.yml".to_owned(), self.text.clone());
        let mut env = brief.env(desk);
        env.insert("ARTEL_PART".to_owned(), desk.file("part.yml").to_string_lossy().into_owned());
        let argv = vec![self.artel.to_string_lossy().into_owned(), SCRIPT_VERB.to_owned()];
        Ok(Play::Process { program: Program::Argv(argv), files, env, read: Vec::new(), home: None })
    }
}
