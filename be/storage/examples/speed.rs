//! Load and scan speed of one tablet of a lineitem-like table on a real disk: `speed [rows] [directory]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{BinaryViewArray, Date32Array, Decimal64Array, Int32Array, Int64Array};
use be_storage::{DirConfig, KvFactory, PublishItem, ReadColumn, ReadSpec, StorageEngine, StorageOptions, StorageSettings};
use common_base::fs::LocalFs;
use common_base::ids::{TabletId, TxnId};
use common_base::kv::MemKv;
use common_base::{MemTracker, Rng, SharedRng, SystemClock};
use common_expr::predicate::{ColumnPredicate, CompareOp, PredicateKind};
use common_types::{CHUNK_ROWS, Chunk, Column, LogicalType, Scalar, wire};
use proto_messages::tablet as pb;

fn main() {
    let mut args = std::env::args().skip(1);
    let rows: usize = args.next().map_or(6_000_000, |a| a.parse().expect("a number of rows"));
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "speed-data".into()));
    let types = columns();
    let kv: KvFactory = Arc::new(|_| Ok(MemKv::shared()));
    let engine = StorageEngine::open(&StorageOptions {
        settings: StorageSettings::default(),
        dirs: vec![DirConfig::new(&dir)],
        fs: Arc::new(LocalFs),
        kv,
        clock: SystemClock::shared(),
        rng: SharedRng::from_entropy(),
        tracker: MemTracker::root("process", 0),
        functions: Arc::default(),
    })
    .expect("the engine opens");
    let proto = |(i, (name, ty)): (usize, &(&str, LogicalType))| pb::TabletColumn {
        uid: i as u64 + 1,
        name: (*name).to_owned(),
        r#type: Some(wire::type_to_proto(ty)),
        key: i == 0,
        ..Default::default()
    };
    let schema = pb::TabletSchema { columns: types.iter().enumerate().map(proto).collect(), short_key_columns: 1, version: 1, ..Default::default() };
    engine.create_tablets(&[pb::CreateTablet { tablet_id: 1, schema: Some(schema), ..Default::default() }]).expect("created");
    let chunks = generate(rows);
    let start = Instant::now();
    let writer = engine.open_writer(TabletId(1), TxnId(1)).expect("a writer");
    for chunk in &chunks {
        writer.write(chunk.clone()).expect("written");
    }
    engine.commit(vec![writer.close().expect("closed")]).expect("committed");
    engine.publish(TxnId(1), &[PublishItem { tablet: TabletId(1), version: 2 }])[0].result.clone().expect("published");
    let bytes = engine.report_tablet(TabletId(1), false).expect("a report").bytes;
    println!("load {rows} rows in {:?}: {} bytes, {:.1} a row", start.elapsed(), bytes, bytes as f64 / rows as f64);
    let date = ColumnPredicate::new(10, LogicalType::Date, PredicateKind::Compare { op: CompareOp::Le, value: Scalar::Date(10_471) });
    let mode = ColumnPredicate::new(14, LogicalType::varchar(), PredicateKind::Compare { op: CompareOp::Eq, value: Scalar::string("AIR") });
    let all: Vec<usize> = (0..types.len()).collect();
    let point = ColumnPredicate::new(0, LogicalType::Int, PredicateKind::Compare { op: CompareOp::Eq, value: Scalar::Int(777_777) });
    for (name, output, predicates) in [
        ("count", vec![], vec![]),
        ("four narrow columns", vec![4, 5, 6, 7], vec![]),
        ("q1 columns, 98 %", vec![4, 5, 6, 7, 8, 9], vec![date]),
        ("ship mode = AIR", vec![5, 6], vec![mode]),
        ("point", all.clone(), vec![point]),
        ("comment", vec![15], vec![]),
        ("everything", all, vec![]),
    ] {
        let spec = ReadSpec {
            columns: types.iter().enumerate().map(|(i, (_, ty))| ReadColumn::new(i as u64 + 1, ty.clone())).collect(),
            output,
            predicates,
            ..Default::default()
        };
        for run in ["cold", "hot", "hot"] {
            let start = Instant::now();
            let read = engine.tablet(TabletId(1)).expect("it exists").read(2, &spec).expect("it opens");
            let mut found = 0;
            for morsel in &read.morsels {
                let mut scan = morsel.scan().expect("it starts");
                while let Some(chunk) = scan.next_chunk().expect("it reads") {
                    found += chunk.rows();
                }
            }
            println!("{name:24} {run:5} {found:9} rows {:?}", start.elapsed());
        }
    }
    println!("page cache {} MiB", engine.page_cache().used() >> 20);
    engine.drop_tablets(&[TabletId(1)]).expect("dropped");
}

