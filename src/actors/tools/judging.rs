//! Owns the tools by which a judge's session gives its verdict: the first that can be taken stands. Never decides what follows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::planning::told;
use crate::io::agents::{ReviewAnswer, WrittenFinding, WrittenReview, whole_verdict};
use crate::io::tools::{Pending, Tool, Toolbox, arguments, schema_of};
use crate::model::review::{Criterion, RunRuling, RunVerdict, Score};
use crate::model::verdict::Ruling;

/// Findings that are noted before a verdict.
const NOTED_MAX: usize = 50;

/// Holds the verdict of a session, once it is given.
#[derive(Debug)]
struct Given<V>(Mutex<Option<V>>);

impl<V: Clone + PartialEq> Given<V> {
    fn lock(&self) -> MutexGuard<'_, Option<V>> {
        // It is whole after each statement that changes it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a verdict; one that says otherwise than an earlier one is refused.
    fn take(&self, verdict: V, word: impl Fn(&V) -> &'static str) -> Result<String, String> {
        let mut given = self.lock();
        match &*given {
            Some(before) if *before == verdict => {}
            Some(before) => {
                return Err(format!(
                    "you have given your verdict, `{}`, and it stands: end your session",
                    word(before)
                ));
            }
            None => *given = Some(verdict),
        }
        Ok("Your verdict is taken. End your session; it need not stand in your last message.".to_owned())
    }
}

/// Holds the tools of one who judges a candidate.
#[derive(Clone)]
pub struct ReviewingTools {
    inner: Arc<Reviewed>,
}

struct Reviewed {
    criteria: Vec<Criterion>,
    noted: Mutex<Vec<WrittenFinding>>,
    given: Given<ReviewAnswer>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Findings {
    /// What is wrong with the candidate, beside what you have noted before.
    findings: Vec<WrittenFinding>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Verdict {
    /// A score for each criterion.
    scores: Vec<Score>,
    /// `accept`, `reject` (the same worker goes on from this state) or `restart` (it is done anew).
    ruling: Ruling,
}

impl ReviewingTools {
    /// Scores these.
    pub fn new(criteria: Vec<Criterion>) -> Self {
        Self { inner: Arc::new(Reviewed { criteria, noted: Mutex::default(), given: Given(Mutex::default()) }) }
    }

    /// Gives the verdict, where one was given.
    pub fn given(&self) -> Option<ReviewAnswer> {
        self.inner.given.lock().clone()
    }
}

impl Reviewed {
    fn noted(&self) -> MutexGuard<'_, Vec<WrittenFinding>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, Findings { findings }: Findings) -> Result<String, String> {
        for found in &findings {
            found.clone().finding().map_err(told)?;
        }
        if self.given.lock().is_some() {
            return Err("you have given your verdict, and it stands: end your session".to_owned());
        }
        let mut noted = self.noted();
        if noted.len() + findings.len() > NOTED_MAX {
            return Err(format!("{NOTED_MAX} findings are taken: name the worst"));
        }
        noted.extend(findings);
        Ok(format!("{} noted: `verdict` takes them up", noted.len()))
    }

    fn rule(&self, Verdict { scores, ruling }: Verdict) -> Result<String, String> {
        let findings = self.noted().clone();
        let answer = WrittenReview { scores, findings, ruling }.answer(&self.criteria).map_err(told)?;
        self.given.take(answer, |answer| match answer.ruling {
            Ruling::Accept => "accept",
            Ruling::Reject => "reject",
            Ruling::Restart => "restart",
        })
    }
}

impl Toolbox for ReviewingTools {
    fn tools(&self) -> Vec<Tool> {
        let tool = |name: &str, about: &str, input| Tool { name: name.to_owned(), about: about.to_owned(), input };
        vec![
            tool("findings", "Notes what is wrong with the candidate, before your verdict.", schema_of::<Findings>()),
            tool(
                "verdict",
                "Gives your verdict, once: the scores, and what becomes of the candidate by what you have noted with \
                 `findings`. End your session after this call.",
                schema_of::<Verdict>(),
            ),
        ]
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let done = match name {
            "findings" => arguments(name, given).and_then(|given| self.inner.note(given)),
            "verdict" => arguments(name, given).and_then(|given| self.inner.rule(given)),
            _ => Err("a judge has no such tool".to_owned()),
        };
        Box::pin(async move { done })
    }
}

/// Holds the tool of one who judges the run.
#[derive(Clone)]
pub struct RunJudgingTools {
    inner: Arc<(Vec<String>, Given<RunVerdict>)>,
}

impl RunJudgingTools {
    /// Takes the conditions that do not hold, over which nobody says done.
    pub fn new(red: Vec<String>) -> Self {
        Self { inner: Arc::new((red, Given(Mutex::default()))) }
    }

