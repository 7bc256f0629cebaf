//! Owns how the plan is laid out as a picture: scopes as boxes in boxes, tasks in columns by what they wait for within
//! their scope, and how each stands as one letter. Never draws it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::critical::critical;
use crate::machine::state::{State, Status};
use crate::model::ids::{ScopeId, TaskId};

/// Room that a box leaves on each side, and above for its name, in cells.
const PAD: u32 = 1;
const NAME: u32 = 1;
/// Free cells between boxes.
const GAP: u32 = 1;

/// Shows the plan as a picture; lengths are in cells, of which each task takes one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Graph {
    /// How wide it is.
    pub width: u32,
    /// How high it is.
    pub height: u32,
    /// The scopes, each after the one that it lies in.
    pub scopes: Vec<ScopeBox>,
    /// The tasks in the order of their names: name, column, row.
    pub tasks: Vec<(TaskId, u32, u32)>,
    /// What waits for what, by places in `tasks`: the one that waits, then the one that it waits for.
    pub waits: Vec<(u32, u32)>,
    /// How the tasks stand.
    pub marks: Marks,
}

/// Shows a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScopeBox {
    /// The scope.
    pub scope: ScopeId,
    /// One line for people.
    pub title: String,
    /// Its left edge.
    pub x: u32,
    /// Its upper edge.
    pub y: u32,
    /// How wide it is.
    pub width: u32,
    /// How high it is.
    pub height: u32,
    /// How many boxes it lies in.
    pub depth: u32,
    /// Its own tasks and those of the scopes in it.
    pub tasks: u32,
}

/// Tells how all tasks stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Marks {
    /// The number of the last event that is in.
    pub seq: u64,
    /// A letter for each task in the order of their names: `w`aiting, read`y`, `r`unning, `j`udging, `g`ated, `q`ueued,
    /// `l`anded, `n`othing to do, `k`ept, `b`locked, `d`ropped, re`v`erted.
    pub letters: String,
    /// The tasks on the longest way through what is open.
    pub critical: Vec<TaskId>,
}

/// Tells how the tasks stand.
pub fn marks(state: &State) -> Marks {
    Marks {
        seq: state.seq,
        letters: state.tasks.values().map(|task| letter(&task.status)).collect(),
        critical: critical(state).into_iter().collect(),
    }
}

fn letter(status: &Status) -> char {
    match status {
        Status::Waiting => 'w',
        Status::Ready => 'y',
        Status::Running => 'r',
        Status::Judging => 'j',
        Status::Gated => 'g',
        Status::Queued => 'q',
        Status::Landed { .. } => 'l',
        Status::Nothing => 'n',
        Status::Kept { .. } => 'k',
        Status::Blocked { .. } => 'b',
        Status::Dropped { .. } => 'd',
        Status::Reverted { .. } => 'v',
    }
}

/// Lays the plan of a run out.
pub fn graph(state: &State) -> Graph {
    let mut of_scope: BTreeMap<ScopeId, Vec<TaskId>> = BTreeMap::new();
    for (id, task) in &state.tasks {
        of_scope.entry(task.scope).or_default().push(*id);
    }
    let places: BTreeMap<TaskId, u32> = (0..).zip(state.tasks.keys()).map(|(at, id)| (*id, at)).collect();
    let roots: Vec<ScopeId> = state.scopes.iter().filter(|(_, it)| it.parent.is_none()).map(|(id, _)| *id).collect();
    let plan = Plan { state, of_scope };
    let boxes: Vec<Measured> = roots.into_iter().map(|id| plan.size(id)).collect();
    let shelf = shelve(boxes);
    let mut drawn = Drawn { boxes: Vec::new(), tasks: BTreeMap::new() };
    for (x, y, it) in &shelf.boxes {
        drawn.put(state, it, *x, *y, 0);
    }
    let waits = state.tasks.iter().flat_map(|(id, task)| task.after.iter().map(move |before| (*id, *before)));
    Graph {
        width: shelf.width,
        height: shelf.height,
        scopes: drawn.boxes,
        tasks: drawn.tasks.into_iter().map(|(id, (x, y))| (id, x, y)).collect(),
        waits: waits.filter_map(|(id, before)| Some((*places.get(&id)?, *places.get(&before)?))).collect(),
        marks: marks(state),
    }
}

struct Plan<'a> {
    state: &'a State,
    of_scope: BTreeMap<ScopeId, Vec<TaskId>>,
}

/// A scope whose size is known: its own tasks below its name, the scopes in it below them.
struct Measured {
    scope: ScopeId,
    width: u32,
    height: u32,
    count: u32,
    tasks: Vec<(TaskId, u32, u32)>,
    inner_y: u32,
    inner: Shelf,
}

struct Shelf {
    width: u32,
    height: u32,
    boxes: Vec<(u32, u32, Measured)>,
}

