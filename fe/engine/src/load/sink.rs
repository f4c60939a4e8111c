//! The table sink of a load: where rows of a table may go, as the executor needs to know it.

use common_base::{Error, Result, bail, err, ids::{ColumnUid, TxnId}};
use common_types::wire;
use fe_analyzer::statement::RowsAre;
use fe_catalog::{CatalogState, model::{Distribution, ExpressionKey, IndexState, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem, Replica, Table, WriteQuorum}};
use proto_messages::{fragment as pb, plan::ScanColumn, types::ScalarList};

use super::index_rows;
use crate::{engine::Engine, statement::table::template};

/// What the error about such a table says.
const COLUMNS_CHANGED: &str = "were changed while the statement was planned";

/// Whether a load has no sink because its plan is of columns the table no longer has: it has written nothing, and can be planned again.
pub fn columns_changed(error: &Error) -> bool {
    error.message().contains(COLUMNS_CHANGED)
}

/// The partitions a load writes.
#[derive(Clone, Copy, Debug)]
pub enum Into<'a> {
    /// All, and those that an automatically partitioned table lacks.
    All,
    /// These, by name.
    Only(&'a [String]),
    /// Temporary ones that take the place of others afterwards; `automatic`: more are made for rows that need them.
    Overwrite { names: &'a [String], automatic: bool },
}

impl<'a> From<Option<&'a [String]>> for Into<'a> {
    fn from(only: Option<&'a [String]>) -> Self {
        only.map_or(Into::All, Into::Only)
    }
}

/// Builds the sink of a transaction.
pub fn table_sink(engine: &Engine, catalog: &CatalogState, table: &Table, txn: TxnId, label: &str, into: Into<'_>, timeout_ms: u64) -> Result<pb::TableSink> {
    let (only, makes_more, overwrite) = match into {
        Into::All => (None, true, false),
        Into::Only(names) => (Some(names), false, false),
        Into::Overwrite { names, automatic } => (Some(names), automatic, true),
    };
    // The plan was made a moment ago; indexes and partitions are taken as they are now, after the transaction began.
    let planned = table.as_olap().map(|o| (o.base_index, o.schema_version));
    let table = catalog.tables.get(&table.id).ok_or_else(|| err!(UnknownTable, "Unknown table '{}'", table.name))?;
    let olap = table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))?;
    if planned != Some((olap.base_index, olap.schema_version)) {
        bail!(User, "the columns of table '{}' {COLUMNS_CHANGED}, try again", table.name);
    }
    let ordinal = |uid: ColumnUid| table.columns.iter().position(|c| c.uid == uid).map(|i| i as u32);
    let ordinals = |uids: &[ColumnUid]| uids.iter().filter_map(|u| ordinal(*u)).collect::<Vec<u32>>();
    let mut scheme = pb::PartitionScheme { list: olap.partition_info.is_list(), ..Default::default() };
    match &olap.partition_info {
        PartitionInfo::Unpartitioned => {}
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } => scheme.partition_columns = ordinals(columns),
        PartitionInfo::Expression { columns, key, .. } => {
            // Partitions named by the statement are all there are for it.
            scheme.automatic = olap.partition_info.automatic() && makes_more;
            let exprs = common_expr::wire::list_to_proto(&index_rows::partition_exprs(engine, catalog, table)?)?;
            match key {
                ExpressionKey::Unit => {
                    scheme.partition_columns = ordinals(columns);
                    scheme.new_exprs = exprs;
                }
                ExpressionKey::Value | ExpressionKey::Tuple => scheme.key_exprs = exprs,
            }
        }
    }
    let mut targets = Vec::new();
    for partition in partitions(olap, only)? {
        targets.push(target(olap, partition));
    }
    if targets.is_empty() && !scheme.automatic {
        bail!(User, "data cannot be inserted into table '{}' with empty partition. Use `SHOW PARTITIONS FROM {}` to see the currently partitions of this table.", table.name, table.name);
    }
    let distribution_columns = match &olap.distribution {
        Distribution::Hash { columns, .. } => ordinals(columns),
        Distribution::Random { .. } => Vec::new(),
    };
    Ok(pb::TableSink {
        txn_id: txn.0,
        db_id: table.db_id.0,
        table_id: table.id.0,
        label: label.to_owned(),
        columns: table
            .columns
            .iter()
            .map(|c| ScanColumn { uid: c.uid.0, name: c.name.clone(), r#type: Some(wire::type_to_proto(&c.ty)), nullable: c.nullable, before: None, json_path: None })
            .collect(),
        indexes: index_schemas(engine, catalog, table, olap)?,
        partitions: Some(pb::PartitionScheme { targets, distribution_columns, ..scheme }),
        nodes: engine
            .nodes
            .alive(catalog)
            .into_iter()
            .map(|b| pb::NodeAddress { node_id: b.id.0, host: b.host, port: u32::from(b.brpc_port) })
            .collect(),
        max_filter_ratio: 0.0,
        strict_mode: false,
        lost_mark: false,
        source_fields: Vec::new(),
        source_separator: Default::default(),
        source_json: false,
        write_quorum: match WriteQuorum::of(olap) {
            WriteQuorum::Majority => 0,
            WriteQuorum::One => 1,
            WriteQuorum::All => u32::MAX,
        },
        timeout_ms,
        primary_load: None,
        overwrite,
        numbered_column: 0,
        numbers_epoch: olap.sequence.epoch,
    })
}

/// The indexes a load writes, the base index first.
fn index_schemas(engine: &Engine, catalog: &CatalogState, table: &Table, olap: &OlapTable) -> Result<Vec<pb::IndexSchema>> {
    let template = template(table, olap);
    let mut indexes = vec![pb::IndexSchema {
        index_id: olap.base_index.0,
        schema_version: olap.schema_version,
        column_uids: table.columns.iter().map(|c| c.uid.0).collect(),
        schema: Some(template.schema()),
        ..Default::default()
    }];
    for index in &olap.further {
        let rows = index_rows::bind(engine, catalog, table, index, RowsAre::Loaded)?;
        indexes.push(pb::IndexSchema {
            index_id: index.id.0,
            schema_version: index.schema_version,
            column_uids: index.columns.iter().map(|c| c.column.uid.0).collect(),
            schema: Some(template.schema_of(index)),
            exprs: common_expr::wire::list_to_proto(&rows.exprs)?,
            predicate: rows.predicate.as_ref().map(common_expr::wire::to_proto).transpose()?,
            kept: index_rows::kept_messages(index, &rows.kept),
        });
    }
    Ok(indexes)
}

fn partitions<'a>(olap: &'a OlapTable, only: Option<&[String]>) -> Result<Vec<&'a Partition>> {
    match only {
        None => Ok(olap.partitions.values().filter(|p| !p.temporary).map(AsRef::as_ref).collect()),
        Some(names) => names
            .iter()
            .map(|name| {
                let found = olap.partition_by_name(name, false).or_else(|| olap.partition_by_name(name, true));
                found.map(AsRef::as_ref).ok_or_else(|| err!(UnknownPartition, "Unknown partition '{name}'"))
            })
            .collect(),
    }
}

