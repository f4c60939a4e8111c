//! What the library writes is read back: types, NULLs, several stripes, columns by name; damaged files are errors.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::Schema,
};
use common_base::Rng;
use common_base::fs::{FileSystem, MemFs};
use common_types::{LogicalType, Scalar};
use orc_rust::ArrowWriterBuilder;

use super::OrcFile;
use crate::{arrow_in::{FileField, ToLocal}, columnar::ColumnarFile};

fn utc() -> ToLocal {
    Arc::new(|us| us)
}

/// A file with a stripe for each batch.
fn written(fs: &MemFs, path: &Path, batches: &[RecordBatch]) {
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
    written(&fs, path, &[sample(10), sample(20)]);
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
    written(&fs, path, &[sample(1)]);
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
