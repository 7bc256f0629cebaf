//! Owns the defaults of how tests are found and counted, by language: Rust, Python, JavaScript and TypeScript, Go,
//! Java and Kotlin, Ruby, C and C++. Never reads a file.

use std::collections::BTreeMap;

use super::config::TestLister;

/// Lists the languages and how their tests are found and counted.
pub fn defaults() -> BTreeMap<String, TestLister> {
    [
        ("rust", rust()),
        ("python", python()),
        ("javascript", javascript()),
        ("go", go()),
        ("java", java()),
        ("ruby", ruby()),
        ("cpp", cpp()),
    ]
    .map(|(language, lister)| (language.to_owned(), lister))
    .into()
}

fn rust() -> TestLister {
    TestLister {
        files: texts(&["**/*.rs"]),
        test_files: texts(&["**/tests/**", "**/tests.rs", "**/*_test.rs", "**/*_tests.rs"]),
        test: r"#\[\s*(?:\w+\s*::\s*)*(?:test|rstest|test_case|test_matrix|quickcheck|wasm_bindgen_test)\b".to_owned(),
        skip: r"#\[\s*ignore\b|#\[\s*cfg_attr\([^\]]*\bignore\b|#\[\s*cfg\(\s*(?:any\(\s*\)|FALSE|false)\s*\)"
            .to_owned(),
        executed: texts(&[
            // cargo test, a line for each binary
            r"(?m)^test result: \w+\. (\d+) passed; \d+ failed; ",
            r"(?m)^test result: \w+\. \d+ passed; (\d+) failed; ",
            // cargo nextest
            r"(?m)^\s*Summary \[[^\]]*\]\s+(\d+)(?:/\d+)? tests? run: ",
        ]),
        failed: texts(&[
            r"(?m)^test (.+?)(?: - should panic)? \.\.\. FAILED$",
            r"(?m)^\s+(?:TRY \d+ )?(?:FAIL|TMT|TIMEOUT|ABORT|SIG[A-Z]+) \[[^\]]*\] (?:\([^)]*\) )?(\S.*)$",
        ]),
    }
}

fn python() -> TestLister {
    TestLister {
        files: texts(&["**/*.py"]),
        test_files: texts(&["**/test_*.py", "**/*_test.py", "**/tests/**", "**/conftest.py"]),
        test: r"(?m)^[ \t]*(?:async\s+)?def\s+test\w*\s*\(".to_owned(),
        skip: r"(?m)\bmark\.(?:skip|skipif|xfail)\b|\bunittest\.(?:skip|skipIf|skipUnless|expectedFailure)\b|^[ \t]*@(?:skip|skipIf|skipUnless|expectedFailure)\b|\bpytest\.(?:skip|xfail|importorskip)\(|\.skipTest\(|\bSkipTest\b|\bcollect_ignore\b|\b__test__\s*=\s*False".to_owned(),
        executed: texts(&[
            // pytest's last line: `=== 1 failed, 5 passed, 2 skipped in 0.12s ===`
            r"(?m)^=*\s*(?:\d+ [a-z]+, )*(\d+) passed\b.* in \d",
            r"(?m)^=*\s*(?:\d+ [a-z]+, )*(\d+) failed\b.* in \d",
            // unittest
            r"(?m)^Ran (\d+) tests? in \d",
        ]),
        failed: texts(&[r"(?m)^FAILED (\S+::.+?)(?: - .*)?$", r"(?m)^ERROR (\S+\.py.*?)(?: - .*)?$", r"(?m)^(?:FAIL|ERROR): (.+)$"]),
    }
}

