//! Owns how an agent that speaks the protocol is set to work, and how its session is read afterwards. Starts nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::outcome::{MARK, ended};
use super::verb::{ACP_VERB, EFFORT_VARIABLE, GO_ON_VARIABLE, RESUME_VARIABLE};
use crate::io::agents::agent::{Agent, AgentError, Left, Play, Report, report};
use crate::io::agents::brief::{Brief, Desk, GO_ON_FILE};
use crate::io::agents::door::{Door, TOKEN_VARIABLE};
use crate::io::agents::found::{Programs, quoted};
use crate::io::agents::known;
use crate::io::agents::lines::each_event;
use crate::io::agents::login::Login;
use crate::io::process::Program;
use crate::model::role::Effort;

/// Environment that keeps agents to their task: no updates, no reports home, no keyring, no second process, no tool out of
/// sight; and leave to work unasked, which some give to the superuser only in a sandbox. Who does not know a name does not
/// mind it.
const ENVIRONMENT: [(&str, &str); 13] = [
    ("IS_SANDBOX", "1"),
    ("NO_COLOR", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("ENABLE_TOOL_SEARCH", "false"),
    ("GEMINI_CLI_NO_RELAUNCH", "true"),
    ("GOOSE_DISABLE_KEYRING", "1"),
    ("GOOSE_DISABLE_SESSION_NAMING", "true"),
    ("GOOSE_MODE", "auto"),
    ("COPILOT_AUTO_UPDATE", "false"),
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
];

/// Names under which agents look for a key.
const KEYS: [&str; 4] = ["ANTHROPIC_API_KEY", "COPILOT_PROVIDER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"];

/// What keeps an agent that asks by a key from asking its vendor for anything beside.
const OFFLINE: (&str, &str) = ("COPILOT_OFFLINE", "true");

/// Names by which an agent would be led from its own login to something else that pays.
const OTHERS_THAN_LOGIN: &str = "ANTHROPIC_API_KEY COPILOT_PROVIDER_API_KEY COPILOT_PROVIDER_BASE_URL GEMINI_API_KEY \
                                 GOOGLE_GEMINI_BASE_URL OPENAI_API_KEY";

/// Where agents look for the address of a provider, below the gateway's, which only the shell knows.
const ADDRESSES: [(&str, &str); 6] = [
    ("ANTHROPIC_BASE_URL", "anthropic"),
    ("ANTHROPIC_HOST", "anthropic"),
    ("COPILOT_PROVIDER_BASE_URL", "openai/v1"),
    ("GOOGLE_GEMINI_BASE_URL", "gemini"),
    ("OPENAI_BASE_URL", "openai/v1"),
    ("OPENAI_HOST", "openai"),
];

/// Toolchains that look below the home, which is another where the agent has a home of its own.
const BELOW_HOME: [(&str, &str); 3] = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("GOPATH", "go")];

/// What opencode is led to the gateway by: it reads no address of a provider from the environment. Its model is the user's
/// to choose, in its own configuration.
const OPENCODE_CONFIG: &str = r#"{\"autoupdate\":false,\"share\":\"disabled\",\"provider\":{\"anthropic\":{\"options\":{\"baseURL\":\"http://$ARTEL_GATE/anthropic/v1\"}},\"openai\":{\"options\":{\"baseURL\":\"http://$ARTEL_GATE/openai/v1\"}},\"google\":{\"options\":{\"baseURL\":\"http://$ARTEL_GATE/gemini/v1beta\"}}}}"#;

/// What Codex is led to the gateway by where another program leads it, which takes no address with its key. Its model is the
/// user's to choose, by `CODEX_CONFIG`.
const CODEX_LOGIN: &str = r#"{\"methodId\":\"gateway\",\"_meta\":{\"gateway\":{\"baseUrl\":\"http://$ARTEL_GATE/openai/v1\",\"headers\":{\"Authorization\":\"Bearer $OPENAI_API_KEY\"},\"providerName\":\"artel\"}}}"#;

/// What Codex must find in its home to report nothing home.
const CODEX_SETTINGS: &str = "check_for_update_on_startup = false\nweb_search = \"disabled\"\nanalytics.enabled = false\nfeedback.enabled = false\nfeatures.plugins = false\n";

/// What Qwen Code must find in its home to report nothing home.
const QWEN_SETTINGS: &str = r#"{"privacy":{"usageStatisticsEnabled":false},"general":{"enableAutoUpdate":false}}"#;

/// What Gemini CLI must find in its home, before and after the way in which it is to say who it is.
const GEMINI_SETTINGS: [&str; 2] = [
    r#"{"security":{"auth":{"selectedType":""#,
    r#""},"folderTrust":{"enabled":false}},"general":{"enableAutoUpdate":false},"privacy":{"usageStatisticsEnabled":false}}"#,
];

