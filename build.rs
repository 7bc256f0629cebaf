//! Names the laws by a hash of their source, so that a state which other laws had made is never taken for one of these.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// All that decides what a journal gives, and how that is written down.
const LAWS: [&str; 5] = ["src/machine", "src/model", "src/views", "src/io/journal/format.rs", "Cargo.lock"];

fn main() {
    let mut files = Vec::new();
    for place in LAWS {
        println!("cargo::rerun-if-changed={place}");
        collect(Path::new(place), &mut files);
    }
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        // A file that cannot be read is missed by the compiler too, or is no law.
        (&file, fs::read(&file).unwrap_or_default()).hash(&mut hash);
    }
    println!("cargo::rustc-env=ARTEL_LAWS={:016x}", hash.finish());
}

fn collect(place: &Path, into: &mut Vec<PathBuf>) {
    match fs::read_dir(place) {
        Ok(entries) => entries.flatten().for_each(|entry| collect(&entry.path(), into)),
        Err(_) => into.push(place.to_owned()),
    }
}
