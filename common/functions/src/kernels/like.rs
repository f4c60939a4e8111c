//! LIKE: a pattern is compiled once into the cheapest matcher that can decide it.
//!
//! `%` is any run of bytes, `_` one UTF-8 character, backslash escapes the next character.

use memchr::memmem::Finder;

/// A compiled pattern.
pub struct LikeMatcher {
    kind: Kind,
}

enum Kind {
    /// `%`
    Anything,
    /// `abc`
    Exact(Vec<u8>),
    /// `abc%`
    Prefix(Vec<u8>),
    /// `%abc`
    Suffix(Vec<u8>),
    /// `%abc%`
    Contains(Box<Finder<'static>>),
    /// `a%b%c`: fixed ends, literals found left to right between them.
    Pieces { prefix: Vec<u8>, middle: Vec<Finder<'static>>, suffix: Vec<u8> },
    /// Anything with `_`.
    General(Vec<Token>),
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Literal(Vec<u8>),
    One,
    Many,
}

impl LikeMatcher {
    /// Compiles a pattern.
    pub fn new(pattern: &[u8]) -> Self {
        let tokens = tokenize(pattern);
        if tokens.contains(&Token::One) {
            return Self { kind: Kind::General(tokens) };
        }
        let literal = |t: Option<&Token>| match t {
            Some(Token::Literal(l)) => l.clone(),
            _ => Vec::new(),
        };
        let kind = match &tokens[..] {
            [] => Kind::Exact(Vec::new()),
            [Token::Many] => Kind::Anything,
            [Token::Literal(l)] => Kind::Exact(l.clone()),
            [Token::Literal(l), Token::Many] => Kind::Prefix(l.clone()),
            [Token::Many, Token::Literal(l)] => Kind::Suffix(l.clone()),
            [Token::Many, Token::Literal(l), Token::Many] => Kind::Contains(Box::new(Finder::new(l).into_owned())),
            _ => {
                let prefix = literal(tokens.first());
                let suffix = literal(tokens.last());
                let inner = &tokens[usize::from(!prefix.is_empty())..tokens.len() - usize::from(!suffix.is_empty())];
                let middle = inner
                    .iter()
                    .filter_map(|t| match t {
                        Token::Literal(l) => Some(Finder::new(l).into_owned()),
                        _ => None,
                    })
                    .collect();
                Kind::Pieces { prefix, middle, suffix }
            }
        };
        Self { kind }
    }

    /// Whether the text matches.
    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.kind {
            Kind::Anything => true,
            Kind::Exact(l) => text == l.as_slice(),
            Kind::Prefix(l) => text.starts_with(l),
            Kind::Suffix(l) => text.ends_with(l),
            Kind::Contains(f) => f.find(text).is_some(),
            Kind::Pieces { prefix, middle, suffix } => {
                // Comparing with an empty literal is not free: its dangling address makes the masked load of memcmp fault inside.
                if text.len() < prefix.len() + suffix.len()
                    || (!prefix.is_empty() && !text.starts_with(prefix))
                    || (!suffix.is_empty() && !text.ends_with(suffix))
                {
                    return false;
                }
                let mut rest = &text[prefix.len()..text.len() - suffix.len()];
                for f in middle {
                    match f.find(rest) {
                        Some(at) => rest = &rest[at + f.needle().len()..],
                        None => return false,
                    }
                }
                true
            }
            Kind::General(tokens) => general(tokens, text),
        }
    }

    /// The exact value when the pattern has no wildcard.
    pub fn exact(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Exact(l) => Some(l),
            _ => None,
        }
    }

    /// Whether the prefix decides alone.
    pub fn is_prefix(&self) -> bool {
        matches!(self.kind, Kind::Prefix(_))
    }

    /// What every match starts with (perhaps nothing).
    pub fn prefix(&self) -> &[u8] {
        match &self.kind {
            Kind::Exact(l) | Kind::Prefix(l) => l,
            Kind::Pieces { prefix, .. } => prefix,
            Kind::General(tokens) => match tokens.first() {
                Some(Token::Literal(l)) => l,
                _ => &[],
            },
            _ => &[],
        }
    }
}

fn tokenize(pattern: &[u8]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = pattern.iter().copied();
    while let Some(b) = bytes.next() {
        let token = match b {
            b'%' => Token::Many,
            b'_' => Token::One,
            b'\\' => {
                literal.push(bytes.next().unwrap_or(b'\\'));
                continue;
            }
            _ => {
                literal.push(b);
                continue;
            }
        };
        if !literal.is_empty() {
            tokens.push(Token::Literal(std::mem::take(&mut literal)));
        }
        if token == Token::One || tokens.last() != Some(&Token::Many) {
            tokens.push(token);
        }
    }
    if !literal.is_empty() {
        tokens.push(Token::Literal(literal));
    }
    tokens
}

/// Bytes of the UTF-8 character that starts here (1 for anything malformed).
fn char_len(text: &[u8]) -> usize {
    let n = match text[0] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    n.min(text.len())
}

/// Greedy matching with one backtrack point: the last `%` seen.
fn general(tokens: &[Token], text: &[u8]) -> bool {
    let (mut t, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let ok = match tokens.get(t) {
            None if at == text.len() => return true,
            None => false,
            Some(Token::Many) => {
                if t + 1 == tokens.len() {
                    return true;
                }
                retry = Some((t + 1, at));
                t += 1;
                continue;
            }
            Some(Token::One) if at < text.len() => {
                at += char_len(&text[at..]);
                true
            }
            Some(Token::One) => false,
            Some(Token::Literal(l)) if text[at..].starts_with(l) => {
                at += l.len();
                true
            }
            Some(Token::Literal(_)) => false,
        };
        if ok {
            t += 1;
            continue;
        }
        match retry {
            Some((token, from)) if from < text.len() => {
                let from = from + char_len(&text[from..]);
                retry = Some((token, from));
                (t, at) = (token, from);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases: &[(&str, &str, bool)] = &[
            ("ab", "a_", true),
            ("a", "a_", false),
            ("", "", true),
            ("", "%", true),
            ("forest green", "forest%", true),
            ("a forest", "%forest", true),
            ("xx special yy requests zz", "%special%requests%", true),
            ("requests special", "%special%requests%", false),
            ("aXa", "a%a", true),
            ("a", "a%a", false),
            ("中文", "__", true),
            ("中文", "_", false),
            ("100%", "100\\%", true),
            ("1000", "100\\%", false),
            ("abcbc", "a%_bc", true),
            ("line\nbreak", "line%break", true),
            ("abc", "ABC", false),
            ("xaybzc", "%a_b%c", true),
            ("a_b", "a\\_b", true),
        ];
        for (text, pattern, want) in cases {
            assert_eq!(LikeMatcher::new(pattern.as_bytes()).matches(text.as_bytes()), *want, "{text} LIKE {pattern}");
        }
    }
}
