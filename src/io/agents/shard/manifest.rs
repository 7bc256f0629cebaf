//! Owns what a package's manifest says of its name and of what it needs: Cargo, npm and Python. Manifests are hostile:
//! one that cannot be read gives a reason and no names. Never follows a dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

/// Largest manifest that is read, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// Names of the files that make a folder a package.
pub(super) const NAMES: [&str; 5] = ["Cargo.toml", "package.json", "pyproject.toml", "setup.cfg", "setup.py"];

/// Says which packages share one space of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Cargo,
    Npm,
    Python,
}

/// Names something that a package needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// A package of the same repository, if one has this name.
    Named(Kind, String),
    /// The Cargo package in this folder, as the manifest writes it: relative to its own folder.
    Path(String),
    /// The dependency of the Cargo workspace that has this name there.
    OfWorkspace(String),
}

/// Holds what one manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) name: Option<(Kind, String)>,
    pub(super) needs: BTreeSet<Need>,
}

/// Holds what a Cargo workspace gives its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Workspace {
    /// Its dependencies by name; paths are relative to the workspace's folder.
    pub(super) needs: BTreeMap<String, Need>,
}

/// Reads a manifest by its file's name; nothing where the file does not make a package, such as the manifest of a virtual
/// workspace or a `pyproject.toml` that only configures tools.
///
/// # Errors
/// Says why the text cannot be read.
pub(super) fn read(file: &str, text: &str) -> Result<Option<Manifest>, String> {
    match file {
        "Cargo.toml" => Ok(cargo(&toml(text)?)),
        "package.json" => npm(text).map(Some),
        "pyproject.toml" => Ok(pyproject(&toml(text)?)),
        "setup.cfg" => bounded(text).map(setup_cfg),
        _ => bounded(text).map(|text| Some(setup_py(text))),
    }
}

/// Reads the workspace of a `Cargo.toml`, where it is the root of one.
pub(super) fn workspace(text: &str) -> Option<Workspace> {
    let manifest = toml(text).ok()?;
    let workspace = manifest.get("workspace")?.as_table()?;
    let dependencies = workspace.get("dependencies").and_then(Toml::as_table);
    let needs = dependencies.into_iter().flatten().map(|(key, value)| (key.clone(), cargo_need(key, value))).collect();
    Some(Workspace { needs })
}

fn bounded(text: &str) -> Result<&str, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("it has {} bytes and at most {BYTES_MAX} are read", text.len()));
    }
    Ok(text)
}

fn toml(text: &str) -> Result<Table, String> {
    bounded(text)?.parse().map_err(|error: toml::de::Error| format!("it is not TOML: {}", error.message()))
}

fn cargo(manifest: &Table) -> Option<Manifest> {
    let package = manifest.get("package").or_else(|| manifest.get("project"))?;
    let name = package.get("name").and_then(Toml::as_str).map(|name| (Kind::Cargo, name.to_owned()));
    let targets = manifest.get("target").and_then(Toml::as_table);
    let tables =
        std::iter::once(manifest).chain(targets.into_iter().flat_map(Table::values).filter_map(Toml::as_table));
    let kinds = ["dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"];
    let needs = tables
        .flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .filter_map(|(key, value)| match value.get("workspace").and_then(Toml::as_bool) {
            Some(true) => Some(Need::OfWorkspace(key.clone())),
            // Without a path it is a published version, whatever is called so here.
            Some(false) | None => value.get("path").map(|_| cargo_need(key, value)),
        })
        .collect();
    Some(Manifest { name, needs })
}

fn cargo_need(key: &str, value: &Toml) -> Need {
    match value.get("path").and_then(Toml::as_str) {
        Some(path) => Need::Path(path.to_owned()),
        None => Need::Named(Kind::Cargo, value.get("package").and_then(Toml::as_str).unwrap_or(key).to_owned()),
    }
}

fn npm(text: &str) -> Result<Manifest, String> {
    let manifest: Json = serde_json::from_str(bounded(text)?.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("it is not JSON: {error}"))?;
    let kinds = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
    let needs = kinds
        .iter()
        .filter_map(|kind| manifest.get(kind)?.as_object())
        .flatten()
        .map(|(key, version)| {
            Need::Named(Kind::Npm, npm_alias(version.as_str().unwrap_or_default()).unwrap_or(key).to_owned())
        })
        .collect();
    let name = manifest.get("name").and_then(Json::as_str).map(|name| (Kind::Npm, name.to_owned()));
    Ok(Manifest { name, needs })
}

/// Gives the real name behind `npm:name@version` and `workspace:name@version`.
fn npm_alias(version: &str) -> Option<&str> {
    let target = version.strip_prefix("npm:").or_else(|| version.strip_prefix("workspace:"))?;
    let end = target.get(1..)?.find('@')? + 1;
    Some(&target[..end])
}

