//! `url_encode`, `url_decode`, `parse_url`, `url_extract_host`, `url_extract_parameter`.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};
use memchr::{memchr, memchr3, memmem};

use crate::kernels::{
    def::{partial, sig, strict},
    strings::{StrWriter, cut, map_strings, strs, utf8},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(&["url_encode"], vec![sig([s()], s())], encode));
    r.add_scalar(strict(&["url_decode"], vec![sig([s()], s())], decode));
    r.add_scalar(partial(&["parse_url"], vec![sig([s(), s()], s())], parse_url));
    r.add_scalar(partial(&["url_extract_host"], vec![sig([s()], s())], extract_host));
    r.add_scalar(partial(&["url_extract_parameter"], vec![sig([s(), s()], s())], extract_parameter));
}

fn encode(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    map_strings(args, &call.result, rows, |s, out| {
        for byte in s {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                out.push(*byte);
            } else {
                out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    })
}

/// Decodes `%XX`; `None` on a bad escape.
fn percent_decode(s: &[u8], any_case: bool, out: &mut Vec<u8>) -> Option<()> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'F' => Some(b - b'A' + 10),
        b'a'..=b'f' if any_case => Some(b - b'a' + 10),
        _ => None,
    };
    let mut rest = s;
    while let Some(at) = memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        let [high, low] = rest.get(at + 1..at + 3)? else { return None };
        out.push(digit(*high)? << 4 | digit(*low)?);
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest);
    Some(())
}

fn decode(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        match percent_decode(input.get(row), false, out.buf()) {
            Some(()) => out.end_row(),
            None if args[0].is_null(row) => out.end_null(),
            None => bail!(InvalidArgument, "decode string contains illegal hex chars: {}", utf8(input.get(row))),
        }
    }
    Ok(out.finish(&call.result))
}

/// Byte ranges of the components of a URL.
#[derive(Default)]
struct UrlParts {
    protocol: Option<(usize, usize)>,
    user_info: Option<(usize, usize)>,
    authority: Option<(usize, usize)>,
    host: Option<(usize, usize)>,
    path: Option<(usize, usize)>,
    file: Option<(usize, usize)>,
    query: Option<(usize, usize)>,
    reference: Option<(usize, usize)>,
}

impl UrlParts {
    /// Takes a URL apart; `None` without `protocol://`. Surrounding blanks are not part of it.
    fn parse(url: &[u8]) -> Option<Self> {
        let lead = url.len() - url.trim_ascii_start().len();
        let end = lead + url.trim_ascii().len();
        let colon = lead + memmem::find(&url[lead..end], b"://")?;
        let start = colon + 3;
        let find = |from: usize, to: usize, byte: u8| memchr(byte, &url[from..to]).map(|at| from + at);
        let hash = find(start, end, b'#');
        let body_end = hash.unwrap_or(end);
        let question = find(start, body_end, b'?');
        let path_end = question.unwrap_or(body_end);
        let slash = find(start, path_end, b'/');
        let authority_end = slash.unwrap_or(path_end);
        let at_sign = memchr::memrchr(b'@', &url[start..authority_end]).map(|at| start + at);
        let host_start = at_sign.map_or(start, |at| at + 1);
        let host_end = match url.get(host_start) {
            // An IPv6 address keeps its colons.
            Some(b'[') => find(host_start, authority_end, b']').map_or(authority_end, |at| at + 1),
            _ => find(host_start, authority_end, b':').unwrap_or(authority_end),
        };
        Some(Self {
            protocol: Some((lead, colon)),
            user_info: at_sign.map(|at| (start, at)),
            authority: Some((start, authority_end)),
            host: Some((host_start, host_end)),
            path: Some((authority_end, path_end)),
            file: Some((authority_end, body_end)),
            query: question.map(|at| (at + 1, body_end)),
            reference: hash.map(|at| (at + 1, end)),
        })
    }
}

/// How one part is picked; `None` for an unknown name.
fn part_picker(name: &[u8]) -> Option<fn(&UrlParts) -> Option<(usize, usize)>> {
    Some(match name.to_ascii_uppercase().as_slice() {
        b"AUTHORITY" => |u| u.authority,
        b"FILE" => |u| u.file,
        b"HOST" => |u| u.host,
        b"PATH" => |u| u.path,
        b"PROTOCOL" => |u| u.protocol,
        b"QUERY" => |u| u.query,
        b"REF" => |u| u.reference,
        b"USERINFO" => |u| u.user_info,
        _ => return None,
    })
}

fn parse_url(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let part = strs(&args[1]);
    if let Some(value) = args[1].as_const() {
        let name = value.as_bytes().unwrap_or_default();
        let Some(pick) = part_picker(name) else { bail!(InvalidArgument, "Invalid URL part: {}", utf8(name)) };
        return Ok(cut(&args[0], &call.result, rows, |_, url| UrlParts::parse(url).and_then(|u| pick(&u))));
    }
    Ok(cut(&args[0], &call.result, rows, |row, url| part_picker(part.get(row))?(&UrlParts::parse(url)?)))
}

fn extract_host(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    Ok(cut(&args[0], &call.result, rows, |_, url| {
        let (start, end) = UrlParts::parse(url)?.host?;
        (start < end).then_some((start, end))
    }))
}

/// Raw text of the first parameter of that name; empty when it has no value.
fn find_parameter<'a>(url: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let end = memchr(b'#', url).unwrap_or(url.len());
    let start = memchr(b'?', &url[..end])? + 1;
    // Names and values are plain text: a blank means this is no URL.
    if memchr3(b' ', b'\t', b'\n', name).is_some() {
        return None;
    }
    let mut rest = &url[start..end];
    loop {
        let next = memchr(b'&', rest).unwrap_or(rest.len());
        let pair = &rest[..next];
        let key_end = memchr(b'=', pair).unwrap_or(pair.len());
        if &pair[..key_end] == name {
            return Some(pair.get(key_end + 1..).unwrap_or_default());
        }
        if next == rest.len() {
            return None;
        }
        rest = &rest[next + 1..];
    }
}

fn extract_parameter(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (url, name) = (strs(&args[0]), strs(&args[1]));
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        match find_parameter(url.get(row), name.get(row)) {
            Some(value) => match percent_decode(value, true, out.buf()) {
                Some(()) => out.end_row(),
                None => out.end_null(),
            },
            None => out.end_null(),
        }
    }
    Ok(out.finish(&call.result))
}
