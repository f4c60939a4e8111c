"""Columns that fill themselves: AUTO_INCREMENT, generated columns, default expressions; over restarts of both servers."""

import json
import threading

from harness import ClusterTest, main, wait_until

ONE_COPY = 'PROPERTIES ("replication_num" = "1")'


class GeneratedValues(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.db = cls.cluster.database("filled")

    def sql(self, statement, *parameters):
        return self.cluster.sql(statement, *parameters, database=self.db)

    def load(self, table, body, **headers):
        headers.setdefault("column_separator", ",")
        answer = self.cluster.stream_load(self.db, table, body, **headers)
        self.assertEqual(answer["Status"], "Success", answer)

    def test_numbers_are_given_once(self):
        self.sql(f"CREATE TABLE n (k INT, id BIGINT AUTO_INCREMENT, v INT) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2 {ONE_COPY}")
        self.sql("INSERT INTO n (k, v) VALUES (1, 1), (2, 2)")
        self.sql("INSERT INTO n VALUES (3, DEFAULT, 3), (4, 1000000, 4)")
        self.load("n", "5,5\n6,6\n", columns="k,v")
        self.load("n", "7,500,7\n", columns="k,id,v")
        self.sql("INSERT INTO n (k, v) SELECT k + 10, v FROM n")
        rows = self.sql("SELECT k, id FROM n ORDER BY k")
        self.assertEqual([r[1] for r in rows[:7]], [1, 2, 3, 1000000, 4, 5, 500])
        given = [i for k, i in rows if k not in (4, 7)]
        self.assertEqual(len(given), len(set(given)))
        self.assert_error(1064, "`NULL` value is not supported", "INSERT INTO n VALUES (1, NULL, 1)", database=self.db)
        self.assertIn("`id` bigint(20) NOT NULL AUTO_INCREMENT", self.sql("SHOW CREATE TABLE n")[0][1])
        # Not given again after restarts: what is left of a range may be lost.
        for process in (self.cluster.frontend, self.cluster.backends[0], self.cluster.frontend):
            self.cluster.restart(process)
            wait_until("queries run", lambda: self.sql("SELECT count(*) FROM n"))
            self.sql("INSERT INTO n (k) VALUES (100), (101)")
        given = [i for k, i in self.sql("SELECT k, id FROM n") if k not in (4, 7)]
        self.assertEqual(len(given), len(set(given)))
        self.sql("ALTER TABLE n AUTO_INCREMENT = 5000000")
        self.sql("INSERT INTO n (k) VALUES (200)")
        self.assertEqual(self.sql("SELECT id FROM n WHERE k = 200"), ((5000000,),))

    def test_many_loads_at_once_get_numbers_of_their_own(self):
        self.sql(f"CREATE TABLE p (id BIGINT AUTO_INCREMENT, v INT) PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 3 {ONE_COPY}")
        self.sql("ADMIN SET FRONTEND CONFIG ('auto_increment_cache_size' = '10')")

        def insert():
            for _ in range(5):
                self.load("p", "".join(f"{i}\n" for i in range(100)), columns="v")

        threads = [threading.Thread(target=insert) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.sql("ADMIN SET FRONTEND CONFIG ('auto_increment_cache_size' = '100000')")
        self.assertEqual(self.sql("SELECT count(*), count(DISTINCT id), min(id) FROM p"), ((2000, 2000, 1),))

    def test_rows_of_known_keys_keep_their_numbers(self):
        self.sql(f"CREATE TABLE keep (k INT, id BIGINT AUTO_INCREMENT, v INT, w INT DEFAULT '9') PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}")
        self.sql("INSERT INTO keep (k, v, w) VALUES (1, 1, 1), (2, 2, 2)")
        before = dict(self.sql("SELECT k, id FROM keep"))
        # Whole rows, some columns, by INSERT and by load.
        self.sql("INSERT INTO keep (k, v, w) VALUES (1, 10, 10), (3, 3, 3)")
        self.sql("INSERT INTO keep (k, v) VALUES (2, 20), (4, 4)")
        self.load("keep", "1,100\n5,5\n", columns="k,v", partial_update="true")
        self.load("keep", "2,200,200\n6,6,6\n", columns="k,v,w")
        rows = self.sql("SELECT k, v, w, id FROM keep ORDER BY k")
        self.assertEqual([r[:3] for r in rows], [(1, 100, 10), (2, 200, 200), (3, 3, 3), (4, 4, 9), (5, 5, 9), (6, 6, 6)])
        self.assertEqual({k: i for k, _, _, i in rows if k < 3}, before)
        self.assertEqual(len({r[3] for r in rows}), 6)
        self.sql("UPDATE keep SET v = 0 WHERE k = 1")
        self.sql("UPDATE keep SET id = DEFAULT WHERE k = 2")
        after = dict(self.sql("SELECT k, id FROM keep"))
        self.assertEqual(after[1], before[1])
        self.assertGreater(after[2], max(r[3] for r in rows))
        self.assert_error(1064, "must not be NULL", "UPDATE keep SET id = NULL WHERE k = 2", database=self.db)

    def test_generated_columns_follow_the_others(self):
        self.sql(f"CREATE TABLE g (k INT, a INT, b INT, s BIGINT AS a + b, t VARCHAR(30) AS concat(k, ':', a)) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}")
        self.sql("INSERT INTO g VALUES (1, 1, 1), (2, 2, NULL)")
        self.load("g", "3,3,3\n")
        self.load("g", json.dumps([{"k": 4, "a": 4, "b": 4}]), format="json", strip_outer_array="true")
        self.assertEqual(self.sql("SELECT * FROM g ORDER BY k"), ((1, 1, 1, 2, "1:1"), (2, 2, None, None, "2:2"), (3, 3, 3, 6, "3:3"), (4, 4, 4, 8, "4:4")))
        self.sql("UPDATE g SET b = 10 WHERE k <= 2")
        self.load("g", "3,7,8\n5,5,5\n", columns="k,a,b", partial_update="true")
        self.assertEqual(self.sql("SELECT k, s, t FROM g ORDER BY k"), ((1, 11, "1:1"), (2, 12, "2:2"), (3, 15, "3:7"), (4, 8, "4:4"), (5, 10, "5:5")))
        # Rows of new keys have what the defaults of the columns they lack give.
        self.sql(f"CREATE TABLE gp (k INT, a INT DEFAULT '2', b INT, s BIGINT AS a * 10) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}")
        self.sql("INSERT INTO gp (k, b) VALUES (1, 1)")
        self.load("gp", "2,2\n", columns="k,b", partial_update="true")
        self.assertEqual(self.sql("SELECT * FROM gp ORDER BY k"), ((1, 2, 1, 20), (2, 2, 2, 20)))
        self.sql(f"CREATE TABLE gd (k INT, a INT) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}")
        self.sql("INSERT INTO gd VALUES (1, 1), (2, NULL)")
        self.sql("ALTER TABLE gd ADD COLUMN twice BIGINT AS a * 2")
        wait_until("the column is built", lambda: len(self.sql("DESC gd")) == 3)
        self.sql("INSERT INTO gd VALUES (3, 3)")
        self.assertEqual(self.sql("SELECT * FROM gd ORDER BY k"), ((1, 1, 2), (2, None, None), (3, 3, 6)))

    def test_default_expressions(self):
        self.sql(
            "CREATE TABLE d (k INT, u VARCHAR(36) DEFAULT (uuid()), n LARGEINT DEFAULT (uuid_numeric()), t DATETIME DEFAULT CURRENT_TIMESTAMP,"
            f" p DATETIME DEFAULT CURRENT_TIMESTAMP(6), s VARCHAR(9) DEFAULT 'x') DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}"
        )
        self.sql("INSERT INTO d (k) VALUES (1), (2)")
        self.load("d", "3\n4\n", columns="k")
        self.assertEqual(
            self.sql("SELECT count(*), count(DISTINCT u), count(DISTINCT n), min(length(u)), min(s) FROM d"), ((4, 4, 4, 36, "x"),)
        )
        self.assertEqual(self.sql("SELECT count(*) FROM d WHERE abs(timestampdiff(HOUR, t, p)) > 0"), ((0,),))
        self.sql(f"CREATE TABLE dp (k INT, u VARCHAR(36) DEFAULT (uuid()), v INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}")
        self.sql("INSERT INTO dp (k, v) VALUES (1, 1), (2, 2)")
        self.load("dp", "3,3\n4,4\n", columns="k,v", partial_update="true")
        self.assertEqual(self.sql("SELECT count(*), count(DISTINCT u) FROM dp"), ((4, 4),))

    def test_tables_are_swapped(self):
        for name, value in (("sa", 1), ("sb", 2)):
            self.sql(f"CREATE TABLE {name} (k INT, id BIGINT AUTO_INCREMENT) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 {ONE_COPY}")
            self.sql(f"INSERT INTO {name} (k) VALUES ({value})")
        self.sql("INSERT INTO sa (k) VALUES (1)")
        self.sql("ALTER TABLE sa SWAP WITH sb")
        self.assertEqual(self.sql("SELECT k, count(*) FROM sa GROUP BY k"), ((2, 1),))
        self.sql("INSERT INTO sb (k) VALUES (1)")
        self.assertEqual(self.sql("SELECT id FROM sb ORDER BY id"), ((1,), (2,), (3,)))


if __name__ == "__main__":
    main()
