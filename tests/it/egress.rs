//! Tests the way out that a role grants: to the hosts that it names, by TLS's port, and nowhere else by any trick.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::{House, Said, said};
use crate::stage::{crew, run, told};

const TASK: &str = "[{key: a, brief: go out, paths: [out.json]}]";
const REGISTRY: &str = "registry.example.com";

/// Asks for ways out, one a line of `asks.json`, and writes down how each was answered.
const CLIENT: &str = r#"
import base64, json, os, socket
proxy = os.environ["HTTPS_PROXY"]
user, place = proxy.removeprefix("http://").rsplit("@", 1)
host, port = place.split(":")
held, told = [], []
for ask in json.load(open("asks.json")):
    s = socket.create_connection((host, int(port)), 20)
    s.settimeout(20)
    token = {"right": user, "wrong": "artel:artel-" + "0" * 64, "none": None}[ask.get("token", "right")]
    head = ask["line"].encode("latin-1") + b"\r\n" + ask.get("headers", "").encode()
    if token:
        head += b"proxy-authorization: Basic " + base64.b64encode(token.encode()) + b"\r\n"
    s.sendall(head + b"\r\n")
    got = b""
    while b"\r\n\r\n" not in got:
        part = s.recv(4096)
        if not part:
            break
        got += part
    status = got.split(b" ")[1].decode() if got.startswith(b"HTTP/1.1 ") else "none"
    said = ""
    if status == "200":
        s.sendall(b"give me a package")
        said = s.recv(4096).decode()
    told.append([ask["line"], status, said])
    held.append(s) if ask.get("hold") else s.close()
json.dump(told, open("out.json", "w"))
"#;

/// Stands for a host: answers what it is sent, and counts who came.
struct Host {
    address: SocketAddr,
    came: Arc<AtomicU32>,
    heard: Arc<Mutex<String>>,
}

impl Host {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (came, heard) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(String::new())));
        let (counts, hears) = (Arc::clone(&came), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), hears) = (stream, Arc::clone(&hears)) else { continue };
                counts.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut asked = [0; 17];
                    if stream.read_exact(&mut asked).is_ok() {
                        hears.lock().unwrap().push_str(&String::from_utf8_lossy(&asked));
                        let _ = stream.write_all(b"here it is");
                    }
                    // Until the other end has no more to say.
                    let _ = stream.read_to_end(&mut Vec::new());
                });
            }
        });
        Self { address, came, heard }
    }

    fn came(&self) -> u32 {
        self.came.load(Ordering::SeqCst)
    }
}

/// Has an agent ask for these ways out; the first host stands for one of the world, the second for one that is near.
fn going_out(asks: &Value, world: &Host, near: &Host, more: &[&str]) -> (House, Said) {
    let house = crew("", TASK, &[("asks.json", &asks.to_string()), ("client.py", CLIENT)]);
    let mut args = run("worker.agents=[\"command:python3 client.py\"]", &["--role", "worker.limits.attempts=1"]);
    args.extend(more);
    let mut command = house.command(&args);
    let hosts = format!("{REGISTRY}={} near.example.com={}", world.address, near.address);
    command.env("ARTEL_TEST_HOSTS", hosts).env("ARTEL_TEST_WORLD", world.address.to_string());
    let said = said(&command.output().unwrap());
    (house, said)
}

