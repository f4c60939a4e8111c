//! BITMAP columns as roaring trees, for accumulators; the stored form is that of [`Bitmap`].

use common_types::bitmap::Bitmap;
use roaring::RoaringTreemap;

/// The stored form of a set.
pub fn encode(set: &RoaringTreemap) -> Vec<u8> {
    Bitmap::from(set.clone()).serialize()
}

/// The set of a stored form; `None` if the bytes are none.
pub fn decode(bytes: &[u8]) -> Option<RoaringTreemap> {
    Bitmap::deserialize(bytes).ok().map(Bitmap::into_tree)
}

/// Number of values of a stored set.
pub fn count(bytes: &[u8]) -> Option<u64> {
    Bitmap::deserialize(bytes).ok().map(|s| s.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_survive() {
        for values in [vec![], vec![7], vec![1, 2, 1 << 50], (0..1000).collect()] {
            let set: RoaringTreemap = values.iter().copied().collect();
            let bytes = encode(&set);
            assert_eq!(decode(&bytes).unwrap(), set);
            assert_eq!(count(&bytes), Some(values.len() as u64));
        }
        assert!(decode(&[77]).is_none());
    }
}
