//! Owns what a source file defines and what it brings in, by the names of its grammar's nodes. Never resolves a name.

use std::path::Path;

use ast_grep_core::Node;
use ast_grep_core::tree_sitter::StrDoc;
use ast_grep_language::SupportLang;

use super::language::{parse, readable};

type Found<'r> = Node<'r, StrDoc<SupportLang>>;

/// Symbols and imports of one file that are kept, each.
const MOST: usize = 500;
/// Characters of a symbol's line that are kept.
const LINE_CHARS: usize = 140;

/// Tells what a file defines and brings in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// In the file's order, without what lies inside functions.
    pub symbols: Vec<Symbol>,
    /// In the file's order.
    pub imports: Vec<Import>,
}

impl Outline {
    /// Tells about how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let symbols: usize = self.symbols.iter().map(|symbol| symbol.text.len() + size_of::<Symbol>()).sum();
        let import = |it: &Import| it.parts.iter().map(|part| part.len() + size_of::<String>()).sum::<usize>();
        symbols + self.imports.iter().map(|it| import(it) + size_of::<Import>()).sum::<usize>()
    }
}

/// Names one definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its line, from 1.
    pub line: u32,
    /// How many definitions it lies in.
    pub depth: u32,
    /// Its first line, as it is written.
    pub text: String,
}

/// Names one thing that is brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// How many folders it goes up from the file's own, where it says where it begins.
    pub up: Option<u32>,
    /// The names on its way.
    pub parts: Vec<String>,
}

/// Outlines a file; nothing for what is not read as source.
pub fn outline(path: impl AsRef<Path>, bytes: &[u8]) -> Option<Outline> {
    let (language, text) = readable(path.as_ref(), bytes).ok()?;
    let source = parse(language, text).ok()?;
    let mut outline = Outline::default();
    let mut next = vec![(source.root(), 0)];
    while let Some((node, depth)) = next.pop() {
        let kind = node.kind();
        outline.imports.extend(imports(&node, &kind));
        let sort = sort(&node, &kind, depth);
        if sort.is_some() {
            let line = u32::try_from(node.start_pos().line() + 1).unwrap_or(u32::MAX);
            outline.symbols.push(Symbol { line, depth, text: first_line(&node.text()) });
        }
        if outline.symbols.len() >= MOST || outline.imports.len() >= MOST {
            break;
        }
        if sort != Some(Sort::Whole) {
            let depth = depth + u32::from(sort.is_some());
            let children: Vec<_> = node.named_children().map(|child| (child, depth)).collect();
            next.extend(children.into_iter().rev());
        }
    }
    outline.imports.truncate(MOST);
    Some(outline)
}

/// Says whether a definition is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// What lies in it is its own.
    Whole,
    /// What lies in it is seen from outside.
    Holder,
}

/// Sorts a node of any of the built-in grammars; nothing where it defines nothing.
fn sort(node: &Found<'_>, kind: &str, depth: u32) -> Option<Sort> {
    match kind {
        "function_item"
        | "function_signature_item"
        | "struct_item"
        | "enum_item"
        | "union_item"
        | "const_item"
        | "static_item"
        | "type_item"
        | "macro_definition"
        | "function_definition"
        | "function_declaration"
        | "generator_function_declaration"
        | "method_definition"
        | "method_declaration"
        | "constructor_declaration"
        | "interface_declaration"
        | "type_alias_declaration"
        | "enum_declaration"
        | "type_spec"
        | "type_definition"
        | "preproc_function_def" => Some(Sort::Whole),
        "struct_specifier" | "union_specifier" | "enum_specifier" => node.field("body").map(|_| Sort::Whole),
        "trait_item"
        | "impl_item"
        | "class_definition"
        | "class_declaration"
        | "abstract_class_declaration"
        | "record_declaration" => Some(Sort::Holder),
        // One without a body is another file's.
        "mod_item" => node.field("body").map(|_| Sort::Holder),
        "variable_declarator" if depth == 0 => {
            let value = node.field("value")?;
            matches!(&*value.kind(), "arrow_function" | "function_expression").then_some(Sort::Whole)
        }
        _ => None,
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).take(LINE_CHARS).collect();
    line.trim_end_matches(['{', ' ', ':']).to_owned()
}

