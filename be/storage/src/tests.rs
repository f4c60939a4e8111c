//! The promises of the engine: what is acknowledged survives, what is not is not seen, versions are exact, damage is named.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common_base::ErrorCode;
use common_base::fs::{Fault, FaultRule, FileSystem, FsOp};
use common_base::ids::{TabletId, TxnId};
use common_expr::expr::Expr;
use common_expr::predicate::{ColumnPredicate, CompareOp, PredicateKind};
use common_types::{LogicalType, Scalar, wire};
use proto_messages::tablet as pb;

use crate::testkit::*;
use crate::{DirConfig, RoomWait, StorageEngine};

#[test]
fn loads_become_versions_in_order() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(7), create_request(7)]).unwrap();
    assert_eq!(keys(&engine, 7, 1, &spec()).unwrap(), Vec::<i32>::new());
    load(&engine, 7, 100, (0..5000).rev()).unwrap();
    load(&engine, 7, 101, 5000..5010).unwrap();
    assert_eq!(publish(&engine, 7, 101, 3).unwrap_err().code(), ErrorCode::Unavailable, "a gap");
    assert!(keys(&engine, 7, 2, &spec()).is_err());
    publish(&engine, 7, 100, 2).unwrap();
    publish(&engine, 7, 100, 2).unwrap();
    publish(&engine, 7, 101, 3).unwrap();
    assert_eq!(keys(&engine, 7, 2, &spec()).unwrap(), (0..5000).collect::<Vec<_>>());
    assert_eq!(keys(&engine, 7, 3, &spec()).unwrap(), (0..5010).collect::<Vec<_>>());
    assert_eq!(publish(&engine, 7, 999, 4).unwrap_err().code(), ErrorCode::NotFound);
    let report = engine.report_tablet(TabletId(7), true).unwrap();
    let statistics = report.statistics.unwrap();
    assert_eq!((report.version, report.rows, statistics.rows), (3, 5010, 5010));
    assert_eq!((&statistics.columns[0].min, &statistics.columns[0].max), (&Scalar::Int(0), &Scalar::Int(5009)));
    assert!((statistics.columns[1].hll.estimate() - 10.0).abs() < 1.0);
}

#[test]
fn a_crash_keeps_what_was_committed_and_nothing_else() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1), create_request(2)]).unwrap();
    load(&engine, 1, 10, 0..100).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    load(&engine, 1, 11, 100..200).unwrap();
    // Written and closed, never committed.
    let writer = engine.open_writer(TabletId(2), TxnId(12)).unwrap();
    writer.write(chunk(0..10)).unwrap();
    let pending = writer.close().unwrap();
    std::mem::forget(pending);
    machine.crash();
    let engine = machine.start();
    assert_eq!(keys(&engine, 1, 2, &spec()).unwrap().len(), 100);
    assert_eq!(engine.pending_txns(), vec![(TxnId(11), vec![TabletId(1)])]);
    assert_eq!(engine.collect_garbage().orphan_files, 1, "the file nobody committed");
    publish(&engine, 1, 11, 3).unwrap();
    machine.crash();
    let engine = machine.start();
    assert_eq!(keys(&engine, 1, 3, &spec()).unwrap(), (0..200).collect::<Vec<_>>());
    assert!(engine.pending_txns().is_empty());
    assert_eq!(engine.collect_garbage().orphan_files, 0);
}

#[test]
fn an_aborted_load_leaves_nothing() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    load(&engine, 1, 10, 0..100).unwrap();
    engine.clear_txn(TxnId(10), &[]).unwrap();
    engine.clear_txn(TxnId(10), &[TabletId(1)]).unwrap();
    assert!(publish(&engine, 1, 10, 2).is_err());
    // A writer dropped halfway removes its files too.
    let writer = engine.open_writer(TabletId(1), TxnId(11)).unwrap();
    writer.write(chunk(0..10)).unwrap();
    drop(writer.close().unwrap());
    let dir = engine.tablet(TabletId(1)).unwrap().dir().tablet_path(TabletId(1));
    assert!(machine.disk.list(&dir).unwrap().is_empty());
}

