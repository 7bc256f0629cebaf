//! Owns rule files: ast-grep's YAML, unchanged, read once. Never applies one.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use ast_grep_config::{
    GlobalRules, RuleCollection, RuleConfig, RuleConfigError, RuleCoreError, SerializableRuleConfig,
};
use ast_grep_language::SupportLang;

use super::language::{Lang, language_of};
use crate::model::written::{Fault, Faults};

const TRY: &str = "try the pattern with `ast-grep run --pattern`";

/// Says what is wrong with a rule file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read rule file `{file}`: {}", listed(text, faults))]
pub struct RuleError {
    /// The rule file's name.
    pub file: String,
    /// Its text.
    pub text: String,
    /// What is wrong with each of its documents, in the order of the file; never empty.
    pub faults: Vec<Fault>,
}

fn listed(text: &str, faults: &[Fault]) -> String {
    let told = |fault: &Fault| {
        let before = text.get(..fault.at.start).unwrap_or(text);
        format!("line {}: {}", before.matches('\n').count() + 1, fault.what)
    };
    faults.iter().map(told).collect::<Vec<_>>().join("; ")
}

/// Holds a rule file, ready to be applied from any thread.
pub struct Rules {
    name: String,
    rules: RuleCollection<SupportLang>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Rules {
    /// Reads a rule file of one or more documents. A rule without an id is named after the file, as ast-grep does.
    ///
    /// # Errors
    /// Says all that is wrong with the file: what, where, and what to do about it.
    pub fn parse(name: &str, yaml: &str) -> Result<Self, RuleError> {
        let mut faults = Faults::default();
        let rules = read(name, yaml, &mut faults);
        let rules = faults.unless_any(rules);
        rules.map(|rules| Self { name: name.to_owned(), rules }).map_err(|faults| RuleError {
            file: name.to_owned(),
            text: yaml.to_owned(),
            faults,
        })
    }

    /// Names the rule file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether some rule reads this file, by its language and its path.
    pub fn reads(&self, path: impl AsRef<Path>) -> bool {
        !self.for_path(path.as_ref()).is_empty()
    }

    /// Lists the rules that read this file.
    pub(super) fn for_path(&self, path: &Path) -> Vec<&RuleConfig<SupportLang>> {
        language_of(path).map_or_else(Vec::new, |language| self.rules.get_rule_from_lang(path, language.0))
    }
}

/// Reads all documents and notes what is wrong with each.
fn read(name: &str, yaml: &str, faults: &mut Faults) -> Option<RuleCollection<SupportLang>> {
    let starts = document_starts(yaml);
    let texts = match ast_grep_config::from_multiple::<SerializableRuleConfig<SupportLang>>(yaml) {
        Ok(texts) => texts,
        Err(error) => {
            faulty_documents(yaml, &starts, faults);
            if faults.is_empty() {
                yaml_fault(yaml, &error, faults);
            }
            return None;
        }
    };
    if texts.is_empty() {
        faults.add_with_help(&(0..0), "it holds no rule", "write at least `language:` and `rule:`");
    }
    let many = texts.len() > 1;
    let stem = Path::new(name).file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
    let mut rules = Vec::with_capacity(texts.len());
    for (at, text) in texts.into_iter().enumerate() {
        let Some(mut rule) = rule(yaml, starts.get(at).copied(), text, faults) else { continue };
        if rule.id.is_empty() {
            rule.id = if many { format!("{stem}-{at}") } else { stem.clone().into_owned() };
        }
        rules.push(rule);
    }
    let rules = RuleCollection::try_new(rules);
    rules
        .map_err(|error| faults.add_with_help(&(0..0), error.to_string(), "mend the glob in `files` or `ignores`"))
        .ok()
}

/// Notes what is wrong with each document by itself, so that one that is no YAML does not hide the others.
fn faulty_documents(yaml: &str, starts: &[usize], faults: &mut Faults) {
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(usize::MAX);
        // Lines that belong to others are left empty, so that each keeps its number.
        let alone = |(at, line)| if (*start..end).contains(&at) { line } else { "" };
        let alone = yaml.lines().take(end).enumerate().map(alone).collect::<Vec<&str>>().join("\n");
        match ast_grep_config::from_multiple::<SerializableRuleConfig<SupportLang>>(&alone) {
            Ok(texts) => texts.into_iter().for_each(|text| drop(rule(yaml, Some(*start), text, faults))),
            Err(error) => yaml_fault(yaml, &error, faults),
        }
    }
}

