//! `mirrorship-be tool …`: looks at the files of a backend that does not run. Nothing is written but the answer.

use std::io::Write;
use std::path::{Path, PathBuf};

use be_storage::KvFactory;
use be_storage::offline::{OfflineDir, Verified, open_segment};
use common_base::config::ConfigSet;
use common_base::fs::SharedFs;
use common_base::process::LOG_KEYS;
use common_base::{ErrorCode, Result, bail, err};

use crate::{app, config};

const USAGE: &str = "\
mirrorship-be tool dump-segment FILE…             what a segment file is made of
mirrorship-be tool verify-segment FILE…           reads and checks every byte
mirrorship-be tool list-tablets [--home DIR]      the tablets of all disks
mirrorship-be tool dump-tablet ID [--home DIR]    schema, versions and files
mirrorship-be tool verify-tablet ID [--home DIR]  checks its files against the metadata
mirrorship-be tool verify-disk [PATH…] [--home DIR]
                                                  checks all tablets of the disks (of all in conf/be.conf)
Ends with 0 when all is well, 1 when damage was found, 2 when the tool could not do its work.
";

/// All was well.
pub const SOUND: u8 = 0;
/// Damage was found and told.
pub const DAMAGED: u8 = 1;
/// The arguments make no sense, or something could not be opened.
pub const FAILED: u8 = 2;

/// What the tool works with.
pub struct ToolSeams {
    pub fs: SharedFs,
    /// Opens a metadata store without writing to it.
    pub kv: KvFactory,
}

/// Runs a command; what it has to say goes to `out`.
pub fn run(args: &[String], seams: &ToolSeams, out: &mut dyn Write) -> u8 {
    match command(args, seams, out) {
        Ok(code) => code,
        Err(e) => {
            // Nobody may be listening.
            let _ = writeln!(out, "error: {e}");
            if e.code() == ErrorCode::Corruption { DAMAGED } else { FAILED }
        }
    }
}

fn command(args: &[String], seams: &ToolSeams, out: &mut dyn Write) -> Result<u8> {
    let (home, args) = split_home(args)?;
    let Some((name, rest)) = args.split_first() else {
        out.write_all(USAGE.as_bytes())?;
        return Ok(FAILED);
    };
    match name.as_str() {
        "dump-segment" | "verify-segment" if !rest.is_empty() => segments(name == "verify-segment", rest, seams, out),
        "list-tablets" if rest.is_empty() => {
            for path in dirs(&home, &[])? {
                open_dir(&path, seams)?.tablets().try_for_each(|id| writeln!(out, "{id} {}", path.display()))?;
            }
            Ok(SOUND)
        }
        "dump-tablet" | "verify-tablet" => {
            let [id] = rest else { bail!(InvalidArgument, "{name} needs the number of a tablet") };
            let id: u64 = id.parse().map_err(|_| err!(InvalidArgument, "'{id}' is no number of a tablet"))?;
            for path in dirs(&home, &[])? {
                let dir = open_dir(&path, seams)?;
                if !dir.tablets().any(|t| t == id) {
                    continue;
                }
                if name == "dump-tablet" {
                    dir.dump(id, out)?;
                    return Ok(SOUND);
                }
                return summary(dir.verify(id, out)?, out);
            }
            bail!(NotFound, "no disk of {} has tablet {id}", home.display())
        }
        "verify-disk" => {
            let mut worst = SOUND;
            for path in dirs(&home, rest)? {
                writeln!(out, "{}", path.display())?;
                worst = worst.max(summary(open_dir(&path, seams)?.verify_all(out)?, out)?);
            }
            Ok(worst)
        }
        _ => {
            out.write_all(USAGE.as_bytes())?;
            Ok(FAILED)
        }
    }
}

fn segments(verify: bool, files: &[String], seams: &ToolSeams, out: &mut dyn Write) -> Result<u8> {
    let mut worst = SOUND;
    for file in files {
        let open = || {
            let segment = open_segment(&seams.fs, Path::new(file))?;
            if verify {
                segment.verify()?;
                return Ok(format!("{file}: {} rows, {} bytes, sound\n", segment.rows(), segment.file_len()));
            }
            Ok(format!("{file}\n{}", be_segment::dump::dump(&segment)))
        };
        match open() {
            Ok(text) => out.write_all(text.as_bytes())?,
            Err(e) if common_base::Error::code(&e) == ErrorCode::Corruption => {
                writeln!(out, "DAMAGED {file}: {e}")?;
                worst = DAMAGED;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(worst)
}

fn summary(found: Verified, out: &mut dyn Write) -> Result<u8> {
    let Verified { tablets, segments, bytes, damaged } = found;
    writeln!(out, "{tablets} tablets, {segments} segments, {bytes} bytes, {damaged} damaged")?;
    Ok(if damaged > 0 { DAMAGED } else { SOUND })
}

/// `--home DIR` wherever it stands, and the other arguments.
fn split_home(args: &[String]) -> Result<(PathBuf, Vec<String>)> {
    let mut home = std::env::current_dir()?;
    let mut rest = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--home" => home = args.next().ok_or_else(|| err!(InvalidArgument, "--home needs a directory"))?.into(),
            other if other.starts_with("--") => bail!(InvalidArgument, "unknown argument '{other}'"),
            _ => rest.push(arg.clone()),
        }
    }
    Ok((home, rest))
}

/// The given disks, or those of the configuration.
fn dirs(home: &Path, given: &[String]) -> Result<Vec<PathBuf>> {
    if !given.is_empty() {
        return Ok(given.iter().map(PathBuf::from).collect());
    }
    let set = ConfigSet::new(&[config::ALL, &[LOG_KEYS]].concat())?;
    set.load_file(&home.join("conf/be.conf"))?;
    Ok(app::storage_dirs(set.get(&config::STORAGE_ROOT_PATH), home)?.into_iter().map(|d| d.path).collect())
}

fn open_dir(path: &Path, seams: &ToolSeams) -> Result<OfflineDir> {
    OfflineDir::open(path, &seams.fs, (seams.kv)(&path.join("meta"))?)
}
