//! Owns looking at files from outside: what they are, and which attacks' marks they bear. Opens nothing but regular
//! files, and follows no link.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// What files are: mode, and content or target.
pub type World = BTreeMap<String, (u32, Vec<u8>)>;

/// The largest file that is searched for marks.
const SEARCHED: u64 = 16 << 20;

/// Describes every file below a folder, but those that `skip` names.
pub fn shape(root: &Path, skip: &dyn Fn(&str) -> bool) -> World {
    let mut found = World::new();
    each(root, root, skip, &mut |name, path, meta| {
        use std::os::unix::fs::PermissionsExt;
        let content = if meta.is_file() {
            fs::read(path).unwrap_or_default()
        } else if meta.is_symlink() {
            fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
        } else {
            Vec::new()
        };
        found.insert(name.to_owned(), (meta.permissions().mode(), content));
    });
    found
}

/// Lists each file below a folder whose name or content bears marks, with the attacks that they name.
pub fn marked(root: &Path, skip: &dyn Fn(&str) -> bool) -> Vec<(String, BTreeSet<String>)> {
    let mut found = Vec::new();
    each(root, root, skip, &mut |name, path, meta| {
        let last = name.rsplit('/').next().unwrap_or_default();
        let mut marks = marks(last.as_bytes());
        if meta.is_file() && meta.len() <= SEARCHED {
            marks.extend(self::marks(&fs::read(path).unwrap_or_default()));
        }
        if !marks.is_empty() {
            found.push((name.to_owned(), marks));
        }
    });
    found
}

/// Lists the attacks that a text names by their marks.
pub fn marks(text: &[u8]) -> BTreeSet<String> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"evil\.([a-z0-9-]+)\.z").unwrap());
    let text = String::from_utf8_lossy(text);
    MARK.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

fn each(root: &Path, dir: &Path, skip: &dyn Fn(&str) -> bool, see: &mut dyn FnMut(&str, &Path, &fs::Metadata)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if skip(&name) {
            continue;
        }
        see(&name, &path, &meta);
        if meta.is_dir() {
            each(root, &path, skip, see);
        }
    }
}
