//! Upserts into a primary-key tablet beside appends to a duplicate-key one, on a real disk, and scans of both afterwards:
//! `primary_speed [rows] [batches] [directory]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{BinaryViewArray, Int32Array, Int64Array};
use be_storage::{DirConfig, KvFactory, PublishItem, ReadColumn, ReadSpec, StorageEngine, StorageOptions, StorageSettings};
use common_base::fs::LocalFs;
use common_base::ids::{TabletId, TxnId};
use common_base::kv::MemKv;
use common_base::{MemTracker, Rng, SharedRng, SystemClock};
use common_expr::predicate::{ColumnPredicate, CompareOp, PredicateKind};
use common_types::{CHUNK_ROWS, Chunk, Column, LogicalType, Scalar, wire};
use proto_messages::tablet as pb;

const BATCH: usize = 100_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let rows: usize = args.next().map_or(10_000_000, |a| a.parse().expect("a number of rows"));
    let batches: usize = args.next().map_or(20, |a| a.parse().expect("a number of batches"));
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "primary-speed-data".into()));
    let kv: KvFactory = Arc::new(|_| Ok(MemKv::shared()));
    let tracker = MemTracker::root("process", 0);
    let engine = StorageEngine::open(&StorageOptions {
        settings: StorageSettings::default(),
        dirs: vec![DirConfig::new(&dir)],
        fs: Arc::new(LocalFs),
        kv,
        clock: SystemClock::shared(),
        rng: SharedRng::from_entropy(),
        tracker: tracker.clone(),
        functions: Arc::default(),
    })
    .expect("the engine opens");
    for (id, keys) in [(1, pb::KeysModel::Duplicate), (2, pb::KeysModel::Primary)] {
        engine.create_tablets(&[create(id, keys)]).expect("created");
        let mut version = 1;
        let start = Instant::now();
        for first in (0..rows).step_by(1_000_000) {
            load(&engine, id, &mut version, (first..rows.min(first + 1_000_000)).map(|i| i as i64).collect());
        }
        println!("{keys:?}: {rows} rows loaded in {:.2} s", start.elapsed().as_secs_f64());
        scans(&engine, id, version, "fresh");
        let mut rng = Rng::from_seed(7);
        let (mut write, mut publish) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..batches {
            let keys = (0..BATCH).map(|_| rng.range(0..rows as u64) as i64).collect();
            let (w, p) = load(&engine, id, &mut version, keys);
            (write, publish) = (write + w, publish + p);
        }
        let total = (write + publish).as_secs_f64();
        println!(
            "{keys:?}: {batches} batches of {BATCH} random keys in {total:.2} s ({:.0} rows/s); writing {:.2} s, publishing {:.2} s; primary index {} MiB",
            (batches * BATCH) as f64 / total,
            write.as_secs_f64(),
            publish.as_secs_f64(),
            tracker.rows().iter().find(|r| r.label.contains("primary_index")).map_or(0, |r| r.consumed >> 20),
        );
        scans(&engine, id, version, "after the batches");
        point_reads(&engine, id, version, rows);
        engine.compact_fully(TabletId(id)).expect("compacted");
        scans(&engine, id, version, "compacted");
        point_reads(&engine, id, version, rows);
    }
    engine.drop_tablets(&[TabletId(1), TabletId(2)]).expect("dropped");
}

fn columns() -> Vec<(&'static str, LogicalType)> {
    vec![("k", LogicalType::BigInt), ("a", LogicalType::Int), ("b", LogicalType::Int), ("c", LogicalType::BigInt), ("s", LogicalType::varchar())]
}

