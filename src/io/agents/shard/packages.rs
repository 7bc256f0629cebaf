//! Owns splitting by package: which manifest is nearest to a file, and which packages of the repository need which.
//! Never looks for packages beyond those that files lie in and those that Cargo paths lead to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::manifest::{self, Kind, Manifest, Need, Workspace};
use super::ordering::{self, Waits};
use super::split::{Group, Groups, folder_of, group};

/// The group of files that no package holds; no path of a repository begins with `./`.
const NO_PACKAGE: &str = "./unpackaged";
/// Notes that are given at most.
const NOTES_MAX: usize = 50;

/// Splits by nearest package; groups come after those that they need.
pub(super) fn split(files: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Groups {
    let tree = Tree::new(read);
    let mut by_folder: BTreeMap<Option<String>, Vec<&str>> = BTreeMap::new();
    for file in files {
        by_folder.entry(tree.package_of(folder_of(file))).or_default().push(file);
    }
    let loose = by_folder.remove(&None);
    let files: BTreeMap<String, Vec<&str>> =
        by_folder.into_iter().filter_map(|(folder, files)| Some((folder?, files))).collect();
    let found = tree.with_all_that_paths_lead_to(files.keys().cloned().collect());
    let packages: Vec<(&str, &Package)> =
        found.iter().map(|(folder, package)| (folder.as_str(), package.as_ref())).collect();
    let needs = tree.needs(&packages);
    let waits = ordering::order(packages.len(), &needs, &|number| files.contains_key(packages[number].0));
    if waits.given_up {
        tree.note("the packages need each other in too many ways; they have no order".to_owned());
    }
    let mut groups: Vec<Group> = Vec::with_capacity(files.len() + 1);
    for number in &waits.order {
        let (folder, package) = packages[*number];
        let Some(files) = files.get(folder) else { continue };
        groups.push(group_of(folder, package, files, &waits, *number, &packages));
    }
    groups.extend(loose.map(|files| group(NO_PACKAGE, "files of no package", &files)));
    Groups { groups, notes: tree.notes.into_inner() }
}

fn group_of(
    folder: &str,
    package: &Package,
    files: &[&str],
    waits: &Waits,
    number: usize,
    packages: &[(&str, &Package)],
) -> Group {
    let key = key_of(folder);
    let names: BTreeSet<&str> =
        package.manifests.iter().filter_map(|read| Some(read.name.as_ref()?.1.as_str())).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let title = if names.is_empty() || names == key { key.to_owned() } else { format!("{names} ({key})") };
    let after = waits.after.get(&number).into_iter().flatten();
    Group { after: after.map(|before| key_of(packages[*before].0).to_owned()).collect(), ..group(key, &title, files) }
}

fn key_of(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// Holds what the manifests of one folder say.
#[derive(Debug, Clone, Default)]
struct Package {
    manifests: Vec<Manifest>,
    /// Whether a manifest is there that cannot be read: the folder is a package whose needs are not known.
    unread: bool,
}

/// Reads manifests, each once.
struct Tree<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    packages: RefCell<BTreeMap<String, Option<Rc<Package>>>>,
    nearest: RefCell<BTreeMap<String, Option<String>>>,
    workspaces: RefCell<BTreeMap<String, Option<Workspace>>>,
    notes: RefCell<Vec<String>>,
}

impl<'a> Tree<'a> {
    fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            read,
            packages: RefCell::default(),
            nearest: RefCell::default(),
            workspaces: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    fn note(&self, note: String) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < NOTES_MAX {
            notes.push(note);
        }
    }

    /// Finds the folder of the package that `folder` lies in.
    fn package_of(&self, folder: &str) -> Option<String> {
        if let Some(known) = self.nearest.borrow().get(folder) {
            return known.clone();
        }
        let found = ancestors(folder).find(|folder| self.package(folder).is_some()).map(str::to_owned);
        self.nearest.borrow_mut().insert(folder.to_owned(), found.clone());
        found
    }

    fn package(&self, folder: &str) -> Option<Rc<Package>> {
        if let Some(known) = self.packages.borrow().get(folder) {
            return known.clone();
        }
        let mut package = Package::default();
        for name in manifest::NAMES {
            let path = join(folder, name);
            let Some(text) = (self.read)(&path) else { continue };
            match manifest::read(name, &text) {
                Ok(read) => package.manifests.extend(read),
                Err(why) => {
                    package.unread = true;
                    self.note(super::split::line(&format!("{path}: {why}; its package has no order")));
                }
            }
        }
        let package = Some(package).filter(|package| package.unread || !package.manifests.is_empty()).map(Rc::new);
        self.packages.borrow_mut().insert(folder.to_owned(), package.clone());
        package
    }

    /// Lists packages by folder: those of `folders`, and those that their Cargo paths lead to.
    fn with_all_that_paths_lead_to(&self, folders: Vec<String>) -> BTreeMap<String, Rc<Package>> {
        let mut found = BTreeMap::new();
        let mut look = folders;
        while let Some(folder) = look.pop() {
            if found.contains_key(&folder) {
                continue;
            }
            let Some(package) = self.package(&folder) else { continue };
            look.extend(self.paths(&folder, &package));
            found.insert(folder, package);
        }
        found
    }

    fn paths(&self, folder: &str, package: &Package) -> Vec<String> {
        let needs = package.manifests.iter().flat_map(|manifest| &manifest.needs);
        needs.filter_map(|need| self.resolve(folder, need)).filter_map(Result::ok).collect()
    }

    /// Says where a need leads: to a folder, or to a name.
    fn resolve(&self, folder: &str, need: &Need) -> Option<Result<String, (Kind, String)>> {
        match need {
            Need::Named(kind, name) => Some(Err((*kind, name.clone()))),
            Need::Path(path) => resolved(folder, path).map(Ok),
            Need::OfWorkspace(name) => {
                let (root, need) = self.of_workspace(folder, name)?;
                match need {
                    Need::Named(kind, name) => Some(Err((kind, name))),
                    Need::Path(path) => resolved(&root, &path).map(Ok),
                    Need::OfWorkspace(_) => None,
                }
            }
        }
    }

    fn of_workspace(&self, folder: &str, name: &str) -> Option<(String, Need)> {
        ancestors(folder).find_map(|root| {
            let mut known = self.workspaces.borrow_mut();
            let workspace = known
                .entry(root.to_owned())
                .or_insert_with(|| (self.read)(&join(root, "Cargo.toml")).and_then(|text| manifest::workspace(&text)));
            let need = workspace.as_ref()?.needs.get(name)?;
            Some((root.to_owned(), need.clone()))
        })
    }

    /// Lists which package needs which, by their numbers.
    fn needs(&self, packages: &[(&str, &Package)]) -> BTreeSet<(usize, usize)> {
        let by_folder: BTreeMap<&str, usize> =
            packages.iter().enumerate().map(|(number, (folder, _))| (*folder, number)).collect();
        let mut by_name: BTreeMap<(Kind, &str), Vec<usize>> = BTreeMap::new();
        for (number, (_, package)) in packages.iter().enumerate() {
            for (kind, name) in package.manifests.iter().filter_map(|manifest| manifest.name.as_ref()) {
                by_name.entry((*kind, name)).or_default().push(number);
            }
        }
        let mut needs = BTreeSet::new();
        for (number, (folder, package)) in packages.iter().enumerate() {
            for need in package.manifests.iter().flat_map(|manifest| &manifest.needs) {
                let other = match self.resolve(folder, need) {
                    Some(Ok(path)) => by_folder.get(path.as_str()).copied(),
                    // A name that several packages have names none of them.
                    Some(Err((kind, name))) => {
                        by_name.get(&(kind, name.as_str())).and_then(|numbers| match numbers[..] {
                            [one] => Some(one),
                            _ => None,
                        })
                    }
                    None => None,
                };
                needs.extend(other.filter(|other| *other != number).map(|other| (number, other)));
            }
        }
        needs
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Lists a folder and those that it lies in, up to the root.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| (!folder.is_empty()).then(|| folder_of(folder)))
}

