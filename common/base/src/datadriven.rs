//! Runner for `testdata` files. A case is a directive line with arguments, input lines, `----`, and the expected output up
//! to an empty line. Output that contains empty lines is fenced by doubled `----` lines. With `REWRITE=1` in the environment
//! the expected outputs are replaced by the actual ones.
//!
//! ```text
//! # a comment
//! plan limit=10 cols=(a, b)
//! SELECT 1
//! ----
//! values [1]
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One case of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// First word of the directive line.
    pub directive: String,
    /// The other words: `flag`, `key=value`, `key=(v1, v2)`.
    pub args: Vec<Arg>,
    /// The lines between the directive and `----`, without the final line end.
    pub input: String,
    /// What the file says should come out, with its final line end.
    pub expected: String,
    /// Line of the directive, from 1.
    pub line: usize,
}

/// One argument of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    pub key: String,
    pub values: Vec<String>,
}

impl Case {
    /// The first value of an argument.
    pub fn arg(&self, key: &str) -> Option<&str> {
        self.args.iter().find(|a| a.key == key).and_then(|a| a.values.first()).map(String::as_str)
    }

    /// All values of an argument.
    pub fn arg_values(&self, key: &str) -> &[String] {
        self.args.iter().find(|a| a.key == key).map_or(&[], |a| &a.values)
    }

    /// Whether the argument is there, with or without a value.
    pub fn has(&self, key: &str) -> bool {
        self.args.iter().any(|a| a.key == key)
    }
}

enum Part {
    Text(String),
    Case { header: String, case: Case },
}

/// Runs every file of a directory (not its sub-directories) in name order.
///
/// # Panics
/// When an output differs from the expected one, with a report of every differing case of the file.
pub fn run_dir(dir: impl AsRef<Path>, mut make: impl FnMut(&Path) -> Box<dyn FnMut(&Case) -> String>) {
    let dir = dir.as_ref();
    let listing = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("cannot list {}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = listing.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "no test files in {}", dir.display());
    for file in files {
        run(&file, make(&file));
    }
}

/// Runs one file: `execute` is called for every case in order and returns the actual output.
///
/// # Panics
/// When an output differs from the expected one.
pub fn run(path: impl AsRef<Path>, mut execute: impl FnMut(&Case) -> String) {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    let rewrite = std::env::var_os("REWRITE").is_some_and(|v| !v.is_empty() && v != "0");
    let (new_text, report) = run_text(&text, &path.display().to_string(), &mut execute);
    if rewrite {
        if new_text != text {
            std::fs::write(path, new_text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        }
    } else {
        assert!(report.is_empty(), "{report}\nRun with REWRITE=1 to accept the actual output.");
    }
}

fn run_text(text: &str, name: &str, execute: &mut dyn FnMut(&Case) -> String) -> (String, String) {
    let (mut out, mut report) = (String::new(), String::new());
    for part in split(text, name) {
        match part {
            Part::Text(text) => out.push_str(&text),
            Part::Case { header, case } => {
                let mut actual = execute(&case);
                if !actual.is_empty() && !actual.ends_with('\n') {
                    actual.push('\n');
                }
                if actual != case.expected {
                    // Writing to a String does not fail.
                    let _ = writeln!(
                        report,
                        "{name}:{}: {}\n{}\nexpected:\n{}actual:\n{actual}",
                        case.line, case.directive, case.input, case.expected
                    );
                }
                out.push_str(&header);
                out.push_str(&fenced(&actual));
            }
        }
    }
    (out, report)
}

fn fenced(actual: &str) -> String {
    if actual.lines().any(|l| l.trim().is_empty()) {
        format!("----\n----\n{actual}----\n----\n")
    } else {
        format!("----\n{actual}")
    }
}

fn split(text: &str, name: &str) -> Vec<Part> {
    let lines: Vec<&str> = text.lines().collect();
    let mut parts = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        if line.trim().is_empty() || line.starts_with('#') {
            parts.push(Part::Text(format!("{line}\n")));
            i += 1;
            continue;
        }
        let start = i;
        i += 1;
        while i < lines.len() && lines[i] != "----" {
            i += 1;
        }
        assert!(i < lines.len(), "{name}:{}: no '----' after the directive", start + 1);
        let input = lines[start + 1..i].join("\n");
        let header = lines[start..i].iter().map(|l| format!("{l}\n")).collect();
        i += 1;
        let mut expected = String::new();
        let fence = lines.get(i) == Some(&"----");
        if fence {
            i += 1;
        }
        loop {
            match lines.get(i) {
                Some(&"----") if fence && lines.get(i + 1) == Some(&"----") => {
                    i += 2;
                    break;
                }
                Some(line) if fence || !line.trim().is_empty() => {
                    expected.push_str(line);
                    expected.push('\n');
                    i += 1;
                }
                _ => break,
            }
        }
        let (directive, args) = parse_directive(lines[start]);
        parts.push(Part::Case { header, case: Case { directive, args, input, expected, line: start + 1 } });
    }
    parts
}

fn parse_directive(line: &str) -> (String, Vec<Arg>) {
    let (directive, mut rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let mut args = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let key_len = rest.find([' ', '=']).unwrap_or(rest.len());
        let key = rest[..key_len].to_owned();
        rest = &rest[key_len..];
        let mut values = Vec::new();
        if let Some(after) = rest.strip_prefix('=') {
            if let Some((list, tail)) = after.strip_prefix('(').and_then(|l| l.split_once(')')) {
                values = list.split(',').map(|v| v.trim().to_owned()).collect();
                rest = tail;
            } else {
                let len = after.find(' ').unwrap_or(after.len());
                values.push(after[..len].to_owned());
                rest = &after[len..];
            }
        }
        args.push(Arg { key, values });
    }
    (directive.to_owned(), args)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# first\n\nupper loud n=2 cols=(a, b)\nhello\nworld\n----\nHELLO\nWORLD\n\nblank\n----\n----\na\n\nb\n----\n----\n";

    fn execute(case: &Case) -> String {
        match case.directive.as_str() {
            "upper" => case.input.to_uppercase(),
            _ => "a\n\nb\n".to_owned(),
        }
    }

    #[test]
    fn matching_output_is_silent_and_stable() {
        let mut seen = Vec::new();
        let (text, report) = run_text(TEXT, "t", &mut |case| {
            seen.push(case.clone());
            execute(case)
        });
        assert_eq!((text.as_str(), report.as_str()), (TEXT, ""));
        assert!(seen[0].has("loud") && seen[0].arg("n") == Some("2"));
        assert_eq!(seen[0].arg_values("cols"), ["a", "b"]);
        assert_eq!((seen[0].line, seen[1].line), (3, 10));
    }

    #[test]
    fn differing_output_is_reported_and_rewritten() {
        let (text, report) = run_text("x\n----\nold\n\n# end\n", "t", &mut |_| "new".to_owned());
        assert_eq!(text, "x\n----\nnew\n\n# end\n");
        assert!(report.contains("t:1: x") && report.contains("old") && report.contains("new"));
    }
}
