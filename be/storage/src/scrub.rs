//! Scrubbing: every segment file is read again from the disk now and then, and every checksum in it compared.
//!
//! Flow: [`StorageEngine::scrub`] goes on where it stopped, tablet by tablet in order of their ids, until its budget of bytes is
//! used; after the last tablet a cycle is complete. Damage is looked at twice — a bit may have flipped on its way here —, then the
//! tablet is bad: queries go to other replicas and the frontend has it made anew from one of them.

use std::sync::Arc;

use be_segment::Segment;
use common_base::ids::TabletId;
use common_base::{ErrorCode, Result, ResultExt};
use parking_lot::Mutex;

use crate::engine::StorageEngine;
use crate::rowset::Rowset;
use crate::tablet::Tablet;

/// How far it is and what it has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Complete passes over all tablets since the start.
    pub cycles: u64,
    /// When the present pass began, and when the last one ended; 0 = never.
    pub began_ms: i64,
    pub ended_ms: i64,
    /// Tablets of the present pass that are done.
    pub tablets: u64,
    /// Since the start.
    pub files: u64,
    pub bytes: u64,
    pub damaged_files: u64,
    /// The newest findings.
    pub findings: Vec<String>,
}

/// Findings kept.
const FINDINGS_MAX: usize = 100;

/// Where the present pass is.
#[derive(Debug, Default)]
pub(crate) struct ScrubState {
    place: Mutex<Place>,
    report: Mutex<ScrubReport>,
}

#[derive(Debug, Default)]
struct Place {
    running: bool,
    /// The tablet to go on with, and its files that are done.
    tablet: TabletId,
    files: usize,
}

impl StorageEngine {
    /// Verifies files of about `budget` bytes. A pass begins when the last one began `cycle_ms` ago, or at once when `now` says so.
    pub fn scrub(&self, budget: u64, cycle_ms: i64, now: bool) -> Result<()> {
        let state = &self.shared().scrub;
        let mut place = state.place.lock();
        if !place.running {
            let time = self.shared().clock.now_ms();
            let mut report = state.report.lock();
            if !now && report.began_ms != 0 && time < report.began_ms.saturating_add(cycle_ms) {
                return Ok(());
            }
            *place = Place { running: true, ..Place::default() };
            (report.began_ms, report.tablets) = (time, 0);
        }
        let mut left = budget;
        let mut tablets = self.tablets().all().into_iter().peekable();
        while left > 0 {
            while tablets.next_if(|t| t.id() < place.tablet).is_some() {}
            let Some(tablet) = tablets.peek() else {
                place.running = false;
                let mut report = state.report.lock();
                report.cycles += 1;
                report.ended_ms = self.shared().clock.now_ms();
                tracing::info!(tablets = report.tablets, damaged = report.damaged_files, "all tablets are verified");
                return Ok(());
            };
            if tablet.id() > place.tablet {
                (place.tablet, place.files) = (tablet.id(), 0);
            }
            let files = files_of(tablet);
            match files.get(place.files) {
                Some((rowset, segment)) if tablet.check().is_ok() => {
                    place.files += 1;
                    left = left.saturating_sub(self.scrub_file(tablet, rowset, *segment).max(1));
                }
                _ => {
                    (place.tablet, place.files) = (TabletId(tablet.id().0 + 1), 0);
                    state.report.lock().tablets += 1;
                }
            }
        }
        Ok(())
    }

