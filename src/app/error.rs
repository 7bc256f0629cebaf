//! Owns what can go wrong between a person's command and a run: each room's error, and those of wiring itself.

use std::io;
use std::path::PathBuf;

use crate::io::files::FilesError;
use crate::io::gateway::GatewayError;
use crate::io::git::GitError;
use crate::io::journal::JournalError;
use crate::io::journal::format::FormatError;
use crate::io::roles::RolesError;
use crate::io::signing::SigningError;
use crate::machine::laws::Broken;
use crate::model::ids::TaskId;
use crate::model::sandbox::Tier;
use crate::model::written::Fault;

/// Says what was tried, on what, and why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The state directory.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The way to models.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A stored event.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A key.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// Roles and prompts.
    #[error(transparent)]
    Roles(#[from] RolesError),
    /// A brief could not be made.
    #[error("make the brief of {task}: {what}")]
    Brief {
        /// The task.
        task: TaskId,
        /// What is wrong.
        what: String,
    },
    /// Nobody counted the tokens of a brief.
    #[error("have the tokens counted of what {agent} is given: {why}")]
    Uncounted {
        /// The agent.
        agent: String,
        /// Why.
        why: String,
        /// How many they are, about.
        estimate: String,
    },
    /// A file that people wrote could not be read.
    #[error("read {what} `{}`", path.display())]
    Read {
        /// What it is to artel.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file that people wrote has faults.
    #[error("read {what} `{name}`: {} of it {}", faults.len(), if faults.len() == 1 { "part is wrong" } else { "parts are wrong" })]
    Faults {
        /// What it is to artel.
        what: &'static str,
        /// The file, as it was named.
        name: String,
        /// Its text.
        text: String,
        /// All that is wrong with it.
        faults: Vec<Fault>,
    },
    /// Something that a goal or role names is not there or does not fit.
    #[error("open a run: {what}")]
    Unfit {
        /// What does not fit.
        what: String,
        /// What to do about it.
        next: String,
    },
    /// A branch is in the way of all branches that a run would make.
    #[error("make branches below `{prefix}/`: the ref `{taken}` is in the way")]
    PrefixTaken {
        /// The first part of the run's branches.
        prefix: String,
        /// What is in the way.
        taken: String,
    },
    /// The repository lacks what the run would read, as a partial clone does.
    #[error("read {count} files of {base}, such as `{first}`: their content is not in the repository")]
    NotFetched {
        /// How many files.
        count: usize,
        /// One of them.
        first: String,
        /// The commit that the run would start from.
        base: String,
    },
    /// A prompt of a role makes no brief.
    #[error("use the prompt `{name}`")]
    Prompt {
        /// The prompt.
        name: String,
        /// Why.
        #[source]
        source: crate::views::brief::BriefError,
    },
    /// No sandbox holds that would do.
    #[error("hold agents and checks apart from this machine: {}", why.iter().map(|(tier, why)| format!("{tier}: {why}")).collect::<Vec<_>>().join("; "))]
    Sandbox {
        /// What was tried, and why it is not used.
        why: Vec<(Tier, String)>,
    },
    /// There is no channel of notices that is meant.
    #[error("find {}: {} names none", wanted.as_ref().map_or("a channel".to_owned(), |name| format!("the channel `{name}`")), file.display())]
    NoChannel {
        /// The one that was wanted; none is any.
        wanted: Option<String>,
        /// The file that names channels.
        file: PathBuf,
    },
    /// There is no run here yet.
    #[error("find a run of this repository: there is none yet")]
    NoRun,
    /// Another coordinator holds the run.
    #[error("take over run {run}: {}", holder.as_deref().unwrap_or("another process"))]
    Held {
        /// The run.
        run: String,
        /// Who holds it.
        holder: Option<String>,
    },
    /// The coordinator was about to store what would break a law of the machine.
    #[error("go on with run {run}: what was to be stored next would be untrue: {broken}; this is a bug")]
    Bug {
        /// The run.
        run: String,
        /// The law.
        broken: Broken,
    },
    /// The coordinator acted on another state than the journal gives.
    #[error("go on with run {run}: up to event {seq} its journal gives another state than the one that was acted on")]
    Untrue {
        /// The run.
        run: String,
        /// The event.
        seq: u64,
    },
    /// The coordinator could store no more.
    #[error("go on with run {run}: {why}")]
    Lost {
        /// The run.
        run: String,
        /// What the journal said.
        why: String,
    },
    /// A run's journal does not begin with its opening.
    #[error("read run {run}: its journal holds no opening")]
    Unopened {
        /// The run.
        run: String,
    },
}