fn columns() -> Vec<(&'static str, LogicalType)> {
    let money = LogicalType::decimal(15, 2);
    vec![
        ("l_orderkey", LogicalType::Int),
        ("l_partkey", LogicalType::Int),
        ("l_suppkey", LogicalType::Int),
        ("l_linenumber", LogicalType::Int),
        ("l_quantity", money.clone()),
        ("l_extendedprice", money.clone()),
        ("l_discount", money.clone()),
        ("l_tax", money),
        ("l_returnflag", LogicalType::varchar()),
        ("l_linestatus", LogicalType::varchar()),
        ("l_shipdate", LogicalType::Date),
        ("l_commitdate", LogicalType::Date),
        ("l_receiptdate", LogicalType::Date),
        ("l_shipinstruct", LogicalType::varchar()),
        ("l_shipmode", LogicalType::varchar()),
        ("l_comment", LogicalType::varchar()),
    ]
}

fn generate(rows: usize) -> Vec<Chunk> {
    let mut rng = Rng::from_seed(1);
    let words = ["carefully", "final", "deposits", "sleep", "quickly", "ironic", "packages", "among", "the", "requests", "bold", "accounts"];
    let types = columns();
    let mut chunks = Vec::new();
    for start in (0..rows).step_by(CHUNK_ROWS) {
        let n = CHUNK_ROWS.min(rows - start);
        let mut int = |low: i32, high: i32| -> Vec<i32> { (0..n).map(|_| low + rng.range(0..(high - low) as u64) as i32).collect() };
        let mut arrays: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values((start..start + n).map(|i| (i / 4) as i32))),
            Arc::new(Int32Array::from(int(1, 200_000))),
            Arc::new(Int32Array::from(int(1, 10_000))),
            Arc::new(Int32Array::from(int(1, 8))),
        ];
        for (low, high, step) in [(1, 51, 100), (90_000, 10_490_000, 1), (0, 11, 1), (0, 9, 1)] {
            let values = int(low, high).into_iter().map(|v| i64::from(v) * step);
            let array = Decimal64Array::from(Int64Array::from_iter_values(values).values().to_vec());
            arrays.push(Arc::new(array.with_precision_and_scale(15, 2).expect("fits")));
        }
        let mut text = |choices: &[&str]| -> arrow::array::ArrayRef {
            Arc::new(BinaryViewArray::from_iter_values((0..n).map(|_| choices[rng.index(choices.len())])))
        };
        let (flag, status) = (text(&["A", "N", "R"]), text(&["O", "F"]));
        let instruct = text(&["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]);
        let mode = text(&["AIR", "MAIL", "SHIP", "RAIL", "TRUCK", "FOB", "REG AIR"]);
        let comment: Vec<String> = (0..n).map(|_| (0..4).map(|_| words[rng.index(words.len())]).collect::<Vec<_>>().join(" ")).collect();
        let dates: Vec<i32> = (0..n).map(|_| 8036 + rng.range(0..2500) as i32).collect();
        arrays.push(flag);
        arrays.push(status);
        arrays.push(Arc::new(Date32Array::from(dates.clone())));
        arrays.push(Arc::new(Date32Array::from_iter_values(dates.iter().map(|d| d + 20))));
        arrays.push(Arc::new(Date32Array::from_iter_values(dates.iter().map(|d| d + 12))));
        arrays.push(instruct);
        arrays.push(mode);
        arrays.push(Arc::new(BinaryViewArray::from_iter_values(&comment)));
        let columns = arrays.into_iter().zip(&types).map(|(a, (_, ty))| Column::flat(a, ty.clone())).collect();
        chunks.push(Chunk::new(columns, n));
    }
    chunks
}
