//! DDL and what clients see of it, over an engine without backends: tables with automatic partitions have no tablets at first.

use crate::test_engine::{run, with_session};

const EVENTS: &str = "CREATE TABLE events (dt DATETIME NOT NULL COMMENT 'when', id INT, name VARCHAR(20) DEFAULT 'x', \
     price DECIMAL(10,2), ok BOOLEAN, big LARGEINT, INDEX i (id) USING BITMAP COMMENT 'c') DUPLICATE KEY(dt, id) COMMENT \"e\" \
     PARTITION BY date_trunc('day', dt) DISTRIBUTED BY HASH(id) BUCKETS 3";

const SHOWN: &str = "CREATE TABLE `events` (
  `dt` datetime NOT NULL COMMENT \"when\",
  `id` int(11) NULL COMMENT \"\",
  `name` varchar(20) NULL DEFAULT \"x\" COMMENT \"\",
  `price` decimal(10, 2) NULL COMMENT \"\",
  `ok` boolean NULL COMMENT \"\",
  `big` largeint(40) NULL COMMENT \"\",
  INDEX i (`id`) USING BITMAP COMMENT 'c'
) ENGINE=OLAP\x20
DUPLICATE KEY(`dt`, `id`)
COMMENT \"e\"
PARTITION BY date_trunc('day', `dt`)
DISTRIBUTED BY HASH(`id`) BUCKETS 3\x20
PROPERTIES (
\"compression\" = \"LZ4\",
\"fast_schema_evolution\" = \"true\",
\"replicated_storage\" = \"true\",
\"replication_num\" = \"1\"
);";

#[test]
fn tables_are_made_shown_and_dropped() {
    with_session(async |s| {
        assert_eq!(run(s, "CREATE DATABASE d").await, "OK");
        assert_eq!(run(s, "SHOW TABLES").await, "E: No database selected");
        assert_eq!(run(s, "USE d").await, "OK");
        assert_eq!(run(s, EVENTS).await, "OK");
        assert!(run(s, EVENTS).await.contains("Table 'events' already exists"));
        assert_eq!(run(s, &EVENTS.replace("TABLE events", "TABLE IF NOT EXISTS events")).await, "OK");
        let shown = run(s, "SHOW CREATE TABLE events").await;
        assert_eq!(shown.replace("DATE_TRUNC('DAY', `dt`)", "date_trunc('day', `dt`)"), format!("events\t{SHOWN}"));
        // What is shown makes the same table again.
        assert_eq!(run(s, "CREATE TABLE again LIKE events").await, "OK");
        assert_eq!(run(s, "SHOW CREATE TABLE again").await, shown.replace("events", "again"));
        assert_eq!(
            run(s, "DESC events").await,
            "dt\tdatetime\tNO\ttrue\tNULL\t\nid\tint\tYES\ttrue\tNULL\t\nname\tvarchar(20)\tYES\tfalse\tx\t\n\
             price\tdecimal(10,2)\tYES\tfalse\tNULL\t\nok\tboolean\tYES\tfalse\tNULL\t\nbig\tlargeint\tYES\tfalse\tNULL\t"
        );
        assert_eq!(run(s, "SHOW FULL TABLES LIKE 'ev%'").await, "events\tBASE TABLE");
        assert_eq!(run(s, "SHOW TABLES WHERE Tables_in_d != 'events'").await, "again");
        assert_eq!(run(s, "SHOW INDEX FROM events").await, "d.events\t\ti\t\tid\t\t\t\t\t\tBITMAP\tc");
        assert_eq!(run(s, "SHOW FULL COLUMNS FROM events LIKE 'd%'").await, "dt\tdatetime\t\tNO\tYES\tNULL\t\t\twhen");
        assert_eq!(run(s, "DROP TABLE again").await, "OK");
        assert_eq!(run(s, "DROP TABLE again").await, "E: Unknown table 'again'");
        assert_eq!(run(s, "DROP TABLE IF EXISTS again").await, "OK");
        assert!(run(s, "CREATE TABLE q (k INT)").await.contains("Table replication num should be less than or equal"));
    });
}

