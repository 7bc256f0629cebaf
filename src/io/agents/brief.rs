//! Owns what an attempt is asked to do, and the folder that its agent reads it from. Never chooses what is asked.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::AgentError;
use super::found::quoted;
use super::handoff::put;
use crate::model::attempt::Handoff;
use crate::model::ids::RunId;
use crate::model::paths::PathSet;
use crate::model::seat::Seat;
use crate::model::verdict::Finding;

/// Tells an agent what one attempt is asked to do; also the form of `brief.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// The run that the attempt belongs to.
    pub run: RunId,
    /// Who is asked: an attempt, or a planner or judge, which change nothing.
    pub seat: Seat,
    /// The task in one line.
    pub title: String,
    /// The whole brief, as the role's prompt words it.
    pub text: String,
    /// What may be changed.
    pub paths: PathSet,
    /// Rules for a rewrite, in order.
    pub rules: Vec<NamedRule>,
    /// What was wrong with the attempt before.
    pub findings: Vec<Finding>,
    /// What a person has said since the task began, oldest first.
    pub steering: Vec<String>,
    /// What the tasks before this one have handed up and this one should know.
    pub handoffs: Vec<Handoff>,
    /// Seed of all chance in the attempt.
    pub seed: u64,
    /// The session that it takes up again, in which all of this was said.
    #[serde(skip)]
    pub resumes: Option<Resumed>,
    /// The JSON schema that its last message is held to, by an agent that can be.
    #[serde(skip)]
    pub schema: Option<String>,
}

/// Names a session that is taken up again after a limit, or a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// The agent's own name for it.
    pub session: String,
    /// Where its agent kept it: the desk of the attempt that had it.
    pub desk: Desk,
    /// What it is told first of what has come about since, a line each.
    pub news: Vec<String>,
    /// What ended it.
    pub ended_by: EndedBy,
}

/// Says what ended a session that is taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// A limit of its agent's account.
    Limit,
    /// A question, which is answered.
    Question,
}

/// Holds a rule file's text under the name that the run knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRule {
    /// Its name.
    pub name: String,
    /// Its text.
    pub yaml: String,
}

impl Resumed {
    /// Takes an agent's own name for its session, which is a stranger's word; nothing where it can be none.
    pub fn of(session: &str, desk: Desk) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = (1..=128).contains(&session.len()) && session.chars().all(is_plain) && !session.starts_with('-');
        is_name.then(|| Self { session: session.to_owned(), desk, news: Vec::new(), ended_by: EndedBy::Limit })
    }

    /// Has it told of what has come about since, a line each.
    #[must_use]
    pub fn knowing(self, news: &[String]) -> Self {
        Self { news: news.to_vec(), ..self }
    }
}

/// Names the folder of one attempt outside its worktree: its brief, its handoff and its temporary files lie there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    dir: PathBuf,
}

impl Desk {
    /// Takes a folder, given by its absolute path, that no other attempt uses.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Gives the folder.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// Gives the place of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Keeps something in one of its files, whatever the desk's user has put in that place.
    ///
    /// # Errors
    /// Fails where it cannot be written there.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        put(&self.file(name), bytes)
    }

    /// Removes one of its files, where it lies there: no link that its user has put in the way leads elsewhere.
    ///
    /// # Errors
    /// Fails where it cannot be removed, and where there is none.
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        let mut folder = rustix::fs::open(&self.dir, flags, Mode::empty())?;
        for next in folders.split('/').filter(|next| !next.is_empty()) {
            folder = rustix::fs::openat(&folder, next, flags, Mode::empty())?;
        }
        Ok(rustix::fs::unlinkat(&folder, file, AtFlags::empty())?)
    }

    /// Takes over what lies under a name on another desk, where it lies there; tells whether it does.
    ///
    /// # Errors
    /// Fails where it cannot be copied as a whole.
    pub fn take_over(&self, other: &Self, name: &str) -> Result<bool, AgentError> {
        let (from, to) = (other.file(name), self.file(name));
        if !fs::symlink_metadata(&from).is_ok_and(|it| it.is_dir()) {
            return Ok(false);
        }
        copy_folder(&from, &to).map_err(|source| AgentError::Desk { path: to, source })?;
        Ok(true)
    }

    /// Hands what lies under a name over to another desk, which has nothing under it; tells whether anything did.
    ///
    /// # Errors
    /// Fails where it cannot be moved.
    pub fn hand_over(&self, other: &Self, name: &str) -> Result<bool, AgentError> {
        let to = other.file(name);
        match fs::rename(self.file(name), &to) {
            Ok(()) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(AgentError::Desk { path: to, source }),
        }
    }

    /// Removes the folder with all that lies there, where it is.
    ///
    /// # Errors
    /// Fails where it cannot be removed.
    pub fn remove(&self) -> Result<(), AgentError> {
        match fs::remove_dir_all(&self.dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(AgentError::Desk { path: self.dir.clone(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes what lies under a name, where anything does.
    ///
    /// # Errors
    /// Fails where it cannot be removed.
    pub fn clear(&self, name: &str) -> Result<(), AgentError> {
        Self::at(self.file(name)).remove()
    }

    /// Gives the place where an agent leaves its handoff.
    pub fn handoff(&self) -> PathBuf {
        self.file("handoff.json")
    }

    /// Gives the folder for temporary files.
    pub fn tmp(&self) -> PathBuf {
        self.file("tmp")
    }

    /// Makes the folder anew, readable by this user only, with the given files in it.
    ///
    /// # Errors
    /// Fails where the old folder cannot be removed or the new one not be written.
    pub fn lay(&self, files: &BTreeMap<String, String>) -> Result<(), AgentError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| AgentError::Desk { path, source }
        };
        self.remove()?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.tmp()).map_err(failed(&self.dir))?;
        for (name, text) in files {
            let path = self.file(name);
            if let Some(folder) = path.parent().filter(|folder| *folder != self.dir) {
                fs::create_dir_all(folder).map_err(failed(folder))?;
            }
            fs::write(&path, text).map_err(failed(&path))?;
        }
        Ok(())
    }
}

/// Deepest folder that is copied: what lies deeper is no session.
const DEPTH_MOST: usize = 32;

/// Most bytes that are copied: what is more is no session.
const BYTES_MOST: u64 = 1 << 30;

/// Copies the regular files of a folder that a stranger wrote; links and all else are left out.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fn copy(from: &Path, to: &Path, depth: usize, room: &mut u64) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).recursive(true).create(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
            if kind.is_dir() && depth < DEPTH_MOST {
                copy(&entry.path(), &place, depth + 1, room)?;
            } else if kind.is_file() {
                let left = room.checked_sub(entry.metadata()?.len());
                *room = left.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "it is too much"))?;
                fs::copy(entry.path(), &place)?;
            }
        }
        Ok(())
    }
    copy(from, to, 0, &mut BYTES_MOST.clone())
}

