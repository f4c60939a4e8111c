//! `+`, `-` and `*` over integers, decimals and doubles.
//!
//! When the bounds of the inputs prove that nothing can overflow, the loop runs in the narrowest of i16, i32 and i64 that holds
//! the result, without checks, and the result stays narrow. Otherwise integers wrap at the width of their type, and decimals are
//! checked at the width of theirs.

use arrow::{
    buffer::NullBuffer,
    datatypes::{DataType, Decimal256Type, i256},
};
use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarOverload};
use common_types::{Column, DecimalWidth, LogicalType, Scalar};

use super::{
    ints::{As, IntArg, Ints, Native, Storable, from_i64, from_i128, natural_range, narrow, pow10, primitive},
    num::{F64Arg, binary_f64, null_shortcut, union_nulls},
};

/// One of the three operations, at every width.
pub trait ArithOp {
    const NAME: &'static str;
    /// Whether operands of different scale must be brought to one first.
    const ALIGNED: bool;
    fn wrapping<T: Native>(a: T, b: T) -> T;
    fn checked_i128(a: i128, b: i128) -> Option<i128>;
    fn checked_i256(a: i256, b: i256) -> Option<i256>;
    fn double(a: f64, b: f64) -> f64;
    /// The range of the result, if it fits an i128.
    fn range(a: (i128, i128), b: (i128, i128)) -> Option<(i128, i128)>;
}

pub struct Add;
pub struct Subtract;
pub struct Multiply;

impl ArithOp for Add {
    const NAME: &'static str = "add";
    const ALIGNED: bool = true;
    #[inline(always)]
    fn wrapping<T: Native>(a: T, b: T) -> T {
        a.wadd(b)
    }
    #[inline(always)]
    fn checked_i128(a: i128, b: i128) -> Option<i128> {
        a.checked_add(b)
    }
    fn checked_i256(a: i256, b: i256) -> Option<i256> {
        a.checked_add(b)
    }
    #[inline(always)]
    fn double(a: f64, b: f64) -> f64 {
        a + b
    }
    fn range(a: (i128, i128), b: (i128, i128)) -> Option<(i128, i128)> {
        Some((a.0.checked_add(b.0)?, a.1.checked_add(b.1)?))
    }
}

impl ArithOp for Subtract {
    const NAME: &'static str = "sub";
    const ALIGNED: bool = true;
    #[inline(always)]
    fn wrapping<T: Native>(a: T, b: T) -> T {
        a.wsub(b)
    }
    #[inline(always)]
    fn checked_i128(a: i128, b: i128) -> Option<i128> {
        a.checked_sub(b)
    }
    fn checked_i256(a: i256, b: i256) -> Option<i256> {
        a.checked_sub(b)
    }
    #[inline(always)]
    fn double(a: f64, b: f64) -> f64 {
        a - b
    }
    fn range(a: (i128, i128), b: (i128, i128)) -> Option<(i128, i128)> {
        Some((a.0.checked_sub(b.1)?, a.1.checked_sub(b.0)?))
    }
}

impl ArithOp for Multiply {
    const NAME: &'static str = "mul";
    const ALIGNED: bool = false;
    #[inline(always)]
    fn wrapping<T: Native>(a: T, b: T) -> T {
        a.wmul(b)
    }
    #[inline(always)]
    fn checked_i128(a: i128, b: i128) -> Option<i128> {
        a.checked_mul(b)
    }
    fn checked_i256(a: i256, b: i256) -> Option<i256> {
        a.checked_mul(b)
    }
    #[inline(always)]
    fn double(a: f64, b: f64) -> f64 {
        // Adding zero turns -0.0 into 0.0.
        a * b + 0.0
    }
    fn range(a: (i128, i128), b: (i128, i128)) -> Option<(i128, i128)> {
        let corners = [a.0.checked_mul(b.0)?, a.0.checked_mul(b.1)?, a.1.checked_mul(b.0)?, a.1.checked_mul(b.1)?];
        Some((corners.into_iter().min()?, corners.into_iter().max()?))
    }
}

