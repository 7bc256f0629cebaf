//! Lets runs with faulty agents follow one upon the other for an hour, and tells whether memory, descriptors, worktrees,
//! refs and disk stay as they are: `cargo run --release --example soak`, or with `-- 10` for ten minutes.
//!
//! The coordinator is this process; its agents crash, leak processes, flood, lie, hang and ignore being ended. After
//! each run what it left is cleared away, as `artel gc` does, and the run's branch is removed, as a user does who has
//! delivered it. The journal keeps all events and grows; it is told apart.

#![expect(clippy::expect_used, reason = "a soak that cannot go on must say where")]
#![expect(clippy::print_stdout, reason = "the table is what the soak is for")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use artel::app::{OpenOptions, Place, clear, host, open_run};
use artel::io::agents::script;
use artel::io::hands;

/// Minutes that it takes where none are asked for.
const MINUTES: f64 = 60.0;

/// Tasks of one run.
const TASKS: usize = 40;

/// The part of the time after which nothing is warming up any more.
const WARM_UP: f64 = 0.25;

/// What is sampled: its name, its unit, and how much more of it after an hour is still called flat.
const SAMPLED: [(&str, &str, f64); 6] = [
    ("memory", "MiB", 16.0),
    ("descriptors", "", 4.0),
    ("threads", "", 8.0),
    ("worktrees", "", 1.0),
    ("refs", "", 1.0),
    ("disk", "MiB", 16.0),
];

const GOAL: &str = "---\nname: soak\ndone: [\"true\"]\nchecks: [\"sh check.sh\"]\n---\nDo as the parts say.\n";

/// One run in twenty of the check is red for no reason.
const CHECK: &str = "! grep -rq bad src && test $(od -An -N1 -tu1 /dev/urandom) -ge 13\n";

