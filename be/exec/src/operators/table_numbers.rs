//! AUTO_INCREMENT: rows of a load that came without the number get one, in their order.

use std::{ops::Range, sync::Arc};

use arrow::array::Int64Array;
use common_base::{Result, ensure, err};
use common_types::{Chunk, Column, LogicalType};
use proto_messages::fragment::TableSink;

/// Position of the column to number in the sink's chunks.
pub(super) fn numbered_column(sink: &TableSink) -> Result<Option<usize>> {
    if sink.numbered_column == 0 {
        return Ok(None);
    }
    let at = sink.columns.iter().position(|c| c.uid == sink.numbered_column);
    at.map(Some).ok_or_else(|| err!(Internal, "the column to number is not among the sink's"))
}

/// The chunk with numbers where the column is NULL.
pub(super) fn number(chunk: Chunk, at: usize, numbers: Vec<Range<i64>>) -> Result<Chunk> {
    let rows = chunk.rows();
    let mut columns = chunk.columns().to_vec();
    let old = &columns[at];
    let given = old.ints_i64();
    let mut numbers = numbers.into_iter().flatten();
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        values.push(match &given {
            Some(view) if !old.is_null(row) => Some(view.get(row)),
            None if !old.is_null(row) => old.scalar(row).as_i64(),
            _ => numbers.next(),
        });
    }
    let values: Option<Vec<i64>> = values.into_iter().collect();
    ensure!(values.is_some(), Internal, "there are fewer numbers than rows to number");
    columns[at] = Column::flat(Arc::new(Int64Array::from(values.unwrap_or_default())), LogicalType::BigInt);
    Ok(Chunk::new(columns, rows))
}

#[cfg(test)]
mod tests {
    use common_types::Scalar;

    use super::*;

    #[test]
    fn numbers_fill_the_gaps_in_order() {
        let column = Column::concat(&[
            Column::null(LogicalType::BigInt, 2),
            Column::constant(Scalar::BigInt(50), LogicalType::BigInt, 1),
            Column::null(LogicalType::BigInt, 1),
        ]);
        let check = |column: Column, ranges: Vec<Range<i64>>, expected: Option<&[i64]>| {
            let rows = column.len();
            let numbered = number(Chunk::new(vec![column], rows), 0, ranges);
            let values = numbered.ok().map(|c| (0..rows).map(|r| c.column(0).scalar(r).as_i64().unwrap()).collect::<Vec<_>>());
            assert_eq!(values.as_deref(), expected);
        };
        check(column.clone(), vec![7..9, 20..21], Some(&[7, 8, 50, 20]));
        check(column, vec![7..9], None);
        check(Column::null(LogicalType::BigInt, 3), vec![1..4], Some(&[1, 2, 3]));
    }
}
