//! Owns the reading of what a judge says. Never decides what follows.

use schemars::JsonSchema;
use serde::Deserialize;

use super::block::{self, AnswerFault};
use super::schema::strict;
use crate::model::review::{Criterion, Score};
use crate::model::verdict::{Finding, Ruling, Rung};

/// Most findings that are read.
const FINDINGS_MOST: usize = 50;

/// Longest text of a finding or a score's evidence, in characters.
const TEXT_CHARS: usize = 2000;

/// Holds what a judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewAnswer {
    /// What it gave each criterion.
    pub scores: Vec<Score>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What becomes of the candidate.
    pub ruling: Ruling,
}

/// States a verdict as a judge's session writes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenReview {
    /// A score for each criterion.
    pub scores: Vec<Score>,
    /// What is wrong; empty only where it accepts.
    #[serde(default)]
    pub findings: Vec<WrittenFinding>,
    /// What becomes of the candidate.
    pub ruling: Ruling,
}

/// States one thing that is wrong as a judge's session writes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenFinding {
    /// One word in lower case that would fit the same fault elsewhere.
    class: String,
    /// The file it is about.
    #[serde(default)]
    path: Option<String>,
    /// What is wrong, in one sentence.
    what: String,
    /// What would mend it.
    advice: String,
}

/// Reads a judge's answer: each criterion scored once and with evidence, and findings where, and only where, it refuses.
///
/// # Errors
/// What is wrong with it.
pub fn read_review(said: &str, criteria: &[Criterion]) -> Result<ReviewAnswer, AnswerFault> {
    block::read::<WrittenReview>(said)?.answer(criteria)
}

/// Gives the schema of a judge's answer.
pub fn review_schema() -> String {
    strict::<WrittenReview>()
}

impl WrittenReview {
    /// Makes the answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn answer(self, criteria: &[Criterion]) -> Result<ReviewAnswer, AnswerFault> {
        whole(self, criteria)
    }
}

impl WrittenFinding {
    /// Makes the finding.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finding(self) -> Result<Finding, AnswerFault> {
        finding(self)
    }
}

fn whole(written: WrittenReview, criteria: &[Criterion]) -> Result<ReviewAnswer, AnswerFault> {
    let WrittenReview { scores, findings, ruling } = written;
    let form = |what: String| Err(AnswerFault::Form(what));
    for criterion in criteria {
        let given: Vec<&Score> = scores.iter().filter(|score| score.criterion == criterion.name).collect();
        match given.as_slice() {
            [score] if score.score > 10 => return form(format!("the score of `{}` is above 10", criterion.name)),
            [score] if score.evidence.trim().is_empty() => {
                return form(format!("the score of `{}` rests on no evidence", criterion.name));
            }
            [_] => {}
            [] => return form(format!("`{}` is not scored", criterion.name)),
            [_, _, ..] => return form(format!("`{}` is scored twice", criterion.name)),
        }
    }
    if let Some(other) = scores.iter().find(|score| criteria.iter().all(|it| it.name != score.criterion)) {
        return form(format!("`{}` is no criterion", short(&other.criterion)));
    }
    if findings.len() > FINDINGS_MOST {
        return form(format!("{} findings, and {FINDINGS_MOST} are read: name the worst", findings.len()));
    }
    match (ruling, findings.is_empty()) {
        (Ruling::Accept, false) => return form("it accepts, and has findings: say which of both holds".to_owned()),
        (Ruling::Reject | Ruling::Restart, true) => return form("it refuses without a finding".to_owned()),
        (Ruling::Accept, true) | (Ruling::Reject | Ruling::Restart, false) => {}
    }
    let findings = findings.into_iter().map(finding).collect::<Result<_, _>>()?;
    let scores = scores.into_iter().map(|score| Score { evidence: short(&score.evidence), ..score }).collect();
    Ok(ReviewAnswer { scores, findings, ruling })
}

fn finding(found: WrittenFinding) -> Result<Finding, AnswerFault> {
    let is_word = |text: &str| {
        (1..=60).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !is_word(&found.class) {
        let what = format!("`{}` is no class: one word in lower case, with dashes", short(&found.class));
        return Err(AnswerFault::Form(what));
    }
    for (field, text) in [("what", &found.what), ("advice", &found.advice)] {
        if text.trim().is_empty() {
            return Err(AnswerFault::Form(format!("the finding `{}` has an empty `{field}`", found.class)));
        }
    }
    Ok(Finding {
        rung: Rung::Review,
        rule: found.class,
        path: found.path.map(|path| short(&path)).filter(|path| !path.is_empty()),
        what: short(&found.what),
        advice: short(&found.advice),
    })
}

fn short(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &str, findings: &str, ruling: &str) -> Result<ReviewAnswer, AnswerFault> {
        let criteria = [Criterion { name: "brief".into(), about: "all of it".into(), least: 7 }];
        let json = format!(r#"{{"scores":{scores},"findings":{findings},"ruling":"{ruling}"}}"#);
        read_review(&format!("```artel\n{json}\n```"), &criteria)
    }

    const SCORED: &str = r#"[{"criterion":"brief","score":8,"evidence":"src/a.rs"}]"#;
    const FOUND: &str = r#"[{"class":"missed-case","path":"a","what":"w","advice":"d"}]"#;

    #[test]
    fn scores_findings_and_a_ruling_are_read() {
        let answer = of(SCORED, FOUND, "reject").unwrap();
        assert_eq!((answer.ruling, answer.scores[0].score), (Ruling::Reject, 8));
        let [finding] = answer.findings.as_slice() else { panic!("{answer:?}") };
        assert_eq!(
            (finding.rung, finding.rule.as_str(), finding.path.as_deref()),
            (Rung::Review, "missed-case", Some("a"))
        );
        assert_eq!(of(SCORED, "[]", "accept").unwrap().findings, []);
    }

    #[test]
    fn an_answer_that_contradicts_itself_or_rests_on_nothing_is_none() {
        let fault = |scores: &str, findings: &str, ruling: &str| of(scores, findings, ruling).unwrap_err().to_string();
        assert!(fault("[]", "[]", "accept").contains("`brief` is not scored"));
        let twice = format!("[{0},{0}]", &SCORED[1..SCORED.len() - 1]);
        assert!(fault(&twice, "[]", "accept").contains("scored twice"));
        for (score, evidence, why) in [(11, "x", "above 10"), (9, " ", "no evidence")] {
            let scores = format!(r#"[{{"criterion":"brief","score":{score},"evidence":"{evidence}"}}]"#);
            assert!(fault(&scores, "[]", "accept").contains(why));
        }
        let other =
            r#"[{"criterion":"brief","score":8,"evidence":"e"},{"criterion":"style","score":1,"evidence":"e"}]"#;
        assert!(fault(other, "[]", "accept").contains("`style` is no criterion"));
        assert!(fault(SCORED, FOUND, "accept").contains("say which of both holds"));
        assert!(fault(SCORED, "[]", "restart").contains("without a finding"));
        assert!(fault(SCORED, "[]", "maybe").contains("unknown variant"));
        let wordy = r#"[{"class":"A fault","what":"w","advice":"d"}]"#;
        assert!(fault(SCORED, wordy, "reject").contains("is no class"));
    }
}
