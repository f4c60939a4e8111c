//! Where each row of a load goes: its partition by value, its bucket by hash. Rows that `table_checks` refuses and those without a
//! partition go nowhere.

use std::{collections::BTreeMap, sync::{Arc, atomic::{AtomicU32, Ordering}}};

use common_base::{Result, bail, err};
use common_expr::{eval::CompiledExprs, expr::Expr, scalar_fn::EvalContext};
use common_types::{Chunk, Column, LogicalType, Scalar, compare::SortOrder, hash, key_codec, wire};
use parking_lot::RwLock;
use proto_messages::{chunk::LoadCounters, fragment::{PartitionTarget, TableSink}};

use super::table_checks::{RowChecks, reject};
use crate::{pipeline::builder::PipelineBuilder, sink::BadRows};

/// Rows per random bucket before the next bucket's turn.
const RANDOM_BUCKET_ROWS: u32 = 4096;

#[derive(Clone)]
struct Target {
    partition: u64,
    /// Encoded bounds `[lower, upper)`; empty lower = from the start, `None` upper = to the end.
    lower: Vec<u8>,
    upper: Option<Vec<u8>>,
    tablets: Vec<u64>,
}

/// Where rows of each partition go; replaced as a whole when partitions come.
#[derive(Clone, Default)]
struct Routes {
    /// RANGE: sorted by lower bound. LIST: see `lists`.
    targets: Vec<Target>,
    /// LIST: (encoded values, target), sorted.
    lists: Option<Vec<(Vec<u8>, usize)>>,
}

/// Routes rows of one load.
pub(super) struct Router {
    columns: RowChecks,
    partition_columns: Vec<usize>,
    /// The partition key when it is not the columns as they are.
    key: Vec<Expr>,
    /// Types of the key.
    types: Vec<LogicalType>,
    /// What names the partition that a row without one needs; none = the key. Only of automatic partitions.
    new: Vec<Expr>,
    automatic: bool,
    routes: RwLock<Arc<Routes>>,
    distribution_columns: Vec<usize>,
    turn: AtomicU32,
}

/// One driver's compiled expressions.
pub(super) struct RouteExprs {
    key: Option<CompiledExprs>,
    new: Option<CompiledExprs>,
}

/// What became of a chunk's rows.
pub(super) struct Routed {
    /// Rows that stay; `None` = all.
    pub kept: Option<Vec<u32>>,
    /// The tablet of each kept row.
    pub tablets: Vec<u64>,
    pub rejects: Option<Rejects>,
    /// Values of partitions that have to be made before the chunk can be routed.
    pub missing: Vec<Vec<Scalar>>,
}

/// Rows that may not be written, and why.
pub(super) struct Rejects {
    pub rows: Vec<u32>,
    reasons: Vec<String>,
}

impl Rejects {
    /// What they add to a load's totals.
    pub fn counters(&self) -> LoadCounters {
        LoadCounters { filtered_rows: self.rows.len() as u64, first_error: self.reasons.first().cloned().unwrap_or_default(), ..LoadCounters::default() }
    }
}

impl Router {
    /// From the sink's description.
    pub fn new(b: &PipelineBuilder<'_>, sink: &TableSink) -> Result<Self> {
        let scheme = sink.partitions.as_ref().ok_or_else(|| err!(Internal, "table sink without partitions"))?;
        let columns = RowChecks::new(sink)?;
        let partition_columns: Vec<usize> = scheme.partition_columns.iter().map(|c| *c as usize).collect();
        let key = b.exprs(&scheme.key_exprs)?;
        let types = match key.as_slice() {
            [] => partition_columns.iter().map(|c| columns.type_of(*c).clone()).collect(),
            key => key.iter().map(|e| e.ty.clone()).collect(),
        };
        let router = Self {
            new: b.exprs(&scheme.new_exprs)?,
            automatic: scheme.automatic,
            routes: RwLock::new(Arc::new(Routes { targets: Vec::new(), lists: scheme.list.then(Vec::new) })),
            distribution_columns: scheme.distribution_columns.iter().map(|c| *c as usize).collect(),
            columns,
            partition_columns,
            key,
            types,
            turn: AtomicU32::new(0),
        };
        router.add(&scheme.targets)?;
        Ok(router)
    }

