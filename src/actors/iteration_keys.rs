//! Owns the names under which a planner's session hands out work in a later iteration: apart from what was handed out under the
//! same names before. Knows no law.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::io::agents::PlanAnswer;

/// Knows the names of tasks of one iteration; its copies share what they learn.
#[derive(Clone)]
pub struct IterationKeys {
    iteration: u32,
    known: Arc<Mutex<BTreeSet<String>>>,
}

impl IterationKeys {
    /// Takes the iteration and the names of all tasks of the run.
    pub fn new<'a>(iteration: u32, tasks: impl IntoIterator<Item = &'a String>) -> Self {
        let ending = format!("@{iteration}");
        let known = tasks.into_iter().filter(|key| iteration > 1 && key.ends_with(&ending)).cloned().collect();
        Self { iteration, known: Arc::new(Mutex::new(known)) }
    }

    /// Names what is handed out so that it is new in its iteration. A task that waits for a name waits for the one of this
    /// iteration, where there is one.
    pub fn name(&self, mut answer: PlanAnswer) -> PlanAnswer {
        if self.iteration < 2 {
            return answer;
        }
        let anew = |key: &str| format!("{key}@{}", self.iteration);
        // It is whole after each statement that changes it.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        answer.scopes.iter_mut().for_each(|scope| scope.key = anew(&scope.key));
        for task in &mut answer.tasks {
            task.key = anew(&task.key);
            known.insert(task.key.clone());
        }
        for task in &mut answer.tasks {
            let after = std::mem::take(&mut task.after).into_iter();
            task.after = after.map(|key| Some(anew(&key)).filter(|key| known.contains(key)).unwrap_or(key)).collect();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::read_plan;
    use crate::model::paths::PathSet;

    fn plan(tasks: &[(&str, &str)]) -> PlanAnswer {
        let task = |(key, after): &(&str, &str)| {
            let after = if after.is_empty() { String::new() } else { format!("{after:?}") };
            format!(r#"{{"key":{key:?},"title":"t","brief":"b","paths":["a"],"after":[{after}]}}"#)
        };
        let tasks: Vec<String> = tasks.iter().map(task).collect();
        let said = format!("```artel\n{{\"tasks\":[{}]}}\n```", tasks.join(","));
        read_plan(&said, ("worker", "planner"), &PathSet::everything()).unwrap()
    }

    fn named(keys: &IterationKeys, tasks: &[(&str, &str)]) -> Vec<String> {
        let tasks = keys.name(plan(tasks)).tasks;
        tasks.iter().map(|task| format!("{} {:?}", task.key, task.after)).collect()
    }

    #[test]
    fn names_of_the_first_iteration_stay_as_they_are() {
        let keys = IterationKeys::new(1, []);
        assert_eq!(named(&keys, &[("a", ""), ("b", "a")]), ["a {}", "b {\"a\"}"]);
    }

    #[test]
    fn a_task_waits_for_the_one_of_its_own_iteration_however_that_was_handed_out() {
        let before = ["a".to_owned(), "c".to_owned(), "d@2".to_owned()];
        let keys = IterationKeys::new(2, &before);
        assert_eq!(named(&keys, &[("b", "a"), ("a", "")]), ["b@2 {\"a@2\"}", "a@2 {}"], "in one answer");
        assert_eq!(named(&keys.clone(), &[("e", "b")]), ["e@2 {\"b@2\"}"], "by a call before");
        assert_eq!(named(&keys, &[("f", "d")]), ["f@2 {\"d@2\"}"], "by a waking before");
        assert_eq!(named(&keys, &[("g", "c")]), ["g@2 {\"c\"}"], "in an iteration before");
    }
}
