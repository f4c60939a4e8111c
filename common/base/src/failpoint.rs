//! Named points in the code where tests make things go wrong: `fail_point!("storage.flush.sync")?`.
//! While none is set, a point costs one relaxed load. Actions: `error` or `error(text)`, `return(text)`, `sleep(ms)`,
//! `panic`, `exit(code)`, `off`; a prefix `3*` limits how often, `+2:` lets that many hits pass first.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::{Result, bail, err};

static ACTIVE: AtomicUsize = AtomicUsize::new(0);
static ALLOWED: AtomicBool = AtomicBool::new(false);
static POINTS: LazyLock<Mutex<HashMap<String, Point>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Error(String),
    Return(String),
    Sleep(u64),
    Panic,
    Exit(i32),
}

#[derive(Clone, Debug)]
struct Point {
    spec: String,
    action: Action,
    skip: u64,
    left: u64,
    hits: u64,
}

/// Whether any point is set; the macro asks this first.
#[inline]
pub fn any_active() -> bool {
    ACTIVE.load(Ordering::Relaxed) != 0
}

/// Sets a point: `failpoint::set("rpc.send", "2*error(broken pipe)")`; `off` clears it.
pub fn set(name: &str, spec: &str) -> Result<()> {
    let mut points = POINTS.lock();
    if spec == "off" {
        points.remove(name);
    } else {
        points.insert(name.to_owned(), parse(spec)?);
    }
    ACTIVE.store(points.len(), Ordering::Relaxed);
    Ok(())
}

/// The environment variable that makes a process take orders about fail points: points of the start (`name=action;…`), perhaps none.
pub const ENVIRONMENT: &str = "MIRRORSHIP_FAIL_POINTS";

/// Sets what the environment says. Without the variable nobody can set points from outside.
pub fn from_environment() -> Result<()> {
    let Ok(text) = std::env::var(ENVIRONMENT) else { return Ok(()) };
    ALLOWED.store(true, Ordering::Relaxed);
    for entry in text.split(';').map(str::trim).filter(|e| !e.is_empty()) {
        let (name, spec) = entry.split_once('=').ok_or_else(|| err!(InvalidArgument, "{ENVIRONMENT}: '{entry}' is not name=action"))?;
        set(name.trim(), spec)?;
    }
    Ok(())
}

/// Whether points may be set from outside.
pub fn allowed() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}

/// Clears all points.
pub fn clear() {
    let mut points = POINTS.lock();
    points.clear();
    ACTIVE.store(0, Ordering::Relaxed);
}

/// The points that are set: name, spec, hits.
pub fn list() -> Vec<(String, String, u64)> {
    let mut rows: Vec<_> = POINTS.lock().iter().map(|(n, p)| (n.clone(), p.spec.clone(), p.hits)).collect();
    rows.sort();
    rows
}

/// A point was reached; the macro calls it. `Ok(Some(text))` for `return(text)`.
#[cold]
#[expect(clippy::disallowed_methods, reason = "a fail point blocks its caller on purpose")]
pub fn hit(name: &str) -> Result<Option<String>> {
    let action = {
        let mut points = POINTS.lock();
        let Some(point) = points.get_mut(name) else { return Ok(None) };
        if point.skip > 0 {
            point.skip -= 1;
            return Ok(None);
        }
        if point.left == 0 {
            return Ok(None);
        }
        point.left -= 1;
        point.hits += 1;
        point.action.clone()
    };
    match action {
        Action::Error(text) => Err(err!(IoError, "fail point {name}: {text}")),
        Action::Return(text) => Ok(Some(text)),
        Action::Sleep(ms) => {
            std::thread::sleep(Duration::from_millis(ms));
            Ok(None)
        }
        Action::Panic => panic!("fail point {name}"),
        Action::Exit(code) => std::process::exit(code),
    }
}

fn parse(spec: &str) -> Result<Point> {
    let mut rest = spec.trim();
    let (mut skip, mut left) = (0, u64::MAX);
    let number = |text: &str| {
        text.trim().parse::<u64>().map_err(|_| err!(InvalidArgument, "bad number in fail point action '{spec}'"))
    };
    if let Some((count, tail)) = rest.strip_prefix('+').and_then(|r| r.split_once(':')) {
        skip = number(count)?;
        rest = tail;
    }
    if let Some((count, tail)) = rest.split_once('*') {
        left = number(count)?;
        rest = tail;
    }
    let (verb, arg) = match rest.split_once('(') {
        Some((verb, arg)) => (verb, arg.strip_suffix(')').ok_or_else(|| err!(InvalidArgument, "no ')' in '{spec}'"))?),
        None => (rest, ""),
    };
    let action = match verb {
        "error" => Action::Error(if arg.is_empty() { "injected".to_owned() } else { arg.to_owned() }),
        "return" => Action::Return(arg.to_owned()),
        "sleep" => Action::Sleep(number(arg)?),
        "panic" => Action::Panic,
        "exit" => Action::Exit(if arg.is_empty() { 1 } else { number(arg)? as i32 }),
        _ => bail!(InvalidArgument, "unknown fail point action '{spec}'"),
    };
    Ok(Point { spec: spec.to_owned(), action, skip, left, hits: 0 })
}

/// A place where tests inject a failure. Evaluates to `Result<Option<String>>`: an injected error, or the text of `return`.
#[macro_export]
macro_rules! fail_point {
    ($name:expr) => {
        if $crate::failpoint::any_active() { $crate::failpoint::hit($name) } else { Ok(None) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> Result<&'static str> {
        if fail_point!("test.step")?.is_some() {
            return Ok("short cut");
        }
        Ok("done")
    }

    #[test]
    fn points_strike_as_told() {
        assert_eq!(step().unwrap(), "done");
        set("test.step", "+1:2*error(broken pipe)").unwrap();
        assert_eq!(step().unwrap(), "done");
        assert_eq!(step().unwrap_err().message(), "fail point test.step: broken pipe");
        assert!(step().is_err());
        assert_eq!(step().unwrap(), "done");
        assert_eq!(list()[0].2, 2);
        set("test.step", "return(x)").unwrap();
        assert_eq!(step().unwrap(), "short cut");
        set("test.step", "off").unwrap();
        assert!(!any_active());
        assert!(set("x", "explode").is_err() && set("x", "sleep(soon)").is_err());
    }
}
