//! Owns the journal as people sift it: one short row for each event, found by text, kind, task and actor, a page at a
//! time. Never shows it.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::Serialize;

use super::line::{Tone, line};
use super::origin::{actor, tasks};
use crate::machine::event::Recorded;
use crate::machine::state::State;
use crate::model::ids::{RunId, TaskId};
use crate::model::inert::fit;

/// Rows that are kept, the last ones: some tens of megabytes.
const KEPT: usize = 250_000;
/// Columns of an actor's name that are kept, and of all names together.
const NAME: usize = 80;
const NAMES: usize = 1000;
/// Rows that a page has at most.
const PAGE: usize = 200;

/// Holds the rows of a journal.
#[derive(Debug, Clone, Default)]
pub struct Index {
    rows: VecDeque<Kept>,
    /// How many rows there are of each kind.
    kinds: BTreeMap<&'static str, usize>,
    /// The names of actors, once each.
    names: Vec<String>,
    numbers: BTreeMap<String, u16>,
    seq: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    seq: u64,
    at_ms: i64,
    kind: &'static str,
    actor: u16,
    tone: Tone,
    tasks: Box<[TaskId]>,
    text: Box<str>,
}

/// Says which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sieve {
    /// What their lines hold, whatever its case.
    pub text: String,
    /// Their kind.
    pub kind: String,
    /// A task that they are about.
    pub task: Option<TaskId>,
    /// Whose doing they are.
    pub actor: String,
    /// Only those with a lower number.
    pub before: Option<u64>,
    /// Only those with a higher number, the next ones first.
    pub after: Option<u64>,
    /// How many at most.
    pub limit: Option<usize>,
}

/// Shows a page of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Page {
    /// The run.
    pub run: RunId,
    /// The number of the last event that there is.
    pub last_seq: u64,
    /// The number of the first event that can be found; those before it can only be looked at one by one.
    pub first_seq: u64,
    /// The rows, the newest first.
    pub rows: Vec<Row>,
    /// Whether older events fit.
    pub has_older: bool,
    /// Whether newer events fit.
    pub has_newer: bool,
}

/// Shows an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// When it was, in milliseconds since 1970.
    pub at_ms: i64,
    /// Which event it is.
    pub kind: String,
    /// Whose doing it is.
    pub actor: String,
    /// Whether it is good news: `plain`, `good`, `bad`, `warning`.
    pub tone: String,
    /// The first tasks that it is about.
    pub tasks: Vec<TaskId>,
    /// What happened, in a line; inert.
    pub text: String,
}

impl Index {
    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        let told = line(state, recorded);
        let actor = self.number(fit(&actor(state, recorded), NAME));
        self.seq = recorded.seq;
        let row = Kept {
            seq: recorded.seq,
            at_ms: recorded.at_ms,
            kind: recorded.event.kind(),
            actor,
            tone: told.tone,
            tasks: tasks(&recorded.event).into(),
            text: told.text.into(),
        };
        self.keep(row, KEPT);
    }

    /// Keeps a row, and at most so many of all.
    fn keep(&mut self, row: Kept, most: usize) {
        *self.kinds.entry(row.kind).or_default() += 1;
        self.rows.push_back(row);
        while self.rows.len() > most {
            let Some(Kept { kind, .. }) = self.rows.pop_front() else { break };
            let left = self.kinds.remove(kind).and_then(|count| count.checked_sub(1)).filter(|left| *left > 0);
            self.kinds.extend(left.map(|left| (kind, left)));
        }
    }

    /// Gives the number of the last event that was taken in.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Lists who did anything, and which kinds of events there are with how many of each. Counts nothing: it is asked at
    /// each look.
    pub fn sorts(&self) -> (Vec<String>, BTreeMap<&'static str, usize>) {
        (self.numbers.keys().cloned().collect(), self.kinds.clone())
    }

    /// Gives a page of the events that fit.
    pub fn page(&self, run: &RunId, sieve: &Sieve) -> Page {
        let limit = sieve.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let wanted = Wanted::of(self, sieve);
        let fits = |row: &&Kept| wanted.as_ref().is_some_and(|wanted| wanted.fits(row));
        let (mut rows, has_newer, has_older);
        if let Some(after) = sieve.after {
            let mut newer = self.rows.iter().skip(self.place(after.saturating_add(1))).filter(fits);
            rows = newer.by_ref().take(limit).collect::<Vec<_>>();
            has_newer = newer.next().is_some();
            rows.reverse();
            let first = rows.last().map_or(after.saturating_add(1), |row| row.seq);
            has_older = self.rows.iter().take(self.place(first)).rev().find(fits).is_some();
        } else {
            let end = sieve.before.map_or(self.rows.len(), |before| self.place(before));
            let mut older = self.rows.iter().take(end).rev().filter(fits);
            rows = older.by_ref().take(limit).collect::<Vec<_>>();
            has_older = older.next().is_some();
            has_newer = end < self.rows.len() && self.rows.iter().skip(end).find(fits).is_some();
        }
        Page {
            run: run.clone(),
            last_seq: self.seq,
            first_seq: self.rows.front().map_or(0, |row| row.seq),
            rows: rows.into_iter().map(|row| self.row(row)).collect(),
            has_older,
            has_newer,
        }
    }

    /// Finds the place of the first row whose number is not lower.
    fn place(&self, seq: u64) -> usize {
        self.rows.partition_point(|row| row.seq < seq)
    }

    fn row(&self, row: &Kept) -> Row {
        let tone = match row.tone {
            Tone::Plain => "plain",
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Warning => "warning",
        };
        Row {
            seq: row.seq,
            at_ms: row.at_ms,
            kind: row.kind.to_owned(),
            actor: self.names.get(usize::from(row.actor)).cloned().unwrap_or_default(),
            tone: tone.to_owned(),
            tasks: row.tasks.iter().take(4).copied().collect(),
            text: row.text.to_string(),
        }
    }

    fn number(&mut self, name: String) -> u16 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        // Who makes up names without end is somebody else from there on.
        let name = if self.names.len() < NAMES { name } else { super::spans::OTHERS.to_owned() };
        let next = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        let names = &mut self.names;
        *self.numbers.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            next
        })
    }
}