/// The kernel of an arithmetic operator.
pub fn arith<Op: ArithOp>(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    if args.iter().all(Column::is_const) && rows != 1 {
        let one: Vec<Column> = args.iter().map(|c| c.slice(0, 1)).collect();
        let value = if rows == 0 { Scalar::Null } else { arith::<Op>(ctx, call, &one, 1)?.scalar(0) };
        return Ok(Column::constant(value, call.result.clone(), rows));
    }
    match &call.result {
        LogicalType::Double | LogicalType::Float | LogicalType::Time => binary_f64(call, args, rows, Op::double),
        LogicalType::Decimal { width: DecimalWidth::W256, .. } => wide::<Op>(ctx, call, args, rows),
        _ => {
            let (Some(l), Some(r)) = (IntArg::new(&args[0]), IntArg::new(&args[1])) else {
                return through_double::<Op>(call, args, rows);
            };
            exact::<Op>(ctx, call, args, l, r, rows)
        }
    }
}

/// An exact result from operands that are not exact (text stored beside an integer type): computed in doubles, truncated.
fn through_double<Op: ArithOp>(call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (x, y) = (F64Arg::new(&args[0], rows)?, F64Arg::new(&args[1], rows)?);
    let unit = pow10(call.result.scale() as u32) as f64;
    let values = x.values.iter().zip(y.values.iter()).map(|(&a, &b)| (Op::double(a, b) * unit) as i128).collect();
    let nulls = NullBuffer::union(x.nulls.as_ref(), y.nulls.as_ref());
    Ok(from_i128(&call.result, values, NullBuffer::union(nulls.as_ref(), union_nulls(args).as_ref())))
}

fn exact<Op: ArithOp>(
    ctx: &EvalContext,
    call: &ScalarOverload,
    args: &[Column],
    l: IntArg<'_>,
    r: IntArg<'_>,
    rows: usize,
) -> Result<Column> {
    let result = &call.result;
    let Some(limits) = natural_range(result) else { bail!(Internal, "{} cannot give {result}", Op::NAME) };
    let (l, r) = if Op::ALIGNED {
        let scale = result.scale();
        let (fl, fr) = (factor(scale, args[0].ty())?, factor(scale, args[1].ty())?);
        (scaled(l, fl, rows), scaled(r, fr, rows))
    } else {
        (Some(Operand::AsIs(l)), Some(Operand::AsIs(r)))
    };
    let nulls = union_nulls(args);
    if let (Some(l), Some(r)) = (&l, &r)
        && let Some((min, max)) = Op::range((l.arg().min, l.arg().max), (r.arg().min, r.arg().max))
        && min >= limits.0.max(i128::from(i64::MIN))
        && max <= limits.1.min(i128::from(i64::MAX))
        && l.arg().fits_i64()
        && r.arg().fits_i64()
    {
        let (l, r) = (l.arg(), r.arg());
        let fits = |lo: i128, hi: i128| {
            [&l, &r].iter().all(|a| a.min >= lo && a.max <= hi) && min >= lo && max <= hi
        };
        let (bmin, bmax) = (min as i64, max as i64);
        return Ok(if fits(i16::MIN.into(), i16::MAX.into()) {
            narrow(result, run::<Op, i16>(&l.values, &r.values, rows), nulls, bmin, bmax)
        } else if fits(i32::MIN.into(), i32::MAX.into()) {
            narrow(result, run::<Op, i32>(&l.values, &r.values, rows), nulls, bmin, bmax)
        } else {
            narrow(result, run::<Op, i64>(&l.values, &r.values, rows), nulls, bmin, bmax)
        });
    }
    if !result.is_decimal() {
        // Wrapping is the same at any width at least that of the result.
        return Ok(match result {
            LogicalType::LargeInt => {
                let (l, r) = (l.as_ref().expect("integers need no scaling").arg(), r.as_ref().expect("as above").arg());
                let (a, b) = (l.to_i128(rows), r.to_i128(rows));
                from_i128(result, a.iter().zip(b.iter()).map(|(&x, &y)| Op::wrapping(x, y)).collect(), nulls)
            }
            _ => {
                let (l, r) = (l.as_ref().expect("integers need no scaling").arg(), r.as_ref().expect("as above").arg());
                from_i64(result, run::<Op, i64>(&l.values, &r.values, rows), nulls)
            }
        });
    }
    checked::<Op>(ctx, call, args, limits, nulls, rows)
}

