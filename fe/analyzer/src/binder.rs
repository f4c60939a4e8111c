//! The state of one analysis: column numbering, the stack of query frames, CTEs in sight, tables used.
//!
//! One frame per SELECT (or standalone expression). Binding an expression may leave work in the frame: aggregates, window calls,
//! GROUPING() calls, subqueries. The SELECT binder turns that work into operators.

use std::rc::Rc;

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;
use fe_parser::ast::sql;
use fe_plan::{
    ColumnFactory, LogicalNode,
    logical::{AggregateCall, ApplyKind, SortKey, WindowCall},
};

use crate::{
    AnalyzeContext, AnalyzedQuery, NamedColumn, OutputColumn, TableUse,
    scope::{Field, Scope},
};

/// Nested expressions and queries deeper than this are refused before the stack is in danger.
const MAX_DEPTH: usize = 250;

/// Which clause an expression stands in: what is allowed there and how names are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    Select,
    Where,
    On,
    GroupBy,
    Having,
    OrderBy,
    Qualify,
    /// Arguments of an aggregate.
    Aggregate,
    /// Arguments and keys of a window call.
    Window,
    /// Body of a lambda.
    Lambda,
    /// No FROM clause at all: SET, VALUES, LIMIT, table function arguments.
    Values,
}

impl Clause {
    /// As messages call it.
    pub fn text(self) -> &'static str {
        match self {
            Clause::Select => "SELECT",
            Clause::Where => "WHERE",
            Clause::On => "JOIN",
            Clause::GroupBy => "GROUP BY",
            Clause::Having => "HAVING",
            Clause::OrderBy => "ORDER BY",
            Clause::Qualify => "QUALIFY",
            Clause::Aggregate => "aggregation function",
            Clause::Window => "analytic function",
            Clause::Lambda => "lambda function",
            Clause::Values => "VALUES",
        }
    }
}

/// A select item other items and clauses may refer to by its alias or position.
pub(crate) struct SelectItem {
    /// The header, and the alias if one was written.
    pub name: String,
    pub alias: Option<String>,
    pub syntax: Option<Rc<sql::Expr>>,
    pub bound: Option<Expr>,
    /// Being bound right now: a reference to it is a cycle.
    pub binding: bool,
}

/// A subquery met in an expression.
pub(crate) struct PendingApply {
    pub kind: ApplyKind,
    pub output: ColumnId,
    pub correlated: Vec<ColumnId>,
    pub plan: LogicalNode,
}

/// A window call met in an expression.
pub(crate) struct PendingWindow {
    pub id: ColumnId,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<SortKey>,
    pub call: WindowCall,
}

/// A GROUPING() or GROUPING_ID() call.
pub(crate) struct PendingGrouping {
    pub id: ColumnId,
    pub args: Vec<Expr>,
    pub arg_texts: Vec<String>,
}

/// What one SELECT collects.
pub(crate) struct Frame {
    pub scope: Scope,
    pub clause: Clause,
    pub items: Vec<SelectItem>,
    /// Names resolve to select aliases before FROM columns (enable_groupby_use_output_alias).
    pub alias_first: bool,
    pub aggregates: Vec<(ColumnId, AggregateCall, String)>,
    pub windows: Vec<PendingWindow>,
    pub groupings: Vec<PendingGrouping>,
    /// Subqueries to apply at the level of the clause being bound.
    pub applies: Vec<PendingApply>,
    /// Subqueries inside aggregate arguments.
    pub aggregate_applies: Vec<PendingApply>,
    /// Columns of enclosing queries used here or deeper.
    pub correlated: Vec<ColumnId>,
    /// Whether the query has GROUP BY, once known (window and grouping checks).
    pub has_grouping_sets: bool,
}

impl Frame {
    fn new(scope: Scope, clause: Clause) -> Self {
        Self {
            scope,
            clause,
            items: Vec::new(),
            alias_first: false,
            aggregates: Vec::new(),
            windows: Vec::new(),
            groupings: Vec::new(),
            applies: Vec::new(),
            aggregate_applies: Vec::new(),
            correlated: Vec::new(),
            has_grouping_sets: false,
        }
    }
}

/// A lambda parameter in sight.
pub(crate) struct LambdaParam {
    pub name: String,
    pub id: ColumnId,
    pub ty: LogicalType,
}