#[test]
fn predicates_prune_and_filter() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    load(&engine, 1, 10, (0..60_000).rev()).unwrap();
    load(&engine, 1, 11, 60_000..60_100).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    publish(&engine, 1, 11, 3).unwrap();
    let with = |column: u32, ty: LogicalType, op, value| {
        let mut spec = spec();
        spec.predicates = vec![ColumnPredicate::new(column, ty, PredicateKind::Compare { op, value })];
        spec
    };
    let point = with(0, LogicalType::Int, CompareOp::Eq, Scalar::Int(31_234));
    assert_eq!(keys(&engine, 1, 3, &point).unwrap(), vec![31_234]);
    let read = engine.tablet(TabletId(1)).unwrap().read(3, &point).unwrap();
    assert!(read.rows <= 2048, "the short-key index leaves {} rows", read.rows);
    assert_eq!(read.bounds[0].map(|b| (b.min, b.max)), Some((0, 59_999)));
    let tail = with(0, LogicalType::Int, CompareOp::Ge, Scalar::Int(59_990));
    assert_eq!(keys(&engine, 1, 3, &tail).unwrap(), (59_990..60_100).collect::<Vec<_>>());
    let text = with(1, LogicalType::varchar(), CompareOp::Eq, Scalar::string("v3"));
    assert_eq!(keys(&engine, 1, 3, &text).unwrap(), (0..60_100).filter(|k| k % 10 == 3).collect::<Vec<_>>());
    let decimal = with(2, LogicalType::decimal(10, 2), CompareOp::Lt, Scalar::Decimal(50, 10, 2));
    assert_eq!(keys(&engine, 1, 3, &decimal).unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_delete_removes_rows_of_lower_versions_only() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    let null_row = || {
        let mut columns = chunk(0..1).into_columns();
        columns[0] = column(&LogicalType::Int, [Scalar::Null].into_iter());
        common_types::Chunk::new(columns, 1)
    };
    for (txn, version) in [(10, 2), (12, 4)] {
        let writer = engine.open_writer(TabletId(1), TxnId(txn)).unwrap();
        writer.write(chunk(0..10)).unwrap();
        writer.write(null_row()).unwrap();
        engine.commit(vec![writer.close().unwrap()]).unwrap();
        if version == 4 {
            delete(&engine, 1, 11, 1, Expr::column(0, LogicalType::Int, true).is_null());
            publish(&engine, 1, 11, 3).unwrap();
        }
        publish(&engine, 1, txn, version).unwrap();
    }
    let count = |engine: &StorageEngine, version| {
        let read = engine.tablet(TabletId(1)).unwrap().read(version, &spec()).unwrap();
        read.morsels.iter().flat_map(|m| m.scan().unwrap()).map(|c| c.unwrap().rows()).sum::<usize>()
    };
    assert_eq!((count(&engine, 2), count(&engine, 3), count(&engine, 4)), (11, 10, 21));
    // Deletes survive a restart, and a compaction that starts at the first version applies them.
    machine.crash();
    let engine = machine.start();
    assert_eq!(count(&engine, 4), 21);
    assert!(engine.compact_tablet(TabletId(1)).unwrap());
    assert_eq!((count(&engine, 4), count(&engine, 2)), (21, 11), "old versions stay readable for a while");
    assert_eq!(engine.report_tablet(TabletId(1), false).unwrap().rows, 21);
}

