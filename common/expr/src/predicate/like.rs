//! LIKE patterns: `%` any run, `_` one UTF-8 character, `\` escapes. The common shapes skip the general matcher.

use bytes::Bytes;
use memchr::memmem;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub enum LikePattern {
    Equals(Bytes),
    Prefix(Bytes),
    Suffix(Bytes),
    Contains(Box<memmem::Finder<'static>>),
    /// `%a%b%…`: the pieces in order; first anchored at the start, last at the end when flagged.
    Pieces { pieces: Vec<memmem::Finder<'static>>, starts: bool, ends: bool },
    /// With `_`: general backtracking.
    General(Vec<Token>),
}

/// One element of a general pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Byte(u8),
    /// One character.
    Any,
    /// Any run.
    Run,
}

impl LikePattern {
    /// Compiles; every byte string is a valid pattern.
    pub fn new(pattern: &[u8]) -> Self {
        let mut tokens: Vec<Token> = Vec::with_capacity(pattern.len());
        let mut bytes = pattern.iter().copied();
        while let Some(b) = bytes.next() {
            match b {
                b'%' if tokens.last() == Some(&Token::Run) => {}
                b'%' => tokens.push(Token::Run),
                b'_' => tokens.push(Token::Any),
                b'\\' => match bytes.next() {
                    Some(c @ (b'%' | b'_' | b'\\')) => tokens.push(Token::Byte(c)),
                    Some(c) => tokens.extend([Token::Byte(b'\\'), Token::Byte(c)]),
                    None => tokens.push(Token::Byte(b'\\')),
                },
                b => tokens.push(Token::Byte(b)),
            }
        }
        if tokens.contains(&Token::Any) {
            return Self::General(tokens);
        }
        let starts = tokens.first() != Some(&Token::Run);
        let ends = tokens.last() != Some(&Token::Run);
        let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
        for token in &tokens {
            match token {
                Token::Byte(b) => pieces.last_mut().expect("never empty").push(*b),
                _ => pieces.push(Vec::new()),
            }
        }
        pieces.retain(|p| !p.is_empty());
        match (pieces.len(), starts, ends) {
            (0, _, _) if tokens.is_empty() => Self::Equals(Bytes::new()),
            (0, _, _) => Self::Prefix(Bytes::new()),
            (1, true, true) => Self::Equals(pieces.remove(0).into()),
            (1, true, false) => Self::Prefix(pieces.remove(0).into()),
            (1, false, true) => Self::Suffix(pieces.remove(0).into()),
            (1, false, false) => Self::Contains(Box::new(memmem::Finder::new(&pieces[0]).into_owned())),
            _ => Self::Pieces { pieces: pieces.iter().map(|p| memmem::Finder::new(p).into_owned()).collect(), starts, ends },
        }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Equals(s) => text == s,
            Self::Prefix(s) => text.starts_with(s),
            Self::Suffix(s) => text.ends_with(s),
            Self::Contains(finder) => finder.find(text).is_some(),
            Self::Pieces { pieces, starts, ends } => match_pieces(pieces, *starts, *ends, text),
            Self::General(tokens) => match_general(tokens, text),
        }
    }

    /// The bytes every match begins with.
    pub fn prefix(&self) -> Bytes {
        match self {
            Self::Equals(s) | Self::Prefix(s) => s.clone(),
            Self::Pieces { pieces, starts: true, .. } => Bytes::copy_from_slice(pieces[0].needle()),
            Self::General(tokens) => {
                tokens.iter().map_while(|t| if let Token::Byte(b) = t { Some(*b) } else { None }).collect::<Vec<u8>>().into()
            }
            _ => Bytes::new(),
        }
    }

    /// Whether `LIKE` is nothing but equality with [`LikePattern::prefix`].
    pub fn is_equality(&self) -> bool {
        matches!(self, Self::Equals(_))
    }
}

fn match_pieces(pieces: &[memmem::Finder<'static>], starts: bool, ends: bool, text: &[u8]) -> bool {
    let mut rest = text;
    let mut middle = pieces;
    if starts {
        let Some(after) = rest.strip_prefix(middle[0].needle()) else { return false };
        rest = after;
        middle = &middle[1..];
    }
    if ends && let Some((last, before)) = middle.split_last() {
        let Some(front) = rest.strip_suffix(last.needle()) else { return false };
        rest = front;
        middle = before;
    }
    for piece in middle {
        match piece.find(rest) {
            Some(at) => rest = &rest[at + piece.needle().len()..],
            None => return false,
        }
    }
    true
}

/// Greedy with one point of return: after a failure the latest `%` takes one byte more.
fn match_general(tokens: &[Token], text: &[u8]) -> bool {
    let (mut t, mut i) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match tokens.get(t) {
            Some(Token::Run) => {
                retry = Some((t + 1, i));
                t += 1;
                continue;
            }
            Some(Token::Any) if i < text.len() => Some(char_len(text, i)),
            Some(Token::Byte(b)) if text.get(i) == Some(b) => Some(1),
            None if i == text.len() => return true,
            _ => None,
        };
        match (step, retry) {
            (Some(n), _) => {
                t += 1;
                i += n;
            }
            (None, Some((after, from))) if from < text.len() => {
                let from = from + char_len(text, from);
                retry = Some((after, from));
                t = after;
                i = from;
            }
            _ => return false,
        }
    }
}

/// Bytes of the character that starts at `i`; broken UTF-8 counts byte by byte.
fn char_len(text: &[u8], i: usize) -> usize {
    let n = match text[i] {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 1,
    };
    n.min(text.len() - i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let cases: [(&str, &str, bool); 18] = [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("ab%", "abcd", true),
            ("%cd", "abcd", true),
            ("%bc%", "abcd", true),
            ("%special%requests%", "a special x requests", true),
            ("%special%requests%", "requests special", false),
            ("a%b%c", "a1b2c", true),
            ("ab%b", "ab", false),
            ("a_c", "abc", true),
            ("a_c", "aéc", true),
            ("%_b%", "b", false),
            ("%_b%", "ab", true),
            ("a\\%b", "a%b", true),
            ("a\\%b", "axb", false),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(LikePattern::new(pattern.as_bytes()).matches(text.as_bytes()), want, "{text} LIKE {pattern}");
        }
        assert_eq!(&LikePattern::new(b"ab%c_").prefix()[..], b"ab");
    }
}