    /// Gives the verdict, where one was given.
    pub fn given(&self) -> Option<RunVerdict> {
        self.inner.1.lock().clone()
    }

    /// Takes a verdict that may be said as the conditions stand.
    ///
    /// # Errors
    /// What stands against it. The law would refuse it; whoever says so is told before it comes to that.
    pub fn may_say(&self, verdict: RunVerdict) -> Result<RunVerdict, String> {
        match verdict.ruling {
            RunRuling::Done if !self.inner.0.is_empty() => {
                let red = self.inner.0.join(", ");
                Err(format!("it says that the run is done while this does not hold: {red}"))
            }
            RunRuling::Done | RunRuling::Continue | RunRuling::Restart => Ok(verdict),
        }
    }
}

impl Toolbox for RunJudgingTools {
    fn tools(&self) -> Vec<Tool> {
        let about = "Gives your verdict on the run, once. End your session after this call.";
        vec![Tool { name: "verdict".to_owned(), about: about.to_owned(), input: schema_of::<RunVerdict>() }]
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let done = match name {
            "verdict" => arguments(name, given)
                .and_then(|given| whole_verdict(given).map_err(told))
                .and_then(|verdict| self.may_say(verdict))
                .and_then(|verdict| {
                    self.inner.1.take(verdict, |verdict| match verdict.ruling {
                        RunRuling::Done => "done",
                        RunRuling::Continue => "continue",
                        RunRuling::Restart => "restart",
                    })
                }),
            _ => Err("a judge has no such tool".to_owned()),
        };
        Box::pin(async move { done })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reviewing() -> ReviewingTools {
        ReviewingTools::new(vec![Criterion { name: "brief".into(), about: "all of it".into(), least: 7 }])
    }

    fn verdict(ruling: &str) -> Value {
        json!({"scores": [{"criterion": "brief", "score": 9, "evidence": "a.rs"}], "ruling": ruling})
    }

    fn found() -> Value {
        json!({"findings": [{"class": "missed-case", "what": "it lacks one", "advice": "add it"}]})
    }

    #[test]
    fn what_is_offered_is_described() {
        let tools = reviewing().tools().into_iter().chain(RunJudgingTools::new(Vec::new()).tools());
        let each: Vec<Value> = tools.map(|it| json!({"name": it.name, "about": it.about, "input": it.input})).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&each).unwrap());
    }

    #[tokio::test]
    async fn the_first_verdict_that_can_be_taken_stands() {
        let tools = reviewing();
        let why = tools.call("verdict", json!({"scores": [], "ruling": "accept"})).await.unwrap_err();
        assert!(why.contains("is not scored") && tools.given().is_none(), "{why}");
        tools.call("verdict", verdict("accept")).await.unwrap();
        tools.call("verdict", verdict("accept")).await.unwrap();
        for (name, given) in [("findings", found()), ("verdict", verdict("restart"))] {
            assert!(tools.call(name, given).await.is_err());
        }
        assert_eq!(tools.given().unwrap().ruling, Ruling::Accept);
    }

    #[tokio::test]
    async fn a_second_verdict_that_says_otherwise_is_refused() {
        let tools = reviewing();
        assert!(tools.call("verdict", verdict("reject")).await.unwrap_err().contains("without a finding"));
        tools.call("findings", found()).await.unwrap();
        assert!(tools.call("verdict", verdict("accept")).await.unwrap_err().contains("which of both holds"));
        tools.call("verdict", verdict("reject")).await.unwrap();
        let why = tools.call("verdict", verdict("restart")).await.unwrap_err();
        assert!(why.contains("`reject`, and it stands"), "{why}");
        let given = tools.given().unwrap();
        assert_eq!((given.ruling, given.findings[0].rule.as_str()), (Ruling::Reject, "missed-case"));
    }

    #[tokio::test]
    async fn nobody_says_done_over_what_does_not_hold_nor_otherwise_than_before() {
        let done = json!({"ruling": "done", "why": "all is there"});
        let more = json!({"ruling": "continue", "why": "half", "handoff": {"missing": ["the docs"]}});
        let red = RunJudgingTools::new(vec!["tests".to_owned()]);
        assert!(red.call("verdict", done.clone()).await.unwrap_err().contains("does not hold: tests"));
        red.call("verdict", more.clone()).await.unwrap();
        assert_eq!(red.given().unwrap().ruling, RunRuling::Continue);
        let green = RunJudgingTools::new(Vec::new());
        green.call("verdict", done).await.unwrap();
        assert!(green.call("verdict", more).await.unwrap_err().contains("`done`, and it stands"));
    }
}
