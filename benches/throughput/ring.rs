//! Owns the measuring of whole runs: artel's ring, and the plain script that does the same edits.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use artel::app::{Hosted, OpenOptions, Place, host, open_run};
use artel::model::sandbox::Tier;

use super::Size;
use super::figure::{Cost, Goal, cost, figure, note};
use super::ground::{Lab, Spread, tasks, write_goal};

/// Does to a task's file what the script does.
const STUB: &str = r#"command:read -r f < "$ARTEL_PATHS"; echo "// done" >> "$f""#;

/// Rewrites in memory, by a rule.
const CODEMOD: &str = "codemod";

/// Compares whole runs with the script: on a small repository, with few and many tasks.
pub fn rings(size: Size) {
    note("artel's check is `true`, run on each candidate and each batch; its journal and objects are synced to disk");
    note("the script runs no check and syncs nothing");
    let sizes: &[(usize, u32)] = match size {
        Size::Quick => &[(20, 2)],
        Size::Full => &[(100, 2), (100, 16), (1000, 2), (1000, 16)],
    };
    for (count, workers) in sizes.iter().copied() {
        let script = plain(300, count, workers);
        let name = |what: &str| format!("{what}_n{count}_w{workers}");
        per_task(&name("script"), script, count);
        let goal = if (count, workers) == (1000, 2) { Goal::Most(0.5) } else { Goal::None };
        let stub = artel(300, count, workers, STUB, Tier::None);
        per_task(&name("artel"), stub, count);
        ratios(&name("artel_to_script"), stub, script, goal, goal);
        // The rule needs something to rewrite in every task's file, so that the repository may be larger.
        let codemod = artel(300.max(count), count, workers, CODEMOD, Tier::None);
        per_task(&name("codemod"), codemod, count);
        ratios(&name("codemod_to_script"), codemod, script, Goal::None, Goal::None);
        if workers == 2 {
            let sandboxed = artel(300, count, workers, STUB, Tier::Bubblewrap);
            per_task(&name("sandboxed"), sandboxed, count);
            let goal = if count == 1000 { Goal::Most(1.0) } else { Goal::None };
            ratios(&name("sandboxed_to_script"), sandboxed, script, goal, Goal::None);
        }
    }
}

/// Compares whole runs with the script on large repositories, where it does a share of the tasks: each costs it the
/// same.
pub fn large_repositories(size: Size) {
    let sizes: &[(usize, usize, usize, f64)] = match size {
        Size::Quick => &[(1000, 20, 10, 0.15)],
        Size::Full => &[(5_000, 200, 40, 0.15), (50_000, 50, 6, 0.05)],
    };
    // The script comes last: it removes as many files as it makes, and ext4 makes files several times slower in places
    // where many were removed within the last minutes.
    let stubs: Vec<Cost> = sizes.iter().map(|(files, count, ..)| artel(*files, *count, 2, STUB, Tier::None)).collect();
    for ((files, count, share, goal), stub) in sizes.iter().copied().zip(stubs) {
        let name = |what: &str| format!("{what}_n{count}_files{files}");
        let script = plain(files, share, 2).times(count as f64 / share as f64);
        note(&format!("the script's cost is that of {share} tasks, times {}", count as f64 / share as f64));
        per_task(&name("script"), script, count);
        per_task(&name("artel"), stub, count);
        ratios(&name("artel_to_script"), stub, script, Goal::Most(goal), Goal::None);
    }
}

/// Measures whether a task costs more in a long run than in a short one, in a repository that does not grow.
pub fn growth(size: Size) {
    let (short, long) = if size == Size::Quick { (20, 100) } else { (200, 10_000) };
    let cpu_per_task = |count: usize| {
        let lab = Lab::new(300);
        let goal = write_goal(&lab, count, &[STUB.to_owned()], Spread::Among(300));
        ring(&lab, goal, (count, 2), Tier::None).cpu_s / count as f64
    };
    let (of_short, of_long) = (cpu_per_task(short), cpu_per_task(long));
    figure(&format!("cpu_per_task_n{short}"), of_short * 1000.0, "ms", Goal::None);
    figure(&format!("cpu_per_task_n{long}"), of_long * 1000.0, "ms", Goal::None);
    figure("cpu_per_task_growth", of_long / of_short, "x", Goal::Most(1.25));
}

