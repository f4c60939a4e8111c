//! How large a table gets: encodes a CSV as one segment a bucket, without a cluster.
//!
//! `sizes <schema.sql> <table> <file.csv> <separator> [buckets] [of these, encode] [compression] [names of the
//! fields in the file]`; what was not encoded is extrapolated.
//! Per column: bytes, bytes a row, the encodings of its pages, time to encode and to decode.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use be_segment::encoding::Encoding;
use be_segment::{ColumnSpec, Compression, EncodeOptions, PageCache, Segment, SegmentOptions, SegmentWriter, SortKeys, page_rows_for};
use common_base::MemTracker;
use common_base::fs::MemFs;
use common_types::{Column, ColumnBuilder, LogicalType, Scalar, date, datetime, decimal, key_codec};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [schema, table, file, separator, rest @ ..] = args.as_slice() else { panic!("sizes <schema.sql> <table> <file.csv> <separator>") };
    let number = |i: usize, default: usize| rest.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (buckets, encoded) = (number(0, 8), number(1, 1));
    let compression = Compression::parse(rest.get(2).map_or("", |c| c.as_str())).expect("a compression");
    let ddl = std::fs::read_to_string(schema).expect("the schema");
    let (columns, keys) = parse_ddl(&ddl, table);
    let text = std::fs::read(file).expect("the data");
    let fields: Vec<usize> = match rest.get(3) {
        None => (0..columns.len()).collect(),
        Some(names) => {
            let names: Vec<String> = names.split(',').map(str::to_ascii_lowercase).collect();
            columns.iter().map(|(name, _)| names.iter().position(|n| n == name).expect("the file has the column")).collect()
        }
    };
    let separator = if separator == "tab" { b'\t' } else { separator.as_bytes()[0] };
    let mut totals: BTreeMap<usize, (u64, u64, Duration, Duration, BTreeMap<&str, u32>)> = BTreeMap::new();
    let (mut rows, mut bytes) = (0, 0);
    let mut plain = 0;
    for bucket in 0..encoded {
        let fs = MemFs::new();
        let data = load(&text, separator, &columns, &fields, (buckets, bucket));
        let order = sort(&data, &keys);
        let row_bytes = text.len() / data[0].len().max(1) / buckets;
        let options = EncodeOptions { compression, page_rows: page_rows_for(row_bytes), flat_json: None };
        let specs = columns
            .iter()
            .enumerate()
            .map(|(i, (name, ty))| ColumnSpec { uid: i as u64 + 1, name: name.clone(), ty: ty.clone(), nullable: true, indexes: Vec::new() })
            .collect();
        let path = Path::new("/segment");
        let mut writer = SegmentWriter::create(&fs, path, specs, options).expect("created");
        for (i, column) in data.iter().enumerate() {
            let pages: Vec<Column> = order.chunks(options.page_rows).map(|rows| column.gather(rows)).collect();
            let start = Instant::now();
            writer.write_column(&pages).expect("encoded");
            totals.entry(i).or_default().2 += start.elapsed();
        }
        let summary = writer.finish(SortKeys::default()).expect("finished");
        let options = SegmentOptions { cache: PageCache::new(1, MemTracker::root("cache", 0)) };
        let segment = Segment::open(&fs, path, &options).expect("opened");
        rows += summary.rows;
        bytes += summary.bytes;
        for (i, column) in segment.columns().iter().enumerate() {
            let total = totals.entry(i).or_default();
            total.0 += column.stored_bytes;
            total.1 += column.data_bytes;
            plain += column.data_bytes;
            for encoding in column.page_encodings.iter() {
                *total.4.entry(Encoding::from_byte(*encoding).expect("known").name()).or_default() += 1;
            }
            let start = Instant::now();
            for page in 0..segment.pages() {
                std::hint::black_box(segment.page(i, page).expect("read"));
            }
            total.3 += start.elapsed();
        }
    }
    let mut out = std::io::stdout();
    let scale = buckets as f64 / encoded as f64;
    for (i, (stored, data, encode, decode, encodings)) in &totals {
        let per_row = |d: &Duration| d.as_secs_f64() * 1e9 / rows as f64;
        writeln!(
            out,
            "{:24} {:14} {:>10.3} MB {:>7.3} B/row of {:>7.3}  encode {:>6.1} decode {:>6.2} ns/row  {encodings:?}",
            columns[*i].0,
            columns[*i].1.to_string(),
            *stored as f64 * scale / 1e6,
            *stored as f64 / rows as f64,
            *data as f64 / rows as f64,
            per_row(encode),
            per_row(decode),
        )
        .expect("printed");
    }
    let time = |f: fn(&(u64, u64, Duration, Duration, BTreeMap<&str, u32>)) -> Duration| totals.values().map(f).sum::<Duration>();
    writeln!(
        out,
        "{table}: {} rows, {:.3} MB of {:.3}, encode {:.2?}, decode {:.2?} for {rows} rows",
        (rows as f64 * scale) as u64,
        bytes as f64 * scale / 1e6,
        plain as f64 * scale / 1e6,
        time(|t| t.2),
        time(|t| t.3)
    )
    .expect("printed");
}

