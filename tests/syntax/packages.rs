//! Owns the published packages that tests migrate, fetched once, through cargo and pip, into `target/trees`, and what
//! their tests need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use artel::ui::cli::demo;

use super::ast_grep::{Tree, read};

/// Held while something is fetched: packages are shared by the tests of this process.
static FETCH: Mutex<()> = Mutex::new(());

pub fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name)
}

/// Makes a folder in one step, so that a run that was stopped half-way leaves nothing that looks whole.
pub fn once(folder: &Path, make: impl FnOnce(&Path)) {
    let _held = FETCH.lock().unwrap();
    if folder.exists() {
        return;
    }
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let making = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    let whole = making.path().join("whole");
    make(&whole);
    // Another process may have been faster; its folder is as good.
    if fs::rename(&whole, folder).is_err() {
        assert!(folder.exists());
    }
}

/// Gives the published Rust crate of the demo, ready for `cargo test --offline`.
pub fn rust_crate() -> Tree {
    let folder = target("trees").join(format!("{}-{}", demo::CRATE, demo::VERSION));
    once(&folder, |into| {
        demo::fetch_crate(demo::CRATE, demo::VERSION, into).unwrap_or_else(|error| panic!("{error}"));
    });
    read(&folder)
}

/// Gives the published Python package, with its tests.
pub fn python_package() -> Tree {
    let folder = target("trees/Markdown-3.1.1");
    once(&folder, |into| {
        fs::create_dir_all(into).unwrap();
        let sdist = into.with_extension("sdist");
        run(
            Path::new("."),
            "python3",
            &[
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--no-binary",
                ":all:",
                "-d",
                sdist.to_str().unwrap(),
                "markdown==3.1.1",
            ],
        );
        let archive = fs::read_dir(&sdist).unwrap().next().unwrap().unwrap().path();
        run(into, "tar", &["--no-same-owner", "--strip-components=1", "-xzf", archive.to_str().unwrap()]);
    });
    read(&folder)
}

/// Gives a Python that has what the package's tests need and nothing else.
pub fn python() -> PathBuf {
    let folder = target("tools/python");
    once(&folder, |into| {
        run(Path::new("."), "python3", &["-m", "venv", into.to_str().unwrap()]);
        let python = into.join("bin/python");
        run(
            Path::new("."),
            python.to_str().unwrap(),
            &["-m", "pip", "install", "-q", "setuptools==65.5.0", "PyYAML==6.0.3"],
        );
    });
    folder.join("bin/python")
}

/// Runs a program that must do well and gives what it said.
pub fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target("trees/build"));
    command.env("RUSTFLAGS", "--cap-lints allow").env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{program} starts: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}
