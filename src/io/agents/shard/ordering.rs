//! Owns the order among groups: cycles are broken, what has no files is looked through, and what comes first is first.
//! Never knows why one thing depends on another.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graphmap::DiGraphMap;

use super::split::Group;

/// Waits that are kept at most; a repository that needs more is hostile.
const WAITS_MAX: usize = 200_000;

/// Holds which of some numbered things wait for which.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// The things, each after all that it waits for.
    pub(super) order: Vec<usize>,
    /// What each waits for, among those that count.
    pub(super) after: BTreeMap<usize, BTreeSet<usize>>,
    /// Whether the order was given up because there were too many waits.
    pub(super) given_up: bool,
}

/// Orders the things `0..count` by `depends_on`, pairs of a thing and what it needs. Things of one cycle have no order among
/// them. Only those for which `counts` says so are waited for or wait; the others are looked through.
pub(super) fn order(count: usize, depends_on: &BTreeSet<(usize, usize)>, counts: &dyn Fn(usize) -> bool) -> Waits {
    let mut graph = DiGraphMap::<usize, ()>::new();
    for thing in 0..count {
        graph.add_node(thing);
    }
    for (thing, needs) in depends_on {
        graph.add_edge(*thing, *needs, ());
    }
    // Each cycle comes after all that it needs.
    let cycles = petgraph::algo::tarjan_scc(&graph);
    let mut cycle_of = vec![0; count];
    for (number, members) in cycles.iter().enumerate() {
        members.iter().for_each(|member| cycle_of[*member] = number);
    }
    let mut waits = Waits::default();
    let mut kept = 0;
    // What a thing outside must wait for so that it comes after the cycle.
    let mut stands_for: Vec<BTreeSet<usize>> = Vec::with_capacity(cycles.len());
    for (number, members) in cycles.iter().enumerate() {
        let needed: BTreeSet<usize> =
            members.iter().flat_map(|member| graph.neighbors(*member)).map(|needs| cycle_of[needs]).collect();
        let before: BTreeSet<usize> =
            needed.into_iter().filter(|other| *other != number).flat_map(|other| &stands_for[other]).copied().collect();
        let counting: BTreeSet<usize> = members.iter().copied().filter(|member| counts(*member)).collect();
        kept += before.len() * counting.len().max(1);
        if kept > WAITS_MAX {
            return Waits { order: (0..count).collect(), given_up: true, ..Waits::default() };
        }
        waits.after.extend(counting.iter().map(|member| (*member, before.clone())));
        stands_for.push(if counting.is_empty() { before } else { counting });
    }
    waits.order = first_things_first(count, &waits.after);
    waits
}

/// Lists things so that each follows all that it waits for, and otherwise by number.
fn first_things_first(count: usize, after: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<usize> {
    let mut missing: Vec<usize> = (0..count).map(|thing| after.get(&thing).map_or(0, BTreeSet::len)).collect();
    let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (thing, before) in after {
        before.iter().for_each(|first| waiting.entry(*first).or_default().push(*thing));
    }
    let mut ready: BTreeSet<usize> = (0..count).filter(|thing| missing[*thing] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(thing) = ready.pop_first() {
        order.push(thing);
        for later in waiting.remove(&thing).unwrap_or_default() {
            missing[later] -= 1;
            if missing[later] == 0 {
                ready.insert(later);
            }
        }
    }
    order
}

/// Lists the keys of the tasks that the tasks of `group` wait for: those of the groups that it comes after, and, where
/// one of these has no tasks, those that it would have waited for itself. `emitted` holds the task keys of each group by
/// the group's key; groups are to be worked through in their order.
pub fn waits(group: &Group, groups: &[Group], emitted: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let by_key: BTreeMap<&str, &Group> = groups.iter().map(|group| (group.key.as_str(), group)).collect();
    let mut seen = BTreeSet::new();
    let mut look: Vec<&str> = group.after.iter().map(String::as_str).collect();
    let mut keys = BTreeSet::new();
    while let Some(before) = look.pop() {
        if !seen.insert(before) {
            continue;
        }
        match emitted.get(before).filter(|keys| !keys.is_empty()) {
            Some(tasks) => keys.extend(tasks.iter().cloned()),
            None => look.extend(by_key.get(before).iter().flat_map(|group| &group.after).map(String::as_str)),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::shard::split::group;

    fn after(count: usize, edges: &[(usize, usize)], counts: &dyn Fn(usize) -> bool) -> Vec<(usize, Vec<usize>)> {
        let waits = order(count, &edges.iter().copied().collect(), counts);
        assert!(!waits.given_up);
        waits.after.into_iter().map(|(thing, before)| (thing, before.into_iter().collect())).collect()
    }

    #[test]
    fn a_cycle_has_no_order_inside_and_keeps_its_order_outside() {
        // 3 needs 1; 1 and 2 need each other; 2 needs 0.
        let edges = [(3, 1), (1, 2), (2, 1), (2, 0)];
        assert_eq!(after(4, &edges, &|_| true), [(0, vec![]), (1, vec![0]), (2, vec![0]), (3, vec![1, 2])]);
    }

    #[test]
    fn what_has_no_files_is_looked_through() {
        assert_eq!(after(3, &[(2, 1), (1, 0)], &|thing| thing != 1), [(0, vec![]), (2, vec![0])]);
    }

    #[test]
    fn what_comes_first_is_first_and_the_rest_goes_by_number() {
        assert_eq!(order(4, &[(0, 3), (1, 3)].into(), &|_| true).order, [2, 3, 0, 1]);
    }

    #[test]
    fn more_waits_than_any_honest_repository_has_give_the_order_up() {
        let edges = (0..700).flat_map(|a| (700..1400).map(move |b| (a, b))).collect();
        let waits = order(1400, &edges, &|_| true);
        assert!(waits.given_up);
        assert!(waits.after.is_empty());
        assert_eq!(waits.order.len(), 1400);
    }

    #[test]
    fn tasks_wait_past_a_group_that_has_none() {
        let made = |key: &str, after: &[&str]| Group {
            after: after.iter().map(|key| (*key).to_owned()).collect(),
            ..group(key, key, &[key])
        };
        let groups = [made("a", &[]), made("b", &["a"]), made("c", &["b"])];
        let tasks = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let mut emitted = BTreeMap::from([("a".to_owned(), tasks(&["a1", "a2"])), ("b".to_owned(), tasks(&[]))]);
        assert_eq!(waits(&groups[2], &groups, &emitted), tasks(&["a1", "a2"]));
        emitted.insert("b".to_owned(), tasks(&["b1"]));
        assert_eq!(waits(&groups[2], &groups, &emitted), tasks(&["b1"]));
    }
}
