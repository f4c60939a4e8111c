//! A segment file as text: what each column is made of. For the tool and for tests.

use std::fmt::Write as _;

use crate::encoding::Encoding;
use crate::segment::Segment;

/// One line per file, column and page.
pub fn dump(segment: &Segment) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = writeln!(out, "segment rows={} pages={} page_rows={} bytes={}", segment.rows(), segment.pages(), segment.page_rows(), segment.file_len());
    let _ = writeln!(out, "sort columns {:?}", segment.sort_columns());
    // Parts of JSON columns have no number and come last.
    for column in segment.stored() {
        let spec = &column.spec;
        let null = if spec.nullable { "" } else { " not null" };
        let _ = write!(out, "column {} {} {}{null} {:?} bytes={} nulls={}", spec.uid, spec.name, spec.ty, column.kind, column.stored_bytes, column.nulls);
        if let (Some(min), Some(max)) = (&column.min, &column.max) {
            let _ = write!(out, " min={min} max={max}");
        }
        if let Some(dict) = &column.dict {
            let _ = write!(out, " dictionary={} entries", dict.entries);
        }
        for index in &column.indexes {
            let _ = write!(out, " index={} pages={} bytes={}", index.kind.name(), index.pages(), index.stored_bytes());
        }
        out.push('\n');
        for page in 0..segment.pages() {
            let encoding = column.page_encodings.get(page).and_then(|b| Encoding::from_byte(*b).ok()).map_or("?", Encoding::name);
            let _ = writeln!(
                out,
                "  page {page} at {} len {} {encoding} nulls {}",
                column.page_offsets[page],
                column.page_len(page),
                column.page_nulls[page]
            );
        }
    }
    out
}
