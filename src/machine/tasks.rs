//! Owns the tasks of a run by name. Of a state that was read back from a snapshot, each task is unpacked when it is first
//! looked at: most of a long run's are through, and nobody asks for them again.

use std::fmt;
use std::ops::Index;
use std::slice;
use std::sync::{Arc, OnceLock};

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::snapshot;
use super::state::Task;
use crate::model::ids::TaskId;

/// Holds tasks in the order of their names, which nearly always are numbers without a gap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tasks(Vec<(TaskId, Slot)>);

/// Holds one task, unpacked or still as it lay in a snapshot, or both.
#[derive(Clone, Default)]
struct Slot {
    task: OnceLock<Box<Task>>,
    packed: Option<Packed>,
}

/// Names the bytes of a task in a snapshot.
#[derive(Clone)]
struct Packed {
    snapshot: Arc<Vec<u8>>,
    from: usize,
    to: usize,
}

impl Packed {
    fn bytes(&self) -> &[u8] {
        &self.snapshot[self.from..self.to]
    }
}

impl Slot {
    fn of(task: Task) -> Self {
        Self { task: OnceLock::from(Box::new(task)), packed: None }
    }

    fn get(&self) -> &Task {
        self.task.get_or_init(|| {
            let task = self.packed.as_ref().and_then(|packed| snapshot::read(packed.bytes()));
            Box::new(task.unwrap_or_else(|| panic!("bug: a task of a sound snapshot cannot be read")))
        })
    }

    fn get_mut(&mut self) -> Option<&mut Task> {
        self.get();
        self.packed = None;
        self.task.get_mut().map(|task| &mut **task)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        match (&self.packed, &other.packed) {
            (Some(one), Some(two)) => one.bytes() == two.bytes(),
            (Some(_), None) | (None, Some(_) | None) => self.get() == other.get(),
        }
    }
}

impl Tasks {
    /// Tells where a task is, or where it would be.
    fn find(&self, id: TaskId) -> Result<usize, usize> {
        let first = self.0.first().map_or(0, |(first, _)| first.0);
        let near = id.0.wrapping_sub(first) as usize;
        match self.0.get(near) {
            Some((met, _)) if *met == id => Ok(near),
            Some(_) | None => self.0.binary_search_by_key(&id, |(id, _)| *id),
        }
    }

    /// Gives a task.
    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.find(*id).ok().map(|at| self.0[at].1.get())
    }

    /// Gives a task to be changed.
    pub fn get_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        let at = self.find(*id).ok()?;
        self.0[at].1.get_mut()
    }

    /// Adds a task, in the place of any of that name.
    pub fn insert(&mut self, id: TaskId, task: Task) {
        let slot = Slot::of(task);
        match self.find(id) {
            Ok(at) => self.0[at].1 = slot,
            Err(at) => self.0.insert(at, (id, slot)),
        }
    }

    /// Tells whether there is a task of that name.
    pub fn contains_key(&self, id: &TaskId) -> bool {
        self.find(*id).is_ok()
    }

    /// Gives the greatest name.
    pub fn last(&self) -> Option<TaskId> {
        self.0.last().map(|(id, _)| *id)
    }

    /// Counts the tasks.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes through all names.
    pub fn keys(&self) -> impl Iterator<Item = &TaskId> {
        self.0.iter().map(|(id, _)| id)
    }

    /// Goes through all tasks with their names.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    /// Goes through all tasks.
    pub fn values(&self) -> impl Iterator<Item = &Task> {
        self.0.iter().map(|(_, slot)| slot.get())
    }

    /// Goes through all tasks, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.0.iter_mut().filter_map(|(_, slot)| slot.get_mut())
    }
}

/// Goes through tasks with their names.
pub struct Iter<'a>(slice::Iter<'a, (TaskId, Slot)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a TaskId, &'a Task);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(id, slot)| (id, slot.get()))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(id, slot)| (id, slot.get()))
    }
}

