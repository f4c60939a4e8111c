//! Columns in their four forms: equal values stay equal through selection, concatenation, hashing, order and the wire.

use std::sync::Arc;

use arrow::array::{BinaryViewArray, Int8Array, Int32Array, UInt8Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::i256;
use bytes::Bytes;

use crate::compare::{SortOrder, compare_rows};
use crate::hash::{bucket_hash, crc32, hash_columns};
use crate::{Bounds, Chunk, Column, ColumnBuilder, DecimalWidth, Dict, LogicalType as T, Repr, Scalar, StructField};

fn build(ty: &T, values: &[Scalar]) -> Column {
    let mut b = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| b.append(v).unwrap());
    b.finish()
}

fn values(c: &Column) -> Vec<Scalar> {
    (0..c.len()).map(|i| c.scalar(i)).collect()
}

fn ints(ty: &T, v: &[Option<i64>]) -> Column {
    build(
        ty,
        &v.iter()
            .map(|v| v.map_or(Scalar::Null, |v| Scalar::from_i128(ty, i128::from(v)).unwrap()))
            .collect::<Vec<_>>(),
    )
}

fn strings(v: &[Option<&str>]) -> Column {
    build(&T::varchar(), &v.iter().map(|v| v.map_or(Scalar::Null, Scalar::from)).collect::<Vec<_>>())
}

fn dict_column(codes: Vec<Option<u8>>, entries: &[&str]) -> Column {
    let dict = Dict::new(BinaryViewArray::from_iter_values(entries.iter().map(|s| s.as_bytes())), true);
    Column::dict(Arc::new(UInt8Array::from(codes)), dict, T::varchar())
}

const LONG: &str = "a string of more than twelve bytes";

/// One column of every kind, three rows, NULL in the middle where the form allows it.
fn zoo() -> Vec<Column> {
    let decimal = |w| T::decimal_of(w, 9, 2);
    let list = Scalar::Array(vec![Scalar::Int(1), Scalar::Null, Scalar::Int(3)]);
    let row = T::Struct(vec![StructField::new("a", T::Int), StructField::new("b", T::varchar())]);
    let row_value = Scalar::Struct(vec![("a".into(), Scalar::Int(7)), ("b".into(), LONG.into())]);
    let map = Scalar::Map(vec![(Scalar::Int(1), "x".into()), (Scalar::Int(2), Scalar::Null)]);
    let mut out = vec![
        Column::null(T::Int, 3),
        Column::constant(Scalar::Int(5), T::Int, 3),
        Column::constant(LONG.into(), T::varchar(), 3),
        Column::narrow(Arc::new(Int8Array::from(vec![Some(1), None, Some(-3)])), Bounds::new(-3, 1), T::BigInt),
        Column::narrow(Arc::new(Int32Array::from(vec![100, 200, 300])), Bounds::new(0, 400), T::decimal(15, 2)),
        dict_column(vec![Some(1), None, Some(0)], &["a", LONG]),
        strings(&[Some("x"), None, Some(LONG)]),
        build(&T::Boolean, &[Scalar::Boolean(true), Scalar::Null, Scalar::Boolean(false)]),
        build(&T::Float, &[Scalar::Float(1.5), Scalar::Null, Scalar::Float(-2.0)]),
        build(&T::Double, &[Scalar::Double(1.5), Scalar::Null, Scalar::Double(f64::NAN)]),
        build(&T::Date, &[Scalar::Date(1), Scalar::Null, Scalar::Date(-5)]),
        build(&T::Datetime, &[Scalar::Datetime(1), Scalar::Null, Scalar::Datetime(-5)]),
        build(&T::LargeInt, &[Scalar::LargeInt(i128::MAX), Scalar::Null, Scalar::LargeInt(-5)]),
        build(
            &T::decimal_of(DecimalWidth::W256, 50, 3),
            &[Scalar::Decimal256(i256::MAX, 50, 3), Scalar::Null, Scalar::Decimal256(i256::ONE, 50, 3)],
        ),
        build(&T::array(T::Int), &[list, Scalar::Null, Scalar::Array(vec![])]),
        build(&row, &[row_value.clone(), Scalar::Null, row_value]),
        build(&T::map(T::Int, T::varchar()), &[map, Scalar::Null, Scalar::Map(vec![])]),
    ];
    for w in [DecimalWidth::W32, DecimalWidth::W64, DecimalWidth::W128] {
        out.push(build(&decimal(w), &[Scalar::Decimal(150, 9, 2), Scalar::Null, Scalar::Decimal(-1, 9, 2)]));
    }
    out
}

