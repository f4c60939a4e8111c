//! The columns of text files, guessed from their first rows.

use common_base::{Result, err};
use common_types::{LogicalType, StrView, json::{self, Json}};

use crate::{
    Block, BlockParser, Splitter,
    arrow_in::{FileField, wider},
    csv::{CsvOptions, CsvParser, CsvSplitter, record},
    json::JsonSplitter,
};

const TEXT: LogicalType = LogicalType::Varchar(Some(common_types::MAX_VARCHAR_LENGTH));

/// The columns `$1`, `$2`, … of CSV that begins with `head`; it is the whole file when `complete`.
pub fn csv(options: &CsvOptions, head: &[u8], complete: bool, rows: usize, detect: bool) -> Result<Vec<FileField>> {
    let mut blocks = Vec::new();
    let mut splitter = CsvSplitter::new(options.clone());
    splitter.push(head, &mut blocks)?;
    splitter.finish(&mut blocks)?;
    let data: Vec<u8> = blocks.iter().flat_map(|b| b.data.iter().copied()).collect();
    let mut fields = Vec::new();
    let (mut at, mut seen, mut width) = (0, 0, 0);
    while at < data.len() && seen < rows {
        // A row that the sample's end cuts off says nothing, unless it is all there is.
        let Some((end, next)) = record::scan(&data, at, options, complete || seen == 0, &mut fields) else { break };
        if end > at {
            width = width.max(fields.len());
            seen += 1;
        }
        at = next.max(at + 1);
    }
    if width == 0 {
        return Ok(Vec::new());
    }
    let names = |types: Vec<LogicalType>| types.into_iter().enumerate().map(|(i, ty)| FileField { name: format!("${}", i + 1), ty }).collect();
    if !detect {
        return Ok(names(vec![TEXT; width]));
    }
    let mut parser = CsvParser::new(CsvOptions { columns: width, ..options.clone() });
    let sample = Block { data: bytes::Bytes::copy_from_slice(&data[..at.min(data.len())]) };
    let chunks = parser.parse(sample, &mut |_, _| {})?;
    let types = (0..width).map(|i| {
        let mut guess = Guess::default();
        for chunk in &chunks {
            let column = chunk.column(i);
            let Some(values) = column.str_view() else { continue };
            (0..chunk.rows()).filter(|row| !column.is_null(*row)).for_each(|row| guess.see(value(&values, row)));
        }
        guess.ty()
    });
    Ok(names(types.collect()))
}

fn value<'a>(values: &StrView<'a>, row: usize) -> &'a [u8] {
    values.get(row)
}

/// What the values of a column have been so far.
#[derive(Default)]
struct Guess {
    ints: bool,
    numbers: bool,
    texts: bool,
}

impl Guess {
    fn see(&mut self, text: &[u8]) {
        let text = std::str::from_utf8(text).map_or("", str::trim);
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            self.texts = true;
        } else if text.parse::<i64>().is_ok() {
            self.ints = true;
        } else if text.parse::<f64>().is_ok_and(f64::is_finite) {
            self.numbers = true;
        } else {
            self.texts = true;
        }
    }

    fn ty(&self) -> LogicalType {
        match self {
            Self { texts: true, .. } => TEXT,
            Self { numbers: true, .. } => LogicalType::Double,
            Self { ints: true, .. } => LogicalType::BigInt,
            _ => TEXT,
        }
    }
}

/// The members of JSON objects that begin with `head`, in the order they are met.
pub fn json(head: &[u8], strip_outer_array: bool, rows: usize, detect: bool) -> Result<Vec<FileField>> {
    let mut blocks = Vec::new();
    let mut splitter = JsonSplitter::new(strip_outer_array);
    splitter.push(head, &mut blocks)?;
    splitter.finish(&mut blocks)?;
    let data: Vec<u8> = blocks.iter().flat_map(|b| b.data.iter().copied()).collect();
    let mut out: Vec<FileField> = Vec::new();
    let (mut at, mut seen) = (0, 0);
    while seen < rows {
        at = crate::json::skip_blank(&data, at);
        match data.get(at) {
            None => break,
            Some(b'[' | b']' | b',') if strip_outer_array => {
                at += 1;
                continue;
            }
            Some(_) => {}
        }
        let Some(end) = crate::json::value_end(&data, at) else { break };
        let Some(Json::Object(members)) = json::parse(&data[at..end]) else {
            return Err(err!(InvalidArgument, "the value should be an object, or an array of objects with strip_outer_array"));
        };
        for (name, value) in members.iter() {
            let ty = json_type(value, detect);
            match out.iter_mut().find(|f| f.name == *name) {
                None => out.push(FileField { name: name.clone(), ty }),
                Some(_) if ty == LogicalType::Null => {}
                Some(known) if known.ty == LogicalType::Null => known.ty = ty,
                Some(known) => known.ty = wider(&known.ty, &ty),
            }
        }
        seen += 1;
        at = end.max(at + 1);
    }
    out.iter_mut().filter(|f| f.ty == LogicalType::Null).for_each(|f| f.ty = TEXT);
    Ok(out)
}

fn json_type(value: &Json, detect: bool) -> LogicalType {
    match value {
        Json::Null => LogicalType::Null,
        _ if !detect => TEXT,
        Json::Bool(_) => LogicalType::Boolean,
        Json::Object(_) | Json::Array(_) => LogicalType::Json,
        Json::String(_) => TEXT,
        number => match String::from_utf8_lossy(number.to_text().as_ref()).parse::<i64>() {
            Ok(_) => LogicalType::BigInt,
            Err(_) => LogicalType::Double,
        },
    }
}

#[cfg(test)]
mod tests {
    use proto_messages::plan::FileFormat;

    use super::*;

    fn text(fields: &[FileField]) -> String {
        fields.iter().map(|f| format!("{} {}", f.name, f.ty)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn columns_of_csv() {
        let options = CsvOptions::from_proto(&FileFormat { column_separator: b",".to_vec().into(), skip_header: 1, ..FileFormat::default() }).unwrap();
        let body = b"a,b,c,d,e\n1,1.5,x,2024-01-01,\\N\n-2,3,y,2024-01-02,\\N\n\n3,1e3,4,,\\N\n";
        let found = csv(&options, body, true, 500, true).unwrap();
        let long = "VARCHAR";
        let types: Vec<String> = found.iter().map(|f| f.ty.to_string().to_uppercase()).collect();
        assert_eq!(types, ["BIGINT", "DOUBLE", long, long, long]);
        assert_eq!((found[0].name.as_str(), found[4].name.as_str()), ("$1", "$5"));
        assert!(csv(&options, body, true, 500, false).unwrap().iter().all(|f| f.ty.is_string()));
        // The cut row at the end of a sample is not looked at.
        assert_eq!(csv(&options, b"h\n1,2\n3,4,x", false, 500, true).unwrap().len(), 2);
        assert_eq!(csv(&options, b"h\n", true, 500, true).unwrap().len(), 0);
    }

    #[test]
    fn columns_of_json() {
        let body = br#"{"a": 1, "b": "x", "c": null} {"b": "y", "a": 2.5, "d": [1], "e": true}"#;
        assert_eq!(text(&json(body, false, 500, true).unwrap()).to_uppercase(), "A DOUBLE, B VARCHAR, C VARCHAR, D JSON, E BOOLEAN");
        assert_eq!(json(br#"[{"a": 1}, {"z": 2}]"#, true, 500, true).unwrap().len(), 2);
        assert!(json(b"[1]", false, 500, true).is_err());
    }
}
