//! Disks that fill up while backends run: loads fail with a reason, everything else goes on.

use common_base::fs::{Fault, FaultRule, FsOp};

use crate::{
    client::http::Put,
    cluster::{BACKENDS, World, simulate},
};

async fn full_disks(world: World) {
    let mut client = world.connect().await;
    world.join_backends(&mut client).await;
    world.sql(&mut client, "CREATE DATABASE d").await;
    world.sql(&mut client, "CREATE TABLE d.t (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 4").await;
    let body: String = (0..500).map(|i| format!("{i},{}\n", i % 7)).collect();
    let put = |label: &'static str| Put { table: "d/t", label, columns: "", body: body.as_bytes() };
    assert_eq!(world.load(put("before")).await.expect("an answer").0, "Success");

    // One of three: a majority takes the load, and the third catches up when it has room.
    let full = |host: &str| world.machines[host].faults.add(FaultRule::new(FsOp::Append, Fault::NoSpace).on(".dat"));
    full(BACKENDS[2]);
    assert_eq!(world.load(put("two")).await, Ok(("Success".to_owned(), "OK".to_owned())));
    assert_eq!(world.sql(&mut client, "SELECT COUNT(*), SUM(v) FROM d.t").await, "1000,2988");

    // Two of three: no majority.
    full(BACKENDS[1]);
    let refused = world.load(put("refused")).await.expect("an answer");
    world.trace.answer(format!("{refused:?}"));
    assert_eq!(refused.0, "Fail");
    assert!(refused.1.contains("no space left"), "{}", refused.1);
    let error = world.fails(&mut client, "INSERT INTO d.t VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6)").await;
    assert!(error.contains("no space left"), "{error}");
    assert_eq!(world.sql(&mut client, "SELECT COUNT(*), SUM(v) FROM d.t").await, "1000,2988");
    world.wait_alive(&mut client, 3).await;

    for backend in BACKENDS {
        world.machines[backend].faults.heal();
    }
    assert_eq!(world.load(put("refused")).await, Ok(("Success".to_owned(), "OK".to_owned())));
    assert_eq!(world.sql(&mut client, "SELECT COUNT(*), SUM(v) FROM d.t").await, "1500,4482");
    // The backend that missed a load has it by now, or soon: then the two others may go.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    world.crash(BACKENDS[0]).await;
    world.crash(BACKENDS[1]).await;
    world.eventually(&mut client, "SELECT COUNT(*), SUM(v) FROM d.t", "1500,4482").await;
}

#[test]
fn a_full_disk_fails_loads_and_nothing_else() {
    for seed in super::seeds() {
        simulate(seed, full_disks);
    }
}
