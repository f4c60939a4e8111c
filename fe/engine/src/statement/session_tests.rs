//! What clients and connectors send besides queries of tables, over an engine without backends.

use common_types::{LogicalType, Scalar};

use crate::{StatementResult, test_engine::{run, with_session}};

#[test]
fn connectors_set_what_they_need() {
    with_session(async |s| {
        // A MariaDB connector's first statement, and the one of a Rust driver.
        let first = "SET autocommit=1, session_track_schema=1, sql_mode=concat(@@sql_mode,',STRICT_TRANS_TABLES')";
        assert_eq!(run(s, first).await, "OK");
        assert_eq!(run(s, "SELECT @@sql_mode").await, "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES");
        assert_eq!(run(s, "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')), time_zone='+00:00', NAMES utf8mb4").await, "OK");
        assert_eq!(run(s, "SELECT 'a' || 'b'").await, "ab");
        for name in ["session_track_system_variables", "session_track_transaction_info", "lc_messages"] {
            assert_eq!(run(s, &format!("SET {name} = 'x'")).await, "OK");
        }
        assert_eq!(run(s, "SET max_execution_time = 1000").await, "OK");
    });
}

#[test]
fn the_one_catalog_can_be_chosen() {
    with_session(async |s| {
        assert_eq!(run(s, "CREATE DATABASE d").await, "OK");
        for statement in ["SET CATALOG default_catalog", "USE 'CATALOG default_catalog'", "USE \"catalog default_catalog\""] {
            assert_eq!(run(s, "USE d").await, "OK");
            assert_eq!(run(s, statement).await, "OK");
            assert_eq!(run(s, "SELECT database()").await, "NULL");
        }
        assert_eq!(run(s, "USE default_catalog.d").await, "OK");
        assert!(run(s, "SET CATALOG hive").await.contains("Unknown catalog 'hive'"));
    });
}

#[test]
fn parameters_may_limit() {
    with_session(async |s| {
        let prepared = s.prepare("SELECT x FROM TABLE(generate_series(1, 9)) t(x) WHERE x > ? ORDER BY x LIMIT ? OFFSET ?").unwrap();
        assert_eq!(prepared.parameters, 3);
        assert_eq!(s.describe(&prepared).unwrap().len(), 1);
        let values: Vec<_> = [2, 2, 1].map(|v| (Scalar::BigInt(v), LogicalType::BigInt)).into();
        let StatementResult::Rows(mut rows) = s.execute_with(&prepared.statement, &values).await.unwrap() else { panic!("rows") };
        let chunk = rows.next().await.unwrap().unwrap();
        assert_eq!((0..chunk.rows()).map(|i| chunk.column(0).scalar(i).as_i64()).collect::<Vec<_>>(), [Some(4), Some(5)]);

        assert_eq!(run(s, "PREPARE p FROM SELECT ? + 1 LIMIT ?").await, "OK");
        assert_eq!(run(s, "SET @a = 41, @n = 1").await, "OK");
        assert_eq!(run(s, "EXECUTE p USING @a, @n").await, "42");
        assert!(run(s, "EXECUTE p USING @a").await.contains("Invalid arguments size 1, expected 2"));
    });
}

#[test]
fn dates_that_are_chosen_become_datetimes() {
    with_session(async |s| {
        let d = "cast('2024-01-02' as date)";
        for call in [format!("coalesce({d}, {d})"), format!("ifnull(NULL, {d})"), format!("if(true, {d}, NULL)"), format!("nullif({d}, '2024-01-03')")] {
            let got = run(s, &format!("SELECT {call}")).await;
            assert!(got.starts_with("2024-01-02"), "{call}: {got}");
            assert_eq!(got.len() > 10, !call.starts_with("nullif"), "{call}: {got}");
        }
        assert_eq!(run(s, &format!("SELECT CASE WHEN true THEN {d} END")).await, "2024-01-02");
    });
}

#[test]
fn who_and_where_the_session_is() {
    with_session(async |s| {
        assert_eq!(run(s, "SELECT current_role(), is_role_in_session('root')").await, "root\t1");
        let id = run(s, "SELECT session_id()").await;
        assert_eq!(id.len(), 36);
        assert_eq!(run(s, "SELECT session_id()").await, id);
        assert!(run(s, "SHOW GRANTS FOR CURRENT_USER()").await.contains("GRANT 'root' TO"));
    });
}

#[test]
fn errors_name_what_is_wrong() {
    with_session(async |s| {
        assert_eq!(run(s, "CREATE DATABASE d").await, "OK");
        let cases = [
            ("SELECT 'a' REGEXP '('", "Invalid regular expression in '('"),
            ("SELECT {fn nosuch('a')}", "Invalid odbc scalar function 'nosuch'"),
            ("SELECT 1 FROM (SELECT 1) a LEFT JOIN (SELECT 1) b", "LEFT OUTER JOIN requires an ON or USING clause."),
            ("SELECT 1 FROM (SELECT 1) a LEFT SEMI JOIN (SELECT 1) b", "LEFT SEMI JOIN requires an ON or USING clause."),
            ("SELECT * FROM d.nosuch", "Unknown table 'nosuch'"),
        ];
        for (statement, want) in cases {
            let got = run(s, statement).await;
            assert!(got.starts_with("E: ") && got.contains(want), "{statement}: {got}");
        }
    });
}

#[test]
fn a_local_query_stops_when_it_is_told() {
    with_session(async |s| {
        let endless = "SELECT count(*) FROM (SELECT array_agg(x) a FROM TABLE(generate_series(1, 9000000000000)) t(x)) q";
        let info = s.info.clone();
        let statement = fe_parser::parse_one(endless, &s.parse_options()).unwrap();
        let killer = async {
            // Killed once it runs: a kill before its start is for nobody.
            while info.state.read().query_id.is_none() {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            info.kill_query(common_base::err!(KilledByUser, "killed"));
        };
        let (result, ()) = tokio::join!(s.execute(&statement), killer);
        let Err(e) = result else { panic!("an endless query ended") };
        assert!(matches!(e.code(), common_base::ErrorCode::KilledByUser | common_base::ErrorCode::MemoryLimit), "{e}");
        // Without a kill its memory is what stops it.
        assert_eq!(run(s, "SET query_mem_limit = 50000000").await, "OK");
        assert!(run(s, endless).await.contains("Memory"));
        assert_eq!(run(s, "SELECT 1").await, "1");
    });
}
