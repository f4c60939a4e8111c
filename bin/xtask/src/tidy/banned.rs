//! Calls that have a better replacement.

use super::reminders::has_word;
use super::{Finding, Tree};

struct Ban {
    call: &'static str,
    instead: &'static str,
    allowed_in_tests: bool,
    allowed_paths: &'static [&'static str],
}

const BANS: &[Ban] = &[
    Ban { call: concat!("to", "do!"), instead: "return NotSupported", allowed_in_tests: false, allowed_paths: &[] },
    Ban { call: "unimplemented!", instead: "return NotSupported", allowed_in_tests: false, allowed_paths: &[] },
    Ban { call: "dbg!", instead: "tracing", allowed_in_tests: false, allowed_paths: &[] },
    Ban {
        call: ".unwrap()",
        instead: "expect(\"why it holds\") or an error",
        allowed_in_tests: true,
        allowed_paths: &["build.rs"],
    },
    Ban {
        call: "println!",
        instead: "tracing, or write to a given writer",
        allowed_in_tests: true,
        allowed_paths: &["bin/xtask/src/tool.rs", "build.rs"],
    },
    Ban { call: "print!", instead: "tracing", allowed_in_tests: true, allowed_paths: &["bin/xtask/src/tool.rs"] },
    Ban {
        call: "eprintln!",
        instead: "tracing; before logging is set up, only main.rs",
        allowed_in_tests: true,
        allowed_paths: &["main.rs"],
    },
    Ban {
        call: "SystemTime::now",
        instead: "the injected Clock",
        allowed_in_tests: true,
        allowed_paths: &["common/base/src/clock.rs"],
    },
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (i, line) in file.code.lines().enumerate() {
            let in_test = file.test_lines.get(i).copied().unwrap_or(false);
            for ban in BANS {
                let allowed =
                    (in_test && ban.allowed_in_tests) || ban.allowed_paths.iter().any(|p| file.path.ends_with(p));
                if !allowed && has_call(line, ban.call) {
                    findings.push(Finding::new(&file.path, i + 1, format!("`{}`: use {}", ban.call, ban.instead)));
                }
            }
        }
    }
    findings
}

fn has_call(line: &str, call: &str) -> bool {
    if call.starts_with('.') {
        line.contains(call)
    } else {
        has_word(line, call.trim_end_matches('!')) && line.contains(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn banned_calls_are_found_outside_tests() {
        let text = "\
fn a() { x.unwrap(); }
fn b() { println!(\"x\"); }
fn c() { todo!() }
// x.unwrap()
fn d() { x.unwrap_or(1); eprintln!(); }
#[cfg(test)]
mod tests {
    fn e() { x.unwrap(); println!(); dbg!(1); }
}
";
        let found = places(check, &[("fe/x/src/a.rs", text), ("fe/x/src/main.rs", "fn f() { eprintln!(); }\n")]);
        let place = |n: usize| format!("fe/x/src/a.rs:{n}");
        assert_eq!(found, [place(1), place(2), place(3), place(5), place(8)]);
    }
}
