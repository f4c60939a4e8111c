//! What is written is read back: every type, NULLs, several row groups, columns by name; extremes tell which groups matter.

use std::{path::Path, sync::Arc};

use common_base::fs::{FileSystem, MemFs};
use common_types::{Chunk, Column, ColumnBuilder, DecimalWidth, LogicalType, Scalar, StructField, arrow::datatypes::i256};

use super::{ParquetEncoder, ParquetFile};
use crate::{
    arrow_in::{FileField, ToLocal},
    columnar::ColumnarFile,
    encode::FileEncoder,
};

fn utc() -> ToLocal {
    Arc::new(|us| us)
}

fn column(ty: &LogicalType, values: &[Scalar]) -> Column {
    let mut builder = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| builder.append(v).unwrap());
    builder.finish()
}

/// Writes chunks, each its own row group.
fn written(fs: &MemFs, names: &[&str], types: &[LogicalType], chunks: &[Chunk], compression: &str) -> ParquetFile {
    let path = Path::new("/f.parquet");
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut encoder: Box<dyn FileEncoder> = Box::new(ParquetEncoder::new(fs.create(path).unwrap(), &names, types, compression).unwrap());
    for chunk in chunks {
        encoder.write(chunk).unwrap();
        encoder.flush().unwrap();
    }
    let bytes = encoder.finish().unwrap();
    assert_eq!(fs.len(path).unwrap(), bytes);
    ParquetFile::open(fs.open_read(path).unwrap(), "f").unwrap()
}

fn rows(file: &ParquetFile, columns: &[FileField]) -> Vec<Vec<Scalar>> {
    let mut out = Vec::new();
    for group in 0..file.groups() {
        let mut reader = file.read(group, columns, &utc()).unwrap();
        while let Some(chunk) = reader.next_chunk().unwrap() {
            out.extend((0..chunk.rows()).map(|row| chunk.columns().iter().map(|c| c.scalar(row)).collect::<Vec<_>>()));
        }
    }
    out
}

/// Types with two values each.
fn samples() -> Vec<(LogicalType, [Scalar; 2])> {
    use LogicalType as T;
    let decimal = |width, precision, scale| T::Decimal { width, precision, scale };
    vec![
        (T::Boolean, [Scalar::Boolean(true), Scalar::Boolean(false)]),
        (T::TinyInt, [Scalar::TinyInt(-128), Scalar::TinyInt(127)]),
        (T::SmallInt, [Scalar::SmallInt(i16::MIN), Scalar::SmallInt(7)]),
        (T::Int, [Scalar::Int(i32::MIN), Scalar::Int(i32::MAX)]),
        (T::BigInt, [Scalar::BigInt(i64::MIN), Scalar::BigInt(i64::MAX)]),
        (T::LargeInt, [Scalar::LargeInt(-(10_i128.pow(37))), Scalar::LargeInt(1)]),
        (T::Float, [Scalar::Float(1.5), Scalar::Float(-0.25)]),
        (T::Double, [Scalar::Double(1e300), Scalar::Double(0.1)]),
        (decimal(DecimalWidth::W64, 10, 2), [Scalar::Decimal(-12345, 10, 2), Scalar::Decimal(1, 10, 2)]),
        (decimal(DecimalWidth::W128, 38, 6), [Scalar::Decimal(10_i128.pow(37), 38, 6), Scalar::Decimal(-1, 38, 6)]),
        (decimal(DecimalWidth::W256, 60, 3), [Scalar::Decimal256(i256::from_i128(i128::MAX), 60, 3), Scalar::Decimal256(i256::from_i128(-5), 60, 3)]),
        (T::Date, [Scalar::Date(-719_528), Scalar::Date(19_000)]),
        (T::Datetime, [Scalar::Datetime(-1), Scalar::Datetime(1_709_210_096_789_123)]),
        (T::Varchar(Some(1_048_576)), [Scalar::string(""), Scalar::string("ein längerer Text über zwölf Bytes")]),
        (T::Varbinary(Some(1_048_576)), [Scalar::Binary(vec![0, 255, 7].into()), Scalar::Binary(vec![].into())]),
        (T::array(T::Int), [Scalar::Array(vec![Scalar::Int(1), Scalar::Null, Scalar::Int(3)]), Scalar::Array(vec![])]),
        (
            T::map(T::Varchar(Some(1_048_576)), T::array(T::BigInt)),
            [
                Scalar::Map(vec![(Scalar::string("k"), Scalar::Array(vec![Scalar::BigInt(9)])), (Scalar::string("l"), Scalar::Null)]),
                Scalar::Map(vec![]),
            ],
        ),
        (
            T::Struct(vec![StructField::new("a", T::Int), StructField::new("b", T::Varchar(Some(1_048_576)))]),
            [
                Scalar::Struct(vec![("a".into(), Scalar::Int(1)), ("b".into(), Scalar::Null)]),
                Scalar::Struct(vec![("a".into(), Scalar::Null), ("b".into(), Scalar::string("x"))]),
            ],
        ),
    ]
}

