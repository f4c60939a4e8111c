//! What a session decides about parsing.

/// Switches and limits of one parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// The session's sql_mode bits; only `PIPES_AS_CONCAT` changes the grammar.
    pub sql_mode: u64,
    /// How deep expressions and queries may nest; a query counts for four levels. One level needs up to 5 KB of stack, so the
    /// default fits a thread of 2 MB.
    pub max_depth: usize,
    /// How many operands a chain of one-way operators (`a + b + …`) may have: its tree is as deep as it is long.
    pub max_chain: usize,
    /// `parse_tokens_limit`: how many tokens a text may have.
    pub max_tokens: usize,
}

/// `||` concatenates.
pub const SQL_MODE_PIPES_AS_CONCAT: u64 = 1 << 1;

impl Default for ParseOptions {
    fn default() -> Self {
        Self { sql_mode: 0, max_depth: 200, max_chain: 1000, max_tokens: 3_500_000 }
    }
}

impl ParseOptions {
    pub(crate) fn pipes_as_concat(&self) -> bool {
        self.sql_mode & SQL_MODE_PIPES_AS_CONCAT != 0
    }
}
