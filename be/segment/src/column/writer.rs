//! Encodes one column of a segment. The whole column is at hand, so the choices are exact: integers when every value fits 64
//! bits, a dictionary when the distinct strings are few, else plain values.

use arrow::array::{Array, AsArray, BinaryViewArray};
use arrow::buffer::NullBuffer;
use common_base::{Result, ResultExt, ensure};
use common_types::{Column, LogicalType, Repr};
use proto_messages::segment as pb;

use super::dict_builder::{self, BuiltDict};
use super::flat_json::{Choice, FlatJson, split};
use super::stats::Gathered;
use crate::encoding::node::write_node;
use crate::encoding::fsst::Encoder;
use crate::encoding::{Encoding, array, ints};
use crate::index::IndexSpec;
use crate::index::build::write_indexes;
use crate::page::{Compression, write_page};

/// What a column of a segment is.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSpec {
    /// Number of the column, unique within its table for ever.
    pub uid: u64,
    pub name: String,
    pub ty: LogicalType,
    pub nullable: bool,
    /// Indexes to write with it.
    pub indexes: Vec<IndexSpec>,
}

/// How columns are encoded.
#[derive(Clone, Copy, Debug)]
pub struct EncodeOptions {
    pub compression: Compression,
    /// Rows of every page but the last.
    pub page_rows: usize,
    /// How JSON columns are taken apart; `None` = they stay whole.
    pub flat_json: Option<FlatJson>,
}

/// The bytes of a column and its entry in the footer; offsets in it count from the start of `bytes`.
pub struct EncodedColumn {
    pub bytes: Vec<u8>,
    pub meta: pb::ColumnMeta,
}

/// Encodes a column given page by page: every page but the last has `page_rows` rows.
pub fn encode_column(spec: &ColumnSpec, pages: &[Column], options: EncodeOptions) -> Result<EncodedColumn> {
    let encode = || -> Result<EncodedColumn> {
        let mut done = match encode_json(spec, pages, options)? {
            Some(done) => done,
            None => encode(spec, pages, options)?,
        };
        write_indexes(spec, pages, &mut done.bytes, &mut done.meta)?;
        done.meta.stored_bytes = done.bytes.len() as u64;
        Ok(done)
    };
    encode().with_context(|| format!("encoding column {}", spec.name))
}

fn encode(spec: &ColumnSpec, pages: &[Column], options: EncodeOptions) -> Result<EncodedColumn> {
    for (i, page) in pages.iter().enumerate() {
        let full = page.len() == options.page_rows || (i + 1 == pages.len() && page.len() < options.page_rows);
        ensure!(full, Internal, "page {i} has {} rows, not {}", page.len(), options.page_rows);
        ensure!(spec.nullable || !page.has_nulls() || page.null_count() == 0, InvalidArgument, "column {} cannot be NULL", spec.name);
    }
    if spec.ty.is_integer_backed()
        && let Some(done) = encode_integers(spec, pages, options)?
    {
        return Ok(done);
    }
    if matches!(spec.ty, LogicalType::Char(_) | LogicalType::Varchar(_) | LogicalType::Varbinary(_))
        && let Some(dict) = dict_builder::build(pages)
    {
        return encode_dict(spec, &dict, pages, options);
    }
    let mut out = Writer::new(spec, pb::ColumnKind::Plain, options);
    let symbols = symbols_for(pages, options.compression)?;
    for page in pages {
        let flat = page.to_flat();
        out.stats.add_array(&flat, &mut out.meta);
        if let Some(width) = spec.ty.fixed_width() {
            out.stats.data_bytes += (width * page.len()) as u64;
        }
        out.page(page.null_count(), |body| array::encode_with(&flat, symbols.as_ref(), body))?;
    }
    Ok(out.finish(&spec.ty))
}

