//! What every index owes: with it and without it a scan gives the same rows; and it does spare reading where it can.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::buffer::BooleanBuffer;
use common_base::fs::MemFs;
use common_base::{MemTracker, Rng};
use common_expr::predicate::{Bound, ColumnPredicate, CompareOp, PredicateKind};
use common_types::{Column, ColumnBuilder, LogicalType, Scalar};

use crate::*;

const ROWS: usize = 8000;
const PAGE: usize = 512;

fn specs() -> Vec<IndexSpec> {
    vec![
        IndexSpec::Bloom { false_positives: 0.05 },
        IndexSpec::Ngram { len: 3, false_positives: 0.05, ignore_case: false },
        IndexSpec::Ngram { len: 2, false_positives: 0.01, ignore_case: true },
        IndexSpec::Bitmap,
    ]
}

fn column(ty: LogicalType, make: impl FnMut(usize) -> Scalar) -> (LogicalType, Vec<Scalar>) {
    (ty, (0..ROWS).map(make).collect())
}

/// Columns in which pages differ, so that there is something to prune.
fn columns() -> Vec<(LogicalType, Vec<Scalar>)> {
    let mut nulls = Rng::from_seed(16);
    let mut some = move |v: Scalar| if nulls.chance(0.05) { Scalar::Null } else { v };
    let mut r = Rng::from_seed(17);
    let mut pick = move |n: u64| r.range(0..n);
    let mut words = Rng::from_seed(18);
    let mut word = move |i: usize| {
        let part = |k: u64| ["ash", "Birch", "cedar", "Elm", "fir", "größe", "日本", "x"][(k % 8) as usize];
        let tail = words.range(0..4000) + (i / PAGE) as u64 * 4000;
        format!("{} {}%{}_{}", part(words.range(0..8)), part(words.range(0..3) + (i / PAGE) as u64), part(words.range(0..8)), tail)
    };
    vec![
        column(LogicalType::Int, |i| some(Scalar::Int((pick(900) as i32) * 7 + (i / PAGE % 3) as i32))),
        column(LogicalType::BigInt, |_| Scalar::BigInt(pick(1 << 40) as i64)),
        column(LogicalType::LargeInt, |_| some(Scalar::LargeInt(i128::from(pick(3000)) << 60))),
        column(LogicalType::varchar(), |i| some(Scalar::string(word(i)))),
        column(LogicalType::varchar(), |i| some(Scalar::string(format!("g{}", pick(40) + (i / PAGE) as u64 * 3)))),
        column(LogicalType::decimal(12, 2), |_| some(Scalar::Decimal(i128::from(pick(100_000)), 12, 2))),
        column(LogicalType::Date, |i| if i < 600 { Scalar::Null } else { some(Scalar::Date(9000 + pick(300) as i32)) }),
        column(LogicalType::varchar(), |i| some(Scalar::string([b"ab\x80".as_slice(), b"\xffcd", b"abcd", b""][(pick(4) as usize + i / PAGE) % 4]))),
        column(LogicalType::Datetime, |_| some(Scalar::Datetime(pick(500) as i64 * 1_000_000))),
    ]
}

fn segment(columns: &[(LogicalType, Vec<Scalar>)], indexes: &[IndexSpec]) -> Arc<Segment> {
    let fs = MemFs::new();
    let spec = |(i, (ty, _)): (usize, &(LogicalType, Vec<Scalar>))| ColumnSpec {
        uid: i as u64 + 1,
        name: format!("c{i}"),
        ty: ty.clone(),
        nullable: true,
        indexes: indexes.to_vec(),
    };
    let options = EncodeOptions { compression: Compression::Lz4, page_rows: PAGE, flat_json: None };
    let mut writer = SegmentWriter::create(&fs, Path::new("/s"), columns.iter().enumerate().map(spec).collect(), options).unwrap();
    for (ty, values) in columns {
        let build = |values: &[Scalar]| {
            let mut builder = ColumnBuilder::new(ty, values.len());
            values.iter().for_each(|v| builder.append(v).unwrap());
            builder.finish()
        };
        writer.write_column(&values.chunks(PAGE).map(build).collect::<Vec<Column>>()).unwrap();
    }
    writer.finish(SortKeys::default()).unwrap();
    Segment::open(&fs, Path::new("/s"), &SegmentOptions { cache: PageCache::new(64 << 20, MemTracker::root("cache", 0)) }).unwrap()
}

