//! Owns how a notice is given to a program of the user's. Never tries again, and lets none go on for long.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::config::Body;
use super::unsent::Unsent;
use super::webhook::body;
use crate::model::notice::Notice;

/// Time that a program may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the program with the notice as JSON on its standard input and its main parts in its environment; it was taken
/// where the program exits with 0.
pub(super) async fn tell(argv: &[String], notice: &Notice) -> Result<(), Unsent> {
    let Some((program, arguments)) = argv.split_first() else { return Err(Unsent::for_good("there is no program")) };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("ARTEL_NOTICE_ID", &notice.id)
        .env("ARTEL_NOTICE_CAUSE", notice.cause.word())
        .env("ARTEL_NOTICE_RUN", notice.run.as_str())
        .env("ARTEL_NOTICE_TEXT", notice.line())
        .env("ARTEL_NOTICE_NEXT", &notice.next)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        let why = format!("start `{program}`: {error}");
        if error.kind() == std::io::ErrorKind::NotFound { Unsent::for_good(why) } else { Unsent::for_now(why) }
    })?;
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    let stdin = child.stdin.take();
    let told = async {
        if let Some(mut stdin) = stdin {
            // A program need not read it.
            let _ = stdin.write_all(body(Body::Artel, notice).as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Unsent::for_now(format!("`{program}` ended with {status}"))),
        Ok(Err(error)) => Err(Unsent::for_now(format!("`{program}`: {error}"))),
        Err(_) => {
            // What it has started itself goes with it.
            let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
            Err(Unsent::for_now(format!("`{program}` took longer than {} s, and was ended", PATIENCE.as_secs())))
        }
    }
}
