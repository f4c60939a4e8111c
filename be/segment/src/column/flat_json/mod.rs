//! JSON columns with their frequent paths as columns of their own. FORMAT.md draws them.
//!
//! Flow: `choose` looks at a sample of the documents and picks paths; `split` takes the values of those paths out of every document;
//! each path gets the narrowest type all of its values have, and is encoded like any column. `join` puts documents together again,
//! byte for byte. Invariant: a path that was picked is taken out of every document that has it, whatever its value is there.

mod choose;
mod join;
mod split;
#[cfg(test)]
mod tests;

pub use choose::Choice;
pub use join::{join, values_as_json};
pub use split::{Split, Values, split};

/// When and how far JSON columns are taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlatJson {
    /// A column with a greater share of NULLs stays whole.
    pub nulls_max: f64,
    /// A path in a smaller share of the documents stays where it is.
    pub share_min: f64,
    /// Paths of one column.
    pub paths_max: usize,
}

impl Default for FlatJson {
    fn default() -> Self {
        Self { nulls_max: 0.3, share_min: 0.3, paths_max: 100 }
    }
}

/// Where the parts of a JSON column are among the columns of a segment.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What is left of the documents.
    pub rest: usize,
    pub leaves: Vec<Leaf>,
}

/// One path.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub path: Vec<String>,
    pub column: usize,
    /// Rows whose value is JSON null; `None` = the values say so themselves, or there is none.
    pub nulls: Option<usize>,
}

/// Who answers for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The values of this leaf; so many keys of the path lead to it.
    Leaf { leaf: usize, keys: usize },
    /// What is left of the documents.
    Rest,
    /// The whole documents.
    Whole,
}

impl Parts {
    /// Who answers for a path of keys.
    pub fn access(&self, path: &[String]) -> Access {
        let mut whole = path.is_empty();
        for (at, leaf) in self.leaves.iter().enumerate() {
            if path.starts_with(&leaf.path) {
                return Access::Leaf { leaf: at, keys: leaf.path.len() };
            }
            whole |= leaf.path.starts_with(path);
        }
        if whole { Access::Whole } else { Access::Rest }
    }
}
