//! The trace of a simulation: everything that was seen, in order, folded into one number. `SIM_TRACE=path` writes it out, to find
//! the first difference of two runs.

use std::{fmt::Write as _, sync::Arc};

use parking_lot::Mutex;
use twox_hash::XxHash3_64;

/// A trace; clones write to the same one.
#[derive(Clone, Default)]
pub struct Trace {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    hash: u64,
    events: u64,
    /// When the last event was.
    last: std::time::Duration,
    lines: Option<String>,
    answers: Vec<String>,
}

impl Trace {
    /// An empty trace that keeps its lines.
    pub fn with_lines() -> Self {
        let trace = Self::default();
        trace.inner.lock().lines = Some(String::new());
        trace
    }

    /// Something happened at a simulated time.
    pub fn event(&self, what: &str) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        let mut inner = self.inner.lock();
        let line = format!("{:>9.3} {what}", at.as_secs_f64() * 1000.0);
        inner.hash = XxHash3_64::oneshot_with_seed(inner.hash, line.as_bytes());
        inner.events += 1;
        inner.last = at;
        if let Some(lines) = &mut inner.lines {
            let _ = writeln!(lines, "{line}");
        }
    }

    /// Bytes of a message.
    pub fn message(&self, from: &str, to: &str, bytes: &[u8]) {
        self.event(&format!("{from} -> {to}: {} bytes {:016x}", bytes.len(), XxHash3_64::oneshot(bytes)));
    }

    /// The scenario's outcome of a step.
    pub fn answer(&self, text: String) {
        self.event(&text);
        self.inner.lock().answers.push(text);
    }

    /// The trace as a number, and how many events it has.
    pub fn digest(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.hash, inner.events)
    }

    /// Simulated seconds until the last event.
    pub fn seconds(&self) -> f64 {
        self.inner.lock().last.as_secs_f64()
    }

    /// What the scenario answered.
    pub fn answers(&self) -> Vec<String> {
        self.inner.lock().answers.clone()
    }

    /// The kept lines.
    pub fn lines(&self) -> String {
        self.inner.lock().lines.clone().unwrap_or_default()
    }
}
