//! Scans: a RocksDB cursor bounded to a range, as an iterator of pairs.

use common_base::Result;
use common_base::kv::{KvIter, KvPair, KvRange};
use rocksdb::{DBAccess, DBRawIteratorWithThreadMode, ReadOptions};

use crate::store::kv_error;

/// The pairs of `range`, ascending or descending; `open` makes the cursor from bounded read options.
pub(crate) fn scan<'a, D: DBAccess + 'a>(
    range: &KvRange,
    reverse: bool,
    open: impl FnOnce(ReadOptions) -> DBRawIteratorWithThreadMode<'a, D>,
) -> KvIter<'a> {
    if range.is_empty() {
        return Box::new(std::iter::empty());
    }
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(range.start.clone());
    if let Some(end) = &range.end {
        options.set_iterate_upper_bound(end.clone());
    }
    let mut cursor = open(options);
    if reverse {
        cursor.seek_to_last();
    } else {
        cursor.seek_to_first();
    }
    Box::new(Scan { cursor, reverse, done: false })
}

struct Scan<'a, D: DBAccess> {
    cursor: DBRawIteratorWithThreadMode<'a, D>,
    reverse: bool,
    done: bool,
}

impl<D: DBAccess> Iterator for Scan<'_, D> {
    type Item = Result<KvPair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let Some((key, value)) = self.cursor.item() else {
            // The end of the range and a read error look alike until the status is asked.
            self.done = true;
            return self.cursor.status().err().map(|e| Err(kv_error("scan", &e)));
        };
        let pair = (key.to_vec(), value.to_vec());
        if self.reverse {
            self.cursor.prev();
        } else {
            self.cursor.next();
        }
        Some(Ok(pair))
    }
}
