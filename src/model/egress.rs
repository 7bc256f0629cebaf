//! Owns which hosts a role may be let reach beside models: the package registries by their names, and single hosts. Never
//! reaches one.

use std::collections::BTreeSet;

/// The registries that have a name, with the hosts that their clients ask.
pub const REGISTRIES: [(&str, &[&str]); 5] = [
    ("crates", &["index.crates.io", "static.crates.io", "crates.io"]),
    ("go", &["proxy.golang.org", "sum.golang.org"]),
    ("maven", &["repo.maven.apache.org", "repo1.maven.org"]),
    ("npm", &["registry.npmjs.org"]),
    ("pypi", &["pypi.org", "files.pythonhosted.org"]),
];

/// The provider under which the journal tells of a way out that is none to a model.
pub const EGRESS: &str = "egress";

/// Lists the hosts that grants come to.
pub fn hosts(granted: &BTreeSet<String>) -> BTreeSet<String> {
    let of = |name: &String| match REGISTRIES.iter().find(|(registry, _)| registry == name) {
        Some((_, hosts)) => hosts.iter().map(|host| (*host).to_owned()).collect(),
        None => vec![name.clone()],
    };
    granted.iter().flat_map(of).collect()
}

/// Tells whether a text may be granted: a registry's name, or a host's.
pub fn is_grant(text: &str) -> bool {
    REGISTRIES.iter().any(|(registry, _)| *registry == text) || is_host(text)
}

/// Tells whether a text is the whole name of a host, in small letters: no address, no port, no pattern, and nothing that
/// one reader takes for another name than the next.
pub fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let mut labels = text.rsplit('.');
    // The last label of an address is a number, in whichever way it is written.
    let is_name = labels.next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()));
    text.len() <= 253 && text.contains('.') && is_name && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_come_to_hosts_and_hosts_to_themselves() {
        let granted = ["npm".to_owned(), "registry.example.com".to_owned()].into();
        assert_eq!(hosts(&granted), ["registry.example.com".to_owned(), "registry.npmjs.org".to_owned()].into());
        assert!(REGISTRIES.iter().flat_map(|(_, hosts)| hosts.iter()).all(|host| is_host(host)));
        assert!(hosts(&BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_host_is_written_in_one_way_only() {
        for host in ["crates.io", "a-b.example.com", "xn--bcher-kva.example", "1.a"] {
            assert!(is_host(host), "{host}");
        }
        for text in [
            "",
            ".",
            "localhost",
            "crates.io.",
            ".crates.io",
            "crates..io",
            "Crates.io",
            "*.crates.io",
            "crates.io:443",
            "user@crates.io",
            "crates.io/",
            "crates%2eio",
            "crates.io\0",
            "crates.io\0.evil.example",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "[::1]",
            "::1",
            "a.0x1",
            "-a.example",
            "a-.example",
            "bücher.example",
            "crates.io evil.example",
            "crates\u{ff0e}io",
        ] {
            assert!(!is_host(text), "{text:?}");
        }
        assert!(!is_host(&format!("{}.example", "a".repeat(64))) && !is_host(&"a.".repeat(130)));
    }
}
