//! The evaluator over small chunks.

use std::sync::atomic::Ordering;

use common_types::{LogicalType as T, Repr, Scalar};

use super::*;
use crate::{
    expr::ExprKind,
    laws::to_dict,
    scalar_fn::sql_mode,
    test_support::{ROWS_COMPUTED, big, bigs, call, chunk, col, registry, shown, text, texts},
};

fn eval(e: &Expr, c: &Chunk) -> Vec<String> {
    shown(&CompiledExpr::compile(e).eval(&EvalContext::default(), c).expect("evaluates"))
}

fn boolean(e: Expr, ty: T) -> Expr {
    Expr { kind: e.kind, ty, nullable: true }
}

#[test]
fn nulls_propagate_and_constants_stay_constant() {
    let c = chunk(vec![bigs(&[Some(1), None, Some(3)])]);
    let e = call("add", vec![col(0, T::BigInt), big(10)]);
    assert_eq!(eval(&e, &c), ["11", "NULL", "13"]);
    let constant = call("add", vec![big(1), big(2)]);
    let out = CompiledExpr::compile(&constant).eval(&EvalContext::default(), &c).expect("evaluates");
    assert!(out.is_const() && out.len() == 3);
    assert_eq!(eval(&call("add", vec![col(0, T::BigInt), Expr::null(T::BigInt)]), &c), ["NULL", "NULL", "NULL"]);
}

#[test]
fn three_valued_logic() {
    let values: Vec<Option<i64>> = vec![Some(0), Some(1), None];
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for x in &values {
        for y in &values {
            a.push(*x);
            b.push(*y);
        }
    }
    let c = chunk(vec![bigs(&a), bigs(&b)]);
    let truth = |i| call("eq", vec![col(i, T::BigInt), big(1)]);
    assert_eq!(eval(&Expr::and(vec![truth(0), truth(1)]), &c), ["0", "0", "0", "0", "1", "NULL", "0", "NULL", "NULL"]);
    assert_eq!(eval(&Expr::or(vec![truth(0), truth(1)]), &c), ["0", "1", "NULL", "1", "1", "1", "NULL", "1", "NULL"]);
    assert_eq!(eval(&truth(0).negate(), &c), ["1", "1", "1", "0", "0", "0", "NULL", "NULL", "NULL"]);
    assert_eq!(eval(&col(0, T::BigInt).is_null(), &c)[6], "1");
}

#[test]
fn untaken_branches_are_not_computed() {
    let c = chunk(vec![bigs(&[Some(0), Some(5), None, Some(0)])]);
    let zero = || call("eq", vec![col(0, T::BigInt), big(0)]);
    let risky = || call("no_zero", vec![col(0, T::BigInt)]);
    let case = Expr { kind: ExprKind::Case { branches: vec![(zero(), big(-1))], otherwise: Some(Box::new(risky())) }, ty: T::BigInt, nullable: true };
    // The NULL row's slot may hold a zero that must not matter: select it away by a value.
    let c2 = chunk(vec![bigs(&[Some(0), Some(5), Some(7), Some(0)])]);
    assert_eq!(eval(&case, &c2), ["-1", "5", "7", "-1"]);
    let and = Expr::and(vec![zero().negate(), call("gt", vec![risky(), big(5)])]);
    assert_eq!(eval(&and, &c2), ["0", "0", "1", "0"]);
    let coalesce = boolean(Expr { kind: ExprKind::Coalesce(vec![col(0, T::BigInt), big(9)]), ty: T::BigInt, nullable: true }, T::BigInt);
    assert_eq!(eval(&coalesce, &c), ["0", "5", "9", "0"]);
    assert!(CompiledExpr::compile(&risky()).eval(&EvalContext::default(), &c2).is_err());
}

#[test]
fn in_lists() {
    let c = chunk(vec![bigs(&[Some(1), Some(4), None]), bigs(&[Some(1), Some(2), Some(3)])]);
    let list = |list: Vec<Expr>, negated| Expr { kind: ExprKind::InList { input: Box::new(col(0, T::BigInt)), list, negated }, ty: T::Boolean, nullable: true };
    assert_eq!(eval(&list(vec![big(1), big(2)], false), &c), ["1", "0", "NULL"]);
    assert_eq!(eval(&list(vec![big(1), Expr::null(T::BigInt)], false), &c), ["1", "NULL", "NULL"]);
    assert_eq!(eval(&list(vec![big(1), Expr::null(T::BigInt)], true), &c), ["0", "NULL", "NULL"]);
    assert_eq!(eval(&list(vec![col(1, T::BigInt), big(7)], false), &c), ["1", "0", "NULL"]);
    let many = list((0..200).map(|i| big(i * 1_000_003 + 1)).collect(), false);
    assert_eq!(eval(&many, &c), ["1", "0", "NULL"]);
}

