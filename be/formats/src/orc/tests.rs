//! What we write and what others write is read back: types, NULLs, several stripes, columns by name; extremes tell which stripes matter;
//! damaged files are errors.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::Schema,
};
use common_base::Rng;
use common_base::fs::{FileSystem, MemFs};
use common_types::{Chunk, Column, ColumnBuilder, DecimalWidth, LogicalType, Scalar, StructField};
use orc_rust::ArrowWriterBuilder;
use proto_messages::{fragment::FileSink, plan::FileFormat};

use super::{OrcEncoder, OrcFile};
use crate::{
    arrow_in::{FileField, ToLocal},
    columnar::ColumnarFile,
    encode::{FileEncoder, FileLayout},
};

fn utc() -> ToLocal {
    Arc::new(|us| us)
}

/// A file of the library with a stripe for each batch.
fn written_by_library(fs: &MemFs, path: &Path, batches: &[RecordBatch]) {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriterBuilder::new(&mut bytes, batches[0].schema()).try_build().unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
        writer.flush_stripe().unwrap();
    }
    writer.close().unwrap();
    fs.create(path).unwrap().append(&bytes).unwrap();
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<_> = columns.iter().map(|(n, a)| arrow::datatypes::Field::new(*n, a.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, a)| a).collect()).unwrap()
}

