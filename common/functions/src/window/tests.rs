//! Window functions over one small partition.

use common_expr::window_fn::WindowPartition;
use common_types::{Column, LogicalType as T, Scalar};

use crate::{kernels::ints::from_i64, registry};

/// Peers by equal keys, frames up to the current row.
fn run(name: &str, keys: &[i64], args: &[Column], types: &[T], ignore_nulls: bool) -> Vec<Scalar> {
    let n = keys.len();
    let starts: Vec<u32> = (0..n).map(|i| keys.iter().position(|k| *k == keys[i]).unwrap() as u32).collect();
    let ends: Vec<u32> = (0..n).map(|i| keys.iter().rposition(|k| *k == keys[i]).unwrap() as u32 + 1).collect();
    let frame_starts = vec![0; n];
    let frame_ends: Vec<u32> = (1..=n as u32).collect();
    let p = WindowPartition {
        rows: n,
        args,
        peer_starts: &starts,
        peer_ends: &ends,
        frame_starts: &frame_starts,
        frame_ends: &frame_ends,
        ignore_nulls,
    };
    let call = registry().window(name, types).unwrap();
    let out = (call.function.kernel)(&call, &p).unwrap();
    (0..n).map(|i| out.scalar(i)).collect()
}

fn big(values: &[i64]) -> Vec<Scalar> {
    values.iter().map(|v| Scalar::BigInt(*v)).collect()
}

#[test]
fn ranks() {
    let keys = [1, 1, 2, 3, 3];
    assert_eq!(run("row_number", &keys, &[], &[], false), big(&[1, 2, 3, 4, 5]));
    assert_eq!(run("rank", &keys, &[], &[], false), big(&[1, 1, 3, 4, 4]));
    assert_eq!(run("dense_rank", &keys, &[], &[], false), big(&[1, 1, 2, 3, 3]));
    let cume: Vec<f64> = run("cume_dist", &keys, &[], &[], false).iter().filter_map(Scalar::as_f64).collect();
    assert_eq!(cume, [0.4, 0.4, 0.6, 1.0, 1.0]);
    let n = Column::constant(Scalar::BigInt(2), T::BigInt, 5);
    assert_eq!(run("ntile", &keys, &[n], &[T::BigInt], false), big(&[1, 1, 1, 2, 2]));
}

#[test]
fn neighbours_and_frames() {
    let keys = [1, 2, 3, 4];
    let nulls = Some(vec![true, false, true, true].into());
    let x = from_i64(&T::BigInt, vec![10, 0, 30, 40], nulls);
    let one = Column::constant(Scalar::BigInt(1), T::BigInt, 4);
    let minus = Column::constant(Scalar::BigInt(-1), T::BigInt, 4);
    let three = [T::BigInt, T::BigInt, T::BigInt];
    let args = [x.clone(), one, minus];
    let lead = run("lead", &keys, &args, &three, false);
    assert_eq!(lead, [Scalar::Null, Scalar::BigInt(30), Scalar::BigInt(40), Scalar::BigInt(-1)]);
    assert_eq!(run("lead", &keys, &args, &three, true), big(&[30, 30, 40, -1]));
    assert_eq!(run("lag", &keys, &args, &three, true), big(&[-1, 10, 10, 30]));
    let args = [x];
    let last = run("last_value", &keys, &args, &[T::BigInt], true);
    assert_eq!(last, big(&[10, 10, 30, 40]));
    assert_eq!(run("last_value", &keys, &args, &[T::BigInt], false)[1], Scalar::Null);
    assert_eq!(run("first_value", &keys, &args, &[T::BigInt], false), big(&[10; 4]));
}