fn javascript() -> TestLister {
    TestLister {
        files: texts(&["**/*.{js,jsx,mjs,cjs,ts,tsx,mts,cts}"]),
        test_files: texts(&[
            "**/*.{test,spec}.{js,jsx,mjs,cjs,ts,tsx,mts,cts}",
            "**/{test,tests,__tests__,__snapshots__,spec}/**",
        ]),
        test: r"\b(?:it|test|specify)(?:\.(?:each|only|skip|todo|concurrent|failing|fails))*\s*(?:\(|`)".to_owned(),
        skip: r"\b(?:it|test|describe|suite|context|specify)\.(?:skip|todo|skipIf|runIf|failing|fails)\b|\b(?:xit|xtest|xdescribe|xcontext|xspecify)\b|\b(?:this|t|ctx)\.skip\(|\b(?:skip|todo)\s*:\s*(?:true|['\x22`])".to_owned(),
        executed: texts(&[
            // node:test, in TAP (`# pass 5`) and as a person sees it; tape, which lines its numbers up
            r"(?m)^(?:#|ℹ) pass +(\d+)$",
            r"(?m)^(?:#|ℹ) fail +(\d+)$",
            // jest: `Tests:       1 failed, 5 passed, 6 total`
            r"(?m)^Tests:\s+(?:\d+ [a-z]+, )*(\d+) passed\b",
            r"(?m)^Tests:\s+(?:\d+ [a-z]+, )*(\d+) failed\b",
            // vitest: `     Tests  1 failed | 5 passed (6)`
            r"(?m)^\s+Tests\s+(?:\d+ [a-z]+ \| )*(\d+) passed\b",
            r"(?m)^\s+Tests\s+(?:\d+ [a-z]+ \| )*(\d+) failed\b",
            // mocha
            r"(?m)^\s+(\d+) passing \(",
            r"(?m)^\s+(\d+) failing$",
        ]),
        failed: texts(&[
            // TAP; what is marked `# TODO` or `# SKIP` has not failed
            r"(?m)^\s*not ok \d+ (?:- )?([^#\n]+)$",
            r"(?m)^\s*✖ (.+?) \([\d.]+m?s\)$",
            r"(?m)^  ● (.+ › .+)$",
            r"(?m)^\s*(?:×|FAIL )\s*(\S.* > .+?)(?: \d+m?s)?$",
            // mocha: `  1) bad one`
            r"(?m)^\s+\d+\) (\S.*)$",
        ]),
    }
}

fn go() -> TestLister {
    TestLister {
        files: texts(&["**/*.go"]),
        test_files: texts(&["**/*_test.go", "**/testdata/**"]),
        test: r"(?m)^func\s+(?:Test|Fuzz|Example)\w*\s*\(|\bt\.Run\(".to_owned(),
        skip: r"\b\w+\.Skip(?:f|Now)?\(|(?m)^//(?:go:build|\s*\+build)\s+ignore\b".to_owned(),
        // Only `go test -v` and `-json` name tests: one match is one test.
        executed: texts(&[r"(?m)^\s*--- (?:PASS|FAIL): "]),
        failed: texts(&[r"(?m)^\s*--- FAIL: (\S+)", r"(?m)^FAIL\s+(\S+) \[build failed\]$"]),
    }
}

fn java() -> TestLister {
    TestLister {
        files: texts(&["**/*.{java,kt}"]),
        test_files: texts(&["**/src/test/**", "**/src/*Test/**", "**/*Test.{java,kt}", "**/*Tests.{java,kt}"]),
        test: r"@(?:Test|ParameterizedTest|RepeatedTest|TestFactory|TestTemplate)\b".to_owned(),
        skip: r"@(?:Disabled\w*|Ignore)\b|\bassume(?:True|False|That)\(|\bAssumptions?\.".to_owned(),
        executed: texts(&[
            // surefire's total, which is the line without a time
            r"(?m)^(?:\[\w+\] )?Tests run: (\d+), Failures: \d+, Errors: \d+, Skipped: \d+$",
            // gradle, which counts only when something failed
            r"(?m)^(\d+) tests? completed, \d+ failed",
        ]),
        failed: texts(&[
            r"(?m)^\[ERROR\] (\S+?) (?:-- | ?)Time elapsed: .*<<< (?:FAILURE|ERROR)!$",
            r"(?m)^(\S+(?: > .+)+) FAILED$",
        ]),
    }
}