/// Follows a relative path from a folder; none where it leaves the repository.
fn resolved(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\\') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_tree(tree: &[(&str, &str)], files: &[&str]) -> Groups {
        let read = |path: &str| tree.iter().find(|(at, _)| *at == path).map(|(_, text)| (*text).to_owned());
        split(files, &read)
    }

    fn shown(groups: &Groups) -> Vec<String> {
        let show = |group: &Group| format!("{}: {} <- {}", group.key, group.files.join(" "), group.after.join(" "));
        groups.groups.iter().map(show).collect()
    }

    #[test]
    fn cargo_packages_come_after_those_that_they_need_by_path_or_through_the_workspace() {
        let tree = [
            ("Cargo.toml", "[workspace]\n[workspace.dependencies]\nzz = { path = 'crates/base', package = 'base' }\n"),
            ("crates/app/Cargo.toml", "[package]\nname='app'\n[dependencies]\nmid = { path = '../mid' }\n"),
            ("crates/mid/Cargo.toml", "[package]\nname='mid'\n[dependencies]\nzz.workspace = true\n"),
            ("crates/base/Cargo.toml", "[package]\nname='base'\n[dev-dependencies]\nserde = '1'\n"),
        ];
        let files = ["build.py", "crates/app/src/a.rs", "crates/base/src/a.rs", "crates/mid/src/x/a.rs"];
        let groups = split_tree(&tree, &files);
        assert_eq!(
            shown(&groups),
            [
                "crates/base: crates/base/src/a.rs <- ",
                "crates/mid: crates/mid/src/x/a.rs <- crates/base",
                "crates/app: crates/app/src/a.rs <- crates/mid",
                "./unpackaged: build.py <- ",
            ]
        );
        assert_eq!(groups.groups[0].title, "base (crates/base)");
        assert!(groups.notes.is_empty());
        // `mid` has no candidate, and `app` waits for `base` all the same.
        let groups = split_tree(&tree, &["crates/app/src/a.rs", "crates/base/src/a.rs"]);
        assert_eq!(shown(&groups)[1], "crates/app: crates/app/src/a.rs <- crates/base");
    }

    #[test]
    fn a_cycle_through_test_dependencies_has_no_order_inside() {
        let tree = [
            ("a/Cargo.toml", "[package]\nname='a'\n[dev-dependencies]\nb = { path = '../b' }\n"),
            ("b/Cargo.toml", "[package]\nname='b'\n[dependencies]\na = { path = '../a' }\n"),
            ("c/Cargo.toml", "[package]\nname='c'\n[dependencies]\nb = { path = '../b' }\n"),
        ];
        assert_eq!(shown(&split_tree(&tree, &["a/x", "b/x", "c/x"])), ["a: a/x <- ", "b: b/x <- ", "c: c/x <- a b"]);
    }

    #[test]
    fn npm_packages_need_each_other_by_name() {
        let tree = [
            ("package.json", r#"{"private": true, "workspaces": ["packages/*"]}"#),
            ("packages/ui/package.json", r#"{"name": "@x/ui", "peerDependencies": {"@x/core": "*", "react": "18"}}"#),
            ("packages/core/package.json", r#"{"name": "@x/core"}"#),
        ];
        let groups = split_tree(&tree, &["packages/core/a.ts", "packages/ui/a.ts", "scripts/x.js"]);
        let expected = [
            ".: scripts/x.js <- ",
            "packages/core: packages/core/a.ts <- ",
            "packages/ui: packages/ui/a.ts <- packages/core",
        ];
        assert_eq!(shown(&groups), expected);
    }

    #[test]
    fn python_packages_need_each_other_in_any_spelling_and_kinds_do_not_mix() {
        let tree = [
            ("lib/pyproject.toml", "[project]\nname = 'My_Lib'\n"),
            ("app/pyproject.toml", "[project]\nname = 'app'\ndependencies = ['my.lib>=1', 'web']\n"),
            ("web/package.json", r#"{"name": "web"}"#),
            ("pyproject.toml", "[tool.ruff]\n"),
        ];
        let groups = split_tree(&tree, &["app/a.py", "lib/a.py", "web/a.js", "x.py"]);
        let expected = ["lib: lib/a.py <- ", "app: app/a.py <- lib", "web: web/a.js <- ", "./unpackaged: x.py <- "];
        assert_eq!(shown(&groups), expected);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_still_makes_a_package_and_a_note() {
        let tree = [
            ("a/Cargo.toml", "[package\u{7}"),
            (
                "b/Cargo.toml",
                "[package]\nname='b'\n[dependencies]\na={path='../a'}\nout={path='../../x'}\nabs={path='/etc'}\n",
            ),
        ];
        let groups = split_tree(&tree, &["a/x", "b/x"]);
        assert_eq!(shown(&groups), ["a: a/x <- ", "b: b/x <- a"]);
        assert_eq!(groups.notes.len(), 1);
        assert!(groups.notes[0].starts_with("a/Cargo.toml: it is not TOML"), "{}", groups.notes[0]);
        assert!(!groups.notes[0].contains('\u{7}') && !groups.notes[0].contains('\n'));
    }

    #[test]
    fn a_name_that_two_packages_have_names_neither() {
        let tree = [
            ("a/package.json", r#"{"name": "x"}"#),
            ("b/package.json", r#"{"name": "x"}"#),
            ("c/package.json", r#"{"name": "c", "dependencies": {"x": "1"}}"#),
        ];
        assert_eq!(shown(&split_tree(&tree, &["a/f", "b/f", "c/f"]))[2], "c: c/f <- ");
    }

    #[test]
    fn each_manifest_is_read_once() {
        let reads = RefCell::new(BTreeMap::<String, u32>::new());
        let read = |path: &str| {
            *reads.borrow_mut().entry(path.to_owned()).or_default() += 1;
            (path == "a/package.json").then(|| r#"{"name": "a"}"#.to_owned())
        };
        split(&["a/b/c", "a/b/d", "a/e/f", "g/h"], &read);
        assert!(reads.borrow().values().all(|count| *count == 1), "{reads:?}");
    }
}
