//! Key → place of its row. A key is known by 16 bytes: itself where it fits, else a 128-bit hash. The index is a cache of what
//! the segments and delete vectors say: it can be dropped at any time and is built again from the key columns. It is cut into
//! shards by hash; while memory is short those not in use wait in files, so that only one must fit.

use std::mem::size_of;
use std::path::PathBuf;
use std::sync::Arc;

use common_base::fs::SharedFs;
use common_base::{MemGuard, MemTracker, Result, ensure};
use common_types::compare::SortOrder;
use common_types::{Column, key_codec};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

/// Shards, each a table of its own: a batch is worked off shard by shard, which keeps one table in the CPU's cache.
const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;

/// Where a row is: number of its segment in the tablet's list, row in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(u64);

impl Location {
    /// No row.
    pub const NONE: Self = Self(u64::MAX);

    /// A row of a segment.
    #[inline]
    pub fn new(segment: u32, row: u32) -> Self {
        Self(u64::from(segment) << 32 | u64::from(row))
    }
    /// Number of the segment.
    #[inline]
    pub fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// Row in the segment.
    #[inline]
    pub fn row(self) -> u32 {
        self.0 as u32
    }
    /// Whether there is a row.
    #[inline]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }
}

/// A key as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u64; 2]);

impl Key {
    /// Of an encoded key. Encodings of one table are prefix-free, so padding keeps them apart.
    #[inline]
    pub fn of(encoded: &[u8]) -> Self {
        if encoded.len() <= 16 {
            let mut bytes = [0u8; 16];
            bytes[..encoded.len()].copy_from_slice(encoded);
            let (a, b) = bytes.split_at(8);
            return Self([u64::from_le_bytes(a.try_into().expect("eight bytes")), u64::from_le_bytes(b.try_into().expect("eight bytes"))]);
        }
        hash128(encoded)
    }