struct Wanted<'a> {
    text: String,
    kind: &'a str,
    task: Option<TaskId>,
    actor: Option<u16>,
}

impl<'a> Wanted<'a> {
    /// Reads what is wanted; nothing where nothing can fit.
    fn of(index: &Index, sieve: &'a Sieve) -> Option<Self> {
        let actor = match sieve.actor.as_str() {
            "" => None,
            name => Some(*index.numbers.get(name)?),
        };
        Some(Self { text: sieve.text.to_lowercase(), kind: &sieve.kind, task: sieve.task, actor })
    }

    fn fits(&self, row: &Kept) -> bool {
        (self.kind.is_empty() || row.kind == self.kind)
            && self.task.is_none_or(|task| row.tasks.contains(&task))
            && self.actor.is_none_or(|actor| row.actor == actor)
            && (self.text.is_empty() || row.text.to_lowercase().contains(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::evolve::evolve;
    use crate::model::inert::is_active;
    use crate::views::story::{HOSTILE, Story};

    fn index(story: &Story) -> Index {
        let (mut state, mut index) = (State::default(), Index::default());
        for recorded in &story.events {
            state = evolve(state, recorded);
            index.learn(&state, recorded);
        }
        index
    }

    #[test]
    fn pages_in_both_directions_give_each_event_once() {
        let story = Story::incomplete("");
        let (index, run) = (index(&story), story.state.opening().run.clone());
        let all: Vec<u64> = (1..=story.state.seq).collect();
        let (mut back, mut before) = (Vec::new(), None);
        loop {
            let page = index.page(&run, &Sieve { before, limit: Some(7), ..Sieve::default() });
            assert!(page.rows.len() <= 7 && page.has_newer == before.is_some());
            back.extend(page.rows.iter().map(|row| row.seq));
            before = page.rows.last().map(|row| row.seq);
            if !page.has_older {
                break;
            }
        }
        back.reverse();
        assert_eq!(back, all);
        let (mut on, mut after) = (Vec::new(), 0);
        loop {
            let page = index.page(&run, &Sieve { after: Some(after), limit: Some(7), ..Sieve::default() });
            assert_eq!(page.has_older, after > 0);
            on.extend(page.rows.iter().rev().map(|row| row.seq));
            after = page.rows[0].seq;
            if !page.has_newer {
                break;
            }
        }
        assert_eq!(on, all);
        let page = index.page(&run, &Sieve { after: Some(u64::MAX), ..Sieve::default() });
        assert!(page.rows.is_empty() && page.has_older && !page.has_newer);
    }

    #[test]
    fn events_are_found_by_text_kind_task_and_actor() {
        let story = Story::incomplete("");
        let (index, run) = (index(&story), story.state.opening().run.clone());
        let found = |sieve: Sieve| index.page(&run, &sieve).rows;
        let conflicts = found(Sieve { text: "CONFLICT".to_owned(), ..Sieve::default() });
        assert!(!conflicts.is_empty());
        assert!(conflicts.iter().all(|row| row.text.to_lowercase().contains("conflict")));
        let of_task = found(Sieve { task: Some(TaskId(9)), ..Sieve::default() });
        assert!(of_task.iter().all(|row| row.tasks.contains(&TaskId(9)) || row.tasks.len() == 4), "{of_task:?}");
        assert!(of_task.iter().any(|row| row.kind == "AttemptLeased") && of_task.len() < story.events.len());
        let leases = found(Sieve { task: Some(TaskId(3)), kind: "AttemptLeased".to_owned(), ..Sieve::default() });
        assert_eq!(leases.len(), 2, "it was lost once");
        let judged = found(Sieve { actor: "ladder".to_owned(), ..Sieve::default() });
        assert!(!judged.is_empty() && judged.iter().all(|row| row.kind == "VerdictGiven"));
        assert!(found(Sieve { actor: "nobody".to_owned(), ..Sieve::default() }).is_empty());
        let (names, kinds) = index.sorts();
        assert_eq!(kinds.values().sum::<usize>() as u64, story.state.seq);
        assert!(names.iter().any(|name| name == "ladder") && names.is_sorted());
    }

    #[test]
    fn what_is_kept_no_longer_is_counted_no_longer() {
        let story = Story::incomplete("");
        let mut index = index(&story);
        let leases = |index: &Index| index.rows.iter().filter(|row| row.kind == "AttemptLeased").count();
        let (row, before) = (index.rows.back().unwrap().clone(), leases(&index));
        for most in [40, 5, 1] {
            index.keep(row.clone(), most);
            let (_, kinds) = index.sorts();
            assert_eq!(kinds.values().sum::<usize>(), most);
            assert_eq!(kinds.get("AttemptLeased").copied(), Some(leases(&index)).filter(|count| *count > 0));
        }
        assert!(before > 0 && index.sorts().1.len() == 1, "of the last only its own kind is left");
    }

    #[test]
    fn no_row_holds_an_active_character() {
        let story = Story::incomplete(HOSTILE);
        let page = index(&story).page(&story.state.opening().run.clone(), &Sieve::default());
        for row in page.rows {
            assert!(!row.text.chars().chain(row.actor.chars()).any(is_active), "{row:?}");
        }
    }
}
