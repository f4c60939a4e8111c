//! Automation of the repository: `cargo run -p xtask -- tidy`. Depends on nothing, so it builds in seconds.

#![forbid(unsafe_code)]

mod tidy;
mod tool;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tool::report(&tidy::run(&workspace_root())),
        _ => tool::usage(),
    }
}

/// The directory of the workspace manifest: two above this crate's.
fn workspace_root() -> PathBuf {
    let manifest_dir =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest_dir.ancestors().nth(2).map_or_else(|| manifest_dir.clone(), PathBuf::from)
}
