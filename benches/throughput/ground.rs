//! Owns the repository that is measured on, and the tasks that are done there: the same for artel and for the script.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Folders of source files that tasks are spread over, evenly.
const FOLDERS: usize = 20;

/// Files in a folder of a large repository.
const FOLDER_FILES: usize = 100;

/// Folders that were used, removed at the end: a file system is slow to make files just after many were removed, and
/// that must not fall on whoever is measured next.
static USED: Mutex<Vec<tempfile::TempDir>> = Mutex::new(Vec::new());

/// Removes what was generated.
pub fn tidy_up() {
    USED.lock().expect("nobody panicked").clear();
}

/// Makes a folder that stays until the end.
pub fn folder() -> PathBuf {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder to work in");
    let path = dir.path().to_owned();
    USED.lock().expect("nobody panicked").push(dir);
    path
}

/// Holds a generated repository in a folder of its own.
pub struct Lab {
    dir: PathBuf,
}

impl Lab {
    /// Generates a repository of so many files, all committed and in one pack; nothing is checked out.
    pub fn new(files: usize) -> Self {
        let lab = Self { dir: folder() };
        std::fs::create_dir_all(lab.repo()).expect("a folder");
        for arguments in [
            &["init", "-q", "-b", "main"][..],
            &["config", "user.name", "bench"],
            &["config", "user.email", "bench@artel.invalid"],
            &["config", "gc.auto", "0"],
            // However small, as a pack: so is what people clone.
            &["config", "fastimport.unpackLimit", "1"],
        ] {
            lab.git(arguments);
        }
        let mut import = Command::new("git");
        import.args(["fast-import", "--quiet"]).current_dir(lab.repo()).stdin(Stdio::piped());
        let mut import = import.spawn().expect("git runs");
        let mut stream = std::io::BufWriter::new(import.stdin.take().expect("a pipe"));
        write_commit(&mut stream, files).expect("git takes the files in");
        drop(stream);
        assert!(import.wait().expect("git ends").success(), "git takes the files in");
        lab
    }

    /// Shows the checkout.
    pub fn repo(&self) -> PathBuf {
        self.dir.join("repo")
    }

    /// Makes a folder beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        let place = self.dir.join(name);
        std::fs::create_dir_all(&place).expect("a folder");
        place
    }

    /// Runs git in the checkout and gives what it says.
    pub fn git(&self, arguments: &[&str]) -> String {
        let made = Command::new("git").args(arguments).current_dir(self.repo()).output().expect("git runs");
        assert!(made.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("git speaks UTF-8").trim().to_owned()
    }
}

fn write_commit(stream: &mut impl Write, files: usize) -> std::io::Result<()> {
    let folders = FOLDERS.max(files / FOLDER_FILES);
    let line = |at| format!("pub fn f{at}(x: u32) -> u32 {{\n    let y = x + 1;\n    y * {at}\n}}\n\n");
    let body: String = (0..12).map(line).collect();
    stream.write_all(b"commit refs/heads/main\ncommitter bench <bench@artel.invalid> 0 +0000\ndata 4\nbase\n")?;
    for n in 0..files {
        let (folder, number) = (n % folders, n / folders + 1);
        let text = format!("{body}pub fn last() -> u32 {{\n    old_call({n})\n}}\n");
        write!(stream, "M 100644 inline src/m{folder}/f{number}.rs\ndata {}\n{text}\n", text.len())?;
    }
    stream.flush()
}

/// Lists so many tasks: in each folder the files from the first on, one a task; those beyond the repository's are new.
pub fn tasks(count: usize) -> Vec<(String, String)> {
    let task = |n: usize| (format!("m{}-{}", n % FOLDERS, n / FOLDERS + 1), file(n));
    (0..count).map(task).collect()
}

fn file(n: usize) -> String {
    format!("src/m{}/f{}.rs", n % FOLDERS, n / FOLDERS + 1)
}

/// Says which files the tasks are about.
#[derive(Debug, Clone, Copy)]
pub enum Spread {
    /// Each is about a file of its own, which is new where the repository has no more.
    OneAFile,
    /// They are about so many files of the repository, however many they are.
    Among(usize),
}

/// Writes the goal, the planner's part and the rule into a folder, and the roles into the repository. The agents' roles
/// are given to the folders of tasks by turns; parts lie beside the goal.
pub fn write_goal(lab: &Lab, count: usize, agents: &[String], spread: Spread) -> PathBuf {
    let place = lab.beside("goal");
    let write = |path: &Path, text: &str| std::fs::write(path, text).expect("a file");
    let role = |number: usize| if number == 0 { "worker".to_owned() } else { format!("worker{number}") };
    let emit = |count: usize, key: &str, path: &str, role: &str| {
        format!(
            "  - emit_each: {{count: {count}, task: {{key: \"{key}\", paths: [\"{path}\"], rules: [rule.yml], role: {role}}}}}\n"
        )
    };
    let share = |count: usize, among: usize, number: usize| count / among + usize::from(number < count % among);
    let each: String = (0..FOLDERS)
        .map(|folder| {
            let (tasks, role) = (share(count, FOLDERS, folder), role(folder % agents.len()));
            match spread {
                Spread::OneAFile => {
                    emit(tasks, &format!("m{folder}-{{n}}"), &format!("src/m{folder}/f{{n}}.rs"), &role)
                }
                Spread::Among(files) => (0..files / FOLDERS)
                    .map(|file| {
                        let (key, path) =
                            (format!("m{folder}-{file}-{{n}}"), format!("src/m{folder}/f{}.rs", file + 1));
                        emit(share(tasks, files / FOLDERS, file), &key, &path, &role)
                    })
                    .collect(),
            }
        })
        .collect();
    write(&place.join("plan.yml"), &format!("plan:\n{each}"));
    write(&place.join("rule.yml"), "id: call\nlanguage: rust\nrule: {pattern: old_call($X)}\nfix: new_call($X)\n");
    let goal = "---\nname: bench\ndone: [\"true\"]\nchecks: [\"true\"]\nplan: {planner: emitter, rules: [rule.yml]}\n---\nbench\n";
    write(&place.join("goal.md"), goal);
    let roles = lab.repo().join(".artel/roles");
    std::fs::create_dir_all(&roles).expect("a folder");
    write(&roles.join("emitter.toml"), "part = \"planner\"\nagents = [\"script:plan.yml\"]\n");
    for (number, agent) in agents.iter().enumerate() {
        let text = format!("part = \"worker\"\nprompt = \"worker\"\nmechanical = false\nagents = ['{agent}']\n");
        write(&roles.join(role(number)).with_extension("toml"), &text);
    }
    place.join("goal.md")
}
