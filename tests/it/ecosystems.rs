//! Tells that real projects of five ecosystems are built and tested offline in both sandboxes, from stores of packages
//! that are laid in to be read, and that it is the role's grant that makes them so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{House, Said, said};
use crate::crew::shape;
use crate::packages::{once, run, target};
use crate::stage::{told, why};

/// A published project, and how its own tools build it.
struct Build {
    /// What a role is granted by this name.
    toolchain: &'static str,
    /// Where `project` and `store` lie, fetched beforehand.
    fetched: PathBuf,
    /// Where the tools look for their store, below the home.
    store: &'static str,
    /// Variables of whoever starts the run; `{home}` is their home.
    env: Vec<(&'static str, String)>,
    /// The repository's `artel.toml`.
    config: &'static str,
    /// What is not committed.
    ignored: &'static str,
    /// The file that is changed.
    file: &'static str,
    /// What builds and tests the project in the agent's hands, and how it is checked.
    builds: &'static str,
    checks: &'static str,
    /// How many of its own tests are run.
    tests: u64,
    /// What the tools say where they do not see their store.
    refusal: &'static str,
}

impl Build {
    fn house(&self) -> House {
        let house = House::with(&[]);
        copy(&self.fetched.join("project"), &house.repo());
        let store = house.root().join(self.store);
        fs::create_dir_all(&store).unwrap();
        copy(&self.fetched.join("store"), &store);
        house.write(".gitignore", self.ignored);
        house.write("artel.toml", self.config);
        let front = "---\nname: a goal\ndone: [{name: none, query: {regex: nowhere, within: [artel.toml]}}]\n";
        let checks = format!("checks: [{{name: tests, run: \"{}\"}}]\n", self.checks);
        house.write("goal.md", &format!("{front}{checks}---\nDo it.\n"));
        house.write("unchecked.md", &format!("{front}---\nDo it.\n"));
        house.write("plan.yml", &format!("plan:\n  - emit: [{{key: one, paths: [{}]}}]\n", self.file));
        house.git(&["add", "--all", "--force"]);
        house.commit("as it was published");
        house
    }

    fn run(&self, house: &House, goal: &str, more: &[&str]) -> Said {
        let agent = format!("worker.agents=['command:echo >> {}; {}']", self.file, self.builds);
        let mut args = vec!["run", goal, "--role", "shard.agents=script:plan.yml", "--role", "worker.mechanical=false"];
        args.extend(["--role", &agent, "--role", "worker.limits.attempts=1"]);
        args.extend(more);
        let mut artel = house.command(&args);
        artel.envs(self.env.iter().map(|(name, value)| (*name, at_home(house, value))));
        said(&artel.output().unwrap())
    }