/// A CTE in sight. Its body is bound once, at its definition; references are counted when the WITH clause is closed.
pub(crate) struct CteDef {
    pub name: String,
    pub id: u32,
    pub output: Vec<OutputColumn>,
}

/// A bound relation or query body: its plan and what its columns are called.
pub(crate) struct BoundQuery {
    pub plan: LogicalNode,
    pub output: Vec<OutputColumn>,
}

pub(crate) struct Binder<'a> {
    pub ctx: &'a AnalyzeContext<'a>,
    pub columns: ColumnFactory,
    pub frames: Vec<Frame>,
    /// Frames below this index are invisible (views, CTE bodies).
    pub frame_floor: usize,
    pub lambda_params: Vec<LambdaParam>,
    pub ctes: Vec<CteDef>,
    pub next_cte: u32,
    pub tables: Vec<TableUse>,
    /// Database of unqualified names when it is not the session's (inside views).
    pub database: Option<String>,
    /// Equality conditions of the WHERE clause being bound, for providers of system tables.
    pub system_hints: Vec<(String, String)>,
    /// What the stars of the statement's own text stand for, when somebody wants to know (CREATE VIEW).
    pub stars: Option<std::collections::HashMap<crate::statement::StarPlace, crate::statement::StarColumns>>,
    /// How many views enclose the text being bound.
    pub view_depth: usize,
    depth: usize,
}

impl<'a> Binder<'a> {
    pub fn new(ctx: &'a AnalyzeContext<'a>) -> Self {
        Self {
            ctx,
            columns: ctx.columns.clone(),
            frames: Vec::new(),
            frame_floor: 0,
            lambda_params: Vec::new(),
            ctes: Vec::new(),
            next_cte: 0,
            tables: Vec::new(),
            database: None,
            system_hints: Vec::new(),
            stars: None,
            view_depth: 0,
            depth: 0,
        }
    }

    /// Runs one more level of nesting, within the limit.
    pub fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            bail!(Analysis, "The depth of the expression or query exceeds the maximum limit {MAX_DEPTH}");
        }
        self.depth += 1;
        let out = run(self);
        self.depth -= 1;
        out
    }

    /// Runs with a new frame on top and returns the frame as it was left.
    pub fn with_frame<T>(
        &mut self,
        scope: Scope,
        clause: Clause,
        run: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(T, Frame)> {
        self.frames.push(Frame::new(scope, clause));
        let out = run(self);
        let frame = self.frames.pop().expect("the frame pushed above");
        Ok((out?, frame))
    }

    /// The frame being bound.
    pub fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("expressions are bound inside a frame")
    }

    /// Runs with another clause and restores the former.
    pub fn in_clause<T>(&mut self, clause: Clause, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let former = std::mem::replace(&mut self.frame().clause, clause);
        let out = run(self);
        self.frame().clause = former;
        out
    }

    /// The database unqualified table names belong to.
    pub fn current_database(&self) -> Result<String> {
        match self.database.clone().or_else(|| self.ctx.session.current_database()) {
            Some(db) => Ok(db),
            None => bail!(NoDatabaseSelected, "No database selected"),
        }
    }

    /// The result of a whole query.
    pub fn finish(self, bound: BoundQuery) -> Result<AnalyzedQuery> {
        Ok(AnalyzedQuery { plan: bound.plan, output: bound.output, columns: self.columns, tables: self.tables })
    }

    /// Types an expression outside any query.
    pub fn bind_standalone(&mut self, expr: &sql::Expr, columns: &[NamedColumn]) -> Result<Expr> {
        let mut scope = Scope::default();
        for c in columns {
            if c.id as usize >= self.columns.len() {
                bail!(Internal, "column {} of a standalone expression is not in the column factory", c.name);
            }
            scope.fields.push(Field { relation: None, name: c.name.clone(), id: c.id, source: None });
        }
        let (bound, frame) = self.with_frame(scope, Clause::Values, |b| b.bind_expr(expr))?;
        if !frame.applies.is_empty() {
            bail!(NotSupported, "Subquery is not supported here");
        }
        Ok(bound)
    }

    /// Constant folding of one expression with the statement's context; what cannot be computed stays.
    pub fn fold(&self, expr: Expr) -> Expr {
        crate::expr::fold::fold(self, expr)
    }
}