const WORK: &str = "steps:
  - choose:
      - {weight: 12, steps: [{write: {text: \"new {task} {attempt}\\n\"}}]}
      - {weight: 2, steps: [{write: {text: \"bad\\n\"}}]}
      - {weight: 2, steps: [{leak: {children: 3}}, {write: {text: \"leaky {attempt}\\n\"}}]}
      - {steps: [{crash: {code: 3}}]}
      - {steps: [{crash: {signal: 9}}]}
      - {steps: [{flood: {bytes: 3000000}}]}
      - {steps: [ignore_term, hang]}
      - {steps: [{lie: all of it is done}]}
      - {steps: [{run: 'rm -rf \"$PWD\"'}]}
      - {steps: [{run: 'mkfifo src/pipe'}]}
";

fn main() -> ExitCode {
    // Inits and scripted agents are this very program, as with artel itself.
    let code = match std::env::args().nth(1).as_deref() {
        Some(hands::INIT_VERB) => hands::init_main(),
        Some(script::SCRIPT_VERB) => script::script_main(),
        minutes => soak(minutes.map_or(MINUTES, |text| text.parse().expect("a number of minutes"))),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn soak(minutes: f64) -> i32 {
    let ground = Ground::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (began, mut samples, mut runs, mut landed) = (Instant::now(), Vec::new(), 0_u64, 0);
    let end = Duration::from_secs_f64(minutes * 60.0);
    println!("{:>8}  {:>5}  {:>6}  {}  {:>8}", "hours", "runs", "landed", header(), "journal");
    while began.elapsed() < end {
        let place = Place::open(ground.env.clone(), ground.repo()).expect("a state directory");
        let options = OpenOptions {
            goal: "goal.md".into(),
            roles: roles(),
            workers: Some(4),
            seed: Some(runs),
            ..OpenOptions::default()
        };
        let (run, _) = open_run(&place, &options).expect("an open run");
        let state = runtime.block_on(host(&place, &run)).expect("a hosted run").state;
        runs += 1;
        landed += state.tally.landed;
        ground.forget(&place, run.as_str());
        drop(place);
        let hours = began.elapsed().as_secs_f64() / 3600.0;
        let sample = ground.sample();
        let told: Vec<String> = sample.iter().map(|value| format!("{value:>11.1}")).collect();
        let journal = mib(ground.home().join("artel.db"));
        println!("{hours:>8.4}  {runs:>5}  {landed:>6}  {}  {journal:>8.1}", told.join("  "));
        samples.push((hours, sample));
    }
    tell(&samples)
}

fn header() -> String {
    SAMPLED.map(|(name, unit, _)| format!("{:>11}", format!("{name} {unit}").trim_end().to_owned())).join("  ")
}

fn roles() -> Vec<String> {
    let all = [
        "shard.agents=script:plan.yml",
        "worker.agents=script:work.yml",
        "worker.mechanical=false",
        "worker.limits.wall_s=3",
        "worker.limits.output_bytes=1000000",
    ];
    all.map(str::to_owned).to_vec()
}

/// Tells the slope of each series by least squares, and whether it is flat; gives the exit code.
fn tell(samples: &[(f64, [f64; 6])]) -> i32 {
    let warm = samples.last().map_or(0.0, |last| last.0) * WARM_UP;
    let kept: Vec<_> = samples.iter().filter(|sample| sample.0 >= warm).collect();
    let mut code = 0;
    for (column, (name, unit, most)) in SAMPLED.into_iter().enumerate() {
        let points: Vec<(f64, f64)> = kept.iter().map(|(hours, values)| (*hours, values[column])).collect();
        let Some(slope) = slope(&points) else {
            println!("slope {name}: too few samples");
            continue;
        };
        let is_flat = slope <= most;
        let per_hour = format!("{unit} an hour");
        println!(
            "slope {name} {slope:+.2} {} (at most {most}): {}",
            per_hour.trim(),
            if is_flat { "flat" } else { "RISES" }
        );
        code |= i32::from(!is_flat);
    }
    code
}

/// Fits a line through points by least squares and gives how much it rises.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|point| point.0).sum::<f64>() / n, points.iter().map(|point| point.1).sum::<f64>() / n);
    let along: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let across: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (points.len() > 2 && along > 0.0).then(|| across / along)
}

/// Holds the repository and the state directory.
struct Ground {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Ground {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut env: BTreeMap<String, String> = std::env::vars().collect();
        // Another one soaks in a sandbox.
        env.entry("ARTEL_SANDBOX".to_owned()).or_insert_with(|| "none".to_owned());
        env.insert("ARTEL_HOME".to_owned(), dir.path().join("state").to_string_lossy().into_owned());
        let ground = Self { dir, env };
        fs::create_dir_all(ground.repo().join("src")).expect("a folder");
        let write = |name: &str, text: &str| fs::write(ground.repo().join(name), text).expect("a file");
        let tasks = (1..=TASKS).map(|n| format!("      - {{key: k{n}, paths: [src/{n}.txt]}}\n"));
        write("plan.yml", &format!("plan:\n  - emit:\n{}", tasks.collect::<String>()));
        write("work.yml", WORK);
        write("check.sh", CHECK);
        write("goal.md", GOAL);
        (1..=TASKS).for_each(|n| write(&format!("src/{n}.txt"), "old\n"));
        ground.git(&["init", "-q", "-b", "main"]);
        ground.git(&["config", "gc.auto", "0"]);
        ground.git(&["add", "-A"]);
        ground.git(&["-c", "user.name=soak", "-c", "user.email=soak@artel.invalid", "commit", "-qm", "base"]);
        ground
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let made = Command::new("git").args(arguments).current_dir(self.repo()).output().expect("git runs");
        assert!(made.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }

    /// Clears away what an ended run has left, and its branches and pins too, of which nothing is wanted.
    fn forget(&self, place: &Place, run: &str) {
        clear(place).expect("what landed is cleared away");
        for refs in [format!("refs/heads/artel/{run}/"), format!("refs/artel/{run}/")] {
            for name in self.git(&["for-each-ref", "--format=%(refname)", &refs]).lines() {
                self.git(&["update-ref", "-d", name]);
            }
        }
        self.git(&["reflog", "expire", "--expire=now", "--all"]);
        self.git(&["gc", "--quiet", "--prune=now"]);
    }

    fn sample(&self) -> [f64; 6] {
        let count = |dir: &str| fs::read_dir(dir).map_or(0, Iterator::count) as f64;
        let worktrees = self.git(&["worktree", "list"]).lines().count() as f64;
        let refs = self.git(&["for-each-ref"]).lines().count() as f64;
        let journal: f64 =
            ["artel.db", "artel.db-wal", "artel.db-shm"].map(|name| mib(self.home().join(name))).iter().sum();
        let disk = mib(self.home()) + mib(self.repo()) - journal;
        [memory_mib(), count("/proc/self/fd"), count("/proc/self/task"), worktrees, refs, disk]
    }
}

fn memory_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel's table is readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// Measures a file, or all below a folder.
fn mib(path: impl AsRef<Path>) -> f64 {
    let path = path.as_ref();
    let Ok(meta) = fs::symlink_metadata(path) else { return 0.0 };
    let below = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| mib(entry.path()));
    if meta.is_dir() { below.sum() } else { meta.len() as f64 / f64::from(1 << 20) }
}