#[test]
fn compaction_merges_and_old_files_go_away() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    for i in 0..6 {
        load(&engine, 1, 100 + i, (0..500).map(move |k| k * 6 + i as i32)).unwrap();
        publish(&engine, 1, 100 + i, 2 + i as i64).unwrap();
    }
    let running = engine.tablet(TabletId(1)).unwrap().read(5, &spec()).unwrap();
    assert_eq!(engine.compaction_candidates()[0].0, TabletId(1));
    assert!(engine.compact_tablet(TabletId(1)).unwrap());
    assert!(!engine.compact_tablet(TabletId(1)).unwrap());
    assert_eq!(engine.report_tablet(TabletId(1), false).unwrap().rowsets, 1);
    assert_eq!(keys(&engine, 1, 7, &spec()).unwrap(), (0..3000).collect::<Vec<_>>());
    assert_eq!(keys(&engine, 1, 4, &spec()).unwrap().len(), 1500);
    machine.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(engine.sweep_stale(), 6);
    let rows: usize = running.morsels.iter().flat_map(|m| m.scan().unwrap()).map(|c| c.unwrap().rows()).sum();
    assert_eq!(rows, 2000, "a running query keeps its files");
    drop(running);
    assert_eq!(keys(&engine, 1, 4, &spec()).unwrap_err().code(), ErrorCode::Unavailable);
    let dir = engine.tablet(TabletId(1)).unwrap().dir().tablet_path(TabletId(1));
    assert_eq!(machine.disk.list(&dir).unwrap().len(), 1);
    publish(&engine, 1, 103, 5).unwrap();
    machine.crash();
    assert_eq!(keys(&machine.start(), 1, 7, &spec()).unwrap().len(), 3000);
}

#[test]
fn a_key_longer_than_a_segment_is_compacted_once() {
    let mut machine = Machine::new();
    machine.settings.compaction_segment_rows = 50;
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    for i in 0..6 {
        load(&engine, 1, 100 + i, (0..100).map(|_| 7)).unwrap();
        publish(&engine, 1, 100 + i, 2 + i as i64).unwrap();
    }
    assert!(engine.compact_tablet(TabletId(1)).unwrap());
    assert!(!engine.compact_tablet(TabletId(1)).unwrap(), "nothing is gained by merging it with itself");
    assert!(engine.compaction_candidates().is_empty());
    assert_eq!(keys(&engine, 1, 7, &spec()).unwrap(), [7; 600]);
}

#[test]
fn a_flipped_bit_names_tablet_and_file_and_takes_the_tablet_out() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(42), create_request(43)]).unwrap();
    load(&engine, 42, 10, 0..1000).unwrap();
    publish(&engine, 42, 10, 2).unwrap();
    let read = engine.tablet(TabletId(42)).unwrap().read(2, &spec()).unwrap();
    machine.faults.add(FaultRule::new(FsOp::Read, Fault::BitFlip).on(".dat"));
    let error = read.morsels[0].scan().unwrap().next_chunk().unwrap_err();
    machine.faults.heal();
    let text = error.to_string();
    assert_eq!(error.code(), ErrorCode::Corruption);
    for part in ["checksum", "tablet 42", ".dat", "offset"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(engine.report_tablet(TabletId(42), false).unwrap().bad);
    assert!(engine.tablet(TabletId(42)).unwrap().read(2, &spec()).is_err());
    assert!(engine.tablet(TabletId(43)).unwrap().read(1, &spec()).is_ok());
}

#[test]
fn a_broken_directory_takes_down_its_tablets_only() {
    let mut machine = Machine::new();
    machine.dirs.push(DirConfig::new("/data1"));
    let engine = machine.start();
    engine.create_tablets(&[create_request(1), create_request(2)]).unwrap();
    let of_dir = |engine: &Arc<StorageEngine>, path: &str| {
        engine.tablets().all().into_iter().find(|t| t.dir().path() == std::path::Path::new(path)).unwrap().id().0
    };
    let (first, second) = (of_dir(&engine, "/data0"), of_dir(&engine, "/data1"));
    for op in [FsOp::Create, FsOp::Append, FsOp::Sync] {
        machine.faults.add(FaultRule::new(op, Fault::Io).on("/data1"));
    }
    assert!(load(&engine, second, 10, 0..10).is_err());
    assert!(engine.dirs().iter().any(|d| d.broken().is_some()));
    assert!(engine.report_tablet(TabletId(second), false).unwrap().bad);
    assert!(!engine.check_disks(), "it is known, and still sick");
    engine.create_tablets(&[create_request(3), create_request(4)]).unwrap();
    assert_eq!(engine.tablets().all().iter().filter(|t| t.dir().path() == std::path::Path::new("/data0")).count(), 3);
    load(&engine, first, 10, 0..10).unwrap();
    publish(&engine, first, 10, 2).unwrap();
    assert_eq!(keys(&engine, first, 2, &spec()).unwrap().len(), 10);
    machine.faults.heal();
    assert!(engine.check_disks());
    load(&engine, second, 11, 0..10).unwrap();
    publish(&engine, second, 11, 2).unwrap();
    assert_eq!(keys(&engine, second, 2, &spec()).unwrap().len(), 10);
    assert!(!engine.check_disks(), "nothing changes any more");
}