#[test]
fn selection_and_concat_keep_values() {
    for c in zoo() {
        let v = values(&c);
        assert_eq!(values(&c.flatten()), v, "{:?}", c.repr());
        assert_eq!(values(&c.gather(&[2, 0, 1, 2])), [2, 0, 1, 2].map(|i: usize| v[i].clone()));
        assert_eq!(values(&c.gather_opt(&[1, u32::MAX, 0])), vec![v[1].clone(), Scalar::Null, v[0].clone()]);
        assert_eq!(values(&c.filter(&BooleanBuffer::from(vec![true, false, true]))), vec![v[0].clone(), v[2].clone()]);
        assert_eq!(values(&c.slice(1, 2)), v[1..]);
        let twice = Column::concat(&[c.slice(1, 2), c.clone(), c.slice(0, 0)]);
        assert_eq!(values(&twice), [&v[1..], &v[..]].concat());
        let mixed = Column::concat(&[Column::null(c.ty().clone(), 1), c.clone(), c.flatten()]);
        assert_eq!(values(&mixed), [&[Scalar::Null][..], &v, &v].concat());
        assert!(c.memory_size() > 0);
    }
}

#[test]
fn concat_keeps_cheap_forms() {
    let d = dict_column(vec![Some(1), Some(0)], &["a", "b"]);
    assert!(matches!(Column::concat(&[d.clone(), Column::null(T::varchar(), 1), d]).repr(), Repr::Dict { .. }));
    let a = ints(&T::BigInt, &[Some(1), Some(2)]).narrowed();
    let b = ints(&T::BigInt, &[Some(1000), None]).narrowed();
    let c = Column::concat(&[a, b]);
    assert_eq!(c.bounds(), Some(Bounds::new(1, 1000)));
    assert!(matches!(c.ints_i64(), Some(crate::IntView::I16(_))));
    let one = Column::constant(Scalar::Int(5), T::Int, 2);
    assert!(Column::concat(&[one.clone(), one]).is_const());
}

#[test]
fn strings_share_and_compact_buffers() {
    let c = strings(&[Some(LONG), Some("b"), Some(LONG)]);
    let joined = Column::concat(&[c.gather(&[0, 1]), c.gather(&[2]), c.slice(1, 2)]);
    let other = strings(&[Some("another string of more than twelve")]);
    let joined = Column::concat(&[other, joined]);
    assert_eq!(joined.scalar(1), LONG.into());
    let big = strings(&vec![Some(LONG); 8000]).gather(&[17]);
    assert!(big.clone().compact_if_sparse().memory_size() <= big.memory_size());
    assert_eq!(big.compact_if_sparse().scalar(0), LONG.into());
}

#[test]
fn equal_values_hash_equal_in_every_form() {
    let hash = |c: &Column| {
        let (mut out, mut buckets) = (Vec::new(), Vec::new());
        hash_columns(std::slice::from_ref(c), c.len(), 42, &mut out);
        bucket_hash(std::slice::from_ref(c), c.len(), &mut buckets);
        (out, buckets)
    };
    for c in zoo() {
        let flat = c.flatten();
        assert_eq!(hash(&c), hash(&flat), "{:?}", c.repr());
        let narrow = flat.narrowed();
        assert_eq!(hash(&narrow), hash(&flat));
        for i in 0..c.len() {
            let one = Column::constant(c.scalar(i), c.ty().clone(), 1);
            assert_eq!(hash(&one).0[0], hash(&flat).0[i]);
            assert_eq!(hash(&one).1[0], hash(&flat).1[i]);
        }
    }
    // Across integer widths for the executor's hash.
    let a = hash(&ints(&T::Int, &[Some(-7), None])).0;
    assert_eq!(a, hash(&ints(&T::BigInt, &[Some(-7), None])).0);
    assert_eq!(a, hash(&ints(&T::LargeInt, &[Some(-7), None])).0);
}

