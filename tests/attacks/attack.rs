//! Owns what an attack is: what it runs inside its attempt, which tiers say that they hold it, and what becomes of it
//! where nothing does. Never runs one.

/// Where attempts run; `Bare` is no sandbox at all, the control that shows that the suite can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Bubblewrap,
    Landlock,
    Bare,
}

/// Says which attacks are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    All,
    /// Those that the sandbox itself must hold, and not whoever reads what an attempt leaves.
    ByTheSandbox,
    /// Those that get through where nothing holds them.
    Harmful,
}

/// What an attack does where nothing holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// It has its effect, which harms nothing but what the scene has planted for it.
    Harms,
    /// It has its effect for the superuser.
    HarmsAsRoot,
    /// Whether it has one depends on the kernel and its settings; it harms nothing.
    Depends,
    /// It has none either: what holds it is how artel reads what an attempt leaves.
    Holds,
    /// It could harm the machine or the run itself: it is run only where a sandbox says that it holds it.
    Unsafe,
}

/// What becomes of the attempt where the attack is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Its harmless edit lands.
    Lands,
    /// Nothing of it lands: what it left is refused, or it did not end well.
    Fails,
    /// Either, by how the sandbox answers it.
    Either,
}

/// What an attack is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Shell,
    Python,
}

/// One attack.
pub struct Attack {
    pub name: &'static str,
    language: Language,
    /// What is run in the attempt's worktree.
    body: String,
    /// Paths that its task owns besides `out/NAME`.
    pub owns: &'static [&'static str],
    /// Why Landlock says that it does not hold it, where it does not. Bubblewrap holds each.
    pub past_landlock: Option<&'static str>,
    pub bare: Bare,
    pub ends: Ends,
    /// Whether it stays alive, its tree as it left it, until it is let go.
    pub stays: bool,
    /// Whether it is given a process of the host's to attack.
    pub has_victim: bool,
    /// Whether its body is what the task's check runs, and not the attempt.
    pub in_check: bool,
}

/// One attempt: an attack, or several that do not get in each other's way.
pub struct Attempt {
    /// The name of its first attack, after which its task is called.
    pub name: &'static str,
    pub attacks: Vec<Attack>,
}

/// How many attacks share an attempt at most.
const TOGETHER: usize = 16;

impl Attempt {
    /// Parts attacks into attempts: the first for itself, then those that leave their tree as it is, many together, then
    /// each other alone.
    pub fn of(attacks: Vec<Attack>) -> Vec<Self> {
        let alone = |attack: Attack| Self { name: attack.name, attacks: vec![attack] };
        let mut attacks = attacks.into_iter();
        let mut attempts: Vec<Self> = attacks.next().map(alone).into_iter().collect();
        let (plain, others): (Vec<Attack>, Vec<Attack>) = attacks.partition(Attack::is_plain);
        let mut plain = plain.into_iter().peekable();
        while let Some(name) = plain.peek().map(|attack| attack.name) {
            attempts.push(Self { name, attacks: plain.by_ref().take(TOGETHER).collect() });
        }
        attempts.extend(others.into_iter().map(alone));
        attempts
    }

    /// Tells whether one of its attacks has this name.
    pub fn plays(&self, name: &str) -> bool {
        self.attacks.iter().any(|attack| attack.name == name)
    }

    pub fn stays(&self) -> bool {
        self.attacks[0].stays
    }

    /// Writes the program that plays its attacks, each in a process of its own; one that ends with 77 has its attempt
    /// fail. Those in Python share one that has loaded what they need.
    pub fn program(&self, victim: impl Fn(&str) -> Option<u32>) -> String {
        let mut text = String::new();
        for alike in self.attacks.chunk_by(|one, next| one.language == next.language) {
            let of = |attack: &Attack| victim(attack.name).map(|pid| pid.to_string()).unwrap_or_default();
            match alike[0].language {
                Language::Shell => text.extend(alike.iter().map(|attack| {
                    let Attack { name, body, .. } = attack;
                    let victim = of(attack);
                    format!(
                        "export NAME={name} EVIL=evil.{name}'.z' VICTIM={victim}\necho \"tried $EVIL\"\n(\n{body}\n) 2>&1\n\
                         if [ $? = 77 ]; then exit 3; fi\n"
                    )
                })),
                Language::Python => {
                    let body = |attack: &Attack| serde_json::to_string(&attack.body).unwrap();
                    let line = |attack: &Attack| format!("play('{}', '{}', {})\n", attack.name, of(attack), body(attack));
                    let lines: String = alike.iter().map(line).collect();
                    text += &format!("python3 -S - 2>&1 <<'PYTHON'\n{PRELUDE}\n{lines}PYTHON\n");
                }
            }
        }
        text
    }

    /// Says what becomes of it in a tier where all its attacks are held; nothing where one is not.
    pub fn ends_in(&self, tier: Tier) -> Option<Ends> {
        self.attacks.iter().all(|attack| attack.is_held_in(tier)).then_some(self.attacks[0].ends)
    }
}

/// Makes an attack of shell lines, held by both sandboxes, that has its effect where it is bare.
pub fn sh(name: &'static str, body: &str) -> Attack {
    Attack {
        name,
        language: Language::Shell,
        body: body.to_owned(),
        owns: &[],
        past_landlock: None,
        bare: Bare::Harms,
        ends: Ends::Lands,
        stays: false,
        has_victim: false,
        in_check: false,
    }
}

/// Makes an attack of Python lines; [`PRELUDE`] stands before them.
pub fn py(name: &'static str, body: &str) -> Attack {
    Attack { language: Language::Python, ..sh(name, body) }
}