#[test]
fn a_metadata_store_that_fails_takes_no_writes_until_it_is_read_anew() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    load(&engine, 1, 10, 0..10).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    load(&engine, 1, 11, 10..20).unwrap();
    machine.kv_fails.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(publish(&engine, 1, 11, 3).unwrap_err().code(), ErrorCode::IoError);
    machine.kv_fails.store(false, std::sync::atomic::Ordering::SeqCst);
    // What the failed write left on the disk is not known: no further one may build on it. Reading goes on.
    assert!(publish(&engine, 1, 11, 3).is_err());
    assert!(load(&engine, 1, 12, 0..10).is_err());
    assert_eq!(keys(&engine, 1, 2, &spec()).unwrap().len(), 10);
    // A writer from before cannot come in afterwards either.
    let before = engine.tablet(TabletId(1)).unwrap();
    assert!(engine.check_disks());
    assert!(before.check().is_err());
    publish(&engine, 1, 11, 3).unwrap();
    load(&engine, 1, 12, 20..30).unwrap();
    publish(&engine, 1, 12, 4).unwrap();
    assert_eq!(keys(&engine, 1, 4, &spec()).unwrap(), (0..30).collect::<Vec<_>>());
}

#[test]
fn damaged_metadata_takes_down_its_tablet_only() {
    use common_base::kv::{Batch, KvRange, KvRead, KvStore};
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1), create_request(2), create_request(3)]).unwrap();
    for tablet in [1, 2, 3] {
        load(&engine, tablet, 10, 0..10).unwrap();
        publish(&engine, tablet, 10, 2).unwrap();
    }
    drop(engine);
    let kv = machine.kv("/data0");
    let all: Vec<_> = kv.scan(&KvRange::all()).unwrap().map(Result::unwrap).collect();
    let mut batch = Batch::new();
    for (prefix, id) in [(&b"rowset"[..], 1_u64), (&b"tablet"[..], 2)] {
        let of_tablet = |key: &[u8]| key.starts_with(prefix) && key.windows(8).any(|w| w == id.to_be_bytes());
        let (key, _) = all.iter().find(|(key, _)| of_tablet(key)).unwrap();
        batch.put(key.clone(), vec![0xff; 7]);
    }
    kv.write(batch, true).unwrap();
    let engine = machine.start();
    let error = engine.tablet(TabletId(1)).unwrap().check().unwrap_err();
    assert_eq!(error.code(), ErrorCode::Corruption);
    assert!(error.to_string().contains("tablet 1") && error.to_string().contains("metadata of rowset"), "{error}");
    // The frontend finds that this one is missing and has it made again.
    assert!(engine.tablet(TabletId(2)).is_err());
    assert_eq!(keys(&engine, 3, 2, &spec()).unwrap().len(), 10);
    // Nothing that might be read by somebody is thrown away.
    assert_eq!(engine.collect_garbage().orphan_files, 0);
}

