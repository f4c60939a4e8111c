//! What any key-value store must do. An implementation's test calls [`check`] with a maker of empty stores; a broken rule
//! panics with the rule that broke.

use std::collections::BTreeMap;

use super::{Batch, KvPair, KvRange, KvRead, KvStore, Namespace};
use crate::rng::Rng;

/// Runs the whole suite; `make` returns a new empty store each time.
pub fn check(make: &dyn Fn() -> Box<dyn KvStore>) {
    points(&*make());
    batches_are_ordered_and_atomic(&*make());
    ranges(&*make());
    snapshots_do_not_move(&*make());
    random_operations_agree_with_a_map(&*make());
}

fn collect(read: &(impl KvRead + ?Sized), range: &KvRange) -> Vec<KvPair> {
    read.scan(range).expect("scan").collect::<crate::Result<_>>().expect("scan item")
}

fn keys(read: &(impl KvRead + ?Sized), range: &KvRange) -> Vec<Vec<u8>> {
    collect(read, range).into_iter().map(|(k, _)| k).collect()
}

fn points(kv: &dyn KvStore) {
    assert_eq!(kv.get(b"a").expect("get"), None, "an empty store has no keys");
    kv.put(b"a", b"1", true).expect("put");
    kv.put(b"", b"empty key", false).expect("put");
    kv.put(b"z", b"", false).expect("put");
    assert_eq!(kv.get(b"a").expect("get").as_deref(), Some(&b"1"[..]));
    assert_eq!(kv.get(b"").expect("get").as_deref(), Some(&b"empty key"[..]), "the empty key is a key");
    assert_eq!(kv.get(b"z").expect("get").as_deref(), Some(&b""[..]), "an empty value is not a missing one");
    kv.put(b"a", b"2", false).expect("put");
    assert_eq!(kv.get(b"a").expect("get").as_deref(), Some(&b"2"[..]), "the last value wins");
    kv.delete(b"a", true).expect("delete");
    kv.delete(b"never there", false).expect("delete of a missing key is fine");
    assert_eq!(kv.get(b"a").expect("get"), None);
    kv.flush().expect("flush");
    assert_eq!(kv.get(b"z").expect("get").as_deref(), Some(&b""[..]));
}

fn batches_are_ordered_and_atomic(kv: &dyn KvStore) {
    kv.write(Batch::new(), true).expect("an empty batch is fine");
    let mut batch = Batch::new();
    batch.put(*b"a", *b"1").put(*b"b", *b"2").put(*b"c", *b"3").delete(*b"a").put(*b"a", *b"4");
    batch.delete_range(*b"b", *b"c").delete_range(*b"x", *b"x");
    kv.write(batch, true).expect("write");
    let pairs = collect(kv, &KvRange::all());
    assert_eq!(pairs, vec![(b"a".to_vec(), b"4".to_vec()), (b"c".to_vec(), b"3".to_vec())], "changes apply in order");
    let mut batch = Batch::new();
    batch.delete_range(*b"a", *b"z").put(*b"b", *b"5");
    kv.write(batch, false).expect("write");
    assert_eq!(keys(kv, &KvRange::all()), vec![b"b".to_vec()], "a put after a range delete survives it");
}

fn ranges(kv: &dyn KvStore) {
    let (one, two) = (Namespace::new("one"), Namespace::new("two"));
    let mut batch = Batch::new();
    for i in [3u64, 1, 256, 2] {
        batch.put(one.key_u64(i), i.to_string());
        batch.put(two.key_u64(i), *b"other");
    }
    kv.write(batch, false).expect("write");
    let numbers = |pairs: Vec<KvPair>| -> Vec<u64> { pairs.iter().filter_map(|(k, _)| one.strip_u64(k)).collect() };
    assert_eq!(numbers(collect(kv, &one.range())), vec![1, 2, 3, 256], "ascending, inside the namespace only");
    let rev: Vec<KvPair> = kv.scan_rev(&one.range()).expect("scan").collect::<crate::Result<_>>().expect("scan item");
    assert_eq!(numbers(rev), vec![256, 3, 2, 1], "descending");
    let part = KvRange::new(one.key_u64(2), one.key_u64(256));
    assert_eq!(numbers(collect(kv, &part)), vec![2, 3], "the end is not part of the range");
    let rev: Vec<KvPair> = kv.scan_rev(&part).expect("scan").collect::<crate::Result<_>>().expect("scan item");
    assert_eq!(numbers(rev), vec![3, 2], "the end is not part of the reverse range either");
    assert_eq!(kv.last(&one.range()).expect("last").map(|(_, v)| v), Some(b"256".to_vec()));
    assert_eq!(kv.first(&one.range()).expect("first").map(|(_, v)| v), Some(b"1".to_vec()));
    assert_eq!(kv.last(&KvRange::new(*b"a", *b"b")).expect("last"), None);
    assert!(collect(kv, &KvRange::new(*b"z", *b"a")).is_empty(), "a reversed range is empty");
    assert_eq!(keys(kv, &KvRange::from(two.key_u64(3))).len(), 2, "an open range runs to the end");
    assert_eq!(kv.last(&KvRange::all()).expect("last").map(|(k, _)| k), Some(two.key_u64(256)));
}

fn snapshots_do_not_move(kv: &dyn KvStore) {
    kv.put(b"a", b"1", false).expect("put");
    let snapshot = kv.snapshot().expect("snapshot");
    let mut open = kv.scan(&KvRange::all()).expect("scan");
    let mut batch = Batch::new();
    batch.put(*b"a", *b"2").put(*b"b", *b"3");
    kv.write(batch, true).expect("write");
    assert_eq!(snapshot.get(b"a").expect("get").as_deref(), Some(&b"1"[..]), "a snapshot keeps its values");
    assert_eq!(keys(&*snapshot, &KvRange::all()), vec![b"a".to_vec()], "a snapshot does not see new keys");
    let first = open.next().expect("one pair").expect("pair");
    assert_eq!(first, (b"a".to_vec(), b"1".to_vec()), "an open scan reads as of its call");
    assert!(open.next().is_none());
    drop((snapshot, open));
    assert_eq!(kv.get(b"a").expect("get").as_deref(), Some(&b"2"[..]));
}

fn random_operations_agree_with_a_map(kv: &dyn KvStore) {
    let mut rng = Rng::from_seed(42);
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let key = |n: u64| format!("k{n:03}").into_bytes();
    for step in 0..300u64 {
        let mut batch = Batch::new();
        for _ in 0..=rng.range(0..4) {
            let k = rng.range(0..100);
            match rng.range(0..8) {
                0 => {
                    let (lo, hi) = (key(k), key(k + rng.range(0..10)));
                    model.retain(|key, _| *key < lo || *key >= hi);
                    batch.delete_range(lo, hi);
                }
                1 | 2 => {
                    model.remove(&key(k));
                    batch.delete(key(k));
                }
                _ => {
                    model.insert(key(k), step.to_le_bytes().to_vec());
                    batch.put(key(k), step.to_le_bytes());
                }
            }
        }
        kv.write(batch, step % 50 == 0).expect("write");
        if step % 20 == 0 {
            let range = KvRange::new(key(rng.range(0..100)), key(rng.range(0..100)));
            let expected: Vec<KvPair> =
                model.iter().filter(|(k, _)| range.contains(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
            assert_eq!(collect(kv, &range), expected, "step {step}");
        }
    }
    let expected: Vec<KvPair> = model.into_iter().collect();
    assert_eq!(collect(kv, &KvRange::all()), expected);
}
