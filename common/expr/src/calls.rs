//! Calls that plan operators compute beside scalar expressions: aggregates, window functions, sort keys, frames.

use std::sync::Arc;

use common_types::LogicalType;

use crate::{aggregate_fn::AggregateOverload, expr::Expr, window_fn::WindowOverload};

/// One key of an ordering.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

/// One aggregate of an aggregation operator.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    pub function: Arc<AggregateOverload>,
    /// The declared arguments, or the single state column when the operator merges states.
    pub args: Vec<Expr>,
    pub distinct: bool,
    pub order_by: Vec<SortKey>,
    pub filter: Option<Expr>,
}

/// What a window call runs.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowFunctionRef {
    Window(Arc<WindowOverload>),
    Aggregate(Arc<AggregateOverload>),
}

impl WindowFunctionRef {
    /// Canonical name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Window(f) => f.name(),
            Self::Aggregate(f) => f.name(),
        }
    }

    /// The result type.
    pub fn result(&self) -> &LogicalType {
        match self {
            Self::Window(f) => &f.result,
            Self::Aggregate(f) => &f.result,
        }
    }
}

/// One call of a window operator.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    pub function: WindowFunctionRef,
    pub args: Vec<Expr>,
    pub ignore_nulls: bool,
}

/// ROWS counts rows, RANGE peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUnit {
    Rows,
    Range,
}

/// One end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(u64),
    CurrentRow,
    Following(u64),
    UnboundedFollowing,
}

/// A window frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    pub end: FrameBound,
}