    /// Bytes read.
    fn scrub_file(&self, tablet: &Tablet, rowset: &Rowset, segment: usize) -> u64 {
        let Some(meta) = rowset.meta().segments.get(segment) else { return 0 };
        let path = rowset.id().segment_path(rowset.tablet_dir(), meta.ordinal);
        let verify = || Segment::open(&**rowset.dir().fs(), &path, &self.shared().segment)?.verify();
        let verify = || verify().with_context(|| format!("tablet {}", tablet.id()));
        let mut outcome = verify();
        if let Err(first) = &outcome {
            tracing::warn!(tablet = %tablet.id(), path = %path.display(), error = %first, "a file does not verify, it is read again");
            outcome = verify();
        }
        let mut report = self.shared().scrub.report.lock();
        report.files += 1;
        report.bytes += meta.bytes;
        if let Err(e) = outcome {
            // Compacted away or dropped while it was looked at: nobody needs it.
            let needed = !tablet.is_dropped() && tablet.versions().current().iter().any(|r| r.id() == rowset.id());
            if needed {
                report.damaged_files += 1;
                if report.findings.len() >= FINDINGS_MAX {
                    report.findings.remove(0);
                }
                report.findings.push(e.to_string());
                tablet.note_failure(&e);
                // The disk answers, this file does not.
                if e.code() == ErrorCode::IoError && tablet.check().is_ok() {
                    tablet.mark_bad(&e.to_string());
                }
            }
        }
        meta.bytes
    }

    /// How far it is and what it has found.
    pub fn scrub_report(&self) -> ScrubReport {
        self.shared().scrub.report.lock().clone()
    }
}

/// The files of a tablet's newest version.
fn files_of(tablet: &Tablet) -> Vec<(Arc<Rowset>, usize)> {
    let versions = tablet.versions();
    versions.current().iter().flat_map(|r| (0..r.segment_count()).map(|i| (r.clone(), i))).collect()
}

#[cfg(test)]
mod tests {
    use common_base::fs::{Fault, FaultRule, FileSystem, FsOp};

    use super::*;
    use crate::testkit::*;

    #[test]
    fn damage_is_found_without_a_query() {
        let machine = Machine::new();
        let engine = machine.start();
        engine.create_tablets(&[create_request(1), create_request(2)]).unwrap();
        for tablet in [1, 2] {
            load(&engine, tablet, 10, 0..5000).unwrap();
            publish(&engine, tablet, 10, 2).unwrap();
        }
        // Open, and its pages in the cache: the file is looked at all the same.
        assert_eq!(keys(&engine, 2, 2, &spec()).unwrap().len(), 5000);
        engine.scrub(u64::MAX, 1000, false).unwrap();
        let clean = engine.scrub_report();
        assert_eq!((clean.cycles, clean.tablets, clean.files, clean.damaged_files), (1, 2, 2, 0));
        engine.scrub(u64::MAX, 1000, false).unwrap();
        assert_eq!(engine.scrub_report().cycles, 1, "the next pass has time");

        // A bit that flips on its way is not damage.
        machine.clock.advance(std::time::Duration::from_secs(2));
        machine.faults.add(FaultRule::new(FsOp::Read, Fault::BitFlip).on(".dat").times(1));
        engine.scrub(u64::MAX, 1000, false).unwrap();
        assert_eq!((engine.scrub_report().cycles, engine.scrub_report().damaged_files), (2, 0));

        let dir = engine.tablet(TabletId(2)).unwrap().dir().tablet_path(TabletId(2));
        let file = dir.join(&machine.disk.list(&dir).unwrap()[0].name);
        let mut bytes = machine.disk.read(&file).unwrap();
        bytes[200] ^= 0x10;
        machine.disk.write_atomic(&file, &bytes).unwrap();
        // In small steps.
        for _ in 0..10 {
            engine.scrub(1, 1000, true).unwrap();
        }
        let found = engine.scrub_report();
        assert_eq!(found.damaged_files, 1);
        for part in ["tablet 2", ".dat", "offset", "checksum"] {
            assert!(found.findings[0].contains(part), "{part} in {}", found.findings[0]);
        }
        assert!(engine.report_tablet(TabletId(2), false).unwrap().bad);
        assert!(!engine.report_tablet(TabletId(1), false).unwrap().bad);
        assert_eq!(engine.damages(), 1);
    }
}
