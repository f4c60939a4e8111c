//! Cuts the wanted rows of a segment into units of parallel work, at page boundaries.

use std::ops::Range;

/// Ranges of about `target` rows; boundaries inside are multiples of `page_rows`.
pub fn split(rows: Range<u32>, page_rows: u32, target: u32) -> Vec<Range<u32>> {
    let step = (target / page_rows).max(1).saturating_mul(page_rows);
    let mut out = Vec::new();
    let mut start = rows.start;
    while start < rows.end {
        // The first piece ends where a full one would, had it begun at its page's start.
        let end = ((start / step) + 1).saturating_mul(step).min(rows.end);
        out.push(start..end);
        start = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn pieces_cover_the_range_once() {
        for (rows, page, target) in [(0..100, 10, 30), (5..95, 10, 30), (0..0, 10, 30), (3..4, 16_384, 131_072), (0..100, 64, 10)] {
            let pieces = split(rows.clone(), page, target);
            assert_eq!(pieces.iter().map(|p| p.len()).sum::<usize>(), rows.len());
            for pair in pieces.windows(2) {
                assert_eq!(pair[0].end, pair[1].start);
                assert_eq!(pair[0].end % page, 0);
            }
        }
    }
}