    /// For one driver.
    pub fn exprs(&self) -> RouteExprs {
        let compile = |exprs: &[Expr]| (!exprs.is_empty()).then(|| CompiledExprs::compile(exprs));
        RouteExprs { key: compile(&self.key), new: compile(&self.new) }
    }

    /// Learns of partitions; those it knows stay as they are.
    pub fn add(&self, partitions: &[PartitionTarget]) -> Result<()> {
        let mut current = self.routes.write();
        let mut routes = Routes::clone(&current);
        let encode = |values: &[proto_messages::types::Scalar]| -> Result<Vec<u8>> {
            let values = values.iter().map(wire::scalar_from_proto).collect::<Result<Vec<Scalar>>>()?;
            let mut key = Vec::new();
            key_codec::encode_scalars(values.iter().zip(&self.types), &mut key)?;
            Ok(key)
        };
        for target in partitions {
            if routes.targets.iter().any(|t| t.partition == target.partition_id) {
                continue;
            }
            let tablets: Vec<u64> = target.tablets.iter().take(target.bucket_count as usize).map(|t| t.tablet_id).collect();
            if tablets.is_empty() {
                bail!(Internal, "partition {} has no tablets", target.partition_id);
            }
            if let Some(lists) = &mut routes.lists {
                for values in &target.list_values {
                    lists.push((encode(&values.items)?, routes.targets.len()));
                }
            }
            let upper = if target.upper.is_empty() { None } else { Some(encode(&target.upper)?) };
            routes.targets.push(Target { partition: target.partition_id, lower: encode(&target.lower)?, upper, tablets });
        }
        match &mut routes.lists {
            Some(lists) => lists.sort(),
            None => routes.targets.sort_by(|a, b| a.lower.cmp(&b.lower)),
        }
        *current = Arc::new(routes);
        Ok(())
    }

    /// Checks and routes a chunk whose columns are the sink's.
    ///
    /// With `create`, rows that lack a partition of an automatic table are not refused: the answer names what is missing.
    pub fn route(&self, exprs: &mut RouteExprs, eval: &EvalContext, chunk: &Chunk, create: bool) -> Result<Routed> {
        let rows = chunk.rows();
        let routes = self.routes.read().clone();
        let mut rejected: Vec<Option<String>> = Vec::new();
        self.columns.check(chunk, &mut rejected);
        let mut homeless = (self.automatic && create).then(Vec::new);
        let targets = self.partitions(&routes, exprs, eval, chunk, &mut rejected, &mut homeless)?;
        if let Some(homeless) = homeless.filter(|rows| !rows.is_empty()) {
            let missing = self.missing(exprs, eval, chunk, &homeless)?;
            return Ok(Routed { kept: None, tablets: Vec::new(), rejects: None, missing });
        }
        let mut hashes = Vec::new();
        if !self.distribution_columns.is_empty() {
            let keys: Vec<Column> = self.distribution_columns.iter().map(|c| chunk.column(*c).clone()).collect();
            hash::bucket_hash(&keys, rows, &mut hashes);
        }
        let turn = self.turn.fetch_add(rows as u32, Ordering::Relaxed) / RANDOM_BUCKET_ROWS;
        let tablet_of = |row: usize| {
            let tablets = &routes.targets[targets.as_ref().map_or(0, |t| t[row] as usize)].tablets;
            let bucket = hashes.get(row).copied().unwrap_or(turn) as usize % tablets.len();
            tablets[bucket]
        };
        if rejected.iter().all(Option::is_none) {
            return Ok(Routed { kept: None, tablets: (0..rows).map(tablet_of).collect(), rejects: None, missing: Vec::new() });
        }
        let (mut kept, mut rejects) = (Vec::new(), Rejects { rows: Vec::new(), reasons: Vec::new() });
        for (row, reason) in rejected.into_iter().enumerate() {
            match reason {
                None => kept.push(row as u32),
                Some(reason) => {
                    rejects.rows.push(row as u32);
                    rejects.reasons.push(reason);
                }
            }
        }
        let tablets = kept.iter().map(|r| tablet_of(*r as usize)).collect();
        Ok(Routed { kept: Some(kept), tablets, rejects: Some(rejects), missing: Vec::new() })
    }

    /// See [`RowChecks::softened`].
    pub fn softened(&self, chunk: Chunk) -> Chunk {
        self.columns.softened(chunk)
    }