#[test]
fn dictionaries_are_computed_per_entry() {
    let rows: Vec<Option<&str>> = (0..100).map(|i| [Some("a"), Some("b"), None][i % 3]).collect();
    let c = chunk(vec![to_dict(&texts(&rows))]);
    let upper = call("count_rows", vec![col(0, T::varchar())]);
    let compiled = CompiledExpr::compile(&upper);
    let before = ROWS_COMPUTED.load(Ordering::SeqCst);
    let out = compiled.eval(&EvalContext::default(), &c).expect("evaluates");
    compiled.eval(&EvalContext::default(), &c).expect("evaluates");
    assert_eq!(ROWS_COMPUTED.load(Ordering::SeqCst) - before, 3);
    assert!(matches!(out.repr(), Repr::Dict { .. }));
    assert_eq!(shown(&out)[..3], ["A", "B", "NULL"]);
    let like = call("like", vec![upper, text("B%")]);
    assert_eq!(eval(&like, &c)[..3], ["0", "1", "NULL"]);
    assert_eq!(eval(&col(0, T::varchar()).is_null(), &c)[..3], ["0", "0", "1"]);
}

#[test]
fn common_subexpressions_are_computed_once() {
    let c = chunk(vec![texts(&[Some("x"), Some("y")])]);
    let upper = || call("count_rows", vec![col(0, T::varchar())]);
    let exprs = [upper(), call("eq", vec![upper(), text("X")])];
    let (program, _) = program::Program::compile(&exprs);
    assert_eq!(program.nodes.iter().filter(|n| n.shared).count(), 1);
    let out = CompiledExprs::compile(&exprs).eval(&EvalContext::default(), &c).expect("evaluates");
    assert_eq!(shown(&out[1]), ["1", "0"]);
    let (volatile, _) = program::Program::compile(&[call("random", vec![]), call("random", vec![])]);
    assert_eq!(volatile.nodes.len(), 2);
}

#[test]
fn lambdas_capture_columns() {
    let r = registry();
    let array = common_types::Column::from_array_parts(
        arrow::buffer::OffsetBuffer::from_lengths([2, 0, 1]),
        bigs(&[Some(1), Some(2), Some(3)]),
        None,
    )
    .expect("an array");
    let c = chunk(vec![bigs(&[Some(10), Some(20), Some(30)]), array]);
    let element = T::BigInt;
    let body = call("add", vec![col(7, element.clone()), col(0, T::BigInt)]);
    let lambda = Expr { kind: ExprKind::Lambda { params: vec![(7, element.clone())], body: Box::new(body) }, ty: T::Function, nullable: false };
    let overload = r.scalar_with_lambda("array_map", &[T::Function, T::array(element)], &T::BigInt).expect("resolves");
    assert_eq!(overload.result, T::array(T::BigInt));
    let e = Expr::call(overload, vec![lambda, col(1, T::array(T::BigInt))]);
    assert_eq!(eval(&e, &c), ["[11,12]", "[]", "[33]"]);
}

#[test]
fn conjuncts_select_rows() {
    let rows = 1000i64;
    let ids: Vec<Option<i64>> = (0..rows).map(|i| if i % 10 == 9 { None } else { Some(i) }).collect();
    let names: Vec<String> = (0..rows).map(|i| format!("name {}", i % 7)).collect();
    let names: Vec<Option<&str>> = names.iter().map(|s| Some(s.as_str())).collect();
    for name_column in [texts(&names), to_dict(&texts(&names))] {
        let c = chunk(vec![bigs(&ids), name_column]);
        let ge = call("ge", vec![col(0, T::BigInt), big(100)]);
        let lt = call("lt", vec![big(200), col(0, T::BigInt)]);
        let like = call("like", vec![col(1, T::varchar()), text("%3")]);
        let sum = call("eq", vec![call("add", vec![col(0, T::BigInt), col(0, T::BigInt)]), big(426)]);
        let mut filter = Conjuncts::compile(vec![Expr::and(vec![like.clone(), ge]), lt]);
        let want: Vec<u32> = (0..rows as u32).filter(|i| *i > 200 && i % 10 != 9 && i % 7 == 3).collect();
        for _ in 0..40 {
            assert_eq!(filter.select(&EvalContext::default(), &c).expect("filters").into_rows(), want);
        }
        let mut more = Conjuncts::compile(vec![like, sum]);
        assert_eq!(more.select(&EvalContext::default(), &c).expect("filters"), Selection::Rows(vec![213]));
    }
    assert!(Conjuncts::compile(vec![]).is_empty());
}

#[test]
fn case_assembles_narrow_and_mixed_pieces() {
    let c = chunk(vec![bigs(&[Some(1), Some(2), None, Some(4)]).narrowed(), texts(&[Some("a"), Some("b"), None, Some("d")])]);
    let is_two = || call("eq", vec![col(0, T::BigInt), big(2)]);
    let numbers = Expr { kind: ExprKind::Case { branches: vec![(is_two(), big(200))], otherwise: Some(Box::new(col(0, T::BigInt))) }, ty: T::BigInt, nullable: true };
    assert_eq!(eval(&numbers, &c), ["1", "200", "NULL", "4"]);
    let strings = Expr { kind: ExprKind::Case { branches: vec![(is_two(), text("two"))], otherwise: None }, ty: T::varchar(), nullable: true };
    assert_eq!(eval(&strings, &c), ["NULL", "two", "NULL", "NULL"]);
    let ctx = EvalContext { sql_mode: sql_mode::ALLOW_THROW_EXCEPTION, ..EvalContext::default() };
    let bad = Expr::literal(Scalar::string("x")).cast_to(&T::BigInt);
    let guarded = Expr { kind: ExprKind::Case { branches: vec![(col(0, T::BigInt).is_null().is_null(), bad)], otherwise: Some(Box::new(big(1))) }, ty: T::BigInt, nullable: true };
    assert_eq!(shown(&CompiledExpr::compile(&guarded).eval(&ctx, &c).expect("not reached")), ["1", "1", "1", "1"]);
}

