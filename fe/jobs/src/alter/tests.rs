//! Jobs step by step over a table with two tablets of two replicas.

use std::sync::Arc;

use common_base::ids::{ColumnUid, DbId, IndexId, PartitionId, ReplicaId};
use common_types::{LogicalType, Scalar};
use fe_catalog::op::IndexBuild;
use fe_catalog::model::{
    AlterChange, AlterKind, Column, ColumnSource, Database, DefaultValue, Distribution, IndexColumn, IndexState, KeysModel, LoadSource, Partition,
    Table, TableIndex, TableKind, TabletIndex, Transaction,
};

use super::*;

const TABLE: TableId = TableId(100);
const JOB: u64 = 500;

fn column(uid: u64, ty: LogicalType) -> Column {
    Column {
        uid: ColumnUid(uid),
        name: format!("c{uid}"),
        ty,
        nullable: true,
        key: uid == 1,
        aggregation: None,
        default: DefaultValue::None,
        before: Scalar::Null,
        auto_increment: false,
        generated: None,
        comment: String::new(),
    }
}

fn tablets(first: u64, version: i64) -> Vec<Tablet> {
    let replica = |node| Replica::new(ReplicaId(first * 10 + node), NodeId(node), version);
    (0..2).map(|i| Tablet { id: TabletId(first + i), replicas: vec![replica(1), replica(2)] }).collect()
}

fn catalog() -> CatalogState {
    let mut state = CatalogState::default();
    let partition = Partition {
        buckets: 2,
        replication_num: 2,
        visible_version: 5,
        next_version: 6,
        ..Partition::new(PartitionId(7), "t", vec![Arc::new(TabletIndex { index_id: IndexId(1), tablets: tablets(1000, 5) })])
    };
    let olap = OlapTable {
        distribution: Distribution::Random { buckets: 2 },
        schema_version: 3,
        short_key_columns: 1,
        partitions: imbl::OrdMap::unit(partition.id, Arc::new(partition)),
        next_column_uid: 3,
        ..OlapTable::new(KeysModel::Duplicate, IndexId(1))
    };
    let table = Table::new(TABLE, DbId(1), "t", vec![column(1, LogicalType::Int), column(2, LogicalType::Int)], TableKind::Olap(Arc::new(olap)));
    let db = Database { id: DbId(1), name: "d".to_owned(), properties: Vec::new(), created_ms: 0 };
    state.apply(Op::CreateDatabase(db)).unwrap();
    state.apply(Op::CreateTable(Arc::new(table))).unwrap();
    state
}

fn load(state: &mut CatalogState, id: u64) {
    let txn = Transaction {
        tables: vec![TABLE],
        request_id: u128::from(id),
        begin_ms: 10,
        timeout_ms: 1000,
        ..Transaction::new(common_base::ids::TxnId(id), DbId(1), format!("l{id}"), LoadSource::Insert)
    };
    state.apply(Op::BeginTxn(txn)).unwrap();
}

fn abort(state: &mut CatalogState, id: u64) {
    state.apply(Op::AbortTxn { txn: common_base::ids::TxnId(id), reason: "test".to_owned(), now_ms: 11 }).unwrap();
}

fn of(column: Column, from: u64) -> IndexColumn {
    IndexColumn { column, source: ColumnSource::Column(ColumnUid(from)) }
}

/// Index `n` with tablets from `n`000, built by a job; what has no index to replace is a new rollup.
fn build(job: u64, n: u64, name: &str, replaces: Option<u64>, columns: Vec<IndexColumn>) -> IndexBuild {
    let index = TableIndex {
        id: IndexId(n),
        name: name.to_owned(),
        keys: KeysModel::Duplicate,
        columns,
        sort_key: Vec::new(),
        short_key_columns: 1,
        schema_version: 4,
        state: IndexState::Building,
        replaces: replaces.map(IndexId),
        predicate: None,
        definition: None,
        created_ms: 20,
    };
    let job = AlterJob {
        id: job,
        kind: if replaces.is_some() { AlterKind::Column } else { AlterKind::Rollup },
        db_id: DbId(1),
        table_id: TABLE,
        table_name: "t".to_owned(),
        index: index.id,
        index_name: "t".to_owned(),
        base_index: IndexId(replaces.unwrap_or(1)),
        schema_version: 4,
        operation: String::new(),
        created_ms: 20,
        finished_ms: 0,
        timeout_ms: 1_000_000,
        change: AlterChange { next_column_uid: 4, ..AlterChange::default() },
        waiting: Vec::new(),
        state: AlterState::WaitingTxn,
        message: String::new(),
        garbage: Vec::new(),
    };
    let tablets = vec![(PartitionId(7), TabletIndex { index_id: index.id, tablets: tablets(n * 1000, 1) })];
    IndexBuild { job, index, tablets }
}

