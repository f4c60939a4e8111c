//! A set of column ids as a bit set: ids of a query are small and dense.

use common_expr::expr::{ColumnId, Expr, ExprKind};

/// A set of columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnSet {
    words: Vec<u64>,
}

impl ColumnSet {
    /// The set of these columns.
    pub fn of(ids: impl IntoIterator<Item = ColumnId>) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }

    /// The columns an expression uses.
    pub fn of_expr(expr: &Expr) -> Self {
        let mut set = Self::default();
        set.add_expr(expr);
        set
    }

    /// Adds a column.
    pub fn insert(&mut self, id: ColumnId) {
        let word = id as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (id % 64);
    }

    /// Adds columns.
    pub fn extend(&mut self, ids: impl IntoIterator<Item = ColumnId>) {
        ids.into_iter().for_each(|id| self.insert(id));
    }

    /// Adds the columns an expression uses. Lambda parameters come along: their ids are nobody else's.
    pub fn add_expr(&mut self, expr: &Expr) {
        expr.visit(&mut |e| {
            if let ExprKind::Column(id) = e.kind {
                self.insert(id);
            }
        });
    }

    /// Adds the columns several expressions use.
    pub fn add_exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        exprs.into_iter().for_each(|e| self.add_expr(e));
    }

    /// Whether the column is in it.
    pub fn contains(&self, id: ColumnId) -> bool {
        self.words.get(id as usize / 64).is_some_and(|w| w & (1 << (id % 64)) != 0)
    }

    /// Whether every column is also in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.words.iter().enumerate().all(|(i, w)| w & !other.words.get(i).copied().unwrap_or(0) == 0)
    }

    /// Whether the two share a column.
    pub fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Whether it has no column.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Adds another set.
    pub fn union(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// The columns in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, w)| {
            let mut rest = *w;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    i as u32 * 64 + bit
                })
            })
        })
    }
}

impl FromIterator<ColumnId> for ColumnSet {
    fn from_iter<I: IntoIterator<Item = ColumnId>>(ids: I) -> Self {
        Self::of(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_operations() {
        let a = ColumnSet::of([1, 70, 5]);
        let b = ColumnSet::of([1, 2, 5, 70, 300]);
        assert!(a.is_subset(&b) && !b.is_subset(&a) && a.intersects(&b));
        assert_eq!(a.iter().collect::<Vec<_>>(), vec![1, 5, 70]);
        assert!(ColumnSet::default().is_empty() && !a.contains(300) && b.contains(300));
    }
}
