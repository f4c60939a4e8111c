//! Groups of rows with equal key, and what each column of such a group becomes. Kernels run over typed slices; a group of one
//! row costs a gather.

use std::sync::Arc;

use common_base::{Result, bail, err};
use common_expr::aggregate_fn::AggregateOverload;
use common_expr::registry::FunctionRegistry;
use common_expr::scalar_fn::EvalContext;
use common_types::compare::compare_rows;
use common_types::{Column, ColumnBuilder, DecimalWidth, FloatView, LogicalType, for_codes, for_ints};
use proto_messages::tablet::KeysModel;

use crate::tablet::{TabletColumn, TabletSchema};

/// Whether a model combines rows of equal key when they are written together, merged or read.
pub fn combines_rows(keys: KeysModel) -> bool {
    matches!(keys, KeysModel::Aggregate | KeysModel::Unique)
}

/// How the values of one column over rows of equal key become one value. Rows come in the order of versions and arrival.
#[derive(Clone, Debug)]
pub enum Combine {
    /// Of the first row: a key column.
    First,
    Sum,
    Min,
    Max,
    /// Of the last row, NULL or not.
    Last,
    /// The last value that is not NULL.
    LastNotNull,
    /// States of an aggregate function whose result is of the argument's type (HLL, bitmap, percentile unions).
    Function(Arc<AggregateOverload>),
}

impl Combine {
    /// What a column of a table of these keys does.
    pub fn of(column: &TabletColumn, keys: KeysModel, functions: &FunctionRegistry) -> Result<Self> {
        if column.key {
            return Ok(Self::First);
        }
        if keys != KeysModel::Aggregate {
            return Ok(Self::Last);
        }
        let union = |name: &str| Ok(Self::Function(functions.aggregate(name, std::slice::from_ref(&column.ty))?));
        match column.aggregation.as_str() {
            "SUM" => Ok(Self::Sum),
            "MIN" => Ok(Self::Min),
            "MAX" => Ok(Self::Max),
            "REPLACE" | "" => Ok(Self::Last),
            "REPLACE_IF_NOT_NULL" => Ok(Self::LastNotNull),
            "HLL_UNION" => union("hll_union"),
            "BITMAP_UNION" => union("bitmap_union"),
            "PERCENTILE_UNION" => union("percentile_union"),
            "AGG_STATE_UNION" => match &column.ty {
                LogicalType::State(state) => union(&format!("{}_union", state.function)),
                other => bail!(Corruption, "column {} of states has type {other}", column.name),
            },
            other => bail!(NotSupported, "column {}: aggregation {other} is not supported yet", column.name),
        }
    }

    /// Of all columns of a schema, in order.
    pub fn of_schema(schema: &TabletSchema, functions: &FunctionRegistry) -> Result<Vec<Self>> {
        schema.columns.iter().map(|c| Self::of(c, schema.keys, functions)).collect()
    }

    /// One value per group.
    pub fn apply(&self, column: &Column, groups: &Groups<'_>) -> Result<Column> {
        if groups.all_single() {
            return Ok(groups.gather_first(column));
        }
        match self {
            Self::First => Ok(groups.gather_first(column)),
            Self::Last => Ok(column.gather(&groups.pick(|_, _| true))),
            Self::LastNotNull => Ok(match column.nulls() {
                Some(nulls) => column.gather(&groups.pick(|_, row| nulls.is_valid(row))),
                None => column.gather(&groups.pick(|_, _| true)),
            }),
            Self::Min => Ok(column.gather(&extreme(column, groups, false))),
            Self::Max => Ok(column.gather(&extreme(column, groups, true))),
            Self::Sum => sum(column, groups),
            Self::Function(call) => {
                let mut states = (call.function.create)(call, &EvalContext::default(), &[None])?;
                states.resize(groups.len());
                states.update(&groups.of_rows(), std::slice::from_ref(column))?;
                let combined = states.finish(0..groups.len())?;
                Ok(combined.with_type(column.ty().clone()))
            }
        }
    }
}

/// Rows in key order, cut where the key changes.
#[derive(Debug)]
pub struct Groups<'a> {
    /// Row numbers in key order; `None` as they are.
    order: Option<&'a [u32]>,
    rows: usize,
    /// Position (in order) of each group's first row.
    starts: Vec<u32>,
}

impl<'a> Groups<'a> {
    /// Finds the groups; `order` puts the rows in key order.
    pub fn find(keys: &[Column], order: Option<&'a [u32]>, rows: usize) -> Self {
        let mut changed = vec![false; rows];
        if let Some(first) = changed.first_mut() {
            *first = true;
        }
        for key in keys {
            match order {
                Some(order) => mark_changes(key, &mut changed, |i| order[i] as usize),
                None => mark_changes(key, &mut changed, |i| i),
            }
        }
        let starts = changed.iter().enumerate().filter(|(_, c)| **c).map(|(i, _)| i as u32).collect();
        Self { order, rows, starts }
    }

