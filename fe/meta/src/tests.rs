//! Members in one process: changes, images, recovery.

use std::{path::{Path, PathBuf}, sync::Arc, time::Duration};

use common_base::{ErrorCode, SystemClock, fs::{Fault, FaultRule, FaultyFs, FsOp, MemFs, SharedFs}, ids::NodeId, kv::{MemKv, SharedKv}, net::TokioNet};
use common_rpc::{RpcPool, TokenSource};
use fe_catalog::{Op, Reply, model::{Frontend, FrontendRole}};

use crate::{Identity, MetaHandle, MetaOptions, Until, bootstrap::{self, FirstStart}, dump, recovery, state_machine};

fn frontend(id: u64, port: u16) -> Frontend {
    Frontend {
        id: NodeId(id),
        name: format!("fe{port}"),
        host: "127.0.0.1".to_owned(),
        edit_log_port: port,
        query_port: 1,
        http_port: 2,
        rpc_port: 3,
        role: FrontendRole::Follower,
        added_ms: 1,
    }
}

struct Disk {
    fs: SharedFs,
    log: SharedKv,
}

impl Disk {
    fn new() -> Self {
        Self { fs: MemFs::shared(), log: MemKv::shared() }
    }

    fn options(&self, node_id: u64, port: u16) -> MetaOptions {
        MetaOptions {
            node_id,
            address: format!("127.0.0.1:{port}"),
            clock: SystemClock::shared(),
            fs: self.fs.clone(),
            image_dir: PathBuf::from("/image"),
            log: self.log.clone(),
            pool: RpcPool::new(Arc::new(TokioNet), TokenSource::default(), Duration::from_secs(1)),
            entries_per_image: 1000,
            images_kept: 2,
            heartbeat: Duration::from_millis(50),
        }
    }

    async fn found(&self) -> MetaHandle {
        let first = FirstStart { cluster_id: 7, token: "t".to_owned(), frontend: frontend(1, 9010), now_ms: 1 };
        bootstrap::open(self.options(1, 9010), Until::Founded(Box::new(first))).await.unwrap()
    }
}

#[tokio::test]
async fn a_lone_member_leads_and_comes_back() {
    let disk = Disk::new();
    assert_eq!(bootstrap::kept_identity(&disk.log).unwrap(), None);
    let meta = disk.found().await;
    assert!(meta.is_leader() && meta.leader_address().is_none());
    assert_eq!(meta.submit(Op::AddFrontend(frontend(0, 9011))).await.unwrap(), Reply::Id(2));
    meta.submit(Op::DropFrontend { node: NodeId(2) }).await.unwrap();
    // Ids are not used twice.
    assert_eq!(meta.submit(Op::AddFrontend(frontend(0, 9011))).await.unwrap(), Reply::Id(3));
    assert_eq!(meta.read_index().await.unwrap(), meta.applied_index());
    let before = meta.snapshot();
    meta.checkpoint().await.unwrap();
    meta.submit(Op::SetGlobalVariable { name: "a".to_owned(), value: "b".to_owned() }).await.unwrap();
    meta.shutdown().await;
    // Logs of before identities were kept belong to the first member.
    assert_eq!(bootstrap::kept_identity(&disk.log).unwrap().unwrap().node_id, 1);
    let again = bootstrap::open(disk.options(1, 9010), Until::CaughtUp).await.unwrap();
    assert_eq!(again.snapshot().frontends, before.frontends);
    assert_eq!(again.snapshot().variables.get("a").map(String::as_str), Some("b"));
    again.shutdown().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_written_is_an_error_and_no_more() {
    let faults = Arc::new(FaultyFs::new(MemFs::shared()));
    let disk = Disk { fs: faults.clone(), log: MemKv::shared() };
    let meta = disk.found().await;
    faults.add(FaultRule::new(FsOp::Append, Fault::NoSpace).on("image"));
    let refused = meta.checkpoint().await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DiskFull, "{refused}");
    // The log goes on.
    meta.submit(Op::SetGlobalVariable { name: "a".to_owned(), value: "b".to_owned() }).await.unwrap();
    faults.heal();
    meta.checkpoint().await.unwrap();
    meta.shutdown().await;
    let again = bootstrap::open(disk.options(1, 9010), Until::CaughtUp).await.unwrap();
    assert_eq!(again.snapshot().variables.get("a").map(String::as_str), Some("b"));
    again.shutdown().await;
}