/// Makes a rule of one document. What is wrong with its labels hides nothing else; what is wrong with `rule` or
/// `constraints` does, since what they capture is not known then.
fn rule(
    yaml: &str,
    start: Option<usize>,
    mut text: SerializableRuleConfig<SupportLang>,
    faults: &mut Faults,
) -> Option<RuleConfig<SupportLang>> {
    if Lang::spoken(text.language).is_none() {
        let what = format!("no grammar for {} is built in", text.language);
        faults.add_with_help(&key_at(yaml, start, "language"), what, format!("use one of {}", Lang::names()));
        return None;
    }
    let error = match RuleConfig::try_from(text.clone(), &GlobalRules::default()) {
        Ok(rule) => return Some(rule),
        Err(error) => error,
    };
    rule_fault(yaml, start, &error, faults);
    if matches!(error, RuleConfigError::LabelVariable(_)) && text.labels.take().is_some() {
        drop(rule(yaml, start, text, faults));
    }
    None
}

/// Notes a fault of the YAML.
fn yaml_fault(yaml: &str, error: &serde_saphyr::Error, faults: &mut Faults) {
    let what = error.without_snippet().to_string();
    let what = what.lines().next().unwrap_or_default();
    let what = what.rsplit_once(" at line ").map_or(what, |(what, _)| what).trim_end_matches('!');
    let at = error.location().map_or(0..0, |at| {
        let line = line_at(yaml, usize::try_from(at.line()).unwrap_or(0).saturating_sub(1));
        let column = usize::try_from(at.column()).unwrap_or(0).saturating_sub(1);
        let within = yaml[line.clone()].char_indices().nth(column).map_or(line.end, |(at, _)| line.start + at);
        within..line.end
    });
    let help = if what.contains("not supported") {
        format!("`language` is one of {}", Lang::names())
    } else {
        "a rule file holds `language`, `rule`, and for a rewrite `fix`; further `constraints`, `utils`, \
         `transform`, `files`, `ignores`, `severity`"
            .to_owned()
    };
    faults.add_with_help(&at, what, help);
}

/// Notes a fault of a rule at the key that is at fault.
fn rule_fault(yaml: &str, start: Option<usize>, error: &RuleConfigError, faults: &mut Faults) {
    let (key, advice) = match error {
        RuleConfigError::Yaml(error) => {
            return yaml_fault(yaml, error, faults);
        }
        RuleConfigError::Fixer(_) => ("fix", "a fix may name only what `rule`, `constraints` or `transform` captures"),
        RuleConfigError::Core(RuleCoreError::UndefinedMetaVar(_, key)) => {
            (*key, "name only what `rule`, `constraints` or `transform` captures")
        }
        RuleConfigError::Core(RuleCoreError::Constraints(_)) => ("constraints", TRY),
        RuleConfigError::Core(_) => ("rule", TRY),
        RuleConfigError::Rewriter(_) | RuleConfigError::UndefinedRewriter(_) => {
            ("rewriters", "define each rewriter with `id`, `rule` and `fix`")
        }
        RuleConfigError::LabelVariable(_) => ("labels", "name only what `rule` or `constraints` captures"),
        RuleConfigError::MissingPotentialKinds => ("rule", "add a `kind:` or `pattern:` beside the `regex:`"),
    };
    // The first link of the chain only says that the file is a rule file.
    let mut cause: Option<&dyn Error> = if let RuleConfigError::Core(core) = error { Some(core) } else { Some(error) };
    let mut words = Vec::new();
    while let Some(deeper) = cause {
        words.push(deeper.to_string().trim_end_matches('.').to_owned());
        cause = deeper.source();
    }
    let what = words.join(": ").split_whitespace().collect::<Vec<_>>().join(" ");
    faults.add_with_help(&key_at(yaml, start, key), what, advice);
}

/// Tells on which lines, from 0, the documents that hold something start.
fn document_starts(yaml: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut open = true;
    for (at, line) in yaml.lines().enumerate() {
        let rest = match line.strip_prefix("---") {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t']) => {
                open = true;
                rest
            }
            Some(_) | None => line,
        };
        let rest = rest.trim();
        let says_something = !rest.is_empty() && !rest.starts_with('#') && !rest.starts_with('%') && rest != "...";
        if open && says_something {
            starts.push(at);
            open = false;
        }
    }
    starts
}

/// Finds the line of a key of the document that starts at a line, in bytes; the document's own where there is none.
fn key_at(yaml: &str, start: Option<usize>, key: &str) -> Range<usize> {
    let start = start.unwrap_or(0);
    let holds_key = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    let within = yaml.lines().skip(start).enumerate();
    let at = within.take_while(|(at, line)| *at == 0 || !line.starts_with("---")).find(|(_, line)| holds_key(line));
    line_at(yaml, start + at.map_or(0, |(at, _)| at))
}

