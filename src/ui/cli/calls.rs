//! Owns what is asked of a server on another machine where a verb is one call: plans, proofs, what sessions wrote, and the
//! machine itself. Shows nothing.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::exit::Exit;
use super::fail::Fail;
use super::reach::{There, escaped};
use super::seam::{OpenOptions, Opened};
use crate::app::{Became, Brief, Fact, Left, Proof, RoleRow, Standing, Transcript};
use crate::io::agents::KnownAgent;
use crate::io::gateway::PriceRow;
use crate::model::ids::{RunId, TaskId};
use crate::ui::web::login;
use crate::views::inbox::Item;
use crate::views::plan_tree::PlanTree;

impl There {
    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fail> {
        self.remote.json(&format!("/api/v1{path}"))
    }

    /// Has something done once, however often it is sent.
    fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Fail> {
        let key = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let path = format!("/api/v1{path}");
        let told = self.remote.post(&path, Some(&key), body)?;
        serde_json::from_value(told).map_err(|error| self.remote.garbled(&path).because(error))
    }

    /// Opens a run for a goal file of the server's machine.
    pub(super) fn open(&self, goal: &Path, options: &OpenOptions) -> Result<Opened, Fail> {
        self.post("/runs", &goal_of(goal, options, &format!("open a run for `{}` on a server", goal.display()))?)
    }

    /// Plans a goal file of the server's machine.
    pub(super) fn plan(&self, goal: &Path, options: &OpenOptions) -> Result<PlanTree, Fail> {
        self.post("/plans", &goal_of(goal, options, &format!("plan `{}` on a server", goal.display()))?)
    }

    /// Has a run hosted on which nobody works.
    pub(super) fn host(&self, run: &RunId) -> Result<(), Fail> {
        self.post(&format!("/runs/{run}/host"), &json!({})).map(|_: Value| ())
    }

    /// Lists what needs a person, of all runs; finished tasks are left out.
    pub(super) fn inbox(&self) -> Result<Vec<Item>, Fail> {
        self.get("/inbox")
    }

    /// Lists what needs a person, failed or is finished, in all runs.
    pub(super) fn whole_inbox(&self) -> Result<Vec<Item>, Fail> {
        self.get("/inbox?all=true")
    }

    /// Lists what of a run needs a person, failed or is finished.
    pub(super) fn inbox_of(&self, run: &str) -> Result<Vec<Item>, Fail> {
        self.get(&format!("/runs/{}/inbox", escaped(run)))
    }

    /// Looks whether a run proves what it holds.
    pub(super) fn verify(&self, run: &RunId, anchor: Option<&str>) -> Result<Proof, Fail> {
        self.get(&format!("/runs/{run}/verify{}", query(&[("anchor", anchor)])))
    }

    /// Gives the brief of a task, with its tokens counted by the provider where they are to be exact.
    pub(super) fn brief(&self, run: &RunId, task: TaskId, is_exact: bool) -> Result<Brief, Fail> {
        self.get(&format!("/runs/{run}/tasks/{task}/{}", if is_exact { "tokens" } else { "brief" }))
    }

    /// Lists what a run's sessions wrote.
    pub(super) fn transcripts(&self, run: &RunId) -> Result<Vec<String>, Fail> {
        self.get(&format!("/runs/{run}/transcripts"))
    }

    /// Gives what a session wrote; nothing where there is none of that name.
    pub(super) fn transcript(&self, run: &RunId, name: &str) -> Result<Option<Transcript>, Fail> {
        let found = self.remote.open(&format!("/api/v1/runs/{run}/transcripts/{}", escaped(name)));
        let answered = match found {
            Err(fail) if fail.exit() == Exit::Missing => return Ok(None),
            other => other?,
        };
        let noted = answered.header("artel-noted").and_then(|text| text.parse().ok()).unwrap_or(0);
        let flaw = answered.header("artel-flaw").map(str::to_owned);
        Ok(Some(Transcript { from: Box::new(answered.body), noted, flaw }))
    }

    /// Lists what models cost there.
    pub(super) fn prices(&self) -> Result<Vec<PriceRow>, Fail> {
        self.get("/prices")
    }

    /// Lists the schemas of the files that are read there.
    pub(super) fn schemas<T: DeserializeOwned>(&self) -> Result<T, Fail> {
        self.get("/schemas")
    }

    /// Lists the roles as a run of a repository there would have them.
    pub(super) fn roles(&self, repo: Option<&Path>, changes: &[String]) -> Result<Vec<RoleRow>, Fail> {
        let repo = repo.map(|repo| from_root(repo, "list the roles of a repository on a server")).transpose()?;
        let changes = changes.iter().map(|change| ("role", Some(change.as_str())));
        let asked: Vec<_> = std::iter::once(("repo", repo.as_deref())).chain(changes).collect();
        self.get(&format!("/roles{}", query(&asked)))
    }

    /// Lists the agents that are known there.
    pub(super) fn agents(&self) -> Result<Vec<KnownAgent>, Fail> {
        self.get("/agents")
    }

