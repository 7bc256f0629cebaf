//! Owns the roles and prompts of a run: those built in, changed by the repository's `.artel/`, changed by the command
//! line. Never starts an agent, never renders a prompt.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::model::role::Role;
use crate::model::role_text::{self, Fault};
use crate::model::written::{SIZE_MAX, nearest};

const ROLES: [(&str, &str); 7] = [
    ("judge", include_str!("../../roles/judge.toml")),
    ("planner", include_str!("../../roles/planner.toml")),
    ("resolver", include_str!("../../roles/resolver.toml")),
    ("run-judge", include_str!("../../roles/run-judge.toml")),
    ("shard", include_str!("../../roles/shard.toml")),
    ("whole", include_str!("../../roles/whole.toml")),
    ("worker", include_str!("../../roles/worker.toml")),
];
const PROMPTS: [(&str, &str); 5] = [
    ("judge", include_str!("../../prompts/judge.md")),
    ("planner", include_str!("../../prompts/planner.md")),
    ("resolver", include_str!("../../prompts/resolver.md")),
    ("run-judge", include_str!("../../prompts/run-judge.md")),
    ("worker", include_str!("../../prompts/worker.md")),
];

/// Holds the roles and prompts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    roles: BTreeMap<String, Role>,
    prompts: BTreeMap<String, String>,
}

/// Holds a text that was refused, with what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file's path as a person knows it, or the argument's name.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// All that is wrong with it.
    pub faults: Vec<Fault>,
}

/// Says why the roles could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    /// A file or folder could not be read.
    #[error("read `{}`", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Files or settings are wrong; all of them are listed.
    #[error("read the roles: {} of their files or settings are wrong", .0.len())]
    Refused(Vec<Refused>),
}

impl Roles {
    /// Reads the roles: those built in, over them `roles/*.toml` and `prompts/*.md` of a folder, over them settings
    /// `ROLE.FIELD=VALUE`. A folder that is not there changes nothing.
    ///
    /// # Errors
    /// When a file cannot be read, or with all that is wrong with the files and settings.
    pub fn load(folder: Option<&Path>, settings: &[String]) -> Result<Self, RolesError> {
        let mut files = BTreeMap::new();
        if let Some(folder) = folder {
            texts(folder, "roles", "toml", &mut files)?;
            texts(folder, "prompts", "md", &mut files)?;
        }
        Self::of(&files, settings)
    }

    /// Reads the roles from texts by their path within `.artel/`, such as `roles/worker.toml`.
    ///
    /// # Errors
    /// All that is wrong with the texts and settings.
    pub fn of(files: &BTreeMap<String, String>, settings: &[String]) -> Result<Self, RolesError> {
        let mut refused = Vec::new();
        let mut roles = BTreeMap::new();
        let mut prompts: BTreeMap<String, String> =
            PROMPTS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        for (name, text) in ROLES {
            keep(&mut roles, name, role_text::read_new(name, text), name, text, &mut refused);
        }
        for (path, text) in files {
            let shown = format!(".artel/{path}");
            if let Some(name) = path.strip_prefix("roles/").and_then(|file| file.strip_suffix(".toml")) {
                let role = match roles.get(name) {
                    Some(before) => role_text::read_over(before, text),
                    None => role_text::read_new(name, text),
                };
                keep(&mut roles, name, role, &shown, text, &mut refused);
            } else if let Some(name) = path.strip_prefix("prompts/").and_then(|file| file.strip_suffix(".md")) {
                prompts.insert(name.to_owned(), text.clone());
            }
        }
        for setting in settings {
            let role = role_text::role_of_setting(setting).and_then(|name| match roles.get(name) {
                Some(before) => role_text::set(before, setting),
                None => Err(vec![no_such_role(name, &roles)]),
            });
            let name = setting.split('.').next().unwrap_or_default().trim().to_owned();
            keep(&mut roles, &name, role, "--role", setting, &mut refused);
        }
        let all = Self { roles, prompts };
        if !refused.is_empty() {
            return Err(RolesError::Refused(refused));
        }
        all.with_its_prompts()
    }

    /// Gives a role by its name.
    pub fn get(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Finds the role that a misspelt name probably meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.roles.keys().map(String::as_str))
    }

    /// Lists the roles by name.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// Gives the template of a role's prompt; nothing for a judge that is shown none.
    pub fn prompt(&self, role: &Role) -> Option<&str> {
        self.prompts.get(&role.prompt).map(String::as_str)
    }

    /// Refuses a role that names a prompt that is not there.
    fn with_its_prompts(self) -> Result<Self, RolesError> {
        let mut refused = Vec::new();
        for role in self.roles.values().filter(|role| !self.prompts.contains_key(&role.prompt)) {
            let text = format!("prompt = {:?}", role.prompt);
            let known: Vec<&str> = self.prompts.keys().map(String::as_str).collect();
            let fault = Fault {
                at: 0..text.len(),
                what: "there is no prompt of this name".to_owned(),
                help: Some(format!("known are {}; `.artel/prompts/NAME.md` adds one", known.join(", "))),
            };
            refused.push(Refused { name: format!("role {}", role.name), text, faults: vec![fault] });
        }
        if refused.is_empty() { Ok(self) } else { Err(RolesError::Refused(refused)) }
    }
}

