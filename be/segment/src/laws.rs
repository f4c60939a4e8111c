//! Laws every kind of column obeys: what was written is what is read, whole and in part, filtered or not; damage is noticed.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::buffer::BooleanBuffer;
use common_base::fs::{Fault, FaultRule, FaultyFs, FileSystem, FsOp, MemFs};
use common_base::{ErrorCode, MemTracker, Result, Rng};
use common_expr::eval::Selection;
use common_expr::predicate::{Bound, ColumnPredicate, CompareOp, PredicateKind};
use common_types::{Chunk, Column, ColumnBuilder, DecimalWidth, LogicalType, Repr, Scalar, StructField};

use crate::*;

const ROWS: usize = 10_000;
const PAGE: usize = 1024;

fn cases() -> Vec<(LogicalType, Vec<Scalar>)> {
    let mut rng = Rng::from_seed(5);
    let mut column = |ty: LogicalType, make: &mut dyn FnMut(usize, &mut Rng) -> Scalar| {
        let values = (0..ROWS).map(|i| make(i, &mut rng)).collect();
        (ty, values)
    };
    let text = |s: String| Scalar::string(s);
    vec![
        column(LogicalType::Int, &mut |i, _| Scalar::Int(i as i32 * 3)),
        column(LogicalType::Int, &mut |_, r| if r.chance(0.1) { Scalar::Null } else { Scalar::Int(r.range(0..90) as i32 - 40) }),
        column(LogicalType::BigInt, &mut |_, r| Scalar::BigInt(r.next_u64() as i64)),
        column(LogicalType::BigInt, &mut |i, _| Scalar::BigInt((i as i64 / 50).wrapping_mul(0x9e37_79b9_7f4a) % 1_000_000)),
        column(LogicalType::TinyInt, &mut |_, _| Scalar::TinyInt(7)),
        column(LogicalType::SmallInt, &mut |_, _| Scalar::Null),
        column(LogicalType::LargeInt, &mut |_, r| Scalar::LargeInt(i128::from(r.next_u64()) << 50)),
        column(LogicalType::LargeInt, &mut |i, _| Scalar::LargeInt(i as i128)),
        column(LogicalType::Date, &mut |i, _| Scalar::Date(9000 + i as i32 / 5)),
        column(LogicalType::Datetime, &mut |_, r| Scalar::Datetime(r.range(0..1 << 50) as i64)),
        column(LogicalType::decimal(15, 2), &mut |_, r| Scalar::Decimal(i128::from(r.range(0..5000)), 15, 2)),
        column(LogicalType::decimal(38, 2), &mut |_, r| Scalar::Decimal(i128::from(r.next_u64()) << 40, 38, 2)),
        column(LogicalType::decimal_of(DecimalWidth::W256, 60, 2), &mut |_, r| {
            Scalar::Decimal256(common_types::arrow::datatypes::i256::from_i128(r.next_u64().into()), 60, 2)
        }),
        column(LogicalType::Boolean, &mut |_, r| if r.chance(0.2) { Scalar::Null } else { Scalar::Boolean(r.chance(0.5)) }),
        column(LogicalType::Double, &mut |_, r| if r.chance(0.1) { Scalar::Null } else { Scalar::Double(r.next_f64()) }),
        column(LogicalType::Float, &mut |_, _| Scalar::Float(1.5)),
        column(LogicalType::varchar(), &mut |_, r| if r.chance(0.1) { Scalar::Null } else { text(format!("city {}", r.range(0..50))) }),
        column(LogicalType::varchar(), &mut |_, r| text(format!("a long and unique text {}", r.next_u64()))),
        column(LogicalType::varchar(), &mut |_, r| if r.chance(0.3) { Scalar::Null } else { text(format!("{:x}", r.range(0..1 << 40))) }),
        column(LogicalType::Char(3), &mut |_, _| text("abc".into())),
        column(LogicalType::Json, &mut |i, _| Scalar::Json(format!("{{\"a\": {i}}}").into())),
        column(LogicalType::array(LogicalType::Int), &mut |i, r| {
            if i % 7 == 0 { Scalar::Null } else { Scalar::Array((0..r.range(0..4)).map(|v| Scalar::Int(v as i32)).collect()) }
        }),
        column(
            LogicalType::Struct(vec![StructField::new("a", LogicalType::Int), StructField::new("b", LogicalType::varchar())]),
            &mut |i, _| Scalar::Struct(vec![("a".into(), Scalar::Int(i as i32)), ("b".into(), text(format!("{i}")))]),
        ),
    ]
}

fn build(ty: &LogicalType, values: &[Scalar]) -> Column {
    let mut builder = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| builder.append(v).unwrap());
    builder.finish()
}

