"""The way a new user goes, on real processes: create, load, query, kill, and find everything again."""

import contextlib
import fcntl
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pymysql

from harness import HOST, ROOT, ClusterTest, free_port_base, kill, main, pid_of, run, wait_until

ONE_COPY = 'PROPERTIES ("replication_num" = "1")'

# A backend in the middle of being killed: its first thread is gone, another holds the port until its input ends.
DYING = """
import ctypes, os, socket, sys, threading
libc = ctypes.CDLL(None)
PR_SET_NAME = 15
libc.prctl(PR_SET_NAME, b"mirrorship-be", 0, 0, 0)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
libc.pthread_exit(None)
"""

# A backend that gives up while it is asked whether it is ready: each connection ends before its request is read.
GIVES_UP = """#!/usr/bin/env python3
import socket, struct, sys
listener = socket.create_server(("127.0.0.1", {port}))
for _ in range(40):
    connection, _ = listener.accept()
    connection.shutdown(socket.SHUT_WR)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
sys.exit("it is not wanted here")
"""


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rpartition(") ")[2][:1]


def is_locked(path):
    with open(path, "a", encoding="utf-8") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def orders_csv(first, count):
    """Rows of the table `orders`: deterministic, so that sums are known."""
    lines = [f"{i},2024-{1 + i % 12:02}-{1 + i % 28:02},city{i % 7},{i % 100}.{i % 10}0" for i in range(first, first + count)]
    return "\n".join(lines) + "\n"


def load_head(table, label, length, *more):
    """What a client says before the body of a stream load, to send the body by hand."""
    lines = [f"PUT /api/e2e/{table}/_stream_load HTTP/1.1", f"Host: {HOST}", "Authorization: Basic cm9vdDo=", f"label: {label}", "column_separator: ,"]
    return "\r\n".join([*lines, *more, f"Content-Length: {length}", "", ""]).encode()


def orders_sum(first, count):
    """sum(amount) of these rows, in cents."""
    return sum(i % 100 * 100 + i % 10 * 10 for i in range(first, first + count))