pub(super) fn target(olap: &OlapTable, partition: &Partition) -> pb::PartitionTarget {
    // A backend that was away when an index was begun has no tablet of it, which would fail all that it takes of a load.
    let building = |id| olap.further.iter().any(|i| i.id == id && i.state == IndexState::Building);
    let writes = |index, r: &Replica| !(r.bad && building(index));
    let scalars = |bound: &PartitionBound| match bound {
        PartitionBound::Values(values) => values.iter().map(|v| wire::scalar_to_proto(v, &v.ty())).collect(),
        PartitionBound::Min | PartitionBound::Max => Vec::new(),
    };
    let (mut lower, mut upper, mut list_values) = (Vec::new(), Vec::new(), Vec::new());
    match &partition.item {
        PartitionItem::All => {}
        PartitionItem::Range { lower: from, upper: to } => (lower, upper) = (scalars(from), scalars(to)),
        PartitionItem::List(tuples) => {
            list_values = tuples.iter().map(|t| ScalarList { items: t.iter().map(|v| wire::scalar_to_proto(v, &v.ty())).collect() }).collect();
        }
    }
    pb::PartitionTarget {
        partition_id: partition.id.0,
        lower,
        upper,
        list_values,
        tablets: partition
            .indexes
            .iter()
            .flat_map(|i| {
                i.tablets.iter().map(move |t| pb::TabletTarget {
                    tablet_id: t.id.0,
                    index_id: i.index_id.0,
                    node_ids: t.replicas.iter().filter(|r| writes(i.index_id, r)).map(|r| r.node.0).collect(),
                })
            })
            .collect(),
        bucket_count: partition.buckets,
    }
}
