//! What every encoding owes: the values that went in come out, bit by bit, and a damaged payload is an error or other values, never
//! a crash.

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, Float32Array, Float64Array, Int64Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use common_base::Rng;
use proptest::prelude::*;

use super::array::{decode, encode, encode_with};
use super::fsst::Encoder;
use super::node::{Encoding, read_node};

fn round_trip(array: &dyn Array, symbols: Option<&Encoder>) -> (Encoding, ArrayRef, Vec<u8>) {
    let mut body = Vec::new();
    let encoding = encode_with(array, symbols, &mut body).unwrap();
    let mut at = 0;
    let node = read_node(&Buffer::from_slice_ref(&body), &mut at).unwrap();
    assert_eq!(at, body.len(), "a node ends where it says");
    (encoding, decode(&node, array.data_type()).unwrap(), body)
}

fn floats() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        8 => (-1_000_000i64..1_000_000).prop_map(|v| Some(v as f64 / 100.0)),
        1 => any::<f64>().prop_map(Some),
        1 => prop_oneof![Just(-0.0), Just(f64::NAN), Just(f64::INFINITY), Just(f64::MIN_POSITIVE)].prop_map(Some),
        1 => Just(None),
    ];
    prop::collection::vec(value, 0..600)
}

fn strings() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    let value = prop_oneof![
        6 => "(http://|the |quick |brown |fox |é|日本){0,9}[a-z0-9]{0,3}".prop_map(|s| Some(s.into_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Some),
        1 => Just(None),
    ];
    prop::collection::vec(value, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn integers(values in prop_oneof![
        prop::collection::vec(any::<i64>(), 0..700),
        prop::collection::vec(-300i64..300, 0..700),
        (any::<i64>(), 1i64..2_000_000, prop::collection::vec(0i64..1000, 1..700))
            .prop_map(|(base, unit, v)| v.into_iter().map(|v| base.wrapping_add(v.wrapping_mul(unit))).collect()),
        prop::collection::vec((any::<i32>(), 1usize..40), 0..60)
            .prop_map(|runs| runs.into_iter().flat_map(|(v, n)| std::iter::repeat_n(i64::from(v), n)).collect()),
    ], nulls in any::<u64>()) {
        let array: Int64Array = values.iter().enumerate().map(|(i, v)| (nulls >> (i % 64) & 7 != 0).then_some(*v)).collect();
        for array in [array, Int64Array::from(values)] {
            let (_, found, _) = round_trip(&array, None);
            prop_assert_eq!(found.as_primitive::<Int64Type>(), &array);
        }
    }

    #[test]
    fn doubles(values in floats()) {
        let array = Float64Array::from(values);
        let (_, found, _) = round_trip(&array, None);
        let bits = |a: &Float64Array| a.iter().map(|v| v.map(f64::to_bits)).collect::<Vec<_>>();
        prop_assert_eq!(bits(found.as_primitive::<Float64Type>()), bits(&array));
    }

    #[test]
    fn singles(values in floats()) {
        let array: Float32Array = values.into_iter().map(|v| v.map(|v| v as f32)).collect();
        let (_, found, _) = round_trip(&array, None);
        let bits = |a: &Float32Array| a.iter().map(|v| v.map(f32::to_bits)).collect::<Vec<_>>();
        prop_assert_eq!(bits(found.as_primitive::<Float32Type>()), bits(&array));
    }

    #[test]
    fn texts(values in strings(), trained_on in strings()) {
        let array: BinaryViewArray = values.iter().map(|v| v.as_deref()).collect();
        // A table trained elsewhere must do as well: a column has one for all pages.
        for sample in [&values, &trained_on] {
            let symbols = Encoder::train(sample.iter().flatten().map(Vec::as_slice));
            let (_, found, _) = round_trip(&array, symbols.as_ref());
            prop_assert_eq!(found.as_binary_view(), &array);
        }
    }
}

#[test]
fn the_shape_of_the_data_picks_the_encoding() {
    let prices: Float64Array = (0..2000).map(|i| Some(f64::from(i * 7919 % 100_000) / 100.0)).collect();
    let (encoding, _, body) = round_trip(&prices, None);
    assert_eq!(encoding, Encoding::Alp);
    assert!(body.len() * 3 < 2000 * 8, "{} bytes", body.len());
    let mut rng = Rng::from_seed(1);
    let noise: Float64Array = (0..2000).map(|_| Some(rng.next_f64())).collect();
    assert_eq!(round_trip(&noise, None).0, Encoding::Fixed);
    let seconds: Int64Array = (0..2000i64).map(|i| Some(1_600_000_000_000_000 + i * 7919 % 3600 * 1_000_000)).collect();
    let (encoding, _, body) = round_trip(&seconds, None);
    assert_eq!(encoding, Encoding::For);
    assert!(body.len() < 2048 * 2, "{} bytes", body.len());
    let texts: Vec<String> = (0..2000).map(|i| format!("http://example.org/{}/page?id={i}", i * 7919 % 100)).collect();
    let symbols = Encoder::train(texts.iter().map(String::as_bytes)).unwrap();
    let (encoding, _, body) = round_trip(&BinaryViewArray::from_iter_values(texts.iter().map(String::as_bytes)), Some(&symbols));
    assert_eq!(encoding, Encoding::Fsst);
    assert!(body.len() * 3 < texts.iter().map(String::len).sum(), "{} bytes", body.len());
}

#[test]
fn damage_behind_the_checksum_does_not_crash() {
    let texts: Vec<String> = (0..600).map(|i| format!("item {} of {}", i % 37, i * 7919 % 1000)).collect();
    let texts = BinaryViewArray::from_iter_values(texts.iter().map(String::as_bytes));
    let symbols = Encoder::train((0..texts.len()).map(|i| texts.value(i)));
    let prices: Float64Array = (0..600).map(|i| Some(f64::from(i * 7919 % 10_000) / 100.0)).collect();
    let arrays: [(&dyn Array, Option<&Encoder>); 2] = [(&texts, symbols.as_ref()), (&prices, None)];
    let mut rng = Rng::from_seed(2);
    for (array, symbols) in arrays {
        let mut body = Vec::new();
        encode_with(array, symbols, &mut body).unwrap();
        for _ in 0..4000 {
            let mut bad = body.clone();
            for _ in 0..rng.range(1..4) {
                let at = rng.range(0..bad.len() as u64) as usize;
                bad[at] = rng.next_u64() as u8;
            }
            bad.truncate(bad.len() - rng.range(0..3) as usize * 16);
            // The number of rows is checked before a page is decoded.
            if let Ok(node) = read_node(&Buffer::from_slice_ref(&bad), &mut 0)
                && node.head.rows == 600
                && let Ok(found) = decode(&node, array.data_type())
            {
                assert_eq!(found.len(), 600);
            }
        }
    }
    let mut body = Vec::new();
    encode(&prices, &mut body).unwrap();
    assert_eq!(decode(&read_node(&body.into(), &mut 0).unwrap(), &DataType::Float64).unwrap().as_primitive::<Float64Type>(), &prices);
}
