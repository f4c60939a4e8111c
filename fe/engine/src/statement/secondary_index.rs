//! Declared indexes → what backends write beside the columns of a segment.

use fe_catalog::model::OlapTable;
use proto_messages::tablet::{ColumnIndex, column_index::Kind};

use crate::show::index::{IndexRow, parse};

/// The false positives of a bloom filter whose table does not say.
const FALSE_POSITIVES: f64 = 0.05;

/// Indexes by lowercase column name: bitmap indexes, ngram bloom filters, and the columns of `bloom_filter_columns`. Inverted indexes
/// are declared only.
pub fn of_columns(olap: &OlapTable) -> Vec<(String, ColumnIndex)> {
    let mut out: Vec<(String, ColumnIndex)> = Vec::new();
    let fpp = olap.property("bloom_filter_fpp").and_then(|v| v.trim().parse().ok()).unwrap_or(FALSE_POSITIVES);
    for column in olap.property("bloom_filter_columns").unwrap_or_default().split(',').map(str::trim).filter(|c| !c.is_empty()) {
        out.push((column.to_lowercase(), ColumnIndex { kind: Kind::Bloom.into(), false_positives: fpp, ..Default::default() }));
    }
    for row in olap.indexes_ddl.iter().filter_map(|ddl| parse(ddl)) {
        let index = if row.kind.starts_with("BITMAP") {
            ColumnIndex { kind: Kind::Bitmap.into(), ..Default::default() }
        } else if row.kind.starts_with("NGRAMBF") {
            ColumnIndex {
                kind: Kind::Ngram.into(),
                false_positives: property(&row, "bloom_filter_fpp").and_then(|v| v.parse().ok()).unwrap_or(FALSE_POSITIVES),
                gram: property(&row, "gram_num").and_then(|v| v.parse().ok()).unwrap_or(2),
                ignore_case: property(&row, "case_sensitive").is_some_and(|v| v.eq_ignore_ascii_case("false")),
            }
        } else {
            continue;
        };
        out.push((row.column.to_lowercase(), index));
    }
    out
}

/// A property in a kind like `NGRAMBF("gram_num" = "4")`.
fn property<'a>(row: &'a IndexRow, key: &str) -> Option<&'a str> {
    let (_, rest) = row.kind.split_once(&format!("\"{key}\""))?;
    rest.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_found() {
        let row = parse("INDEX i (`v`) USING NGRAMBF(\"bloom_filter_fpp\" = \"0.01\", \"gram_num\" = \"4\") COMMENT ''").expect("a clause");
        assert_eq!((property(&row, "gram_num"), property(&row, "bloom_filter_fpp"), property(&row, "x")), (Some("4"), Some("0.01"), None));
    }
}
