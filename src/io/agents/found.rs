//! Owns where an agent's program lies on this machine and what of the machine it needs to be seen to run. Runs nothing.

use std::path::{Path, PathBuf};

use super::agent::AgentError;

/// Names a program on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The file itself, reached by no link.
    pub(super) program: PathBuf,
    /// What must be seen beside the folders of `PATH` for it to run.
    pub(super) read: Vec<PathBuf>,
}

/// Says where programs are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    path: String,
    home: Option<PathBuf>,
}

impl Programs {
    /// Takes a value of `PATH`, and the user's home, which is never shown as a whole.
    pub fn new(path: Option<String>, home: Option<PathBuf>) -> Self {
        Self { path: path.unwrap_or_default(), home: home.map(|home| home.canonicalize().unwrap_or(home)) }
    }

    /// Finds a program by its name; nothing where `PATH` leads to none.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
        let named = std::env::split_paths(&self.path).filter(|folder| folder.is_absolute()).map(|it| it.join(name));
        self.at(&named.into_iter().find(|file| is_program(file))?)
    }

    /// Finds a program by its name.
    ///
    /// # Errors
    /// Where `PATH` leads to none; says how it is got.
    pub(super) fn get(&self, name: &str, how: &str) -> Result<Found, AgentError> {
        let missing = || AgentError::NotInstalled { program: name.to_owned(), how: how.to_owned() };
        self.find(name).ok_or_else(missing)
    }

    /// Looks at the program that a path names; nothing where it is none.
    pub(super) fn at(&self, file: &Path) -> Option<Found> {
        let program = file.canonicalize().ok().filter(|file| is_program(file))?;
        let read = vec![self.installation(&program)];
        Some(Found { program, read })
    }

    /// Gives the least that shows all of a program's installation: the folder that its npm package lies in with those
    /// that it needs, else its own folder, else only itself.
    fn installation(&self, program: &Path) -> PathBuf {
        let is_home = |folder: &Path| self.home.as_deref().is_some_and(|home| home.starts_with(folder));
        let modules = program.ancestors().filter(|folder| folder.ends_with("node_modules")).last();
        let folder = modules.or(program.parent()).filter(|folder| folder.parent().is_some() && !is_home(folder));
        folder.unwrap_or(program).to_owned()
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Writes a text as one word of a line for `sh`.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
pub(super) mod testing {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// Makes a program that says nothing.
    pub(in crate::io::agents) fn program(file: &Path, text: &str) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::testing::program;
    use super::*;

    #[test]
    fn an_npm_package_is_shown_with_those_that_lie_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().canonicalize().unwrap().join(name);
        let deep = at("tools/node_modules/@a/cli/node_modules/b/bin/cli.js");
        program(&deep, "#!/bin/sh\n");
        std::fs::create_dir_all(at("tools/node_modules/.bin")).unwrap();
        std::os::unix::fs::symlink(&deep, at("tools/node_modules/.bin/cli")).unwrap();
        let path = format!("relative:{}:{}", at("none").display(), at("tools/node_modules/.bin").display());
        let found = Programs::new(Some(path), None).find("cli").unwrap();
        assert_eq!(found, Found { program: deep, read: vec![at("tools/node_modules")] });
    }

    #[test]
    fn the_home_itself_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        let programs = Programs::new(Some(home.display().to_string()), Some(home.clone()));
        program(&home.join("cli"), "");
        program(&home.join("bin/other"), "");
        std::fs::write(home.join("text"), "").unwrap();
        assert_eq!(programs.find("cli").unwrap().read, [home.join("cli")]);
        assert_eq!(programs.at(&home.join("bin/other")).unwrap().read, [home.join("bin")]);
        assert_eq!((programs.find("text"), programs.find("bin"), programs.find("gone")), (None, None, None));
        let error = programs.get("gone", "ask somebody").unwrap_err();
        assert_eq!(error.to_string(), "find the program `gone` in PATH: ask somebody");
    }

    #[test]
    fn the_shell_reads_a_quoted_text_as_it_was() {
        for text in ["plain/text-1", "", "it's", "a b", "$(x)`y`\"\\", "-n"] {
            let said = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(text))).output();
            if text != "-n" {
                assert_eq!(String::from_utf8(said.unwrap().stdout).unwrap(), text);
            }
        }
    }
}