impl<'a> IntoIterator for &'a Tasks {
    type Item = (&'a TaskId, &'a Task);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Index<&TaskId> for Tasks {
    type Output = Task;

    /// # Panics
    /// Panics where there is no such task.
    fn index(&self, id: &TaskId) -> &Task {
        match self.get(id) {
            Some(task) => task,
            None => panic!("bug: there is no task {id}"),
        }
    }
}

/// Shows bytes as such, which most formats write at once.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

impl Serialize for Tasks {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error as _, SerializeSeq as _};
        let mut rows = to.serialize_seq(Some(self.len()))?;
        for (id, slot) in &self.0 {
            match &slot.packed {
                Some(packed) => rows.serialize_element(&(id, Bytes(packed.bytes())))?,
                None => {
                    let bytes = snapshot::write(slot.get()).map_err(S::Error::custom)?;
                    rows.serialize_element(&(id, Bytes(&bytes)))?;
                }
            }
        }
        rows.end()
    }
}

impl<'de> Deserialize<'de> for Tasks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Rows)
    }
}

struct Rows;

impl<'de> Visitor<'de> for Rows {
    type Value = Tasks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of tasks, each with the task in bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Tasks, A::Error> {
        let mut snapshot = Vec::new();
        let mut places: Vec<(TaskId, usize)> = Vec::new();
        while let Some((id, bytes)) = rows.next_element::<(TaskId, &'de [u8])>()? {
            if places.last().is_some_and(|(last, _)| *last >= id) {
                return Err(A::Error::custom("tasks in order"));
            }
            snapshot.extend_from_slice(bytes);
            places.push((id, snapshot.len()));
        }
        let snapshot = Arc::new(snapshot);
        let mut from = 0;
        let slots = places.into_iter().map(|(id, to)| {
            let packed = Packed { snapshot: Arc::clone(&snapshot), from, to };
            from = to;
            (id, Slot { task: OnceLock::new(), packed: Some(packed) })
        });
        Ok(Tasks(slots.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::{Scene, draft};

    fn tasks() -> Tasks {
        let scene = Scene::opened(|_| {}).begun().planned(vec![draft("a", "a"), draft("b", "b")]);
        scene.state.tasks
    }

    fn read_back(tasks: &Tasks) -> Tasks {
        snapshot::read(&snapshot::write(tasks).unwrap()).unwrap()
    }

    #[test]
    fn tasks_come_back_as_they_were_and_are_written_the_same_however_far_they_are_unpacked() {
        let live = tasks();
        let packed = read_back(&live);
        let written = snapshot::write(&live).unwrap();
        assert_eq!(snapshot::write(&packed).unwrap(), written, "none was unpacked");
        assert!(packed.0.iter().all(|(_, slot)| slot.task.get().is_none()));
        assert_eq!(packed.values().count(), 2);
        assert_eq!(snapshot::write(&packed).unwrap(), written, "all were looked at");
        assert_eq!((&packed, &read_back(&packed)), (&live, &live));
    }

    #[test]
    fn a_change_is_kept_and_makes_them_differ() {
        let live = tasks();
        let mut packed = read_back(&live);
        packed.get_mut(&TaskId(1)).unwrap().lost = 7;
        assert_ne!(packed, live);
        let again = read_back(&packed);
        assert_eq!((again[&TaskId(1)].lost, again.last()), (7, Some(TaskId(2))));
        assert_eq!(again, packed);
    }

    #[test]
    fn tasks_are_found_by_name_whatever_gaps_are_between_them() {
        let mut tasks = Tasks::default();
        let model = self::tasks()[&TaskId(1)].clone();
        for (id, lost) in [(7, 1), (3, 2), (4, 3), (9, 4), (4, 5), (1, 6)] {
            tasks.insert(TaskId(id), Task { lost, ..model.clone() });
        }
        let all: Vec<(u32, u32)> = tasks.iter().map(|(id, task)| (id.0, task.lost)).collect();
        assert_eq!(all, [(1, 6), (3, 2), (4, 5), (7, 1), (9, 4)]);
        assert_eq!(tasks.iter().next_back().map(|(id, _)| *id), tasks.last());
        for id in 0..12 {
            let lost = all.iter().find(|(known, _)| *known == id).map(|(_, lost)| *lost);
            assert_eq!(tasks.get(&TaskId(id)).map(|task| task.lost), lost);
            assert_eq!(tasks.get_mut(&TaskId(id)).map(|task| task.lost), lost);
        }
    }

    #[test]
    fn what_is_no_order_of_tasks_is_refused() {
        let rows = [(TaskId(2), Bytes(&[])), (TaskId(1), Bytes(&[]))];
        assert_eq!(snapshot::read::<Tasks>(&snapshot::write(&rows.as_slice()).unwrap()), None);
    }
}