#[tokio::test]
async fn what_a_leader_changes_as_such_it_changes_in_its_term_only() {
    let set = |value: &str| Op::SetGlobalVariable { name: "a".to_owned(), value: value.to_owned() };
    let meta = Disk::new().found().await;
    let term = meta.reign().unwrap();
    for together in [false, true] {
        meta.allow_batches(together);
        meta.propose_in(term, &set("right")).await.unwrap();
        for another in [term - 1, term + 1] {
            assert_eq!(meta.propose_in(another, &set("wrong")).await.unwrap_err().code(), ErrorCode::NotLeader);
        }
        assert_eq!(meta.snapshot().variables.get("a").map(String::as_str), Some("right"));
    }
    meta.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_wait_are_written_together() {
    let disk = Disk::new();
    let meta = disk.found().await;
    let before = meta.applied_index();
    meta.allow_batches(true);
    let set = |i: u32| Op::SetGlobalVariable { name: format!("v{i}"), value: i.to_string() };
    // Each has its own answer: every tenth is refused.
    let ops = (0..500).map(|i| if i % 10 == 0 { Op::DropFrontend { node: NodeId(u64::from(i) + 1000) } } else { set(i) });
    let all = ops.map(|op| {
        let meta = meta.clone();
        tokio::spawn(async move { meta.submit(op).await })
    });
    for (i, answer) in all.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().is_err(), i % 10 == 0, "{i}");
    }
    let entries = meta.applied_index() - before;
    assert!(entries < 250, "{entries} entries for 500 changes");
    let variables = meta.snapshot().variables.clone();
    assert_eq!(variables.len(), 450);
    meta.shutdown().await;
    // They are read again after a restart, by people, and by a member that goes on alone.
    let mut lines = Vec::new();
    dump::log(&disk.log, 0, 1000, &mut |l| lines.push(l)).unwrap();
    assert!(lines.iter().any(|l| l.contains("v499")) && !lines.iter().any(|l| l.contains("DAMAGED")), "{lines:?}");
    let again = bootstrap::open(disk.options(1, 9010), Until::CaughtUp).await.unwrap();
    assert_eq!(again.snapshot().variables, variables);
    again.shutdown().await;
    recovery::go_alone(disk.fs.clone(), Path::new("/image"), 2, &disk.log, 1, "127.0.0.1:9099").unwrap();
    let alone = bootstrap::open(disk.options(1, 9099), Until::CaughtUp).await.unwrap();
    assert_eq!(alone.snapshot().variables, variables);
    alone.shutdown().await;
}

#[tokio::test]
async fn what_nobody_confirms_is_an_error_and_recovery_takes_it() {
    let disk = Disk::new();
    let meta = disk.found().await;
    meta.submit(Op::AddFrontend(frontend(0, 1))).await.unwrap();
    // A second voter that is not there: nothing is confirmed any more.
    meta.add_learner(2, "127.0.0.1:1").await.unwrap();
    let promoted = tokio::time::timeout(Duration::from_millis(300), meta.promote(2)).await;
    assert!(promoted.is_err());
    let lost = tokio::time::timeout(Duration::from_millis(300), meta.submit(Op::SetGlobalVariable { name: "a".to_owned(), value: "b".to_owned() })).await;
    assert!(lost.is_err());
    assert!(meta.snapshot().variables.is_empty());
    meta.shutdown().await;

    let identity = Identity { node_id: 1, cluster_id: 7, token: "t".to_owned() };
    bootstrap::keep_identity(&disk.log, &identity).unwrap();
    assert_eq!(bootstrap::kept_identity(&disk.log).unwrap(), Some(identity));
    recovery::go_alone(disk.fs.clone(), Path::new("/image"), 2, &disk.log, 1, "127.0.0.1:9099").unwrap();
    let alone = bootstrap::open(disk.options(1, 9099), Until::CaughtUp).await.unwrap();
    assert!(alone.is_leader());
    assert_eq!(alone.members().len(), 1);
    assert_eq!(alone.members()[0].address, "127.0.0.1:9099");
    // Nobody is left to say that it was never acknowledged.
    assert_eq!(alone.snapshot().variables.len(), 1);
    alone.submit(Op::DropFrontend { node: NodeId(2) }).await.unwrap();
    alone.shutdown().await;

    let mut lines = Vec::new();
    dump::images(&disk.fs, Path::new("/image"), &mut |l| lines.push(l)).unwrap();
    assert!(lines.len() == 1 && lines[0].contains("cluster 7"), "{lines:?}");
    lines.clear();
    dump::log(&disk.log, 0, 100, &mut |l| lines.push(l)).unwrap();
    assert!(lines.iter().any(|l| l.contains("DropFrontend")), "{lines:?}");
}

#[tokio::test]
async fn a_damaged_image_is_replaced_by_the_one_before_and_the_log() {
    let disk = Disk::new();
    let options = || MetaOptions { entries_per_image: 20, ..disk.options(1, 9010) };
    let first = FirstStart { cluster_id: 7, token: "t".to_owned(), frontend: frontend(1, 9010), now_ms: 1 };
    let meta = bootstrap::open(options(), Until::Founded(Box::new(first))).await.unwrap();
    // More than the log keeps behind an image.
    for i in 0..2500 {
        meta.submit(Op::SetGlobalVariable { name: format!("v{}", i % 10), value: i.to_string() }).await.unwrap();
    }
    let images = || state_machine::images(&disk.fs, Path::new("/image")).unwrap();
    let newest = async || {
        let upto = meta.applied_index() - 40;
        while images().last().is_none_or(|(index, _)| *index < upto) {
            meta.checkpoint().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    newest().await;
    let before = meta.snapshot();
    meta.shutdown().await;
    assert_eq!(images().len(), 2);
    let damage = |path: &Path| {
        let mut bytes = disk.fs.read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x55);
        disk.fs.write_atomic(path, &bytes).unwrap();
    };
    damage(&images()[1].1);
    let again = bootstrap::open(options(), Until::CaughtUp).await.unwrap();
    assert_eq!(again.snapshot().variables, before.variables);
    again.shutdown().await;

    for (_, path) in images() {
        damage(&path);
    }
    let refused = bootstrap::open(options(), Until::CaughtUp).await.err().unwrap();
    assert!(refused.message().contains("no readable image"), "{refused}");
}
