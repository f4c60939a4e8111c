//! What the rows of a load into a primary-key tablet are: whole rows or some columns, upserts or deletes, conditional or not.

use common_base::{Result, ensure};
use common_types::{Column, LogicalType, Scalar, wire};
use proto_messages::tablet::PrimaryLoad;

use crate::tablet::TabletSchema;

/// A [`PrimaryLoad`] checked against the tablet's schema.
#[derive(Clone, Debug)]
pub struct LoadShape {
    /// Positions in the tablet's schema of the columns that come.
    pub columns: Vec<usize>,
    /// A column of operations follows.
    pub has_op: bool,
    /// Position in the tablet's schema.
    pub merge_column: Option<usize>,
    /// Columns that do not come, with what rows of new keys get.
    pub missing: Vec<Missing>,
    pub update_only: bool,
    /// Positions of columns that come for rows of new keys only.
    pub kept: Vec<usize>,
}

/// A column that a load leaves out.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Position in the tablet's schema.
    pub column: usize,
    pub value: Scalar,
    /// Rows of new keys must have it: there is no default.
    pub required: bool,
}

impl LoadShape {
    /// Checks what a load says; without a word it is whole rows.
    pub fn new(schema: &TabletSchema, load: Option<&PrimaryLoad>) -> Result<Self> {
        let all: Vec<usize> = (0..schema.columns.len()).collect();
        let Some(load) = load else {
            return Ok(Self { columns: all, has_op: false, merge_column: None, missing: Vec::new(), update_only: false, kept: Vec::new() });
        };
        // Columns may have been dropped since the load was written.
        let columns = if load.column_uids.is_empty() { all } else { load.column_uids.iter().filter_map(|u| schema.position_of(*u)).collect() };
        let lacking = super::key_columns(schema).find(|k| !columns.contains(k));
        ensure!(lacking.is_none(), InvalidArgument, "the load lacks a key column");
        let missing = (0..schema.columns.len())
            .filter(|i| !columns.contains(i))
            .map(|column| {
                let spec = &schema.columns[column];
                let said = load.missing.iter().find(|m| m.uid == spec.uid);
                let value = said.and_then(|m| m.value.as_ref()).map(wire::scalar_from_proto).transpose()?.unwrap_or_else(|| spec.default.clone());
                let required = said.map_or(!spec.nullable && value.is_null(), |m| m.required);
                Ok(Missing { column, value, required })
            })
            .collect::<Result<Vec<_>>>()?;
        let merge_column = schema.position_of(load.merge_column).filter(|m| columns.contains(m));
        let kept = load.kept_uids.iter().filter_map(|u| schema.position_of(*u)).filter(|k| columns.contains(k)).collect();
        Ok(Self { columns, has_op: load.has_op, merge_column, missing, update_only: load.update_only, kept })
    }

    /// Whether rows come without some columns that must be filled in.
    pub fn is_partial(&self) -> bool {
        !self.missing.is_empty() || !self.kept.is_empty()
    }

    /// Refuses rows with longer keys. A key is as long as its values; a text that others follow ends with two bytes more.
    pub fn check_keys(&self, schema: &TabletSchema, columns: &[Column], rows: usize, bytes_max: usize) -> Result<()> {
        let mut fixed = 0;
        let mut texts = Vec::new();
        let mut last = false;
        for key in super::key_columns(schema) {
            last = false;
            match schema.columns[key].ty.fixed_width() {
                Some(width) => fixed += width,
                None => {
                    let at = self.columns.iter().position(|c| *c == key).and_then(|at| columns.get(at));
                    texts.extend(at.and_then(Column::str_view));
                    last = true;
                }
            }
        }
        let ends = 2 * texts.len().saturating_sub(usize::from(last));
        let longest = (0..rows).map(|row| texts.iter().map(|t| t.get(row).len()).sum::<usize>()).max().unwrap_or(0) + fixed + ends;
        ensure!(
            rows == 0 || longest <= bytes_max,
            InvalidArgument,
            "primary key size exceed the limit: a key takes {longest} bytes, more than primary_key_limit_size = {bytes_max}"
        );
        Ok(())
    }

    /// The schema of the segments that hold the rows as they come.
    pub fn segment_schema(&self, schema: &TabletSchema) -> TabletSchema {
        if !self.is_partial() {
            return schema.clone();
        }
        restrict(schema, &self.columns)
    }
}

/// A schema of some columns; unsorted unless it has all sort columns.
pub fn restrict(schema: &TabletSchema, columns: &[usize]) -> TabletSchema {
    let sort_key: Option<Vec<usize>> = schema.sort_key.iter().map(|k| columns.iter().position(|c| c == k)).collect();
    let short_key_columns = if sort_key.is_some() { schema.short_key_columns } else { 0 };
    TabletSchema {
        columns: columns.iter().map(|c| schema.columns[*c].clone()).collect(),
        sort_key: sort_key.unwrap_or_default(),
        short_key_columns,
        ..schema.clone()
    }
}

/// The type of the operations column.
pub const OP_TYPE: LogicalType = LogicalType::TinyInt;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::column;

    #[test]
    fn longer_keys_are_refused() {
        let mut schema = TabletSchema::from_proto(&crate::primary::tests::create(Vec::new()).schema.expect("a schema"), None).expect("a schema");
        let shape = LoadShape::new(&schema, None).expect("whole rows");
        let columns = [
            column(&LogicalType::Int, [Scalar::Int(1), Scalar::Int(2)].into_iter()),
            column(&LogicalType::varchar(), [Scalar::string("a"), Scalar::string("x".repeat(124))].into_iter()),
        ];
        let check = |schema: &TabletSchema, max: usize| shape.check_keys(schema, &columns, 2, max);
        check(&schema, 4).expect("an INT");
        check(&schema, 3).expect_err("an INT takes four bytes");
        schema.columns[1].key = true;
        check(&schema, 128).expect("the last text has no end");
        let error = check(&schema, 127).expect_err("one byte more");
        assert!(error.message().contains("a key takes 128 bytes"), "{error}");
    }
}
