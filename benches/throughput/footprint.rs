//! Owns the measuring of what artel itself weighs: its binary, the crates that it is made of, the time to build it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::Size;
use super::figure::{Goal, cost, figure};
use super::ground::folder;

/// Tells the size of the binary and the number of crates in it.
pub fn footprints(_: Size) {
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_artel")).expect("the binary is there");
    figure("binary", binary.len() as f64 / f64::from(1 << 20), "MiB", Goal::Most(40.0));
    let tree = cargo(&["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(" (").next()).collect();
    figure("crates", crates.len() as f64, "crates", Goal::None);
}

/// Builds the release binary from nothing, and tells how long that takes.
pub fn build(_: Size) {
    let target = folder();
    let ((), cost) = cost(|| drop(cargo(&["build", "--release", "--target-dir", &target.to_string_lossy()])));
    figure("clean_release_build_wall", cost.wall_s, "s", Goal::Most(360.0));
    figure("clean_release_build_cpu", cost.cpu_s, "s", Goal::None);
}

/// Runs cargo on this package without asking any registry; gives what it prints.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(Path::new(&cargo));
    command.args(arguments).args(["--locked", "--offline", "--manifest-path"]);
    let made = command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).output().expect("cargo runs");
    assert!(made.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("cargo speaks UTF-8")
}
