//! Sample files of every format version, written once by the build that introduced it and kept for ever: this build reads them all.
//!
//! After raising [`CURRENT`](crate::version::CURRENT): extend [`columns`] with what the version adds, run
//! `cargo test -p be_segment --release write_the_sample -- --ignored`, add the file to [`SAMPLES`] and to git, and never touch it again.

use std::path::Path;
use std::sync::Arc;

use common_base::fs::{FileSystem, MemFs};
use common_base::{ErrorCode, MemTracker};
use common_expr::predicate::{ColumnPredicate, CompareOp, PredicateKind};
use common_types::{Column, ColumnBuilder, LogicalType, Scalar, StructField};

use crate::*;

/// The files by version.
const SAMPLES: &[(u32, &[u8])] = &[
    (1, include_bytes!("../frozen/v1.seg")),
    (2, include_bytes!("../frozen/v2.seg")),
    // Also version 2: the same with indexes, which came a little later.
    (2, include_bytes!("../frozen/v2_indexes.seg")),
    (3, include_bytes!("../frozen/v3.seg")),
];
const ROWS: usize = 1200;
const PAGE: usize = 512;

/// A number without order that is the same for ever.
fn noise(i: usize) -> u64 {
    let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 7
}

/// What the sample of a version holds.
fn columns(version: u32) -> Vec<(LogicalType, Vec<Scalar>)> {
    let column = |ty: LogicalType, value: &dyn Fn(usize) -> Scalar| (ty, (0..ROWS).map(value).collect::<Vec<_>>());
    let some = |i: usize, v: Scalar| if i % 11 == 3 { Scalar::Null } else { v };
    let text = |s: String| Scalar::string(s);
    let fields = vec![StructField::new("a", LogicalType::Int), StructField::new("b", LogicalType::varchar())];
    let mut columns = vec![
        column(LogicalType::Int, &|i| Scalar::Int(i as i32 * 3)),
        column(LogicalType::BigInt, &|i| some(i, Scalar::BigInt(noise(i) as i64))),
        column(LogicalType::SmallInt, &|i| Scalar::SmallInt((i / 100) as i16 % 5)),
        column(LogicalType::TinyInt, &|_| Scalar::TinyInt(-7)),
        column(LogicalType::Int, &|_| Scalar::Null),
        column(LogicalType::LargeInt, &|i| Scalar::LargeInt(i128::from(noise(i)) << 40)),
        column(LogicalType::Boolean, &|i| some(i, Scalar::Boolean(noise(i) % 2 == 0))),
        column(LogicalType::Date, &|i| Scalar::Date(9000 + i as i32 / 7)),
        column(LogicalType::Datetime, &|i| Scalar::Datetime(1_600_000_000_000_000 + (noise(i) % 100_000) as i64 * 1_000_000)),
        column(LogicalType::decimal(15, 2), &|i| some(i, Scalar::Decimal(i128::from(noise(i) % 50) * 100, 15, 2))),
        column(LogicalType::Double, &|i| some(i, Scalar::Double((noise(i) % 100_000) as f64 / 100.0))),
        column(LogicalType::Float, &|_| Scalar::Float(1.5)),
        column(LogicalType::varchar(), &|i| some(i, text(format!("city {}", noise(i) % 20)))),
        column(LogicalType::varchar(), &|i| text(format!("https://example.org/path/{}/item?id={i}", noise(i) % 1000))),
        column(LogicalType::array(LogicalType::Int), &|i| {
            some(i, Scalar::Array((0..i % 3).map(|v| Scalar::Int(v as i32)).collect()))
        }),
        column(LogicalType::Struct(fields.clone()), &|i| {
            Scalar::Struct(vec![("a".into(), Scalar::Int(i as i32)), ("b".into(), text(format!("b{}", i % 9)))])
        }),
        column(LogicalType::map(LogicalType::Int, LogicalType::varchar()), &|i| {
            Scalar::Map((0..i % 2).map(|k| (Scalar::Int(k as i32), text("v".into()))).collect())
        }),
    ];
    if version >= 2 {
        columns.extend([
            column(LogicalType::Float, &|i| Scalar::Float((noise(i) % 1000) as f32 / 8.0)),
            column(LogicalType::Double, &|i| some(i, if i % 97 == 5 { Scalar::Double(f64::INFINITY) } else { Scalar::Double(noise(i) as f64 / 3.0) })),
            column(LogicalType::varchar(), &|i| {
                some(i, text(format!("{} in the {} {}", ["lamp", "chair", "table"][i % 3], ["kitchen", "garden"][i / 3 % 2], noise(i) % 100_000)))
            }),
        ]);
    }
    if version >= 3 {
        let json = |text: String| Scalar::Json(text.into_bytes().into());
        columns.extend([
            column(LogicalType::Json, &|i| {
                let rare = if i % 40 == 7 { ", \"rare\": [1, {}]" } else { "" };
                let sometimes = if i % 3 == 0 { "null".to_owned() } else { (noise(i) % 1000).to_string() };
                let share = (noise(i) % 100) as f64 / 8.0 + 0.0625;
                some(i, json(format!(r#"{{"a": {i}, "b": "né {}", "c": {{"d": {share}, "e": {{}}}}, "m": {}{rare}, "s": {sometimes}}}"#, i % 9, i % 2 == 0)))
            }),
            column(LogicalType::Json, &|i| json(if i % 2 == 0 { format!(r#"{{"mixed": {}}}"#, i % 5) } else { format!(r#"{{"mixed": "{i}"}}"#) })),
            column(LogicalType::Json, &|i| json(format!("[{i}, true]"))),
            column(LogicalType::array(LogicalType::varchar()), &|i| {
                some(i, Scalar::Array((0..i % 4).map(|v| text(format!("a word of the page {}", noise(i + v) % 6))).collect()))
            }),
            column(LogicalType::map(LogicalType::varchar(), LogicalType::array(LogicalType::varchar())), &|i| {
                let links = (0..2).map(|v| text(format!("https://example.org/{}/page/{i}", noise(v) % 3))).collect();
                Scalar::Map(vec![(text(format!("key {}", i % 3)), Scalar::Array(links))])
            }),
        ]);
    }
    columns
}

fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::Bloom { false_positives: 0.05 },
        IndexSpec::Ngram { len: 3, false_positives: 0.05, ignore_case: true },
        IndexSpec::Ngram { len: 10, false_positives: 0.05, ignore_case: false },
        IndexSpec::Bitmap,
    ]
}

fn build(ty: &LogicalType, values: &[Scalar]) -> Column {
    let mut builder = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| builder.append(v).unwrap());
    builder.finish()
}

fn open(bytes: &[u8]) -> common_base::Result<Arc<Segment>> {
    let fs = MemFs::new();
    let path = Path::new("/sample");
    let mut file = fs.create(path)?;
    file.append(bytes)?;
    file.sync()?;
    Segment::open(&fs, path, &SegmentOptions { cache: PageCache::new(1 << 20, MemTracker::root("cache", 0)) })
}

#[test]
#[ignore = "writes the sample of the current version"]
fn write_the_sample() {
    let fs = MemFs::new();
    let path = Path::new("/sample");
    let columns = columns(version::CURRENT);
    let specs = columns
        .iter()
        .enumerate()
        .map(|(i, (ty, _))| ColumnSpec { uid: i as u64 + 1, name: format!("c{i}"), ty: ty.clone(), nullable: true, indexes: if *ty == LogicalType::Json { Vec::new() } else { indexes() } })
        .collect();
    let mut writer = SegmentWriter::create(&fs, path, specs, EncodeOptions { compression: Compression::Lz4, page_rows: PAGE, flat_json: Some(FlatJson::default()) }).unwrap();
    for (ty, values) in &columns {
        writer.write_column(&values.chunks(PAGE).map(|v| build(ty, v)).collect::<Vec<_>>()).unwrap();
    }
    let mut keys = SortKeys { columns: vec![0], short_columns: 1, min: vec![1], max: vec![2], ..Default::default() };
    keys.index.push(b"first");
    keys.index.push(b"second");
    writer.finish(keys).unwrap();
    let file = fs.open_read(path).unwrap();
    let bytes = file.read_vec_at(0, file.len().unwrap() as usize).unwrap();
    std::fs::write(format!("{}/frozen/v{}.seg", env!("CARGO_MANIFEST_DIR"), version::CURRENT), bytes).unwrap();
}

#[test]
fn every_version_is_readable() {
    assert_eq!(SAMPLES.last().unwrap().0, version::CURRENT, "the current version has a sample");
    for (version, bytes) in SAMPLES {
        let segment = open(bytes).unwrap();
        for (c, (ty, wanted)) in columns(*version).iter().enumerate() {
            let mut found = Vec::new();
            for page in 0..segment.pages() {
                let page = segment.page(c, page).unwrap();
                found.extend((0..page.len()).map(|row| page.scalar(row)));
            }
            assert_eq!(&found, wanted, "version {version} column {c} {ty}");
        }
        assert_eq!(segment.sort_columns(), [0]);
        assert!(segment.short_keys().unwrap().is_some());
    }
}

#[test]
fn indexes_of_old_files_still_name_every_row() {
    let segment = open(SAMPLES[2].1).unwrap();
    assert!(segment.columns().iter().filter(|c| c.indexes.len() == 4).count() > 5);
    for (c, (ty, values)) in columns(2).into_iter().enumerate().filter(|(c, _)| !segment.columns()[*c].indexes.is_empty()) {
        for wanted in values.iter().step_by(53).filter(|v| !v.is_null()) {
            let kind = PredicateKind::Compare { op: CompareOp::Eq, value: wanted.clone() };
            let metrics = Arc::new(ScanMetrics::default());
            let spec = ScanSpec {
                columns: vec![ScanColumn::Stored(c, ty.clone())],
                output: vec![0],
                filters: vec![ScanFilter::new(0, Arc::new(ColumnPredicate::new(0, ty.clone(), kind)))],
                metrics: metrics.clone(),
                ..Default::default()
            };
            let found: usize = segment.scan(Arc::new(spec), 0..ROWS as u32).unwrap().map(|chunk| chunk.unwrap().rows()).sum();
            assert_eq!(found, values.iter().filter(|v| *v == wanted).count(), "column {c} {wanted:?}");
        }
    }
}

#[test]
fn a_flipped_byte_is_noticed_wherever_it_is() {
    for (version, bytes) in SAMPLES {
        for at in (0..bytes.len()).step_by(61) {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x10;
            let outcome = open(&damaged).and_then(|segment| segment.verify());
            // The first 16 bytes are looked at by none but the verification.
            let error = outcome.expect_err("a flipped byte is an error");
            assert!(
                matches!(error.code(), ErrorCode::Corruption | ErrorCode::NotSupported),
                "version {version} byte {at}: {error}"
            );
        }
    }
}