fn create(id: u64, keys: pb::KeysModel) -> pb::CreateTablet {
    let column = |(i, (name, ty)): (usize, (&'static str, LogicalType))| pb::TabletColumn {
        uid: i as u64 + 1,
        name: name.to_owned(),
        r#type: Some(wire::type_to_proto(&ty)),
        key: i == 0,
        nullable: i > 0,
        ..Default::default()
    };
    let columns = columns().into_iter().enumerate().map(column).collect();
    let schema = pb::TabletSchema { columns, short_key_columns: 1, version: 1, keys: keys.into(), ..Default::default() };
    pb::CreateTablet { tablet_id: id, schema: Some(schema), ..Default::default() }
}

fn load(engine: &StorageEngine, id: u64, version: &mut i64, keys: Vec<i64>) -> (Duration, Duration) {
    let chunks: Vec<Chunk> = keys.chunks(CHUNK_ROWS).map(chunk).collect();
    let start = Instant::now();
    *version += 1;
    let txn = TxnId(*version as u64);
    let writer = engine.open_writer(TabletId(id), txn).expect("a writer");
    for chunk in chunks {
        writer.write(chunk).expect("written");
    }
    engine.commit(vec![writer.close().expect("closed")]).expect("committed");
    let written = start.elapsed();
    engine.publish(txn, &[PublishItem { tablet: TabletId(id), version: *version }])[0].result.clone().expect("published");
    (written, start.elapsed() - written)
}

fn chunk(keys: &[i64]) -> Chunk {
    let mixed = |i: &i64| (*i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let arrays: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(keys.iter().copied())),
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|k| (mixed(k) >> 44) as i32))),
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|k| (mixed(k) >> 54) as i32))),
        Arc::new(Int64Array::from_iter_values(keys.iter().map(|k| (mixed(k) >> 24) as i64))),
        Arc::new(BinaryViewArray::from_iter_values(keys.iter().map(|k| format!("name {}", mixed(k) >> 50)))),
    ];
    let columns = arrays.into_iter().zip(columns()).map(|(a, (_, ty))| Column::flat(a, ty)).collect();
    Chunk::new(columns, keys.len())
}

/// Rows by their keys, one after the other.
fn point_reads(engine: &StorageEngine, id: u64, version: i64, rows: usize) {
    let types = columns();
    let mut rng = Rng::from_seed(11);
    let reads = 200;
    let start = Instant::now();
    let mut found = 0;
    for _ in 0..reads {
        let key = Scalar::BigInt(rng.range(0..rows as u64) as i64);
        let equal = ColumnPredicate::new(0, LogicalType::BigInt, PredicateKind::Compare { op: CompareOp::Eq, value: key });
        let spec = ReadSpec {
            columns: types.iter().enumerate().map(|(i, (_, ty))| ReadColumn::new(i as u64 + 1, ty.clone())).collect(),
            output: vec![0, 1, 2, 3, 4],
            predicates: vec![equal],
            ..Default::default()
        };
        let read = engine.tablet(TabletId(id)).expect("it exists").read(version, &spec).expect("it opens");
        for morsel in &read.morsels {
            let mut scan = morsel.scan().expect("it starts");
            while let Some(chunk) = scan.next_chunk().expect("it reads") {
                found += chunk.rows();
            }
        }
    }
    println!("    {:18} {:12} {found:9} rows {:8.3} ms each", "", "point read", start.elapsed().as_secs_f64() * 1000.0 / f64::from(reads));
}

fn scans(engine: &StorageEngine, id: u64, version: i64, what: &str) {
    let types = columns();
    let tenth = ColumnPredicate::new(2, LogicalType::Int, PredicateKind::Compare { op: CompareOp::Lt, value: Scalar::Int(100) });
    for (name, output, predicates) in [("count", vec![0], vec![]), ("two numbers", vec![1, 3], vec![]), ("a tenth", vec![3], vec![tenth]), ("everything", vec![0, 1, 2, 3, 4], vec![])] {
        let spec = ReadSpec {
            columns: types.iter().enumerate().map(|(i, (_, ty))| ReadColumn::new(i as u64 + 1, ty.clone())).collect(),
            output,
            predicates,
            ..Default::default()
        };
        let mut best = Duration::MAX;
        let mut found = 0;
        for _ in 0..5 {
            let start = Instant::now();
            let read = engine.tablet(TabletId(id)).expect("it exists").read(version, &spec).expect("it opens");
            found = 0;
            for morsel in &read.morsels {
                let mut scan = morsel.scan().expect("it starts");
                while let Some(chunk) = scan.next_chunk().expect("it reads") {
                    found += chunk.rows();
                }
            }
            best = best.min(start.elapsed());
        }
        println!("    {what:18} {name:12} {found:9} rows {:8.2} ms", best.as_secs_f64() * 1000.0);
    }
}
