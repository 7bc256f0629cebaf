//! Owns what every story needs: a house with a repository, a state directory of its own and the real binary, all
//! below one temporary folder. Never touches anything outside it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::read::MultiGzDecoder;

/// Holds a repository, a state directory and a clean environment.
pub struct House {
    dir: tempfile::TempDir,
    is_open: AtomicBool,
}

/// Reads a file, and what is packed as it was before; of what cannot be read, as much as can.
pub fn unpacked(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_default();
    if path.extension().is_none_or(|it| it != "gz") {
        return bytes;
    }
    let mut unpacked = Vec::new();
    // Of one that is written at this moment, the end is not there yet.
    let _ = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked);
    unpacked
}

/// What a verb printed and how it exited.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Asserts the exit code and gives what was printed; shows everything where it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Asserts that a text was printed, on either stream.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let found = self.out.contains(text) || self.err.contains(text);
        assert!(found, "no `{text}` in\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Reads standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {}\n{}", self.out, self.err))
    }

    /// Reads standard output as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

impl House {
    /// Builds a house whose repository holds these files in one commit on `main`.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let house = Self { dir: tempfile::tempdir().unwrap(), is_open: AtomicBool::new(false) };
        fs::create_dir_all(house.repo()).unwrap();
        house.git(&["init", "--quiet", "--initial-branch=main"]);
        for (path, text) in files {
            house.write(path, text);
        }
        house.commit("base");
        house
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn repo(&self) -> PathBuf {
        self.root().join("repo")
    }

    /// The state directory that artel is given.
    pub fn home(&self) -> PathBuf {
        self.root().join("state")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.repo().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Has runs held in no sandbox from now on: for stories in which agents and the story meet in files outside.
    pub fn in_the_open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    fn env(&self) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> = ["PATH", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "PYENV_ROOT"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect();
        // The toolchain lies below the home of whoever runs the tests, which the house replaces.
        let below = |name: &str| Some(PathBuf::from(std::env::var_os("HOME")?).join(name).to_str()?.to_owned());
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv")] {
            if !env.contains_key(name)
                && let Some(path) = below(folder)
            {
                env.insert(name.to_owned(), path);
            }
        }
        for (name, value) in [
            ("HOME", self.root().to_string_lossy().into_owned()),
            ("ARTEL_HOME", self.home().to_string_lossy().into_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_AUTHOR_NAME", "A Person".to_owned()),
            ("GIT_AUTHOR_EMAIL", "person@example.invalid".to_owned()),
            ("GIT_COMMITTER_NAME", "A Person".to_owned()),
            ("GIT_COMMITTER_EMAIL", "person@example.invalid".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
        ] {
            env.insert(name.to_owned(), value);
        }
        if self.is_open.load(Ordering::Relaxed) {
            env.insert("ARTEL_SANDBOX".to_owned(), "none".to_owned());
        }
        env
    }

    /// Runs git in the repository and gives its trimmed output; asserts that it went well.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let out = self.try_git(args);
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    pub fn try_git(&self, args: &[&str]) -> Output {
        Command::new("git").current_dir(self.repo()).env_clear().envs(self.env()).args(args).output().unwrap()
    }

    /// Prepares the real binary, started in the repository.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_artel"));
        command.current_dir(self.repo()).env_clear().envs(self.env()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs the real binary in the repository to its end.
    pub fn artel(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().unwrap())
    }

    /// Starts the real binary in the repository; its output goes to files below the house.
    pub fn start(&self, args: &[&str]) -> Child {
        self.start_in(args, &[])
    }

    /// Starts the real binary with more of an environment.
    pub fn start_in(&self, args: &[&str], env: &[(&str, &str)]) -> Child {
        let log = fs::File::create(self.root().join("started.log")).unwrap();
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    /// Gives the newest run's board.
    #[track_caller]
    pub fn board(&self) -> serde_json::Value {
        self.artel(&["status", "--json"]).json()
    }

    /// Gives the newest run's events, in order.
    #[track_caller]
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.artel(&["log", "--json"]).json_lines()
    }

    /// Gives the id of the newest run.
    #[track_caller]
    pub fn run(&self) -> String {
        self.artel(&["list", "--json"]).json()[0]["run"].as_str().unwrap().to_owned()
    }

    /// Gives the commit of the newest run's branch.
    #[track_caller]
    pub fn head(&self) -> String {
        self.git(&["rev-parse", &format!("refs/heads/artel/{}/main", self.run())])
    }

    /// Reads a file as it stands on the newest run's branch.
    #[track_caller]
    pub fn landed(&self, path: &str) -> String {
        self.git(&["show", &format!("{}:{path}", self.head())])
    }

    /// Looks until something holds, a bounded number of times; for what another process does.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..600 {
            if holds() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.root().join("started.log")).unwrap_or_default();
        panic!("it never came that {what}\n{log}");
    }
}

pub fn said(output: &Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A rule that renames a Python function, for stories that need any rule.
pub const RENAME: &str = "id: rename\nlanguage: python\nrule: { pattern: old($A) }\nfix: new($A)\n";

/// A goal for [`RENAME`]; `more` is added to its front matter.
pub fn rename_goal(more: &str) -> String {
    format!(
        "---\nname: rename old to new\ndone:\n  - name: no old is left\n    query: {{ rule: rename.yml }}\n{more}---\nRename `old` to `new`.\n"
    )
}

impl House {
    /// Gives what the newest run's events of one kind tell, in order, each with its number under `seq`.
    #[track_caller]
    pub fn told(&self, kind: &str) -> Vec<serde_json::Value> {
        let of_kind = self.events().into_iter().filter(|event| event["kind"] == kind);
        of_kind
            .map(|event| {
                let mut told = event["event"][kind].clone();
                if let Some(fields) = told.as_object_mut() {
                    fields.insert("seq".to_owned(), event["seq"].clone());
                }
                told
            })
            .collect()
    }

    /// Gives the tasks that the newest run's planners have handed out, by key: their paths, and what they wait for.
    #[track_caller]
    pub fn handed_out(&self) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
        let emitted = self.told("TasksEmitted");
        let tasks = emitted.iter().flat_map(|told| texts_of(&told["tasks"], |task| task.clone()));
        tasks.map(|task| (task["draft"]["key"].as_str().unwrap().to_owned(), paths_of(&task["draft"]))).collect()
    }
}

fn texts_of<T>(list: &serde_json::Value, read: impl Fn(&serde_json::Value) -> T) -> Vec<T> {
    list.as_array().into_iter().flatten().map(read).collect()
}

fn paths_of(draft: &serde_json::Value) -> (Vec<String>, Vec<String>) {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut paths = texts_of(&draft["paths"]["folders"], text);
    paths.extend(texts_of(&draft["paths"]["files"], text));
    (paths, texts_of(&draft["after"], text))
}
