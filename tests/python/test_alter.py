"""Schema changes, rollups and their jobs under load, and over kills of frontend and backend."""

import threading
import time
import unittest

import pymysql

from harness import Cluster, main, wait_until

ROWS = 400_000


def finished(cluster, database, kind="COLUMN"):
    """The newest job of a kind when it has come to its end."""
    jobs = cluster.sql(f"SHOW ALTER TABLE {kind} FROM {database} ORDER BY CreateTime DESC LIMIT 1")
    return jobs[0] if jobs and ("FINISHED" in jobs[0] or "CANCELLED" in jobs[0]) else None


class Loader(threading.Thread):
    """Inserts batches until it is told to stop; counts what was acknowledged and what may have been."""

    def __init__(self, cluster, database, first):
        super().__init__(daemon=True)
        self.cluster, self.database, self.next = cluster, database, first
        self.sure, self.unsure, self.errors = [], [], []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            keys = range(self.next, self.next + 50)
            self.next += 50
            values = ",".join(f"({k}, {k * 2}, '{k * 3}')" for k in keys)
            try:
                self.cluster.sql(f"INSERT INTO {self.database}.t (k, v, s) VALUES {values}")
                self.sure.extend(keys)
            except pymysql.Error as e:
                self.unsure.extend(keys)
                self.errors.append(str(e))
                time.sleep(0.2)

    def stop(self):
        self.stopping.set()
        self.join(60)


class Reader(threading.Thread):
    """Asks for rows that cannot be: there must never be one."""

    def __init__(self, cluster, database):
        super().__init__(daemon=True)
        self.cluster, self.database = cluster, database
        self.wrong, self.errors, self.answers = [], [], 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                bad = self.cluster.sql(f"SELECT count(*) FROM {self.database}.t WHERE v <> k * 2 OR s <> cast(k * 3 AS varchar)")
                count = self.cluster.sql(f"SELECT count(*), count(distinct k) FROM {self.database}.t")
                self.answers += 1
                if bad[0][0] != 0 or count[0][0] != count[0][1]:
                    self.wrong.append((bad, count))
            except pymysql.Error as e:
                self.errors.append(str(e))
                time.sleep(0.2)

    def stop(self):
        self.stopping.set()
        self.join(60)


