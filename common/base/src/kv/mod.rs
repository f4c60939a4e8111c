//! The seam to the ordered key-value store that holds metadata: small values, atomic batches, range reads, snapshots.
//! [`conformance`] says in code what any implementation must do.

use std::fmt::Debug;
use std::sync::Arc;

use crate::Result;

pub mod conformance;
mod mem;

pub use mem::MemKv;

/// A store handed to a component.
pub type SharedKv = Arc<dyn KvStore>;

/// A key with its value.
pub type KvPair = (Vec<u8>, Vec<u8>);

/// Pairs in key order; what was read before the first error is good.
pub type KvIter<'a> = Box<dyn Iterator<Item = Result<KvPair>> + Send + 'a>;

/// Keys in `[start, end)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvRange {
    /// First key of the range.
    pub start: Vec<u8>,
    /// First key after the range; `None` is unbounded.
    pub end: Option<Vec<u8>>,
}

impl KvRange {
    /// Keys in `[start, end)`.
    pub fn new(start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> Self {
        Self { start: start.into(), end: Some(end.into()) }
    }

    /// Keys at or after `start`.
    pub fn from(start: impl Into<Vec<u8>>) -> Self {
        Self { start: start.into(), end: None }
    }

    /// Every key.
    pub fn all() -> Self {
        Self { start: Vec::new(), end: None }
    }

    /// Keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let end = prefix_end(&start);
        Self { start, end }
    }

    /// Whether the key is in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_slice() && self.end.as_ref().is_none_or(|end| key < end.as_slice())
    }

    /// Whether no key can be in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// The first key after all keys that begin with `prefix`; `None` when there is no such key.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvOp {
    /// Sets a value.
    Put(Vec<u8>, Vec<u8>),
    /// Removes a key; fine when it does not exist.
    Delete(Vec<u8>),
    /// Removes the keys in `[start, end)`.
    DeleteRange(Vec<u8>, Vec<u8>),
}

/// Changes that happen together or not at all, in the order they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ops: Vec<KvOp>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.push(KvOp::Put(key.into(), value.into()));
        self
    }

    /// Removes a key.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.push(KvOp::Delete(key.into()));
        self
    }

    /// Removes the keys in `[start, end)`.
    pub fn delete_range(&mut self, start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.push(KvOp::DeleteRange(start.into(), end.into()));
        self
    }

    /// The changes in order.
    pub fn ops(&self) -> &[KvOp] {
        &self.ops
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// Reading, from a store or from a snapshot of it.
pub trait KvRead: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// The pairs of a range in ascending key order, as of the call.
    fn scan(&self, range: &KvRange) -> Result<KvIter<'_>>;
    /// The pairs of a range in descending key order, as of the call.
    fn scan_rev(&self, range: &KvRange) -> Result<KvIter<'_>>;

    /// The first pair of a range.
    fn first(&self, range: &KvRange) -> Result<Option<KvPair>> {
        self.scan(range)?.next().transpose()
    }

    /// The last pair of a range.
    fn last(&self, range: &KvRange) -> Result<Option<KvPair>> {
        self.scan_rev(range)?.next().transpose()
    }
}

/// A frozen view of a store.
pub trait KvSnapshot: KvRead {}

/// An ordered key-value store.
pub trait KvStore: KvRead + Debug {
    /// Applies a batch atomically; with `sync` it survives a crash when the call returns, and so does everything before it.
    fn write(&self, batch: Batch, sync: bool) -> Result<()>;
    /// A view that later writes do not change.
    fn snapshot(&self) -> Result<Box<dyn KvSnapshot + '_>>;
    /// Makes everything written so far survive a crash.
    fn flush(&self) -> Result<()>;

    /// Sets one value.
    fn put(&self, key: &[u8], value: &[u8], sync: bool) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(key, value);
        self.write(batch, sync)
    }

    /// Removes one key.
    fn delete(&self, key: &[u8], sync: bool) -> Result<()> {
        let mut batch = Batch::new();
        batch.delete(key);
        self.write(batch, sync)
    }
}

/// A named part of the key space: every key begins with the name and a separator, so names never run into each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    prefix: Vec<u8>,
}

impl Namespace {
    /// The part called `name`, which must not contain a zero byte.
    pub fn new(name: &str) -> Self {
        debug_assert!(!name.as_bytes().contains(&0), "a namespace name has no zero byte");
        let mut prefix = name.as_bytes().to_vec();
        prefix.push(0);
        Self { prefix }
    }

    /// The full key of a key in this part.
    pub fn key(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix.as_slice(), key].concat()
    }

    /// The full key of a number, in number order.
    pub fn key_u64(&self, key: u64) -> Vec<u8> {
        self.key(&key.to_be_bytes())
    }

    /// All keys of this part.
    pub fn range(&self) -> KvRange {
        KvRange::prefix(self.prefix.clone())
    }

    /// The keys of this part that begin with `prefix`.
    pub fn prefix(&self, prefix: &[u8]) -> KvRange {
        KvRange::prefix(self.key(prefix))
    }

    /// A key without the name; `None` when it belongs to another part.
    pub fn strip<'a>(&self, full_key: &'a [u8]) -> Option<&'a [u8]> {
        full_key.strip_prefix(self.prefix.as_slice())
    }

    /// The number of a key made by [`Namespace::key_u64`].
    pub fn strip_u64(&self, full_key: &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(self.strip(full_key)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert_eq!(prefix_end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(prefix_end(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(prefix_end(b"\xff"), None);
        assert!(KvRange::prefix(*b"a\xff").contains(b"a\xff\xff") && !KvRange::prefix(*b"a\xff").contains(b"b"));
        assert!(KvRange::all().contains(b"") && KvRange::new(*b"b", *b"b").is_empty());
    }

    #[test]
    fn namespaces_do_not_run_into_each_other() {
        let (a, ab) = (Namespace::new("a"), Namespace::new("ab"));
        assert!(!a.range().contains(&ab.key(b"x")));
        assert_eq!(a.strip_u64(&a.key_u64(7)), Some(7));
        assert_eq!(a.strip(&ab.key(b"x")), None);
        assert!(a.key_u64(255) < a.key_u64(256));
    }
}