fn write(fs: &dyn FileSystem, path: &Path, columns: &[(LogicalType, Vec<Scalar>)]) {
    let specs = columns
        .iter()
        .enumerate()
        .map(|(i, (ty, _))| ColumnSpec { uid: i as u64 + 1, name: format!("c{i}"), ty: ty.clone(), nullable: true, indexes: Vec::new() })
        .collect();
    let options = EncodeOptions { compression: Compression::Lz4, page_rows: PAGE, flat_json: Some(FlatJson::default()) };
    let mut writer = SegmentWriter::create(fs, path, specs, options).unwrap();
    for (ty, values) in columns {
        let pages: Vec<Column> = values.chunks(PAGE).map(|v| build(ty, v)).collect();
        writer.write_column(&pages).unwrap();
    }
    assert_eq!(writer.finish(SortKeys::default()).unwrap().rows as usize, columns[0].1.len());
}

fn options() -> SegmentOptions {
    SegmentOptions { cache: PageCache::new(64 << 20, MemTracker::root("cache", 0)) }
}

fn spec_of(columns: &[(LogicalType, Vec<Scalar>)]) -> ScanSpec {
    let columns: Vec<_> = columns.iter().enumerate().map(|(i, (ty, _))| ScanColumn::Stored(i, ty.clone())).collect();
    ScanSpec { output: (0..columns.len()).collect(), columns, ..Default::default() }
}

fn read(segment: &Arc<Segment>, spec: &ScanSpec, rows: std::ops::Range<u32>) -> Vec<Vec<Scalar>> {
    let mut out = vec![Vec::new(); spec.output.len()];
    for chunk in segment.scan(Arc::new(spec.clone()), rows).unwrap() {
        let chunk = chunk.unwrap();
        assert!(chunk.rows() <= common_types::CHUNK_ROWS);
        for (to, column) in out.iter_mut().zip(chunk.columns()) {
            to.extend((0..column.len()).map(|row| column.scalar(row)));
        }
    }
    out
}

#[test]
fn every_type_round_trips_whole_and_in_part() {
    let fs = MemFs::new();
    let cases = cases();
    write(&fs, Path::new("/s"), &cases);
    let segment = Segment::open(&fs, Path::new("/s"), &options()).unwrap();
    assert_eq!(segment.rows() as usize, ROWS);
    let spec = spec_of(&cases);
    for range in [0..ROWS, 1000..1050, 1023..5121] {
        let found = read(&segment, &spec, range.start as u32..range.end as u32);
        for (i, ((ty, wanted), found)) in cases.iter().zip(&found).enumerate() {
            assert_eq!(found.as_slice(), &wanted[range.clone()], "column {i} {ty}");
        }
    }
    let text = dump::dump(&segment);
    for encoding in ["delta", "run length", "frame of reference", "all null", "constant", "binary", "list", "struct", "bits", "fixed"] {
        assert!(text.contains(encoding), "{encoding} occurs in\n{text}");
    }
}

#[test]
fn columns_travel_narrow_and_statistics_are_exact() {
    let fs = MemFs::new();
    let cases = cases();
    write(&fs, Path::new("/s"), &cases);
    let segment = Segment::open(&fs, Path::new("/s"), &options()).unwrap();
    let Repr::Narrow { ints, bounds } = segment.page(10, 0).unwrap().repr().clone() else { panic!("decimals travel narrow") };
    assert_eq!(*ints.data_type(), arrow::datatypes::DataType::Int16);
    assert!(bounds.min >= 0 && bounds.max < 5000);
    let page = segment.page(16, 0).unwrap();
    let Repr::Dict { codes, dict } = page.repr() else { panic!("few strings make a dictionary") };
    assert_eq!((dict.len(), dict.is_sorted(), codes.data_type()), (50, true, &arrow::datatypes::DataType::UInt8));
    let again = segment.page(16, 1).unwrap();
    assert!(matches!(again.repr(), Repr::Dict { dict: other, .. } if other.id() == dict.id()));
    assert!(segment.page(17, 0).unwrap().to_flat().as_binary_view_opt().is_some());
    for (i, (_, values)) in cases.iter().enumerate() {
        let meta = &segment.columns()[i];
        assert_eq!(meta.nulls as usize, values.iter().filter(|v| v.is_null()).count());
        let distinct: std::collections::HashSet<_> = values.iter().filter(|v| !v.is_null()).collect();
        if !meta.ty().is_nested() {
            let estimate = common_base::hll::HllSketch::from_bytes(&meta.hll).unwrap().estimate();
            assert!((estimate - distinct.len() as f64).abs() <= distinct.len() as f64 * 0.1 + 1.0, "column {i}: {estimate}");
        }
    }
    assert_eq!(segment.columns()[0].max, Some(Scalar::Int((ROWS as i32 - 1) * 3)));
}

