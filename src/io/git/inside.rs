//! Owns working on single files of a worktree in which commands of an agent ran: no link is followed, nothing outside
//! reached, git's own files never touched. Never runs git or a filter.

use std::collections::BTreeMap;
use std::io::Read;

use super::checkout::path_of;
use super::commit::Edit;
use super::error::{Doing, GitError, OnFile, plain};
use super::path_law::why_refused;
use super::pool::Tree;
use super::record::Left;
use super::rules;
use super::walk::{Root, join};

/// Folders in one another that are looked into.
const DEPTH: usize = 64;

/// What stands at a path of a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// A regular file with this content.
    File(Vec<u8>),
    /// A symbolic link that leads there.
    Link(String),
    /// A folder.
    Folder,
    /// Nothing.
    Nothing,
}

impl Tree {
    /// Lists at most so many files and links, sorted; those that the commit's own rules have git ignore are left out,
    /// unless the commit holds them, and so is what has no name in UTF-8.
    ///
    /// # Errors
    /// `TreeGone` where the tree was removed.
    pub fn paths_inside(&self, most: usize) -> Result<Vec<String>, GitError> {
        let root = Root::open(self.path())?;
        let rules = rules::handle(&self.repo, &self.rules)?;
        let mut known = Left::all(&self.record);
        let (mut found, mut folders) = (Vec::new(), vec![(Vec::new(), 0)]);
        while let Some((folder, depth)) = folders.pop() {
            // What cannot be looked into holds nothing for whoever asks.
            let Ok(entries) = root.list(&folder) else { continue };
            for (name, stat) in entries {
                let path = join(&folder, &name);
                let kind = stat.st_mode & 0o170_000;
                let is_git = name.eq_ignore_ascii_case(b".git");
                let ignored = |path: &[u8]| {
                    rules.status_should_ignore(path_of(path)).doing(|| "read the ignore rules".to_owned())
                };
                if is_git {
                    continue;
                }
                let is_folder = kind == 0o040_000;
                let is_file = kind == 0o100_000 || kind == 0o120_000;
                if is_folder && depth < DEPTH && (known.holds_below(&path) || !ignored(&join(&path, b""))?) {
                    folders.push((path, depth + 1));
                } else if is_file && (known.meet(&path).is_some() || !ignored(&path)?) {
                    found.extend(String::from_utf8(path).ok());
                }
                if found.len() >= most {
                    folders.clear();
                    break;
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Looks at a path.
    ///
    /// # Errors
    /// Fails on a path that leads out of the tree or into git, on a file of more bytes than that, and on what is neither
    /// file, link nor folder.
    pub fn look_inside(&self, path: &str, bytes_max: u64) -> Result<Stands, GitError> {
        let (root, at) = self.inside(path)?;
        let Some(stat) = root.stat(at).on("look at", path_of(at))? else { return Ok(Stands::Nothing) };
        match stat.st_mode & 0o170_000 {
            0o040_000 => Ok(Stands::Folder),
            0o120_000 => {
                let target = root.link(at).on("read the link", path_of(at))?;
                Ok(Stands::Link(plain(&String::from_utf8_lossy(&target))))
            }
            0o100_000 => {
                let (file, stat) = root.file(at).on("open", path_of(at))?;
                if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > bytes_max {
                    return Err(refused(path, &format!("it holds more than {bytes_max} bytes")));
                }
                let mut bytes = Vec::new();
                file.take(bytes_max).read_to_end(&mut bytes).on("read", path_of(at))?;
                Ok(Stands::File(bytes))
            }
            _ => Err(refused(path, "it is neither a file nor a link nor a folder")),
        }
    }

    /// Makes a file hold this, new or not; it keeps its mode. Tells whether it may be executed.
    ///
    /// # Errors
    /// As [`Tree::look_inside`], and where a link or a folder stands there.
    pub fn write_inside(&self, path: &str, bytes: &[u8]) -> Result<bool, GitError> {
        let (root, at) = self.inside(path)?;
        let stat = root.stat(at).on("look at", path_of(at))?;
        let mode = match stat.map(|stat| (stat.st_mode & 0o170_000, stat.st_mode)) {
            None => 0o644,
            Some((0o100_000, mode)) => mode,
            Some(_) => return Err(refused(path, "it is no file")),
        };
        root.remove(at).on("replace", path_of(at))?;
        root.create(at, mode, bytes).on("write", path_of(at))?;
        Ok(mode & 0o100 != 0)
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// As [`Tree::look_inside`], and where nothing or a folder stands there.
    pub fn remove_inside(&self, path: &str) -> Result<(), GitError> {
        let (root, at) = self.inside(path)?;
        match root.stat(at).on("look at", path_of(at))?.map(|stat| stat.st_mode & 0o170_000) {
            Some(0o040_000) => Err(refused(path, "it is a folder")),
            None => Err(refused(path, "nothing is there")),
            Some(_) => root.remove(at).on("remove", path_of(at)),
        }
    }

    /// Does edits to the files, as if they had been made here.
    ///
    /// # Errors
    /// As [`Tree::look_inside`], and where two edits cannot both hold.
    pub fn edit_inside(&self, edits: &BTreeMap<String, Edit>) -> Result<(), GitError> {
        // What goes makes room for what comes.
        let (gone, made): (Vec<_>, Vec<_>) = edits.iter().partition(|(_, edit)| **edit == Edit::Delete);
        for (path, edit) in gone.into_iter().chain(made) {
            let (root, at) = self.inside(path)?;
            root.remove(at).on("replace", path_of(at))?;
            let mode = |executable: bool| if executable { 0o755 } else { 0o644 };
            match edit {
                Edit::Delete => {}
                Edit::Write { bytes, executable } => {
                    root.create(at, mode(*executable), bytes).on("write", path_of(at))?;
                }
                Edit::Blob { oid, executable, .. } => {
                    root.create(at, mode(*executable), &self.repo.read(*oid)?).on("write", path_of(at))?;
                }
                Edit::Link { target } => root.make_link(at, target.as_bytes()).on("make the link", path_of(at))?,
            }
        }
        Ok(())
    }

    fn inside<'p>(&self, path: &'p str) -> Result<(Root, &'p [u8]), GitError> {
        match why_refused(path) {
            Some(why) => Err(refused(path, why)),
            None => Ok((Root::open(self.path())?, path.as_bytes())),
        }
    }
}

fn refused(path: &str, why: &str) -> GitError {
    GitError::Path { path: plain(path), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::testing::Lab;
    use super::super::{Limits, Pool};
    use super::*;

    fn tree(lab: &Lab) -> (Pool, Tree) {
        let pool = Pool::open(&lab.repo, lab.dir.path().join("pool"), &[]).unwrap();
        let tree = pool.take(lab.head()).unwrap();
        (pool, tree)
    }

    fn lab() -> Lab {
        let lab = Lab::new();
        fs::create_dir_all(lab.path().join("src")).unwrap();
        fs::write(lab.path().join("src/a.sh"), "one\n").unwrap();
        fs::set_permissions(lab.path().join("src/a.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(lab.path().join(".gitignore"), "*.log\nout/\n").unwrap();
        fs::write(lab.path().join("kept.log"), "kept\n").unwrap();
        fs::write(lab.path().join("plain"), "plain\n").unwrap();
        lab.git(&["add", "-A", "-f"]);
        lab.git(&["commit", "-qm", "x"]);
        lab
    }

    #[test]
    fn files_are_listed_read_written_and_removed() {
        let lab = lab();
        let (_pool, tree) = tree(&lab);
        fs::create_dir(tree.path().join("out")).unwrap();
        fs::write(tree.path().join("out/x"), "x").unwrap();
        fs::write(tree.path().join("new.log"), "x").unwrap();
        fs::write(tree.path().join("new"), "x").unwrap();
        let listed = tree.paths_inside(99).unwrap();
        assert!(["src/a.sh", "kept.log", "new"].iter().all(|path| listed.contains(&(*path).to_owned())), "{listed:?}");
        assert!(
            !listed.iter().any(|path| path.starts_with("out") || path == "new.log" || path == ".git"),
            "{listed:?}"
        );
        assert_eq!(tree.paths_inside(1).unwrap().len(), 1);
        assert_eq!(tree.look_inside("src/a.sh", 9).unwrap(), Stands::File(b"one\n".to_vec()));
        assert!(tree.look_inside("src/a.sh", 3).is_err());
        assert_eq!(tree.look_inside("src", 9).unwrap(), Stands::Folder);
        assert_eq!(tree.look_inside("src/none/x", 9).unwrap(), Stands::Nothing);
        tree.write_inside("src/a.sh", b"two\n").unwrap();
        tree.write_inside("deep/er/b", b"b\n").unwrap();
        tree.remove_inside("kept.log").unwrap();
        assert!(tree.remove_inside("kept.log").is_err() && tree.remove_inside("src").is_err());
        let mode = fs::metadata(tree.path().join("src/a.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "it keeps its mode");
        let edits = tree.snapshot(Limits::default()).unwrap().edits;
        assert_eq!(edits.keys().collect::<Vec<_>>(), ["deep/er/b", "kept.log", "new", "src/a.sh"]);
    }

    #[test]
    fn edits_that_were_known_are_done_again() {
        let lab = lab();
        let (pool, tree) = tree(&lab);
        tree.write_inside("src/a.sh", b"two\n").unwrap();
        tree.write_inside("deep/er", b"x\n").unwrap();
        tree.remove_inside("plain").unwrap();
        tree.write_inside("plain/x", b"in a folder\n").unwrap();
        symlink("../src/a.sh", tree.path().join("deep/link")).unwrap();
        let edits = tree.snapshot(Limits::default()).unwrap().edits;
        assert_eq!(edits.len(), 5, "{edits:?}");
        let other = pool.take(lab.head()).unwrap();
        other.edit_inside(&edits).unwrap();
        assert_eq!(other.snapshot(Limits::default()).unwrap().edits, edits);
        let written = Edit::Write { bytes: b"three\n".to_vec(), executable: true };
        other.edit_inside(&[("src/a.sh".to_owned(), written)].into()).unwrap();
        assert_eq!(other.look_inside("src/a.sh", 9).unwrap(), Stands::File(b"three\n".to_vec()));
        let outside = Edit::Write { bytes: Vec::new(), executable: false };
        assert!(other.edit_inside(&[("../x".to_owned(), outside)].into()).is_err());
    }

    #[test]
    fn nothing_outside_and_nothing_of_git_is_reached() {
        let lab = lab();
        let (_pool, tree) = tree(&lab);
        let outside = lab.dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        symlink(&outside, tree.path().join("way")).unwrap();
        symlink(outside.join("secret"), tree.path().join("link")).unwrap();
        let secret = outside.join("secret");
        for path in [
            "way/secret",
            "../outside/secret",
            secret.to_str().unwrap(),
            ".git",
            ".GIT/config",
            "a/../b",
            "",
            "way/new",
        ] {
            let seen = tree.look_inside(path, 99);
            assert!(matches!(seen, Err(_) | Ok(Stands::Nothing)), "{path}: {seen:?}");
            assert!(tree.write_inside(path, b"x").is_err(), "{path}");
            assert!(tree.remove_inside(path).is_err(), "{path}");
        }
        assert!(matches!(tree.look_inside("link", 99).unwrap(), Stands::Link(_)));
        assert!(tree.write_inside("link", b"x").is_err());
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}
