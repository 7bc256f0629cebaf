//! Tells that the pages work in a real browser the size of a phone: live, in two taps, in light and dark, and for who
//! cannot see them. Where there is no browser it says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::said;
use crate::crew::playing;
use crate::wire::{Server, gated};

/// Finds a browser, and the folder of what drives it.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let on_path = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|it| it.is_file())
    };
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/browser");
    let has_driver = ["playwright-core", "axe-core"].iter().all(|name| driver.join("node_modules").join(name).is_dir());
    Some((on_path("chromium")?, driver)).filter(|_| has_driver && on_path("node").is_some())
}

#[test]
#[expect(clippy::print_stderr, reason = "a story that cannot be told here must say why")]
fn a_person_with_a_phone_approves_in_two_taps_and_watches_the_run_live() {
    let Some((browser, driver)) = tools() else {
        assert!(std::env::var_os("CI").is_none(), "there is no browser: .ci/test installs one");
        eprintln!("note: no chromium, or nothing to drive it with; run .ci/test");
        return;
    };
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false);
    let link = house.artel(&["serve", "--link"]).exits(0).out;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pictures = root.join("target/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let mut node = Command::new("node");
    node.arg(root.join("tests/web/browser/look.mjs"))
        .arg(link.trim())
        .arg(house.run())
        .arg(house.root())
        .arg(&pictures);
    node.env("BROWSER", browser).env("BROWSER_TOOLS", driver).env("HOME", house.root());
    said(&node.output().unwrap()).exits(0);
    drop(server);
}
