//! Owns keys and what is signed with them, in the forms of OpenSSH, so that others can check it with `ssh-keygen`.
//! Never shows a secret key and never signs what it was not handed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::io::files::{FilesError, atomic_write_new};

/// Largest key file that is read: an ed25519 key has 400 bytes.
const KEY_BYTES_MAX: u64 = 16 << 10;

/// Says what about a key or a signature is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key's file cannot be read.
    #[error("read the key `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others may read the key's file.
    #[error("trust the key `{}`: others may read it; `chmod 600` it, or make a new one", .0.display())]
    Open(PathBuf),
    /// The file holds no key that can be used.
    #[error("use the key `{}`: {why}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A new key cannot be stored.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Signing failed.
    #[error("sign with the key `{}`", path.display())]
    Sign {
        /// The key's file.
        path: PathBuf,
        /// What the library said.
        #[source]
        source: ssh_key::Error,
    },
}

/// Holds a secret key. Shows where it is from, never itself.
pub struct Signer {
    key: PrivateKey,
    path: PathBuf,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads a secret key: ed25519, without a passphrase, in a file that only its owner may read.
    ///
    /// # Errors
    /// [`SigningError`] with the file and what to do about it.
    pub fn read(path: &Path) -> Result<Self, SigningError> {
        let unreadable = |source| SigningError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.mode() & 0o077 != 0 {
            return Err(SigningError::Open(path.to_owned()));
        }
        let mut text = String::new();
        file.take(KEY_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let unfit = |why: &str| SigningError::Unfit { path: path.to_owned(), why: why.to_owned() };
        let key = PrivateKey::from_openssh(text)
            .map_err(|_| unfit("it is not a secret key of OpenSSH's; `ssh-keygen -t ed25519` makes one"))?;
        if key.is_encrypted() {
            return Err(unfit("a passphrase protects it, and nobody is there to type it; name a key without one"));
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(unfit("it is not an ed25519 key; `ssh-keygen -t ed25519` makes one"));
        }
        Ok(Self { key, path: path.to_owned() })
    }

    /// Reads a key, and makes it where there is none: for this user alone, on disk before it is used. Of several who
    /// make it at one time all get the same.
    ///
    /// # Errors
    /// As [`Signer::read`], and where the file cannot be written.
    pub fn read_or_make(path: &Path) -> Result<Self, SigningError> {
        match fs::symlink_metadata(path) {
            Err(no) if no.kind() == io::ErrorKind::NotFound => {}
            Ok(_) | Err(_) => return Self::read(path),
        }
        let unreadable = |source| SigningError::Unreadable { path: path.to_owned(), source };
        let mut seed = [0; 32];
        File::open("/dev/urandom").and_then(|mut chance| chance.read_exact(&mut seed)).map_err(unreadable)?;
        let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
        let unsigned = |source| SigningError::Sign { path: path.to_owned(), source };
        let key = PrivateKey::new(pair, "artel journal").map_err(unsigned)?;
        let text = key.to_openssh(LineEnding::LF).map_err(unsigned)?;
        atomic_write_new(path, text.as_bytes())?;
        Self::read(path)
    }

    /// Gives the public key, as one line of OpenSSH's form without a comment.
    ///
    /// # Panics
    /// Never: a key that was read can be written.
    pub fn public(&self) -> String {
        let mut key = self.key.public_key().clone();
        key.set_comment("");
        match key.to_openssh() {
            Ok(text) => text.trim().to_owned(),
            Err(error) => panic!("bug: a public key could not be written: {error}"),
        }
    }

    /// Signs a text for a purpose; a signature for one purpose is none for another. The same text gives the same
    /// signature.
    ///
    /// # Errors
    /// Where the library fails.
    pub fn sign(&self, purpose: &str, text: &[u8]) -> Result<String, SigningError> {
        let signed = self.key.sign(purpose, HashAlg::Sha512, text).and_then(|signed| signed.to_pem(LineEnding::LF));
        signed.map_err(|source| SigningError::Sign { path: self.path.clone(), source })
    }
}

/// Tells whether a signature is that of a public key over a text for a purpose; whatever is no key or no signature is
/// not.
pub fn is_signed_by(public: &str, purpose: &str, text: &[u8], signature: &str) -> bool {
    let (Ok(public), Ok(signature)) = (PublicKey::from_openssh(public), signature.parse::<SshSig>()) else {
        return false;
    };
    public.verify(purpose, text, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_signature_holds_for_its_text_its_purpose_and_its_key_alone() {
        let temp = tempfile::tempdir().unwrap();
        let signer = Signer::read_or_make(&temp.path().join("key")).unwrap();
        let other = Signer::read_or_make(&temp.path().join("other")).unwrap();
        let signed = signer.sign("purpose", b"text").unwrap();
        assert_eq!(signed, signer.sign("purpose", b"text").unwrap());
        assert!(is_signed_by(&signer.public(), "purpose", b"text", &signed));
        assert!(!is_signed_by(&signer.public(), "purpose", b"texT", &signed));
        assert!(!is_signed_by(&signer.public(), "other", b"text", &signed));
        assert!(!is_signed_by(&other.public(), "purpose", b"text", &signed));
        for nonsense in ["", "-----BEGIN SSH SIGNATURE-----\n", "ssh-ed25519 AAAA"] {
            assert!(!is_signed_by(&signer.public(), "purpose", b"text", nonsense));
            assert!(!is_signed_by(nonsense, "purpose", b"text", &signed));
        }
    }

    #[test]
    fn a_key_is_made_once_and_for_its_user_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("key");
        let start = std::sync::Barrier::new(4);
        let keys: Vec<String> = std::thread::scope(|scope| {
            let make = || {
                start.wait();
                Signer::read_or_make(&path).unwrap().public()
            };
            let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1, "a draft was left");
        assert!(!format!("{:?}", Signer::read(&path).unwrap()).contains("PRIVATE"));
    }

    #[test]
    fn a_key_that_cannot_serve_is_told_with_what_to_do() {
        let temp = tempfile::tempdir().unwrap();
        let make = |name: &str, arguments: &[&str]| {
            let path = temp.path().join(name);
            let made = std::process::Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(arguments).output();
            assert!(made.unwrap().status.success(), "{name}");
            Signer::read(&path)
        };
        make("plain", &["-t", "ed25519", "-N", ""]).unwrap();
        for (name, arguments, says) in [
            ("locked", &["-t", "ed25519", "-N", "secret"][..], "passphrase"),
            ("rsa", &["-t", "rsa", "-N", ""], "not an ed25519 key"),
        ] {
            let fault = make(name, arguments).unwrap_err();
            assert!(fault.to_string().contains(says), "{fault}");
        }
        let plain = temp.path().join("plain");
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Signer::read(&plain), Err(SigningError::Open(_))));
        fs::write(&plain, "nothing").unwrap();
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Signer::read(&plain), Err(SigningError::Unfit { .. })));
        assert!(matches!(Signer::read(&temp.path().join("none")), Err(SigningError::Unreadable { .. })));
    }
}
