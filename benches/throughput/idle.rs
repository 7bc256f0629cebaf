//! Owns the measuring of what waiting costs: a run that waits for one agent which says nothing.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::ground::{Lab, Spread, write_goal};

/// What a coordinator did while it had nothing to do.
pub struct Idle {
    /// How often it was woken, a minute.
    pub wakes: f64,
    /// Processor time of one core, in per cent.
    pub cpu: f64,
    /// Processes that it had more of, or fewer, than before.
    pub started: f64,
}

/// Watches a waiting run for so many seconds.
pub fn idle(seconds: u64) -> Idle {
    let lab = Lab::new(40);
    let fifo = lab.beside("gate").join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let goal = write_goal(&lab, 20, &[format!("command:read -r word < {}", fifo.display())], Spread::OneAFile);
    let mut run = Command::new(env!("CARGO_BIN_EXE_artel"))
        .args(["run", &goal.to_string_lossy(), "--sandbox", "none", "--workers", "1"])
        .current_dir(lab.repo())
        .env("ARTEL_HOME", lab.beside("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("artel runs");
    // Until the agent waits, and the threads that began it have ended.
    while children(&run) == 0 {
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_secs(15));
    let (wakes, cpu, children) = (wakes(&run), cpu_s(&run), children(&run));
    sleep(Duration::from_secs(seconds));
    let minutes = seconds as f64 / 60.0;
    let idle = Idle {
        wakes: (self::wakes(&run) - wakes) / minutes,
        cpu: (cpu_s(&run) - cpu) / seconds as f64 * 100.0,
        started: self::children(&run).abs_diff(children) as f64,
    };
    run.kill().expect("it runs");
    run.wait().expect("it has ended");
    idle
}

fn tasks(run: &Child) -> Vec<std::path::PathBuf> {
    let folder = format!("/proc/{}/task", run.id());
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn children(run: &Child) -> usize {
    let read = |task: &std::path::PathBuf| fs::read_to_string(task.join("children")).unwrap_or_default();
    tasks(run).iter().map(|task| read(task).split_whitespace().count()).sum()
}

/// Counts how often the threads of a run have been woken and found nothing more to do.
fn wakes(run: &Child) -> f64 {
    let count = |task: std::path::PathBuf| {
        let status = fs::read_to_string(task.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<f64>().ok()
    };
    tasks(run).into_iter().filter_map(count).sum()
}

fn cpu_s(run: &Child) -> f64 {
    let spent = |task: std::path::PathBuf| {
        let schedstat = fs::read_to_string(task.join("schedstat")).ok()?;
        schedstat.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks(run).into_iter().filter_map(spent).sum::<f64>() / 1e9
}