/// Names the file by which an agent is told to go on.
pub const GO_ON_FILE: &str = "go-on.md";

/// The file on a desk that holds the schema of an answer.
const SCHEMA_FILE: &str = "schema.json";

/// What an agent is told whose session is taken up again, before what was said to it meanwhile.
const GO_ON: &str = "A limit of your account had stopped you; it is lifted. Go on with your task where you were. Your files are \
as you left them; the folder that you work in may be another than before, and what ran is gone.\n";

/// The same for one that changes nothing.
const LOOK_ON: &str = "A limit of your account had stopped you; it is lifted. Go on with your task where you were. What you \
look at may lie elsewhere than before, and have changed; what ran is gone.\n";

/// The same for one that had asked a person, who has answered.
const TOLD_ON: &str = "You had asked a person something and ended; the answer stands below. Go on with your task where you were. \
What you look at may lie elsewhere than before, and have changed; what ran is gone.\n";

impl Brief {
    /// Gives the words by which a session that is taken up again goes on: where it is now, and all that people have said.
    pub fn go_on(&self, place: &Path) -> String {
        format!("{}You work in: {}\n{}", self.lifted(), place.display(), self.meanwhile())
    }

    /// Gives the words by which one goes on that has no folder, and looks at files by its tools alone.
    pub fn go_on_by_tools(&self) -> String {
        format!("{}{}", self.lifted(), self.meanwhile())
    }

