//! Calling a function by name in tests: typed, cast and run as the evaluator does, over constants and over flat columns.

use common_expr::{
    cast::cast_scalar,
    eval::run_kernel,
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, ColumnBuilder, LogicalType, Scalar, display};

/// A value written as text, of any type.
pub fn value(ty: LogicalType, text: &str) -> (LogicalType, Scalar) {
    let scalar =
        cast_scalar(&EvalContext::default(), &Scalar::from(text), &LogicalType::varchar(), &ty).expect("castable");
    (ty, scalar)
}

/// An array written as text.
pub fn array(element: LogicalType, text: &str) -> (LogicalType, Scalar) {
    value(LogicalType::array(element), text)
}

/// A value of its own type.
pub fn own(value: impl Into<Scalar>) -> (LogicalType, Scalar) {
    let value = value.into();
    (value.ty(), value)
}

/// A typed NULL.
pub fn null(ty: LogicalType) -> (LogicalType, Scalar) {
    (ty, Scalar::Null)
}

fn text_of(column: &Column, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    let mut out = Vec::new();
    display::append_text(column, row, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The answer over constants as text, or the error's text.
pub fn call_constant(register: fn(&mut FunctionRegistry), name: &str, args: &[(LogicalType, Scalar)]) -> String {
    answer(register, name, args, false)
}

/// The answer as text, or the error's text.
pub fn call(register: fn(&mut FunctionRegistry), name: &str, args: &[(LogicalType, Scalar)]) -> String {
    answer(register, name, args, true)
}

fn answer(register: fn(&mut FunctionRegistry), name: &str, args: &[(LogicalType, Scalar)], over_rows: bool) -> String {
    let mut registry = FunctionRegistry::default();
    register(&mut registry);
    let ctx = EvalContext::default();
    let types: Vec<LogicalType> = args.iter().map(|(ty, _)| ty.clone()).collect();
    let overload: std::sync::Arc<ScalarOverload> = match registry.scalar(name, &types) {
        Ok(overload) => overload,
        Err(e) => return e.message().to_owned(),
    };
    let cast: Vec<Scalar> = args
        .iter()
        .zip(&overload.args)
        .map(|((from, v), to)| cast_scalar(&ctx, v, from, to).expect("castable"))
        .collect();
    let constants: Vec<Column> = cast.iter().zip(&overload.args).map(|(v, ty)| v.to_column(ty, 3)).collect();
    let folded = match run_kernel(&ctx, &overload, &constants, 3) {
        Ok(column) => text_of(&column, 2),
        Err(e) => return e.message().to_owned(),
    };
    if !over_rows {
        return folded;
    }
    // The same between two rows of NULL.
    let flats: Vec<Column> = cast
        .iter()
        .zip(&overload.args)
        .map(|(v, ty)| {
            let mut builder = ColumnBuilder::new(ty, 3);
            builder.append_null();
            builder.append(v).expect("a value of the type");
            builder.append_null();
            builder.finish()
        })
        .collect();
    let column = run_kernel(&ctx, &overload, &flats, 3).expect("rows give no other error than constants");
    assert_eq!(column.ty(), &overload.result, "{name}");
    assert_eq!(text_of(&column, 1), folded, "{name} over constants and rows");
    folded
}
