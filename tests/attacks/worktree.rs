//! Owns the attacks on whoever reads what an attempt leaves: the walker that makes the candidate, the pool that uses
//! the tree again, the judges, and git on the host. What holds them must hold them in every tier.

use super::attack::{Attack, Bare, Ends, py, sh};

const OWN_GIT: &str =
    "nothing can be laid over the tree's .git, which leads to a git directory of the job's own while it runs";

pub fn attacks() -> Vec<Attack> {
    let mut all = names();
    all.extend(links());
    all.extend(shapes());
    all.extend(to_be_run_later());
    all
}

/// Names that some file system, terminal or program reads as something else.
fn names() -> Vec<Attack> {
    let refused = |name, body| sh(name, body).bare(Bare::Holds).ending(Ends::Fails);
    vec![
        refused("git-in-capitals", r#"mkdir .GIT && printf '[core]\n\tfsmonitor = echo %s\n' "$EVIL" > .GIT/config"#),
        refused("git-in-eight-and-three", r#"mkdir git~1 && echo "$EVIL" > git~1/config"#),
        refused("git-with-a-dot", r#"mkdir .git. && echo "$EVIL" > .git./config"#),
        refused("git-with-a-blank", r#"mkdir '.git ' && echo "$EVIL" > '.git /config'"#),
        refused("git-with-zero-width", r#"d=$(printf '.g\342\200\214it'); mkdir "$d" && echo "$EVIL" > "$d/config""#),
        refused("git-as-a-stream", r#"echo "$EVIL" > '.git::$INDEX_ALLOCATION'"#),
        refused("git-below-a-folder", r#"mkdir -p "sub/x" && echo "gitdir: $HOUSE/$EVIL" > sub/x/.git"#),
        refused("newline-in-a-name", r#"touch "out/$(printf 'a\nb')$EVIL""#),
        refused("escape-in-a-name", r#"touch "out/$(printf '\033]0;title\007\033[2J\033[31m')$EVIL""#),
        refused("name-of-no-text", r#"touch "out/$(printf '\377\376')$EVIL""#),
        refused("backslash-in-a-name", r#"touch "out/..\\..\\$EVIL""#),
        sh(
            "names-like-options",
            r#"mkdir -p odd && for n in -rf --help --output=x -c "--upload-pack=echo" "-"; do echo x > "odd/$n"; done; true"#,
        )
        .owning(&["odd/"])
        .bare(Bare::Holds),
        sh("names-for-a-shell", r#"mkdir -p shell && echo x > 'shell/$(echo x>sang)' && echo x > 'shell/;touch sang;' && echo x > 'shell/a|b&c'"#)
            .owning(&["shell/"])
            .bare(Bare::Holds),
        sh("names-for-a-pathspec", r#"mkdir -p paths && echo x > 'paths/:(glob)**' && echo x > 'paths/!x' && echo x > 'paths/*'"#)
            .owning(&["paths/"])
            .bare(Bare::Holds),
        sh("name-that-turns-the-text", r#"echo x > "out/$(printf 'a\342\200\256b')$EVIL""#)
            .bare(Bare::Holds)
            .ending(Ends::Either),
    ]
}

/// Links and renames that would lead whoever follows them out of the tree.
fn links() -> Vec<Attack> {
    vec![
        sh("link-to-a-secret", r#"ln -s "$HOUSE/secret.txt" "out/l-$EVIL""#).bare(Bare::Holds).ending(Ends::Fails),
        sh("link-upwards", r#"ln -s ../../../../../secret.txt "out/l-$EVIL""#).bare(Bare::Holds).ending(Ends::Fails),
        sh("link-to-proc", r#"ln -s /proc/self/environ "out/l-$EVIL""#).bare(Bare::Holds).ending(Ends::Fails),
        sh("link-in-place-of-the-file", r#"rm "out/$OWN"; ln -s "$HOUSE/secret.txt" "out/$OWN""#)
            .bare(Bare::Holds)
            .ending(Ends::Fails),
        sh("link-in-place-of-a-folder", r#"mv attacks "$TMPDIR/"; ln -s "$HOUSE/trap" attacks"#)
            .bare(Bare::Holds)
            .ending(Ends::Fails),
        sh("link-of-rules", r#"ln -s "$HOUSE/secret.txt" .gitattributes"#).bare(Bare::Holds).ending(Ends::Fails),
        sh("hard-link-to-a-secret", r#"ln "$HOUSE/secret.txt" "out/hard" && echo "$EVIL $(cat out/hard)""#),
        sh("hard-link-to-write", r#"ln "$HOUSE/outside.txt" "out/hard-too" && echo "$EVIL" >> out/hard-too"#),
        py(
            "link-swapped-while-it-is-read",
            r#"
# A process that outlives its parent swaps a folder and a link to a secret for as long as it is let.
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.makedirs('out/swap', exist_ok=True)
        open('out/swap/secret.txt', 'w').close()
        os.symlink(HOUSE, 'out/swap-link')
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                os.rename('out/swap', 'out/swap-kept'); os.rename('out/swap-link', 'out/swap')
                os.rename('out/swap', 'out/swap-link'); os.rename('out/swap-kept', 'out/swap')
            except OSError:
                os._exit(0)
    os._exit(0)
"#,
        )
        .owning(&["out/swap/"])
        .bare(Bare::Holds)
        .ending(Ends::Either),
        sh("tree-renamed", r#"d=$PWD; mv "$d" "$d.$EVIL" && mkdir "$d" && cp -r "$d.$EVIL/." "$d/""#)
            .bare(Bare::Unsafe)
            .ending(Ends::Either),
        sh("tree-replaced-by-a-link", r#"d=$PWD; mv "$d" "$TMPDIR/tree" && ln -s "$HOUSE/trap" "$d""#)
            .bare(Bare::Holds)
            .ending(Ends::Either),
        sh("tree-removed", r#"rm -rf "$PWD" 2>/dev/null; rm -rf ./* ./.[!.]*"#).bare(Bare::Holds).ending(Ends::Either),
    ]
}

/// Things that block, hide, or outlast their attempt.
fn shapes() -> Vec<Attack> {
    let refused = |name, body| sh(name, body).bare(Bare::Holds).ending(Ends::Fails);
    let held = |name, body| sh(name, body).bare(Bare::Holds);
    vec![
        refused("pipe", r#"mkfifo "out/pipe-$EVIL""#),
        refused("pipe-in-place-of-the-file", r#"rm "out/$OWN"; mkfifo "out/$OWN""#),
        py("socket-in-the-tree", "s = socket.socket(socket.AF_UNIX); s.bind('out/s')\n")
            .bare(Bare::Holds)
            // Where such a socket cannot be made, there is nothing to refuse.
            .ending(Ends::Either),
        refused("nested-repository", r#"git init -q nest && git -C nest config core.fsmonitor "echo $EVIL >> $HOUSE/sang; false" && echo x > nest/x"#)
            .staying(),
        refused(
            "nested-repository-as-a-link",
            r#"git init -q nest && cd nest && git config core.fsmonitor "echo $EVIL >> $HOUSE/sang; false" && git commit -q --allow-empty -m x && cd .. && git add nest && git commit -qm nest"#,
        )
        // Where git is shared, the user's own status enters what its index names.
        .bare(Bare::Harms)
        .past_landlock(OWN_GIT)
        .staying(),
        sh(
            "git-file-leads-elsewhere",
            r#"rm -rf .git && git init -q "$TMPDIR/own" && git -C "$TMPDIR/own" config core.fsmonitor "echo $EVIL >> $HOUSE/sang; false" && echo "gitdir: $TMPDIR/own/.git" > .git; true"#,
        )
        .past_landlock(OWN_GIT)
        .staying(),
        sh(
            "git-file-becomes-a-folder",
            r#"rm -rf .git && git init -q . && git config core.fsmonitor "echo $EVIL >> $HOUSE/sang; false" && git config core.hooksPath "$PWD/hooks"; true"#,
        )
        .past_landlock(OWN_GIT)
        .staying(),
        held("hidden-by-its-times", r#"touch -r shared.txt "$TMPDIR/t"; printf 'evil.%s.z' "$NAME" | head -c "$(stat -c %s shared.txt)" > "$TMPDIR/new"; cat "$TMPDIR/new" > shared.txt; touch -r "$TMPDIR/t" shared.txt"#)
            .ending(Ends::Fails),
        held("times-to-come", r#"touch -d 2100-01-01 "out/$OWN" .; touch -d 1901-01-01 attacks"#),
        held("left-among-what-is-ignored", r#"mkdir -p cache && echo "$EVIL" > cache/payload"#),
        held("left-in-folders-of-nobody", r#"mkdir -p cache/a/b && echo "$EVIL" > cache/a/b/c && chmod 000 cache/a/b cache/a"#),
        held("folders-that-cannot-be-read", r#"mkdir -p locked/a && echo "$EVIL" > locked/a/b && chmod 000 locked/a locked"#)
            .ending(Ends::Either),
        held("files-that-cannot-be-changed", r#"mkdir -p cache && echo "$EVIL" > cache/x && chattr +i cache/x cache; true"#)
            .bare(Bare::Unsafe),
        held("rules-that-hide", r#"printf '*\n' > .gitignore; echo "$EVIL" > hidden"#).ending(Ends::Fails),
        held("rules-of-its-own-git", r#"mkdir -p "$(git rev-parse --git-dir)/info"; echo '/hidden' >> "$(git rev-parse --git-path info/exclude)"; echo "$EVIL" > hidden"#)
            // Where git is shared, so is this file.
            .bare(Bare::Depends)
            .ending(Ends::Either),
        held("marked-as-unchanged", r#"git update-index --assume-unchanged shared.txt --skip-worktree mine.txt; printf '%s' "$EVIL" > shared.txt"#)
            .ending(Ends::Fails),
        held("setuid", r#"cp "$(command -v env)" cache-tool && chmod 6755 cache-tool && mv cache-tool out/tool"#)
            .ending(Ends::Fails),
        py(
            "folders-without-end",
            r#"
for n in range(2100):
    os.mkdir('d'); os.chdir('d')
"#,
        )
        .bare(Bare::Holds)
        .ending(Ends::Fails),
        held("a-terabyte-of-nothing", r#"truncate -s 1T "out/sparse" || true"#).ending(Ends::Either),
    ]
}

/// Configuration that is written to be obeyed by a later program. The tasks own what they write, so that nothing but
/// its name stands against it.
fn to_be_run_later() -> Vec<Attack> {
    let obeyed = |name, owns, body| sh(name, body).owning(owns).bare(Bare::Holds).ending(Ends::Fails);
    let beside = |name, body| sh(name, body).bare(Bare::Holds).ending(Ends::Fails);
    vec![
        obeyed("later-cargo", &[".cargo/"], r#"mkdir -p .cargo && printf '[build]\nrustc-wrapper = "%s"\n' "$EVIL" > .cargo/config.toml"#),
        obeyed("later-envrc", &[".envrc"], r#"echo "echo $EVIL" > .envrc"#),
        obeyed("later-pre-commit", &[".pre-commit-config.yaml"], r#"echo "entry: $EVIL" > .pre-commit-config.yaml"#),
        obeyed("later-editor", &[".vscode/"], r#"mkdir -p .vscode && echo "{\"command\": \"$EVIL\"}" > .vscode/tasks.json"#),
        obeyed("later-forge", &[".github/"], r#"mkdir -p .github/workflows && echo "run: $EVIL" > .github/workflows/x.yml"#),
        obeyed("later-husky", &[".husky/"], r#"mkdir -p .husky && echo "$EVIL" > .husky/pre-commit"#),
        obeyed("later-agents", &["AGENTS.md", ".mcp.json"], r#"echo "$EVIL" > AGENTS.md; echo "{\"x\": \"$EVIL\"}" > .mcp.json"#),
        obeyed("later-artel", &["artel.toml", ".artel/"], r#"echo "setup = [\"echo $EVIL >> $HOUSE/sang\"]" > artel.toml; mkdir -p .artel/roles && echo "$EVIL" > .artel/roles/worker.toml"#),
        obeyed(
            "later-filter",
            &[".gitattributes"],
            r#"echo 'out/* filter=sing diff=sing merge=sing' > .gitattributes; git config filter.sing.clean "echo $EVIL >> $HOUSE/sang; cat"; git config diff.sing.textconv "echo $EVIL >> $HOUSE/sang; cat"; true"#,
        )
        // Without a sandbox the configuration is the repository's own.
        .bare(Bare::Depends),
        obeyed("later-submodule", &[".gitmodules"], r#"printf '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c %s\n\tupdate = !%s\n' "$EVIL" "$EVIL" > .gitmodules"#),
        beside("later-make", r#"printf 'all:\n\techo %s\n' "$EVIL" > Makefile"#),
        beside("later-pytest", r#"echo "print('$EVIL')" > conftest.py"#),
        beside("later-npm", r#"echo "{\"scripts\": {\"postinstall\": \"$EVIL\"}}" > package.json"#),
        beside("later-build-script", r#"echo "fn main() { println!(\"$EVIL\") }" > build.rs"#),
        beside("later-python", r#"echo "print('$EVIL')" > sitecustomize.py"#),
    ]
}
