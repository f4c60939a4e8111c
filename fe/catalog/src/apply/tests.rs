//! Transactions over two tables, and temporary tables, op by op.

use std::sync::Arc;

use common_base::{ErrorCode, ids::{DbId, IndexId, NodeId, PartitionId, ReplicaId, TableId, TabletId, TxnId}};

use crate::{
    Op, Reply,
    model::{
        Database, KeysModel, LoadSource, OlapTable, Partition, Replica, Table, TableKind, Tablet, TabletIndex,
        Transaction, TxnState,
    },
    op::TxnCounters,
    state::CatalogState,
};

/// Table `id` has partition `id * 10`, whose tablet is `id * 100`.
pub(super) fn table(id: u64, name: &str) -> Arc<Table> {
    let replica = Replica::new(ReplicaId(id), NodeId(1), 1);
    let tablet = Tablet { id: TabletId(id * 100), replicas: vec![replica] };
    let partition = Partition::new(PartitionId(id * 10), name, vec![Arc::new(TabletIndex { index_id: IndexId(id), tablets: vec![tablet] })]);
    let olap = OlapTable { partitions: imbl::OrdMap::unit(partition.id, Arc::new(partition)), ..OlapTable::new(KeysModel::Duplicate, IndexId(id)) };
    let kind = TableKind::Olap(Arc::new(olap));
    Arc::new(Table::new(TableId(id), DbId(1), name, Vec::new(), kind))
}

pub(super) fn catalog() -> CatalogState {
    let mut state = CatalogState::default();
    state.apply(Op::CreateDatabase(Database { id: DbId(1), name: "d".to_owned(), properties: Vec::new(), created_ms: 0 })).unwrap();
    state.apply(Op::CreateTable(table(2, "a"))).unwrap();
    state.apply(Op::CreateTable(table(3, "b"))).unwrap();
    state
}

pub(super) fn begin(state: &mut CatalogState, id: u64, label: &str) -> common_base::Result<Reply> {
    state.apply(Op::BeginTxn(Transaction {
        request_id: u128::from(id),
        begin_ms: 10,
        timeout_ms: 1000,
        backend: Some(NodeId(1)),
        ..Transaction::new(TxnId(id), DbId(1), label, LoadSource::StreamLoad)
    }))
}

fn both() -> Vec<(TabletId, NodeId)> {
    vec![(TabletId(200), NodeId(1)), (TabletId(300), NodeId(1))]
}

pub(super) fn counters(rows: u64) -> TxnCounters {
    TxnCounters { loaded_rows: rows, ..TxnCounters::default() }
}

#[test]
fn what_was_prepared_is_committed_over_all_tables() {
    let mut state = catalog();
    begin(&mut state, 50, "l").unwrap();
    let prepare = |state: &mut CatalogState| state.apply(Op::PrepareTxn { txn: TxnId(50), written: both(), counters: counters(7), timeout_ms: 99, now_ms: 20 });
    assert_eq!(prepare(&mut state).unwrap(), Reply::Done);
    assert_eq!(prepare(&mut state).unwrap(), Reply::Done, "the same again");
    assert!(state.txns[&TxnId(50)].is_running());
    // The commit names nothing: the log has kept what was prepared.
    let commit = |state: &mut CatalogState| state.apply(Op::CommitTxn { txn: TxnId(50), written: Vec::new(), counters: counters(0), now_ms: 30 });
    let versions = vec![(TableId(2), PartitionId(20), 2), (TableId(3), PartitionId(30), 2)];
    assert_eq!(commit(&mut state).unwrap(), Reply::Versions(versions.clone()));
    assert_eq!(commit(&mut state).unwrap(), Reply::Versions(versions), "the same again");
    let txn = &state.txns[&TxnId(50)];
    assert_eq!((txn.loaded_rows, txn.prepared_ms, txn.commit_ms), (7, 20, 30));
    assert_eq!(txn.tables, [TableId(2), TableId(3)]);
    assert_eq!(state.apply(Op::AbortTxn { txn: TxnId(50), reason: String::new(), now_ms: 31 }).unwrap_err().code(), ErrorCode::User);
    // An image in between loses nothing.
    let mut state = crate::image::decode(&crate::image::encode(&state).unwrap()).unwrap();
    state.apply(Op::MakeVisible { txn: TxnId(50), published: both(), now_ms: 40 }).unwrap();
    assert_eq!(state.txns[&TxnId(50)].state, TxnState::Visible);
    assert_eq!(state.tables[&TableId(3)].as_olap().unwrap().partitions[&PartitionId(30)].visible_version, 2);
}

#[test]
fn an_aborted_preparation_frees_its_label_and_changes_no_version() {
    let mut state = catalog();
    begin(&mut state, 50, "l").unwrap();
    state.apply(Op::PrepareTxn { txn: TxnId(50), written: both(), counters: counters(1), timeout_ms: 99, now_ms: 20 }).unwrap();
    assert_eq!(begin(&mut state, 51, "l").unwrap_err().code(), ErrorCode::LabelExists);
    state.apply(Op::AbortTxn { txn: TxnId(50), reason: "late".to_owned(), now_ms: 30 }).unwrap();
    assert!(state.apply(Op::CommitTxn { txn: TxnId(50), written: both(), counters: counters(1), now_ms: 31 }).is_err());
    assert_eq!(begin(&mut state, 51, "l").unwrap(), Reply::Txn(TxnId(51)));
    assert_eq!(state.tables[&TableId(2)].as_olap().unwrap().partitions[&PartitionId(20)].next_version, 2);
}

#[test]
fn temporary_tables_shadow_others_for_their_session_only() {
    let mut state = catalog();
    let create = |state: &mut CatalogState, session: &str, id| {
        state.apply(Op::CreateTemporaryTable { session: session.to_owned(), frontend: NodeId(9), table: table(id, "a") })
    };
    create(&mut state, "s", 4).unwrap();
    assert_eq!(create(&mut state, "s", 5).unwrap_err().code(), ErrorCode::TableExists);
    create(&mut state, "other", 5).unwrap();
    let shared = Arc::new(state.clone());
    let seen = |session| CatalogState::seen_by(&shared, session).table(DbId(1), "a").map(|t| t.id);
    assert_eq!((seen("s"), seen("other"), seen("nobody")), (Some(TableId(4)), Some(TableId(5)), Some(TableId(2))));
    assert!(state.apply(Op::DropDatabase { db: DbId(1), force: false, recycle_ms: None }).is_err());
    state.apply(Op::DropTable { table: TableId(4), recycle_ms: None }).unwrap();
    assert_eq!(CatalogState::seen_by(&Arc::new(state.clone()), "s").table(DbId(1), "a").map(|t| t.id), Some(TableId(2)), "the shared one is there again");
    state.apply(Op::DropDatabase { db: DbId(1), force: true, recycle_ms: None }).unwrap();
    assert!(state.tables.is_empty() && state.temporary_tables.is_empty() && state.tablets.is_empty());
}
