//! A create, a load and a query: right answers for every seed, and the same trace for the same seed.

use std::process::Command;

use crate::{
    client::http::Put,
    cluster::{World, simulate},
};

async fn create_load_query(world: World) {
    let mut client = world.connect().await;
    world.join_backends(&mut client).await;
    world.sql(&mut client, "CREATE DATABASE shop").await;
    world.sql(&mut client, "CREATE TABLE shop.orders (id INT, city VARCHAR(20), amount BIGINT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 6").await;
    world
        .sql(&mut client, "CREATE TABLE shop.cities (name VARCHAR(20), country VARCHAR(20)) DUPLICATE KEY(name) DISTRIBUTED BY HASH(name) BUCKETS 3 PROPERTIES (\"replication_num\" = \"1\")")
        .await;
    let body: String = (0..1000).map(|i| format!("{i},city{},{}\n", i % 7, i * 10)).collect();
    let loaded = world.load(Put { table: "shop/orders", label: "one", columns: "", body: body.as_bytes() }).await;
    assert_eq!(loaded, Ok(("Success".to_owned(), "OK".to_owned())));
    world.sql(&mut client, "INSERT INTO shop.cities VALUES ('city0','A'),('city1','B'),('city2','A'),('city3','B'),('city4','A'),('city5','C'),('city6','C')").await;
    assert_eq!(world.sql(&mut client, "SELECT COUNT(*), SUM(amount), MIN(id), MAX(city) FROM shop.orders").await, "1000,4995000,0,city6");
    let top = world.sql(&mut client, "SELECT city, COUNT(*), SUM(amount) FROM shop.orders GROUP BY city ORDER BY city LIMIT 2").await;
    assert_eq!(top, "city0,143,710710;city1,143,712140");
    let joined = world
        .sql(&mut client, "SELECT c.country, COUNT(*), SUM(o.amount) FROM shop.orders o JOIN shop.cities c ON o.city = c.name GROUP BY c.country ORDER BY c.country")
        .await;
    assert_eq!(joined, "A,429,2140710;B,286,1427140;C,285,1427150");
    let distinct = world.sql(&mut client, "SELECT COUNT(DISTINCT city), COUNT(DISTINCT id) FROM shop.orders WHERE amount >= 5000").await;
    assert_eq!(distinct, "7,500");
}

#[test]
fn a_create_a_load_and_a_query() {
    for seed in super::seeds() {
        simulate(seed, create_load_query);
    }
}

/// Not a test: one run in a process of its own, so that no counter of an earlier one shows in its trace.
#[test]
#[ignore = "started by same_seed_same_trace"]
fn one_trace() {
    let seed = super::seeds()[0];
    let trace = simulate(seed, create_load_query);
    let (hash, events) = trace.digest();
    println!("trace {hash:016x} {events}");
    for answer in trace.answers() {
        println!("answer {answer}");
    }
}

/// The digest and the answers of a run in another process.
fn trace_of(seed: u64) -> (String, Vec<String>) {
    let mut run = Command::new(std::env::current_exe().unwrap());
    let run = run.args(["--exact", "tests::same_trace::one_trace", "--ignored", "--nocapture"]).env("SIM_SEED", seed.to_string());
    let output = run.env_remove("SIM_TRACE").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let trace = text.lines().find_map(|l| l.split_once("trace ").map(|(_, t)| t.to_owned())).unwrap();
    (trace, text.lines().filter(|l| l.starts_with("answer ")).map(str::to_owned).collect())
}

#[test]
fn same_seed_same_trace() {
    let first = trace_of(7);
    assert_eq!(first, trace_of(7));
    let other = trace_of(8);
    assert_ne!(first.0, other.0);
    assert_eq!(first.1, other.1, "another seed, the same answers");
}
