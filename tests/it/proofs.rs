//! Tells what can be proven of a run afterwards: its journal, what landed, who signed; and what is said and done where
//! somebody has been at the journal.

use std::process::Command;

use artel::io::journal::{ChainHash, EntryRef};
use artel::model::ids::RunId;
use rusqlite::{Connection, params};

use crate::common::House;
use crate::crew::{all_end, crew, landed_tasks, of_kind, open_gate, playing, waits};

/// A run that has ended with one task landed.
fn ended() -> House {
    let house = House::with(&[("src/a.txt", "old\n")]);
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: new}\n", "");
    house.artel(&playing(&[])).exits(0);
    house
}

/// Opens the journal as whoever may write the file can: past artel, and with nothing that guards it.
fn behind_its_back(house: &House) -> Connection {
    let raw = Connection::open(house.home().join("artel.db")).unwrap();
    for guarded in ["events", "checkpoints"] {
        for verb in ["changed", "removed"] {
            raw.execute(&format!("DROP TRIGGER IF EXISTS {guarded}_are_never_{verb}"), []).unwrap();
        }
    }
    raw
}

/// Makes the chain of a run anew from one event on, as whoever wants a change to go unseen does.
fn chain_anew(raw: &Connection, run: &str, from: u64) {
    let mut query = raw.prepare("SELECT seq, at_ms, kind, v, data FROM events WHERE run = ?1 ORDER BY seq").unwrap();
    let mut rows = query.query([run]).unwrap();
    let mut head = ChainHash::start(&run.parse::<RunId>().unwrap());
    while let Some(row) = rows.next().unwrap() {
        let (seq, kind, data): (i64, String, String) = (row.get(0).unwrap(), row.get(2).unwrap(), row.get(4).unwrap());
        let (at_ms, v) = (row.get(1).unwrap(), row.get(3).unwrap());
        head = head.then(EntryRef { seq: seq as u64, at_ms, kind: &kind, v, data: &data });
        if seq as u64 >= from {
            let sql = "UPDATE events SET chain = ?3 WHERE run = ?1 AND seq = ?2";
            raw.execute(sql, params![run, seq, head.0]).unwrap();
        }
    }
}

