//! Owns what is given to builds of each language: where its tools and its store of packages lie. One table; never a
//! file that holds a credential.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Describes what the tools of one language need.
struct Toolchain {
    name: &'static str,
    roots: &'static [Root],
}

/// Describes a folder of a toolchain.
#[derive(Debug, PartialEq, Eq)]
struct Root {
    /// The variable that names it, where there is one.
    variable: &'static str,
    /// Where it lies below the user's home otherwise.
    below_home: &'static str,
    /// What of it may be read; the folder itself is then empty and the job's own, because its tools write there. A name
    /// that ends with `*` stands for all that begin so.
    parts: &'static [&'static str],
}

/// Where Maven keeps what it needs.
const MAVEN: &str = ".m2";

/// All of a root may be read, and none of it be written.
const WHOLE: &[&str] = &[];

const fn root(variable: &'static str, below_home: &'static str, parts: &'static [&'static str]) -> Root {
    Root { variable, below_home, parts }
}

static TOOLCHAINS: [Toolchain; 5] = [
    Toolchain {
        name: "cargo",
        roots: &[
            root("CARGO_HOME", ".cargo", &["bin", "registry", "git", "config", "config.toml", "env"]),
            root("RUSTUP_HOME", ".rustup", WHOLE),
        ],
    },
    Toolchain {
        name: "npm",
        roots: &[
            root("", ".npm", &["_cacache/content-v2", "_cacache/index-v5"]),
            root("NVM_DIR", ".nvm", WHOLE),
            root("VOLTA_HOME", ".volta", &["bin", "tools"]),
            root("", ".local/share/fnm", WHOLE),
            root("", ".local/share/pnpm", WHOLE),
            root("", ".cache/yarn", WHOLE),
        ],
    },
    Toolchain {
        name: "python",
        roots: &[
            root("PYENV_ROOT", ".pyenv", WHOLE),
            root("", ".local/lib", WHOLE),
            root("", ".local/share/uv", &["python", "tools"]),
            root("", ".local/share/pipx", WHOLE),
            root("", ".cache/pip", WHOLE),
            // Beside what it builds itself, which lies in more folders, and is built and locked there again.
            root("UV_CACHE_DIR", ".cache/uv", &["archive-v*", "simple-v*", "wheels-v*"]),
        ],
    },
    Toolchain { name: "go", roots: &[root("GOPATH", "go", &["bin", "pkg/mod"]), root("GOROOT", ".go", WHOLE)] },
    Toolchain {
        name: "jvm",
        roots: &[
            root("JAVA_HOME", ".jdk", WHOLE),
            root("SDKMAN_DIR", ".sdkman", &["candidates"]),
            root("", MAVEN, &["repository"]),
        ],
    },
];

/// Names the toolchains that can be granted.
pub const TOOLCHAIN_NAMES: [&str; 5] = ["cargo", "npm", "python", "go", "jvm"];

/// Where people keep what nobody else may have, below their home.
const SECRETS: [&str; 30] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".pgpass",
    ".git-credentials",
    ".password-store",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gradle/gradle.properties",
    ".config/gh",
    ".config/git",
    ".config/gcloud",
    ".config/pip",
    ".config/pypoetry",
    ".config/uv",
    ".config/containers",
    ".local/share/keyrings",
    ".mozilla",
    ".claude",
    ".codex",
    ".gemini",
];

/// Folders of the machine itself, which no grant shows.
const MACHINE: [&str; 6] = ["/proc", "/sys", "/dev", "/run", "/var/run", "/boot"];

/// Lists what was found of the toolchains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolchains {
    /// What may be read.
    pub read: Vec<PathBuf>,
    /// What is empty and the job's own.
    pub empty: Vec<PathBuf>,
    /// Variables that name the folders, also where the home is another.
    pub env: BTreeMap<String, String>,
    /// Links that lead from the job's home to what may be read, where it is not the user's.
    pub links: Vec<(PathBuf, PathBuf)>,
    roots: Vec<Found>,
}

