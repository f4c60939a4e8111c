//! Loads into primary-key tables that are more than whole rows: some columns only, deletes, conditions. The sink is narrowed to
//! the columns that come; what rows of new keys get in the others is told along.

use common_base::{Result, err, ids::ColumnUid};
use common_expr::registry::FunctionRegistry;
use common_types::{LogicalType, Scalar, wire};
use fe_catalog::model::Table;
use proto_messages::{fragment::TableSink, plan::ScanColumn, tablet::{MissingColumn, PrimaryLoad}};

use super::primary_indexes::Narrowed;

/// The uid of the column of operations, which no table column has.
pub const OP: ColumnUid = ColumnUid(0);

/// What the rows of a load are.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The columns that come; empty = all.
    pub written: Vec<ColumnUid>,
    /// A column [`OP`] comes too: 0 = upsert, 1 = delete.
    pub op: bool,
    /// A row replaces another only if this column is not smaller.
    pub merge: Option<ColumnUid>,
    /// Rows of keys that do not exist are left out.
    pub update_only: bool,
    /// Columns that come for rows of new keys only.
    pub kept: Vec<ColumnUid>,
    /// Values of columns that do not come, for rows of new keys.
    pub fills: Vec<(ColumnUid, Scalar)>,
}

/// Makes the sink of whole rows one of these rows.
pub fn narrow(sink: &mut TableSink, table: &Table, shape: &Shape, functions: &FunctionRegistry) -> Result<()> {
    let comes = |uid: u64| shape.written.is_empty() || shape.written.iter().any(|w| w.0 == uid);
    let all = std::mem::take(&mut sink.columns);
    let kept: Vec<usize> = (0..all.len()).filter(|i| comes(all[*i].uid)).collect();
    let position = |old: u32| {
        let at = kept.iter().position(|k| *k == old as usize);
        at.map(|at| at as u32).ok_or_else(|| err!(Internal, "partition and bucket columns of a primary-key table are part of its key"))
    };
    if let Some(partitions) = &mut sink.partitions {
        for column in partitions.partition_columns.iter_mut().chain(&mut partitions.distribution_columns) {
            *column = position(*column)?;
        }
        for exprs in [&mut partitions.key_exprs, &mut partitions.new_exprs] {
            let bound = common_expr::wire::list_from_proto(exprs, functions)?;
            bound.iter().flat_map(|e| e.columns()).try_for_each(|c| position(c).map(drop))?;
            let moved: Vec<_> = bound.into_iter().map(|e| e.map_columns(&mut |c| position(c).unwrap_or(c))).collect();
            *exprs = common_expr::wire::list_to_proto(&moved)?;
        }
    }
    let missing = table
        .columns
        .iter()
        .filter(|c| !comes(c.uid.0))
        .map(|c| {
            let said = shape.fills.iter().find(|(uid, v)| *uid == c.uid && !v.is_null()).map(|(_, v)| v.clone());
            let value = said.or_else(|| if c.nullable { Some(Scalar::Null) } else { zero(&c.ty) });
            MissingColumn { uid: c.uid.0, required: value.is_none(), value: value.map(|v| wire::scalar_to_proto(&v, &c.ty)) }
        })
        .collect::<Vec<_>>();
    let mut load = PrimaryLoad {
        column_uids: if missing.is_empty() { Vec::new() } else { kept.iter().map(|i| all[*i].uid).collect() },
        has_op: shape.op,
        merge_column: shape.merge.map_or(0, |m| m.0),
        missing,
        update_only: shape.update_only,
        kept_uids: shape.kept.iter().map(|uid| uid.0).collect(),
    };
    let mut more = Vec::new();
    for index in sink.indexes.iter_mut().skip(1) {
        more.extend(Narrowed { table, comes: &kept, load: &load }.narrow(index, functions)?);
    }
    let told = |uid: u64| load.missing.iter().any(|m| m.uid == uid);
    more.retain(|m| !told(m.uid));
    load.missing.extend(more);
    sink.primary_load = Some(load);
    let mut at = 0;
    sink.columns = all;
    sink.columns.retain(|_| {
        at += 1;
        kept.contains(&(at - 1))
    });
    if shape.op {
        let ty = Some(wire::type_to_proto(&LogicalType::TinyInt));
        sink.columns.push(ScanColumn { uid: OP.0, name: "__op".to_owned(), r#type: ty, nullable: true, before: None, json_path: None });
    }
    Ok(())
}

/// What a NOT NULL column without a default gets.
fn zero(ty: &LogicalType) -> Option<Scalar> {
    match ty {
        LogicalType::Float => Some(Scalar::Float(0.0)),
        LogicalType::Double => Some(Scalar::Double(0.0)),
        LogicalType::Char(_) | LogicalType::Varchar(_) => Some(Scalar::string("")),
        other => Scalar::from_i128(other, 0),
    }
}
