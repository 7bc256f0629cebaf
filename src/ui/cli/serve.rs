//! Owns `artel serve`: hosts all runs of this machine in one process, with an interface for programs and pages for people.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Sandbox;
use super::blame::blame;
use super::calls;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::seam::{self, Place};
use crate::actors::world::told;
use crate::app::{self, Access, Hosts, Standing};
use crate::model::inert::inert;
use crate::ui::web::site::Site;
use crate::ui::web::{listen, login, routes};

/// Where a server listens unless it is told otherwise.
const USUAL: &str = "127.0.0.1:7433";

/// Hosts all runs of this machine.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen at [default: ARTEL_LISTEN, else 127.0.0.1:7433, or any port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Further name by which browsers call this server, such as that of a proxy before it
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Print a link for the server that runs already, which logs one browser in as viewer, approver or operator
    #[arg(long, value_name = "STANDING", num_args = 0..=1, default_missing_value = "operator")]
    link: Option<Standing>,
    #[command(flatten)]
    sandbox: Sandbox,
}

/// Runs the verb.
///
/// # Errors
/// Where another process serves this state already, or the address cannot be listened at.
pub fn serve(out: &Out, args: &ServeArgs) -> Result<Exit, Fail> {
    let place = Place::open()?.in_sandbox(args.sandbox.tier());
    if let Some(standing) = args.link {
        let link = match &place {
            Place::Here(place) => link(place, standing)?,
            Place::There(there) => there.link(standing)?,
        };
        out.line(&link)?;
        return Ok(Exit::Done);
    }
    let place = place.here()?;
    let runtime = super::live::runtime()?;
    let exit = runtime.block_on(serving(out, place, args));
    // What runs is ended with this process, and begun again by the next one.
    runtime.shutdown_background();
    exit
}

/// Asks the server that lives for a link.
fn link(place: &app::Place, standing: Standing) -> Result<String, Fail> {
    let Some(address) = app::address(place) else {
        return Err(Fail::new(Exit::Missing, "make a link to log in")
            .because("nothing serves this state directory")
            .hint("`artel serve` does, and prints a link as it begins"));
    };
    let token = app::read_token(place, Standing::Operator).map_err(blame)?;
    let there = super::remote::Remote::new(&address.url, &token)?;
    calls::link(&there, standing)
}

async fn bind(place: &app::Place, args: &ServeArgs) -> Result<TcpListener, Fail> {
    let wrong = |text: &str, error: &dyn std::fmt::Display| {
        Fail::new(Exit::Unfit, format!("listen at {text}")).because(error.to_string())
    };
    let told = match (args.listen, place.env.get("ARTEL_LISTEN")) {
        (Some(address), _) => Some(address),
        (None, Some(text)) => Some(text.parse().map_err(|error| wrong(text, &error))?),
        (None, None) => None,
    };
    match told {
        Some(address) => TcpListener::bind(address).await.map_err(|error| {
            wrong(&address.to_string(), &error).hint("`--listen 127.0.0.1:0` takes any port that is free")
        }),
        None => match TcpListener::bind(USUAL).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind("127.0.0.1:0").await.map_err(|error| wrong("127.0.0.1", &error)),
        },
    }
}

