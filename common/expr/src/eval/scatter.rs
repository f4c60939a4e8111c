//! Putting a column together from pieces that hold the values of disjoint rows.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanBufferBuilder, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array},
    buffer::NullBuffer,
};
use common_base::Result;
use common_types::{Bounds, Column, LogicalType, Repr, Scalar, for_ints};

/// Values of some rows.
pub struct Piece {
    /// The rows, ascending.
    pub rows: Vec<u32>,
    pub column: Column,
    /// The column holds all rows (value of row r at r), not just these (value of `rows[k]` at k).
    pub whole: bool,
}

impl Piece {
    fn at(&self, k: usize) -> usize {
        if self.whole { self.rows[k] as usize } else { k }
    }
}

/// The column of `rows` rows; rows of no piece are NULL.
pub fn assemble(ty: &LogicalType, rows: usize, mut pieces: Vec<Piece>) -> Result<Column> {
    pieces.retain(|p| !p.rows.is_empty());
    if pieces.is_empty() {
        return Ok(Column::null(ty.clone(), rows));
    }
    if pieces.len() == 1 && pieces[0].rows.len() == rows {
        return Ok(pieces.remove(0).column.with_type(ty.clone()));
    }
    let covered: usize = pieces.iter().map(|p| p.rows.len()).sum();
    if ty.is_integer_backed() && pieces.iter().all(|p| integers(&p.column)) {
        return Ok(assemble_integers(ty, rows, covered, &pieces));
    }
    if *ty == LogicalType::Double && pieces.iter().all(|p| p.column.is_const() || p.column.floats().is_some()) {
        return Ok(assemble_doubles(ty, rows, covered, &pieces));
    }
    let mut index = vec![u32::MAX; rows];
    let mut offset = 0;
    let mut parts: Vec<Column> = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        for (k, row) in piece.rows.iter().enumerate() {
            index[*row as usize] = offset + k as u32;
        }
        offset += piece.rows.len() as u32;
        let column = if piece.whole { piece.column.gather(&piece.rows) } else { piece.column.clone() };
        parts.push(column.with_type(ty.clone()));
    }
    let all = Column::concat(&parts);
    Ok(if covered == rows { all.gather(&index) } else { all.gather_opt(&index) })
}

fn integers(column: &Column) -> bool {
    match column.as_const() {
        Some(value) => value.is_null() || value.as_i64().is_some(),
        None => column.ints_i64().is_some(),
    }
}

/// Integers scatter into the narrowest width all pieces fit.
fn assemble_integers(ty: &LogicalType, rows: usize, covered: usize, pieces: &[Piece]) -> Column {
    let unknown = Bounds::new(i64::MIN, i64::MAX);
    let mut bounds: Option<Bounds> = None;
    for piece in pieces {
        if piece.column.as_const().is_some_and(Scalar::is_null) {
            continue;
        }
        let own = piece.column.bounds().unwrap_or(unknown);
        bounds = Some(bounds.map_or(own, |b| b.union(own)));
    }
    let Some(bounds) = bounds else { return Column::null(ty.clone(), rows) };
    let nulls = piece_nulls(rows, covered, pieces);
    let fits = |min: i64, max: i64| bounds.min >= min && bounds.max <= max;
    macro_rules! scatter {
        ($native:ty, $array:ty) => {{
            let mut out = vec![0 as $native; rows];
            for piece in pieces {
                match piece.column.ints_i64() {
                    Some(view) => for_ints!(view, values => {
                        if piece.whole {
                            for row in &piece.rows {
                                out[*row as usize] = values[*row as usize] as $native;
                            }
                        } else {
                            for (row, value) in piece.rows.iter().zip(values) {
                                out[*row as usize] = *value as $native;
                            }
                        }
                    }),
                    None => {
                        let value = piece.column.as_const().and_then(Scalar::as_i64).unwrap_or(0) as $native;
                        for row in &piece.rows {
                            out[*row as usize] = value;
                        }
                    }
                }
            }
            Arc::new(<$array>::new(out.into(), nulls)) as ArrayRef
        }};
    }
    let ints = if fits(i64::from(i8::MIN), i64::from(i8::MAX)) {
        scatter!(i8, Int8Array)
    } else if fits(i64::from(i16::MIN), i64::from(i16::MAX)) {
        scatter!(i16, Int16Array)
    } else if fits(i64::from(i32::MIN), i64::from(i32::MAX)) {
        scatter!(i32, Int32Array)
    } else {
        scatter!(i64, Int64Array)
    };
    Column::narrow(ints, bounds, ty.clone())
}

fn assemble_doubles(ty: &LogicalType, rows: usize, covered: usize, pieces: &[Piece]) -> Column {
    let mut out = vec![0f64; rows];
    for piece in pieces {
        match piece.column.floats() {
            Some(view) => {
                for (k, row) in piece.rows.iter().enumerate() {
                    out[*row as usize] = view.get(piece.at(k));
                }
            }
            None => {
                let value = piece.column.as_const().and_then(Scalar::as_f64).unwrap_or(0.0);
                for row in &piece.rows {
                    out[*row as usize] = value;
                }
            }
        }
    }
    let array = Float64Array::new(out.into(), piece_nulls(rows, covered, pieces));
    Column::flat(Arc::new(array), ty.clone())
}

/// Validity of the result: NULLs of the pieces and rows of no piece.
fn piece_nulls(rows: usize, covered: usize, pieces: &[Piece]) -> Option<NullBuffer> {
    if covered == rows && pieces.iter().all(|p| !p.column.has_nulls()) {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    valid.append_n(rows, false);
    for piece in pieces {
        if matches!(piece.column.repr(), Repr::Const(v) if v.is_null()) {
            continue;
        }
        let nulls = piece.column.nulls();
        for (k, row) in piece.rows.iter().enumerate() {
            if nulls.as_ref().is_none_or(|n| n.is_valid(piece.at(k))) {
                valid.set_bit(*row as usize, true);
            }
        }
    }
    Some(NullBuffer::new(valid.finish()))
}
