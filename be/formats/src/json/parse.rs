//! Blocks of JSON documents into chunks: VARCHAR columns hold the text of scalars or compact JSON, JSON columns the document.

use std::borrow::Cow;

use common_base::Result;
use common_types::{
    Chunk, ColumnBuilder, LogicalType,
    json::{self, Json, JsonPath, Step},
};

use super::{JsonOptions, text};
use crate::reader::{Block, BlockParser, Report};

const CHUNK_ROWS: usize = 4096;

/// Parses blocks of documents.
pub struct JsonParser {
    options: JsonOptions,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    scratch: Vec<u8>,
}

impl JsonParser {
    /// A parser.
    pub fn new(options: JsonOptions) -> Self {
        let builders = builders(&options);
        Self { options, builders, rows: 0, scratch: Vec::new() }
    }

    fn flush(&mut self, out: &mut Vec<Chunk>) {
        if self.rows > 0 {
            let done = std::mem::replace(&mut self.builders, builders(&self.options));
            out.push(Chunk::new(done.into_iter().map(ColumnBuilder::finish).collect(), std::mem::take(&mut self.rows)));
        }
    }

    /// One document after array stripping.
    fn document(&mut self, document: &[u8], out: &mut Vec<Chunk>, bad: Report<'_>) -> Result<()> {
        let Some(root) = &self.options.root else { return self.row(document, out, bad) };
        match walk(root, document) {
            Some(found) if found.first() == Some(&b'[') && self.options.strip_outer_array => {
                let found = found.into_owned();
                let mut parts = Vec::new();
                if text::elements(&found, |e| parts.push(e)).is_none() {
                    bad("Failed to parse json: malformed array at json_root", document);
                }
                for part in parts {
                    self.row(part, out, bad)?;
                }
                Ok(())
            }
            Some(found) => {
                let found = found.into_owned();
                self.row(&found, out, bad)
            }
            None => {
                bad("json_root is not found in the document", document);
                Ok(())
            }
        }
    }

    fn row(&mut self, object: &[u8], out: &mut Vec<Chunk>, bad: Report<'_>) -> Result<()> {
        match object.first() {
            Some(b'{') => {}
            Some(b'[') => {
                bad("The value is array type in json document stream, you can set strip_outer_array=true to parse each element of the array as individual rows", object);
                return Ok(());
            }
            _ => {
                bad("Failed to parse json: the value should be an object", object);
                return Ok(());
            }
        }
        let found = if self.options.paths.is_empty() { self.by_name(object) } else { self.by_path(object) };
        let valid = found.and_then(|values| {
            // The walk does not look into values it skips; a load must not take half of a broken document.
            values.iter().flatten().all(|v| is_value(v)).then_some(values)
        });
        let Some(values) = valid else {
            bad("Failed to parse json", object);
            return Ok(());
        };
        for (builder, value) in self.builders.iter_mut().zip(&values) {
            append(builder, value.as_deref(), &mut self.scratch)?;
        }
        self.rows += 1;
        if self.rows >= CHUNK_ROWS {
            self.flush(out);
        }
        Ok(())
    }

    fn by_name<'a>(&self, object: &'a [u8]) -> Option<Vec<Option<Cow<'a, [u8]>>>> {
        let columns = &self.options.columns;
        let mut values: Vec<Option<Cow<'a, [u8]>>> = vec![None; columns.len()];
        let mut next = 0;
        text::members(object, |key, value| {
            let key = if key.contains(&b'\\') { unescape(key) } else { Some(Cow::Borrowed(key)) };
            let Some(key) = key else { return };
            // Documents of one file mostly have their members in one order.
            let at = match columns.get(next) {
                Some(name) if name.as_bytes() == &*key => Some(next),
                _ => columns.iter().position(|name| name.as_bytes() == &*key),
            };
            if let Some(at) = at {
                values[at] = Some(Cow::Borrowed(value));
                next = at + 1;
            }
        })?;
        Some(values)
    }

    fn by_path<'a>(&self, object: &'a [u8]) -> Option<Vec<Option<Cow<'a, [u8]>>>> {
        text::members(object, |_, _| {})?;
        let mut values: Vec<_> = self.options.paths.iter().take(self.options.columns.len()).map(|p| walk(p, object)).collect();
        values.resize(self.options.columns.len(), None);
        Some(values)
    }
}