#[test]
fn maps_round_trip() {
    let fs = MemFs::new();
    let ty = LogicalType::map(LogicalType::Int, LogicalType::varchar());
    let value = |i: usize| Scalar::Map((0..i % 3).map(|k| (Scalar::Int(k as i32), Scalar::string(format!("v{i}")))).collect());
    let cases = [(ty, (0..3000).map(value).collect::<Vec<_>>())];
    write(&fs, Path::new("/s"), &cases);
    let segment = Segment::open(&fs, Path::new("/s"), &options()).unwrap();
    assert_eq!(read(&segment, &spec_of(&cases), 0..3000)[0], cases[0].1);
}

#[derive(Debug)]
struct Parity(bool);
impl ChunkFilter for Parity {
    fn select(&self, chunk: &Chunk) -> Result<Selection> {
        let column = chunk.column(0);
        let mask = BooleanBuffer::collect_bool(chunk.rows(), |i| (column.scalar(i).as_i64().unwrap() % 2 == 0) == self.0);
        Ok(Selection::from_mask(&mask))
    }
}

#[test]
fn filters_keep_exactly_what_passes() {
    let fs = MemFs::new();
    let cases = cases();
    write(&fs, Path::new("/s"), &cases);
    let segment = Segment::open(&fs, Path::new("/s"), &options()).unwrap();
    let compare = |op, value| PredicateKind::Compare { op, value };
    let filters: Vec<Vec<(usize, PredicateKind)>> = vec![
        vec![(0, compare(CompareOp::Lt, Scalar::Int(3000)))],
        vec![(1, compare(CompareOp::Eq, Scalar::Int(5)))],
        vec![(1, PredicateKind::IsNull)],
        vec![(16, compare(CompareOp::Eq, Scalar::string("city 7")))],
        vec![(16, PredicateKind::In { values: vec![Scalar::string("city 1"), Scalar::string("city 30")], negated: true })],
        vec![(16, PredicateKind::IsNull), (1, PredicateKind::NotNull)],
        vec![(17, PredicateKind::Like { pattern: b"%42%".to_vec(), negated: false }), (1, compare(CompareOp::Gt, Scalar::Int(0)))],
        vec![(
            8,
            PredicateKind::Range { low: Some(Bound { value: Scalar::Date(9100), inclusive: true }), high: Some(Bound { value: Scalar::Date(9110), inclusive: false }) },
        )],
        vec![(4, compare(CompareOp::Ne, Scalar::TinyInt(7)))],
        vec![(19, compare(CompareOp::Eq, Scalar::string("abc"))), (10, compare(CompareOp::Le, Scalar::Decimal(100, 15, 2)))],
    ];
    for (n, filters) in filters.into_iter().enumerate() {
        for residual in [false, true] {
            let predicates: Vec<_> =
                filters.iter().map(|(c, kind)| ColumnPredicate::new(*c as u32, cases[*c].0.clone(), kind.clone())).collect();
            let mut spec = spec_of(&cases);
            spec.filters = predicates.iter().map(|p| ScanFilter::new(p.column as usize, Arc::new(p.clone()))).collect();
            if residual {
                spec.residuals = vec![ScanResidual { columns: vec![3], filter: Arc::new(Parity(true)) }];
            }
            let wanted: Vec<usize> = (500..9000)
                .filter(|row| predicates.iter().all(|p| p.matches(&cases[p.column as usize].1[*row])))
                .filter(|row| !residual || cases[3].1[*row].as_i64().unwrap() % 2 == 0)
                .collect();
            let found = read(&segment, &spec, 500..9000);
            for (i, (_, values)) in cases.iter().enumerate() {
                let wanted: Vec<_> = wanted.iter().map(|row| values[*row].clone()).collect();
                assert_eq!(found[i], wanted, "filter {n} column {i}");
            }
        }
    }
}

#[test]
fn counting_needs_no_column() {
    let fs = MemFs::new();
    write(&fs, Path::new("/s"), &cases()[..1]);
    let segment = Segment::open(&fs, Path::new("/s"), &options()).unwrap();
    let rows: usize = segment.scan(Arc::default(), 0..ROWS as u32).unwrap().map(|c| c.unwrap().rows()).sum();
    assert_eq!(rows, ROWS);
}

#[test]
fn a_flipped_bit_is_named_with_its_place() {
    let fs = FaultyFs::new(Arc::new(MemFs::new()));
    let cases = cases();
    write(&fs, Path::new("/t/s").file_name().map(Path::new).unwrap(), &cases);
    let segment = Segment::open(&fs, Path::new("s"), &options()).unwrap();
    fs.add(FaultRule::new(FsOp::Read, Fault::BitFlip));
    let error = segment.page(2, 3).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Corruption);
    let text = error.to_string();
    assert!(text.contains("checksum") && text.contains("c2") && text.contains("offset"), "{text}");
}
