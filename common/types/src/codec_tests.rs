//! Keys, protobuf, type names, sketches.

use bytes::Bytes;

use crate::bitmap::Bitmap;
use crate::compare::{SortOrder, compare_rows};
use crate::hll::Hll;
use crate::key_codec::{decode_key, encode_keys, encode_row, encode_scalars};
use crate::percentile::Percentile;
use crate::{Column, ColumnBuilder, LogicalType as T, Scalar, StructField, wire};

fn build(ty: &T, values: &[Scalar]) -> Column {
    let mut b = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| b.append(v).unwrap());
    b.finish()
}

#[test]
fn keys_keep_the_order() {
    let samples = [
        build(&T::Int, &[Scalar::Int(-5), Scalar::Null, Scalar::Int(7), Scalar::Int(i32::MIN), Scalar::Int(0)]),
        build(&T::varchar(), &["a\0b".into(), "a".into(), Scalar::Null, "".into(), "a\0".into(), "ab".into()]),
        build(
            &T::Double,
            &[Scalar::Double(-1.5), Scalar::Double(2.0), Scalar::Double(0.0), Scalar::Null, Scalar::Double(-9e9)],
        ),
        build(&T::LargeInt, &[Scalar::LargeInt(i128::MIN), Scalar::LargeInt(3), Scalar::LargeInt(i128::MAX)]),
        build(&T::decimal(10, 2), &[Scalar::Decimal(5, 10, 2), Scalar::Decimal(-5, 10, 2), Scalar::Null]),
        build(&T::Date, &[Scalar::Date(5), Scalar::Date(-5)]),
        build(&T::Boolean, &[Scalar::Boolean(true), Scalar::Boolean(false), Scalar::Null]),
    ];
    for c in &samples {
        for order in [SortOrder::ASC, SortOrder::DESC, SortOrder { descending: true, nulls_first: true }] {
            let keys = encode_keys(std::slice::from_ref(c), &[order], c.len()).unwrap();
            let narrow = encode_keys(&[c.narrowed()], &[order], c.len()).unwrap();
            for i in 0..c.len() {
                assert_eq!(keys.get(i), narrow.get(i));
                let one = encode_keys(&[c.slice(i, 1)], &[order], 1).unwrap();
                assert_eq!(keys.get(i), one.get(0));
                for j in 0..c.len() {
                    let want = compare_rows(c, i, c, j, order.nulls_first, order.descending);
                    assert_eq!(keys.get(i).cmp(keys.get(j)), want, "{} {i} {j}", c.ty());
                }
            }
        }
        for i in 0..c.len() {
            let mut key = Vec::new();
            encode_row(std::slice::from_ref(c), i, &mut key);
            let value = c.scalar(i);
            assert_eq!(decode_key(&key, std::slice::from_ref(c.ty())).unwrap(), vec![value.clone()]);
            let mut again = Vec::new();
            encode_scalars([(&value, c.ty())], &mut again).unwrap();
            assert_eq!(key, again);
        }
    }
    assert!(decode_key(&[1, 0], &[T::Int]).is_err());
}

#[test]
fn types_and_values_as_messages() {
    let row = T::Struct(vec![
        StructField::new("a", T::array(T::decimal(20, 3))),
        StructField::new("b", T::map(T::Int, T::Json)),
    ]);
    let types = [
        T::Null,
        T::Char(3),
        T::varchar(),
        T::string(),
        T::decimal_narrowest(5, 2),
        T::Varbinary(Some(4)),
        T::Hll,
        row,
    ];
    for ty in &types {
        assert_eq!(&wire::type_from_proto(&wire::type_to_proto(ty)).unwrap(), ty);
    }
    let value = Scalar::Struct(vec![
        ("a".into(), Scalar::Array(vec![Scalar::Decimal(5, 20, 3), Scalar::Null])),
        ("b".into(), Scalar::Map(vec![(Scalar::Int(1), Scalar::Json(Bytes::from_static(b"null")))])),
    ]);
    let message = wire::scalar_to_proto(&value, &types[7]);
    assert_eq!(wire::scalar_from_proto(&message).unwrap(), value);
    for s in [
        Scalar::Null,
        Scalar::TinyInt(-3),
        Scalar::LargeInt(i128::MIN),
        Scalar::Time(1.5),
        "x".into(),
        Scalar::Boolean(true),
    ] {
        assert_eq!(wire::scalar_from_proto(&wire::scalar_to_proto(&s, &s.ty())).unwrap(), s);
    }
    let mut bad = wire::type_to_proto(&T::decimal(10, 2));
    bad.scale = 11;
    assert!(wire::type_from_proto(&bad).is_err());
}