/// A JSON column taken apart; `None` when it stays whole.
fn encode_json(spec: &ColumnSpec, pages: &[Column], options: EncodeOptions) -> Result<Option<EncodedColumn>> {
    /// Fewer documents are not worth the entries of their paths in the footer: compaction makes larger segments of them.
    const ROWS_MIN: usize = 256;
    if pages.iter().map(Column::len).sum::<usize>() < ROWS_MIN {
        return Ok(None);
    }
    let Some(flat_json) = options.flat_json.filter(|_| spec.ty == LogicalType::Json && spec.indexes.is_empty()) else { return Ok(None) };
    let Some((choice, paths)) = Choice::of(pages, flat_json) else { return Ok(None) };
    let Some(parts) = split(pages, &choice, paths.len()) else { return Ok(None) };
    let mut out = Writer::new(spec, pb::ColumnKind::FlatJson, options);
    for page in pages {
        out.stats.add_array(&page.to_flat(), &mut out.meta);
        out.meta.page_len.push(0);
        out.meta.page_nulls.push(page.null_count() as u32);
        out.encodings.push(Encoding::AllNull as u8);
        out.stats.nulls += page.null_count() as u64;
    }
    // Zone maps of whole documents serve nobody.
    out.meta.bytes_min.clear();
    out.meta.bytes_max.clear();
    let mut done = out.finish(&spec.ty);
    (done.meta.min, done.meta.max) = (None, None);
    let mut write = |name: String, ty: &LogicalType, pages: &[Column]| -> Result<pb::ColumnMeta> {
        let part = ColumnSpec { uid: 0, name, ty: ty.clone(), nullable: true, indexes: Vec::new() };
        let mut part = encode(&part, pages, options)?;
        shift(&mut part.meta, done.bytes.len() as u64);
        // Nobody plans by the values of a path.
        part.meta.hll.clear();
        done.bytes.extend_from_slice(&part.bytes);
        Ok(part.meta)
    };
    let rest = write(spec.name.clone(), &LogicalType::Varbinary(None), &parts.rest)?;
    let mut written = vec![pb::JsonPart { path: Vec::new(), column: Some(rest), nulls: None }];
    for (path, leaf) in paths.into_iter().zip(&parts.leaves) {
        let name = format!("{}.{}", spec.name, path.join("."));
        let column = Some(write(name.clone(), &leaf.ty, &leaf.pages)?);
        let nulls = if leaf.nulls.is_empty() { None } else { Some(write(name, &LogicalType::Boolean, &leaf.nulls)?) };
        written.push(pb::JsonPart { path, column, nulls });
    }
    done.meta.parts = written;
    Ok(Some(done))
}

/// Moves what an entry of the footer points at, so many bytes on.
pub fn shift(meta: &mut pb::ColumnMeta, by: u64) {
    meta.offset += by;
    meta.dict_offset += by;
    meta.indexes.iter_mut().for_each(|index| index.offset += by);
    for part in &mut meta.parts {
        part.column.iter_mut().chain(&mut part.nulls).for_each(|part| shift(part, by));
    }
}

/// `None` when a value needs more than 64 bits.
fn encode_integers(spec: &ColumnSpec, pages: &[Column], options: EncodeOptions) -> Result<Option<EncodedColumn>> {
    let mut out = Writer::new(spec, pb::ColumnKind::Integer, options);
    for page in pages {
        let (rows, nulls) = (page.len(), page.null_count());
        out.stats.data_bytes += (spec.ty.fixed_width().unwrap_or(8) * rows) as u64;
        if nulls == rows {
            Gathered::add_null_ints(&mut out.meta);
            out.page(nulls, |body| write_node(body, rows, None, |_| Ok((Encoding::AllNull, 0, 0))))?;
            continue;
        }
        let Some((values, validity)) = page_ints(page) else { return Ok(None) };
        let stats = ints::stats(&values);
        out.stats.add_ints(&values, stats.min, stats.max, &mut out.meta);
        out.page(nulls, |body| write_node(body, rows, validity.as_ref(), |body| Ok(ints::encode_known(&values, stats, body))))?;
    }
    Ok(Some(out.finish(&spec.ty)))
}

/// The integers of a page that has at least one value; NULL slots repeat a neighbour.
fn page_ints(page: &Column) -> Option<(Vec<i64>, Option<NullBuffer>)> {
    match page.repr() {
        Repr::Const(v) => Some((vec![v.as_i64()?; page.len()], None)),
        Repr::Narrow { ints, .. } => Some((array::int_values(ints)?, ints.nulls().cloned())),
        Repr::Flat(flat) => Some((array::int_values(flat)?, flat.nulls().cloned())),
        Repr::Dict { .. } => None,
    }
}

fn encode_dict(spec: &ColumnSpec, dict: &BuiltDict, pages: &[Column], options: EncodeOptions) -> Result<EncodedColumn> {
    let mut out = Writer::new(spec, pb::ColumnKind::Dictionary, options);
    let entry = |rank: i64| dict.builder.entry(dict.order[rank as usize] as usize);
    let lengths: Vec<u64> = dict.order.iter().map(|i| dict.builder.entry(*i as usize).len() as u64).collect();
    for (page, (codes, validity)) in pages.iter().zip(&dict.pages) {
        let (rows, nulls) = (page.len(), page.null_count());
        if nulls == rows {
            out.stats.add_byte_range(None, &mut out.meta);
            out.page(nulls, |body| write_node(body, rows, None, |_| Ok((Encoding::AllNull, 0, 0))))?;
            continue;
        }
        let stats = ints::stats(codes);
        out.stats.add_byte_range(Some((entry(stats.min), entry(stats.max))), &mut out.meta);
        out.stats.data_bytes += codes.iter().map(|c| lengths[*c as usize]).sum::<u64>();
        out.page(nulls, |body| write_node(body, rows, validity.as_ref(), |body| Ok(ints::encode_known(codes, stats, body))))?;
    }
    for hash in dict.builder.hashes() {
        out.stats.hll.add(*hash);
    }
    let entries: Vec<&[u8]> = dict.order.iter().map(|i| dict.builder.entry(*i as usize)).collect();
    let array = arrow::array::BinaryViewArray::from_iter_values(&entries);
    let symbols = train(&[&array], options.compression)?;
    let mut body = Vec::new();
    let encoding = array::encode_with(&array, symbols.as_ref(), &mut body)?;
    out.meta.dict_offset = out.bytes.len() as u64;
    out.meta.dict_len = write_page(&body, worth_compressing(encoding, &body, options.compression), &mut out.bytes)?;
    out.meta.dict_entries = entries.len() as u32;
    Ok(out.finish(&spec.ty))
}

