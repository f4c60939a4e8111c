//! Conformance laws of scalar kernels: whatever a function computes, it must not depend on how its input travels.
//!
//! Laws: the result has the call's type and row count; NULL arguments give NULL where the rule says so; a slice of the input gives
//! the slice of the result; one row at a time gives the same rows; constants, narrow integers and dictionaries give what their
//! flat forms give. Tests run [`check_function`] over every registered function.

use std::{collections::HashMap, sync::Arc};

use arrow::array::{Array, UInt32Array, cast::AsArray};
use common_types::{Column, ColumnBuilder, DecimalWidth, Dict, LogicalType, Repr, Scalar};

use crate::{
    eval::run_kernel,
    resolve::resolve_signatures,
    scalar_fn::{EvalContext, NullRule, ScalarFunction, ScalarOverload, Volatility},
    signature::{Signature, TypePattern},
};

/// Rows of a sample.
const ROWS: usize = 37;

/// Every violation found over all overloads of a function; empty = conforming. Volatile and lambda functions are not judged.
pub fn check_function(function: &Arc<ScalarFunction>) -> Vec<String> {
    let mut faults = Vec::new();
    if function.volatility == Volatility::Volatile || function.lambda_kernel.is_some() {
        return faults;
    }
    for signature in &function.signatures {
        for types in sample_types(signature) {
            let Ok(Some((args, result))) = resolve_signatures(std::slice::from_ref(signature), &types) else { continue };
            let call = ScalarOverload { function: function.clone(), args, result };
            faults.extend(check_call(&call));
        }
    }
    faults
}

/// Checks one overload over sample columns of its argument types.
pub fn check_call(call: &ScalarOverload) -> Vec<String> {
    let args: Vec<Column> = call.args.iter().enumerate().map(|(i, ty)| sample_column(ty, ROWS, i as u64 + 1)).collect();
    check_columns(call, &args, ROWS)
}

