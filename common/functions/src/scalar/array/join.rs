//! `array_join(a, sep[, null_rep])`.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{StrWriter, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let signatures = vec![sig([T::array(s()), s()], s()), sig([T::array(s()), s(), s()], s())];
    r.add_scalar(strict(&["array_join"], signatures, join));
}

fn join(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(array) = args[0].array_parts() else { bail!(Internal, "array_join works on arrays") };
    let (items, nulls) = (strs(&array.values), array.values.nulls());
    let (separator, null_text) = (strs(&args[1]), args.get(2).map(strs));
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let mut first = true;
        for i in array.offsets[row] as usize..array.offsets[row + 1] as usize {
            let item = match (nulls.as_ref().is_some_and(|n| n.is_null(i)), &null_text) {
                (false, _) => items.get(i),
                (true, Some(text)) => text.get(row),
                (true, None) => continue,
            };
            if !first {
                out.buf().extend_from_slice(separator.get(row));
            }
            first = false;
            out.buf().extend_from_slice(item);
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}
