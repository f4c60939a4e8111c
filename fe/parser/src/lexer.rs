//! Text to tokens: sqlparser's tokenizer, then what the dialect needs on top — byte offsets, our escape rules, operators the
//! library reads as one token split again, hint comments kept aside. Tokens before a lexical error are still delivered.

use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use crate::dialect::StarRocksDialect;
use crate::error::SyntaxError;

/// A token with its place in lines and in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Tok {
    pub token: Token,
    pub span: Span,
    pub start: usize,
    pub end: usize,
}

/// The tokens of a text. `hints` are the `/*+ … */` texts, each with the index of the token that follows it.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    pub tokens: Vec<Tok>,
    pub hints: Vec<(usize, String)>,
    pub error: Option<Box<SyntaxError>>,
    /// For each `(`, `[`, `{`: the index of its closing token.
    pub matching: Vec<u32>,
}

/// No closing token.
pub(crate) const UNMATCHED: u32 = u32::MAX;

/// Cuts a text into tokens, at most `limit` of them.
pub(crate) fn lex(text: &str, limit: usize) -> Lexed {
    let dialect = StarRocksDialect;
    let mut raw: Vec<TokenWithSpan> = Vec::new();
    let failure = Tokenizer::new(&dialect, text).with_unescape(false).tokenize_with_location_into_buf(&mut raw).err();
    let mut out = Lexed { tokens: Vec::with_capacity(raw.len() / 2 + 1), ..Lexed::default() };
    let mut places = Places { text, offset: 0, line: 1, column: 1 };
    let mut last_end = 0;
    for TokenWithSpan { token, span } in raw {
        let start = places.seek(span.start);
        if let Token::Whitespace(space) = &token {
            if let Whitespace::MultiLineComment(body) = space
                && let Some(hint) = body.strip_prefix('+')
            {
                out.hints.push((out.tokens.len(), hint.to_string()));
            }
            continue;
        }
        let end = places.seek(span.end);
        if out.tokens.len() >= limit {
            let message =
                "Statement exceeds maximum length limit, please consider modify 'parse_tokens_limit' session variable";
            out.error = Some(SyntaxError::new(Some(span.start), message));
            break;
        }
        // x"AB": the library knows hex strings in single quotes only.
        if let (Token::DoubleQuotedString(body), Some(Tok { token: Token::Word(w), .. })) = (&token, out.tokens.last())
            && w.quote_style.is_none()
            && w.value.eq_ignore_ascii_case("x")
            && last_end == start
        {
            let hex = Token::HexStringLiteral(body.clone());
            let previous = out.tokens.last_mut().expect("the arm matched on the last token");
            (previous.token, previous.span.end, previous.end) = (hex, span.end, end);
            last_end = end;
            continue;
        }
        last_end = end;
        push(&mut out.tokens, token, span, start, end);
    }
    if out.error.is_none() {
        out.error = failure.map(|e| SyntaxError::new(Some(e.location), e.message));
    }
    out.matching = match_brackets(&out.tokens);
    out
}

/// Adds one library token as one or more of ours.
fn push(tokens: &mut Vec<Tok>, token: Token, span: Span, start: usize, end: usize) {
    let mut split = |parts: [Token; 2]| {
        let middle = Location { line: span.start.line, column: span.start.column + 1 };
        let [a, b] = parts;
        tokens.push(Tok { token: a, span: Span { start: span.start, end: middle }, start, end: start + 1 });
        tokens.push(Tok { token: b, span: Span { start: middle, end: span.end }, start: start + 1, end });
    };
    let token = match token {
        // ARRAY<ARRAY<INT>>; the dialect has no shift operators.
        Token::ShiftRight => return split([Token::Gt, Token::Gt]),
        Token::ArrowAt => return split([Token::Lt, Token::AtSign]),
        Token::ExclamationMarkTilde => return split([Token::ExclamationMark, Token::Tilde]),
        Token::DoubleExclamationMark => return split([Token::ExclamationMark, Token::ExclamationMark]),
        Token::DoubleTilde => return split([Token::Tilde, Token::Tilde]),
        Token::SingleQuotedString(s) => Token::SingleQuotedString(unescape(&s, '\'')),
        Token::DoubleQuotedString(s) => Token::DoubleQuotedString(unescape(&s, '"')),
        Token::Word(Word { value, quote_style: Some(q), keyword }) => {
            Token::Word(Word { value: value.replace('`', ""), quote_style: Some(q), keyword })
        }
        other => other,
    };
    tokens.push(Tok { token, span, start, end });
}

