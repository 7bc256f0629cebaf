//! Owns how a digest is laid out: sections of lines, each of words of artel's own, text of others, and what it rests on.
//! Never says how any of these looks: a face does, and keeps text of others inert in its own way.

use super::page::{
    CheckTold, ConditionTold, ConflictTold, DeliveryTold, Digest, HotPlace, LandedTold, LeftTold, Moment, NeedTold,
    PlannerTold, SpendRow,
};
use crate::model::ids::{AttemptId, Oid, TaskId};
use crate::model::inert::headline;
use crate::model::spend::Usd;
use crate::views::words;

/// Rows of one list that are shown; programs are told all.
const ROWS: usize = 40;
/// Lines of the goal's prose that are shown.
const PROSE: usize = 12;
/// Longest text of others that is shown, in columns.
const QUOTE: usize = 200;

/// Holds a digest as it is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// What it is a digest of.
    pub title: Vec<Piece>,
    /// Its sections.
    pub sections: Vec<Section>,
}

/// Holds lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The heading, in artel's own words.
    pub heading: String,
    /// The lines.
    pub rows: Vec<Row>,
}

/// Holds one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How deep it stands below the one before; 0 or 1.
    pub depth: usize,
    /// What it says.
    pub pieces: Vec<Piece>,
}

/// Holds a part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// artel's own words, and names that it gave.
    Says(String),
    /// Text that an agent, a repository or a person wrote; as it was written.
    Quotes(String),
    /// The number of the event that the claim rests on.
    At(u64),
    /// A task.
    Task(TaskId),
    /// The commit that an attempt's candidate landed as.
    Commit(AttemptId, Oid),
    /// A commit of no task.
    Head(Oid),
}

fn says(text: impl Into<String>) -> Piece {
    Piece::Says(text.into())
}

fn quotes(text: &str) -> Piece {
    Piece::Quotes(headline(text, QUOTE))
}

fn row(pieces: Vec<Piece>) -> Row {
    Row { depth: 0, pieces }
}

fn below(pieces: Vec<Piece>) -> Row {
    Row { depth: 1, pieces }
}

/// Lays a digest out.
pub fn lay(digest: &Digest) -> Laid {
    let mut title = vec![says(format!("Digest of {}: ", digest.run)), quotes(&digest.goal)];
    if let Some(name) = &digest.name {
        title.extend([says(" · "), quotes(name)]);
    }
    let mut sections = vec![Section { heading: "How it stands".to_owned(), rows: standing(digest) }];
    let mut add = |heading: String, rows: Vec<Row>| {
        if !rows.is_empty() {
            sections.push(Section { heading, rows });
        }
    };
    add("What was to be done".to_owned(), wanted(digest));
    add(counted("Waits for a person", digest.needs.len()), all(&digest.needs, need));
    let landed = digest.landed.iter().map(|scope| scope.tasks.len()).sum();
    add(counted("Landed", landed), landings(digest));
    add("Delivered".to_owned(), all(&digest.delivered, delivery));
    let left = digest.left.len() + digest.planners.len();
    let rows = all(&digest.planners, planner).into_iter().chain(all(&digest.left, left_over)).collect();
    add(counted("Failed or given up", left), rows);
    add("Checks that were red or flaky".to_owned(), all(&digest.checks, check));
    add(counted("Conflicts", digest.conflicts.len()), all(&digest.conflicts, conflict));
    add("Hottest places".to_owned(), all(&digest.hottest, hot));
    add("Spend".to_owned(), spend(digest));
    add("What happened".to_owned(), story(digest));
    Laid { title, sections }
}

fn counted(what: &str, count: usize) -> String {
    format!("{what} ({count})")
}

/// Shows the first rows of a list, and how many more there are.
fn all<T>(list: &[T], show: impl Fn(&T) -> Row) -> Vec<Row> {
    let mut rows: Vec<Row> = list.iter().take(ROWS).map(show).collect();
    rows.extend(more(list.len()));
    rows
}

