//! Tests artel against those who play in it: one run of the real binary whose attempts are attacks, for each tier that
//! says that it holds them, and one for none, which shows that the attacks are real. Where the tests run as the
//! superuser, each tier is tried as a user without privileges too; `ARTEL_FULL=1` has every attack played each time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

#[expect(dead_code, reason = "shared with the stories, which use more of it")]
#[path = "../it/common.rs"]
mod common;
#[expect(dead_code, reason = "shared with the stories, which use more of it")]
#[path = "../it/crew.rs"]
mod crew;
mod attack;
mod ears;
mod who;
mod world;
mod scene;
mod effects;
mod repository;
mod worktree;
mod secrets;
mod outside;
mod network;
mod kernel;
mod floods;
mod container;

use std::collections::BTreeSet;
use std::iter;
use std::process::Child;

use attack::{Attack, Choice, Ends, Tier};
use crew::all_end;
use effects::{Effects, changed, size};
use scene::Scene;
use who::{Who, is_root};

fn quiet() -> Vec<Attack> {
    [
        repository::attacks(),
        worktree::attacks(),
        secrets::attacks(),
        outside::attacks(),
        network::attacks(),
        kernel::attacks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Gives a choice, or all where everything is asked for.
fn at_least(choice: Choice) -> Choice {
    if std::env::var_os("ARTEL_FULL").is_some_and(|it| it == "1") { Choice::All } else { choice }
}

#[test]
fn there_are_sixty_attacks_and_each_has_a_name_of_its_own() {
    let all: Vec<Attack> = quiet().into_iter().chain(floods::attacks()).collect();
    let names: BTreeSet<_> = all.iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), all.len());
    for tier in [Tier::Bubblewrap, Tier::Landlock] {
        let held = all.iter().filter(|attack| attack.is_held_in(tier)).count();
        assert!(held >= 60, "{tier:?} says that it holds {held}");
    }
}

#[test]
fn without_a_sandbox_the_attacks_get_through() {
    let harmed = attacked(Tier::Bare, Who::Tester, at_least(Choice::Harmful));
    assert!(harmed >= 60, "only {harmed} attacks had an effect: the others prove nothing");
}

#[test]
fn bubblewrap_holds_every_attack() {
    attacked(Tier::Bubblewrap, Who::Tester, Choice::All);
}

#[test]
fn landlock_holds_every_attack_that_it_says_it_holds() {
    attacked(Tier::Landlock, Who::Tester, Choice::All);
}

#[test]
fn bubblewrap_holds_every_attack_of_a_user_without_privileges() {
    attacked(Tier::Bubblewrap, Who::Unprivileged, at_least(Choice::ByTheSandbox));
}

#[test]
fn landlock_holds_every_attack_of_a_user_without_privileges_that_it_says_it_holds() {
    attacked(Tier::Landlock, Who::Unprivileged, at_least(Choice::ByTheSandbox));
}

#[test]
fn landlock_holds_every_attack_of_the_superuser_of_a_container() {
    attacked(Tier::Landlock, Who::Container, at_least(Choice::ByTheSandbox));
}

#[test]
fn bubblewrap_ends_every_flood() {
    flooded(Tier::Bubblewrap, Who::Tester);
}

#[test]
fn landlock_ends_every_flood() {
    flooded(Tier::Landlock, Who::Tester);
}

#[test]
fn bubblewrap_ends_every_flood_of_a_user_without_privileges() {
    // There it is the kernel that bounds processes, and not artel's counting.
    flooded(Tier::Bubblewrap, Who::Unprivileged);
}

/// Plays all floods in one run: it ends, its neighbours go on, and nothing stays alive or on the disk.
#[track_caller]
fn flooded(tier: Tier, who: Who) {
    if who.lacks(tier) {
        return;
    }
    let mut scene = Scene::set(tier, who, floods::attacks());
    let mut args = vec!["--workers", "12"];
    args.extend(floods::LIMITS.iter().flat_map(|limit| ["--role", limit]));
    let mut run = scene.start(&args);
    play(&mut scene, &mut run, |_| {});
    all_end(&scene.house);
    let effects = Effects::of(&mut scene);
    verdict(&scene, &effects);
}

/// Plays quiet attacks in one run; gives how many had an effect.
#[track_caller]
fn attacked(tier: Tier, who: Who, choice: Choice) -> usize {
    if who.lacks(tier) {
        return 0;
    }
    let attacks = quiet().into_iter().filter(|attack| attack.runs_in(tier, choice));
    let mut scene = Scene::set(tier, who, iter::once(outside::bystander()).chain(attacks).collect());
    let stay = scene.attempts.iter().filter(|attempt| attempt.stays()).count();
    let mut run = scene.start(&["--workers", &(stay + 3).to_string()]);
    play(&mut scene, &mut run, Scene::look_into_trees);
    look_around(&scene);
    all_end(&scene.house);
    let effects = Effects::of(&mut scene);
    verdict(&scene, &effects)
}

