//! Owns which paths no attempt may change unless a repository says otherwise: what decides how work is judged, and what
//! would be executed outside the worktree later. Never looks at a tree.

/// Globs of files that decide how work is judged, or that tools and agents execute or obey later.
pub const GUARDS: &[&str] = &[
    // artel's own
    "artel.toml",
    ".artel/**",
    // what git obeys
    "**/.gitattributes",
    "**/.gitmodules",
    "**/.lfsconfig",
    // hooks
    ".githooks/**",
    ".husky/**",
    "**/.pre-commit-config.{yaml,yml}",
    "**/lefthook.{yaml,yml}",
    // continuous integration
    ".ci/**",
    ".github/**",
    ".gitlab/**",
    "**/.gitlab-ci.yml",
    ".circleci/**",
    ".buildkite/**",
    ".drone.yml",
    ".travis.yml",
    ".woodpecker/**",
    ".woodpecker.{yaml,yml}",
    "azure-pipelines.{yaml,yml}",
    "bitbucket-pipelines.yml",
    "**/Jenkinsfile",
    // who owns what
    "{CODEOWNERS,docs/CODEOWNERS}",
    // how tests are chosen and run
    "**/.config/nextest.toml",
    "**/{pytest,tox}.ini",
    "**/{jest,vitest,karma,playwright}.config.*",
    "**/.mocharc*",
    // tools that run code on entering a folder or opening it
    "**/.cargo/{config,config.toml}",
    "**/.envrc",
    ".devcontainer/**",
    "**/.vscode/**",
    "**/.idea/**",
    // what other agents obey
    "**/{AGENTS,AGENTS.local,CLAUDE,CLAUDE.local,GEMINI}.md",
    "**/.claude/**",
    "**/.codex/**",
    "**/.cursor/**",
    "**/.gemini/**",
    "**/.cursorrules",
    "**/.windsurfrules",
    "**/.mcp.json",
];

/// Globs of lock files: a task may change one that it owns by name, not one that merely lies in its folder.
pub const LOCK_FILES: &[&str] = &[
    "**/Cargo.lock",
    "**/{package-lock,npm-shrinkwrap}.json",
    "**/yarn.lock",
    "**/pnpm-lock.yaml",
    "**/bun.{lock,lockb}",
    "**/{poetry,uv,pdm,Pipfile}.lock",
    "**/go.sum",
    "**/Gemfile.lock",
    "**/composer.lock",
    "**/gradle.lockfile",
];

/// Lists the default of `protect`.
pub fn defaults() -> Vec<String> {
    GUARDS.iter().chain(LOCK_FILES).map(|glob| (*glob).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protects(path: &str) -> bool {
        crate::model::globs::globs(&defaults()).unwrap().is_match(path)
    }

    #[test]
    fn what_judges_or_is_obeyed_later_is_protected() {
        for path in [
            "artel.toml",
            ".artel/roles/worker.toml",
            ".github/workflows/ci.yml",
            ".gitattributes",
            "vendor/.gitattributes",
            ".husky/pre-commit",
            "sub/.claude/settings.json",
            ".mcp.json",
            "AGENTS.md",
            "sub/CLAUDE.md",
            "CODEOWNERS",
            "docs/CODEOWNERS",
            "Cargo.lock",
            "web/package-lock.json",
            ".cargo/config",
            ".cargo/config.toml",
            "jest.config.mjs",
        ] {
            assert!(protects(path), "{path}");
        }
        for path in ["src/main.rs", "docs/agents.md", "src/claude/mod.rs", "package.json", "github/x.yml"] {
            assert!(!protects(path), "{path}");
        }
    }
}
