//! Scans read values of JSON documents instead of documents, where a query wants nothing else of them: `get_json_int(j, '$.a')` above a
//! scan becomes a column of the scan. Storage answers it from the values of that path alone when it keeps them apart, and zone maps
//! serve conditions on it.
//!
//! A JSON column is left alone when anything uses it as a whole. Tables that merge rows of equal key when they are read need whole
//! documents for that.

use std::collections::{BTreeMap, HashMap};

use common_base::Result;
use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    walk::for_each_child_mut,
};
use common_types::{
    LogicalType, Scalar,
    json::{JsonPath, Step},
};
use fe_catalog::model::KeysModel;
use fe_plan::{LogicalNode, LogicalOp, logical::LogicalScan};

use crate::{context::Context, tree};

/// Restates the plan; columns in `output` are used as they are.
pub fn run(node: LogicalNode, output: &[ColumnId], ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if !ctx.options.json_paths {
        return Ok(node);
    }
    let mut uses = Uses::default();
    find_columns(&node, &mut uses);
    if uses.columns.is_empty() {
        return Ok(node);
    }
    output.iter().for_each(|id| uses.whole(*id));
    note(&node, &mut uses);
    let mut made: HashMap<ColumnId, Vec<(ColumnId, Expr)>> = HashMap::new();
    let mut replaced: Vec<(Expr, Expr)> = Vec::new();
    for (column, paths) in uses.columns {
        let Some(paths) = paths.filter(|p| !p.is_empty()) else { continue };
        for expr in paths {
            let name = common_expr::sql::to_sql(&expr, &|id| ctx.columns.info(id).name.clone());
            let id = ctx.new_column(&name, expr.ty.clone(), true);
            replaced.push((expr.clone(), ctx.column(id)));
            made.entry(column).or_default().push((id, expr));
        }
    }
    Ok(if made.is_empty() { node } else { rewrite(node, &made, &replaced) })
}

/// JSON columns of scans with the expressions that take a value out of them; `None` once something uses the whole. In the order of
/// the columns, so that one query always has one plan.
#[derive(Default)]
struct Uses {
    columns: BTreeMap<ColumnId, Option<Vec<Expr>>>,
}

impl Uses {
    fn whole(&mut self, id: ColumnId) {
        if let Some(found) = self.columns.get_mut(&id) {
            *found = None;
        }
    }

    fn note(&mut self, expr: &Expr) {
        if let Some(column) = taken_from(expr)
            && let Some(found) = self.columns.get_mut(&column)
        {
            if let Some(paths) = found.as_mut().filter(|paths| !paths.contains(expr)) {
                paths.push(expr.clone());
            }
            return;
        }
        match &expr.kind {
            ExprKind::Column(id) => self.whole(*id),
            _ => expr.children().into_iter().for_each(|child| self.note(child)),
        }
    }
}

/// The column an expression takes one value by a constant path of keys out of.
fn taken_from(expr: &Expr) -> Option<ColumnId> {
    let call = match &expr.kind {
        ExprKind::Cast(inner) if is_query(inner) && castable(&expr.ty) => inner,
        _ => expr,
    };
    let ExprKind::Call { function, args } = &call.kind else { return None };
    if !matches!(function.name(), "get_json_int" | "get_json_double" | "get_json_bool" | "get_json_string" | "json_query" | "json_exists") {
        return None;
    }
    let [document, path] = args.as_slice() else { return None };
    let path = path.as_literal().and_then(Scalar::as_bytes).and_then(|b| std::str::from_utf8(b).ok())?;
    let path = JsonPath::parse(path).ok()?;
    let keys = !path.steps().is_empty() && path.steps().iter().all(|s| matches!(s, Step::Key(_)));
    document.as_column().filter(|_| keys && document.ty == LogicalType::Json)
}

fn is_query(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { function, .. } if function.name() == "json_query")
}

