//! Calls a function by name over scalars, as a query would after the analyzer's casts.

use common_base::Result;
use common_expr::{cast::cast_column, eval::run_kernel, scalar_fn::EvalContext};
use common_types::{Column, LogicalType, Scalar};

use crate::registry;

/// The statement context of tests: 2024-02-29 12:34:56.789 UTC, session zone Asia/Shanghai.
pub fn context() -> EvalContext {
    EvalContext { now_us: 1_709_210_096_789_000, time_zone: "Asia/Shanghai".into(), database: "db".into(), user: "u".into(), ..Default::default() }
}

/// The result and its type for typed arguments.
pub fn call_typed(name: &str, args: &[(Scalar, LogicalType)]) -> Result<(Scalar, LogicalType)> {
    let ctx = context();
    let types: Vec<LogicalType> = args.iter().map(|a| a.1.clone()).collect();
    let call = registry().scalar(name, &types)?;
    let columns = args
        .iter()
        .zip(&call.args)
        .map(|((v, t), to)| cast_column(&ctx, &Column::constant(v.clone(), t.clone(), 1), to))
        .collect::<Result<Vec<_>>>()?;
    let constant = run_kernel(&ctx, &call, &columns, 1)?;
    Ok((constant.scalar(0), call.result.clone()))
}

/// The text of the result for arguments of their own types.
pub fn call(name: &str, args: &[Scalar]) -> String {
    let args: Vec<_> = args.iter().map(|a| (a.clone(), a.ty())).collect();
    match call_typed(name, &args) {
        Ok((value, _)) => value.to_string(),
        Err(e) => format!("error: {}", e.message()),
    }
}

/// Parses the arguments of an example: integers, decimals, 'text', NULL, `d'2024-01-02'`, `t'2024-01-02 03:04:05'`.
pub fn args(text: &str) -> Vec<Scalar> {
    text.split('|').map(str::trim).filter(|t| !t.is_empty()).map(arg).collect()
}

fn arg(text: &str) -> Scalar {
    if text == "NULL" {
        return Scalar::Null;
    }
    let quoted = |t: &str| t.strip_suffix('\'').map(str::to_owned);
    if let Some(t) = text.strip_prefix("d'").and_then(quoted) {
        return Scalar::Date(common_types::date::parse_strict(t.as_bytes()).expect("a date"));
    }
    if let Some(t) = text.strip_prefix("t'").and_then(quoted) {
        return Scalar::Datetime(common_types::datetime::parse_lenient(t.as_bytes()).expect("a datetime"));
    }
    if let Some(t) = text.strip_prefix('\'').and_then(quoted) {
        return Scalar::from(t);
    }
    if let Some(t) = text.strip_suffix('f') {
        return Scalar::Double(t.parse().expect("a double"));
    }
    match text.parse::<i128>() {
        Ok(v) => match (i8::try_from(v), i16::try_from(v), i32::try_from(v), i64::try_from(v)) {
            (Ok(v), ..) => Scalar::TinyInt(v),
            (_, Ok(v), ..) => Scalar::SmallInt(v),
            (_, _, Ok(v), _) => Scalar::Int(v),
            (_, _, _, Ok(v)) => Scalar::BigInt(v),
            _ => Scalar::LargeInt(v),
        },
        Err(_) => {
            let scale = text.len() - text.find('.').expect("a decimal") - 1;
            let digits = text.replace('.', "");
            let precision = digits.trim_start_matches('-').len().max(scale);
            Scalar::Decimal(digits.parse().expect("digits"), precision as u8, scale as i8)
        }
    }
}

/// Checks lines `name: a | b => result`.
pub fn check(examples: &str) {
    let mut wrong = Vec::new();
    for line in examples.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (left, want) = line.split_once("=>").expect("an example");
        let (name, list) = left.split_once(':').expect("a name");
        let got = call(name.trim(), &args(list));
        if got != want.trim() {
            wrong.push(format!("{}({}) = {got}, expected {}", name.trim(), list.trim(), want.trim()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