/// A borrowed or rescaled operand.
enum Operand<'a> {
    AsIs(IntArg<'a>),
    Narrow { values: Vec<i64>, min: i128, max: i128 },
}

impl Operand<'_> {
    fn arg(&self) -> IntArg<'_> {
        match self {
            Operand::AsIs(a) => a.clone(),
            Operand::Narrow { values, min, max } => IntArg { values: Ints::I64(values), min: *min, max: *max },
        }
    }
}

fn factor(scale: i8, ty: &LogicalType) -> Result<i128> {
    match u32::try_from(i16::from(scale) - i16::from(ty.scale())) {
        Ok(n @ 0..=38) => Ok(pow10(n)),
        _ => bail!(Internal, "cannot bring {ty} to scale {scale}"),
    }
}

/// The operand at a larger scale, when that provably fits an i64; `None` sends the caller to the checked path.
fn scaled(arg: IntArg<'_>, factor: i128, rows: usize) -> Option<Operand<'_>> {
    if factor == 1 {
        return Some(Operand::AsIs(arg));
    }
    let (min, max) = (arg.min.checked_mul(factor)?, arg.max.checked_mul(factor)?);
    if let Ints::Const(c) = arg.values {
        let c = c.checked_mul(factor)?;
        return Some(Operand::AsIs(IntArg { values: Ints::Const(c), min: c, max: c }));
    }
    let small = |v: i128| i64::try_from(v).is_ok();
    if !small(min) || !small(max) || !small(factor) {
        return None;
    }
    let f = factor as i64;
    let values = arg.to_i64(rows).iter().map(|v| v.wrapping_mul(f)).collect();
    Some(Operand::Narrow { values, min, max })
}

/// The unchecked loop at width `O`.
fn run<Op: ArithOp, O: Storable>(l: &Ints<'_>, r: &Ints<'_>, rows: usize) -> Vec<O>
where
    i8: As<O>,
    i16: As<O>,
    i32: As<O>,
    i64: As<O>,
    i128: As<O>,
{
    #[inline]
    fn pairs<Op: ArithOp, A: Copy + As<O>, B: Copy + As<O>, O: Native>(a: &[A], b: &[B]) -> Vec<O> {
        a.iter().zip(b).map(|(&x, &y)| Op::wrapping(x.cast(), y.cast())).collect()
    }
    macro_rules! right {
        ($a:expr) => {
            match r {
                Ints::Const(c) => {
                    let c = O::from_i128(*c);
                    $a.iter().map(|&x| Op::wrapping(As::<O>::cast(x), c)).collect()
                }
                Ints::I8(b) => pairs::<Op, _, _, O>($a, b),
                Ints::I16(b) => pairs::<Op, _, _, O>($a, b),
                Ints::I32(b) => pairs::<Op, _, _, O>($a, b),
                Ints::I64(b) => pairs::<Op, _, _, O>($a, b),
                Ints::I128(b) => pairs::<Op, _, _, O>($a, b),
            }
        };
    }
    match l {
        Ints::Const(c) => {
            let c = O::from_i128(*c);
            crate::with_ints!(r, b => b.iter().map(|&y| Op::wrapping(c, As::<O>::cast(y))).collect(),
                d => vec![Op::wrapping(c, O::from_i128(*d)); rows])
        }
        Ints::I8(a) => right!(&a[..]),
        Ints::I16(a) => right!(a),
        Ints::I32(a) => right!(a),
        Ints::I64(a) => right!(a),
        Ints::I128(a) => {
            let b = IntArg { values: r.clone(), min: 0, max: 0 };
            pairs::<Op, _, _, O>(a, &b.to_i128(rows))
        }
    }
}

/// Decimals of up to 128 bits with every step checked; overflow of the type's width is NULL (or an error, by sql_mode).
fn checked<Op: ArithOp>(
    ctx: &EvalContext,
    call: &ScalarOverload,
    args: &[Column],
    limits: (i128, i128),
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<Column> {
    let (Some(l), Some(r)) = (IntArg::new(&args[0]), IntArg::new(&args[1])) else {
        bail!(Internal, "{} needs integers or decimals", Op::NAME)
    };
    let scale = call.result.scale();
    let (fl, fr) =
        if Op::ALIGNED { (factor(scale, args[0].ty())?, factor(scale, args[1].ty())?) } else { (1, 1) };
    let (a, b) = (l.to_i128(rows), r.to_i128(rows));
    let mut values = vec![0i128; rows];
    let mut overflowed = vec![false; rows];
    let mut any = false;
    for (((&x, &y), out), over) in a.iter().zip(b.iter()).zip(&mut values).zip(&mut overflowed) {
        let v = x
            .checked_mul(fl)
            .and_then(|x| y.checked_mul(fr).and_then(|y| Op::checked_i128(x, y)))
            .filter(|v| *v >= limits.0 && *v <= limits.1);
        match v {
            Some(v) => *out = v,
            None => {
                *over = true;
                any = true;
            }
        }
    }
    let nulls = if any { overflow_nulls::<Op>(ctx, &overflowed, nulls)? } else { nulls };
    Ok(from_i128(&call.result, values, nulls))
}

fn overflow_nulls<Op: ArithOp>(ctx: &EvalContext, overflowed: &[bool], nulls: Option<NullBuffer>) -> Result<Option<NullBuffer>> {
    if ctx.overflow_is_error() {
        let real = |i: usize| overflowed[i] && nulls.as_ref().is_none_or(|n| n.is_valid(i));
        if (0..overflowed.len()).any(real) {
            bail!(InvalidArgument, "The '{}' operation involving decimal values overflows", Op::NAME);
        }
    }
    let mask = NullBuffer::from_iter(overflowed.iter().map(|o| !o));
    Ok(NullBuffer::union(nulls.as_ref(), Some(&mask)))
}

/// Any exact column as 256-bit values.
pub fn to_i256(col: &Column, rows: usize) -> Result<Vec<i256>> {
    if let Some(v) = col.ints_i256() {
        return Ok(v.to_vec());
    }
    if let Some(Scalar::Decimal256(v, ..)) = col.as_const() {
        return Ok(vec![*v; rows]);
    }
    match IntArg::new(col) {
        Some(a) => Ok(a.to_i128(rows).iter().map(|v| i256::from_i128(*v)).collect()),
        None => bail!(Internal, "an exact number is expected, not {}", col.ty()),
    }
}

/// A DECIMAL256 column.
pub fn from_i256(ty: &LogicalType, values: Vec<i256>, nulls: Option<NullBuffer>) -> Column {
    let (_, p, s) = ty.decimal_parts().expect("a decimal type");
    let array = primitive::<Decimal256Type>(values, nulls).with_data_type(DataType::Decimal256(p, s));
    Column::flat(std::sync::Arc::new(array), ty.clone())
}

/// 10^n as 256 bits.
pub fn pow10_256(n: u32) -> i256 {
    (0..n).fold(i256::ONE, |v, _| v.wrapping_mul(i256::from_i128(10)))
}

fn wide<Op: ArithOp>(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let scale = call.result.scale();
    let (fl, fr) = if Op::ALIGNED {
        let up = |ty: &LogicalType| pow10_256((scale - ty.scale()).max(0) as u32);
        (up(args[0].ty()), up(args[1].ty()))
    } else {
        (i256::ONE, i256::ONE)
    };
    let (a, b) = (to_i256(&args[0], rows)?, to_i256(&args[1], rows)?);
    let mut overflowed = vec![false; rows];
    let values = a
        .iter()
        .zip(&b)
        .zip(&mut overflowed)
        .map(|((x, y), over)| {
            let v = x.checked_mul(fl).and_then(|x| y.checked_mul(fr).and_then(|y| Op::checked_i256(x, y)));
            *over = v.is_none();
            v.unwrap_or_default()
        })
        .collect();
    let nulls = union_nulls(args);
    let nulls = if overflowed.contains(&true) { overflow_nulls::<Op>(ctx, &overflowed, nulls)? } else { nulls };
    Ok(from_i256(&call.result, values, nulls))
}

