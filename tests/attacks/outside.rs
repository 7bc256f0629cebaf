//! Owns the attacks that write outside the attempt: home, temporary folders, the system, what artel stores of this and
//! other attempts, and artel's own ears.

use super::attack::{Attack, Bare, Ends, py, sh};

const RIGHTS: &str =
    "it has no rule for rights, times and attributes: who owns a file may change them wherever it lies";

/// The attempt that does no harm and is attacked by others. It is the first task, which they know.
pub fn bystander() -> Attack {
    sh("bystander", "touch is-bystander").owning(&["is-bystander"]).staying().bare(Bare::Depends)
}

pub fn attacks() -> Vec<Attack> {
    let mut all = around();
    all.extend(artel_itself());
    all
}

fn around() -> Vec<Attack> {
    vec![
        sh("shell-start", r#"echo "$EVIL" >> "$HOUSE/.bashrc"; echo "$EVIL" >> "$HOUSE/.profile""#),
        sh("git-settings-of-the-user", r#"printf '[alias]\n\tx = !%s\n' "$EVIL" >> "$HOUSE/.gitconfig""#),
        sh("authorized-keys", r#"echo "$EVIL" >> "$HOUSE/.ssh/authorized_keys""#),
        sh("new-in-home", r#"mkdir -p "$HOUSE/.config/systemd/user" && echo "$EVIL" > "$HOUSE/.config/systemd/user/x.service""#),
        sh("file-of-the-user", r#"echo "$EVIL" >> "$HOUSE/outside.txt""#),
        sh("folder-of-the-user-renamed", r#"mkdir -p "$HOUSE/trap" && mv "$HOUSE/movable" "$HOUSE/moved-$EVIL""#),
        sh("file-of-the-user-renamed", r#"mv "$HOUSE/second.txt" "$HOUSE/second-$EVIL""#),
        sh("rights-of-a-file", r#"chmod 777 "$HOUSE/rights.txt""#).past_landlock(RIGHTS),
        sh("times-of-a-file", r#"touch -d 2001-01-01 "$HOUSE/times.txt""#).past_landlock(RIGHTS),
        sh("temporary-folder", r#"echo "$EVIL" > "/tmp/$EVIL$TAG"; echo "$EVIL" > "/var/tmp/$EVIL$TAG""#),
        sh("shared-memory-folder", r#"echo "$EVIL" > "/dev/shm/$EVIL$TAG""#),
        sh("system-folders", r#"for d in / /etc /usr /usr/bin /usr/local/bin /opt /root /var /lib; do echo "$EVIL" > "$d/$EVIL$TAG"; done; true"#)
            .bare(Bare::Unsafe),
        sh("toolchain", r#"for p in python3 git sh; do d=$(dirname "$(readlink -f "$(command -v $p)")"); echo "$EVIL" > "$d/$EVIL$TAG"; done; true"#)
            .bare(Bare::Unsafe),
        sh("package-caches", r#"for d in "$CARGO_HOME" "$RUSTUP_HOME" "$HOUSE/.cargo" "$HOUSE/.npm" "$HOUSE/.cache"; do mkdir -p "$d" && echo "$EVIL" > "$d/$EVIL$TAG"; done; true"#)
            .bare(Bare::Unsafe),
        sh("up-from-the-tree", r#"d=..; for n in 1 2 3 4 5 6; do echo "$EVIL" > "$d/$EVIL$TAG"; d=$d/..; done; true"#).bare(Bare::Unsafe),
        sh("desk-of-its-own", r#"echo "$EVIL" > "$TMPDIR/../$EVIL""#).ending(Ends::Either).bare(Bare::Holds),
    ]
}

fn artel_itself() -> Vec<Attack> {
    vec![
        sh("state-directory", r#"echo "$EVIL" > "$STATE/$EVIL""#),
        sh("cache-of-all-runs", r#"mkdir -p "$STATE/cache" && echo "$EVIL" > "$STATE/cache/payload""#),
        sh("log-of-another", r#"for l in "$STATE"/runs/*/logs/t1.1.log; do for n in 1 2 3 4 5 6 7 8 9; do echo "$EVIL" >> "$l"; done; echo "$EVIL" > "$l.more"; done"#),
        sh("account-of-another", r#"for l in "$STATE"/runs/*/logs; do echo "{\"end\":{\"exited\":0},\"cpu_ms\":0,\"leaked\":0} $EVIL" > "$l/t1.1.log.end"; cp "$l/t1.1.log.end" "$l/t9999.1.log.end"; done"#),
        sh("handoff-of-another", r#"for d in "$STATE"/runs/*/desks/t1.1; do echo "{\"done\": \"$EVIL\"}" > "$d/handoff.json"; done"#),
        sh("brief-of-another", r#"for d in "$STATE"/runs/*/desks/t1.1; do echo "$EVIL" >> "$d/brief.md"; done"#),
        sh("temporary-files-of-another", r#"for d in "$STATE"/runs/*/desks/t1.1/tmp; do echo "$EVIL" > "$d/$EVIL"; done"#),
        // Who can see what another has started waits until it is there.
        sh("tree-of-another", r#"seen() { find "$STATE/trees" -maxdepth 6 -name is-bystander; }
n=0; while [ -r "$STATE/artel.db" ] && [ -z "$(seen)" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
for f in $(seen); do echo "$EVIL" > "${f%/*}/$EVIL"; done"#),
        sh("rules-and-record-of-a-tree", r#"for f in $(find "$STATE/trees" -maxdepth 5 -name '*.rules' -o -name '*.index'); do echo "$EVIL" > "$f/$EVIL" || echo "$EVIL" > "$f"; done"#)
            .bare(Bare::Unsafe),
        sh("journal-written", r#"python3 -c "
import glob, os, sqlite3
db = sqlite3.connect(glob.glob(os.environ['STATE'] + '/artel.db')[0])
db.execute('create table \"' + os.environ['EVIL'] + '\" (x)'); db.commit()"; true"#)
            .bare(Bare::Unsafe),
        sh("journal-removed", r#"rm -f "$STATE"/artel.db*; ls "$STATE"/artel.db* >/dev/null 2>&1 || true"#).bare(Bare::Unsafe),
        sh("lock-of-the-run", r#"for f in "$STATE"/runs/*/lock; do rm -f "$f"; echo "$EVIL" > "$f"; done"#).bare(Bare::Unsafe),
        sh("own-account", r#"report=$(tr '\0' '\n' < /proc/1/cmdline | tail -1); for f in "$report" "$STATE"/runs/*/logs/"$ARTEL_ATTEMPT.log.end"; do mkdir -p "$f"; done; exit 77"#)
            .bare(Bare::Unsafe)
            .ending(Ends::Fails),
        py("ears-of-the-run", r#"
for ear in glob.glob(STATE + '/runs/*/socket'):
    def ask():
        s = socket.socket(socket.AF_UNIX)
        s.connect(ear)
        door(ear)
    quietly(ask)
"#)
        // A run listens only while somebody follows it.
        .bare(Bare::Depends),
        sh("verbs-of-artel", r#"cd "$REPO" && ARTEL_HOME=$STATE HOME=$HOUSE "$ARTEL_BINARY" steer "$EVIL""#),
        py("lifeline-of-another", r#"
for p in processes():
    try:
        if b'__init' in read(f'/proc/{p}/cmdline') and b't1.1.log' in read(f'/proc/{p}/cmdline'):
            with open(f'/proc/{p}/fd/0', 'w') as line:
                line.write('stop\n')
                door('lifeline', p)
    except OSError:
        pass
"#)
        .bare(Bare::Unsafe),
        py("own-lifeline", r#"
for p in (1, os.getppid()):
    for fd in range(16):
        try:
            with open(f'/proc/{p}/fd/{fd}', 'w') as line:
                line.write('stop\n' + EVIL)
        except OSError:
            pass
"#)
        .ending(Ends::Either)
        .bare(Bare::Holds),
        sh("handoff-as-a-pipe", r#"rm -f "$ARTEL_HANDOFF"; mkfifo "$ARTEL_HANDOFF""#).bare(Bare::Holds).ending(Ends::Either),
        sh("handoff-as-a-link", r#"rm -f "$ARTEL_HANDOFF"; ln -s "$HOUSE/secret.json" "$ARTEL_HANDOFF""#)
            .bare(Bare::Holds)
            .ending(Ends::Either),
        sh("handoff-without-end", r#"head -c 3000000 /dev/zero | tr '\0' ' ' > "$ARTEL_HANDOFF""#).bare(Bare::Holds).ending(Ends::Either),
        sh("handoff-with-escapes", r#"printf '{"done": "\\u001b]0;%s\\u0007\\u001b[2J", "concerns": ["\\u001b[31mred\\u202e"]}' "$NAME" > "$ARTEL_HANDOFF""#)
            .bare(Bare::Holds),
        sh("output-with-escapes", r#"printf '\033]0;title\007\033[2J\033[31m\033P+q\033\\\n'"#).bare(Bare::Holds),
    ]
}
