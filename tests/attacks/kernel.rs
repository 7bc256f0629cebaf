//! Owns the attacks on the machine: processes of the host and of others, mounts, namespaces, devices, the terminal,
//! and the parts of the kernel that no build needs.

use super::attack::{Attack, Bare, Ends, py, sh};

pub fn attacks() -> Vec<Attack> {
    let mut all = signals();
    all.extend(mounts());
    all.extend(devices());
    all.extend(calls());
    all
}

fn signals() -> Vec<Attack> {
    vec![
        sh("kill", r#"kill -TERM "$VICTIM"; kill -KILL "$VICTIM""#).with_victim(),
        py("kill-by-descriptor", "fd = call('pidfd_open', int(E['VICTIM']), 0)\nif fd >= 0:\n    quietly(signal.pidfd_send_signal, fd, signal.SIGKILL)\n").with_victim(),
        py("kill-a-thread", "libc.tgkill(int(E['VICTIM']), int(E['VICTIM']), 9)\n").with_victim(),
        sh("kill-the-group", r#"kill -KILL "-$VICTIM"; kill -KILL "$VICTIM""#).with_victim(),
        sh("stop-a-process", r#"kill -STOP "$VICTIM" && echo "$EVIL door-open""#).with_victim(),
        py("kill-all", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nquietly(os.kill, -1, signal.SIGTERM)\n")
            .bare(Bare::Unsafe)
            .ending(Ends::Either)
            .with_victim(),
        py("kill-the-coordinator", r#"
for p in processes():
    line = quietly(read, f'/proc/{p}/cmdline') or b''
    if b'--name\0' + E['TAG'].encode() in line:
        quietly(os.kill, p, signal.SIGKILL)
"#)
        .bare(Bare::Unsafe),
        py("kill-other-attempts", r#"
for p in processes():
    env = quietly(read, f'/proc/{p}/environ') or b''
    if b'ARTEL_RUN=' + E['ARTEL_RUN'].encode() in env and b'ARTEL_TASK=' + E['ARTEL_TASK'].encode() + b'\0' not in env:
        quietly(os.kill, p, signal.SIGTERM)
"#)
        .bare(Bare::Unsafe),
        py("slow-a-process", "quietly(os.setpriority, os.PRIO_PROCESS, int(E['VICTIM']), 19)\nif quietly(os.getpriority, os.PRIO_PROCESS, int(E['VICTIM'])) == 19:\n    door('setpriority')\n")
            .with_victim(),
        py("trace-a-process", r#"
victim = int(E['VICTIM'])
if call('ptrace', 16, victim, 0, 0) == 0:
    os.waitpid(victim, 0x40000000); call('ptrace', 17, victim, 0, 0)
    door('PTRACE_ATTACH')
"#)
        .bare(Bare::Depends)
        .with_victim(),
        py("limits-of-a-process", "import resource\nquietly(lambda: resource.prlimit(int(E['VICTIM']), resource.RLIMIT_NOFILE, (9, 9)) and door('prlimit'))\n")
            .with_victim(),
        py("turns-of-a-process", r#"
victim = int(E['VICTIM'])
if call('sched_setattr', victim, ctypes.c_char_p(struct.pack('<2IQiI3Q', 48, 3, 0, 0, 0, 0, 0, 0)), 0) == 0:
    door('sched_setattr')
if quietly(lambda: os.sched_setaffinity(victim, os.sched_getaffinity(0)) or True):
    door('sched_setaffinity')
if call('ioprio_set', 1, victim, 3 << 13) == 0:
    door('ioprio_set')
"#)
        .with_victim(),
        // It reaches all of the user's processes where nothing holds it.
        py("slow-all-of-a-user", "quietly(os.setpriority, os.PRIO_USER, os.getuid(), os.getpriority(os.PRIO_PROCESS, 0) + 1)\n").bare(Bare::Unsafe).with_victim(),
        py("own-pid-one", "for p in (1, os.getppid()):\n    quietly(os.kill, p, signal.SIGSTOP) if p == 1 else None\nquietly(os.kill, 1, signal.SIGKILL)\n")
            .bare(Bare::Unsafe)
            .ending(Ends::Either),
    ]
}

fn mounts() -> Vec<Attack> {
    vec![
        sh("remount", r#"mount -o remount,rw / && echo "$EVIL door-open"; mount -o remount,rw,bind /usr && echo "$EVIL door-open"; echo "$EVIL" > "/usr/$EVIL$TAG""#)
            .bare(Bare::Unsafe),
        sh("mount-over", r#"mount -t tmpfs none /tmp && echo "$EVIL door-open"; mount --bind / /mnt && echo "$EVIL door-open"; mount -t proc proc /proc && echo "$EVIL door-open"; true"#)
            .bare(Bare::Unsafe),
        py("unmount", "for place in (b'/proc', b'/usr', b'/tmp', b'/dev', b'.'):\n    if call('umount2', ctypes.c_char_p(place), 2) == 0:\n        door('umount', place)\n")
            .bare(Bare::Unsafe),
        py("new-mount-calls", r#"
if call('open_tree', -100, ctypes.c_char_p(b'/'), 1) >= 0:
    door('open_tree')
if call('fsopen', ctypes.c_char_p(b'tmpfs'), 0) >= 0:
    door('fsopen')
"#)
        .bare(Bare::HarmsAsRoot),
        py("new-user-namespace", "if os.fork() == 0:\n    if call('unshare', 0x10000000) == 0:\n        door('unshare')\n    os._exit(0)\nos.wait()\n")
            .bare(Bare::Depends),
        py("new-user-namespace-by-clone", r#"
arguments = struct.pack('<11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
pid = call('clone3', ctypes.c_char_p(arguments), 88)
if pid == 0:
    os._exit(0)
if pid > 0:
    os.waitpid(pid, 0); door('clone3')
"#)
        .bare(Bare::Depends),
        py("new-namespaces", "if os.fork() == 0:\n    for kind in (0x20000, 0x20000000, 0x40000000, 0x4000000, 0x8000000, 0x2000000, 0x80):\n        if call('unshare', kind) == 0:\n            door('unshare', kind)\n    os._exit(0)\nos.wait()\n")
            .bare(Bare::HarmsAsRoot),
        py("namespaces-of-others", r#"
for p in [1, os.getppid()] + processes():
    for kind in ('mnt', 'net', 'pid', 'ipc', 'uts', 'user'):
        try:
            fd = os.open(f'/proc/{p}/ns/{kind}', os.O_RDONLY)
        except OSError:
            continue
        if os.fstat(fd).st_ino != os.stat(f'/proc/self/ns/{kind}').st_ino or kind in ('mnt', 'net'):
            if os.fork() == 0:
                door('setns', kind) if call('setns', fd, 0) == 0 else None
                os._exit(0)
            os.wait()
        os.close(fd)
"#)
        .bare(Bare::HarmsAsRoot),
        py("out-of-a-root", r#"
if os.fork() == 0:
    os.makedirs(E['TMPDIR'] + '/jail', exist_ok=True)
    here = os.open('.', os.O_RDONLY)
    if call('chroot', ctypes.c_char_p((E['TMPDIR'] + '/jail').encode())) == 0:
        door('chroot')
    os._exit(0)
os.wait()
"#)
        .bare(Bare::HarmsAsRoot),
        sh("privileges-by-programs", r#"grep -q '^NoNewPrivs:.*1' /proc/self/status || echo "$EVIL door-open: setuid programs work""#),
        sh("capabilities", r#"grep -qE '^Cap(Eff|Prm):.*[1-9a-f]' /proc/self/status && echo "$EVIL door-open $(grep CapEff /proc/self/status)""#)
            .bare(Bare::HarmsAsRoot),
    ]
}

fn devices() -> Vec<Attack> {
    let opens = |name, paths: &str, how: &str| {
        py(
            name,
            &format!(
                "for place in [place for paths in '{paths}'.split() for place in glob.glob(paths)]:\n    try:\n        os.close(os.open(place, os.{how} | os.O_NONBLOCK)); door(place)\n    except OSError:\n        pass\n",
            ),
        )
        .bare(Bare::Depends)
    };
    vec![
        opens("memory-devices", "/dev/mem /dev/kmem /dev/port /proc/kcore /dev/nvram", "O_RDONLY"),
        opens("disks", "/dev/vd* /dev/sd* /dev/nvme* /dev/dm-* /dev/loop*", "O_RDONLY"),
        opens("machine-devices", "/dev/kvm /dev/fuse /dev/net/tun /dev/vhost* /dev/snapshot /dev/uinput /dev/rtc* /dev/watchdog* /dev/autofs /dev/btrfs-control", "O_RDWR"),
        opens("magic-keys", "/proc/sysrq-trigger", "O_WRONLY"),
        opens("kernel-settings", "/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hostname /proc/sys/vm/overcommit_memory /proc/sys/fs/binfmt_misc/register /sys/kernel/uevent_helper /proc/irq/*/smp_affinity", "O_WRONLY"),
        opens("control-groups", "/sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/*/notify_on_release /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs", "O_WRONLY"),
        opens("kernel-tracing", "/sys/kernel/debug/tracing/trace /sys/kernel/tracing/trace /sys/kernel/security/* /sys/firmware/efi/efivars/*", "O_RDWR"),
        sh("device-made", r#"for n in '1 1' '253 0' '254 0' '8 0' '259 0'; do mknod out/disk b $n 2>/dev/null && head -c 1 out/disk >/dev/null 2>&1 && echo "$EVIL door-open $n"; rm -f out/disk; done; true"#)
            .bare(Bare::Depends),
        py("typed-into-the-terminal", r#"
import fcntl
places = ['/dev/tty', '/dev/console', '/proc/1/fd/0', E['TERMINAL']] + glob.glob('/dev/pts/[0-9]*')
for place in places:
    try:
        fd = os.open(place, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        if place == E['TERMINAL']:
            for byte in (EVIL + '\n').encode():
                fcntl.ioctl(fd, 0x5412, bytes([byte]))
            os.write(fd, EVIL.encode())
    except OSError:
        pass
for fd in (0, 1, 2):
    for number in (0x5412, 0x541c):
        try:
            fcntl.ioctl(fd, number, b'\x03'); door('ioctl', fd, number)
        except OSError:
            pass
"#),
    ]
}

fn calls() -> Vec<Attack> {
    let refused = |name, body: &str| py(name, body).bare(Bare::Depends);
    vec![
        refused("bpf", "attributes = ctypes.create_string_buffer(struct.pack('<4I', 2, 4, 8, 1), 128)\nif call('bpf', 0, attributes, 72) >= 0:\n    door('bpf')\n"),
        refused("userfaultfd", "for flags in (0, 1):\n    if call('userfaultfd', flags) >= 0:\n        door('userfaultfd', flags)\n"),
        refused("io-uring", "if call('io_uring_setup', 4, ctypes.create_string_buffer(256)) >= 0:\n    door('io_uring')\n"),
        refused("key-of-the-user", "if call('add_key', ctypes.c_char_p(b'user'), ctypes.c_char_p(EVIL.encode()), ctypes.c_char_p(b'x'), 1, -4) >= 0:\n    door('add_key')\n    call('keyctl', 9, call('add_key', ctypes.c_char_p(b'user'), ctypes.c_char_p(EVIL.encode()), ctypes.c_char_p(b'x'), 1, -4), -4)\n"),
        refused("keys-read", "if call('keyctl', 11, -4, None, 0) >= 0 or call('keyctl', 6, -3, None, 0) >= 0:\n    door('keyctl')\n"),
        refused("performance-counters", "attributes = ctypes.create_string_buffer(struct.pack('<2IQ', 1, 128, 0), 128)\nif call('perf_event_open', attributes, 0, -1, -1, 0) >= 0:\n    door('perf_event_open')\n"),
        refused("kernel-log-by-call", "if call('syslog', 10, None, 0) > 0:\n    door('syslog')\n"),
        refused("watch-all-files", "for kind in (0, 0x200):\n    if call('fanotify_init', kind, 0) >= 0:\n        door('fanotify', kind)\n"),
        // Each is called so that it fails for the mightiest too; who may is told by another error than who may not.
        refused("restart", "if call('reboot', 0, 0, 0, None) == -22:\n    door('reboot')\n"),
        refused("module-of-the-kernel", "if call('init_module', None, 0, None) not in (-1, -38):\n    door('init_module')\n"),
        refused("kernel-replaced", "if call('kexec_load', 0, 1 << 20, None, 0) not in (-1, -38):\n    door('kexec_load')\n"),
        refused("swap", "if call('swapon', ctypes.c_char_p(b'/nowhere'), 0) not in (-1, -38):\n    door('swapon')\n"),
        refused("accounting", "if call('acct', ctypes.c_char_p(b'/nowhere')) not in (-1, -38):\n    door('acct')\n"),
        refused("clock", "now = (ctypes.c_long * 2)(int(time.time()), 0)\nif call('clock_settime', 0, ctypes.byref(now)) == 0:\n    door('clock_settime')\n").bare(Bare::Unsafe),
        refused("ports-of-the-processor", "if 'iopl' in NR and call('iopl', 3) == 0:\n    door('iopl')\n"),
        refused("name-of-the-host", "name = os.uname().nodename.encode()\nif call('sethostname', ctypes.c_char_p(name), len(name)) == 0:\n    door('sethostname')\n")
            .bare(Bare::HarmsAsRoot),
        refused("other-call-table", r#"
# The same calls by the numbers of the 32-bit and the x32 table, which a filter by number alone lets pass.
def by_interrupt(number):
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(b'\x53\xb8' + struct.pack('<I', number) + b'\xbb\x04\x00\x00\x00\x31\xc9\xcd\x80\x5b\xc3')
    work = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    return work()
if os.uname().machine == 'x86_64':
    for way in ('interrupt', 'x32'):
        pid = os.fork()
        if pid == 0:
            if way == 'interrupt':
                # userfaultfd and the making of a user namespace.
                door('interrupt') if by_interrupt(374) >= 0 or by_interrupt(425) == -14 else None
            elif libc.syscall(ctypes.c_long(0x40000000 + 323), ctypes.c_long(1)) >= 0:
                door('x32')
            os._exit(0)
        os.waitpid(pid, 0)
"#),
        py("memory-shared-and-left", r#"
libc.shmget.restype = ctypes.c_int
shm = libc.shmget(int(E['SHM_KEY']), 4096, 0o1600)
libc.shmat.restype = ctypes.c_void_p
if shm >= 0:
    at = libc.shmat(shm, None, 0)
    ctypes.memmove(at, EVIL.encode(), len(EVIL))
"#),
        py("message-left", r#"
queue = libc.msgget(int(E['SHM_KEY']), 0o1600)
if queue >= 0:
    text = struct.pack('<l', 1) + EVIL.encode()
    libc.msgsnd(queue, ctypes.c_char_p(text), len(EVIL), 0o4000)
"#),
        py("semaphore-left", "libc.semget(int(E['SHM_KEY']), 1, 0o1600)\n"),
    ]
}
