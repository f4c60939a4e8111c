//! Colocate groups: tables of one database whose equal buckets live on equal backends, so that joins on the bucket columns need no
//! exchange. The first table of a group says where; a group that does not meet (backends came and went) is merely not used by joins.

use std::sync::Arc;

use common_base::{Result, bail, ids::{DbId, NodeId, TableId}};
use common_types::LogicalType;
use fe_catalog::{CatalogState, model::{Distribution, OlapTable, Partition, Table}};

/// What tables of a group have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub types: Vec<LogicalType>,
    pub buckets: u32,
    pub replication_num: u16,
}

/// The tables of a group by their ids: the first made it.
pub fn members<'c>(catalog: &'c CatalogState, db: DbId, group: &'c str) -> impl Iterator<Item = (&'c Arc<Table>, &'c Arc<OlapTable>)> {
    let of_group = move |t: &'c Arc<Table>| Some((t, t.as_olap()?)).filter(|(_, o)| t.db_id == db && o.colocate_group.as_deref() == Some(group));
    catalog.tables.values().filter_map(of_group)
}

/// A table's part in a group; hash distribution only.
pub fn shape(table: &Table, olap: &OlapTable, buckets: u32, replication_num: u16) -> Result<Shape> {
    let Distribution::Hash { columns, .. } = &olap.distribution else { bail!(User, "Random distribution is not supported in colocate mode") };
    let types = columns.iter().filter_map(|uid| table.column_by_uid(*uid)).map(|c| c.ty.clone()).collect();
    Ok(Shape { types, buckets, replication_num })
}

/// The shape of a table that has partitions.
pub fn shape_of(table: &Table, olap: &OlapTable) -> Option<Shape> {
    let first = olap.partitions.values().next()?;
    shape(table, olap, first.buckets, first.replication_num).ok()
}

/// What the group's partitions have in common, by one of them.
fn sample<'c>(catalog: &'c CatalogState, db: DbId, group: &'c str) -> Option<&'c Partition> {
    members(catalog, db, group).find_map(|(_, o)| o.partitions.values().next()).map(AsRef::as_ref)
}

/// The bucket number of a group that has partitions.
pub fn buckets(catalog: &CatalogState, db: DbId, group: &str) -> Option<u32> {
    sample(catalog, db, group).map(|p| p.buckets)
}

/// Refuses partitions that do not fit the group's, or one another.
pub fn check_partitions(catalog: &CatalogState, db: DbId, group: &str, sizes: impl Iterator<Item = (u32, u16)>) -> Result<()> {
    let mut first = sample(catalog, db, group).map(|p| (p.buckets, p.replication_num));
    for (buckets, replication_num) in sizes {
        let (b, r) = *first.get_or_insert((buckets, replication_num));
        if buckets != b {
            bail!(User, "Colocate tables must have same bucket num: {b}, with group {group}");
        }
        if replication_num != r {
            bail!(User, "Colocate tables must have same replication num: {r}, with group {group}");
        }
    }
    Ok(())
}

/// Refuses a table that does not fit the group's others.
pub fn check(catalog: &CatalogState, db: DbId, group: &str, own: TableId, mine: &Shape) -> Result<()> {
    let Some(theirs) = members(catalog, db, group).filter(|(t, _)| t.id != own).find_map(|(t, o)| shape_of(t, o)) else { return Ok(()) };
    if mine.types.len() != theirs.types.len() {
        bail!(User, "Colocate tables distribution columns size must be same: {}, with group {group}", theirs.types.len());
    }
    if let Some((a, b)) = mine.types.iter().zip(&theirs.types).find(|(a, b)| !alike(a, b)) {
        bail!(User, "Colocate tables distribution columns must have the same data type: {a} should be {b}, with group {group}");
    }
    if mine.buckets != theirs.buckets {
        bail!(User, "Colocate tables must have same bucket num: {}, with group {group}", theirs.buckets);
    }
    if mine.replication_num != theirs.replication_num {
        bail!(User, "Colocate tables must have same replication num: {}, with group {group}", theirs.replication_num);
    }
    Ok(())
}

/// Lengths of texts do not matter.
fn alike(a: &LogicalType, b: &LogicalType) -> bool {
    a == b || a.is_string() && b.is_string()
}

pub use fe_jobs::tablet::colocate::sequence;

/// Where a group has its buckets, for partitions of so many buckets and copies.
pub fn placed(catalog: &CatalogState, db: DbId, group: &str, buckets: u32, replication_num: u16) -> Option<Vec<Vec<NodeId>>> {
    let fits = |b: &Vec<Vec<NodeId>>| b.len() == buckets as usize && b.iter().all(|nodes| nodes.len() == usize::from(replication_num));
    if let Some(wanted) = catalog.colocate_buckets.get(&(db, group.to_owned())).filter(|b| fits(b)) {
        return Some(Vec::clone(wanted));
    }
    let mut partitions = members(catalog, db, group).flat_map(|(_, o)| o.partitions.values());
    partitions.find(|p| p.buckets == buckets && p.replication_num == replication_num).map(|p| sequence(p))
}

/// Whether equal buckets of all the group's partitions are on equal backends.
pub fn is_stable(catalog: &CatalogState, db: DbId, group: &str) -> bool {
    let mut sequences = members(catalog, db, group).flat_map(|(_, o)| o.partitions.values()).map(|p| sequence(p));
    let Some(first) = sequences.next() else { return true };
    sequences.all(|s| s == first)
}
