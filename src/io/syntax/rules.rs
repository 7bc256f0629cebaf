//! Owns rule files: ast-grep's YAML, unchanged, read once. Never applies one.

use std::error::Error;
use std::path::Path;

use ast_grep_config::{
    GlobalRules, RuleCollection, RuleConfig, RuleConfigError, RuleCoreError, SerializableRuleConfig,
};
use ast_grep_language::SupportLang;

use super::language::{Lang, language_of};

/// Says what is wrong with a rule file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read rule file `{file}`{}: {what}", place(*.line, *.column))]
pub struct RuleError {
    /// The rule file's name.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<u32>,
    /// The column, from 1, where it is known.
    pub column: Option<u32>,
    /// What is wrong, in one line.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

fn place(line: Option<u32>, column: Option<u32>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(" at {line}:{column}"),
        (Some(line), None) => format!(" at line {line}"),
        (None, _) => String::new(),
    }
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
    /// Says what is wrong with the file, where, and what to do about it.
    pub fn parse(name: &str, yaml: &str) -> Result<Self, RuleError> {
        let fault = |line, what: String, advice: &str| RuleError {
            file: name.to_owned(),
            line,
            column: None,
            what,
            advice: advice.to_owned(),
        };
        let texts = ast_grep_config::from_multiple::<SerializableRuleConfig<SupportLang>>(yaml)
            .map_err(|error| yaml_fault(name, &error))?;
        if texts.is_empty() {
            return Err(fault(None, "it holds no rule".into(), "write at least `language:` and `rule:`"));
        }
        let starts = document_starts(yaml);
        let many = texts.len() > 1;
        let stem = Path::new(name).file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
        let mut rules = Vec::with_capacity(texts.len());
        for (at, text) in texts.into_iter().enumerate() {
            let start = if starts.len() > at { Some(starts[at]) } else { None };
            if Lang::spoken(text.language).is_none() {
                return Err(fault(
                    line_of_key(yaml, start, "language"),
                    format!("no grammar for {} is built in", text.language),
                    &format!("use one of {}", Lang::names()),
                ));
            }
            let mut rule = RuleConfig::try_from(text, &GlobalRules::default())
                .map_err(|error| rule_fault(name, yaml, start, &error))?;
            if rule.id.is_empty() {
                rule.id = if many { format!("{stem}-{at}") } else { stem.clone().into_owned() };
            }
            rules.push(rule);
        }
        let rules = RuleCollection::try_new(rules)
            .map_err(|error| fault(None, error.to_string(), "mend the glob in `files` or `ignores`"))?;
        Ok(Self { name: name.to_owned(), rules })
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

/// Turns a fault of the YAML into words.
fn yaml_fault(name: &str, error: &serde_saphyr::Error) -> RuleError {
    let location = error.location();
    let what = error.without_snippet().to_string();
    let what = what.lines().next().unwrap_or_default();
    let what = what.rsplit_once(" at line ").map_or(what, |(what, _)| what).trim_end_matches('!');
    RuleError {
        file: name.to_owned(),
        line: location.and_then(|at| u32::try_from(at.line()).ok()).filter(|line| *line > 0),
        column: location.and_then(|at| u32::try_from(at.column()).ok()).filter(|column| *column > 0),
        what: what.to_owned(),
        advice: if what.contains("not supported") {
            format!("`language` is one of {}", Lang::names())
        } else {
            "a rule file holds `language`, `rule`, and for a rewrite `fix`; further `constraints`, `utils`, \
             `transform`, `files`, `ignores`, `severity`"
                .to_owned()
        },
    }
}

/// Turns a fault of a rule into words, at the key that is at fault.
fn rule_fault(name: &str, yaml: &str, start: Option<usize>, error: &RuleConfigError) -> RuleError {
    let (key, advice) = match error {
        RuleConfigError::Yaml(error) => return yaml_fault(name, error),
        RuleConfigError::Fixer(_) => ("fix", "a fix may name only what `rule`, `constraints` or `transform` captures"),
        RuleConfigError::Core(RuleCoreError::UndefinedMetaVar(_, key)) => {
            (*key, "name only what `rule`, `constraints` or `transform` captures")
        }
        RuleConfigError::Core(_) => ("rule", "try the pattern with `ast-grep run --pattern`"),
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
    let what = words.join(": ");
    RuleError {
        file: name.to_owned(),
        line: line_of_key(yaml, start, key),
        column: None,
        what: what.split_whitespace().collect::<Vec<_>>().join(" "),
        advice: advice.to_owned(),
    }
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

/// Finds the line, from 1, of a key of the document that starts at a line; the document's own where there is none.
fn line_of_key(yaml: &str, start: Option<usize>, key: &str) -> Option<u32> {
    let start = start?;
    let holds_key = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    let within = yaml.lines().skip(start).enumerate();
    let at = within.take_while(|(at, line)| *at == 0 || !line.starts_with("---")).find(|(_, line)| holds_key(line));
    u32::try_from(start + at.map_or(0, |(at, _)| at) + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(yaml: &str) -> RuleError {
        Rules::parse("rules/r.yml", yaml).expect_err("the rule file is faulty")
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
        let error = fault("id: a\nlanguage: rust\nrule:\n  pattern: [\n");
        assert_eq!((error.line, error.column), (Some(4), Some(12)), "{error:?}");
        assert!(!error.what.contains("line"), "the place is told once: {error}");
        let error = fault("id: a\nlanguage: rust\nrule: {pattern: a()}\nfixx: b()\n");
        assert!(error.what.contains("fixx"), "{error:?}");
    }

    #[test]
    fn a_fault_of_a_rule_is_told_at_its_key() {
        for (yaml, line, word) in [
            (
                "language: rust\nrule: {pattern: a()}\n---\nlanguage: rust\nrule:\n  kind: nonsense\n",
                Some(5),
                "nonsense",
            ),
            ("language: rust\nrule: {pattern: a($A)}\nfix: b($B)\n", Some(3), "B"),
            ("language: swift\nrule: {pattern: a()}\n", Some(1), "Swift"),
            ("language: rust\nrule: {regex: a}\n", Some(2), "kind"),
        ] {
            let error = fault(yaml);
            assert!(error.to_string().contains(word), "{error} {error:?}");
            assert!(!error.advice.is_empty() && !error.what.contains('\n'));
            assert_eq!(error.line, line, "{error:?}");
        }
    }

    #[test]
    fn an_unknown_language_and_a_bad_glob_and_an_empty_file_are_refused() {
        assert!(fault("language: ruust\nrule: {pattern: a()}\n").advice.contains("Rust"));
        assert!(fault("language: rust\nrule: {pattern: a()}\nfiles: ['a{']\n").advice.contains("glob"));
        assert!(fault("# nothing\n").what.contains("no rule"));
    }
}
