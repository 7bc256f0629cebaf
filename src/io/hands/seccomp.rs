//! Owns which system calls a sandboxed job may not make. The filter holds for the thread that puts it on and for all
//! that it starts. Never the only wall: each call here is one that tests and builds do not need.

use std::collections::BTreeMap;
use std::io;

use libc::{self as sys, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

/// Says what of the network a filter leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// Sockets of the usual kinds: the network namespace holds the rest.
    Own,
    /// TCP alone, which Landlock holds: it does not know other kinds.
    TcpOnly,
}

/// Calls that are refused whatever their arguments: looking into and steering other processes, the kernel's own
/// machinery, mounts and namespaces, and interfaces whose faults have led out of sandboxes.
const REFUSED: &[c_long] = &[
    sys::SYS_ptrace,
    sys::SYS_process_vm_readv,
    sys::SYS_process_vm_writev,
    sys::SYS_process_madvise,
    sys::SYS_kcmp,
    sys::SYS_pidfd_getfd,
    sys::SYS_keyctl,
    sys::SYS_add_key,
    sys::SYS_request_key,
    sys::SYS_bpf,
    sys::SYS_mount,
    sys::SYS_umount2,
    sys::SYS_move_mount,
    sys::SYS_open_tree,
    sys::SYS_fsopen,
    sys::SYS_fsconfig,
    sys::SYS_fsmount,
    sys::SYS_fspick,
    sys::SYS_mount_setattr,
    sys::SYS_pivot_root,
    sys::SYS_chroot,
    sys::SYS_unshare,
    sys::SYS_setns,
    sys::SYS_userfaultfd,
    sys::SYS_perf_event_open,
    sys::SYS_io_uring_setup,
    sys::SYS_io_uring_enter,
    sys::SYS_io_uring_register,
    sys::SYS_kexec_load,
    sys::SYS_kexec_file_load,
    sys::SYS_init_module,
    sys::SYS_finit_module,
    sys::SYS_delete_module,
    sys::SYS_acct,
    sys::SYS_swapon,
    sys::SYS_swapoff,
    sys::SYS_reboot,
    sys::SYS_sethostname,
    sys::SYS_setdomainname,
    sys::SYS_quotactl,
    sys::SYS_quotactl_fd,
    sys::SYS_syslog,
    sys::SYS_settimeofday,
    sys::SYS_clock_settime,
    sys::SYS_name_to_handle_at,
    sys::SYS_open_by_handle_at,
    sys::SYS_fanotify_init,
    sys::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    sys::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    sys::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    sys::SYS_modify_ldt,
];

/// Flags with which `clone` would make a namespace.
const NEW_NAMESPACES: [i32; 7] = [
    sys::CLONE_NEWUSER,
    sys::CLONE_NEWNS,
    sys::CLONE_NEWPID,
    sys::CLONE_NEWNET,
    sys::CLONE_NEWIPC,
    sys::CLONE_NEWUTS,
    sys::CLONE_NEWCGROUP,
];

/// Requests of `ioctl` that put input into a terminal.
const TYPES_INTO_TERMINALS: [u64; 2] = [sys::TIOCSTI, sys::TIOCLINUX];

/// The bit of a call's number that means the x32 interface, which has other numbers for the same calls.
const X32: u32 = 0x4000_0000;

/// Holds the type of a socket without its flags.
const SOCKET_TYPE: u64 = 0xf;

/// Puts the filter on the present thread, and sees to it that nothing it starts gains rights by being run.
///
/// # Errors
/// Fails where the kernel does not filter.
pub(super) fn put_on(network: Network) -> io::Result<()> {
    let program = program(network).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// Gives a second filter, for a process that is in a group of its own already: leaving it seems to work and does not.
///
/// Where processes have no namespace of their own, a signal to the group is all that ends at one stroke what forks
/// without end.
///
/// # Errors
/// Fails where the architecture is not known.
pub(super) fn staying_in_group() -> io::Result<BpfProgram> {
    let rules = [sys::SYS_setsid, sys::SYS_setpgid].map(|call| (call, Vec::new())).into();
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(0), arch);
    filter.and_then(BpfProgram::try_from).map_err(io::Error::other)
}

fn program(network: Network) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(sys::SYS_clone, all(NEW_NAMESPACES.map(|flag| vec![masked(0, flag as u64, flag as u64)]))?);
    rules.insert(sys::SYS_ioctl, all(TYPES_INTO_TERMINALS.map(|request| vec![is(1, request)]))?);
    rules.insert(sys::SYS_socket, sockets(network)?);
    let refuse = SeccompAction::Errno(sys::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into()?;
    let compiled: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?;
    Ok(first_words().into_iter().chain(compiled).collect())
}

/// Refuses what the compiler of filters cannot say. Whoever is told that `clone3` is not there takes `clone`, whose
/// flags can be seen; calls of another architecture end the process in what follows.
fn first_words() -> Vec<sock_filter> {
    let word = |code: u32, k: u32, jf: u8| sock_filter { code: code as u16, jt: 0, jf, k };
    let not_there = word(sys::BPF_RET | sys::BPF_K, sys::SECCOMP_RET_ERRNO | sys::ENOSYS as u32, 0);
    let mut words = vec![
        word(sys::BPF_LD | sys::BPF_W | sys::BPF_ABS, 0, 0),
        word(sys::BPF_JMP | sys::BPF_JEQ | sys::BPF_K, sys::SYS_clone3 as u32, 1),
        not_there.clone(),
    ];
    if cfg!(target_arch = "x86_64") {
        words.extend([word(sys::BPF_JMP | sys::BPF_JGE | sys::BPF_K, X32, 1), not_there]);
    }
    words
}

fn sockets(network: Network) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let (unix, inet, inet6, netlink) =
        (sys::AF_UNIX as u64, sys::AF_INET as u64, sys::AF_INET6 as u64, sys::AF_NETLINK as u64);
    match network {
        // Programs ask the kernel for their own addresses by netlink's first protocol.
        Network::Own => all([
            vec![not(0, unix), not(0, inet), not(0, inet6), not(0, netlink)],
            vec![is(0, netlink), not(2, sys::NETLINK_ROUTE as u64)],
        ]),
        // The way to a socket of the machine is no access to a file for Landlock.
        Network::TcpOnly => all([
            vec![not(0, inet), not(0, inet6)],
            vec![masked(1, SOCKET_TYPE, sys::SOCK_DGRAM as u64)],
            vec![masked(1, SOCKET_TYPE, sys::SOCK_RAW as u64)],
            vec![masked(1, SOCKET_TYPE, sys::SOCK_RDM as u64)],
            vec![masked(1, SOCKET_TYPE, sys::SOCK_SEQPACKET as u64)],
            vec![masked(1, SOCKET_TYPE, sys::SOCK_DCCP as u64)],
            vec![not(2, 0), not(2, sys::IPPROTO_TCP as u64)],
        ]),
    }
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn all<const N: usize>(rules: [Vec<Condition>; N]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    rules.into_iter().map(|conditions| SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)).collect()
}

fn is(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn not(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}
