//! The order of rows by their sort key. Keys of integers that fit 64 bits together are packed and radix-sorted; rows that
//! arrive in order are not touched.

use common_base::Result;
use common_types::compare::SortOrder;
use common_types::{Column, Repr, for_codes, for_ints, key_codec};

/// Row numbers in key order (rows of equal key in the order of arrival); `None` when the rows are in order already.
pub fn permutation(keys: &[Column], rows: usize) -> Result<Option<Vec<u32>>> {
    if keys.is_empty() || rows < 2 {
        return Ok(None);
    }
    if let Some((packed, bits)) = pack(keys, rows) {
        if packed.is_sorted() {
            return Ok(None);
        }
        return Ok(Some(sort_packed(&packed, bits)));
    }
    let encoded = key_codec::encode_keys(keys, &vec![SortOrder::ASC; keys.len()], rows)?;
    if (1..rows).all(|i| encoded.get(i - 1) <= encoded.get(i)) {
        return Ok(None);
    }
    // Most comparisons end within the first eight bytes.
    let mut order: Vec<(u64, u32)> = (0..rows).map(|i| (prefix(encoded.get(i)), i as u32)).collect();
    order.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| encoded.get(a.1 as usize).cmp(encoded.get(b.1 as usize))).then(a.1.cmp(&b.1))
    });
    Ok(Some(order.into_iter().map(|(_, i)| i).collect()))
}

/// The first eight bytes behind the marker of the first column, as a number of the same order.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0u8; 8];
    let take = key.len().min(8);
    bytes[..take].copy_from_slice(&key[..take]);
    u64::from_be_bytes(bytes)
}

/// All key columns in one number per row, of so many bits.
fn pack(keys: &[Column], rows: usize) -> Option<(Vec<u64>, u32)> {
    let mut packed = vec![0u64; rows];
    let mut total = 0u32;
    for key in keys {
        let (values, bits) = ordinals(key)?;
        total += bits;
        if total > 64 {
            return None;
        }
        if bits == 0 {
            continue;
        }
        for (to, v) in packed.iter_mut().zip(values) {
            *to = if bits == 64 { v } else { (*to << bits) | v };
        }
    }
    Some((packed, total))
}

/// Numbers from 0 in the order of the values (NULL lowest), and their bits.
#[allow(clippy::unnecessary_cast)] // the body runs for every integer width
fn ordinals(column: &Column) -> Option<(Vec<u64>, u32)> {
    if column.is_const() {
        return Some((Vec::new(), 0));
    }
    let nulls = column.nulls();
    let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
    let shift = u64::from(nulls.is_some());
    let finish = |mut values: Vec<u64>, max: u64| {
        let max = max.checked_add(shift)?;
        if let Some(nulls) = &nulls {
            for (i, v) in values.iter_mut().enumerate() {
                *v = if nulls.is_valid(i) { *v + 1 } else { 0 };
            }
        }
        Some((values, 64 - max.leading_zeros()))
    };
    if let Some(view) = column.ints_i64() {
        return for_ints!(view, s => {
            let mut range: Option<(i64, i64)> = None;
            for (i, v) in s.iter().enumerate() {
                let v = *v as i64;
                if valid(i) {
                    range = Some(range.map_or((v, v), |(a, b)| (a.min(v), b.max(v))));
                }
            }
            let (min, max) = range.unwrap_or((0, 0));
            finish(s.iter().map(|v| (*v as i64).wrapping_sub(min) as u64).collect(), max.wrapping_sub(min) as u64)
        });
    }
    if let Some(bools) = column.bools() {
        return finish(bools.values().iter().map(u64::from).collect(), 1);
    }
    if let Repr::Dict { dict, .. } = column.repr() {
        let mut order: Vec<usize> = (0..dict.len()).collect();
        if !dict.is_sorted() {
            order.sort_unstable_by(|a, b| dict.value(*a).cmp(dict.value(*b)));
        }
        let mut rank = vec![0u64; dict.len()];
        for (r, code) in order.into_iter().enumerate() {
            rank[code] = r as u64;
        }
        let (codes, _) = column.dict_parts()?;
        let values = for_codes!(codes, s => s.iter().map(|c| rank.get(*c as usize).copied().unwrap_or(0)).collect());
        return finish(values, dict.len().saturating_sub(1) as u64);
    }
    None
}

fn sort_packed(keys: &[u64], bits: u32) -> Vec<u32> {
    const DIGIT: u32 = 11;
    let mut pairs: Vec<(u64, u32)> = keys.iter().enumerate().map(|(i, k)| (*k, i as u32)).collect();
    if keys.len() < 4096 {
        pairs.sort_unstable();
        return pairs.into_iter().map(|(_, i)| i).collect();
    }
    // Least significant digit first; each pass keeps the order of equal digits.
    let mut other = vec![(0u64, 0u32); pairs.len()];
    let mut shift = 0;
    while shift < bits {
        let digit = |k: u64| (k >> shift) as usize & ((1 << DIGIT) - 1);
        let mut starts = [0usize; 1 << DIGIT];
        for (k, _) in &pairs {
            starts[digit(*k)] += 1;
        }
        let skip = starts.contains(&pairs.len());
        if !skip {
            let mut sum = 0;
            for s in &mut starts {
                (*s, sum) = (sum, sum + *s);
            }
            for pair in &pairs {
                let at = &mut starts[digit(pair.0)];
                other[*at] = *pair;
                *at += 1;
            }
            std::mem::swap(&mut pairs, &mut other);
        }
        shift += DIGIT;
    }
    pairs.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use common_base::Rng;
    use common_types::compare::compare_rows;
    use common_types::{ColumnBuilder, LogicalType, Scalar};

    use super::*;

    fn column(ty: LogicalType, rows: usize, mut make: impl FnMut(usize) -> Scalar) -> Column {
        let mut builder = ColumnBuilder::new(&ty, rows);
        (0..rows).for_each(|i| builder.append(&make(i)).unwrap());
        builder.finish()
    }

    #[test]
    fn every_path_gives_a_stable_order() {
        let mut rng = Rng::from_seed(3);
        for rows in [2usize, 100, 6000] {
            let maybe = |r: &mut Rng, v: Scalar| if r.chance(0.1) { Scalar::Null } else { v };
            let small = column(LogicalType::Int, rows, |_| { let v = Scalar::Int(rng.range(0..50) as i32 - 25); maybe(&mut rng, v) });
            let wide = column(LogicalType::BigInt, rows, |_| { let v = Scalar::BigInt(rng.next_u64() as i64); maybe(&mut rng, v) });
            let text = column(LogicalType::varchar(), rows, |_| { let v = Scalar::string(format!("{:x}", rng.range(0..999))); maybe(&mut rng, v) });
            for keys in [vec![small.clone()], vec![small.clone(), wide.clone()], vec![text.clone(), small.clone()], vec![wide]] {
                let order = permutation(&keys, rows).unwrap().unwrap_or_else(|| (0..rows as u32).collect());
                for pair in order.windows(2) {
                    let (a, b) = (pair[0] as usize, pair[1] as usize);
                    let cmp = keys.iter().map(|k| compare_rows(k, a, k, b, true, false)).find(|o| o.is_ne());
                    assert!(cmp.map_or(a < b, |o| o.is_lt()), "rows {a} and {b}");
                }
            }
        }
        let sorted = column(LogicalType::Int, 10, |i| Scalar::Int(i as i32 / 2));
        assert!(permutation(&[sorted], 10).unwrap().is_none());
    }
}
