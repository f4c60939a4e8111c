"""What goes over the wire of the MySQL protocol, byte by byte where drivers differ, and the ends of killed statements."""

import datetime
import os
import struct
import threading
import time
import unittest

import pymysql

try:
    import MySQLdb
except ImportError:
    MySQLdb = None
try:
    import mysql.connector
except ImportError:
    mysql = None

from harness import HOST, ClusterTest, main, wait_until
from test_bad_input import Raw

ONE_COPY = 'PROPERTIES ("replication_num" = "1")'
COM_QUERY, COM_FIELD_LIST, COM_PREPARE, COM_EXECUTE = 3, 4, 0x16, 0x17
ENDLESS = "SELECT count(*) FROM (SELECT array_agg(x) a FROM TABLE(generate_series(1, 90000000000)) t(x)) q"


class Login(Raw):
    """A raw connection that sends commands."""

    def command(self, code, body=b""):
        self.send(bytes([code]) + body)
        return self.read()

    def packets(self, code, body=b""):
        """The first packet and those behind it, up to two EOFs."""
        out = [self.command(code, body)]
        ends = 0
        while ends < 2 and out[-1][0] != 0xFF:
            out.append(self.read())
            ends += out[-1][0] == 0xFE and len(out[-1]) < 9
        return out


def lenenc_fields(packet, count):
    out, at = [], 0
    for _ in range(count):
        n = packet[at]
        if n == 0xFB:
            out.append(None)
            n = 0
        else:
            out.append(packet[at + 1 : at + 1 + n])
        at += 1 + n
    return out


class ProtocolTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("p")
        cls.cluster.sql(f"CREATE TABLE p.t (a INT DEFAULT '5', b VARCHAR(10)) DUPLICATE KEY(a) DISTRIBUTED BY HASH(a) BUCKETS 1 {ONE_COPY}")

    def login(self):
        return Login(self.cluster.query_port).login()

    def test_status(self):
        with self.login() as client:
            # Neither autocommit nor transactions are shown.
            self.assertEqual(client.command(COM_QUERY, b"SET @a = 1"), b"\0\0\0\0\0\0\0")

    def test_query_ends_with_zero_bytes(self):
        with self.login() as client:
            self.assertEqual(client.packets(COM_QUERY, b"select 1\0\0")[3], b"\x011")

    def test_field_list(self):
        with self.login() as client:
            self.assertEqual(client.command(2, b"p")[0], 0)
            client.send(bytes([COM_FIELD_LIST]) + b"t\0")
            a, b, end = client.read(), client.read(), client.read()
            self.assertEqual(lenenc_fields(a, 6), [b"def", b"p", b"t", b"t", b"a", b"a"])
            self.assertTrue(a.endswith(b"\x015"), a)
            self.assertTrue(b.endswith(b"\xfb"), b)
            self.assertEqual(end[0], 0xFE)

    def test_refused_commands(self):
        with self.login() as client:
            for code, number, text in [(5, 1064, "Unsupported command(Create DB)"), (0x0A, 1064, "Unsupported command(Processlist)"), (0x1C, 1047, "Unknown command(null)")]:
                answer = client.command(code, b"")
                self.assertEqual(answer[0], 0xFF)
                self.assertEqual(struct.unpack("<H", answer[1:3])[0], number)
                self.assertIn(text, answer.decode("latin1"))
            self.assertEqual(client.command(14)[0], 0)

    def test_binary_times(self):
        with self.login() as client:
            for text, want in [("-01:02:03", b"\x08\x01\0\0\0\0\x01\x02\x03"), ("30:00:01", b"\x08\0\x01\0\0\0\x06\0\x01"), ("00:00:00", b"\0")]:
                prepared = client.command(COM_PREPARE, f"select cast('{text}' as time)".encode())
                self.assertEqual(prepared[0], 0)
                client.read()
                client.read()
                rows = client.packets(COM_EXECUTE, prepared[1:5] + b"\0\x01\0\0\0")
                self.assertEqual(rows[3], b"\0\0" + want)

    def test_prepared_limit(self):
        with self.login() as client:
            prepared = client.command(COM_PREPARE, b"select x from table(generate_series(1, 9)) t(x) order by x limit ? offset ?")
            self.assertEqual(prepared[0], 0, prepared)
            for _ in range(5):
                client.read()
            values = b"\0\x01" + struct.pack("<HHqq", 8, 8, 2, 3)
            rows = client.packets(COM_EXECUTE, prepared[1:5] + b"\0\x01\0\0\0" + values)
            self.assertEqual([struct.unpack("<i", row[2:])[0] for row in rows[3:-1]], [4, 5])

    @unittest.skipIf(mysql is None, "mysql-connector-python is not installed")
    def test_connector_times(self):
        connection = mysql.connector.connect(host=HOST, port=self.cluster.query_port, user="root", use_pure=True)
        cursor = connection.cursor(prepared=True)
        cursor.execute("select timediff('2024-01-01 10:00:00', '2024-01-01 09:00:00')")
        self.assertEqual(cursor.fetchall(), [(datetime.timedelta(hours=1),)])
        connection.close()

    def killed(self, statement, kill):
        """The error a statement ends with when its connection runs `kill`, and the connection."""
        connection = self.cluster.connect()
        errors = []

        def run():
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                    cursor.fetchall()
            except pymysql.err.MySQLError as e:
                errors.append(e.args)

        thread = threading.Thread(target=run)
        thread.start()
        number = connection.thread_id()
        wait_until("the statement runs", lambda: any(str(row[0]) == str(number) or str(number) in map(str, row[:3]) for row in self.cluster.sql("SHOW PROCESSLIST") if "Query" in map(str, row)))
        self.cluster.sql(kill.format(number))
        thread.join(30)
        self.assertFalse(thread.is_alive(), "the killed statement goes on")
        return errors, connection, number

    def test_kill_connection_says_so(self):
        for statement in ["SELECT sleep(30)", "INSERT INTO p.t SELECT x, 'v' FROM TABLE(generate_series(1, 2000000000)) t(x)", ENDLESS]:
            errors, connection, number = self.killed(statement, "KILL {}")
            self.assertEqual(len(errors), 1, statement)
            self.assertIn(f"killed manually: KILL {number}", str(errors[0][1]))
            with self.assertRaises(pymysql.err.MySQLError):
                connection.ping(reconnect=False)

    def test_kill_query_keeps_the_session(self):
        errors, connection, number = self.killed(ENDLESS, "KILL QUERY {}")
        self.assertIn(f"killed manually: KILL QUERY {number}", str(errors[0][1]))
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), ((1,),))
        connection.close()

    def test_queries_that_wait_hold_no_thread(self):
        began = time.monotonic()
        errors, _, number = self.killed("SELECT sleep(100)", "KILL QUERY {}")
        self.assertIn(f"KILL QUERY {number}", str(errors[0][1]))
        self.assertLess(time.monotonic() - began, 20, "the wait ends with its query")
        # More of them than there are threads, in the frontend and in the backend.
        self.cluster.sql("CREATE TABLE IF NOT EXISTS p.waits (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
        self.cluster.sql("INSERT INTO p.waits VALUES (1)")
        waiting = ["SELECT sleep(4)", "SELECT sleep(k * 4) FROM p.waits"] * (4 + (os.cpu_count() or 2))
        took = []

        def wait(statement):
            before = time.monotonic()
            self.cluster.sql(statement)
            took.append(time.monotonic() - before)

        threads = [threading.Thread(target=wait, args=(statement,)) for statement in waiting]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        before = time.monotonic()
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM p.waits"), ((1,),))
        self.assertEqual(self.cluster.sql("SELECT 1"), ((1,),))
        self.assertLess(time.monotonic() - before, 3)
        for thread in threads:
            thread.join()
        self.assertEqual(len(took), len(waiting))
        self.assertGreaterEqual(min(took), 4)
        self.assertLess(max(took), 15)

    @unittest.skipIf(MySQLdb is None, "mysqlclient is not installed")
    def test_kill_reaches_a_connection_that_changed_its_user(self):
        connection = MySQLdb.connect(host=HOST, port=self.cluster.query_port, user="root", password="")
        connection.change_user("root", "", "p")
        self.cluster.sql(f"KILL {connection.thread_id()}")
        with self.assertRaises(MySQLdb.Error):
            connection.query("SELECT sleep(5)")

    def test_local_queries_have_limits(self):
        self.assert_error(5024, "timeout", "SELECT /*+ SET_VAR(query_timeout=1) */ count(*) FROM (SELECT max(x) a FROM TABLE(generate_series(1, 90000000000)) t(x)) q")
        self.assert_error(1064, "Memory", f"SELECT /*+ SET_VAR(query_mem_limit=50000000) */ * FROM ({ENDLESS}) z")

    def test_system_tables_of_processes(self):
        sql = self.cluster.sql
        wait_until("a heartbeat has come", lambda: sql("SELECT count(*) FROM information_schema.be_configs") != ((0,),))
        self.assertEqual(sql("SELECT DISTINCT VALUE FROM information_schema.be_configs WHERE NAME = 'be_port'")[0][0], str(self.cluster.backends[0]["ports"]["be"]))
        self.assertGreater(sql("SELECT VALUE FROM information_schema.be_metrics WHERE NAME LIKE '%process_mem_bytes'")[0][0], 1 << 20)
        self.assertGreater(sql("SELECT VALUE FROM information_schema.fe_metrics WHERE NAME LIKE '%request_total'")[0][0], 0)
        self.assertEqual(sql("SELECT * FROM information_schema.parameters"), ())
        self.assertGreater(sql("SELECT count(*) FROM information_schema.be_threads WHERE BOUND_CPUS != ''")[0][0], 3)
        self.assertGreater(sql("SELECT count(*) FROM information_schema.fe_threads")[0][0], 1)
        self.assertEqual(sql("SELECT count(DISTINCT LEVEL) FROM information_schema.be_logs WHERE LOG LIKE '%backend is ready%'"), ((1,),))
        self.assertEqual(sql("SELECT * FROM information_schema.fe_tablet_schedules"), ())
        sql("CREATE TABLE p.loaded (a INT) PROPERTIES ('replication_num' = '1')")
        sql("INSERT INTO p.loaded SELECT generate_series FROM TABLE(generate_series(1, 1000))")
        shown = "SELECT SUM(x.NUM_ROW) FROM information_schema.be_txns x JOIN information_schema.tables_config t ON x.VERSION = 2 AND t.TABLE_NAME = 'loaded' JOIN information_schema.be_tablets b ON b.TABLET_ID = x.TABLET_ID AND b.TABLE_ID = t.TABLE_ID"
        wait_until("the load is shown", lambda: int(sql(shown)[0][0] or 0) == 1000)

    def test_settings_of_processes_that_run(self):
        sql, name = self.cluster.sql, "streaming_load_max_mb"
        wait_until("a heartbeat has come", lambda: sql("SELECT count(*) FROM information_schema.be_configs") != ((0,),))
        sql(f"UPDATE information_schema.be_configs SET value = '0' WHERE name = '{name}'")
        self.assertEqual(sql(f"SELECT VALUE FROM information_schema.be_configs WHERE NAME = '{name}'"), (("0",),))
        sql("CREATE TABLE p.limited (a INT) PROPERTIES ('replication_num' = '1')")
        answer = self.cluster.stream_load("p", "limited", b"1\n2\n")
        self.assertIn("exceeds the max size", answer["Message"])
        sql(f"UPDATE information_schema.be_configs SET value = 102400 WHERE name = '{name}'")
        self.assertEqual(self.cluster.stream_load("p", "limited", b"1\n2\n")["Status"], "Success")
        self.assert_error(1064, "not mutable", "UPDATE information_schema.be_configs SET value = 1 WHERE name = 'be_port'")
        self.assert_error(1064, "be_configs takes UPDATE", "UPDATE information_schema.be_configs SET value = 1")

        def change(key, value):
            sql(f"ADMIN SET FRONTEND CONFIG ('{key}' = '{value}')")

        change("mysql_server_version", "8.1.7")
        with self.cluster.connect() as connection, connection.cursor() as cursor:
            self.assertEqual(connection.get_server_info(), "8.1.7")
            cursor.execute("SELECT version(), @@version")
            self.assertEqual(cursor.fetchone(), ("8.1.7", "8.1.7"))
        change("mysql_server_version", "8.0.33")
        with self.cluster.connect() as held:
            held.cursor().execute("ADMIN SET FRONTEND CONFIG ('qe_max_connection' = '1')")
            with self.assertRaises(pymysql.Error) as refused:
                self.cluster.connect()
            self.assertEqual(refused.exception.args[0], 1203)
            held.cursor().execute("ADMIN SET FRONTEND CONFIG ('qe_max_connection' = '4096')")
        change("max_varchar_length", "100")
        self.assert_error(1064, "Varchar size must be <= 100", "CREATE TABLE p.wide (a VARCHAR(101))")
        change("max_varchar_length", "1048576")
        self.assert_error(1064, "invalid", "ADMIN SET FRONTEND CONFIG ('qe_max_connection' = '0')")


if __name__ == "__main__":
    main()
