//! `=`, `<>`, `<`, `<=`, `>`, `>=` over every comparable type.
//!
//! Against a constant the loop runs at the column's stored width: the constant is brought to the column's scale instead of the
//! other way round, and bounds decide whole columns without reading them. Dictionary columns compare entries, not rows.

use std::cmp::Ordering;

use arrow::{
    array::{BinaryViewArray, BooleanBufferBuilder},
    buffer::{BooleanBuffer, NullBuffer},
};
use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarOverload};
use common_types::{Column, Dict, LogicalType, Scalar, StrView, compare::compare_rows, for_codes};

use super::{
    arith::to_i256,
    bools::{test, test2},
    civil::DAY_US,
    ints::{IntArg, Ints, Native, pow10},
    num::{F64Arg, from_bools, null_shortcut, union_nulls},
    text::{test_codes, test_rows},
};
use crate::with_ints;

/// One comparison at every type.
pub trait CmpOp: Copy + Default {
    const KIND: Cmp;
    fn holds<T: PartialOrd>(a: T, b: T) -> bool;
}

/// The comparisons by value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Cmp {
    /// Whether an ordering satisfies the comparison.
    pub fn of(self, o: Ordering) -> bool {
        match self {
            Cmp::Eq => o.is_eq(),
            Cmp::Ne => o.is_ne(),
            Cmp::Lt => o.is_lt(),
            Cmp::Le => o.is_le(),
            Cmp::Gt => o.is_gt(),
            Cmp::Ge => o.is_ge(),
        }
    }

    /// The comparison with its operands exchanged.
    pub fn flipped(self) -> Self {
        match self {
            Cmp::Lt => Cmp::Gt,
            Cmp::Le => Cmp::Ge,
            Cmp::Gt => Cmp::Lt,
            Cmp::Ge => Cmp::Le,
            same => same,
        }
    }
}

macro_rules! cmp_ops {
    ($($name:ident $op:tt),+) => {$(
        #[derive(Clone, Copy, Default)]
        pub struct $name;
        impl CmpOp for $name {
            const KIND: Cmp = Cmp::$name;
            #[inline(always)]
            fn holds<T: PartialOrd>(a: T, b: T) -> bool { a $op b }
        }
    )+};
}
cmp_ops!(Eq ==, Ne !=, Lt <, Le <=, Gt >, Ge >=);

/// Runs `$body` with the type of the comparison bound to `$op`.
macro_rules! with_cmp {
    ($kind:expr, $op:ident => $body:expr) => {
        match $kind {
            Cmp::Eq => { type $op = Eq; $body }
            Cmp::Ne => { type $op = Ne; $body }
            Cmp::Lt => { type $op = Lt; $body }
            Cmp::Le => { type $op = Le; $body }
            Cmp::Gt => { type $op = Gt; $body }
            Cmp::Ge => { type $op = Ge; $body }
        }
    };
}

/// The kernel of a comparison operator.
pub fn compare<Op: CmpOp>(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (a, b) = (&args[0], &args[1]);
    if a.ty().is_nested() && b.ty().is_nested() && matches!(Op::KIND, Cmp::Eq | Cmp::Ne) {
        return Ok(nested_equality(a, b, rows, Op::KIND));
    }
    let answer = match verdict(Op::KIND, a, b, rows)? {
        Verdict::All(v) if union_nulls(args).is_none() => return Ok(Column::constant(Scalar::Boolean(v), call.result.clone(), rows)),
        other => other.into_buffer(rows),
    };
    Ok(from_bools(answer, union_nulls(args)))
}

/// The answer for every row; what it says of NULL rows is arbitrary.
pub enum Verdict {
    All(bool),
    Rows(BooleanBuffer),
}

impl Verdict {
    /// As a bitmap.
    pub fn into_buffer(self, rows: usize) -> BooleanBuffer {
        match self {
            Verdict::All(true) => BooleanBuffer::new_set(rows),
            Verdict::All(false) => BooleanBuffer::new_unset(rows),
            Verdict::Rows(b) => b,
        }
    }
}