fn keep(
    roles: &mut BTreeMap<String, Role>,
    name: &str,
    read: Result<Role, Vec<Fault>>,
    shown: &str,
    text: &str,
    refused: &mut Vec<Refused>,
) {
    match read {
        Ok(role) => {
            roles.insert(name.to_owned(), role);
        }
        Err(faults) => refused.push(Refused { name: shown.to_owned(), text: text.to_owned(), faults }),
    }
}

fn no_such_role(name: &str, roles: &BTreeMap<String, Role>) -> Fault {
    let help = match nearest(name, roles.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known are {}", roles.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    Fault { at: 0..name.len(), what: "there is no role of this name".to_owned(), help: Some(help) }
}

/// Reads the regular files of one folder that have one ending.
fn texts(root: &Path, folder: &str, ending: &str, into: &mut BTreeMap<String, String>) -> Result<(), RolesError> {
    let path = root.join(folder);
    let unreadable = |path: &Path, source| RolesError::Unreadable { path: path.to_owned(), source };
    let entries = match std::fs::read_dir(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| unreadable(&path, error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&path, error))?;
        let path = entry.path();
        let is_file = entry.file_type().map_err(|error| unreadable(&path, error))?.is_file();
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_file && name.ends_with(&format!(".{ending}"))) else {
            continue;
        };
        let text = bounded(&path).map_err(|error| unreadable(&path, error))?;
        into.insert(format!("{folder}/{name}"), text);
    }
    Ok(())
}

/// Reads a text that is at most one byte longer than the bound, so that a longer one is refused by its reader.
fn bounded(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(SIZE_MAX as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::AgentRef;
    use crate::model::role::Part;

    fn refused(files: &[(&str, &str)], settings: &[&str]) -> Vec<Refused> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
        match Roles::of(&files, &settings).unwrap_err() {
            RolesError::Refused(refused) => refused,
            RolesError::Unreadable { path, .. } => panic!("{}", path.display()),
        }
    }

    #[test]
    fn what_is_built_in_is_sound() {
        let roles = Roles::load(None, &[]).unwrap();
        let parts: Vec<(&str, Part)> = roles.iter().map(|role| (role.name.as_str(), role.part)).collect();
        assert_eq!(
            parts,
            [
                ("judge", Part::Judge),
                ("planner", Part::Planner),
                ("resolver", Part::Worker),
                ("run-judge", Part::Judge),
                ("shard", Part::Planner),
                ("whole", Part::Planner),
                ("worker", Part::Worker)
            ]
        );
        assert!(roles.get("worker").unwrap().mechanical);
        assert!(roles.iter().all(|role| roles.prompt(role).is_some()));
    }

    #[test]
    fn a_setting_is_stronger_than_the_repository_and_that_than_what_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("roles")).unwrap();
        std::fs::create_dir_all(folder.path().join("prompts")).unwrap();
        std::fs::write(folder.path().join("roles/worker.toml"), "[limits]\nwall_s = 7\nidle_s = 8\n").unwrap();
        std::fs::write(folder.path().join("roles/README"), "not a role").unwrap();
        std::fs::write(folder.path().join("prompts/worker.md"), "own").unwrap();
        let settings = ["worker.limits.idle_s=9".to_owned(), "worker.agents=codemod,command:./fix.sh".to_owned()];
        let roles = Roles::load(Some(folder.path()), &settings).unwrap();
        let worker = roles.get("worker").unwrap();
        assert_eq!((worker.limits.wall_s, worker.limits.idle_s), (7, 9));
        assert_eq!(worker.agents, [AgentRef::Codemod, AgentRef::Command("./fix.sh".into())]);
        assert!(worker.mechanical);
        assert_eq!(roles.prompt(worker), Some("own"));
    }

    #[test]
    fn a_folder_that_is_not_there_changes_nothing() {
        let absent = Path::new("/nowhere/.artel");
        assert_eq!(Roles::load(Some(absent), &[]).unwrap(), Roles::load(None, &[]).unwrap());
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let found = refused(
            &[("roles/worker.toml", "agnets = []"), ("roles/fixer.toml", "about = 'x'")],
            &["wroker.prompt=x", "judge.agents=shard"],
        );
        let names: Vec<&str> = found.iter().map(|refused| refused.name.as_str()).collect();
        assert_eq!(names, [".artel/roles/fixer.toml", ".artel/roles/worker.toml", "--role", "--role"]);
        assert_eq!(found[2].faults[0].help.as_deref(), Some("did you mean `worker`?"));
    }

    #[test]
    fn a_prompt_that_is_not_there_is_refused() {
        assert_eq!(refused(&[], &["worker.prompt=poem"])[0].faults[0].what, "there is no prompt of this name");
    }
}
