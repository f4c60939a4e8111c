//! Machines that lose their power: what was acknowledged is there afterwards, and of the rest nothing or all.

use std::time::Duration;

use common_base::Rng;

use crate::{
    client::{http::Put, mysql::MySql},
    cluster::{BACKENDS, FE, World, simulate},
};

/// Rows of one load.
const ROWS: usize = 500;

fn body(load: usize) -> String {
    (0..ROWS).map(|row| format!("{load},{row},text of row {row}\n")).collect()
}

async fn create(world: &World, client: &mut MySql) {
    world.join_backends(client).await;
    world.sql(client, "CREATE DATABASE d").await;
    world.sql(client, "CREATE TABLE d.t (load_no INT, row_no INT, v VARCHAR(100)) DUPLICATE KEY(load_no) DISTRIBUTED BY HASH(row_no) BUCKETS 4").await;
}

/// Loads of which none is half there; all that were acknowledged are.
async fn check(world: &World, client: &mut MySql, acknowledged: &[usize]) {
    let rows = client.query("SELECT load_no, COUNT(*), COUNT(DISTINCT row_no) FROM d.t GROUP BY load_no ORDER BY load_no").await;
    let rows = rows.unwrap_or_else(|e| panic!("counting: {e}"));
    let mut found = Vec::new();
    for row in &rows {
        let number = |i: usize| row[i].as_deref().and_then(|v| v.parse::<usize>().ok()).expect("a number");
        assert_eq!((number(1), number(2)), (ROWS, ROWS), "load {} is there in part", number(0));
        found.push(number(0));
    }
    world.trace.answer(format!("acknowledged {acknowledged:?}, found {found:?}"));
    assert!(acknowledged.iter().all(|load| found.contains(load)), "acknowledged {acknowledged:?}, found {found:?}");
}

/// Starts a load and, a random time later, takes the power from a machine; whether the load was acknowledged.
async fn load_and_crash(world: &World, load: usize, victim: &'static str, after: Duration) -> bool {
    let loading = tokio::task::spawn_local({
        let world = world.clone();
        async move {
            let body = body(load);
            let label = format!("load{load}");
            world.load(Put { table: "d/t", label: &label, columns: "", body: body.as_bytes() }).await
        }
    });
    tokio::time::sleep(after).await;
    world.crash(victim).await;
    let ended = loading.await.expect("the load's task lives");
    world.trace.answer(format!("load {load}: {ended:?}"));
    matches!(ended, Ok((status, _)) if status == "Success" || status == "Publish Timeout")
}

async fn backends_crash(world: World, seed: u64) {
    let mut rng = Rng::from_seed(seed);
    let mut client = world.connect().await;
    create(&world, &mut client).await;
    let mut acknowledged = Vec::new();
    for load in 0..8 {
        let victim = BACKENDS[rng.index(BACKENDS.len())];
        let after = Duration::from_millis(rng.range(0..120));
        if load_and_crash(&world, load, victim, after).await {
            acknowledged.push(load);
        }
        check(&world, &mut client, &acknowledged).await;
        world.restart(victim).await;
        world.wait_alive(&mut client, 3).await;
        check(&world, &mut client, &acknowledged).await;
    }
    // Every machine at once.
    for backend in BACKENDS {
        world.crash(backend).await;
    }
    for backend in BACKENDS {
        world.restart(backend).await;
    }
    world.eventually(&mut client, "SELECT COUNT(DISTINCT load_no) >= 0 FROM d.t", "1").await;
    check(&world, &mut client, &acknowledged).await;
    let again = world.load(Put { table: "d/t", label: "after", columns: "", body: body(100).as_bytes() }).await;
    assert_eq!(again, Ok(("Success".to_owned(), "OK".to_owned())));
    acknowledged.push(100);
    check(&world, &mut client, &acknowledged).await;
}

#[test]
fn a_backend_that_crashes_loses_nothing_acknowledged() {
    for seed in super::seeds() {
        simulate(seed, move |world| backends_crash(world, seed));
    }
}

async fn frontend_crashes(world: World, seed: u64) {
    let mut rng = Rng::from_seed(seed);
    let mut client = world.connect().await;
    create(&world, &mut client).await;
    let mut acknowledged = Vec::new();
    let mut tables = Vec::new();
    for round in 0..6 {
        // A table and a load, and somewhere among them the frontend's machine goes.
        let mut other = world.connect().await;
        let ddl = tokio::task::spawn_local({
            async move {
                let mut made = Vec::new();
                for part in 0..5 {
                    let name = format!("t{round}_{part}");
                    let sql = format!("CREATE TABLE d.{name} (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1");
                    match other.query(&sql).await {
                        Ok(_) => made.push(name),
                        Err(_) => break,
                    }
                }
                made
            }
        });
        let after = Duration::from_millis(rng.range(0..200));
        if load_and_crash(&world, round, FE, after).await {
            acknowledged.push(round);
        }
        tables.extend(ddl.await.expect("the task lives"));
        world.restart(FE).await;
        client = world.connect().await;
        world.wait_alive(&mut client, 3).await;
        check(&world, &mut client, &acknowledged).await;
        let known = client.query("SHOW TABLES FROM d").await.expect("tables are listed");
        let known: Vec<&str> = known.iter().filter_map(|r| r[0].as_deref()).collect();
        world.trace.answer(format!("created {tables:?}, found {known:?}"));
        assert!(tables.iter().all(|t| known.contains(&t.as_str())), "created {tables:?}, found {known:?}");
        for table in &known {
            world.sql(&mut client, &format!("SELECT COUNT(*) FROM d.{table}")).await;
        }
    }
}

#[test]
fn a_frontend_that_crashes_keeps_what_it_acknowledged() {
    for seed in super::seeds() {
        simulate(seed, move |world| frontend_crashes(world, seed));
    }
}