/// The ways in which Gemini CLI says who it is: by a key, and by a login with Google.
const GEMINI_WAYS: [&str; 2] = ["gemini-api-key", "oauth-personal"];

/// The folder on its desk that is its home.
const HOME: &str = "home";

/// Plays briefs by any agent that speaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acp {
    artel: PathBuf,
    programs: Programs,
    line: String,
    effort: Option<Effort>,
    door: Option<Door>,
    /// The login that it is let use.
    login: Option<Login>,
}

impl Acp {
    /// Takes the program that is the client, where programs are found, the line for `sh -c` that starts the agent, and what
    /// leads to artel. Where that leads to no models the agent looks for a login by itself, in the user's home; else it has
    /// a home of its own on its desk.
    pub fn new(artel: PathBuf, programs: Programs, line: String, door: Option<Door>) -> Self {
        Self { artel, programs, line, effort: None, door, login: None }
    }

    /// Says how hard it is to think, where it offers a choice of that.
    #[must_use]
    pub fn thinking(self, effort: Option<Effort>) -> Self {
        Self { effort, ..self }
    }

    /// Lets it use its own login, in a home of its own on its desk.
    #[must_use]
    pub fn logged_in(self, login: Login) -> Self {
        Self { login: Some(login), ..self }
    }

    /// Finds what must be seen for the line to run: the installations of the program that it begins with and of all that it
    /// names by an absolute path.
    fn sees(&self) -> Result<Vec<PathBuf>, AgentError> {
        let mut read = Vec::new();
        let mut words = self.line.split_whitespace().peekable();
        // `env A=b program` is `program` with something set.
        if words.peek() == Some(&"env") {
            words.next();
        }
        while words.next_if(|word| is_assignment(word)).is_some() {}
        if let Some(name) = words.peek().filter(|word| word.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))) {
            read.extend(self.programs.get(name, &known::how_to_get_acp(name))?.read);
        }
        let named = words.map(Path::new).filter(|path| path.is_absolute() && !path.starts_with("/proc"));
        read.extend(named.filter_map(|path| self.programs.at(path)).flat_map(|found| found.read));
        read.dedup();
        Ok(read)
    }
}