/// Describes a folder of a toolchain that this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    root: &'static Root,
    place: PathBuf,
    parts: Vec<String>,
}

impl Toolchains {
    /// Looks which of the wanted toolchains this machine has; without a wish, all.
    pub fn look(env: &BTreeMap<String, String>, wanted: Option<&BTreeSet<String>>) -> Self {
        let mut found = Self::default();
        let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted.contains(name));
        for root in TOOLCHAINS.iter().filter(|one| is_wanted(one.name)).flat_map(|one| one.roots) {
            found.take(env, root);
        }
        if let Some(home) = env.get("HOME") {
            found.tell_maven(Path::new(home));
        }
        found
    }

    fn take(&mut self, env: &BTreeMap<String, String>, root: &'static Root) {
        let named = env.get(root.variable).map(PathBuf::from);
        let Some(place) = named.or_else(|| Some(Path::new(env.get("HOME")?).join(root.below_home))) else { return };
        if !place.is_absolute() || !place.is_dir() {
            return;
        }
        if !root.variable.is_empty() {
            self.env.insert(root.variable.to_owned(), place.to_string_lossy().into_owned());
        }
        let parts = present(root.parts, &place);
        if root.parts.is_empty() {
            self.read.push(place.clone());
        } else {
            self.read.extend(parts.iter().map(|part| place.join(part)));
            self.empty.push(place.clone());
        }
        self.roots.push(Found { root, place, parts });
    }

    /// Has tools find their folders in another home, where nothing can be laid over the user's: what may be read by
    /// links, and beside them what they may write.
    pub fn move_to(&mut self, home: &Path) {
        for Found { root, place, parts } in &self.roots {
            let moved = home.join(root.below_home);
            if root.parts.is_empty() {
                self.links.push((moved, place.clone()));
                continue;
            }
            self.links.extend(parts.iter().map(|part| (moved.join(part), place.join(part))));
            if !root.variable.is_empty() {
                self.env.insert(root.variable.to_owned(), moved.to_string_lossy().into_owned());
            }
        }
        self.tell_maven(home);
    }

    /// Names the home to Maven, which else takes it from the list of users: it stops where it finds settings there that
    /// it may not read.
    fn tell_maven(&mut self, home: &Path) {
        let has_maven = self.roots.iter().any(|found| found.root.below_home == MAVEN);
        // The words of the variable are divided at spaces, whatever they are quoted with.
        if let Some(home) = home.to_str().filter(|home| has_maven && !home.contains(char::is_whitespace)) {
            self.env.insert("MAVEN_OPTS".to_owned(), format!("-Duser.home={home}"));
        }
    }
}

/// Lists which of some parts a folder has.
fn present(parts: &[&str], place: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for part in parts {
        match part.strip_suffix('*') {
            Some(start) => {
                let names = std::fs::read_dir(place).into_iter().flatten().flatten();
                let names = names.filter_map(|entry| entry.file_name().into_string().ok());
                found.extend(names.filter(|name| name.starts_with(start)));
            }
            None if place.join(part).exists() => found.push((*part).to_owned()),
            None => {}
        }
    }
    found.sort();
    found
}

