//! Owns what `artel init` would write: a configuration that fits the repository, an example goal with its rule, ignore
//! lines.
//! Never writes, never overwrites.

/// The folder that agents and people may fill and git should not see.
const IGNORED: &str = "/.artel/local/";

const CONFIG: &str = include_str!("templates/artel.toml");
const GOAL: &str = include_str!("templates/goal.md");
const RULE: &str = include_str!("templates/rule.yml");
/// Where the example goal looks for its rule.
pub const RULE_PATH: &str = "rules/example.yml";

/// Says what one kind of project needs.
struct Ecosystem {
    /// The file at the root that shows it.
    sign: &'static str,
    setup: &'static [&'static str],
    checks: &'static [&'static str],
    warm: &'static [&'static str],
    owns: &'static str,
    /// The language of the example rule.
    language: &'static str,
}

const ECOSYSTEMS: [Ecosystem; 9] = [
    Ecosystem {
        sign: "Cargo.toml",
        setup: &[],
        checks: &["cargo test --workspace"],
        warm: &["target"],
        owns: "**/*.rs",
        language: "rust",
    },
    Ecosystem {
        sign: "pnpm-lock.yaml",
        setup: &["pnpm install --frozen-lockfile"],
        checks: &["pnpm test"],
        warm: &["node_modules"],
        owns: "**/*.{js,ts}",
        language: "javascript",
    },
    Ecosystem {
        sign: "yarn.lock",
        setup: &["yarn install --frozen-lockfile"],
        checks: &["yarn test"],
        warm: &["node_modules"],
        owns: "**/*.{js,ts}",
        language: "javascript",
    },
    Ecosystem {
        sign: "package-lock.json",
        setup: &["npm ci"],
        checks: &["npm test"],
        warm: &["node_modules"],
        owns: "**/*.{js,ts}",
        language: "javascript",
    },
    Ecosystem {
        sign: "package.json",
        setup: &[],
        checks: &["npm test"],
        warm: &["node_modules"],
        owns: "**/*.{js,ts}",
        language: "javascript",
    },
    Ecosystem {
        sign: "pyproject.toml",
        setup: &[],
        checks: &["python -m pytest"],
        warm: &[".venv"],
        owns: "**/*.py",
        language: "python",
    },
    Ecosystem {
        sign: "setup.py",
        setup: &[],
        checks: &["python -m pytest"],
        warm: &[".venv"],
        owns: "**/*.py",
        language: "python",
    },
    Ecosystem {
        sign: "go.mod",
        setup: &[],
        checks: &["go build ./...", "go test ./..."],
        warm: &[],
        owns: "**/*.go",
        language: "go",
    },
    Ecosystem {
        sign: "pom.xml",
        setup: &[],
        checks: &["mvn --batch-mode --offline test"],
        warm: &["target"],
        owns: "**/*.java",
        language: "java",
    },
];

/// Lists the commands by which a repository of these files is usually checked; `read` gives a file's text.
pub fn usual_checks(existing: &dyn Fn(&str) -> bool, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let all = found(existing).into_iter().flat_map(|one| one.checks.iter().map(move |check| (one, *check)));
    let tests_scripts = || read("package.json").is_some_and(|text| has_test_script(&text));
    all.filter(|(one, _)| one.language != "javascript" || tests_scripts()).map(|(_, check)| check.to_owned()).collect()
}

/// Tells whether a `package.json` says how its tests are run, beyond what `npm init` writes.
fn has_test_script(text: &str) -> bool {
    let package: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    package["scripts"]["test"].as_str().is_some_and(|script| !script.contains("no test specified"))
}

/// Plans the files of `artel init`: each path with its whole text. What exists is left out; `ignore` is the text of
/// `.gitignore`, which is kept and added to.
pub fn plan_init(existing: &dyn Fn(&str) -> bool, ignore: &str) -> Vec<(&'static str, String)> {
    let found = found(existing);
    let mut files = vec![("artel.toml", config(&found))];
    if !existing("goal.md") {
        files.extend([("goal.md", goal(&found)), (RULE_PATH, rule(&found))]);
    }
    files.retain(|(path, _)| !existing(path));
    if !ignore.lines().any(|line| line.trim() == IGNORED) {
        let ends = if ignore.is_empty() || ignore.ends_with('\n') { "" } else { "\n" };
        files.push((".gitignore", format!("{ignore}{ends}{IGNORED}\n")));
    }
    files
}

