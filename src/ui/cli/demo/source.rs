//! Owns how a published crate's source becomes a folder that builds without a network. Never changes the source.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What cargo adds to a published source, which its authors did not write.
const ADDED_BY_CARGO: [&str; 4] = [".cargo-ok", ".cargo_vcs_info.json", "Cargo.toml.orig", "Cargo.lock"];
/// How much of cargo's words an error carries, in bytes.
const TAIL_MAX: usize = 2_000;

/// Says why a crate's source could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The folder holds something.
    #[error("fetch `{name}` into `{}`: the folder is not empty", into.display())]
    NotEmpty {
        /// The crate.
        name: String,
        /// The folder.
        into: PathBuf,
    },
    /// The name or version is none.
    #[error("fetch `{name}` {version}: this is no crate's name and version")]
    NotAName {
        /// What was asked for.
        name: String,
        /// What was asked for.
        version: String,
    },
    /// Cargo could not be started.
    #[error("run `cargo {verb}`")]
    Start {
        /// What cargo should have done.
        verb: String,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// The registry did not answer and the crate is not in cargo's cache.
    #[error("fetch `{name}` {version}: the registry cannot be reached")]
    Unreachable {
        /// The crate.
        name: String,
        /// The version.
        version: String,
        /// Cargo's last words.
        output: String,
    },
    /// Cargo answered with an error of another kind.
    #[error("fetch `{name}` {version}: `cargo {verb}` refused: {output}")]
    Refused {
        /// The crate.
        name: String,
        /// The version.
        version: String,
        /// What cargo should have done.
        verb: String,
        /// Cargo's last words.
        output: String,
    },
    /// A file could not be written.
    #[error("write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// Tells whether the machine has no way to the registry, so that the built-in sample is the thing to offer.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::NotEmpty { .. }
            | Self::NotAName { .. }
            | Self::Start { .. }
            | Self::Refused { .. }
            | Self::Write { .. } => false,
        }
    }
}

/// Copies the source of a published crate into a folder and gets what it needs to be built and tested, so that
/// `cargo test --offline` works there. The folder is made; its `Cargo.lock` is today's.
///
/// # Errors
/// Says what could not be fetched; `is_network` tells whether that is for want of a network.
pub fn fetch_crate(name: &str, version: &str, into: &Path) -> Result<(), FetchError> {
    Fetch { name, version, env: &[] }.run(into)
}

/// One crate that is being fetched.
struct Fetch<'a> {
    name: &'a str,
    version: &'a str,
    env: &'a [(&'a str, &'a str)],
}

impl Fetch<'_> {
    fn run(&self, into: &Path) -> Result<(), FetchError> {
        let sound = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
        };
        if !sound(self.name) || !sound(self.version) {
            return Err(FetchError::NotAName { name: self.name.to_owned(), version: self.version.to_owned() });
        }
        fs::create_dir_all(into).map_err(|source| write_error(into, source))?;
        let mut entries = fs::read_dir(into).map_err(|source| write_error(into, source))?;
        if entries.next().is_some() {
            return Err(FetchError::NotEmpty { name: self.name.to_owned(), into: into.to_owned() });
        }
        let scratch = into.join(".fetch");
        let found = self.locate(&scratch);
        fs::remove_dir_all(&scratch).map_err(|source| write_error(&scratch, source))?;
        copy(&found?, into)?;
        self.resolve(into)
    }

    /// Has cargo unpack the crate, by way of a package that needs it and nothing else, and tells where it lies.
    fn locate(&self, scratch: &Path) -> Result<PathBuf, FetchError> {
        let write = |path: PathBuf, text: &str| fs::write(&path, text).map_err(|source| write_error(&path, source));
        fs::create_dir_all(scratch.join("src")).map_err(|source| write_error(scratch, source))?;
        let manifest = format!(
            "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\n[workspace]\n[dependencies]\n{} = \"={}\"\n",
            self.name, self.version
        );
        write(scratch.join("Cargo.toml"), &manifest)?;
        write(scratch.join("src/lib.rs"), "")?;
        self.resolve(scratch)?;
        let output = self.cargo(scratch, &["metadata", "--format-version", "1", "--offline"])?;
        let manifest = serde_json::from_slice::<serde_json::Value>(&output.stdout).ok().and_then(|metadata| {
            let packages = metadata.get("packages")?.as_array()?;
            let ours = |package: &&serde_json::Value| {
                package["name"].as_str() == Some(self.name) && package["version"].as_str() == Some(self.version)
            };
            packages.iter().find(ours)?["manifest_path"].as_str().map(PathBuf::from)
        });
        let folder = manifest.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        folder.ok_or_else(|| self.refused("metadata", &output))
    }

    /// Fetches what a package needs: from cargo's cache where that will do, else from the registry.
    fn resolve(&self, folder: &Path) -> Result<(), FetchError> {
        if self.cargo(folder, &["fetch", "--offline"])?.status.success() {
            return Ok(());
        }
        let output = self.cargo(folder, &["fetch"])?;
        if output.status.success() { Ok(()) } else { Err(self.refused("fetch", &output)) }
    }

    fn cargo(&self, folder: &Path, arguments: &[&str]) -> Result<Output, FetchError> {
        Command::new("cargo")
            .args(arguments)
            .current_dir(folder)
            .env("CARGO_NET_RETRY", "1")
            .env("CARGO_HTTP_TIMEOUT", "20")
            .env("CARGO_TERM_COLOR", "never")
            .envs(self.env.iter().copied())
            .output()
            .map_err(|source| FetchError::Start { verb: arguments.join(" "), source })
    }

    fn refused(&self, verb: &str, output: &Output) -> FetchError {
        let text = String::from_utf8_lossy(&output.stderr);
        let mut from = text.len().saturating_sub(TAIL_MAX);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let (name, version, tail) = (self.name.to_owned(), self.version.to_owned(), text[from..].trim().to_owned());
        if is_network_fault(&text) {
            FetchError::Unreachable { name, version, output: tail }
        } else {
            FetchError::Refused { name, version, verb: verb.to_owned(), output: tail }
        }
    }
}

