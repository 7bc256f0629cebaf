//! Tells how a key that the desktop's keyring holds leads to a model, and lies nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::scene::{CLAUDE, Scene, USED};
use crate::common::said;
use crate::model::Turn;
use crate::workers::KEY;

#[test]
fn a_key_of_the_keyring_leads_to_the_model_and_lies_nowhere_else() {
    let scene = Scene::of(CLAUDE, [Turn::writes("b.txt", "after\n").using(USED), Turn::says("Written.").using(USED)]);
    let (desktop, home) = (tempfile::tempdir().unwrap(), scene.house.home());
    let tool = desktop.path().join("secret-tool");
    let entry = "lookup service artel account anthropic";
    fs::write(&tool, format!("#!/bin/sh\n[ \"$*\" = '{entry}' ] && printf '%s' {KEY}\n")).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(&home).unwrap();
    let with = |account: &str| {
        let key =
            format!("[providers.anthropic]\nkey = {{ keyring = {{ service = \"artel\", account = {account:?} }} }}\n");
        fs::write(home.join("gateway.toml"), key).unwrap();
        let mut command = scene.command(&scene.args(&[]));
        command.env("PATH", format!("{}:{}", desktop.path().display(), std::env::var("PATH").unwrap()));
        command.env_remove("ANTHROPIC_API_KEY");
        said(&command.output().unwrap())
    };
    with("nobody").exits(5);
    assert!(scene.model.asked().is_empty(), "there is no such entry");
    with("anthropic").exits(0);
    assert_eq!(scene.house.landed("b.txt"), "after");
    scene.is_accounted();
}