/// Makes an ssh key in the house; gives its path.
fn key(house: &House, name: &str, passphrase: &str) -> String {
    let path = house.root().join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&path);
    assert!(keygen.status().unwrap().success());
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_run_that_has_ended_is_proven_to_its_last_event() {
    let house = ended();
    let last = house.events().len();
    house.artel(&["verify"]).exits(0).says("all that was looked at").says("1 commits");
    let proof = house.artel(&["verify", "--json"]).exits(0).json();
    assert_eq!(proof["flaws"], serde_json::json!([]));
    for field in ["events", "checkpointed_to", "anchored_to"] {
        assert_eq!(proof[field], last, "{field}: {proof}");
    }
    // The anchor can be kept elsewhere, and the journal held against what was fetched from there.
    let anchor = proof["anchor"].as_str().unwrap();
    house.git(&["clone", "--quiet", "--bare", ".", "../elsewhere"]);
    house.git(&["push", "--quiet", "../elsewhere", anchor]);
    house.git(&["fetch", "--quiet", "../elsewhere", &format!("{anchor}:refs/kept")]);
    house.artel(&["verify", "--anchor", "refs/kept"]).exits(0);
    // Any other history is read to its first commit, and no other is searched for.
    house.git(&["commit", "--quiet", "--allow-empty", "--message", "one more"]);
    let other = house.artel(&["verify", "--anchor", "refs/heads/main", "--json"]).exits(14).json();
    let of_anchor = |flaw: &&serde_json::Value| flaw["what"].as_str().unwrap().contains("without a checkpoint");
    assert_eq!(other["flaws"].as_array().unwrap().iter().filter(of_anchor).count(), 1, "{other}");
    for searched in ["main", ":/one", "HEAD~1"] {
        house.artel(&["verify", "--anchor", searched]).exits(4).says("whole name of a ref");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(house.home().join("journal.key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_damaged_event_stops_its_run_is_explained_and_leaves_other_runs_alone() {
    let house = ended();
    let run = house.run();
    let raw = behind_its_back(&house);
    let edit = "UPDATE events SET data = replace(data, 'new', 'mew'), at_ms = at_ms + 1 WHERE seq = 5";
    assert_eq!(raw.execute(edit, []).unwrap(), 1);
    for verb in ["status", "resume"] {
        house.artel(&[verb]).exits(70).says("event 5 of run").says("artel verify");
    }
    house.artel(&["verify"]).exits(14).says("event 5: not as they were appended");
    let whole: i64 = raw.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    house.artel(&["doctor", "--repair"]).exits(4).says(&run).says("4 of").says("nothing was changed");
    let left: i64 = raw.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(left, whole, "no event is dropped");
    house.artel(&playing(&[])).exits(0);
    assert_ne!(house.run(), run);
    house.artel(&["verify"]).exits(0);
}

/// Ways to tamper with event `?1` of the only run, which has `?2` events; the last has the chain made anew afterwards.
const TAMPERS: [(&str, &str); 7] = [
    ("flip", "UPDATE events SET at_ms = at_ms + 1 WHERE seq = ?1"),
    ("delete", "DELETE FROM events WHERE seq = ?1"),
    (
        "delete and close the gap",
        "DELETE FROM events WHERE seq = ?1; UPDATE events SET seq = -seq WHERE seq > ?1; \
         UPDATE events SET seq = -seq - 1 WHERE seq < 0; UPDATE runs SET last_seq = ?2 - 1",
    ),
    (
        "swap",
        "UPDATE events SET seq = -1 WHERE seq = ?1; UPDATE events SET seq = ?1 WHERE seq = ?1 % ?2 + 1; \
         UPDATE events SET seq = ?1 % ?2 + 1 WHERE seq = -1",
    ),
    (
        "insert",
        "UPDATE events SET seq = -seq WHERE seq >= ?1; UPDATE events SET seq = -seq + 1 WHERE seq < 0; \
         INSERT INTO events SELECT run, ?1, at_ms + 1, kind, v, data, chain FROM events WHERE seq = ?1 + 1; \
         UPDATE runs SET last_seq = ?2 + 1",
    ),
    (
        "cut the end off",
        "DELETE FROM events WHERE seq >= max(?1, 2); DELETE FROM checkpoints; UPDATE runs SET last_seq = max(?1, 2) - 1",
    ),
    ("edit", "UPDATE events SET at_ms = at_ms + 1 WHERE seq = ?1"),
];

#[test]
fn each_way_to_tamper_is_found_and_placed() {
    let house = ended();
    let (run, last) = (house.run(), house.events().len() as u64);
    let whole = house.root().join("whole.db");
    let raw = behind_its_back(&house);
    raw.execute("VACUUM INTO ?1", [whole.to_str().unwrap()]).unwrap();
    drop(raw);
    for (what, sql) in TAMPERS {
        for seq in [1, 2, last / 2, last - 1, last] {
            for beside in ["artel.db-wal", "artel.db-shm"] {
                // Whoever closes the journal last removes them.
                let _ = std::fs::remove_file(house.home().join(beside));
            }
            std::fs::copy(&whole, house.home().join("artel.db")).unwrap();
            let raw = behind_its_back(&house);
            raw.execute_batch(&sql.replace("?1", &seq.to_string()).replace("?2", &last.to_string())).unwrap();
            if what == "edit" {
                chain_anew(&raw, &run, seq);
            }
            drop(raw);
            let proof = house.artel(&["verify", "--json"]).exits(14).json();
            let holds = |flaw: &serde_json::Value| {
                let range = flaw["from"].as_u64().zip(flaw["to"].as_u64());
                range.is_some_and(|(from, to)| (from..=to).contains(&seq))
            };
            assert!(proof["flaws"].as_array().unwrap().iter().any(holds), "{what} at {seq}: {proof:#}");
        }
    }
}

#[test]
fn links_that_were_taken_away_hide_neither_an_anchor_that_is_gone_nor_themselves() {
    let house = ended();
    let anchor = format!("refs/artel/{}/anchor", house.run());
    house.git(&["update-ref", "-d", &anchor]);
    let raw = behind_its_back(&house);
    raw.execute("UPDATE events SET chain = NULL WHERE seq = 1", []).unwrap();
    let gone = format!("the anchor `{anchor}` is gone");
    house.artel(&["verify"]).exits(14).says(&gone);
    raw.execute("DELETE FROM checkpoints", []).unwrap();
    house.artel(&["verify"]).exits(14).says(&gone).says("none of its checkpoints is there");
    // Where a run that was opened before has its links, one without any is no old one.
    house.artel(&playing(&[])).exits(0);
    let (run, last) = (house.run(), house.events().len());
    house.git(&["update-ref", "-d", &format!("refs/artel/{run}/anchor")]);
    raw.execute("DELETE FROM checkpoints WHERE run = ?1", [&run]).unwrap();
    raw.execute("UPDATE events SET chain = NULL WHERE run = ?1", [&run]).unwrap();
    house.artel(&["verify"]).exits(0).says("older than the chain");
    let first: String =
        raw.query_row("SELECT run FROM events WHERE run <> ?1 AND seq = 1", [&run], |row| row.get(0)).unwrap();
    chain_anew(&raw, &first, 1);
    house.artel(&["verify"]).exits(14).says(&format!("events 1 to {last}: their links are gone"));
}

#[test]
fn a_journal_that_gives_another_state_than_is_acted_on_stops_the_run_before_it_lands() {
    let house = House::with(&[]);
    let tasks: Vec<(String, String)> = (1..=8).map(|n| (format!("k{n}"), format!("src/{n}.txt"))).collect();
    tasks.iter().for_each(|(_, path)| house.write(path, "old\n"));
    let lines: Vec<_> = tasks.iter().map(|(key, path)| (key.as_str(), path.as_str(), "")).collect();
    crew(&house, &lines, &format!("{}  - write: {{text: new}}\n", waits(&house, "{task}")), "");
    let mut running = house.start(&playing(&["--workers", "8"]));
    house.until("all are at work", || {
        house.command(&["status"]).output().unwrap().status.success()
            && of_kind(&house.events(), "AttemptLeased").len() == 8
    });
    let (run, last) = (house.run(), house.events().len() as u64);
    assert!(last < 17, "it has looked at {last} events already");
    let raw = behind_its_back(&house);
    // Not the last event of all: the planner's end, which may come after it, has no moment in the state.
    let leased = house.events().iter().rposition(|it| it["kind"] == "AttemptLeased");
    let leased = leased.unwrap() as u64 + 1;
    raw.execute("UPDATE events SET at_ms = at_ms + 1 WHERE seq = ?1", [leased as i64]).unwrap();
    chain_anew(&raw, &run, leased);
    (1..=8).for_each(|task| open_gate(&house, &format!("t{task}")));
    assert_eq!(running.wait().unwrap().code(), Some(70));
    let told = std::fs::read_to_string(house.root().join("started.log")).unwrap();
    assert!(told.contains("its journal gives another state") && told.contains("artel verify"), "{told}");
    assert_eq!(landed_tasks(&house.events()), Vec::<String>::new());
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
    all_end(&house);
    // Who takes the run up acts on what is stored, and on nothing else.
    house.artel(&["resume"]).exits(0);
    assert_eq!(landed_tasks(&house.events()).len(), 8);
}

#[test]
fn a_journal_of_a_newer_artel_is_read_and_never_written() {
    let house = ended();
    let events = house.events();
    let raw = behind_its_back(&house);
    raw.pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(house.events(), events);
    house.artel(&["status"]).exits(0);
    for verb in [&playing(&[])[..], &["deliver"]] {
        house.artel(verb).exits(70).says("newer");
    }
    assert_eq!(house.events(), events);
    // An event in a form that is not known here stops its run alone.
    raw.pragma_update(None, "user_version", 3).unwrap();
    raw.execute("UPDATE events SET v = 99 WHERE seq = ?1", [events.len() as i64]).unwrap();
    chain_anew(&raw, &house.run(), events.len() as u64);
    house.artel(&["status"]).exits(70).says(&format!("event {}", events.len())).says("newer");
    house.artel(&playing(&[])).exits(0);
}

#[test]
fn a_journal_that_ends_before_what_was_signed_is_not_gone_on_from() {
    let house = ended();
    let raw = behind_its_back(&house);
    let last: i64 = raw.query_row("SELECT last_seq FROM runs", [], |row| row.get(0)).unwrap();
    let cut = format!(
        "DELETE FROM events WHERE seq > {0}; DELETE FROM checkpoints; UPDATE runs SET last_seq = {0}, ended = NULL",
        last - 3
    );
    raw.execute_batch(&cut).unwrap();
    let proof = house.artel(&["verify", "--json"]).exits(14).json();
    let flaws = proof["flaws"].as_array().unwrap();
    let is_cut = |flaw: &serde_json::Value| {
        flaw["from"] == 1 && flaw["to"] == last && flaw["what"].as_str().unwrap().contains("cut off")
    };
    assert!(flaws.iter().any(is_cut), "{proof}");
    house.artel(&["resume"]).exits(70).says(&format!("event {last}")).says("was signed");
}

#[test]
fn a_run_killed_before_its_seal_is_not_sealed_and_not_tampered_with() {
    let house = ended();
    let last = house.events().len();
    let anchor = format!("refs/artel/{}/anchor", house.run());
    let raw = behind_its_back(&house);
    // Killed after the checkpoint and before the anchor.
    house.git(&["update-ref", "refs/kept", &anchor]);
    house.git(&["update-ref", "-d", &anchor]);
    house.artel(&["verify"]).exits(14).says("is gone");
    raw.execute_batch("UPDATE runs SET ended = NULL").unwrap();
    house.artel(&["verify"]).exits(0).says("not sealed").says("not in the anchor");
    house.artel(&["verify", "--anchor", "refs/none"]).exits(14).says("the anchor `refs/none` is gone");
    // Killed before both.
    raw.execute_batch("DELETE FROM checkpoints").unwrap();
    let proof = house.artel(&["verify", "--json"]).exits(0).json();
    assert_eq!((&proof["unsealed"]["from"], &proof["unsealed"]["to"]), (&1.into(), &last.into()), "{proof}");
    // What was signed elsewhere still tells that the end was cut off.
    let cut = "DELETE FROM events WHERE seq = (SELECT last_seq FROM runs); UPDATE runs SET last_seq = last_seq - 1";
    raw.execute_batch(cut).unwrap();
    house.artel(&["verify", "--anchor", "refs/kept"]).exits(14).says("cut off");
    // An end that was noted was sealed before.
    raw.execute_batch("UPDATE runs SET ended = 'done'").unwrap();
    house.artel(&["verify"]).exits(14).says("none of its checkpoints");
}

#[test]
fn a_landing_whose_commit_is_gone_is_named() {
    let house = ended();
    let landed = house.told("BatchLanded")[0].clone();
    let commit = landed["head"].as_str().unwrap();
    for name in house.git(&["for-each-ref", "--format=%(refname)", "refs/heads/artel"]).lines() {
        house.git(&["update-ref", "-d", name]);
    }
    house.git(&["reflog", "expire", "--expire=now", "--all"]);
    house.git(&["gc", "--prune=now", "--quiet"]);
    let said = house.artel(&["verify"]).exits(14);
    said.says(&format!("event {}: landed {commit} is not in the repository", landed["seq"]));
}

#[test]
fn candidates_and_landings_are_signed_with_the_key_that_git_names() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let path = key(&house, "key", "");
    house.git(&["config", "artel.signingKey", &path]);
    let public = std::fs::read_to_string(format!("{path}.pub")).unwrap();
    let allowed = house.root().join("allowed");
    std::fs::write(&allowed, format!("artel@artel.invalid {public}")).unwrap();
    house.git(&["config", "gpg.ssh.allowedSignersFile", allowed.to_str().unwrap()]);
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: new}\n", "");
    house.artel(&playing(&[])).exits(0);
    let (head, run) = (house.head(), house.run());
    for commit in [head.clone(), format!("{head}^2")] {
        house.git(&["verify-commit", &commit]);
        let body = house.git(&["log", "-1", "--format=%(trailers:unfold)", &commit]);
        for trailer in [
            format!("Artel-Run: {run}"),
            "Artel-Task: t1".to_owned(),
            "Artel-Attempt: t1.1".to_owned(),
            "Artel-Agent: script:".to_owned(),
            "Artel-Role: worker".to_owned(),
        ] {
            assert!(body.contains(&trailer), "no {trailer} in {body}");
        }
    }
    house.artel(&["verify"]).exits(0);
}

#[test]
fn a_key_that_cannot_serve_stops_a_run_only_where_it_was_named_for_artel() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let locked = key(&house, "locked", "a secret");
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: new}\n", "");
    house.git(&["config", "artel.signingKey", &locked]);
    house.artel(&playing(&[])).exits(4).says("passphrase").says("artel.signingKey");
    house.git(&["config", "--unset", "artel.signingKey"]);
    house.git(&["config", "gpg.format", "ssh"]);
    house.git(&["config", "user.signingKey", &format!("{locked}.pub")]);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.git(&["log", "-1", "--format=%G?", &house.head()]), "N");
}
