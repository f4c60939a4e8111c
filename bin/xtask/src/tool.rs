//! What the tools say to the terminal; the one place that prints.

use std::process::ExitCode;

use crate::tidy::Finding;

/// Prints the findings, one line each, and fails when there are any.
pub fn report(findings: &[Finding]) -> ExitCode {
    for finding in findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy");
        return ExitCode::SUCCESS;
    }
    println!("{} findings", findings.len());
    ExitCode::FAILURE
}

/// Prints how to call the tools.
pub fn usage() -> ExitCode {
    println!("cargo run -p xtask -- tidy    checks the rules of STYLE.md that a program can check");
    ExitCode::FAILURE
}
