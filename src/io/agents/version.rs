//! Owns asking installed agents which version they are: all at once, each in an empty folder with an empty environment, within
//! bounds of time and size. Never runs what lies in a repository.

use std::fs;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::known::KnownAgent;
use crate::model::inert::fit;

/// How long one is waited for: some are slow to start.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of what one says is read, in bytes, and kept, in columns.
const BYTES: u64 = 4096;
const COLUMNS: usize = 40;

/// Asks those that are installed for their version; leaves it out where one does not answer in time, or lies below a folder.
pub fn ask_versions(agents: &mut [KnownAgent], path: &str, not_below: Option<&Path>) {
    let home = std::env::temp_dir().join(format!("artel-{:016x}", fastrand::u64(..)));
    if fs::DirBuilder::new().mode(0o700).create(&home).is_err() {
        return;
    }
    std::thread::scope(|scope| {
        for known in agents {
            let found = known.found.clone().filter(|found| !not_below.is_some_and(|folder| found.starts_with(folder)));
            let home = home.as_path();
            scope.spawn(move || known.version = found.and_then(|found| version(&found, path, home)));
        }
    });
    // What one of them has left there is nobody's.
    let _ = fs::remove_dir_all(&home);
}

fn version(program: &Path, path: &str, home: &Path) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let (tell, told) = mpsc::channel();
    let from = child.stdout.take();
    // What it started may hold its output open for longer than is waited.
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = from.map(|from| from.take(BYTES).read_to_end(&mut bytes));
        let _ = tell.send(read.is_some_and(|read| read.is_ok()).then_some(bytes));
    });
    let said = told.recv_timeout(PATIENCE).ok().flatten();
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
    let _ = child.wait();
    let said = String::from_utf8_lossy(&said?).into_owned();
    let line = said.lines().map(str::trim).find(|line| line.chars().any(|c| c.is_ascii_digit()))?;
    // The name of its package says nothing that its own name does not.
    let line = line.split_once(' ').filter(|(name, _)| name.starts_with('@')).map_or(line, |(_, rest)| rest);
    Some(fit(line, COLUMNS))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::found::Programs;
    use super::super::found::testing::program;
    use super::super::known::known_agents;
    use super::*;

    #[test]
    fn each_that_is_installed_is_asked_and_none_is_waited_for_or_listened_to_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let say = |name: &str, text: &str| program(&dir.path().join(name), &format!("#!/bin/sh\n{text}\n"));
        say("claude", "echo 2.1.330 \"(Claude Code) $1 ${ANTHROPIC_API_KEY-none}\"");
        say("codex", "sleep 600 & sleep 600");
        say("copilot", "while :; do echo copilot 1.0; done");
        say("codex-acp", "echo @agentclientprotocol/codex-acp 2.6.0");
        say("goose", "printf 'goose \\033[31m1.52\\033[0m %0200d\\n' 1");
        say("qwen", "echo broken >&2; exit 1");
        program(&dir.path().join("repo/gemini"), "#!/bin/sh\necho 0.61.0\n");
        let path = format!("{0}:{0}/repo:/usr/bin:/bin", dir.path().canonicalize().unwrap().display());
        let mut agents = known_agents(&Programs::new(Some(path.clone()), None));
        let began = Instant::now();
        ask_versions(&mut agents, &path, Some(&dir.path().canonicalize().unwrap().join("repo")));
        assert!(began.elapsed() < 4 * PATIENCE, "all are asked at once: {:?}", began.elapsed());
        let of = |name: &str| agents.iter().find(|it| it.agent == name).unwrap().version.clone();
        assert_eq!(of("claude").as_deref(), Some("2.1.330 (Claude Code) --version none"));
        assert_eq!(of("acp:copilot --acp").as_deref(), Some("copilot 1.0"));
        assert_eq!(of("acp:codex-acp").as_deref(), Some("2.6.0"));
        assert_eq!((of("codex"), of("acp:qwen --acp"), of("acp:gemini --acp")), (None, None, None));
        let goose = of("acp:goose acp").unwrap();
        assert!(goose.starts_with("goose") && goose.chars().count() <= COLUMNS, "{goose}");
        assert!(!goose.chars().any(crate::model::inert::is_active), "{goose}");
    }
}
