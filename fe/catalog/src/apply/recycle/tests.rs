//! Dropping, recovering and erasing over a table with two partitions.

use common_base::ids::{IndexId, NodeId, ReplicaId, TabletId, TxnId};

use crate::{
    Op,
    model::{KeysModel, LoadSource, OlapTable, PartitionInfo, Replica, Tablet, TabletIndex, Transaction},
    op::TxnCounters,
};

use super::*;

const DB: DbId = DbId(1);
const TABLE: TableId = TableId(10);

fn partition(id: u64, name: &str) -> Partition {
    let replica = Replica::new(ReplicaId(id * 100 + 1), NodeId(1), 1);
    let tablet = Tablet { id: TabletId(id * 100), replicas: vec![replica] };
    Partition::new(PartitionId(id), name, vec![Arc::new(TabletIndex { index_id: IndexId(5), tablets: vec![tablet] })])
}

fn table(id: TableId, name: &str, partitions: &[(u64, &str)]) -> Arc<Table> {
    let olap = OlapTable {
        partition_info: PartitionInfo::Range { columns: Vec::new() },
        short_key_columns: 1,
        partitions: partitions.iter().map(|(id, name)| (PartitionId(*id), Arc::new(partition(*id, name)))).collect(),
        ..OlapTable::new(KeysModel::Duplicate, IndexId(5))
    };
    Arc::new(Table::new(id, DB, name, Vec::new(), TableKind::Olap(Arc::new(olap))))
}

fn catalog() -> CatalogState {
    let mut state = CatalogState::default();
    state.apply(Op::CreateDatabase(Database { id: DB, name: "d".to_owned(), properties: Vec::new(), created_ms: 0 })).unwrap();
    state.apply(Op::CreateTable(table(TABLE, "t", &[(20, "p1"), (21, "p2")]))).unwrap();
    state
}

fn drop_table(state: &mut CatalogState, id: TableId, at: Option<i64>) {
    state.apply(Op::DropTable { table: id, recycle_ms: at }).unwrap();
}

#[test]
fn what_comes_back_is_what_was_dropped() {
    let mut state = catalog();
    let before = state.clone();
    drop_table(&mut state, TABLE, Some(5));
    assert!(state.table(DB, "t").is_none() && state.tablets == before.tablets);
    state.apply(Op::Recover { id: TABLE.0 }).unwrap();
    assert_eq!(state, before);
    state.apply(Op::DropPartitions { table: TABLE, partitions: vec![PartitionId(21)], recycle_ms: Some(6) }).unwrap();
    drop_table(&mut state, TABLE, Some(7));
    state.apply(Op::DropDatabase { db: DB, force: false, recycle_ms: Some(8) }).unwrap();
    assert!(state.apply(Op::Recover { id: TABLE.0 }).is_err(), "its database is gone");
    for id in [DB.0, TABLE.0, 21] {
        state.apply(Op::Recover { id }).unwrap();
    }
    assert_eq!(state, before);
}

#[test]
fn a_database_comes_back_with_its_tables() {
    let mut state = catalog();
    let before = state.clone();
    state.apply(Op::DropDatabase { db: DB, force: false, recycle_ms: Some(8) }).unwrap();
    assert!(state.tables.is_empty() && state.table_names.is_empty());
    state.apply(Op::CreateDatabase(Database { id: DbId(2), name: "d".to_owned(), properties: Vec::new(), created_ms: 0 })).unwrap();
    assert!(state.apply(Op::Recover { id: DB.0 }).is_err(), "the name is taken");
    state.apply(Op::DropDatabase { db: DbId(2), force: true, recycle_ms: None }).unwrap();
    state.apply(Op::Recover { id: DB.0 }).unwrap();
    assert_eq!(state, before);
}

#[test]
fn of_one_name_the_newest_comes_back() {
    let mut state = catalog();
    drop_table(&mut state, TABLE, Some(5));
    state.apply(Op::CreateTable(table(TableId(11), "t", &[(30, "p1")]))).unwrap();
    assert!(state.apply(Op::Recover { id: TABLE.0 }).is_err(), "the name is taken");
    drop_table(&mut state, TableId(11), Some(9));
    assert_eq!(state.recycled_table(DB, "t").map(|r| r.id()), Some(11));
    state.apply(Op::EraseRecycled { ids: vec![11] }).unwrap();
    assert_eq!(state.recycled_table(DB, "t").map(|r| r.id()), Some(10));
    assert!(!state.tablets.contains_key(&TabletId(3000)) && state.tablets.contains_key(&TabletId(2000)));
}

#[test]
fn force_erases_what_the_bin_held_of_it() {
    let mut state = catalog();
    state.apply(Op::DropPartitions { table: TABLE, partitions: vec![PartitionId(21)], recycle_ms: Some(6) }).unwrap();
    assert!(state.tablets.contains_key(&TabletId(2100)));
    drop_table(&mut state, TABLE, None);
    assert!(state.recycled.is_empty() && state.tablets.is_empty());
}

#[test]
fn a_load_that_is_not_yet_visible_holds_up_the_drop() {
    let mut state = catalog();
    let txn = Transaction { tables: vec![TABLE], ..Transaction::new(TxnId(90), DB, "l", LoadSource::Insert) };
    state.apply(Op::BeginTxn(txn)).unwrap();
    state.apply(Op::CommitTxn { txn: TxnId(90), written: vec![(TabletId(2000), NodeId(1))], counters: TxnCounters::default(), now_ms: 1 }).unwrap();
    let refused = state.clone();
    assert!(state.apply(Op::DropTable { table: TABLE, recycle_ms: Some(5) }).is_err());
    assert!(state.apply(Op::DropPartitions { table: TABLE, partitions: vec![PartitionId(20)], recycle_ms: Some(5) }).is_err());
    assert_eq!(state, refused);
    state.apply(Op::DropPartitions { table: TABLE, partitions: vec![PartitionId(21)], recycle_ms: Some(5) }).unwrap();
    state.apply(Op::MakeVisible { txn: TxnId(90), published: Vec::new(), now_ms: 2 }).unwrap();
    drop_table(&mut state, TABLE, Some(6));
}
