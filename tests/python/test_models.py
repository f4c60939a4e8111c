"""AGGREGATE and UNIQUE KEY tables from DDL to compaction: what a query sees after loads, deletes and merges."""

import json
import time

from harness import ClusterTest, main, run, wait_until, HOST

ONE_BUCKET = 'DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "1")'


class Models(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.db = cls.cluster.database("models")

    def sql(self, statement, *parameters):
        return self.cluster.sql(statement, *parameters, database=self.db)

    def tablet(self, table):
        return self.sql(f"SHOW TABLETS FROM {table}")[0][0]

    def show(self, table):
        port = self.cluster.backends[0]["ports"]["webserver"]
        return json.loads(self.cluster.http(port, f"/api/compaction/show?tablet_id={self.tablet(table)}"))

    def compact(self, table, kind):
        port = self.cluster.backends[0]["ports"]["webserver"]
        url = f"http://{HOST}:{port}/api/compact?tablet_id={self.tablet(table)}&compaction_type={kind}"
        return json.loads(run("curl", "-sS", "-m", "60", "-X", "POST", url).stdout)

    def test_aggregate_values_combine_by_their_kind(self):
        self.sql(
            "CREATE TABLE agg (k INT, d DATE, s BIGINT SUM, x DOUBLE SUM, m DECIMAL(10,2) SUM, lo INT MIN, hi VARCHAR(20) MAX,"
            " r VARCHAR(20) REPLACE, n INT REPLACE_IF_NOT_NULL, b BITMAP BITMAP_UNION, h HLL HLL_UNION)"
            f" AGGREGATE KEY(k, d) {ONE_BUCKET}"
        )
        row = "INSERT INTO agg VALUES ({k}, '2024-01-0{d}', {s}, {s}, {s}, {s}, '{s}', {r}, {n}, to_bitmap({s}), hll_hash({s}))"
        for k, d, s, r, n in [(1, 1, 10, "'a'", 1), (1, 1, 5, "'b'", "NULL"), (1, 2, 7, "'c'", 2), (2, 1, 3, "'d'", 3), (1, 1, 10, "NULL", "NULL")]:
            self.sql(row.format(k=k, d=d, s=s, r=r, n=n))
        query = "SELECT k, day(d), s, x, CAST(m AS VARCHAR), lo, hi, r, n, bitmap_count(b), hll_cardinality(h) FROM agg ORDER BY 1, 2"
        expected = (
            (1, 1, 25, 25.0, "25.00", 5, "5", None, 1, 2, 2),
            (1, 2, 7, 7.0, "7.00", 7, "7", "c", 2, 1, 1),
            (2, 1, 3, 3.0, "3.00", 3, "3", "d", 3, 1, 1),
        )
        self.assertEqual(self.sql(query), expected)
        # A condition on a value sees the combined one.
        self.assertEqual(self.sql("SELECT k FROM agg WHERE s = 10"), ())
        self.assertEqual(self.sql("SELECT k FROM agg WHERE s = 25"), ((1,),))
        self.assertEqual(self.sql("SELECT count(*) FROM agg"), ((3,),))
        self.assertEqual(self.sql("SELECT k, sum(s), min(lo) FROM agg GROUP BY k ORDER BY k"), ((1, 32, 5), (2, 3, 3)))
        self.assertEqual(self.compact("agg", "base")["status"], "Success")
        self.assertEqual(len(self.show("agg")["rowsets"]), 1)
        self.assertEqual(self.sql(query), expected)
        self.sql("DELETE FROM agg WHERE k = 1 AND d = '2024-01-01'")
        self.assertEqual(self.sql("SELECT count(*), sum(s) FROM agg"), ((2, 10),))
        with self.assertRaises(Exception):
            self.sql("DELETE FROM agg WHERE s = 3")

    def test_the_plan_merges_only_where_it_must(self):
        self.sql(f"CREATE TABLE pre (k INT, j INT, s BIGINT SUM, m INT MAX) AGGREGATE KEY(k, j) {ONE_BUCKET}")
        for _ in range(3):
            self.sql("INSERT INTO pre VALUES (1, 1, 2, 3), (2, 1, 4, 5)")

        def merges(query):
            plan = "\n".join(r[0] for r in self.sql("EXPLAIN " + query))
            self.assertIn("PREAGGREGATION", plan)
            return "PREAGGREGATION: ON" not in plan

        for query, merged in [
            ("SELECT k, sum(s) FROM pre GROUP BY k", False),
            ("SELECT max(m) FROM pre WHERE j = 1", False),
            ("SELECT count(DISTINCT k) FROM pre", False),
            ("SELECT sum(s + 1) FROM pre", True),
            ("SELECT min(m) FROM pre", True),
            ("SELECT count(*) FROM pre", True),
            ("SELECT sum(s) FROM pre WHERE m > 1", True),
            ("SELECT s, count(k) FROM pre GROUP BY s", True),
        ]:
            self.assertEqual(merges(query), merged, query)
        self.assertEqual(self.sql("SELECT k, sum(s), max(m) FROM pre GROUP BY k ORDER BY k"), ((1, 6, 3), (2, 12, 5)))
        self.assertEqual(self.sql("SELECT count(*), sum(s + 1) FROM pre"), ((2, 20),))

    def test_unique_rows_replace_each_other(self):
        self.sql(f"CREATE TABLE uni (k INT, v VARCHAR(20), w INT) UNIQUE KEY(k) {ONE_BUCKET}")
        self.sql("INSERT INTO uni VALUES (1, 'a', 1), (2, 'b', 2), (1, 'c', 3)")
        self.sql("INSERT INTO uni VALUES (2, NULL, 4), (3, 'd', 5)")
        expected = ((1, "c", 3), (2, None, 4), (3, "d", 5))
        self.assertEqual(self.sql("SELECT * FROM uni ORDER BY k"), expected)
        self.assertEqual(self.sql("SELECT k FROM uni WHERE v = 'b'"), ())
        loaded = self.cluster.stream_load(self.db, "uni", "3,x,6\n4,y,7\n3,z,8\n", column_separator=",")
        self.assertEqual(loaded["Status"], "Success", loaded)
        self.assertEqual(self.sql("SELECT * FROM uni WHERE k > 2 ORDER BY k"), ((3, "z", 8), (4, "y", 7)))
        self.sql("ALTER TABLE uni COMPACT")
        wait_until("the table is compacted", lambda: len(self.show("uni")["rowsets"]) == 1)
        self.assertEqual(self.sql("SELECT count(*), sum(w) FROM uni"), ((4, 22),))
        self.assertEqual(len(self.sql("SELECT * FROM information_schema.be_compactions")), 1)

    def finished(self, table):
        jobs = self.sql(f"SHOW ALTER TABLE COLUMN FROM {self.db} WHERE TableName = '{table}'")
        return all("FINISHED" in job for job in jobs)

    def test_key_columns_that_come_after_a_sort_key(self):
        # Rows of one key lie next to each other only if every key column sorts.
        self.sql(f"CREATE TABLE late (k INT, s BIGINT SUM) AGGREGATE KEY(k) {ONE_BUCKET}")
        self.sql("INSERT INTO late VALUES (1, 1), (2, 2)")
        self.sql("ALTER TABLE late ORDER BY (k)")
        wait_until("the table is sorted", lambda: self.finished("late"))
        self.sql("ALTER TABLE late ADD COLUMN j INT DEFAULT '7'")
        wait_until("the key has come", lambda: self.finished("late"))
        for _ in range(2):
            self.sql("INSERT INTO late VALUES (1, 8, 10), (1, 6, 100), (1, 7, 1000)")
        self.assertEqual(self.sql("SELECT * FROM late ORDER BY k, j"), ((1, 6, 200), (1, 7, 2001), (1, 8, 20), (2, 7, 2)))

    def test_a_column_added_with_a_default_can_change_its_type(self):
        self.sql(f"CREATE TABLE widened (k INT, v INT) DUPLICATE KEY(k) {ONE_BUCKET}")
        self.sql("INSERT INTO widened VALUES (1, 1)")
        self.sql("ALTER TABLE widened ADD COLUMN w INT DEFAULT '5'")
        self.sql("INSERT INTO widened VALUES (2, 2, 2)")
        self.sql("ALTER TABLE widened MODIFY COLUMN w LARGEINT DEFAULT '6'")
        wait_until("the type has changed", lambda: self.finished("widened"))
        self.sql("INSERT INTO widened (k) VALUES (3)")
        self.assertEqual([str(w) for _, w in self.sql("SELECT k, w FROM widened ORDER BY k")], ["5", "2", "6"])

    def test_a_sum_that_is_added_counts_once_for_a_key(self):
        self.sql(f"CREATE TABLE once (k INT, v INT MAX) AGGREGATE KEY(k) {ONE_BUCKET}")
        for v in range(3):
            self.sql(f"INSERT INTO once VALUES (1, {v}), ({v + 2}, 0)")
        self.sql("ALTER TABLE once ADD COLUMN s INT SUM DEFAULT '6'")
        wait_until("the column has come", lambda: self.finished("once"))
        self.assertEqual(self.sql("SELECT k, sum(s) FROM once GROUP BY k ORDER BY k"), ((1, 6), (2, 6), (3, 6), (4, 6)))
        self.sql("INSERT INTO once VALUES (1, 9, 4)")
        self.assertEqual(self.sql("SELECT s FROM once WHERE k = 1"), ((10,),))

    def test_deletes_whose_conditions_are_always_or_never_true(self):
        self.sql(f"CREATE TABLE always (k INT NOT NULL, v INT) DUPLICATE KEY(k) {ONE_BUCKET}")
        self.sql("INSERT INTO always VALUES (1, 1), (2, NULL)")
        self.sql("DELETE FROM always WHERE k IS NULL")
        self.sql("DELETE FROM always WHERE k = 1 AND k IS NULL")
        self.assertEqual(self.sql("SELECT count(*) FROM always"), ((2,),))
        self.sql("DELETE FROM always WHERE k IS NOT NULL AND v IS NULL")
        self.assertEqual(self.sql("SELECT k FROM always"), ((1,),))
        self.sql("DELETE FROM always WHERE k IS NOT NULL")
        self.assertEqual(self.sql("SELECT k FROM always"), ())

    def test_many_small_loads_are_compacted_away(self):
        loads = 1000
        self.sql(f"CREATE TABLE many (k INT, v VARCHAR(20)) DUPLICATE KEY(k) {ONE_BUCKET}")
        started = time.monotonic()
        with self.cluster.connect(database=self.db) as connection, connection.cursor() as cursor:
            for i in range(loads):
                cursor.execute(f"INSERT INTO many VALUES ({i}, 'v{i}')")
        elapsed = time.monotonic() - started
        wait_until("compaction catches up", lambda: len(self.show("many")["rowsets"]) < 20)
        self.assertEqual(self.sql("SELECT count(*), sum(k) FROM many"), ((loads, loads * (loads - 1) // 2),))
        print(f"{loads} loads in {elapsed:.1f} s, {len(self.show('many')['rowsets'])} rowsets after")


if __name__ == "__main__":
    main()