/// Checks one overload over given flat columns.
pub fn check_columns(call: &ScalarOverload, args: &[Column], rows: usize) -> Vec<String> {
    let ctx = EvalContext::default();
    let mut faults = Vec::new();
    let name = format!("{}({})", call.name(), call.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let mut fault = |what: String| faults.push(format!("{name}: {what}"));
    // Functions may insist on constant arguments: then there is no flat form to compare with.
    let Ok(base) = run_kernel(&ctx, call, args, rows) else { return faults };
    if base.len() != rows {
        fault(format!("{} rows for {rows}", base.len()));
        return faults;
    }
    if !base.ty().same_kind(&call.result) {
        fault(format!("result of type {} instead of {}", base.ty(), call.result));
        return faults;
    }
    let propagates = matches!(call.function.nulls, NullRule::Propagate | NullRule::PropagateStrict);
    for row in 0..rows {
        let null_arg = args.iter().any(|a| a.is_null(row));
        if propagates && null_arg && !base.is_null(row) {
            fault(format!("row {row} has a NULL argument and the result {}", base.scalar(row)));
        }
        if call.function.nulls == NullRule::PropagateStrict && !null_arg && base.is_null(row) {
            fault(format!("row {row} is NULL without a NULL argument: {}", show(args, row)));
        }
        if call.function.nulls == NullRule::Never && base.is_null(row) {
            fault(format!("row {row} is NULL: {}", show(args, row)));
        }
    }
    let mut compare = |what: &str, result: common_base::Result<Column>, offset: usize| match result {
        Err(e) => faults.push(format!("{name}: {what} fails: {e}")),
        Ok(column) => {
            for row in 0..column.len() {
                let (got, want) = (column.scalar(row), base.scalar(row + offset));
                if got != want {
                    faults.push(format!("{name}: {what} gives {got} instead of {want} for {}", show(args, row + offset)));
                    return;
                }
            }
        }
    };
    let slice = |offset: usize, len: usize| args.iter().map(|a| a.slice(offset, len)).collect::<Vec<_>>();
    if rows > 8 {
        compare("a slice", run_kernel(&ctx, call, &slice(3, rows - 5), rows - 5), 3);
    }
    for row in 0..rows {
        compare("a single row", run_kernel(&ctx, call, &slice(row, 1), 1), row);
    }
    let forms: Vec<Column> = args.iter().map(other_form).collect();
    if forms.iter().any(|f| !matches!(f.repr(), Repr::Flat(_))) {
        compare("narrow or dictionary input", run_kernel(&ctx, call, &forms, rows), 0);
    }
    for (at, arg) in args.iter().enumerate() {
        for row in [0, rows / 2, rows - 1] {
            // The other arguments vary, this one is one value: as a constant and spelled out.
            let index = vec![row as u32; rows];
            let mut spelled = args.to_vec();
            spelled[at] = arg.gather(&index);
            let mut constant = args.to_vec();
            constant[at] = Column::constant(arg.scalar(row), arg.ty().clone(), rows);
            let (Ok(want), got) = (run_kernel(&ctx, call, &spelled, rows), run_kernel(&ctx, call, &constant, rows)) else { continue };
            match got {
                Err(e) => faults.push(format!("{name}: constant argument {at} fails: {e}")),
                Ok(got) => {
                    if let Some(r) = (0..rows).find(|r| got.scalar(*r) != want.scalar(*r)) {
                        faults.push(format!(
                            "{name}: constant argument {at} gives {} instead of {} for {}",
                            got.scalar(r),
                            want.scalar(r),
                            show(&spelled, r)
                        ));
                    }
                }
            }
        }
    }
    faults
}

fn show(args: &[Column], row: usize) -> String {
    args.iter().map(|a| a.scalar(row).to_string()).collect::<Vec<_>>().join(", ")
}

/// The same values narrow (integers) or as a dictionary (bytes).
fn other_form(column: &Column) -> Column {
    if column.ty().is_integer_backed() {
        return column.narrowed();
    }
    if column.ty().is_bytes_like() { to_dict(column) } else { column.clone() }
}

/// A bytes column as codes into an unsorted dictionary.
pub fn to_dict(column: &Column) -> Column {
    let flat = column.to_flat();
    let view = flat.as_binary_view();
    let mut numbers: HashMap<&[u8], u32> = HashMap::new();
    let mut firsts: Vec<u32> = Vec::new();
    let codes: UInt32Array = (0..view.len())
        .map(|row| {
            view.is_valid(row).then(|| {
                *numbers.entry(view.value(row)).or_insert_with(|| {
                    firsts.push(row as u32);
                    firsts.len() as u32 - 1
                })
            })
        })
        .collect();
    let values = Column::flat(flat.clone(), column.ty().clone()).gather(&firsts).to_flat();
    Column::dict(Arc::new(codes), Dict::new(values.as_binary_view().clone(), false), column.ty().clone())
}

/// Argument types to try for a signature: two fillings of its polymorphic patterns.
fn sample_types(signature: &Signature) -> Vec<Vec<LogicalType>> {
    use LogicalType as T;
    let fill = |plain: T, decimal: T| -> Vec<T> {
        let mut types: Vec<T> = signature
            .args
            .iter()
            .map(|p| match p {
                TypePattern::Exact(t) => t.clone(),
                TypePattern::AnyDecimal => decimal.clone(),
                TypePattern::Any | TypePattern::Same(_) => plain.clone(),
                TypePattern::AnyArray | TypePattern::ArrayOf(_) => T::array(plain.clone()),
                TypePattern::ArrayOfDecimal => T::array(decimal.clone()),
                TypePattern::AnyMap | TypePattern::MapOf(..) => T::map(plain.clone(), plain.clone()),
                TypePattern::AnyStruct => T::Struct(vec![common_types::StructField::new("a", plain.clone())]),
                TypePattern::StateOf(f) => T::State(Box::new(common_types::StateType { function: (*f).to_owned(), args: vec![plain.clone()] })),
                TypePattern::Function => T::Function,
            })
            .collect();
        if signature.variadic
            && let Some(last) = types.last().cloned()
        {
            types.push(last);
        }
        types
    };
    vec![fill(T::Int, T::decimal(12, 2)), fill(T::varchar(), T::decimal_of(DecimalWidth::W128, 30, 5))]
}

/// Values of a type with its edges and about one NULL in seven; the seed shifts which value meets which.
pub fn sample_column(ty: &LogicalType, rows: usize, seed: u64) -> Column {
    let mut builder = ColumnBuilder::new(ty, rows);
    for row in 0..rows as u64 {
        let n = row.wrapping_mul(2 * seed + 1).wrapping_add(seed * 7);
        let value = if n % 7 == 6 { Scalar::Null } else { sample_scalar(ty, n) };
        if builder.append(&value).is_err() {
            builder.append_null();
        }
    }
    builder.finish()
}

/// The n-th sample value of a type; NULL for types without samples.
fn sample_scalar(ty: &LogicalType, n: u64) -> Scalar {
    use LogicalType as T;
    const INTS: [i128; 12] = [0, 1, -1, 2, 7, 10, -13, 42, 100, 99, 31, 12];
    let edge = |min: i128, max: i128| match n % 14 {
        12 => min,
        13 => max,
        k => INTS[k as usize],
    };
    const TEXTS: [&str; 12] = ["", "a", "abc", "ABC def", "héllo", "12", "-3.5", "2024-02-29", "a,b,c", "  x ", "%_\\", "longer than twelve bytes"];
    match ty {
        T::Boolean => Scalar::Boolean(n % 2 == 0),
        T::TinyInt => Scalar::TinyInt(edge(-128, 127) as i8),
        T::SmallInt => Scalar::SmallInt(edge(-32768, 32767) as i16),
        T::Int => Scalar::Int(edge(i128::from(i32::MIN), i128::from(i32::MAX)) as i32),
        T::BigInt => Scalar::BigInt(edge(i128::from(i64::MIN), i128::from(i64::MAX)) as i64),
        T::LargeInt => Scalar::LargeInt(edge(i128::MIN, i128::MAX)),
        T::Float => Scalar::Float([0.0f32, 1.5, -2.25, 1e10, 0.1, -7.0][(n % 6) as usize]),
        T::Double => Scalar::Double([0.0, 1.5, -2.25, 1e15, 0.1, -7.0, 3.0, 1e-5][(n % 8) as usize]),
        T::Time => Scalar::Time([0.0, 3661.0, -59.0, 86_399.0][(n % 4) as usize]),
        T::Date => Scalar::Date([0, 19_782, -719_528, 2_932_896, 11_016, 18_321][(n % 6) as usize]),
        T::Datetime => {
            let days = [0i64, 19_782, -719_528, 2_932_896, 11_016][(n % 5) as usize];
            Scalar::Datetime(days * 86_400_000_000 + [0, 1, 3_661_000_000, 86_399_999_999][(n % 4) as usize])
        }
        T::Decimal { width: DecimalWidth::W256, precision, scale } => {
            Scalar::Decimal256(arrow::datatypes::i256::from_i128(INTS[(n % 12) as usize] * 37), *precision, *scale)
        }
        T::Decimal { precision, scale, .. } => Scalar::Decimal(INTS[(n % 12) as usize] * 37, *precision, *scale),
        T::Char(_) | T::Varchar(_) => Scalar::string(TEXTS[(n % 12) as usize]),
        T::Varbinary(_) => Scalar::Binary(TEXTS[(n % 12) as usize].as_bytes().to_vec().into()),
        T::Json => Scalar::Json(
            [r#"{"a": 1, "b": [1, 2]}"#, "[1, 2, 3]", "\"x\"", "12", "null", "true"][(n % 6) as usize].as_bytes().to_vec().into(),
        ),
        T::Array(item) => Scalar::Array((0..n % 4).map(|i| sample_scalar(item, n + i)).collect()),
        T::Map(k, v) => Scalar::Map((0..n % 3).map(|i| (sample_scalar(k, n + i), sample_scalar(v, n + i + 1))).collect()),
        T::Struct(fields) => Scalar::Struct(fields.iter().map(|f| (f.name.clone(), sample_scalar(&f.ty, n))).collect()),
        T::Null | T::Bitmap | T::Hll | T::Percentile | T::State(_) | T::Function => Scalar::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{signature::ResultRule, test_support::registry};
    use common_types::LogicalType as T;

    #[test]
    fn good_kernels_pass_and_bad_ones_are_caught() {
        let r = registry();
        for name in ["add", "eq", "lt", "like", "count_rows"] {
            let faults = check_function(r.scalar_function(name).expect("registered"));
            assert!(faults.is_empty(), "{faults:?}");
        }
        // Looks at its neighbours: depends on slicing.
        let bad = Arc::new(ScalarFunction {
            names: &["bad"],
            signatures: vec![Signature::new(vec![TypePattern::Exact(T::BigInt)], ResultRule::Arg(0))],
            nulls: NullRule::Propagate,
            volatility: Volatility::Immutable,
            kernel: |_, _, args, rows| Ok(Column::constant(Scalar::BigInt(args[0].len() as i64), T::BigInt, rows)),
            lambda_kernel: None,
        });
        assert!(!check_function(&bad).is_empty());
    }
}
