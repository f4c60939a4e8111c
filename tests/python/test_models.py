"""AGGREGATE and UNIQUE KEY tables from DDL to compaction: what a query sees after loads, deletes and merges."""

import glob
import json
import os
import random
import re
import time

import pymysql

from harness import ClusterTest, damage, main, run, wait_until, HOST

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
        # One that runs of its own accord is waited for, and may have done everything.
        for _ in range(20):
            answer = json.loads(run("curl", "-sS", "-m", "60", "-X", "POST", url).stdout)
            if "No suitable version" in answer["msg"] and len(self.show(table)["rowsets"]) == 1:
                answer["status"] = "Success"
            if answer["status"] == "Success":
                break
            time.sleep(0.5)
        return answer

    def test_states_of_aggregate_functions(self):
        self.sql(
            "CREATE TABLE st (k INT, a avg(INT), c count(VARCHAR(20)), lo min_by(VARCHAR(20), INT), l array_agg(BIGINT),"
            " p percentile_cont(DOUBLE, DOUBLE), n ndv(INT)) AGGREGATE KEY(k)" + f" {ONE_BUCKET}"
        )
        shown = self.sql("SHOW CREATE TABLE st")[0][1]
        for line in ["`a` varbinary avg(int(11)) NULL", "`lo` varbinary min_by(varchar(20), int(11)) NULL", "`l` varbinary array_agg(bigint(20)) NULL"]:
            self.assertIn(line, shown)
        self.sql("CREATE TABLE " + shown.split("CREATE TABLE ", 1)[1].replace("`st`", "st_copy", 1))
        self.assertEqual([row[5] for row in self.sql("DESC st_copy")][:2], ["", "avg(int(11))"])
        self.sql("CREATE TABLE src (k INT, x INT, s VARCHAR(20), d DOUBLE) DUPLICATE KEY(k)" + f" {ONE_BUCKET}")
        self.sql("INSERT INTO src VALUES (1, 4, 'b', 1), (1, 2, 'a', 2), (2, NULL, 'z', NULL), (2, 9, NULL, 7)")
        states = "avg_state(x), count_state(s), min_by_state(s, x), array_agg_state(x), percentile_cont_state(d, 0.5), ndv_state(x)"
        self.sql(f"INSERT INTO st SELECT k, {states} FROM src")
        self.sql(f"INSERT INTO st SELECT k, {states} FROM src WHERE x = 2")
        self.sql("INSERT INTO st VALUES (3, avg_state(10), count_state('q'), NULL, array_agg_state(1), percentile_cont_state(3, 0.5), ndv_state(5))")
        body = "1,100,y,5\n4,8,w,6\n"
        answer = self.cluster.stream_load(
            self.db, "st", body, column_separator=",",
            columns="k, x, s, d, a=avg_state(cast(x as int)), c=count_state(s), lo=min_by_state(s, cast(x as int)),"
            " l=array_agg_state(cast(x as bigint)), p=percentile_cont_state(cast(d as double), 0.5), n=ndv_state(cast(x as int))",
        )
        self.assertEqual(answer["Status"], "Success", answer)
        merged = "avg_{m}(a), count_{m}(c), min_by_{m}(lo), array_sort(array_agg_{m}(l)), percentile_cont_{m}(p), ndv_{m}(n)"
        expected = (
            (1, 27.0, 4, "a", "[2,2,4,100]", 2.0, 3),
            (2, 9.0, 1, None, "[null,9]", 7.0, 1),
            (3, 10.0, 1, None, "[1]", 3.0, 1),
            (4, 8.0, 1, "w", "[8]", 6.0, 1),
        )
        by_group = "SELECT k, " + merged.format(m="merge") + " FROM st GROUP BY k ORDER BY k"
        by_row = "SELECT k, " + merged.format(m="state_merge") + " FROM st ORDER BY k"
        self.assertEqual(self.sql(by_group), expected)
        self.assertEqual(self.sql(by_row), expected)
        united = "SELECT avg_merge(u), count_merge(v) FROM (SELECT avg_union(a) u, count_union(c) v FROM st GROUP BY k % 2) t"
        self.assertEqual(self.sql("SELECT avg_merge(a), count_merge(c) FROM st"), self.sql(united))
        self.assertIn("PREAGGREGATION: ON", "\n".join(r[0] for r in self.sql("EXPLAIN SELECT k, avg_merge(a) FROM st GROUP BY k")))
        self.assertEqual(self.compact("st", "base")["status"], "Success")
        self.assertEqual(self.sql(by_group), expected)
        self.assertEqual(self.sql(by_row), expected)
        # States of states, over other arguments than the column's, and what is none.
        self.sql("INSERT INTO st_copy SELECT k, avg_combine(x), count_combine(s), NULL, array_agg_combine(x), NULL, NULL FROM src GROUP BY k")
        self.assertEqual(self.sql("SELECT k, avg_state_merge(avg_state_union(a, a)), count_state_merge(c) FROM st_copy ORDER BY k"), ((1, 3.0, 2), (2, 9.0, 1)))
        self.sql("INSERT INTO st_copy (k, a) VALUES (1, avg_state(7))")
        self.assertEqual(self.sql("SELECT avg_merge(a), sum_if(k, k > 1) FROM st_copy"), ((5.5, 2),))
        for wrong in [
            "INSERT INTO st (k, a) VALUES (1, sum_state(1))",
            "INSERT INTO st (k, a) VALUES (1, 'text')",
            "SELECT sum_merge(a) FROM st",
            "CREATE TABLE bad (k INT, v group_concat(VARCHAR(10))) AGGREGATE KEY(k)" + f" {ONE_BUCKET}",
            "SELECT k FROM st ORDER BY a",
        ]:
            with self.assertRaises(Exception, msg=wrong):
                self.sql(wrong)

    def test_deletes_reach_rollups_and_views(self):
        self.sql(
            "CREATE TABLE ru (k INT, d DATE, v BIGINT SUM) AGGREGATE KEY(k, d) DISTRIBUTED BY HASH(k) BUCKETS 2"
            ' ROLLUP (by_k (k, v), by_day (d, v)) PROPERTIES ("replication_num" = "1")'
        )
        self.assertEqual({row[0] for row in self.sql("DESC ru ALL")} - {""}, {"ru", "by_k", "by_day"})
        self.sql("INSERT INTO ru VALUES (1, '2024-01-01', 1), (1, '2024-01-02', 2), (2, '2024-01-01', 4)")
        by_k = "SELECT k, sum(v) FROM ru GROUP BY k ORDER BY k"
        self.assertIn("rollup: by_k", "\n".join(r[0] for r in self.sql("EXPLAIN " + by_k)))
        # Only what every index can tell can be deleted.
        with self.assertRaisesRegex(Exception, r"Unknown column 'k' in 'index\[by_day\]'"):
            self.sql("DELETE FROM ru WHERE k = 1")
        self.sql("ALTER TABLE ru DROP ROLLUP by_day")
        self.sql("DELETE FROM ru WHERE k = 1")
        self.sql("INSERT INTO ru VALUES (1, '2024-01-03', 10)")
        self.assertEqual(self.sql(by_k), ((1, 10), (2, 4)))
        self.assertEqual(self.sql("SELECT k, d, v FROM ru ORDER BY k")[0][2], 10)
        self.sql("CREATE TABLE vb (k INT, v INT, s VARCHAR(10)) DUPLICATE KEY(k)" + f" {ONE_BUCKET}")
        self.sql("CREATE MATERIALIZED VIEW vb_sums AS SELECT k, sum(v) AS sv FROM vb GROUP BY k")
        wait_until("the view is built", lambda: all("FINISHED" in row for row in self.sql("SHOW ALTER MATERIALIZED VIEW FROM models")))
        self.assertIn("vb_sums", [row[2] for row in self.sql("SHOW MATERIALIZED VIEWS")])
        self.sql("INSERT INTO vb VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 5, 'c')")
        self.sql("DELETE FROM vb WHERE k = 1")
        sums = "SELECT k, sum(v) FROM vb GROUP BY k"
        self.assertIn("vb_sums", "\n".join(r[0] for r in self.sql("EXPLAIN " + sums)))
        self.assertEqual(self.sql(sums), ((2, 5),))
        with self.assertRaisesRegex(Exception, r"Unknown column 's' in 'index\[vb_sums\]'"):
            self.sql("DELETE FROM vb WHERE s = 'c'")

    def test_loads_that_take_away_and_rows_they_refuse(self):
        self.sql("CREATE TABLE neg (k INT, s BIGINT SUM, m DECIMAL(10,2) SUM, lo INT MIN) AGGREGATE KEY(k)" + f" {ONE_BUCKET}")
        load = lambda body, **headers: self.cluster.stream_load(self.db, "neg", body, column_separator=",", **headers)
        self.assertEqual(load("1,10,1.50,5\n2,20,2.50,6\n")["Status"], "Success")
        self.assertEqual(load("1,3,0.50,4\n2,20,\\N,9\n", negative="true")["Status"], "Success")
        self.assertEqual(self.sql("SELECT k, s, CAST(m AS VARCHAR), lo FROM neg ORDER BY k"), ((1, 7, "1.00", 4), (2, 0, "2.50", 6)))
        self.sql("CREATE TABLE pos (k INT, s BIGINT) DUPLICATE KEY(k)" + f" {ONE_BUCKET}")
        self.assertIn("negative", self.cluster.stream_load(self.db, "pos", "1\t1\n", negative="true")["Message"])
        body = "".join(f"{i},{'x' * (i % 3)}\n" for i in range(300))
        strict = {"strict_mode": "true", "max_filter_ratio": "1", "column_separator": ","}
        answer = self.cluster.stream_load(self.db, "pos", body, log_rejected_record_num="-1", **strict)
        self.assertEqual((answer["Status"], answer["NumberFilteredRows"]), ("Success", 300))
        with open(answer["RejectedRecordPath"]) as rejected:
            rows = rejected.read().splitlines()
        self.assertEqual(len(rows), 300)
        self.assertEqual(len(rows[0].split("\t")), 3)
        answer = self.cluster.stream_load(self.db, "pos", body, log_rejected_record_num="7", **strict)
        with open(answer["RejectedRecordPath"]) as rejected:
            self.assertEqual(len(rejected.read().splitlines()), 7)
        self.assertNotIn("RejectedRecordPath", self.cluster.stream_load(self.db, "pos", body, **strict))
        self.assertEqual(self.cluster.stream_load(self.db, "pos", body, log_rejected_record_num="many")["Status"], "Fail")

    def test_fields_of_structs_come_and_go(self):
        self.sql("CREATE TABLE fs (k INT, s STRUCT<a INT, l ARRAY<STRUCT<x INT>>>) DUPLICATE KEY(k)" + f" {ONE_BUCKET}")
        self.sql("INSERT INTO fs VALUES (1, row(5, [row(7)])), (2, NULL)")
        done = lambda: wait_until("fields are changed", lambda: all("FINISHED" in r for r in self.sql("SHOW ALTER TABLE COLUMN FROM models")))
        self.sql("ALTER TABLE fs MODIFY COLUMN s ADD FIELD b VARCHAR(10) AFTER a")
        done()
        self.sql("INSERT INTO fs VALUES (3, row(6, 'new', []))")
        self.sql("ALTER TABLE fs MODIFY COLUMN s ADD FIELD l.[*].y INT")
        done()
        self.sql("ALTER TABLE fs MODIFY COLUMN s DROP FIELD a")
        done()
        self.assertEqual(
            self.sql("SELECT k, s, s.b FROM fs ORDER BY k"),
            ((1, '{"b":null,"l":[{"x":7,"y":null}]}', None), (2, None, None), (3, '{"b":"new","l":[]}', "new")),
        )
        for wrong in ["ADD FIELD b INT", "DROP FIELD nothing", "ADD FIELD b.c INT"]:
            with self.assertRaises(Exception, msg=wrong):
                self.sql(f"ALTER TABLE fs MODIFY COLUMN s {wrong}")

    def test_sets_that_are_added_begin_empty(self):
        self.sql("CREATE TABLE sets (k INT NOT NULL, v INT) PRIMARY KEY(k)" + f" {ONE_BUCKET}")
        self.sql("INSERT INTO sets VALUES (1, 1)")
        self.sql("ALTER TABLE sets ADD COLUMN (b BITMAP NOT NULL, h HLL NOT NULL)")
        self.sql("INSERT INTO sets VALUES (2, 2, to_bitmap(7), hll_hash(7))")
        self.assertEqual(self.sql("SELECT k, bitmap_count(b), hll_cardinality(h), b IS NULL FROM sets ORDER BY k"), ((1, 0, 0, 0), (2, 1, 1, 0)))
        self.assertEqual(self.sql("SELECT bitmap_union_count(b), hll_union_agg(h) FROM sets"), ((1, 1),))

    def test_states_in_synchronous_views(self):
        self.sql("CREATE TABLE base (k INT, x INT, s VARCHAR(20)) DUPLICATE KEY(k)" + f" {ONE_BUCKET}")
        self.sql("INSERT INTO base VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 5, 'c')")
        self.sql(
            "CREATE MATERIALIZED VIEW base_states AS SELECT k, avg_union(avg_state(x)) AS a, array_agg_union(array_agg_state(s)) AS l,"
            " min_by_union(min_by_state(s, x)) AS m FROM base GROUP BY k"
        )
        wait_until("the view is built", lambda: all("FINISHED" in row for row in self.sql("SHOW ALTER MATERIALIZED VIEW FROM models")))
        self.sql("INSERT INTO base VALUES (2, 6, 'd'), (3, NULL, 'e')")
        query = "SELECT k, avg(x), array_sort(array_agg(s)), min_by(s, x) FROM base GROUP BY k ORDER BY k"
        plan = "\n".join(r[0] for r in self.sql("EXPLAIN " + query))
        self.assertIn("base_states", plan)
        self.assertEqual(self.sql(query), ((1, 1.5, '["a","b"]', "a"), (2, 5.5, '["c","d"]', "c"), (3, None, '["e"]', None)))

    def with_and_without(self, variable, on, off, queries):
        """Runs queries with a rewrite and without it; each comes with what EXPLAIN says only with the rewrite, or None."""
        shape = lambda plan: re.sub(r"\d+", "#", plan)
        with self.cluster.connect(database=self.db) as connection, connection.cursor() as cursor:

            def ask(statement):
                cursor.execute(statement)
                return cursor.fetchall()

            for query, mark in queries:
                cursor.execute(f"SET {variable} = {on}")
                plan, answer = "\n".join(r[0] for r in ask("EXPLAIN " + query)), ask(query)
                cursor.execute(f"SET {variable} = {off}")
                plain_plan, plain = "\n".join(r[0] for r in ask("EXPLAIN " + query)), ask(query)
                self.assertEqual(answer, plain, query)
                if mark is None:
                    self.assertEqual(shape(plan), shape(plain_plan), query)
                else:
                    self.assertIn(mark, plan, query)
                    self.assertNotIn(mark, plain_plan, query)

    def view(self, definition):
        self.sql(f"CREATE MATERIALIZED VIEW {definition}")
        wait_until("the view is built", lambda: all("FINISHED" in row for row in self.sql("SHOW ALTER MATERIALIZED VIEW FROM models")))

    def test_synchronous_views_answer_as_their_table_does(self):
        seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
        print(f"SEED={seed}")
        rng = random.Random(seed)
        value = lambda low, high: "NULL" if rng.random() < 0.2 else str(rng.randint(low, high))
        text = lambda: "NULL" if rng.random() < 0.2 else f"'s{rng.randint(0, 20)}'"

        def load(table, rows):
            row = lambda: (
                f"({rng.randint(1, 5)}, {value(-3, 3)}, {value(-100, 100)}, {value(0, 40)}, {text()},"
                f" '2024-01-{rng.randint(1, 9):02} {rng.randint(0, 23):02}:00:00')"
            )
            self.sql(f"INSERT INTO {table} VALUES " + ", ".join(row() for _ in range(rows)))

        columns = "(k INT NOT NULL, a INT, v INT, u INT, s VARCHAR(20), dt DATETIME) DUPLICATE KEY(k)"
        self.sql(f"CREATE TABLE rnd {columns} {ONE_BUCKET}")
        # A half is converted, a half is loaded into what stands; all-NULL groups are among them.
        load("rnd", 200)
        self.sql("INSERT INTO rnd VALUES (9, 9, NULL, NULL, NULL, '2024-02-01')")
        self.view("rnd_sets AS SELECT a, bitmap_union(to_bitmap(u)), hll_union(hll_hash(s)), percentile_union(percentile_hash(v)) FROM rnd GROUP BY a")
        self.view("rnd_sums AS SELECT a, k, sum(v), count(v), count(*), min(v), max(s) FROM rnd GROUP BY a, k")
        self.view("rnd_part AS SELECT a, k, s, sum(v), count(*) FROM rnd WHERE v > 10 AND a IN (1, 2, 3) GROUP BY a, k, s")
        self.view("rnd_days AS SELECT date_trunc('day', dt) AS day, sum(v + k), count(*) FROM rnd GROUP BY date_trunc('day', dt)")
        load("rnd", 200)
        self.sql("INSERT INTO rnd VALUES (9, 9, NULL, NULL, NULL, '2024-02-01')")
        sets, sums, part, days = "rollup: rnd_sets", "rollup: rnd_sums", "rollup: rnd_part", "rollup: rnd_days"
        queries = [
            ("SELECT a, count(DISTINCT u) FROM rnd GROUP BY a ORDER BY a", sets),
            ("SELECT count(DISTINCT u) FROM rnd WHERE a < 0", sets),
            ("SELECT count(DISTINCT u) FROM rnd WHERE a > 100", sets),
            ("SELECT a, bitmap_union_count(to_bitmap(u)), bitmap_to_string(bitmap_union(to_bitmap(u))) FROM rnd GROUP BY a ORDER BY a", sets),
            ("SELECT a, bitmap_union_int(u), bitmap_to_string(bitmap_agg(u)) FROM rnd GROUP BY a ORDER BY a", sets),
            ("SELECT a, hll_union_agg(hll_hash(s)) FROM rnd GROUP BY a ORDER BY a", sets),
            ("SELECT a, round(percentile_approx(v, 0)), round(percentile_approx(v, 1)) FROM rnd GROUP BY a ORDER BY a", sets),
            ("SELECT percentile_approx(v, 0.5) FROM rnd WHERE a > 100", sets),
            ("SELECT a, sum(v), count(v), count(*), min(v), max(s), avg(v) FROM rnd GROUP BY a ORDER BY a", sums),
            ("SELECT k, sum(v), count(v) FROM rnd WHERE a IS NULL GROUP BY k ORDER BY k", sums),
            ("SELECT count(*), count(v), sum(v) FROM rnd WHERE k > 100", sums),
            ("SELECT count(DISTINCT a), max(k), min(a + k) FROM rnd", sums),
            ("SELECT a, sum(v) FILTER (WHERE k > 2), count(*) FILTER (WHERE k > 100) FROM rnd GROUP BY a ORDER BY a", sums),
            ("SELECT a + k, sum(v) FROM rnd GROUP BY a + k ORDER BY 1", sums),
            ("SELECT s, sum(v), count(*) FROM rnd WHERE v > 10 AND a IN (1, 2, 3) GROUP BY s ORDER BY s", part),
            ("SELECT s, sum(v), count(*) FROM rnd WHERE v > 10 AND a = 2 AND s >= 's1' GROUP BY s ORDER BY s", part),
            ("SELECT s, sum(v) FROM rnd WHERE v > 11 AND a = 2 GROUP BY s ORDER BY s", None),
            ("SELECT s, sum(v) FROM rnd WHERE v > 10 GROUP BY s ORDER BY s", None),
            ("SELECT s, sum(v) FROM rnd WHERE v >= 10 AND a = 2 GROUP BY s ORDER BY s", None),
            ("SELECT date_trunc('day', dt), sum(v + k), count(*) FROM rnd GROUP BY 1 ORDER BY 1", days),
            ("SELECT sum(v + k) FROM rnd WHERE date_trunc('day', dt) BETWEEN '2024-01-03' AND '2024-01-05'", days),
            ("SELECT date_trunc('month', dt), count(DISTINCT u) FROM rnd GROUP BY 1 ORDER BY 1", None),
            ("SELECT a, sum(CAST(v AS TINYINT)), count(DISTINCT v) FROM rnd GROUP BY a ORDER BY a", None),
        ]
        self.with_and_without("enable_sync_materialized_view_rewrite", "true", "false", queries)
        # Estimates from sketches are estimates, not the same ones.
        for approximate in ["approx_count_distinct(s)", "ndv(s)"]:
            query = f"SELECT {approximate} FROM rnd"
            self.assertIn(sets, "\n".join(r[0] for r in self.sql("EXPLAIN " + query)))
            self.assertLessEqual(abs(self.sql(query)[0][0] - self.sql("SELECT count(DISTINCT s) FROM rnd")[0][0]), 2)

    def test_bitmaps_of_views_have_every_value(self):
        self.sql(f"CREATE TABLE neg_sets (k INT, u INT) DUPLICATE KEY(k) {ONE_BUCKET}")
        self.view("neg_sets_v AS SELECT k, bitmap_union(to_bitmap(u)) FROM neg_sets GROUP BY k")
        self.sql("INSERT INTO neg_sets VALUES (1, 7), (1, NULL), (1, 7), (2, NULL)")
        with self.assertRaisesRegex(Exception, "mv_bitmap_union_u does not convert"):
            self.sql("INSERT INTO neg_sets VALUES (1, -7)")
        query = "SELECT k, count(DISTINCT u) FROM neg_sets GROUP BY k ORDER BY k"
        self.assertIn("rollup: neg_sets_v", "\n".join(r[0] for r in self.sql("EXPLAIN " + query)))
        self.assertEqual(self.sql(query), ((1, 1), (2, 0)))
        self.sql("DROP MATERIALIZED VIEW neg_sets_v")
        self.sql("INSERT INTO neg_sets VALUES (1, -7)")
        self.assertEqual(self.sql(query), ((1, 2), (2, 0)))

    def test_views_of_tables_that_combine_rows(self):
        self.sql(f"CREATE TABLE comb (k INT, j INT, s BIGINT SUM, m INT MAX) AGGREGATE KEY(k, j) {ONE_BUCKET}")
        self.view("comb_v AS SELECT k, sum(s), max(m) FROM comb GROUP BY k")
        for wrong in ["count(*)", "min(s)", "sum(m)", "max(j)"]:
            with self.assertRaises(Exception, msg=wrong):
                self.sql(f"CREATE MATERIALIZED VIEW comb_wrong AS SELECT k, {wrong} FROM comb GROUP BY k")
        with self.assertRaises(Exception):
            self.sql("CREATE MATERIALIZED VIEW comb_wrong AS SELECT k, sum(s) FROM comb WHERE m > 3 GROUP BY k")
        for _ in range(3):
            self.sql("INSERT INTO comb VALUES (1, 1, 2, 3), (1, 2, 5, -1), (2, 1, 4, NULL)")
        queries = [
            ("SELECT k, sum(s), max(m) FROM comb GROUP BY k ORDER BY k", "rollup: comb_v"),
            ("SELECT count(DISTINCT k) FROM comb", "rollup: comb_v"),
            ("SELECT k, count(*) FROM comb GROUP BY k ORDER BY k", None),
            ("SELECT k, min(s) FROM comb GROUP BY k ORDER BY k", None),
            ("SELECT sum(s) FROM comb WHERE m > 0", None),
        ]
        self.with_and_without("enable_sync_materialized_view_rewrite", "true", "false", queries)
        self.sql(f"CREATE TABLE comb_u (k INT, v INT) UNIQUE KEY(k) {ONE_BUCKET}")
        with self.assertRaises(Exception):
            self.sql("CREATE MATERIALIZED VIEW comb_wrong AS SELECT k, sum(v) FROM comb_u GROUP BY k")

    def test_generated_columns_stand_for_what_they_are_made_of(self):
        self.sql(
            "CREATE TABLE gen (k INT NOT NULL, j JSON, a INT, u BIGINT AS (get_json_int(j, '$.u')), n INT AS (coalesce(a, 7) % 10))"
            f" DUPLICATE KEY(k) {ONE_BUCKET}"
        )
        rows = ", ".join(f"({i}, parse_json('{{\"u\": {i % 7 - 3}}}'), {i % 23 - 5})" for i in range(100))
        self.sql(f"INSERT INTO gen (k, j, a) VALUES {rows}, (100, NULL, NULL), (101, parse_json('{{}}'), 3)")
        queries = [
            ("SELECT k FROM gen WHERE get_json_int(j, '$.u') = -2 ORDER BY k", ": u = -2"),
            ("SELECT get_json_int(j, '$.u'), count(*) FROM gen GROUP BY 1 ORDER BY 1", ": u"),
            ("SELECT count(*) FROM gen WHERE coalesce(a, 7) % 10 = 7", ": n = 7"),
            # Where a row has no partner, the expression is 7 and the column NULL.
            ("SELECT x.k, coalesce(y.a, 7) % 10 FROM gen x LEFT JOIN gen y ON x.k = y.k + 50 ORDER BY 1", None),
        ]
        self.with_and_without("disable_generated_column_rewrite", "false", "true", queries)

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

    def test_headers_of_tablets(self):
        self.sql(f"CREATE TABLE header (k INT NOT NULL, v VARCHAR(10)) DUPLICATE KEY(k) {ONE_BUCKET}")
        self.sql("INSERT INTO header VALUES (1, 'a'), (2, 'b')")
        tablet, url = self.sql("SHOW TABLETS FROM header")[0][0], self.sql("SHOW TABLETS FROM header")[0][19]
        header = json.loads(run("curl", "-sS", "-m", "10", url).stdout)
        self.assertEqual((str(header["tablet_id"]), header["max_version"], header["bad"]), (str(tablet), 2, None))
        self.assertEqual([(c["name"], c["is_key"], c["is_nullable"]) for c in header["schema"]["column"]], [("k", True, False), ("v", False, True)])
        self.assertEqual(header["schema"]["keys_type"], "DUP_KEYS")
        self.assertEqual([(r["end_version"], r["num_rows"], r["delete_predicate"]) for r in header["rs_metas"] if r["end_version"] > 1], [(2, 2, None)])

        def condition_is_seen():
            self.sql("DELETE FROM header WHERE k = 2")
            rowsets = json.loads(run("curl", "-sS", "-m", "10", url).stdout)["rs_metas"]
            return (0, "k = 2") in [(r["num_rows"], r["delete_predicate"]) for r in rowsets]

        # A compaction may come first: what is deleted from small tablets is soon gone.
        wait_until("a condition is seen", condition_is_seen)
        running = json.loads(run("curl", "-sS", "-m", "10", url.split("/api/")[0] + "/api/compaction/running").stdout)
        self.assertEqual(running["running_task_num"], len(running["running_tasks"]))
        missing = run("curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", url.rsplit("/", 1)[0] + "/1").stdout
        self.assertEqual(missing, "404")

    def test_queries_say_why_no_replica_can_be_read(self):
        self.sql(f"CREATE TABLE damaged (k INT NOT NULL, v INT) DUPLICATE KEY(k) {ONE_BUCKET}")
        self.sql("INSERT INTO damaged VALUES (1, 1), (2, 2)")
        backend = self.cluster.backends[0]
        # What is in memory is not read again.
        self.cluster.restart(backend)
        self.cluster.wait_alive()
        files = glob.glob(os.path.join(backend["home"], f"storage*/data/*/{self.tablet('damaged')}/*.dat"))
        self.assertTrue(files)
        for file in files:
            damage(file)

        def refusal():
            with self.assertRaises(pymysql.err.MySQLError) as caught:
                self.sql("SELECT sum(k + v) FROM damaged")
            return str(caught.exception)

        wait_until("the backend answers", lambda: re.search(r"backend \d+: .*\.dat.*\d+", refusal()))
        wait_until("the frontend knows what is wrong with the replica", lambda: re.search(r"no queryable replica.*backend \d+: .*\.dat.*\d+", refusal()))
        self.sql("DROP TABLE damaged FORCE")

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
        self.sql("DELETE FROM always WHERE v = 7 AND k > 5")
        self.assertEqual([row[3] for row in self.sql("SHOW DELETE") if row[0] == "always"][-1], "v = 7, k > 5")
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