/// Gives the bytes of a line, from 0, without its end.
fn line_at(yaml: &str, number: usize) -> Range<usize> {
    let mut start = 0;
    for (at, line) in yaml.split_inclusive('\n').enumerate() {
        if at == number {
            return start..start + line.trim_end().len();
        }
        start += line.len();
    }
    yaml.len()..yaml.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists what is said of a faulty file: the line, the text there, what is wrong and what to do.
    fn faults(yaml: &str) -> Vec<(usize, String, String, String)> {
        let error = Rules::parse("rules/r.yml", yaml).expect_err("the rule file is faulty");
        let line = |fault: &Fault| yaml[..fault.at.start].matches('\n').count() + 1;
        let told = error
            .faults
            .into_iter()
            .map(|fault| (line(&fault), yaml[fault.at.clone()].to_owned(), fault.what, fault.help.unwrap_or_default()));
        told.collect()
    }

    fn fault(yaml: &str) -> (usize, String, String, String) {
        let mut all = faults(yaml);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn rules_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Rules>();
    }

    #[test]
    fn a_rule_file_of_several_documents_and_languages_is_read() {
        let rules = Rules::parse(
            "r.yml",
            "# two\n---\nlanguage: rust\nrule: {pattern: a()}\n---\nlanguage: TypeScript\nrule: {pattern: a()}\n---\n",
        )
        .unwrap();
        assert!(rules.reads("a.rs") && rules.reads("a.ts") && !rules.reads("a.js"));
        let found = super::super::scan(&rules, "a.ts", b"a()").unwrap();
        assert_eq!(found[0].rule_id, "r-1");
    }

    #[test]
    fn an_unnamed_rule_is_named_after_its_file() {
        let rules = Rules::parse("rules/one.yml", "language: rust\nrule: {pattern: a()}\n").unwrap();
        assert_eq!(super::super::scan(&rules, "a.rs", b"fn f() { a() }").unwrap()[0].rule_id, "one");
    }

    #[test]
    fn a_fault_of_the_yaml_is_told_with_its_place() {
        let (line, _, what, _) = fault("id: a\nlanguage: rust\nrule:\n  pattern: [\n");
        assert_eq!(line, 4);
        assert!(!what.contains("line"), "the place is told once: {what}");
        assert!(fault("id: a\nlanguage: rust\nrule: {pattern: a()}\nfixx: b()\n").2.contains("fixx"));
    }

    #[test]
    fn a_fault_of_a_rule_is_told_at_its_key() {
        for (yaml, line, there, word) in [
            (
                "language: rust\nrule: {pattern: a()}\n---\nlanguage: rust\nrule:\n  kind: nonsense\n",
                5,
                "rule:",
                "nonsense",
            ),
            ("language: rust\nrule: {pattern: a($A)}\nfix: b($B)\n", 3, "fix: b($B)", "B"),
            ("language: swift\nrule: {pattern: a()}\n", 1, "language: swift", "Swift"),
            ("language: rust\nrule: {regex: a}\n", 2, "rule: {regex: a}", "kind"),
        ] {
            let (found_line, found, what, help) = fault(yaml);
            assert_eq!((found_line, &found[..]), (line, there), "{what}");
            assert!(what.contains(word) && !help.is_empty() && !what.contains('\n'), "{what}");
        }
    }

    #[test]
    fn all_faults_of_a_file_are_told_at_once_each_at_its_place() {
        let yaml = "language: ruust\nrule: {pattern: a()}\n---\nlanguage: rust\nrule: {pattern: a($A)}\n\
                    constraints: {A: {kind: nonsense}}\n---\nlanguage: rust\nrule: {pattern: a($A)}\nfix: b($B)\n\
                    labels: {C: {style: primary}}\n---\nlanguage: rust\nrule: {pattern: a()}\n---\n\
                    language: swift\nrule: {pattern: a()}\n---\nlanguage: rust\nrule:\n  patern: a\n";
        let told = faults(yaml);
        let lines: Vec<usize> = told.iter().map(|fault| fault.0).collect();
        assert_eq!(lines, [1, 6, 10, 11, 16, 20], "{told:?}");
        let whole = Rules::parse("r.yml", yaml).unwrap_err().to_string();
        assert!(
            whole.starts_with("read rule file `r.yml`: line 1: ") && whole.contains("; line 16: no grammar"),
            "{whole}"
        );
    }

    #[test]
    fn an_unknown_language_and_a_bad_glob_and_an_empty_file_are_refused() {
        assert!(fault("language: ruust\nrule: {pattern: a()}\n").3.contains("Rust"));
        assert!(fault("language: rust\nrule: {pattern: a()}\nfiles: ['a{']\n").3.contains("glob"));
        assert!(fault("# nothing\n").2.contains("no rule"));
    }
}
