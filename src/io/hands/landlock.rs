//! Owns the walls without namespaces: Landlock for files, TCP, signals and abstract sockets, a filter of system calls
//! for the rest, and no capabilities. Hides nothing: what may not be opened can still be seen to be there.

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_capabilities_secure_bits,
};
use serde::{Deserialize, Serialize};

use super::seccomp::{self, Beside};
use super::view::{System, View};

/// The oldest version that keeps signals and abstract sockets in: with less, a job could end processes of its user.
const NEEDED: ABI = ABI::V6;

/// Devices that every program may use.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Lists what a job may reach.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Allowed {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    ports: Vec<u16>,
    /// A port on which somebody outside listens for it.
    gate: Option<u16>,
    links: Vec<(PathBuf, PathBuf)>,
}

impl Allowed {
    /// Lets the job connect to a port, and not listen on it.
    pub(super) fn let_connect(&mut self, port: u16) {
        self.gate = Some(port);
    }
}

/// Gives what a view allows; folders that would be empty are left out, since nothing can be laid over them.
pub(super) fn allowed(view: &View, system: &System) -> Allowed {
    let own = ["/proc", "/proc/self/exe"].map(PathBuf::from);
    let links = system.links.iter().map(|(link, _)| link);
    let read = system.read.iter().chain(links).chain(&view.read).cloned().chain(own).collect();
    let write = view.write.iter().cloned().chain(DEVICES.map(PathBuf::from)).collect();
    Allowed { read, write, ports: view.ports.clone(), gate: None, links: view.links.clone() }
}

/// Puts the walls round the present thread and all that it starts.
///
/// # Errors
/// Fails where the kernel lacks any of it.
pub(super) fn put_on(allowed: &Allowed) -> io::Result<()> {
    give_up_capabilities()?;
    restrict(allowed).map_err(io::Error::other)?;
    seccomp::put_on(if allowed.ports.is_empty() && allowed.gate.is_none() {
        Beside::LandlockWithoutPorts
    } else {
        Beside::Landlock
    })?;
    lay_links(&allowed.links);
    Ok(())
}

/// Lays links where the job may write. It is done within the walls, since the way there may lead elsewhere by then; what
/// stands in it was put there by the job itself, whose loss it is.
fn lay_links(links: &[(PathBuf, PathBuf)]) {
    for (place, target) in links {
        let _ = place.parent().map(std::fs::create_dir_all);
        let _ = std::os::unix::fs::symlink(target, place);
    }
}

fn restrict(allowed: &Allowed) -> Result<(), RulesetError> {
    let port = |port: &u16| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::from_all(NEEDED)));
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .handle_access(AccessNet::from_all(NEEDED))?
        .scope(Scope::from_all(NEEDED))?
        .create()?
        .add_rules(path_beneath_rules(&allowed.read, AccessFs::from_read(NEEDED)))?
        .add_rules(path_beneath_rules(&allowed.write, AccessFs::from_all(NEEDED)))?
        .add_rules(allowed.ports.iter().map(port))?
        .add_rules(allowed.gate.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp))))?
        .restrict_self()?;
    Ok(())
}

/// Gives up what the superuser may do beyond owning files, for this thread and for good.
fn give_up_capabilities() -> io::Result<()> {
    let held = capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        let locked = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        set_capabilities_secure_bits(locked)?;
        for capability in CapabilitySet::all().iter() {
            match remove_capability_from_bounding_set(capability) {
                // The kernel does not know those that are newer than it.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
