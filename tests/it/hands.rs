//! Tests what the hands promise: a job is held to its limits, and afterwards nothing of it is alive.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use artel::io::hands::{Enclosure, Ended, Hands, HandsError, Job, JobLimits, Local, View};
use artel::io::process::{How, Program};
use tempfile::TempDir;
use tokio::sync::watch;

fn hands() -> Hands {
    Hands::Local(Local::with_init(env!("CARGO_BIN_EXE_artel").into(), Enclosure::None))
}

fn shell(dir: &Path, line: &str) -> Job {
    Job {
        grown: None,
        program: Program::Shell(line.to_owned()),
        cwd: dir.to_path_buf(),
        env: BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]),
        limits: JobLimits { grace: Duration::from_millis(100), ..JobLimits::default() },
        view: View { write: vec![dir.to_path_buf()], ..View::default() },
        log: dir.join("log"),
        clock: dir.join("clock"),
        tail_bytes: 4096,
    }
}

fn run(job: Job) -> Result<Ended, HandsError> {
    run_until(job, |_| {})
}

/// Runs a job; `meanwhile` has its own thread and may cancel.
fn run_until(job: Job, meanwhile: impl FnOnce(&watch::Sender<bool>) + Send + 'static) -> Result<Ended, HandsError> {
    let (cancel, cancelled) = watch::channel(false);
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        meanwhile(&cancel);
        let _ = finished.recv();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = runtime.block_on(hands().run(job, cancelled));
    done.send(()).unwrap();
    other.join().unwrap();
    ended
}

/// Waits, within a bound, until something holds.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pids_in(file: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat[stat.rfind(')').unwrap()..].split_ascii_whitespace().nth(1) != Some("Z"))
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn an_exit_code_is_told() {
    let dir = dir();
    let ended = run(shell(dir.path(), "echo out; echo err >&2; exit 7")).unwrap();
    assert_eq!(ended.how, How::Exited(7));
    assert_eq!(ended.tail, "out\nerr\n");
    assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "out\nerr\n");
    assert_eq!((ended.usage.output_bytes, ended.usage.leaked), (8, 0));
    let left: Vec<PathBuf> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [dir.path().join("log")], "only the log stays");
}

#[test]
fn a_signal_is_told() {
    let dir = dir();
    assert_eq!(run(shell(dir.path(), "kill -SEGV $$")).unwrap().how, How::Signalled(11));
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let dir = dir();
    let mut job = shell(dir.path(), "");
    job.program = Program::Argv(vec!["no-such-program".to_owned()]);
    let error = run(job).unwrap_err();
    assert!(error.to_string().contains("start `no-such-program`"), "{error}");
    let gone = dir.path().join("gone");
    let mut job = shell(dir.path(), "true");
    job.cwd = gone.clone();
    assert!(run(job).unwrap_err().to_string().ends_with(&format!("in {}", gone.display())));
}

#[test]
fn words_reach_a_program_without_a_shell() {
    let dir = dir();
    let mut job = shell(dir.path(), "");
    job.program = Program::Argv(vec!["printf".to_owned(), "%s|".to_owned(), "$HOME".to_owned(), "a b".to_owned()]);
    assert_eq!(run(job).unwrap().tail, "$HOME|a b|");
}

#[test]
fn the_environment_and_the_folder_are_the_jobs_own() {
    // Cargo sets CARGO_MANIFEST_DIR for tests: a canary that must not come through.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let dir = dir();
    let mut job = shell(dir.path(), "pwd; env | cut -d= -f1 | sort");
    job.env.insert("GRANTED".to_owned(), "1".to_owned());
    let tail = run(job).unwrap().tail;
    let mut lines = tail.lines();
    assert_eq!(lines.next().map(Path::new), Some(dir.path().canonicalize().unwrap().as_path()));
    let names: Vec<&str> = lines.collect();
    assert_eq!(names, ["ARTEL_JOB", "ARTEL_VIRTUAL", "GRANTED", "PATH", "PWD"]);
}

#[test]
fn standard_input_is_empty_and_nothing_else_is_inherited() {
    let dir = dir();
    let ended = run(shell(dir.path(), "cat; ls /proc/self/fd | wc -l")).unwrap();
    // The three standard ones and the folder that `ls` itself reads.
    assert_eq!((ended.how, ended.tail.trim()), (How::Exited(0), "4"));
}

