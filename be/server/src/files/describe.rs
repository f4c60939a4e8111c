//! What a path stands for: files, and the columns they have together.

use be_formats::{
    Format,
    arrow_in::{FileField, union},
    columnar,
    glob::{self, Found},
    infer,
};
use common_base::{Result, bail, err, fs::SharedFs};
use common_types::wire;
use proto_messages::{plan::FileFormat, types::{Field, Schema}};
use proto_services::be_service::{DescribeFilesReply, DescribeFilesRequest, FileEntry};

use super::{access::FileAccess, text};

/// Bytes of a text file that are looked at.
const SAMPLE_BYTES: usize = 4 << 20;

/// Answers a frontend.
pub fn describe(fs: &SharedFs, access: &FileAccess, request: &DescribeFilesRequest) -> Result<DescribeFilesReply> {
    let path = FileAccess::local(&request.path)?;
    access.check(&glob::fixed_part(&path))?;
    let found = glob::list(&**fs, &path, request.recursive)?;
    for f in &found {
        access.check(&f.path)?;
    }
    let entry = |f: &Found| -> Result<FileEntry> {
        Ok(FileEntry { path: f.path.to_string_lossy().into_owned(), size: f.len, is_dir: f.is_dir, modified_ms: fs.modified_ms(&f.path)? })
    };
    if request.list_only {
        return Ok(DescribeFilesReply { files: found.iter().map(entry).collect::<Result<_>>()?, ..DescribeFilesReply::default() });
    }
    // Empty files are nobody's: writers that failed leave them.
    let files: Vec<&Found> = found.iter().filter(|f| !f.is_dir && f.len > 0).collect();
    if files.is_empty() {
        bail!(NotFound, "No files were found matching the pattern(s) or path(s): '{}'", request.path);
    }
    let format = request.format.clone().unwrap_or_default();
    let mut schemas = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for at in sample(files.len(), request.sample_files.max(1) as usize) {
        let file = files[at];
        let (fields, seen) = columns(fs, file, &format, request)?;
        rows += seen;
        bytes += file.len;
        schemas.push(fields);
    }
    // CSV columns are named by their position, so that one rule unites all formats.
    let fields = union(&schemas);
    if fields.is_empty() {
        bail!(InvalidArgument, "no columns were found in the files of '{}'", request.path);
    }
    let field = |f: FileField| Field { name: f.name, r#type: Some(wire::type_to_proto(&f.ty)), nullable: true };
    Ok(DescribeFilesReply {
        status: None,
        files: files.into_iter().map(entry).collect::<Result<_>>()?,
        schema: Some(Schema { fields: fields.into_iter().map(field).collect() }),
        sampled_rows: rows,
        sampled_bytes: bytes,
    })
}

/// Which of so many files are looked at: the first, the last, and some between.
fn sample(files: usize, wanted: usize) -> Vec<usize> {
    let wanted = wanted.min(files);
    let mut out: Vec<usize> = match wanted {
        1 => vec![0],
        n => (0..n).map(|i| i * (files - 1) / (n - 1)).collect(),
    };
    out.dedup();
    out
}

/// The columns of one file, and its rows when they are known.
fn columns(fs: &SharedFs, file: &Found, format: &FileFormat, request: &DescribeFilesRequest) -> Result<(Vec<FileField>, u64)> {
    let rows = if request.sample_rows == 0 { 500 } else { request.sample_rows as usize };
    let named = |e: common_base::Error| err!(InvalidArgument, "file '{}': {}", file.path.display(), e.message());
    match format.kind.as_str() {
        "csv" => {
            let Format::Csv(options) = Format::from_proto(format)? else { bail!(Internal, "CSV is CSV") };
            let (head, complete) = text::head(fs, &file.path, &format.compression, SAMPLE_BYTES)?;
            Ok((infer::csv(&options, &head, complete, rows, request.detect_types).map_err(named)?, 0))
        }
        "json" => {
            let (head, _) = text::head(fs, &file.path, &format.compression, SAMPLE_BYTES)?;
            Ok((infer::json(&head, format.strip_outer_array, rows, request.detect_types).map_err(named)?, 0))
        }
        kind => {
            let open = columnar::open(kind, fs.open_read(&file.path)?, &file.path.to_string_lossy())?;
            let rows = (0..open.groups()).map(|g| open.rows(g)).sum();
            Ok((open.fields()?, rows))
        }
    }
}
