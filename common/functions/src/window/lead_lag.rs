//! `lead(x, offset, default)` and `lag(…)`: the value some rows after or before.

use common_base::{Result, bail};
use common_expr::{
    signature::{ResultRule, Signature, TypePattern::{Exact, Same}},
    window_fn::{WindowFunction, WindowOverload, WindowPartition},
};
use common_types::{Column, LogicalType as T};

use super::ranked;

/// The rows of the function table.
pub fn functions() -> Vec<WindowFunction> {
    let signatures = || {
        vec![
            Signature::new(vec![Same(0)], ResultRule::Bound(0)),
            Signature::new(vec![Same(0), Exact(T::BigInt)], ResultRule::Bound(0)),
            Signature::new(vec![Same(0), Exact(T::BigInt), Same(0)], ResultRule::Bound(0)),
        ]
    };
    let mut lead = ranked(&["lead"], signatures(), |c, p| shifted(c, p, true));
    let mut lag = ranked(&["lag"], signatures(), |c, p| shifted(c, p, false));
    lead.nullable = true;
    lag.nullable = true;
    vec![lead, lag]
}

fn shifted(call: &WindowOverload, p: &WindowPartition<'_>, forward: bool) -> Result<Column> {
    let rows = p.rows;
    let offset = match p.args.get(1).filter(|c| !c.is_empty()).map(|c| c.scalar(0).as_i64()) {
        None => 1,
        Some(Some(n)) if n >= 0 => n as usize,
        _ => bail!(
            Analysis,
            "The offset parameter of LEAD/LAG must be a constant positive integer: {}",
            call.name()
        ),
    };
    let x = &p.args[0];
    // Row numbers into x followed by the default column; u32::MAX is NULL.
    let default = p.args.get(2).filter(|c| !matches!(c.as_const(), Some(s) if s.is_null()));
    let outside = |i: usize| if default.is_some() { (rows + i) as u32 } else { u32::MAX };
    let nulls = x.nulls().filter(|_| p.ignore_nulls);
    let indices: Vec<u32> = match nulls {
        None => (0..rows)
            .map(|i| {
                let at = if forward { i.checked_add(offset).filter(|at| *at < rows) } else { i.checked_sub(offset) };
                at.map_or_else(|| outside(i), |at| at as u32)
            })
            .collect(),
        Some(n) => {
            // The offset counts values only.
            let valid: Vec<u32> = n.valid_indices().map(|i| i as u32).collect();
            (0..rows)
                .map(|i| {
                    let before = valid.partition_point(|v| (*v as usize) < i);
                    let upto = valid.partition_point(|v| (*v as usize) <= i);
                    let at = if offset == 0 {
                        return i as u32;
                    } else if forward {
                        valid.get(upto + offset - 1)
                    } else {
                        before.checked_sub(offset).and_then(|k| valid.get(k))
                    };
                    at.copied().unwrap_or_else(|| outside(i))
                })
                .collect()
        }
    };
    let source = match default {
        Some(d) => Column::concat_refs(&[x.clone(), d.clone().with_type(x.ty().clone())]),
        None => x.clone(),
    };
    Ok(source.gather_opt(&indices).with_type(call.result.clone()))
}