impl Plan<'_> {
    fn size(&self, scope: ScopeId) -> Measured {
        let own = self.of_scope.get(&scope).map(Vec::as_slice).unwrap_or_default();
        let (tasks, columns, rows) = self.columns(own);
        let children = self.state.scopes.get(&scope).map(|it| it.children.as_slice()).unwrap_or_default();
        let inner = shelve(children.iter().map(|id| self.size(*id)).collect());
        let between = if rows > 0 && inner.height > 0 { GAP } else { 0 };
        Measured {
            scope,
            width: (columns.max(inner.width) + 2 * PAD).max(4),
            height: NAME + rows + between + inner.height + 2 * PAD,
            count: own.len() as u32 + inner.boxes.iter().map(|(_, _, it)| it.count).sum::<u32>(),
            tasks,
            inner_y: PAD + NAME + rows + between,
            inner,
        }
    }

    /// Sets tasks into columns: first those that wait for none of their scope, then those that wait for those, and so on;
    /// a column that would be long becomes several.
    fn columns(&self, own: &[TaskId]) -> (Vec<(TaskId, u32, u32)>, u32, u32) {
        let mut steps: BTreeMap<u32, Vec<TaskId>> = BTreeMap::new();
        let mut step_of: BTreeMap<TaskId, u32> = BTreeMap::new();
        // A task has a higher name than what it waited for from the first.
        for id in own {
            let after = self.state.tasks.get(id).map(|task| task.after.as_slice()).unwrap_or_default();
            let step = after.iter().filter_map(|before| step_of.get(before)).max().map_or(0, |before| before + 1);
            step_of.insert(*id, step);
            steps.entry(step).or_default().push(*id);
        }
        let high = (own.len() as u64).isqrt().max(2) as u32;
        let (mut placed, mut column, mut rows) = (Vec::with_capacity(own.len()), 0, 0);
        for tasks in steps.values() {
            for (at, id) in (0..).zip(tasks) {
                placed.push((*id, column + at / high, at % high));
                rows = rows.max(at % high + 1);
            }
            column += (tasks.len() as u32).div_ceil(high);
        }
        (placed, column, rows)
    }
}

/// Sets boxes on shelves, in their order, so that all together are about half as wide again as high.
fn shelve(boxes: Vec<Measured>) -> Shelf {
    let area: u64 = boxes.iter().map(|it| u64::from(it.width + GAP) * u64::from(it.height + GAP)).sum();
    let widest = boxes.iter().map(|it| it.width).max().unwrap_or(0);
    let room = u32::try_from((area * 3 / 2).isqrt()).unwrap_or(u32::MAX).max(widest);
    let mut shelf = Shelf { width: 0, height: 0, boxes: Vec::with_capacity(boxes.len()) };
    let (mut x, mut y, mut high) = (0, 0, 0);
    for it in boxes {
        if x > 0 && x + it.width > room {
            (x, y, high) = (0, y + high + GAP, 0);
        }
        (shelf.width, high) = (shelf.width.max(x + it.width), high.max(it.height));
        shelf.height = y + high;
        let next = x + it.width + GAP;
        shelf.boxes.push((x, y, it));
        x = next;
    }
    shelf
}

struct Drawn {
    boxes: Vec<ScopeBox>,
    tasks: BTreeMap<TaskId, (u32, u32)>,
}

impl Drawn {
    fn put(&mut self, state: &State, it: &Measured, x: u32, y: u32, depth: u32) {
        let title = state.scopes.get(&it.scope).map(|scope| scope.draft.title.clone()).unwrap_or_default();
        let (scope, width, height, tasks) = (it.scope, it.width, it.height, it.count);
        self.boxes.push(ScopeBox { scope, title, x, y, width, height, depth, tasks });
        for (id, column, row) in &it.tasks {
            self.tasks.insert(*id, (x + PAD + column, y + PAD + NAME + row));
        }
        for (inner_x, inner_y, inner) in &it.inner.boxes {
            self.put(state, inner, x + PAD + inner_x, y + it.inner_y + inner_y, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::views::story::Story;

    fn holds(outer: &ScopeBox, x: u32, y: u32, width: u32, height: u32) -> bool {
        x > outer.x && y > outer.y && x + width < outer.x + outer.width && y + height < outer.y + outer.height
    }

    #[test]
    fn each_task_lies_in_the_box_of_its_scope_and_no_two_in_one_place() {
        for tasks in [2, 12, 2000] {
            let mut story = Story::open("", &[], 4);
            story.plan(tasks);
            let graph = graph(&story.state);
            assert_eq!(graph.tasks.len(), tasks as usize);
            assert_eq!(graph.marks.letters.len(), tasks as usize);
            let places: BTreeSet<(u32, u32)> = graph.tasks.iter().map(|(_, x, y)| (*x, *y)).collect();
            assert_eq!(places.len(), graph.tasks.len());
            let boxes: BTreeMap<ScopeId, &ScopeBox> = graph.scopes.iter().map(|it| (it.scope, it)).collect();
            for (id, x, y) in &graph.tasks {
                assert!(holds(boxes[&story.state.tasks[id].scope], *x, *y, 1, 1), "{id}");
            }
            let mut own: Vec<&ScopeBox> = Vec::new();
            for it in &graph.scopes {
                let parent = story.state.scopes[&it.scope].parent;
                assert!(parent.is_none_or(|parent| holds(boxes[&parent], it.x, it.y, it.width, it.height)), "{it:?}");
                own.extend(parent.map(|_| it));
                assert!(it.x + it.width <= graph.width && it.y + it.height <= graph.height, "{it:?} {graph:?}");
            }
            for (at, one) in own.iter().enumerate() {
                for other in &own[at + 1..] {
                    let apart = one.x + one.width <= other.x
                        || other.x + other.width <= one.x
                        || one.y + one.height <= other.y
                        || other.y + other.height <= one.y;
                    assert!(apart, "{one:?} {other:?}");
                }
            }
            let aspect = f64::from(graph.width) / f64::from(graph.height);
            assert!((0.3..5.0).contains(&aspect), "{} by {}", graph.width, graph.height);
            assert_eq!(graph.waits, [(tasks - 1, tasks - 2)], "the last waits for the one before it");
        }
    }

    #[test]
    fn the_picture_of_two_thousand_tasks_is_small_and_its_marks_are_smaller() {
        let mut story = Story::open("", &[], 4);
        story.plan(2000);
        let graph = graph(&story.state);
        let whole = serde_json::to_string(&graph).unwrap().len();
        let marks = serde_json::to_string(&graph.marks).unwrap().len();
        assert!(whole < 64 << 10 && marks < 4 << 10, "{whole} and {marks} bytes");
    }
}