    fn lifted(&self) -> &'static str {
        match self.resumes.as_ref().map(|resumed| resumed.ended_by) {
            Some(EndedBy::Question) => TOLD_ON,
            Some(EndedBy::Limit) | None if self.is_to_read() => LOOK_ON,
            Some(EndedBy::Limit) | None => GO_ON,
        }
    }

    /// Says what has come about since, and all that people have said.
    fn meanwhile(&self) -> String {
        let news = self.resumes.iter().flat_map(|resumed| &resumed.news);
        let mut text: String = news.map(|line| format!("{line}\n")).collect();
        if !self.steering.is_empty() {
            text.push_str("\nPeople have said, oldest first; you may know it already:\n");
            self.steering.iter().for_each(|said| text.push_str(&format!("- {}\n", said.trim())));
        }
        text
    }

    /// Gives the files that every agent with a process of its own finds on its desk.
    pub(super) fn files(&self) -> Result<BTreeMap<String, String>, AgentError> {
        let mut json = serde_json::to_value(self).map_err(AgentError::Brief)?;
        if let Seat::Attempt(attempt) = self.seat {
            json["task"] = attempt.task.to_string().into();
            json["attempt"] = attempt.to_string().into();
        }
        let json = serde_json::to_string_pretty(&json).map_err(AgentError::Brief)?;
        let paths: String = self.paths.iter().map(|path| format!("{path}\n")).collect();
        let schema = self.schema.iter().map(|schema| (SCHEMA_FILE, schema.clone()));
        let files = [("brief.md", self.text.clone()), ("brief.json", json), ("paths", paths)];
        Ok(files.into_iter().chain(schema).map(|(name, text)| (name.to_owned(), text)).collect())
    }

    /// Gives the file on a desk that holds the schema, where there is one, as one word of a shell's line.
    pub(super) fn schema_file(&self, desk: &Desk) -> Option<String> {
        self.schema.as_ref().map(|_| quoted(&desk.file(SCHEMA_FILE).to_string_lossy()))
    }

    /// Gives the file on a desk whose text an agent is given as its first word, as one word of a shell's line.
    pub(super) fn first_word(&self, desk: &Desk) -> String {
        match self.resumes {
            None => "\"$ARTEL_BRIEF\"".to_owned(),
            Some(_) => quoted(&desk.file(GO_ON_FILE).to_string_lossy()),
        }
    }

    /// Gives the environment that says where those files are and what the attempt is called.
    ///
    /// Whatever can be long is a file, because one entry of an environment may hold 128 KiB only.
    pub(super) fn env(&self, desk: &Desk) -> BTreeMap<String, String> {
        let place = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = [
            ("ARTEL_RUN", self.run.to_string()),
            ("ARTEL_SEAT", self.seat.to_string()),
            ("ARTEL_SEED", self.seed.to_string()),
            ("ARTEL_BRIEF", place(desk.file("brief.md"))),
            ("ARTEL_BRIEF_JSON", place(desk.file("brief.json"))),
            ("ARTEL_PATHS", place(desk.file("paths"))),
            ("ARTEL_HANDOFF", place(desk.handoff())),
            ("TMPDIR", place(desk.tmp())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Seat::Attempt(attempt) = self.seat {
            env.insert("ARTEL_TASK".to_owned(), attempt.task.to_string());
            env.insert("ARTEL_ATTEMPT".to_owned(), attempt.to_string());
        }
        env
    }

    /// Tells whether whoever is asked changes nothing.
    pub(super) fn is_to_read(&self) -> bool {
        !matches!(self.seat, Seat::Attempt(_))
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::model::ids::{AttemptId, TaskId};

    /// Gives a brief of the first attempt at a first task.
    pub(in crate::io::agents) fn brief() -> Brief {
        Brief {
            run: "r-7k2m".parse().unwrap(),
            seat: Seat::Attempt(AttemptId { task: TaskId(1), number: 1 }),
            title: "Mend it".to_owned(),
            text: "Mend the spelling.\n".to_owned(),
            paths: PathSet::default(),
            rules: Vec::new(),
            findings: Vec::new(),
            steering: Vec::new(),
            handoffs: Vec::new(),
            seed: 1,
            resumes: None,
            schema: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_is_told_where_it_is_and_what_has_come_about() {
        let resumed = Resumed::of("s", Desk::at("/earlier".into())).unwrap().knowing(&["two: landed".to_owned()]);
        let brief = Brief { resumes: Some(resumed), steering: vec!["Be quick.".to_owned()], ..testing::brief() };
        let words = brief.go_on(Path::new("/here"));
        assert!(words.contains("Your files are as you left them") && words.contains("You work in: /here\n"), "{words}");
        assert!(
            words.ends_with("two: landed\n\nPeople have said, oldest first; you may know it already:\n- Be quick.\n")
        );
        let looks = Brief { seat: Seat::RunJudge { iteration: 1 }, ..brief };
        let words = looks.go_on_by_tools();
        assert!(!words.contains("Your files") && !words.contains("You work in"), "{words}");
        assert!(words.contains("two: landed\n") && words.contains("Be quick."), "{words}");
    }

    #[test]
    fn what_a_stranger_put_in_the_place_of_a_file_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (desk, users) = (Desk::at(dir.path().join("desk")), dir.path().join("users"));
        desk.lay(&BTreeMap::new()).unwrap();
        fs::create_dir_all(users.join("goose")).unwrap();
        for file in ["rc", "goose/login"] {
            fs::write(users.join(file), "the user's").unwrap();
        }
        fs::create_dir(desk.file("home")).unwrap();
        std::os::unix::fs::symlink(users.join("rc"), desk.file("told")).unwrap();
        std::os::unix::fs::symlink(users.join("goose"), desk.file("home/goose")).unwrap();
        desk.keep("told", b"kept").unwrap();
        assert_eq!(fs::read(desk.file("told")).unwrap(), b"kept");
        desk.remove_file("home/goose/login").unwrap_err();
        for file in ["rc", "goose/login"] {
            assert_eq!(fs::read(users.join(file)).unwrap(), b"the user's", "{file}");
        }
        fs::remove_file(desk.file("home/goose")).unwrap();
        fs::create_dir(desk.file("home/goose")).unwrap();
        fs::write(desk.file("home/goose/login"), "the session's").unwrap();
        desk.remove_file("home/goose/login").unwrap();
        assert!(!desk.file("home/goose/login").exists());
    }

    #[test]
    fn what_one_desk_hands_over_lies_on_the_other_alone() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| Desk::at(dir.path().join(name)));
        let files = [("home/session".to_owned(), "said".to_owned())].into();
        one.lay(&files).unwrap();
        other.lay(&BTreeMap::new()).unwrap();
        assert!(one.hand_over(&other, "home").unwrap() && !one.hand_over(&other, "home").unwrap());
        assert_eq!(fs::read_to_string(other.file("home/session")).unwrap(), "said");
        assert!(!one.file("home").exists());
        other.remove().unwrap();
        other.remove().unwrap();
        assert!(!other.folder().exists());
    }
}