    #[inline]
    fn hash(self) -> u64 {
        fold(self.0[0] ^ 0x9e37_79b9_7f4a_7c15, self.0[1] ^ 0xd6e8_feb8_6659_fd93)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Two lanes of folded multiplications over 16-byte blocks.
fn hash128(bytes: &[u8]) -> Key {
    let (mut a, mut b) = (0x2d35_8dcc_aa6c_78a5 ^ bytes.len() as u64, 0x8bb8_4b93_962e_acc9_u64);
    for block in bytes.chunks(16) {
        let mut padded = [0u8; 16];
        padded[..block.len()].copy_from_slice(block);
        let low = u64::from_le_bytes(padded[..8].try_into().expect("eight bytes"));
        let high = u64::from_le_bytes(padded[8..].try_into().expect("eight bytes"));
        a = fold(low ^ a ^ 0x4b33_a62e_d433_d4a3, high ^ a.rotate_left(31) ^ 0x4d5a_2da5_1de1_aa47);
        b = fold(low ^ b.rotate_left(17) ^ 0xa076_1d64_78bd_642f, high ^ b ^ 0xe703_7ed1_a0b4_28db) ^ low.rotate_left(29) ^ high;
    }
    Key([fold(a ^ 0x8ebc_6af0_9c88_c6e3, b ^ 0x5899_65cc_7537_4cc3), fold(a.rotate_left(32) ^ 0x1d8e_4e27_c47d_124f, b ^ 0xeb44_acca_b455_d165)])
}

/// The keys of rows given by their key columns.
pub fn keys_of(columns: &[Column], rows: usize) -> Result<Vec<Key>> {
    let encoded = key_codec::encode_keys(columns, &vec![SortOrder::ASC; columns.len()], rows)?;
    Ok(encoded.iter().map(Key::of).collect())
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    location: Location,
}

/// Where shards go that memory has no room for. The files live as long as the index.
#[derive(Clone)]
pub struct SpillTo {
    pub fs: SharedFs,
    /// The tablet's directory.
    pub dir: PathBuf,
    /// Bytes of all indexes in memory; a shard just used leaves while there are more.
    pub budget: usize,
}

impl SpillTo {
    fn path(&self, shard: usize) -> PathBuf {
        self.dir.join(format!("primary_{shard}.idx"))
    }

    /// Removes files that an index of an earlier process left.
    fn clear(&self) -> Result<()> {
        if !self.fs.exists(&self.dir)? {
            return Ok(());
        }
        for file in self.fs.list(&self.dir)? {
            if file.name.starts_with("primary_") && file.name.ends_with(".idx") {
                self.fs.remove(&self.dir.join(file.name))?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for SpillTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpillTo").field("dir", &self.dir).field("budget", &self.budget).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// Empty while the shard is in its file.
    table: HashTable<Entry>,
    /// Keys in the file.
    spilled: Option<usize>,
}

impl Shard {
    fn bytes(&self) -> usize {
        self.table.capacity() * 8 / 7 * (size_of::<Entry>() + 1)
    }
}

/// The index of one tablet.
#[derive(Debug)]
pub struct PrimaryIndex {
    shards: Vec<Shard>,
    memory: MemGuard,
    spill: SpillTo,
    /// Whether a shard was ever in a file.
    has_files: bool,
}

impl PrimaryIndex {
    /// An empty index.
    pub fn new(tracker: &Arc<MemTracker>, spill: SpillTo) -> Result<Self> {
        spill.clear()?;
        Ok(Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), memory: tracker.empty_guard(), spill, has_files: false })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.spilled.unwrap_or_else(|| s.table.len())).sum()
    }
    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        self.memory.bytes()
    }

    /// Where the keys' rows are; [`Location::NONE`] for keys that do not exist.
    pub fn get(&mut self, keys: &[Key]) -> Result<Vec<Location>> {
        let mut out = vec![Location::NONE; keys.len()];
        self.each(keys, false, |table, hash, i| {
            if let Some(found) = table.find(hash, |e| e.key == keys[i]) {
                out[i] = found.location;
            }
        })?;
        Ok(out)
    }

    /// Puts the keys at their places, in order; places they had before go to `replaced`.
    pub fn upsert(&mut self, keys: &[Key], location: impl Fn(usize) -> Location, replaced: &mut Vec<Location>) -> Result<()> {
        self.each(keys, true, |table, hash, i| {
            let key = keys[i];
            match table.entry(hash, |e| e.key == key, |e| e.key.hash()) {
                TableEntry::Occupied(mut found) => {
                    replaced.push(std::mem::replace(&mut found.get_mut().location, location(i)));
                }
                TableEntry::Vacant(free) => {
                    free.insert(Entry { key, location: location(i) });
                }
            }
        })
    }

    /// Forgets keys; places they had go to `removed`.
    pub fn remove(&mut self, keys: &[Key], removed: &mut Vec<Location>) -> Result<()> {
        self.each(keys, true, |table, hash, i| {
            if let Ok(found) = table.find_entry(hash, |e| e.key == keys[i]) {
                removed.push(found.remove().0.location);
            }
        })
    }

    /// Moves keys to new places where `still` says that the old one is as expected; the others are returned by position.
    pub fn relocate(&mut self, keys: &[Key], still: impl Fn(Location) -> bool, location: impl Fn(usize) -> Location) -> Result<Vec<u32>> {
        let mut lost = Vec::new();
        self.each(keys, true, |table, hash, i| match table.find_mut(hash, |e| e.key == keys[i]) {
            Some(found) if still(found.location) => found.location = location(i),
            _ => lost.push(i as u32),
        })?;
        Ok(lost)
    }

    /// Calls with the table, hash and position of every key: shard by shard, keys of a shard in their order.
    fn each(&mut self, keys: &[Key], writes: bool, mut f: impl FnMut(&mut HashTable<Entry>, u64, usize)) -> Result<()> {
        let shard_of = |hash: u64| (hash >> (64 - 7 - SHARD_BITS)) as usize % SHARDS;
        let hashes: Vec<u64> = keys.iter().map(|k| k.hash()).collect();
        let mut starts = [0usize; SHARDS + 1];
        for hash in &hashes {
            starts[shard_of(*hash) + 1] += 1;
        }
        for i in 1..=SHARDS {
            starts[i] += starts[i - 1];
        }
        let mut order = vec![0u32; keys.len()];
        let mut next = starts;
        for (i, hash) in hashes.iter().enumerate() {
            let at = &mut next[shard_of(*hash)];
            order[*at] = i as u32;
            *at += 1;
        }
        for shard in 0..SHARDS {
            let rows = &order[starts[shard]..starts[shard + 1]];
            if rows.is_empty() {
                continue;
            }
            let was_spilled = self.load(shard)?;
            let before = self.shards[shard].bytes();
            let table = &mut self.shards[shard].table;
            for i in rows {
                f(table, hashes[*i as usize], *i as usize);
            }
            self.account(before, self.shards[shard].bytes());
            if self.memory.tracker().consumed() > self.spill.budget as i64 {
                self.unload(shard, was_spilled && !writes)?;
            }
        }
        Ok(())
    }

    fn account(&mut self, before: usize, after: usize) {
        self.memory.force(self.memory.bytes() + after - before);
    }

    /// Brings a shard into memory; whether it was in its file.
    fn load(&mut self, shard: usize) -> Result<bool> {
        let Some(keys) = self.shards[shard].spilled else { return Ok(false) };
        let bytes = self.spill.fs.read(&self.spill.path(shard))?;
        let (body, sum) = bytes.split_at(bytes.len().saturating_sub(8));
        let whole = body.len() == keys * ENTRY_BYTES && sum == checksum(body).to_le_bytes();
        ensure!(whole, Corruption, "the primary index file {} is damaged", self.spill.path(shard).display());
        let mut table = HashTable::with_capacity(keys);
        for entry in body.chunks_exact(ENTRY_BYTES) {
            let word = |i: usize| u64::from_le_bytes(entry[i * 8..i * 8 + 8].try_into().expect("eight bytes"));
            let entry = Entry { key: Key([word(0), word(1)]), location: Location(word(2)) };
            table.insert_unique(entry.key.hash(), entry, |e| e.key.hash());
        }
        self.shards[shard] = Shard { table, spilled: None };
        self.account(0, self.shards[shard].bytes());
        Ok(true)
    }

    /// Moves a shard to its file; `same` when the file has it already.
    fn unload(&mut self, shard: usize, same: bool) -> Result<()> {
        let table = &self.shards[shard].table;
        let keys = table.len();
        if !same {
            let mut body = Vec::with_capacity(keys * ENTRY_BYTES + 8);
            for entry in table.iter() {
                for word in [entry.key.0[0], entry.key.0[1], entry.location.0] {
                    body.extend_from_slice(&word.to_le_bytes());
                }
            }
            let sum = checksum(&body);
            body.extend_from_slice(&sum.to_le_bytes());
            self.has_files = true;
            self.spill.fs.mkdir_all(&self.spill.dir)?;
            // No sync: after a crash the index is built anew.
            self.spill.fs.create(&self.spill.path(shard))?.append(&body)?;
        }
        let before = self.shards[shard].bytes();
        self.shards[shard] = Shard { table: HashTable::new(), spilled: Some(keys) };
        self.account(before, 0);
        Ok(())
    }
}

impl Drop for PrimaryIndex {
    fn drop(&mut self) {
        for shard in (0..SHARDS).filter(|s| self.has_files && self.spill.fs.exists(&self.spill.path(*s)).unwrap_or(false)) {
            // What stays is removed before the next index of the tablet.
            let _ = self.spill.fs.remove(&self.spill.path(shard));
        }
    }
}

const ENTRY_BYTES: usize = 24;

fn checksum(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(8).fold(0x9e37_79b9_7f4a_7c15, |sum: u64, word| {
        (sum ^ u64::from_le_bytes(word.try_into().expect("eight bytes"))).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(29)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::path::Path;

    use common_base::Rng;
    use common_base::fs::{FileSystem, MemFs};

    use super::*;

    #[test]
    fn behaves_like_a_map() {
        for budget in [usize::MAX >> 1, 200_000, 0] {
            map_of_budget(budget);
        }
    }

    fn map_of_budget(budget: usize) {
        let mut rng = Rng::from_seed(5);
        let fs = MemFs::new();
        let spill = SpillTo { fs: Arc::new(fs.clone()), dir: PathBuf::from("/t"), budget };
        let mut index = PrimaryIndex::new(&MemTracker::root("t", 0), spill).unwrap();
        let mut model: HashMap<Key, Location> = HashMap::new();
        for round in 0..40u32 {
            let keys: Vec<Key> = (0..rng.range(1..9000)).map(|_| Key::of(&rng.range(0..20_000).to_be_bytes())).collect();
            let (mut got, mut want) = (Vec::new(), Vec::new());
            if round % 4 == 3 {
                index.remove(&keys, &mut got).unwrap();
                want.extend(keys.iter().filter_map(|k| model.remove(k)));
            } else {
                index.upsert(&keys, |i| Location::new(round, i as u32), &mut got).unwrap();
                want.extend(keys.iter().enumerate().filter_map(|(i, k)| model.insert(*k, Location::new(round, i as u32))));
            }
            got.sort();
            want.sort();
            assert_eq!(got, want);
            assert_eq!(index.len(), model.len());
            let found = index.get(&keys).unwrap();
            assert!(keys.iter().zip(found).all(|(k, l)| model.get(k).copied().unwrap_or(Location::NONE) == l));
        }
        let files = fs.list(Path::new("/t")).map_or(0, |f| f.len());
        assert_eq!(files > 0, budget < usize::MAX >> 1, "shards in files");
        drop(index);
        assert_eq!(fs.list(Path::new("/t")).map_or(0, |f| f.len()), 0);
    }

    #[test]
    fn long_keys_differ() {
        let mut seen = HashSet::new();
        for i in 0..20_000u32 {
            let key = format!("a rather long key that does not fit {i}");
            assert!(seen.insert(Key::of(key.as_bytes())));
        }
        assert_ne!(Key::of(&[1; 17]), Key::of(&[1; 18]));
    }
}