fn pyproject(manifest: &Table) -> Option<Manifest> {
    let project = manifest.get("project").and_then(Toml::as_table);
    let poetry = manifest.get("tool").and_then(|tool| tool.get("poetry")).and_then(Toml::as_table);
    if project.is_none() && poetry.is_none() && !manifest.contains_key("build-system") {
        return None;
    }
    let name = [project, poetry].into_iter().flatten().find_map(|table| table.get("name")?.as_str());
    let mut needs = BTreeSet::new();
    let mut lists: Vec<&Toml> = project.and_then(|project| project.get("dependencies")).into_iter().collect();
    let extras = project.and_then(|project| project.get("optional-dependencies"));
    for table in [extras, manifest.get("dependency-groups")].into_iter().flatten().filter_map(Toml::as_table) {
        lists.extend(table.values());
    }
    let texts = lists.into_iter().filter_map(Toml::as_array).flatten().filter_map(Toml::as_str);
    needs.extend(texts.filter_map(python_need));
    let mut tables: Vec<&Toml> = Vec::new();
    if let Some(poetry) = poetry {
        tables.extend(["dependencies", "dev-dependencies"].iter().filter_map(|kind| poetry.get(*kind)));
        let groups = poetry.get("group").and_then(Toml::as_table).into_iter().flat_map(Table::values);
        tables.extend(groups.filter_map(|group| group.get("dependencies")));
    }
    needs
        .extend(tables.into_iter().filter_map(Toml::as_table).flat_map(Table::keys).filter_map(|key| python_need(key)));
    Some(Manifest { name: name.map(python_name), needs })
}

fn setup_cfg(text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::default();
    let (mut section, mut key) = (String::new(), String::new());
    let mut is_package = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']) && !line.trim().is_empty()) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name.0.trim().to_owned();
            key.clear();
            is_package |= section == "metadata" || section.starts_with("options");
            continue;
        }
        let value = if line.starts_with([' ', '\t']) {
            line
        } else {
            let (name, value) = line.split_once('=').or_else(|| line.split_once(':')).unwrap_or((line, ""));
            key = name.trim().to_owned();
            value
        };
        match (section.as_str(), key.as_str()) {
            ("metadata", "name") if !value.trim().is_empty() => manifest.name = Some(python_name(value.trim())),
            ("options", "install_requires" | "tests_require") | ("options.extras_require", _) => {
                manifest.needs.extend(value.split(';').next().and_then(python_need));
            }
            _ => {}
        }
    }
    is_package.then_some(manifest)
}

/// Reads the literals of a `setup.py`; what the program computes is not known without running it.
fn setup_py(text: &str) -> Manifest {
    static NAME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"\bname\s*=\s*["']([A-Za-z0-9._-]+)["']"#).ok());
    static REQUIRES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\b(?:install|tests)_requires?\s*=\s*\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]").ok()
    });
    static TEXT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"["']([^"'\n]+)["']"#).ok());
    let first = |regex: &LazyLock<Option<Regex>>, text: &str| -> Option<String> {
        Some(regex.as_ref()?.captures(text)?.get(1)?.as_str().to_owned())
    };
    let mut needs = BTreeSet::new();
    if let (Some(requires), Some(literal)) = (REQUIRES.as_ref(), TEXT.as_ref()) {
        let lists = requires.captures_iter(text).filter_map(|list| list.get(1));
        let literals = lists.flat_map(|list| literal.captures_iter(list.as_str())).filter_map(|literal| literal.get(1));
        needs.extend(literals.filter_map(|literal| python_need(literal.as_str())));
    }
    Manifest { name: first(&NAME, text).map(|name| python_name(&name)), needs }
}

/// Reads the name that a requirement such as `Foo_Bar[extra]>=1; python_version<"3"` begins with.
fn python_need(requirement: &str) -> Option<Need> {
    let requirement = requirement.trim();
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(requirement.len());
    if end == 0 {
        return None;
    }
    let (kind, name) = python_name(&requirement[..end]);
    Some(Need::Named(kind, name))
}