fn more(count: usize) -> Option<Row> {
    let more = count.checked_sub(ROWS).filter(|more| *more > 0)?;
    Some(row(vec![says(format!("and {more} more"))]))
}

fn standing(digest: &Digest) -> Vec<Row> {
    let counts = digest.counts;
    let told = counts.by_status().into_iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told.map(|(status, count)| format!("{count} {status}")).collect();
    let span = digest.span;
    let stretch = match span.after {
        0 => "The whole run".to_owned(),
        after => format!("After event {after}"),
    };
    let lasted = words::duration(words::between_ms(span.from_ms, span.to_ms));
    let (from, to) = (words::moment(span.from_ms), words::moment(span.to_ms));
    let mut tasks =
        format!("{} of {} through", counts.landed + counts.nothing, words::count(counts.total as usize, "task"));
    if !told.is_empty() {
        tasks = format!("{tasks}: {}", told.join(", "));
    }
    vec![
        row(vec![quotes(&digest.stands.words), Piece::At(digest.stands_at)]),
        row(vec![says(tasks)]),
        row(vec![says(format!("{stretch}: {from} to {to}, {lasted}")), Piece::At(span.upto)]),
    ]
}

fn wanted(digest: &Digest) -> Vec<Row> {
    let prose = digest.prose.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut rows: Vec<Row> = prose.clone().take(PROSE).map(|line| row(vec![quotes(line)])).collect();
    if let Some(more) = prose.count().checked_sub(PROSE).filter(|more| *more > 0) {
        rows.push(row(vec![says(format!("and {} more", words::count(more, "line")))]));
    }
    rows.extend(digest.conditions.iter().map(condition));
    rows
}

fn condition(told: &ConditionTold) -> Row {
    let holds = match told.holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "was not looked at yet",
    };
    let mut pieces = vec![says("done-condition "), quotes(&told.name), says(format!(": {holds}"))];
    if let Some(why) = &told.why {
        pieces.extend([says(": "), quotes(why)]);
    }
    pieces.extend(told.at.map(Piece::At));
    row(pieces)
}

fn need(told: &NeedTold) -> Row {
    let item = &told.item;
    let mut pieces: Vec<Piece> = Vec::new();
    if let Some(task) = item.task {
        pieces.extend([Piece::Task(task), says(" ")]);
    }
    pieces.extend([quotes(&item.title), says(": "), quotes(&item.why), says(" → "), quotes(&item.next)]);
    pieces.push(Piece::At(told.at));
    row(pieces)
}

fn landings(digest: &Digest) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut room = ROWS;
    let mut hidden = 0;
    for scope in &digest.landed {
        let count = words::count(scope.tasks.len(), "task");
        rows.push(row(vec![says(format!("{} ", scope.scope)), quotes(&scope.title), says(format!(": {count}"))]));
        rows.extend(scope.tasks.iter().take(room).map(landed));
        hidden += scope.tasks.len().saturating_sub(room);
        room = room.saturating_sub(scope.tasks.len());
    }
    if hidden > 0 {
        rows.push(row(vec![says(format!("{hidden} of these tasks are not listed here"))]));
    }
    rows
}

fn landed(told: &LandedTold) -> Row {
    let files = words::count(told.files as usize, "file");
    let attempts = if told.attempts > 1 { format!(", {} attempts", told.attempts) } else { String::new() };
    let mut pieces = vec![Piece::Task(told.task), says(" "), quotes(&told.title), says(": ")];
    pieces.extend([Piece::Commit(told.attempt, told.commit), says(format!(", {files}{attempts}, by "))]);
    pieces.push(quotes(&told.agent));
    if let Some(by) = told.reverted_by {
        pieces.push(says(format!("; taken back out by {by} since")));
    }
    pieces.push(Piece::At(told.at));
    below(pieces)
}