/// Column 2 becomes BIGINT under uid 3.
fn begin(state: &mut CatalogState) {
    let columns = vec![of(column(1, LogicalType::Int), 1), of(column(3, LogicalType::BigInt), 2)];
    let IndexBuild { job, index, tablets } = build(JOB, 2, "shadow", Some(1), columns);
    let op = Op::BeginAlter { job: Box::new(job), base_version: 3, index: Box::new(index), tablets };
    state.apply(op.clone()).unwrap();
    // One at a time.
    assert!(state.apply(op).is_err());
}

fn job(state: &CatalogState) -> AlterJob {
    state.alter_jobs[&JOB].as_ref().clone()
}

fn olap(state: &CatalogState) -> &Arc<OlapTable> {
    state.tables[&TABLE].as_olap().unwrap()
}

fn seen(now_ms: i64, alive: &[u64]) -> Observations {
    Observations { now_ms, alive: alive.iter().map(|n| NodeId(*n)).collect(), converting_since_ms: 30, ..Observations::default() }
}

fn propose(state: &mut CatalogState, effects: Vec<Effect>) {
    for effect in effects {
        let Effect::Propose(op) = effect else { panic!("not an op: {effect:?}") };
        state.apply(op).unwrap();
    }
}

fn conversions(effects: &[Effect]) -> Vec<Conversion> {
    effects.iter().map(|e| if let Effect::Convert(c) = e { *c } else { panic!("not a conversion: {e:?}") }).collect()
}

fn converted(mut seen: Observations, nodes: &[u64]) -> Observations {
    for tablet in [2000, 2001] {
        for node in nodes {
            seen.converted.insert((TabletId(tablet), NodeId(*node)), 5);
        }
    }
    seen
}

/// A job that has started to convert.
fn converting() -> CatalogState {
    let mut state = catalog();
    begin(&mut state);
    let effects = step(&state, &job(&state), &seen(25, &[1, 2]));
    propose(&mut state, effects);
    assert_eq!(job(&state).state, AlterState::Running);
    state
}

#[test]
fn loads_that_do_not_know_the_index_are_waited_for() {
    let mut state = catalog();
    load(&mut state, 1);
    begin(&mut state);
    load(&mut state, 2);
    assert_eq!(step(&state, &job(&state), &seen(25, &[1, 2])), Vec::new());
    abort(&mut state, 1);
    let effects = step(&state, &job(&state), &seen(26, &[1, 2]));
    assert_eq!(effects, vec![Effect::Propose(Op::StartConversion { job: JOB })], "load 2 writes both");
}

#[test]
fn every_replica_is_converted_then_the_index_is_swapped_in() {
    let mut state = converting();
    let tasks = conversions(&step(&state, &job(&state), &seen(31, &[1, 2])));
    assert_eq!(tasks.len(), 4);
    assert!(tasks.iter().all(|t| t.version == 5 && t.new.0 == t.base.0 + 1000));
    // A new leader has seen nothing: the same again.
    assert_eq!(conversions(&step(&state, &job(&state), &seen(99, &[1, 2]))).len(), 4);
    let left = conversions(&step(&state, &job(&state), &converted(seen(32, &[1, 2]), &[1])));
    assert_eq!(left.iter().map(|t| t.node.0).collect::<Vec<_>>(), [2, 2]);
    let effects = step(&state, &job(&state), &converted(seen(33, &[1, 2]), &[1, 2]));
    propose(&mut state, effects);
    let table = &state.tables[&TABLE];
    assert_eq!(table.columns[1].ty, LogicalType::BigInt);
    let olap = olap(&state);
    assert_eq!((olap.base_index, olap.schema_version, olap.next_column_uid, olap.further.len()), (IndexId(2), 4, 4, 0));
    let partition = olap.partitions.values().next().unwrap();
    assert_eq!(partition.indexes.len(), 1);
    assert!(partition.indexes[0].tablets.iter().flat_map(|t| &t.replicas).all(|r| r.version == 5 && !r.bad));
    assert!(state.tablets.contains_key(&TabletId(2000)) && !state.tablets.contains_key(&TabletId(1000)));
    let job = job(&state);
    assert_eq!((job.state, job.garbage.len()), (AlterState::Finished, 2));
    assert_eq!(step(&state, &job, &seen(34, &[1, 2])), Vec::new(), "queries may still read the old tablets");
    let later = step(&state, &job, &seen(33 + GARBAGE_AGE_MS, &[1, 2]));
    assert!(matches!(later.as_slice(), [Effect::DropTablets { tablets, .. }] if tablets.len() == 2));
}

