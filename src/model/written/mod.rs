//! Reading what people write: YAML and TOML as one tree whose every value knows its place, and the faults found in it.
//! Knows no field of any file; never opens one.

mod fault;
mod tree;
mod yaml;
mod toml;
mod fields;
mod values;

pub use fault::{Fault, Faults, nearest, shown};
pub use fields::Fields;
pub use toml::{read as read_toml, read_value as read_toml_value};
pub use tree::{Entry, Node, SIZE_MAX, Value};
pub use values::{
    command, count, duration_s, flag, glob, globs, list, nano_usd, regex, relative_path, seconds_of, text, texts, word,
};
pub use yaml::read as read_yaml;