#[test]
fn loads_stop_before_the_disk_is_full() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    load(&engine, 1, 10, 0..1000).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    engine.watermarks().set(0, u64::MAX / 4);
    let error = load(&engine, 1, 11, 0..10).unwrap_err();
    assert_eq!(error.code(), ErrorCode::DiskFull);
    assert!(error.to_string().contains("/data0") && error.to_string().contains("storage_flood_stage_usage_percent"), "{error}");
    assert!(engine.create_tablets(&[create_request(2)]).is_err());
    assert_eq!(keys(&engine, 1, 2, &spec()).unwrap().len(), 1000);
    assert!(!engine.check_disks(), "a full disk is not a sick one");
    engine.watermarks().set(95, 0);
    load(&engine, 1, 11, 0..10).unwrap();
}

#[test]
fn dropped_tablets_rest_in_the_trash_first() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    load(&engine, 1, 10, 0..10).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    engine.drop_tablets(&[TabletId(1), TabletId(99)]).unwrap();
    assert!(engine.tablet(TabletId(1)).is_err());
    assert_eq!(machine.disk.list(std::path::Path::new("/data0/trash")).unwrap().len(), 1);
    assert_eq!(engine.collect_garbage().trash_dirs, 0);
    machine.clock.advance(std::time::Duration::from_secs(90_000));
    assert_eq!(engine.collect_garbage().trash_dirs, 1);
    machine.crash();
    assert!(machine.start().tablets().is_empty());
}

#[test]
fn a_column_added_later_reads_its_default() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    load(&engine, 1, 10, 0..10).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    let mut schema = create_request(1).schema.unwrap();
    schema.version = 2;
    schema.columns.push(pb::TabletColumn {
        uid: 9,
        name: "n".into(),
        r#type: Some(wire::type_to_proto(&LogicalType::BigInt)),
        nullable: true,
        default_value: Some(wire::scalar_to_proto(&Scalar::BigInt(5), &LogicalType::BigInt)),
        ..Default::default()
    });
    engine.update_schema(TabletId(1), &schema).unwrap();
    machine.crash();
    let engine = machine.start();
    let spec = crate::ReadSpec {
        columns: vec![crate::ReadColumn::new(9, LogicalType::BigInt), crate::ReadColumn::new(1, LogicalType::BigInt)],
        output: vec![0, 1],
        ..Default::default()
    };
    let read = engine.tablet(TabletId(1)).unwrap().read(2, &spec).unwrap();
    let chunk = read.morsels[0].scan().unwrap().next_chunk().unwrap().unwrap();
    assert_eq!((chunk.column(0).scalar(3), chunk.column(1).scalar(3)), (Scalar::BigInt(5), Scalar::BigInt(3)));
}

#[test]
fn several_memtables_make_several_segments() {
    let mut machine = Machine::new();
    machine.settings.memtable_bytes = 200 << 10;
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    let writer = Arc::new(engine.open_writer(TabletId(1), TxnId(10)).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let writer = writer.clone();
            scope.spawn(move || {
                for part in 0..20 {
                    let start = (part * 2 + thread) * 1000;
                    writer.write(chunk((start..start + 1000).rev())).unwrap();
                }
            });
        }
    });
    let pending = Arc::into_inner(writer).unwrap().close().unwrap();
    assert!(pending.meta().segments.len() > 1);
    engine.commit(vec![pending]).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    assert_eq!(keys(&engine, 1, 2, &spec()).unwrap(), (0..40_000).collect::<Vec<_>>());
    assert_eq!(engine.load_tracker().consumed(), 0);
}

#[test]
fn loads_stay_within_their_memory() {
    let mut machine = Machine::new();
    machine.settings.memtable_total_bytes = 24 << 20;
    let engine = machine.start();
    let tablets: Vec<u64> = (1..=3).collect();
    engine.create_tablets(&tablets.iter().map(|t| create_request(*t)).collect::<Vec<_>>()).unwrap();
    let writers: Vec<_> = tablets.iter().map(|t| engine.open_writer(TabletId(*t), TxnId(10)).unwrap()).collect();
    let mut peak = 0;
    for part in 0..300 {
        for writer in &writers {
            writer.write(chunk(part * 4000..(part + 1) * 4000)).unwrap();
            peak = peak.max(engine.load_tracker().consumed());
        }
    }
    assert!(peak <= (24 + 12) << 20, "peak {peak}");
    let pending: Vec<_> = writers.into_iter().map(|w| w.close().unwrap()).collect();
    assert!(pending.iter().all(|p| p.meta().segments.len() > 1 && p.meta().segments.len() < 20));
    engine.commit(pending).unwrap();
    publish(&engine, 2, 10, 2).unwrap();
    assert_eq!(keys(&engine, 2, 2, &spec()).unwrap().len(), 1_200_000);
}