/// Columns and ordinals of the sort key.
fn parse_ddl(ddl: &str, table: &str) -> (Vec<(String, LogicalType)>, Vec<usize>) {
    let lower = ddl.replace('`', "").to_ascii_lowercase();
    let at = lower.find(&format!("create table {table} ")).expect("the table is in the schema");
    let statement = &lower[at..];
    let statement = &statement[..statement.find(';').unwrap_or(statement.len())];
    let body = &statement[statement.find('(').expect("columns") + 1..];
    let mut columns = Vec::new();
    for line in body.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if line.starts_with(')') {
            break;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(ty)) = (words.next(), words.next()) else { continue };
        let ty = match ty.trim_end_matches(',').split('(').next().expect("a type") {
            "int" | "integer" => LogicalType::Int,
            "bigint" => LogicalType::BigInt,
            "smallint" => LogicalType::SmallInt,
            "tinyint" => LogicalType::TinyInt,
            "double" => LogicalType::Double,
            "float" => LogicalType::Float,
            "date" => LogicalType::Date,
            "datetime" => LogicalType::Datetime,
            "decimal" => LogicalType::decimal(15, 2),
            _ => LogicalType::varchar(),
        };
        columns.push((name.to_owned(), ty));
    }
    let keys = statement.find("duplicate key").map(|at| {
        let list = &statement[at..];
        let list = &list[list.find('(').expect("key columns") + 1..list.find(')').expect("key columns")];
        list.split(',').map(|k| columns.iter().position(|c| c.0 == k.trim()).expect("a key is a column")).collect()
    });
    (columns, keys.unwrap_or_default())
}

/// The rows of one bucket.
fn load(text: &[u8], separator: u8, columns: &[(String, LogicalType)], order: &[usize], (buckets, bucket): (usize, usize)) -> Vec<Column> {
    let mut builders: Vec<ColumnBuilder> = columns.iter().map(|(_, ty)| ColumnBuilder::new(ty, 0)).collect();
    for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let fields: Vec<&[u8]> = line.split(|b| *b == separator).collect();
        if twox_hash::XxHash3_64::oneshot(line) as usize % buckets != bucket {
            continue;
        }
        assert!(fields.len() >= columns.len(), "{} fields in {}", fields.len(), String::from_utf8_lossy(line));
        for ((builder, field), (_, ty)) in builders.iter_mut().zip(order).zip(columns) {
            builder.append(&value(fields[*field], ty)).expect("a value of the type");
        }
    }
    builders.into_iter().map(ColumnBuilder::finish).collect()
}

fn value(field: &[u8], ty: &LogicalType) -> Scalar {
    let text = std::str::from_utf8(field).unwrap_or("");
    match ty {
        LogicalType::Int => text.parse().map_or(Scalar::Null, Scalar::Int),
        LogicalType::BigInt => text.parse().map_or(Scalar::Null, Scalar::BigInt),
        LogicalType::SmallInt => text.parse().map_or(Scalar::Null, Scalar::SmallInt),
        LogicalType::TinyInt => text.parse().map_or(Scalar::Null, Scalar::TinyInt),
        LogicalType::Double => text.parse().map_or(Scalar::Null, Scalar::Double),
        LogicalType::Float => text.parse().map_or(Scalar::Null, Scalar::Float),
        LogicalType::Date => date::parse_lenient(field).map_or(Scalar::Null, Scalar::Date),
        LogicalType::Datetime => datetime::parse_lenient(field).map_or(Scalar::Null, Scalar::Datetime),
        LogicalType::Decimal { .. } => decimal::parse_i128(field, 2).map_or(Scalar::Null, |v| Scalar::Decimal(v, 15, 2)),
        _ => Scalar::string(text),
    }
}

fn sort(data: &[Column], keys: &[usize]) -> Vec<u32> {
    let keys: Vec<Column> = keys.iter().map(|k| data[*k].clone()).collect();
    let rows = data[0].len();
    let encoded: Vec<Vec<u8>> = (0..rows)
        .map(|row| {
            let mut out = Vec::new();
            key_codec::encode_row(&keys, row, &mut out);
            out
        })
        .collect();
    let encoded = Arc::new(encoded);
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by(|a, b| encoded[*a as usize].cmp(&encoded[*b as usize]));
    order
}
