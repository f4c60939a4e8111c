//! Replicas come and go; none that is needed goes.

use common_base::ids::{DbId, NodeId, PartitionId, ReplicaId, TableId, TabletId, TxnId};

use crate::{Op, apply::tests::{begin, catalog, counters}, model::{Backend, Replica}, state::CatalogState};

const TABLET: TabletId = TabletId(200);

fn with_backends() -> CatalogState {
    let mut state = catalog();
    for id in 1..=3 {
        let backend = Backend {
            id: NodeId(id),
            host: format!("h{id}"),
            heartbeat_port: 9050,
            be_port: 9060,
            http_port: 8040,
            brpc_port: 8060,
            decommissioned: false,
            added_ms: 0,
            location: String::new(),
        };
        state.apply(Op::AddBackend(backend)).unwrap();
    }
    state
}

fn nodes(state: &CatalogState) -> Vec<(u64, i64, bool)> {
    let (_, partition) = state.known_partition(TABLET).unwrap();
    partition.tablet(TABLET).unwrap().replicas.iter().map(|r| (r.node.0, r.version, r.bad)).collect()
}

fn drop_on(state: &mut CatalogState, node: u64) {
    state.apply(Op::DropReplicas { replicas: vec![(TABLET, NodeId(node))] }).unwrap();
}

fn add_on(state: &mut CatalogState, node: u64, version: i64) {
    state.apply(Op::AddReplicas { replicas: vec![(TABLET, Replica::new(ReplicaId(900 + node), NodeId(node), version))] }).unwrap();
}

#[test]
fn the_last_whole_replica_stays() {
    let mut state = with_backends();
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state), [(1, 1, false)]);
    add_on(&mut state, 2, 1);
    add_on(&mut state, 2, 1);
    add_on(&mut state, 9, 1);
    assert_eq!(nodes(&state), [(1, 1, false), (2, 1, false)], "once, and not on a backend that is gone");
    state.apply(Op::DeclareReplicas { replicas: vec![(TABLET, NodeId(2), true)] }).unwrap();
    // What its backend says does not matter.
    state.apply(Op::MarkReplicas { replicas: vec![(TABLET, NodeId(2), false)] }).unwrap();
    assert_eq!(nodes(&state)[1], (2, 1, true));
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state).len(), 2);
    state.apply(Op::RaiseReplicas { replicas: vec![(TABLET, NodeId(2), 1)] }).unwrap();
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state), [(2, 1, false)]);
}

#[test]
fn rows_that_are_committed_and_not_visible_hold_a_replica() {
    let mut state = with_backends();
    begin(&mut state, 50, "l").unwrap();
    add_on(&mut state, 2, 1);
    let written = vec![(TABLET, NodeId(1))];
    state.apply(Op::CommitTxn { txn: TxnId(50), written: written.clone(), counters: counters(1), now_ms: 1 }).unwrap();
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state).len(), 2, "only the first one has the rows");
    state.apply(Op::MakeVisible { txn: TxnId(50), published: written, now_ms: 2 }).unwrap();
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state), [(1, 2, false), (2, 1, false)], "the second one lags");
    state.apply(Op::RaiseReplicas { replicas: vec![(TABLET, NodeId(2), 2)] }).unwrap();
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state), [(2, 2, false)]);
}

#[test]
fn what_lies_in_the_recycle_bin_moves_too() {
    let mut state = with_backends();
    state.apply(Op::DropTable { table: TableId(2), recycle_ms: Some(5) }).unwrap();
    add_on(&mut state, 3, 1);
    drop_on(&mut state, 1);
    assert_eq!(nodes(&state), [(3, 1, false)]);
    state.apply(Op::Recover { id: 2 }).unwrap();
    assert_eq!(state.partition_of_tablet(TABLET).unwrap().1.indexes[0].tablets[0].replicas[0].node, NodeId(3));
    state.apply(Op::DropDatabase { db: DbId(1), force: true, recycle_ms: Some(6) }).unwrap();
    add_on(&mut state, 2, 1);
    assert_eq!(nodes(&state), [(3, 1, false), (2, 1, false)]);
}

#[test]
fn partitions_learn_what_is_wanted_of_them() {
    let mut state = with_backends();
    let modify = Op::ModifyPartitions {
        table: TableId(2),
        partitions: vec![PartitionId(20)],
        replication_num: Some(3),
        medium: Some("SSD".to_owned()),
        cooldown_ms: None,
        properties: vec![("replication_num".to_owned(), "3".to_owned())],
    };
    state.apply(modify).unwrap();
    let olap = state.tables[&TableId(2)].as_olap().unwrap().clone();
    let partition = &olap.partitions[&PartitionId(20)];
    assert_eq!((partition.replication_num, partition.medium.as_str(), olap.property("replication_num")), (3, "SSD", Some("3")));
    assert_eq!(partition.tablet(TABLET).unwrap().quorum(3), 1, "of the one there is");
}
