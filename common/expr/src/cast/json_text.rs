//! Reading normalised JSON text piece by piece: kinds, strings, the elements of arrays and the members of objects.

/// The content of a JSON string literal; `None` when the text is no string.
pub(super) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut out = Vec::with_capacity(inner.len());
    let mut i = 0;
    while i < inner.len() {
        if inner[i] != b'\\' {
            out.push(inner[i]);
            i += 1;
            continue;
        }
        let escape = *inner.get(i + 1)?;
        i += 2;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let mut code = hex4(inner, i)?;
                i += 4;
                // A surrogate pair is one character written as two escapes.
                if (0xD800..0xDC00).contains(&code) && inner.get(i..i + 2) == Some(b"\\u") {
                    let low = hex4(inner, i + 2)?;
                    if (0xDC00..0xE000).contains(&low) {
                        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                        i += 6;
                    }
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
    }
    Some(out)
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Appends a JSON string literal.
pub(super) fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &b in text {
        match b {
            b'"' | b'\\' => out.extend([b'\\', b]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            8 => out.extend(b"\\b"),
            12 => out.extend(b"\\f"),
            0..0x20 => {
                out.extend(b"\\u00");
                out.push(HEX[usize::from(b >> 4)]);
                out.push(HEX[usize::from(b & 15)]);
            }
            b => out.push(b),
        }
    }
    out.push(b'"');
}

/// The elements of an array's text; `None` when it is no array.
pub(super) fn elements(text: &[u8]) -> Option<Vec<&[u8]>> {
    let text = text.trim_ascii();
    Some(pieces(text.strip_prefix(b"[")?.strip_suffix(b"]")?))
}

/// The members of an object's text: quoted key and value; `None` when it is no object.
pub(super) fn members(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let text = text.trim_ascii();
    let inner = text.strip_prefix(b"{")?.strip_suffix(b"}")?;
    pieces(inner)
        .into_iter()
        .map(|member| {
            let colon = top_level(member, b':').next()?;
            Some((member[..colon].trim_ascii(), member[colon + 1..].trim_ascii()))
        })
        .collect()
}

fn pieces(inner: &[u8]) -> Vec<&[u8]> {
    if inner.trim_ascii().is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut from = 0;
    for comma in top_level(inner, b',') {
        out.push(inner[from..comma].trim_ascii());
        from = comma + 1;
    }
    out.push(inner[from..].trim_ascii());
    out
}

/// Positions of a separator outside strings and brackets.
fn top_level(text: &[u8], separator: u8) -> impl Iterator<Item = usize> + '_ {
    let (mut depth, mut quoted, mut escaped) = (0i32, false, false);
    text.iter().enumerate().filter_map(move |(i, &b)| {
        if quoted {
            if escaped {
                escaped = false;
            } else if b == b'\\' {
                escaped = true;
            } else if b == b'"' {
                quoted = false;
            }
            return None;
        }
        match b {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b if b == separator && depth == 0 => return Some(i),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_text_apart() {
        assert_eq!(elements(br#"[1, "a,b", [2, 3], {"x": 1}]"#), Some(vec![&b"1"[..], br#""a,b""#, b"[2, 3]", br#"{"x": 1}"#]));
        assert_eq!(members(br#"{"a": 1, "b:c": [1, 2]}"#), Some(vec![(&br#""a""#[..], &b"1"[..]), (br#""b:c""#, b"[1, 2]")]));
        assert_eq!(elements(b"[]"), Some(vec![]));
        assert_eq!(unquote("\"a\\n\\u00e9\\ud83d\\ude00\"".as_bytes()), Some("a\né😀".as_bytes().to_vec()));
        let mut out = Vec::new();
        quote(b"a\"\n\x01", &mut out);
        assert_eq!(out, br#""a\"\n\u0001""#);
    }
}
