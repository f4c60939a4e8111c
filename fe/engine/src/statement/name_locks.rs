//! Names of databases, tables and views stay what they are while a statement works on what it found by its name.
//!
//! A statement looks a name up and then changes the object by its id, so that a rename between the two would let it change an object
//! of another name: DROP TABLE b would drop what is called a by then. [`find_and_hold`] and [`find_and_hold_database`] look up and
//! lock: statements that change names (RENAME, SWAP, DROP) hold their objects alone, others share them, and who holds a table shares
//! its database. All of them run on the leader, so the locks are in its memory; what an earlier leader left in the log is applied
//! before a leader takes statements, and a statement changes nothing after its leader was replaced (`Session::change`).

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use common_base::{ErrorCode, Result};
use fe_catalog::{CatalogSnapshot, model::{Database, Table}};
use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::names;
use crate::session::Session;

/// How an object is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Others may work on it too; its name stays.
    Shared,
    /// Its name changes.
    Alone,
}

/// Holds one object until it is dropped.
#[allow(dead_code, reason = "the guards act by being there")]
enum Guard {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

/// What one statement holds; it must not hold anything a second time.
pub struct Held(#[allow(dead_code, reason = "the guards act by being there")] Vec<Guard>);

/// The locks of what somebody holds or waits for, by its id.
#[derive(Default)]
pub struct NameLocks(Mutex<HashMap<u64, Weak<RwLock<()>>>>);

impl NameLocks {
    fn of(&self, id: u64) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock();
        if let Some(lock) = locks.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::<RwLock<()>>::default();
        locks.insert(id, Arc::downgrade(&lock));
        lock
    }

    async fn hold_one(&self, id: u64, how: Hold) -> Guard {
        let lock = self.of(id);
        match how {
            Hold::Shared => Guard::Shared(lock.read_owned().await),
            Hold::Alone => Guard::Alone(lock.write_owned().await),
        }
    }

    /// Waits for the database, then for all of the tables in the order of their ids, so that no two statements wait for each other.
    async fn hold(&self, database: &Database, tables: &[Arc<Table>], how: Hold) -> Held {
        let mut ids: Vec<u64> = tables.iter().map(|t| t.id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut guards = Vec::with_capacity(ids.len() + 1);
        guards.push(self.hold_one(database.id.0, if ids.is_empty() { how } else { Hold::Shared }).await);
        for id in ids {
            guards.push(self.hold_one(id, how).await);
        }
        Held(guards)
    }
}

/// Tables or views of a database by their names, which stay so while they are held, as does the database's.
pub async fn find_and_hold(session: &mut Session, db: &str, wanted: &[&str], how: Hold) -> Result<(Vec<Arc<Table>>, Held)> {
    let find = |catalog: &CatalogSnapshot| {
        let tables = wanted.iter().map(|name| names::find_table(catalog, db, name)).collect::<Result<Vec<_>>>()?;
        Ok::<_, common_base::Error>((names::find_database(catalog, db)?, tables))
    };
    session.bind_to_reign();
    loop {
        let (database, tables) = find(&session.engine.meta.snapshot())?;
        let held = session.engine.name_locks.hold(&database, &tables, how).await;
        let (same_database, again) = find(&session.engine.meta.snapshot())?;
        if database.id == same_database.id && tables.iter().zip(&again).all(|(a, b)| a.id == b.id) {
            return Ok((again, held));
        }
    }
}

/// A database by its name, which stays so while it is held.
pub async fn find_and_hold_database(session: &mut Session, name: &str, how: Hold) -> Result<(Arc<Database>, Held)> {
    session.bind_to_reign();
    loop {
        let database = names::find_database(&session.engine.meta.snapshot(), name)?;
        let held = session.engine.name_locks.hold(&database, &[], how).await;
        let again = names::find_database(&session.engine.meta.snapshot(), name)?;
        if database.id == again.id {
            return Ok((again, held));
        }
    }
}

/// The table or view of a name, if there is one: the database is held either way.
pub async fn find_and_hold_if_any(session: &mut Session, db: &str, name: &str) -> Result<(Option<Arc<Table>>, Held)> {
    loop {
        match find_and_hold(session, db, &[name], Hold::Shared).await {
            Ok((mut found, held)) => return Ok((found.pop(), held)),
            Err(e) if e.code() == ErrorCode::UnknownTable => {}
            Err(e) => return Err(e),
        }
        let (database, held) = find_and_hold_database(session, db, Hold::Shared).await?;
        // It may have been made meanwhile.
        if session.engine.meta.snapshot().table(database.id, name).is_none() {
            return Ok((None, held));
        }
    }
}

#[cfg(test)]
mod tests {
    use fe_catalog::Op;

    use super::*;
    use crate::test_engine::{run, with_session};

    #[test]
    fn a_table_that_gets_another_name_meanwhile_is_left_alone() {
        with_session(async |s| {
            assert_eq!(run(s, "CREATE DATABASE d").await, "OK");
            assert_eq!(run(s, "USE d").await, "OK");
            assert_eq!(run(s, "CREATE TABLE b (dt DATETIME, id INT) DUPLICATE KEY(dt) PARTITION BY date_trunc('day', dt) DISTRIBUTED BY HASH(id) BUCKETS 3").await, "OK");
            let of_tables = ["DROP TABLE b", "ALTER TABLE b RENAME c", "ALTER TABLE b COMMENT = 'other'", "ALTER TABLE b ADD COLUMN x INT", "TRUNCATE TABLE b"];
            for (end, statements) in [("DROP TABLE IF EXISTS b", of_tables.as_slice()), ("DROP VIEW b", &["DROP VIEW b", "ALTER VIEW b AS SELECT 2 AS x"])] {
                for statement in statements {
                    let (found, held) = find_and_hold(s, "d", &["b"], Hold::Alone).await.unwrap();
                    let rename = async |name: &str| s.engine.meta.submit(Op::RenameTable { table: found[0].id, name: name.to_owned() }).await.unwrap();
                    let mut other = Session::open(s.engine.clone(), 2, "root", "%", "127.0.0.1");
                    other.use_database("d").unwrap();
                    let renamed = async {
                        rename("a").await;
                        drop(held);
                    };
                    let (outcome, ()) = tokio::join!(run(&mut other, statement), renamed);
                    assert_eq!(outcome, "E: Unknown table 'b'", "{statement}");
                    assert_eq!(s.engine.meta.snapshot().tables.get(&found[0].id).map(|t| t.name.as_str()), Some("a"), "{statement}");
                    rename("b").await;
                }
                assert_eq!(run(s, end).await, "OK");
                assert_eq!(run(s, "CREATE VIEW b AS SELECT 1 AS x").await, "OK");
            }
            assert_eq!(run(s, "DROP VIEW b").await, "OK");
            assert!(s.engine.name_locks.0.lock().values().all(|lock| lock.strong_count() == 0));
        });
    }

    #[test]
    fn a_database_that_gets_another_name_meanwhile_is_left_alone() {
        with_session(async |s| {
            assert_eq!(run(s, "CREATE DATABASE d").await, "OK");
            for statement in ["DROP DATABASE d", "ALTER DATABASE d RENAME x", "CREATE VIEW d.v AS SELECT 1 AS x", "CREATE TABLE d.t (k INT)"] {
                let (found, held) = find_and_hold_database(s, "d", Hold::Alone).await.unwrap();
                let rename = async {
                    s.engine.meta.submit(Op::RenameDatabase { db: found.id, name: "e".to_owned() }).await.unwrap();
                    drop(held);
                };
                let mut other = Session::open(s.engine.clone(), 2, "root", "%", "127.0.0.1");
                let (outcome, ()) = tokio::join!(run(&mut other, statement), rename);
                assert!(outcome.starts_with("E: ") && outcome.contains("'d'"), "{statement}: {outcome}");
                assert_eq!(run(s, "SHOW TABLES FROM e").await, "");
                assert_eq!(run(s, "ALTER DATABASE e RENAME d").await, "OK");
            }
            assert_eq!(run(s, "DROP DATABASE d").await, "OK");
        });
    }
}
