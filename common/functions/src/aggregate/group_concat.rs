//! `group_concat(x, …, separator)`: text of the rows without NULLs, joined; cut to `group_concat_max_len` bytes.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    calls::SortKey,
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, compare::compare_rows, display::append_text};

use super::{
    def::{aggregate, state_is_result},
    rows::GroupedRows,
};
use crate::kernels::{
    num::union_nulls,
    text::{TextArg, TextBuilder},
};

/// Default of the session variable.
const MAX_LEN: usize = 1024;

/// The row of the function table.
pub fn function() -> AggregateFunction {
    let any = Signature::new(vec![TypePattern::Any, TypePattern::Any], ResultRule::Exact(T::varchar())).variadic();
    aggregate(&["group_concat", "string_agg"], vec![any], state_is_result, |call, ctx, constants| {
        let separator = constants.last().cloned().flatten().and_then(|s| s.as_bytes().map(<[u8]>::to_vec));
        let max_len = ctx.variable("group_concat_max_len").and_then(|v| v.parse().ok()).unwrap_or(MAX_LEN).max(4);
        Ok(Box::new(GroupConcat {
            columns: call.args.len() - 1,
            separator: separator.unwrap_or_else(|| b",".to_vec()),
            max_len,
            texts: Vec::new(),
            bytes: 0,
            ordered: GroupedRows::default(),
            order: Vec::new(),
        }))
    })
}

struct GroupConcat {
    /// How many leading arguments are joined; the separator follows them.
    columns: usize,
    separator: Vec<u8>,
    max_len: usize,
    texts: Vec<Option<Vec<u8>>>,
    bytes: usize,
    /// The rows, when there is an ORDER BY: text first, then the keys.
    ordered: GroupedRows,
    order: Vec<(bool, bool)>,
}

impl GroupConcat {
    fn append(&mut self, group: usize, add: impl FnOnce(&mut Vec<u8>)) {
        let text = &mut self.texts[group];
        let before = text.as_ref().map_or(0, Vec::len);
        match text {
            // What is beyond the limit never shows.
            Some(t) if t.len() > self.max_len => return,
            Some(t) => {
                t.extend_from_slice(&self.separator);
                add(t);
            }
            None => {
                let mut t = Vec::new();
                add(&mut t);
                *text = Some(t);
            }
        }
        self.bytes += text.as_ref().map_or(0, Vec::len) - before;
    }

    fn text_rows(&self, args: &[Column], rows: usize) -> Column {
        let nulls = union_nulls(&args[..self.columns]);
        let mut out = TextBuilder::new(rows);
        for i in 0..rows {
            if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
                out.push_null();
            } else {
                args[..self.columns].iter().for_each(|c| append_text(c, i, &mut out.buffer));
                out.commit();
            }
        }
        out.finish(&T::varchar())
    }

    fn cut<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        if text.len() <= self.max_len {
            return text;
        }
        // Never inside a character.
        let mut end = self.max_len;
        while end > 0 && text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        &text[..end]
    }

    fn join_ordered(&mut self) {
        if self.order.is_empty() || self.ordered.len() == 0 {
            return;
        }
        let order = self.order.clone();
        let mut rows = std::mem::take(&mut self.ordered);
        rows.resize(self.texts.len());
        let sorted = rows.sorted();
        let text = TextArg::new(&sorted.columns[0]);
        let keys = &sorted.columns[1..];
        for g in 0..self.texts.len() {
            let mut picked = sorted.rows(g).to_vec();
            picked.sort_by(|a, b| {
                keys.iter()
                    .zip(&order)
                    .map(|(k, (desc, nulls_first))| compare_rows(k, *a as usize, k, *b as usize, *nulls_first, *desc))
                    .find(|o| o.is_ne())
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
            for row in picked {
                if let Some(t) = text.get(row as usize) {
                    self.append(g, |out| out.extend_from_slice(t));
                }
            }
        }
        self.order.clear();
    }

    fn add(&mut self, rows: usize, args: &[Column], group: impl Fn(usize) -> u32) {
        if !self.order.is_empty() {
            let text = self.text_rows(args, rows);
            let nulls = text.nulls();
            let mut columns = vec![text];
            columns.extend_from_slice(&args[args.len() - self.order.len()..]);
            let groups: Vec<u32> = (0..rows).map(group).collect();
            self.ordered.push_valid(&groups, &columns, nulls.as_ref());
            return;
        }
        let nulls = union_nulls(&args[..self.columns]);
        let columns = &args[..self.columns];
        for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
            self.append(group(i) as usize, |out| columns.iter().for_each(|c| append_text(c, i, out)));
        }
    }
}

impl Accumulator for GroupConcat {
    fn resize(&mut self, groups: usize) {
        self.texts.resize(groups, None);
        self.ordered.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.add(groups.len(), args, |i| groups[i]);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.add(rows, args, |_| group);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        if !self.order.is_empty() {
            bail!(NotSupported, "an ordered group_concat is computed in one phase");
        }
        let texts = TextArg::new(states);
        for (i, &g) in groups.iter().enumerate() {
            if let Some(t) = texts.get(i) {
                self.append(g as usize, |out| out.extend_from_slice(t));
            }
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        if !self.order.is_empty() {
            bail!(NotSupported, "an ordered group_concat is computed in one phase");
        }
        let mut out = TextBuilder::new(groups.len());
        groups.for_each(|g| out.push_opt(self.texts[g].as_deref()));
        Ok(out.finish(&T::varchar()))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        self.join_ordered();
        let mut out = TextBuilder::new(groups.len());
        groups.for_each(|g| out.push_opt(self.texts[g].as_deref().map(|t| self.cut(t))));
        Ok(out.finish(&T::varchar()))
    }

    fn memory_size(&self) -> usize {
        self.texts.capacity() * 24 + self.bytes + self.ordered.memory_size()
    }

    fn set_order(&mut self, keys: &[SortKey]) {
        self.order = keys.iter().map(|k| (k.descending, k.nulls_first)).collect();
    }
}