fn builders(options: &JsonOptions) -> Vec<ColumnBuilder> {
    options.types.iter().map(|ty| ColumnBuilder::new(if *ty == LogicalType::Json { ty } else { &VARCHAR }, CHUNK_ROWS)).collect()
}

static VARCHAR: LogicalType = LogicalType::Varchar(None);

/// The text of the value a path leads to.
fn walk<'a>(path: &JsonPath, document: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if !path.is_simple() {
        let tree = json::parse(document)?;
        let found = path.eval(&tree)?;
        return Some(Cow::Owned(found.to_text()));
    }
    let mut at = document;
    for step in path.steps() {
        let mut found = None;
        match step {
            Step::Key(name) => text::members(at, |key, value| {
                let same = key == name.as_bytes() || (key.contains(&b'\\') && unescape(key).is_some_and(|k| *k == *name.as_bytes()));
                if same {
                    found = Some(value);
                }
            })?,
            Step::Index(index) => {
                let mut i = 0;
                text::elements(at, |value| {
                    if i == *index {
                        found = Some(value);
                    }
                    i += 1;
                })?;
            }
            Step::All | Step::Range(..) => return None,
        }
        at = found?;
    }
    Some(Cow::Borrowed(at))
}

fn unescape(inside: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut quoted = Vec::with_capacity(inside.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(inside);
    quoted.push(b'"');
    match json::parse(&quoted)? {
        Json::String(s) => Some(Cow::Owned(s.into_bytes())),
        _ => None,
    }
}

fn is_value(value: &[u8]) -> bool {
    match value {
        b"null" | b"true" | b"false" => true,
        [b'"', inside @ .., b'"'] => !inside.contains(&b'\\') || unescape(inside).is_some(),
        [b'{' | b'[', ..] => json::parse(value).is_some(),
        [b'-' | b'0'..=b'9', rest @ ..] => rest.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')),
        _ => false,
    }
}

fn append(builder: &mut ColumnBuilder, value: Option<&[u8]>, scratch: &mut Vec<u8>) -> Result<()> {
    scratch.clear();
    match value {
        None | Some(b"null") => {
            builder.append_null();
            return Ok(());
        }
        Some(value) if *builder.ty() == LogicalType::Json => match json::parse(value) {
            Some(tree) => tree.print(scratch),
            None => {
                builder.append_null();
                return Ok(());
            }
        },
        Some([b'"', inside @ .., b'"']) => {
            if !inside.contains(&b'\\') {
                return builder.append_bytes(inside);
            }
            match unescape(inside) {
                Some(text) => scratch.extend_from_slice(&text),
                None => {
                    builder.append_null();
                    return Ok(());
                }
            }
        }
        Some(value @ [b'{' | b'[', ..]) => compact(value, scratch),
        Some(value) => return builder.append_bytes(value),
    }
    builder.append_bytes(scratch)
}

/// The text without blanks outside strings.
fn compact(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        match byte {
            b'"' => {
                let end = text::string_end(value, at).unwrap_or(value.len());
                out.extend_from_slice(&value[at..end]);
                at = end;
                continue;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {}
            other => out.push(*other),
        }
        at += 1;
    }
}

impl BlockParser for JsonParser {
    fn parse(&mut self, block: Block, bad: Report<'_>) -> Result<Vec<Chunk>> {
        let data = &block.data[..];
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            at = text::skip_space(data, at);
            let Some(byte) = data.get(at) else { break };
            // What is around the elements of the outer array belongs to nobody.
            if self.options.strip_outer_array && matches!(byte, b'[' | b']' | b',') {
                at += 1;
                continue;
            }
            match text::value_end(data, at) {
                Some(end) => {
                    let document = &data[at..end];
                    at = end;
                    self.document(document, &mut out, bad)?;
                }
                None => {
                    // The rest of the line is not JSON; a later line may be.
                    let end = memchr::memchr(b'\n', &data[at..]).map_or(data.len(), |n| at + n);
                    bad("Failed to parse json: malformed document", &data[at..end]);
                    at = end.max(at + 1);
                }
            }
        }
        self.flush(&mut out);
        Ok(out)
    }
}
