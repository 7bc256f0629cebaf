//! Owns what the attacks find: a house with a repository in use, secrets, services, processes and other attempts, and
//! the run in which each attack is an attempt. Never judges what became of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::attack::{Attack, Attempt, Tier};
use super::common::{House, Said, said, unpacked};
use super::crew::{processes, signal};
use super::ears::Ears;
use super::who::{PATH, Who};
use super::world::{World, shape};

/// Keeps secrets in its memory and in what the system shares between processes, until its input ends.
const KEEPER: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
secret = ctypes.create_string_buffer(b'secret-of-memory', 64)
libc.shmat.restype = ctypes.c_void_p
shm = libc.shmget(0, 4096, 0o1600)
at = libc.shmat(shm, None, 0)
ctypes.memmove(at, b'secret-of-shared-memory', 23)
libc.shmctl(shm, 0, None)
tag = os.environ['TAG']
with open('/dev/shm/' + tag, 'w') as file:
    os.chmod(file.name, 0o600)
    file.write('secret-of-shared-file')
rt = ctypes.CDLL('librt.so.1', use_errno=True)
queue = rt.mq_open(('/' + tag).encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
for _ in range(4):
    rt.mq_send(queue, b'secret-of-queue', 15, 0)
rt.mq_open(('/' + tag + '-second').encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
held = open(sys.stdin.readline().strip() + '/secret.txt')
print(shm, ctypes.addressof(secret), flush=True)
sys.stdin.read()
rt.mq_unlink(('/' + tag).encode())
rt.mq_unlink(('/' + tag + '-second').encode())
os.unlink('/dev/shm/' + tag)
"#;

/// What the programs of attempts share: to look for what others left, and to stay until let go.
const WORLD: &str = r#"
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x.invalid GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x.invalid
met() {
    grep -rahoE -D skip --exclude-dir=.git 'evil[.][a-z0-9-]+[.]z' . "$TMPDIR" 2>/dev/null | sort -u | sed 's/^/met /'
}
stay() {
    python3 -S -c "import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {10})
print('staying', flush=True)
signal.sigwait({10})" "staying-$TAG"
}
"#;

/// Plays the program of the attempt that owns a file of its name.
const BEGIN: &str = r#"
name=$(sed -n 's,^out/\([a-z0-9-]*\)$,\1,p' "$ARTEL_PATHS")
sed -n "/^#### $name\$/,/^####/p" attacks/all > "$TMPDIR/program"
exec sh "$TMPDIR/program"
"#;

/// How often it is looked whether all is done, twice a second.
const LOOKS: u32 = 300;

/// Holds everything that is attacked, and those who attack.
pub struct Scene {
    pub house: House,
    pub tier: Tier,
    /// Who runs artel.
    pub who: Who,
    /// All attempts, in the order of their tasks.
    pub attempts: Vec<Attempt>,
    pub tag: String,
    pub victims: BTreeMap<&'static str, Child>,
    pub ears: Ears,
    pub terminal: OwnedFd,
    /// What the repository, the checkout and the home held before.
    pub world: World,
    pub dangling: String,
    pub shm_key: u32,
    free_port: u16,
    keeper: Child,
}

/// Reads a log as it was printed, also where it is packed by now; what cannot be read says nothing.
pub fn printed(log: &Path) -> String {
    let bytes = if log.exists() { unpacked(log) } else { unpacked(&log.with_extension("log.gz")) };
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Scene {
    /// Builds the house and plants all that could be harmed.
    pub fn set(tier: Tier, who: Who, attacks: Vec<Attack>) -> Self {
        let all = Attempt::of(attacks);
        let house = House::with(&[
            ("shared.txt", "long enough to be replaced by a mark\n"),
            ("mine.txt", "mine\n"),
            (".gitignore", "cache/\n"),
            ("goal.md", "---\nname: attacks\ndone: [\"true\"]\n---\nDo what is written.\n"),
            ("plan.yml", &plan(&all)),
        ]);
        let tag = format!("attacks-{}", house.root().file_name().unwrap().to_string_lossy().trim_start_matches('.'));
        plant_home(house.root());
        let ears = Ears::listen(house.root(), &tag);
        let (terminal, terminal_name) = terminal();
        let theirs = |mut command: Command| {
            command.env_clear().env("PATH", PATH);
            who.runs(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        who.is_given(&house, &[&terminal_name]);
        let (keeper, shm, at) = start_keeper(&house, who, &tag);
        let free_port = ears.free_port();
        let shm_key = keeper.id() | 0x4000_0000;
        let known = [
            ("HOUSE", house.root().display().to_string()),
            ("REPO", house.repo().display().to_string()),
            ("STATE", house.home().display().to_string()),
            ("TAG", tag.clone()),
            ("PORT", ears.tcp_port().to_string()),
            ("UDP", ears.udp_port().to_string()),
            ("FREE_PORT", free_port.to_string()),
            ("KEEPER", keeper.id().to_string()),
            ("KEEPER_SHM", shm),
            ("KEEPER_AT", at),
            ("SHM_KEY", shm_key.to_string()),
            ("TERMINAL", terminal_name.clone()),
            ("ARTEL_BINARY", env!("CARGO_BIN_EXE_artel").to_owned()),
        ];
        let mut victims = BTreeMap::new();
        for attack in all.iter().flat_map(|attempt| &attempt.attacks).filter(|attack| attack.has_victim) {
            let mut victim = Command::new("setsid");
            victim.arg("cat");
            victims.insert(attack.name, theirs(victim));
        }
        lay_attacks(&house, &all, &known, &victims);
        let dangling = use_repository(&house);
        let mut scene = Self {
            house,
            tier,
            who,
            attempts: all,
            tag,
            victims,
            ears,
            terminal,
            world: World::new(),
            dangling,
            shm_key,
            free_port,
            keeper,
        };
        who.is_given(&scene.house, &[]);
        scene.world = scene.look();
        scene
    }

    /// Prepares the real binary in the checkout, as the user of the scene and with secrets in its environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.house.command(args);
        command.env("PATH", PATH).env("ANTHROPIC_API_KEY", "secret-of-environment");
        command.env("GITHUB_TOKEN", "secret-of-environment").env("SSH_AUTH_SOCK", self.house.root().join("agent.sock"));
        self.who.runs(command)
    }

    pub fn artel(&self, args: &[&str]) -> Said {
        said(&self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs git in a folder as a person would, with nothing switched off.
    pub fn git_in(&self, folder: &Path, args: &[&str]) -> Said {
        let mut command = Command::new("git");
        command.current_dir(folder).args(args).env_clear().env("PATH", PATH).env("HOME", self.house.root());
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_PAGER", "cat");
        said(&self.who.runs(command).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs a program of the system as the user of the scene.
    pub fn program(&self, program: &str, args: &[&str]) -> Said {
        let mut command = Command::new(program);
        command.args(args).env_clear().env("PATH", PATH);
        said(&self.who.runs(command).stdin(Stdio::null()).output().unwrap())
    }

    /// Gives the commit of the run's branch.
    pub fn head(&self) -> String {
        let run = self.run_dir().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        self.git_in(&self.house.repo(), &["rev-parse", &format!("refs/heads/artel/{run}/main")])
            .exits(0)
            .out
            .trim()
            .to_owned()
    }

    /// Says why a task stands where it does.
    pub fn why(&self, number: usize) -> String {
        self.artel(&["show", &format!("t{number}"), "--json"]).json()["why"].to_string()
    }

    /// Gives what the run itself printed.
    pub fn started_log(&self) -> String {
        fs::read_to_string(self.house.root().join("started.log")).unwrap_or_default()
    }

    /// Starts the run on a terminal of its own, with a descriptor open that no attempt should have.
    pub fn start(&self, more: &[&str]) -> Child {
        let sandbox = match self.tier {
            Tier::Bubblewrap => "bubblewrap",
            Tier::Landlock => "landlock",
            Tier::Bare => "none",
        };
        let mut args = vec!["run", "goal.md", "--name", &self.tag, "--sandbox", sandbox];
        args.extend(["--role", "shard.agents=script:plan.yml", "--role", "worker.mechanical=false"]);
        args.extend(["--role", "worker.agents=command:sh attacks/begin", "--role", "worker.limits.attempts=1"]);
        args.extend(more);
        let artel = self.command(&args);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", "exec 9< \"$0\"; exec \"$@\""]);
        command.arg(self.house.root().join("secret.txt")).arg(artel.get_program()).args(artel.get_args());
        command.current_dir(self.house.repo()).env_clear();
        command.envs(artel.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let name = ptsname(&self.terminal, Vec::new()).unwrap();
        let stdin = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let log = File::create(self.house.root().join("started.log")).unwrap();
        command.stdin(stdin).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    /// Gives the run's own directory.
    pub fn run_dir(&self) -> Option<PathBuf> {
        let runs = self.house.home().join("runs");
        Some(fs::read_dir(&runs).ok()?.flatten().next()?.path())
    }

    /// Reads what an attempt has printed so far.
    pub fn log_of(&self, number: usize) -> String {
        let log = self.run_dir().map(|run| run.join(format!("logs/t{number}.1.log")));
        log.map(|log| printed(&log)).unwrap_or_default()
    }

    /// Waits until each attempt that stays has done its worst, and every other has ended; gives the numbers of those that
    /// never came so far.
    pub fn until_all_is_done(&self, run: &mut Child) -> Vec<usize> {
        let mut missing: Vec<usize> = (1..=self.attempts.len()).collect();
        for _ in 0..LOOKS {
            // Asked first, so that what has ended with the run is seen to have ended.
            let is_over = run.try_wait().unwrap().is_some();
            missing.retain(|n| !(self.attempts[n - 1].stays() && self.log_of(*n).contains("staying")));
            if missing.iter().all(|n| self.log_of(*n).contains("tried")) {
                let ended = self.ended();
                missing.retain(|n| !ended.iter().any(|event| event.contains(&format!("\"t{n}.1\""))));
            }
            if missing.is_empty() || is_over {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        missing
    }

    /// Lists the events by which attempts end.
    fn ended(&self) -> Vec<String> {
        let events = self.artel(&["log", "--json"]).json_lines();
        let ended = events.iter().filter(|event| event["kind"] == "AttemptEnded" || event["kind"] == "AttemptLost");
        ended.map(|event| event["event"].to_string()).collect()
    }

    /// Ends all that is left of the run.
    pub fn end(&self, run: &mut Child) {
        for pid in processes(&self.house).into_keys() {
            // One that has ended meanwhile is as wanted.
            let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
        }
        run.wait().unwrap();
    }

    /// Does what a person does meanwhile: looks at each worktree with git, and calls ports of the host.
    pub fn look_into_trees(&self) {
        let mut trees = Vec::new();
        trees_below(&self.house.home().join("trees"), &mut trees);
        assert!(trees.len() > 1, "no worktree was found");
        for tree in trees {
            for args in [&["status"][..], &["diff"], &["log", "-1", "--patch"], &["add", "--all", "--dry-run"]] {
                self.git_in(&tree, args);
            }
        }
        self.ears.call(self.free_port);
        for number in 1..=self.attempts.len() {
            let log = self.log_of(number);
            let ports = log.lines().filter_map(|line| line.strip_prefix("listening on ")?.trim().parse().ok());
            ports.for_each(|port| self.ears.call(port));
        }
    }

    /// Lets those go that stay.
    pub fn let_go(&self) {
        for (pid, line) in processes(&self.house) {
            if line.contains(&format!("staying-{}", self.tag)) {
                signal(pid, "USR1");
            }
        }
    }

    /// Describes all that is the user's: checkout, git directory, home; and not what is artel's to change.
    pub fn look(&self) -> World {
        let ours = |name: &str| {
            let git = name.strip_prefix("repo/.git/").unwrap_or_default();
            let parents = ["refs/artel", "refs/heads/artel", "logs/refs/heads/artel", "logs/refs/artel"];
            let is_ours = parents.iter().any(|parent| git == *parent || git.starts_with(&format!("{parent}/")));
            // Whoever asks git for the status has it refresh its index.
            is_ours || git == "index" || git.starts_with("worktrees/artel-") || name == "state" || name == "started.log"
        };
        shape(self.house.root(), &ours)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Each ends with its input, so that it ends too where the test was killed.
        for child in self.victims.values_mut().chain([&mut self.keeper]) {
            drop(child.stdin.take());
        }
        let _ = self.keeper.wait();
        for victim in self.victims.values_mut() {
            // One that an attack has stopped does not end of itself.
            let _ = victim.kill();
            let _ = victim.wait();
        }
    }
}

/// Starts who keeps secrets outside; gives the number of its shared memory and the place of a secret in its own.
fn start_keeper(house: &House, who: Who, tag: &str) -> (Child, String, String) {
    let mut keeping = Command::new("python3");
    keeping.args(["-c", KEEPER]).env_clear().env("PATH", PATH).env("TAG", tag);
    keeping.env("KEEPER_ENV", "secret-of-a-process");
    let mut command = who.runs(keeping);
    let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It is told by another way than its environment where the house is: it is none of the run's processes.
    writeln!(keeper.stdin.as_mut().unwrap(), "{}", house.root().display()).unwrap();
    let mut kept = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut kept).unwrap();
    let (shm, at) = kept.trim().split_once(' ').unwrap_or_else(|| panic!("the keeper said `{kept}`"));
    (keeper, shm.to_owned(), at.to_owned())
}

/// Lists the worktrees of a pool, wherever in it they lie.
fn trees_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
        if entry.path().join("goal.md").is_file() {
            into.push(entry.path());
        } else {
            trees_below(&entry.path(), into);
        }
    }
}

fn plan(attempts: &[Attempt]) -> String {
    let mut plan = "plan:\n  - emit:\n".to_owned();
    for Attempt { name, attacks } in attempts {
        let paths: String = attacks[0].owns.iter().map(|path| format!(", \"{path}\"")).collect();
        let checks = if attacks[0].in_check { format!(", checks: [\"sh out/{name}\"]") } else { String::new() };
        plan.push_str(&format!("      - {{key: {name}, title: {name}, paths: [out/{name}{paths}]{checks}}}\n"));
    }
    plan
}

fn plant_home(home: &Path) {
    for (path, text) in [
        (".ssh/id_ed25519", "secret-of-ssh\n"),
        (".ssh/authorized_keys", "ssh-ed25519 AAAA a person\n"),
        (".netrc", "machine x password secret-of-netrc\n"),
        (".aws/credentials", "secret-of-aws\n"),
        (".config/gh/hosts.yml", "secret-of-forge\n"),
        (".docker/config.json", "secret-of-docker\n"),
        (".npmrc", "secret-of-npm\n"),
        (".bashrc", "# a person's\n"),
        (".gitconfig", "[user]\n\tname = A Person\n[safe]\n\tdirectory = *\n"),
        ("secret.txt", "secret-of-a-file\n"),
        ("secret.json", "{\"done\": \"secret-of-a-document\"}\n"),
        ("outside.txt", "mine\n"),
        ("second.txt", "mine\n"),
        ("rights.txt", "mine\n"),
        ("times.txt", "mine\n"),
        ("movable/x", "mine\n"),
        ("trap/mine", "mine\n"),
    ] {
        let place = home.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, text).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Writes the attempts as programs of the repository, with what they may know of the scene: all there is. They are one
/// file, since each attempt is given all files.
fn lay_attacks(house: &House, attempts: &[Attempt], known: &[(&str, String)], victims: &BTreeMap<&'static str, Child>) {
    let mut world: String = known.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    world.push_str(WORLD);
    house.write("attacks/world", &world);
    house.write("attacks/begin", BEGIN);
    let mut all = String::new();
    for attempt in attempts {
        let Attempt { name, attacks } = attempt;
        let body = attempt.program(|name| victims.get(name).map(Child::id));
        let text = if attacks[0].in_check {
            house.write(&format!("attacks/{name}.check"), &format!(". attacks/world\nmet\n{body}true\n"));
            format!("mkdir -p out; cp attacks/{name}.check out/{name}; echo tried\n")
        } else {
            let stay = if attacks[0].stays { "stay; met\n" } else { "" };
            format!(
                ". attacks/world\nexport OWN={name}\nmkdir -p out; echo done > out/{name}; met\n{body}{stay}echo finished\n"
            )
        };
        all.push_str(&format!("#### {name}\n{text}"));
    }
    house.write("attacks/all", &all);
    house.commit("attacks");
}

/// Leaves the repository as one in use: other branches, a worktree, unsaved work, an object that nothing names.
fn use_repository(house: &House) -> String {
    house.git(&["branch", "victim"]);
    house.git(&["branch", "side"]);
    house.git(&["worktree", "add", "--quiet", "../side", "side"]);
    house.write("mine.txt", "mine, and not committed\n");
    house.write("untracked.txt", "secret-of-untracked-work\n");
    fs::write(house.root().join("dangling"), "an object that nothing names\n").unwrap();
    house.git(&["hash-object", "-w", "../dangling"])
}

/// Opens a terminal; gives the end that a person holds, and the name of the other.
fn terminal() -> (OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    rustix::io::ioctl_fionbio(&master, true).unwrap();
    (master, name)
}
