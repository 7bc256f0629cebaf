//! Owns which loopback ports are leased to attempts. Never listens on one for longer than it takes to find it free.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

/// Says that no free port was found.
#[derive(Debug, thiserror::Error)]
#[error("lease {wanted} free ports of this machine")]
pub struct PortsError {
    wanted: u32,
    #[source]
    source: io::Error,
}

/// Leases ports, so that no two attempts of this process hold the same one.
///
/// The system may still give a leased port to a stranger: a lease keeps attempts apart, it does not reserve.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    leased: Arc<Mutex<BTreeSet<u16>>>,
}

/// Holds ports until it is dropped.
#[derive(Debug)]
pub struct PortsLease {
    ports: Vec<u16>,
    leased: Arc<Mutex<BTreeSet<u16>>>,
}

impl Ports {
    /// Leases ports that are free on the loopback address.
    ///
    /// # Errors
    /// Fails where the system has no free port left.
    pub fn lease(&self, wanted: u32) -> Result<PortsLease, PortsError> {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        // All are held at once, so that the system does not offer one of them twice.
        let (mut held, mut ports) = (Vec::new(), Vec::new());
        while (ports.len() as u64) < u64::from(wanted) {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            let found = free.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
            let (port, listener) = found.map_err(|source| PortsError { wanted, source })?;
            if leased.insert(port) {
                ports.push(port);
            }
            held.push(listener);
        }
        Ok(PortsLease { ports, leased: Arc::clone(&self.leased) })
    }
}

impl PortsLease {
    /// Lists the ports, in the order in which they are named to the attempt.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Names the ports as the environment of an attempt does: `ARTEL_PORT_1` and on.
    pub fn env(&self) -> impl Iterator<Item = (String, String)> {
        self.ports.iter().enumerate().map(|(i, port)| (format!("ARTEL_PORT_{}", i + 1), port.to_string()))
    }
}

impl Drop for PortsLease {
    fn drop(&mut self) {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        for port in &self.ports {
            leased.remove(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_attempts_never_share_a_port() {
        let ports = Ports::default();
        let leases: Vec<PortsLease> = (0..8).map(|_| ports.lease(16).unwrap()).collect();
        let all: BTreeSet<u16> = leases.iter().flat_map(|lease| lease.ports().to_vec()).collect();
        assert_eq!(all.len(), 8 * 16);
    }

    #[test]
    fn a_port_that_is_leased_is_free_to_listen_on_and_given_back() {
        let ports = Ports::default();
        let lease = ports.lease(1).unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, lease.ports()[0])).unwrap();
        assert_eq!(lease.env().next().unwrap(), ("ARTEL_PORT_1".to_owned(), lease.ports()[0].to_string()));
        drop(lease);
        assert!(ports.leased.lock().unwrap().is_empty());
    }
}
