//! Size-tiered choice: neighbouring rowsets of about the same size are merged once there are enough of them. A rowset with a
//! delete predicate is merged only in a run that begins with the first version, where all rows it can remove are at hand.

use std::ops::Range;

use super::view::{RowsetView, TabletView};

/// Rowsets below this size are of one level.
const MIN_LEVEL: u64 = 128 << 10;
/// Size ratio of neighbouring levels.
const RATIO: u64 = 10;
/// Most stored bytes merged at once: other tablets of the disk wait meanwhile.
const MAX_INPUT: u64 = 1 << 30;
/// A run of more bytes is not rewritten for the sake of a few delete predicates.
const CHEAP_INPUT: u64 = 16 << 20;
/// So many are worth it.
const MANY_DELETES: u64 = 10;

/// A run of rowsets to merge and how urgent that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub rowsets: Range<usize>,
    pub score: f64,
}

/// The best run, if any is worth it. `min_segments` is how many segments make a merge worthwhile.
pub fn choose(view: &TabletView, min_segments: usize) -> Option<Choice> {
    let rowsets = &view.rowsets;
    let crowded = rowsets.len() * 10 > view.max_versions * 9;
    let mut best: Option<Choice> = None;
    for start in 0..rowsets.len() {
        let from_start = start == 0;
        if rowsets[start].has_delete && !from_start {
            continue;
        }
        let mut level = level_of(rowsets[start].bytes);
        let (mut bytes, mut segments) = (0u64, 0u64);
        let mut end = start;
        while end < rowsets.len() {
            let next = &rowsets[end];
            let fits = bytes + next.bytes <= MAX_INPUT;
            // Smaller neighbours join a run, larger ones do not; when versions run out, anything joins.
            let joins = crowded || level_of(next.bytes) <= level || (from_start && next.has_delete);
            if !fits || !joins || (next.has_delete && !from_start) {
                break;
            }
            level = level.max(level_of(next.bytes));
            bytes += next.bytes;
            segments += next.segments;
            end += 1;
        }
        let run = &rowsets[start..end];
        let overlapping = run.iter().any(|r| r.overlapping);
        if run.len() < 2 && !overlapping {
            continue;
        }
        let deletes = run.iter().filter(|r| r.has_delete).count() as u64;
        let largest = run.iter().map(|r| r.bytes).max().unwrap_or(0);
        // One large rowset is not rewritten for the sake of a few small ones.
        let lopsided = largest > MIN_LEVEL && largest * 2 > bytes && !overlapping;
        let worth_for_deletes = deletes > 0 && (bytes <= CHEAP_INPUT || deletes >= MANY_DELETES);
        if (segments < min_segments as u64 || lopsided) && !worth_for_deletes && !crowded {
            continue;
        }
        let score = score(run, segments, bytes, deletes) * if crowded { 2.0 } else { 1.0 };
        if best.as_ref().is_none_or(|b| score > b.score) {
            best = Some(Choice { rowsets: start..end, score });
        }
    }
    best
}

/// Segments saved, and how little is rewritten for it.
fn score(run: &[RowsetView], segments: u64, bytes: u64, deletes: u64) -> f64 {
    let largest = run.iter().map(|r| r.bytes).max().unwrap_or(0).max(MIN_LEVEL);
    let amplification = bytes as f64 / largest as f64;
    segments as f64 - 1.0 + amplification.min(10.0) + deletes as f64
}

fn level_of(bytes: u64) -> u32 {
    let mut level = 0;
    let mut bound = MIN_LEVEL;
    while bytes > bound && level < 7 {
        bound *= RATIO;
        level += 1;
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(rowsets: &[(u64, bool)]) -> TabletView {
        let rowsets = rowsets
            .iter()
            .map(|(bytes, has_delete)| RowsetView { bytes: *bytes, rows: 1, segments: 1, has_delete: *has_delete, overlapping: false })
            .collect();
        TabletView { rowsets, max_versions: 1000 }
    }

    #[test]
    fn neighbours_of_a_size_are_merged_and_large_ones_left_alone() {
        let big = (100 << 20, false);
        let small = (10 << 10, false);
        assert_eq!(choose(&view(&[big, small, small]), 5), None);
        let found = choose(&view(&[big, small, small, small, small, small]), 5).unwrap();
        assert_eq!(found.rowsets, 1..6);
        assert_eq!(choose(&view(&[(1200 << 20, false); 10]), 5), None, "more than fits");
    }

    #[test]
    fn deletes_are_merged_only_from_the_first_version() {
        let small = (10 << 10, false);
        let found = choose(&view(&[small, small, (0, true), small]), 5).unwrap();
        assert_eq!(found.rowsets, 0..4);
        let with_big = view(&[(1200 << 20, false), small, small, small, (0, true), small, small, small, small, small]);
        assert_eq!(choose(&with_big, 5).unwrap().rowsets, 5..10);
        // Deletes of a large tablet wait for others.
        let large = |deletes: usize| view(&[vec![(200 << 20, false)], vec![(0, true); deletes]].concat());
        assert_eq!(choose(&large(3), 5), None);
        assert_eq!(choose(&large(10), 5).unwrap().rowsets, 0..11);
    }
}
