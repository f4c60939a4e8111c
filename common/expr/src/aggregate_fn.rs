//! What an aggregate function is: typing, and an accumulator that keeps the states of many groups in columns.
//!
//! Flow: an aggregation operator numbers its groups 0.., calls [`Accumulator::resize`] when new ones appear, `update` (raw rows)
//! or `merge` (partial states) once per chunk, then `finish` or `state` for ranges of groups.

use std::{fmt, ops::Range, sync::Arc};

use common_base::Result;
use common_types::{Column, LogicalType, Scalar};

use crate::{scalar_fn::EvalContext, signature::Signature};

/// States of one aggregate call for groups `0..n`.
pub trait Accumulator: Send {
    /// Makes room for groups `0..groups`; new ones start empty.
    fn resize(&mut self, groups: usize);

    /// Adds row `i` of `args` to group `groups[i]`. Rows of NULL arguments are the accumulator's to skip.
    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()>;

    /// Adds every row to one group (no GROUP BY); `rows` matters when `args` is empty (count(*)).
    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()>;

    /// Adds partial state row `i` to group `groups[i]`.
    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()>;

    /// The partial states of a range of groups, of the call's state type.
    fn state(&mut self, groups: Range<usize>) -> Result<Column>;

    /// The final values of a range of groups.
    fn finish(&mut self, groups: Range<usize>) -> Result<Column>;

    /// Bytes held, for the memory tracker; cheap (kept up to date, not recomputed).
    fn memory_size(&self) -> usize;

    /// Exact bounds of integer-like argument `arg`, when the operator knows them for the whole input; lets a SUM pick a narrow
    /// accumulator. `max_rows` bounds the rows any group can see.
    fn set_bounds(&mut self, _arg: usize, _min: i64, _max: i64, _max_rows: u64) {}

    /// The ORDER BY inside the call (group_concat, array_agg): the key columns follow the arguments in `args`. Called once, first.
    fn set_order(&mut self, _keys: &[crate::calls::SortKey]) {}

    /// Whether rows whose only purpose is this state can be turned into states one by one (streaming pass-through).
    fn states_from_rows(&self, _args: &[Column], _rows: usize) -> Option<Result<Column>> {
        None
    }
}

/// One aggregate function: a row of a function table.
#[derive(Clone)]
pub struct AggregateFunction {
    pub names: &'static [&'static str],
    pub signatures: Vec<Signature>,
    /// The type of the partial state for given argument types.
    pub state_type: fn(args: &[LogicalType], result: &LogicalType) -> LogicalType,
    /// Whether the result over no rows (or only NULLs) is NULL; false for count.
    pub nullable: bool,
    /// Whether DISTINCT changes the answer (not for min, max).
    pub distinct_matters: bool,
    /// A new accumulator; `constants` holds the values of arguments that are literals.
    pub create: fn(call: &AggregateOverload, ctx: &EvalContext, constants: &[Option<Scalar>]) -> Result<Box<dyn Accumulator>>,
}

/// An aggregate with one overload chosen.
#[derive(Clone)]
pub struct AggregateOverload {
    pub function: Arc<AggregateFunction>,
    pub args: Vec<LogicalType>,
    pub result: LogicalType,
}

impl AggregateOverload {
    /// Canonical name.
    pub fn name(&self) -> &'static str {
        self.function.names[0]
    }

    /// The partial state's type.
    pub fn state_type(&self) -> LogicalType {
        (self.function.state_type)(&self.args, &self.result)
    }
}

impl fmt::Debug for AggregateOverload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.name(), self.args)
    }
}

impl PartialEq for AggregateOverload {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.args == other.args && self.result == other.result
    }
}
