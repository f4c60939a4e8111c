//! Extraction, zones and rows.

use common_types::{LogicalType as T, Scalar};

use super::*;
use crate::{
    expr::{Expr, ExprKind},
    laws::to_dict,
    test_support::{big, bigs, call, col, text, texts},
};

fn x() -> Expr {
    col(3, T::BigInt)
}

fn kind(e: &Expr) -> PredicateKind {
    extract(e).expect("is a predicate").kind
}

#[test]
fn extracts_and_merges() {
    let ge = call("ge", vec![x(), big(5)]);
    let lt = call("gt", vec![big(9), x()]);
    let (found, rest) = extract_all(&[ge.clone(), call("eq", vec![x(), x()]), lt.clone()]);
    assert_eq!(found.len(), 1);
    assert_eq!(rest.len(), 1);
    let range = PredicateKind::Range {
        low: Some(Bound { value: Scalar::BigInt(5), inclusive: true }),
        high: Some(Bound { value: Scalar::BigInt(9), inclusive: false }),
    };
    assert_eq!(found[0].kind, range);
    assert_eq!(kind(&Expr::and(vec![ge, call("lt", vec![x(), big(5)])])), PredicateKind::Never);
    let either = Expr::or(vec![call("eq", vec![x(), big(2)]), call("eq", vec![x(), big(1)])]);
    assert_eq!(kind(&either), PredicateKind::In { values: vec![Scalar::BigInt(1), Scalar::BigInt(2)], negated: false });
    assert_eq!(kind(&call("eq", vec![x(), Expr::null(T::BigInt)])), PredicateKind::Never);
    assert_eq!(kind(&x().is_null().negate()), PredicateKind::NotNull);
    let not_in = Expr { kind: ExprKind::InList { input: Box::new(x()), list: vec![big(1), Expr::null(T::BigInt)], negated: true }, ty: T::Boolean, nullable: true };
    assert_eq!(kind(&not_in), PredicateKind::Never);
    assert!(extract(&Expr::or(vec![lt, call("eq", vec![col(1, T::BigInt), big(2)])])).is_none());
}

#[test]
fn zones() {
    let p = extract(&Expr::and(vec![call("ge", vec![x(), big(5)]), call("lt", vec![x(), big(9)])])).expect("a range");
    let zone = |a: i64, b: i64| (Scalar::BigInt(a), Scalar::BigInt(b));
    let may = |a, b| p.may_match(&zone(a, b).0, &zone(a, b).1, 0, 10);
    assert!(may(0, 5) && may(8, 20) && !may(0, 4) && !may(9, 20));
    assert!(p.all_match(&Scalar::BigInt(5), &Scalar::BigInt(8), 0, 10));
    assert!(!p.all_match(&Scalar::BigInt(5), &Scalar::BigInt(8), 1, 10));
    assert!(!p.may_match(&Scalar::Null, &Scalar::Null, 10, 10));
    assert!(p.may_match(&Scalar::Null, &Scalar::Null, 0, 10));
    let like = extract(&call("like", vec![col(0, T::varchar()), text("ab%c")])).expect("a pattern");
    let s = |v: &str| Scalar::string(v);
    assert!(!like.may_match(&s("ac"), &s("zz"), 0, 5) && like.may_match(&s("aa"), &s("abz"), 0, 5));
    assert_eq!(extract(&call("eq", vec![x(), big(4)])).expect("equality").points(), Some(vec![Scalar::BigInt(4)]));
    assert_eq!(next_prefix(b"a\xff"), Some(b"b".to_vec()));
    assert_eq!(next_prefix(b"\xff"), None);
}

#[test]
fn rows_agree_in_every_form() {
    let values: Vec<Option<i64>> = (0..300).map(|i| if i % 11 == 3 { None } else { Some((i * 37) % 90 - 20) }).collect();
    let flat = bigs(&values);
    let list = |values: Vec<i64>, negated| Expr { kind: ExprKind::InList { input: Box::new(x()), list: values.into_iter().map(big).collect(), negated }, ty: T::Boolean, nullable: true };
    let cases: Vec<(Expr, Box<dyn Fn(i64) -> bool>)> = vec![
        (call("lt", vec![x(), big(7)]), Box::new(|v| v < 7)),
        (call("ge", vec![x(), big(1000)]), Box::new(|_| false)),
        (call("ne", vec![x(), big(3)]), Box::new(|v| v != 3)),
        (Expr::and(vec![call("gt", vec![x(), big(-5)]), call("le", vec![x(), big(40)])]), Box::new(|v| v > -5 && v <= 40)),
        (list(vec![1, 5, 44, 1 << 40], false), Box::new(|v| [1, 5, 44].contains(&v))),
        (list(vec![1, 5, 44], true), Box::new(|v| ![1, 5, 44].contains(&v))),
    ];
    for (e, want) in cases {
        let p = extract(&e).expect("a predicate");
        for column in [flat.clone(), flat.narrowed()] {
            let mask = p.mask(&column);
            let mut rows: Vec<u32> = (0..300).step_by(3).collect();
            p.retain(&column, &mut rows);
            for (i, v) in values.iter().enumerate() {
                assert_eq!(mask.value(i), v.is_some_and(&want), "{e:?} row {i}");
                assert_eq!(rows.contains(&(i as u32)), i % 3 == 0 && mask.value(i));
            }
        }
    }
    let words: Vec<Option<&str>> = (0..64).map(|i| [Some("alpha"), Some("beta"), None, Some("a longer text than twelve")][i % 4]).collect();
    let name = || col(0, T::varchar());
    for e in [
        call("eq", vec![name(), text("beta")]),
        call("eq", vec![name(), text("a longer text than twelve")]),
        call("lt", vec![name(), text("b")]),
        call("like", vec![name(), text("%a")]),
    ] {
        let p = extract(&e).expect("a predicate");
        let (flat, dict) = (texts(&words), to_dict(&texts(&words)));
        assert_eq!(p.mask(&flat), p.mask(&dict), "{e:?}");
        assert!(p.mask(&flat).count_set_bits() > 0);
        assert!(!p.mask(&flat).value(2));
    }
}
