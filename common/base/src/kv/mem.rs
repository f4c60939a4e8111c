//! The key-value store in memory, with crash semantics: [`MemKv::crash`] loses what no synced write or flush followed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Batch, KvIter, KvOp, KvPair, KvRange, KvRead, KvSnapshot, KvStore};
use crate::Result;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// An in-memory store; clones share the content.
#[derive(Clone, Debug, Default)]
pub struct MemKv {
    state: Arc<RwLock<State>>,
}

#[derive(Debug, Default)]
struct State {
    live: Arc<Map>,
    durable: Map,
    unsynced: Vec<Batch>,
}

impl MemKv {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready to be handed to a component.
    pub fn shared() -> super::SharedKv {
        Arc::new(Self::new())
    }

    /// The power goes: writes not followed by a sync are gone.
    pub fn crash(&self) {
        let mut state = self.state.write();
        state.unsynced.clear();
        state.live = Arc::new(state.durable.clone());
    }

    fn view(&self) -> Arc<Map> {
        self.state.read().live.clone()
    }
}

fn apply(map: &mut Map, batch: &Batch) {
    for op in batch.ops() {
        match op {
            KvOp::Put(key, value) => {
                map.insert(key.clone(), value.clone());
            }
            KvOp::Delete(key) => {
                map.remove(key);
            }
            KvOp::DeleteRange(start, end) if start < end => {
                let gone: Vec<_> = map.range(start.clone()..end.clone()).map(|(k, _)| k.clone()).collect();
                for key in gone {
                    map.remove(&key);
                }
            }
            KvOp::DeleteRange(..) => {}
        }
    }
}

fn iterate(map: Arc<Map>, range: &KvRange, reverse: bool) -> KvIter<'static> {
    if range.is_empty() {
        return Box::new(std::iter::empty());
    }
    let mut lower = Bound::Included(range.start.clone());
    let mut upper = range.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
    Box::new(std::iter::from_fn(move || -> Option<Result<KvPair>> {
        if let (Bound::Excluded(l) | Bound::Included(l), Bound::Excluded(u)) = (&lower, &upper)
            && l >= u
        {
            return None;
        }
        let mut rest = map.range((lower.clone(), upper.clone()));
        let (key, value) = if reverse { rest.next_back()? } else { rest.next()? };
        let edge = Bound::Excluded(key.clone());
        if reverse {
            upper = edge;
        } else {
            lower = edge;
        }
        Some(Ok((key.clone(), value.clone())))
    }))
}

impl KvRead for MemKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.state.read().live.get(key).cloned())
    }

    fn scan(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iterate(self.view(), range, false))
    }

    fn scan_rev(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iterate(self.view(), range, true))
    }
}

impl KvStore for MemKv {
    fn write(&self, batch: Batch, sync: bool) -> Result<()> {
        let mut state = self.state.write();
        apply(Arc::make_mut(&mut state.live), &batch);
        state.unsynced.push(batch);
        if sync {
            state.sync();
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn KvSnapshot + '_>> {
        Ok(Box::new(MemSnapshot(self.view())))
    }

    fn flush(&self) -> Result<()> {
        self.state.write().sync();
        Ok(())
    }
}

impl State {
    fn sync(&mut self) {
        for batch in std::mem::take(&mut self.unsynced) {
            apply(&mut self.durable, &batch);
        }
    }
}

struct MemSnapshot(Arc<Map>);

impl KvRead for MemSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iterate(self.0.clone(), range, false))
    }

    fn scan_rev(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iterate(self.0.clone(), range, true))
    }
}

impl KvSnapshot for MemSnapshot {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        super::super::conformance::check(&|| Box::new(MemKv::new()));
    }

    #[test]
    fn a_crash_takes_what_was_not_synced() {
        let kv = MemKv::new();
        kv.put(b"a", b"1", false).unwrap();
        kv.put(b"b", b"2", true).unwrap();
        kv.put(b"c", b"3", false).unwrap();
        kv.crash();
        assert_eq!(kv.get(b"a").unwrap().as_deref(), Some(&b"1"[..]), "a later sync covers earlier writes");
        assert_eq!(kv.get(b"c").unwrap(), None);
    }
}