/// Tells from cargo's words whether the registry could not be reached.
fn is_network_fault(text: &str) -> bool {
    [
        "spurious network error",
        "failed to download",
        "download of ",
        "failed to query replaced source registry",
        "Could not resolve",
        "Couldn't connect",
        "failed to connect",
        "network failure",
        "timed out",
        // Cargo was told to stay offline, and its cache does not hold the crate.
        "using offline mode",
        "but --offline was specified",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// Copies the regular files of a folder, leaving out what cargo added.
fn copy(from: &Path, into: &Path) -> Result<(), FetchError> {
    let entries = fs::read_dir(from).map_err(|source| write_error(from, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| write_error(from, source))?;
        let name = entry.file_name();
        if ADDED_BY_CARGO.iter().any(|added| name == *added) {
            continue;
        }
        let (path, target) = (entry.path(), into.join(&name));
        let kind = entry.file_type().map_err(|source| write_error(&path, source))?;
        if kind.is_dir() {
            fs::create_dir_all(&target).map_err(|source| write_error(&target, source))?;
            copy(&path, &target)?;
        } else if kind.is_file() {
            let bytes = fs::read(&path).map_err(|source| write_error(&path, source))?;
            fs::write(&target, bytes).map_err(|source| write_error(&target, source))?;
        }
    }
    Ok(())
}

fn write_error(path: &Path, source: io::Error) -> FetchError {
    FetchError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_crate_name_is_refused_before_cargo_is_asked() {
        let into = tempfile::tempdir().unwrap();
        for (name, version) in [("a\"\nb", "1.0.0"), ("", "1.0.0"), ("a", "1\"")] {
            let error = fetch_crate(name, version, into.path()).unwrap_err();
            assert!(matches!(error, FetchError::NotAName { .. }), "{error}");
        }
    }

    #[test]
    fn a_folder_that_holds_something_is_refused_and_kept() {
        let into = tempfile::tempdir().unwrap();
        fs::write(into.path().join("mine"), "x").unwrap();
        let error = fetch_crate("itoa", "1.0.0", into.path()).unwrap_err();
        assert!(matches!(error, FetchError::NotEmpty { .. }), "{error}");
        assert!(into.path().join("mine").exists());
    }

    #[test]
    fn a_machine_without_a_network_is_told_so() {
        let (into, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let home = home.path().to_str().unwrap();
        let env = [("CARGO_HOME", home), ("CARGO_HTTP_PROXY", "http://127.0.0.1:1")];
        let error = Fetch { name: "itoa", version: "1.0.0", env: &env }.run(into.path()).unwrap_err();
        assert!(error.is_network(), "{error}");
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
    }
}
