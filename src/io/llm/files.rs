//! Owns the tools by which a model works on files: read, list, search, edit, write, remove, and a shell. Knows neither where
//! the files lie nor how a command is run.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::look::{cut, numbered, quoted};
use crate::io::tools::{Files as Searched, Listed, Pending, Query, Tool, Toolbox, schema_of};
use crate::io::tools::{arguments as fitting, search as find};

/// Bytes of a file that are shown at one time.
const READ_BYTES: usize = 48 << 10;
/// Lines of a file that are shown at one time.
const READ_LINES: usize = 1_000;
/// Names that are listed at one time.
const LISTED: usize = 500;
/// How long a command may take where its call does not say.
const COMMAND_S: u64 = 600;
/// Names the tool that searches, as every session knows it.
const SEARCH: &str = "search_code";

/// Files that a session works on, wherever they are. Paths are relative, with `/`, and were checked by nobody.
pub trait Files {
    /// Lists the files, sorted; those that git ignores are left out.
    ///
    /// # Errors
    /// Says why they cannot be listed.
    fn paths(&mut self) -> Result<Vec<String>, String>;

    /// Looks at a path.
    ///
    /// # Errors
    /// Says why nobody may look there, or it cannot be read.
    fn look(&mut self, path: &str) -> Result<Found, String>;

    /// Makes a file hold this, new or not.
    ///
    /// # Errors
    /// Says why it cannot.
    fn write(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), String>;

    /// Removes a file.
    ///
    /// # Errors
    /// Says why it cannot.
    fn remove(&mut self, path: &str) -> Result<(), String>;
}

/// What is found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file with this content.
    File(Vec<u8>),
    /// A link that leads there; nobody follows it.
    Link(String),
    /// A folder.
    Folder,
    /// Nothing.
    Nothing,
}

/// Something that is done with files, where that may take its time.
pub type Act = Box<dyn FnOnce(&mut dyn Files) -> Result<String, String> + Send>;

/// Says how a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How, in words.
    pub how: String,
    /// The end of its output.
    pub tail: String,
    /// Whether there was more of it.
    pub is_cut: bool,
}

/// The place where a session works.
pub trait Place: Send + Sync {
    /// Does something with its files.
    ///
    /// # Errors
    /// What the act says, or that the files are lost.
    fn with(&self, act: Act) -> Pending<'_, Result<String, String>>;

    /// Runs a line by `sh -c` where the files are.
    ///
    /// # Errors
    /// Says why it could not be run, or was lost; how it ended is no error.
    fn run(&self, line: String, most: Duration) -> Pending<'_, Result<Ran, String>>;
}

/// Offers the tools of a place.
pub struct FileTools {
    place: Arc<dyn Place>,
    may_change: bool,
}

impl FileTools {
    /// Offers all tools.
    pub fn new(place: Arc<dyn Place>) -> Self {
        Self { place, may_change: true }
    }

    /// Offers those that change nothing: read, list and search.
    pub fn read_only(place: Arc<dyn Place>) -> Self {
        Self { place, may_change: false }
    }

    async fn act(&self, name: &str, arguments: &Value) -> Result<String, String> {
        let act: Act = match name {
            "read" => read(arguments)?,
            "list" => list(arguments)?,
            SEARCH => search(arguments)?,
            "edit" if self.may_change => edit(arguments)?,
            "write" if self.may_change => write(arguments)?,
            "remove" if self.may_change => remove(arguments)?,
            "shell" if self.may_change => return self.shell(arguments).await,
            _ => {
                let names: Vec<String> = self.tools().into_iter().map(|tool| tool.name).collect();
                let name = crate::model::written::shown(name);
                return Err(format!("there is no tool `{name}`; there are: {}", names.join(", ")));
            }
        };
        self.place.with(act).await
    }

