"""Transactions of SQL and of stream load, temporary tables, merged loads; with processes that are killed in between."""

import json
import os
import subprocess
import threading
import time

import pymysql

from harness import HOST, ROOT, ClusterTest, kill, main, run, wait_until

COMMA = {"column_separator": ","}


class Transactions(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("tx")
        cls.cluster.database("other")

    def sql(self, statement, **options):
        return self.cluster.sql(statement, database="tx", **options)

    def make(self, *tables, keys="DUPLICATE", database="tx"):
        for table in tables:
            self.sql(f"DROP TABLE IF EXISTS {database}.{table} FORCE")
            self.sql(f'CREATE TABLE {database}.{table} (k INT, v VARCHAR(20)) {keys} KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2 PROPERTIES ("replication_num" = "1")')

    def count(self, table):
        return self.sql(f"SELECT count(*) FROM {table}")[0][0]

    def state(self, label, database="tx"):
        return json.loads(self.curl("GET", f"/api/{database}/get_load_state?label={label}"))["state"]

    def curl(self, method, path, body=b"", port=None, **headers):
        command = ["curl", "-sS", "--location-trusted", "-u", "root:", "-X", method]
        if method == "PUT":
            command += ["-T", "-", "-H", "Expect: 100-continue"]
        for name, value in headers.items():
            command += ["-H", f"{name}:{value}"]
        command.append(f"http://{HOST}:{port or self.cluster.http_port}{path}")
        done = subprocess.run(command, input=body if isinstance(body, bytes) else body.encode(), capture_output=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def op(self, op, label, body=b"", want="OK", database="tx", **headers):
        """One request of the transaction interface."""
        answer = json.loads(self.curl("PUT" if op == "load" else "POST", f"/api/transaction/{op}", body, label=label, db=database, **headers))
        self.assertEqual(answer["Status"], want, (op, answer))
        return answer


class SqlTransactions(Transactions):
    def test_several_tables_become_visible_at_once(self):
        self.make("a", "b")
        with self.cluster.connect(database="tx") as one, one.cursor() as cursor:
            cursor.execute("BEGIN WITH LABEL pair")
            cursor.execute("INSERT INTO a VALUES (1, 'x'), (2, 'y')")
            self.assertEqual(cursor.rowcount, 2)
            cursor.execute("INSERT INTO b SELECT 7, 'z'")
            self.assertEqual((self.count("a"), self.count("b"), self.state("pair")), (0, 0, "PREPARE"))
            cursor.execute("COMMIT")
            self.assertEqual((self.count("a"), self.count("b"), self.state("pair")), (2, 1, "VISIBLE"))
            cursor.execute("COMMIT")
        shown = [row for row in self.sql("SHOW TRANSACTION FROM tx WHERE label = 'pair'")]
        self.assertEqual((len(shown), shown[0][3]), (1, "VISIBLE"))

    def test_rollback_and_what_is_refused(self):
        self.make("a", "b", "c")
        self.make("far", database="other")
        with self.cluster.connect(database="tx") as one, one.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute("INSERT INTO a VALUES (1, 'x')")
            for number, statement in (
                (5303, "INSERT INTO a VALUES (2, 'x')"),
                (5307, "SELECT * FROM a"),
                (5307, "INSERT INTO b SELECT * FROM a"),
                (5306, "INSERT INTO other.far VALUES (1, 'x')"),
                (5305, "TRUNCATE TABLE b"),
                (5305, "INSERT OVERWRITE b VALUES (1, 'x')"),
            ):
                with self.assertRaises(pymysql.err.MySQLError) as caught:
                    cursor.execute(statement)
                self.assertEqual(caught.exception.args[0], number, (statement, caught.exception.args))
            cursor.execute("SELECT count(*) FROM c")
            self.assertEqual(cursor.fetchall(), ((0,),))
            cursor.execute("ROLLBACK")
            cursor.execute("SELECT count(*) FROM a")
            self.assertEqual(cursor.fetchall(), ((0,),))

    def test_a_failed_statement_leaves_only_rollback(self):
        self.make("a", "b")
        with self.cluster.connect(database="tx") as one, one.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO a VALUES (1, 'x')")
            with self.assertRaises(pymysql.err.MySQLError):
                cursor.execute("INSERT INTO b VALUES (1, repeat('long', 100))")
            with self.assertRaises(pymysql.err.MySQLError):
                cursor.execute("COMMIT")
        self.assertEqual((self.count("a"), self.count("b")), (0, 0))

    def test_update_and_delete(self):
        self.make("p", "q", keys="PRIMARY")
        self.make("d")
        self.sql("INSERT INTO p VALUES (1, 'x'), (2, 'y')")
        self.sql("INSERT INTO q VALUES (1, 'x'), (2, 'y')")
        self.sql("INSERT INTO d VALUES (1, 'x'), (2, 'y')")
        with self.cluster.connect(database="tx") as one, one.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE p SET v = 'z' WHERE k = 1")
            cursor.execute("DELETE FROM q WHERE k = 2")
            cursor.execute("DELETE FROM d WHERE k = 1")
            self.assertEqual((self.count("q"), self.count("d")), (2, 2))
            cursor.execute("COMMIT")
        self.assertEqual(self.sql("SELECT * FROM p ORDER BY k"), ((1, "z"), (2, "y")))
        self.assertEqual(self.sql("SELECT k FROM q"), ((1,),))
        self.assertEqual(self.sql("SELECT k FROM d"), ((2,),))

    def test_a_client_that_goes_rolls_back(self):
        self.make("a")
        one = self.cluster.connect(database="tx")
        one.cursor().execute("BEGIN WITH LABEL left_open")
        one.cursor().execute("INSERT INTO a VALUES (1, 'x')")
        one.close()
        wait_until("rolled back", lambda: self.state("left_open") == "ABORTED")
        self.assertEqual(self.count("a"), 0)

    def test_a_frontend_that_dies_rolls_back(self):
        self.make("a", "b")
        one = self.cluster.connect(database="tx")
        one.cursor().execute("BEGIN WITH LABEL died")
        one.cursor().execute("INSERT INTO a VALUES (1, 'x')")
        one.cursor().execute("INSERT INTO b VALUES (1, 'x')")
        self.cluster.restart(self.cluster.frontend)
        self.cluster.wait_alive()
        wait_until("rolled back", lambda: self.state("died") == "ABORTED")
        self.assertEqual((self.count("a"), self.count("b")), (0, 0))
        self.sql("INSERT INTO a WITH LABEL died VALUES (5, 'x')")
        self.assertEqual((self.count("a"), self.state("died")), (1, "VISIBLE"))


class TemporaryTables(Transactions):
    def temporary(self, cursor, name="t"):
        cursor.execute(f'CREATE TEMPORARY TABLE {name} (k INT) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1 PROPERTIES ("replication_num" = "1")')

    def test_one_session_sees_it(self):
        self.make("t")
        self.sql("INSERT INTO t VALUES (1, 'shared')")
        with self.cluster.connect(database="tx") as one, one.cursor() as cursor:
            self.temporary(cursor)
            cursor.execute("INSERT INTO t VALUES (10), (20)")
            cursor.execute("SELECT sum(k) FROM t")
            self.assertEqual(cursor.fetchall(), ((30,),))
            self.assertEqual(self.sql("SELECT v FROM t"), (("shared",),))
            cursor.execute("SHOW TEMPORARY TABLES")
            self.assertEqual(cursor.fetchall(), (("t",),))
            cursor.execute("DROP TEMPORARY TABLE t")
            cursor.execute("SELECT v FROM t")
            self.assertEqual(cursor.fetchall(), (("shared",),))

    def left(self):
        return self.sql("SELECT count(*) FROM information_schema.temp_tables")[0][0]

    def test_gone_with_the_session(self):
        one = self.cluster.connect(database="tx")
        self.temporary(one.cursor(), "short")
        self.assertEqual(self.left(), 1)
        one.close()
        wait_until("dropped", lambda: self.left() == 0)
        two = self.cluster.connect(database="tx")
        self.temporary(two.cursor(), "short")
        self.cluster.restart(self.cluster.frontend)
        self.cluster.wait_alive()
        wait_until("dropped after the restart", lambda: self.left() == 0)


class TwoPhase(Transactions):
    def test_loads_prepare_commit(self):
        self.make("a")
        began = self.op("begin", "two", table="a")
        self.assertEqual(self.op("begin", "two", table="a", want="LABEL_ALREADY_EXISTS")["ExistingJobStatus"], "RUNNING")
        # A body's last row ends with the body.
        for body in (b"1,a\n2,b\n", b"3,c", b"4,d\n"):
            answer = self.op("load", "two", body, table="a", **COMMA)
            self.assertEqual((answer["TxnId"], answer["LoadBytes"]), (began["TxnId"], len(body)))
        self.assertEqual(self.state("two"), "PREPARE")
        answer = self.op("prepare", "two")
        self.assertEqual((answer["NumberTotalRows"], answer["NumberLoadedRows"], answer["NumberFilteredRows"]), (4, 4, 0))
        self.assertEqual((self.state("two"), self.count("a")), ("PREPARED", 0))
        self.op("load", "two", b"9,z\n", table="a", want="INVALID_ARGUMENT", **COMMA)
        self.assertEqual(self.op("commit", "two")["NumberLoadedRows"], 4)
        self.assertEqual((self.state("two"), self.count("a")), ("VISIBLE", 4))
        self.assertIn("already committed", self.op("commit", "two")["Message"])
        self.op("rollback", "two", want="INTERNAL_ERROR")
        self.assertEqual(self.op("begin", "two", table="a", want="LABEL_ALREADY_EXISTS")["ExistingJobStatus"], "FINISHED")

    def test_json_bodies_follow_each_other(self):
        self.make("a")
        self.op("begin", "arrays", table="a")
        for body in ('[{"k":1,"v":"x"},{"k":2,"v":"y"}]', '[{"k":3,"v":"z"}]'):
            self.op("load", "arrays", body, table="a", format="json", strip_outer_array="true")
        self.op("commit", "arrays")
        self.assertEqual(self.sql("SELECT * FROM a ORDER BY k"), ((1, "x"), (2, "y"), (3, "z")))

    def test_rollback_and_errors(self):
        self.make("a")
        self.op("begin", "back", table="a")
        self.op("load", "back", b"1,a\n", table="a", **COMMA)
        self.op("rollback", "back")
        self.assertEqual((self.state("back"), self.count("a")), ("ABORTED", 0))
        self.op("commit", "back", want="TXN_NOT_EXISTS")
        self.op("load", "never", b"1,a\n", table="a", want="TXN_NOT_EXISTS", **COMMA)
        self.assertEqual(self.state("never"), "UNKNOWN")
        # Bad rows end the transaction.
        self.op("begin", "bad", table="a")
        self.op("load", "bad", b"1,a,too,many\n", table="a", **COMMA)
        answer = self.op("prepare", "bad", want="INTERNAL_ERROR")
        self.assertEqual(answer["Message"], "too many filtered rows")
        self.assertEqual((self.state("bad"), self.count("a")), ("ABORTED", 0))

    def test_several_tables(self):
        self.make("a", "b")
        self.op("begin", "multi", transaction_type="multi")
        for table in ("a", "b", "a"):
            self.op("load", "multi", b"1,x\n2,y\n", table=table, **COMMA)
        self.op("prepare", "multi")
        self.op("commit", "multi")
        self.assertEqual((self.count("a"), self.count("b")), (4, 2))

    def test_channels(self):
        self.make("a")
        for i in range(3):
            self.op("begin", "chan", table="a", channel_num="3", channel_id=str(i))
        errors = []

        def write(i):
            try:
                self.op("load", "chan", "".join(f"{i},{n}\n" for n in range(1000)), table="a", channel_num="3", channel_id=str(i), **COMMA)
                self.op("prepare", "chan", table="a", channel_num="3", channel_id=str(i))
            except AssertionError as e:
                errors.append(e)

        writers = [threading.Thread(target=write, args=(i,)) for i in range(3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(errors, [])
        self.op("commit", "chan", table="a")
        self.assertEqual(self.count("a"), 3000)

    def test_timeouts(self):
        self.make("a")
        self.op("begin", "idle", table="a", idle_transaction_timeout="1")
        self.op("load", "idle", b"1,a\n", table="a", **COMMA)
        wait_until("idle", lambda: self.state("idle") == "ABORTED")
        self.op("begin", "late", table="a")
        self.op("load", "late", b"1,a\n", table="a", **COMMA)
        self.op("prepare", "late", prepared_timeout="1")
        wait_until("prepared for too long", lambda: self.state("late") == "ABORTED")
        self.assertEqual(self.count("a"), 0)

    def test_prepared_survives_everybodys_death(self):
        self.make("a")
        for label, key in (("kept", 1), ("dropped", 2)):
            self.op("begin", label, table="a")
            self.op("load", label, f"{key},a\n", table="a", **COMMA)
            self.op("prepare", label)
        self.op("begin", "lost", table="a")
        self.op("load", "lost", b"3,a\n", table="a", **COMMA)
        backend, frontend = self.cluster.backends[0], self.cluster.frontend
        kill(backend)
        kill(frontend)
        self.cluster.start(frontend)
        self.cluster.start(backend)
        self.assertEqual((self.state("kept"), self.count("a")), ("PREPARED", 0))
        self.assertEqual(self.op("commit", "kept")["NumberLoadedRows"], 1)
        self.op("rollback", "dropped")
        self.op("load", "lost", b"3,a\n", table="a", want="TXN_NOT_EXISTS", **COMMA)
        wait_until("nobody feeds it any more", lambda: self.state("lost") == "ABORTED")
        self.assertEqual(self.sql("SELECT k FROM a"), ((1,),))

    def test_a_backend_that_dies_leaves_its_label(self):
        self.make("a")
        backend = self.cluster.backends[0]
        self.op("begin", "orphan", table="a")
        self.op("load", "orphan", b"3,a\n", table="a", **COMMA)
        kill(backend)
        # It has not answered since the load began, and does not come back.
        wait_until("ended without it", lambda: self.state("orphan") == "ABORTED")
        self.cluster.start(backend)
        self.op("begin", "orphan", table="a")
        self.op("load", "orphan", b"4,a\n", table="a", **COMMA)
        self.op("commit", "orphan", table="a")
        self.assertEqual(self.sql("SELECT k FROM a"), ((4,),))


class MergeCommit(Transactions):
    def load(self, table, body, interval=200, **headers):
        merge = {"enable_merge_commit": "true", "merge_commit_interval_ms": str(interval), "merge_commit_parallel": "1"}
        return self.cluster.stream_load("tx", table, body, **{**COMMA, **merge, **headers})

    def together(self, number, each):
        answers = [None] * number

        def one(i):
            answers[i] = each(i)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_many_become_one(self):
        self.make("m")
        answers = self.together(20, lambda i: self.load("m", f"{i},x", interval=1000, label=f"request{i}"))
        self.assertEqual({a["Status"] for a in answers}, {"Success"}, answers)
        self.assertEqual([a["RequestId"] for a in answers], [f"request{i}" for i in range(20)])
        self.assertLess(len({a["TxnId"] for a in answers}), 5)
        self.assertEqual(self.sql("SELECT count(*), sum(k) FROM m"), ((20, 190),))
        self.assertEqual(self.state(answers[0]["Label"]), "VISIBLE")
        metrics = self.cluster.http(self.cluster.backends[0]["ports"]["webserver"], "/metrics")
        counted = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if "merge_commit_" in line and not line.startswith("#"))
        self.assertGreaterEqual(int(float(counted["starrocks_be_merge_commit_success_total"])), 20, counted)

    def test_parameters_and_passwords_keep_apart(self):
        self.make("m")
        both = self.together(2, lambda i: self.load("m", "1,x\n" if i else "x,1\n", columns="k,v" if i else "v,k", interval=500))
        self.assertEqual({a["Status"] for a in both}, {"Success"}, both)
        self.assertEqual((len({a["TxnId"] for a in both}), self.count("m")), (2, 2))
        answers = self.together(2, lambda i: self.load("m", "2,y\n", interval=500, user="root:" if i else "nobody:"))
        self.assertEqual(sorted(a.get("Status", a.get("status")) for a in answers), ["FAILED", "Success"], answers)

    def test_one_bad_request_fails_its_batch(self):
        self.make("m")
        answers = self.together(3, lambda i: self.load("m", "1,x,3\n" if i == 1 else "1,x\n", interval=1500))
        if len({a["TxnId"] for a in answers}) == 1:
            self.assertEqual(({a["Status"] for a in answers}, self.count("m")), ({"Fail"}, 0))
        self.assertEqual(answers[1]["Message"], "too many filtered rows")

    def test_asynchronous(self):
        self.make("m")
        began = time.monotonic()
        answer = self.load("m", "1,x\n", interval=5000, merge_commit_async="true")
        self.assertEqual(answer["Status"], "Success")
        self.assertLess(time.monotonic() - began, 5, "it does not wait for its batch")
        wait_until("visible", lambda: self.count("m") == 1)

    def test_what_was_acknowledged_survives(self):
        self.make("m")
        acknowledged, stop = [], threading.Event()

        def client(first):
            for key in range(first, first + 100_000):
                if stop.is_set():
                    return
                try:
                    answer = self.load("m", f"{key},x\n", interval=50)
                except (AssertionError, ValueError):
                    continue
                if answer.get("Status") == "Success":
                    acknowledged.append(key)

        clients = [threading.Thread(target=client, args=(i * 100_000,)) for i in range(4)]
        for thread in clients:
            thread.start()
        for process in (self.cluster.backends[0], self.cluster.frontend):
            before = len(acknowledged)
            wait_until("some loads", lambda: len(acknowledged) > before + 20)  # pylint: disable=cell-var-from-loop
            self.cluster.restart(process)
            self.cluster.wait_alive()
        before = len(acknowledged)
        wait_until("loads go on", lambda: len(acknowledged) > before + 5)
        stop.set()
        for thread in clients:
            thread.join()
        found = {row[0] for row in self.sql("SELECT k FROM m")}
        self.assertEqual(set(acknowledged) - found, set())


class OnSeveralBackends(Transactions):
    backend_count = 3

    def test_loads_of_one_transaction_keep_apart(self):
        for copies in (1, 3):
            for table in ("a", "b"):
                self.sql(f"DROP TABLE IF EXISTS {table} FORCE")
                self.sql(f'CREATE TABLE {table} (k INT, v VARCHAR(20)) DISTRIBUTED BY HASH (k) BUCKETS 5 PROPERTIES ("replication_num" = "{copies}")')
            self.op("begin", f"apart{copies}", transaction_type="multi")
            rows = {table: "".join(f"{k},{table}\n" for k in range(count)) for table, count in (("a", 400), ("b", 300))}
            for table in ("a", "b", "a"):
                self.op("load", f"apart{copies}", rows[table], table=table, **COMMA)
            self.op("prepare", f"apart{copies}")
            self.op("commit", f"apart{copies}")
            for table, count in (("a", 800), ("b", 300)):
                wait_until("all rows are there", lambda table=table, count=count: self.sql(f"SELECT count(*), count(DISTINCT v), max(v) FROM {table}") == ((count, 1, table),))

    def test_write_quorum(self):
        for quorum in ("ONE", "MAJORITY", "ALL"):
            self.sql(f"DROP TABLE IF EXISTS q_{quorum} FORCE")
            self.sql(f'CREATE TABLE q_{quorum} (k INT) DISTRIBUTED BY HASH (k) BUCKETS 2 PROPERTIES ("replication_num" = "3", "write_quorum" = "{quorum}")')

        def refused(quorum):
            try:
                self.sql(f"INSERT INTO q_{quorum} SELECT n FROM TABLE(generate_series(1, 100)) g(n)")
                return False
            except pymysql.err.MySQLError as e:
                self.assertRegex(e.args[1], "fewer than|not alive|available BE")
                return True

        alive = list(self.cluster.backends)
        self.assertEqual([refused(q) for q in ("ONE", "MAJORITY", "ALL")], [False, False, False])
        kill(alive[2])
        self.assertEqual([refused(q) for q in ("ONE", "MAJORITY", "ALL")], [False, False, True])
        kill(alive[1])
        self.assertEqual([refused(q) for q in ("ONE", "MAJORITY", "ALL")], [False, True, True])
        self.sql('ALTER TABLE q_MAJORITY SET ("write_quorum" = "one")')
        self.assertFalse(refused("MAJORITY"))
        for process in alive[1:]:
            run(os.path.join(ROOT, "bin/start_be.sh"), "--home", process["home"], "--daemon")
        self.cluster.wait_alive()
        for quorum, count in (("ONE", 300), ("MAJORITY", 300), ("ALL", 100)):
            wait_until("every replica has it", lambda quorum=quorum: self.sql(f"ADMIN SHOW REPLICA STATUS FROM q_{quorum} WHERE STATUS != 'OK'") == ())
            self.assertEqual(self.sql(f"SELECT count(*) FROM q_{quorum}"), ((count,),))


if __name__ == "__main__":
    main()
