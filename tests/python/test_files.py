"""Files as tables: FILES() read and written, Parquet stream loads, and what is not allowed."""

import os
import shutil
import tempfile

from harness import ROOT, ClusterTest, main

TABLE = 'DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3 PROPERTIES ("replication_num" = "1")'


def pairs(**options):
    return ", ".join(f'"{k.replace("__", ".")}" = "{v}"' for k, v in options.items())


class Files(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dir = tempfile.mkdtemp(prefix="mirrorship-files-")
        for backend in cls.cluster.backends:
            with open(os.path.join(backend["home"], "conf/be.conf"), "a", encoding="utf-8") as conf:
                conf.write(f"\nfiles_allowed_path = {cls.dir}\n")
            cls.cluster.restart(backend)
        cls.db = cls.cluster.database("file_tests")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def sql(self, statement):
        return self.cluster.sql(statement, database=self.db)

    def refused(self, text, statement):
        with self.assertRaises(Exception) as caught:
            self.sql(statement)
        self.assertIn(text, str(caught.exception))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def names(self, *parts):
        """Every file below a directory, hidden ones too."""
        out = []
        for root, _, files in os.walk(self.path(*parts)):
            out += [os.path.relpath(os.path.join(root, f), self.path(*parts)) for f in files]
        return sorted(out)

    def files(self, path, **options):
        return f"FILES({pairs(path=f'file://{self.path(path)}', **options)})"

    def test_csv(self):
        self.write("csv/a.csv", "1,ann,1.5\n2,bob,2\n")
        self.write("csv/b.csv", "3,\\N,3.25\n")
        self.write("csv/.hidden.csv", "garbage\n")
        source = self.files("csv/*.csv", format="csv", csv__column_separator=",")
        self.assertEqual(self.sql(f"DESC {source}"), (("$1", "bigint", "YES"), ("$2", "varchar(1048576)", "YES"), ("$3", "double", "YES")))
        self.assertEqual(self.sql(f"SELECT * FROM {source} ORDER BY 1"), ((1, "ann", 1.5), (2, "bob", 2.0), (3, None, 3.25)))
        self.assertEqual(self.sql(f"SELECT count(*), sum(f.$1) FROM {source} f WHERE $1 > 1"), ((2, 5),))
        self.assertEqual(self.sql(f"SELECT count(*) FROM {source} a JOIN {source} b ON a.$1 = b.$1"), ((3,),))
        self.sql(f"CREATE TABLE from_csv (k BIGINT, name VARCHAR(10), x DECIMAL(10,2)) {TABLE}")
        self.sql(f"INSERT INTO from_csv SELECT * FROM {source}")
        self.assertEqual([str(v) for v in self.sql("SELECT sum(x), count(name) FROM from_csv")[0]], ["6.75", "2"])
        self.write("csv/short/a.csv", "1,a\n2\n")
        short = dict(format="csv", csv__column_separator=",")
        self.refused("Value count does not match", f"SELECT * FROM {self.files('csv/short/a.csv', **short)}")
        filled = self.files("csv/short/a.csv", fill_mismatch_column_with="null", **short)
        self.assertEqual(self.sql(f"SELECT * FROM {filled} ORDER BY 1"), ((1, "a"), (2, None)))
        self.write("csv/quoted.csv", 'id;text\n1;"a;b"\n2;"two\nlines"\n')
        quoted = self.files("csv/quoted.csv", format="csv", csv__column_separator=";", csv__enclose='\\"', csv__skip_header=1)
        self.assertEqual(self.sql(f"SELECT * FROM {quoted} ORDER BY 1"), ((1, "a;b"), (2, "two\nlines")))

    def test_orc(self):
        """A file of another writer: 12,000 rows by id, in which every seventh from the third on is NULL but for its id."""
        os.makedirs(self.path("orc"))
        shutil.copy(os.path.join(ROOT, "be/formats/samples/written_by_orc_cpp.orc"), self.path("orc/a.orc"))
        shutil.copy(self.path("orc/a.orc"), self.path("orc/b.orc"))
        source = self.files("orc/*.orc", format="orc")
        described = {row[0]: row[1] for row in self.sql(f"DESC {source}")}
        self.assertEqual((described["id"], described["amount"], described["list"]), ("bigint", "decimal(12,2)", "array<int(11)>"))
        counted = self.sql(f"SELECT count(*), count(word), sum(id), min(day), count(DISTINCT word) FROM {source}")
        self.assertEqual([str(v) for v in counted[0]], ["24000", str(2 * (12000 - 1714)), str(11999 * 12000), "2020-01-01", "3"])
        self.assertEqual(self.sql(f"SELECT id, list, map, pair FROM {source} WHERE id = 7001 LIMIT 1"), ((7001, "[7001,null]", '{"k":7001}', '{"a":7001,"b":"7001"}'),))
        self.sql(f"CREATE TABLE from_orc DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\") AS SELECT id, amount, at, word FROM {source}")
        self.assertEqual([str(v) for v in self.sql("SELECT count(*), sum(amount) FROM from_orc")[0]], [str(v) for v in self.sql(f"SELECT count(*), sum(amount) FROM {source}")[0]])
        self.write("orc/broken/a.orc", "ORC and nothing else")
        self.refused("not a readable ORC file", f"SELECT * FROM {self.files('orc/broken/a.orc', format='orc')}")

    def test_orc_and_back(self):
        self.sql(
            "CREATE TABLE orc_types (k BIGINT, b BOOLEAN, i INT, big BIGINT, l LARGEINT, d DOUBLE, m DECIMAL(20,4), w DECIMAL(38,10), day DATE,"
            f" at DATETIME, s STRING, a ARRAY<INT>, mp MAP<STRING, INT>, st STRUCT<x INT, y STRING>) {TABLE}"
        )
        self.sql(
            "INSERT INTO orc_types VALUES (1, true, -5, 9223372036854775807, 170141183460469231, 1.5, 12.3456, 1234567890.0123456789, '2024-02-29',"
            " '2024-02-29 12:34:56.789', 'täxt 柱', [1, null, 3], map{'a': 1, 'b': null}, row(7, 'y')),"
            " (2, null, null, null, null, null, null, null, null, null, null, null, null, null),"
            " (3, false, -2147483648, -9223372036854775807, 0, -0.5, -1, -1, '0001-01-01', '0001-01-01 00:00:00', '', [2], map{'c': 3}, row(8, 'z'))"
        )
        # Mostly small numbers, and some far away.
        self.sql(
            "INSERT INTO orc_types (k, i, big, day, at, s) SELECT generate_series, if(generate_series % 30 = 0, 1999999999, generate_series % 100),"
            " if(generate_series % 50 = 0, 9000000000000 + generate_series, generate_series % 7), '2024-05-01',"
            " if(generate_series % 40 = 0, '0001-01-01 00:00:00', '2024-05-01 10:20:30.5'), concat('row', generate_series) FROM TABLE(generate_series(4, 50000))"
        )
        before = self.sql("SELECT k, b, i, big, CAST(l AS DECIMAL(38, 0)), d, m, w, day, at, s, a, mp, st FROM orc_types ORDER BY k LIMIT 200")
        sums = "count(*), count(b), count(st), sum(i), sum(big), min(day), min(at), max(at), min(s), max(k)"
        for compression in [None, "uncompressed", "snappy", "gzip", "lz4", "zstd"]:
            target = f"orc_{compression}/"
            options = dict(compression=compression) if compression else {}
            self.sql(f"INSERT INTO {self.files(target, format='orc', **options)} SELECT * FROM orc_types")
            source = self.files(f"{target}*", format="orc")
            self.assertEqual(self.sql(f"SELECT * FROM {source} ORDER BY k LIMIT 200"), before)
            self.assertEqual(self.sql(f"SELECT {sums} FROM {source}"), self.sql(f"SELECT {sums} FROM orc_types"))
            self.assertEqual(self.sql(f"SELECT s FROM {source} WHERE k = 40001"), (("row40001",),))
            self.assertEqual(self.sql(f"SELECT count(*) FROM {source} WHERE k > 1000000 OR s = 'none'"), ((0,),))
            self.assertFalse([n for n in self.names(target) if not n.endswith(".orc")])
        described = [row[:2] for row in self.sql(f"DESC {source}")]
        self.assertEqual(
            described[:11],
            [("k", "bigint"), ("b", "boolean"), ("i", "int"), ("big", "bigint"), ("l", "decimal(38,0)"), ("d", "double"), ("m", "decimal(20,4)"),
             ("w", "decimal(38,10)"), ("day", "date"), ("at", "datetime"), ("s", "varchar(1048576)")],
        )
        self.sql(f"INSERT INTO {self.files('orc_empty/', format='orc')} SELECT * FROM orc_types WHERE k < 0")
        empty = self.files("orc_empty/*", format="orc")
        self.assertEqual(self.sql(f"SELECT count(*) FROM {empty}"), ((0,),))
        self.assertEqual([row[:2] for row in self.sql(f"DESC {empty}")], described)
        self.sql(f"INSERT INTO {self.files('orc_part/', format='orc', partition_by='p')} SELECT k, k % 3 p FROM orc_types")
        parts = self.files("orc_part/*/*", format="orc", columns_from_path="p")
        self.assertEqual(self.sql(f"SELECT count(*), sum(k) FROM {parts} WHERE p = 1"), self.sql("SELECT count(*), sum(k) FROM orc_types WHERE k % 3 = 1"))
        single = self.files("orc_one/all.orc", format="orc", single="true")
        self.sql(f"INSERT INTO {single} SELECT k FROM orc_types")
        self.assertEqual((self.names("orc_one"), self.sql(f"SELECT count(*) FROM {single}")), (["all.orc"], ((50000,),)))

    def test_orc_of_what_it_cannot_hold(self):
        def target(**options):
            return self.files("orc_refused/", format="orc", **options)

        self.refused("column 'b'", f"INSERT INTO {target()} SELECT 1 a, to_bitmap(1) b")
        self.refused("column 'w' of type", f"INSERT INTO {target()} SELECT 1 a, CAST(1 AS DECIMAL(50, 15)) w")
        self.refused("Unsupported compression codec lzo", f"INSERT INTO {target(compression='lzo')} SELECT 1 a")
        self.assertFalse(os.path.exists(self.path("orc_refused")))
        self.refused("column 'a': times between", f"INSERT INTO {target()} SELECT CAST('1969-12-31 23:59:59.5' AS DATETIME) a")
        self.assertEqual(self.names("orc_refused"), [])

    def test_json(self):
        self.write("json/a.json", '{"id": 1, "name": "x", "tags": [1, 2]}\n{"id": 2, "extra": true}\n')
        source = self.files("json/a.json", format="json")
        self.assertEqual([row[:2] for row in self.sql(f"DESC {source}")], [("id", "bigint"), ("name", "varchar(1048576)"), ("tags", "json"), ("extra", "boolean")])
        self.assertEqual(self.sql(f"SELECT id, name, tags, extra FROM {source} ORDER BY id"), ((1, "x", "[1, 2]", None), (2, None, None, 1)))

    def test_listing(self):
        self.write("list/a.txt", "12345")
        self.write("list/sub/b.txt", "1")
        rows = self.sql(f"SELECT PATH, SIZE, IS_DIR, MODIFICATION_TIME > '2020-01-01' FROM {self.files('list/', list_files_only='true')} ORDER BY 1")
        self.assertEqual(rows, ((self.path("list/a.txt"), 5, 0, 1), (self.path("list/sub"), 0, 1, 1)))
        deep = self.files("list", list_files_only="true", list_recursively="true")
        self.assertEqual(self.sql(f"SELECT count(*) FROM {deep} WHERE NOT IS_DIR"), ((2,),))

    def test_parquet_and_back(self):
        self.sql(
            "CREATE TABLE types (k BIGINT, b BOOLEAN, i INT, l LARGEINT, d DOUBLE, m DECIMAL(20,4), w DECIMAL(38,10), day DATE,"
            f" at DATETIME, s STRING, a ARRAY<INT>, mp MAP<STRING, INT>, st STRUCT<x INT, y STRING>) {TABLE}"
        )
        self.sql(
            "INSERT INTO types VALUES (1, true, -5, 170141183460469231, 1.5, 12.3456, 1234567890.0123456789, '2024-02-29', '2024-02-29 12:34:56.789',"
            " 'text', [1, null, 3], map{'a': 1, 'b': null}, row(7, 'y')), (2, null, null, null, null, null, null, null, null, null, null, null, null)"
        )
        self.sql("INSERT INTO types (k, i, s) SELECT generate_series, generate_series % 100, concat('row', generate_series) FROM TABLE(generate_series(3, 50000))")
        # LARGEINT has no type of its own in Parquet.
        before = self.sql("SELECT k, b, i, CAST(l AS DECIMAL(38, 0)), d, m, w, day, at, s, a, mp, st FROM types ORDER BY k LIMIT 20")
        for compression in ["uncompressed", "snappy", "gzip", "lz4", "zstd"]:
            target = f"out_{compression}/"
            self.sql(f"INSERT INTO {self.files(target, format='parquet', compression=compression)} SELECT * FROM types")
            source = self.files(f"{target}*", format="parquet")
            self.assertEqual(self.sql(f"SELECT * FROM {source} ORDER BY k LIMIT 20"), before)
            self.assertEqual(self.sql(f"SELECT count(*), sum(i), min(s), max(k) FROM {source}"), self.sql("SELECT count(*), sum(i), min(s), max(k) FROM types"))
            self.assertEqual(self.sql(f"SELECT s FROM {source} WHERE k = 40000"), (("row40000",),))
            self.assertFalse([n for n in self.names(target) if not n.endswith(".parquet")])
        self.assertEqual(
            [row[:2] for row in self.sql(f"DESC {source}")][:10],
            [("k", "bigint"), ("b", "boolean"), ("i", "int"), ("l", "decimal(38,0)"), ("d", "double"), ("m", "decimal(20,4)"), ("w", "decimal(38,10)"),
             ("day", "date"), ("at", "datetime"), ("s", "varchar(1048576)")],
        )
        self.sql(f'CREATE TABLE copied DISTRIBUTED BY HASH(k) PROPERTIES ("replication_num" = "1") AS SELECT k, i, s, a, mp, st FROM {source}')
        self.assertEqual(self.sql("SELECT k, i, s, a, mp, st FROM copied ORDER BY k LIMIT 20"), self.sql("SELECT k, i, s, a, mp, st FROM types ORDER BY k LIMIT 20"))
        self.sql(f"INSERT INTO {self.files('one.parquet', format='parquet', single='true')} SELECT * FROM types")
        with open(self.path("one.parquet"), "rb") as f:
            body = f.read()
        self.stream_load_parquet(body)

    def stream_load_parquet(self, body):
        self.sql(f"CREATE TABLE loaded (k BIGINT, s VARCHAR(100), i SMALLINT, other INT DEFAULT '9') {TABLE}")
        answer = self.cluster.stream_load(self.db, "loaded", body, format="parquet")
        self.assertEqual(answer["Status"], "Success", answer)
        loaded = answer["NumberLoadedRows"]
        self.assertEqual(loaded, self.sql("SELECT count(*) FROM types")[0][0])
        self.assertEqual(answer["LoadBytes"], len(body))
        self.assertEqual(self.sql("SELECT count(*), min(other), max(other) FROM loaded"), ((loaded, 9, 9),))
        self.sql("TRUNCATE TABLE loaded")
        answer = self.cluster.stream_load(self.db, "loaded", body, format="parquet", columns="k, s, i, other=i*2", where="k > 10")
        self.assertEqual(answer["Status"], "Success", answer)
        self.assertEqual(self.sql("SELECT count(*) FROM loaded WHERE other <> i * 2"), ((0,),))
        self.assertEqual(answer["NumberUnselectedRows"], 10)
        bad = {"missing": (dict(columns="k, nothing"), "column 'nothing' is not found in the file"), "no file": (dict(), "is not a readable Parquet file")}
        for what, (headers, message) in bad.items():
            answer = self.cluster.stream_load(self.db, "loaded", body[:-9] if what == "no file" else body, format="parquet", **headers)
            self.assertEqual(answer["Status"], "Fail", answer)
            self.assertIn(message, answer["Message"])
        answer = self.cluster.stream_load(self.db, "loaded", body, format="avro")
        self.assertEqual((answer["Status"], answer["Message"]), ("Fail", "unknown data format, format=avro"))
        # Bodies are gone when their loads are over.
        for backend in self.cluster.backends:
            spool = os.path.join(backend["home"], "storage", "load_spool")
            self.assertEqual(os.listdir(spool) if os.path.isdir(spool) else [], [])

    def test_unload_forms(self):
        rows = "SELECT generate_series k, if(generate_series % 3 = 0, null, concat('p', generate_series % 3)) p, generate_series * 2 v FROM TABLE(generate_series(1, 30000))"
        self.sql(f"INSERT INTO {self.files('part/', format='parquet', partition_by='p')} {rows}")
        self.assertEqual({n.split("/")[0] for n in self.names("part")}, {"p=__HIVE_DEFAULT_PARTITION__", "p=p1", "p=p2"})
        source = self.files("part/*/*", format="parquet", columns_from_path="p")
        self.assertEqual(self.sql(f"SELECT p, count(*), sum(v) FROM {source} GROUP BY p ORDER BY p"), self.sql(f"SELECT p, count(*), sum(v) FROM ({rows}) t GROUP BY p ORDER BY p"))
        self.assertEqual(self.sql(f"SELECT count(*) FROM {source} WHERE p = 'p1'"), ((10000,),))
        single = self.files("one/all.csv", format="csv", single="true", csv__column_separator="|")
        self.sql(f"INSERT INTO {single} {rows} ORDER BY 1")
        self.assertEqual(self.names("one"), ["all.csv"])
        with open(self.path("one/all.csv"), encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.assertEqual((len(lines), lines[0], lines[2]), (30000, "1|p1|2", "3|\\N|6"))
        self.refused("not overwritten", f"INSERT INTO {single} SELECT 1 a")
        self.sql(f"INSERT INTO {self.files('many/', format='csv', target_max_file_size='100000')} {rows}")
        self.assertGreater(len(self.names("many")), 2)
        self.assertEqual(self.sql(f"SELECT count(*), sum($1) FROM {self.files('many/*', format='csv')}"), ((30000, 450015000),))
        answer = self.sql(f'SELECT 1 a, "x" b INTO OUTFILE "file://{self.path("outfile", "part_")}" FORMAT AS parquet')
        self.assertEqual((answer[0][0], answer[0][1], answer[0][3]), (1, 1, f"file://{self.path('outfile', 'part_')}*"))
        self.assertEqual(self.sql(f"SELECT * FROM {self.files('outfile/part_*', format='parquet')}"), ((1, "x"),))

    def test_failed_queries_leave_no_file(self):
        self.refused("", f"INSERT INTO {self.files('failed/', format='parquet')} SELECT generate_series k, assert_true(generate_series < 90000) b FROM TABLE(generate_series(1, 100000))")
        self.assertEqual(self.names("failed"), [])

    def test_columns_of_several_files(self):
        self.sql(f"INSERT INTO {self.files('union/1/', format='parquet')} SELECT 1 a, 'x' b")
        self.sql(f"INSERT INTO {self.files('union/2/', format='parquet')} SELECT 2.5 a, cast('2024-01-01' AS DATE) c")
        self.refused("is not found in file", f"SELECT * FROM {self.files('union/*/*', format='parquet')}")
        source = self.files("union/*/*", format="parquet", fill_mismatch_column_with="null")
        self.assertEqual([(str(a), b, str(c)) for a, b, c in self.sql(f"SELECT * FROM {source} ORDER BY a")], [("1.0", "x", "None"), ("2.5", None, "2024-01-01")])

    def test_what_is_not_allowed(self):
        with tempfile.TemporaryDirectory() as outside:
            with open(os.path.join(outside, "a.csv"), "w", encoding="utf-8") as f:
                f.write("1\n")
            os.symlink(outside, self.path("link"))
            for path in [f"{outside}/a.csv", self.path("link/a.csv"), f"{outside}/*", self.path("l*k/a.csv"), self.path("csv/../../etc/passwd"), "/etc/passwd"]:
                self.refused("", f'SELECT * FROM FILES("path" = "file://{path}", "format" = "csv")')
            self.refused("files_allowed_path", f'SELECT * FROM FILES("path" = "{outside}/a.csv", "format" = "csv")')
            self.refused("files_allowed_path", f'INSERT INTO FILES("path" = "{outside}/new/", "format" = "csv") SELECT 1 a')
            self.refused("files_allowed_path", f'SELECT 1 a INTO OUTFILE "{outside}/new_"')
            self.assertEqual(os.listdir(outside), ["a.csv"])
        self.refused("No files were found", f"SELECT * FROM {self.files('nothing/*', format='csv')}")
        self.refused("not supported", 'SELECT * FROM FILES("path" = "s3://bucket/x", "format" = "csv")')
        self.refused("'format'", f"SELECT * FROM {self.files('csv/*')}")


if __name__ == "__main__":
    main()
