#!/bin/sh
# plain.sh REPO WORK WORKERS: what people do without artel. Reads lines `NAME FILE` and does each as a task of its own,
# on the branch `run`, which is checked out in WORK/merged: a worktree, the stub's edit, a commit, a merge --no-ff (one
# at a time, under a lock), the worktree removed.
set -eu

if [ "$1" = task ]; then
    repo=$2 work=$3 name=$4 file=$5
    add() { git -C "$repo" worktree add -q --no-track -b "task/$name" "$work/$name" run; }
    remove() { git -C "$repo" worktree remove --force "$work/$name"; }
    # Git may meet the half-made worktree of another git and give up, also when it is asked once more.
    tries=1
    until add; do
        [ "$tries" -lt 5 ] || exit 255
        tries=$((tries + 1))
        remove || rm -rf "$work/$name"
        git -C "$repo" update-ref -d "refs/heads/task/$name" || :
    done
    echo "// done" >> "$work/$name/$file"
    git -C "$work/$name" add -- "$file"
    git -C "$work/$name" commit -q -m "task $name"
    flock "$work/lock" git -C "$work/merged" merge -q --no-ff -m "merge $name" "task/$name"
    remove || remove
    exit
fi

repo=$1 work=$2 workers=$3
xargs -P "$workers" -n 2 sh "$0" task "$repo" "$work"
