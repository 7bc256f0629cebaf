//! Owns the services of the host that attacks call, and what was said to them. Answers nobody.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// Listens without a thread: what nobody has taken yet waits in the kernel.
pub struct Ears {
    tcp: TcpListener,
    udp: UdpSocket,
    paths: UnixListener,
    path_notes: UnixDatagram,
    names: UnixListener,
    name_notes: UnixDatagram,
    answered: Mutex<String>,
}

impl Ears {
    pub fn listen(house: &Path, tag: &str) -> Self {
        let ears = Self {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            paths: UnixListener::bind(house.join("agent.sock")).unwrap(),
            path_notes: UnixDatagram::bind(house.join("notes.sock")).unwrap(),
            names: UnixListener::bind_addr(&SocketAddr::from_abstract_name(tag).unwrap()).unwrap(),
            name_notes: UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("{tag}-notes")).unwrap())
                .unwrap(),
            answered: Mutex::default(),
        };
        ears.tcp.set_nonblocking(true).unwrap();
        ears.udp.set_nonblocking(true).unwrap();
        ears.paths.set_nonblocking(true).unwrap();
        ears.path_notes.set_nonblocking(true).unwrap();
        ears.names.set_nonblocking(true).unwrap();
        ears.name_notes.set_nonblocking(true).unwrap();
        ears
    }

    pub fn tcp_port(&self) -> u16 {
        self.tcp.local_addr().unwrap().port()
    }

    pub fn udp_port(&self) -> u16 {
        self.udp.local_addr().unwrap().port()
    }

    /// Finds a port that nobody listens on.
    pub fn free_port(&self) -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// Calls a port of the host, as a program does that expects a service of its own there.
    pub fn call(&self, port: u16) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut bytes = [0; 256];
        let read = stream.read(&mut bytes).unwrap_or(0);
        self.answered.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
    }

    /// Gives all that was heard, by ear.
    pub fn heard(&self) -> Vec<(&'static str, String)> {
        vec![
            ("the TCP service", said(std::iter::from_fn(|| Some(self.tcp.accept().ok()?.0)))),
            ("the service by path", said(std::iter::from_fn(|| Some(self.paths.accept().ok()?.0)))),
            ("the service by name", said(std::iter::from_fn(|| Some(self.names.accept().ok()?.0)))),
            ("the UDP service", notes(|into| self.udp.recv(into).ok())),
            ("the messages by path", notes(|into| self.path_notes.recv(into).ok())),
            ("the messages by name", notes(|into| self.name_notes.recv(into).ok())),
            ("a caller of a port", self.answered.lock().unwrap().clone()),
        ]
    }
}

/// Reads what callers had said before they hung up; all of them have.
fn said(callers: impl Iterator<Item = impl Read>) -> String {
    let mut all = Vec::new();
    for mut caller in callers {
        // A caller that broke off is one that was heard so far.
        let _ = caller.read_to_end(&mut all);
        all.push(b'\n');
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn notes(receive: impl Fn(&mut [u8]) -> Option<usize>) -> String {
    let (mut all, mut note) = (Vec::new(), [0; 512]);
    while let Some(length) = receive(&mut note) {
        all.extend_from_slice(&note[..length]);
        all.push(b'\n');
    }
    String::from_utf8_lossy(&all).into_owned()
}
