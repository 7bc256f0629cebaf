//! Owns how figures are taken and told: wall and processor time of a stretch of work, one line a figure.

use std::time::Instant;

/// States what a figure should come to.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
    /// No goal is set; the figure is only told.
    None,
}

/// Tells one figure as a line that a script can read.
#[expect(clippy::print_stdout, reason = "the lines are what the benchmark is for")]
pub fn figure(name: &str, value: f64, unit: &str, goal: Goal) {
    let (goal, met) = match goal {
        Goal::Most(most) => (format!("<= {most}"), value <= most),
        Goal::Least(least) => (format!(">= {least}"), value >= least),
        Goal::None => return println!("figure {name} {value:.4} {unit} goal - - -"),
    };
    println!("figure {name} {value:.4} {unit} goal {goal} {}", if met { "ok" } else { "short" });
}

/// Tells a line for people.
#[expect(clippy::print_stdout, reason = "the lines are what the benchmark is for")]
pub fn note(text: &str) {
    println!("# {text}");
}

/// Holds what a stretch of work cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Seconds by the clock.
    pub wall_s: f64,
    /// Processor seconds of this process and of all children that were waited for.
    pub cpu_s: f64,
}

impl Cost {
    /// Gives what so many times the work would cost.
    pub fn times(self, factor: f64) -> Self {
        Self { wall_s: self.wall_s * factor, cpu_s: self.cpu_s * factor }
    }
}

/// Does work and tells what it cost.
pub fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let this = std::process::id();
    let (cpu, wall) = (cpu_s_of(this), Instant::now());
    let done = work();
    (done, Cost { wall_s: wall.elapsed().as_secs_f64(), cpu_s: cpu_s_of(this) - cpu })
}

/// Reads the processor time of a process and its dead children, in seconds, from fields 14 to 17 of its line in the table.
pub fn cpu_s_of(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the kernel's table is readable");
    let after_name = &stat[stat.rfind(')').expect("the name stands in brackets") + 1..];
    let ticks = after_name.split_ascii_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Gives what at most so large a share of the values exceed.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
    values[at - 1]
}