/// A condition on the column made of values that occur, and of some that do not.
fn condition(values: &[Scalar], rng: &mut Rng, depth: usize) -> PredicateKind {
    let text = values.iter().any(|v| v.as_bytes().is_some());
    let value = |rng: &mut Rng| loop {
        let found = &values[rng.range(0..ROWS as u64) as usize];
        match found {
            Scalar::Null => {}
            Scalar::Int(v) if rng.chance(0.4) => return Scalar::Int(v + 3),
            Scalar::String(_) if rng.chance(0.3) => return Scalar::string(format!("Elm {}", rng.range(0..9999))),
            _ => return found.clone(),
        }
    };
    let sorted = |rng: &mut Rng, n: u64| {
        let mut out: Vec<Scalar> = (0..n).map(|_| value(rng)).collect();
        out.sort_by(|a, b| common_types::compare::compare_scalars(a, b));
        out.dedup();
        out
    };
    match rng.range(0..if depth > 1 { 6 } else { 9 }) {
        0 | 1 => PredicateKind::Compare { op: CompareOp::Eq, value: value(rng) },
        2 => PredicateKind::In { values: sorted(rng, 4), negated: rng.chance(0.2) },
        3 if text => {
            let text = value(rng);
            let text = text.as_bytes().unwrap();
            let (from, len) = (rng.range(0..text.len() as u64 + 1) as usize, rng.range(0..8) as usize);
            let mut pattern = b"%".to_vec();
            pattern.extend_from_slice(&text[from..(from + len).min(text.len())]);
            pattern.extend_from_slice([b"%".as_slice(), b"_%", b"\\%%", b""][rng.range(0..4) as usize]);
            PredicateKind::Like { pattern, negated: rng.chance(0.1) }
        }
        3 => PredicateKind::IsNull,
        4 => {
            let ops = [CompareOp::Lt, CompareOp::Ge, CompareOp::Ne, CompareOp::Le, CompareOp::Gt];
            PredicateKind::Compare { op: ops[rng.range(0..5) as usize], value: value(rng) }
        }
        5 => {
            let ends = sorted(rng, 2);
            let bound = |v: &Scalar, inclusive| Some(Bound { value: v.clone(), inclusive });
            PredicateKind::Range { low: bound(&ends[0], rng.chance(0.5)), high: bound(&ends[ends.len() - 1], rng.chance(0.5)) }
        }
        6 => PredicateKind::All((0..2).map(|_| condition(values, rng, depth + 1)).collect()),
        7 => PredicateKind::Any((0..2).map(|_| condition(values, rng, depth + 1)).collect()),
        _ => PredicateKind::IsNull,
    }
}

fn rows(segment: &Arc<Segment>, spec: ScanSpec, window: std::ops::Range<u32>) -> Vec<Vec<Scalar>> {
    let mut out = Vec::new();
    for chunk in segment.scan(Arc::new(spec), window).unwrap() {
        let chunk = chunk.unwrap();
        out.extend((0..chunk.rows()).map(|row| chunk.columns().iter().map(|c| c.scalar(row)).collect::<Vec<_>>()));
    }
    out
}

#[test]
fn pruning_never_loses_a_row() {
    let mut rng = Rng::from_seed(3);
    let columns = columns();
    let plain = segment(&columns, &[]);
    let all = specs();
    let (mut bloom, mut ngram, mut bitmap) = (0, 0, 0);
    for indexes in [&all[..1], &all[1..2], &all[2..3], &all[3..], &all[..]] {
        let indexed = segment(&columns, indexes);
        indexed.verify().unwrap();
        for round in 0..400 {
            let filters: Vec<usize> = (0..rng.range(1..3)).map(|_| rng.range(0..columns.len() as u64) as usize).collect();
            let predicates: Vec<ColumnPredicate> =
                filters.iter().map(|c| ColumnPredicate::new(*c as u32, columns[*c].0.clone(), condition(&columns[*c].1, &mut rng, 0))).collect();
            let live = (round % 4 == 0).then(|| BooleanBuffer::collect_bool(ROWS, |i| i % 5 != 2));
            let start = rng.range(0..ROWS as u64 / 2) as u32;
            let window = if round % 3 == 0 { start..start + 3000 } else { 0..ROWS as u32 };
            let spec = |metrics: &Arc<ScanMetrics>| ScanSpec {
                columns: columns.iter().enumerate().map(|(i, (ty, _))| ScanColumn::Stored(i, ty.clone())).collect(),
                output: (0..columns.len()).collect(),
                filters: predicates.iter().map(|p| ScanFilter::new(p.column as usize, Arc::new(p.clone()))).collect(),
                live: live.clone(),
                metrics: metrics.clone(),
                ..Default::default()
            };
            let metrics = Arc::new(ScanMetrics::default());
            let wanted = rows(&plain, spec(&Arc::default()), window.clone());
            let found = rows(&indexed, spec(&metrics), window.clone());
            assert_eq!(found, wanted, "{indexes:?} {predicates:?} {window:?}");
            bloom += metrics.bloom_rows.load(Ordering::Relaxed);
            ngram += metrics.ngram_rows.load(Ordering::Relaxed);
            bitmap += metrics.bitmap_rows.load(Ordering::Relaxed);
        }
    }
    assert!(bloom > 1000 && ngram > 1000 && bitmap > 1000, "bloom {bloom} ngram {ngram} bitmap {bitmap}");
}

#[test]
fn wider_types_find_what_narrower_ones_wrote() {
    let columns = [column(LogicalType::Int, |i| Scalar::Int((i * 7919 % 5000) as i32))];
    for index in specs() {
        let segment = segment(&columns, &[index]);
        let predicate = ColumnPredicate::new(0, LogicalType::BigInt, PredicateKind::Compare { op: CompareOp::Eq, value: Scalar::BigInt(4711) });
        let spec = ScanSpec {
            columns: vec![ScanColumn::Stored(0, LogicalType::BigInt)],
            output: vec![0],
            filters: vec![ScanFilter::new(0, Arc::new(predicate))],
            ..Default::default()
        };
        let wanted = columns[0].1.iter().filter(|v| v.as_i64() == Some(4711)).count();
        assert_eq!(rows(&segment, spec, 0..ROWS as u32).len(), wanted, "{index:?}");
    }
}
