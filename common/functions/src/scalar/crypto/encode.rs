//! `encode_sort_key` (order-preserving bytes of a composite key) and `encode_fingerprint_sha256` (NULL-safe digest of a row).

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, display, key_codec::encode_keys};
use sha2::{Digest, Sha256};

use crate::kernels::{def::never_null, strings::StrWriter};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let any = || vec![Signature::new(vec![TypePattern::Any], ResultRule::Exact(T::Varbinary(None))).variadic()];
    r.add_scalar(never_null(&["encode_sort_key"], any(), encode_sort_key));
    r.add_scalar(never_null(&["encode_fingerprint_sha256", "encode_row_id"], any(), fingerprint));
}

fn encode_sort_key(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let keys = encode_keys(args, &[], rows)?;
    let mut out = StrWriter::new(rows);
    keys.iter().for_each(|key| out.push(key));
    Ok(out.finish(&call.result))
}

/// Each value as its type's text behind a length; NULL as a length no value has.
fn fingerprint(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut out = StrWriter::new(rows);
    let mut text = Vec::new();
    for row in 0..rows {
        let mut hasher = Sha256::new();
        for column in args {
            if column.is_null(row) {
                hasher.update(u64::MAX.to_le_bytes());
                continue;
            }
            text.clear();
            match column.str_view() {
                Some(view) => text.extend_from_slice(view.get(row)),
                None => display::append_text(column, row, &mut text),
            }
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(&text);
        }
        out.push(&hasher.finalize());
    }
    Ok(out.finish(&call.result))
}