#[cfg(debug_assertions)]
#[test]
fn a_role_reaches_the_hosts_that_it_is_granted_and_no_other_by_any_trick() {
    let (world, near) = (Host::new(), Host::new());
    let good = format!("CONNECT {REGISTRY}:443 HTTP/1.1");
    let line = |line: &str| serde_json::json!({ "line": line });
    let mut asks = vec![line(&good), serde_json::json!({ "line": good, "hold": true })];
    let tricks = [
        "CONNECT near.example.com:443 HTTP/1.1".to_owned(),
        "CONNECT elsewhere.example.com:443 HTTP/1.1".to_owned(),
        format!("CONNECT evil.{REGISTRY}:443 HTTP/1.1"),
        format!("CONNECT {REGISTRY}.evil.example:443 HTTP/1.1"),
        format!("CONNECT {REGISTRY}.:443 HTTP/1.1"),
        format!("CONNECT {REGISTRY}:80 HTTP/1.1"),
        format!("CONNECT {REGISTRY} HTTP/1.1"),
        format!("CONNECT {REGISTRY}:443@near.example.com:443 HTTP/1.1"),
        format!("CONNECT user@{REGISTRY}:443 HTTP/1.1"),
        format!("CONNECT {REGISTRY}%00.evil.example:443 HTTP/1.1"),
        format!("CONNECT {REGISTRY}\0:443 HTTP/1.1"),
        format!("CONNECT {REGISTRY}\0.evil.example:443 HTTP/1.1"),
        "CONNECT registry%2eexample%2ecom:443 HTTP/1.1".to_owned(),
        format!("CONNECT {} HTTP/1.1", world.address),
        "CONNECT 127.0.0.1:443 HTTP/1.1".to_owned(),
        "CONNECT 2130706433:443 HTTP/1.1".to_owned(),
        "CONNECT [::1]:443 HTTP/1.1".to_owned(),
        "CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1".to_owned(),
        "CONNECT localhost:443 HTTP/1.1".to_owned(),
        format!("CONNECT http://{REGISTRY}:443/ HTTP/1.1"),
        format!("GET http://{REGISTRY}/ HTTP/1.1"),
        format!("GET https://{REGISTRY}:443/ HTTP/1.1"),
    ];
    asks.extend(tricks.iter().map(|trick| line(trick)));
    asks.push(serde_json::json!({ "line": good, "headers": "host: near.example.com:443\r\n" }));
    asks.push(serde_json::json!({ "line": good, "token": "none" }));
    asks.push(serde_json::json!({ "line": good, "token": "wrong" }));
    let grant = format!("worker.grants.egress={REGISTRY},near.example.com");
    let (house, said) = going_out(&Value::Array(asks), &world, &near, &["--role", &grant]);
    said.exits(0);

    let answers: Value = serde_json::from_str(&house.landed("out.json")).unwrap();
    for (number, it) in answers.as_array().unwrap().iter().enumerate() {
        let (status, answer) = (it[1].as_str().unwrap(), it[2].as_str().unwrap());
        if number < 2 {
            assert_eq!((status, answer), ("200", "here it is"), "{it}");
        } else {
            assert!(["400", "401", "403", "407", "none"].contains(&status) && answer.is_empty(), "{it}");
        }
    }
    assert_eq!(answers.as_array().unwrap().len(), tricks.len() + 5);
    assert_eq!((world.came(), near.came()), (2, 0));
    assert_eq!(world.heard.lock().unwrap().as_str(), "give me a packagegive me a package");

    let calls = told(&house, "CallMade");
    let of = |end: &str| calls.iter().filter(|call| call["call"]["end"] == end).collect::<Vec<_>>();
    let passed = [of("whole"), of("cut")].concat();
    assert_eq!(passed.len(), 2, "{calls:?}");
    for call in passed {
        assert_eq!((&call["attempt"], &call["call"]["model"]), (&"t1.1".into(), &REGISTRY.into()));
        assert_eq!(call["call"]["bytes"], 27, "{call}");
    }
    let refused: Vec<&Value> =
        calls.iter().map(|call| &call["call"]["end"]["refused"]).filter(|it| it.is_object()).collect();
    assert!(refused.len() >= 15 && refused.iter().all(|it| it["policy"].as_str().unwrap().len() == 12), "{refused:?}");
    let why = |part: &str| refused.iter().any(|it| it["why"].as_str().unwrap().contains(part));
    assert!(why("leads to 127.0.0.1, which is no address of the world"), "{refused:?}");
    assert!(why("the host `elsewhere.example.com` is not granted"), "{refused:?}");
    house.artel(&["log"]).says(&format!("t1.1 reached {REGISTRY}: 27 B")).says("was not let reach");
    let cost = house.artel(&["cost", "--json"]).exits(0).json();
    assert_eq!(cost["total"]["spend"]["calls"], 0, "no model was asked");
}

#[test]
fn a_role_without_a_grant_has_no_way_out() {
    let checks = "command:test -z \\\"$HTTPS_PROXY$https_proxy$ARTEL_GATE\\\" && echo '[]' > out.json";
    let house = crew("", TASK, &[("a.txt", "a")]);
    house.artel(&run(&format!("worker.agents=[\"{checks}\"]"), &[])).exits(0);
    assert_eq!((house.landed("out.json"), told(&house, "CallMade").len()), ("[]".to_owned(), 0));
    house.artel(&run("worker.grants.egress=*", &[])).exits(3).says("names no registry and no host");
}