#[test]
fn the_largest_memtable_makes_room_for_other_loads() {
    let mut machine = Machine::new();
    machine.settings.memtable_total_bytes = 16 << 20;
    let engine = machine.start();
    engine.create_tablets(&[create_request(1), create_request(2)]).unwrap();
    let (large, small) = (engine.open_writer(TabletId(1), TxnId(10)).unwrap(), engine.open_writer(TabletId(2), TxnId(11)).unwrap());
    (0..50).for_each(|part| large.write(chunk(part * 4000..(part + 1) * 4000)).unwrap());
    let before = engine.load_tracker().consumed();
    // Rows of the other load run into the limit; what it holds itself is little and stays.
    engine.load_tracker().consume((16 << 20) - before as usize);
    small.write(chunk(0..4000)).unwrap();
    engine.load_tracker().release((16 << 20) - before as usize);
    assert!(engine.load_tracker().consumed() < before / 2);
    (50..60).for_each(|part| large.write(chunk(part * 4000..(part + 1) * 4000)).unwrap());
    let pending = [large, small].map(|w| w.close().unwrap());
    assert_eq!(pending.each_ref().map(|p| p.meta().segments.len()), [2, 1]);
    engine.commit(pending.into()).unwrap();
    publish(&engine, 1, 10, 2).unwrap();
    assert_eq!(keys(&engine, 1, 2, &spec()).unwrap().len(), 240_000);
}

#[test]
fn a_load_waits_for_room_and_not_for_ever() {
    let mut machine = Machine::new();
    machine.settings.memtable_total_bytes = 8 << 20;
    let engine = machine.start();
    let (loads, mut wait) = (engine.loads(), RoomWait::default());
    let mut cx = Context::from_waker(Waker::noop());
    loads.tracker().consume(8 << 20);
    assert!(loads.poll_room(&mut wait, &mut cx).is_ready(), "nobody would wake it");
    loads.look_again();
    assert!(loads.poll_room(&mut wait, &mut cx).is_pending());
    loads.tracker().release(4 << 20);
    assert!(matches!(loads.poll_room(&mut wait, &mut cx), Poll::Ready(Ok(()))));
    loads.tracker().consume(4 << 20);
    assert!(loads.poll_room(&mut wait, &mut cx).is_pending());
    machine.clock.advance(Duration::from_secs(31));
    let Poll::Ready(Err(e)) = loads.poll_room(&mut wait, &mut cx) else { panic!("still waits") };
    assert_eq!(e.code(), ErrorCode::MemoryLimit);
    loads.tracker().release(8 << 20);
}

#[test]
fn a_tablet_without_rows_of_a_load_moves_on_with_the_others() {
    let machine = Machine::new();
    let engine = machine.start();
    engine.create_tablets(&[create_request(1)]).unwrap();
    engine.commit_empty(TxnId(5), &[TabletId(1), TabletId(9)]).unwrap();
    // Told again: the one that has it is no hindrance.
    engine.commit_empty(TxnId(5), &[TabletId(1)]).unwrap();
    publish(&engine, 1, 5, 2).unwrap();
    load(&engine, 1, 6, 0..3).unwrap();
    publish(&engine, 1, 6, 3).unwrap();
    assert_eq!(keys(&engine, 1, 2, &spec()).unwrap(), Vec::<i32>::new());
    assert_eq!(keys(&engine, 1, 3, &spec()).unwrap(), vec![0, 1, 2]);
}

