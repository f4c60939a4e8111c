//! Anything → CHAR, VARCHAR: the text a client would see, never truncated.

use common_base::Result;
use common_types::{Column, LogicalType, display::TextEncoder};

use super::{build, to_json};

pub(super) fn cast(input: &Column, to: &LogicalType) -> Result<Column> {
    if *input.ty() == LogicalType::Json {
        return Ok(build::texts(input, to, |row, out| match to_json::text_of(input, row) {
            Some(text) => {
                out.extend_from_slice(&text);
                true
            }
            None => false,
        }));
    }
    let encoder = TextEncoder::new(input);
    Ok(build::texts(input, to, |row, out| encoder.append(row, out)))
}
