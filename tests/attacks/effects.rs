//! Owns the look from outside for what attacks have done beyond their attempts. Knows nothing of who claims to hold
//! what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use rustix::process::{Pid, getpriority_process};
use serde_json::Value;

use super::attack::Tier;
use super::scene::{Scene, printed};
use super::world::{World, marked, marks};

/// Where attacks leave files outside the house, with the tag of the scene in their names.
const ELSEWHERE: [&str; 13] = [
    "/",
    "/etc",
    "/usr",
    "/usr/bin",
    "/usr/local",
    "/usr/local/bin",
    "/opt",
    "/root",
    "/var",
    "/var/lib",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
];

/// Looks for what processes share by a number or by a name that is no file's, and removes what was left there.
const SHARED: &str = r#"
import ctypes, sys
key, c, rt = int(sys.argv[1]), ctypes.CDLL(None), ctypes.CDLL('librt.so.1')
c.shmat.restype = ctypes.c_void_p
memory, queue, semaphores = c.shmget(key, 0, 0), c.msgget(key, 0), c.semget(key, 0, 0)
if memory >= 0:
    print(ctypes.string_at(c.shmat(memory, None, 0), 64))
    c.shmctl(memory, 0, None)
if queue >= 0:
    text = ctypes.create_string_buffer(256)
    c.msgrcv(queue, text, 240, 0, 0o4000)
    print(text.raw, 'evil.message-left.z')
    c.msgctl(queue, 0, None)
if semaphores >= 0:
    print('evil.semaphore-left.z')
    c.semctl(semaphores, 0, 0)
if rt.mq_open(('/' + sys.argv[2] + '-second').encode(), 0) < 0:
    print('evil.message-queue-removed.z')
"#;

/// What an attack prints beside its mark where it has got in.
static LOOT: LazyLock<Regex> = LazyLock::new(|| Regex::new("secret-of-[a-z]|door-open").unwrap());

/// Names what each attack did, by its name.
#[derive(Debug, Default)]
pub struct Effects(BTreeMap<String, BTreeSet<String>>);

impl Effects {
    /// Looks everywhere; the run must be over.
    pub fn of(scene: &mut Scene) -> Self {
        let mut effects = Self::without_git(scene);
        effects.in_events(scene);
        effects.in_git(scene);
        effects
    }

    /// Looks everywhere but where neither git nor artel may work any more.
    pub fn without_git(scene: &mut Scene) -> Self {
        let mut effects = Self::default();
        effects.in_services(scene);
        effects.in_house(scene);
        effects.elsewhere(scene);
        effects.in_logs(scene);
        effects.on_processes(scene);
        effects
    }

    /// Tells what one attack did; nothing where it had no effect.
    pub fn by(&self, name: &str) -> Option<String> {
        let did: Vec<&str> = self.0.get(name)?.iter().map(String::as_str).collect();
        Some(format!("{name} {}", did.join("; ")))
    }

    fn add(&mut self, names: impl IntoIterator<Item = String>, what: &str) {
        for name in names {
            self.0.entry(name).or_default().insert(what.to_owned());
        }
    }

