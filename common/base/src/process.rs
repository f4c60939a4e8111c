//! What the `main` of every server does before its own work: arguments, configuration, logs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{ConfigSet, ConfigValue, KeyDef, LogLevel};
use crate::telemetry::{self, LogTarget, RollPolicy, RollingFile, TelemetryGuard};
use crate::{Result, SharedClock, SystemClock, bail};

crate::config_keys! {
    pub LOG_KEYS;
    /// Log lines at or above this level are kept: DEBUG, INFO, WARN, ERROR.
    pub SYS_LOG_LEVEL: LogLevel = "sys_log_level", "INFO", fixed;
    /// Directory of log files.
    pub LOG_DIR: String = "sys_log_dir", "log", fixed;
    /// When a log file is replaced by a new one: TIME-DAY, TIME-HOUR or SIZE-MB-n.
    pub LOG_ROLL_MODE: LogRollMode = "sys_log_roll_mode", "SIZE-MB-1024", fixed;
    /// Log files kept.
    pub LOG_ROLL_NUM: usize = "sys_log_roll_num", "10", fixed;
}

/// When a log file is replaced: see [`RollPolicy::parse`].
pub struct LogRollMode(String);

impl ConfigValue for LogRollMode {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        RollPolicy::parse(text, 1)?;
        Ok(Self(text.to_owned()))
    }
}

/// A server's program.
pub struct Program {
    /// `mirrorship-fe`.
    pub name: &'static str,
    pub version: &'static str,
    /// `conf/fe.conf`, under the home directory.
    pub conf: &'static str,
    pub keys: &'static [KeyDef],
    /// Files of all lines and of warnings.
    pub logs: [&'static str; 2],
    /// Arguments that are understood and refused, with the reason.
    pub refused: &'static [(&'static str, &'static str)],
}

/// A program that has read its arguments and configuration and writes logs.
pub struct Started {
    pub home: PathBuf,
    pub set: Arc<ConfigSet>,
    pub clock: SharedClock,
    _telemetry: TelemetryGuard,
}

impl Started {
    /// A path of the configuration; relative ones are under the home directory.
    pub fn under_home(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }
}

impl Program {
    /// Runs the server; a failure is said on standard error and in the log.
    pub fn main(&self, run: impl FnOnce(Started) -> Result<()>) -> ExitCode {
        let outcome = match home_argument(self) {
            Ok(Some(home)) => self.start(home).and_then(run),
            Ok(None) => return ExitCode::SUCCESS,
            Err(e) => Err(e),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                tracing::error!("{e}");
                self.say(&e.to_string());
                ExitCode::FAILURE
            }
        }
    }

    fn start(&self, home: PathBuf) -> Result<Started> {
        crate::failpoint::from_environment()?;
        let set = Arc::new(ConfigSet::new(&[self.keys, LOG_KEYS])?);
        let warnings = set.load_file(&home.join(self.conf))?;
        let clock = SystemClock::shared();
        let policy = RollPolicy::parse(&set.get(&LOG_ROLL_MODE).0, set.get(&LOG_ROLL_NUM))?;
        let dir = home.join(set.get(&LOG_DIR));
        let file = |name: &str| RollingFile::open(&dir.join(name), policy, clock.clone());
        let target = LogTarget::Files { log: file(self.logs[0])?, warnings: Some(file(self.logs[1])?) };
        let telemetry = telemetry::init(&set.get(&SYS_LOG_LEVEL).0, &target)?;
        for warning in warnings {
            tracing::warn!("{warning}");
            self.say(&format!("warning: {warning}"));
        }
        Ok(Started { home, set, clock, _telemetry: telemetry })
    }

    fn say(&self, text: &str) {
        // Nobody may be listening.
        let _ = writeln!(std::io::stderr(), "{}: {text}", self.name);
    }
}

/// `--home DIR`, the current directory without it; `None` when only the version was wanted.
fn home_argument(program: &Program) -> Result<Option<PathBuf>> {
    let home = parse_home(program, &std::env::current_dir()?, std::env::args().skip(1))?;
    if home.is_none() {
        writeln!(std::io::stdout(), "{} {}", program.name, program.version)?;
    }
    Ok(home)
}

fn parse_home(program: &Program, current: &Path, mut args: impl Iterator<Item = String>) -> Result<Option<PathBuf>> {
    let mut home = current.to_owned();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--home" => match args.next() {
                Some(dir) => home = PathBuf::from(dir),
                None => bail!(InvalidArgument, "--home needs a directory"),
            },
            "--version" => return Ok(None),
            other => match program.refused.iter().find(|(name, _)| *name == other) {
                Some((name, reason)) => bail!(NotSupported, "{name}: {reason}"),
                None => bail!(InvalidArgument, "unknown argument '{other}' (known: --home DIR, --version)"),
            },
        }
    }
    Ok(Some(home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood_or_refused() {
        let program = Program { name: "p", version: "1", conf: "p.conf", keys: &[], logs: ["a", "b"], refused: &[("--helper", "not yet")] };
        let parse = |args: &[&str]| parse_home(&program, Path::new("/now"), args.iter().map(|a| (*a).to_owned())).map_err(|e| e.message().to_owned());
        assert_eq!(parse(&[]), Ok(Some(PathBuf::from("/now"))));
        assert_eq!(parse(&["--home", "/h"]), Ok(Some(PathBuf::from("/h"))));
        assert_eq!(parse(&["--version"]), Ok(None));
        assert_eq!(parse(&["--helper"]), Err("--helper: not yet".to_owned()));
        assert!(parse(&["--home"]).is_err() && parse(&["x"]).is_err());
    }
}
