//! Owns the measuring of many attempts at once: what becomes of them, how soon they land, what the coordinator holds in
//! memory meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use artel::app::Place;
use artel::machine::event::{Event, Recorded};
use artel::model::attempt::Outcome;

use super::Size;
use super::figure::{Goal, figure, quantile};
use super::ground::{Lab, Spread, write_goal};
use super::ring::{place, work};

/// Measures workers that come and go, and workers that sleep.
pub fn crowds(size: Size) {
    let (busy, asleep) = if size == Size::Quick { (20, 20) } else { (200, 1000) };
    come_and_go(busy);
    sleep(asleep);
}

/// Has so many workers at once do tasks of 0.2 to 2 seconds, two each.
fn come_and_go(workers: u32) {
    let lab = Lab::new(300);
    let parts = lab.beside("goal");
    let agents: Vec<String> = (1..=10).map(|tenth| format!("script:wait{tenth}.yml")).collect();
    for tenth in 1..=10 {
        let part =
            format!("clock: real\nsteps:\n  - wait: {{ms: {}}}\n  - append: {{text: \"// done\\n\"}}\n", tenth * 200);
        std::fs::write(parts.join(format!("wait{tenth}.yml")), part).expect("a part");
    }
    let count = 2 * workers as usize;
    let goal = write_goal(&lab, count, &agents, Spread::OneAFile);
    let place = place(&lab);
    let hosted = work(&place, goal, workers);
    let run = &hosted.state.opening.as_ref().expect("an open run").run;
    let seen = Seen::of(&place.events(run, 0).expect("the journal"));
    let mut delays = seen.delays_s;
    assert!(!delays.is_empty(), "something landed");
    figure(
        &format!("landed_of_finished_w{workers}"),
        delays.len() as f64 / seen.finished as f64,
        "x",
        Goal::Least(1.0),
    );
    figure(&format!("lost_w{workers}"), f64::from(seen.lost), "attempts", Goal::Most(0.0));
    figure(&format!("at_once_w{workers}"), seen.at_once as f64, "attempts", Goal::None);
    figure(&format!("finished_to_landed_p50_w{workers}"), quantile(&mut delays, 0.5), "s", Goal::None);
    figure(&format!("finished_to_landed_p99_w{workers}"), quantile(&mut delays, 0.99), "s", Goal::Most(2.0));
}

/// What a journal tells of its attempts.
#[derive(Default)]
struct Seen {
    finished: usize,
    lost: u32,
    at_once: usize,
    delays_s: Vec<f64>,
}

impl Seen {
    fn of(events: &[Recorded]) -> Self {
        let mut seen = Self::default();
        let (mut running, mut ended) = (0, BTreeMap::new());
        for Recorded { event, at_ms, .. } in events {
            if let Event::AttemptLeased(_) = event {
                running += 1;
                seen.at_once = seen.at_once.max(running);
            } else if let Event::AttemptLost { .. } = event {
                running -= 1;
                seen.lost += 1;
            } else if let Event::AttemptEnded { attempt, outcome, .. } = event {
                running -= 1;
                if matches!(outcome, Outcome::Candidate(_)) {
                    ended.insert(*attempt, *at_ms);
                }
            } else if let Event::BatchLanded { landed, .. } = event {
                let delay_s = |begin: &i64| (at_ms - begin) as f64 / 1000.0;
                seen.delays_s.extend(landed.iter().filter_map(|link| ended.get(&link.attempt)).map(delay_s));
            }
        }
        seen.finished = ended.len();
        seen
    }
}

/// Has so many agents sleep at once under a coordinator that is a process of its own.
fn sleep(workers: u32) {
    let lab = Lab::new(20);
    let awake = lab.beside("awake");
    let agent = format!("command:: > \"{}/$$\"; exec sleep 3600", awake.display());
    let goal = write_goal(&lab, workers as usize, &[agent], Spread::OneAFile);
    let place: Place = place(&lab);
    let mut command = Command::new(&place.artel);
    command
        .arg("run")
        .arg(&goal)
        .args(["--sandbox", "none", "--workers", &workers.to_string()])
        .current_dir(lab.repo());
    command.env("ARTEL_HOME", place.dir.root()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut coordinator = command.spawn().expect("artel runs");
    let all = wait_for(&mut coordinator, &awake, workers as usize);
    let status = std::fs::read_to_string(format!("/proc/{}/status", coordinator.id())).unwrap_or_default();
    // Whatever it started ends with it.
    coordinator.kill().expect("it is killed");
    coordinator.wait().expect("it ends");
    let resident_mib = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the kernel tells");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    };
    assert!(all, "{workers} agents sleep at once");
    figure(&format!("resident_w{workers}"), resident_mib("VmRSS:"), "MiB", Goal::Most(120.0));
    figure(&format!("resident_peak_w{workers}"), resident_mib("VmHWM:"), "MiB", Goal::None);
}

/// Waits until so many agents have said that they run; `false` where they do not.
fn wait_for(coordinator: &mut Child, awake: &Path, count: usize) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(300) {
        if std::fs::read_dir(awake).is_ok_and(|found| found.count() >= count) {
            return true;
        }
        if coordinator.try_wait().expect("its state").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}
