//! Owns the attacks on what all share: processes, memory, disk, output, patience. Each is bounded in number and in time
//! by its own code, so that it does the machine no harm where nothing holds it, and none is ever run bare.

use super::attack::{Attack, Bare, Ends, py, sh};

/// Limits under which they run, as `--role` takes them.
pub const LIMITS: [&str; 7] = [
    "worker.limits.attempts=1",
    "worker.limits.wall_s=12",
    "worker.limits.idle_s=4",
    "worker.limits.output_bytes=1000000",
    "worker.limits.processes=100",
    "worker.limits.memory_bytes=1000000000",
    "worker.limits.file_bytes=30000000",
];

#[expect(clippy::too_many_lines, reason = "a table, one attack an entry")]
pub fn attacks() -> Vec<Attack> {
    let flood = |name, body| sh(name, body).bare(Bare::Unsafe).ending(Ends::Either);
    let flood_py = |name, body| py(name, body).bare(Bare::Unsafe).ending(Ends::Either);
    vec![
        // Those that make many tell how far they are, lest their silence end them, and wait so long that they are counted.
        flood(
            "fork-bomb",
            r#"n=0; while [ $n -lt 300 ]; do sleep 12 & n=$((n+1)); echo $n; done; sleep 3; echo "$EVIL door-open: $n processes""#,
        ),
        flood_py(
            "fork-flight",
            "
# Each child leaves its session and its parent before it makes the next: nothing that lists processes keeps up.
until = time.monotonic() + 5
for n in range(20000):
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        continue
    os.setsid()
    if time.monotonic() > until:
        break
",
        ),
        flood_py(
            "fork-and-stay",
            "
try:
    for n in range(300):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setsid(); time.sleep(12); os._exit(0)
        print(n, flush=True)
    time.sleep(3)
    door('processes', n)
except OSError:
    pass
",
        ),
        flood_py(
            "threads",
            "
import threading
threading.stack_size(65536)
try:
    for n in range(300):
        threading.Thread(target=time.sleep, args=(12,), daemon=True).start()
        print(n, flush=True)
    time.sleep(3)
    door('threads', n)
except RuntimeError:
    pass
os._exit(0)
",
        ),
        flood_py(
            "memory",
            "
try:
    held = bytearray(2 << 30)
    door('memory', len(held))
except MemoryError:
    pass
",
        ),
        flood("output", "timeout 20 yes flood"),
        flood("output-of-one-line", "timeout 20 cat /dev/zero"),
        flood("output-of-many", "for n in 1 2 3 4 5 6 7 8; do timeout 20 yes $n & done; wait"),
        flood("silence", "trap '' TERM INT HUP; for n in 1 2 3 4 5; do sleep 4; done"),
        flood("stopped", "timeout 20 sh -c 'kill -STOP $PPID $$'"),
        flood("spinning", "trap '' TERM; n=0; while [ $n -lt 30000000 ]; do n=$((n+1)); done"),
        flood("closed-output", "exec >&- 2>&-; trap '' TERM; sleep 20"),
        flood(
            "left-behind",
            "for n in 1 2 3 4 5; do (setsid sh -c 'trap \"\" TERM; sleep 20' >/dev/null 2>&1 &) ; done",
        ),
        flood("holding-the-output", "(setsid sleep 20 &); true"),
        flood(
            "disk-by-one-file",
            r#"head -c 2000000000 /dev/zero > out/large; test "$(stat -c %s out/large)" -lt 2000000000 || echo "$EVIL door-open""#,
        ),
        flood("disk-by-allocation", r#"fallocate -l 2G out/large && echo "$EVIL door-open"; true"#),
        flood("disk-by-a-hole", r#"truncate -s 1T out/large && echo "$EVIL door-open"; true"#),
        flood("disk-by-many-files", "mkdir -p cache; for n in 1 2 3 4; do head -c 20000000 /dev/zero > cache/$n; done"),
        flood("temporary-disk", r#"for n in 1 2 3 4; do head -c 20000000 /dev/zero > "$TMPDIR/$n"; done"#),
        flood_py(
            "names",
            "
os.makedirs('cache/many')
for n in range(20000):
    os.close(os.open(f'cache/many/{n}', os.O_CREAT | os.O_WRONLY))
",
        ),
        flood_py(
            "descriptors",
            "
held = []
try:
    while len(held) < 2000000:
        held.append(os.dup(0))
except OSError:
    pass
if len(held) >= 2000000:
    door('descriptors', len(held))
",
        ),
        flood_py(
            "the-dead",
            "
for n in range(150):
    try:
        if os.fork() == 0:
            os._exit(0)
    except OSError:
        break
time.sleep(1)
",
        ),
        sh("neighbour-one", "true").bare(Bare::Unsafe),
        sh("neighbour-two", "sleep 1").bare(Bare::Unsafe),
        sh("neighbour-three", "true").bare(Bare::Unsafe),
    ]
}