    /// The chunk without what is not a column of the table.
    pub fn stored(&self, chunk: Chunk) -> Chunk {
        self.columns.stored(chunk)
    }

    /// Reports rejected rows with their text. Without a place for bad rows (an INSERT) and no tolerance the first one is the
    /// statement's error.
    pub fn report(&self, chunk: &Chunk, rejects: &Rejects, bad_rows: Option<&dyn BadRows>) -> Result<()> {
        for (row, reason) in rejects.rows.iter().zip(&rejects.reasons) {
            match bad_rows {
                Some(bad_rows) => bad_rows.report(reason, &self.columns.row_text(chunk, *row as usize)),
                None if self.columns.tolerant() => {}
                None => bail!(TooManyFilteredRows, "Insert has filtered data: {reason}"),
            }
        }
        Ok(())
    }

    /// The partition key of each row.
    fn keys(&self, exprs: &mut RouteExprs, eval: &EvalContext, chunk: &Chunk) -> Result<Vec<Column>> {
        match &mut exprs.key {
            Some(key) => Ok(key.eval_chunk(eval, &self.stored(chunk.clone()))?.into_columns()),
            None => Ok(self.partition_columns.iter().map(|c| chunk.column(*c).clone()).collect()),
        }
    }

    /// The values of the partitions that these rows need, each once, in order.
    fn missing(&self, exprs: &mut RouteExprs, eval: &EvalContext, chunk: &Chunk, rows: &[u32]) -> Result<Vec<Vec<Scalar>>> {
        let chunk = chunk.gather(rows);
        let columns = match &mut exprs.new {
            Some(new) => new.eval_chunk(eval, &self.stored(chunk.clone()))?.into_columns(),
            None => self.keys(exprs, eval, &chunk)?,
        };
        let keys = key_codec::encode_keys(&columns, &vec![SortOrder::ASC; columns.len()], chunk.rows())?;
        let mut distinct: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (row, key) in keys.iter().enumerate() {
            if !distinct.contains_key(key) {
                distinct.insert(key.to_vec(), row);
            }
        }
        Ok(distinct.into_values().map(|row| columns.iter().map(|c| c.scalar(row)).collect()).collect())
    }

    /// The target of each row; `None` when the table has one partition. Rows without one are refused, or listed in `homeless`.
    fn partitions(
        &self,
        routes: &Routes,
        exprs: &mut RouteExprs,
        eval: &EvalContext,
        chunk: &Chunk,
        rejected: &mut Vec<Option<String>>,
        homeless: &mut Option<Vec<u32>>,
    ) -> Result<Option<Vec<u32>>> {
        if self.types.is_empty() {
            return Ok(None);
        }
        let columns = self.keys(exprs, eval, chunk)?;
        let keys = key_codec::encode_keys(&columns, &vec![SortOrder::ASC; columns.len()], chunk.rows())?;
        let mut out = Vec::with_capacity(chunk.rows());
        let mut last: Option<(usize, &[u8])> = None;
        for (row, key) in keys.iter().enumerate() {
            // Loads come in runs of one partition more often than not.
            let target = match last {
                Some((target, same)) if same == key => Some(target),
                _ => routes.target_of(key),
            };
            match (target, &mut *homeless) {
                (Some(target), _) => {
                    last = Some((target, key));
                    out.push(target as u32);
                }
                // A row that is refused anyway needs no partition.
                (None, _) if rejected.get(row).is_some_and(Option::is_some) => out.push(0),
                (None, Some(homeless)) => {
                    homeless.push(row as u32);
                    out.push(0);
                }
                (None, None) => {
                    reject(rejected, chunk.rows(), row, || "The row is out of partition ranges. Please add a new partition.".to_owned());
                    out.push(0);
                }
            }
        }
        Ok(Some(out))
    }
}

impl Routes {
    fn target_of(&self, key: &[u8]) -> Option<usize> {
        if let Some(lists) = &self.lists {
            return lists.binary_search_by(|(value, _)| value.as_slice().cmp(key)).ok().map(|i| lists[i].1);
        }
        let after = self.targets.partition_point(|t| t.lower.as_slice() <= key);
        let at = after.checked_sub(1)?;
        self.targets[at].upper.as_ref().is_none_or(|upper| key < upper.as_slice()).then_some(at)
    }
}