fn per_task(name: &str, cost: Cost, count: usize) {
    let per = |seconds: f64| seconds * 1000.0 / count as f64;
    figure(&format!("{name}_wall"), per(cost.wall_s), "ms/task", Goal::None);
    figure(&format!("{name}_cpu"), per(cost.cpu_s), "ms/task", Goal::None);
}

fn ratios(name: &str, ours: Cost, theirs: Cost, wall: Goal, cpu: Goal) {
    figure(&format!("{name}_wall"), ours.wall_s / theirs.wall_s, "x", wall);
    figure(&format!("{name}_cpu"), ours.cpu_s / theirs.cpu_s, "x", cpu);
}

/// Opens the state directory that lies beside a repository.
pub fn place(lab: &Lab) -> Place {
    let mut env: BTreeMap<String, String> = std::env::vars().collect();
    env.insert("ARTEL_HOME".to_owned(), lab.beside("state").to_string_lossy().into_owned());
    let mut place = Place::open(env, lab.repo()).expect("a state directory");
    place.artel = env!("CARGO_BIN_EXE_artel").into();
    place.sandbox = Some(Tier::None);
    place
}

/// Opens a run and works on it to its end.
pub fn work(place: &Place, goal: PathBuf, workers: u32) -> Hosted {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let options = OpenOptions { goal, workers: Some(workers), seed: Some(1), ..OpenOptions::default() };
    let (run, _) = open_run(place, &options).expect("an open run");
    runtime.block_on(host(place, &run)).expect("a hosted run")
}

/// Has artel do so many tasks; tells what the run cost, from the goal file to the landed branch.
fn artel(files: usize, count: usize, workers: u32, agent: &str, tier: Tier) -> Cost {
    let lab = Lab::new(files);
    let goal = write_goal(&lab, count, &[agent.to_owned()], Spread::OneAFile);
    ring(&lab, goal, (count, workers), tier)
}

/// Works on a goal of so many tasks; tells what the run cost.
fn ring(lab: &Lab, goal: PathBuf, (count, workers): (usize, u32), tier: Tier) -> Cost {
    let mut place = place(lab);
    place.sandbox = Some(tier);
    let (hosted, cost) = cost(|| work(&place, goal, workers));
    let landed = hosted.state.tally.landed as usize;
    assert!(landed == count, "{landed} of {count} landed: {:?} {:?}", hosted.state.tally, hosted.state.rest);
    cost
}

/// Has the script do so many tasks; the worktree that it merges in is there already.
fn plain(files: usize, count: usize, workers: u32) -> Cost {
    let lab = Lab::new(files);
    let mut list = String::new();
    for (name, file) in tasks(count) {
        let _ = writeln!(list, "{name} {file}");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plain.sh");
    let work = lab.beside("work");
    lab.git(&["worktree", "add", "-q", "--no-track", "-b", "run", &work.join("merged").to_string_lossy(), "main"]);
    let (status, cost) = cost(|| {
        let mut command = Command::new("sh");
        command.arg(script).arg(lab.repo()).arg(&work).arg(workers.to_string()).stdin(Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        child.stdin.take().expect("a pipe").write_all(list.as_bytes()).expect("the tasks are told");
        child.wait().expect("the script ends")
    });
    let landed = lab.git(&["rev-list", "--count", "--merges", "run"]);
    // Where only a worktree could not be removed, because another git stood in the way, all is done for all that.
    assert!(landed == count.to_string(), "the script landed {landed} of {count} ({status})");
    cost
}