/// Casts that read no session setting.
fn castable(ty: &LogicalType) -> bool {
    ty.is_integer() || ty.is_float() || matches!(ty, LogicalType::Boolean | LogicalType::Varchar(_))
}

fn reads_rows_as_they_are(scan: &LogicalScan) -> bool {
    let keys = scan.table.as_olap().map(|olap| olap.keys);
    scan.files.is_none() && matches!(keys, Some(KeysModel::Duplicate | KeysModel::Primary))
}

fn find_columns(node: &LogicalNode, uses: &mut Uses) {
    if let LogicalOp::Scan(scan) = &node.op
        && reads_rows_as_they_are(scan)
    {
        let json = |uid| scan.table.column_by_uid(uid).is_some_and(|c| c.ty == LogicalType::Json);
        uses.columns.extend(scan.columns.iter().filter(|(_, uid)| json(*uid)).map(|(id, _)| (*id, Some(Vec::new()))));
    }
    node.children.iter().for_each(|child| find_columns(child, uses));
}

fn note(node: &LogicalNode, uses: &mut Uses) {
    match &node.op {
        // What passes through is judged by who takes it further up.
        LogicalOp::Project { exprs } => exprs.iter().filter(|(id, e)| e.as_column() != Some(*id)).for_each(|(_, e)| uses.note(e)),
        op => tree::visit_exprs(op, &mut |e| uses.note(e)),
    }
    let mut whole = |ids: &mut dyn Iterator<Item = ColumnId>| ids.for_each(|id| uses.whole(id));
    match &node.op {
        LogicalOp::Scan(scan) => scan.partition_keys.iter().for_each(|key| whole(&mut key.columns().into_iter())),
        LogicalOp::Aggregate { group_by, .. } => whole(&mut group_by.iter().copied()),
        LogicalOp::Window { partition_by, .. } => whole(&mut partition_by.iter().copied()),
        LogicalOp::Repeat { columns, .. } => whole(&mut columns.iter().map(|(_, from)| *from)),
        LogicalOp::SetOp { inputs, .. } => whole(&mut inputs.iter().flatten().copied()),
        LogicalOp::CteConsume { columns, .. } => whole(&mut columns.iter().map(|(_, from)| *from)),
        _ => {}
    }
    node.children.iter().for_each(|child| note(child, uses));
}

fn rewrite(node: LogicalNode, made: &HashMap<ColumnId, Vec<(ColumnId, Expr)>>, replaced: &[(Expr, Expr)]) -> LogicalNode {
    let children = node.children.into_iter().map(|child| rewrite(child, made, replaced)).collect();
    let mut op = tree::map_exprs(node.op, &mut |e| replace(e, replaced));
    match &mut op {
        LogicalOp::Scan(scan) => {
            for (id, uid) in std::mem::take(&mut scan.columns) {
                match made.get(&id) {
                    Some(paths) => {
                        scan.columns.extend(paths.iter().map(|(made, _)| (*made, uid)));
                        scan.json_paths.extend(paths.iter().cloned());
                    }
                    None => scan.columns.push((id, uid)),
                }
            }
        }
        LogicalOp::Project { exprs } => {
            for (id, e) in std::mem::take(exprs) {
                match made.get(&id).filter(|_| e.as_column() == Some(id)) {
                    Some(paths) => exprs.extend(paths.iter().map(|(made, e)| (*made, Expr::column(*made, e.ty.clone(), true)))),
                    None => exprs.push((id, e)),
                }
            }
        }
        _ => {}
    }
    LogicalNode { op, children }
}

/// The topmost of equal expressions first: a cast of a value before the value.
fn replace(mut expr: Expr, by: &[(Expr, Expr)]) -> Expr {
    if let Some((_, new)) = by.iter().find(|(old, _)| *old == expr) {
        return new.clone();
    }
    for_each_child_mut(&mut expr, &mut |child| *child = replace(child.clone(), by));
    expr
}
