//! Owns which programs a repository's own configuration would have git run on files. artel has none of them run: what
//! depends on one is left to the person whose repository it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use git2::ConfigLevel;

use super::error::{Doing, GitError};
use super::objects;
use super::repo::{Repo, to_git};
use super::rules::is_attributes;
use crate::model::ids::Oid;

/// Lists the filters that a repository itself configures; those of the user and the machine are not among them.
pub(super) fn own_filters(checkout: &Path) -> Result<BTreeSet<String>, GitError> {
    let doing = || format!("read the configuration of `{}`", checkout.display());
    let config = git2::Repository::open(checkout).and_then(|handle| handle.config()).doing(doing)?;
    let mut entries = config.entries(Some("^filter\\.")).doing(doing)?;
    let mut found = BTreeSet::new();
    while let Some(entry) = entries.next() {
        let entry = entry.doing(doing)?;
        let is_own = matches!(entry.level(), ConfigLevel::Local | ConfigLevel::Worktree);
        let name = entry.name().ok().and_then(|name| name.strip_prefix("filter.")?.rsplit_once('.'));
        if let Some((name, _)) = name.filter(|_| is_own) {
            found.insert(name.to_owned());
        }
    }
    Ok(found)
}

/// Finds the first of these filters that attributes of a commit, or those beside it that git obeys in a checkout, put on
/// files.
pub(super) fn filter_in_use(
    repo: &Repo,
    checkout: &Path,
    commit: Oid,
    filters: &BTreeSet<String>,
) -> Result<Option<String>, GitError> {
    if filters.is_empty() {
        return Ok(None);
    }
    let beside = [repo.identity().join("info/attributes"), checkout.join(".gitattributes")];
    let mut texts: Vec<Vec<u8>> = beside.iter().map(|path| fs::read(path).unwrap_or_default()).collect();
    let (tree, _) = repo.commit_of(commit)?;
    let files = repo.files(tree)?.files;
    repo.with(|handle| {
        for file in files.iter().filter(|file| is_attributes(file.path.as_bytes())) {
            texts.push(objects::blob(handle, to_git(file.oid))?.content().to_vec());
        }
        Ok(())
    })?;
    let text = texts.iter().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>().join("\n");
    let names = text.split_whitespace().filter_map(|word| word.strip_prefix("filter="));
    let used: BTreeSet<&str> = names.collect();
    Ok(filters.iter().find(|name| used.contains(name.as_str())).cloned())
}

/// Lists settings by which git runs none of these filters.
pub(super) fn without(filters: &BTreeSet<String>) -> Vec<(String, String)> {
    let of = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let settings = filters.iter().flat_map(|name| {
        ["process", "smudge", "clean"]
            .map(|part| of(&format!("filter.{name}.{part}"), ""))
            .into_iter()
            .chain([of(&format!("filter.{name}.required"), "false")])
    });
    let settings: Vec<(String, String)> = settings.collect();
    let numbered = settings.iter().enumerate().flat_map(|(at, (key, value))| {
        [(format!("GIT_CONFIG_KEY_{at}"), key.clone()), (format!("GIT_CONFIG_VALUE_{at}"), value.clone())]
    });
    numbered.chain([("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string())]).collect()
}
