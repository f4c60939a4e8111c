//! Arguments of `FILES(...)`, for reading and for writing, and of `INTO OUTFILE`.

use common_base::{Result, bail, err};
use fe_parser::ast::{OutFile, Properties};
use proto_messages::{fragment::FileSink, plan::FileFormat};
use proto_services::be_service::DescribeFilesRequest;

use crate::load::stream::decode_separator;

/// Rows looked at for the types of text columns.
const SAMPLE_ROWS: u64 = 500;
/// Files looked at for columns.
const SAMPLE_FILES: u64 = 2;
/// Bytes at which a file ends and the next one begins.
const TARGET_FILE_BYTES: u64 = 1 << 30;

/// What is to be read.
#[derive(Debug)]
pub struct FilesProperties {
    pub request: DescribeFilesRequest,
    pub path_columns: Vec<String>,
    pub fill_missing: bool,
}

/// Pairs with keys in any case; of several the last counts.
struct Pairs<'a>(&'a Properties);

impl Pairs<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|p| p.key.trim().eq_ignore_ascii_case(key)).map(|p| p.value.as_str())
    }

    fn required(&self, key: &str) -> Result<&str> {
        self.get(key).map(str::trim).filter(|v| !v.is_empty()).ok_or_else(|| err!(Analysis, "The property '{key}' of FILES() is missing"))
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key).map(|v| v.trim().to_ascii_lowercase()).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => bail!(Analysis, "Invalid property '{key}': '{other}' is neither true nor false"),
        }
    }

    fn number(&self, key: &str, default: u64) -> Result<u64> {
        let Some(text) = self.get(key) else { return Ok(default) };
        text.trim().parse().map_err(|_| err!(Analysis, "Invalid property '{key}': '{text}' is not a number"))
    }

    fn names(&self, key: &str) -> Vec<String> {
        self.get(key).map_or_else(Vec::new, |v| v.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect())
    }

    fn byte(&self, key: &str) -> Result<Vec<u8>> {
        let bytes = self.get(key).unwrap_or("").as_bytes().to_vec();
        if bytes.len() > 1 {
            bail!(Analysis, "Invalid property '{key}': it is one byte");
        }
        Ok(bytes)
    }

    /// Options of text; `csv.x` and `json.x`, the latter by its bare name too.
    fn format(&self, kind: &str) -> Result<FileFormat> {
        let separator = |key: &str, default: &str| decode_separator(key, self.get(key).filter(|v| !v.is_empty()).unwrap_or(default));
        let json = |key: &str| self.get(&format!("json.{key}")).or_else(|| self.get(key));
        let jsonpaths = match json("jsonpaths") {
            None | Some("") => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|e| err!(Analysis, "jsonpaths is not a JSON array of paths: {e}"))?,
        };
        Ok(FileFormat {
            kind: kind.to_owned(),
            column_separator: separator("csv.column_separator", "\t")?.into(),
            row_delimiter: separator("csv.row_delimiter", "\n")?.into(),
            enclose: self.byte("csv.enclose")?.into(),
            escape: self.byte("csv.escape")?.into(),
            skip_header: self.number("csv.skip_header", 0)?,
            trim_space: self.flag("csv.trim_space", false)?,
            jsonpaths,
            json_root: json("json_root").unwrap_or("").to_owned(),
            strip_outer_array: self.flag("json.strip_outer_array", self.flag("strip_outer_array", false)?)?,
            ignore_json_size: true,
            ..FileFormat::default()
        })
    }
}

impl FilesProperties {
    /// Checks the arguments of a FILES that is read.
    pub fn parse(properties: &Properties) -> Result<Self> {
        let pairs = Pairs(properties);
        let path = pairs.required("path")?.to_owned();
        let list_only = pairs.flag("list_files_only", false)?;
        let kind = match list_only {
            true => String::new(),
            false => pairs.required("format")?.to_ascii_lowercase(),
        };
        if !list_only && !matches!(kind.as_str(), "parquet" | "orc" | "csv" | "json") {
            bail!(Analysis, "Unsupported format: {kind}. FILES() reads parquet, orc, csv and json");
        }
        let fill_missing = match pairs.get("fill_mismatch_column_with").map(|v| v.trim().to_ascii_lowercase()).as_deref() {
            None | Some("none") => false,
            Some("null") => true,
            Some(other) => bail!(Analysis, "Invalid property 'fill_mismatch_column_with': '{other}' is neither none nor null"),
        };
        let format = pairs.format(&kind)?;
        if !format.jsonpaths.is_empty() {
            bail!(NotSupported, "jsonpaths of FILES() are not supported: members of the objects are its columns");
        }
        Ok(Self {
            request: DescribeFilesRequest {
                path,
                format: Some(format),
                recursive: pairs.flag("list_recursively", false)?,
                list_only,
                sample_files: pairs.number("auto_detect_sample_files", SAMPLE_FILES)?,
                sample_rows: pairs.number("auto_detect_sample_rows", SAMPLE_ROWS)?,
                detect_types: pairs.flag("auto_detect_types", true)?,
            },
            path_columns: pairs.names("columns_from_path"),
            fill_missing,
        })
    }
}