/// Compares two columns ignoring NULLs; neither is a constant NULL.
pub fn verdict(kind: Cmp, a: &Column, b: &Column, rows: usize) -> Result<Verdict> {
    if let (Some(x), Some(y)) = (IntArg::new(a), IntArg::new(b)) {
        return Ok(compare_ints(kind, a.ty(), x, b.ty(), y, rows));
    }
    let bytes = |t: &LogicalType| t.is_string() || t.is_binary();
    if bytes(a.ty()) && bytes(b.ty()) {
        return compare_text(kind, a, b, rows);
    }
    if a.ty().is_float() || b.ty().is_float() || (*a.ty() == LogicalType::Time && *b.ty() == LogicalType::Time) {
        let (x, y) = (F64Arg::new(a, rows)?, F64Arg::new(b, rows)?);
        // A FLOAT beside an integer or another FLOAT compares at FLOAT precision.
        let single = |t: &LogicalType| *t == LogicalType::Float || t.is_integer() || *t == LogicalType::Boolean;
        let as_float = single(a.ty()) && single(b.ty());
        return Ok(Verdict::Rows(with_cmp!(kind, Op => match y.constant {
            Some(c) if as_float => test(&x.values, |v| Op::holds(v as f32, c as f32)),
            Some(c) => test(&x.values, |v| Op::holds(v, c)),
            None if as_float => test2(&x.values, &y.values, |v, w| Op::holds(v as f32, w as f32)),
            None => test2(&x.values, &y.values, Op::holds),
        })));
    }
    let exact = |t: &LogicalType| t.is_decimal() || t.is_integer() || *t == LogicalType::Boolean;
    if exact(a.ty()) && exact(b.ty()) {
        let scale = a.ty().scale().max(b.ty().scale());
        let up = |c: &Column| super::arith::pow10_256((scale - c.ty().scale()) as u32);
        let (fa, fb) = (up(a), up(b));
        let (x, y) = (to_i256(a, rows)?, to_i256(b, rows)?);
        return Ok(Verdict::Rows(BooleanBuffer::collect_bool(rows, |i| {
            kind.of(x[i].wrapping_mul(fa).cmp(&y[i].wrapping_mul(fb)))
        })));
    }
    if a.ty().same_kind(b.ty()) {
        return Ok(Verdict::Rows(BooleanBuffer::collect_bool(rows, |i| kind.of(compare_rows(a, i, b, i, true, false)))));
    }
    bail!(
        Analysis,
        "Column type {} does not support binary predicate operation with type {}",
        a.ty().sql_name(),
        b.ty().sql_name()
    )
}

/// Multiplier that brings a type's integers to the unit both sides share.
fn unit(ty: &LogicalType, other: &LogicalType) -> i128 {
    match (ty, other) {
        (LogicalType::Date, LogicalType::Datetime) => i128::from(DAY_US),
        _ => pow10((other.scale() - ty.scale()).max(0) as u32),
    }
}

fn compare_ints(kind: Cmp, ta: &LogicalType, a: IntArg<'_>, tb: &LogicalType, b: IntArg<'_>, rows: usize) -> Verdict {
    let (fa, fb) = (unit(ta, tb), unit(tb, ta));
    match (&a.values, &b.values) {
        (_, Ints::Const(k)) => against_constant(kind, &a, fa, k.saturating_mul(fb)),
        (Ints::Const(k), _) => against_constant(kind.flipped(), &b, fb, k.saturating_mul(fa)),
        _ => {
            if let Some(known) = known_by_bounds(kind, &a, fa, &b, fb) {
                return Verdict::All(known);
            }
            Verdict::Rows(with_cmp!(kind, Op => columns::<Op>(&a, fa, &b, fb, rows)))
        }
    }
}

fn known_by_bounds(kind: Cmp, a: &IntArg<'_>, fa: i128, b: &IntArg<'_>, fb: i128) -> Option<bool> {
    let (amin, amax) = (a.min.checked_mul(fa)?, a.max.checked_mul(fa)?);
    let (bmin, bmax) = (b.min.checked_mul(fb)?, b.max.checked_mul(fb)?);
    if amax < bmin {
        return Some(kind.of(Ordering::Less));
    }
    if amin > bmax {
        return Some(kind.of(Ordering::Greater));
    }
    None
}

fn columns<Op: CmpOp>(a: &IntArg<'_>, fa: i128, b: &IntArg<'_>, fb: i128, rows: usize) -> BooleanBuffer {
    if fa == 1 && fb == 1 {
        match (&a.values, &b.values) {
            (Ints::I8(x), Ints::I8(y)) => return test2(x, y, Op::holds),
            (Ints::I16(x), Ints::I16(y)) => return test2(x, y, Op::holds),
            (Ints::I32(x), Ints::I32(y)) => return test2(x, y, Op::holds),
            _ => {}
        }
        if a.fits_i64() && b.fits_i64() {
            return test2(&a.to_i64(rows), &b.to_i64(rows), Op::holds);
        }
        return test2(&a.to_i128(rows), &b.to_i128(rows), Op::holds);
    }
    let fits = |arg: &IntArg<'_>, f: i128| {
        [arg.min, arg.max].iter().all(|v| v.checked_mul(f).is_some_and(|v| i64::try_from(v).is_ok()))
    };
    if fits(a, fa) && fits(b, fb) {
        let (fa, fb) = (fa as i64, fb as i64);
        return test2(&a.to_i64(rows), &b.to_i64(rows), |x, y| Op::holds(x.wrapping_mul(fa), y.wrapping_mul(fb)));
    }
    test2(&a.to_i128(rows), &b.to_i128(rows), |x, y| Op::holds(x.saturating_mul(fa), y.saturating_mul(fb)))
}