/// Says why a path is shown to no job: because it is, lies in, or holds something that nobody else may have. `own` is
/// where artel keeps its state.
pub fn why_hidden(path: &Path, home: Option<&Path>, own: &Path) -> Option<String> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if !path.is_absolute() {
        return Some("it is not absolute".to_owned());
    }
    let secrets = home.into_iter().flat_map(|home| {
        let home = home.canonicalize().unwrap_or_else(|_| home.to_path_buf());
        SECRETS.iter().map(move |secret| home.join(secret))
    });
    let machine = MACHINE.iter().map(PathBuf::from);
    let meets = |hidden: &PathBuf| path.starts_with(hidden) || hidden.starts_with(&path);
    let met = secrets.chain(machine).chain([own.to_path_buf()]).find(meets)?;
    Some(format!("it would show {}", met.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_table() {
        assert!(TOOLCHAINS.iter().map(|one| one.name).eq(TOOLCHAIN_NAMES));
    }

    #[test]
    fn no_toolchain_shows_a_credential() {
        for root in TOOLCHAINS.iter().flat_map(|one| one.roots) {
            let place = Path::new(root.below_home);
            let shown = |part: &&str| place.join(part);
            let parts: Vec<PathBuf> =
                if root.parts.is_empty() { vec![place.to_path_buf()] } else { root.parts.iter().map(shown).collect() };
            for (part, secret) in parts.iter().flat_map(|part| SECRETS.map(|secret| (part, Path::new(secret)))) {
                assert!(!part.starts_with(secret) && !secret.starts_with(part), "{part:?} meets {secret:?}");
            }
        }
    }

    #[test]
    fn a_toolchain_is_found_where_its_variable_says_and_only_where_it_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["home/.cargo/bin", "other/pkg/mod", "home/.pyenv"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("home/.cargo/credentials.toml"), "secret").unwrap();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let env = [("HOME", text(at("home"))), ("GOPATH", text(at("other")))];
        let env: BTreeMap<String, String> = env.map(|(name, value)| (name.to_owned(), value)).into();
        let all = Toolchains::look(&env, None);
        assert_eq!(all.read, [at("home/.cargo/bin"), at("home/.pyenv"), at("other/pkg/mod")]);
        assert_eq!(all.empty, [at("home/.cargo"), at("other")]);
        assert_eq!(all.env["CARGO_HOME"], text(at("home/.cargo")));
        let mut go = Toolchains::look(&env, Some(&["go".to_owned()].into()));
        assert_eq!(go.read, [at("other/pkg/mod")]);
        go.move_to(&at("tmp"));
        assert_eq!(go.links, [(at("tmp/go/pkg/mod"), at("other/pkg/mod"))]);
        assert_eq!(go.env["GOPATH"], text(at("tmp/go")));
        assert!(!go.env.contains_key("MAVEN_OPTS"));
    }

    #[test]
    fn maven_is_told_of_the_jobs_home() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(".m2/repository")).unwrap();
        let env = [("HOME".to_owned(), dir.path().to_string_lossy().into_owned())].into();
        let mut found = Toolchains::look(&env, None);
        assert_eq!(found.env["MAVEN_OPTS"], format!("-Duser.home={}", dir.path().display()));
        found.move_to(Path::new("/desk/tmp"));
        assert_eq!(found.env["MAVEN_OPTS"], "-Duser.home=/desk/tmp");
    }

    #[test]
    fn a_part_may_stand_for_all_that_begin_so() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [".cache/uv/wheels-v5", ".cache/uv/wheels-v6", ".cache/uv/builds-v0"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let env = [("HOME".to_owned(), dir.path().to_string_lossy().into_owned())].into();
        let read = Toolchains::look(&env, None).read;
        assert_eq!(read, ["wheels-v5", "wheels-v6"].map(|part| dir.path().join(".cache/uv").join(part)));
    }

    #[test]
    fn what_is_or_holds_or_lies_in_a_secret_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        let state = home.join("state");
        let hidden = |path: &Path| why_hidden(path, Some(&home), &state).is_some();
        for path in ["", ".ssh", ".ssh/id", ".config", ".cargo", "state/runs"] {
            assert!(hidden(&home.join(path)), "{path:?}");
        }
        for path in ["/", "/run/docker.sock", "/proc/1", "relative"] {
            assert!(hidden(Path::new(path)), "{path:?}");
        }
        std::os::unix::fs::symlink(home.join(".."), home.join("link")).unwrap();
        assert!(hidden(&home.join("link")));
        for path in ["bin", ".cargo/bin", "src"] {
            assert!(!hidden(&home.join(path)), "{path:?}");
        }
    }
}
