//! Owns the measuring of what a sandbox costs a job that does nothing, against `bwrap` with the very same view.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use artel::io::hands::{Enclosure, Hands, Job, JobLimits, Local, View};
use artel::io::process::{How, Program};
use artel::model::sandbox::Tier;
use tokio::sync::watch;

use super::Size;
use super::figure::{Goal, cost, figure, note, quantile};
use super::ground::folder;

/// Measures the start and end of a job of `true`.
pub fn starts(size: Size) {
    let Ok(enclosure) = Enclosure::of(Tier::Bubblewrap, Path::new(env!("CARGO_BIN_EXE_artel")), None) else {
        return note("there is no bubblewrap here");
    };
    let hands = Hands::Local(Local::with_init(env!("CARGO_BIN_EXE_artel").into(), enclosure));
    let bare = Hands::Local(Local::with_init(env!("CARGO_BIN_EXE_artel").into(), Enclosure::None));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let dir = folder();
    let words = runtime.block_on(arguments(&hands, &dir));
    let rounds = if size == Size::Quick { 5 } else { 101 };
    let (mut ours, mut theirs, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(cost(|| runtime.block_on(run(&hands, &dir, "true"))).1.wall_s);
        theirs.push(cost(|| plain(&words)).1.wall_s);
        without.push(cost(|| runtime.block_on(run(&bare, &dir, "true"))).1.wall_s);
    }
    let [ours, theirs, without] = [ours, theirs, without].map(|mut each| quantile(&mut each, 0.5));
    figure("sandbox_start_p50", ours * 1000.0, "ms", Goal::None);
    figure("bwrap_start_p50", theirs * 1000.0, "ms", Goal::None);
    figure("start_without_sandbox_p50", without * 1000.0, "ms", Goal::None);
    figure("sandbox_start_to_bwrap", ours / theirs, "x", Goal::Most(1.5));
}

async fn run(hands: &Hands, dir: &Path, line: &str) {
    let at = |name: &str| dir.join(name);
    let job = Job {
        grown: None,
        program: Program::Argv(line.split(' ').map(str::to_owned).collect()),
        cwd: dir.to_owned(),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        limits: JobLimits::default(),
        view: View { write: vec![dir.to_owned()], ..View::default() },
        log: at("log"),
        clock: at("clock"),
        tail_bytes: 1 << 10,
    };
    // Who loses the sender cancels.
    let (_keep, cancel) = watch::channel(false);
    let ended = hands.run(job, cancel).await.expect("it is started");
    assert!(ended.how == How::Exited(0), "{}: {}", ended.how, ended.tail);
}

/// Reads from a running job how bubblewrap was asked for its sandbox, and asks for `/bin/true` in the same.
async fn arguments(hands: &Hands, dir: &Path) -> Vec<String> {
    let job = run(hands, dir, "sleep 2");
    let look = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let line = children().into_iter().find_map(|process| {
            let line = std::fs::read(process.join("cmdline")).ok()?;
            let words: Vec<String> = line.split(|byte| *byte == 0).map(|w| String::from_utf8_lossy(w).into()).collect();
            words.first().is_some_and(|word| word.ends_with("bwrap")).then_some(words)
        });
        let mut words = line.expect("bubblewrap runs");
        words.truncate(words.iter().position(|word| word == "--").expect("a command follows"));
        words.extend(["--", "/bin/true"].map(str::to_owned));
        words
    };
    tokio::join!(job, look).1
}

/// Lists the processes that threads of this one have started.
fn children() -> Vec<PathBuf> {
    let threads = std::fs::read_dir("/proc/self/task").expect("the kernel's table").flatten();
    let started = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    started.flat_map(|ids| ids.split_whitespace().map(|id| Path::new("/proc").join(id)).collect::<Vec<_>>()).collect()
}

fn plain(words: &[String]) {
    let status = Command::new(&words[0]).args(&words[1..]).status().expect("bubblewrap runs");
    assert!(status.success(), "bubblewrap answers");
}