    fn stands_in_each_sandbox_by_its_grant_alone(&self) {
        for tier in ["bubblewrap", "landlock"] {
            let house = self.house();
            let before = shape(&house.root().join(self.store), &|_| false);
            let granted = format!("worker.grants.toolchains={}", self.toolchain);
            let said = self.run(&house, "goal.md", &["--sandbox", tier, "--role", &granted]);
            assert_eq!(said.code, Some(0), "{tier}: {}{}{}", said.out, said.err, logs(&house));
            assert_eq!(house.board()["sandbox"], tier);
            assert_eq!(house.board()["counts"]["landed"], 1, "{tier}");
            let result = &told(&house, "BaselineTaken")[0]["results"][0];
            let answer = (&result["answer"], &result["executed"]);
            assert_eq!(answer, (&"green".into(), &self.tests.into()), "{tier}: {result}");
            let refused =
                self.run(&house, "unchecked.md", &["--sandbox", tier, "--role", "worker.grants.toolchains=[]"]);
            refused.exits(5);
            let told = why(&house, "t1") + &logs(&house);
            assert!(told.contains(self.refusal), "{tier}: {told}");
            assert!(shape(&house.root().join(self.store), &|_| false) == before, "{tier}: its store was changed");
        }
    }
}

fn at_home(house: &House, text: &str) -> String {
    text.replace("{home}", &house.root().to_string_lossy())
}

/// Gives what the newest run's jobs said.
fn logs(house: &House) -> String {
    let logs = fs::read_dir(house.home().join("runs").join(house.run()).join("logs")).unwrap().flatten();
    logs.map(|log| format!("\n== {:?}\n{}", log.file_name(), fs::read_to_string(log.path()).unwrap_or_default()))
        .collect()
}

fn copy(from: &Path, into: &Path) {
    run(Path::new("."), "cp", &["-r", &format!("{}/.", from.display()), into.to_str().unwrap()]);
}

/// Fetches a project and all that it needs from outside, once, into the two folders that it is given.
fn fetched(name: &str, fetch: impl FnOnce(&Path, &Path)) -> PathBuf {
    let folder = target("trees").join(name);
    once(&folder, |into| {
        let (project, store) = (into.join("project"), into.join("store"));
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(&store).unwrap();
        fetch(&project, &store);
    });
    folder
}

/// Runs a line of the shell that fetches something: the project is `$PROJECT`, the store `$STORE`.
fn fetch(line: &str, project: &Path, store: &Path) {
    let mut shell = Command::new("sh");
    shell.args(["-euc", line]).current_dir(project).stdin(Stdio::null()).env("PROJECT", project).env("STORE", store);
    let said = said(&shell.output().unwrap());
    assert_eq!(said.code, Some(0), "{line}: {}{}", said.out, said.err);
}

/// Says whether all of these programs and files are here; where one is not, says that the story is skipped.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
fn are_here(wanted: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let is_here = |wanted: &str| folders.iter().any(|folder| folder.join(wanted).exists());
    let missing: Vec<&&str> = wanted.iter().filter(|wanted| !is_here(wanted)).collect();
    if !missing.is_empty() {
        assert!(std::env::var_os("CI").is_none(), "{missing:?} is not here: .ci/test installs it");
        eprintln!("skipped: {missing:?} is not here; .ci/test installs what it may");
    }
    missing.is_empty()
}

#[test]
fn an_npm_package_is_built_from_npms_cache() {
    if !are_here(&["npm"]) {
        return;
    }
    let line = r#"npm pack --silent traverse@0.6.6 && tar -xzf *.tgz --strip-components=1 && rm *.tgz
        # Two clocks that are read one after the other are not always equal.
        sed -i "10,11s/new Date/new Date(0)/" test/equal.js
        npm install --cache $STORE --no-audit --no-fund --no-update-notifier --omit-lockfile-registry-resolved=false
        rm -r node_modules $STORE/_logs $STORE/_cacache/tmp"#;
    let build = Build {
        toolchain: "npm",
        fetched: fetched("traverse-0.6.6", |project, store| fetch(line, project, store)),
        store: ".npm",
        env: Vec::new(),
        config: "setup = ['npm ci --offline']\n",
        ignored: "node_modules/\n",
        file: "index.js",
        // What no lock file names is looked up in npm's index, which npm rewrites as it reads.
        builds: "mkdir -p $TMPDIR/npm/_cacache && ln -s ~/.npm/_cacache/content-v2 $TMPDIR/npm/_cacache && \
                 cp -rL ~/.npm/_cacache/index-v5 $TMPDIR/npm/_cacache && rm -r node_modules && \
                 npm install --offline --no-package-lock --cache $TMPDIR/npm && npm test",
        checks: "npm test",
        tests: 136,
        refusal: "ENOTCACHED",
    };
    build.stands_in_each_sandbox_by_its_grant_alone();
}

#[test]
fn a_go_module_is_built_from_the_module_cache() {
    if !are_here(&["go", "python3", "/usr/share/gocode/src/github.com/kr/pretty"]) {
        return;
    }
    let line = r#"cp -rL /usr/share/gocode/src/github.com/kr/pretty/. . && rm -rf vendor go.sum
        serve() {
            at=$STORE/stage/$1@$2 list=$STORE/proxy/$1/@v && mkdir -p $at $list
            cp -rL /usr/share/gocode/src/$1/. $at && cp $at/go.mod $list/$2.mod && echo $2 >> $list/list
            (cd $STORE/stage && find $1@$2 -type f | python3 -c 'if True:
                import sys, zipfile
                with zipfile.ZipFile(sys.argv[1], "w") as archive:
                    for file in sys.stdin.read().split("\n")[:-1]: archive.write(file)' $list/$2.zip)
            echo "{\"Version\": \"$2\"}" > $list/$2.info
        }
        serve github.com/kr/text v0.2.0
        serve github.com/creack/pty v1.1.9
        serve github.com/rogpeppe/go-internal v1.6.1
        serve github.com/pkg/diff v0.0.0-20210226163009-20ebb0f2a09e
        GOPATH=$STORE GOFLAGS='-mod=mod -modcacherw' GOPROXY=file://$STORE/proxy GOSUMDB=off go mod tidy
        rm -r $STORE/stage $STORE/proxy"#;
    let build = Build {
        toolchain: "go",
        fetched: fetched("kr-pretty", |project, store| fetch(line, project, store)),
        store: "go",
        env: Vec::new(),
        config: "setup = ['go mod verify']\n[set]\nGOCACHE = '{cache}/go'\n",
        ignored: "",
        file: "pretty.go",
        builds: "go build ./... && go test ./...",
        checks: "go test -v ./...",
        tests: 8,
        refusal: "github.com/kr/text",
    };
    build.stands_in_each_sandbox_by_its_grant_alone();
}

#[test]
fn a_java_library_is_built_from_mavens_repository() {
    let sources = target("trees/json-simple_2.3.0.orig.tar.gz");
    if !are_here(&["mvn", "javac", "/usr/share/maven-repo/org/apache/maven/surefire", sources.to_str().unwrap()]) {
        return;
    }
    let pom = r"<project xmlns='http://maven.apache.org/POM/4.0.0'>
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.github.cliftonlabs</groupId><artifactId>json-simple</artifactId><version>2.3.0</version>
  <properties>
    <maven.compiler.source>8</maven.compiler.source><maven.compiler.target>8</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.x</version><scope>test</scope></dependency>
  </dependencies>
</project>
";
    let line = format!("tar -xzf {} --strip-components=1 && cp -rL /usr/share/maven-repo/. $STORE", sources.display());
    let build = Build {
        toolchain: "jvm",
        // What its own description needs beside compiler and tests, to be released, is in no Debian package.
        fetched: fetched("json-simple-2.3.0", |project, store| {
            fetch(&line, project, store);
            fs::write(project.join("pom.xml"), pom).unwrap();
            // Debian's own settings are not to be read inside, and under Landlock they are seen to be there.
            fs::create_dir(project.join(".mvn")).unwrap();
            fs::write(project.join(".mvn/maven.config"), "-gs\n.mvn/settings.xml\n").unwrap();
            fs::write(project.join(".mvn/settings.xml"), "<settings/>\n").unwrap();
            fs::write(project.join(".mvn/jvm.config"), "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC\n").unwrap();
        }),
        store: ".m2/repository",
        env: Vec::new(),
        config: "",
        ignored: "target/\n",
        file: "README",
        builds: "mvn -B -o test",
        checks: "mvn -B -o test",
        tests: 73,
        refusal: "Could not create local repository",
    };
    build.stands_in_each_sandbox_by_its_grant_alone();
}

#[test]
fn a_crate_is_built_from_the_registry_of_a_cargo_home() {
    let line = "cargo fetch && rm -f $STORE/.package-cache* $STORE/.global-cache*";
    let build = Build {
        toolchain: "cargo",
        fetched: fetched("unicode-normalization-0.1.22", |project, store| {
            artel::ui::cli::demo::fetch_crate("unicode-normalization", "0.1.22", project).unwrap();
            fetch(&format!("export CARGO_HOME=$STORE; {line}"), project, store);
        }),
        store: ".cargo",
        env: vec![("CARGO_HOME", "{home}/.cargo".to_owned())],
        config: "setup = ['cargo fetch --offline --locked']\nwarm = ['target']\n",
        ignored: "target/\n",
        file: "src/lib.rs",
        builds: "cargo build --offline",
        checks: "cargo test --offline --lib",
        tests: 13,
        refusal: "rustup",
    };
    build.stands_in_each_sandbox_by_its_grant_alone();
}

/// Gives the folder of a uv.
fn uv() -> PathBuf {
    let folder = target("tools/uv");
    once(&folder, |into| {
        run(Path::new("."), "python3", &["-m", "venv", into.to_str().unwrap()]);
        run(into, "bin/python", &["-m", "pip", "install", "-q", "uv==0.13.9"]);
    });
    folder.join("bin")
}

#[test]
fn a_python_package_is_built_from_uvs_cache() {
    let line = "python3 -m pip download -q --no-deps --no-binary :all: -d $STORE/sdist jsonpatch==1.33
        tar --no-same-owner -xzf $STORE/sdist/*.tar.gz --strip-components=1 && rm -r $STORE/sdist
        export UV_CACHE_DIR=$STORE; uv venv -q -p /usr/bin/python3 && uv pip install -q --system-certs . && rm -r .venv build";
    if !are_here(&["python3", "/usr/bin/python3"]) {
        return;
    }
    let path = format!("{}:{}", uv().display(), std::env::var("PATH").unwrap());
    let build = Build {
        toolchain: "python",
        fetched: fetched("jsonpatch-1.33", |project, store| {
            fetch(&format!("PATH={path}; {line}"), project, store);
        }),
        store: ".cache/uv",
        env: vec![("PATH", path)],
        config: "setup = ['uv venv -q --clear -p /usr/bin/python3 && uv pip install -q --offline -r requirements.txt']\n",
        ignored: ".venv/\nbuild/\n*.egg-info/\n__pycache__/\n",
        file: "jsonpatch.py",
        // What uv builds itself it keeps in its cache.
        builds: "mkdir $TMPDIR/uv && cp -rH ~/.cache/uv/* $TMPDIR/uv && \
                 UV_CACHE_DIR=$TMPDIR/uv uv pip install -q --offline . && .venv/bin/python tests.py",
        checks: ".venv/bin/python tests.py",
        tests: 116,
        refusal: "not found in the cache",
    };
    build.stands_in_each_sandbox_by_its_grant_alone();
}
