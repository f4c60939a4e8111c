"""Partitions that loads make, and INSERT OVERWRITE, on three backends."""

from harness import ClusterTest, main, wait_until

ONE_COPY = 'PROPERTIES ("replication_num" = "1")'


class Partitions(ClusterTest):
    backend_count = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("parts")

    def sql(self, statement, **options):
        return self.cluster.sql(statement, database="parts", **options)

    def names(self, table, temporary=False):
        return sorted(row[1] for row in self.sql(f"SHOW {'TEMPORARY ' if temporary else ''}PARTITIONS FROM {table}"))

    def make(self, table, by):
        self.sql(f"DROP TABLE IF EXISTS {table} FORCE")
        self.sql(f"CREATE TABLE {table} (dt DATETIME, city VARCHAR(20), n BIGINT) DUPLICATE KEY (dt) PARTITION BY {by} DISTRIBUTED BY HASH (n) BUCKETS 3 {ONE_COPY}")

    def test_units(self):
        for unit, names in (
            ("date_trunc('day', dt)", ["p20240131", "p20240201", "p20240301"]),
            ("date_trunc('month', dt)", ["p202401", "p202402", "p202403"]),
            ("date_trunc('year', dt)", ["p2024"]),
            ("time_slice(dt, INTERVAL 7 day)", ["p20240129", "p20240226"]),
        ):
            self.make("units", unit)
            self.sql("INSERT INTO units VALUES ('2024-01-31 23:59:59', 'a', 1), ('2024-02-01 00:00:00', 'b', 2), ('2024-03-01 12:00:00', 'c', 3)")
            self.assertEqual(self.names("units"), names, unit)
            self.assertEqual(self.sql("SELECT sum(n) FROM units WHERE dt >= '2024-02-01'"), ((5,),))
            self.sql("INSERT INTO units SELECT * FROM units")
            self.assertEqual((self.names("units"), self.sql("SELECT count(*), sum(n) FROM units")), (names, ((6, 12),)))

    def test_null_has_a_partition(self):
        self.make("nulls", "date_trunc('day', dt)")
        self.sql("INSERT INTO nulls VALUES (NULL, 'a', 1), ('2024-01-01', 'b', 2)")
        self.assertEqual(self.sql("SELECT n FROM nulls WHERE dt IS NULL"), ((1,),))
        self.assertEqual(len(self.names("nulls")), 2)

    def test_tuples(self):
        self.make("tuples", "date_trunc('month', dt), city")
        self.sql("INSERT INTO tuples VALUES ('2024-01-31', 'Oslo', 1), ('2024-01-02', 'Oslo', 2), ('2024-01-02', NULL, 3), ('2024-02-02', 'São Paulo', 4)")
        self.assertEqual(len(self.names("tuples")), 3)
        self.assertEqual(self.sql("SELECT sum(n) FROM tuples WHERE city = 'Oslo'"), ((3,),))
        self.assertIn("partitions=1/3", "\n".join(row[0] for row in self.sql("EXPLAIN SELECT * FROM tuples WHERE city = 'Oslo'")))

    def test_batches_go_and_temporary_partitions_take_places(self):
        self.sql("DROP TABLE IF EXISTS places FORCE")
        self.sql(
            "CREATE TABLE places (dt DATE, n BIGINT) DUPLICATE KEY (dt) PARTITION BY RANGE (dt) (START ('2024-04-01') END ('2024-04-06') "
            f"EVERY (INTERVAL 1 DAY)) DISTRIBUTED BY HASH (n) BUCKETS 2 {ONE_COPY}"
        )
        self.sql("INSERT INTO places VALUES ('2024-04-01', 1), ('2024-04-02', 2), ('2024-04-03', 3), ('2024-04-04', 4), ('2024-04-05', 5)")
        batch = "START ('2024-04-01') END ('2024-04-03') EVERY (INTERVAL 1 DAY)"
        self.sql(f"ALTER TABLE places DROP PARTITIONS {batch}")
        self.assertEqual(self.names("places"), ["p20240403", "p20240404", "p20240405"])
        self.sql(f"ALTER TABLE places DROP PARTITIONS IF EXISTS {batch}")
        self.sql("ALTER TABLE places ADD TEMPORARY PARTITION t1 VALUES [('2024-04-03'), ('2024-04-05'))")
        self.sql("INSERT INTO places TEMPORARY PARTITION (t1) VALUES ('2024-04-03', 30), ('2024-04-04', 40)")
        self.assertEqual(self.sql("SELECT sum(n) FROM places TEMPORARY PARTITION (t1)"), ((70,),))
        self.assertEqual(self.sql("SELECT sum(n) FROM places"), ((12,),))
        with self.assertRaisesRegex(Exception, "not strictly matched"):
            self.sql("ALTER TABLE places REPLACE PARTITION (p20240403) WITH TEMPORARY PARTITION (t1)")
        self.sql("ALTER TABLE places REPLACE PARTITION (p20240403, p20240404) WITH TEMPORARY PARTITION (t1)")
        self.assertEqual((self.names("places"), self.names("places", temporary=True)), (["p20240405", "t1"], []))
        self.assertEqual(self.sql("SELECT sum(n) FROM places"), ((75,),))

    def test_recycle_bin(self):
        self.sql("DROP TABLE IF EXISTS gone FORCE")
        make = f"CREATE TABLE gone (k INT, v INT) DUPLICATE KEY (k) PARTITION BY RANGE (k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH (k) BUCKETS 2 {ONE_COPY}"
        self.sql(make)
        self.sql("INSERT INTO gone VALUES (1, 1), (11, 2)")
        self.sql("ALTER TABLE gone DROP PARTITION p1")
        self.assertEqual(self.sql("SELECT sum(v) FROM gone"), ((2,),))
        self.assertIn(("Partition", "p1"), [row[:2] for row in self.sql("SHOW CATALOG RECYCLE BIN")])
        self.sql("RECOVER PARTITION p1 FROM gone")
        self.sql("INSERT INTO gone VALUES (2, 10)")
        self.assertEqual(self.sql("SELECT sum(v) FROM gone"), ((13,),))
        self.sql("ALTER TABLE gone DROP PARTITION p1 FORCE")
        with self.assertRaisesRegex(Exception, "No partition named 'p1' in recycle bin"):
            self.sql("RECOVER PARTITION p1 FROM gone")
        self.sql("DROP TABLE gone")
        self.sql(make)
        with self.assertRaisesRegex(Exception, "already exists"):
            self.sql("RECOVER TABLE gone")
        self.sql("DROP TABLE gone FORCE")
        self.cluster.restart(self.cluster.frontend)
        self.cluster.wait_alive()
        self.sql("RECOVER TABLE gone")
        self.assertEqual(self.sql("SELECT sum(v) FROM gone"), ((2,),))
        self.cluster.database("gone_db")
        self.cluster.sql(f"CREATE TABLE t (k INT) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}", database="gone_db")
        self.cluster.sql("INSERT INTO t VALUES (7)", database="gone_db")
        self.sql("DROP DATABASE gone_db")
        self.sql("RECOVER DATABASE gone_db")
        self.assertEqual(self.sql("SELECT k FROM gone_db.t"), ((7,),))
        self.sql("DROP DATABASE gone_db")
        self.sql("ADMIN SET FRONTEND CONFIG ('catalog_trash_expire_second' = '0')")
        try:
            wait_until("the bin is empty", lambda: not self.sql("SHOW CATALOG RECYCLE BIN"))
        finally:
            self.sql("ADMIN SET FRONTEND CONFIG ('catalog_trash_expire_second' = '86400')")
        self.cluster_refuses("RECOVER DATABASE gone_db")

    def test_partitions_by_time(self):
        self.sql("DROP TABLE IF EXISTS timed FORCE")
        rule = ", ".join(f'"dynamic_partition.{k}" = "{v}"' for k, v in {"time_unit": "DAY", "start": "-3", "end": "2", "history_partition_num": "3", "buckets": "1"}.items())
        self.sql(f'CREATE TABLE timed (dt DATE, n INT) PARTITION BY RANGE (dt) () DISTRIBUTED BY HASH (n) PROPERTIES ("replication_num" = "1", {rule})')
        today = lambda days: self.sql(f"SELECT date_format(days_add(utc_timestamp(), {days}), 'p%Y%m%d')")[0][0]  # noqa: E731
        self.assertEqual(self.names("timed"), [today(d) for d in range(-3, 3)])
        shown = [row for row in self.sql("SHOW DYNAMIC PARTITION TABLES") if row[0] == "timed"]
        self.assertEqual([row[1:7] for row in shown], [("true", "DAY", "-3", "2", "p", "1")])
        with self.assertRaisesRegex(Exception, "Dynamic Partition Table"):
            self.sql(f"ALTER TABLE timed DROP PARTITION {today(0)}")
        self.sql('ALTER TABLE timed SET ("dynamic_partition.start" = "-1", "dynamic_partition.end" = "3")')
        self.assertEqual(self.names("timed"), [today(d) for d in range(-1, 4)])
        self.sql('ALTER TABLE timed SET ("dynamic_partition.enable" = "false")')
        self.sql('ALTER TABLE timed SET ("partition_live_number" = "1")')
        self.assertEqual(self.names("timed"), [today(d) for d in range(0, 4)])
        self.sql('ALTER TABLE timed SET ("partition_retention_condition" = "dt >= current_date() + interval 2 day")')
        self.assertEqual(self.names("timed"), [today(2), today(3)])
        self.cluster_refuses('ALTER TABLE timed SET ("partition_retention_condition" = "n > 3")')
        self.cluster_refuses('ALTER TABLE timed SET ("partition_ttl" = "soon")')
        self.sql("ALTER TABLE timed DROP PARTITIONS WHERE dt > days_add(current_date(), 2)")
        self.assertEqual(self.names("timed"), [today(2)])

    def test_pruning_by_expressions(self):
        def scanned(query):
            plan = "\n".join(row[0] for row in self.sql(f"EXPLAIN {query}"))
            return plan.split("partitions=")[1].split()[0] if "partitions=" in plan else "0"

        self.make("pruned", "date_trunc('month', dt), city")
        self.sql("INSERT INTO pruned VALUES ('2024-01-31', 'Oslo', 1), ('2024-02-02', 'Oslo', 2), ('2024-02-03', 'Rome', 3), ('2024-03-01', 'Rome', 4)")
        for condition, partitions, total in (
            ("dt >= '2024-02-10'", "3/4", 4),
            ("dt = '2024-02-03'", "2/4", 3),
            ("dt < '2024-02-01'", "1/4", 1),
            ("date_trunc('month', dt) = '2024-03-01'", "1/4", 4),
            ("dt >= '2024-02-10' AND city = 'Rome'", "2/4", 4),
            ("upper(city) = 'OSLO'", "2/4", 3),
            ("city IN ('Rome') OR city LIKE 'X%'", "2/4", 7),
        ):
            query = f"SELECT sum(n) FROM pruned WHERE {condition}"
            self.assertEqual((scanned(query), self.sql(query)), (partitions, ((total,),)), condition)
        self.make("pruned", "date_trunc('day', dt)")
        self.sql("INSERT INTO pruned VALUES ('2024-01-31 01:00:00', 'a', 1), ('2024-02-02 05:00:00', 'b', 2), ('2024-02-03', 'c', 3), ('2025-03-01', 'd', 4)")
        for condition, partitions, total in (
            ("date(dt) = '2024-02-02'", "1/4", 2),
            ("year(dt) = 2024", "3/4", 6),
            ("date_trunc('month', dt) >= '2024-02-01' AND date_trunc('month', dt) < '2025-01-01'", "2/4", 5),
            ("days_add(dt, 1) > '2025-01-01'", "1/4", 4),
        ):
            query = f"SELECT sum(n) FROM pruned WHERE {condition}"
            self.assertEqual((scanned(query), self.sql(query)), (partitions, ((total,),)), condition)

    def test_stream_loads_at_once(self):
        self.make("streams", "date_trunc('day', dt)")
        body = "".join(f"2024-01-{1 + i % 28:02} 0{i % 10}:00:00,city{i % 3},{i}\n" for i in range(50_000))
        import threading  # pylint: disable=import-outside-toplevel

        answers = []
        load = lambda: answers.append(self.cluster.stream_load("parts", "streams", body, column_separator=","))  # noqa: E731
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([a["Status"] for a in answers], ["Success"] * 4, answers)
        self.assertEqual(self.sql("SELECT count(*), sum(n) FROM streams"), ((200_000, 4 * sum(range(50_000))),))
        self.assertEqual(len(self.names("streams")), 28)

    def test_ranges_of_an_expression(self):
        self.sql("DROP TABLE IF EXISTS of_text FORCE")
        self.sql(
            "CREATE TABLE of_text (day VARCHAR(20), n INT) PARTITION BY RANGE(str2date(day, '%Y-%m-%d')) "
            f"(START ('2024-01-01') END ('2024-01-04') EVERY (INTERVAL 1 DAY)) DISTRIBUTED BY HASH (n) BUCKETS 1 {ONE_COPY}"
        )
        self.sql("INSERT INTO of_text VALUES ('2024-01-01', 1), ('2024-01-03', 2)")
        self.assertEqual(self.sql("SELECT n FROM of_text PARTITION (p20240103)"), ((2,),))
        self.cluster_refuses("INSERT INTO of_text VALUES ('2024-02-01', 3)")

    def cluster_refuses(self, statement):
        with self.assertRaises(Exception):
            self.sql(statement)

    def test_overwrite(self):
        self.make("replaced", "date_trunc('day', dt)")
        self.sql("INSERT INTO replaced VALUES ('2024-01-01', 'a', 1), ('2024-01-02', 'b', 2)")
        self.sql("INSERT OVERWRITE replaced PARTITION (p20240102) VALUES ('2024-01-02', 'c', 30)")
        self.assertEqual(self.sql("SELECT n FROM replaced ORDER BY n"), ((1,), (30,)))
        self.sql("INSERT OVERWRITE replaced SELECT days_add(dt, 1), city, n + 1 FROM replaced")
        self.assertEqual(self.sql("SELECT cast(dt AS DATE), n FROM replaced ORDER BY n")[1][1], 31)
        self.assertEqual(self.sql("SELECT n FROM replaced ORDER BY n"), ((2,), (31,)))
        self.sql("SET GLOBAL dynamic_overwrite = true")
        try:
            self.sql("INSERT OVERWRITE replaced VALUES ('2024-01-03', 'x', 7)")
        finally:
            self.sql("SET GLOBAL dynamic_overwrite = false")
        self.assertEqual(self.sql("SELECT n FROM replaced ORDER BY n"), ((2,), (7,)))
        self.assertEqual(self.names("replaced", temporary=True), [])

    def test_overwrite_that_fails_changes_nothing(self):
        self.sql("DROP TABLE IF EXISTS kept FORCE")
        self.sql(f"CREATE TABLE kept (k INT NOT NULL) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2 {ONE_COPY}")
        self.sql("INSERT INTO kept VALUES (1), (2)")
        self.cluster_refuses("INSERT OVERWRITE kept SELECT NULL")
        self.assertEqual(self.sql("SELECT k FROM kept ORDER BY k"), ((1,), (2,)))
        self.assertEqual(self.names("kept", temporary=True), [])
        self.sql("INSERT OVERWRITE kept SELECT k FROM kept WHERE false")
        self.assertEqual(self.sql("SELECT count(*) FROM kept"), ((0,),))

    def test_a_killed_frontend_in_the_middle_of_an_overwrite(self):
        self.sql("DROP TABLE IF EXISTS half FORCE")
        self.sql(f"CREATE TABLE half (k INT NOT NULL) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2 {ONE_COPY}")
        self.sql("INSERT INTO half VALUES (1), (2)")
        connection = self.cluster.connect(database="parts")
        connection._execute_command(3, "INSERT OVERWRITE half SELECT sleep(30)")  # pylint: disable=protected-access
        wait_until("the overwrite has begun", lambda: self.names("half", temporary=True))
        self.cluster.restart(self.cluster.frontend)
        self.cluster.wait_alive()
        self.assertEqual(self.sql("SELECT k FROM half ORDER BY k"), ((1,), (2,)))
        self.sql("INSERT OVERWRITE half VALUES (3)")
        self.assertEqual(self.sql("SELECT k FROM half"), ((3,),))


if __name__ == "__main__":
    main()
