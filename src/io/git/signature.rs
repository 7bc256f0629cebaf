//! Owns which key signs the commits that artel makes, as the user's git says. A repository's files have no say in it.
//! Never reads the key.

use std::path::PathBuf;

use super::error::{Doing, GitError};
use super::repo::Repo;

/// Names the key that signs commits, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyNamed {
    /// `artel.signingKey`: a key for artel, which must serve.
    ForArtel(PathBuf),
    /// `user.signingKey` where `gpg.format` is `ssh`: the user's own, which may be of a kind that artel cannot use.
    ForUser(PathBuf),
}

impl Repo {
    /// Finds the key that git's configuration names for signing; none where it names none.
    ///
    /// # Errors
    /// Fails where the configuration cannot be read.
    pub fn signing_key(&self) -> Result<Option<KeyNamed>, GitError> {
        let doing = || "read which key signs commits".to_owned();
        let config = self.open_users()?.config().and_then(|mut config| config.snapshot()).doing(doing)?;
        let path = |name: &str| config.get_path(name).ok().filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = path("artel.signingkey") {
            return Ok(Some(KeyNamed::ForArtel(path)));
        }
        if config.get_string("gpg.format").is_ok_and(|format| format == "ssh")
            && let Some(named) = path("user.signingkey")
        {
            // git takes the public half too, and finds the secret one beside it.
            let is_public = named.extension().is_some_and(|end| end == "pub");
            return Ok(Some(KeyNamed::ForUser(if is_public { named.with_extension("") } else { named })));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::testing::{Lab, author, member};
    use super::super::{Edit, Merge};
    use super::*;
    use crate::io::signing::Signer;

    #[test]
    fn the_key_is_the_one_that_the_users_git_names() {
        let lab = Lab::new();
        lab.git(&["config", "gpg.format", "openpgp"]);
        lab.git(&["config", "user.signingkey", "/k/own.pub"]);
        assert_eq!(lab.repo.signing_key().unwrap(), None);
        lab.git(&["config", "gpg.format", "ssh"]);
        assert_eq!(lab.repo.signing_key().unwrap(), Some(KeyNamed::ForUser("/k/own".into())));
        lab.git(&["config", "artel.signingKey", "/k/artel"]);
        assert_eq!(lab.repo.signing_key().unwrap(), Some(KeyNamed::ForArtel("/k/artel".into())));
    }

    #[test]
    fn git_itself_finds_candidates_and_merges_signed_by_the_key() {
        let lab = Lab::new();
        let signer = Signer::read_or_make(&lab.dir.path().join("key")).unwrap();
        let allowed = lab.dir.path().join("allowed");
        std::fs::write(&allowed, format!("artel@artel.invalid {}\n", signer.public())).unwrap();
        lab.git(&["config", "gpg.ssh.allowedSignersFile", allowed.to_str().unwrap()]);
        let repo = lab.repo.clone().signing(Arc::new(signer));
        let write = Edit::Write { bytes: b"x".to_vec(), executable: false };
        let edits: BTreeMap<String, Edit> = [("x".to_owned(), write)].into();
        let make = || repo.commit_edits(lab.head(), &edits, "m\n\nArtel-Run: r-1\n", &author(), 86_400_000).unwrap();
        let made = make();
        assert_eq!(made, make(), "the same input gives the same commit, signed too");
        let other = lab.on(lab.head(), &[("y", Some("y"))]);
        let single = repo.merge(other, &member(made.commit, lab.head())).unwrap();
        let chain = repo.merge_chain(other, &[member(made.commit, lab.head())]).unwrap();
        let Merge::Clean { commit: merge, .. } = chain[0] else { panic!("{chain:?}") };
        assert_eq!(single, chain[0]);
        for commit in [made.commit, merge] {
            let shown = lab.git(&["log", "-1", "--format=%G? %GS", &commit.to_string()]);
            assert_eq!(shown, "G artel@artel.invalid");
            lab.git(&["verify-commit", &commit.to_string()]);
        }
        assert_eq!(lab.git(&["log", "-1", "--format=%G?", &other.to_string()]), "N");
        lab.git(&["update-ref", "refs/heads/signed", &merge.to_string()]);
        assert_eq!(lab.git(&["fsck", "--strict", "--no-dangling"]), "");
    }
}
