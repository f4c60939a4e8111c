//! One value out of each document of a JSON column, read from the part of the segment that has it: the values of a path where
//! segments store the column in parts, else what is left of the documents, else the documents.

use std::sync::Arc;

use be_segment::{Access, Compute, ScanColumn, Segment, values_as_json};
use common_base::{Result, bail, ensure, err};
use common_expr::eval::CompiledExpr;
use common_expr::expr::{Expr, ExprKind};
use common_expr::scalar_fn::EvalContext;
use common_types::json::{JsonPath, Step};
use common_types::{Chunk, Column, LogicalType, Scalar};

/// A call such as `get_json_int(column, '$.a.b')`, or a cast of `json_query(column, '$.a.b')`, over one JSON column (column 0).
#[derive(Clone, Debug)]
pub struct JsonPathRead {
    expr: Expr,
    path: Vec<String>,
    eval: Arc<EvalContext>,
}

/// The statement's settings are the same for all that meet.
impl PartialEq for JsonPathRead {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl JsonPathRead {
    /// Checks that the expression is one of those this reads.
    pub fn new(expr: Expr, eval: Arc<EvalContext>) -> Result<Self> {
        let call = if let ExprKind::Cast(inner) = &expr.kind { inner } else { &expr };
        let ExprKind::Call { args, .. } = &call.kind else { bail!(InvalidArgument, "{expr:?} takes no value out of JSON") };
        let path = args.get(1).and_then(Expr::as_literal).and_then(Scalar::as_bytes).and_then(|b| std::str::from_utf8(b).ok());
        let path = JsonPath::parse(path.ok_or_else(|| err!(InvalidArgument, "a path of JSON is no constant"))?)?;
        let key = |step: &Step| if let Step::Key(key) = step { Some(key.clone()) } else { None };
        let keys: Option<Vec<String>> = path.steps().iter().map(key).collect();
        let keys = keys.ok_or_else(|| err!(InvalidArgument, "a path into arrays of JSON is not read from parts"))?;
        ensure!(args.first().is_some_and(|a| a.as_column() == Some(0)), InvalidArgument, "{expr:?} is over other columns");
        Ok(Self { expr, path: keys, eval })
    }

    /// The name of the function that is called, and whether its result is cast.
    fn function(&self) -> (&'static str, bool) {
        match &self.expr.kind {
            ExprKind::Cast(inner) => (call_name(inner), true),
            _ => (call_name(&self.expr), false),
        }
    }

    /// How to read it from a segment, given how the documents are.
    pub fn scan_column(&self, segment: &Segment, whole: ScanColumn) -> Result<ScanColumn> {
        let ty = self.expr.ty.clone();
        let at = match whole {
            ScanColumn::Stored(at, _) => at,
            ScanColumn::Constant(value, json) => {
                let one = Column::constant(value, json, 1);
                return Ok(ScanColumn::Constant(self.over(self.expr.clone()).compute(&one, None)?.scalar(0), ty));
            }
            ScanColumn::Computed { .. } => bail!(Internal, "a JSON column is computed"),
        };
        let computed = |from, nulls, expr: Expr| ScanColumn::Computed { from, nulls, ty: ty.clone(), compute: Arc::new(self.over(expr)) };
        if self.function().0 == "json_exists" {
            // A path that is missing and a document that is NULL look the same there.
            return Ok(computed(at, None, self.expr.clone()));
        }
        let (parts, leaf, keys) = match (segment.json_access(at, &self.path), &segment.stored()[at].parts) {
            (Access::Rest, Some(parts)) => return Ok(computed(parts.rest, None, self.expr.clone())),
            (Access::Leaf { leaf, keys }, Some(parts)) => (parts, leaf, keys),
            _ => return Ok(computed(at, None, self.expr.clone())),
        };
        let leaf = &parts.leaves[leaf];
        let stored = segment.stored()[leaf.column].ty();
        if keys == self.path.len() && same_values(self.function(), &ty, stored) {
            return Ok(ScanColumn::Stored(leaf.column, ty));
        }
        let rest: String = self.path[keys..].iter().map(|k| format!(".\"{}\"", k.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        Ok(computed(leaf.column, leaf.nulls, with_path(&self.expr, &format!("${rest}"))))
    }

    fn over(&self, expr: Expr) -> Over {
        Over { expr, eval: self.eval.clone() }
    }
}

fn call_name(expr: &Expr) -> &'static str {
    match &expr.kind {
        ExprKind::Call { function, .. } => function.name(),
        _ => "",
    }
}

/// Whether the values of a path of this type are what the function gives: JSON null and a missing path give NULL in all of these.
fn same_values((function, cast): (&str, bool), ty: &LogicalType, stored: &LogicalType) -> bool {
    match (function, cast, stored) {
        ("get_json_int", false, LogicalType::BigInt)
        | ("get_json_double", false, LogicalType::Double)
        | ("get_json_bool", false, LogicalType::Boolean) => true,
        ("get_json_string", false, LogicalType::Varchar(_)) => true,
        ("json_query", true, LogicalType::BigInt | LogicalType::Double | LogicalType::Boolean) => ty == stored,
        ("json_query", true, LogicalType::Varchar(_)) => matches!(ty, LogicalType::Varchar(_)),
        _ => false,
    }
}

/// The same expression with another path.
fn with_path(expr: &Expr, path: &str) -> Expr {
    let kind = match &expr.kind {
        ExprKind::Cast(inner) => ExprKind::Cast(Box::new(with_path(inner, path))),
        ExprKind::Call { function, args } => {
            let mut args = args.clone();
            if let Some(arg) = args.get_mut(1) {
                *arg = Expr::typed_literal(Scalar::string(path), arg.ty.clone());
            }
            ExprKind::Call { function: function.clone(), args }
        }
        other => other.clone(),
    };
    Expr { kind, ..expr.clone() }
}

/// An expression over the values of a part.
#[derive(Debug)]
struct Over {
    expr: Expr,
    eval: Arc<EvalContext>,
}

impl Compute for Over {
    fn compute(&self, column: &Column, nulls: Option<&Column>) -> Result<Column> {
        let documents = if *column.ty() == LogicalType::Json { column.clone() } else { values_as_json(column, nulls)? };
        let rows = documents.len();
        CompiledExpr::compile(&self.expr).eval(&self.eval, &Chunk::new(vec![documents], rows))
    }
}
