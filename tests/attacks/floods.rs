//! Owns the attacks on what all share: processes, memory, disk, output, patience. Each is bounded, so that it does the
//! machine no harm where nothing holds it, and none is ever run bare.

use super::attack::{Attack, Bare, Ends, py, sh};

/// Limits under which they run, as `--role` takes them.
pub const LIMITS: [&str; 7] = [
    "worker.limits.attempts=1",
    "worker.limits.wall_s=9",
    "worker.limits.idle_s=6",
    "worker.limits.output_bytes=1000000",
    "worker.limits.processes=200",
    "worker.limits.memory_bytes=1000000000",
    "worker.limits.file_bytes=30000000",
];

#[expect(clippy::too_many_lines, reason = "a table, one attack an entry")]
pub fn attacks() -> Vec<Attack> {
    let flood = |name, body| sh(name, body).bare(Bare::Unsafe).ending(Ends::Either);
    let flood_py = |name, body| py(name, body).bare(Bare::Unsafe).ending(Ends::Either);
    vec![
        // Bounded by itself: where no limit holds, a real one would take the machine down with it.
        flood("fork-bomb", "n=0; while [ $n -lt 6000 ]; do sleep 60 & n=$((n+1)); done; echo \"$n\"; sleep 30")
            .past_landlock(),
        flood_py(
            "fork-flight",
            "
# Each child leaves its session and its parent before it makes the next: nothing that lists processes keeps up.
until = time.monotonic() + 8
while time.monotonic() < until:
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        continue
    os.setsid()
",
        )
        .past_landlock(),
        flood_py(
            "fork-and-stay",
            "
made = 0
try:
    while made < 1000:
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setsid(); time.sleep(60); os._exit(0)
        made += 1
except OSError:
    pass
if made >= 1000:
    door('processes', made)
",
        )
        .past_landlock(),
        flood_py(
            "threads",
            "
made = 0
try:
    while made < 1000:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); made += 1
except RuntimeError:
    pass
if made >= 1000:
    door('threads', made)
os._exit(0)
",
        )
        .past_landlock(),
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
        flood("output", "yes flood"),
        flood("output-of-one-line", "cat /dev/zero"),
        flood("output-of-many", "for n in 1 2 3 4 5 6 7 8; do yes $n & done; wait"),
        flood("silence", "trap '' TERM INT HUP; while :; do sleep 60; done"),
        flood("stopped", "kill -STOP $$; sleep 60"),
        flood("spinning", "trap '' TERM; while :; do :; done"),
        flood("closed-output", "exec >&- 2>&-; trap '' TERM; sleep 60"),
        flood(
            "left-behind",
            "for n in 1 2 3 4 5; do (setsid sh -c 'trap \"\" TERM; sleep 60' >/dev/null 2>&1 &) ; done",
        ),
        flood("holding-the-output", "(setsid sleep 60 &); true"),
        flood(
            "disk-by-one-file",
            r#"head -c 2000000000 /dev/zero > out/large; test "$(stat -c %s out/large)" -lt 2000000000 || echo "$EVIL door-open""#,
        ),
        flood("disk-by-allocation", r#"fallocate -l 2G out/large && echo "$EVIL door-open"; true"#),
        flood("disk-by-a-hole", r#"truncate -s 1T out/large && echo "$EVIL door-open"; true"#),
        flood(
            "disk-by-many-files",
            "mkdir -p cache; for n in 1 2 3 4 5 6 7 8 9 10; do head -c 20000000 /dev/zero > cache/$n; done",
        ),
        flood("temporary-disk", r#"for n in 1 2 3 4 5 6 7 8 9 10; do head -c 20000000 /dev/zero > "$TMPDIR/$n"; done"#),
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