/// Reads what a node brings in.
fn imports(node: &Found<'_>, kind: &str) -> Vec<Import> {
    let of = |field: &str| node.field(field).map(|it| it.text().into_owned());
    match kind {
        "use_declaration" => of("argument").map(|text| of_rust(&text)).unwrap_or_default(),
        "mod_item" if node.field("body").is_none() => of("name").map(|name| named(None, [name])).into_iter().collect(),
        "import_from_statement" => of_python_from(node),
        "import_statement" | "export_statement" => match of("source") {
            Some(source) => vec![of_path(&source)],
            None => of_python(node),
        },
        "call_expression" if of("function").is_some_and(|it| it == "require" || it == "import") => {
            let first = node.field("arguments").and_then(|all| all.named_children().next());
            first.filter(|it| it.kind() == "string").map(|it| of_path(&it.text())).into_iter().collect()
        }
        "import_spec" | "preproc_include" => of("path").map(|path| of_path(&path)).into_iter().collect(),
        "import_declaration" => {
            let name = node.named_children().find(|it| it.kind() == "scoped_identifier");
            name.map(|it| named(None, it.text().split('.').map(str::to_owned))).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn named(up: Option<u32>, parts: impl IntoIterator<Item = String>) -> Import {
    let parts = parts.into_iter().map(|part| part.trim().to_owned());
    Import { up, parts: parts.filter(|part| !part.is_empty()).collect() }
}

/// Reads `a::{b, c::{d, self}} as e` into its paths; where it begins is left to whoever knows the files.
fn of_rust(text: &str) -> Vec<Import> {
    let (mut found, mut heads, mut path): (Vec<Import>, Vec<String>, String) = Default::default();
    for c in text.chars() {
        match c {
            '{' => heads.push(std::mem::take(&mut path)),
            ',' | '}' => {
                found.extend(rust_path(&heads, &path));
                path.clear();
                if c == '}' {
                    heads.pop();
                }
            }
            c => path.push(c),
        }
        if found.len() > MOST || heads.len() > 100 {
            return found;
        }
    }
    found.extend(rust_path(&heads, &path));
    found
}

fn rust_path(heads: &[String], tail: &str) -> Option<Import> {
    let tail = tail.split(" as ").next().unwrap_or_default();
    if tail.trim().is_empty() {
        return None;
    }
    let whole = heads.iter().map(String::as_str).chain([tail]).collect::<String>();
    let parts = whole.split("::").map(str::trim).filter(|part| !matches!(*part, "crate" | "self" | "super" | "*"));
    Some(named(None, parts.map(str::to_owned))).filter(|import| !import.parts.is_empty())
}

fn of_python(node: &Found<'_>) -> Vec<Import> {
    let names = node.named_children().filter_map(|it| match &*it.kind() {
        "dotted_name" => Some(it.text().into_owned()),
        "aliased_import" => it.field("name").map(|name| name.text().into_owned()),
        _ => None,
    });
    names.map(|name| named(None, name.split('.').map(str::to_owned))).collect()
}

fn of_python_from(node: &Found<'_>) -> Vec<Import> {
    let Some(module) = node.field("module_name").map(|it| it.text().into_owned()) else { return Vec::new() };
    let dots = module.chars().take_while(|c| *c == '.').count();
    let up = u32::try_from(dots).ok().and_then(|dots| dots.checked_sub(1));
    let module: Vec<String> = module[dots..].split('.').map(str::to_owned).collect();
    let names = node.field_children("name").map(|it| it.field("name").unwrap_or(it).text().into_owned());
    let mut found: Vec<Import> = names.map(|name| named(up, module.iter().cloned().chain([name]))).collect();
    if found.is_empty() {
        found.push(named(up, module));
    }
    found
}

/// Reads a path in quotes or angles.
fn of_path(text: &str) -> Import {
    let path = text.trim().trim_matches(['"', '\'', '`', '<', '>']);
    let steps: Vec<&str> = path.split('/').collect();
    let above = steps.iter().take_while(|step| matches!(**step, "." | "..")).count();
    let up = steps[..above].iter().filter(|step| **step == "..").count();
    let up = (above > 0).then(|| u32::try_from(up).unwrap_or(u32::MAX));
    named(up, steps[above..].iter().map(|step| (*step).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> String {
        let Outline { symbols, imports } = outline(path, text.as_bytes()).unwrap();
        let symbols =
            symbols.iter().map(|it| format!("{}{}{} | ", it.line, " ".repeat(it.depth as usize + 1), it.text));
        let import =
            |it: &Import| format!("{}{} ", it.up.map_or(String::new(), |up| format!("^{up} ")), it.parts.join("/"));
        format!("{}= {}", symbols.collect::<String>(), imports.iter().map(import).collect::<String>())
    }

    #[test]
    fn each_language_tells_what_it_defines_and_brings_in() {
        let rust = "use crate::a::{b, c::{d as e, self}, f::*};\nmod g;\nmod h { fn i() {} }\npub fn j(k: u8) -> u8 {\n fn l() {}\n}\nimpl M for N {\n fn o() {}\n}\n";
        let python = "import a.b, c as d\nfrom . import e\nfrom ..f.g import h, i as j\nclass K(L):\n  def m(self):\n    def n(): pass\ndef o(): pass\n";
        let script = "import a from './b';\nexport * from '../../c/d';\nconst e = require('f/g');\nexport const h = (i) => { function j() {} };\nexport class K { l() {} }\ninterface M { n: string }\n";
        let go = "package a\nimport (\n \"fmt\"\n b \"example.com/c/d\"\n)\ntype E struct{}\nfunc (e E) F() {}\nfunc G() {}\n";
        let java = "package a;\nimport b.c.D;\nclass E { void f() {} E() {} }\ninterface G {}\n";
        let c = "#include <stdio.h>\n#include \"a/b.h\"\nstruct d { int e; };\nstatic int f(void) { return 1; }\nstruct d g;\n";
        for (path, text) in
            [("a.rs", rust), ("a.py", python), ("a.ts", script), ("a.go", go), ("A.java", java), ("a.c", c)]
        {
            insta::assert_snapshot!(path, told(path, text));
        }
    }

    #[test]
    fn what_is_no_source_has_no_outline_and_garbage_has_what_parses() {
        assert_eq!(outline("a.txt", b"fn a() {}"), None);
        assert_eq!(outline("a.rs", b"\xff"), None);
        assert!(told("a.rs", "fn a() {}\nuse b::{{{c, ,};\nfn d( {").starts_with("1 fn a() {} | "));
        assert!(told("a.rs", &format!("use {}b;", "a::{".repeat(500))).len() < 10_000);
    }
}
