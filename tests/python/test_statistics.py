"""What the planner knows of tables: at once after a load or a DELETE, better after ANALYZE … UPDATE HISTOGRAM."""

import base64
import json
import random
import re

from harness import HOST, ClusterTest, main, run, wait_until

ROWS = 10000
# A load of the table that rows are deleted from: with two of them it is too large to be compacted for the sake of a few deletes.
HALF = 200000
# Deletes show long before the backend's next report would come by itself.
SOON_SECONDS = 20


class Statistics(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.wait_alive()
        cls.db = cls.cluster.database("statistics")
        cls.cluster.sql('CREATE TABLE t (k INT, skew INT, name VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ("replication_num" = "1")', database=cls.db)
        # Nine of ten rows have 0, the others are all different; a tenth has no name.
        body = "".join(f"{i},{0 if i % 10 else i},{'name' + str(i % 5) if i % 10 else chr(92) + 'N'}\n" for i in range(ROWS))
        answer = cls.cluster.stream_load(cls.db, "t", body, column_separator=",")
        assert answer["Status"] == "Success", answer

    def sql(self, statement):
        return self.cluster.sql(statement, database=self.db)

    def rows(self, condition, table="t"):
        """Rows the planner expects of a scan."""
        plan = "\n".join(row[0] for row in self.sql(f"EXPLAIN COSTS SELECT * FROM {table} WHERE {condition}"))
        return int(re.findall(r"cardinality[:=] ?(\d+)", plan)[-1])

    def test_figures_are_there_and_histograms_see_skew(self):
        self.assertLess(abs(self.rows("k < 1000") - 1000), 200)
        self.assertLess(self.rows("skew = 0"), 100)
        self.assertEqual([row[1:4] for row in self.sql("SHOW STATS META WHERE `Table` = 't'")], [("t", "ALL", "FULL")], "without ANALYZE")
        self.assertEqual(self.sql("ANALYZE FULL TABLE t"), (("statistics.t", "analyze", "status", "OK"),))
        found = self.sql("SELECT column_name, row_count, null_count, `min`, `max` FROM _statistics_.column_statistics WHERE table_name = 'statistics.t' ORDER BY 1")
        self.assertEqual(found, (("k", ROWS, 0, "0", str(ROWS - 1)), ("name", ROWS, ROWS // 10, "name0", "name4"), ("skew", ROWS, 0, "0", str(ROWS - 10))))
        self.assertEqual(self.sql("ANALYZE TABLE t UPDATE HISTOGRAM ON skew, name WITH 16 BUCKETS"), (("statistics.t", "histogram", "status", "OK"),))
        self.assertLess(abs(self.rows("skew = 0") - ROWS * 9 // 10), ROWS // 50)
        self.assertLess(self.rows("skew = 77770"), 10)
        self.assertLess(abs(self.rows("skew > 0") - ROWS // 10), ROWS // 20)
        self.assertEqual([row[2] for row in self.sql("SHOW HISTOGRAM META WHERE `Table` = 't'")], ["skew", "name"])
        self.assertEqual([row[1:4] for row in self.sql("SHOW STATS META WHERE `Table` = 't'")], [("t", "ALL", "FULL")])
        states = [(row[4], row[6]) for row in self.sql("SHOW ANALYZE STATUS WHERE `Table` = 't'")]
        self.assertEqual(states, [("FULL", "SUCCESS"), ("HISTOGRAM", "SUCCESS")])
        self.assert_error(1064, "There is no running analyze", "KILL ANALYZE 1")
        self.sql("ANALYZE TABLE t DROP HISTOGRAM ON skew")
        self.assertLess(self.rows("skew = 0"), 100)
        self.sql("DROP STATS t")
        # What loads brought along stays: it is what the planner goes by.
        self.assertEqual([row[1:4] for row in self.sql("SHOW STATS META WHERE `Table` = 't'")], [("t", "ALL", "FULL")])

    def counts(self):
        """Rows of the table as its statistics, SHOW DATA, the planner and be_tablets have them."""
        known = self.sql("SELECT row_count FROM _statistics_.column_statistics WHERE table_name = 'statistics.d' AND column_name = 'k'")
        return (known[0][0] if known else 0, int(self.sql("SHOW DATA FROM d")[0][4]), self.rows("k IS NOT NULL", "d"), self.reported())

    def reported(self):
        """Rows by the backend's newest report; 0 before the first."""
        tablet = self.sql("SHOW TABLETS FROM d")[0][0]
        return self.sql(f"SELECT num_row FROM information_schema.be_tablets WHERE tablet_id = {tablet}")[0][0]

    def rowsets(self):
        tablet, port = self.sql("SHOW TABLETS FROM d")[0][0], self.cluster.backends[0]["ports"]["webserver"]
        return len(json.loads(self.cluster.http(port, f"/api/compaction/show?tablet_id={tablet}"))["rowsets"])

    def test_deleted_rows_do_not_count(self):
        self.sql('CREATE TABLE d (k INT, nothing INT, v VARCHAR(100)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "1")')
        rng = random.Random(7)
        for start in (0, HALF):
            # Random bytes: the table is on the disk as large as here.
            lines = (f"{k},{chr(92)}N,{base64.b64encode(rng.randbytes(60)).decode()}\n" for k in range(start, start + HALF))
            answer = self.cluster.stream_load(self.db, "d", "".join(lines), column_separator=",")
            self.assertEqual(answer["Status"], "Success", answer)
        self.sql("ANALYZE FULL TABLE d")
        self.assertEqual(self.counts(), (2 * HALF,) * 4)

        # The extremes of the second load say that all of it goes.
        self.sql(f"DELETE FROM d WHERE k >= {HALF}")
        wait_until("a load is deleted", lambda: self.counts() == (HALF,) * 4, SOON_SECONDS)
        # Rows of the first load have to be counted; those of the second are gone already.
        live = HALF // 4 * 3
        self.sql(f"DELETE FROM d WHERE k >= {live} AND k < {HALF + live}")
        wait_until("a quarter is deleted", lambda: self.counts() == (live,) * 4, SOON_SECONDS)
        self.assertEqual(self.sql("SELECT count(*) FROM d"), ((live,),))
        self.assertGreater(self.rowsets(), 1, "no compaction has done it")
        columns = self.sql("SELECT column_name, null_count, ndv <= row_count FROM _statistics_.column_statistics WHERE table_name = 'statistics.d' ORDER BY 1")
        self.assertEqual(columns, (("k", 0, 1), ("nothing", live, 1), ("v", 0, 1)))

        # Both have forgotten everything that they do not store.
        self.cluster.restart(self.cluster.backends[0])
        self.cluster.restart(self.cluster.frontend)
        seen = []
        wait_until("the backend has reported", lambda: seen.append(self.reported()) or seen[-1] > 0)
        self.assertEqual(seen[-1], live, "the first report says it")
        self.assertEqual(self.counts(), (live,) * 4)

        tablet, port = self.sql("SHOW TABLETS FROM d")[0][0], self.cluster.backends[0]["ports"]["webserver"]
        answer = json.loads(run("curl", "-sS", "-m", "60", "-X", "POST", f"http://{HOST}:{port}/api/compact?tablet_id={tablet}&compaction_type=base").stdout)
        self.assertEqual(answer["status"], "Success", answer)
        wait_until("the table is compacted", lambda: self.rowsets() == 1)
        self.assertEqual(self.counts(), (live,) * 4)
        self.sql("ANALYZE FULL TABLE d")
        self.assertEqual(self.counts(), (live,) * 4, "as the backend has it after the compaction")

        self.sql("DELETE FROM d WHERE k IS NOT NULL")
        wait_until("everything is deleted", lambda: self.counts() == (0, 0, 1, 0), SOON_SECONDS)
        self.sql("INSERT INTO d VALUES (1, 1, 'a')")
        wait_until("a row has come", lambda: self.counts() == (1, 1, 1, 1), SOON_SECONDS)

    def test_standing_orders_are_kept(self):
        self.sql("CREATE ANALYZE SAMPLE TABLE t (k)")
        jobs = self.sql("SHOW ANALYZE JOB")
        self.assertEqual([row[2:6] for row in jobs], [("statistics", "t", "k", "SAMPLE")])
        self.sql(f"DROP ANALYZE {jobs[0][0]}")
        self.assertEqual(self.sql("SHOW ANALYZE JOB"), ())


if __name__ == "__main__":
    main()
