//! Owns which file of a repository an import means, as far as names tell, and which files matter most to some of them.
//! Never reads a file.

use std::collections::BTreeMap;

use petgraph::graphmap::DiGraphMap;

use crate::io::syntax::Import;

/// Files that one import may mean: a package of Go is all files of a folder.
const MEANT_MOST: usize = 30;
/// Files of one name that are looked at for one import.
const LOOKED_AT_MOST: usize = 500;
/// How much less who imports a file matters than what it imports.
const BACKWARD: f64 = 0.3;
/// The share of attention that goes on by an import, and how often it does.
const DAMPING: f64 = 0.85;
const ROUNDS: usize = 30;
/// Names of files that stand for their folder.
const OF_FOLDER: [&str; 5] = ["mod", "index", "__init__", "lib", "main"];

/// Finds files by names.
pub(super) struct Links<'f> {
    paths: Vec<&'f str>,
    keys: Vec<Vec<&'f str>>,
    by_key: BTreeMap<Vec<&'f str>, usize>,
    by_last: BTreeMap<&'f str, Vec<usize>>,
    by_folder: BTreeMap<&'f str, Vec<usize>>,
}

impl<'f> Links<'f> {
    /// Takes the paths of all source files.
    pub(super) fn of(paths: Vec<&'f str>) -> Self {
        let keys: Vec<Vec<&str>> = paths.iter().map(|path| key(path)).collect();
        let by_key = keys.iter().enumerate().rev().map(|(at, key)| (key.clone(), at)).collect();
        let (mut by_last, mut by_folder): (BTreeMap<_, Vec<usize>>, BTreeMap<_, Vec<usize>>) = Default::default();
        for (at, path) in paths.iter().enumerate() {
            if let Some(last) = keys[at].last() {
                by_last.entry(*last).or_default().push(at);
            }
            if let Some((folder, _)) = path.rsplit_once('/').filter(|_| path.ends_with(".go")) {
                by_folder.entry(folder.rsplit('/').next().unwrap_or(folder)).or_default().push(at);
            }
        }
        Self { paths, keys, by_key, by_last, by_folder }
    }

    /// Finds the files that an import of one file means.
    pub(super) fn meant(&self, from: usize, import: &Import) -> Vec<usize> {
        let mut parts: Vec<&str> = import.parts.iter().map(String::as_str).collect();
        if self.paths[from].ends_with(".go") {
            return self.package(&parts);
        }
        if let Some(last) = parts.last_mut().filter(|last| is_file_name(last)) {
            *last = last.rsplit_once('.').map_or(*last, |(stem, _)| stem);
        }
        match import.up {
            Some(up) => self.beside(from, up, &parts),
            None => self.anywhere(from, &parts),
        }
    }

    /// Follows a path from the folder of a file; what it leads to may have names that are no files.
    fn beside(&self, from: usize, up: u32, parts: &[&str]) -> Vec<usize> {
        let folders: Vec<&str> = self.paths[from].split('/').collect();
        let Some(kept) = (folders.len() - 1).checked_sub(up as usize) else { return Vec::new() };
        let whole: Vec<&str> = folders[..kept].iter().chain(parts).copied().collect();
        let lengths = (kept..=whole.len()).rev();
        let found = lengths.filter_map(|length| self.by_key.get(&whole[..length]).copied());
        found.filter(|at| *at != from).take(1).collect()
    }

    /// Finds the file whose path ends with most of the names, the nearest where several do.
    fn anywhere(&self, from: usize, parts: &[&str]) -> Vec<usize> {
        for length in (1..=parts.len()).rev() {
            let names = &parts[..length];
            let ends = |at: &&usize| **at != from && self.keys[**at].ends_with(names);
            let found = self.by_last.get(names[length - 1]).into_iter().flatten().take(LOOKED_AT_MOST).filter(ends);
            let nearest = found.max_by_key(|at| (self.near(from, **at), std::cmp::Reverse(self.keys[**at].len())));
            if let Some(nearest) = nearest {
                return vec![*nearest];
            }
        }
        Vec::new()
    }

    /// Finds the files of the folder that a package's path ends with.
    fn package(&self, parts: &[&str]) -> Vec<usize> {
        let Some(last) = parts.last() else { return Vec::new() };
        let shared = |at: usize| {
            let folders: Vec<&str> = self.paths[at].split('/').rev().skip(1).collect();
            folders.iter().zip(parts.iter().rev()).take_while(|(one, other)| one == other).count()
        };
        let found = self.by_folder.get(last).into_iter().flatten().copied();
        let most = found.clone().map(shared).max().unwrap_or(0);
        found.filter(|at| shared(*at) == most).take(MEANT_MOST).collect()
    }

    /// Counts the folders that two files share.
    fn near(&self, one: usize, other: usize) -> usize {
        self.paths[one].split('/').zip(self.paths[other].split('/')).take_while(|(one, other)| one == other).count()
    }
}