    async fn shell(&self, arguments: &Value) -> Result<String, String> {
        let read = Arguments::new(arguments, &["command", "seconds"])?;
        let line = read.text("command")?.to_owned();
        if line.trim().is_empty() || line.contains('\0') {
            return Err("the argument `command` must be a line for a shell".to_owned());
        }
        let most = Duration::from_secs(read.maybe_count("seconds")?.unwrap_or(COMMAND_S).max(1));
        let Ran { how, tail, is_cut } = self.place.run(line, most).await?;
        let before = if is_cut { "\nThe beginning of its output is not shown." } else { "" };
        let shown = if tail.trim().is_empty() { "It wrote nothing.\n".to_owned() } else { quoted(&tail) };
        Ok(format!("{how}{before}\n{shown}"))
    }
}

impl Toolbox for FileTools {
    fn tools(&self) -> Vec<Tool> {
        let mut tools = vec![
            tool(
                "read",
                "Shows a file of the repository, with the numbers of its lines.",
                json!({
                    "path": {"type": "string", "description": "Relative to the root of the repository."},
                    "from": {"type": "integer", "description": "The first line that is shown; 1 without it."},
                    "lines": {"type": "integer", "description": "How many are shown at most."}
                }),
                &["path"],
            ),
            tool(
                "list",
                "Lists the files of the repository, or of those the ones that a glob names.",
                json!({"globs": globs_schema()}),
                &[],
            ),
            Tool {
                name: SEARCH.to_owned(),
                about: "Searches the files as they are now for a regular expression or a text.".to_owned(),
                input: schema_of::<Query>(),
            },
        ];
        if self.may_change {
            tools.extend(changing());
        }
        tools
    }

    fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
        let name = name.to_owned();
        Box::pin(async move { self.act(&name, &arguments).await })
    }
}

/// Describes the tools that change something.
fn changing() -> [Tool; 4] {
    let path = json!({"type": "string", "description": "Relative to the root of the repository."});
    [
        tool(
            "edit",
            "Replaces a text in a file by another. The old text must occur exactly once, byte for byte, without the marks \
             and numbers that read shows before each line.",
            json!({"path": path, "old": {"type": "string"}, "new": {"type": "string"}}),
            &["path", "old", "new"],
        ),
        tool(
            "write",
            "Makes a file hold a text, new or in the place of what it held.",
            json!({"path": path, "content": {"type": "string"}}),
            &["path", "content"],
        ),
        tool("remove", "Removes a file.", json!({"path": path}), &["path"]),
        tool(
            "shell",
            "Runs a line by sh -c at the root of the repository, in a sandbox, and shows the end of its output. What it \
             starts does not outlive it.",
            json!({
                "command": {"type": "string"},
                "seconds": {"type": "integer", "description": "How long it may take; 600 without it."}
            }),
            &["command"],
        ),
    ]
}

fn tool(name: &str, about: &str, properties: Value, required: &[&str]) -> Tool {
    let input =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    Tool { name: name.to_owned(), about: about.to_owned(), input }
}

fn globs_schema() -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": "Such as src/**/*.rs"})
}

fn read(arguments: &Value) -> Result<Act, String> {
    let read = Arguments::new(arguments, &["path", "from", "lines"])?;
    let path = read.text("path")?.to_owned();
    let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let from = read.maybe_count("from")?.map_or(1, whole).max(1);
    let lines = read.maybe_count("lines")?.map_or(READ_LINES, whole).clamp(1, READ_LINES);
    Ok(Box::new(move |files| {
        let text = text_of(&path, files.look(&path)?)?;
        let all = text.lines().count();
        if text.is_empty() {
            return Ok("The file is empty.".to_owned());
        }
        if from > all {
            return Err(format!("the file has {all} lines"));
        }
        let (mut shown, last) = numbered(&text, from, lines, READ_BYTES);
        if last < all {
            shown.push_str(&format!("({all} lines in all; go on from {})\n", last + 1));
        }
        Ok(shown)
    }))
}

