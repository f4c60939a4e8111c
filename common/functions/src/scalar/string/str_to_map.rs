//! `str_to_map`: text (or an array of `key:value` texts) to MAP<VARCHAR, VARCHAR>.

use std::sync::Arc;

use arrow::buffer::OffsetBuffer;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};
use memchr::memmem::Finder;

use crate::kernels::{
    def::{sig, strict},
    maps::keep_last_keys,
    strings::{StrWriter, strs},
    utf8::chars,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let map = || T::map(s(), s());
    let signatures = vec![
        sig([T::array(s()), s()], map()),
        sig([s(), s(), s()], map()),
        sig([s(), s()], map()),
        sig([s()], map()),
        sig([T::array(s())], map()),
    ];
    r.add_scalar(strict(&["str_to_map"], signatures, str_to_map));
}

/// Calls `f` with every piece of `s` between delimiters; characters when the delimiter is empty.
fn pieces(s: &[u8], delimiter: &Finder, mut f: impl FnMut(&[u8])) {
    let width = delimiter.needle().len();
    if width == 0 {
        return chars(s).for_each(f);
    }
    let mut done = 0;
    for at in delimiter.find_iter(s) {
        f(&s[done..at]);
        done = at + width;
    }
    f(&s[done..]);
}

/// Splits one `key:value` text.
fn push_pair(text: &[u8], delimiter: &Finder, keys: &mut StrWriter, values: &mut StrWriter) {
    let width = delimiter.needle().len();
    match delimiter.find(text) {
        Some(_) if width == 0 => {
            let first = chars(text).next().map_or(0, <[u8]>::len);
            keys.push(&text[..first]);
            values.push_opt((first < text.len()).then(|| &text[first..]));
        }
        Some(at) => {
            keys.push(&text[..at]);
            values.push(&text[at + width..]);
        }
        None => {
            keys.push(text);
            values.end_null();
        }
    }
}

fn str_to_map(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (mut keys, mut values) = (StrWriter::new(rows), StrWriter::new(rows));
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    if let Some(list) = args[0].array_parts() {
        let items = strs(&list.values);
        let delimiter = args.get(1).map(strs);
        for row in 0..rows {
            let delimiter = Finder::new(delimiter.as_ref().map_or(&b":"[..], |d| d.get(row)));
            for item in list.offsets[row] as usize..list.offsets[row + 1] as usize {
                if list.values.is_null(item) {
                    continue;
                }
                push_pair(items.get(item), &delimiter, &mut keys, &mut values);
            }
            offsets.push(keys.rows() as i32);
        }
    } else {
        let input = strs(&args[0]);
        let between_pairs = args.get(1).map(strs);
        let inside_pair = args.get(2).map(strs);
        for row in 0..rows {
            let between = Finder::new(between_pairs.as_ref().map_or(&b","[..], |d| d.get(row)));
            let inside = Finder::new(inside_pair.as_ref().map_or(&b":"[..], |d| d.get(row)));
            pieces(input.get(row), &between, |pair| push_pair(pair, &inside, &mut keys, &mut values));
            offsets.push(keys.rows() as i32);
        }
    }
    let keys = Column::flat(Arc::new(keys.finish_array()), T::varchar());
    let values = Column::flat(Arc::new(values.finish_array()), T::varchar());
    let nulls = args[0].nulls();
    debug_assert!(nulls.as_ref().is_none_or(|n| n.len() == rows));
    let (offsets, keys, values) = keep_last_keys(OffsetBuffer::new(offsets.into()), keys, values)?;
    Ok(Column::from_map_parts(offsets, keys, values, nulls)?.with_type(call.result.clone()))
}
