//! What a scalar function is: its names, its overloads, how it treats NULLs, and the kernel that computes it over columns.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use common_base::Result;
use common_types::{Column, LogicalType};
use parking_lot::Mutex;

use crate::{expr::Expr, signature::Signature};

/// Waits that kernels ask for: they must not hold up the thread that runs them. Whoever runs the kernels takes them afterwards, on the
/// thread that has run them, and lets the time pass as it can before it hands the values on.
#[derive(Debug, Default)]
pub struct Pauses {
    asked: AtomicUsize,
    of_thread: Mutex<Vec<(ThreadId, Duration)>>,
}

impl Pauses {
    /// Asks for a wait.
    pub fn ask(&self, pause: Duration) {
        self.of_thread.lock().push((thread::current().id(), pause));
        self.asked.fetch_add(1, Ordering::Release);
    }

    /// What kernels on this thread have asked for since the last time.
    pub fn take(&self) -> Option<Duration> {
        if self.asked.load(Ordering::Acquire) == 0 {
            return None;
        }
        let me = thread::current().id();
        let mut all = self.of_thread.lock();
        let before = all.len();
        let mut total = Duration::ZERO;
        all.retain(|(id, pause)| {
            if *id == me {
                total = total.saturating_add(*pause);
            }
            *id != me
        });
        self.asked.fetch_sub(before - all.len(), Ordering::AcqRel);
        (before > all.len()).then_some(total)
    }
}

/// Session facts a kernel may read. Fixed for the whole statement.
#[derive(Clone, Debug)]
pub struct EvalContext {
    /// Statement time, microseconds since the Unix epoch (UTC).
    pub now_us: i64,
    /// Session time zone name (`Asia/Shanghai`, `+08:00`, `UTC`).
    pub time_zone: String,
    /// sql_mode bits.
    pub sql_mode: u64,
    pub user: String,
    pub database: String,
    pub connection_id: u64,
    /// Seed for rand(), uuid(): random per fragment instance, passed in so that a simulated run repeats.
    pub seed: u64,
    /// Session variables a function may read (group_concat_max_len, lower_upper_support_utf8, …).
    pub variables: Vec<(String, String)>,
    /// Where `sleep` asks for its wait.
    pub pauses: Arc<Pauses>,
}

impl Default for EvalContext {
    fn default() -> Self {
        Self {
            now_us: 0,
            time_zone: "UTC".to_owned(),
            sql_mode: 32,
            user: String::new(),
            database: String::new(),
            connection_id: 0,
            seed: 0,
            variables: Vec::new(),
            pauses: Arc::default(),
        }
    }
}

/// sql_mode bits that change what expressions compute.
pub mod sql_mode {
    /// A constant that is no date is an error.
    pub const FORBID_INVALID_DATE: u64 = 1 << 8;
    /// Failed casts raise an error instead of giving NULL.
    pub const ALLOW_THROW_EXCEPTION: u64 = 1 << 9;
    /// Decimal overflow raises an error instead of giving NULL.
    pub const ERROR_IF_OVERFLOW: u64 = 1 << 35;
    /// group_concat with the old separator and argument form.
    pub const GROUP_CONCAT_LEGACY: u64 = 1 << 36;
}

impl EvalContext {
    /// Whether failed casts are errors.
    pub fn throws(&self) -> bool {
        self.sql_mode & sql_mode::ALLOW_THROW_EXCEPTION != 0
    }

    /// Whether decimal overflow is an error.
    pub fn overflow_is_error(&self) -> bool {
        self.sql_mode & sql_mode::ERROR_IF_OVERFLOW != 0
    }

    /// A session variable's text, if it was sent along.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Computes `rows` results. `args[i].len() == rows`; constants arrive as constant columns. With [`NullRule::Propagate`] the
/// kernel may ignore nulls (any value in those slots): the evaluator merges the null masks; it must not fail on garbage there.
pub type ScalarKernel = fn(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column>;

/// How NULL arguments are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullRule {
    /// Any NULL argument gives NULL; the kernel may still add NULLs of its own (bad input).
    Propagate,
    /// As `Propagate`, and the kernel never yields NULL for non-NULL arguments.
    PropagateStrict,
    /// The kernel looks at the nulls itself.
    Custom,
    /// Never NULL.
    Never,
}

/// When a call may be computed ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// Same answer for the same arguments, always: folded.
    Immutable,
    /// Fixed within a statement (now(), database()): folded at plan time with the statement's context.
    Stable,
    /// Differs from row to row (rand(), uuid()): never folded, never shared.
    Volatile,
}

/// One scalar function: a row of a function table.
#[derive(Clone)]
pub struct ScalarFunction {
    /// Lower-case; the first is the canonical one.
    pub names: &'static [&'static str],
    /// In order of preference (registration order decides ties).
    pub signatures: Vec<Signature>,
    pub nulls: NullRule,
    pub volatility: Volatility,
    pub kernel: ScalarKernel,
    /// For higher-order functions: how the call is typed and computed when one argument is a lambda.
    pub lambda_kernel: Option<LambdaKernel>,
}

/// A lambda ready to run, as a higher-order kernel sees it.
pub trait LambdaBody {
    /// Number of parameters.
    fn params(&self) -> usize;

    /// The body's type.
    fn result(&self) -> &LogicalType;

    /// Evaluates the body once per element. `params` are the flattened parameter columns, all of `source_rows.len()` rows;
    /// `source_rows[i]` is the outer row element `i` belongs to (captured columns are taken from there).
    fn eval(&self, params: &[Column], source_rows: &[u32]) -> Result<Column>;
}

/// The higher-order form of a function. The lambda is taken out of the argument list; `args` are the others, in order.
#[derive(Clone, Copy)]
pub struct LambdaKernel {
    /// Result type from the types of the other arguments and of the lambda's body.
    pub result: fn(args: &[LogicalType], body: &LogicalType) -> Result<LogicalType>,
    /// Computes `rows` results. Null handling follows the function's [`NullRule`] over the non-lambda arguments.
    pub eval: fn(ctx: &EvalContext, call: &ScalarOverload, lambda: &dyn LambdaBody, args: &[Column], rows: usize) -> Result<Column>,
}

/// A function with one overload chosen: exact argument types, result type.
#[derive(Clone)]
pub struct ScalarOverload {
    pub function: Arc<ScalarFunction>,
    pub args: Vec<LogicalType>,
    pub result: LogicalType,
}

impl ScalarOverload {
    /// Canonical name.
    pub fn name(&self) -> &'static str {
        self.function.names[0]
    }

    /// Whether the same arguments always give the same result within a statement.
    pub fn is_deterministic(&self) -> bool {
        self.function.volatility != Volatility::Volatile
    }

    /// Whether a call over these arguments may be NULL.
    pub fn result_nullable(&self, args: &[Expr]) -> bool {
        match self.function.nulls {
            NullRule::Never => false,
            NullRule::PropagateStrict => args.iter().any(|a| a.nullable),
            NullRule::Propagate | NullRule::Custom => true,
        }
    }
}

impl fmt::Debug for ScalarOverload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.name(), self.args)
    }
}

impl PartialEq for ScalarOverload {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.args == other.args && self.result == other.result
    }
}
