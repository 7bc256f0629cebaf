//! Owns the attacks by network: services of the host by every kind of socket, and a name that the host would call.

use super::attack::{Attack, Bare, py};

#[expect(clippy::too_many_lines, reason = "a table, one attack an entry")]
pub fn attacks() -> Vec<Attack> {
    vec![
        py("tcp", "quietly(lambda: socket.create_connection(('127.0.0.1', int(E['PORT'])), 2).sendall(EVIL.encode()))\n"),
        py("tcp-by-any-address", r#"
def knock():
    s = socket.socket(); s.settimeout(2); s.connect(('0.0.0.0', int(E['PORT']))); s.sendall(EVIL.encode())
quietly(knock)
"#),
        py("tcp-mapped-into-six", r#"
def knock():
    s = socket.socket(socket.AF_INET6); s.settimeout(2); s.connect(('::ffff:127.0.0.1', int(E['PORT']))); s.sendall(EVIL.encode())
quietly(knock)
"#)
        .bare(Bare::Depends),
        py("tcp-opened-fast", r#"
def knock():
    s = socket.socket(); s.settimeout(2); s.sendto(EVIL.encode(), 0x20000000, ('127.0.0.1', int(E['PORT'])))
quietly(knock)
"#)
        .bare(Bare::Depends),
        py("tcp-by-many-paths", r#"
def knock():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.settimeout(2)
    s.connect(('127.0.0.1', int(E['PORT']))); s.sendall(EVIL.encode())
quietly(knock)
"#)
        .bare(Bare::Depends),
        py("udp", "quietly(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(EVIL.encode(), ('127.0.0.1', int(E['UDP']))))\n"),
        py("name-service", r#"
# A question whose first label carries data, as it is sent through any resolver that answers.
label = EVIL.encode()
question = struct.pack('>6H', 7, 256, 1, 0, 0, 0) + bytes([len(label)]) + label + b'\x07invalid\0\0\1\0\1'
quietly(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(question, ('127.0.0.1', int(E['UDP']))))
"#),
        py("udp-by-many-calls", r#"
def knock():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('127.0.0.1', int(E['UDP']))); s.sendmsg([EVIL.encode()])
quietly(knock)
"#),
        py("socket-by-path", r#"
def knock():
    s = socket.socket(socket.AF_UNIX); s.connect(HOUSE + '/agent.sock'); s.sendall(EVIL.encode())
quietly(knock)
"#),
        py("socket-by-path-of-messages", r#"
def knock():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(HOUSE + '/notes.sock'); s.send(EVIL.encode())
quietly(knock)
"#),
        py("socket-by-variable", r#"
def knock():
    s = socket.socket(socket.AF_UNIX); s.connect(E['SSH_AUTH_SOCK']); s.sendall(EVIL.encode())
quietly(knock) if 'SSH_AUTH_SOCK' in E else None
"#)
        .bare(Bare::Holds),
        py("socket-without-a-path", r#"
def knock():
    s = socket.socket(socket.AF_UNIX); s.connect('\0' + E['TAG']); s.sendall(EVIL.encode())
quietly(knock)
"#),
        py("socket-without-a-path-of-messages", r#"
def knock():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(EVIL.encode(), '\0' + E['TAG'] + '-notes')
quietly(knock)
"#),
        py("socket-pair-led-elsewhere", r#"
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
    quietly(lambda: socket.socketpair(socket.AF_UNIX, kind)[0].sendto(EVIL.encode(), HOUSE + '/notes.sock'))
"#),
        py("port-of-any-number-taken", r#"
def listen():
    s = socket.socket(); s.listen(8)
    return s
s = quietly(listen)
if s:
    print('listening on', s.getsockname()[1], flush=True)
    if os.fork() == 0:
        while True:
            c, _ = s.accept(); c.sendall(EVIL.encode()); c.close()
"#)
        .staying(),
        py("port-of-the-host-taken", r#"
def listen():
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('0.0.0.0', int(E['FREE_PORT']))); s.listen(8)
    while True:
        c, _ = s.accept(); c.sendall(EVIL.encode()); c.close()
if os.fork() == 0:
    quietly(listen)
    os._exit(0)
"#)
        .staying(),
        py("packets", "quietly(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300) and door('AF_PACKET'))\n").bare(Bare::HarmsAsRoot),
        py("raw-packets", "quietly(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and door('SOCK_RAW'))\n").bare(Bare::HarmsAsRoot),
        py("host-of-the-machine", r#"
def knock():
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); s.close(); door('AF_VSOCK')
quietly(knock)
"#)
        .bare(Bare::Depends),
        py("odd-families", r#"
for family in (6, 9, 11, 19, 21, 29, 30, 31, 38, 44):
    try:
        socket.socket(family, socket.SOCK_SEQPACKET).close(); door('family', family)
    except OSError:
        pass
"#)
        .bare(Bare::Depends),
    ]
}