/// `v * factor OP k` for every value, with the multiplication moved to the constant.
fn against_constant(kind: Cmp, a: &IntArg<'_>, factor: i128, k: i128) -> Verdict {
    let floor = k.div_euclid(factor);
    let inexact = k.rem_euclid(factor) != 0;
    let k = match kind {
        Cmp::Eq | Cmp::Ne if inexact => return Verdict::All(kind == Cmp::Ne),
        Cmp::Lt | Cmp::Ge if inexact => floor.saturating_add(1),
        _ => floor,
    };
    if let Ints::Const(v) = a.values {
        return Verdict::All(kind.of(v.cmp(&k)));
    }
    let known = if a.max < k {
        Some(Ordering::Less)
    } else if a.min > k {
        Some(Ordering::Greater)
    } else if a.min == k && a.max == k {
        Some(Ordering::Equal)
    } else {
        match kind {
            Cmp::Le | Cmp::Gt if a.max == k => return Verdict::All(kind == Cmp::Le),
            Cmp::Ge | Cmp::Lt if a.min == k => return Verdict::All(kind == Cmp::Ge),
            _ => None,
        }
    };
    if let Some(o) = known {
        return Verdict::All(kind.of(o));
    }
    Verdict::Rows(with_cmp!(kind, Op => with_ints!(&a.values, v => slice_against::<Op, _>(v, k), _c => unreachable!("constants were decided above"))))
}

fn slice_against<Op: CmpOp, T: Native>(values: &[T], k: i128) -> BooleanBuffer {
    // k lies within the column's bounds here, so it fits the stored width.
    let k = T::from_i128(k);
    test(values, |v| Op::holds(v, k))
}

fn compare_text(kind: Cmp, a: &Column, b: &Column, rows: usize) -> Result<Verdict> {
    let (Some(x), Some(y)) = (a.str_view(), b.str_view()) else {
        bail!(Internal, "text columns expected, not {} and {}", a.ty(), b.ty())
    };
    Ok(match (x, y) {
        (StrView::Const(l), StrView::Const(r)) => Verdict::All(kind.of(l.cmp(r))),
        (_, StrView::Const(k)) => text_against(kind, a, k, rows),
        (StrView::Const(k), _) => text_against(kind.flipped(), b, k, rows),
        (StrView::Dict { codes: c1, dict: d1 }, StrView::Dict { codes: c2, dict: d2 })
            if d1.id() == d2.id() && (d1.is_sorted() || matches!(kind, Cmp::Eq | Cmp::Ne)) =>
        {
            Verdict::Rows(with_cmp!(kind, Op => for_codes!(c1, p => for_codes!(c2, q => {
                test2(p, q, |i, j| Op::holds(u64::from(i), u64::from(j)))
            }))))
        }
        (StrView::Flat(p), StrView::Flat(q)) if matches!(kind, Cmp::Eq | Cmp::Ne) => {
            let (v, w) = (p.views(), q.views());
            // Views of long strings may be equal and point into different buffers, so only short ones are decided by the view.
            let equal = |i: usize| {
                if (v[i] as u32) <= 12 { v[i] == w[i] } else { v[i] as u64 == w[i] as u64 && p.value(i) == q.value(i) }
            };
            Verdict::Rows(BooleanBuffer::collect_bool(rows, |i| equal(i) == (kind == Cmp::Eq)))
        }
        (l, r) => Verdict::Rows(BooleanBuffer::collect_bool(rows, |i| kind.of(l.get(i).cmp(r.get(i))))),
    })
}

fn text_against(kind: Cmp, col: &Column, k: &[u8], rows: usize) -> Verdict {
    match col.str_view() {
        Some(StrView::Flat(a)) => Verdict::Rows(views_against(kind, a, k)),
        Some(StrView::Dict { codes, dict }) => {
            if dict.len() <= rows * 2 || dict.is_sorted() {
                let table = entries_against(kind, dict, k);
                let first = table.first().copied();
                if first.is_none_or(|f| table.iter().all(|t| *t == f)) {
                    return Verdict::All(first.unwrap_or(false));
                }
                Verdict::Rows(test_codes(codes, &table))
            } else {
                Verdict::Rows(BooleanBuffer::collect_bool(rows, |i| {
                    let code = codes.get(i);
                    code < dict.len() && kind.of(dict.value(code).cmp(k))
                }))
            }
        }
        _ => Verdict::Rows(test_rows(col, rows, |v| kind.of(v.cmp(k))).unwrap_or_else(|| BooleanBuffer::new_unset(rows))),
    }
}