#[test]
fn a_backend_that_is_away_is_waited_for_and_then_left_behind() {
    let mut state = converting();
    let soon = converted(seen(40, &[1]), &[1]);
    assert_eq!(step(&state, &job(&state), &soon), Vec::new());
    let effects = step(&state, &job(&state), &converted(seen(31 + AWAY_MS, &[1]), &[1, ]));
    // One of two is no majority.
    assert!(matches!(effects.as_slice(), [Effect::Propose(Op::CancelAlter { .. })]));
    propose(&mut state, effects);
    assert_eq!(job(&state).state, AlterState::Cancelled);
    assert!(olap(&state).further.is_empty());
    assert_eq!(olap(&state).partitions.values().next().unwrap().indexes.len(), 1);
}

#[test]
fn a_replica_that_was_never_made_is_left_behind_at_once() {
    let mut state = converting();
    let replicas = [2000, 2001].map(|t| (TabletId(t), NodeId(2), true)).to_vec();
    state.apply(Op::MarkReplicas { replicas }).unwrap();
    // Its backend is back, and there is nothing to wait for: one of two is no majority.
    let effects = step(&state, &job(&state), &converted(seen(40, &[1, 2]), &[1]));
    assert!(matches!(effects.as_slice(), [Effect::Propose(Op::CancelAlter { reason, .. })] if reason.contains("backend 2 has no tablet")), "{effects:?}");
}

#[test]
fn a_conversion_that_keeps_failing_cancels_with_its_reason() {
    let state = converting();
    let mut seen = seen(40, &[1, 2]);
    for node in [1, 2] {
        seen.failed.insert((TabletId(2000), NodeId(node)), (ATTEMPTS, "'x' is not a number".to_owned()));
    }
    let effects = step(&state, &job(&state), &seen);
    assert!(matches!(effects.as_slice(), [Effect::Propose(Op::CancelAlter { reason, .. })] if reason.contains("not a number")), "{effects:?}");
}

#[test]
fn deadlines_and_dropped_tables_cancel() {
    let mut state = converting();
    let late = step(&state, &job(&state), &seen(2_000_000, &[1, 2]));
    assert!(matches!(late.as_slice(), [Effect::Propose(Op::CancelAlter { reason, .. })] if reason.contains("timeout")));
    state.apply(Op::DropTable { table: TABLE, recycle_ms: None }).unwrap();
    let effects = step(&state, &job(&state), &seen(50, &[1, 2]));
    propose(&mut state, effects);
    assert_eq!(job(&state).message, "table does not exist");
}

/// Lets a job go through, with all replicas converted, when nothing holds it up.
fn run(state: &mut CatalogState, id: u64) -> AlterState {
    let job = |state: &CatalogState| state.alter_jobs[&id].as_ref().clone();
    let effects = step(state, &job(state), &seen(25, &[1, 2]));
    propose(state, effects);
    if job(state).state == AlterState::Running {
        let tasks = conversions(&step(state, &job(state), &seen(31, &[1, 2])));
        // Of the base index, whatever it is to replace.
        let mut done = seen(33, &[1, 2]);
        for task in tasks {
            assert_eq!((task.base.0 / 1000, task.new.0 / 1000), (1, job(state).index.0));
            done.converted.insert((task.new, task.node), task.version);
        }
        let effects = step(state, &job(state), &done);
        propose(state, effects);
    }
    job(state).state
}

fn rollups(state: &CatalogState) -> Vec<(u64, &str, IndexState)> {
    olap(state).further.iter().map(|i| (i.id.0, i.name.as_str(), i.state)).collect()
}

/// Rollups `a` and `b` of one statement.
fn with_two_rollups() -> CatalogState {
    let mut state = catalog();
    let columns = || vec![of(column(2, LogicalType::Int), 2)];
    let builds = vec![build(600, 3, "a", None, columns()), build(601, 4, "b", None, columns())];
    state.apply(Op::BeginAlters { base_version: 3, builds }).unwrap();
    assert_eq!(run(&mut state, 601), AlterState::WaitingTxn, "one rollup of a table is converted at a time");
    assert_eq!(run(&mut state, 600), AlterState::Finished);
    assert_eq!(rollups(&state), [(3, "a", IndexState::Normal), (4, "b", IndexState::Building)]);
    assert_eq!(run(&mut state, 601), AlterState::Finished);
    state
}