/// Finds the kinds of project; of the JavaScript ones the first, and of the Python ones the first.
fn found(existing: &dyn Fn(&str) -> bool) -> Vec<&'static Ecosystem> {
    let mut found: Vec<&Ecosystem> = Vec::new();
    for ecosystem in &ECOSYSTEMS {
        if existing(ecosystem.sign) && found.iter().all(|other| other.owns != ecosystem.owns) {
            found.push(ecosystem);
        }
    }
    found
}

fn config(found: &[&Ecosystem]) -> String {
    let all = |of: fn(&Ecosystem) -> &'static [&'static str]| {
        let quoted: Vec<String> = found.iter().flat_map(|one| of(one)).map(|text| format!("{text:?}")).collect();
        format!("[{}]", quoted.join(", "))
    };
    CONFIG
        .replace("@SETUP@", &all(|one| one.setup))
        .replace("@CHECKS@", &all(|one| one.checks))
        .replace("@WARM@", &all(|one| one.warm))
}

fn goal(found: &[&Ecosystem]) -> String {
    let first = found.first();
    let check = first.and_then(|one| one.checks.last()).unwrap_or(&"./run-the-tests.sh");
    GOAL.replace("@CHECK@", check).replace("@OWNS@", first.map_or("**", |one| one.owns))
}

fn rule(found: &[&Ecosystem]) -> String {
    RULE.replace("@LANGUAGE@", found.first().map_or("python", |one| one.language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{config_text, goal_text};

    fn planned(files: &[&str], ignore: &str) -> Vec<(&'static str, String)> {
        plan_init(&|path| files.contains(&path), ignore)
    }

    #[test]
    fn what_is_written_can_be_read() {
        for files in
            [&[][..], &["Cargo.toml"], &["package.json", "yarn.lock"], &["setup.py"], &["go.mod", "Cargo.toml"]]
        {
            let planned = planned(files, "");
            assert_eq!(
                planned.iter().map(|(path, _)| *path).collect::<Vec<_>>(),
                ["artel.toml", "goal.md", "rules/example.yml", ".gitignore"]
            );
            config_text::read(&planned[0].1).unwrap();
            goal_text::read(&planned[1].1).unwrap();
        }
    }

    #[test]
    fn checks_and_warm_folders_fit_the_repository() {
        let config =
            config_text::read(&planned(&["Cargo.toml", "package.json", "package-lock.json"], "")[0].1).unwrap();
        assert_eq!(config.checks, ["cargo test --workspace", "npm test"]);
        assert_eq!(config.setup, ["npm ci"]);
        assert_eq!(config.warm, ["target", "node_modules"]);
        insta::assert_snapshot!(planned(&["Cargo.toml"], "")[0].1);
    }

    #[test]
    fn the_example_goal_is_a_whole_goal() {
        insta::assert_snapshot!(planned(&["Cargo.toml"], "")[1].1);
    }

    #[test]
    fn the_usual_checks_are_those_of_all_that_is_there_and_no_script_that_is_not() {
        let checks =
            |files: &[&str], package: &str| usual_checks(&|path| files.contains(&path), &|_| Some(package.to_owned()));
        let both = ["package.json", "yarn.lock", "pom.xml"];
        let with_script = r#"{"scripts": {"test": "jest"}}"#;
        assert_eq!(checks(&both, with_script), ["yarn test", "mvn --batch-mode --offline test"]);
        for package in ["{}", "no JSON", r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#] {
            assert_eq!(checks(&["package.json", "go.mod"], package), ["go build ./...", "go test ./..."]);
        }
        assert!(checks(&["README.md"], with_script).is_empty());
    }

    #[test]
    fn nothing_is_overwritten_and_ignore_lines_are_added_once() {
        assert_eq!(planned(&["artel.toml", "goal.md"], "/target\n/.artel/local/\n"), []);
        let added = planned(&["artel.toml", "goal.md"], "/target");
        assert_eq!(added, [(".gitignore", "/target\n/.artel/local/\n".to_owned())]);
    }
}
