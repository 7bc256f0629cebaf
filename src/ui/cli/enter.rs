//! Owns the way in: parses the command line, runs the verb, shows its failure, gives the exit code. Never more.

use clap::FromArgMatches;
use clap::error::ErrorKind;

use super::args::{Cli, Verb};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::Color;

/// Runs the command line of this process. A panic is a bug: it is told as any other failure, without a backtrace.
pub fn enter() -> Exit {
    std::panic::set_hook(Box::new(|panic| {
        crate::ui::tui::give_back();
        let out = Out::look(Color::Auto);
        let place = panic.location().map(|at| format!(" at {at}")).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        let fail = Fail::new(Exit::Bug, format!("go on{place}")).because(message);
        out.remark(fail.render(out.error_paint).trim_end());
    }));
    std::panic::catch_unwind(parse_and_run).unwrap_or(Exit::Bug)
}

fn parse_and_run() -> Exit {
    let parsed = super::examples::command().try_get_matches();
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (cli, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    let out = Out::look(cli.color);
    let named = super::seam::mean(cli.server);
    match super::afar::may(&matches, named).and_then(|()| verb(&out, cli.verb)) {
        Ok(exit) => exit,
        Err(fail) => {
            let text = fail.render(out.error_paint);
            if !text.is_empty() {
                out.remark(text.trim_end());
            }
            fail.exit()
        }
    }
}

/// Shows help, the version, or what is wrong with the command line.
fn refuse(error: &clap::Error) -> Exit {
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) { Exit::Done } else { Exit::Usage }
}

fn verb(out: &Out, verb: Verb) -> Result<Exit, Fail> {
    match verb {
        Verb::Demo(args) => super::demo::demo(out, &args),
        Verb::Init(args) => super::init::init(out, &args),
        Verb::Run(args) => super::run::run(out, &args),
        Verb::Plan(args) => super::plan::plan(out, &args),
        Verb::Status(args) => super::status::status(out, &args),
        Verb::List(args) => super::list::list(out, &args),
        Verb::Inbox(args) => super::inbox::inbox(out, &args),
        Verb::Show(args) => super::show::show(out, &args),
        Verb::Log(args) => super::log::log(out, &args),
        Verb::Diff(args) => super::diff::diff(out, &args),
        Verb::Cost(args) => super::cost::cost(out, &args),
        Verb::Digest(args) => super::digest::digest(out, &args),
        Verb::Watch(args) => super::watch::watch(out, &args),
        Verb::Attach(args) => super::attach::attach(out, &args),
        Verb::Serve(args) => super::serve::serve(out, &args),
        Verb::Approve(args) => super::approve::approve(out, &args),
        Verb::Deny(args) => super::deny::deny(out, &args),
        Verb::Retry(args) => super::retry::retry(out, &args),
        Verb::Stop(args) => super::stop::stop(out, &args),
        Verb::Resume(args) => super::resume::resume(out, &args),
        Verb::Steer(args) => super::steer::steer(out, &args),
        Verb::Answer(args) => super::answer::answer(out, &args),
        Verb::Grant(args) => super::grant::grant(out, &args),
        Verb::Deliver(args) => super::deliver::deliver(out, &args),
        Verb::Revert(args) => super::revert::revert(out, &args),
        Verb::Verify(args) => super::verify::verify(out, &args),
        Verb::Gc(args) => super::gc::gc(out, &args),
        Verb::Doctor(args) => super::doctor::doctor(out, &args),
        Verb::Roles(args) => super::roles::roles(out, &args),
        Verb::Prices(args) => super::prices::prices(out, &args),
        Verb::Schema(args) => super::schema::schema(out, &args),
        Verb::Notify(args) => super::notify::notify(out, &args),
        Verb::Completions(args) => super::completions::completions(out, &args),
        Verb::Man(args) => super::man::man(out, &args),
    }
}
