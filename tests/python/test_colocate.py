"""Colocate groups on three backends: who may join them, where their buckets are, and joins without exchange."""

from harness import ClusterTest, main


class Colocate(ClusterTest):
    backend_count = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.database("colocated")

    def sql(self, statement, **options):
        return self.cluster.sql(statement, database="colocated", **options)

    def make(self, name, columns="k INT, v INT", keys="k", by="HASH (k) BUCKETS 6", group="g", copies=1, partitions=""):
        properties = f'"replication_num" = "{copies}"' + (f', "colocate_with" = "{group}"' if group else "")
        self.sql(f"CREATE TABLE {name} ({columns}) DUPLICATE KEY ({keys}) {partitions} DISTRIBUTED BY {by} PROPERTIES ({properties})")

    def refuses(self, why, statement, *arguments, **options):
        with self.assertRaisesRegex(Exception, why):
            statement(*arguments, **options)

    def group(self, name):
        rows = [row for row in self.sql("SHOW PROC '/colocation_group'") if row[1].endswith(f"_{name}")]
        return rows[0] if rows else None

    def join(self, left, right, colocated, **options):
        """The answer of a join; every key of either side is once in its table."""
        query = f"SELECT count(*), sum(l.v) FROM {left} l JOIN {right} r ON l.k = r.k"
        with self.cluster.connect(database="colocated") as connection, connection.cursor() as cursor:
            for name, value in options.items():
                cursor.execute(f"SET {name} = {value}")
            cursor.execute(f"EXPLAIN {query}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            self.assertEqual("(COLOCATE)" in plan, colocated, plan)
            cursor.execute(query)
            return cursor.fetchall()[0]

    def test_group(self):
        self.make("a")
        self.make("b", partitions="PARTITION BY RANGE (k) (PARTITION p1 VALUES LESS THAN ('500'), PARTITION p2 VALUES LESS THAN ('2000'))")
        self.sql("INSERT INTO a SELECT generate_series, generate_series * 2 FROM TABLE(generate_series(1, 1000))")
        self.sql("INSERT INTO b SELECT generate_series, 1 FROM TABLE(generate_series(1, 1500))")
        self.assertEqual(self.join("a", "b", True), (1000, 1001000))
        self.assertEqual(self.join("a", "b", False, disable_colocate_join="true"), (1000, 1001000))
        self.sql("ALTER TABLE b ADD PARTITION p3 VALUES LESS THAN ('3000')")
        self.sql("INSERT INTO a VALUES (2500, 7)")
        self.sql("INSERT INTO b VALUES (2500, 7)")
        self.assertEqual(self.join("a", "b", True), (1001, 1001007))
        self.assertEqual(self.join("b", "a", True)[0], 1001)
        shown = self.group("g")
        self.assertEqual((shown[3], shown[4], shown[5], shown[6], shown[7]), ("a, b", "6", "1", "int", "true"))
        buckets = self.sql(f"SHOW PROC '/colocation_group/{shown[0]}'")
        self.assertEqual([row[0] for row in buckets], [str(i) for i in range(6)])
        self.assertEqual(len({row[1] for row in buckets}), 3)

        self.refuses("same bucket num: 6", self.make, "c", by="HASH (k) BUCKETS 4")
        self.refuses("same replication num: 1", self.make, "c", copies=2)
        self.refuses("same data type: bigint should be int", self.make, "c", columns="k BIGINT")
        self.refuses("columns size must be same: 1", self.make, "c", by="HASH (k, v) BUCKETS 6")
        self.refuses("Random distribution is not supported", self.make, "c", by="RANDOM BUCKETS 6")
        self.refuses("same bucket num: 6", self.sql, "ALTER TABLE b ADD PARTITION p4 VALUES LESS THAN ('4000') DISTRIBUTED BY HASH (k) BUCKETS 3")
        self.refuses("same replication num: 1", self.sql, "ALTER TABLE b ADD PARTITION p4 VALUES LESS THAN ('4000') ('replication_num' = '2')")
        self.refuses("colocate table", self.sql, "ALTER TABLE b DISTRIBUTED BY HASH (k) DEFAULT BUCKETS 9")

    def test_joining_and_leaving(self):
        self.make("first", group="h")
        self.make("free", group="")
        self.make("automatic", group="h", by="HASH (k)")
        for table in ("first", "free", "automatic"):
            self.sql(f"INSERT INTO {table} SELECT generate_series, 1 FROM TABLE(generate_series(1, 300))")
        self.assertEqual(self.join("first", "automatic", True), (300, 300))
        self.join("first", "free", False)
        self.sql('ALTER TABLE free SET ("colocate_with" = "h")')
        # Where its buckets are decides whether joins rely on the group; answers do not.
        self.assertEqual(self.join("first", "free", self.group("h")[7] == "true"), (300, 300))
        self.sql('ALTER TABLE free SET ("colocate_with" = "")')
        self.assertEqual(self.group("h")[3], "first, automatic")
        self.assertNotIn("colocate_with", self.sql("SHOW CREATE TABLE free")[0][1])
        self.assertIn('"colocate_with" = "h"', self.sql("SHOW CREATE TABLE automatic")[0][1])
        self.refuses("same bucket num", self.make, "odd", group="h", by="HASH (k) BUCKETS 5")
        self.make("odd", group="", by="HASH (k) BUCKETS 5")
        self.refuses("same bucket num", self.sql, 'ALTER TABLE odd SET ("colocate_with" = "h")')


if __name__ == "__main__":
    main()