    /// Rows in order, with a mark where a group begins.
    pub fn at(begins: &[bool]) -> Self {
        let starts = begins.iter().enumerate().filter(|(_, b)| **b).map(|(i, _)| i as u32).collect();
        Self { order: None, rows: begins.len(), starts }
    }

    /// Position (in order) of each group's first row.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.starts.len()
    }
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
    /// Whether no two rows have the same key.
    pub fn all_single(&self) -> bool {
        self.starts.len() == self.rows
    }

    fn row(&self, position: usize) -> usize {
        self.order.map_or(position, |o| o[position] as usize)
    }

    fn end(&self, group: usize) -> usize {
        self.starts.get(group + 1).map_or(self.rows, |s| *s as usize)
    }

    /// The values of each group's first row.
    fn gather_first(&self, column: &Column) -> Column {
        match self.order {
            None if self.all_single() => column.clone(),
            Some(order) if self.all_single() => column.gather(order),
            _ => column.gather(&self.starts.iter().map(|s| self.row(*s as usize) as u32).collect::<Vec<_>>()),
        }
    }

    /// Of each group the first row, replaced by every later one for which `takes(chosen, row)`.
    fn pick(&self, takes: impl Fn(usize, usize) -> bool) -> Vec<u32> {
        (0..self.len())
            .map(|g| {
                let start = self.starts[g] as usize;
                let mut chosen = self.row(start);
                for position in start + 1..self.end(g) {
                    let row = self.row(position);
                    if takes(chosen, row) {
                        chosen = row;
                    }
                }
                chosen as u32
            })
            .collect()
    }

    /// The group of every row, by row number.
    fn of_rows(&self) -> Vec<u32> {
        let mut out = vec![0u32; self.rows];
        for g in 0..self.len() {
            for position in self.starts[g] as usize..self.end(g) {
                out[self.row(position)] = g as u32;
            }
        }
        out
    }

    /// Folds the rows of each group that are not NULL; `None` where there is none.
    fn fold<T: Copy>(&self, valid: impl Fn(usize) -> bool, value: impl Fn(usize) -> T, add: impl Fn(T, T) -> T, mut out: impl FnMut(Option<T>)) {
        for g in 0..self.len() {
            let mut total: Option<T> = None;
            for position in self.starts[g] as usize..self.end(g) {
                let row = self.row(position);
                if valid(row) {
                    let v = value(row);
                    total = Some(total.map_or(v, |t| add(t, v)));
                }
            }
            out(total);
        }
    }
}

fn mark_changes(key: &Column, changed: &mut [bool], row: impl Fn(usize) -> usize) {
    fn mark(changed: &mut [bool], row: impl Fn(usize) -> usize, differ: impl Fn(usize, usize) -> bool) {
        let Some(mut before) = (!changed.is_empty()).then(|| row(0)) else { return };
        for (i, changed) in changed.iter_mut().enumerate().skip(1) {
            let now = row(i);
            *changed |= differ(before, now);
            before = now;
        }
    }
    if key.is_const() {
        return;
    }
    let nulls = key.nulls();
    let null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
    if let Some(view) = key.ints_i64() {
        for_ints!(view, s => match &nulls {
            None => mark(changed, row, |a, b| s[a] != s[b]),
            Some(_) => mark(changed, row, |a, b| null(a) != null(b) || (s[a] != s[b] && !null(a))),
        });
    } else if let Some(s) = key.ints_i128() {
        mark(changed, row, |a, b| null(a) != null(b) || (s[a] != s[b] && !null(a)));
    } else if let Some((codes, dict)) = key.dict_parts() {
        for_codes!(codes, s => mark(changed, row, |a, b| {
            null(a) != null(b) || (s[a] != s[b] && !null(a) && dict.value(s[a] as usize) != dict.value(s[b] as usize))
        }));
    } else if let Some(view) = key.str_view() {
        mark(changed, row, |a, b| null(a) != null(b) || (!null(a) && view.get(a) != view.get(b)));
    } else {
        mark(changed, row, |a, b| compare_rows(key, a, key, b, true, false).is_ne());
    }
}

/// The row of each group with its least or greatest value; NULLs only where a group has nothing else.
fn extreme(column: &Column, groups: &Groups<'_>, greatest: bool) -> Vec<u32> {
    let nulls = column.nulls();
    let null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
    let better = |less: bool, more: bool| if greatest { more } else { less };
    if let Some(view) = column.ints_i64() {
        return for_ints!(view, s => groups.pick(|best, row| !null(row) && (null(best) || better(s[row] < s[best], s[row] > s[best]))));
    }
    if let Some(s) = column.ints_i128() {
        return groups.pick(|best, row| !null(row) && (null(best) || better(s[row] < s[best], s[row] > s[best])));
    }
    if let Some(view) = column.str_view() {
        return groups.pick(|best, row| {
            !null(row) && (null(best) || { let o = view.get(row).cmp(view.get(best)); better(o.is_lt(), o.is_gt()) })
        });
    }
    groups.pick(|best, row| {
        !null(row) && (null(best) || { let o = compare_rows(column, row, column, best, true, false); better(o.is_lt(), o.is_gt()) })
    })
}

