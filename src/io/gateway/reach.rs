//! Owns where the name of a host leads: looked up once, and connected to by the address that was found fit. Never reaches
//! this machine or its neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

/// The only port that is reached.
pub(super) const PORT: u16 = 443;
/// Time that it may take to look a name up, and to reach an address.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a host.
///
/// # Errors
/// Why it was not reached, or may not be.
pub(super) async fn reach(host: &str) -> Result<TcpStream, Unreached> {
    let late = |what: &str| Unreached::Failed(format!("{what} took longer than {} s", PATIENCE.as_secs()));
    let found = tokio::time::timeout(PATIENCE, look_up(host)).await.map_err(|_| late("looking its name up"))?;
    let found = fit(found.map_err(|error| Unreached::Failed(format!("its name was not found: {error}")))?)?;
    let mut why = "its name leads nowhere".to_owned();
    for address in found {
        // By the address that was looked at: asked for again, the name may lead elsewhere.
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("{}: {error}", address.ip()),
            Err(_) => why = format!("{}: no answer within {} s", address.ip(), PATIENCE.as_secs()),
        }
    }
    Err(Unreached::Failed(why))
}

/// Says why a host was not reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreached {
    /// Its name leads where none may go.
    Near(IpAddr),
    /// It was not found, or did not answer.
    Failed(String),
}

/// Lets addresses pass that all lie in the world; one that does not speaks against them all.
fn fit(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Unreached> {
    match found.iter().find(|address| !is_in_the_world(address.ip()) && !is_of_a_test(**address)) {
        Some(near) => Err(Unreached::Near(near.ip())),
        None => Ok(found),
    }
}

/// Tells whether an address is anybody's in the world, and none of this machine, its networks, or of no use to a host.
pub(super) fn is_in_the_world(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_v4_in_the_world(v4),
        IpAddr::V6(v6) => is_v6_in_the_world(v6),
    }
}

fn is_v4_in_the_world(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_special = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99) || (a == 198 && (18..20).contains(&b));
    !(a == 0
        || a >= 224
        || v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || is_shared
        || is_special)
}

fn is_v6_in_the_world(v6: Ipv6Addr) -> bool {
    let [a, b, c, ..] = v6.segments();
    // Of all that has been given out, hosts of the world lie in 2000::/3. Within it: Teredo and other protocols'
    // (2001::/23), documentation, and 6to4, which carries an address of version 4.
    let is_special = match a {
        0x2001 => b < 0x200 || b == 0xdb8,
        0x3fff => b < 0x1000,
        _ => false,
    };
    let of_v4 = Ipv4Addr::from((u32::from(b) << 16) | u32::from(c));
    a & 0xe000 == 0x2000 && !is_special && (a != 0x2002 || is_v4_in_the_world(of_v4))
}

#[cfg(not(debug_assertions))]
async fn look_up(host: &str) -> std::io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((host, PORT)).await?.collect())
}

/// Looks a name up; a test's own names are read from `ARTEL_TEST_HOSTS`: `name=address:port`, parted by blanks.
#[cfg(debug_assertions)]
async fn look_up(host: &str) -> std::io::Result<Vec<SocketAddr>> {
    let told = std::env::var("ARTEL_TEST_HOSTS").unwrap_or_default();
    let of_test = told.split(' ').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name == host);
    let found: Vec<SocketAddr> = of_test.filter_map(|(_, address)| address.parse().ok()).collect();
    if found.is_empty() { Ok(lookup_host((host, PORT)).await?.collect()) } else { Ok(found) }
}

/// Tells whether a test lets an address of this machine stand for one of the world.
#[cfg(debug_assertions)]
fn is_of_a_test(address: SocketAddr) -> bool {
    std::env::var("ARTEL_TEST_WORLD").is_ok_and(|told| told.parse() == Ok(address))
}

#[cfg(not(debug_assertions))]
fn is_of_a_test(_: SocketAddr) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_world_is_reached() {
        for world in ["151.101.2.137", "8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::6810:1", "2a04:4e42::649"]
        {
            assert!(is_in_the_world(address(world)), "{world}");
        }
        for near in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:151.101.2.137",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "3fff::1",
        ] {
            assert!(!is_in_the_world(address(near)), "{near}");
        }
    }

    #[test]
    fn one_address_that_is_near_speaks_against_all() {
        let of = |texts: &[&str]| fit(texts.iter().map(|text| SocketAddr::new(address(text), PORT)).collect());
        assert_eq!(of(&["151.101.2.137", "10.0.0.1"]), Err(Unreached::Near(address("10.0.0.1"))));
        assert_eq!(of(&["151.101.2.137", "2a04:4e42::649"]).unwrap().len(), 2);
    }
}
