//! Aggregates: every way of feeding an accumulator agrees, and examples.

use std::sync::Arc;

use common_expr::{aggregate_fn::{Accumulator, AggregateOverload}, laws::sample_column, scalar_fn::EvalContext};
use common_types::{Column, LogicalType as T, Scalar};

use crate::{
    kernels::{ints::{from_i64, narrow}, text::TextBuilder},
    registry,
};

fn resolve(name: &str, types: &[T]) -> Arc<AggregateOverload> {
    registry().aggregate(name, types).unwrap()
}

fn start(call: &AggregateOverload, args: &[Column], groups: usize) -> Box<dyn Accumulator> {
    let constants: Vec<Option<Scalar>> = args.iter().map(|c| c.as_const().cloned()).collect();
    let mut a = (call.function.create)(call, &EvalContext::default(), &constants).unwrap();
    a.resize(groups);
    a
}

fn rows(c: &Column) -> Vec<Scalar> {
    (0..c.len()).map(|i| c.scalar(i)).collect()
}

/// One group over everything.
fn all(name: &str, args: &[Column]) -> Scalar {
    let types: Vec<T> = args.iter().map(|c| c.ty().clone()).collect();
    let call = resolve(name, &types);
    let mut a = start(&call, args, 1);
    a.update_all(0, args, args[0].len()).unwrap();
    let out = a.finish(0..1).unwrap();
    assert_eq!(out.ty(), &call.result, "{name}");
    out.scalar(0)
}

fn ints(v: &[i64]) -> Column {
    from_i64(&T::BigInt, v.to_vec(), None)
}

fn text(v: &[Option<&str>]) -> Column {
    let mut b = TextBuilder::new(v.len());
    v.iter().for_each(|s| b.push_opt(s.map(str::as_bytes)));
    b.finish(&T::varchar())
}