fn ruby() -> TestLister {
    TestLister {
        files: texts(&["**/*.rb"]),
        test_files: texts(&["**/{test,spec}/**", "**/*_{test,spec}.rb"]),
        test: r"(?m)^\s*(?:def\s+test_\w+|(?:it|specify|test)\s+['\x22])".to_owned(),
        skip: r"(?m)^\s*(?:skip|pending|xit|xdescribe|xcontext|xspecify)\b|\bskip:\s*(?:true|['\x22])".to_owned(),
        executed: texts(&[r"(?m)^(\d+) (?:runs|tests), \d+ assertions", r"(?m)^(\d+) examples?, \d+ failures?"]),
        failed: texts(&[r"(?m)^rspec (\S+(?::\d+|\[[\d:]+\]))", r"(?m)^(\w[\w:]*#\w+)(?: \[|:$)"]),
    }
}

fn cpp() -> TestLister {
    TestLister {
        files: texts(&["**/*.{c,cc,cpp,cxx,h,hh,hpp,hxx}"]),
        test_files: texts(&["**/{test,tests}/**", "**/*_{test,tests,unittest}.{c,cc,cpp,cxx}"]),
        test: r"(?m)^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|TEST_CASE|SCENARIO|BOOST_AUTO_TEST_CASE)\s*\(".to_owned(),
        skip: r"\bGTEST_SKIP\(|\bDISABLED_\w+|\bSKIP\(|\bdoctest::skip\(|\bdisabled\(\)".to_owned(),
        executed: texts(&[
            r"(?m)^\[==========\] (\d+) tests? from .* ran\.",
            r"(?m)^\d+% tests passed, \d+ tests failed out of (\d+)$",
        ]),
        failed: texts(&[
            r"(?m)^\[  FAILED  \] (\w[\w/]*\.[\w/]+)",
            r"(?m)^\s+\d+ - (\S+) \((?:Failed|Timeout|SEGFAULT|Subprocess aborted|Not Run)\)",
        ]),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use globset::Glob;
    use regex::Regex;

    use super::*;

    fn count(pattern: &str, text: &str) -> usize {
        Regex::new(pattern).unwrap().find_iter(text).count()
    }

    #[test]
    fn every_default_glob_and_pattern_is_sound_and_bounds_its_name() {
        for (language, lister) in defaults() {
            for glob in lister.files.iter().chain(&lister.test_files) {
                assert!(Glob::new(glob).is_ok(), "{language}: {glob}");
            }
            for pattern in [&lister.test, &lister.skip].into_iter().chain(&lister.executed).chain(&lister.failed) {
                assert!(Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match("")), "{language}: {pattern}");
            }
        }
    }

    #[test]
    fn tests_and_skip_markers_are_counted() {
        let listers = defaults();
        for (language, text, tests, skips) in [
            ("rust", "#[cfg(test)]\n#[test]\nfn a() {}\n#[tokio::test(flavor = \"x\")]\n#[ignore = \"y\"]\n", 2, 1),
            ("rust", "#[cfg_attr(windows, ignore)]\n#[rstest]\nfn attest() {}\n", 1, 1),
            ("python", "def test_a():\n  pass\nasync def test_b():\n  pytest.skip('x')\ndef helper(): ...\n", 2, 1),
            ("python", "@pytest.mark.skipif(x)\n@unittest.skip('x')\n@skip\n    def test_c(self):\n", 1, 3),
            ("javascript", "it('a', () => {})\ntest.each`x`\nit.skip('b', f)\nxit('c', f)\nemit('d')\n", 3, 2),
            ("javascript", "test('x', { skip: true }, f)\ndescribe.skip('y', f)\ntest.todo('z')\n", 2, 3),
            ("go", "func TestA(t *testing.T) {\n\tt.Skip(\"x\")\n\tt.Run(\"b\", f)\n}\n", 2, 1),
            ("java", "@Test\n@Disabled(\"x\")\nvoid a() {}\n@Ignore @ParameterizedTest\n", 2, 2),
            ("ruby", "  it 'a' do\n  def test_b\n    skip 'x'\n", 2, 1),
            ("cpp", "TEST(A, DISABLED_B) {}\nTEST_F(A, C) { GTEST_SKIP(); }\n", 2, 2),
        ] {
            let lister = &listers[language];
            assert_eq!((count(&lister.test, text), count(&lister.skip, text)), (tests, skips), "{language}: {text}");
        }
    }
}
