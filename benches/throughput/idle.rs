//! Owns the measuring of what waiting costs: a run that waits for one agent which says nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::figure::cpu_s_of;
use super::ground::{Lab, Spread, write_goal};

/// What a coordinator did while it had nothing to do.
pub struct Idle {
    /// How often its threads were woken, a minute.
    pub wakes: f64,
    /// Processor time of one core, in per cent.
    pub cpu: f64,
    /// Processes that it had more of, or fewer, than before.
    pub started: f64,
}

/// How often the threads are counted. One that was begun for something which blocks lives ten seconds longer than that.
const COUNT_EVERY_S: u64 = 5;

/// Watches a waiting run for so many seconds.
pub fn idle(seconds: u64) -> Idle {
    let lab = Lab::new(40);
    let fifo = lab.beside("gate").join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let goal = write_goal(&lab, 20, &[format!("command:read -r word < {}", fifo.display())], Spread::OneAFile);
    let mut run = Command::new(env!("CARGO_BIN_EXE_artel"))
        .args(["run", &goal.to_string_lossy(), "--sandbox", "none", "--workers", "1"])
        // Silence is no fault of this agent.
        .args(["--role", "worker.limits.idle_s=86400"])
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
    let (cpu_s, children, mut seen) = (cpu_s_of(run.id()), self::children(&run), counts(&run));
    let mut woken = 0;
    for _ in 0..seconds.div_ceil(COUNT_EVERY_S) {
        sleep(Duration::from_secs(COUNT_EVERY_S));
        let now = counts(&run);
        // To end, too, a thread has to be woken.
        woken += seen.keys().filter(|thread| !now.contains_key(*thread)).count() as u64;
        woken += now.iter().map(|(thread, count)| count - seen.get(thread).copied().unwrap_or(0)).sum::<u64>();
        seen = now;
    }
    let seconds = (seconds.div_ceil(COUNT_EVERY_S) * COUNT_EVERY_S) as f64;
    let idle = Idle {
        wakes: woken as f64 / seconds * 60.0,
        cpu: (cpu_s_of(run.id()) - cpu_s) / seconds * 100.0,
        started: self::children(&run).abs_diff(children) as f64,
    };
    run.kill().expect("it runs");
    run.wait().expect("it has ended");
    idle
}

fn tasks(run: &Child) -> Vec<PathBuf> {
    let folder = format!("/proc/{}/task", run.id());
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn children(run: &Child) -> usize {
    let read = |task: &PathBuf| fs::read_to_string(task.join("children")).unwrap_or_default();
    tasks(run).iter().map(|task| read(task).split_whitespace().count()).sum()
}

/// Counts how often each thread of a run has been woken and found nothing more to do.
fn counts(run: &Child) -> BTreeMap<PathBuf, u64> {
    let count = |task: &Path| {
        let status = fs::read_to_string(task.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok()
    };
    tasks(run).into_iter().filter_map(|task| Some((task.clone(), count(&task)?))).collect()
}