#[test]
fn tables_are_altered() {
    with_session(async |s| {
        run(s, "CREATE DATABASE d").await;
        run(s, "USE d").await;
        assert_eq!(run(s, EVENTS).await, "OK");
        assert_eq!(run(s, "ALTER TABLE events RENAME e2").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 COMMENT = 'other'").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 RENAME COLUMN name TO title").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 RENAME COLUMN title TO id").await, "E: Duplicate column name 'id'");
        assert_eq!(run(s, "ALTER TABLE e2 RENAME COLUMN dt TO d2").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 ADD COLUMN x INT").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 SET ('bucket_size' = '1024')").await, "OK");
        // Set to what it is, in whatever order, it is no change.
        assert_eq!(run(s, "ALTER TABLE e2 SET ('bloom_filter_columns' = 'id', 'bloom_filter_fpp' = '0.01')").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 SET ('compression' = 'snappy')").await, "OK");
        let changes = run(s, "SHOW ALTER TABLE COLUMN").await;
        for same in ["'bloom_filter_fpp' = '0.01', 'bloom_filter_columns' = 'id'", "'compression' = 'SNAPPY'"] {
            assert_eq!(run(s, &format!("ALTER TABLE e2 SET ({same})")).await, "OK");
            assert_eq!(run(s, "SHOW ALTER TABLE COLUMN").await, changes, "{same}");
        }
        assert!(run(s, "ALTER TABLE e2 SET ('nonsense' = '1')").await.contains("Unknown properties: {nonsense=1}"));
        assert_eq!(run(s, "ALTER TABLE e2 SET ('storage_medium' = 'hdd')").await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 SET ('in_memory' = 'true')").await, "OK");
        assert!(run(s, "ALTER TABLE e2 SET ('in_memory' = 'often')").await.contains("must be bool type"));
        assert!(run(s, "ALTER TABLE e2 SET ('storage_medium' = 'tape')").await.contains("Invalid storage medium: tape"));
        assert!(run(s, "ALTER TABLE e2 SET ('enable_persistent_index' = 'false')").await.contains("only support primary key table"));
        assert!(run(s, "ALTER TABLE e2 SET ('fast_schema_evolution' = 'false')").await.contains("can not be changed"));
        assert!(run(s, "ALTER TABLE e2 SET ('compression' = 'brotli')").await.contains("unknown compression type: brotli"));
        assert!(run(s, "ALTER TABLE e2 SET ('compression' = 'zstd', 'bucket_size' = '1')").await.contains("one table property at a time"));
        let shown = run(s, "SHOW CREATE TABLE e2").await;
        // The partition expression follows its column.
        assert!(shown.contains("`x` int(11)") && shown.to_lowercase().contains("date_trunc('day', `d2`)"), "{shown}");
        assert!(shown.contains("`title`") && shown.contains("COMMENT \"other\"") && shown.contains("\"bucket_size\" = \"1024\""), "{shown}");
        assert!(shown.contains("\"default.storage_medium\" = \"hdd\"") && !shown.contains("in_memory"), "{shown}");
        assert_eq!(run(s, EVENTS).await, "OK");
        assert_eq!(run(s, "ALTER TABLE e2 SWAP WITH events").await, "OK");
        assert!(run(s, "SHOW CREATE TABLE events").await.contains("`title`"));
    });
}

#[test]
fn views_are_tables_of_their_own_kind() {
    with_session(async |s| {
        run(s, "CREATE DATABASE d").await;
        run(s, "USE d").await;
        run(s, EVENTS).await;
        assert_eq!(run(s, "CREATE VIEW v (a, b COMMENT 'x') COMMENT 'vc' AS SELECT id, name FROM events").await, "OK");
        assert!(run(s, "CREATE VIEW v AS SELECT 1 x").await.contains("already exists"));
        assert_eq!(run(s, "SHOW FULL TABLES").await, "events\tBASE TABLE\nv\tVIEW");
        let shown = run(s, "SHOW CREATE VIEW v").await;
        assert!(shown.starts_with("v\tCREATE VIEW `v` (`a`, `b` COMMENT \"x\") COMMENT \"vc\" SECURITY NONE AS SELECT"), "{shown}");
        assert!(shown.contains("`d`.`events`") && shown.ends_with("\tutf8\tutf8_general_ci"), "{shown}");
        assert_eq!(run(s, "ALTER VIEW v AS SELECT 7 AS seven").await, "OK");
        assert_eq!(run(s, "SELECT * FROM v").await, "7");
        assert_eq!(run(s, "CREATE OR REPLACE VIEW v AS SELECT 8 AS eight").await, "OK");
        assert_eq!(run(s, "SELECT eight FROM v").await, "8");
        assert!(run(s, "DROP TABLE v").await.contains("is not 'TABLE'"));
        assert!(run(s, "DROP VIEW events").await.contains("is not 'VIEW'"));
        assert_eq!(run(s, "DROP VIEW v").await, "OK");
        assert_eq!(run(s, "DROP VIEW v").await, "E: Unknown table 'v'");
        assert_eq!(run(s, "DROP VIEW IF EXISTS v").await, "OK");
    });
}

#[test]
fn every_show_answers() {
    with_session(async |s| {
        run(s, "CREATE DATABASE d").await;
        run(s, "USE d").await;
        run(s, EVENTS).await;
        assert_eq!(run(s, "SHOW DATABASES").await, "_statistics_\nd\ninformation_schema\nsys");
        assert_eq!(run(s, "SHOW VARIABLES LIKE 'lower_case_%'").await, "lower_case_table_names\t0");
        assert_eq!(run(s, "SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'autocommit')").await, "autocommit\ttrue\nversion\t8.0.33");
        assert_eq!(run(s, "SHOW VARIABLES ORDER BY Variable_name DESC LIMIT 1, 1").await.lines().count(), 1);
        assert_eq!(run(s, "SHOW COLLATION WHERE Charset = 'utf8'").await, "utf8_general_ci\tutf8\t33\tYes\tYes\t1");
        assert_eq!(run(s, "SHOW GRANTS").await, "'root'@'%'\tNULL\tGRANT 'root' TO 'root'@'%'");
        assert_eq!(run(s, "SHOW CREATE DATABASE d").await, "d\tCREATE DATABASE `d`");
        assert_eq!(run(s, "SHOW DATA").await.lines().count(), 4);
        assert!(run(s, "SHOW FRONTENDS").await.contains("\tLEADER\t"));
        assert_eq!(run(s, "SHOW PROC '/frontends'").await.lines().count(), 1);
        assert_eq!(run(s, "SHOW PROC '/nowhere'").await, "E: Cannot find path: /nowhere");
        let all = [
            "SHOW CATALOGS",
            "SHOW TABLE STATUS",
            "SHOW PARTITIONS FROM events",
            "SHOW TEMPORARY PARTITIONS FROM events",
            "SHOW TABLETS FROM events",
            "SHOW TABLET 1",
            "SHOW BACKENDS",
            "SHOW BROKER",
            "SHOW COMPUTE NODES",
            "SHOW FULL PROCESSLIST",
            "SHOW RUNNING QUERIES",
            "SHOW ENGINES",
            "SHOW CHARSET",
            "SHOW CHARACTER SET",
            "SHOW WARNINGS",
            "SHOW ERRORS",
            "SHOW STATUS",
            "SHOW GLOBAL STATUS LIKE 'x%'",
            "SHOW TRIGGERS",
            "SHOW EVENTS",
            "SHOW PROCEDURE STATUS WHERE Db = 'd'",
            "SHOW FUNCTION STATUS",
            "SHOW OPEN TABLES",
            "SHOW PLUGINS",
            "SHOW USERS",
            "SHOW ROLES",
            "SHOW PRIVILEGES",
            "SHOW ALL AUTHENTICATION",
            "SHOW PROPERTY",
            "SHOW LOAD",
            "SHOW STREAM LOAD",
            "SHOW TRANSACTION WHERE id = 1",
            "SHOW DELETE",
            "SHOW ALTER TABLE COLUMN",
            "SHOW ALTER TABLE ROLLUP",
            "SHOW MATERIALIZED VIEWS",
            "SHOW DYNAMIC PARTITION TABLES",
            "SHOW DATA FROM events",
            "SHOW BUILTIN FUNCTIONS LIKE 'ab%'",
            "SHOW AUTHORS",
            "SHOW PROC '/'",
            "SHOW PROC '/dbs'",
            "SHOW PROC '/dbs/d/events/partitions'",
            "SHOW PROC '/dbs/d/events/index_schema'",
            "SHOW PROC '/statistic'",
            "SHOW PROC '/current_queries'",
            "SHOW PROC '/transactions/d/running'",
            "ADMIN SHOW FRONTEND CONFIG LIKE '%port%'",
            "ADMIN SHOW REPLICA DISTRIBUTION FROM events",
            "ADMIN SHOW REPLICA STATUS FROM events",
            "SHOW CREATE TABLE information_schema.tables",
        ];
        for statement in all {
            let answer = run(s, statement).await;
            assert!(!answer.starts_with("E: "), "{statement}: {answer}");
        }
    });
}

#[test]
fn information_schema_is_queried() {
    with_session(async |s| {
        run(s, "CREATE DATABASE d").await;
        run(s, "USE d").await;
        run(s, EVENTS).await;
        run(s, "CREATE VIEW v AS SELECT id FROM events").await;
        assert_eq!(
            run(s, "SELECT table_name, table_type, engine FROM information_schema.tables WHERE table_schema = 'd' ORDER BY 1").await,
            "events\tBASE TABLE\tStarRocks\nv\tVIEW\t"
        );
        assert_eq!(
            run(s, "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COLUMN_KEY FROM INFORMATION_SCHEMA.COLUMNS WHERE table_schema = 'd' AND table_name = 'events' AND ordinal_position > 3").await,
            "price\tdecimal\tdecimal(10,2)\t\nok\ttinyint\ttinyint(1)\t\nbig\tbigint unsigned\tbigint(20) unsigned\t"
        );
        assert_eq!(run(s, "SELECT count(*) FROM information_schema.schemata").await, "4");
        assert_eq!(run(s, "SELECT variable_value FROM information_schema.session_variables WHERE variable_name = 'version'").await, "8.0.33");
        let tables = run(s, "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'SYSTEM VIEW'").await;
        for line in tables.lines() {
            let (db, name) = line.split_once('\t').expect("two cells");
            let answer = run(s, &format!("SELECT * FROM {db}.{name}")).await;
            assert!(!answer.starts_with("E: "), "{line}: {answer}");
        }
        assert_eq!(run(s, "SHOW FULL TABLES FROM information_schema LIKE 'schemata'").await, "schemata\tSYSTEM VIEW");
        assert!(run(s, "DROP TABLE information_schema.tables").await.contains("Access denied"));
        let explained = run(s, "EXPLAIN SELECT 1").await;
        assert!(explained.contains("PLAN FRAGMENT") || !explained.is_empty(), "{explained}");
    });
}
