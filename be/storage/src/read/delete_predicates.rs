//! DELETE on tables without a primary key: a rowset of version v says which rows of lower versions are gone. A row goes when
//! every conjunct is TRUE for it.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use be_segment::{ChunkFilter, ColumnFilter, Zone};
use common_base::{Result, bail, ensure};
use common_expr::eval::Selection;
use common_expr::predicate::{ColumnPredicate, extract_all};
use common_expr::registry::FunctionRegistry;
use common_types::{Chunk, Column};
use proto_messages::tablet as pb;

/// A stored condition, one predicate per column.
#[derive(Clone, Debug)]
pub struct DeletePredicate {
    uids: Vec<u64>,
    predicates: Vec<ColumnPredicate>,
}

impl DeletePredicate {
    /// Parses; a condition that is not a conjunction of single-column predicates is refused.
    pub fn from_proto(message: &pb::DeletePredicate, functions: &FunctionRegistry) -> Result<Self> {
        let conjuncts = common_expr::wire::list_from_proto(&message.conjuncts, functions)?;
        let (predicates, rest) = extract_all(&conjuncts);
        if !rest.is_empty() {
            bail!(NotSupported, "DELETE condition '{}' is not supported yet: use comparisons of columns with literals, IN and IS NULL joined by AND", message.text);
        }
        ensure!(!predicates.is_empty(), InvalidArgument, "DELETE without condition");
        let uids = predicates
            .iter()
            .map(|p| message.column_uids.get(p.column as usize).copied())
            .collect::<Option<Vec<_>>>();
        let Some(uids) = uids else { bail!(InvalidArgument, "DELETE condition '{}' names a column beyond its list", message.text) };
        Ok(Self { uids, predicates })
    }

    /// The columns it looks at.
    pub fn column_uids(&self) -> &[u64] {
        &self.uids
    }

    /// The conjuncts with their columns.
    pub fn conjuncts(&self) -> impl Iterator<Item = (u64, &ColumnPredicate)> {
        self.uids.iter().copied().zip(&self.predicates)
    }
}

/// Keeps the rows that one predicate does not remove.
#[derive(Debug)]
pub struct KeepColumn(pub ColumnPredicate);

impl ColumnFilter for KeepColumn {
    fn may_match(&self, zone: &Zone) -> bool {
        !self.0.all_match(&zone.min, &zone.max, zone.nulls, zone.rows)
    }
    fn all_match(&self, zone: &Zone) -> bool {
        !self.0.may_match(&zone.min, &zone.max, zone.nulls, zone.rows)
    }
    fn matches(&self, column: &Column) -> Result<BooleanBuffer> {
        Ok(!&self.0.mask(column))
    }
}

/// Keeps the rows that a conjunction over several columns does not remove; the i-th column is the i-th predicate's.
#[derive(Debug)]
pub struct KeepRows(pub Vec<ColumnPredicate>);

impl ChunkFilter for KeepRows {
    fn select(&self, chunk: &Chunk) -> Result<Selection> {
        let mut gone = BooleanBuffer::new_set(chunk.rows());
        for (predicate, column) in self.0.iter().zip(chunk.columns()) {
            gone = &gone & &predicate.mask(column);
        }
        Ok(Selection::from_mask(&!&gone))
    }
}

/// The filter of one conjunct.
pub fn keep_column(predicate: &ColumnPredicate) -> Arc<dyn ColumnFilter> {
    Arc::new(KeepColumn(predicate.clone()))
}
