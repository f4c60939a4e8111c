//! States: the types they have on disk and bytes once written stay what they are; every way through states gives what the
//! function gives.

use common_expr::{laws::sample_column, scalar_fn::EvalContext};
use common_types::{Column, DecimalWidth, LogicalType as T, Scalar};

use super::*;
use crate::registry;

fn scalar(name: &str, args: &[Column]) -> Column {
    let types: Vec<T> = args.iter().map(|c| c.ty().clone()).collect();
    let call = registry().scalar(name, &types).unwrap();
    (call.function.kernel)(&EvalContext::default(), &call, args, args[0].len()).unwrap()
}

fn aggregated(name: &str, args: &[Column], groups: &[u32], n: usize) -> Column {
    let types: Vec<T> = args.iter().map(|c| c.ty().clone()).collect();
    let call = registry().aggregate(name, &types).unwrap();
    let constants: Vec<_> = args.iter().map(|c| c.as_const().cloned()).collect();
    let mut a = (call.function.create)(&call, &EvalContext::default(), &constants).unwrap();
    a.resize(n);
    a.update(groups, args).unwrap();
    let out = a.finish(0..n).unwrap();
    assert_eq!(out.ty(), &call.result, "{name}");
    out
}

fn rows(c: &Column) -> Vec<Scalar> {
    (0..c.len()).map(|i| c.scalar(i)).collect()
}

/// Arguments for every function with states.
fn cases() -> Vec<(&'static str, Vec<Column>)> {
    const ROWS: usize = 60;
    let col = |ty: T| sample_column(&ty, ROWS, 5);
    let wide = T::decimal_of(DecimalWidth::W256, 60, 4);
    let half = Column::constant(Scalar::Double(0.5), T::Double, ROWS);
    let two = Column::constant(Scalar::Int(2), T::Int, ROWS);
    let types =
        [T::Boolean, T::TinyInt, T::Int, T::BigInt, T::LargeInt, T::Float, T::Double, T::decimal(12, 2), wide, T::Date, T::Datetime, T::varchar()];
    let mut out = Vec::new();
    for name in ["count", "min", "max", "any_value", "array_agg", "multi_distinct_count", "approx_count_distinct", "ds_hll_count_distinct"] {
        out.extend(types.iter().map(|t| (name, vec![col(t.clone())])));
    }
    for name in ["sum", "avg", "multi_distinct_sum"] {
        out.extend(types[1..9].iter().map(|t| (name, vec![col(t.clone())])));
    }
    for name in ["variance", "var_samp", "stddev", "stddev_samp"] {
        out.push((name, vec![col(T::Double)]));
    }
    for name in ["covar_pop", "covar_samp", "corr"] {
        out.push((name, vec![col(T::Double), col(T::Double).slice(0, ROWS)]));
    }
    for name in ["bool_or", "bool_and"] {
        out.push((name, vec![col(T::Boolean)]));
    }
    for name in ["max_by", "min_by"] {
        out.push((name, vec![col(T::varchar()), col(T::Int)]));
    }
    out.push(("bitmap_agg", vec![col(T::Int)]));
    out.push(("bitmap_union_int", vec![col(T::Int)]));
    out.push(("array_unique_agg", vec![col(T::array(T::Int))]));
    out.push(("retention", vec![col(T::array(T::Boolean))]));
    out.push(("percentile_approx", vec![col(T::Double), half.clone()]));
    out.push(("percentile_approx_weighted", vec![col(T::Double), col(T::Double), half.clone()]));
    out.push(("percentile_cont", vec![col(T::Double), half.clone()]));
    out.push(("percentile_disc", vec![col(T::Int), half]));
    out.push(("mann_whitney_u_test", vec![col(T::Double), col(T::Boolean)]));
    out.push(("min_n", vec![col(T::Int), two.clone()]));
    out.push(("max_n", vec![col(T::Int), two]));
    out
}

/// Arrays whose order says nothing are compared sorted; sums of floats nearly.
fn agree(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::Array(x), Scalar::Array(y)) => {
            let sorted = |v: &[Scalar]| {
                let mut texts: Vec<String> = v.iter().map(|s| format!("{s:?}")).collect();
                texts.sort();
                texts
            };
            sorted(x) == sorted(y)
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => x == y || (x - y).abs() <= 1e-9 * x.abs().max(1.0),
            _ => a == b,
        },
    }
}

