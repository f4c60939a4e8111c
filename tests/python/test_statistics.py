"""What the planner knows of tables: at once after a load, better after ANALYZE … UPDATE HISTOGRAM."""

import re

from harness import ClusterTest, main

ROWS = 10000


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

    def rows(self, condition):
        """Rows the planner expects of a scan."""
        plan = "\n".join(row[0] for row in self.sql(f"EXPLAIN COSTS SELECT * FROM t WHERE {condition}"))
        return int(re.findall(r"cardinality[:=] ?(\d+)", plan)[-1])

    def test_figures_are_there_and_histograms_see_skew(self):
        self.assertLess(abs(self.rows("k < 1000") - 1000), 200)
        self.assertLess(self.rows("skew = 0"), 100)
        self.assertEqual([row[1:4] for row in self.sql("SHOW STATS META")], [("t", "ALL", "FULL")], "without ANALYZE")
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

    def test_standing_orders_are_kept(self):
        self.sql("CREATE ANALYZE SAMPLE TABLE t (k)")
        jobs = self.sql("SHOW ANALYZE JOB")
        self.assertEqual([row[2:6] for row in jobs], [("statistics", "t", "k", "SAMPLE")])
        self.sql(f"DROP ANALYZE {jobs[0][0]}")
        self.assertEqual(self.sql("SHOW ANALYZE JOB"), ())


if __name__ == "__main__":
    main()