#[test]
fn rollups_of_one_statement_are_begun_together_or_not_at_all() {
    let mut state = catalog();
    let twice = vec![build(600, 3, "a", None, Vec::new()), build(601, 4, "A", None, Vec::new())];
    assert!(state.apply(Op::BeginAlters { base_version: 3, builds: twice }).is_err());
    assert!(olap(&state).further.is_empty() && state.alter_jobs.is_empty() && !state.tablets.contains_key(&TabletId(3000)));
    let state = with_two_rollups();
    assert_eq!(rollups(&state), [(3, "a", IndexState::Normal), (4, "b", IndexState::Normal)]);
}

/// Rollup `a` gets column 3, which the table gets with it.
fn widening() -> IndexBuild {
    let new = Column { default: DefaultValue::Literal(Scalar::Int(5)), before: Scalar::Int(5), ..column(3, LogicalType::Int) };
    let columns = vec![of(column(2, LogicalType::Int), 2), IndexColumn { source: ColumnSource::Default, ..of(new.clone(), 3) }];
    let mut build = build(700, 5, "shadow", Some(3), columns);
    build.job.change.columns = vec![column(1, LogicalType::Int), column(2, LogicalType::Int), new];
    build
}

#[test]
fn a_rollup_with_other_columns_takes_the_place_of_the_old_one() {
    let mut state = with_two_rollups();
    state.apply(Op::BeginAlters { base_version: 3, builds: vec![widening()] }).unwrap();
    assert_eq!(rollups(&state)[0], (3, "a", IndexState::Normal), "the old one serves meanwhile");
    assert_eq!(state.tables[&TABLE].columns.len(), 2);
    assert!(state.apply(Op::DropIndex { table: TABLE, index: IndexId(3) }).is_err());
    state.apply(Op::RenameIndex { table: TABLE, index: IndexId(3), name: "c".to_owned() }).unwrap();
    assert_eq!(run(&mut state, 700), AlterState::Finished);
    assert_eq!(rollups(&state), [(4, "b", IndexState::Normal), (5, "c", IndexState::Normal)]);
    let olap = olap(&state);
    assert_eq!((olap.base_index, olap.schema_version, olap.next_column_uid), (IndexId(1), 4, 4));
    assert_eq!(olap.partitions.values().next().unwrap().indexes.iter().map(|i| i.index_id).collect::<Vec<_>>(), olap.index_ids().collect::<Vec<_>>());
    assert_eq!(state.tables[&TABLE].columns[2].name, "c3");
    let index = olap.index_by_name("c").unwrap();
    assert_eq!((index.replaces, &index.columns[1].source), (None, &ColumnSource::Column(ColumnUid(3))), "rows have the column from now on");
    let job = &state.alter_jobs[&700];
    assert_eq!(job.garbage.iter().map(|(t, _)| t.0).collect::<Vec<_>>(), [3000, 3001]);
    assert!(state.tablets.contains_key(&TabletId(5000)) && !state.tablets.contains_key(&TabletId(3000)));
    // Its tablets go to the job that made it.
    state.apply(Op::DropIndex { table: TABLE, index: IndexId(5) }).unwrap();
    assert_eq!(state.alter_jobs[&700].garbage.len(), 4);
}

#[test]
fn a_change_of_a_rollup_that_is_cancelled_leaves_everything_as_it_was() {
    let mut state = with_two_rollups();
    let before = state.tables[&TABLE].columns.clone();
    state.apply(Op::BeginAlters { base_version: 3, builds: vec![widening()] }).unwrap();
    state.apply(Op::CancelAlter { job: 700, reason: "user cancelled".to_owned(), now_ms: 30 }).unwrap();
    assert_eq!(rollups(&state), [(3, "a", IndexState::Normal), (4, "b", IndexState::Normal)]);
    assert_eq!((&state.tables[&TABLE].columns, olap(&state).schema_version), (&before, 3));
    assert_eq!(state.alter_jobs[&700].garbage.iter().map(|(t, _)| t.0).collect::<Vec<_>>(), [5000, 5001]);
    // A rollup or a column that is another one by now.
    let begin = Op::BeginAlters { base_version: 3, builds: vec![widening()] };
    let rename = Op::RenameColumn { table: TABLE, from: "c2".to_owned(), to: "d".to_owned(), generated: Vec::new(), partition_exprs: None, now_ms: 31 };
    let mut renamed = state.clone();
    renamed.apply(rename).unwrap();
    assert!(renamed.apply(begin.clone()).is_err());
    state.apply(Op::DropIndex { table: TABLE, index: IndexId(3) }).unwrap();
    assert!(state.apply(begin).is_err());
}
