//! Owns `artel show`: one task with its brief and every attempt.

use clap::Args;

use super::args::Format;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint, of_status};
use super::pick::{TaskRef, no_task, read};
use super::seam::{self, Place};
use super::transcript::transcript;
use crate::model::check::{Answer, CheckResult};
use crate::model::ids::TaskId;
use crate::model::inert::{fit, headline, inert, inert_lines};
use crate::model::review::Review;
use crate::model::verdict::{Finding, Ruling, Verdict};
use crate::views::task::{AttemptView, TaskView, task};
use crate::views::waiting::{Waiting, size};
use crate::views::words;

/// How many lines of a check's output are shown.
const TAIL_LINES: usize = 12;

/// Shows one task.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Task, as t12 or RUN/t12
    #[arg(value_name = "TASK")]
    task: TaskRef,
    /// Write what a session wrote instead, byte for byte: the task's last attempt, else the one of that name
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    transcript: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run or task.
pub fn show(out: &Out, args: &ShowArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let read = read(&place, args.task.run.as_deref())?;
    let view = task(&read.state, args.task.task, seam::now_ms());
    let view = view.ok_or_else(|| no_task(&read.run, args.task.task))?;
    if let Some(name) = &args.transcript {
        let last = view.attempts.last().map(|it| it.attempt.to_string()).unwrap_or_default();
        return transcript(out, &place, (&read.run, if name.is_empty() { &last } else { name }));
    }
    if args.format.json {
        out.json(&view)?;
    } else {
        out.lines(lines(&view, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

fn ruled(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Accept => "accepted",
        Ruling::Reject => "rejected",
        Ruling::Restart => "to start afresh",
    }
}

/// Writes a task for a person.
pub fn lines(view: &TaskView, width: usize, paint: Paint) -> Vec<String> {
    let mut sheet = Sheet { lines: Vec::new(), width, paint };
    sheet.push(0, Hue::Strong, &format!("{}/{}  {}", view.run, view.task, view.title));
    let why = view.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    sheet.push(0, of_status(view.status), &format!("{}{why}", view.status));
    if let Some(waiting) = &view.waiting {
        sheet.waiting(waiting);
    }
    if let Some(commit) = view.landed {
        sheet.field("landed as", &commit.to_string());
    }
    if let Some(reverted) = view.reverts {
        sheet.field("takes out", &reverted.to_string());
    }
    let scopes: Vec<String> = view.scopes.iter().rev().map(|(id, title)| format!("{id} {title}")).collect();
    sheet.field("scope", &scopes.join(" › "));
    sheet.field("role", &view.role);
    sheet.field("paths", &view.paths.join(", "));
    sheet.field("rules", &view.rules.join(", "));
    sheet.field("after", &with_status(&view.after));
    sheet.field("followed by", &with_status(&view.followers));
    for check in &view.checks {
        sheet.field("check", &format!("{}: {}", check.name, check.run));
    }
    for message in &view.steering {
        sheet.field("told", message);
    }
    if !view.brief.trim().is_empty() {
        sheet.lines.push(String::new());
        sheet.block(2, Hue::Plain, &view.brief, usize::MAX);
    }
    for attempt in &view.attempts {
        sheet.attempt(attempt);
    }
    if view.attempts.iter().any(|attempt| attempt.commit.is_some()) {
        sheet.lines.push(String::new());
        sheet.push(0, Hue::Faint, &format!("artel diff {}/{} shows the last candidate", view.run, view.task));
    }
    sheet.lines
}

fn with_status(tasks: &[(TaskId, &str)]) -> String {
    tasks.iter().map(|(id, status)| format!("{id} ({status})")).collect::<Vec<_>>().join(", ")
}

struct Sheet {
    lines: Vec<String>,
    width: usize,
    paint: Paint,
}

impl Sheet {
    fn push(&mut self, indent: usize, hue: Hue, text: &str) {
        let text = headline(text, self.width.saturating_sub(indent));
        self.lines.push(format!("{}{}", " ".repeat(indent), self.paint.on(hue, &text)));
    }

    fn field(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let name = self.paint.on(Hue::Faint, &format!("{name:<11}"));
            self.lines.push(format!("  {name} {}", headline(text, self.width.saturating_sub(14))));
        }
    }

    /// Shows what a word is asked on, and what it would bring.
    fn waiting(&mut self, waiting: &Waiting) {
        for reason in &waiting.reasons {
            self.field("asked since", reason);
        }
        let name = if waiting.seat.is_some() { "if answered" } else { "if approved" };
        self.field(name, &waiting.then);
        if let Some(extent) = &waiting.extent {
            self.field("changes", &size(extent));
            self.field("guarded", &extent.guarded.join(", "));
        }
        if let Some(moved) = waiting.moved() {
            self.field("moved", &moved);
        }
        if let (Some(until), Some(then)) = (waiting.until_ms, waiting.lapse) {
            let overdue = if waiting.is_overdue { ", OVERDUE" } else { "" };
            self.field("overdue", &format!("{}: {}{overdue}", words::moment(until), then.word()));
        }
    }

    /// Shows the last `most` lines of a text.
    fn block(&mut self, indent: usize, hue: Hue, text: &str, most: usize) {
        let text = inert_lines(text.trim());
        let count = text.lines().count();
        for line in text.lines().skip(count.saturating_sub(most)) {
            let line = fit(line, self.width.saturating_sub(indent));
            self.lines.push(format!("{}{}", " ".repeat(indent), self.paint.on(hue, &line)).trim_end().to_owned());
        }
    }

    fn attempt(&mut self, it: &AttemptView) {
        self.lines.push(String::new());
        let cpu = words::duration(it.usage.cpu_ms);
        let head = format!("{}  {}", it.attempt, it.agent);
        self.push(0, Hue::Strong, &head);
        let leaked = match it.usage.leaked {
            0 => String::new(),
            n => format!(", {} left running and ended", words::count(n as usize, "process")),
        };
        let output = words::size(it.usage.output_bytes);
        self.field(
            "took",
            &format!("{}, {cpu} of processor time, {output} of output{leaked}", words::duration(it.wall_ms)),
        );
        self.field("stood on", &it.base.short());
        if let Some(from) = it.from {
            self.field("went on from", &from.short());
        }
        let files = it.files.map(|files| format!(", {}", words::count(files as usize, "file"))).unwrap_or_default();
        let commit = it.commit.map(|commit| format!(" {}", commit.short())).unwrap_or_default();
        self.field("outcome", &format!("{}{commit}{files}", it.outcome));
        if let Some(why) = &it.why {
            self.block(14, Hue::Bad, why, TAIL_LINES);
        }
        if let Some(handoff) = &it.handoff {
            self.field("says", &handoff.done);
            for (name, said) in
                [("concern", &handoff.concerns), ("deviation", &handoff.deviations), ("finding", &handoff.findings)]
            {
                said.iter().for_each(|text| self.field(name, text));
            }
            for flagged in &handoff.flagged {
                self.field("flags", &format!("{}: {}", inert(&flagged.path), flagged.why));
            }
            if let Some(wants) = &handoff.wants {
                self.field("asks", &wants.words());
            }
            for left in &handoff.leftovers {
                self.field("left", &format!("{}:{} {}", inert(&left.path), left.line, left.why));
            }
        }
        if let Some(verdict) = &it.verdict {
            self.verdict(verdict, it.checks());
        }
        it.reviews.iter().for_each(|review| self.review(review));
        it.ejected.iter().for_each(|finding| self.finding("landing", finding));
        if let Some(commit) = it.landed {
            self.field("landed as", &commit.short());
        } else if let Some(next) = &it.next {
            self.field("then", next);
        }
    }

    fn review(&mut self, review: &Review) {
        self.field("review", &format!("{} by {} (lens {})", ruled(review.ruling), review.judge, review.lens.word()));
        for score in &review.scores {
            self.field("score", &format!("{} {} of 10: {}", score.criterion, score.score, score.evidence));
        }
        review.findings.iter().for_each(|finding| self.finding("finding", finding));
        // Found when no new class of fault counted any more.
        review.notes.iter().for_each(|finding| self.finding("noted", finding));
    }

    fn verdict(&mut self, verdict: &Verdict, checks: &[CheckResult]) {
        self.field("verdict", &format!("{} by {}", ruled(verdict.ruling), verdict.judge));
        verdict.findings.iter().for_each(|finding| self.finding("finding", finding));
        for check in checks {
            let (word, is_red) = match check.answer {
                Answer::Green => ("green", false),
                Answer::Red => ("red", true),
                Answer::Flaky => ("flaky", true),
            };
            let executed = check.executed.map(|n| format!(", {n} tests")).unwrap_or_default();
            let runs = if check.runs > 1 { format!(", {} runs", check.runs) } else { String::new() };
            let took = words::duration(check.wall_ms);
            self.field("check", &format!("{} {word} in {took}{executed}{runs}", inert(&check.name)));
            if is_red {
                self.block(14, Hue::Faint, &check.tail, TAIL_LINES);
            }
        }
    }

    fn finding(&mut self, name: &str, finding: &Finding) {
        let path = finding.path.as_ref().map(|path| format!("{}: ", inert(path))).unwrap_or_default();
        self.field(name, &format!("[{}] {path}{}", inert(&finding.rule), finding.what));
        if !finding.advice.is_empty() {
            self.push(14, Hue::Faint, &format!("→ {}", finding.advice));
        }
    }
}
