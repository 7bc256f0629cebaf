//! Owns what a server tells Prometheus: numbers of all runs, by state and by run. Never tells what anybody wrote but the
//! ids of runs.

use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::reads::{RunRow, run_rows};
use super::refused::Refused;
use super::site::Site;
use crate::actors::world::blocking;
use crate::views::ended::Class;
use crate::views::summary::Summary;

/// Answers with all numbers.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn metrics(State(site): State<Arc<Site>>) -> Result<impl IntoResponse, Refused> {
    let rows = blocking(move || run_rows(&site)).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&rows)))
}

fn text(rows: &[RunRow]) -> String {
    let mut out = String::new();
    let summaries: Vec<&Summary> = rows.iter().filter_map(|row| row.summary.as_ref()).collect();
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, String)>| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    let by_class = Class::ALL.map(|class| {
        let count = summaries.iter().filter(|it| it.stands.class == class).count();
        (format!("{{state=\"{}\"}}", class.word()), count.to_string())
    });
    family("artel_runs", "gauge", "Runs by how they stand.", by_class.to_vec());
    let coordinated = rows.iter().filter(|row| row.coordinated).count();
    family("artel_runs_coordinated", "gauge", "Runs that somebody works on.", vec![one(coordinated)]);
    let unread = rows.iter().filter(|row| row.trouble.is_some()).count();
    family("artel_runs_troubled", "gauge", "Runs that cannot be read or hosted.", vec![one(unread)]);
    let tasks = summaries.iter().flat_map(|it| {
        it.counts
            .by_status()
            .map(|(status, count)| (format!("{{run=\"{}\",status=\"{status}\"}}", it.run), count.to_string()))
    });
    family("artel_tasks", "gauge", "Tasks of each run by status.", tasks.collect());
    let of_each = |value: fn(&Summary) -> String| {
        summaries.iter().map(|it| (format!("{{run=\"{}\"}}", it.run), value(it))).collect::<Vec<_>>()
    };
    family("artel_attempts_total", "counter", "Attempts that were made.", of_each(|it| it.attempts.to_string()));
    family("artel_landed_tasks", "gauge", "Tasks whose work landed.", of_each(|it| it.counts.landed.to_string()));
    family("artel_queue", "gauge", "Accepted candidates that wait to land.", of_each(|it| it.queue.to_string()));
    family("artel_needs_input", "gauge", "What needs a person.", of_each(|it| it.needs().to_string()));
    family("artel_spend_usd_total", "counter", "What calls to models have cost.", of_each(|it| usd(it.nano_usd)));
    let budgets = summaries.iter().filter_map(|it| Some((format!("{{run=\"{}\"}}", it.run), usd(it.budget_nano_usd?))));
    family("artel_budget_usd", "gauge", "What they may cost.", budgets.collect());
    out
}

fn one(value: impl Display) -> (String, String) {
    (String::new(), value.to_string())
}

fn usd(nano: u64) -> String {
    format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}