fn list(arguments: &Value) -> Result<Act, String> {
    let globs = globs(&Arguments::new(arguments, &["globs"])?.texts("globs")?)?;
    Ok(Box::new(move |files| {
        let paths: Vec<String> = files.paths()?.into_iter().filter(|path| globs.is_match(path)).collect();
        let shown = paths.iter().take(LISTED).map(|path| one_line(path)).collect::<Vec<_>>().join("\n");
        Ok(match paths.len() {
            0 => "No file is there.".to_owned(),
            all if all > LISTED => format!("{}({all} files in all; use narrower globs)\n", quoted(&shown)),
            _ => quoted(&shown),
        })
    }))
}

fn search(arguments: &Value) -> Result<Act, String> {
    let query: Query = fitting(SEARCH, arguments.clone())?;
    Ok(Box::new(move |files| find(&Seen(RefCell::new(files)), &query).map(|found| quoted(&found))))
}

/// Lets a search look through the files of a place.
struct Seen<'f>(RefCell<&'f mut dyn Files>);

impl Searched for Seen<'_> {
    fn list(&self) -> Result<Vec<Listed>, String> {
        Ok(self.0.borrow_mut().paths()?.into_iter().map(|path| Listed { path, blob: None }).collect())
    }

    fn read(&self, file: &Listed, most: u64) -> Option<Vec<u8>> {
        match self.0.borrow_mut().look(&file.path) {
            Ok(Found::File(bytes)) if bytes.len() as u64 <= most => Some(bytes),
            Ok(Found::File(_) | Found::Link(_) | Found::Folder | Found::Nothing) | Err(_) => None,
        }
    }
}

fn edit(arguments: &Value) -> Result<Act, String> {
    let read = Arguments::new(arguments, &["path", "old", "new"])?;
    let (path, old, new) = (read.text("path")?.to_owned(), read.text("old")?.to_owned(), read.text("new")?.to_owned());
    if old.is_empty() {
        return Err("the argument `old` is empty: use write to make a new file".to_owned());
    }
    Ok(Box::new(move |files| {
        let text = text_of(&path, files.look(&path)?)?;
        // A model writes lines that end as most do; the file keeps its own ends.
        let is_other = text.contains("\r\n") && !old.contains('\r') && !text.contains(&old);
        let (old, new) = if is_other { (old.replace('\n', "\r\n"), new.replace('\n', "\r\n")) } else { (old, new) };
        match text.matches(&old).count() {
            1 => {}
            0 => return Err("the old text does not occur in the file; read it again".to_owned()),
            times => return Err(format!("the old text occurs {times} times; take more of the lines around it")),
        }
        files.write(&path, text.replacen(&old, &new, 1).into_bytes())?;
        Ok("Done.".to_owned())
    }))
}

fn write(arguments: &Value) -> Result<Act, String> {
    let read = Arguments::new(arguments, &["path", "content"])?;
    let (path, content) = (read.text("path")?.to_owned(), read.text("content")?.to_owned());
    Ok(Box::new(move |files| {
        let bytes = content.len();
        files.write(&path, content.into_bytes())?;
        Ok(format!("Done: {bytes} bytes."))
    }))
}

fn remove(arguments: &Value) -> Result<Act, String> {
    let path = Arguments::new(arguments, &["path"])?.text("path")?.to_owned();
    Ok(Box::new(move |files| {
        files.remove(&path)?;
        Ok("Done.".to_owned())
    }))
}

fn globs(written: &[&str]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    let all = ["**"];
    for glob in if written.is_empty() { &all[..] } else { written } {
        set.add(Glob::new(glob).map_err(|error| format!("a glob is none: {}", in_one_line(&error)))?);
    }
    set.build().map_err(|error| format!("the globs are none: {}", in_one_line(&error)))
}

