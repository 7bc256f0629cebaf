//! Tells that what sessions write is kept as they wrote it: noted in the journal while they run, read back byte for byte,
//! and found out where somebody has been at it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::House;
use crate::stage::{crew, run, told, work};

const TASK: &str = "[{key: task-a, brief: write, paths: [a.txt]}]";

/// Writes much, and what does harm to a terminal, and then the file.
const TALKS: &str = "seq 1 400000; printf '\\\\033[2J\\\\377\\\\000end'; echo done > a.txt";

fn logs(house: &House) -> PathBuf {
    house.home().join("runs").join(house.run()).join("logs")
}

fn talks(line: &str) -> String {
    format!("worker.agents=[\"command:{line}\"]")
}

/// A run whose only worker has written much.
fn talked() -> House {
    let house = crew("", TASK, &[("b.txt", "b\n")]);
    work(&house, &talks(TALKS), &[]).exits(0);
    house
}

fn written() -> Vec<u8> {
    let mut all: Vec<u8> = (1..=400_000).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    all.extend_from_slice(b"\x1b[2J\xff\0end");
    all
}

fn transcript(house: &House, args: &[&str]) -> (Vec<u8>, String) {
    let output = house.command(args).output().unwrap();
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_a_session_wrote_is_packed_noted_and_read_back_byte_for_byte() {
    let house = talked();
    let (read, noted) = transcript(&house, &["show", "t1", "--transcript"]);
    assert!(read == written(), "{} bytes of {}", read.len(), written().len());
    assert_eq!(noted, "");
    let (named, _) = transcript(&house, &["show", "t1", "--transcript=t1.1"]);
    assert!(named == read);
    house.artel(&["show", "t1", "--transcript=t9.9"]).exits(11).says("no such transcript").says("t1.1");
    let packed = fs::metadata(logs(&house).join("t1.1.log.gz")).unwrap().len();
    assert!(packed < read.len() as u64 / 3 && !logs(&house).join("t1.1.log").exists(), "{packed}");
    let marks = told(&house, "TranscriptKept");
    let last = marks.last().unwrap();
    assert_eq!((&last["record"], last["bytes"].as_u64()), (&"t1.1".into(), Some(read.len() as u64)));
    house.artel(&["verify"]).exits(0).says("transcripts").says("1, as the journal has them");
}

/// Changes a packed transcript as whoever knows how it is packed can.
fn altered(house: &House, change: impl FnOnce(&mut Vec<u8>)) {
    let (mut bytes, _) = transcript(house, &["show", "t1", "--transcript"]);
    change(&mut bytes);
    fs::remove_file(logs(house).join("t1.1.log.gz")).unwrap();
    fs::write(logs(house).join("t1.1.log"), bytes).unwrap();
}

#[test]
fn who_was_at_a_transcript_is_found_out() {
    let house = talked();
    altered(&house, |bytes| bytes[1_234_567] = b'x');
    house.artel(&["verify"]).exits(14).says("the transcript t1.1 was altered between its bytes");
    let said = house.artel(&["show", "t1", "--transcript"]).exits(14);
    said.says("wrong: the transcript t1.1 was altered");

    let house = talked();
    altered(&house, |bytes| bytes.truncate(1_000_000));
    house.artel(&["verify"]).exits(14).says("the transcript t1.1 is cut off: it has 1000000 bytes");

    let house = talked();
    fs::remove_file(logs(&house).join("t1.1.log.gz")).unwrap();
    house.artel(&["verify"]).exits(14).says("the transcript t1.1 is gone");
}

#[test]
fn transcripts_are_cleared_away_with_all_that_a_run_wrote() {
    let house = talked();
    house.artel(&["gc"]).exits(0);
    house.artel(&["verify"]).exits(0).says("1 that were cleared away");
    house.artel(&["show", "t1", "--transcript"]).exits(11).says("cleared away");
}

/// Has an agent write more than two megabytes, and then wait until a file is there.
fn waiting(house: &House, file: &Path) -> String {
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", file.display());
    let first = "head -c 2500000 /dev/zero | tr '\\\\0' x; ";
    // Who plays the second attempt finds what the first one left behind, and waits for nobody.
    let line = format!("if [ $ARTEL_ATTEMPT = t1.1 ]; then {first}{wait}; fi; echo done > a.txt");
    assert!(!house.root().join("x").exists());
    talks(&line)
}

#[test]
fn what_is_being_written_is_noted_before_it_is_over_and_outlives_its_coordinator() {
    let house = crew("", TASK, &[("b.txt", "b\n")]);
    let role = waiting(&house, &house.root().join("never"));
    let mut child = house.start(&run(&role, &[]));
    house.until("what was written so far is noted", || !told(&house, "TranscriptKept").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    house.artel(&["resume"]).exits(0);
    let noted = told(&house, "TranscriptKept")[0]["bytes"].as_u64().unwrap();
    assert!((1 << 20..=2_500_000).contains(&noted), "{noted}");
    let (read, _) = transcript(&house, &["show", "t1", "--transcript=t1.1"]);
    assert_eq!(read.len(), 2_500_000);
    assert!(read.iter().all(|byte| *byte == b'x'));
    house.artel(&["verify"]).exits(0).says("as the journal has them");
}
