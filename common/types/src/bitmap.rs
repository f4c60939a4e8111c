//! BITMAP objects: sets of 64-bit integers. Few values are a sorted list, many a roaring tree. The stored form is one tag byte
//! and the values or the portable roaring tree.

use std::cmp::Ordering;

use common_base::{Result, bail, ensure, err};
use roaring::RoaringTreemap;

const SMALL_LIMIT: usize = 32;
const TAG_SMALL: u8 = 1;
const TAG_TREE: u8 = 2;

/// A set of unsigned integers.
#[derive(Clone, Debug)]
pub struct Bitmap(Form);

#[derive(Clone, Debug)]
enum Form {
    Small(Vec<u64>),
    Tree(RoaringTreemap),
}

impl Default for Bitmap {
    fn default() -> Self {
        Self(Form::Small(Vec::new()))
    }
}

impl PartialEq for Bitmap {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}
impl Eq for Bitmap {}

impl From<RoaringTreemap> for Bitmap {
    fn from(tree: RoaringTreemap) -> Self {
        Self(Form::Tree(tree))
    }
}

impl Bitmap {
    /// The set as a tree.
    pub fn into_tree(self) -> RoaringTreemap {
        match self.0 {
            Form::Small(values) => values.into_iter().collect(),
            Form::Tree(tree) => tree,
        }
    }
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }
    /// The set of one value.
    pub fn of(value: u64) -> Self {
        Self(Form::Small(vec![value]))
    }
    /// Adds a value.
    pub fn insert(&mut self, value: u64) {
        match &mut self.0 {
            Form::Small(v) => match v.binary_search(&value) {
                Ok(_) => {}
                Err(at) if v.len() < SMALL_LIMIT => v.insert(at, value),
                Err(_) => {
                    let mut tree: RoaringTreemap = v.iter().copied().collect();
                    tree.insert(value);
                    self.0 = Form::Tree(tree);
                }
            },
            Form::Tree(t) => {
                t.insert(value);
            }
        }
    }
    /// Removes a value.
    pub fn remove(&mut self, value: u64) {
        match &mut self.0 {
            Form::Small(v) => {
                if let Ok(at) = v.binary_search(&value) {
                    v.remove(at);
                }
            }
            Form::Tree(t) => {
                t.remove(value);
            }
        }
    }
    /// Whether a value is in the set.
    pub fn contains(&self, value: u64) -> bool {
        match &self.0 {
            Form::Small(v) => v.binary_search(&value).is_ok(),
            Form::Tree(t) => t.contains(value),
        }
    }
    /// Number of values.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Form::Small(v) => v.len() as u64,
            Form::Tree(t) => t.len(),
        }
    }
    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The smallest value.
    pub fn min(&self) -> Option<u64> {
        match &self.0 {
            Form::Small(v) => v.first().copied(),
            Form::Tree(t) => t.min(),
        }
    }
    /// The greatest value.
    pub fn max(&self) -> Option<u64> {
        match &self.0 {
            Form::Small(v) => v.last().copied(),
            Form::Tree(t) => t.max(),
        }
    }
    /// The values in ascending order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match &self.0 {
            Form::Small(v) => Box::new(v.iter().copied()),
            Form::Tree(t) => Box::new(t.iter()),
        }
    }
    fn tree(&self) -> RoaringTreemap {
        match &self.0 {
            Form::Small(v) => v.iter().copied().collect(),
            Form::Tree(t) => t.clone(),
        }
    }
    /// Adds all values of another set.
    pub fn union_with(&mut self, other: &Bitmap) {
        match (&mut self.0, &other.0) {
            (_, Form::Small(v)) => v.iter().for_each(|&x| self.insert(x)),
            (Form::Tree(t), Form::Tree(u)) => *t |= u,
            (Form::Small(v), Form::Tree(u)) => {
                let mut t = u.clone();
                t.extend(v.iter().copied());
                self.0 = Form::Tree(t);
            }
        }
    }
    /// Keeps the values of both sets.
    pub fn intersect_with(&mut self, other: &Bitmap) {
        match (&mut self.0, &other.0) {
            (Form::Small(v), _) => v.retain(|&x| other.contains(x)),
            (Form::Tree(t), Form::Tree(u)) => *t &= u,
            (Form::Tree(t), Form::Small(v)) => {
                let kept = v.iter().copied().filter(|&x| t.contains(x)).collect();
                self.0 = Form::Small(kept);
            }
        }
    }
    /// Removes the values of another set.
    pub fn subtract(&mut self, other: &Bitmap) {
        match (&mut self.0, &other.0) {
            (Form::Small(v), _) => v.retain(|&x| !other.contains(x)),
            (Form::Tree(t), Form::Tree(u)) => *t -= u,
            (Form::Tree(_), Form::Small(v)) => v.iter().for_each(|&x| self.remove(x)),
        }
    }
    /// Keeps the values of exactly one of the sets.
    pub fn xor_with(&mut self, other: &Bitmap) {
        self.0 = Form::Tree(self.tree() ^ other.tree());
    }
    /// Number of values in both sets.
    pub fn intersection_len(&self, other: &Bitmap) -> u64 {
        match (&self.0, &other.0) {
            (Form::Small(v), _) => v.iter().filter(|&&x| other.contains(x)).count() as u64,
            (_, Form::Small(v)) => v.iter().filter(|&&x| self.contains(x)).count() as u64,
            (Form::Tree(t), Form::Tree(u)) => t.intersection_len(u),
        }
    }
    /// The stored form.
    pub fn serialize(&self) -> Vec<u8> {
        let small = |values: &mut dyn Iterator<Item = u64>, n: usize| {
            let mut out = Vec::with_capacity(2 + n * 8);
            out.extend_from_slice(&[TAG_SMALL, n as u8]);
            values.for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
            out
        };
        match &self.0 {
            Form::Small(v) => small(&mut v.iter().copied(), v.len()),
            Form::Tree(t) if t.len() <= SMALL_LIMIT as u64 => small(&mut t.iter(), t.len() as usize),
            Form::Tree(t) => {
                let mut out = Vec::with_capacity(1 + t.serialized_size());
                out.push(TAG_TREE);
                t.serialize_into(&mut out).expect("a Vec has room");
                out
            }
        }
    }
    /// The set from its stored form; no bytes are the empty set.
    pub fn deserialize(bytes: &[u8]) -> Result<Bitmap> {
        match bytes {
            [] => Ok(Self::new()),
            [TAG_SMALL, n, rest @ ..] => {
                ensure!(rest.len() == *n as usize * 8, Corruption, "a bitmap of {n} values has {} bytes", rest.len());
                let values: Vec<u64> =
                    rest.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("eight bytes"))).collect();
                ensure!(
                    values.is_sorted_by(|a, b| a.cmp(b) == Ordering::Less),
                    Corruption,
                    "the values of a bitmap are out of order"
                );
                Ok(Self(Form::Small(values)))
            }
            [TAG_TREE, rest @ ..] => {
                let tree =
                    RoaringTreemap::deserialize_from(rest).map_err(|e| err!(Corruption, "a stored bitmap: {e}"))?;
                Ok(Self(Form::Tree(tree)))
            }
            [tag, ..] => bail!(Corruption, "bitmap form {tag}"),
        }
    }
    /// Bytes in memory.
    pub fn memory_size(&self) -> usize {
        size_of::<Self>()
            + match &self.0 {
                Form::Small(v) => v.capacity() * 8,
                Form::Tree(t) => t.serialized_size(),
            }
    }
}

impl FromIterator<u64> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u64>>(iter: I) -> Self {
        let mut out = Self::new();
        iter.into_iter().for_each(|v| out.insert(v));
        out
    }
}

/// `1,2,3`: the text of bitmap_to_string.
impl std::fmt::Display for Bitmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, v) in self.iter().enumerate() {
            write!(f, "{}{v}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}
