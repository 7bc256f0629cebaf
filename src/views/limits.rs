//! Owns what is told of limits: which agents wait for one, until when, and how many tasks wait with them. Never shows it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;
use crate::machine::limits::AgentLimit;
use crate::machine::state::State;
use crate::model::ids::TaskId;

/// Shows an agent that waits for a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitRow {
    /// The agent, without its model.
    pub agent: String,
    /// When the limit is lifted, in milliseconds since 1970.
    pub until_ms: i64,
    /// How many tasks wait that would be begun with the agent.
    pub tasks: u32,
    /// The most urgent of them.
    pub first: Option<TaskId>,
    /// How many planners and judges wait that would sit down with the agent.
    #[serde(default)]
    pub seats: u32,
    /// What was said of it, by a stranger.
    pub why: String,
}

impl LimitRow {
    fn of(agent: &str, limit: &AgentLimit) -> Self {
        let (agent, why) = (agent.to_owned(), limit.why.clone());
        Self { agent, until_ms: limit.until_ms, tasks: 0, first: None, seats: 0, why }
    }

    /// Says how much waits with the agent.
    pub fn waiting(&self) -> String {
        let tasks = (self.tasks > 0).then(|| words::count(self.tasks as usize, "task"));
        let seats = (self.seats > 0).then(|| words::count(self.seats as usize, "session"));
        tasks.into_iter().chain(seats).collect::<Vec<_>>().join(" and ")
    }
}

/// Lists the agents that wait for a limit at a time, with what waits with them.
pub fn limits(state: &State, now_ms: i64) -> Vec<LimitRow> {
    if state.limits.is_empty() {
        return Vec::new();
    }
    let mut rows: BTreeMap<&str, LimitRow> = BTreeMap::new();
    for urgency in &state.ready {
        let limit = state.tasks.get(&urgency.task).and_then(|task| state.limit_of(task));
        let Some((agent, limit)) = limit.filter(|(_, limit)| limit.until_ms > now_ms) else { continue };
        let row = rows.entry(agent).or_insert_with(|| LimitRow::of(agent, limit));
        row.tasks += 1;
        row.first.get_or_insert(urgency.task);
    }
    for seat in state.empty_seats() {
        let Some((agent, limit)) = state.limit_at(seat).filter(|(_, limit)| limit.until_ms > now_ms) else { continue };
        rows.entry(agent).or_insert_with(|| LimitRow::of(agent, limit)).seats += 1;
    }
    rows.into_values().collect()
}

/// Words by which a limit is told that time alone does not lift, or that a person should look at first.
const OF_A_PERSON: [&str; 10] = [
    "`usd_per_minute` of gateway.toml",
    "does not accept the key",
    "does not let the key",
    "there is no key for",
    "credit balance",
    "out of credit",
    "insufficient_quota",
    "insufficient quota",
    "exceeded your current quota",
    "billing",
];

/// Tells whether a limit is one that somebody has to lift, by money or by a key: waiting does not.
pub fn is_of_a_person(why: &str) -> bool {
    let why = why.to_lowercase();
    OF_A_PERSON.iter().any(|words| why.contains(words))
}

/// Lists the limits that tasks wait for and that somebody has to lift.
pub fn of_a_person(state: &State) -> Vec<LimitRow> {
    limits(state, i64::MIN).into_iter().filter(|row| is_of_a_person(&row.why)).collect()
}

/// Says in words what an agent waits for.
pub fn waits(agent: &str, until_ms: i64) -> String {
    format!("waits for a usage limit of {agent} until {}", words::moment(until_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::model::attempt::Usage;
    use crate::views::board::board;
    use crate::views::ended::{Class, ended};
    use crate::views::inbox::{Bucket, inbox};
    use crate::views::line::{Interest, line};
    use crate::views::story::{HOSTILE, Story};
    use crate::views::task::task;
    use crate::views::timeline::{Mark, timeline};

    /// Has the first of six tasks, with one worker, meet a limit of two hours.
    fn waiting(why: &str) -> Story {
        let mut story = Story::open("", &[], 1);
        story.plan(6);
        story.advance();
        let attempt = *story.state.running.first().unwrap();
        let (fence, until_ms) = (story.state.attempt(attempt).unwrap().fence, Some(story.now_ms + 7_200_000));
        story.tell(Command::ReportLimited {
            attempt,
            fence,
            until_ms,
            why: why.to_owned(),
            usage: Usage::default(),
            parked: None,
        });
        story.advance();
        story
    }

    #[test]
    fn a_run_that_waits_for_a_limit_says_so_wherever_it_is_looked_at() {
        let story = waiting("enough for today");
        let board = board(&story.state, &story.outside()).unwrap();
        let [row] = board.limits.as_slice() else { panic!("{:?}", board.limits) };
        assert_eq!(row.first, story.state.ready.first().map(|it| it.task));
        assert_eq!((row.agent.as_str(), row.tasks, row.why.as_str()), ("codemod", 5, "enough for today"));
        let stands = ended(&story.state);
        assert_eq!(
            (stands.class, stands.words.as_str()),
            (Class::Live, "waits for a usage limit of codemod until 03-14 17:09 UTC")
        );
        let id = story.state.ready.first().unwrap().task;
        let told = task(&story.state, id, story.now_ms).unwrap();
        let words = "waits for a usage limit of codemod until 03-14 17:09 UTC: enough for today";
        assert_eq!((told.status, told.why.as_deref()), ("ready", Some(words)));
        assert!(inbox(&story.state).is_empty(), "it is no person's business");
        assert!(limits(&story.state, row.until_ms).is_empty(), "it is over");
    }

    #[test]
    fn a_limit_that_only_money_or_a_key_lifts_needs_a_person() {
        for why in [
            "Credit balance is too low",
            "this run spent $5 within a minute; $4 are allowed (`usd_per_minute` of gateway.toml)",
            "You exceeded your current quota, please check your plan and billing details.",
            "`anthropic` does not accept the key that artel has for it",
        ] {
            let story = waiting(why);
            let items = inbox(&story.state);
            let [item] = items.as_slice() else { panic!("{items:?}") };
            assert_eq!((item.bucket, item.task), (Bucket::NeedsInput, story.state.ready.first().map(|it| it.task)));
            assert!(item.why.starts_with("codemod takes no work, and 5 tasks wait: ") && item.why.contains(why));
            assert_eq!(item.next, format!("artel retry {}/{}", story.state.opening().run, item.task.unwrap()));
        }
        for why in ["enough for today", "usage limit reached", HOSTILE] {
            assert!(inbox(&waiting(why).state).is_empty(), "{why}");
        }
    }

    #[test]
    fn an_attempt_that_met_a_limit_is_told_with_what_was_said() {
        for why in ["enough for today", HOSTILE] {
            let story = waiting(why);
            let met = story.events.iter().rfind(|it| it.event.kind() == "AttemptLimited").unwrap();
            let line = line(&story.state, met);
            assert_eq!(line.interest, Interest::Progress);
            assert!(line.text.ends_with("goes on in 2 h 00 min, at no cost of a try"), "{}", line.text);
            assert!(!line.text.chars().any(crate::model::inert::is_active), "{}", line.text);
            let id = story.state.tasks.iter().find(|(_, task)| !task.attempts.is_empty()).unwrap().0;
            let told = task(&story.state, *id, story.now_ms).unwrap();
            assert_eq!((told.attempts[0].outcome, told.attempts[0].why.as_deref()), ("limited", Some(why)));
            let bars = timeline(&story.state, story.now_ms).unwrap().slots.concat();
            assert_eq!(bars[0].mark, Mark::Lost);
        }
    }
}
