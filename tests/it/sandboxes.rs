//! Tests what the sandboxes promise of a job: what it sees, what it can do there, and what no job reaches out of it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use artel::io::hands::{Enclosure, Ended, Hands, Job, JobLimits, Local, View, try_out};
use artel::io::process::{How, Program};
use artel::model::sandbox::Tier;
use tokio::sync::watch;

use crate::common::{House, RENAME, rename_goal};

const WALLED: [Tier; 2] = [Tier::Bubblewrap, Tier::Landlock];

fn hands(tier: Tier) -> Hands {
    let artel = PathBuf::from(env!("CARGO_BIN_EXE_artel"));
    let enclosure = Enclosure::of(tier, &artel, std::env::var("PATH").ok().as_deref());
    Hands::Local(Local::with_init(artel, enclosure.expect("bubblewrap is installed: .ci/test sees to it")))
}

/// A folder in which a job works, and one that it must not reach.
struct Yard {
    dir: tempfile::TempDir,
}

impl Yard {
    fn new() -> Self {
        let yard = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["in", "out", "home"] {
            fs::create_dir(yard.at(folder)).unwrap();
        }
        fs::write(yard.at("out/canary"), "canary").unwrap();
        fs::write(yard.at("home/canary"), "canary").unwrap();
        yard
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn job(&self, line: &str) -> Job {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let env = [
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("HOME", text(self.at("home"))),
            ("OUT", text(self.at("out"))),
            ("TMPDIR", text(self.at("in"))),
        ];
        Job {
            grown: None,
            program: Program::Shell(line.to_owned()),
            cwd: self.at("in"),
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            view: View { write: vec![self.at("in")], empty: vec![self.at("home")], ..View::default() },
            limits: JobLimits { grace: Duration::from_millis(100), ..JobLimits::default() },
            log: self.at("log"),
            clock: self.at("in/clock"),
            tail_bytes: 16 << 10,
        }
    }

    fn run(&self, tier: Tier, line: &str) -> Ended {
        run(tier, self.job(line))
    }
}

fn run(tier: Tier, job: Job) -> Ended {
    let (_wanted, cancelled) = watch::channel(false);
    runtime().block_on(hands(tier).run(job, cancelled)).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What a job says that asks at its gate and then at a port of the machine.
const AT_THE_GATE: &str = r#"exec bash -c '
exec 3<>/dev/tcp/${ARTEL_GATE%:*}/${ARTEL_GATE#*:} && cat <&3
(exec 4<>/dev/tcp/127.0.0.1/$ELSEWHERE) 2>/dev/null && echo reached || echo refused'"#;

#[test]
fn a_gate_leads_to_who_holds_it_and_to_nobody_else() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    for tier in Tier::ALL {
        let yard = Yard::new();
        let mut job = yard.job(AT_THE_GATE);
        job.env.insert("ELSEWHERE".to_owned(), elsewhere.local_addr().unwrap().port().to_string());
        let (_wanted, cancelled) = watch::channel(false);
        let ended = runtime().block_on(async {
            let (gate, opened) = tokio::sync::oneshot::channel();
            let served = tokio::spawn(async move {
                let listener: tokio::net::TcpListener = opened.await.unwrap();
                let (mut asked, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut asked, b"who holds it\n").await.unwrap();
            });
            let ended = hands(tier).run_with_gate(job, cancelled, gate).await.unwrap();
            served.await.unwrap();
            ended
        });
        let elsewhere = if tier == Tier::None { "reached" } else { "refused" };
        assert_eq!((ended.how, ended.tail), (How::Exited(0), format!("who holds it\n{elsewhere}\n")), "{tier}");
    }
}

#[test]
fn a_gate_that_nobody_holds_is_closed_and_harms_nobody() {
    for tier in Tier::ALL {
        let yard = Yard::new();
        let job = yard.job("exec bash -c '(exec 3<>/dev/tcp/127.0.0.1/${ARTEL_GATE#*:}) 2>/dev/null || echo closed'");
        let (_wanted, cancelled) = watch::channel(false);
        let (gate, opened) = tokio::sync::oneshot::channel();
        drop(opened);
        let ended = runtime().block_on(hands(tier).run_with_gate(job, cancelled, gate)).unwrap();
        assert_eq!((ended.how, ended.tail.as_str()), (How::Exited(0), "closed\n"), "{tier}");
    }
}

#[test]
fn the_trial_passes_in_both_and_tells_what_is_open_without() {
    let yard = Yard::new();
    let home = yard.at("home");
    for tier in WALLED {
        runtime().block_on(try_out(&hands(tier), yard.dir.path(), Some(&home))).unwrap();
    }
    let error = runtime().block_on(try_out(&hands(Tier::None), yard.dir.path(), Some(&home))).unwrap_err().to_string();
    for way in [
        "read a file of artel's",
        "write a file of artel's",
        "read the user's home",
        "connect to a port",
        "signal a process",
    ] {
        assert!(error.contains(way), "{way}: {error}");
    }
    assert!(
        fs::read_dir(yard.dir.path()).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("trial"))
    );
}

#[test]
fn a_job_works_where_it_may_and_nowhere_else() {
    for tier in WALLED {
        let yard = Yard::new();
        let ended = yard.run(tier, "echo made > made; cat made; echo over > $OUT/canary; cat $OUT/canary; cat $HOME/canary; echo x > /usr/x; exit 7");
        assert_eq!(ended.how, How::Exited(7), "{tier}: {}", ended.tail);
        assert!(ended.tail.starts_with("made\n") && !ended.tail.contains("canary\n"), "{tier}: {}", ended.tail);
        assert_eq!(fs::read_to_string(yard.at("in/made")).unwrap(), "made\n");
        assert_eq!(fs::read_to_string(yard.at("out/canary")).unwrap(), "canary");
        assert!(!Path::new("/usr/x").exists());
    }
}

#[test]
fn what_is_granted_is_seen_as_it_is_granted() {
    for tier in WALLED {
        let yard = Yard::new();
        let mut job = yard.job("cat $OUT/canary && ! echo x 2>&1 > $OUT/canary && ! echo x 2>&1 > $OUT/new");
        job.view.read.push(yard.at("out"));
        assert_eq!(run(tier, job).how, How::Exited(0), "{tier}");
        let mut job = yard.job("echo new > $OUT/new");
        job.view.write.push(yard.at("out"));
        assert_eq!(run(tier, job).how, How::Exited(0), "{tier}");
        assert_eq!(fs::read_to_string(yard.at("out/new")).unwrap(), "new\n");
    }
}

#[test]
fn a_file_in_anothers_place_can_be_read_and_neither_written_nor_moved() {
    let yard = Yard::new();
    fs::write(yard.at("in/.git"), "the worktree's").unwrap();
    let mut job = yard.job("cat .git; echo x > .git || rm -f .git || mv .git other || echo held");
    job.view.instead.push((yard.at("in/.git"), yard.at("out/canary")));
    let ended = run(Tier::Bubblewrap, job);
    assert!(ended.tail.starts_with("canary") && ended.tail.ends_with("held\n"), "{}", ended.tail);
    assert_eq!(fs::read_to_string(yard.at("in/.git")).unwrap(), "the worktree's");
}

#[test]
fn there_is_no_network_but_the_jobs_own_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for tier in WALLED {
        let ended = Yard::new()
            .run(tier, &format!("exec 3<>/dev/tcp/127.0.0.1/{port} || bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'"));
        assert_ne!(ended.how, How::Exited(0), "{tier}");
        assert!(listener.accept().is_err(), "{tier}");
    }
    let own = "import socket as s\na = s.socket(); a.bind(('127.0.0.1', 0)); a.listen()\n\
               b = s.create_connection(a.getsockname()); b.send(b'x'); print(a.accept()[0].recv(1))";
    let ended = Yard::new().run(Tier::Bubblewrap, &format!("/usr/bin/python3 -c \"{own}\""));
    assert_eq!(ended.tail, "b'x'\n");
}

