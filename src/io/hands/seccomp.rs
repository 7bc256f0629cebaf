//! Owns which system calls a sandboxed job may not make. The filter holds for the thread that puts it on and for all
//! that it starts. Never the only wall: each call here is one that tests and builds do not need.

use std::collections::BTreeMap;
use std::io;

use libc::{self as sys, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

/// Says what holds a job beside the filter, which refuses what that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// Namespaces of its own: it meets no process, no memory, no queue and no network but its own.
    Namespaces,
    /// Landlock, for a job that may use some ports. Of what it shares with the machine Landlock knows files, TCP and
    /// signals alone.
    Landlock,
    /// Landlock, for a job that may use no port.
    LandlockWithoutPorts,
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

/// Calls that are refused besides where a job has no namespaces: memory, semaphores and queues that processes share by
/// a number or a name which is no file's.
const REFUSED_WITHOUT_NAMESPACES: &[c_long] = &[
    sys::SYS_shmget,
    sys::SYS_shmat,
    sys::SYS_shmctl,
    sys::SYS_semget,
    sys::SYS_semop,
    sys::SYS_semtimedop,
    sys::SYS_semctl,
    sys::SYS_msgget,
    sys::SYS_msgsnd,
    sys::SYS_msgrcv,
    sys::SYS_msgctl,
    sys::SYS_mq_open,
    sys::SYS_mq_unlink,
];

/// Calls by which one process sets limits and turns of another, which is their first argument; zero is itself.
const STEERS_OTHERS: [c_long; 5] = [
    sys::SYS_prlimit64,
    sys::SYS_sched_setaffinity,
    sys::SYS_sched_setscheduler,
    sys::SYS_sched_setparam,
    sys::SYS_sched_setattr,
];

/// Means all processes of a user as the first argument of `ioprio_set`.
const IOPRIO_WHO_USER: u64 = 3;

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

/// The first number that this filter does not know: that of `setxattrat`, in Linux 6.13. From it on are calls that are
/// newer than the filter, and the x32 interface, which has other numbers for the same calls.
const UNKNOWN: u32 = 463;

/// Holds the type of a socket without its flags.
const SOCKET_TYPE: u64 = 0xf;

/// Puts the filter on the present thread, and sees to it that nothing it starts gains rights by being run.
///
/// # Errors
/// Fails where the kernel does not filter.
pub(super) fn put_on(beside: Beside) -> io::Result<()> {
    let program = program(beside).map_err(io::Error::other)?;
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

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn program(beside: Beside) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(sys::SYS_clone, all(NEW_NAMESPACES.map(|flag| vec![masked(0, flag as u64, flag as u64)]))?);
    rules.insert(sys::SYS_ioctl, all(TYPES_INTO_TERMINALS.map(|request| vec![is(1, request)]))?);
    match beside {
        Beside::Namespaces => {
            rules.insert(sys::SYS_socket, usual_sockets()?);
        }
        Beside::Landlock => add_without_namespaces(&mut rules)?,
        Beside::LandlockWithoutPorts => {
            add_without_namespaces(&mut rules)?;
            // Whoever listens without having asked for a port is given one, and Landlock is not asked.
            rules.insert(sys::SYS_listen, Vec::new());
        }
    }
    let refuse = SeccompAction::Errno(sys::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into()?;
    let compiled: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?;
    Ok(first_words().into_iter().chain(compiled).collect())
}

/// Refuses what the compiler of filters cannot say. Whoever is told that `clone3` is not there takes `clone`, whose
/// flags can be seen; calls of another architecture end the process in what follows.
fn first_words() -> [sock_filter; 4] {
    let word = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: code as u16, jt, jf, k };
    [
        word(sys::BPF_LD | sys::BPF_W | sys::BPF_ABS, 0, 0, 0),
        word(sys::BPF_JMP | sys::BPF_JEQ | sys::BPF_K, sys::SYS_clone3 as u32, 1, 0),
        word(sys::BPF_JMP | sys::BPF_JGE | sys::BPF_K, UNKNOWN, 0, 1),
        word(sys::BPF_RET | sys::BPF_K, sys::SECCOMP_RET_ERRNO | sys::ENOSYS as u32, 0, 0),
    ]
}

/// Refuses what would reach beyond a job that has no namespaces and that Landlock does not see.
fn add_without_namespaces(rules: &mut Rules) -> Result<(), seccompiler::BackendError> {
    rules.extend(REFUSED_WITHOUT_NAMESPACES.iter().map(|call| (*call, Vec::new())));
    for call in STEERS_OTHERS {
        rules.insert(call, all([vec![not(0, 0)]])?);
    }
    // Which kind of whom comes first, and a kind may mean the whole user's.
    rules.insert(sys::SYS_setpriority, all([vec![not(1, 0)], vec![is(0, sys::PRIO_USER.into())]])?);
    rules.insert(sys::SYS_ioprio_set, all([vec![not(1, 0)], vec![is(0, IOPRIO_WHO_USER)]])?);
    rules.insert(sys::SYS_socket, tcp_sockets()?);
    // A pair that takes single messages also sends them to any other socket's path, which is no access to a file.
    let of_kind = |kind: i32| vec![masked(1, SOCKET_TYPE, kind as u64)];
    let pairs = [vec![not(0, sys::AF_UNIX as u64)], of_kind(sys::SOCK_DGRAM), of_kind(sys::SOCK_RAW)];
    rules.insert(sys::SYS_socketpair, all(pairs)?);
    // Words that are sent before a connection is there make one, and Landlock is not asked.
    let early = sys::MSG_FASTOPEN as u64;
    for (call, flags) in [(sys::SYS_sendto, 3), (sys::SYS_sendmsg, 2), (sys::SYS_sendmmsg, 3)] {
        rules.insert(call, all([vec![masked(flags, early, early)]])?);
    }
    Ok(())
}

/// Leaves sockets of the usual kinds. Programs ask the kernel for their own addresses by netlink's first protocol.
fn usual_sockets() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let [unix, inet, inet6, netlink] =
        [sys::AF_UNIX, sys::AF_INET, sys::AF_INET6, sys::AF_NETLINK].map(|family| family as u64);
    all([
        vec![not(0, unix), not(0, inet), not(0, inet6), not(0, netlink)],
        vec![is(0, netlink), not(2, sys::NETLINK_ROUTE as u64)],
    ])
}

/// Leaves TCP alone, which Landlock holds. The way to a socket of the machine is no access to a file for it.
fn tcp_sockets() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    all([
        vec![not(0, sys::AF_INET as u64), not(0, sys::AF_INET6 as u64)],
        vec![masked(1, SOCKET_TYPE, sys::SOCK_DGRAM as u64)],
        vec![masked(1, SOCKET_TYPE, sys::SOCK_RAW as u64)],
        vec![masked(1, SOCKET_TYPE, sys::SOCK_RDM as u64)],
        vec![masked(1, SOCKET_TYPE, sys::SOCK_SEQPACKET as u64)],
        vec![masked(1, SOCKET_TYPE, sys::SOCK_DCCP as u64)],
        vec![not(2, 0), not(2, sys::IPPROTO_TCP as u64)],
    ])
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