/// Every way to feed an aggregate gives the same answer: grouped at once, in two parts, merged from two states, and each group
/// alone through `update_all`.
#[test]
fn ways_of_feeding_agree() {
    const ROWS: usize = 200;
    const GROUPS: usize = 7;
    let groups: Vec<u32> = (0..ROWS as u32).map(|i| i * 5 % 6).collect();
    let types = [
        T::Boolean, T::TinyInt, T::Int, T::BigInt, T::LargeInt, T::Double, T::decimal(12, 2),
        T::decimal_of(common_types::DecimalWidth::W128, 30, 5), T::Date, T::Datetime, T::varchar(),
    ];
    let one_arg = [
        "count", "sum", "avg", "min", "max", "multi_distinct_count", "multi_distinct_sum", "approx_count_distinct", "stddev",
        "var_samp", "bool_or", "bool_and", "any_value", "hll_raw", "bitmap_agg", "count_if",
    ];
    for name in one_arg {
        for ty in &types {
            let Ok(call) = registry().aggregate(name, std::slice::from_ref(ty)) else { continue };
            if call.args[0] != *ty {
                continue;
            }
            let col = sample_column(ty, ROWS, 3);
            let args = [col.clone()];
            let finish = |a: &mut Box<dyn Accumulator>| rows(&a.finish(0..GROUPS).unwrap());
            let mut whole = start(&call, &args, GROUPS);
            whole.update(&groups, &args).unwrap();
            let want = finish(&mut whole);
            let about = |got: &[Scalar], how: &str| {
                let same = got.iter().zip(&want).all(|(a, b)| match (a.as_f64(), b.as_f64()) {
                    (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-9 * a.abs().max(1.0),
                    _ => a == b,
                });
                assert!(same, "{name}({ty}) {how}: {got:?} instead of {want:?}");
            };
            let (left, right) = ([col.slice(0, 77)], [col.slice(77, ROWS - 77)]);
            let mut parts = start(&call, &args, 2);
            parts.resize(GROUPS);
            parts.update(&groups[..77], &left).unwrap();
            parts.update(&groups[77..], &right).unwrap();
            about(&finish(&mut parts), "in two parts");
            let mut merged = start(&call, &args, GROUPS);
            for (g, a) in [(&groups[..77], &left), (&groups[77..], &right)] {
                let mut part = start(&call, &args, GROUPS);
                part.update(g, a).unwrap();
                let states = part.state(0..GROUPS).unwrap();
                assert_eq!(states.ty(), &call.state_type(), "{name}({ty})");
                let numbers: Vec<u32> = (0..GROUPS as u32).collect();
                merged.merge(&numbers, &states).unwrap();
            }
            about(&finish(&mut merged), "merged");
            let mut single = start(&call, &args, GROUPS);
            for g in 0..GROUPS as u32 {
                let mine: Vec<u32> = (0..ROWS as u32).filter(|i| groups[*i as usize] == g).collect();
                let part = [col.gather(&mine)];
                single.update_all(g, &part, mine.len()).unwrap();
            }
            about(&finish(&mut single), "group by group");
            let narrow = [col.narrowed()];
            let mut other = start(&call, &narrow, GROUPS);
            other.update(&groups, &narrow).unwrap();
            about(&finish(&mut other), "narrow");
            if want[6] != Scalar::Null {
                assert!(!call.function.nullable || name.starts_with("hll") || name == "bool_or" || name == "boolor_agg", "{name}({ty}) of nothing is {}", want[6]);
            }
        }
    }
}

#[test]
fn decimal_sums_do_not_overflow() {
    let max = i64::MAX / 3;
    let col = narrow(&T::decimal(18, 2), vec![max; 10], None, max, max);
    assert_eq!(all("sum", &[col.clone()]), Scalar::Decimal(i128::from(max) * 10, 38, 2));
    assert_eq!(all("avg", &[col]), Scalar::Decimal(i128::from(max) * 1_000_000, 38, 8));
    assert_eq!(all("avg", &[ints(&[1, 2])]), Scalar::Double(1.5));
    let d = narrow(&T::decimal(8, 2), vec![1000i32, 1575], None, 0, 2000);
    assert_eq!(all("avg", &[d]).to_string(), "12.87500000");
}

#[test]
fn lists_and_texts() {
    let x = text(&[Some("b"), None, Some("a"), Some("b")]);
    let sep = Column::constant(Scalar::from("-"), T::varchar(), 4);
    assert_eq!(all("group_concat", &[x.clone(), sep]).to_string(), "b-a-b");
    assert_eq!(all("array_agg", &[x.clone()]).to_string(), "[\"b\",null,\"a\",\"b\"]");
    assert_eq!(all("min", &[x.clone()]).to_string(), "a");
    assert_eq!(all("multi_distinct_count", &[x.clone()]), Scalar::BigInt(2));
    assert_eq!(all("map_agg", &[x.clone(), ints(&[1, 2, 3, 4])]).to_string(), "{\"a\":3,\"b\":1}");
    assert_eq!(all("max_by", &[x.clone(), ints(&[1, 9, 3, 4])]), Scalar::Null);
    assert_eq!(all("min_by", &[x, ints(&[1, 9, 3, 4])]).to_string(), "b");
    let n = Column::constant(Scalar::TinyInt(2), T::TinyInt, 4);
    assert_eq!(all("max_n", &[ints(&[5, 1, 9, 3]), n.clone()]).to_string(), "[5,9]");
    assert_eq!(all("min_n", &[ints(&[5, 1, 9, 3]), n]).to_string(), "[1,3]");
}

#[test]
fn ordered_lists() {
    use common_expr::{calls::SortKey, expr::Expr};
    let x = text(&[Some("b"), Some("c"), Some("a")]);
    let sep = Column::constant(Scalar::from(","), T::varchar(), 3);
    let key = ints(&[2, 3, 1]);
    let order = [SortKey { expr: Expr::column(0, T::BigInt, true), descending: true, nulls_first: false }];
    let call = resolve("group_concat", &[T::varchar(), T::varchar()]);
    let mut a = start(&call, &[x.clone(), sep.clone()], 1);
    a.set_order(&order);
    a.update_all(0, &[x.clone(), sep, key.clone()], 3).unwrap();
    assert_eq!(a.finish(0..1).unwrap().scalar(0).to_string(), "c,b,a");
    let call = resolve("array_agg", &[T::varchar()]);
    let mut a = start(&call, std::slice::from_ref(&x), 1);
    a.set_order(&order);
    a.update_all(0, &[x, key], 3).unwrap();
    assert_eq!(a.finish(0..1).unwrap().scalar(0).to_string(), "[\"c\",\"b\",\"a\"]");
}

#[test]
fn quantiles() {
    let x = ints(&(0..=100).collect::<Vec<_>>());
    let d = |v: f64| Column::constant(Scalar::Double(v), T::Double, 101);
    let doubles = Column::flat(Arc::new(arrow::array::Float64Array::from((0..=100).map(f64::from).collect::<Vec<_>>())), T::Double);
    assert_eq!(all("percentile_cont", &[doubles.clone(), d(0.255)]), Scalar::Double(25.5));
    assert_eq!(all("percentile_disc", &[x, d(0.255)]), Scalar::BigInt(26));
    use T::{Date, Datetime, Decimal, Double, Int};
    let share = Decimal { width: common_types::DecimalWidth::W32, precision: 1, scale: 1 };
    for (given, result) in [(Int, Double), (Double, Double), (Date, Date), (Datetime, Datetime)] {
        assert_eq!(resolve("percentile_cont", &[given, share.clone()]).result, result);
    }
    let approx = all("percentile_approx", &[doubles, d(0.5)]).as_f64().unwrap();
    assert!((approx - 50.0).abs() < 1.0, "{approx}");
}

fn flags(rows: &[[bool; 3]]) -> Column {
    let mut b = common_types::ColumnBuilder::new(&T::array(T::Boolean), rows.len());
    for row in rows {
        b.append_array(|items| row.iter().try_for_each(|v| items.append_bool(*v))).unwrap();
    }
    b.finish()
}

#[test]
fn behaviour() {
    let steps = flags(&[[true, false, false], [false, true, false], [false, false, true]]);
    assert_eq!(all("retention", &[steps.clone()]).to_string(), "[1,1,1]");
    let c = |v: Scalar, t: T| Column::constant(v, t, 3);
    let funnel = |window: i64, times: &[i64]| {
        all("window_funnel", &[c(Scalar::BigInt(window), T::BigInt), ints(times), c(Scalar::Int(0), T::Int), steps.clone()])
    };
    assert_eq!(funnel(100, &[1, 2, 3]), Scalar::Int(3));
    assert_eq!(funnel(1, &[1, 2, 30]), Scalar::Int(2));
    assert_eq!(funnel(100, &[9, 2, 3]), Scalar::Int(1));
    let top = all("approx_top_k", &[ints(&[1, 2, 2]), c(Scalar::Int(1), T::Int)]);
    assert_eq!(top.to_string(), "[{\"item\":2,\"count\":2}]");
}

#[test]
fn distributions() {
    let x = Column::flat(Arc::new(arrow::array::Float64Array::from(vec![1.0, 2.0, 3.0, 4.0])), T::Double);
    let y = Column::flat(Arc::new(arrow::array::Float64Array::from(vec![2.0, 4.0, 6.0, 8.0])), T::Double);
    let close = |got: Scalar, want: f64| assert!((got.as_f64().unwrap() - want).abs() < 1e-12, "{got} {want}");
    close(all("var_pop", &[x.clone()]), 1.25);
    close(all("var_samp", &[x.clone()]), 5.0 / 3.0);
    close(all("stddev", &[x.clone()]), 1.25f64.sqrt());
    close(all("covar_pop", &[x.clone(), y.clone()]), 2.5);
    close(all("corr", &[x.clone(), y]), 1.0);
    assert_eq!(all("var_samp", &[x.slice(0, 1)]), Scalar::Null);
    assert_eq!(all("var_pop", &[x.slice(0, 1)]), Scalar::Double(0.0));
}
