//! What the `main` of every server does before its own work: arguments, configuration, logs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{ConfigSet, ConfigValue, Interval, KeyDef, LogLevel};
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
    /// Rolled log files older than this are deleted.
    pub LOG_DELETE_AGE: Interval = "sys_log_delete_age", "7d", fixed;
    /// How log lines look: plaintext.
    pub LOG_FORMAT: LogFormat = "sys_log_format", "plaintext", fixed;
}

/// `sys_log_format`: one of them so far.
pub struct LogFormat;

impl ConfigValue for LogFormat {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "plaintext" => Ok(Self),
            "json" => bail!(NotSupported, "logs as JSON are not supported yet"),
            _ => bail!(InvalidArgument, "'{text}' is no log format (plaintext)"),
        }
    }
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
    pub keys: &'static [&'static [KeyDef]],
    /// Files of all lines and of warnings.
    pub logs: [&'static str; 2],
    /// Arguments that are understood and refused, with the reason.
    pub refused: &'static [(&'static str, &'static str)],
    /// Further arguments that take a value.
    pub valued: &'static [&'static str],
}

/// A program that has read its arguments and configuration and writes logs.
pub struct Started {
    pub home: PathBuf,
    pub set: Arc<ConfigSet>,
    pub clock: SharedClock,
    arguments: Arguments,
    _telemetry: TelemetryGuard,
}

impl Started {
    /// A path of the configuration; relative ones are under the home directory.
    pub fn under_home(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }

    /// The value of one of the program's own arguments.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.values.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }
}

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    home: PathBuf,
    /// Logs go to standard output instead of files.
    console: bool,
    values: Vec<(&'static str, String)>,
}

impl Program {
    /// Runs the server; a failure is said on standard error and in the log.
    pub fn main(&self, run: impl FnOnce(Started) -> Result<()>) -> ExitCode {
        let outcome = match arguments(self) {
            Ok(Some(arguments)) => self.start(arguments).and_then(run),
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

    fn start(&self, arguments: Arguments) -> Result<Started> {
        crate::failpoint::from_environment()?;
        let home = arguments.home.clone();
        let set = Arc::new(ConfigSet::new(&[self.keys, &[LOG_KEYS]].concat())?);
        let warnings = set.load_file(&home.join(self.conf))?;
        let clock = SystemClock::shared();
        let policy = RollPolicy::parse(&set.get(&LOG_ROLL_MODE).0, set.get(&LOG_ROLL_NUM))?.delete_after(set.get(&LOG_DELETE_AGE).0);
        let dir = home.join(set.get(&LOG_DIR));
        let file = |name: &str| RollingFile::open(&dir.join(name), policy, clock.clone());
        let target = match arguments.console {
            true => LogTarget::Stdout,
            false => LogTarget::Files { log: file(self.logs[0])?, warnings: Some(file(self.logs[1])?) },
        };
        let telemetry = telemetry::init(&set.get(&SYS_LOG_LEVEL).0, &target)?;
        for warning in warnings {
            tracing::warn!("{warning}");
            self.say(&format!("warning: {warning}"));
        }
        Ok(Started { home, set, clock, arguments, _telemetry: telemetry })
    }

    fn say(&self, text: &str) {
        // Nobody may be listening.
        let _ = writeln!(std::io::stderr(), "{}: {text}", self.name);
    }
}

/// The command line; the home directory is the current one unless it says. `None` when only the version was wanted.
fn arguments(program: &Program) -> Result<Option<Arguments>> {
    let arguments = parse_arguments(program, &std::env::current_dir()?, std::env::args().skip(1))?;
    if arguments.is_none() {
        writeln!(std::io::stdout(), "{} {}", program.name, program.version)?;
    }
    Ok(arguments)
}

fn parse_arguments(program: &Program, current: &Path, mut args: impl Iterator<Item = String>) -> Result<Option<Arguments>> {
    let mut parsed = Arguments { home: current.to_owned(), ..Arguments::default() };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--home" => match args.next() {
                Some(dir) => parsed.home = PathBuf::from(dir),
                None => bail!(InvalidArgument, "--home needs a directory"),
            },
            "--logconsole" => parsed.console = true,
            "--version" => return Ok(None),
            other => {
                if let Some((name, reason)) = program.refused.iter().find(|(name, _)| *name == other) {
                    bail!(NotSupported, "{name}: {reason}");
                }
                let Some(name) = program.valued.iter().find(|name| **name == other) else {
                    bail!(InvalidArgument, "unknown argument '{other}' (known: --home DIR, --logconsole, --version)");
                };
                let Some(value) = args.next() else { bail!(InvalidArgument, "{name} needs a value") };
                parsed.values.push((name, value));
            }
        }
    }
    Ok(Some(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood_or_refused() {
        let program = Program { name: "p", version: "1", conf: "p.conf", keys: &[], logs: ["a", "b"], refused: &[("--helper", "not yet")], valued: &["--host_type"] };
        let parse = |args: &[&str]| parse_arguments(&program, Path::new("/now"), args.iter().map(|a| (*a).to_owned())).map_err(|e| e.message().to_owned());
        let home = |home: &str| Arguments { home: PathBuf::from(home), ..Arguments::default() };
        assert_eq!(parse(&[]), Ok(Some(home("/now"))));
        assert_eq!(parse(&["--home", "/h"]), Ok(Some(home("/h"))));
        assert_eq!(parse(&["--logconsole"]), Ok(Some(Arguments { console: true, ..home("/now") })));
        let values = vec![("--host_type", "FQDN".to_owned())];
        assert_eq!(parse(&["--host_type", "FQDN"]), Ok(Some(Arguments { values, ..home("/now") })));
        assert_eq!(parse(&["--version"]), Ok(None));
        assert_eq!(parse(&["--helper"]), Err("--helper: not yet".to_owned()));
        assert!(parse(&["--home"]).is_err() && parse(&["x"]).is_err() && parse(&["--host_type"]).is_err());
    }
}
