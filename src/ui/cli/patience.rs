//! Owns what whoever follows a run to its end bears with: that nobody works on the run, and that the server which it is read
//! from is gone. Says so once for each time, and waits. Never reads a run.

use std::time::Duration;

use super::fail::Fail;
use crate::model::ids::RunId;

/// How often a run is looked at for more.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a server is looked for that is gone.
const SEEK_EVERY: Duration = Duration::from_secs(1);
/// After how many looks at a run that nobody works on that is said: whoever opens a run takes it up a moment later.
const QUIET_LOOKS: u32 = 5;

/// Says who works on a run, as whoever follows it saw last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hands {
    /// Somebody does, or nobody has to.
    Enough,
    /// Nobody does, though it would move by itself.
    None,
}

/// Remembers what was missing and said.
#[derive(Debug)]
pub struct Patience {
    run: RunId,
    /// Looks one after another at which nobody worked on the run.
    quiet: u32,
    /// Whether something was seen at all: who never came as far is told at once that it does not work.
    has_seen: bool,
    /// Whether the last look failed.
    is_cut_off: bool,
}

impl Patience {
    /// Begins; nothing was missing yet.
    pub fn new(run: &RunId) -> Self {
        Self { run: run.clone(), quiet: 0, has_seen: false, is_cut_off: false }
    }

    /// Takes a look that went well; gives what is to be said.
    pub fn saw(&mut self, hands: Hands) -> Option<String> {
        let was_cut_off = std::mem::replace(&mut self.is_cut_off, false);
        self.has_seen = true;
        self.quiet = match hands {
            Hands::Enough => 0,
            Hands::None => self.quiet.saturating_add(1),
        };
        if self.quiet == QUIET_LOOKS {
            return Some(format!("nobody works on {run}: `artel resume {run}` goes on", run = self.run));
        }
        was_cut_off.then(|| "the server answers again".to_owned())
    }

    /// Takes a look that failed; gives what is to be said.
    ///
    /// # Errors
    /// The failure, where waiting does not help, or nothing was seen before.
    pub fn missed(&mut self, fail: Fail) -> Result<Option<String>, Fail> {
        if !self.has_seen || !fail.may_pass() {
            return Err(fail);
        }
        let was_cut_off = std::mem::replace(&mut self.is_cut_off, true);
        Ok((!was_cut_off).then(|| "the server does not answer; it is asked until it does".to_owned()))
    }

    /// Says how long to wait before the next look.
    pub fn pause(&self) -> Duration {
        if self.is_cut_off { SEEK_EVERY } else { LOOK_EVERY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::cli::exit::Exit;

    fn new() -> Patience {
        Patience::new(&"r-7k2m".parse().unwrap())
    }

    fn gone() -> Fail {
        Fail::new(Exit::Unfit, "ask the server").passing()
    }

    #[test]
    fn that_nobody_works_on_a_run_is_said_once_until_somebody_does() {
        let mut patience = new();
        let said = |patience: &mut Patience| (0..20).filter_map(|_| patience.saw(Hands::None)).count();
        assert_eq!(said(&mut patience), 1);
        assert_eq!(said(&mut patience), 0);
        assert_eq!(patience.saw(Hands::Enough), None);
        assert_eq!(said(&mut patience), 1);
    }

    #[test]
    fn a_server_that_goes_and_comes_is_waited_for_and_both_are_said_once() {
        let mut patience = new();
        assert_eq!(patience.saw(Hands::Enough), None);
        assert_eq!(patience.pause(), LOOK_EVERY);
        assert!(patience.missed(gone()).unwrap().is_some());
        assert_eq!(patience.missed(gone()).unwrap(), None);
        assert_eq!(patience.pause(), SEEK_EVERY);
        assert!(patience.saw(Hands::Enough).is_some());
        assert_eq!(patience.saw(Hands::Enough), None);
        assert_eq!(patience.pause(), LOOK_EVERY);
    }

    #[test]
    fn what_does_not_pass_or_never_worked_is_a_failure() {
        assert_eq!(new().missed(gone()).unwrap_err().exit(), Exit::Unfit);
        let mut patience = new();
        patience.saw(Hands::Enough);
        let refused = Fail::new(Exit::Refused, "look");
        assert_eq!(patience.missed(refused).unwrap_err().exit(), Exit::Refused);
    }
}
