//! Walking JSON text without building a tree: where a value ends, the members of an object, the elements of an array.

/// First position at or after `at` that is not blank.
pub fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// End of the string whose opening quote is at `at`.
pub fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// End of the value that begins at `at`. Brackets are paired, scalars end at a delimiter; what is inside is checked by who reads it.
pub fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => {
            let (mut at, mut depth) = (at, 0_usize);
            loop {
                match *text.get(at)? {
                    b'"' => {
                        at = string_end(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        b',' | b'}' | b']' | b':' => None,
        _ => {
            let len = text[at..].iter().position(|b| matches!(b, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r')).unwrap_or(text.len() - at);
            Some(at + len)
        }
    }
}

/// Calls `each(key without quotes, value)` for the members of an object; `None` when it is malformed.
pub fn members<'a>(text: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    let mut at = skip_space(text, 0);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = skip_space(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return ends(text, at + 1);
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let end = string_end(text, at)?;
        let key = &text[at + 1..end - 1];
        at = skip_space(text, end);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = skip_space(text, at + 1);
        let end = value_end(text, at)?;
        each(key, &text[at..end]);
        at = skip_space(text, end);
        match text.get(at)? {
            b',' => at = skip_space(text, at + 1),
            b'}' => return ends(text, at + 1),
            _ => return None,
        }
    }
}

/// Calls `each` for the elements of an array; `None` when it is malformed.
pub fn elements<'a>(text: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Option<()> {
    let mut at = skip_space(text, 0);
    if text.get(at) != Some(&b'[') {
        return None;
    }
    at = skip_space(text, at + 1);
    if text.get(at) == Some(&b']') {
        return ends(text, at + 1);
    }
    loop {
        let end = value_end(text, at)?;
        each(&text[at..end]);
        at = skip_space(text, end);
        match text.get(at)? {
            b',' => at = skip_space(text, at + 1),
            b']' => return ends(text, at + 1),
            _ => return None,
        }
    }
}

fn ends(text: &[u8], at: usize) -> Option<()> {
    (skip_space(text, at) == text.len()).then_some(())
}
