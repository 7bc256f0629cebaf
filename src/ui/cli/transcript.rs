//! Owns how what a session wrote is written out: to a program byte for byte, to a terminal so that it does that no harm.

use std::io::{IsTerminal, Read};

use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::seam::{self, Place};
use crate::model::ids::RunId;
use crate::model::inert::{inert, inert_lines};
use crate::views::words;

/// Bytes that are written at one time.
const CHUNK: usize = 64 << 10;

/// Names of transcripts that whoever finds none is told.
const NAMES_MOST: usize = 40;

/// Writes a transcript out, and says on standard error what the journal says of it.
///
/// # Errors
/// Where there is none, or it cannot be read.
pub fn transcript(out: &Out, place: &Place, (run, name): (&RunId, &str)) -> Result<Exit, Fail> {
    let Some(mut found) = seam::transcript(place, run, name)? else {
        let names: Vec<String> = seam::transcripts(place, run)?;
        let named = names.iter().take(NAMES_MOST).map(|name| inert(name)).collect::<Vec<_>>().join(", ");
        let fail = Fail::new(Exit::Missing, format!("find the transcript `{}`", inert(name)));
        return Err(match names.is_empty() {
            true => fail.because(format!("run {run} has none, or they were cleared away")),
            false => fail.because(format!("run {run} has no such transcript")).hint(format!("it has {named}")),
        });
    };
    let is_shown = std::io::stdout().is_terminal();
    let failed = |error| Fail::new(Exit::Unfit, format!("read the transcript {name}")).because(error);
    let (mut bytes, mut chunk, mut rest) = (0, vec![0; CHUNK], Vec::new());
    loop {
        let read = found.from.read(&mut chunk).map_err(failed)?;
        bytes += read as u64;
        if !is_shown {
            out.raw(&chunk[..read])?;
        } else {
            rest.extend_from_slice(&chunk[..read]);
            // A character, or a line, may lie across two chunks.
            let whole = match rest.iter().rposition(|byte| *byte == b'\n') {
                Some(at) if read > 0 => at + 1,
                None if read > 0 && rest.len() < 16 * CHUNK => 0,
                Some(_) | None => rest.len(),
            };
            let lines: Vec<u8> = rest.drain(..whole).collect();
            out.raw(inert_lines(&String::from_utf8_lossy(&lines)).as_bytes())?;
        }
        if read == 0 {
            break;
        }
    }
    if let Some(flaw) = &found.flaw {
        out.remark(&format!("wrong: {}", inert(flaw)));
        return Ok(Exit::Unproven);
    }
    if bytes > found.noted {
        let open = words::size(bytes - found.noted);
        out.remark(&format!(
            "note: the last {open} of it are not noted in the journal: nothing says that they are whole"
        ));
    }
    Ok(Exit::Done)
}