/// What INSERT INTO FILES writes, but for its columns: the sink, and the names of `partition_by`.
pub fn sink(properties: &Properties) -> Result<(FileSink, Vec<String>)> {
    let pairs = Pairs(properties);
    let kind = pairs.required("format")?.to_ascii_lowercase();
    let partition_by = pairs.names("partition_by");
    let single = pairs.flag("single", false)?;
    if single && !partition_by.is_empty() {
        bail!(Analysis, "cannot use partition_by and single simultaneously.");
    }
    let target_max_file_size = pairs.number("target_max_file_size", TARGET_FILE_BYTES)?;
    if target_max_file_size == 0 {
        bail!(Analysis, "Invalid property 'target_max_file_size': it is at least 1");
    }
    let mut out = base(pairs.required("path")?, &kind, pairs.get("compression").unwrap_or("uncompressed"), pairs.format(&kind)?)?;
    out.single = single;
    out.target_max_file_size = target_max_file_size;
    out.header = pairs.flag("csv.include_header", false)?;
    Ok((out, partition_by))
}

/// What INTO OUTFILE writes: files whose names begin with the path.
pub fn outfile(file: &OutFile) -> Result<FileSink> {
    let pairs = Pairs(&file.properties);
    let kind = file.format.as_deref().unwrap_or("csv").to_ascii_lowercase();
    let mut format = FileFormat { kind: kind.clone(), ..FileFormat::default() };
    format.column_separator = decode_separator("column_separator", pairs.get("column_separator").unwrap_or("\t"))?.into();
    format.row_delimiter = decode_separator("line_delimiter", pairs.get("line_delimiter").unwrap_or("\n"))?.into();
    let (directory, prefix) = file.path.rsplit_once('/').ok_or_else(|| err!(Analysis, "path '{}' of OUTFILE has no directory", file.path))?;
    let compression = pairs.get("parquet.compression_type").unwrap_or(if kind == "parquet" { "snappy" } else { "uncompressed" });
    let mut out = base(&format!("{directory}/"), &kind, compression, format)?;
    prefix.clone_into(&mut out.prefix);
    out.target_max_file_size = match pairs.get("max_file_size") {
        Some(size) => size_of(size).ok_or_else(|| err!(Analysis, "max_file_size '{size}' is not a size"))?,
        None => TARGET_FILE_BYTES,
    };
    Ok(out)
}

fn base(path: &str, kind: &str, compression: &str, format: FileFormat) -> Result<FileSink> {
    if !matches!(kind, "parquet" | "orc" | "csv") {
        bail!(Analysis, "Unsupported format '{kind}': files are written as parquet, orc or csv");
    }
    let compression = compression.trim().to_ascii_lowercase();
    if !matches!(compression.as_str(), "uncompressed" | "gzip" | "snappy" | "zstd" | "lz4") {
        bail!(Analysis, "Unsupported compression codec {compression}. Use any of (uncompressed, gzip, snappy, zstd, lz4)");
    }
    if kind == "csv" && compression != "uncompressed" {
        bail!(Analysis, "use 'compression'='uncompressed' for csv: compressed csv files are not written");
    }
    Ok(FileSink { path: path.to_owned(), compression, format: Some(format), ..FileSink::default() })
}

/// `100MB`.
fn size_of(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_uppercase();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[split..].trim() {
        "" | "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return None,
    };
    text[..split].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use fe_parser::ast::Property;

    use super::*;

    fn pairs(text: &[(&str, &str)]) -> Properties {
        text.iter().map(|(k, v)| Property { key: (*k).to_owned(), value: (*v).to_owned() }).collect()
    }

    #[test]
    fn arguments_are_checked() {
        let ok = FilesProperties::parse(&pairs(&[("path", "/d/*.csv"), ("FORMAT", "CSV"), ("csv.column_separator", "\\x01"), ("columns_from_path", "a, b")])).unwrap();
        assert_eq!(&ok.request.format.unwrap().column_separator[..], b"\x01");
        assert_eq!(ok.path_columns, ["a", "b"]);
        assert_eq!((ok.request.sample_files, ok.request.sample_rows, ok.request.detect_types), (2, 500, true));
        assert!(FilesProperties::parse(&pairs(&[("path", "/d"), ("list_files_only", "true")])).unwrap().request.list_only);
        for bad in [
            &[("path", "/d")][..],
            &[("format", "csv")],
            &[("path", "/d"), ("format", "avro")],
            &[("path", "/d"), ("format", "csv"), ("csv.enclose", "ab")],
            &[("path", "/d"), ("format", "csv"), ("auto_detect_types", "perhaps")],
            &[("path", "/d"), ("format", "csv"), ("fill_mismatch_column_with", "0")],
        ] {
            assert!(FilesProperties::parse(&pairs(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn targets_are_checked() {
        let (ok, by) = sink(&pairs(&[("path", "/d/"), ("format", "parquet"), ("compression", "ZSTD"), ("partition_by", "a,b")])).unwrap();
        assert_eq!((ok.compression.as_str(), ok.target_max_file_size, by.len()), ("zstd", 1 << 30, 2));
        let (orc, _) = sink(&pairs(&[("path", "/d/"), ("format", "ORC")])).unwrap();
        assert_eq!((orc.format.unwrap().kind.as_str(), orc.compression.as_str()), ("orc", "uncompressed"));
        for bad in [
            &[("path", "/d"), ("format", "csv"), ("compression", "gzip")][..],
            &[("path", "/d"), ("format", "json")],
            &[("path", "/d"), ("format", "parquet"), ("compression", "lzo")],
            &[("path", "/d"), ("format", "parquet"), ("single", "true"), ("partition_by", "a")],
            &[("path", "/d"), ("format", "parquet"), ("target_max_file_size", "0")],
        ] {
            assert!(sink(&pairs(bad)).is_err(), "{bad:?}");
        }
        let file = OutFile { path: "file:///d/out_".into(), format: None, properties: pairs(&[("max_file_size", "10MB")]) };
        let out = outfile(&file).unwrap();
        assert_eq!((out.path.as_str(), out.prefix.as_str(), out.target_max_file_size), ("file:///d/", "out_", 10 << 20));
    }
}
