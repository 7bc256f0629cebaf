//! Owns the tools by which a session looks through files: of a commit, or of a worktree while its agent writes there.
//! Never changes anything.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::world::{Ground, blocking, told};
use crate::io::git::Glance;
use crate::io::tools::{
    Files, Listed, MapQuery, Outlines, Pending, Query, Tool, Toolbox, arguments, repo_map, schema_of, search,
};
use crate::model::ids::Oid;
use crate::model::paths::PathSet;

/// Holds a session's tools for looking.
pub struct LookingTools {
    searched: Option<Arc<dyn Files + Send + Sync>>,
    mapped: Arc<OfCommit>,
    about: Arc<PathSet>,
}

impl LookingTools {
    /// Maps a commit, which is not looked at before that is asked for; the paths are those that a map is about where nobody says.
    pub fn map_of(ground: &Arc<Ground>, commit: Oid, about: PathSet) -> Self {
        let mapped = Arc::new(OfCommit { ground: Arc::clone(ground), commit });
        Self { searched: None, mapped, about: Arc::new(about) }
    }

    /// Searches a worktree, and maps the commit that it began from.
    pub fn of_worktree(ground: &Arc<Ground>, worktree: Glance, about: PathSet) -> Self {
        let map = Self::map_of(ground, worktree.commit(), about);
        Self { searched: Some(Arc::new(OfWorktree(worktree))), ..map }
    }
}

impl Toolbox for LookingTools {
    fn tools(&self) -> Vec<Tool> {
        let tool = |name: &str, about: &str, input| Tool { name: name.to_owned(), about: about.to_owned(), input };
        let search = tool(
            "search_code",
            "Searches the files as they are now for a regular expression or a text; ignored files are left out.",
            schema_of::<Query>(),
        );
        let map = tool(
            "repo_map",
            "Shows what the repository's source files define, with line numbers, those first that matter most to your \
             task: by what they import and who imports them. It shows what you began from, without your changes.",
            schema_of::<MapQuery>(),
        );
        self.searched.is_some().then_some(search).into_iter().chain([map]).collect()
    }

    fn call(&self, name: &str, given: Value) -> Pending<'_, Result<String, String>> {
        let name = name.to_owned();
        Box::pin(async move {
            match (name.as_str(), &self.searched) {
                ("search_code", Some(files)) => {
                    let files = Arc::clone(files);
                    look(&name, given, move |query| search(files.as_ref(), query)).await
                }
                ("repo_map", _) => {
                    let (files, about) = (Arc::clone(&self.mapped), Arc::clone(&self.about));
                    let map = move |query: &MapQuery| repo_map(files.as_ref(), files.outlines(), &about, query);
                    look(&name, given, map).await
                }
                _ => Err(format!("there is no tool `{name}` for looking")),
            }
        })
    }
}

/// Looks where it may take its time.
async fn look<Q: DeserializeOwned + Send + 'static>(
    name: &str,
    given: Value,
    how: impl FnOnce(&Q) -> Result<String, String> + Send + 'static,
) -> Result<String, String> {
    let query: Q = arguments(name, given)?;
    blocking(move || how(&query)).await
}

/// Holds the files of a commit.
struct OfCommit {
    ground: Arc<Ground>,
    commit: Oid,
}

impl OfCommit {
    fn outlines(&self) -> &Outlines {
        &self.ground.outlines
    }
}

impl Files for OfCommit {
    fn list(&self) -> Result<Vec<Listed>, String> {
        let repo = &self.ground.repo;
        let tree = repo.commit_of(self.commit).map(|(tree, _)| tree);
        let files =
            tree.and_then(|tree| repo.files(tree)).map_err(|error| format!("failed to {}", told(&error)))?.files;
        let is_file = |mode: u32| mode & 0o170_000 == 0o100_000;
        let listed = files.into_iter().filter(|file| is_file(file.mode));
        Ok(listed.map(|file| Listed { path: file.path, blob: Some(file.oid) }).collect())
    }

    fn read(&self, file: &Listed, most: u64) -> Option<Vec<u8>> {
        let (blob, repo) = (file.blob?, &self.ground.repo);
        let is_small = repo.size(blob).is_ok_and(|size| size <= most);
        is_small.then(|| repo.read(blob).ok()).flatten()
    }
}

/// Holds the files of a worktree.
struct OfWorktree(Glance);

impl Files for OfWorktree {
    fn list(&self) -> Result<Vec<Listed>, String> {
        let files = self.0.files().map_err(|error| format!("failed to {}", told(&error)))?;
        Ok(files.into_iter().map(|path| Listed { path, blob: None }).collect())
    }

    fn read(&self, file: &Listed, most: u64) -> Option<Vec<u8>> {
        self.0.read(&file.path, most)
    }
}