#[test]
fn states_lead_to_the_result() {
    let mut seen = Vec::new();
    for (name, args) in cases() {
        const GROUPS: usize = 4;
        let n = args[0].len();
        let groups: Vec<u32> = (0..n as u32).map(|i| i % 3).collect();
        let want = rows(&aggregated(name, &args, &groups, GROUPS));
        let check = |got: Column, how: &str| {
            let got = rows(&got);
            assert!(got.iter().zip(&want).all(|(a, b)| agree(a, b)), "{name}({}) {how}: {got:?} instead of {want:?}", args[0].ty());
        };
        let numbers: Vec<u32> = (0..GROUPS as u32).collect();
        let states = scalar(&format!("{name}_state"), &args);
        check(aggregated(&format!("{name}_merge"), &[states.clone()], &groups, GROUPS), "merged from rows");
        let united = aggregated(&format!("{name}_union"), &[states], &groups, GROUPS);
        check(aggregated(&format!("{name}_merge"), &[united.clone()], &numbers, GROUPS), "merged from unions");
        check(scalar(&format!("{name}_state_merge"), &[united]), "of unions");
        let combined = aggregated(&format!("{name}_combine"), &args, &groups, GROUPS);
        check(scalar(&format!("{name}_state_merge"), &[combined]), "combined");
        let constants = codec::constant_arguments(name);
        let part = |from: usize, len: usize| -> Column {
            let args: Vec<Column> = args.iter().map(|c| c.slice(from, len)).collect();
            aggregated(&format!("{name}_combine"), &args, &groups[from..from + len], GROUPS)
        };
        let both = scalar(&format!("{name}_state_union"), &[part(0, n / 2), part(n / 2, n - n / 2)]);
        check(scalar(&format!("{name}_state_merge"), &[both]), "of two");
        assert!(constants.iter().all(|at| *at > 0));
        seen.push(name);
    }
    let registry = registry();
    let mut missed: Vec<&str> = registry
        .aggregate_names()
        .filter(|n| registry.is_scalar(&format!("{n}_state")))
        .filter(|n| !seen.contains(&registry.aggregate_function(n).unwrap().names[0]))
        .collect();
    missed.sort_unstable();
    assert!(missed.is_empty(), "no case for {missed:?}");
}

#[test]
fn states_over_nothing() {
    let none = Column::null(T::Int, 3);
    let state = |name: &str| scalar(&format!("{name}_state"), &[none.clone()]);
    assert_eq!(rows(&scalar("avg_state_merge", &[state("avg")])), vec![Scalar::Null; 3]);
    assert_eq!(rows(&scalar("count_state_merge", &[state("count")])), vec![Scalar::BigInt(0); 3]);
    let missing = Column::null(state("avg").ty().clone(), 3);
    assert_eq!(rows(&scalar("avg_state_merge", &[missing.clone()])), vec![Scalar::Null; 3]);
    assert_eq!(rows(&scalar("avg_state_union", &[missing.clone(), missing])), vec![Scalar::Null; 3]);
}

/// Types of states as they are on disk. A line that changes needs a new version of the stored form.
#[test]
fn stored_types_are_frozen() {
    let shown: Vec<String> = cases()
        .iter()
        .map(|(name, args)| {
            let types: Vec<T> = args.iter().map(|c| c.ty().clone()).collect();
            let call = registry().aggregate(name, &types).unwrap();
            let args: Vec<String> = call.args.iter().map(T::to_string).collect();
            format!("{name}({}): {}\n", args.join(", "), call.state_type())
        })
        .collect();
    let shown = shown.concat();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/state_types.txt");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(path, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(path).unwrap());
}

/// Bytes that older builds wrote.
#[test]
fn stored_bytes_are_frozen() {
    let ints = |v: &[i64]| crate::kernels::ints::from_i64(&T::Int, v.to_vec(), None);
    let hex = |c: &Column| -> Vec<String> {
        (0..c.len()).map(|i| c.scalar(i).as_bytes().unwrap().iter().map(|b| format!("{b:02x}")).collect()).collect()
    };
    assert_eq!(hex(&scalar("avg_state", &[ints(&[5, -300])])), ["010001010a0102", "01000101d7040102"]);
    assert_eq!(hex(&scalar("count_state", &[ints(&[5])])), ["01000102"]);
    assert_eq!(hex(&scalar("sum_state", &[Column::null(T::Int, 1)])), ["010000"]);
    let half = Column::constant(Scalar::Double(0.5), T::Double, 1);
    assert_eq!(hex(&scalar("percentile_disc_state", &[ints(&[7]), half])), ["01010101000000000000e03f0101010e"]);
    let texts = scalar("min_by_state", &[Column::constant(Scalar::string("né"), T::varchar(), 1), ints(&[1])]);
    assert_eq!(hex(&texts), ["01000101036ec3a90102"]);
}

#[test]
fn damaged_states_are_errors() {
    let state = |bytes: &[u8]| {
        let ty = T::State(Box::new(StateType { function: "avg".into(), args: vec![T::Int] }));
        Column::constant(Scalar::Binary(bytes.to_vec().into()), ty, 1)
    };
    let call = registry().aggregate("avg", &[T::Int]).unwrap();
    let good = [1, 0, 1, 1, 10, 1, 2];
    assert!(codec::decode(&call, &state(&good)).is_ok());
    for cut in 0..good.len() {
        assert!(codec::decode(&call, &state(&good[..cut])).is_err(), "cut at {cut}");
    }
    for (at, byte) in [(0, 2), (1, 1), (2, 7), (3, 9)] {
        let mut bad = good;
        bad[at] = byte;
        assert!(codec::decode(&call, &state(&bad)).is_err(), "byte {at}");
    }
}