fn sample(from: i32) -> RecordBatch {
    batch(vec![
        ("i", Arc::new(Int32Array::from(vec![Some(from), None, Some(from + 2)]))),
        ("Big", Arc::new(Int64Array::from(vec![None, Some(i64::from(from)), Some(i64::MIN)]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("f", Arc::new(Float64Array::from(vec![0.5, -1.0, 1e300]))),
        ("d", Arc::new(Date32Array::from(vec![Some(from), Some(0), None]))),
        ("s", Arc::new(StringArray::from(vec![Some("x"), None, Some("ein längerer Text über zwölf Bytes")]))),
    ])
}

fn rows(file: &OrcFile, columns: &[FileField]) -> Vec<Vec<Scalar>> {
    let mut out = Vec::new();
    (0..file.groups()).for_each(|group| out.extend(rows_of(file, group, columns)));
    out
}

fn rows_of(file: &OrcFile, group: usize, columns: &[FileField]) -> Vec<Vec<Scalar>> {
    let mut out = Vec::new();
    let mut reader = file.read(group, columns, &utc()).unwrap();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        out.extend((0..chunk.rows()).map(|row| chunk.columns().iter().map(|c| c.scalar(row)).collect::<Vec<_>>()));
    }
    out
}

#[test]
fn stripes_come_back() {
    let (fs, path) = (MemFs::new(), Path::new("/f.orc"));
    written_by_library(&fs, path, &[sample(10), sample(20)]);
    let file = OrcFile::open(fs.open_read(path).unwrap(), "f").unwrap();
    let fields = file.fields().unwrap();
    let types: Vec<(String, LogicalType)> = fields.iter().map(|f| (f.name.clone(), f.ty.clone())).collect();
    let text = LogicalType::Varchar(Some(1_048_576));
    let expected = [
        ("i", LogicalType::Int),
        ("Big", LogicalType::BigInt),
        ("b", LogicalType::Boolean),
        ("f", LogicalType::Double),
        ("d", LogicalType::Date),
        ("s", text.clone()),
    ];
    assert_eq!(types, expected.map(|(n, ty)| (n.to_owned(), ty)));
    assert_eq!((file.groups(), file.rows(0), file.rows(1)), (2, 3, 3));
    assert!(file.middle(0) < file.middle(1));
    let stripe = |from: i32| {
        vec![
            vec![Scalar::Int(from), Scalar::Null, Scalar::Boolean(true), Scalar::Double(0.5), Scalar::Date(from), Scalar::string("x")],
            vec![Scalar::Null, Scalar::BigInt(from.into()), Scalar::Boolean(false), Scalar::Double(-1.0), Scalar::Date(0), Scalar::Null],
            vec![
                Scalar::Int(from + 2),
                Scalar::BigInt(i64::MIN),
                Scalar::Null,
                Scalar::Double(1e300),
                Scalar::Null,
                Scalar::string("ein längerer Text über zwölf Bytes"),
            ],
        ]
    };
    assert_eq!(rows(&file, &fields), [stripe(10), stripe(20)].concat());
    let field = |name: &str, ty| FileField { name: name.into(), ty };
    let some = rows(&file, &[field("s", text.clone()), field("none", LogicalType::Int), field("BIG", text), field("i", LogicalType::TinyInt)]);
    assert_eq!(some[4], [Scalar::Null, Scalar::Null, Scalar::string("20"), Scalar::Null]);
    assert_eq!(rows(&file, &[]), vec![Vec::<Scalar>::new(); 6]);
}

#[test]
fn damaged_files_are_errors() {
    let (fs, path) = (MemFs::new(), Path::new("/f.orc"));
    written_by_library(&fs, path, &[sample(1)]);
    let whole = fs.read(path).unwrap();
    for cut in [0, 1, 3, whole.len() / 2, whole.len() - 1] {
        let path = Path::new("/cut");
        fs.create(path).unwrap().append(&whole[..cut]).unwrap();
        assert!(OrcFile::open(fs.open_read(path).unwrap(), "cut").is_err(), "{cut} of {} bytes", whole.len());
    }
}

/// A file that the C++ library wrote, with ZLIB and statistics: 12,000 rows numbered by `id`, in which every seventh from the third on is
/// NULL but for its number.
#[test]
fn files_of_another_writer() {
    let (fs, path) = (MemFs::new(), Path::new("/f.orc"));
    fs.create(path).unwrap().append(include_bytes!("../../samples/written_by_orc_cpp.orc")).unwrap();
    let file = OrcFile::open(fs.open_read(path).unwrap(), "f").unwrap();
    let fields = file.fields().unwrap();
    let types: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, f.ty)).collect();
    expect_test::expect![[r#"
        [
            "id bigint",
            "small tinyint",
            "amount decimal64(12, 2)",
            "ratio double",
            "day date",
            "at datetime",
            "instant datetime",
            "word varchar",
            "raw varbinary",
            "ok boolean",
            "list array<int>",
            "map map<varchar,bigint>",
            "pair struct<a int, b varchar>",
        ]
    "#]].assert_debug_eq(&types);
    let all = rows(&file, &fields);
    assert_eq!(all.len(), 12_000);
    for (i, row) in all.iter().enumerate() {
        assert_eq!(row[0], Scalar::BigInt(i as i64));
        assert_eq!(row[1..].iter().all(Scalar::is_null), i % 7 == 3, "row {i}");
    }
    expect_test::expect![[r#"
        [
            BigInt(
                5,
            ),
            TinyInt(
                -45,
            ),
            Decimal(
                -4965,
                12,
                2,
            ),
            Double(
                0.625,
            ),
            Date(
                18267,
            ),
            Datetime(
                18004000005,
            ),
            Datetime(
                1717200300000000,
            ),
            String(
                b"oak and a longer name",
            ),
            Binary(
                b"\x05\0\xff",
            ),
            Boolean(
                false,
            ),
            Array(
                [
                    Int(
                        5,
                    ),
                    Null,
                ],
            ),
            Map(
                [
                    (
                        String(
                            b"k",
                        ),
                        BigInt(
                            5,
                        ),
                    ),
                ],
            ),
            Struct(
                [
                    (
                        "a",
                        Int(
                            5,
                        ),
                    ),
                    (
                        "b",
                        String(
                            b"5",
                        ),
                    ),
                ],
            ),
        ]
    "#]].assert_debug_eq(&all[5]);
    // What the writer says of its stripes is true, and tells them apart.
    assert!(file.groups() > 1);
    for group in 0..file.groups() {
        let zone = |name: &str, ty: &LogicalType| file.zone(group, name, ty, &utc()).unwrap();
        let ids = rows_of(&file, group, &fields[..1]);
        let (first, last) = (ids[0][0].clone(), ids[ids.len() - 1][0].clone());
        let id = zone("ID", &LogicalType::BigInt);
        assert_eq!((id.min, id.max, id.nulls, id.rows), (first, last, 0, ids.len() as u64));
        let word = zone("word", &fields[7].ty);
        assert_eq!((word.min, word.max), (Scalar::string("ash"), Scalar::string("oak and a longer name")));
        assert!(word.nulls > 0 && word.nulls < word.rows);
        let day = zone("day", &LogicalType::Date);
        assert!(matches!((day.min, day.max), (Scalar::Date(min), Scalar::Date(max)) if min < max));
        assert!(zone("ratio", &LogicalType::Double).min.is_null());
    }
}

/// Flipped bytes give errors or other values, never a panic that gets out or an endless read.
#[test]
fn flipped_bytes_do_no_harm() {
    let whole = include_bytes!("../../samples/written_by_orc_cpp.orc");
    let mut rng = Rng::from_seed(5);
    let (fs, path) = (MemFs::new(), Path::new("/flipped.orc"));
    for _ in 0..200 {
        let mut bytes = whole.to_vec();
        for _ in 0..1 + rng.index(4) {
            // Half of them in the footer, which is what the rest is found by.
            let len = bytes.len();
            let at = if rng.chance(0.5) { rng.index(len) } else { len - 1 - rng.index(2000) };
            bytes[at] ^= 1 << rng.index(8);
        }
        fs.create(path).unwrap().append(&bytes).unwrap();
        let Ok(file) = OrcFile::open(fs.open_read(path).unwrap(), "flipped") else { continue };
        let Ok(fields) = file.fields() else { continue };
        for group in 0..file.groups() {
            fields.iter().for_each(|f| drop(file.zone(group, &f.name, &f.ty, &utc())));
            let Ok(mut reader) = file.read(group, &fields, &utc()) else { continue };
            while let Ok(Some(_)) = reader.next_chunk() {}
        }
    }
}

fn column(ty: &LogicalType, values: &[Scalar]) -> Column {
    let mut builder = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| builder.append(v).unwrap());
    builder.finish()
}

fn chunk(types: &[LogicalType], rows: &[Vec<Scalar>]) -> Chunk {
    let values = |i: usize| rows.iter().map(|r| r[i].clone()).collect::<Vec<_>>();
    Chunk::new(types.iter().enumerate().map(|(i, ty)| column(ty, &values(i))).collect(), rows.len())
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("c{i}")).collect()
}

/// A file of ours with a stripe for each list of chunks.
fn written(types: &[LogicalType], stripes: &[Vec<Chunk>], compression: &str) -> OrcFile {
    let (fs, path) = (MemFs::new(), Path::new("/f.orc"));
    let mut encoder: Box<dyn FileEncoder> = Box::new(OrcEncoder::new(fs.create(path).unwrap(), &numbered(types.len()), types, compression).unwrap());
    for stripe in stripes {
        for chunk in stripe {
            encoder.write(chunk).unwrap();
        }
        encoder.flush().unwrap();
        assert_eq!(encoder.buffered(), 0);
    }
    let bytes = encoder.finish().unwrap();
    assert_eq!(fs.len(path).unwrap(), bytes);
    OrcFile::open(fs.open_read(path).unwrap(), "f").unwrap()
}

/// Rows under the types they were written with.
fn rows_as(file: &OrcFile, types: &[LogicalType]) -> Vec<Vec<Scalar>> {
    let fields: Vec<FileField> = file.fields().unwrap().into_iter().zip(types).map(|(f, ty)| FileField { name: f.name, ty: ty.clone() }).collect();
    assert_eq!(fields.len(), types.len());
    rows(file, &fields)
}

/// Types with two values each.
fn samples() -> Vec<(LogicalType, [Scalar; 2])> {
    use LogicalType as T;
    let decimal = |width, precision, scale| T::Decimal { width, precision, scale };
    let text = || T::Varchar(Some(1_048_576));
    let pair = || T::Struct(vec![StructField::new("a", T::Int), StructField::new("b", T::array(text()))]);
    vec![
        (T::Boolean, [Scalar::Boolean(true), Scalar::Boolean(false)]),
        (T::TinyInt, [Scalar::TinyInt(-128), Scalar::TinyInt(127)]),
        (T::SmallInt, [Scalar::SmallInt(i16::MIN), Scalar::SmallInt(i16::MAX)]),
        (T::Int, [Scalar::Int(i32::MIN), Scalar::Int(i32::MAX)]),
        (T::BigInt, [Scalar::BigInt(i64::MIN), Scalar::BigInt(i64::MAX)]),
        (T::LargeInt, [Scalar::LargeInt(-(10_i128.pow(37))), Scalar::LargeInt(1)]),
        (T::Float, [Scalar::Float(1.5), Scalar::Float(-0.25)]),
        (T::Double, [Scalar::Double(1e300), Scalar::Double(0.1)]),
        (decimal(DecimalWidth::W64, 10, 2), [Scalar::Decimal(-12345, 10, 2), Scalar::Decimal(1, 10, 2)]),
        (decimal(DecimalWidth::W128, 38, 6), [Scalar::Decimal(10_i128.pow(37), 38, 6), Scalar::Decimal(-1, 38, 6)]),
        (T::Date, [Scalar::Date(-719_528), Scalar::Date(19_000)]),
        (T::Datetime, [Scalar::Datetime(-62_135_596_799_999_999), Scalar::Datetime(1_709_210_096_789_120)]),
        (text(), [Scalar::string(""), Scalar::string("ein längerer Text über zwölf Bytes, 柱")]),
        (T::Varbinary(Some(1_048_576)), [Scalar::Binary(vec![0, 255, 7].into()), Scalar::Binary(vec![].into())]),
        (T::array(T::Int), [Scalar::Array(vec![Scalar::Int(1), Scalar::Null, Scalar::Int(3)]), Scalar::Array(vec![])]),
        (
            T::map(text(), T::array(T::BigInt)),
            [
                Scalar::Map(vec![(Scalar::string("k"), Scalar::Array(vec![Scalar::BigInt(9)])), (Scalar::string("l"), Scalar::Null)]),
                Scalar::Map(vec![]),
            ],
        ),
        (
            pair(),
            [
                Scalar::Struct(vec![("a".into(), Scalar::Int(1)), ("b".into(), Scalar::Null)]),
                Scalar::Struct(vec![("a".into(), Scalar::Null), ("b".into(), Scalar::Array(vec![Scalar::string("x"), Scalar::Null]))]),
            ],
        ),
        (
            T::array(pair()),
            [Scalar::Array(vec![Scalar::Struct(vec![("a".into(), Scalar::Int(5)), ("b".into(), Scalar::Null)]), Scalar::Null]), Scalar::Array(vec![])],
        ),
    ]
}

#[test]
fn every_type_we_write_comes_back() {
    let samples = samples();
    let types: Vec<LogicalType> = samples.iter().map(|(ty, _)| ty.clone()).collect();
    let row = |kind: usize| samples.iter().map(|(_, v)| if kind == 2 { Scalar::Null } else { v[kind].clone() }).collect::<Vec<_>>();
    // A stripe with NULLs between, one in two chunks the first of which has none, one of NULLs only, and one without.
    let stripes = [vec![vec![row(0), row(2), row(1)]], vec![vec![row(1), row(0)], vec![row(2), row(2), row(0)]], vec![vec![row(2); 9]], vec![vec![row(1)]]];
    let expected: Vec<Vec<Scalar>> = stripes.iter().flatten().flatten().cloned().collect();
    for compression in ["", "uncompressed", "snappy", "gzip", "lz4", "zstd"] {
        let chunks: Vec<Vec<Chunk>> = stripes.iter().map(|s| s.iter().map(|rows| chunk(&types, rows)).collect()).collect();
        let file = written(&types, &chunks, compression);
        for (field, ty) in file.fields().unwrap().iter().zip(&types) {
            let own = if *ty == LogicalType::LargeInt { LogicalType::decimal(38, 0) } else { ty.clone() };
            assert_eq!(field.ty, own, "{}", field.name);
        }
        assert_eq!((0..file.groups()).map(|g| file.rows(g)).collect::<Vec<_>>(), [3, 5, 9, 1]);
        assert_eq!(rows_as(&file, &types), expected, "{compression}");
    }
}

#[test]
fn files_without_rows() {
    for compression in ["uncompressed", "zstd"] {
        let types = [LogicalType::Int, LogicalType::array(LogicalType::Date)];
        let file = written(&types, &[], compression);
        assert_eq!(file.groups(), 0);
        assert_eq!(file.fields().unwrap().into_iter().map(|f| f.ty).collect::<Vec<_>>(), types);
    }
}

/// Numbers as columns have them: steps, outliers, repetitions, every magnitude; under each integer type, with and without NULLs.
#[test]
fn integers_of_every_shape_come_back() {
    let mut rng = Rng::from_seed(11);
    for round in 0..60 {
        let count = 1 + rng.index(3000);
        let (spread, rare) = (rng.range(0..64), rng.range(0..64));
        let start = rng.next_u64() as i64 >> rng.range(0..64);
        let nulls = if round % 3 == 0 { 0.2 } else { 0.0 };
        let mut last = start;
        let values: Vec<Option<i64>> = (0..count)
            .map(|i| {
                let random = |rng: &mut Rng, shift: u64| rng.next_u64() as i64 >> (63 - shift);
                last = match round % 6 {
                    0 => start.wrapping_add(i as i64 * (spread as i64 - 32)),
                    1 => last.wrapping_add(random(&mut rng, spread).unsigned_abs() as i64 >> 12),
                    2 if rng.chance(0.7) => last,
                    3 if rng.chance(0.06) => random(&mut rng, rare),
                    3 => random(&mut rng, 4),
                    4 if rng.chance(0.9) => start,
                    _ => random(&mut rng, spread),
                };
                (!rng.chance(nulls)).then_some(last)
            })
            .collect();
        let types = [LogicalType::SmallInt, LogicalType::Int, LogicalType::BigInt, LogicalType::TinyInt, LogicalType::Date, LogicalType::Datetime];
        let rows: Vec<Vec<Scalar>> = values
            .iter()
            .map(|v| {
                let Some(v) = *v else { return vec![Scalar::Null; types.len()] };
                // Years 1 to 9999, without the second the format does not have.
                let time = v.rem_euclid(253_402_300_800_000_000 + 62_135_596_800_000_000) - 62_135_596_800_000_000;
                let time = if (-1_000_000..0).contains(&time) { 0 } else { time };
                vec![
                    Scalar::SmallInt(v as i16),
                    Scalar::Int(v as i32),
                    Scalar::BigInt(v),
                    Scalar::TinyInt(v as i8),
                    Scalar::Date((v.rem_euclid(3_652_059) - 719_162) as i32),
                    Scalar::Datetime(time),
                ]
            })
            .collect();
        let file = written(&types, &[rows.chunks(700).map(|part| chunk(&types, part)).collect()], "uncompressed");
        assert_eq!(rows_as(&file, &types), rows, "round {round}");
        let known: Vec<i64> = values.iter().flatten().copied().collect();
        let zone = file.zone(0, "c2", &LogicalType::BigInt, &utc()).unwrap();
        let bound = |v: Option<&i64>| v.map_or(Scalar::Null, |v| Scalar::BigInt(*v));
        assert_eq!((zone.min, zone.max), (bound(known.iter().min()), bound(known.iter().max())));
        assert_eq!((zone.nulls, zone.rows), ((count - known.len()) as u64, count as u64));
    }
}

/// The library's own writer panics on such numbers: most are small, and a few take more than 24 bits.
#[test]
fn outliers_come_back() {
    let types = [LogicalType::BigInt];
    let values = [1, 3, 2, 5, 4, 7, 6, 9, 8, 10_000_000_000];
    let rows: Vec<Vec<Scalar>> = values.iter().map(|v| vec![Scalar::BigInt(*v)]).collect();
    assert_eq!(rows_as(&written(&types, &[vec![chunk(&types, &rows)]], "zstd"), &types), rows);
}

#[test]
fn extremes_we_write() {
    let text = LogicalType::Varchar(Some(1_048_576));
    let types = [LogicalType::TinyInt, text.clone(), LogicalType::Date, LogicalType::Double];
    let stripe = |from: i32| {
        let row = |i: i32| {
            let text = if i % 2 == 0 { Scalar::string(format!("t{i:04}")) } else { Scalar::Null };
            vec![Scalar::TinyInt(i as i8), text, Scalar::Date(i), Scalar::Double(i.into())]
        };
        vec![chunk(&types, &(from..from + 10).map(row).collect::<Vec<_>>())]
    };
    let long = Scalar::string("x".repeat(2000));
    let unbounded = vec![chunk(&types, &[vec![Scalar::Null, long, Scalar::Null, Scalar::Null]])];
    let file = written(&types, &[stripe(-5), stripe(100), unbounded], "zstd");
    let zone = |group, name: &str, ty: &LogicalType| file.zone(group, name, ty, &utc()).unwrap();
    let small = zone(0, "c0", &LogicalType::Int);
    assert_eq!((small.min, small.max, small.nulls, small.rows), (Scalar::Int(-5), Scalar::Int(4), 0, 10));
    let words = zone(1, "c1", &text);
    assert_eq!((words.min, words.max, words.nulls), (Scalar::string("t0100"), Scalar::string("t0108"), 5));
    let days = zone(0, "c2", &LogicalType::Date);
    assert_eq!((days.min, days.max), (Scalar::Date(-5), Scalar::Date(4)));
    assert!(zone(0, "c3", &LogicalType::Double).min.is_null());
    // Too long to be noted, and nothing but NULLs.
    let (long, none) = (zone(2, "c1", &text), zone(2, "c0", &LogicalType::TinyInt));
    assert!(long.max.is_null() && none.min.is_null());
    assert_eq!((long.nulls, none.nulls, none.rows), (0, 1, 1));
}

#[test]
fn stripes_end_by_themselves() {
    let types = [LogicalType::Int];
    let rows = vec![vec![Scalar::Int(7)]; 1 << 16];
    let same = chunk(&types, &rows);
    let file = written(&types, &[vec![same; 17]], "uncompressed");
    assert_eq!((file.groups(), file.rows(0), file.rows(1)), (2, 1 << 20, 1 << 16));
}

fn refusal(types: &[LogicalType], compression: &str) -> String {
    let format = FileFormat {
        kind: "orc".into(),
        columns: numbered(types.len()),
        types: types.iter().map(common_types::wire::type_to_proto).collect(),
        ..FileFormat::default()
    };
    let sink = FileSink { format: Some(format), compression: compression.into(), ..FileSink::default() };
    let columns: Vec<usize> = (0..types.len()).collect();
    FileLayout::new(&sink, &columns).unwrap_err().message().to_owned()
}

#[test]
fn what_the_format_cannot_hold_is_refused_before_there_is_a_file() {
    let wide = LogicalType::decimal(60, 3);
    let expected = format!("column 'c1' of type {wide} cannot be written to an ORC file: parquet files can hold it");
    assert_eq!(refusal(&[LogicalType::Int, wide.clone()], "zstd"), expected);
    let nested = LogicalType::array(wide);
    assert_eq!(refusal(&[nested.clone()], ""), format!("column 'c0' of type {nested} cannot be written to an ORC file: parquet files can hold it"));
    assert_eq!(refusal(&[LogicalType::Hll], ""), format!("column 'c0': columns of type {} cannot be written to files", LogicalType::Hll));
    assert_eq!(refusal(&[LogicalType::Int], "lzo"), "unsupported compression codec 'lzo': it is one of uncompressed, gzip, snappy, zstd, lz4");
}

/// The second before 1970 is lost in the format but for its first millisecond.
#[test]
fn times_the_format_does_not_have_are_errors() {
    let types = [LogicalType::Datetime];
    let fs = MemFs::new();
    for (us, held) in [(-999_000, false), (-1, false), (0, true), (-999_001, true), (-1_000_000, true), (-1_000_001, true), (-500_000_001, true)] {
        let rows = [vec![Scalar::Datetime(us)]];
        let mut encoder = OrcEncoder::new(fs.create(Path::new("/t")).unwrap(), &numbered(1), &types, "").unwrap();
        let answer = encoder.write(&chunk(&types, &rows));
        assert_eq!(answer.is_ok(), held, "{us}");
        match answer {
            Ok(()) => assert_eq!(rows_as(&written(&types, &[vec![chunk(&types, &rows)]], ""), &types), rows),
            Err(e) => assert!(e.message().starts_with("column 'c0': times between"), "{e}"),
        }
    }
}