#[test]
fn a_socket_that_was_given_is_the_only_way_out() {
    let yard = Yard::new();
    let listen = |name: &str| {
        let socket = std::os::unix::net::UnixListener::bind(yard.at("out").join(name)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let (given, other) = (listen("given"), listen("other"));
    let line = "/usr/bin/python3 -c \"import socket as s\nfor name in ('given', 'other'):\n  a = s.socket(s.AF_UNIX)\n  try: a.connect('$OUT/' + name); print(name, 'met')\n  except OSError: print(name, 'not met')\"";
    let mut job = yard.job(line);
    job.view.read.push(yard.at("out/given"));
    assert_eq!(run(Tier::Bubblewrap, job).tail, "given met\nother not met\n");
    assert!(given.accept().is_ok() && other.accept().is_err());
    let ended = yard.run(Tier::Landlock, line);
    assert_ne!(ended.how, How::Exited(0), "docs/sandbox.md says that there is none: {}", ended.tail);
}

#[test]
fn a_leased_port_can_be_listened_on_and_reached_under_landlock() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let line = format!(
        "/usr/bin/python3 -c \"import socket as s\na = s.socket(); a.bind(('127.0.0.1', {port})); a.listen()\nb = s.create_connection(a.getsockname()); b.send(b'x'); print(a.accept()[0].recv(1))\""
    );
    let yard = Yard::new();
    let mut job = yard.job(&line);
    job.view.ports.push(port);
    assert_eq!(run(Tier::Landlock, job).tail, "b'x'\n");
    assert_ne!(yard.run(Tier::Landlock, &line).how, How::Exited(0), "it was not leased");
}

/// Calls that lead out of sandboxes, each as Python makes it, with the errors that say it is refused.
#[cfg(target_arch = "x86_64")]
const CALLS: [(&str, &str); 14] = [
    ("unshare a user namespace", "l.unshare(0x10000000)"),
    ("unshare mounts", "l.unshare(0x20000)"),
    ("join a namespace", "l.setns(0, 0)"),
    ("mount", "l.mount(b'none', b'/tmp', b'tmpfs', 0, None)"),
    ("unmount", "l.umount2(b'/usr', 2)"),
    ("change the root", "l.chroot(b'/')"),
    ("trace", "l.ptrace(0, 0, 0, 0)"),
    ("bpf", "l.syscall(321, 0, 0, 0)"),
    ("keyctl", "l.syscall(250, 0, 0, 0)"),
    ("io_uring", "l.syscall(425, 1, 0)"),
    ("userfaultfd", "l.syscall(323, 0)"),
    ("perf", "l.syscall(298, 0, 0, 0, 0, 0)"),
    ("clone a user namespace", "l.syscall(56, 0x10000011, 0, 0, 0, 0)"),
    ("open by handle", "l.syscall(304, 0, 0, 0)"),
];

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_that_lead_out_are_refused() {
    let mut program = "import ctypes, errno, socket\nl = ctypes.CDLL(None, use_errno=True)\n".to_owned();
    for (name, call) in CALLS {
        program += &format!(
            "ctypes.set_errno(0)\nr = {call}\nprint('{name}', r, ctypes.get_errno() in (errno.EPERM, errno.ENOSYS))\n"
        );
    }
    for family in [17, 38, 40, 16] {
        program += &format!(
            "try:\n  socket.socket({family}, 3, 9); print('family {family} 0')\nexcept OSError as e:\n  print('family {family}', -1, True)\n"
        );
    }
    program += "import fcntl\ntry:\n  fcntl.ioctl(0, 0x5412, b'x'); print('type 0')\nexcept OSError as e:\n  print('type', -1, e.errno == errno.EPERM)\n";
    for tier in WALLED {
        let yard = Yard::new();
        fs::write(yard.at("in/calls.py"), &program).unwrap();
        let ended = yard.run(tier, "/usr/bin/python3 calls.py");
        assert_eq!(
            (ended.how, ended.tail.lines().count()),
            (How::Exited(0), CALLS.len() + 5),
            "{tier}: {}",
            ended.tail
        );
        for line in ended.tail.lines() {
            assert!(line.ends_with("-1 True"), "{tier}: {line}");
        }
    }
}

#[test]
fn no_capability_is_left_and_none_comes_back() {
    for tier in WALLED {
        let ended =
            Yard::new().run(tier, "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status");
        for line in ended.tail.lines() {
            let (name, value) = line.split_once(":\t").unwrap();
            match name {
                "NoNewPrivs" => assert_eq!(value, "1", "{tier}"),
                "Seccomp" => assert_eq!(value, "2", "{tier}"),
                // Without rights to begin with, nothing can be taken out of the set that only bounds them.
                "CapBnd" if !rustix::process::geteuid().is_root() => {}
                _ => assert_eq!(value, "0000000000000000", "{tier}: {name}"),
            }
        }
        assert_eq!(ended.tail.lines().count(), 7, "{tier}: {}", ended.tail);
    }
}

#[test]
fn a_kernel_setting_cannot_be_written_by_the_superuser_either() {
    for tier in WALLED {
        let ended = Yard::new().run(
            tier,
            ": >> /proc/sys/kernel/core_pattern && echo open; : >> /proc/sys/vm/drop_caches && echo open; exit 0",
        );
        assert!(!ended.tail.contains("open\n"), "{tier}: {}", ended.tail);
    }
}

#[test]
fn supervision_works_as_without() {
    for tier in WALLED {
        let yard = Yard::new();
        let ended = yard.run(tier, "setsid sleep 1000 & sleep 1000 & exit 3");
        assert_eq!((ended.how, ended.usage.leaked), (How::Exited(3), 2), "{tier}: {}", ended.tail);
        let ended = yard.run(tier, "kill -SEGV $$");
        assert_eq!(ended.how, How::Signalled(11), "{tier}");
        let mut job = yard.job("trap '' TERM; sleep 1000 & wait; sleep 1000");
        job.limits.wall = Duration::from_millis(300);
        assert_eq!(run(tier, job).how, How::WallLimit, "{tier}");
        let mut job = yard.job("yes");
        job.limits.output_bytes = 100_000;
        assert_eq!(run(tier, job).how, How::OutputLimit, "{tier}");
        let mut job = yard.job("sleep 1000");
        job.limits.idle = Duration::from_millis(300);
        assert_eq!(run(tier, job).how, How::IdleLimit, "{tier}");
        let ended =
            yard.run(tier, "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo 1500 > $ARTEL_VIRTUAL");
        assert!(ended.usage.cpu_ms >= 10, "{tier}: {:?}", ended.usage);
        assert_eq!(ended.virtual_ms, 1500, "{tier}");
    }
}

/// Doubles nine times, then sleeps: 512 processes, each of which has tried to leave its session and whose parent is dead,
/// so that only a namespace or a group holds them together. It is bounded by itself, lest a fault here take the machine.
const CROWD: &str = "echo '[ $1 = 0 ] && exec sleep 30; setsid sh ./f $(($1 - 1)) & setsid sh ./f $(($1 - 1)) & exit' > f; \
                     sh ./f 9; sleep 30";

fn nothing_is_left_in(folder: &Path) -> bool {
    let is_in = |entry: fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    !fs::read_dir("/proc").unwrap().flatten().any(is_in)
}

#[test]
fn what_has_more_processes_than_it_may_is_ended_whole() {
    for tier in WALLED {
        let yard = Yard::new();
        let mut job = yard.job(CROWD);
        job.limits.processes = 64;
        job.limits.wall = Duration::from_secs(20);
        let ended = run(tier, job);
        if rustix::process::geteuid().is_root() {
            assert_eq!(ended.how, How::Signalled(9), "{tier}: {}", ended.tail);
            assert!(ended.tail.contains("more processes than it may have"), "{tier}: {}", ended.tail);
        } else {
            assert!(!matches!(ended.how, How::Exited(0) | How::InitLost), "{tier}: {}", ended.tail);
        }
        assert!(nothing_is_left_in(&yard.at("in")), "{tier}");
    }
}

#[test]
fn a_crowd_is_ended_whole_at_the_wall_limit() {
    for tier in WALLED {
        let yard = Yard::new();
        let mut job = yard.job(CROWD);
        job.limits.processes = 1_000_000;
        job.limits.wall = Duration::from_millis(1500);
        assert_eq!(run(tier, job).how, How::WallLimit, "{tier}");
        assert!(nothing_is_left_in(&yard.at("in")), "{tier}");
    }
}

#[test]
fn a_job_can_neither_end_its_init_nor_speak_for_it() {
    for tier in WALLED {
        let yard = Yard::new();
        let line = "kill -9 $PPID; for fd in /proc/$PPID/fd/*; do echo '{\"end\":{\"exited\":0}}' > $fd; cat < $fd; done; cat /proc/$PPID/environ; exit 9";
        let ended = yard.run(tier, line);
        assert_eq!(ended.how, How::Exited(9), "{tier}: {}", ended.tail);
    }
}

#[test]
fn a_sandbox_that_cannot_be_made_says_so() {
    let yard = Yard::new();
    let mut job = yard.job("true");
    job.view.write.push(yard.at("none"));
    let (_wanted, cancelled) = watch::channel(false);
    let error = runtime().block_on(hands(Tier::Bubblewrap).run(job, cancelled)).unwrap_err().to_string();
    assert!(error.starts_with("make a sandbox: bwrap: "), "{error}");
}

/// A house with one task for one agent.
fn house() -> House {
    let goal = rename_goal("checks: [\"true\"]\nplan: { planner: shard, rules: [rename.yml] }\n");
    House::with(&[("a.py", "old(1)\n"), ("rename.yml", RENAME), ("goal.md", &goal)])
}

fn agent(line: &str) -> String {
    format!("worker.agents=['command:{line}']")
}

fn log(house: &House) -> String {
    fs::read_to_string(house.home().join("runs").join(house.run()).join("logs/t1.1.log")).unwrap()
}

#[test]
fn an_agents_git_works_and_touches_nothing() {
    for tier in ["bubblewrap", "landlock"] {
        let house = house();
        let line = "sed -i s/old/new/ a.py && git status --short && git log --format=%s && git diff --stat && git commit -qam mine && git log -1 --format=%s && git branch own && git tag mark && git config core.fsmonitor ./x && git gc -q";
        let before = fs::read(house.repo().join(".git/config")).unwrap();
        let said = house.artel(&["run", "goal.md", "--sandbox", tier, "--role", &agent(line)]);
        assert_eq!(said.code, Some(0), "{tier}: {}{}", said.err, log(&house));
        let told = log(&house);
        assert!(told.starts_with(" M a.py\nbase\n") && told.contains("mine\n"), "{tier}: {told}");
        assert_eq!(house.landed("a.py"), "new(1)");
        assert_eq!(fs::read(house.repo().join(".git/config")).unwrap(), before, "{tier}");
        let refs = house.git(&["for-each-ref", "--format=%(refname)"]);
        assert!(refs.lines().all(|name| name == "refs/heads/main" || name.contains("artel/")), "{tier}: {refs}");
        assert_eq!(house.board()["sandbox"], tier);
    }
}

#[test]
fn a_file_of_the_repository_raises_the_tier_and_never_lowers_it() {
    let house = house();
    house.write("artel.toml", "sandbox = 'none'\n");
    house.commit("lower");
    assert_eq!(house.artel(&["run", "goal.md", "--sandbox", "bubblewrap"]).code, Some(0));
    assert_eq!(house.board()["sandbox"], "bubblewrap");
    house.write("artel.toml", "sandbox = 'landlock'\n");
    house.commit("raise");
    assert_eq!(house.artel(&["run", "goal.md"]).code, Some(0));
    assert_eq!(house.board()["sandbox"], "bubblewrap", "the best that holds");
    house.write("artel.toml", "sandbox = 'bubblewrap'\n");
    house.commit("raise more");
    let said = house.artel(&["run", "goal.md", "--sandbox", "landlock"]);
    assert_eq!(said.code, Some(13), "{}", said.err);
    assert!(said.err.contains("artel.toml asks for bubblewrap"), "{}", said.err);
}

#[test]
fn without_bubblewrap_landlock_holds_and_what_was_asked_for_and_is_not_there_is_refused() {
    let house = house();
    let artel = |args: &[&str]| {
        let artel = house.command(args);
        let mut without = std::process::Command::new("bwrap");
        without.args(["--dev-bind", "/", "/", "--ro-bind", "/dev/null", "/usr/bin/bwrap"]);
        without.arg(artel.get_program()).args(args).current_dir(house.repo()).env_clear();
        without.envs(artel.get_envs().filter_map(|(name, value)| Some((name, value?))));
        crate::common::said(&without.output().unwrap())
    };
    artel(&["run", "goal.md"]).exits(0);
    assert_eq!(house.board()["sandbox"], "landlock");
    artel(&["doctor"]).exits(0).says("landlock holds").says("install bubblewrap");
    artel(&["run", "goal.md", "--sandbox", "bubblewrap"]).exits(13).says("bwrap").says("--sandbox none");
    assert_eq!(house.board()["counts"]["landed"], 0, "nothing was begun");
    artel(&["resume", "--sandbox", "none"]).exits(0).says("with your rights");
    assert_eq!(house.landed("a.py"), "new(1)");
}

#[test]
fn a_check_that_is_red_from_the_start_in_a_sandbox_may_lack_a_grant_and_the_board_says_so() {
    let house = house();
    house.write("goal.md", &rename_goal("checks: [\"false\"]\nplan: { planner: shard, rules: [rename.yml] }\n"));
    house.commit("red");
    let hint = "something is not granted";
    house.artel(&["run", "goal.md"]).says(hint);
    let open = house.artel(&["run", "goal.md", "--sandbox", "none"]);
    assert!(open.out.contains("red on the base already") && !open.out.contains(hint), "{}", open.out);
}

#[test]
fn none_is_said() {
    let house = house();
    let said = crate::common::said(&house.command(&["run", "goal.md"]).env("ARTEL_SANDBOX", "none").output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        format!("{}{}", said.out, said.err).contains("without a sandbox, with your rights"),
        "{}{}",
        said.out,
        said.err
    );
    assert_eq!(house.board()["sandbox"], "none");
    let wrong = crate::common::said(&house.command(&["run", "goal.md"]).env("ARTEL_SANDBOX", "nome").output().unwrap());
    assert!(wrong.code != Some(0) && wrong.err.contains("`nome` names no sandbox"), "{}", wrong.err);
}

#[test]
fn a_grant_that_shows_a_credential_is_refused() {
    let house = house();
    let home = house.root().to_string_lossy().into_owned();
    let said = house.artel(&[
        "run",
        "goal.md",
        "--sandbox",
        "bubblewrap",
        "--role",
        &agent("true"),
        "--role",
        &format!("worker.grants.read={home}/.ssh"),
    ]);
    assert_ne!(said.code, Some(0));
    let events = house.artel(&["log"]).out;
    assert!(events.contains("it would show"), "{events}");
}

#[test]
fn only_this_attempts_desk_is_seen() {
    let house = house();
    let line = "sed -i s/old/new/ a.py; echo desks $(ls $(dirname $(dirname $ARTEL_BRIEF)))";
    let role = agent(line);
    let said = house.artel(&["run", "goal.md", "--sandbox", "bubblewrap", "--role", &role]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(log(&house).contains("desks t1.1\n"), "{}", log(&house));
}

#[test]
fn doctor_tries_the_sandbox_out() {
    let house = house();
    let facts = house.artel(&["doctor", "--json"]).json();
    let fact = facts.as_array().unwrap().iter().find(|fact| fact["name"] == "sandbox").unwrap();
    assert_eq!(fact["fit"], "good", "{fact}");
    assert!(fact["found"].as_str().unwrap().starts_with("bubblewrap holds"), "{fact}");
}

#[test]
fn set_variables_reach_a_job_but_no_other_does() {
    let yard = Yard::new();
    for tier in WALLED {
        let ended = yard.run(tier, "env | cut -d= -f1 | sort");
        let names: Vec<&str> = ended.tail.lines().collect();
        assert_eq!(names, ["ARTEL_JOB", "ARTEL_VIRTUAL", "HOME", "OUT", "PATH", "PWD", "TMPDIR"], "{tier}");
    }
}
