//! Character positions in UTF-8 bytes. Input may be invalid: a character is then a lead byte with what continues it.

/// Number of characters.
#[inline]
pub fn char_count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| (**b as i8) >= -0x40).count()
}

/// Bytes of the character that starts with this byte.
#[inline]
pub fn char_width(lead: u8) -> usize {
    match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// Byte offset of the `n`-th character (0-based); the length when there are fewer.
pub fn offset_of(bytes: &[u8], n: usize) -> usize {
    // Most text is ASCII: then the offset is the number itself.
    if n <= bytes.len() && bytes[..n].is_ascii() {
        return n;
    }
    let mut at = 0;
    for _ in 0..n {
        if at >= bytes.len() {
            return bytes.len();
        }
        at += char_width(bytes[at]);
    }
    at.min(bytes.len())
}

/// Byte offset of the `n`-th character counted from the end (1 = the last); `None` when there are fewer.
pub fn offset_from_end(bytes: &[u8], n: usize) -> Option<usize> {
    if n <= bytes.len() && bytes[bytes.len() - n..].is_ascii() {
        return Some(bytes.len() - n);
    }
    let mut left = n;
    let mut at = bytes.len();
    while left > 0 {
        if at == 0 {
            return None;
        }
        at -= 1;
        if (bytes[at] as i8) >= -0x40 {
            left -= 1;
        }
    }
    Some(at)
}

/// The characters as byte slices.
pub fn chars(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let lead = *rest.first()?;
        let (head, tail) = rest.split_at(char_width(lead).min(rest.len()));
        rest = tail;
        Some(head)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        let s = "a中文，b".as_bytes();
        assert_eq!(char_count(s), 5);
        assert_eq!(offset_of(s, 2), 4);
        assert_eq!(offset_of(s, 99), s.len());
        assert_eq!(offset_from_end(s, 2), Some(7));
        assert_eq!(offset_from_end(s, 6), None);
        assert_eq!(chars(s).count(), 5);
        assert_eq!(offset_of(b"abc", 2), 2);
    }
}
