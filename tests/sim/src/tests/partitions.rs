//! Cut links: statements end with an error that says why, and everything goes on when the link is back.

use std::time::Duration;

use crate::{
    client::{http::Put, mysql::MySql},
    cluster::{BACKENDS, FE, World, simulate},
};

async fn create(world: &World, client: &mut MySql) {
    world.join_backends(client).await;
    world.sql(client, "CREATE DATABASE d").await;
    for table in ["a", "b"] {
        world
            .sql(client, &format!("CREATE TABLE d.{table} (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 6 PROPERTIES (\"replication_num\" = \"1\")"))
            .await;
        let rows: Vec<String> = (0..300).map(|i| format!("({i},{})", i % 10)).collect();
        world.sql(client, &format!("INSERT INTO d.{table} VALUES {}", rows.join(","))).await;
    }
}

/// How long a statement took until it failed, in simulated seconds.
async fn failing(world: &World, client: &mut MySql, sql: &str) -> (String, u64) {
    let started = tokio::time::Instant::now();
    let error = world.fails(client, sql).await;
    (error, started.elapsed().as_secs())
}

async fn frontend_from_backend(world: World) {
    let mut client = world.connect().await;
    create(&world, &mut client).await;
    turmoil::partition(FE, BACKENDS[1]);
    let (error, seconds) = failing(&world, &mut client, "SELECT SUM(v) FROM d.a").await;
    assert!(error.contains("be2") && seconds < 60, "after {seconds} s: {error}");
    world.wait_alive(&mut client, 2).await;
    // Known to be gone: no waiting.
    let (error, seconds) = failing(&world, &mut client, "SELECT SUM(v) FROM d.a").await;
    assert!(seconds < 5, "after {seconds} s: {error}");
    // Loads still reach the backend from the others; what is committed shows once the frontend reaches it too.
    let insert = client.query("INSERT INTO d.a VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8),(9,9)").await;
    let load = world.load(Put { table: "d/a", label: "cut", columns: "", body: b"1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n" }).await;
    world.trace.answer(format!("{insert:?} {load:?}"));
    let kept = load.expect("the load is answered").0;
    let (mut count, mut sum) = (300, 1350);
    if insert.is_ok() {
        (count, sum) = (count + 9, sum + 45);
    }
    if kept != "Fail" {
        (count, sum) = (count + 8, sum + 36);
    }
    turmoil::repair(FE, BACKENDS[1]);
    world.wait_alive(&mut client, 3).await;
    world.eventually(&mut client, "SELECT COUNT(*), SUM(v) FROM d.a", &format!("{count},{sum}")).await;
    let again = world.load(Put { table: "d/a", label: "cut", columns: "", body: b"1,1\n" }).await.expect("the load is answered").0;
    assert_eq!(again, if kept == "Fail" { "Success" } else { "Label Already Exists" }, "a failed load gives its label back");
}

#[test]
fn a_frontend_cut_off_from_a_backend_says_so() {
    for seed in super::seeds() {
        simulate(seed, frontend_from_backend);
    }
}

async fn backend_from_backend(world: World) {
    let join = "SELECT COUNT(*), SUM(b.v) FROM d.a JOIN d.b ON a.v = b.k";
    let mut client = world.connect().await;
    create(&world, &mut client).await;
    let whole = world.sql(&mut client, join).await;
    turmoil::partition(BACKENDS[0], BACKENDS[2]);
    let (error, seconds) = failing(&world, &mut client, join).await;
    assert!(seconds < 60, "after {seconds} s: {error}");
    turmoil::repair(BACKENDS[0], BACKENDS[2]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.eventually(&mut client, join, &whole).await;
}

#[test]
fn backends_cut_off_from_each_other_end_the_query() {
    for seed in super::seeds() {
        simulate(seed, backend_from_backend);
    }
}