/// Takes a file for a text.
fn text_of(path: &str, found: Found) -> Result<String, String> {
    let path = one_line(path);
    match found {
        Found::File(bytes) => String::from_utf8(bytes).map_err(|_| format!("{path} is no text in UTF-8")),
        Found::Link(target) => Err(format!("{path} is a link to {}, and links are not followed", one_line(&target))),
        Found::Folder => Err(format!("{path} is a folder; use list")),
        Found::Nothing => Err(format!("there is no file {path}")),
    }
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn one_line(text: &str) -> String {
    cut(&text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    /// Files in memory, without any law.
    #[derive(Default)]
    struct Shelf(Mutex<BTreeMap<String, Vec<u8>>>);

    struct Open<'a>(&'a mut BTreeMap<String, Vec<u8>>);

    impl Files for Open<'_> {
        fn paths(&mut self) -> Result<Vec<String>, String> {
            Ok(self.0.keys().cloned().collect())
        }

        fn look(&mut self, path: &str) -> Result<Found, String> {
            Ok(self.0.get(path).map_or(Found::Nothing, |bytes| Found::File(bytes.clone())))
        }

        fn write(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), String> {
            self.0.insert(path.to_owned(), bytes);
            Ok(())
        }

        fn remove(&mut self, path: &str) -> Result<(), String> {
            self.0.remove(path).map(|_| ()).ok_or_else(|| "nothing is there".to_owned())
        }
    }

    impl Place for Shelf {
        fn with(&self, act: Act) -> Pending<'_, Result<String, String>> {
            Box::pin(async move { act(&mut Open(&mut self.0.lock().unwrap())) })
        }

        fn run(&self, line: String, most: Duration) -> Pending<'_, Result<Ran, String>> {
            let tail = format!("{line} within {}", most.as_secs());
            Box::pin(async move { Ok(Ran { how: "It exited with 0.".to_owned(), tail, is_cut: true }) })
        }
    }

    fn shelf(files: &[(&str, &[u8])]) -> Arc<Shelf> {
        let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
        Arc::new(Shelf(Mutex::new(files.collect())))
    }

    async fn call(shelf: &Arc<Shelf>, name: &str, arguments: Value) -> Result<String, String> {
        FileTools::new(Arc::<Shelf>::clone(shelf)).call(name, arguments).await
    }

    fn held(shelf: &Arc<Shelf>, path: &str) -> String {
        String::from_utf8(shelf.0.lock().unwrap()[path].clone()).unwrap()
    }

    #[tokio::test]
    async fn a_file_is_read_in_parts_and_what_is_no_text_is_named() {
        let long: String = (1..=2500).map(|number| format!("{number}\n")).collect();
        let shelf = shelf(&[("long", long.as_bytes()), ("bin", b"\xff\xfe"), ("none", b"")]);
        let shown = call(&shelf, "read", json!({"path": "long"})).await.unwrap();
        assert!(shown.ends_with("> 1000\t1000\n(2500 lines in all; go on from 1001)\n"), "{shown}");
        let shown = call(&shelf, "read", json!({"path": "long", "from": 2500, "lines": 9})).await.unwrap();
        assert_eq!(shown, "> 2500\t2500\n");
        assert_eq!(call(&shelf, "read", json!({"path": "none"})).await.unwrap(), "The file is empty.");
        for (path, from, why) in
            [("bin", 1, "bin is no text in UTF-8"), ("x", 1, "there is no file x"), ("long", 2501, "2500 lines")]
        {
            let error = call(&shelf, "read", json!({"path": path, "from": from})).await.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn an_edit_replaces_what_occurs_once_and_keeps_the_ends_of_lines() {
        let shelf = shelf(&[("a", b"one\ntwo\ntwo\n"), ("dos", b"one\r\ntwo\r\n")]);
        let edit = async |path: &str, old: &str, new: &str| {
            call(&shelf, "edit", json!({"path": path, "old": old, "new": new})).await
        };
        edit("a", "one\n", "1\n").await.unwrap();
        assert!(edit("a", "two\n", "2\n").await.unwrap_err().contains("occurs 2 times"));
        assert!(edit("a", "three", "3").await.unwrap_err().contains("does not occur"));
        assert!(edit("a", "", "3").await.unwrap_err().contains("is empty"));
        assert!(edit("b", "x", "3").await.unwrap_err().contains("there is no file b"));
        assert_eq!(held(&shelf, "a"), "1\ntwo\ntwo\n");
        edit("dos", "one\ntwo", "1\n2").await.unwrap();
        assert_eq!(held(&shelf, "dos"), "1\r\n2\r\n");
    }

    #[tokio::test]
    async fn a_search_shows_where_and_marks_what_it_shows() {
        let shelf = shelf(&[("src/a.rs", b"fn one() {}\n// FN\n"), ("b.txt", b"fn\n"), ("bin", b"\0fn")]);
        let found = call(&shelf, "search_code", json!({"pattern": "^fn", "paths": ["src", "*.txt"]})).await.unwrap();
        let sum = "> 2 matching lines in 2 files; 2 files were searched.\n";
        assert_eq!(found, format!("> b.txt:1: fn\n> src/a.rs:1: fn one() {{}}\n{sum}"));
        let found = call(&shelf, "search_code", json!({"pattern": "fn", "paths": ["src"], "ignore_case": true})).await;
        assert_eq!(found.unwrap().lines().count(), 3);
        for pattern in ["(", "a{9999}{9999}"] {
            let why = call(&shelf, "search_code", json!({ "pattern": pattern })).await.unwrap_err();
            assert!(why.starts_with("`pattern` is no regular expression") && !why.contains('\n'), "{why}");
        }
    }

    #[tokio::test]
    async fn files_are_listed_written_and_removed_and_a_line_is_run() {
        let shelf = shelf(&[("a", b""), ("b\x1b", b"")]);
        assert_eq!(call(&shelf, "list", json!({})).await.unwrap(), "> a\n> b \n");
        assert_eq!(call(&shelf, "list", json!({"globs": ["c*"]})).await.unwrap(), "No file is there.");
        call(&shelf, "write", json!({"path": "c", "content": "text"})).await.unwrap();
        assert_eq!(held(&shelf, "c"), "text");
        call(&shelf, "remove", json!({"path": "c"})).await.unwrap();
        assert!(call(&shelf, "remove", json!({"path": "c"})).await.is_err());
        let ran = call(&shelf, "shell", json!({"command": "ls", "seconds": 5})).await.unwrap();
        assert_eq!(ran, "It exited with 0.\nThe beginning of its output is not shown.\n> ls within 5\n");
    }

    #[tokio::test]
    async fn who_may_only_read_has_no_tool_that_changes() {
        let shelf = shelf(&[("a", b"x\n")]);
        let tools = FileTools::read_only(Arc::<Shelf>::clone(&shelf));
        let names: Vec<String> = tools.tools().into_iter().map(|tool| tool.name).collect();
        assert_eq!(names, ["read", "list", "search_code"]);
        for name in ["edit", "write", "remove", "shell"] {
            let error = tools.call(name, json!({"path": "a", "content": "y", "command": "ls"})).await.unwrap_err();
            assert_eq!(error, format!("there is no tool `{name}`; there are: read, list, search_code"));
        }
        assert_eq!(held(&shelf, "a"), "x\n");
    }

    #[test]
    fn each_schema_names_what_is_read() {
        for tool in FileTools::new(shelf(&[])).tools() {
            assert_eq!((&tool.input["type"], &tool.input["additionalProperties"]), (&json!("object"), &json!(false)));
            for required in tool.input["required"].as_array().unwrap() {
                assert!(tool.input["properties"][required.as_str().unwrap()].is_object(), "{}: {required}", tool.name);
            }
        }
    }
}