#[test]
fn a_job_that_takes_too_long_is_ended_with_its_children() {
    let dir = dir();
    let mut job = shell(dir.path(), "sleep 1000 & echo $! > pids; echo $$ >> pids; wait");
    job.limits.wall = Duration::from_millis(200);
    let ended = run(job).unwrap();
    assert_eq!(ended.how, How::WallLimit);
    let pids = pids_in(&dir.path().join("pids"));
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
}

#[test]
fn a_silent_job_is_ended() {
    let dir = dir();
    let mut job = shell(dir.path(), "echo begun; exec sleep 1000");
    job.limits.idle = Duration::from_millis(300);
    let ended = run(job).unwrap();
    assert_eq!((ended.how, ended.tail.as_str()), (How::IdleLimit, "begun\n"));
}

#[test]
fn a_job_that_ignores_the_request_to_end_is_killed() {
    let dir = dir();
    let job = shell(dir.path(), "trap '' TERM; echo $$ > pids; while :; do sleep 0.1; done");
    let pids = dir.path().join("pids");
    let seen = pids.clone();
    let ended = run_until(job, move |cancel| {
        eventually("the job's start", || !pids_in(&seen).is_empty());
        cancel.send(true).unwrap();
    });
    assert_eq!(ended.unwrap().how, How::Cancelled);
    assert!(!is_alive(pids_in(&pids)[0]));
}

#[test]
fn a_job_that_is_asked_to_end_may_tidy_up() {
    let dir = dir();
    let mut job = shell(dir.path(), "trap 'echo tidied; exit 0' TERM; echo $$ > pids; while :; do sleep 0.01; done");
    job.limits.grace = Duration::from_secs(20);
    let pids = dir.path().join("pids");
    let ended = run_until(job, move |cancel| {
        eventually("the job's start", || !pids_in(&pids).is_empty());
        cancel.send(true).unwrap();
    });
    let ended = ended.unwrap();
    assert_eq!(ended.how, How::Cancelled);
    assert!(ended.tail.ends_with("tidied\n"), "{}", ended.tail);
}

#[test]
fn a_flood_is_cut_and_costs_neither_memory_nor_disk() {
    let dir = dir();
    let mut job = shell(dir.path(), "head -c 1073741824 /dev/zero");
    job.limits.output_bytes = 1 << 20;
    let before = peak_kib();
    let ended = run(job).unwrap();
    assert_eq!(ended.how, How::OutputLimit);
    assert_eq!(std::fs::metadata(dir.path().join("log")).unwrap().len(), 1 << 20);
    assert!(ended.usage.output_bytes < 64 << 20, "read on after the limit: {}", ended.usage.output_bytes);
    assert!(peak_kib() - before < 64 << 10, "memory grew by {} KiB", peak_kib() - before);
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_daemon_does_not_outlive_its_job() {
    let dir = dir();
    // The subshell ends first, so that the daemon has lost its parent, its session and its group.
    let line = "(setsid sh -c 'trap \"\" TERM HUP; echo $$ >> pids; echo ready > fifo; sleep 1000 & echo $! >> pids; wait' >/dev/null 2>&1 &)";
    let ended = run(shell(dir.path(), &format!("mkfifo fifo; {line}; read ready < fifo"))).unwrap();
    assert_eq!(ended.how, How::Exited(0));
    assert!(ended.usage.leaked >= 1, "{:?}", ended.usage);
    let pids = pids_in(&dir.path().join("pids"));
    assert!(!pids.is_empty() && pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
}

#[test]
fn many_that_fork_for_ever_are_all_ended() {
    let dir = dir();
    // Each of fifty replaces itself by a child for ever, so that no list of them is right when it is read.
    let hop = "hop() { echo x >> hops; (hop) & exit; }; ";
    let many = "i=0; while [ $i -lt 50 ]; do (trap '' TERM; hop) & i=$((i+1)); done; ";
    let ended = run(shell(dir.path(), &format!("{hop}{many}until [ -s hops ]; do :; done; exit 3"))).unwrap();
    assert_eq!(ended.how, How::Exited(3));
    let mark = dir.path().join("log").to_string_lossy().into_owned();
    assert_eq!(marked(&mark), Vec::<i32>::new());
}

/// Lists the processes whose environment names a job by the place of its report.
fn marked(report: &str) -> Vec<i32> {
    let pids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let carries = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| {
            String::from_utf8_lossy(&env).split('\0').any(|e| e.starts_with("ARTEL_JOB=") && e.ends_with(report))
        })
    };
    pids.filter(carries).filter(|pid| is_alive(*pid)).collect()
}

