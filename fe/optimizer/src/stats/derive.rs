//! Estimates of scans, projections and aggregations.

use common_base::ids::PartitionId;
use common_expr::expr::{ColumnId, Expr, ExprKind};
use common_types::LogicalType;
use fe_plan::logical::LogicalScan;

use super::{ColumnEstimate, filter::ndv_of, numeric, type_size};
use crate::context::Context;

/// Rows of a table nobody measured.
const UNKNOWN_TABLE_ROWS: f64 = 1000.0;
/// Further grouping columns multiply by less: they correlate.
const GROUP_CORRELATION: f64 = 0.75;

/// Rows of the partitions read; also sets the estimates of the scan's columns.
pub fn scan(ctx: &mut Context<'_>, scan: &LogicalScan, partitions: impl Iterator<Item = PartitionId>) -> f64 {
    let mut rows = 0.0;
    let mut known = false;
    for id in partitions {
        if let Some(n) = ctx.provider.partition_rows(&scan.table, id) {
            rows += n;
            known = true;
        }
    }
    let rows = if known { rows.max(1.0) } else { UNKNOWN_TABLE_ROWS };
    for (id, uid) in &scan.columns {
        let whole = scan.json_paths.iter().all(|(made, _)| made != id);
        let estimate = match ctx.provider.column(&scan.table, *uid).filter(|_| whole) {
            Some(s) => {
                let ndv = s.ndv.clamp(1.0, rows.max(1.0));
                ColumnEstimate {
                    ndv,
                    domain: ndv,
                    null_fraction: s.null_fraction.clamp(0.0, 1.0),
                    min: numeric(&s.min).unwrap_or(f64::NEG_INFINITY),
                    max: numeric(&s.max).unwrap_or(f64::INFINITY),
                    avg_size: s.avg_size.max(1.0),
                    known: true,
                    histogram: ctx.provider.histogram(&scan.table, *uid),
                }
            }
            None => ColumnEstimate::unknown(rows, &ctx.columns.info(*id).ty),
        };
        ctx.set_estimate(*id, estimate);
    }
    rows
}

/// Sets the estimates of a scan's columns of which only the number of rows is known.
pub fn unknown_columns(ctx: &mut Context<'_>, scan: &LogicalScan, rows: f64) {
    for (id, _) in &scan.columns {
        let estimate = ColumnEstimate::unknown(rows, &ctx.columns.info(*id).ty);
        ctx.set_estimate(*id, estimate);
    }
}

/// Bytes of a row of these columns.
pub fn row_size(ctx: &Context<'_>, columns: impl IntoIterator<Item = ColumnId>) -> f64 {
    let size: f64 = columns
        .into_iter()
        .map(|id| ctx.estimate(id).map_or_else(|| type_size(&ctx.columns.info(id).ty), |e| e.avg_size))
        .sum();
    size.max(1.0)
}

/// Sets the estimate of a computed column.
pub fn computed(ctx: &mut Context<'_>, id: ColumnId, expr: &Expr, rows: f64) {
    let estimate = match &expr.kind {
        ExprKind::Column(from) => ctx.estimate(*from).cloned(),
        ExprKind::Literal(value) => Some(ColumnEstimate::constant(value, &expr.ty)),
        ExprKind::Cast(inner) if inner.ty.is_numeric() && expr.ty.is_numeric() => {
            inner.as_column().and_then(|from| ctx.estimate(from)).map(|e| ColumnEstimate { avg_size: type_size(&expr.ty), ..e.clone() })
        }
        _ => None,
    };
    let estimate = estimate.unwrap_or_else(|| {
        let ndv = ndv_of(ctx, expr, rows);
        ColumnEstimate { ndv, domain: ndv, known: false, ..ColumnEstimate::unknown(rows, &expr.ty) }
    });
    ctx.set_estimate(id, estimate);
}

/// Groups of a grouping over `rows` rows.
pub fn groups(ctx: &Context<'_>, group_by: &[ColumnId], rows: f64) -> f64 {
    if group_by.is_empty() {
        return 1.0;
    }
    let mut ndvs: Vec<f64> = group_by
        .iter()
        .map(|c| ctx.estimate(*c).map_or((rows / 10.0).max(1.0), |e| e.ndv_in(rows) + f64::from(u8::from(e.null_fraction > 0.0))))
        .collect();
    ndvs.sort_by(|a, b| b.total_cmp(a));
    let mut total = 1.0;
    for (i, ndv) in ndvs.iter().enumerate() {
        total *= if i == 0 { *ndv } else { (ndv * GROUP_CORRELATION).max(1.0) };
        if total >= rows {
            return rows.max(1.0);
        }
    }
    total.clamp(1.0, rows.max(1.0))
}

/// Sets the estimate of an aggregate's result.
pub fn aggregate_result(ctx: &mut Context<'_>, id: ColumnId, ty: &LogicalType, groups: f64) {
    let estimate = ColumnEstimate { ndv: groups, domain: groups, known: false, ..ColumnEstimate::unknown(groups, ty) };
    ctx.set_estimate(id, estimate);
}
