//! Owns where the transcripts of a run lie, and how one is read back byte for byte: it lies there as it was written, and
//! packed once it is over and long. Never changes what one holds.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::io::process::open_regular;

/// Transcripts that are shorter, in bytes, lie there unpacked: whoever looks for a word finds it.
const SHORT: u64 = 64 << 10;

/// Bytes that are read at one time.
const CHUNK: usize = 64 << 10;

/// Transcripts of one name; nothing is begun so often.
const SAME_NAME: u32 = 10_000;

/// Holds the transcripts of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    dir: PathBuf,
}

/// Tells whether a text can name a transcript: it leads nowhere else.
pub fn is_record(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(is_plain)
}

impl Shelf {
    /// Takes the folder in which a run's sessions write.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Tells whether there is anything of the run at all.
    pub fn is_there(&self) -> bool {
        self.dir.is_dir()
    }

    /// Gives the file that a session writes.
    pub fn file(&self, record: &str) -> PathBuf {
        self.dir.join(format!("{record}.log"))
    }

    fn packed(&self, record: &str) -> PathBuf {
        self.dir.join(format!("{record}.log.gz"))
    }

    pub(super) fn times_file(&self, record: &str) -> PathBuf {
        self.dir.join(format!("{record}.times"))
    }

    /// Gives a name that no transcript has yet: this one, or one that tells how often it was given.
    pub fn fresh(&self, name: &str) -> String {
        let is_free = |record: &String| !self.file(record).exists() && !self.packed(record).exists();
        let numbered = (2..SAME_NAME).map(|number| format!("{name}~{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| name.to_owned())
    }

    /// Gives the name under which the last transcript of that name was begun.
    pub fn last(&self, name: &str) -> String {
        let is_there = |record: &String| self.file(record).exists() || self.packed(record).exists();
        let later = (2..SAME_NAME).map(|number| format!("{name}~{number}")).take_while(is_there);
        later.last().unwrap_or_else(|| name.to_owned())
    }

    /// Lists the transcripts that were begun under that name, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let is_there = |record: &String| self.file(record).exists() || self.packed(record).exists();
        let later = (2..SAME_NAME).map(|number| format!("{name}~{number}"));
        std::iter::once(name.to_owned()).chain(later).take_while(is_there).collect()
    }

    /// Lists the transcripts whose names begin so.
    pub fn named(&self, beginning: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let records = names.filter_map(|name| name.split_once(".log").map(|(record, _)| record.to_owned()));
        let mut records: Vec<String> = records.filter(|record| record.starts_with(beginning)).collect();
        records.sort();
        records.dedup();
        records
    }

    /// Opens a transcript; nothing where there is none.
    ///
    /// # Errors
    /// Where it cannot be opened, or something else than a file stands there.
    pub fn open(&self, record: &str) -> io::Result<Option<Box<dyn Read + Send>>> {
        if !is_record(record) {
            return Ok(None);
        }
        if let Some(file) = open_regular(&self.file(record))? {
            return Ok(Some(Box::new(file)));
        }
        let packed = open_regular(&self.packed(record))?;
        Ok(packed.map(|file| Box::new(MultiGzDecoder::new(BufReader::new(file))) as Box<dyn Read + Send>))
    }

    /// Gives at most so many bytes of its end, and from which byte on that is; nothing where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn end_of(&self, record: &str, most: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        if !is_record(record) {
            return Ok(None);
        }
        if let Some(mut file) = open_regular(&self.file(record))? {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes)?;
            return Ok(Some((bytes, length.saturating_sub(most))));
        }
        let Some(mut from) = self.open(record)? else { return Ok(None) };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (mut end, mut left_out, mut chunk) = (Vec::new(), 0, vec![0; CHUNK]);
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 {
                let surplus = end.len().saturating_sub(most);
                end.drain(..surplus);
                return Ok(Some((end, (left_out + surplus) as u64)));
            }
            end.extend_from_slice(&chunk[..read]);
            if end.len() > most.saturating_mul(2).saturating_add(CHUNK) {
                let surplus = end.len() - most;
                end.drain(..surplus);
                left_out += surplus;
            }
        }
    }

    /// Gives at most so many bytes from one on; nothing where there is no such transcript.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn part_of(&self, record: &str, from: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        if is_record(record)
            && let Some(mut file) = open_regular(&self.file(record))?
        {
            file.seek(SeekFrom::Start(from))?;
            file.take(most).read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
        let Some(mut packed) = self.open(record)? else { return Ok(None) };
        io::copy(&mut (&mut packed).take(from), &mut io::sink())?;
        packed.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Packs a transcript to which nothing will be added, where it is long. Whatever dies meanwhile, it stays readable.
    ///
    /// # Errors
    /// Where it cannot be read or written; it is then as it was.
    pub fn pack(&self, record: &str) -> io::Result<()> {
        let plain = self.file(record);
        let Some(mut from) = open_regular(&plain)? else { return Ok(()) };
        if from.metadata()?.len() < SHORT {
            return Ok(());
        }
        let draft = self.dir.join(format!(".{record}.draft"));
        let made = write_packed(&mut from, &draft).and_then(|()| fs::rename(&draft, self.packed(record)));
        if let Err(error) = made {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        File::open(&self.dir)?.sync_all()?;
        fs::remove_file(&plain)
    }
}

fn write_packed(from: &mut File, draft: &Path) -> io::Result<()> {
    let mut to = GzEncoder::new(File::create(draft)?, Compression::fast());
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return to.finish()?.sync_all();
        }
        to.write_all(&chunk[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().to_owned());
        (dir, shelf)
    }

    fn read(shelf: &Shelf, record: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        shelf.open(record).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_long_transcript_is_packed_and_read_back_byte_for_byte() {
        let (dir, shelf) = shelf();
        let long: Vec<u8> = (0..400_000_u32).flat_map(|n| [b'{', (n % 251) as u8, 0xff, b'\n']).collect();
        for (name, bytes) in [("t1.1", long.as_slice()), ("t2.1", b"short \x1b[31m\xff")] {
            fs::write(shelf.file(name), bytes).unwrap();
            shelf.pack(name).unwrap();
            assert_eq!(read(&shelf, name), bytes);
            let last = bytes.len() - 10;
            assert_eq!(shelf.end_of(name, 10).unwrap(), Some((bytes[last..].to_vec(), last as u64)));
            assert_eq!(shelf.end_of(name, 4 << 20).unwrap(), Some((bytes.to_vec(), 0)));
            assert_eq!(shelf.part_of(name, 4, 6).unwrap().as_deref(), Some(&bytes[4..10]));
            assert_eq!(shelf.part_of(name, last as u64, 4 << 20).unwrap().as_deref(), Some(&bytes[last..]));
            assert_eq!(shelf.part_of(name, 4 << 20, 6).unwrap().as_deref(), Some(&[][..]));
        }
        let size = |name: &str| fs::metadata(dir.path().join(name)).map(|it| it.len()).ok();
        assert!(size("t1.1.log").is_none() && size("t1.1.log.gz").unwrap() < long.len() as u64 / 4);
        assert!(size("t2.1.log").is_some() && size("t2.1.log.gz").is_none(), "what is short is not packed");
    }

    #[test]
    fn whoever_dies_while_packing_loses_nothing() {
        let (dir, shelf) = shelf();
        fs::write(shelf.file("t1.1"), vec![b'x'; 100_000]).unwrap();
        fs::write(dir.path().join(".t1.1.draft"), b"half").unwrap();
        assert_eq!(read(&shelf, "t1.1").len(), 100_000);
        shelf.pack("t1.1").unwrap();
        // It died before the unpacked one was removed.
        fs::write(shelf.file("t1.1"), vec![b'x'; 100_000]).unwrap();
        assert_eq!(read(&shelf, "t1.1").len(), 100_000);
        shelf.pack("t1.1").unwrap();
        assert_eq!(shelf.named("t"), ["t1.1"]);
        assert_eq!(read(&shelf, "t1.1").len(), 100_000);
    }

    #[test]
    fn a_name_leads_nowhere_else_and_is_given_once() {
        let (dir, shelf) = shelf();
        fs::write(dir.path().join("t1.1.log"), "x").unwrap();
        for name in ["../t1.1", "", ".t1", "a/b", "a\0", "\u{202e}"] {
            assert!(!is_record(name) && shelf.open(name).unwrap().is_none(), "{name:?}");
        }
        assert_eq!((shelf.fresh("t1.1"), shelf.last("t1.1")), ("t1.1~2".to_owned(), "t1.1".to_owned()));
        fs::write(shelf.file("t1.1~2"), vec![b'y'; 100_000]).unwrap();
        shelf.pack("t1.1~2").unwrap();
        assert_eq!((shelf.fresh("t1.1"), shelf.fresh("t1.2")), ("t1.1~3".to_owned(), "t1.2".to_owned()));
        assert_eq!((shelf.last("t1.1"), shelf.last("t1.2")), ("t1.1~2".to_owned(), "t1.2".to_owned()));
        assert_eq!((shelf.all("t1.1"), shelf.all("t1.2")), (vec!["t1.1".to_owned(), "t1.1~2".to_owned()], vec![]));
        std::os::unix::fs::symlink("t1.1.log", shelf.file("link")).unwrap();
        assert!(shelf.open("link").is_err() && shelf.open("none").unwrap().is_none());
    }
}