impl Agent for Acp {
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError> {
        let read = self.sees()?;
        let (mut env, mut files) = (brief.env(desk), brief.files()?);
        env.extend(ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if let Some(door) = &self.door {
            env.insert(TOKEN_VARIABLE.to_owned(), door.token().to_owned());
        }
        let key = self.door.as_ref().and_then(Door::key);
        let line = match (&self.login, key) {
            (Some(login), _) => by_login(login, desk, &mut env),
            (None, Some(key)) => by_gateway(key, desk, &mut env),
            (None, None) => String::new(),
        };
        let line = format!("{line}{}", self.line);
        let has_home = self.login.is_some() || key.is_some();
        if has_home {
            let [before, after] = GEMINI_SETTINGS;
            let way = GEMINI_WAYS[usize::from(self.login.is_some())];
            files.insert("home/.gemini/settings.json".to_owned(), format!("{before}{way}{after}"));
            files.insert("home/.codex/config.toml".to_owned(), CODEX_SETTINGS.to_owned());
            files.insert("home/.qwen/settings.json".to_owned(), QWEN_SETTINGS.to_owned());
        }
        // The client is the outer one: by the path that artel is given, only who watches over the job finds it.
        let artel = self.artel.to_string_lossy();
        let argv = [artel.as_ref(), ACP_VERB, "--", "sh", "-c", line.as_str()].map(str::to_owned).to_vec();
        if let Some(effort) = self.effort {
            env.insert(EFFORT_VARIABLE.to_owned(), effort.word().to_owned());
        }
        if let Some(resumed) = &brief.resumes {
            env.insert(RESUME_VARIABLE.to_owned(), resumed.session.clone());
            env.insert(GO_ON_VARIABLE.to_owned(), desk.file(GO_ON_FILE).to_string_lossy().into_owned());
        }
        let home = has_home.then_some(HOME);
        Ok(Play::Process { program: Program::Argv(argv), files, env, read, home })
    }

    fn read(&self, left: Left<'_>) -> Report {
        let mut last = None;
        let mut said = String::new();
        each_event(left.log, |event| {
            let update = &event["from"]["params"]["update"];
            match update["sessionUpdate"].as_str() {
                Some("agent_message_chunk") => said.push_str(update["content"]["text"].as_str().unwrap_or_default()),
                // What it says after it has done something is said anew.
                Some("tool_call") => said.clear(),
                _ => {}
            }
            if event["artel"] == MARK {
                last = ended(&event);
            }
        });
        let (ending, told) = last.unwrap_or_default();
        report(left, ending, told).saying(said)
    }
}

/// Leads an agent to the gateway, wherever it looks for a key and an address; gives what its line begins with.
fn by_gateway(key: &str, desk: &Desk, env: &mut BTreeMap<String, String>) -> String {
    env.extend(KEYS.map(|name| (name.to_owned(), key.to_owned())));
    env.insert(OFFLINE.0.to_owned(), OFFLINE.1.to_owned());
    let mut line = "unset ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN; export".to_owned();
    for (name, place) in ADDRESSES {
        line.push_str(&format!(" {name}=\"http://$ARTEL_GATE/{place}\""));
    }
    line.push_str(&format!(" DEFAULT_AUTH_REQUEST=\"{CODEX_LOGIN}\" OPENCODE_CONFIG_CONTENT=\"{OPENCODE_CONFIG}\""));
    line.push_str(&at_home(desk));
    line
}

/// Lets an agent ask by its own login and by nothing else; gives what its line begins with.
fn by_login(login: &Login, desk: &Desk, env: &mut BTreeMap<String, String>) -> String {
    env.extend(login.variables());
    let mut line = format!("unset {OTHERS_THAN_LOGIN}; export{}", at_home(desk));
    if let Some(file) = login.file().map(|file| desk.file(file)) {
        let folder = file.parent().unwrap_or(desk.folder());
        line.push_str(&format!("mkdir -p {} && ", quoted(&folder.to_string_lossy())));
        line.push_str(&Login::written_to(&quoted(&file.to_string_lossy())));
    }
    line
}

/// Says to a shell that an agent's home is on its desk, and that toolchains stay where they were.
fn at_home(desk: &Desk) -> String {
    let stay = BELOW_HOME.map(|(name, below)| format!(" {name}=\"${{{name}:-$HOME/{below}}}\""));
    let moved = home(desk).into_iter().map(|(name, place)| format!(" {name}={}", quoted(&place)));
    stay.into_iter().chain(moved).chain(["; ".to_owned()]).collect()
}

/// Gives an agent a home on its desk.
fn home(desk: &Desk) -> BTreeMap<&'static str, String> {
    let home = desk.file(HOME);
    [
        ("HOME", ""),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
    ]
    .map(|(name, below)| (name, if below.is_empty() { home.clone() } else { home.join(below) }))
    .map(|(name, place)| (name, place.to_string_lossy().into_owned()))
    .into()
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::agent::Stance;
    use crate::io::agents::brief::testing::brief;
    use crate::io::agents::found::testing::program;
    use crate::io::process::How;

    fn acp(path: &Path, line: &str, door: Option<Door>) -> Acp {
        let programs = Programs::new(Some(path.display().to_string()), None);
        Acp::new("/proc/self/exe".into(), programs, line.to_owned(), door)
    }