/// Random trees over columns in every form: a chunk at once gives what one flat row at a time gives, and filters keep the TRUE rows.
#[test]
fn random_expressions_do_not_depend_on_form_or_chunk_size() {
    struct Random(u64);
    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % n
        }
    }
    fn number(r: &mut Random, depth: u32) -> Expr {
        match if depth == 0 { r.below(3) } else { r.below(6) } {
            0 => big(r.below(6) as i64),
            1 | 2 => col(r.below(2) as u32, T::BigInt),
            3 => call("add", vec![number(r, depth - 1), number(r, depth - 1)]),
            4 => {
                let branches = (0..=r.below(2)).map(|_| (condition(r, depth - 1), number(r, depth - 1))).collect();
                let otherwise = (r.below(2) == 0).then(|| Box::new(number(r, depth - 1)));
                Expr { kind: ExprKind::Case { branches, otherwise }, ty: T::BigInt, nullable: true }
            }
            _ => Expr { kind: ExprKind::Coalesce(vec![number(r, depth - 1), number(r, depth - 1)]), ty: T::BigInt, nullable: true },
        }
    }
    fn string(r: &mut Random) -> Expr {
        if r.below(3) == 0 { call("count_rows", vec![col(2, T::varchar())]) } else { col(2, T::varchar()) }
    }
    fn condition(r: &mut Random, depth: u32) -> Expr {
        let compare = ["eq", "ne", "lt", "le", "gt", "ge"];
        let kind = |kind| Expr { kind, ty: T::Boolean, nullable: true };
        match if depth == 0 { r.below(4) } else { r.below(8) } {
            0 => call(compare[r.below(6) as usize], vec![col(r.below(2) as u32, T::BigInt), big(r.below(6) as i64)]),
            1 => call("like", vec![string(r), text(["a%", "%b", "%c%", "A%"][r.below(4) as usize])]),
            2 => col(r.below(2) as u32, T::BigInt).is_null(),
            3 => {
                let list = (0..1 + r.below(3)).map(|_| if r.below(5) == 0 { Expr::null(T::BigInt) } else { big(r.below(6) as i64) }).collect();
                kind(ExprKind::InList { input: Box::new(col(0, T::BigInt)), list, negated: r.below(2) == 0 })
            }
            4 => condition(r, depth - 1).negate(),
            5 => Expr::and((0..2 + r.below(2)).map(|_| condition(r, depth - 1)).collect()),
            6 => Expr::or((0..2 + r.below(2)).map(|_| condition(r, depth - 1)).collect()),
            _ => call(compare[r.below(6) as usize], vec![number(r, depth - 1), number(r, depth - 1)]),
        }
    }
    let mut r = Random(42);
    let rows = 67;
    let words = ["ab", "cb", "a longer word with c", "b", "A"];
    let numbers = |r: &mut Random| bigs(&(0..rows).map(|_| (r.below(5) > 0).then(|| r.below(6) as i64)).collect::<Vec<_>>());
    let ctx = EvalContext::default();
    for round in 0..400 {
        let (a, b) = (numbers(&mut r), numbers(&mut r));
        let s = texts(&(0..rows).map(|_| (r.below(5) > 0).then(|| words[r.below(5) as usize])).collect::<Vec<_>>());
        let flat = chunk(vec![a.clone(), b.clone(), s.clone()]);
        let other = chunk(vec![a.narrowed(), b, to_dict(&s)]);
        let e = if round % 2 == 0 { condition(&mut r, 3) } else { number(&mut r, 3) };
        let compiled = CompiledExpr::compile(&e);
        let want: Vec<String> = (0..rows)
            .map(|i| shown(&CompiledExpr::compile(&e).eval(&ctx, &flat.slice(i, 1)).expect("evaluates")).remove(0))
            .collect();
        for c in [&flat, &other] {
            assert_eq!(shown(&compiled.eval(&ctx, c).expect("evaluates")), want, "{e:?}");
        }
        if round % 2 == 0 {
            let kept: Vec<u32> = (0..rows as u32).filter(|i| want[*i as usize] == "1").collect();
            let mut filter = Conjuncts::compile(vec![e.clone()]);
            for c in [&flat, &other, &flat] {
                assert_eq!(filter.select(&ctx, c).expect("filters").into_rows(), kept, "{e:?}");
            }
            assert_eq!(shown(&CompiledExpr::compile(&crate::fold::fold(e.clone(), &ctx)).eval(&ctx, &other).expect("evaluates")), want, "{e:?}");
        }
    }
}
