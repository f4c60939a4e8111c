"""Primary-key tables on real processes: every way to write, against a dictionary; kills between and during loads."""

import json
import random
import threading

import pymysql

from harness import ClusterTest, kill, main

ONE_COPY = 'PROPERTIES ("replication_num" = "1")'


class PrimaryKey(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("pk")

    def make(self, name, columns, key, rest=""):
        self.cluster.sql(f"DROP TABLE IF EXISTS pk.{name} FORCE")
        self.cluster.sql(f"CREATE TABLE pk.{name} ({columns}) PRIMARY KEY ({key}) DISTRIBUTED BY HASH (k) BUCKETS 2 {rest} {ONE_COPY}")

    def load(self, table, lines, loaded=None, **headers):
        headers.setdefault("column_separator", ",")
        answer = self.cluster.stream_load("pk", table, "\n".join(lines) + "\n", **headers)
        self.assertEqual(answer["Status"], "Success", answer)
        self.assertEqual(answer["NumberLoadedRows"], len(lines) if loaded is None else loaded, answer)

    def rows(self, table, columns="*"):
        return self.cluster.sql(f"SELECT {columns} FROM pk.{table} ORDER BY k")

    def check(self, table, want):
        self.assertEqual(self.rows(table), tuple((k, *want[k]) for k in sorted(want)))

    def test_upserts_and_deletes_of_every_kind(self):
        self.make("t", "k INT NOT NULL, v INT, s VARCHAR(20) DEFAULT 'new'", "k")
        self.cluster.sql("INSERT INTO pk.t VALUES (1, 1, 'a'), (2, 2, 'b'), (1, 10, 'aa'), (3, 3, 'c')")
        self.check("t", {1: (10, "aa"), 2: (2, "b"), 3: (3, "c")})
        # Later rows of a load win; deletes of unknown keys do nothing.
        self.load("t", ["4,4,d", "2,20,bb", "4,40,dd"])
        self.load("t", ["1,0,x,1", "5,5,e,0", "9,0,x,1", "5,50,ee,0", "3,0,,1", "3,33,cc,0"], columns="k,v,s,__op")
        self.check("t", {2: (20, "bb"), 3: (33, "cc"), 4: (40, "dd"), 5: (50, "ee")})
        self.load("t", ["4", "77"], columns="k,__op='delete'", partial_update="true")
        self.load("t", [json.dumps([{"k": 5, "v": 0, "s": "", "__op": 1}, {"k": 6, "v": 6, "s": "f", "__op": 0}])],
                  loaded=2, format="json", strip_outer_array="true", columns="k,v,s,__op")
        self.check("t", {2: (20, "bb"), 3: (33, "cc"), 6: (6, "f")})
        # Only the listed columns change; new keys get defaults.
        self.load("t", ["2,200", "7,70"], partial_update="true", columns="k,v")
        self.cluster.sql("INSERT INTO pk.t (k, s) VALUES (3, 'only s'), (8, 'eight')")
        self.check("t", {2: (200, "bb"), 3: (33, "only s"), 6: (6, "f"), 7: (70, "new"), 8: (None, "eight")})
        # A row replaces another only if the column is not smaller.
        self.load("t", ["2,199,lost", "3,33,same", "6,7,more", "10,1,fresh"], merge_condition="v")
        self.check("t", {2: (200, "bb"), 3: (33, "same"), 6: (7, "more"), 7: (70, "new"), 8: (None, "eight"), 10: (1, "fresh")})

    def test_long_keys_are_refused(self):
        self.make("long", "k VARCHAR(200), n INT, v INT", "k, n")
        # A text that another column follows takes two bytes more.
        self.cluster.sql("INSERT INTO pk.long VALUES (repeat('x', 122), 1, 1)")
        with self.assertRaisesRegex(pymysql.err.MySQLError, "primary key size exceed the limit: a key takes 129 bytes"):
            self.cluster.sql("INSERT INTO pk.long VALUES ('a', 1, 1), (repeat('x', 123), 1, 1)")
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM pk.long"), ((1,),))

    def test_update_and_delete_statements(self):
        self.make("d", "k INT NOT NULL, v INT, s VARCHAR(20)", "k")
        self.make("other", "k INT NOT NULL, w INT", "k")
        self.cluster.sql("INSERT INTO pk.d SELECT generate_series, generate_series * 10, 'x' FROM TABLE(generate_series(1, 10))")
        self.cluster.sql("INSERT INTO pk.other VALUES (1, 100), (2, 200), (3, 300), (50, 1)")
        want = {k: (k * 10, "x") for k in range(1, 11)}
        self.cluster.sql("UPDATE pk.d SET v = v + 1, s = concat(s, k) WHERE k > 8")
        want.update({9: (91, "x9"), 10: (101, "x10")})
        self.cluster.sql("UPDATE pk.d SET v = other.w FROM pk.other WHERE d.k = other.k AND w > 100")
        want.update({2: (200, "x"), 3: (300, "x")})
        self.check("d", want)
        self.cluster.sql("UPDATE pk.d SET v = (SELECT max(w) FROM pk.other) WHERE k = 4")
        want[4] = (300, "x")
        self.cluster.sql("DELETE FROM pk.d WHERE k IN (SELECT k FROM pk.other) AND k < 3")
        del want[1], want[2]
        self.cluster.sql("DELETE FROM pk.d USING pk.other o WHERE d.k = o.k AND o.w = 300")
        del want[3]
        self.cluster.sql("WITH big AS (SELECT k FROM pk.d WHERE v > 90) DELETE FROM pk.d WHERE k IN (SELECT k FROM big) AND k > 9")
        del want[10]
        self.check("d", want)
        with self.cluster.connect() as connection, connection.cursor() as cursor:
            self.assertEqual(cursor.execute("DELETE FROM pk.d WHERE v BETWEEN 50 AND 70"), 3)
            self.assertEqual(cursor.execute("UPDATE pk.d SET s = 'all'"), 3)
        self.check("d", {4: (300, "all"), 8: (80, "all"), 9: (91, "all")})
        self.assert_error(1064, "primary key column cannot be updated", "UPDATE pk.d SET k = 1 WHERE k = 4")
        self.assert_error(1064, "must specify where clause", "DELETE FROM pk.d")
        plan = "\n".join(r[0] for r in self.cluster.sql("EXPLAIN UPDATE pk.d SET v = 1 WHERE k = 4"))
        self.assertIn("OLAP TABLE SINK", plan)
        plan = "\n".join(r[0] for r in self.cluster.sql("EXPLAIN DELETE FROM pk.d WHERE v = 4"))
        self.assertIn("OLAP TABLE SINK", plan)

    def test_a_sort_key_of_its_own(self):
        self.make("sorted", "k VARCHAR(40), v INT, s VARCHAR(20)", "k", "ORDER BY (v, s)")
        want = {}
        rng = random.Random(3)
        for _ in range(5):
            lines = []
            for _ in range(500):
                key, v = f"a key of more than sixteen bytes {rng.randrange(300)}", rng.randrange(1000)
                lines.append(f"{key},{v},s{v}")
                want[key] = (v, f"s{v}")
            self.load("sorted", lines)
        self.check("sorted", want)
        low = sorted((k, *r) for k, r in want.items() if r[0] < 100)
        self.assertEqual(self.cluster.sql("SELECT * FROM pk.sorted WHERE v < 100 ORDER BY k"), tuple(low))

    def test_nothing_is_lost_when_the_backend_is_killed(self):
        self.make("killed", "k INT NOT NULL, a INT, b VARCHAR(20)", "k")
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)
        want = {}

        def one():
            keys = [rng.randrange(2000) for _ in range(400)]
            kind = rng.randrange(3)
            if kind == 0:
                self.load("killed", [f"{k},{k % 97},w{k}" for k in keys])
                want.update({k: (k % 97, f"w{k}") for k in keys})
            elif kind == 1:
                self.load("killed", [f"{k},{k % 13}" for k in keys], partial_update="true", columns="k,a")
                want.update({k: (k % 13, want.get(k, (0, None))[1]) for k in keys})
            else:
                self.load("killed", [f"{k},0,,{k % 2}" for k in keys], columns="k,a,b,__op")
                for k in keys:
                    if k % 2:
                        want.pop(k, None)
                    else:
                        want[k] = (0, "")

        backend = self.cluster.backends[0]
        for step in range(8):
            one()
            one()
            if step % 2:
                self.cluster.restart(backend)
            self.check("killed", want)
        # Killed while loads run: each is there as a whole or not at all.
        for step in range(3):
            done = []

            def background(step=step, done=done):
                for i in range(50):
                    lines = [f"{k},{step * 100 + i},r" for k in range(2000, 2300)]
                    try:
                        answer = self.cluster.stream_load("pk", "killed", "\n".join(lines) + "\n", column_separator=",")
                    except (AssertionError, ValueError):
                        return
                    if answer.get("Status") not in ("Success", "Publish Timeout"):
                        return
                    done.append(step * 100 + i)

            thread = threading.Thread(target=background)
            thread.start()
            while len(done) < 3 and thread.is_alive():
                thread.join(0.02)
            kill(backend)
            thread.join()
            self.cluster.start(backend)
            seen = self.cluster.sql("SELECT a, count(*) FROM pk.killed WHERE k BETWEEN 2000 AND 2299 GROUP BY a")
            self.assertEqual(len(seen), 1, seen)
            self.assertEqual(seen[0][1], 300)
            self.assertGreaterEqual(seen[0][0], done[-1])
            self.assertEqual(self.cluster.sql("SELECT count(*) FROM pk.killed WHERE k < 2000")[0][0], len(want))

    def alter(self, table, clause):
        self.cluster.sql(f"ALTER TABLE pk.{table} {clause}")

    def alter_done(self, table):
        jobs = self.cluster.sql(f"SHOW ALTER TABLE COLUMN FROM pk WHERE TableName = '{table}'")
        self.assertFalse(any("CANCELLED" in job for job in jobs), jobs)
        return all("FINISHED" in job for job in jobs)

    def test_columns_change_while_loads_run(self):
        self.make("changed", "k INT NOT NULL, v INT, s VARCHAR(20) DEFAULT 'new', w INT", "k")
        want = {k: (k % 7, f"s{k}", k) for k in range(200_000)}
        self.load("changed", [f"{k},{v},{s},{w}" for k, (v, s, w) in want.items()])
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)

        def one(kinds=(0, 1, 2, 3, 4)):
            keys = sorted({rng.randrange(1000) for _ in range(50)} | {rng.randrange(200_000, 200_500) for _ in range(5)})
            kind = rng.choice(kinds)
            old = lambda k: want.get(k, (None, "new", None))
            if kind == 0:
                self.load("changed", [f"{k},{k % 97},w{k},1" for k in keys], columns="k,v,s,w")
                want.update({k: (k % 97, f"w{k}", 1) for k in keys})
            elif kind == 1:
                self.load("changed", [f"{k},{k % 13}" for k in keys], partial_update="true", columns="k,v")
                want.update({k: (k % 13, *old(k)[1:]) for k in keys})
            elif kind == 2:
                self.load("changed", [f"{k},0,,0,{k % 2}" for k in keys], columns="k,v,s,w,__op")
                for k in keys:
                    want.pop(k, None) if k % 2 else want.__setitem__(k, (0, "", 0))
            elif kind == 3:
                n = rng.randrange(5)
                self.cluster.sql(f"UPDATE pk.changed SET s = concat(s, '+') WHERE k < 1000 AND k % 5 = {n}")
                want.update({k: (r[0], r[1] + "+", r[2]) for k, r in want.items() if k < 1000 and k % 5 == n})
            else:
                n = rng.randrange(1000)
                self.cluster.sql(f"DELETE FROM pk.changed WHERE k BETWEEN {n} AND {n + 3}")
                for k in range(n, n + 4):
                    want.pop(k, None)

        def check(convert=lambda row: row):
            rows = self.cluster.sql("SELECT k, v, s, w FROM pk.changed ORDER BY k")
            self.assertEqual(len(rows), len(want))
            for row in rows:
                expected = (row[0], *convert(want[row[0]]))
                self.assertEqual(row, expected)

        def until_done(*kinds):
            loads = 0
            while not self.alter_done("changed"):
                one(kinds)
                loads += 1
            return loads

        self.alter("changed", "MODIFY COLUMN w BIGINT")
        loads = until_done(0, 1, 2, 3, 4)
        check()
        # Another order, and the backend dies on the way.
        self.alter("changed", "ORDER BY (s, k)")
        # Afterwards loads of some columns must have the sort key.
        one((0, 2))
        self.cluster.restart(self.cluster.backends[0])
        loads += until_done(0, 2, 3, 4)
        one_more = lambda: self.load("changed", ["1,1,a,1", "2,2,b,2"], columns="k,v,s,w")
        one_more()
        want.update({1: (1, "a", 1), 2: (2, "b", 2)})
        check()
        self.assertIn("ORDER BY(`s`, `k`)", self.cluster.sql("SHOW CREATE TABLE pk.changed")[0][1])
        self.alter("changed", "MODIFY COLUMN v VARCHAR(20)")
        while not self.alter_done("changed"):
            one_more()
        check(lambda r: (None if r[0] is None else str(r[0]), *r[1:]))
        print(f"{loads} loads during the changes", flush=True)

    def test_what_is_refused(self):
        self.assert_error(5064, "cannot be nullable", "CREATE TABLE pk.bad (k INT NULL, v INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k)")
        self.make("refuse", "k INT NOT NULL, v INT NOT NULL", "k")
        with self.assertRaises(pymysql.err.MySQLError):
            self.cluster.sql("INSERT INTO pk.refuse VALUES (NULL, 1)")
        self.cluster.sql("CREATE TABLE pk.dup (k INT, v INT) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) " + ONE_COPY)
        self.assert_error(1064, "only support updating primary key table", "UPDATE pk.dup SET v = 1 WHERE k = 1")
        answer = self.cluster.stream_load("pk", "dup", "1,2\n", column_separator=",", partial_update="true", columns="k,v")
        self.assertEqual(answer["Status"], "Fail", answer)


if __name__ == "__main__":
    main()
