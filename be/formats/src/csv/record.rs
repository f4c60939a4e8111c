//! One record of a CSV file with enclosure or escapes, byte by byte.

use super::CsvOptions;

/// A field of a record as it stands in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawField {
    pub start: usize,
    pub end: usize,
    pub enclosed: bool,
    /// Holds escapes or doubled enclosures: its value is not its bytes.
    pub coded: bool,
}

/// Scans the record that begins at `start`; its fields go to `fields`. Returns (end of its content, start of the next record).
/// `None`: the record goes on beyond the buffer; with `last` the buffer's end ends it.
pub fn scan(data: &[u8], start: usize, options: &CsvOptions, last: bool, fields: &mut Vec<RawField>) -> Option<(usize, usize)> {
    fields.clear();
    let (separator, delimiter) = (&options.column_separator[..], &options.row_delimiter[..]);
    let (first_separator, first_delimiter) = (separator[0], delimiter[0]);
    let mut at = start;
    loop {
        let mut field = RawField { start: at, end: at, enclosed: false, coded: false };
        if let Some(enclose) = options.enclose {
            let mut open = at;
            if options.trim_space {
                while data.get(open) == Some(&b' ') {
                    open += 1;
                }
            }
            if data.get(open) == Some(&enclose) {
                if let Some((close, coded)) = enclosed_end(data, open + 1, enclose, options.escape) {
                    field = RawField { start: open + 1, end: close, enclosed: true, coded };
                    at = close + 1;
                } else if last {
                    // Never closed: the quote is an ordinary character.
                } else {
                    return None;
                }
            }
        }
        let rest = at;
        loop {
            let Some(byte) = data.get(at).copied() else {
                if !last {
                    return None;
                }
                push(&mut field, rest, at, fields);
                return Some((at, at));
            };
            if byte == first_separator && data[at..].starts_with(separator) {
                push(&mut field, rest, at, fields);
                at += separator.len();
                break;
            }
            if byte == first_delimiter && data[at..].starts_with(delimiter) {
                push(&mut field, rest, at, fields);
                return Some((at, at + delimiter.len()));
            }
            // A separator that the buffer's end cuts in two is decided when more bytes are there.
            if !last && data.len() - at < separator.len().max(delimiter.len()) && (separator.starts_with(&data[at..]) || delimiter.starts_with(&data[at..])) {
                return None;
            }
            if Some(byte) == options.escape {
                field.coded = true;
                at += 1;
                if at >= data.len() && !last {
                    return None;
                }
            }
            at = (at + 1).min(data.len());
        }
    }
}

/// Ends a field; what stands between a closing quote and the separator is dropped.
fn push(field: &mut RawField, rest: usize, at: usize, fields: &mut Vec<RawField>) {
    if !field.enclosed {
        (field.start, field.end) = (rest, at);
    }
    fields.push(*field);
}

/// Position of the closing quote, and whether anything before it is coded.
fn enclosed_end(data: &[u8], from: usize, enclose: u8, escape: Option<u8>) -> Option<(usize, bool)> {
    let mut at = from;
    let mut coded = false;
    loop {
        at += match escape {
            Some(escape) => memchr::memchr2(enclose, escape, data.get(at..)?)?,
            None => memchr::memchr(enclose, data.get(at..)?)?,
        };
        if Some(data[at]) == escape && escape != Some(enclose) {
            coded = true;
            at += 2;
        } else if data.get(at + 1) == Some(&enclose) {
            coded = true;
            at += 2;
        } else {
            return Some((at, coded));
        }
    }
}

/// The value of a coded field.
pub fn decode(data: &[u8], field: RawField, options: &CsvOptions, out: &mut Vec<u8>) {
    let mut at = field.start;
    while at < field.end {
        let byte = data[at];
        let doubled = field.enclosed && Some(byte) == options.enclose && data.get(at + 1) == Some(&byte);
        let escaped = Some(byte) == options.escape && at + 1 < field.end;
        if doubled || escaped {
            at += 1;
        }
        out.push(data[at]);
        at += 1;
    }
}