#[test]
fn processor_time_counts_the_children() {
    let dir = dir();
    let ended = run(shell(dir.path(), "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'")).unwrap();
    assert!(ended.usage.cpu_ms >= 10, "{:?}", ended.usage);
    assert!(ended.usage.wall_ms >= 1);
}

#[test]
fn limits_bind_the_job() {
    let dir = dir();
    let mut job = shell(dir.path(), "ulimit -c; ulimit -f; ulimit -v; head -c 100000 /dev/zero > big");
    job.limits.file_bytes = 51_200;
    job.limits.memory_bytes = 2 << 30;
    let ended = run(job).unwrap();
    assert!(ended.tail.starts_with("0\n100\n2097152\n"), "{}", ended.tail);
    assert_ne!(ended.how, How::Exited(0));
    assert_eq!(std::fs::metadata(dir.path().join("big")).unwrap().len(), 51_200);
}

#[test]
fn too_little_memory_to_start_is_an_error_or_an_ending_but_no_hang() {
    let dir = dir();
    let mut job = shell(dir.path(), "echo unreachable");
    job.limits.memory_bytes = 1 << 20;
    match run(job) {
        Ok(ended) => assert_ne!((ended.how, ended.tail.as_str()), (How::Exited(0), "unreachable\n")),
        Err(error) => assert!(matches!(error, HandsError::NotStarted { .. }), "{error}"),
    }
}

#[test]
fn a_job_that_kills_its_init_is_ended_all_the_same() {
    let dir = dir();
    let line = "setsid sleep 1000 & echo $! >> pids; echo $$ >> pids; kill -9 $PPID; sleep 1000";
    let ended = run(shell(dir.path(), line)).unwrap();
    assert_eq!(ended.how, How::InitLost);
    assert!(ended.usage.leaked >= 2, "{:?}", ended.usage);
    let pids = pids_in(&dir.path().join("pids"));
    assert!(pids.len() == 2 && pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
}

#[test]
fn a_claim_of_virtual_time_is_read() {
    let dir = dir();
    assert_eq!(run(shell(dir.path(), "echo 1500 > $ARTEL_VIRTUAL")).unwrap().virtual_ms, 1500);
    assert_eq!(run(shell(dir.path(), "echo lots > $ARTEL_VIRTUAL")).unwrap().virtual_ms, 0);
    assert_eq!(run(shell(dir.path(), "ln -s /etc/hostname $ARTEL_VIRTUAL")).unwrap().virtual_ms, 0);
}

#[test]
fn a_job_whose_future_is_dropped_is_ended() {
    let dir = dir();
    let job = shell(dir.path(), "echo $$ > pids; exec sleep 1000");
    let pids = dir.path().join("pids");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_cancel, cancelled) = watch::channel(false);
    let task = runtime.spawn(async move { hands().run(job, cancelled).await });
    eventually("the job's start", || !pids_in(&pids).is_empty());
    task.abort();
    eventually("the job's end", || !is_alive(pids_in(&pids)[0]));
}

#[test]
fn a_coordinator_that_is_killed_leaves_nothing_alive() {
    let dir = dir();
    let mut coordinator = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hands::plays_a_coordinator", "--ignored", "--nocapture"])
        .env("PLAY_IN", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pids = dir.path().join("pids");
    eventually("the job's start", || pids_in(&pids).len() == 2);
    coordinator.kill().unwrap();
    coordinator.wait().unwrap();
    eventually("the end of all", || pids_in(&pids).iter().all(|pid| !is_alive(*pid)));
    let report = dir.path().join("log").to_string_lossy().into_owned();
    eventually("the end of the init", || marked(&report).is_empty());
}

#[test]
#[ignore = "not a test: the process that `a_coordinator_that_is_killed_leaves_nothing_alive` kills"]
fn plays_a_coordinator() {
    let Some(dir) = std::env::var_os("PLAY_IN") else { return };
    let line = "trap '' TERM; setsid sh -c 'echo $$ >> pids; exec sleep 1000' & echo $$ >> pids; wait; sleep 1000";
    let ended = run(shell(Path::new(&dir), line));
    panic!("the job ended before its coordinator was killed: {ended:?}");
}

#[test]
fn an_init_without_a_coordinator_does_nothing() {
    let mut init = Command::new(env!("CARGO_BIN_EXE_artel"))
        .arg("__init")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    init.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(init.wait().unwrap().success());
    assert_eq!(said, "");
}