/// The symbol table of a column of plain strings, when it serves better than block compression.
fn symbols_for(pages: &[Column], compression: Compression) -> Result<Option<Encoder>> {
    let flats: Vec<_> = pages.iter().map(Column::to_flat).collect();
    let strings: Vec<&BinaryViewArray> = flats.iter().filter_map(|a| a.as_binary_view_opt()).collect();
    if strings.len() < flats.len() { Ok(None) } else { train(&strings, compression) }
}

/// Trains a table on strings from all over the column and tries it on a part of it.
fn train(pages: &[&BinaryViewArray], compression: Compression) -> Result<Option<Encoder>> {
    /// Strings in the sample, as runs of neighbours.
    const STRINGS: usize = 1024;
    const RUN: usize = 8;
    /// Rows the table is tried on.
    const TRIAL: usize = 4096;
    let rows: usize = pages.iter().map(|p| p.len()).sum();
    let step = (rows / STRINGS).max(1) * RUN;
    let sample = pages.iter().flat_map(|page| {
        (0..page.len()).step_by(step).flat_map(|at| at..(at + RUN).min(page.len())).filter(|row| page.is_valid(*row)).map(|row| page.value(row))
    });
    let Some(symbols) = Encoder::train(sample) else { return Ok(None) };
    let page = pages[pages.len() / 2];
    let trial = page.slice(0, page.len().min(TRIAL));
    let size = |symbols: Option<&Encoder>| -> Result<usize> {
        let (mut body, mut page) = (Vec::new(), Vec::new());
        let encoding = array::encode_with(&trial, symbols, &mut body)?;
        write_page(&body, worth_compressing(encoding, &body, compression), &mut page)?;
        Ok(page.len())
    };
    let (coded, plain) = (size(Some(&symbols))?, size(None)?);
    Ok((coded * 20 < plain * 19).then_some(symbols))
}

struct Writer {
    bytes: Vec<u8>,
    body: Vec<u8>,
    meta: pb::ColumnMeta,
    encodings: Vec<u8>,
    stats: Gathered,
    compression: Compression,
}

impl Writer {
    fn new(spec: &ColumnSpec, kind: pb::ColumnKind, options: EncodeOptions) -> Self {
        let meta = pb::ColumnMeta {
            uid: spec.uid,
            name: spec.name.clone(),
            r#type: Some(common_types::wire::type_to_proto(&spec.ty)),
            nullable: spec.nullable,
            kind: kind as i32,
            ..Default::default()
        };
        Self {
            bytes: Vec::new(),
            body: Vec::new(),
            meta,
            encodings: Vec::new(),
            stats: Gathered::default(),
            compression: options.compression,
        }
    }

    fn page(&mut self, nulls: usize, write: impl FnOnce(&mut Vec<u8>) -> Result<Encoding>) -> Result<()> {
        self.body.clear();
        let encoding = write(&mut self.body)?;
        let compression = worth_compressing(encoding, &self.body, self.compression);
        let len = write_page(&self.body, compression, &mut self.bytes)?;
        self.meta.page_len.push(len);
        self.meta.page_nulls.push(nulls as u32);
        self.encodings.push(encoding as u8);
        self.stats.nulls += nulls as u64;
        Ok(())
    }

    fn finish(mut self, ty: &LogicalType) -> EncodedColumn {
        self.meta.page_encoding = self.encodings.into();
        self.stats.finish(ty, &mut self.meta);
        self.meta.stored_bytes = self.bytes.len() as u64;
        EncodedColumn { bytes: self.bytes, meta: self.meta }
    }
}

/// Packed integers seldom compress; a sample from the middle says whether these do.
fn worth_compressing(encoding: Encoding, body: &[u8], wanted: Compression) -> Compression {
    const SAMPLE: usize = 4096;
    if wanted == Compression::None || body.len() < 128 {
        return Compression::None;
    }
    if !matches!(encoding, Encoding::For | Encoding::Delta | Encoding::Rle | Encoding::Fsst | Encoding::Alp) || body.len() <= SAMPLE {
        return wanted;
    }
    let at = (body.len() - SAMPLE) / 2;
    let packed = lz4_flex::block::compress(&body[at..at + SAMPLE]);
    if packed.len() * 4 < SAMPLE * 3 { wanted } else { Compression::None }
}
