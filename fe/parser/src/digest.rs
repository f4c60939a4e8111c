//! The normalised text of a statement and its fingerprint: literals become `?`, lists of literals one `?`, names and keywords
//! lose their case, comments and spacing go. Two statements with one digest differ in constants only.

use sqlparser::tokenizer::Token;

use crate::lexer::lex;

/// A statement's text without its constants.
pub fn normalize(text: &str) -> String {
    let lexed = lex(text, usize::MAX);
    let mut out = String::with_capacity(text.len());
    let mut words: Vec<String> = Vec::new();
    for t in &lexed.tokens {
        let word = match &t.token {
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_) => "?".to_string(),
            Token::Word(w) if w.quote_style.is_some() => w.value.clone(),
            Token::Word(w) => w.value.to_lowercase(),
            other => other.to_string(),
        };
        // `?, ?` folds into `?`: an IN list's length is no part of its shape.
        if word == "?" && words.len() >= 2 && words[words.len() - 1] == "," && words[words.len() - 2] == "?" {
            words.pop();
            continue;
        }
        // A sign belongs to its constant.
        if word == "?"
            && words.last().is_some_and(|w| w == "-")
            && words.len() >= 2
            && matches!(words[words.len() - 2].as_str(), "(" | "," | "=" | "<" | ">" | "<=" | ">=" | "<>")
        {
            words.pop();
            if words.len() >= 2 && words[words.len() - 1] == "," && words[words.len() - 2] == "?" {
                words.pop();
                continue;
            }
        }
        words.push(word);
    }
    for w in words {
        let tight = matches!(w.as_str(), "," | ")" | "." | "]" | ";");
        let after_open = out.ends_with(['(', '.', '[', '@']) || out.is_empty();
        if !tight && !after_open {
            out.push(' ');
        }
        out.push_str(&w);
    }
    out.truncate(out.trim_end_matches([';', ' ']).len());
    out
}

/// 32 hex digits that stand for the normalised text.
pub fn fingerprint(text: &str) -> String {
    // FNV-1a, 128 bits: stable across versions and platforms, which std's hasher is not.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in normalize(text).bytes() {
        hash ^= u128::from(byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_spacing_and_case_do_not_matter() {
        let a = normalize("SELECT a, /* c */ `B` FROM t WHERE x IN (1, 2,  3) and y = -5 AND z='q';");
        assert_eq!(a, "select a, B from t where x in (?) and y = ? and z = ?");
        assert_eq!(a, normalize("select a,`B` from T where X in (9) and y=7 and z=\"k\""));
        assert_eq!(fingerprint("select 1"), fingerprint("SELECT  2 ;"));
        assert_ne!(fingerprint("select 1"), fingerprint("select a"));
        assert_eq!(fingerprint("select 1").len(), 32);
    }
}