/// Writes a Python package's name as all its spellings are compared: lower case, `-` for each run of `-`, `_` and `.`.
fn python_name(name: &str) -> (Kind, String) {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    (Kind::Python, words.collect::<Vec<_>>().join("-").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kind: Kind, names: &[&str]) -> BTreeSet<Need> {
        names.iter().map(|name| Need::Named(kind, (*name).to_owned())).collect()
    }

    fn manifest(file: &str, text: &str) -> Manifest {
        read(file, text).unwrap().unwrap()
    }

    #[test]
    fn cargo_needs_are_paths_and_what_the_workspace_gives() {
        let text = r#"
            [package]
            name = "a"
            [dependencies]
            serde = "1"
            b = { path = "../b", version = "1" }
            renamed = { package = "c", path = "../c" }
            d.workspace = true
            [dev-dependencies]
            e = { path = "../e" }
            [target.'cfg(unix)'.build-dependencies]
            f = { path = "f" }
        "#;
        let read = manifest("Cargo.toml", text);
        assert_eq!(read.name, Some((Kind::Cargo, "a".into())));
        let paths = ["../b", "../c", "../e", "f"].map(|path| Need::Path(path.into()));
        assert_eq!(read.needs, paths.into_iter().chain([Need::OfWorkspace("d".into())]).collect());
    }

    #[test]
    fn a_cargo_workspace_names_its_dependencies_by_path_or_by_package() {
        let text =
            "[workspace.dependencies]\na = { path = \"crates/a\" }\nb = { package = \"real-b\", version = \"1\" }\n";
        let needs = workspace(text).unwrap().needs;
        assert_eq!(needs["a"], Need::Path("crates/a".into()));
        assert_eq!(needs["b"], Need::Named(Kind::Cargo, "real-b".into()));
        assert_eq!(read("Cargo.toml", text), Ok(None));
    }

    #[test]
    fn npm_needs_are_names_also_behind_an_alias() {
        let text = r#"{"name": "@x/a", "dependencies": {"@x/b": "workspace:*", "c": "npm:@x/c@^1"},
            "devDependencies": {"d": "1"}, "peerDependencies": {"e": "*"}}"#;
        let read = manifest("package.json", text);
        assert_eq!(read.name, Some((Kind::Npm, "@x/a".into())));
        assert_eq!(read.needs, names(Kind::Npm, &["@x/b", "@x/c", "d", "e"]));
    }

    #[test]
    fn python_names_are_compared_in_one_spelling() {
        let text = r#"
            [project]
            name = "My.Pkg"
            dependencies = ["Foo_Bar[x]>=1; python_version<'3'", "requests"]
            [project.optional-dependencies]
            dev = ["tool--box ~= 2"]
            [dependency-groups]
            test = ["pytest", {include-group = "x"}]
        "#;
        let read = manifest("pyproject.toml", text);
        assert_eq!(read.name, Some((Kind::Python, "my-pkg".into())));
        assert_eq!(read.needs, names(Kind::Python, &["foo-bar", "requests", "tool-box", "pytest"]));
        let poetry = "[tool.poetry]\nname='p'\n[tool.poetry.dependencies]\nq={path='../q'}\n[tool.poetry.group.dev.dependencies]\nr='1'\n";
        assert_eq!(manifest("pyproject.toml", poetry).needs, names(Kind::Python, &["q", "r"]));
        assert_eq!(super::read("pyproject.toml", "[tool.ruff]\nline-length = 100\n"), Ok(None));
    }

    #[test]
    fn older_python_manifests_are_read_where_they_are_literal() {
        let cfg = "[metadata]\nname = My_Pkg\n[options]\ninstall_requires =\n    foo>=1\n    # not this\n    bar; python_version<'3'\npackages = find:\n[options.extras_require]\ndev = baz\n";
        let read = manifest("setup.cfg", cfg);
        assert_eq!(read.name, Some((Kind::Python, "my-pkg".into())));
        assert_eq!(read.needs, names(Kind::Python, &["foo", "bar", "baz"]));
        assert_eq!(super::read("setup.cfg", "[flake8]\nmax-line-length = 100\n"), Ok(None));
        let py = "from setuptools import setup\nsetup(name='a-b', install_requires=[\n 'foo[x]>=1', \"bar\",\n])\n";
        let read = manifest("setup.py", py);
        assert_eq!(read.name, Some((Kind::Python, "a-b".into())));
        assert_eq!(read.needs, names(Kind::Python, &["foo", "bar"]));
    }

    #[test]
    fn a_hostile_manifest_gives_a_reason_and_no_names() {
        for (file, text) in [
            ("Cargo.toml", "[package\nname".to_owned()),
            ("Cargo.toml", format!("[package]\nname='a'\nx={}{}", "[".repeat(100_000), "]".repeat(100_000))),
            ("Cargo.toml", " ".repeat(BYTES_MAX + 1)),
            ("package.json", "[".repeat(500_000)),
            ("package.json", "{".to_owned()),
            ("pyproject.toml", "\0".to_owned()),
            ("setup.py", "[".repeat(BYTES_MAX + 1)),
        ] {
            assert!(read(file, &text).is_err(), "{file}: {:.20}", text);
        }
        assert_eq!(manifest("package.json", "[1]"), Manifest::default());
        assert_eq!(manifest("Cargo.toml", "package = 1\ndependencies = 'x'"), Manifest::default());
    }
}