    fn in_services(&mut self, scene: &Scene) {
        for (ear, heard) in scene.ears.heard() {
            self.add(marks(heard.as_bytes()), &format!("was heard by {ear}"));
        }
        let (mut seen, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = rustix::io::read(&scene.terminal, &mut part) {
            seen.extend_from_slice(&part[..read]);
        }
        self.add(marks(&seen), "reached the terminal");
        let look = scene.program("python3", &["-c", SHARED, &scene.shm_key.to_string(), &scene.tag]).exits(0);
        self.add(marks(look.out.as_bytes()), "changed what processes share by number or name");
    }

    /// Looks at all files of the house but those that are an attempt's own.
    fn in_house(&mut self, scene: &Scene) {
        let skip = |name: &str| {
            name == "started.log"
                || name.starts_with("state/artel.db")
                || name.starts_with("state/runs/") && name.ends_with("/logs")
        };
        for (place, mut names) in marked(scene.house.root(), &skip) {
            if let Some((number, _)) = place.split_once("/desks/t").and_then(|(_, rest)| rest.split_once(".1/")) {
                let own = number.parse::<usize>().ok().and_then(|n| scene.attempts.get(n - 1));
                names.retain(|name| own.is_none_or(|own| !own.plays(name)));
            }
            self.add(names, &format!("marked {place}"));
        }
    }

    fn elsewhere(&mut self, scene: &Scene) {
        let caches = ["CARGO_HOME", "RUSTUP_HOME", "HOME"].map(|name| std::env::var(name).unwrap_or_default());
        for folder in ELSEWHERE.into_iter().chain(caches.iter().map(String::as_str)).filter(|it| !it.is_empty()) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("evil.") && name.contains(&scene.tag) {
                    self.add(marks(name.as_bytes()), &format!("wrote into {folder}"));
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
    }

    /// Reads what was printed: what an attack tells of its loot, and what one attempt met of another.
    fn in_logs(&mut self, scene: &Scene) {
        for entry in scene.run_dir().and_then(|run| fs::read_dir(run.join("logs")).ok()).into_iter().flatten().flatten()
        {
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = file.strip_suffix(".gz").unwrap_or(&file);
            let own = scene.attempts.iter().zip(1..).find(|(_, number)| name == format!("t{number}.1.log"));
            let own = own.map(|(attempt, _)| attempt);
            self.add(marks(file.as_bytes()), "left a log");
            for line in printed(&entry.path()).lines() {
                let mut names = marks(line.as_bytes());
                let has_loot = LOOT.is_match(line);
                // What no attempt is named after belongs to a check.
                let is_own = |name: &String| match own {
                    Some(own) => own.plays(name),
                    None => scene.attempts.iter().any(|attempt| attempt.attacks[0].in_check && attempt.plays(name)),
                };
                if line.starts_with("met ") {
                    self.add(names, &format!("was met in {file}"));
                } else if has_loot {
                    self.add(names, &format!("told `{}`", line.chars().take(100).collect::<String>()));
                } else {
                    names.retain(|name| !is_own(name));
                    self.add(names, &format!("wrote into {file}"));
                }
            }
        }
    }

    /// Reads the journal: nothing that an attack made may be told of anybody else.
    fn in_events(&mut self, scene: &Scene) {
        for event in scene.artel(&["log", "--json"]).exits(0).json_lines() {
            let text = event.to_string();
            let kind = event["kind"].as_str().unwrap_or_default();
            let own = event["event"][kind]["attempt"]
                .as_str()
                .and_then(|attempt| attempt[1..].split('.').next()?.parse::<usize>().ok());
            let own = own.and_then(|number| scene.attempts.get(number - 1));
            let mut names = marks(text.as_bytes());
            names.retain(|name| own.is_none_or(|own| !own.plays(name)));
            self.add(
                names,
                &format!("is told of in {kind} {}", event["event"][kind].get("attempt").unwrap_or(&Value::Null)),
            );
        }
    }

    fn in_git(&mut self, scene: &Scene) {
        let repo = scene.house.repo();
        let history = scene.git_in(&repo, &["log", "--all", "--no-textconv", "--format=%an %cn %s %D"]).out;
        self.add(marks(history.as_bytes()), "is in the history");
        let head = scene.head();
        let found = scene.git_in(&repo, &["grep", "-ahoE", "evil[.][a-z0-9-]+[.]z", &head]).out;
        self.add(marks(found.as_bytes()), "is in what landed");
        let names = scene.git_in(&repo, &["ls-tree", "-r", "--name-only", "-z", &head]).out;
        self.add(marks(names.as_bytes()), "is a name in what landed");
        let stolen = scene.git_in(&repo, &["grep", "-lE", "secret-of-[a-z]", &head, "--", "out"]).out;
        self.add(stolen.lines().filter_map(|line| Some(line.rsplit_once('/')?.1.to_owned())), "had a secret land");
        if scene.git_in(&repo, &["cat-file", "-e", &scene.dangling]).code != Some(0) {
            self.add(["git-prune".to_owned()], "removed an object");
        }
        let of = |name: &str| fs::metadata(scene.house.root().join(name)).unwrap();
        if of("rights.txt").permissions().mode() & 0o777 != 0o600 {
            self.add(["rights-of-a-file".to_owned()], "changed rights");
        }
        if of("times.txt").modified().unwrap().elapsed().is_ok_and(|age| age > std::time::Duration::from_secs(86_400)) {
            self.add(["times-of-a-file".to_owned()], "changed times");
        }
    }

    fn on_processes(&mut self, scene: &mut Scene) {
        for (name, victim) in &mut scene.victims {
            if victim.try_wait().unwrap().is_some() {
                self.add([(*name).to_owned()], "ended a process of the host");
            }
            let theirs = Some(Pid::from_child(victim));
            if name.starts_with("slow") && getpriority_process(theirs) != getpriority_process(None) {
                self.add([(*name).to_owned()], "slowed a process of the host down");
            }
        }
    }
}

/// Lists what is not as it was: what was changed, removed or added beside artel's own objects, and beside the song,
/// which tells by its marks who wrote it. Where nothing holds rights, they are not compared.
pub fn changed(scene: &Scene) -> Vec<String> {
    let (before, after) = (&scene.world, scene.look());
    let is_new_object = |name: &str| name.starts_with("repo/.git/objects/") && !before.contains_key(name);
    let holds_rights = scene.tier != Tier::Landlock;
    let seen = |world: &World, name: &String| {
        world.get(name).map(|(mode, content)| (if holds_rights { *mode } else { 0 }, content.clone()))
    };
    let differs =
        |name: &&String| seen(before, name) != seen(&after, name) && !is_new_object(name) && name.as_str() != "sang";
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(differs).cloned().collect()
}

/// Tells how many bytes lie below a folder.
pub fn size(folder: &Path) -> u64 {
    super::world::shape(folder, &|_| false).values().map(|(_, content)| content.len() as u64).sum()
}
