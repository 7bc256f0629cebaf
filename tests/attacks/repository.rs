//! Owns the attacks on the repository itself: hooks, configuration, refs, objects, locks, other worktrees, the user's
//! checkout. Each leaves its mark where it gets.

use super::attack::{Attack, Bare, Ends, sh};

pub fn attacks() -> Vec<Attack> {
    let mut all = git_directory();
    all.extend(by_git_itself());
    all
}

/// Those that write into the git directory by hand.
fn git_directory() -> Vec<Attack> {
    vec![
        sh(
            "hook",
            r#"printf '#!/bin/sh\necho %s >> %s/sang\n' "$EVIL" "$HOUSE" > "$REPO/.git/hooks/post-index-change"
chmod +x "$REPO/.git/hooks/post-index-change""#,
        ),
        sh("config", r#"printf '[alias]\n\tx = !%s\n' "$EVIL" >> "$REPO/.git/config""#),
        sh(
            "fsmonitor",
            r#"printf '#!/bin/sh\necho %s >> %s/sang\n' "$EVIL" "$HOUSE" > "$TMPDIR/sing"; chmod +x "$TMPDIR/sing"
printf '[core]\n\tfsmonitor = %s/sing\n' "$TMPDIR" >> "$REPO/.git/config""#,
        )
        .bare(Bare::Unsafe),
        sh("config-of-a-worktree", r#"printf '[x]\n\ty = %s\n' "$EVIL" >> "$REPO/.git/config.worktree""#),
        sh("loose-ref", r#"cp "$REPO/.git/refs/heads/victim" "$REPO/.git/refs/heads/$EVIL""#),
        sh(
            "packed-refs",
            r#"echo "$(cat "$REPO/.git/refs/heads/victim") refs/heads/$EVIL" >> "$REPO/.git/packed-refs""#,
        ),
        sh("head-of-the-checkout", r#"echo "ref: refs/heads/$EVIL" > "$REPO/.git/HEAD""#).bare(Bare::Unsafe),
        sh("index-of-the-checkout", r#"echo "$EVIL" > "$REPO/.git/index""#).bare(Bare::Unsafe),
        sh("reflog", r#"echo "$EVIL" >> "$REPO/.git/logs/HEAD""#),
        sh(
            "object",
            r#"mkdir -p "$REPO/.git/objects/ee" && echo "$EVIL" > "$REPO/.git/objects/ee/00000000000000000000000000000000000000""#,
        ),
        sh("pack", r#"mkdir -p "$REPO/.git/objects/pack" && echo x > "$REPO/.git/objects/pack/pack-$EVIL.pack""#),
        sh(
            "object-replaced",
            r#"o=$(cd "$REPO/.git/objects" && ls ??/* | head -1); chmod u+w "$REPO/.git/objects/$o" && echo "$EVIL" > "$REPO/.git/objects/$o""#,
        )
        .bare(Bare::Unsafe),
        sh("alternates", r#"echo "$HOUSE/$EVIL" >> "$REPO/.git/objects/info/alternates""#).bare(Bare::Unsafe),
        sh("exclude", r#"echo "$EVIL" >> "$REPO/.git/info/exclude""#),
        sh("attributes", r#"echo "$EVIL filter=x" >> "$REPO/.git/info/attributes""#),
        sh("grafts", r##"echo "# $EVIL" >> "$REPO/.git/info/grafts""##).bare(Bare::Unsafe),
        sh("submodule", r#"mkdir -p "$REPO/.git/modules/x" && echo "$EVIL" > "$REPO/.git/modules/x/config""#),
        sh("lock-of-the-index", r#"echo "$EVIL" > "$REPO/.git/index.lock""#).bare(Bare::Unsafe),
        sh("lock-of-a-ref", r#"echo "$EVIL" > "$REPO/.git/refs/heads/victim.lock""#),
        sh("lock-of-the-config", r#"echo "$EVIL" > "$REPO/.git/config.lock""#).bare(Bare::Unsafe),
        sh("worktree-of-the-user", r#"echo "$EVIL" > "$HOUSE/side/new""#),
        sh("head-of-a-worktree", r#"echo "$EVIL" >> "$REPO/.git/worktrees/side/ORIG_HEAD""#),
        sh(
            "git-side-of-pooled-trees",
            r#"for d in "$REPO"/.git/worktrees/artel-*; do echo "$EVIL" > "$d/$EVIL" ; done"#,
        )
        // What git keeps of a pooled tree is removed with it, so that without a sandbox this depends on the moment.
        .bare(Bare::Depends),
        sh("checkout", r#"echo "$EVIL" > "$REPO/new""#),
        sh("checkout-overwritten", r#"echo "$EVIL" >> "$REPO/mine.txt""#),
    ]
}

/// Those that have git do it.
fn by_git_itself() -> Vec<Attack> {
    vec![
        sh("git-config", r#"git config "alias.$NAME" "$EVIL"; git config --list | grep -c "$EVIL""#),
        sh("git-update-ref", r#"git update-ref "refs/heads/$EVIL" HEAD"#),
        sh("git-branch-moved", r#"git branch -f moved HEAD~1; git update-ref "refs/tags/$EVIL" HEAD"#),
        sh(
            "git-commit",
            r#"echo more >> "out/$OWN"; git add -A out; git -c user.name="$EVIL" -c user.email=e@e.invalid commit -qm "$EVIL"; git branch "$EVIL""#,
        ),
        sh(
            "git-stash",
            r#"echo more >> "out/$OWN"; git add -A out; git stash push -qm "$EVIL"; git stash apply -q; true"#,
        ),
        sh("git-notes", r#"git notes add -m "$EVIL"; git update-ref "refs/notes/$EVIL" HEAD"#),
        sh("git-push", r#"git push -q "$REPO" "HEAD:refs/heads/$EVIL""#),
        sh("git-worktree-add", r#"git worktree add -q "$TMPDIR/$EVIL" HEAD; true"#),
        sh("git-in-the-checkout", r#"git -C "$REPO" config "alias.$NAME" "$EVIL"; git -C "$REPO" branch "$EVIL""#),
        sh("git-prune", r#"git prune --expire=now; git -C "$REPO" prune --expire=now; true"#)
            // Nothing of the run's own may be pruned while it is in the making.
            .bare(Bare::Unsafe)
            .ending(Ends::Either),
        sh(
            "ref-named-like-an-option",
            r#"cp "$REPO/.git/refs/heads/victim" "$REPO/.git/refs/heads/--output=$EVIL"; git update-ref "refs/heads/--output=$EVIL" HEAD"#,
        ),
        sh("ref-of-the-run", r#"git update-ref "refs/artel/$ARTEL_RUN/$EVIL" HEAD"#),
    ]
}
