//! Owns the measuring of whole runs: artel's ring, and the plain script that does the same edits.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use artel::app::{OpenOptions, Place, host, open_run};
use artel::model::sandbox::Tier;

use super::figure::{Cost, cost};
use super::ground::{Lab, tasks, write_goal};

/// Does to a task's file what the script does.
pub const STUB: &str = r#"command:read -r f < "$ARTEL_PATHS"; echo "// done" >> "$f""#;

/// Rewrites in memory, by a rule.
pub const CODEMOD: &str = "codemod";

/// Has artel do so many tasks; tells what the run cost, from the goal file to the landed branch.
pub fn artel(files: usize, count: usize, workers: u32, agent: &str) -> Cost {
    let lab = Lab::new(files);
    let goal = write_goal(&lab, count, agent);
    let mut env: BTreeMap<String, String> = std::env::vars().collect();
    env.insert("ARTEL_HOME".to_owned(), lab.beside("state").to_string_lossy().into_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (hosted, cost) = cost(|| {
        let mut place = Place::open(env, lab.repo()).expect("a state directory");
        place.artel = env!("CARGO_BIN_EXE_artel").into();
        place.sandbox = Some(Tier::None);
        let options = OpenOptions { goal, workers: Some(workers), seed: Some(1), ..OpenOptions::default() };
        let (run, _) = open_run(&place, &options).expect("an open run");
        runtime.block_on(host(&place, &run)).expect("a hosted run")
    });
    let landed = hosted.state.tally.landed as usize;
    assert!(landed == count, "{landed} of {count} landed: {:?} {:?}", hosted.state.tally, hosted.state.rest);
    cost
}

/// Has the script do so many tasks.
pub fn plain(files: usize, count: usize, workers: u32) -> Cost {
    let lab = Lab::new(files);
    let mut list = String::new();
    for (name, file) in tasks(count) {
        let _ = writeln!(list, "{name} {file}");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plain.sh");
    let work = lab.beside("work");
    let (status, cost) = cost(|| {
        let mut command = Command::new("sh");
        command.arg(script).arg(lab.repo()).arg(&work).arg(workers.to_string()).stdin(Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        child.stdin.take().expect("a pipe").write_all(list.as_bytes()).expect("the tasks are told");
        child.wait().expect("the script ends")
    });
    let landed = lab.git(&["rev-list", "--count", "--merges", "run"]);
    assert!(status.success() && landed == count.to_string(), "the script landed {landed} of {count}");
    cost
}