/// Random loads, publications, compactions, collections and power failures against a model that is a list of versions.
#[test]
fn a_random_history_of_crashes_agrees_with_its_model() {
    for seed in 0..30 {
        let mut rng = common_base::Rng::from_seed(seed);
        let machine = Machine::new();
        let mut engine = machine.start();
        engine.create_tablets(&[create_request(1)]).unwrap();
        let (mut versions, mut committed): (Vec<Vec<i32>>, Vec<(u64, Vec<i32>)>) = (Vec::new(), Vec::new());
        let (mut txn, mut next_key) = (100, 0);
        for _ in 0..60 {
            match rng.range(0..10) {
                0..=3 => {
                    let rows = rng.range(1..200) as i32;
                    txn += 1;
                    load(&engine, 1, txn, next_key..next_key + rows).unwrap();
                    committed.push((txn, (next_key..next_key + rows).collect()));
                    next_key += rows;
                }
                4..=6 if !committed.is_empty() => {
                    let (txn, keys) = committed.remove(rng.index(committed.len()));
                    publish(&engine, 1, txn, versions.len() as i64 + 2).unwrap();
                    let mut all = versions.last().cloned().unwrap_or_default();
                    all.extend(keys);
                    all.sort_unstable();
                    versions.push(all);
                }
                7 => drop(engine.compact_tablet(TabletId(1)).unwrap()),
                8 => drop(engine.collect_garbage()),
                _ => {
                    machine.crash();
                    engine = machine.start();
                    let mut waiting: Vec<u64> = engine.pending_txns().iter().map(|(t, _)| t.0).collect();
                    waiting.sort_unstable();
                    let mut wanted: Vec<u64> = committed.iter().map(|(t, _)| *t).collect();
                    wanted.sort_unstable();
                    assert_eq!(waiting, wanted, "seed {seed}");
                }
            }
            if let Some(last) = versions.last() {
                assert_eq!(&keys(&engine, 1, versions.len() as i64 + 1, &spec()).unwrap(), last, "seed {seed}");
            }
        }
    }
}

#[test]
fn thousands_of_one_row_loads_stay_few_rowsets() {
    const LOADS: u64 = 10_000;
    let mut machine = Machine::new();
    machine.settings.compaction_min_rowsets = 5;
    let engine = machine.start();
    engine.create_tablets(&[create_request(1), create_request(2)]).unwrap();
    load(&engine, 2, 5, 0..LOADS as i32).unwrap();
    publish(&engine, 2, 5, 2).unwrap();
    let mut most = 0;
    for i in 0..LOADS {
        // Nobody compacts in time for every ninth thousand: the loads have to.
        if i / 1000 != 8 && i % 100 == 0 {
            engine.compact_tablet(TabletId(1)).unwrap();
        }
        if i % 100 == 0 {
            machine.clock.advance(std::time::Duration::from_secs(3600));
            engine.sweep_stale();
        }
        load(&engine, 1, 10 + i, i as i32..i as i32 + 1).unwrap();
        publish(&engine, 1, 10 + i, 2 + i as i64).unwrap();
        most = most.max(engine.tablet(TabletId(1)).unwrap().versions().current().len());
    }
    while engine.compact_tablet(TabletId(1)).unwrap() {}
    let rowsets = engine.tablet(TabletId(1)).unwrap().versions().current().len();
    let scan = |tablet, version| {
        // The best of some: the first opens files and fills caches.
        let time = || {
            let started = std::time::Instant::now();
            assert_eq!(keys(&engine, tablet, version, &spec()).unwrap().len(), LOADS as usize);
            started.elapsed()
        };
        (0..5).map(|_| time()).min().unwrap()
    };
    let once = scan(2, 2);
    let compacted = scan(1, LOADS as i64 + 1);
    println!("{LOADS} loads: at most {most} rowsets, {rowsets} in the end; a scan takes {compacted:?}, of one load {once:?}");
    assert!(most <= 1000 && rowsets <= 10, "{most} {rowsets}");
}