#[test]
fn type_names() {
    let row = T::Struct(vec![StructField::new("a", T::Int), StructField::new("b", T::string())]);
    assert_eq!(row.sql_name(), "struct<a int(11), b varchar(65533)>");
    assert_eq!(T::map(T::Varchar(Some(20)), T::Int).sql_name(), "map<varchar(20),int(11)>");
    assert_eq!(T::decimal(10, 2).sql_name(), "decimal(10, 2)");
    assert_eq!(T::decimal(10, 2).to_string(), "decimal64(10, 2)");
    assert_eq!(row.to_string(), "struct<a int, b varchar>");
    assert_eq!(T::array(T::array(T::Int)).nesting_depth(), 2);
}

#[test]
fn bitmaps() {
    let mut a: Bitmap = (0..20).collect();
    let b: Bitmap = (10..5000).collect();
    for x in [&a, &b, &Bitmap::new(), &Bitmap::of(u64::MAX)] {
        assert_eq!(&Bitmap::deserialize(&x.serialize()).unwrap(), x);
    }
    assert_eq!(a.intersection_len(&b), 10);
    a.union_with(&b);
    assert_eq!(a.len(), 5000);
    a.subtract(&b);
    assert_eq!(a.to_string(), "0,1,2,3,4,5,6,7,8,9");
    a.xor_with(&(9..11).collect());
    assert_eq!(a.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]);
    a.intersect_with(&b);
    assert_eq!((a.min(), a.max()), (Some(10), Some(10)));
    assert!(Bitmap::deserialize(&[9]).is_err());
    assert!(Bitmap::deserialize(&[2, 1, 2, 3]).is_err());
}

#[test]
fn hyperloglog() {
    let mut all = Hll::new();
    let mut half = Hll::new();
    for i in 0..100_000_u64 {
        all.insert(&i.to_le_bytes());
        if i % 2 == 0 {
            half.insert(&i.to_le_bytes());
        }
    }
    let close = |got: u64, want: f64| (got as f64 - want).abs() / want < 0.03;
    assert!(close(all.estimate(), 100_000.0), "{}", all.estimate());
    assert!(close(half.estimate(), 50_000.0), "{}", half.estimate());
    let mut few = Hll::new();
    (0..100_u64).for_each(|i| few.insert(&i.to_le_bytes()));
    assert_eq!(few.estimate(), 100);
    let mut sparse = few.clone();
    (0..1000_u64).for_each(|i| sparse.insert(&i.to_le_bytes()));
    assert!(close(sparse.estimate(), 1000.0), "{}", sparse.estimate());
    for h in [&all, &few, &sparse, &Hll::new()] {
        assert_eq!(&Hll::deserialize(&h.serialize()).unwrap(), h);
    }
    half.merge(&all);
    assert_eq!(half, all);
    assert!(Hll::deserialize(&[3, 1]).is_err());
}

#[test]
fn percentiles() {
    let mut p = Percentile::default();
    let mut parts = [Percentile::default(), Percentile::default()];
    for i in 0..100_000 {
        let v = f64::from(i * 7919 % 100_000);
        p.insert(v);
        parts[i as usize % 2].insert(v);
    }
    let mut merged = Percentile::deserialize(&parts[0].serialize()).unwrap();
    merged.merge(&parts[1]);
    for q in [0.0, 0.01, 0.5, 0.9, 0.999, 1.0] {
        for d in [&mut p, &mut merged] {
            let got = d.quantile(q).unwrap();
            assert!((got - q * 100_000.0).abs() < 150.0, "{q}: {got}");
        }
    }
    assert_eq!(Percentile::default().quantile(0.5), None);
    let mut three = Percentile::default();
    [1.0, 2.0, 3.0].iter().for_each(|&v| three.insert(v));
    assert_eq!(three.quantile(0.5), Some(2.0));
    assert!(Percentile::deserialize(&[1, 2]).is_err());
}