impl Attack {
    /// Lets the task own these paths as well.
    pub fn owning(self, owns: &'static [&'static str]) -> Self {
        Self { owns, ..self }
    }

    /// Notes that Landlock says that it does not hold it, and why. It must have its effect there then.
    pub fn past_landlock(self, why: &'static str) -> Self {
        Self { past_landlock: Some(why), ..self }
    }

    pub fn bare(self, bare: Bare) -> Self {
        Self { bare, ..self }
    }

    pub fn ending(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }

    pub fn staying(self) -> Self {
        Self { stays: true, ..self }
    }

    pub fn with_victim(self) -> Self {
        Self { has_victim: true, ..self }
    }

    /// Has the task's check run the body: what landed code does while it is tested.
    pub fn in_check(self) -> Self {
        Self { in_check: true, ..self }
    }

    /// Gives the words that its attempt's log holds where it was played.
    pub fn tells_that_it_was_tried(&self) -> String {
        if self.in_check { "tried".to_owned() } else { format!("tried evil.{}.z", self.name) }
    }

    fn is_plain(&self) -> bool {
        self.ends == Ends::Lands && !self.stays && !self.in_check && self.owns.is_empty()
    }

    /// Tells whether it is run in a tier: what could harm the machine only where it is said to be held.
    pub fn runs_in(&self, tier: Tier, choice: Choice) -> bool {
        let is_chosen = match choice {
            Choice::All => true,
            Choice::ByTheSandbox => self.bare != Bare::Holds,
            Choice::Harmful => matches!(self.bare, Bare::Harms | Bare::HarmsAsRoot),
        };
        is_chosen && (self.bare != Bare::Unsafe || tier != Tier::Bare && self.is_held_in(tier))
    }

    /// Tells whether it must have no effect in a tier.
    pub fn is_held_in(&self, tier: Tier) -> bool {
        match tier {
            Tier::Bubblewrap => true,
            Tier::Landlock => self.past_landlock.is_none(),
            Tier::Bare => self.bare == Bare::Holds,
        }
    }

    /// Tells whether it must have its effect in a tier.
    pub fn harms_in(&self, tier: Tier, as_root: bool) -> bool {
        match tier {
            Tier::Bubblewrap => false,
            Tier::Landlock => self.past_landlock.is_some(),
            Tier::Bare => self.bare == Bare::Harms || self.bare == Bare::HarmsAsRoot && as_root,
        }
    }
}

/// What Python attacks start from: system calls by name, and the words in which they tell what they got.
const PRELUDE: &str = r#"
import ctypes, glob, mmap, os, re, signal, socket, struct, sys, time
E = os.environ
HOUSE, REPO, STATE = E['HOUSE'], E['REPO'], E['STATE']
libc = ctypes.CDLL(None, use_errno=True)
X86 = dict(ptrace=101, bpf=321, userfaultfd=323, io_uring_setup=425, add_key=248, keyctl=250, perf_event_open=298,
    unshare=272, setns=308, clone3=435, mount=165, umount2=166, open_by_handle_at=304, name_to_handle_at=303,
    reboot=169, init_module=175, kexec_load=246, process_vm_readv=310, pidfd_open=434, pidfd_getfd=438, syslog=103,
    fanotify_init=300, acct=163, sethostname=170, clock_settime=227, open_tree=428, fsopen=430, chroot=161,
    mq_open=240, mq_unlink=241, mq_timedreceive=243, swapon=167, iopl=172, ioprio_set=251, sched_setattr=314)
ARM = dict(ptrace=117, bpf=280, userfaultfd=282, io_uring_setup=425, add_key=217, keyctl=219, perf_event_open=241,
    unshare=97, setns=268, clone3=435, mount=40, umount2=39, open_by_handle_at=265, name_to_handle_at=264,
    reboot=142, init_module=105, kexec_load=104, process_vm_readv=270, pidfd_open=434, pidfd_getfd=438, syslog=116,
    fanotify_init=262, acct=89, sethostname=161, clock_settime=112, open_tree=428, fsopen=430, chroot=51,
    mq_open=180, mq_unlink=181, mq_timedreceive=183, swapon=224, ioprio_set=30, sched_setattr=274)
NR = X86 if os.uname().machine == 'x86_64' else ARM
libc.syscall.restype = ctypes.c_long

def call(name, *args):
    'Gives the result of a system call, or minus the error.'
    wrapped = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    result = libc.syscall(ctypes.c_long(NR[name]), *wrapped)
    return -ctypes.get_errno() if result == -1 else result

def door(*what):
    'Tells that something is possible which must not be.'
    print(EVIL, 'door-open', *what, flush=True)

def loot(found):
    'Tells what was read; only what holds a secret counts.'
    text = found.decode(errors='replace') if isinstance(found, bytes) else found
    found = re.search('secret-of-[a-z]+', text)
    if found:
        print(EVIL, found[0], flush=True)

def quietly(work, *args):
    'Gives what the work gives, or nothing where it was refused.'
    try:
        return work(*args)
    except (OSError, ValueError):
        return None

def read(path):
    with open(path, 'rb') as file:
        return file.read(1 << 20)

def processes():
    return [int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]

def play(name, victim, body):
    'Plays an attack in a process of its own.'
    global EVIL
    EVIL = E['EVIL'] = f'evil.{name}.z'
    E['NAME'], E['VICTIM'] = name, victim
    pid = os.fork()
    if pid == 0:
        print('tried', EVIL, flush=True)
        try:
            exec(body, globals())
        except BaseException as error:
            print('broke off:', repr(error), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"#;