    /// Looks whether the server's machine is fit, and a repository there.
    pub(super) fn facts(&self, repo: Option<&Path>) -> Result<Vec<Fact>, Fail> {
        let repo = repo.map(|repo| from_root(repo, "look whether a repository on a server is fit")).transpose()?;
        self.get(&format!("/doctor{}", query(&[("repo", repo.as_deref())])))
    }

    /// Looks through every run of the server's journal.
    pub(super) fn repair(&self) -> Result<Vec<Fact>, Fail> {
        self.post("/repair", &json!({}))
    }

    /// Lists what could be cleared away of a repository there.
    pub(super) fn garbage(&self, repo: Option<&Path>) -> Result<Vec<Left>, Fail> {
        self.get(&format!("/gc{}", query(&[("repo", Some(&cleared(repo)?))])))
    }

    /// Clears away what can be, and lists what that was.
    pub(super) fn clear(&self, repo: Option<&Path>) -> Result<Vec<Left>, Fail> {
        self.post("/gc", &json!({ "repo": cleared(repo)? }))
    }

    /// Sends a test notice by the channels that are named there.
    pub(super) fn notify(&self, channel: Option<&str>) -> Result<Vec<Became>, Fail> {
        self.post("/notices", &json!({ "channel": channel }))
    }

    /// Makes a link that logs a browser in once; it is a secret, and not sent where others may read it.
    pub(super) fn link(&self, standing: Standing) -> Result<String, Fail> {
        if !self.remote.is_private() {
            return Err(Fail::new(Exit::Usage, "make a link to log in")
                .because("it is a secret, and nothing is encrypted on the way to this server")
                .hint("name the server by https://, or by a tunnel that ends on this machine: docs/serve.md"));
        }
        link(&self.remote, standing)
    }
}

/// Asks a server for a link that logs a browser in once.
///
/// # Errors
/// Where it is not reached or refuses.
pub fn link(remote: &super::remote::Remote, standing: Standing) -> Result<String, Fail> {
    let path = "/api/v1/links";
    let made = remote.post(path, None, &json!({ "standing": standing }))?;
    let code = made["path"].as_str().and_then(login::code).ok_or_else(|| remote.garbled(path))?;
    Ok(format!("{}{}", remote.base(), login::path(code)))
}

/// Writes how a goal is opened or planned, by the folder that it lies in.
fn goal_of(goal: &Path, options: &OpenOptions, tried: &str) -> Result<Value, Fail> {
    let (Some(folder), Some(name), true) = (goal.parent(), goal.file_name(), goal.is_absolute()) else {
        return Err(Fail::new(Exit::Usage, tried)
            .because("the goal file lies on the server's machine, and is not named from the root on")
            .hint("such as /srv/engine/goal.md"));
    };
    #[derive(Serialize)]
    struct Body<'a> {
        repo: &'a Path,
        goal: &'a Path,
        #[serde(flatten)]
        options: &'a OpenOptions,
    }
    let body = Body { repo: folder, goal: Path::new(name), options };
    serde_json::to_value(body).map_err(|error| Fail::new(Exit::Usage, tried).because(error))
}

/// Reads the folder of a repository on the server's machine.
fn from_root(folder: &Path, tried: &str) -> Result<String, Fail> {
    match folder.to_str().filter(|_| folder.is_absolute()) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Fail::new(Exit::Usage, tried)
            .because("`--repo` names a folder of the server's machine, and not from the root on")
            .hint("such as --repo /srv/engine")),
    }
}

fn cleared(repo: Option<&Path>) -> Result<String, Fail> {
    let tried = "clear away what runs have left on a server";
    let repo = repo.ok_or_else(|| {
        Fail::new(Exit::Usage, tried)
            .because("no repository of the server's machine is named")
            .hint("such as --repo /srv/engine")
    })?;
    from_root(repo, tried)
}

/// Writes what is asked of a path; what is not given is left out.
fn query(asked: &[(&str, Option<&str>)]) -> String {
    let given = asked.iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped((*value)?))));
    let given: Vec<String> = given.collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_a_path_is_escaped_and_may_stand_several_times() {
        assert_eq!(query(&[("repo", None)]), "");
        let asked = [("repo", Some("/a b&c")), ("anchor", None), ("role", Some("x=ü")), ("role", Some("y"))];
        assert_eq!(query(&asked), "?repo=%2Fa%20b%26c&role=x%3D%C3%BC&role=y");
    }

    #[test]
    fn files_of_another_machine_are_named_from_the_root_on() {
        let of = |goal: &str| goal_of(Path::new(goal), &OpenOptions::default(), "plan");
        for wrong in ["goal.md", "./goal.md", "/", "fix the bug"] {
            assert_eq!(of(wrong).unwrap_err().exit(), Exit::Usage, "{wrong}");
        }
        let body = of("/srv/engine/goal.md").unwrap();
        assert_eq!((body["repo"].as_str(), body["goal"].as_str()), (Some("/srv/engine"), Some("goal.md")));
        assert!(cleared(None).is_err() && cleared(Some(Path::new("x"))).is_err());
        assert_eq!(cleared(Some(Path::new("/x"))).unwrap(), "/x");
    }
}