fn delivery(told: &DeliveryTold) -> Row {
    let mut pieces = vec![says(if told.commit.is_some() { "into " } else { "not into " }), quotes(&told.branch)];
    if let Some(commit) = told.commit {
        pieces.extend([says(" at "), Piece::Head(commit)]);
    }
    if let Some(why) = &told.why {
        pieces.extend([says(": "), quotes(why)]);
    }
    pieces.push(Piece::At(told.at));
    row(pieces)
}

fn planner(told: &PlannerTold) -> Row {
    let who = says(format!("the planner of {} failed: ", told.scope));
    row(vec![who, quotes(&told.why), Piece::At(told.at)])
}

fn left_over(told: &LeftTold) -> Row {
    let mut pieces = vec![Piece::Task(told.task), says(format!(" {} ", told.status)), quotes(&told.title)];
    pieces.extend([says(": "), quotes(&told.why), Piece::At(told.at)]);
    row(pieces)
}

fn check(told: &CheckTold) -> Row {
    let mut facts = Vec::new();
    if told.red_on_base {
        facts.push("red on the base already".to_owned());
    }
    if told.red > 0 {
        facts.push(format!("red {}", words::count(told.red as usize, "time")));
    }
    if told.flaky > 0 {
        facts.push(format!("two answers on one tree {}", words::count(told.flaky as usize, "time")));
    }
    row(vec![quotes(&told.name), says(format!(": {}", facts.join(", "))), Piece::At(told.at)])
}

fn conflict(told: &ConflictTold) -> Row {
    let mut pieces = vec![says(format!("{} in ", told.attempt)), quotes(&told.paths.join(", "))];
    pieces.push(Piece::At(told.at));
    row(pieces)
}

fn hot(told: &HotPlace) -> Row {
    let facts = [
        (told.conflicts, words::count(told.conflicts as usize, "conflict")),
        (told.refused, format!("{} refused", words::count(told.refused as usize, "candidate"))),
        (told.landings, words::count(told.landings as usize, "landing")),
    ];
    let facts: Vec<String> = facts.into_iter().filter(|(count, _)| *count > 0).map(|(_, fact)| fact).collect();
    row(vec![quotes(&told.path), says(format!(": {}", facts.join(", "))), Piece::At(told.at)])
}

fn spend(digest: &Digest) -> Vec<Row> {
    let mut rows = all(&digest.spend.rows, spent);
    let of =
        digest.spend.budget_nano_usd.map(|budget| format!("; the run may spend {}", Usd(budget))).unwrap_or_default();
    if digest.spend.nano_usd > 0 || !of.is_empty() {
        rows.push(row(vec![says(format!("{} in all{of}", Usd(digest.spend.nano_usd)))]));
    }
    rows
}

fn spent(told: &SpendRow) -> Row {
    let mut facts = Vec::new();
    if told.ended > 0 {
        facts.push(format!("{} ended, {}", told.ended, words::duration(told.wall_ms)));
    }
    if told.calls > 0 {
        let (read, written) = (told.tokens.read(), told.tokens.output);
        let calls = words::count(usize::try_from(told.calls).unwrap_or(usize::MAX), "call");
        facts.push(format!("{calls}, {read} tokens in, {written} out, {}", Usd(told.nano_usd)));
    }
    let who = vec![quotes(&told.role), says(" by "), quotes(&told.of), says(format!(": {}", facts.join(", ")))];
    row(who.into_iter().chain([Piece::At(told.at)]).collect())
}

fn story(digest: &Digest) -> Vec<Row> {
    let told = |moment: &Moment| {
        let time = words::moment(moment.at_ms);
        row(vec![says(format!("{time}  ")), quotes(&moment.text), Piece::At(moment.at)])
    };
    let mut rows: Vec<Row> = digest.story.iter().map(told).collect();
    if digest.skipped > 0 {
        let left_out = words::count(digest.skipped, "moment");
        rows.insert(super::story::FIRST.min(rows.len()), row(vec![says(format!("{left_out} left out"))]));
    }
    rows
}