/// The value of a string body: `\%` and `\_` keep the backslash for LIKE, any other unknown escape drops it.
fn unescape(body: &str, quote: char) -> String {
    if !body.contains(['\\', quote]) {
        return body.to_string();
    }
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            // The tokenizer left a doubled quote doubled.
            chars.next();
            out.push(quote);
        } else if c == '\\' {
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('b') => out.push('\u{8}'),
                Some('0') => out.push('\0'),
                Some('Z') => out.push('\u{1a}'),
                Some(c @ ('%' | '_')) => out.extend(['\\', c]),
                Some(c) => out.push(c),
                None => out.push('\\'),
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Turns the tokenizer's line and column into byte offsets, walking forward once.
struct Places<'a> {
    text: &'a str,
    offset: usize,
    line: u64,
    column: u64,
}

impl Places<'_> {
    fn seek(&mut self, to: Location) -> usize {
        let bytes = self.text.as_bytes();
        while (self.line, self.column) < (to.line, to.column) && self.offset < bytes.len() {
            let b = bytes[self.offset];
            let width = match b {
                0..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            self.offset = (self.offset + width).min(bytes.len());
            if b == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset
    }
}

fn match_brackets(tokens: &[Tok]) -> Vec<u32> {
    let mut matching = vec![UNMATCHED; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    for (i, t) in tokens.iter().enumerate() {
        match &t.token {
            Token::LParen | Token::LBracket | Token::LBrace => open.push(i),
            close @ (Token::RParen | Token::RBracket | Token::RBrace) => {
                let wanted = match close {
                    Token::RParen => Token::LParen,
                    Token::RBracket => Token::LBracket,
                    _ => Token::LBrace,
                };
                // A fixed-range bound `[("a"), ("b"))` closes a bracket with a parenthesis.
                match open.last() {
                    Some(&o) if tokens[o].token == wanted || tokens[o].token == Token::LBracket => {
                        matching[o] = i as u32;
                        open.pop();
                    }
                    _ => {}
                }
            }
            Token::SemiColon => open.clear(),
            _ => {}
        }
    }
    matching
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text, 1000).tokens.iter().map(|t| text[t.start..t.end].to_string()).collect()
    }

    #[test]
    fn offsets_follow_the_source() {
        assert_eq!(
            words("select 'é' , `a``b`\r\n -- c\n from t1.1a"),
            ["select", "'é'", ",", "`a``b`", "from", "t1", ".", "1a"]
        );
        assert_eq!(
            words("a>>b !!c <@v x'AB' X\"cd\" 1e3 .5 1abc"),
            ["a", ">", ">", "b", "!", "!", "c", "<", "@", "v", "x'AB'", "X\"cd\"", "1e3", ".5", "1abc"]
        );
    }

    #[test]
    fn strings_are_unescaped_our_way() {
        let value = |text: &str| match lex(text, 10).tokens.remove(0).token {
            Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) => s,
            other => panic!("not a string: {other:?}"),
        };
        assert_eq!(value(r"'a\n\\\'b''c\%\_\q'"), "a\n\\'b'c\\%\\_q");
        assert_eq!(value(r#""a""b'\"c""#), "a\"b'\"c");
    }

    #[test]
    fn an_unterminated_string_keeps_the_tokens_before_it() {
        let lexed = lex("select 1; select 'abc", 100);
        assert_eq!(lexed.tokens.len(), 4);
        assert!(lexed.error.is_some());
        let hinted = lex("select /*+ SET_VAR(a=1) */ /* no */ x", 100);
        assert_eq!(hinted.hints, vec![(1, " SET_VAR(a=1) ".to_string())]);
    }
}