fn entries_against(kind: Cmp, dict: &Dict, k: &[u8]) -> Vec<bool> {
    if !dict.is_sorted() {
        return (0..dict.len()).map(|i| kind.of(dict.value(i).cmp(k))).collect();
    }
    let at = dict.lower_bound(k);
    let hit = at < dict.len() && dict.value(at) == k;
    (0..dict.len())
        .map(|i| {
            kind.of(match i.cmp(&at) {
                Ordering::Equal if !hit => Ordering::Greater,
                o => o,
            })
        })
        .collect()
}

/// Views as two words each: comparisons of 128-bit integers do not vectorise.
pub fn halves(views: &[u128]) -> &[[u64; 2]] {
    // SAFETY: both types have 16 bytes without padding, and u128 is at least as aligned as u64. On little-endian machines (the
    // only ones Arrow views are read on here) the first word is the low one.
    unsafe { std::slice::from_raw_parts(views.as_ptr().cast(), views.len()) }
}

/// Flat strings against a constant: length and first bytes decide almost every row.
fn views_against(kind: Cmp, a: &BinaryViewArray, k: &[u8]) -> BooleanBuffer {
    let views: &[u128] = a.views();
    let mut head = [0u8; 16];
    head[..4].copy_from_slice(&(k.len() as u32).to_le_bytes());
    match kind {
        Cmp::Eq | Cmp::Ne => {
            let wanted = kind == Cmp::Eq;
            if k.len() <= 12 {
                head[4..4 + k.len()].copy_from_slice(k);
                let key = u128::from_le_bytes(head);
                let (low, high) = (key as u64, (key >> 64) as u64);
                let differs = move |v: [u64; 2]| (v[0] ^ low) | (v[1] ^ high);
                let halves = halves(views);
                return if wanted { test(halves, |v| differs(v) == 0) } else { test(halves, |v| differs(v) != 0) };
            }
            head[4..8].copy_from_slice(&k[..4]);
            let key = u128::from_le_bytes(head) as u64;
            BooleanBuffer::collect_bool(views.len(), |i| (views[i] as u64 == key && a.value(i) == k) == wanted)
        }
        _ => {
            let n = k.len().min(4);
            let mut first = [0u8; 4];
            first[..n].copy_from_slice(&k[..n]);
            let key = u32::from_be_bytes(first);
            let prefix = |v: [u64; 2]| ((v[0] >> 32) as u32).swap_bytes();
            let halves = halves(views);
            let decided = if kind.of(Ordering::Less) {
                test(halves, |v| prefix(v) < key)
            } else {
                test(halves, |v| prefix(v) > key)
            };
            let open = test(halves, |v| prefix(v) == key);
            if open.count_set_bits() == 0 {
                return decided;
            }
            let mut bits = BooleanBufferBuilder::new(views.len());
            bits.append_buffer(&decided);
            open.set_indices().filter(|i| kind.of(a.value(*i).cmp(k))).for_each(|i| bits.set_bit(i, true));
            bits.finish()
        }
    }
}

/// `=` and `<>` of arrays, maps and structs: FALSE as soon as a pair differs, else NULL when a pair holds a NULL.
fn nested_equality(a: &Column, b: &Column, rows: usize, kind: Cmp) -> Column {
    let answers: Vec<Option<bool>> =
        (0..rows).map(|i| scalar_equal(&a.scalar(i), &b.scalar(i)).map(|eq| eq == (kind == Cmp::Eq))).collect();
    let nulls = NullBuffer::from_iter(answers.iter().map(Option::is_some));
    let values = BooleanBuffer::from_iter(answers.iter().map(|v| v.unwrap_or(false)));
    from_bools(values, (nulls.null_count() > 0).then_some(nulls))
}

/// Three-valued equality of two values.
pub fn scalar_equal(a: &Scalar, b: &Scalar) -> Option<bool> {
    match (a, b) {
        (Scalar::Null, _) | (_, Scalar::Null) => None,
        (Scalar::Array(x), Scalar::Array(y)) => {
            if x.len() != y.len() {
                return Some(false);
            }
            all_equal(x.iter().zip(y))
        }
        (Scalar::Struct(x), Scalar::Struct(y)) => all_equal(x.iter().map(|f| &f.1).zip(y.iter().map(|f| &f.1))),
        (Scalar::Map(x), Scalar::Map(y)) => {
            if x.len() != y.len() {
                return Some(false);
            }
            let mut unknown = false;
            for (k, v) in x {
                match y.iter().find(|(other, _)| other == k) {
                    None => return Some(false),
                    Some((_, w)) => match scalar_equal(v, w) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => unknown = true,
                    },
                }
            }
            if unknown { None } else { Some(true) }
        }
        _ => Some(a == b),
    }
}

fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Scalar, &'a Scalar)>) -> Option<bool> {
    let mut unknown = false;
    for (x, y) in pairs {
        match scalar_equal(x, y) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(true) }
}
