//! Tells that the charts of a run's page are drawn from its numbers, by the library as its authors publish it.

use std::path::Path;

use artel::io::journal::format::FORMAT;
use artel::io::journal::{Journal, NewEntry, SqliteJournal};
use artel::machine::event::Event;
use artel::model::spend::{Call, CallEnd, DOLLAR};

use crate::browser::{link, person, pictures, signed};
use crate::common::{House, said};
use crate::crew::{open_gate, playing};
use crate::wire::{Server, gated};

const HOSTILE: &str = "<img src=x onerror=alert(6)>\u{202e}\u{7}";

#[test]
#[expect(clippy::print_stderr, reason = "a comparison that cannot be made here must say why")]
fn what_draws_charts_is_byte_for_byte_what_its_package_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join("target/tools/uplot/node_modules/uplot");
    if !package.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "there is no uplot to compare with: .ci/test fetches it");
        return eprintln!("note: no uplot to compare with; run .ci/test");
    }
    let ours = root.join("src/ui/web/assets/uplot");
    let files = [
        ("LICENSE", "LICENSE"),
        ("uPlot.iife.min.js", "dist/uPlot.iife.min.js"),
        ("uPlot.min.css", "dist/uPlot.min.css"),
    ];
    for (name, path) in files {
        let [committed, published] = [ours.join(name), package.join(path)].map(|file| std::fs::read(file).unwrap());
        assert!(committed == published, "{name} is not what the package holds");
    }
    assert_eq!(std::fs::read_dir(ours).unwrap().count(), files.len());
}

/// Stores calls to models at the end of the house's run, five a second: each by its seat, with its model and its cost.
fn spend(house: &House, calls: &[(&str, &str, u64)]) {
    let journal = SqliteJournal::open(&house.home().join("artel.db")).unwrap();
    let run = house.run().parse().unwrap();
    let epoch = journal.claim(&run, "a test").unwrap();
    let last = journal.last_seq(&run).unwrap();
    let mut at_ms = house.events().last().unwrap()["at_ms"].as_i64().unwrap();
    let entry = |(number, (seat, model, nano_usd)): (u64, &(&str, &str, u64))| {
        let call = Call {
            number,
            provider: "a-provider".to_owned(),
            model: (*model).to_owned(),
            end: CallEnd::Whole,
            status: 200,
            tokens: Default::default(),
            nano_usd: *nano_usd,
            ms: 10,
            bytes: 0,
            told: false,
        };
        at_ms += 200;
        let event = Event::CallMade { seat: seat.parse().unwrap(), call };
        NewEntry { at_ms, kind: event.kind().to_owned(), v: FORMAT, data: serde_json::to_string(&event).unwrap() }
    };
    let entries: Vec<NewEntry> = (last..).zip(calls).map(entry).collect();
    journal.append(&run, epoch, last, &entries).unwrap();
}

/// A house whose run is over, and cost something at eight models.
fn spent() -> House {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    drop(server);
    let small: Vec<String> = (1..=4).map(|number| format!("small-{number}")).collect();
    let mut calls = Vec::new();
    for round in 1..=6 {
        calls.push(("t1.1", "large", DOLLAR / 4 * round));
        calls.push(("t2.1", HOSTILE, DOLLAR / 8 + round));
        calls.push(("s1/1", "planner", DOLLAR / 9 * round));
        calls.extend(small.iter().map(|name| ("t2.1/1", name.as_str(), DOLLAR / 1000 * round)));
    }
    spend(&house, &calls);
    house
}

#[test]
fn charts_show_what_the_numbers_say_to_eyes_pointers_keys_and_readers_of_screens() {
    let house = spent();
    let Some(mut node) = person(&house, "charts.mjs") else { return };
    let server = Server::start(&house);
    node.arg(link(&house)).arg(house.run()).arg(house.root()).arg(pictures());
    let looking = node.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    signed(&looking, &house.root().join("more-is-wanted"));
    spend(&house, &[("t1.1", "large", DOLLAR)]);
    said(&looking.wait_with_output().unwrap()).exits(0);
    drop(server);
}

#[test]
fn files_are_sent_compressed_to_who_takes_that_and_hold_the_licence() {
    let house = gated("");
    let server = Server::start(&house);
    let plain =
        server.send("GET", "/static/uplot.js", "", "").is(200).says("The MIT License").says("export default uPlot");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let packed = server.send("HEAD", "/static/uplot.js", "Accept-Encoding: deflate, gzip, br\r\n", "").is(200);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let bytes: usize = packed.header("content-length").unwrap().parse().unwrap();
    assert!(bytes < plain.body.len() / 2, "{bytes} bytes");
    assert_eq!(
        server.send("GET", "/static/page.css", "", "").is(200).says(".u-legend").header("content-type"),
        Some("text/css; charset=utf-8")
    );
}