#[test]
fn every_type_comes_back() {
    for compression in ["uncompressed", "snappy", "gzip", "lz4", "zstd"] {
        let samples = samples();
        let names: Vec<String> = (0..samples.len()).map(|i| format!("c{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let types: Vec<LogicalType> = samples.iter().map(|(ty, _)| ty.clone()).collect();
        let pick = |row: usize| samples.iter().map(|(_, v)| if row == 1 { Scalar::Null } else { v[row / 2].clone() }).collect::<Vec<_>>();
        let expected: Vec<Vec<Scalar>> = (0..3).map(pick).collect();
        let chunk = |rows: &[Vec<Scalar>]| {
            let columns = types.iter().enumerate().map(|(i, ty)| column(ty, &rows.iter().map(|r| r[i].clone()).collect::<Vec<_>>())).collect();
            Chunk::new(columns, rows.len())
        };
        let file = written(&MemFs::new(), &names, &types, &[chunk(&expected[..2]), chunk(&expected[2..])], compression);
        let fields = file.fields().unwrap();
        for (field, ty) in fields.iter().zip(&types) {
            let own = if *ty == LogicalType::LargeInt { LogicalType::decimal(38, 0) } else { ty.clone() };
            assert_eq!(field.ty, own, "{}", field.name);
        }
        assert_eq!(file.groups(), 2);
        let typed: Vec<FileField> = fields.into_iter().zip(&types).map(|(f, ty)| FileField { name: f.name, ty: ty.clone() }).collect();
        assert_eq!(rows(&file, &typed), expected, "{compression}");
    }
}

#[test]
fn columns_are_found_by_name_and_converted() {
    let types = [LogicalType::Int, LogicalType::Varchar(None)];
    let chunk = Chunk::new(vec![column(&types[0], &[Scalar::Int(300), Scalar::Int(4)]), column(&types[1], &[Scalar::string("5"), Scalar::string("x")])], 2);
    let file = written(&MemFs::new(), &["a", "b"], &types, &[chunk], "snappy");
    let field = |name: &str, ty| FileField { name: name.into(), ty };
    let read = rows(&file, &[field("B", LogicalType::Int), field("none", LogicalType::Date), field("a", LogicalType::TinyInt), field("a", LogicalType::Varchar(None))]);
    // What a type cannot hold is NULL.
    assert_eq!(read, [
        [Scalar::Int(5), Scalar::Null, Scalar::Null, Scalar::string("300")],
        [Scalar::Null, Scalar::Null, Scalar::TinyInt(4), Scalar::string("4")],
    ]);
    assert_eq!(rows(&file, &[]), vec![Vec::<Scalar>::new(); 2]);
}

#[test]
fn extremes_of_row_groups() {
    let types = [LogicalType::Int, LogicalType::Varchar(None), LogicalType::Date];
    let chunk = |from: i32| {
        let ints: Vec<Scalar> = (from..from + 10).map(Scalar::Int).collect();
        let texts: Vec<Scalar> = (from..from + 10).map(|i| if i % 2 == 0 { Scalar::string(format!("t{i:04}")) } else { Scalar::Null }).collect();
        let days: Vec<Scalar> = (from..from + 10).map(Scalar::Date).collect();
        Chunk::new(vec![column(&types[0], &ints), column(&types[1], &texts), column(&types[2], &days)], 10)
    };
    let file = written(&MemFs::new(), &["i", "t", "d"], &types, &[chunk(0), chunk(100)], "zstd");
    let zone = |group, name: &str, ty: &LogicalType| file.zone(group, name, ty, &utc()).unwrap();
    let i = zone(1, "i", &types[0]);
    assert_eq!((i.min, i.max, i.nulls, i.rows), (Scalar::Int(100), Scalar::Int(109), 0, 10));
    let wide = zone(1, "i", &LogicalType::BigInt);
    assert_eq!((wide.min, wide.max), (Scalar::BigInt(100), Scalar::BigInt(109)));
    let t = zone(0, "t", &LogicalType::Varchar(Some(1_048_576)));
    assert_eq!((t.min, t.max, t.nulls), (Scalar::string("t0000"), Scalar::string("t0008"), 5));
    assert_eq!(zone(0, "d", &types[2]).max, Scalar::Date(9));
    // Numbers read as text do not sort as numbers do.
    assert!(zone(0, "i", &LogicalType::Varchar(None)).min.is_null());
    let middles: Vec<u64> = (0..2).map(|g| file.middle(g)).collect();
    assert!(middles[0] < middles[1], "each group belongs to one part of the file: {middles:?}");
}

#[test]
fn damaged_files_are_errors() {
    let fs = MemFs::new();
    let types = [LogicalType::Int];
    written(&fs, &["i"], &types, &[Chunk::new(vec![column(&types[0], &[Scalar::Int(1)])], 1)], "uncompressed");
    let whole = fs.read(Path::new("/f.parquet")).unwrap();
    for cut in [0, 3, 8, whole.len() / 2, whole.len() - 1] {
        let path = Path::new("/cut");
        fs.create(path).unwrap().append(&whole[..cut]).unwrap();
        assert!(ParquetFile::open(fs.open_read(path).unwrap(), "cut").is_err(), "{cut} of {} bytes", whole.len());
    }
    // A footer that lies about its own length.
    let mut lies = whole.clone();
    let at = lies.len() - 8;
    lies[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    fs.create(Path::new("/lies")).unwrap().append(&lies).unwrap();
    assert!(ParquetFile::open(fs.open_read(Path::new("/lies")).unwrap(), "lies").is_err());
}
