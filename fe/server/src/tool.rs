//! `mirrorship-fe tool …`: looks at log and images of a frontend that does not run. Nothing is written but the answer.

use std::{io::Write, path::{Path, PathBuf}};

use common_base::{Result, bail, config::ConfigSet, err, fs::SharedFs, kv::SharedKv, process::LOG_KEYS};

use crate::config;

const USAGE: &str = "\
mirrorship-fe tool dump-log [--from INDEX] [--count N] [--home DIR]
                                      entries of the catalog's log, one a line
mirrorship-fe tool images [--home DIR]      the images: are they whole, who is a member, how much they hold
mirrorship-fe tool dump-image [--home DIR]  the newest readable image in full
Ends with 0 when all is well, 1 when damage was found, 2 when the tool could not do its work.
";

/// Opens a store without writing to it.
pub type OpenStore = fn(&Path) -> Result<SharedKv>;

/// Runs a command; what it has to say goes to `out`.
pub fn run(args: &[String], fs: &SharedFs, open: OpenStore, out: &mut dyn Write) -> u8 {
    match command(args, fs, open, out) {
        Ok(code) => code,
        Err(e) => {
            // Nobody may be listening.
            let _ = writeln!(out, "error: {e}");
            2
        }
    }
}

fn command(args: &[String], fs: &SharedFs, open: OpenStore, out: &mut dyn Write) -> Result<u8> {
    let (mut home, mut from, mut count, mut name) = (PathBuf::from("."), 0, usize::MAX, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|v| v.parse().ok()).ok_or_else(|| err!(InvalidArgument, "{arg} needs a number"));
        match arg.as_str() {
            "--from" => from = number()?,
            "--count" => count = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--home" => home = args.next().ok_or_else(|| err!(InvalidArgument, "--home needs a directory"))?.into(),
            other if name.is_none() => name = Some(other),
            other => bail!(InvalidArgument, "unknown argument '{other}'"),
        }
    }
    let set = ConfigSet::new(&[config::ALL, &[LOG_KEYS]].concat())?;
    set.load_file(&home.join("conf/fe.conf"))?;
    let meta = home.join(set.get(&config::META_DIR));
    let mut damaged = false;
    let mut failed = None;
    let mut say = |line: String| {
        damaged |= line.contains("DAMAGED");
        if let Err(e) = writeln!(out, "{line}") {
            failed.get_or_insert(e);
        }
    };
    match name {
        Some("dump-log") => fe_meta::dump::log(&open(&meta.join("log"))?, from, count, &mut say)?,
        Some("images") => fe_meta::dump::images(fs, &meta.join("image"), &mut say)?,
        Some("dump-image") => fe_meta::dump::image(fs, &meta.join("image"), &mut say)?,
        _ => {
            out.write_all(USAGE.as_bytes())?;
            return Ok(2);
        }
    }
    Ok(u8::from(damaged))
}