/// Plays a run to its end, doing something when all attempts have done their worst; one that does not come there is ended,
/// and who did what is told all the same.
#[track_caller]
fn play(scene: &mut Scene, run: &mut Child, meanwhile: impl Fn(&Scene)) {
    let missing = scene.until_all_is_done(run);
    let code = if missing.is_empty() {
        meanwhile(scene);
        scene.let_go();
        run.wait().unwrap().code()
    } else {
        scene.end(run);
        None
    };
    if code != Some(5) {
        let effects = Effects::without_git(scene);
        let held = scene.attempts.iter().flat_map(|it| &it.attacks).filter(|attack| attack.is_held_in(scene.tier));
        let did: Vec<String> = held.filter_map(|attack| effects.by(attack.name)).collect();
        let late: Vec<&str> = missing.iter().map(|n| scene.attempts[n - 1].name).collect();
        panic!(
            "the run broke off in {:?} with {code:?}; in this time\n{}\nthese never came so far: {}\n{}",
            scene.tier,
            did.join("\n"),
            late.join(", "),
            scene.started_log()
        );
    }
}

/// Does what a person does afterwards: asks artel by every verb that reads, and git in the checkout.
fn look_around(scene: &Scene) {
    let mut said = Vec::new();
    for verb in [&["status"][..], &["list"], &["log"], &["cost"], &["blame", "shared.txt"], &["roles"], &["doctor"]] {
        said.push(scene.artel(verb));
    }
    for (attempt, number) in scene.attempts.iter().zip(1..) {
        if attempt.stays() || attempt.name.contains("name") || attempt.name.contains("escape") {
            said.push(scene.artel(&["show", &format!("t{number}")]));
            said.push(scene.artel(&["diff", &format!("t{number}")]));
        }
    }
    for said in &said {
        let text = format!("{}{}", said.out, said.err);
        let odd = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c) || "\u{202e}\u{200f}".contains(*c));
        assert_eq!(odd, None, "{text}");
    }
    let head = scene.head();
    for args in [
        &["status"][..],
        &["diff"],
        &["diff", "HEAD", &head],
        &["log", "--all", "--patch", "--stat"],
        &["branch", "--all", "--verbose"],
        &["worktree", "list"],
        &["fsck"],
    ] {
        scene.git_in(&scene.house.repo(), args);
    }
}

/// Holds what was seen against what each attack's tier says; gives how many attacks had an effect.
#[track_caller]
fn verdict(scene: &Scene, effects: &Effects) -> usize {
    let as_root = is_root() && scene.who != Who::Unprivileged;
    let landed = scene.git_in(&scene.house.repo(), &["ls-tree", "-r", "--name-only", &scene.head()]).out;
    let landed: BTreeSet<&str> = landed.lines().collect();
    let mut wrong = Vec::new();
    let mut harmed = 0;
    for (attempt, number) in scene.attempts.iter().zip(1..) {
        let log = scene.log_of(number);
        for attack in &attempt.attacks {
            let (name, did) = (attack.name, effects.by(attack.name));
            harmed += usize::from(did.is_some());
            if !log.contains(&attack.tells_that_it_was_tried()) {
                wrong.push(format!("{name} was not tried:\n{log}"));
            }
            if attack.harms_in(scene.tier, as_root) && did.is_none() {
                let why = attack.past_landlock.filter(|_| scene.tier == Tier::Landlock);
                let why = why.map_or("so it proves nothing", |_| "so Landlock holds it, and should say so");
                wrong.push(format!("{name} had no effect, {why}:\n{log}"));
            }
            wrong.extend(did.filter(|_| attack.is_held_in(scene.tier)));
        }
        let name = attempt.name;
        match (attempt.ends_in(scene.tier), landed.contains(format!("out/{name}").as_str())) {
            (Some(Ends::Lands), false) => wrong.push(format!("{name} did not land: {}\n{log}", scene.why(number))),
            (Some(Ends::Fails), true) => wrong.push(format!("{name} landed")),
            (Some(Ends::Lands), true) | (Some(Ends::Fails), false) | (Some(Ends::Either) | None, _) => {}
        }
    }
    // The last verb, since it clears away what the others read.
    scene.artel(&["gc"]).exits(0);
    if scene.tier != Tier::Bare {
        wrong.extend(changed(scene).into_iter().map(|place| format!("{place} is not what it was")));
    }
    let trees = std::fs::read_dir(scene.house.home().join("trees")).into_iter().flatten().flatten();
    let left = trees.map(|pool| size(&pool.path())).sum::<u64>();
    if left > 0 {
        wrong.push(format!("{left} bytes are left of worktrees"));
    }
    assert!(wrong.is_empty(), "{} went wrong in {:?}:\n{}", wrong.len(), scene.tier, wrong.join("\n"));
    harmed
}