class EndToEnd(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("e2e")

    def make_orders(self, table, buckets=3):
        self.cluster.sql(f"DROP TABLE IF EXISTS e2e.{table} FORCE")
        self.cluster.sql(
            f"CREATE TABLE e2e.{table} (id BIGINT NOT NULL, day DATE NOT NULL, city VARCHAR(20), amount DECIMAL(10, 2)) "
            "DUPLICATE KEY (id) PARTITION BY RANGE (day) (PARTITION h1 VALUES LESS THAN ('2024-07-01'), "
            f"PARTITION h2 VALUES LESS THAN ('2025-01-01')) DISTRIBUTED BY HASH (id) BUCKETS {buckets} {ONE_COPY}"
        )

    def load_orders(self, table, first, count, **headers):
        answer = self.cluster.stream_load("e2e", table, orders_csv(first, count), column_separator=",", **headers)
        self.assertEqual(answer["Status"], "Success", answer)
        self.assertEqual(answer["NumberLoadedRows"], count)
        return answer

    def check_orders(self, table, count):
        total, cents = self.cluster.sql(f"SELECT count(*), sum(amount) * 100 FROM e2e.{table}")[0]
        self.assertEqual((total, int(cents)), (count, orders_sum(0, count)))

    # ---- processes

    def test_health_and_metrics(self):
        cluster = self.cluster
        self.assertEqual(cluster.http(cluster.http_port, "/api/bootstrap"), '{"status":"OK","msg":"Success"}')
        backend_port = cluster.backends[0]["ports"]["webserver"]
        self.assertEqual(cluster.http(backend_port, "/api/health"), '{"status": "OK","msg": "To Be Added"}')
        health = json.loads(cluster.http(cluster.http_port, "/api/health"))
        self.assertEqual((health["online_backend_num"], health["total_backend_num"]), (self.backend_count, self.backend_count))
        self.assertIn("# TYPE starrocks_fe_", cluster.http(cluster.http_port, "/metrics"))
        self.assertIn("# TYPE starrocks_be_", cluster.http(backend_port, "/metrics"))

    def test_a_second_start_is_refused(self):
        for process in self.cluster.processes:
            role, pid = process["role"], pid_of(process)
            done = run(f"{ROOT}/bin/start_{role}.sh", "--home", process["home"], "--daemon", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"runs already (pid {pid})", done.stderr)

    def test_status_shows_every_process(self):
        done = self.cluster.script("status")
        self.assertEqual(done.stdout.count(" ready "), 1 + self.backend_count, done.stdout)

    def test_internal_ports_need_the_token(self):
        fe, be = self.cluster.frontend["ports"], self.cluster.backends[0]["ports"]
        calls = [
            (fe["rpc"], "mirrorship.fe_service.FeService/Report"),
            (fe["edit_log"], "mirrorship.fe_peer.FePeer/Vote"),
            (be["be"], "mirrorship.be_service.BeService/Cancel"),
            (be["brpc"], "mirrorship.be_peer.BePeer/TransmitRuntimeFilter"),
        ]
        for port, method in calls:
            for headers in ([], ["-H", "mirrorship-token: guessed"]):
                command = ["curl", "-sS", "-i", "-m", "10", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers"]
                done = run(*command, *headers, "-X", "POST", f"http://{HOST}:{port}/{method}")
                # 16 is UNAUTHENTICATED.
                self.assertIn("grpc-status: 16", done.stdout.lower(), method)

    # ---- errors

    def test_errors_at_login(self):
        with self.assertRaises(pymysql.err.OperationalError) as caught:
            self.cluster.connect(password="wrong")
        self.assertEqual(caught.exception.args[0], 1045)
        self.assertIn("Access denied for user 'root'", caught.exception.args[1])
        self.assertIn("(using password: YES)", caught.exception.args[1])
        with self.assertRaises(pymysql.err.MySQLError) as caught:
            self.cluster.connect(user="nobody")
        self.assertEqual(caught.exception.args[0], 1045)
        with self.assertRaises(pymysql.err.MySQLError) as caught:
            self.cluster.connect(database="no_such_db")
        self.assertIn("no_such_db", caught.exception.args[1])

    def test_errors_of_statements(self):
        self.assert_error(1064, "Getting syntax error at line 2, column", "SELECT\nFROM FROM t")
        self.assert_error(5501, "no_such_db", "USE no_such_db")
        self.assert_error(5502, "no_such_table", "SELECT * FROM e2e.no_such_table")
        self.assert_error(1064, "no_such_column", "SELECT no_such_column FROM (SELECT 1 AS a) t")
        self.assert_error(1064, "no_such_function", "SELECT no_such_function(1)")
        self.assert_error(1007, "e2e", "CREATE DATABASE e2e")
        self.assert_error(1193, "no_such_variable", "SET no_such_variable = 1")

    def test_bad_input_leaves_the_server_standing(self):
        nested = "SELECT " + "(" * 5000 + "1" + ")" * 5000
        with self.assertRaises(pymysql.err.MySQLError):
            self.cluster.sql(nested)
        in_list = ", ".join(str(i) for i in range(10_000))
        self.assertEqual(self.cluster.sql(f"SELECT 9999 IN ({in_list}), 10000 IN ({in_list})"), ((1, 0),))
        columns = ", ".join(f"c{i} INT" for i in range(1000))
        self.cluster.sql(f"CREATE TABLE e2e.wide ({columns}) DUPLICATE KEY (c0) DISTRIBUTED BY HASH (c0) BUCKETS 1 {ONE_COPY}")
        self.cluster.sql(f"INSERT INTO e2e.wide VALUES ({', '.join(str(i) for i in range(1000))})")
        self.assertEqual(self.cluster.sql("SELECT c0, c500, c999 FROM e2e.wide"), ((0, 500, 999),))
        # Packets that lie about their length, and plain noise.
        for noise in (b"\xff\xff\xff\x00" + b"x" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\x05\x00\x00\x01abc"):
            with socket.create_connection((HOST, self.cluster.query_port), timeout=5) as s:
                s.recv(1024)
                s.sendall(noise)
        self.assertEqual(self.cluster.sql("SELECT 1"), ((1,),))

    def test_packets_over_16_mb(self):
        text = "x" * (17 << 20)
        with self.cluster.connect(max_allowed_packet=64 << 20) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT length(%s)", (text,))
            self.assertEqual(cursor.fetchall(), ((len(text),),))

    def test_set_password(self):
        self.cluster.sql("SET PASSWORD = PASSWORD('s3cret')")
        try:
            with self.assertRaises(pymysql.err.OperationalError):
                self.cluster.sql("SELECT 1")
            self.assertEqual(self.cluster.sql("SELECT 1", password="s3cret"), ((1,),))
        finally:
            self.cluster.sql("SET PASSWORD = PASSWORD('')", password="s3cret")
        self.assertEqual(self.cluster.sql("SELECT 1"), ((1,),))

    def test_kill_query(self):
        with self.cluster.connect() as victim, self.cluster.connect() as killer:
            with killer.cursor() as cursor:
                cursor.execute("KILL QUERY %s", (victim.thread_id(),))
            with victim.cursor() as cursor:
                cursor.execute("SELECT 1")
                self.assertEqual(cursor.fetchall(), ((1,),))
            with killer.cursor() as cursor:
                cursor.execute("KILL %s", (victim.thread_id(),))
            with self.assertRaises(pymysql.err.MySQLError), victim.cursor() as cursor:
                cursor.execute("SELECT 1")

    # ---- tables, loads, queries

    def test_create_load_query(self):
        self.make_orders("first")
        self.load_orders("first", 0, 10_000)
        self.check_orders("first", 10_000)
        rows = self.cluster.sql("SELECT city, count(*) AS n FROM e2e.first WHERE day < '2024-07-01' GROUP BY city ORDER BY n DESC, city LIMIT 3")
        want = {}
        for i in range(10_000):
            if i % 12 < 6:
                want[f"city{i % 7}"] = want.get(f"city{i % 7}", 0) + 1
        self.assertEqual(list(rows), sorted(want.items(), key=lambda c: (-c[1], c[0]))[:3])
        self.cluster.sql("CREATE TABLE e2e.cities DUPLICATE KEY (city) DISTRIBUTED BY HASH (city) BUCKETS 2 "
                         f"{ONE_COPY} AS SELECT city, max(id) AS top FROM e2e.first GROUP BY city")
        joined = self.cluster.sql("SELECT count(*), sum(f.amount) * 100 FROM e2e.first f JOIN e2e.cities c ON f.city = c.city")
        self.assertEqual((joined[0][0], int(joined[0][1])), (10_000, orders_sum(0, 10_000)))
        self.assertIn("first", [row[0] for row in self.cluster.sql("SHOW TABLES FROM e2e")])
        ddl = self.cluster.sql("SHOW CREATE TABLE e2e.first")[0][1]
        self.assertIn("DISTRIBUTED BY HASH(`id`) BUCKETS 3", ddl)

    def test_labels_load_once(self):
        self.make_orders("labels")
        self.load_orders("labels", 0, 100, label="once")
        again = self.cluster.stream_load("e2e", "labels", orders_csv(0, 100), label="once", column_separator=",")
        self.assertEqual((again["Status"], again["ExistingJobStatus"]), ("Label Already Exists", "FINISHED"), again)
        self.check_orders("labels", 100)

    def test_bad_rows_are_counted_and_shown(self):
        self.make_orders("bad_rows")
        body = orders_csv(0, 98) + "98,not a date,x,1\n" + "99,2024-01-01\n"
        refused = self.cluster.stream_load("e2e", "bad_rows", body, column_separator=",")
        self.assertEqual(refused["Status"], "Fail", refused)
        self.assertIn("too many filtered rows", refused["Message"])
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM e2e.bad_rows"), ((0,),))
        accepted = self.cluster.stream_load("e2e", "bad_rows", body, column_separator=",", max_filter_ratio="0.05")
        self.assertEqual((accepted["Status"], accepted["NumberLoadedRows"], accepted["NumberFilteredRows"]), ("Success", 98, 2), accepted)
        shown = run("curl", "-sS", accepted["ErrorURL"]).stdout
        # The row as it came, not what became of it.
        self.assertIn("NULL value in non-nullable column 'day'. Row: 98,not a date,x,1\n", shown)

    def test_json_and_column_mapping(self):
        self.make_orders("json")
        body = "\n".join(json.dumps({"id": i, "when": "2024-03-01 10:00:00", "town": "Rome", "cents": i}) for i in range(50))
        answer = self.cluster.stream_load(
            "e2e", "json", body, format="json", jsonpaths='["$.id","$.when","$.town","$.cents"]',
            columns="id,at,city,cents,day=to_date(at),amount=cents/100", where="id >= 10",
        )
        self.assertEqual((answer["Status"], answer["NumberLoadedRows"], answer["NumberUnselectedRows"]), ("Success", 40, 10), answer)
        self.assertEqual(self.cluster.sql("SELECT min(id), sum(amount) * 100 FROM e2e.json")[0], (10, sum(range(10, 50))))

    def test_compressed_body(self):
        self.make_orders("zipped")
        body = gzip.compress(orders_csv(0, 5000).encode())
        answer = self.cluster.stream_load("e2e", "zipped", body, compression="gzip", column_separator=",")
        self.assertEqual(answer["Status"], "Success", answer)
        self.check_orders("zipped", 5000)

    def test_a_load_cut_off_leaves_nothing(self):
        self.make_orders("cut")
        body = orders_csv(0, 20_000).encode()
        backend_port = self.cluster.backends[0]["ports"]["webserver"]
        for sent in (0, 1, 1000, len(body) // 2, len(body) - 1):
            head = load_head("cut", f"cut{sent}", len(body), "Expect: 100-continue")
            with socket.create_connection((HOST, backend_port), timeout=10) as s:
                s.sendall(head)
                s.sendall(body[:sent])
        # The label of a load that was cut off is free again once the load is aborted.
        def loads_again():
            answer = self.cluster.stream_load("e2e", "cut", orders_csv(0, 10), label=f"cut{len(body) - 1}", column_separator=",")
            return answer["Status"] == "Success"
        wait_until("the label is free again", loads_again)
        self.check_orders("cut", 10)

    def test_what_an_insert_does_with_values_that_do_not_fit(self):
        self.cluster.sql("DROP TABLE IF EXISTS e2e.strict FORCE")
        self.cluster.sql(
            "CREATE TABLE e2e.strict (id INT, tiny TINYINT, day DATE, short VARCHAR(3), amount DECIMAL(5, 2)) "
            f"DUPLICATE KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 2 {ONE_COPY}"
        )
        bad = {"tiny": "300", "day": "'2024-02-31'", "short": "'long'", "amount": "12345"}
        # What a conversion loses is NULL; what is too large for its column is refused.
        self.cluster.sql(f"INSERT INTO e2e.strict (id, tiny, day) VALUES (0, {bad['tiny']}, {bad['day']})")
        self.assertEqual(self.cluster.sql("SELECT tiny, day FROM e2e.strict"), ((None, None),))
        for column, value in list(bad.items())[2:]:
            for source in (f"VALUES (1, {value})", f"SELECT 1, {value}"):
                with self.assertRaises(pymysql.err.MySQLError) as caught:
                    self.cluster.sql(f"INSERT INTO e2e.strict (id, {column}) {source}")
                self.assertEqual(caught.exception.args[0], 5606, caught.exception)
                self.assertIn(f"'{column}'", caught.exception.args[1])
        with self.cluster.connect() as connection, connection.cursor() as cursor:
            words = "INSERT INTO e2e.strict (id, short) SELECT n, repeat('x', n % 8) FROM TABLE(generate_series(8, 15)) g(n)"
            cursor.execute("SET insert_max_filter_ratio = 0.4")
            with self.assertRaises(pymysql.err.MySQLError):
                cursor.execute(words)
            cursor.execute("SET insert_max_filter_ratio = 0.5")
            self.assertEqual(cursor.execute(words), 4, "lengths 0 to 3")
            cursor.execute("SET enable_insert_strict = false")
            self.assertEqual(cursor.execute(f"INSERT INTO e2e.strict VALUES (1, {', '.join(bad.values())})"), 1)
        self.assertEqual(self.cluster.sql("SELECT * FROM e2e.strict WHERE id = 1"), ((1, None, None, None, None),))
        self.assertEqual(self.cluster.sql("SELECT count(*), max(id) FROM e2e.strict WHERE short IS NOT NULL"), ((4, 11),))

    def test_a_killed_insert_is_aborted(self):
        self.cluster.sql("DROP TABLE IF EXISTS e2e.killed FORCE")
        self.cluster.sql(f"CREATE TABLE e2e.killed (id BIGINT) DUPLICATE KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 1 {ONE_COPY}")
        victim = self.cluster.connect()

        def insert():
            with contextlib.suppress(pymysql.err.MySQLError):
                victim.cursor().execute("INSERT INTO e2e.killed SELECT * FROM TABLE(generate_series(1, 1000000000))")

        def running():
            return [row for row in self.cluster.sql("SHOW PROC '/transactions/e2e/running'") if row[1].startswith("insert_")]

        thread = threading.Thread(target=insert)
        thread.start()
        wait_until("the insert runs", running)
        self.cluster.sql(f"KILL {victim.thread_id()}")
        wait_until("its transaction has ended", lambda: not running())
        thread.join()
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM e2e.killed"), ((0,),))

    def test_insert_delete_truncate(self):
        self.make_orders("changed")
        self.cluster.sql("INSERT INTO e2e.changed VALUES (1, '2024-01-01', 'a', 1.00), (2, '2024-08-01', 'b', 2.00), (3, '2024-08-01', NULL, NULL)")
        self.cluster.sql("DELETE FROM e2e.changed WHERE id = 2")
        self.assertEqual(self.cluster.sql("SELECT id FROM e2e.changed ORDER BY id"), ((1,), (3,)))
        self.cluster.sql("TRUNCATE TABLE e2e.changed PARTITION (h1)")
        self.assertEqual(self.cluster.sql("SELECT id FROM e2e.changed"), ((3,),))

    def test_a_cte_that_feeds_both_sides_of_a_join(self):
        # Far more rows than the buffers between fragments hold: the probe side must not hold up the build side.
        self.make_orders("cte")
        self.load_orders("cte", 0, 1000)
        shared = "WITH c AS (SELECT o.id * 1000 + g.n AS k, max(repeat('x', 60)) AS s FROM e2e.cte o, TABLE(generate_series(1, 400)) g(n) GROUP BY 1) "
        joined = self.cluster.sql(shared + "SELECT count(*), sum(length(a.s)) FROM c a JOIN c b ON a.k = b.k")
        self.assertEqual(joined, ((400_000, 24_000_000),))
        # Rows kept for the late reader count in the query's memory.
        with self.assertRaises(pymysql.err.MySQLError) as caught:
            self.cluster.sql(shared + "SELECT /*+ SET_VAR(query_mem_limit = 8000000) */ count(*) FROM c a JOIN c b ON a.k = b.k")
        self.assertIn("exceed limit", caught.exception.args[1])

    # ---- crashes

    def test_acknowledged_loads_survive_kill_9(self):
        self.make_orders("durable")
        self.load_orders("durable", 0, 1000, label="durable1")
        for process in self.cluster.processes:
            self.cluster.restart(process)
        self.cluster.wait_alive()
        self.check_orders("durable", 1000)
        self.load_orders("durable", 1000, 1000, label="durable2")
        again = self.cluster.stream_load("e2e", "durable", orders_csv(0, 1000), label="durable1", column_separator=",")
        self.assertEqual(again["Status"], "Label Already Exists", again)
        self.check_orders("durable", 2000)

    def test_kill_9_in_the_middle_of_loads(self):
        for role in ("be", "fe"):
            with self.subTest(role=role):
                self.kill_while_loading(role)

    def kill_while_loading(self, role):
        """Loads batch after batch while a process dies: what was acknowledged is there, what was refused is not."""
        table = f"killed_{role}"
        self.make_orders(table)
        victim = self.cluster.frontend if role == "fe" else self.cluster.backends[-1]
        acknowledged = 0
        for attempt in range(40):
            if attempt == 10:
                kill(victim)
            if attempt == 12:
                self.cluster.start(victim)
                self.cluster.wait_alive()
            label = f"{table}_{acknowledged}"
            try:
                answer = self.cluster.stream_load("e2e", table, orders_csv(acknowledged, 500), label=label, column_separator=",")
            except (AssertionError, ValueError):
                continue
            # Refused because an earlier try of the same rows went through unheard.
            if answer["Status"] == "Success" or answer.get("ExistingJobStatus") == "FINISHED":
                acknowledged += 500
        self.assertGreater(acknowledged, 5000)
        wait_until("all versions are visible", lambda: self.cluster.sql(f"SELECT count(*) FROM e2e.{table}")[0][0] >= acknowledged)
        self.check_orders(table, acknowledged)

    def test_a_cold_start_is_quick(self):
        for process in self.cluster.processes:
            kill(process)
            started = time.monotonic()
            run(f"{ROOT}/bin/start_{process['role']}.sh", "--home", process["home"], "--daemon")
            self.assertLess(time.monotonic() - started, 10, "start_*.sh returns when the process answers")
        self.cluster.wait_alive()

    def test_a_start_waits_for_one_that_was_just_killed(self):
        backend = self.cluster.backends[0]
        kill(backend)
        with subprocess.Popen([sys.executable, "-c", DYING, str(backend["ports"]["webserver"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as dying:
            self.assertEqual(dying.stdout.readline(), b"listens\n")
            wait_until("its first thread is gone", lambda: state_of(dying.pid) == "Z")
            with open(os.path.join(backend["home"], "be.pid"), "w", encoding="utf-8") as f:
                f.write(str(dying.pid))
            with subprocess.Popen([f"{ROOT}/bin/start_be.sh", "--home", backend["home"], "--daemon"], stdout=subprocess.PIPE) as start:
                wait_until("the start is under way", lambda: is_locked(os.path.join(backend["home"], "be.pid.lock")) or start.poll() is not None)
                dying.stdin.close()
                output = start.stdout.read().decode()
                self.assertEqual(start.wait(), 0, output)
        self.cluster.wait_alive()

    def test_a_start_that_fails_while_it_is_asked_says_why(self):
        home = os.path.join(self.cluster.dir, "gives-up")
        program, port = os.path.join(home, "program"), free_port_base()
        os.makedirs(os.path.join(home, "conf"))
        with open(os.path.join(home, "conf/be.conf"), "w", encoding="utf-8") as f:
            f.write(f"be_http_port = {port}\n")
        with open(program, "w", encoding="utf-8") as f:
            f.write(GIVES_UP.format(port=port))
        os.chmod(program, 0o755)
        started = run(f"{ROOT}/bin/start_be.sh", "--home", home, "--daemon", check=False, env={**os.environ, "MIRRORSHIP_PROGRAM": program})
        self.assertEqual(started.returncode, 1)
        self.assertRegex(started.stderr, r"^it is not wanted here\nstart_be\.sh: mirrorship-be of .* did not start")
        self.assertFalse(os.path.exists(os.path.join(home, "be.pid")))

    def test_a_graceful_stop_lets_a_query_end(self):
        slow = "SELECT count(*) FROM TABLE(generate_series(1, 150000000)) g(n) WHERE n % 7 = 3"
        answers = []
        client = self.cluster.connect()

        def query():
            cursor = client.cursor()
            cursor.execute(slow)
            answers.append(cursor.fetchall())

        def runs():
            return any(slow in str(row) for row in self.cluster.sql("SHOW PROCESSLIST"))

        thread = threading.Thread(target=query)
        thread.start()
        wait_until("the query runs", lambda: runs() or answers)
        frontend = next(p for p in self.cluster.processes if p["role"] == "fe")
        run(f"{ROOT}/bin/stop_fe.sh", "-g", "--home", frontend["home"])
        thread.join()
        self.assertEqual(answers, [((21_428_572,),)])
        self.cluster.start(frontend)

    def test_a_graceful_stop_lets_a_load_end(self):
        self.make_orders("late")
        body = orders_csv(0, 20_000).encode()
        backend = self.cluster.backends[0]
        head = load_head("late", "late", len(body), "Connection: close")

        def state():
            return [row[3] for row in self.cluster.sql("SHOW TRANSACTION FROM e2e WHERE label = 'late'")]

        with socket.create_connection((HOST, backend["ports"]["webserver"]), timeout=60) as s:
            s.sendall(head + body[: len(body) // 2])
            wait_until("the load has begun", lambda: state() == ["PREPARE"])
            stopping = subprocess.Popen([f"{ROOT}/bin/stop_be.sh", "-g", "--home", backend["home"]])
            wait_until("the frontend knows", lambda: len(self.cluster.alive_backends()) == self.backend_count - 1)
            s.sendall(body[len(body) // 2 :])
            answer = b""
            while part := s.recv(65536):
                answer += part
        self.assertEqual(stopping.wait(120), 0)
        self.cluster.start(backend)
        self.assertIn(json.loads(answer.split(b"\r\n\r\n", 1)[1])["Status"], ("Success", "Publish Timeout"))
        self.check_orders("late", 20_000)

    def test_a_bad_conf_file_names_the_line(self):
        home = os.path.join(self.cluster.dir, "bad")
        os.makedirs(os.path.join(home, "conf"), exist_ok=True)
        with open(os.path.join(home, "conf/fe.conf"), "w", encoding="utf-8") as f:
            f.write(f"# ports\nquery_port = many\nhttp_port = {free_port_base()}\n")
        done = run(f"{ROOT}/bin/start_fe.sh", "--home", home, "--daemon", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("conf/fe.conf:2: bad value of query_port", done.stderr)


class EndToEndOnThree(EndToEnd):
    """The same on three backends: same plans, same answers."""

    backend_count = 3

    def test_rows_are_spread(self):
        self.make_orders("spread", buckets=12)
        self.load_orders("spread", 0, 10_000)
        self.check_orders("spread", 10_000)
        # Segment files lie on every backend.
        for backend in self.cluster.backends:
            files = [name for _, _, names in os.walk(os.path.join(backend["home"], "storage")) for name in names]
            self.assertTrue(any(name.endswith(".dat") for name in files), files)


if __name__ == "__main__":
    main()
