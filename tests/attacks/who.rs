//! Owns who runs artel in a scene: whoever runs the tests, a user without privileges, or the superuser of a container.
//! The container is made of what common ones are made of: a few capabilities, a filter that refuses namespaces and
//! mounts, and a `/proc` that is covered in part. It shares all else with the machine, so that a scene can look at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, Scope};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::attack::Tier;
use super::common::House;

/// Where programs are looked for: the system's own, which every tier shows.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The user as whom artel is run where the tests run as the superuser.
const UNPRIVILEGED: u32 = 20_001;

/// Who runs artel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Tester,
    Unprivileged,
    /// The superuser of a container.
    Container,
    /// The superuser of a container on a kernel without Landlock.
    BareContainer,
}

/// What the superuser of a common container may.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Who {
    /// Has a command run as who it is.
    pub fn runs(self, command: Command) -> Command {
        let mut wrapped = match self {
            Self::Tester => return command,
            Self::Unprivileged => {
                let mut wrapped = Command::new("setpriv");
                wrapped.arg(format!("--reuid={UNPRIVILEGED}")).arg(format!("--regid={UNPRIVILEGED}"));
                wrapped.args(["--clear-groups", "--"]);
                wrapped
            }
            Self::Container | Self::BareContainer => container(self),
        };
        wrapped.arg(command.get_program()).args(command.get_args()).env_clear();
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            wrapped.current_dir(folder);
        }
        wrapped
    }

    /// Gives it the house, and more.
    pub fn is_given(self, house: &House, more: &[&str]) {
        if self == Self::Unprivileged {
            let owner = format!("{UNPRIVILEGED}:{UNPRIVILEGED}");
            let given = Command::new("chown").args(["-hR", &owner]).arg(house.root()).args(more).status();
            assert!(given.unwrap().success());
        }
    }

    /// Tells whether this machine lacks what a tier, or it, is made of, asking another than artel, and says so.
    #[expect(clippy::print_stderr, reason = "what was not tested must be said")]
    pub fn lacks(self, tier: Tier) -> bool {
        let works = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.env("PATH", PATH).args(args);
            self.runs(command).output().is_ok_and(|said| said.status.success())
        };
        let namespaces = ["--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "true"];
        let lacking = match (self, tier) {
            (Self::Unprivileged, _) if !is_root() => Some("the rights to run as another user: the others show it"),
            (_, _) if !works("true", &[]) => Some("what runs programs as another, or in a container"),
            (_, Tier::Bubblewrap) => (!works("bwrap", &namespaces)).then_some("bubblewrap, or no user namespaces"),
            (_, Tier::Landlock) => landlock_is_there().is_err().then_some("Landlock of Linux 6.12"),
            (_, Tier::Bare) => None,
        };
        if let Some(lacking) = lacking {
            // Only who is no superuser may not become another, and only an older kernel lacks Landlock.
            let may_lack = tier == Tier::Landlock || !is_root();
            assert!(may_lack || std::env::var_os("CI").is_none(), "{lacking} is not here: .ci/test installs it");
            eprintln!("skipped: this machine does not have {lacking}");
        }
        lacking.is_some()
    }
}

/// Gives the command that runs another, which is added to it, in a container.
fn container(who: Who) -> Command {
    // The filter is read from a descriptor, which a shell can hand over.
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3< \"$0\"; exec bwrap --seccomp 3 --dev-bind / / --proc /proc \"$@\""]);
    command.arg(filter(who));
    if !is_root() {
        command.args(["--unshare-user", "--uid", "0", "--gid", "0"]);
    }
    command.args(["--cap-drop", "ALL"]).args(CAPABILITIES.iter().flat_map(|name| ["--cap-add", name])).arg("--");
    command
}

/// Gives the file that holds the filter of a container.
fn filter(who: Who) -> &'static Path {
    static FILTERS: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    FILTERS[usize::from(who == Who::BareContainer)].get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{who:?}.bpf"));
        // Other tests may be reading it, and write the same.
        let new = place.with_extension(std::process::id().to_string());
        fs::write(&new, filtering(who)).unwrap();
        fs::rename(&new, &place).unwrap();
        place
    })
}

/// Gives the filter of a container as the kernel reads it.
fn filtering(who: Who) -> Vec<u8> {
    let refused = [
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_keyctl,
        libc::SYS_bpf,
    ];
    let mut rules: BTreeMap<_, Vec<SeccompRule>> = refused.map(|call| (call, Vec::new())).into();
    let new_user = u64::try_from(libc::CLONE_NEWUSER).unwrap();
    let makes_a_user = SeccompCmpOp::MaskedEq(new_user);
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, makes_a_user, new_user).unwrap();
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![condition]).unwrap()]);
    if who == Who::BareContainer {
        rules.insert(libc::SYS_landlock_create_ruleset, Vec::new());
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let refuse = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap());
    let program: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap().try_into().unwrap();
    let bytes = program.iter().flat_map(|word| {
        let [one, two] = word.code.to_ne_bytes();
        let [three, four, five, six] = word.k.to_ne_bytes();
        [one, two, word.jt, word.jf, three, four, five, six]
    });
    bytes.collect()
}

/// Asks the kernel for rules of the version that keeps signals in; they bind nobody.
fn landlock_is_there() -> Result<(), RulesetError> {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    rules.handle_access(AccessFs::from_all(ABI::V6))?.scope(Scope::from_all(ABI::V6))?.create().map(drop)
}
