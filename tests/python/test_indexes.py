"""Bloom filters, ngram bloom filters and bitmap indexes: same answers with and without, built for rows that are there; and the
offline tool on the files."""

import os
import subprocess
import unittest

from harness import Cluster, kill, main, pid_of, wait_until

ROWS = 200_000
COLUMNS = "(id BIGINT, city VARCHAR(20), url VARCHAR(100), price DOUBLE, at DATETIME)"
BODY = "".join(
    f"{i * 7919 % 1_000_003},city{i * 31 % 997},http://site{i % 50}.org/{'red' if i % 4001 == 5 else 'blue'}/{i * 13 % 5000},{i % 1000 / 4},2024-01-01 00:{i % 60:02}:00\n"
    for i in range(ROWS)
)
CONDITIONS = [
    "id = 7919",
    "id IN (7919, 15838, 5)",
    "id = 1000002 AND city = 'city7'",
    "city = 'city13'",
    "city IN ('city1', 'nowhere') OR city IS NULL",
    "url LIKE '%/red/%'",
    "url LIKE '%nothing like it%'",
    "url = 'http://site3.org/blue/4'",
    "url LIKE 'http://site7.%/12__'",
    "price = 3.25 AND at = '2024-01-01 00:13:00'",
]


class Indexes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(backends=1)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.database("idx")

    def sql(self, statement, **options):
        return self.cluster.sql(statement, database="idx", **options)

    def make(self, table, more="", properties=""):
        self.sql(f'CREATE TABLE {table} {COLUMNS[:-1]}{more}) DUPLICATE KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 2 PROPERTIES ("replication_num" = "1"{properties})')
        answer = self.cluster.stream_load("idx", table, BODY, column_separator=",")
        self.assertEqual(answer["Status"], "Success", answer)

    def check(self, table):
        for condition in CONDITIONS:
            query = "SELECT count(*), sum(id), min(url), max(at), sum(price) FROM {} WHERE " + condition
            self.assertEqual(self.sql(query.format(table)), self.sql(query.format("plain")), condition)

    def test_indexes(self):
        self.make("plain")
        self.make(
            "born",
            ', INDEX n (url) USING NGRAMBF ("gram_num" = "4"), INDEX b (city) USING BITMAP',
            ', "bloom_filter_columns" = "id"',
        )
        self.check("born")
        profile = "\n".join(str(row) for row in self.sql("EXPLAIN ANALYZE SELECT count(*) FROM born WHERE url LIKE '%nothing like it%'"))
        self.assertIn("NgramBloomFilterFilterRows", profile)
        profile = "\n".join(str(row) for row in self.sql("EXPLAIN ANALYZE SELECT sum(price) FROM born WHERE city = 'city13'"))
        self.assertIn("BitmapIndexFilterRows", profile)
        self.make("grown")
        for clause in ("ADD INDEX n (url) USING NGRAMBF (\"gram_num\" = \"4\")", 'SET ("bloom_filter_columns" = "id,at")', "ADD INDEX b (city) USING BITMAP"):
            self.sql(f"ALTER TABLE grown {clause}")
            wait_until(f"{clause} is done", lambda: all("FINISHED" in row for row in self.sql("SHOW ALTER TABLE COLUMN FROM idx")))
            self.check("grown")
        profile = "\n".join(str(row) for row in self.sql("EXPLAIN ANALYZE SELECT count(*) FROM grown WHERE url LIKE '%nothing like it%'"))
        self.assertIn("NgramBloomFilterFilterRows", profile)
        self.sql("ALTER TABLE grown DROP INDEX n")
        self.check("grown")
        self.tool()

    def tool(self):
        backend = self.cluster.backends[0]
        tablet = str(self.sql("SHOW TABLETS FROM born")[0][0])
        binary = os.path.realpath(f"/proc/{pid_of(backend)}/exe")
        kill(backend)
        run = lambda *args: subprocess.run([binary, "tool", *args, "--home", backend["home"]], capture_output=True, text=True, check=False)  # noqa: E731
        answer = run("verify-disk")
        self.assertEqual((answer.returncode, "0 damaged" in answer.stdout), (0, True), answer)
        answer = run("dump-tablet", tablet)
        self.assertEqual(answer.returncode, 0, answer)
        file = next(word for word in answer.stdout.split() if word.endswith(".dat"))
        dump = run("dump-segment", file).stdout
        for part in ("ngram bloom filter", "index=bitmap", "index=bloom filter", "scaled floats"):
            self.assertIn(part, dump)
        with open(file, "r+b") as damaged:
            damaged.seek(5000)
            byte = damaged.read(1)
            damaged.seek(5000)
            damaged.write(bytes([byte[0] ^ 1]))
        answer = run("verify-tablet", tablet)
        self.assertEqual((answer.returncode, "DAMAGED" in answer.stdout, file in answer.stdout), (1, True, True), answer)
        self.assertEqual(run("dump-tablet", "1").returncode, 2)


if __name__ == "__main__":
    main()