async fn serving(out: &Out, place: &app::Place, args: &ServeArgs) -> Result<Exit, Fail> {
    let (mut interrupt, mut terminate) = (hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?);
    let (hosts, mut notes) = Hosts::open(place).map_err(|error| {
        blame(error).hint("another process serves this state directory: `artel serve --link` prints a link to it")
    })?;
    let access = Access::open(place).map_err(blame)?;
    let listener = bind(place, args).await?;
    let at = listener.local_addr().map_err(|error| Fail::new(Exit::Unfit, "listen").because(error))?;
    let code = access.make_link(Standing::Operator).map_err(blame)?;
    let site = Arc::new(Site::new(place.clone(), Arc::clone(&hosts), access, at, &args.names));
    tokio::spawn(listen::serve(listener, routes::router(site)));
    let behind = place.clone();
    tokio::spawn(async move {
        if let Err(error) = behind.catch_up_telemetry().await {
            behind.notices.add(format!("no telemetry is sent of runs that rest: failed to {}", told(&error)));
        }
    });
    // Whoever tells of a run before all that are open are woken is heard after that.
    tokio::spawn(Arc::clone(&hosts).follow(hosts.listen().map_err(blame)?));
    let near = if at.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], at.port())) } else { at };
    let url = format!("http://{near}");
    let count = hosts.wake().await.map_err(blame)?;
    hosts.note_address(&url).map_err(blame)?;
    out.line(&format!("serves {} at {url}, {count} of them at work", place.dir.root().display()))?;
    out.line(&format!("log in (once, within a quarter of an hour): {url}{}", login::path(&code)))?;
    if !at.ip().is_loopback() {
        out.remark(
            "note: others reach this address, and nothing is encrypted: let a proxy that speaks TLS stand before it",
        );
    }
    loop {
        tokio::select! {
            Some(note) = notes.recv() => out.remark(&format!("{}: {}", note.run, inert(&note.words))),
            () = place.notices.added() => {
                for notice in place.notices.take() {
                    out.remark(&format!("note: {}", inert(&notice)));
                }
            }
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    let at_work = hosts.at_work().len();
    if at_work > 0 {
        out.remark(&format!("ended with {at_work} runs at work; the next `artel serve` goes on with them"));
    }
    Ok(Exit::Done)
}

fn hear(kind: SignalKind) -> Result<Signal, Fail> {
    signal(kind).map_err(|error| Fail::new(Exit::Unfit, "listen for signals").because(error))
}

/// Has a server host a run: the one that lives, or one that is started for it and outlives this process.
///
/// # Errors
/// Where none can be started.
pub fn hand_over(place: &Place, run: &crate::model::ids::RunId) -> Result<String, Fail> {
    let here = place.here()?;
    let url = match app::address(here) {
        Some(address) => address.url,
        None => start(here)?,
    };
    let tried = || Fail::new(Exit::Unfit, format!("have {run} hosted by the server at {url}"));
    for look in 0..LOOKS {
        // What is told while the server wakes runs is heard later; what was not told is told once more.
        if look % 10 == 0 {
            app::tell_server(here, run);
        }
        if seam::coordinator_lives(place, run) || !seam::load(place, run)?.0.is_live() {
            return Ok(url);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let log = here.dir.serve_dir().join(LOG);
    Err(tried()
        .because("it did not take the run")
        .hint(format!("`{}` tells why, where artel started it", log.display())))
}

/// How often, and how many times, it is looked whether the server has done something.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);
const LOOKS: u32 = 400;
/// The file in which a server that was started for a run tells what it does.
const LOG: &str = "log";

fn start(place: &app::Place) -> Result<String, Fail> {
    use std::os::unix::process::CommandExt;
    let failed = |error: std::io::Error| Fail::new(Exit::Unfit, "start a server").because(error);
    let dir = place.dir.serve_dir();
    crate::io::files::make_private(&dir).map_err(|error| blame(error.into()))?;
    let log = std::fs::File::create(dir.join(LOG)).map_err(failed)?;
    let mut command = std::process::Command::new(&place.artel);
    command.arg("serve").current_dir(place.dir.root()).stdin(std::process::Stdio::null());
    if let Some(tier) = place.sandbox {
        command.args(["--sandbox", &tier.to_string()]);
    }
    // In a process group of its own, it is not reached by what a terminal sends to this one.
    command.stdout(log.try_clone().map_err(failed)?).stderr(log).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    for _ in 0..LOOKS {
        if let Some(address) = app::address(place) {
            return Ok(address.url);
        }
        let has_ended = child.try_wait().map_err(failed)?;
        if has_ended.is_some() && !app::is_served(place) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let told = std::fs::read_to_string(dir.join(LOG)).unwrap_or_default();
    Err(Fail::new(Exit::Unfit, "start a server").because(inert(told.trim())).hint("`artel serve` shows what it does"))
}