    #[test]
    fn what_its_line_names_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        program(&root.join("bin/goose"), "");
        program(&root.join("node_modules/agent/cli.js"), "");
        let sees = |line: &str| acp(&root.join("bin"), line, None).sees();
        assert_eq!(sees("goose acp").unwrap(), [root.join("bin")]);
        assert_eq!(sees("env GOOSE_PROVIDER=openai A=b goose acp").unwrap(), [root.join("bin")]);
        let script = format!("goose {}/node_modules/agent/cli.js /etc/passwd /proc/self/exe", root.display());
        assert_eq!(sees(&script).unwrap(), [root.join("bin"), root.join("node_modules")]);
        assert_eq!(sees("\"$SOME\" thing").unwrap(), [] as [PathBuf; 0]);
        assert!(sees("env gemini --acp").unwrap_err().to_string().contains("npm install -g @google/gemini-cli"));
    }

    #[test]
    fn the_gateway_is_where_any_of_them_looks() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("goose"), "");
        let desk = Desk::at("/desk".into());
        let played = |door: Option<Door>| {
            let play = acp(dir.path(), "goose acp", door).play(&brief(), &desk).unwrap();
            let Play::Process { program: Program::Argv(argv), files, env, .. } = play else { panic!("no process") };
            assert_eq!(argv[..5], ["/proc/self/exe", "__acp", "--", "sh", "-c"]);
            (argv[5].clone(), files, env)
        };
        let (line, files, env) = played(None);
        assert_eq!(line, "goose acp");
        assert!(!env.contains_key("OPENAI_API_KEY") && !env.contains_key("ARTEL_TOKEN"));
        let (line_of_tools, _, env) = played(Some(Door::to_tools("token".to_owned())));
        assert_eq!((line_of_tools, env["ARTEL_TOKEN"].as_str()), (line, "token"));
        assert!(!env.contains_key("OPENAI_API_KEY") && !files.contains_key("home/.gemini/settings.json"));
        let (line, files, env) = played(Some(Door::to_models_and_tools("token".to_owned())));
        insta::assert_snapshot!(line);
        assert!(KEYS.iter().all(|name| env[*name] == "token"));
        assert_eq!(env["COPILOT_OFFLINE"], "true");
        assert!(files["home/.gemini/settings.json"].contains("\"gemini-api-key\""));
    }

    #[test]
    fn a_login_is_given_in_a_home_of_its_own_and_no_key_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let kept = [
            (".gemini/oauth_creds.json", r#"{"access_token":"ya29.at","refresh_token":"1//rt","expiry_date":9e12}"#),
            (
                ".config/goose/chatgpt_codex/tokens.json",
                r#"{"access_token":"goose-at","refresh_token":"goose-rt","expires_at":"2100-01-01T00:00:00Z"}"#,
            ),
        ];
        for (file, text) in kept {
            std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            std::fs::write(root.join(file), text).unwrap();
        }
        let outer = BTreeMap::from([
            ("HOME".to_owned(), root.display().to_string()),
            ("COPILOT_GITHUB_TOKEN".to_owned(), "github_pat_at".to_owned()),
        ]);
        let desk = Desk::at("/desk".into());
        let played = |agent: &str| {
            let name = agent.split(' ').next().unwrap();
            program(&root.join(name), "");
            let login = Login::read(&format!("acp:{agent}").parse().unwrap(), &outer, 0).unwrap().unwrap();
            let acp = acp(root, agent, Some(Door::to_tools("token".to_owned()))).logged_in(login);
            let Play::Process { program: Program::Argv(argv), files, env, home, .. } =
                acp.play(&brief(), &desk).unwrap()
            else {
                panic!("no process")
            };
            assert_eq!((home, env["ARTEL_TOKEN"].as_str()), (Some("home"), "token"));
            assert!(KEYS.iter().all(|name| !env.contains_key(*name)) && !env.contains_key("COPILOT_OFFLINE"));
            let line = argv[5].clone();
            assert!(line.starts_with("unset ANTHROPIC_API_KEY ") && line.ends_with(agent), "{line}");
            assert!(line.contains(" HOME=/desk/home ") && !line.contains("ARTEL_GATE"), "{line}");
            let all = format!("{line} {files:?} {env:?}");
            assert!(!all.contains("1//rt") && !all.contains("goose-rt"), "what renews it is nowhere: {all}");
            (line, files, env)
        };
        let (_, files, env) = played("gemini --acp");
        let told = ["GOOGLE_CLOUD_ACCESS_TOKEN", "GOOGLE_GENAI_USE_GCA"].map(|name| env[name].as_str());
        assert_eq!(told, ["ya29.at", "true"]);
        assert!(files["home/.gemini/settings.json"].contains("\"oauth-personal\""));
        let (_, _, env) = played("copilot --acp");
        assert_eq!(env["COPILOT_GITHUB_TOKEN"], "github_pat_at");
        let (line, files, env) = played("goose acp");
        let written = "mkdir -p /desk/home/.config/goose/chatgpt_codex && (umask 077; printf %s \"$ARTEL_LOGIN_TOKEN\" > \
                       /desk/home/.config/goose/chatgpt_codex/tokens.json) && unset ARTEL_LOGIN_TOKEN && goose acp";
        assert!(line.ends_with(written), "{line}");
        assert!(env["ARTEL_LOGIN_TOKEN"].contains("goose-at") && !format!("{files:?}").contains("goose-at"));
    }

    #[test]
    fn only_the_last_word_of_the_client_counts() {
        let dir = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(dir.path().join("log"), text).unwrap();
            let left = Left { how: How::Exited(0), tail: "the end", log: &dir.path().join("log"), handoff: Ok(None) };
            acp(dir.path(), "goose acp", None).read(left)
        };
        let failed = Stance::Failed { why: "exited with 0:\nthe end".to_owned() };
        let done = "{\"artel\":\"acp-result\",\"stop_reason\":\"end_turn\",\"session\":\"s\"}";
        assert_eq!(read(done).stance, Stance::Done);
        assert_eq!(read(done).told.session.as_deref(), Some("s"));
        for garbage in [
            "",
            "{\"from\":{\"artel\":\"acp-result\",\"stop_reason\":\"end_turn\"}}",
            &done[..done.len() - 1],
            "{\"artel\":\"acp-result\"}",
            "{\"artel\":\"acp-result\",\"stop_reason\":[]}",
            &format!("{done}\n{{\"artel\":\"acp-result\",\"error\":7}}"),
        ] {
            assert_eq!(read(garbage).stance, failed, "{garbage}");
        }
    }
}
