"""Input that no client should send: each is refused by itself, and the server answers the next statement."""

import hashlib
import random
import socket
import struct

import pymysql

from harness import HOST, ClusterTest, main, run

ONE_COPY = 'PROPERTIES ("replication_num" = "1")'
# CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000
LOGIN = struct.pack("<IIB23x", CAPABILITIES, 1 << 24, 33) + b"root\0" + b"\0" + b"mysql_native_password\0"


class Raw:
    """A MySQL connection on which any bytes can be sent."""

    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port), timeout=20)
        self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload, sequence=0, length=None):
        self.socket.sendall(struct.pack("<I", len(payload) if length is None else length)[:3] + bytes([sequence]) + payload)

    def read(self):
        """The payload of the next packet, or nothing when the server hung up."""
        head = self.exactly(4)
        return head and self.exactly(int.from_bytes(head[:3], "little"))

    def exactly(self, n):
        got = b""
        while len(got) < n:
            try:
                more = self.socket.recv(n - len(got))
            except ConnectionResetError:
                return None
            if not more:
                return None
            got += more
        return got

    def hang_up_and_wait(self):
        """Ends our side; returns when the server has ended its own."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except OSError:
            # The server was first.
            pass

    def login(self):
        self.send(LOGIN, 1)
        assert self.read()[0] == 0
        return self


class BadInput(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("bad")
        cls.cluster.sql(f"CREATE TABLE bad.t (k INT NOT NULL, v VARCHAR(5), d DATE) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2 {ONE_COPY}")

    def raw(self):
        return Raw(self.cluster.query_port)

    def tearDown(self):
        self.assertEqual(self.cluster.sql("SELECT 1"), ((1,),), "the server answers after bad input")

    # ---- MySQL packets

    def test_login_cut_off_at_every_byte(self):
        for end in range(len(LOGIN) + 1):
            with self.raw() as connection:
                connection.send(LOGIN[:end], 1, length=len(LOGIN))
                connection.hang_up_and_wait()

    def test_short_login_packets(self):
        for end in range(len(LOGIN) - 30):
            with self.raw() as connection:
                connection.send(LOGIN[:end], 1)
                answer = connection.read()
                self.assertTrue(answer is None or answer[0] == 0xFF, f"{end} bytes: {answer}")

    def test_noise_instead_of_a_login(self):
        dice = random.Random(1)
        for _ in range(50):
            with self.raw() as connection:
                connection.socket.sendall(dice.randbytes(dice.randrange(1, 300)))
                connection.hang_up_and_wait()

    def test_commands_with_short_bodies(self):
        # Every command byte alone and with a byte too few; unknown ones have a code of their own.
        for command in range(256):
            for body in (b"", b"\1", b"\1\0\0"):
                if command == 0x01:  # COM_QUIT
                    continue
                with self.raw().login() as connection:
                    connection.send(bytes([command]) + body)
                    connection.hang_up_and_wait()
        with self.raw().login() as connection:
            connection.send(b"\xe0what")
            answer = connection.read()
            self.assertEqual((answer[0], int.from_bytes(answer[1:3], "little")), (0xFF, 1047))
            connection.send(b"\x0e")  # COM_PING: the connection lives on.
            self.assertEqual(connection.read()[0], 0)

    def test_an_empty_packet(self):
        with self.raw().login() as connection:
            connection.send(b"")
            connection.hang_up_and_wait()

    def test_executes_of_prepared_statements_cut_off(self):
        with self.raw().login() as connection:
            connection.send(b"\x16SELECT ? + ?, ?")
            prepared = connection.read()
            self.assertEqual(prepared[0], 0)
            statement = prepared[1:5]
            columns, parameters = struct.unpack("<HH", prepared[5:9])
            for count in (parameters, columns):
                for _ in range(count + bool(count)):
                    connection.read()
            values = struct.pack("<qq", 1, 2) + b"\x05hello"
            whole = b"\x17" + statement + b"\0\1\0\0\0" + b"\0" + b"\1" + b"\x08\0\x08\0\xfd\0" + values
            for end in range(1, len(whole)):
                connection.send(whole[:end])
                answer = connection.read()
                self.assertEqual(answer[0], 0xFF, f"{end} bytes of an execute: {answer}")
            connection.send(whole)
            self.assertEqual(connection.read()[0], 2)
            while connection.read()[0] != 0xFE:  # The columns.
                pass
            self.assertIn(b"hello", connection.read())
            self.assertEqual(connection.read()[0], 0xFE)
            # A number nobody prepared, a close and a reset of it.
            connection.send(b"\x17\xff\xff\xff\x7f\0\1\0\0\0")
            while (packet := connection.read())[0] == 0xFE:
                pass
            self.assertEqual(packet[0], 0xFF)

    def test_text_that_is_not_utf8(self):
        with self.raw().login() as connection:
            connection.send(b"\x03SELECT '\xff\xfe\x80', length('\xff')")
            self.assertIn(connection.read()[0], (2, 0xFF))
            connection.hang_up_and_wait()
        with self.raw().login() as connection:
            connection.send(b"\x03SEL\xffECT \xc0\x80 FROM \xed\xa0\x80")
            self.assertEqual(connection.read()[0], 0xFF)

    def test_a_statement_over_the_packet_limit(self):
        # Seven full packets and one more: more than the server takes for a statement.
        with self.raw().login() as connection:
            full = (1 << 24) - 1
            try:
                connection.send(b"\x03SELECT '" + b"x" * (full - 9), 0)
                for i in range(1, 80):
                    connection.send(b"x" * full, i)
            except (ConnectionResetError, BrokenPipeError):
                return
            answer = connection.read()
            self.assertTrue(answer is None or answer[0] == 0xFF)

    # ---- statements

    def test_deep_nesting(self):
        n = 3000
        for text in (
            "SELECT " + "(" * n + "1" + ")" * n,
            "SELECT " + "(SELECT " * n + "1" + ")" * n,
            "SELECT " + "CASE WHEN 1 = 1 THEN " * n + "1" + " END" * n,
            "SELECT * FROM " + "(SELECT * FROM " * n + "(SELECT 1 AS a) x" + ") x" * n,
            "SELECT " + "[" * n + "1" + "]" * n,
            "SELECT " + "NOT " * n + "1",
            "SELECT " + "- " * n + "1",
            "SELECT " + "abs(" * n + "1" + ")" * n,
            "SELECT cast(NULL AS " + "ARRAY<" * n + "INT" + ">" * n + ")",
            "SELECT " + "+".join(["1"] * 10 * n),
            "WITH " + ", ".join(f"c{i} AS (SELECT * FROM c{i - 1})" if i else "c0 AS (SELECT 1)" for i in range(n)) + f" SELECT * FROM c{n - 1}",
        ):
            with self.subTest(text[:40]), self.assertRaises(pymysql.err.MySQLError) as caught:
                self.cluster.sql(text)
            self.assertIn("exceed", caught.exception.args[1])

    def test_deep_json(self):
        for n in (50, 5000, 200_000):
            self.cluster.sql("SELECT parse_json(%s) IS NULL", ("[" * n + "]" * n,))
            self.cluster.sql("SELECT parse_json(%s) IS NULL", ('{"a":' * n + "1" + "}" * n,))

    def test_long_chains(self):
        self.assertEqual(self.cluster.sql("SELECT " + " AND ".join(f"{i} = {i}" for i in range(20_000))), ((1,),))
        self.assertEqual(len(self.cluster.sql(" UNION ALL ".join(f"SELECT {i}" for i in range(1000)))), 1000)

    def test_long_in_lists(self):
        self.cluster.sql("TRUNCATE TABLE bad.t")
        self.cluster.sql("INSERT INTO bad.t VALUES (9999, 'x', NULL), (10000, 'y', NULL), (-5, 'z', NULL)")
        numbers = ", ".join(map(str, range(10_000)))
        self.assertEqual(self.cluster.sql(f"SELECT k FROM bad.t WHERE k IN ({numbers})"), ((9999,),))
        self.assertEqual(self.cluster.sql(f"SELECT count(*) FROM bad.t WHERE k NOT IN ({numbers})"), ((2,),))
        texts = ", ".join(f"'{chr(97 + i % 26)}{i}'" for i in range(10_000))
        self.assertEqual(self.cluster.sql(f"SELECT v FROM bad.t WHERE v IN ({texts}, 'y')"), (("y",),))

    def test_a_thousand_columns(self):
        self.cluster.sql("DROP TABLE IF EXISTS bad.wide")
        columns = ", ".join(f"c{i} INT" for i in range(1000))
        self.cluster.sql(f"CREATE TABLE bad.wide ({columns}) DUPLICATE KEY (c0) DISTRIBUTED BY HASH (c0) BUCKETS 1 {ONE_COPY}")
        lines = "\n".join("\t".join(str(row * 1000 + column) for column in range(1000)) for row in range(100))
        answer = self.cluster.stream_load("bad", "wide", lines)
        self.assertEqual((answer["Status"], answer["NumberLoadedRows"]), ("Success", 100), answer)
        rows = self.cluster.sql("SELECT * FROM bad.wide ORDER BY c0")
        self.assertEqual([row for row in rows], [tuple(range(i * 1000, i * 1000 + 1000)) for i in range(100)])
        sums = ", ".join(f"sum(c{i})" for i in range(1000))
        self.assertEqual(int(self.cluster.sql(f"SELECT {sums} FROM bad.wide")[0][999]), sum(i * 1000 + 999 for i in range(100)))

    def test_wrong_types(self):
        for statement in (
            "INSERT INTO bad.t VALUES ('abc', 'x', NULL)",
            "INSERT INTO bad.t VALUES (NULL, 'x', NULL)",
            "INSERT INTO bad.t VALUES (1, 'much too long', NULL)",
            "INSERT INTO bad.t VALUES (1, 'x')",
            "INSERT INTO bad.t VALUES (99999999999, 'x', NULL)",
            "SELECT sum(v, k) FROM bad.t",
            "SELECT k FROM bad.t WHERE k = [1]",
            "SELECT * FROM bad.t LIMIT -2",
            "SELECT * FROM bad.t ORDER BY 9",
        ):
            with self.subTest(statement), self.assertRaises(pymysql.err.MySQLError):
                self.cluster.sql(statement)
        loaded = self.cluster.stream_load("bad", "t", "1,ok,2024-01-01\nabc,no,2024-01-01\n2,much too long,2024-01-01\n3,no,2024-13-41\n", column_separator=",", strict_mode="true")
        self.assertEqual((loaded["Status"], loaded["NumberFilteredRows"]), ("Fail", 3), loaded)
        self.assertIn("ErrorURL", loaded)

    # ---- HTTP

    def http(self, port, data):
        """Sends bytes to an HTTP port and returns the first line of the answer."""
        with socket.create_connection((HOST, port), timeout=20) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                return s.makefile("rb").readline().decode("latin-1").strip()
            except OSError:
                # The server hung up before it had everything.
                return ""

    def test_http_noise(self):
        put = "PUT /api/bad/t/_stream_load HTTP/1.1\r\nHost: x\r\nAuthorization: Basic cm9vdDo=\r\nExpect: 100-continue\r\n"
        for port in (self.cluster.http_port, self.cluster.backends[0]["ports"]["webserver"]):
            self.assertIn(self.http(port, b"\x00\x01\x02\r\n\r\n")[:12], ("", "HTTP/1.1 400"))
            self.assertIn(self.http(port, b"GET " + b"/x" * 100_000 + b" HTTP/1.1\r\n\r\n")[:10], ("", "HTTP/1.1 4"))
            self.assertIn(self.http(port, b"GET / HTTP/1.1\r\nX: " + b"y" * 4_000_000 + b"\r\n\r\n")[:10], ("", "HTTP/1.1 4"))
            many = "".join(f"H{i}: {i}\r\n" for i in range(5000)).encode()
            self.assertIn(self.http(port, b"GET / HTTP/1.1\r\n" + many + b"\r\n")[:10], ("", "HTTP/1.1 4"))
            for length in ("-1", "abc", "99999999999999999999999"):
                self.assertNotIn(" 200 ", self.http(port, f"{put}Content-Length: {length}\r\n\r\n1,a".encode()))
        before = self.cluster.sql("SELECT count(*) FROM bad.t")
        # A body that ends early, and chunks that are none.
        backend = self.cluster.backends[0]["ports"]["webserver"]
        self.http(backend, f"{put}column_separator: ,\r\nContent-Length: 1000\r\n\r\n7,a,2024-01-01\n".encode())
        self.http(backend, f"{put}column_separator: ,\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n7,a\r\n0\r\n\r\n".encode())
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM bad.t"), before)

    def test_bad_load_headers(self):
        for name, value in (
            ("max_filter_ratio", "many"),
            ("timeout", "soon"),
            ("columns", "k, v, x = nothing("),
            ("where", "k >>> 1"),
            ("format", "cuneiform"),
            ("label", "a label with spaces!"),
            ("column_separator", ""),
            ("partitions", "p_nowhere"),
            ("compression", "crumple"),
            ("jsonpaths", "[$.a"),
        ):
            headers = {"format": "json"} if name == "jsonpaths" else {}
            answer = self.cluster.stream_load("bad", "t", "1,a,2024-01-01\n", **{**headers, name: value})
            self.assertEqual(answer["Status"], "Fail", f"{name}: {value}: {answer}")
            self.assertTrue(answer["Message"], answer)

    def test_noise_on_internal_ports(self):
        dice = random.Random(2)
        for process in self.cluster.processes:
            for port in process["ports"].values():
                for _ in range(5):
                    self.http(port, dice.randbytes(500))
        name = hashlib.md5(b"still").hexdigest()
        self.assertEqual(self.cluster.sql(f"SELECT '{name}'"), ((name,),))
        self.assertIn("OK", run("curl", "-sS", f"http://{HOST}:{self.cluster.http_port}/api/bootstrap").stdout)
        self.cluster.wait_alive()


if __name__ == "__main__":
    main()