/// Sums wrap at the width of their column, as those of the operator `+` do.
fn sum(column: &Column, groups: &Groups<'_>) -> Result<Column> {
    if column.is_const() {
        return sum(&column.flatten(), groups);
    }
    let ty = column.ty();
    let nulls = column.nulls();
    let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
    let mut out = ColumnBuilder::new(ty, groups.len());
    let mut outcome = Ok(());
    if let Some(view) = column.ints_i64() {
        let wide = matches!(ty, LogicalType::LargeInt | LogicalType::Decimal { width: DecimalWidth::W128, .. });
        if wide {
            for_ints!(view, s => groups.fold(valid, |i| i128::from(s[i]), i128::wrapping_add, |v| push(&mut out, v, &mut outcome, ColumnBuilder::append_i128)));
        } else {
            let wrap: fn(i64) -> i64 = match ty {
                LogicalType::TinyInt => |v| i64::from(v as i8),
                LogicalType::SmallInt => |v| i64::from(v as i16),
                LogicalType::Int => |v| i64::from(v as i32),
                LogicalType::Decimal { width: DecimalWidth::W32, .. } => |v| i64::from(v as i32),
                _ => |v| v,
            };
            for_ints!(view, s => groups.fold(valid, |i| s[i] as i64, i64::wrapping_add, |v| push(&mut out, v.map(wrap), &mut outcome, ColumnBuilder::append_i64)));
        }
    } else if let Some(s) = column.ints_i128() {
        groups.fold(valid, |i| s[i], i128::wrapping_add, |v| push(&mut out, v, &mut outcome, ColumnBuilder::append_i128));
    } else if let Some(s) = column.ints_i256() {
        groups.fold(valid, |i| s[i], |a, b| a.wrapping_add(b), |v| push(&mut out, v, &mut outcome, ColumnBuilder::append_i256));
    } else if let Some(view) = column.floats() {
        let mut emit = |v| push(&mut out, v, &mut outcome, ColumnBuilder::append_f64);
        match view {
            FloatView::F32(s) => groups.fold(valid, |i| f64::from(s[i]), |a, b| a + b, &mut emit),
            FloatView::F64(s) => groups.fold(valid, |i| s[i], |a, b| a + b, &mut emit),
        }
    } else {
        return Err(err!(Internal, "SUM over a column of type {ty}"));
    }
    outcome?;
    Ok(out.finish())
}

fn push<T>(out: &mut ColumnBuilder, value: Option<T>, outcome: &mut Result<()>, append: fn(&mut ColumnBuilder, T) -> Result<()>) {
    match value {
        Some(v) => {
            if let Err(e) = append(out, v) {
                *outcome = Err(e);
            }
        }
        None => out.append_null(),
    }
}

#[cfg(test)]
mod tests {
    use common_types::Scalar;

    use super::*;

    fn column(ty: &LogicalType, values: &[Scalar]) -> Column {
        crate::testkit::column(ty, values.iter().cloned())
    }

    #[test]
    fn each_combination_of_three_groups() {
        let keys = column(&LogicalType::Int, &[Scalar::Null, Scalar::Null, Scalar::Int(1), Scalar::Int(2), Scalar::Int(2)]);
        let values = column(&LogicalType::TinyInt, &[Scalar::TinyInt(100), Scalar::TinyInt(50), Scalar::Null, Scalar::TinyInt(7), Scalar::Null]);
        // The rows of the last group arrive the other way round.
        let order = [0, 1, 2, 4, 3];
        let groups = Groups::find(std::slice::from_ref(&keys), Some(&order), 5);
        assert_eq!(groups.len(), 3);
        let check = |how: Combine, expected: [Option<i8>; 3]| {
            let got = how.apply(&values, &groups).unwrap();
            let expected: Vec<Scalar> = expected.into_iter().map(|v| v.map_or(Scalar::Null, Scalar::TinyInt)).collect();
            assert_eq!((0..3).map(|i| got.scalar(i)).collect::<Vec<_>>(), expected, "{how:?}");
        };
        check(Combine::Sum, [Some(-106), None, Some(7)]);
        check(Combine::Min, [Some(50), None, Some(7)]);
        check(Combine::Max, [Some(100), None, Some(7)]);
        check(Combine::First, [Some(100), None, None]);
        check(Combine::Last, [Some(50), None, Some(7)]);
        check(Combine::LastNotNull, [Some(50), None, Some(7)]);
    }
}
