//! Owns checkpoints: a signed statement of what a run's journal holds up to one event, and the text in which it leaves
//! the machine. Never makes or reads a key.

use crate::io::journal::chain::ChainHash;
use crate::io::signing::is_signed_by;
use crate::model::ids::RunId;

/// What a checkpoint's signature is for; `ssh-keygen -Y verify -n` asks for it.
pub const PURPOSE: &str = "artel-checkpoint";

/// States what a run's journal holds up to an event, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The run.
    pub run: RunId,
    /// The number of the last event that it covers.
    pub seq: u64,
    /// What stands for all events up to that one.
    pub chain: ChainHash,
    /// The public key, as one line of OpenSSH's form.
    pub key: String,
    /// The signature over [`statement`], as `ssh-keygen -Y sign` would write it.
    pub signature: String,
}

/// Words what is signed.
pub fn statement(run: &RunId, seq: u64, chain: ChainHash) -> String {
    format!("artel checkpoint 1\nrun {run}\nevents {seq}\nchain {chain}\n")
}

impl Checkpoint {
    /// Tells whether the signature is that of the key which it names.
    pub fn is_signed(&self) -> bool {
        let statement = statement(&self.run, self.seq, self.chain);
        is_signed_by(&self.key, PURPOSE, statement.as_bytes(), &self.signature)
    }

    /// Writes it as text: what is signed, the key, the signature.
    pub fn to_text(&self) -> String {
        let Self { run, seq, chain, key, signature } = self;
        format!("{}key {key}\n{}\n", statement(run, *seq, *chain), signature.trim_end())
    }

    /// Reads what [`Checkpoint::to_text`] wrote, wherever in a text it stands; none where there is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip_while(|line| *line != "artel checkpoint 1").skip(1);
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let run = field("run")?.parse().ok()?;
        let seq = field("events")?.parse().ok()?;
        let chain = field("chain")?.parse().ok()?;
        let key = field("key")?;
        let signature: String = lines.flat_map(|line| [line, "\n"]).collect();
        Some(Self { run, seq, chain, key, signature })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::io::signing::Signer;

    /// Signs a checkpoint.
    pub(in crate::io::journal) fn signed(signer: &Signer, run: &RunId, seq: u64, chain: ChainHash) -> Checkpoint {
        let signature = signer.sign(PURPOSE, statement(run, seq, chain).as_bytes()).unwrap();
        Checkpoint { run: run.clone(), seq, chain, key: signer.public(), signature }
    }

    #[test]
    fn a_checkpoint_outlives_its_text_and_no_part_of_it_can_be_changed() {
        let temp = tempfile::tempdir().unwrap();
        let signer = Signer::read_or_make(&temp.path().join("key")).unwrap();
        let run: RunId = "r-1".parse().unwrap();
        let whole = signed(&signer, &run, 64, ChainHash([7; 32]));
        let text = format!("a title\n\n{}", whole.to_text());
        assert_eq!(Checkpoint::from_text(&text), Some(whole.clone()));
        assert!(whole.is_signed());
        let other = Signer::read_or_make(&temp.path().join("other")).unwrap();
        for changed in [
            Checkpoint { run: "r-2".parse().unwrap(), ..whole.clone() },
            Checkpoint { seq: 65, ..whole.clone() },
            Checkpoint { chain: ChainHash([8; 32]), ..whole.clone() },
            Checkpoint { key: other.public(), ..whole.clone() },
            Checkpoint { signature: String::new(), ..whole.clone() },
        ] {
            assert!(!changed.is_signed(), "{changed:?}");
        }
        for nonsense in ["", "artel checkpoint 1\n", "artel checkpoint 1\nrun r-1\nevents x\n"] {
            assert_eq!(Checkpoint::from_text(nonsense), None);
        }
    }

    #[test]
    fn others_can_check_a_checkpoint_with_ssh_keygen() {
        let temp = tempfile::tempdir().unwrap();
        let signer = Signer::read_or_make(&temp.path().join("key")).unwrap();
        let run: RunId = "r-1".parse().unwrap();
        let checkpoint = signed(&signer, &run, 64, ChainHash([7; 32]));
        let write = |name: &str, text: &str| std::fs::write(temp.path().join(name), text).unwrap();
        write("allowed", &format!("artel {}\n", checkpoint.key));
        write("signature", &checkpoint.signature);
        let check = |statement: &str| {
            write("statement", statement);
            let mut program = std::process::Command::new("ssh-keygen");
            program.args(["-Y", "verify", "-f", "allowed", "-I", "artel", "-n", PURPOSE, "-s", "signature"]);
            let input = std::fs::File::open(temp.path().join("statement")).unwrap();
            program.current_dir(temp.path()).stdin(input).output().unwrap().status.success()
        };
        assert!(check(&statement(&run, 64, checkpoint.chain)));
        assert!(!check(&statement(&run, 65, checkpoint.chain)));
    }
}
