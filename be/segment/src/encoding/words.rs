//! Strings inside arrays, maps and structs: a dictionary of the page when they repeat, else symbols when those help, else as they are.
//!
//! ```text
//! payload: node of the distinct strings │ node of the number of each row's string
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, PrimitiveArray};
use arrow::datatypes::{DataType, UInt32Type};
use common_base::{Result, ensure, err};

use super::fsst::Encoder;
use super::node::{Encoding, Node, read_node, write_node};
use super::{array, ints};

/// Fewer strings are not worth a look.
const ROWS_MIN: usize = 64;
/// Most entries of a dictionary.
const ENTRIES_MAX: usize = 1 << 16;
/// Strings a symbol table is trained on.
const SAMPLE: usize = 1024;

/// Appends the strings as a node.
pub fn encode(strings: &BinaryViewArray, out: &mut Vec<u8>) -> Result<Encoding> {
    let rows = strings.len();
    if rows < ROWS_MIN || strings.null_count() == rows {
        return array::encode_with(strings, None, out);
    }
    if let Some((entries, codes)) = dictionary(strings) {
        return write_node(out, rows, strings.nulls(), |out| {
            array::encode_with(&entries, symbols_for(&entries)?.as_ref(), out)?;
            write_node(out, rows, None, |out| Ok(ints::encode(&codes, out)))?;
            Ok((Encoding::Words, 0, 0))
        });
    }
    array::encode_with(strings, symbols_for(strings)?.as_ref(), out)
}

/// The distinct strings and the number of each row's, if that takes a quarter less than the strings.
fn dictionary(strings: &BinaryViewArray) -> Option<(BinaryViewArray, Vec<i64>)> {
    let most = (strings.len() / 2).min(ENTRIES_MAX);
    let mut numbers: HashMap<&[u8], i64> = HashMap::new();
    let mut entries: Vec<&[u8]> = Vec::new();
    let mut codes = Vec::with_capacity(strings.len());
    let (mut plain, mut distinct, mut last) = (0usize, 0usize, 0);
    for value in strings {
        // A NULL repeats its neighbour.
        if let Some(value) = value {
            plain += value.len();
            last = *numbers.entry(value).or_insert_with(|| {
                entries.push(value);
                distinct += value.len();
                entries.len() as i64 - 1
            });
            if entries.len() > most {
                return None;
            }
        }
        codes.push(last);
    }
    let bits = usize::BITS - entries.len().leading_zeros();
    let coded = distinct + entries.len() + strings.len() * bits as usize / 8;
    (coded * 4 < (plain + strings.len() / 2) * 3).then(|| (BinaryViewArray::from_iter_values(entries), codes))
}

/// A symbol table for these strings, if it makes them smaller.
fn symbols_for(strings: &BinaryViewArray) -> Result<Option<Encoder>> {
    let step = (strings.len() / SAMPLE).max(1);
    let sample = (0..strings.len()).step_by(step).filter(|row| strings.is_valid(*row)).map(|row| strings.value(row));
    let Some(symbols) = Encoder::train(sample) else { return Ok(None) };
    let trial = strings.slice(0, strings.len().min(4 * SAMPLE));
    let size = |symbols: Option<&Encoder>| -> Result<usize> {
        let mut out = Vec::new();
        array::encode_with(&trial, symbols, &mut out)?;
        Ok(out.len())
    };
    let (coded, plain) = (size(Some(&symbols))?, size(None)?);
    Ok((coded * 20 < plain * 19).then_some(symbols))
}

/// Decodes a node of this encoding; the strings are views into its dictionary.
pub fn decode(node: &Node) -> Result<ArrayRef> {
    let mut at = 0;
    let entries = array::decode(&read_node(&node.payload, &mut at)?, &DataType::BinaryView)?;
    let codes = read_node(&node.payload, &mut at)?;
    ensure!(codes.head.rows == node.head.rows, Corruption, "{} numbers of words for {} rows", codes.head.rows, node.head.rows);
    let codes = ints::decode::<u32>(&codes)?;
    ensure!(codes.iter().all(|c| (*c as usize) < entries.len()), Corruption, "a word is none of the {} there are", entries.len());
    let codes = PrimitiveArray::<UInt32Type>::new(codes.into(), node.nulls.clone());
    let strings = arrow::compute::take(&entries, &codes, None).map_err(|e| err!(Internal, "taking words: {e}"))?;
    Ok(Arc::new(strings.as_binary_view().clone()))
}

#[cfg(test)]
mod tests {
    use arrow::buffer::Buffer;

    use super::*;

    fn check(strings: Vec<Option<String>>, expected: Encoding) {
        let strings: BinaryViewArray = strings.iter().map(|s| s.as_ref().map(|s| s.as_bytes())).collect();
        let mut out = Vec::new();
        assert_eq!(encode(&strings, &mut out).unwrap(), expected);
        let node = read_node(&Buffer::from_vec(out), &mut 0).unwrap();
        let found = array::decode(&node, &DataType::BinaryView).unwrap();
        assert_eq!(found.as_binary_view(), &strings);
    }

    #[test]
    fn strings_come_back() {
        let word = |i: usize| format!("a word that is long enough {}", i * 7919 % 13);
        check((0..5000).map(|i| (i % 11 != 3).then(|| word(i))).collect(), Encoding::Words);
        check((0..5000).map(|i| Some(format!("https://example.org/item/{i}/of/many"))).collect(), Encoding::Fsst);
        check((0..5000).map(|i| Some(if i % 2 == 0 { String::new() } else { "x".into() })).collect(), Encoding::Words);
        check((0..10).map(|i| Some(word(i % 2))).collect(), Encoding::Binary);
        check((0..100).map(|_| None).collect(), Encoding::AllNull);
    }
}
