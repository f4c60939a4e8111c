//! Builds the indexes of a column from its pages, while the column is written.

use common_base::Result;
use common_types::Column;
use proto_messages::segment as pb;

use super::bitmap::BitmapBuilder;
use super::{IndexSpec, bloom, keys};
use crate::column::ColumnSpec;
use crate::page::{Compression, write_page};

/// Appends the pages of the column's indexes to `bytes` and names them in `meta`.
pub fn write_indexes(spec: &ColumnSpec, pages: &[Column], bytes: &mut Vec<u8>, meta: &mut pb::ColumnMeta) -> Result<()> {
    if !keys::indexable(&spec.ty) {
        return Ok(());
    }
    for index in &spec.indexes {
        let bodies = match index {
            IndexSpec::Bloom { false_positives } => blooms(pages, *false_positives, &|page, out| {
                keys::each_key(page, |_, key| out.push(key.hash()))
            }),
            IndexSpec::Ngram { len, false_positives, ignore_case } => {
                let len = (*len).max(1) as usize;
                blooms(pages, *false_positives, &|page, out| {
                    let mut seen = vec![0u64; 1 << 14];
                    keys::each_key(page, |_, key| {
                        if let keys::Key::Bytes(text) = key {
                            keys::each_gram(text, len, *ignore_case, |hash| {
                                // Most grams were seen a moment ago.
                                let place = &mut seen[hash as usize & ((1 << 14) - 1)];
                                if *place != hash {
                                    *place = hash;
                                    out.push(hash);
                                }
                            });
                        }
                    })
                })
            }
            IndexSpec::Bitmap => bitmaps(pages)?,
        };
        let Some(bodies) = bodies else { continue };
        let mut entry = pb::ColumnIndex { offset: bytes.len() as u64, ..Default::default() };
        let compression = match index {
            IndexSpec::Bloom { .. } => {
                entry.kind = pb::ColumnIndexKind::Bloom.into();
                Compression::None
            }
            IndexSpec::Ngram { len, ignore_case, .. } => {
                entry.kind = pb::ColumnIndexKind::Ngram.into();
                entry.gram = *len;
                entry.ignore_case = *ignore_case;
                Compression::None
            }
            IndexSpec::Bitmap => {
                entry.kind = pb::ColumnIndexKind::Bitmap.into();
                Compression::Lz4
            }
        };
        for body in bodies {
            entry.page_len.push(write_page(&body, compression, bytes)?);
        }
        meta.indexes.push(entry);
    }
    Ok(())
}

/// One filter a page; `hashes` gathers what it holds.
fn blooms(pages: &[Column], false_positives: f64, hashes: &dyn Fn(&Column, &mut Vec<u64>) -> Option<()>) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    pages
        .iter()
        .map(|page| {
            found.clear();
            hashes(page, &mut found)?;
            found.sort_unstable();
            found.dedup();
            Some(bloom::build(&found, false_positives))
        })
        .collect()
}

/// `None` when there is no value, or too many different ones.
fn bitmaps(pages: &[Column]) -> Result<Option<Vec<Vec<u8>>>> {
    let mut builder = BitmapBuilder::default();
    let mut start = 0u32;
    for page in pages {
        let mut fits = Some(());
        let known = keys::each_key(page, |row, key| {
            if fits.is_some() {
                fits = builder.add(start + row as u32, key);
            }
        });
        if known.and(fits).is_none() {
            return Ok(None);
        }
        if page.null_count() == page.len() {
            (0..page.len() as u32).for_each(|row| builder.add_null(start + row));
        } else if let Some(nulls) = page.nulls() {
            (0..page.len()).filter(|row| nulls.is_null(*row)).for_each(|row| builder.add_null(start + row as u32));
        }
        start += page.len() as u32;
    }
    builder.finish()
}
