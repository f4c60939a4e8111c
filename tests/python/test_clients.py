"""Clients that users have: each connects, browses and queries, as its own documentation shows it."""

import glob
import os
import shutil
import unittest

import mysql.connector
import pymysql

from harness import HOST, ROOT, TARGET, ClusterTest, main, run

try:
    import MySQLdb
except ImportError:
    MySQLdb = None


class Clients(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("clients")
        cls.cluster.sql(
            "CREATE TABLE clients.t (id INT NOT NULL, name VARCHAR(20), amount DECIMAL(10, 2), day DATE, at DATETIME, f DOUBLE) "
            'DUPLICATE KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 1 PROPERTIES ("replication_num" = "1")'
        )
        cls.cluster.sql(
            "INSERT INTO clients.t VALUES (1, 'one', 1.50, '2024-05-01', '2024-05-01 10:20:30', 0.5), (2, 'zwei ü', NULL, NULL, NULL, NULL)"
        )

    def rows_through(self, connection, query, parameters=None, **cursor_options):
        cursor = connection.cursor(**cursor_options)
        try:
            cursor.execute(query, parameters)
            names = [column[0] for column in cursor.description]
            return names, [tuple(str(v) for v in row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    expected = (
        ["id", "name", "amount", "day", "at", "f"],
        [
            ("1", "one", "1.50", "2024-05-01", "2024-05-01 10:20:30", "0.5"),
            ("2", "zwei ü", "None", "None", "None", "None"),
        ],
    )

    def test_command_line(self):
        client = shutil.which("mysql") or shutil.which("mariadb")
        command = [client, "--no-defaults", "--protocol=tcp", "-h", HOST, "-P", str(self.cluster.query_port), "-u", "root"]
        done = run(*command, "-t", "clients", "-e", "SELECT id, name, amount FROM t ORDER BY id; SHOW TABLES")
        self.assertIn("|    2 | zwei ü  |   NULL |", done.stdout)
        self.assertIn("Tables_in_clients", done.stdout)
        # Through standard input the client cuts statements itself, and asks for the tables' columns first (no -A).
        done = run(*command, "clients", text="select count(*) from t;\nuse information_schema;\nselect 1\\G\n")
        self.assertEqual(done.stdout.split(), ["count(*)", "2", "***************************", "1.", "row", "***************************", "1:", "1"])
        done = run(*command, "-e", "SELECT FROM", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ERROR 1064 (HY000)", done.stderr)

    def test_pymysql(self):
        with self.cluster.connect(database="clients") as connection:
            self.assertEqual(self.rows_through(connection, "SELECT * FROM t ORDER BY id"), self.expected)
            self.assertEqual(self.rows_through(connection, "SELECT name FROM t WHERE id = %s", (2,))[1], [("zwei ü",)])
            connection.ping()
            connection.select_db("information_schema")
            self.assertEqual(self.rows_through(connection, "SELECT database()")[1], [("information_schema",)])

    @unittest.skipIf(MySQLdb is None, "mysqlclient is not installed")
    def test_mysqlclient(self):
        connection = MySQLdb.connect(host=HOST, port=self.cluster.query_port, user="root", password="", database="clients", charset="utf8mb4")
        try:
            self.assertEqual(self.rows_through(connection, "SELECT * FROM t ORDER BY id"), self.expected)
            self.assertEqual(self.rows_through(connection, "SELECT name FROM t WHERE id = %s", (2,))[1], [("zwei ü",)])
            self.assertIn("Threads", connection.stat().replace("threads", "Threads"))
            connection.change_user("root", "", "information_schema")
            self.assertEqual(self.rows_through(connection, "SELECT database()")[1], [("information_schema",)])
        finally:
            connection.close()

    def test_mysql_connector(self):
        for pure in (True, False):
            with self.subTest(pure=pure):
                connection = mysql.connector.connect(host=HOST, port=self.cluster.query_port, user="root", password="", database="clients", use_pure=pure)
                try:
                    self.assertEqual(self.rows_through(connection, "SELECT * FROM t ORDER BY id"), self.expected)
                    # The binary protocol: types come back as values.
                    cursor = connection.cursor(prepared=True)
                    cursor.execute("SELECT id, name, amount, day, at, f FROM t WHERE id < ? AND name <> ? ORDER BY id", (5, "nobody"))
                    rows = [tuple(str(v) for v in row) for row in cursor.fetchall()]
                    self.assertEqual(rows, self.expected[1])
                    cursor.execute("SELECT id, name, amount, day, at, f FROM t WHERE id < ? AND name <> ? ORDER BY id", (2, "nobody"))
                    self.assertEqual(len(cursor.fetchall()), 1)
                    cursor.close()
                    connection.cmd_reset_connection()
                    connection.ping()
                    connection.cmd_change_user("root", "", "information_schema")
                    self.assertEqual(self.rows_through(connection, "SELECT database()")[1], [("information_schema",)])
                finally:
                    connection.close()

    def test_multiple_statements(self):
        flag = pymysql.constants.CLIENT.MULTI_STATEMENTS
        with self.cluster.connect(database="clients", client_flag=flag) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1; SELECT id FROM t ORDER BY id; SELECT 'three'")
            sets = [cursor.fetchall()]
            while cursor.nextset():
                sets.append(cursor.fetchall())
            self.assertEqual(sets, [((1,),), ((1,), (2,)), (("three",),)])
            # What follows an error is not run; the connection lives on.
            with self.assertRaises(pymysql.err.MySQLError):
                cursor.execute("SELECT FROM; SELECT 2")
            cursor.execute("SELECT 3")
            self.assertEqual(cursor.fetchall(), ((3,),))

    @unittest.skipUnless(os.path.isdir(os.path.join(TARGET, "node/node_modules/mysql2")), "mysql2 is not installed")
    def test_node_mysql2(self):
        env = {**os.environ, "NODE_PATH": os.path.join(TARGET, "node/node_modules")}
        done = run("node", os.path.join(ROOT, "tests/clients/node/browse.js"), str(self.cluster.query_port), env=env)
        self.assertEqual(done.stdout, "ok\n")

    @unittest.skipUnless(glob.glob("/usr/share/java/mariadb-java-client*.jar") and shutil.which("java"), "no MariaDB JDBC driver")
    def test_jdbc(self):
        jar = sorted(glob.glob("/usr/share/java/mariadb-java-client*.jar"))[0]
        jars = ":".join([jar] + glob.glob("/usr/share/java/slf4j-api.jar"))
        done = run("java", "-cp", jars, os.path.join(ROOT, "tests/clients/jdbc/Browse.java"), str(self.cluster.query_port))
        self.assertEqual(done.stdout, "ok\n")


if __name__ == "__main__":
    main()