class Alter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(backends=1)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def table(self, database):
        self.cluster.database(database)
        self.cluster.sql(
            f"CREATE TABLE {database}.t (k INT, v INT, s VARCHAR(20)) DUPLICATE KEY(k) "
            "DISTRIBUTED BY HASH(k) BUCKETS 4 PROPERTIES ('replication_num' = '1')"
        )
        self.cluster.sql(
            f"INSERT INTO {database}.t SELECT generate_series, generate_series * 2, cast(generate_series * 3 AS varchar) "
            f"FROM TABLE(generate_series(1, {ROWS}))"
        )

    def settle(self, database, kind="COLUMN"):
        wait_until("the job ends", lambda: finished(self.cluster, database, kind))
        return finished(self.cluster, database, kind)

    def check_rows(self, database, loader):
        """Every acknowledged row is there once, rows of failed inserts whole batches or not at all."""
        rows = self.cluster.sql(f"SELECT k FROM {database}.t WHERE k > {ROWS}")
        keys = [r[0] for r in rows]
        self.assertEqual(len(keys), len(set(keys)), "rows were doubled")
        self.assertFalse(set(loader.sure) - set(keys), "acknowledged rows are missing")
        self.assertFalse(set(keys) - set(loader.sure) - set(loader.unsure), "rows nobody wrote")
        self.assertEqual(self.cluster.sql(f"SELECT count(*) FROM {database}.t WHERE k <= {ROWS}")[0][0], ROWS)
        wrong = self.cluster.sql(f"SELECT count(*) FROM {database}.t WHERE v <> k * 2 OR s <> cast(k * 3 AS varchar) OR v IS NULL")
        self.assertEqual(wrong[0][0], 0)

    def test_compression_holds_for_what_is_written_from_then_on(self):
        db = "alter_compression"
        self.cluster.database(db)
        rows = "SELECT generate_series, repeat(md5(cast(generate_series % 5000 AS varchar)), 4) FROM TABLE(generate_series(1, 100000))"
        sizes, answers = {}, set()
        for table, made, then in [("plain", "NO_COMPRESSION", None), ("changed", "NO_COMPRESSION", "zstd(9)"), ("zstd", "ZSTD(9)", None)]:
            self.cluster.sql(
                f"CREATE TABLE {db}.{table} (k INT, s STRING) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 "
                f"PROPERTIES ('replication_num' = '1', 'compression' = '{made}')"
            )
            for setting in (None, then):
                if setting:
                    self.cluster.sql(f"ALTER TABLE {db}.{table} SET ('compression' = '{setting}')")
                    self.assertIn('"compression" = "ZSTD(9)"', self.cluster.sql(f"SHOW CREATE TABLE {db}.{table}")[0][1])
                self.cluster.sql(f"INSERT INTO {db}.{table} {rows}")
            answers.add(self.cluster.sql(f"SELECT count(*), sum(murmur_hash3_32(s)) FROM {db}.{table}"))
            sizes[table] = self.cluster.sql(
                "SELECT sum(DATA_SIZE) FROM information_schema.be_tablets t JOIN information_schema.tables_config c ON t.TABLE_ID = c.TABLE_ID "
                f"WHERE c.TABLE_SCHEMA = '{db}' AND c.TABLE_NAME = '{table}'"
            )[0][0]
        self.assertEqual(len(answers), 1)
        self.assertLess(sizes["zstd"], 0.8 * sizes["plain"], sizes)
        # One load of two was written after the change.
        self.assertAlmostEqual(sizes["changed"], (sizes["zstd"] + sizes["plain"]) / 2, delta=0.05 * sizes["plain"])

    def test_columns_come_and_go_while_rows_do(self):
        db = "alter_fast"
        self.table(db)
        loader = Loader(self.cluster, db, ROWS + 1)
        reader = Reader(self.cluster, db)
        loader.start()
        reader.start()
        for i in range(10):
            self.cluster.sql(f"ALTER TABLE {db}.t ADD COLUMN c{i} BIGINT DEFAULT '{i}'")
            self.assertEqual(self.cluster.sql(f"SELECT min(c{i}), max(c{i}) FROM {db}.t"), ((i, i),))
            if i % 2:
                self.cluster.sql(f"ALTER TABLE {db}.t DROP COLUMN c{i}")
        loader.stop()
        reader.stop()
        self.assertEqual(reader.wrong, [])
        self.assertEqual(loader.errors, [], "a statement whose table changes meanwhile is planned again")
        self.assertGreater(reader.answers, 0)
        self.check_rows(db, loader)
        self.assertEqual(self.cluster.sql(f"SELECT sum(c0), sum(c2), sum(c8), count(*) FROM {db}.t WHERE k <= 10"), ((0, 20, 80, 10),))

    def test_rewrite_under_loads_and_queries(self):
        db = "alter_rewrite"
        self.table(db)
        loader = Loader(self.cluster, db, ROWS + 1)
        reader = Reader(self.cluster, db)
        loader.start()
        reader.start()
        self.cluster.sql(f"ALTER TABLE {db}.t MODIFY COLUMN v BIGINT")
        self.assertIn("FINISHED", self.settle(db))
        self.cluster.sql(f"ALTER TABLE {db}.t ORDER BY (v, k)")
        self.assertIn("FINISHED", self.settle(db))
        self.cluster.sql(f"ALTER TABLE {db}.t ADD COLUMN g BIGINT AS k + v")
        self.assertIn("FINISHED", self.settle(db))
        loader.stop()
        reader.stop()
        self.assertEqual(reader.wrong, [])
        self.check_rows(db, loader)
        self.assertEqual(self.cluster.sql(f"SELECT count(*) FROM {db}.t WHERE g <> k * 3 OR g IS NULL")[0][0], 0)

    def test_kill_of_the_frontend(self):
        db = "alter_kill_fe"
        self.table(db)
        loader = Loader(self.cluster, db, ROWS + 1)
        loader.start()
        self.cluster.sql(f"ALTER TABLE {db}.t MODIFY COLUMN v BIGINT, ADD COLUMN k2 INT KEY DEFAULT '5'")
        self.cluster.restart(self.cluster.frontend)
        self.assertIn("FINISHED", self.settle(db))
        loader.stop()
        self.check_rows(db, loader)
        self.assertEqual(self.cluster.sql(f"SELECT count(*) FROM {db}.t WHERE k2 <> 5 OR k2 IS NULL")[0][0], 0)

    def test_kill_of_the_backend(self):
        db = "alter_kill_be"
        self.table(db)
        loader = Loader(self.cluster, db, ROWS + 1)
        loader.start()
        self.cluster.sql(f"ALTER TABLE {db}.t MODIFY COLUMN v BIGINT")
        self.cluster.restart(self.cluster.backends[0])
        self.assertIn("FINISHED", self.settle(db))
        loader.stop()
        self.check_rows(db, loader)
        self.cluster.restart(self.cluster.backends[0])
        wait_until("the table reads", lambda: self.cluster.sql(f"SELECT count(*) FROM {db}.t"))
        self.check_rows(db, loader)

    def test_a_value_that_does_not_convert_cancels(self):
        db = "alter_cancel"
        self.table(db)
        self.cluster.sql(f"INSERT INTO {db}.t VALUES ({ROWS + 1}, {2 * (ROWS + 1)}, 'many')")
        self.cluster.sql(f"ALTER TABLE {db}.t MODIFY COLUMN s BIGINT")
        job = self.settle(db)
        self.assertIn("CANCELLED", job)
        self.assertIn("does not convert", job[10])
        self.assertEqual(self.cluster.sql(f"SELECT s FROM {db}.t WHERE k = {ROWS + 1}"), (("many",),))
        self.cluster.sql(f"ALTER TABLE {db}.t ADD COLUMN c INT")

    def test_rollup_is_built_maintained_and_read(self):
        db = "alter_rollup"
        self.table(db)
        loader = Loader(self.cluster, db, ROWS + 1)
        loader.start()
        self.cluster.sql(f"ALTER TABLE {db}.t ADD ROLLUP by_v (v, k)")
        self.assertIn("FINISHED", self.settle(db, "ROLLUP"))
        loader.stop()
        count = self.cluster.sql(f"SELECT count(*) FROM {db}.t")
        self.assertEqual(self.cluster.sql(f"SELECT count(*) FROM by_v [_SYNC_MV_]", database=db), count)
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM by_v [_SYNC_MV_] WHERE v <> k * 2", database=db), ((0,),))
        plan = "\n".join(r[0] for r in self.cluster.sql(f"EXPLAIN SELECT k FROM {db}.t WHERE v = 20"))
        self.assertIn("rollup: by_v", plan)
        self.assertEqual(self.cluster.sql(f"SELECT k FROM {db}.t WHERE v = 20"), ((10,),))
        self.cluster.sql(f"ALTER TABLE {db}.t DROP ROLLUP by_v")
        self.assertEqual(self.cluster.sql(f"SELECT k FROM {db}.t WHERE v = 20"), ((10,),))
        self.check_rows(db, loader)

    def plan(self, database, query):
        return "\n".join(r[0] for r in self.cluster.sql("EXPLAIN " + query, database=database))

    def settle_all(self, database, kind):
        wait_until("the jobs end", lambda: all("FINISHED" in j for j in self.cluster.sql(f"SHOW ALTER TABLE {kind} FROM {database}")))

    def fields(self, database, index):
        """The columns of an index as DESC ALL tells them: an index's name is in its first row only."""
        name, fields = None, {}
        for row in self.cluster.sql(f"DESC {database}.t ALL"):
            name = row[0] or name
            if row[2]:
                fields.setdefault(name, []).append(row[2])
        return fields[index]

    def change_rollups(self, model, value, text):
        """Rollups of a table of a model get other columns while it is loaded; what they hold is compared with what was written."""
        db = self.cluster.database(f"alter_rollups_{model.lower()}")
        sql = lambda statement: self.cluster.sql(statement, database=db)
        sql(
            f"CREATE TABLE t (k INT, d INT, v BIGINT {value}, s VARCHAR(20) {text}) {model} KEY(k, d) "
            "DISTRIBUTED BY HASH(k) BUCKETS 4 PROPERTIES ('replication_num' = '1')"
        )
        sql(
            "INSERT INTO t SELECT generate_series, generate_series % 10, generate_series * 2, cast(generate_series * 3 AS varchar) "
            f"FROM TABLE(generate_series(1, {ROWS}))"
        )
        loader = Loader(self.cluster, db, ROWS + 1)
        loader.start()
        with self.assertRaisesRegex(pymysql.Error, "Column\\[nosuch\\] does not exist"):
            sql("ALTER TABLE t ADD ROLLUP r1 (k, d, v), r2 (nosuch)")
        self.assertEqual(sql("SHOW ALTER TABLE ROLLUP"), ())
        keys = "DUPLICATE KEY (d, k)" if model == "DUPLICATE" else ""
        sql(f"ALTER TABLE t ADD ROLLUP r1 (k, d, v), r2 (d, k, v, s) {keys}")
        self.assertEqual({job[5] for job in sql("SHOW ALTER TABLE ROLLUP")}, {"r1", "r2"})
        self.settle_all(db, "ROLLUP")
        with self.assertRaisesRegex(pymysql.Error, "Column\\[s\\] does not exist in index\\[r1\\]"):
            sql("ALTER TABLE t ADD ROLLUP r3 (d, k, s) FROM r1")
        sql("ALTER TABLE t ADD ROLLUP r3 (d, k, v) FROM r1")
        self.settle_all(db, "ROLLUP")
        expected = (ROWS, ROWS * (ROWS + 1))
        for rollup in ["r1", "r2", "r3"]:
            self.assertEqual(sql(f"SELECT count(*), sum(v), sum(d) FROM {rollup} [_SYNC_MV_] WHERE k <= {ROWS}"), ((*expected, ROWS // 10 * 45),))
        changes = [
            (f"ADD COLUMN c INT {text} DEFAULT '7' TO r2", ["d", "k", "v", "s", "c"]),
            ("DROP COLUMN s FROM r2", ["d", "k", "v", "c"]),
            (f"MODIFY COLUMN v BIGINT {value} AFTER c FROM r2", ["d", "k", "c", "v"]),
        ]
        for clause, columns in changes:
            sql(f"ALTER TABLE t {clause}")
            job = self.settle(db)
            self.assertIn("FINISHED", job)
            self.assertEqual(job[4], "r2")
            self.assertEqual(self.fields(db, "r2"), columns)
            self.assertEqual(sql(f"SELECT count(*), sum(v), min(c), max(c) FROM r2 [_SYNC_MV_] WHERE k <= {ROWS}"), ((*expected, 7, 7),))
        self.assertEqual(self.fields(db, "t"), ["k", "d", "v", "s", "c"])
        loader.stop()
        self.assertEqual(loader.errors, [], "a statement whose table changes meanwhile is planned again")
        self.check_rows(db, loader)
        # Rows of the loads during all this, and one that has something else in the new column.
        sql("INSERT INTO t (k, d, v, s, c) VALUES (-1, 3, -2, '-3', 9)")
        of_base = "SELECT count(s), sum(v), min(c), max(c), count(distinct k) FROM t"
        self.assertIn("rollup: t", self.plan(db, of_base))
        self.assertEqual(sql("SELECT count(v), sum(v), min(c), max(c), count(distinct k) FROM r2 [_SYNC_MV_]"), sql(of_base))
        self.assertEqual(sql("SELECT count(*) FROM r2 [_SYNC_MV_] WHERE v <> k * 2 OR c <> if(k = -1, 9, 7) OR c IS NULL"), ((0,),))
        if model == "DUPLICATE":
            query, answer = "SELECT k, c FROM t WHERE d = 3 ORDER BY k LIMIT 2", ((-1, 9), (3, 7))
        else:
            query, answer = "SELECT d, max(c) FROM t WHERE d IN (3, 4) GROUP BY d ORDER BY d", ((3, 9), (4, 7))
        if model != "UNIQUE":
            self.assertIn("rollup: r2", self.plan(db, query))
        self.assertEqual(sql(query), answer)
        sql("ALTER TABLE t ORDER BY (k, d, v, c) FROM r2")
        self.assertIn("FINISHED", self.settle(db))
        self.assertEqual(self.fields(db, "r2"), ["k", "d", "v", "c"])
        self.assertEqual(sql("SELECT count(v), sum(v), min(c), max(c), count(distinct k) FROM r2 [_SYNC_MV_]"), sql(of_base))
        self.assertEqual(sql(query), answer)

    def test_rollups_change_their_columns_in_duplicate_tables(self):
        self.change_rollups("DUPLICATE", "", "")

    def test_rollups_change_their_columns_in_unique_tables(self):
        self.change_rollups("UNIQUE", "", "")

    def test_rollups_change_their_columns_in_aggregate_tables(self):
        self.change_rollups("AGGREGATE", "SUM", "MAX")

    def test_rows_of_a_rollup_without_a_key_add_up(self):
        db = self.cluster.database("alter_rollup_sums")
        sql = lambda statement: self.cluster.sql(statement, database=db)
        sql("CREATE TABLE t (k INT, d INT, v BIGINT SUM) AGGREGATE KEY(k, d) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
        sql("INSERT INTO t VALUES (1, 1, 1), (1, 2, 2), (2, 1, 4)")
        sql("ALTER TABLE t ADD ROLLUP r (d, k, v)")
        self.settle_all(db, "ROLLUP")
        sql("ALTER TABLE t DROP COLUMN k FROM r")
        self.assertIn("FINISHED", self.settle(db))
        sql("INSERT INTO t VALUES (2, 2, 8)")
        self.assertEqual(sql("SELECT * FROM r [_SYNC_MV_] ORDER BY d, v"), ((1, 5), (2, 10)))
        by_day = "SELECT d, sum(v) FROM t GROUP BY d ORDER BY d"
        self.assertIn("rollup: r", self.plan(db, by_day))
        self.assertEqual(sql(by_day), ((1, 5), (2, 10)))
        with self.assertRaisesRegex(pymysql.Error, "No key column left"):
            sql("ALTER TABLE t DROP COLUMN d FROM r")

    def test_a_change_of_a_rollup_is_cancelled(self):
        db = self.cluster.database("alter_rollup_cancel")
        sql = lambda statement: self.cluster.sql(statement, database=db)
        sql("CREATE TABLE t (k INT, v INT, s VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
        sql("INSERT INTO t VALUES (1, 2, '3')")
        sql("ALTER TABLE t ADD ROLLUP r (v, k)")
        self.settle_all(db, "ROLLUP")
        with self.cluster.connect(database=db) as connection, connection.cursor() as cursor:
            # The job waits for a load that began before it.
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO t VALUES (2, 4, '6')")
            sql("ALTER TABLE t ADD COLUMN c INT DEFAULT '5' TO r")
            self.assertEqual([(j[4], j[9]) for j in sql("SHOW ALTER TABLE COLUMN")], [("r", "WAITING_TXN")])
            for refused in ["ADD COLUMN d INT", "DROP ROLLUP r", "DROP COLUMN v FROM r", "ADD ROLLUP q (s)", "RENAME COLUMN s TO z"]:
                with self.assertRaises(pymysql.Error, msg=refused):
                    sql(f"ALTER TABLE t {refused}")
            self.assertEqual(sql("SELECT * FROM r [_SYNC_MV_]"), ((2, 1),))
            self.assertEqual(self.fields(db, "t"), ["k", "v", "s"])
            sql("CANCEL ALTER TABLE COLUMN FROM t")
            cursor.execute("COMMIT")
        self.assertEqual(sql("SHOW ALTER TABLE COLUMN")[0][9], "CANCELLED")
        self.assertEqual((self.fields(db, "t"), self.fields(db, "r")), (["k", "v", "s"], ["v", "k"]))
        self.assertEqual(sql("SELECT * FROM r [_SYNC_MV_] ORDER BY v"), ((2, 1), (4, 2)))
        sql("ALTER TABLE t ADD COLUMN c INT DEFAULT '5' TO r")
        self.assertIn("FINISHED", self.settle(db))
        self.assertEqual(sql("SELECT * FROM r [_SYNC_MV_] ORDER BY v"), ((2, 1, 5), (4, 2, 5)))
        self.assertEqual(sql("SELECT k, c FROM t WHERE v = 4"), ((2, 5),))

    def test_rollups_change_over_kills(self):
        db = "alter_rollup_kill"
        self.table(db)
        self.cluster.sql(f"ALTER TABLE {db}.t ADD ROLLUP by_v (v, k)")
        self.settle_all(db, "ROLLUP")
        loader = Loader(self.cluster, db, ROWS + 1)
        loader.start()
        self.cluster.sql(f"ALTER TABLE {db}.t ADD COLUMN c INT DEFAULT '5' TO by_v")
        self.cluster.restart(self.cluster.frontend)
        self.assertIn("FINISHED", self.settle(db))
        self.cluster.sql(f"ALTER TABLE {db}.t ADD ROLLUP a (s, k), b (c, k, v) FROM by_v")
        self.cluster.restart(self.cluster.backends[0])
        self.settle_all(db, "ROLLUP")
        loader.stop()
        self.check_rows(db, loader)
        count = self.cluster.sql(f"SELECT count(s), min(c), max(c) FROM {db}.t")
        for rollup in ["by_v", "b"]:
            self.assertEqual(self.cluster.sql(f"SELECT count(*), min(c), max(c) FROM {rollup} [_SYNC_MV_]", database=db), count)
            self.assertEqual(self.cluster.sql(f"SELECT count(*) FROM {rollup} [_SYNC_MV_] WHERE v <> k * 2 OR c <> 5", database=db), ((0,),))
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM a [_SYNC_MV_] WHERE s = cast(k * 3 AS varchar)", database=db), ((count[0][0],),))


if __name__ == "__main__":
    main()