/// Gives the names by which a file is imported.
fn key(path: &str) -> Vec<&str> {
    let mut key: Vec<&str> = path.split('/').collect();
    if let Some(last) = key.last_mut() {
        *last = last.rsplit_once('.').map_or(*last, |(stem, _)| stem);
    }
    if key.len() > 1 && key.last().is_some_and(|last| OF_FOLDER.contains(last)) {
        key.pop();
    }
    key
}

fn is_file_name(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((_, "h" | "c" | "hpp" | "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" | "mts")))
}

/// Shares attention out among files by their imports, beginning at some of them (at all, where there are none).
pub(super) fn ranks(files: usize, imports: &[(usize, usize)], focus: &[usize]) -> Vec<f64> {
    let mut graph = DiGraphMap::<usize, f64>::with_capacity(files, 2 * imports.len());
    for (from, to) in imports.iter().copied().filter(|(from, to)| from != to) {
        for (from, to, weight) in [(from, to, 1.0), (to, from, BACKWARD)] {
            let more = graph.edge_weight(from, to).copied().unwrap_or(0.0);
            graph.add_edge(from, to, f64::max(more, weight));
        }
    }
    let mut begin = vec![0.0; files];
    let starts = if focus.is_empty() { (0..files).collect() } else { focus.to_vec() };
    starts.iter().for_each(|at| begin[*at] = 1.0 / starts.len() as f64);
    let out: Vec<f64> = (0..files).map(|at| graph.edges(at).map(|(_, _, weight)| *weight).sum()).collect();
    let mut ranks = begin.clone();
    for _ in 0..ROUNDS {
        let mut next: Vec<f64> = begin.iter().map(|it| it * (1.0 - DAMPING)).collect();
        for (from, to, weight) in graph.all_edges() {
            next[to] += DAMPING * ranks[from] * weight / out[from];
        }
        // What leads nowhere begins again.
        let lost: f64 = (0..files).filter(|at| out[*at] == 0.0).map(|at| ranks[at]).sum();
        begin.iter().zip(&mut next).for_each(|(begin, next)| *next += DAMPING * lost * begin);
        ranks = next;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 13] = [
        "go/cmd/main.go",
        "go/store/a.go",
        "go/store/b.go",
        "include/a/b.h",
        "js/app.ts",
        "js/lib/index.ts",
        "js/lib/part.tsx",
        "py/pkg/__init__.py",
        "py/pkg/one.py",
        "src/io/git/mod.rs",
        "src/io/git/walk.rs",
        "src/io/walk.rs",
        "src/main.c",
    ];

    fn meant(from: &str, up: Option<u32>, parts: &str) -> Vec<&'static str> {
        let links = Links::of(PATHS.to_vec());
        let from = PATHS.iter().position(|path| *path == from).unwrap();
        let import = Import { up, parts: parts.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect() };
        links.meant(from, &import).into_iter().map(|at| PATHS[at]).collect()
    }

    #[test]
    fn an_import_means_the_file_that_its_names_lead_to() {
        for (from, up, parts, file) in [
            ("src/io/git/mod.rs", None, "walk/Root", "src/io/git/walk.rs"),
            ("src/io/walk.rs", None, "io/git/walk/Root", "src/io/git/walk.rs"),
            ("src/io/walk.rs", None, "io/git/Repo", "src/io/git/mod.rs"),
            ("js/app.ts", Some(0), "lib", "js/lib/index.ts"),
            ("js/app.ts", Some(0), "lib/part", "js/lib/part.tsx"),
            ("js/lib/part.tsx", Some(1), "app.js", "js/app.ts"),
            ("py/pkg/__init__.py", Some(0), "one/thing", "py/pkg/one.py"),
            ("py/pkg/one.py", None, "pkg/Thing", "py/pkg/__init__.py"),
            ("src/main.c", None, "a/b.h", "include/a/b.h"),
        ] {
            assert_eq!(meant(from, up, parts), [file], "{from}: {up:?} {parts}");
        }
        assert_eq!(meant("go/cmd/main.go", None, "example.com/go/store"), ["go/store/a.go", "go/store/b.go"]);
        for (from, up, parts) in [
            ("src/io/walk.rs", None, "std/collections"),
            ("js/app.ts", Some(9), "lib"),
            ("js/app.ts", Some(0), "none"),
            ("go/cmd/main.go", None, "fmt"),
            ("py/pkg/one.py", None, ""),
        ] {
            assert_eq!(meant(from, up, parts), [] as [&str; 0], "{from}: {up:?} {parts}");
        }
    }

    #[test]
    fn attention_follows_imports_from_where_it_begins() {
        // 0 imports 1, 1 imports 2; 3 imports 0; 4 and 5 know each other only.
        let imports = [(0, 1), (1, 2), (3, 0), (4, 5), (5, 4)];
        let about = ranks(6, &imports, &[0]);
        assert!(about[1] > about[3] && about[2] > about[3] && about[3] > 0.0, "{about:?}");
        assert_eq!((about[4], about[5]), (0.0, 0.0));
        let all = ranks(6, &imports, &[]);
        assert!(all.iter().all(|rank| *rank > 0.0));
        for ranks in [about, all] {
            assert!((ranks.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{ranks:?}");
        }
        assert_eq!(ranks(0, &[], &[]), [] as [f64; 0]);
    }
}
