//! Owns what is compiled of a run's texts, once: test listers, globs, patterns of outputs, rewriting engines. Chooses
//! nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use globset::GlobSet;

use super::world::told;
use crate::io::agents::codemod::Codemod;
use crate::io::syntax::{RuleError, Rules, TestCensus};
use crate::machine::command::Opening;
use crate::model::globs::globs;
use crate::model::protected::LOCK_FILES;
use crate::model::test_output::TestOutput;

/// Holds what judges and checks look through.
#[derive(Debug)]
pub struct Instruments {
    /// Counts tests, one for each language.
    pub listers: Vec<TestCensus>,
    /// What the goal owns; none is everything.
    pub owns: Option<GlobSet>,
    /// What the goal forbids.
    pub never: GlobSet,
    /// What no attempt may change.
    pub always: GlobSet,
    /// What only a task that owns it by name may change: tests and lock files.
    pub unless_named: GlobSet,
    /// Reads the tests out of a check's output.
    pub output: TestOutput,
}

impl Instruments {
    /// Compiles what a run was opened with.
    ///
    /// # Errors
    /// One line for people, where a pattern cannot be read.
    pub fn new(opening: &Opening) -> Result<Self, String> {
        let config = &opening.config;
        let bad = |error: globset::Error| format!("failed to read a glob: {error}");
        let listers = config.tests.values().map(TestCensus::new).collect::<Result<Vec<_>, _>>();
        let is_lock_file = |glob: &&String| LOCK_FILES.contains(&glob.as_str());
        let always = config.protect.iter().filter(|glob| !is_lock_file(glob)).chain(&opening.protect);
        let test_files = config.tests.values().flat_map(|lister| &lister.test_files);
        let unless_named = test_files.chain(config.protect.iter().filter(is_lock_file));
        let owns = globs(&opening.goal.owns).map_err(bad)?;
        Ok(Self {
            listers: listers.map_err(|error| format!("failed to {}", told(&error)))?,
            owns: (!opening.goal.owns.is_empty()).then_some(owns),
            never: globs(&opening.goal.never).map_err(bad)?,
            always: globs(always).map_err(bad)?,
            unless_named: globs(unless_named).map_err(bad)?,
            output: TestOutput::new(config),
        })
    }
}

/// Keeps rewriting engines by the names of their rule files.
#[derive(Debug, Default)]
pub struct Engines {
    made: Mutex<BTreeMap<Vec<String>, Arc<Codemod>>>,
}

impl Engines {
    /// Gives the engine of these rule files; makes it where it is asked for first.
    ///
    /// # Errors
    /// What making it fails with; the next who asks tries again.
    pub fn get(
        &self,
        names: &[String],
        read: impl FnOnce() -> Result<Vec<Rules>, RuleError>,
    ) -> Result<Arc<Codemod>, RuleError> {
        // Nothing that panics is done under the lock but reading rules, which leaves the map as it was.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = made.get(names) {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(Codemod::new(read()?));
        made.insert(names.to_vec(), Arc::clone(&engine));
        Ok(engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Result<Vec<Rules>, RuleError> {
        Ok(vec![Rules::parse("r.yml", "id: a\nlanguage: rust\nrule: {pattern: a()}\nfix: b()\n")?])
    }

    #[test]
    fn an_engine_is_made_once_for_the_same_rules_in_the_same_order() {
        let engines = Engines::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let first = engines.get(&names(&["a", "b"]), rules).unwrap();
        let again = engines.get(&names(&["a", "b"]), || panic!("it is made anew")).unwrap();
        let other = engines.get(&names(&["b", "a"]), rules).unwrap();
        assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &other));
    }

    #[test]
    fn rules_that_cannot_be_read_are_told_each_time() {
        let engines = Engines::default();
        for _ in 0..2 {
            assert!(engines.get(&["a".to_owned()], || Ok(vec![Rules::parse("a", "nonsense: [")?])).is_err());
        }
    }
}