#[test]
fn bucket_hash_is_chained_crc() {
    assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
    let reference = |seed: u32, b: &[u8]| {
        let mut h = crc32fast::Hasher::new_with_initial(seed);
        h.update(b);
        h.finalize()
    };
    for n in 0..300 {
        let b: Vec<u8> = (0..n).map(|i| (i * 7) as u8).collect();
        assert_eq!(crc32(99, &b), reference(99, &b));
    }
    let cols = [ints(&T::Int, &[Some(1), None]), strings(&[Some("ab"), Some("cd")])];
    let mut out = Vec::new();
    bucket_hash(&cols, 2, &mut out);
    assert_eq!(out[0], reference(reference(0, &1_i32.to_le_bytes()), b"ab"));
    assert_eq!(out[1], reference(reference(0, &[0; 4]), b"cd"));
}

#[test]
fn order_with_nulls_and_directions() {
    let c = ints(&T::Int, &[Some(1), None, Some(2)]);
    let narrow = c.narrowed();
    assert!(compare_rows(&c, 0, &narrow, 2, true, false).is_lt());
    assert!(compare_rows(&c, 0, &narrow, 2, true, true).is_gt());
    assert!(compare_rows(&c, 1, &narrow, 0, true, true).is_lt());
    assert!(compare_rows(&c, 1, &narrow, 0, false, false).is_gt());
    let d = dict_column(vec![Some(0), Some(1), None], &["a", "b"]);
    let s = strings(&[Some("b"), Some("a"), Some("aa")]);
    assert!(compare_rows(&d, 0, &s, 1, true, false).is_eq());
    assert!(compare_rows(&d, 1, &s, 2, true, false).is_gt());
    let a = build(&T::array(T::Int), &[Scalar::Array(vec![Scalar::Null]), Scalar::Array(vec![Scalar::Int(0)])]);
    assert!(compare_rows(&a, 0, &a, 1, true, false).is_lt());
    let f =
        build(&T::Double, &[Scalar::Double(f64::NAN), Scalar::Double(1.0), Scalar::Double(-0.0), Scalar::Double(0.0)]);
    assert!(compare_rows(&f, 0, &f, 1, true, false).is_gt());
    assert!(compare_rows(&f, 2, &f, 3, true, false).is_eq());
    assert_eq!(SortOrder::ASC, SortOrder { descending: false, nulls_first: true });
}

#[test]
fn chunks_survive_the_wire() {
    let chunk = Chunk::new(zoo(), 3);
    let bytes = chunk.to_ipc();
    let back = Chunk::from_ipc(bytes.clone()).unwrap();
    assert_eq!(back.rows(), 3);
    for (a, b) in chunk.columns().iter().zip(back.columns()) {
        assert_eq!(a.ty(), b.ty());
        assert_eq!(values(a), values(b));
        assert_eq!(std::mem::discriminant(a.repr()), std::mem::discriminant(b.repr()));
        assert_eq!(a.bounds(), b.bounds());
    }
    let sliced = Chunk::from_ipc(chunk.slice(1, 2).to_ipc()).unwrap();
    for (a, b) in chunk.columns().iter().zip(sliced.columns()) {
        assert_eq!(values(&a.slice(1, 2)), values(b));
    }
    // One dictionary for all chunks of a stream.
    let again = Chunk::from_ipc(bytes.clone()).unwrap();
    let id = |c: &Chunk| c.columns().iter().find_map(|c| c.dict_parts().map(|(_, d)| d.id())).unwrap();
    assert_eq!(id(&back), id(&again));
    let empty = Chunk::from_ipc(Chunk::new(vec![], 77).to_ipc()).unwrap();
    assert_eq!((empty.rows(), empty.width()), (77, 0));
    // Any damage is an error or other values, never a panic.
    for i in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[i] ^= 0x55;
        if let Ok(c) = Chunk::from_ipc(Bytes::from(damaged)) {
            c.columns().iter().for_each(|c| {
                if c.len() < 1000 {
                    values(c);
                }
            });
        }
        assert!(Chunk::from_ipc(bytes.slice(..i)).is_err());
    }
}

#[test]
fn nested_parts_round_trip() {
    for c in zoo() {
        if let Some(p) = c.array_parts() {
            assert_eq!(values(&Column::from_array_parts(p.offsets, p.values, p.nulls).unwrap()), values(&c));
        }
        if let Some(p) = c.map_parts() {
            assert_eq!(values(&Column::from_map_parts(p.offsets, p.keys, p.values, p.nulls).unwrap()), values(&c));
        }
        if let Some(children) = c.struct_children() {
            assert!(children[0].is_null(1));
            let back = Column::from_struct_children(c.ty().clone(), children, c.nulls(), c.len()).unwrap();
            assert_eq!(values(&back), values(&c));
        }
    }
}
