//! A few functions and builders for this crate's tests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arrow::array::{BooleanArray, Int64Array};
use common_base::{Result, bail};
use common_types::{Chunk, Column, ColumnBuilder, LogicalType, Scalar, compare::compare_rows};

use crate::{
    expr::Expr,
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaKernel, NullRule, ScalarFunction, ScalarOverload, Volatility},
    signature::{ResultRule, Signature, TypePattern},
};

use LogicalType as T;

/// How many rows `count_rows` has computed.
pub(crate) static ROWS_COMPUTED: AtomicUsize = AtomicUsize::new(0);

fn comparison(call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let test = crate::predicate::CompareOp::from_function(call.name());
    let bits: Vec<bool> = (0..rows)
        .map(|i| test.is_some_and(|op| op.holds(compare_rows(&args[0], i, &args[1], i, true, false))))
        .collect();
    Ok(Column::flat(Arc::new(BooleanArray::from(bits)), T::Boolean))
}

fn ints(column: &Column) -> Vec<i64> {
    let flat = column.flatten();
    flat.ints_i64().expect("integers").to_vec()
}

fn bigint(values: Vec<i64>) -> Column {
    Column::flat(Arc::new(Int64Array::from(values)), T::BigInt)
}

fn add(_: &EvalContext, _: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    Ok(bigint(ints(&args[0]).iter().zip(ints(&args[1])).map(|(a, b)| a.wrapping_add(b)).collect()))
}

/// Fails on any zero, whatever the NULLs say.
fn no_zero(_: &EvalContext, _: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let values = ints(&args[0]);
    if values.contains(&0) {
        bail!(InvalidArgument, "zero");
    }
    Ok(bigint(values))
}

fn count_rows(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    ROWS_COMPUTED.fetch_add(rows, Ordering::SeqCst);
    let mut b = ColumnBuilder::new(&T::varchar(), rows);
    for i in 0..rows {
        match args[0].scalar(i).as_bytes() {
            Some(text) => b.append_bytes(&text.to_ascii_uppercase())?,
            None => b.append_null(),
        }
    }
    Ok(b.finish())
}

fn array_map() -> LambdaKernel {
    LambdaKernel {
        result: |_, body| Ok(T::array(body.clone())),
        eval: |_, _, lambda, args, rows| {
            let parts = args[0].array_parts().expect("an array");
            let mut source = Vec::new();
            for row in 0..rows {
                source.extend(std::iter::repeat_n(row as u32, (parts.offsets[row + 1] - parts.offsets[row]) as usize));
            }
            let values = lambda.eval(&[parts.values.clone()], &source)?;
            Column::from_array_parts(parts.offsets, values, parts.nulls)
        },
    }
}

/// The test functions.
pub(crate) fn registry() -> FunctionRegistry {
    let mut r = FunctionRegistry::default();
    let f = |names: &'static [&'static str], signature: Signature, nulls, kernel| ScalarFunction {
        names,
        signatures: vec![signature],
        nulls,
        volatility: Volatility::Immutable,
        kernel,
        lambda_kernel: None,
    };
    let same = || Signature::new(vec![TypePattern::Same(0), TypePattern::Same(0)], ResultRule::Exact(T::Boolean));
    for names in [&["eq"][..], &["ne"], &["lt"], &["le"], &["gt"], &["ge"]] {
        r.add_scalar(f(names, same(), NullRule::PropagateStrict, |_, call, args, rows| comparison(call, args, rows)));
    }
    let bigs = || Signature::exact([T::BigInt, T::BigInt], T::BigInt);
    r.add_scalar(f(&["add"], bigs(), NullRule::PropagateStrict, add));
    r.add_scalar(f(&["no_zero"], Signature::exact([T::BigInt], T::BigInt), NullRule::Propagate, no_zero));
    r.add_scalar(f(&["count_rows"], Signature::exact([T::varchar()], T::varchar()), NullRule::Propagate, count_rows));
    let like = |_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize| {
        let bits: Vec<bool> = (0..rows)
            .map(|i| {
                let (text, pattern) = (args[0].scalar(i), args[1].scalar(i));
                let pattern = crate::predicate::like::LikePattern::new(pattern.as_bytes().unwrap_or_default());
                pattern.matches(text.as_bytes().unwrap_or_default())
            })
            .collect();
        Ok(Column::flat(Arc::new(BooleanArray::from(bits)), T::Boolean))
    };
    r.add_scalar(f(&["like"], Signature::exact([T::varchar(), T::varchar()], T::Boolean), NullRule::PropagateStrict, like));
    let mut now = f(&["now_us"], Signature::exact([], T::BigInt), NullRule::Never, |ctx, _, _, rows| Ok(bigint(vec![ctx.now_us; rows])));
    now.volatility = Volatility::Stable;
    r.add_scalar(now);
    let mut random = f(&["random"], Signature::exact([], T::BigInt), NullRule::Never, |_, _, _, rows| {
        Ok(bigint((0..rows as i64).collect()))
    });
    random.volatility = Volatility::Volatile;
    r.add_scalar(random);
    let mut map = f(
        &["array_map"],
        Signature::new(vec![TypePattern::Function, TypePattern::AnyArray], ResultRule::Arg(1)),
        NullRule::Propagate,
        |_, _, _, _| bail!(Internal, "needs a lambda"),
    );
    map.lambda_kernel = Some(array_map());
    r.add_scalar(map);
    r
}

/// A call resolved by the types of its arguments, which are cast as needed.
pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let types: Vec<T> = args.iter().map(|a| a.ty.clone()).collect();
    let overload = registry().scalar(name, &types).expect("resolves");
    let args = args.into_iter().zip(&overload.args).map(|(a, ty)| a.cast_to(ty)).collect();
    Expr::call(overload, args)
}

/// A nullable column.
pub(crate) fn col(id: u32, ty: T) -> Expr {
    Expr::column(id, ty, true)
}

/// A BIGINT literal.
pub(crate) fn big(v: i64) -> Expr {
    Expr::literal(Scalar::BigInt(v))
}

/// A string literal.
pub(crate) fn text(v: &str) -> Expr {
    Expr::literal(Scalar::string(v))
}

/// A BIGINT column.
pub(crate) fn bigs(values: &[Option<i64>]) -> Column {
    Column::flat(Arc::new(Int64Array::from(values.to_vec())), T::BigInt)
}

/// A VARCHAR column.
pub(crate) fn texts(values: &[Option<&str>]) -> Column {
    let mut b = ColumnBuilder::new(&T::varchar(), values.len());
    for v in values {
        b.append(&v.map_or(Scalar::Null, Scalar::string)).expect("a string");
    }
    b.finish()
}

/// A chunk of columns.
pub(crate) fn chunk(columns: Vec<Column>) -> Chunk {
    Chunk::from(columns)
}

/// The values of a column as text.
pub(crate) fn shown(column: &Column) -> Vec<String> {
    (0..column.len()).map(|i| column.scalar(i).to_string()).collect()
}
