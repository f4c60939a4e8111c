"""Answers of the TPC-H, SSB and hits queries on small data against the files in tests/golden, on one backend and on three.

    test_golden.py            compares
    test_golden.py --write    asks one backend and DuckDB (`pip install duckdb`) and writes the answers that both agree on

A query's answer is tests/golden/SET/NAME.tsv: one row a line, in the order the server gave them (every LIMIT in these queries has a
total order), values as a MySQL client sees them. Cells compare as text; two numbers with a fraction may differ in the 9th digit,
because sums of doubles depend on the order of the rows.
"""

import glob
import math
import os
import re
import sys

import golden_sets
import pymysql
from harness import ROOT, Cluster, ClusterTest, main

GOLDEN = os.path.join(ROOT, "tests/golden")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def statements(set_name):
    return [s for s in re.split(r";\s*\n", read(f"{GOLDEN}/{set_name}/schema.sql").strip().rstrip(";")) if s.strip()]


def queries(set_name):
    paths = sorted(glob.glob(f"{GOLDEN}/{set_name}/*q[0-9]*.sql"))
    return {os.path.basename(path)[:-4]: read(path).strip().rstrip(";") for path in paths}


def hits_columns():
    body = statements("hits")[0].partition("(")[2].partition("\n)")[0]
    return [tuple(line.split()[:2]) for line in body.upper().replace(",", " ").splitlines() if line.strip()], [
        line.split()[0] for line in body.splitlines() if line.strip()
    ]


def data_of(set_name):
    """{table: (column list, rows)} of a set."""
    if set_name == "hits":
        upper, names = hits_columns()
        columns = [(name, type_) for name, (_, type_) in zip(names, upper)]
        return {"hits": (",".join(names), golden_sets.hits(columns)["hits"])}
    columns = golden_sets.TPCH_COLUMNS if set_name == "tpch" else golden_sets.SSB_COLUMNS
    return {table: (columns[table], rows) for table, rows in getattr(golden_sets, set_name)().items()}


def csv_of(rows):
    return "".join("|".join(map(str, row)) + "\n" for row in rows)


def same(got, want):
    if got == want:
        return True
    try:
        return ("." in got or "e" in got) and math.isclose(float(got), float(want), rel_tol=1e-9)
    except ValueError:
        return False


def differences(got, want):
    """The first row in which two answers differ, as text, or nothing."""
    for i, (g, w) in enumerate(zip(got, want)):
        if len(g) != len(w) or not all(map(same, g, w)):
            return f"row {i + 1}\n  got  {g}\n  want {w}"
    return f"{len(got)} rows instead of {len(want)}" if len(got) != len(want) else None


class Golden(ClusterTest):
    """The three sets on one backend."""

    def load(self, set_name):
        database = self.cluster.database(set_name)
        for statement in statements(set_name):
            self.cluster.sql(statement, database=database)
        for table, (columns, rows) in data_of(set_name).items():
            answer = self.cluster.stream_load(database, table, csv_of(rows), column_separator="|", columns=columns)
            self.assertEqual((answer["Status"], answer["NumberLoadedRows"]), ("Success", len(rows)), f"{table}: {answer}")

    def answer(self, set_name, query):
        with self.cluster.connect(database=set_name, conv={}) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return [["NULL" if value is None else value for value in row] for row in cursor.fetchall()]

    def check(self, set_name):
        self.load(set_name)
        wrong = []
        for name, query in queries(set_name).items():
            want = [line.split("\t") for line in read(f"{GOLDEN}/{set_name}/{name}.tsv").split("\n")[:-1]]
            try:
                difference = differences(self.answer(set_name, query), want)
            except pymysql.err.MySQLError as e:
                difference = str(e)
            if difference:
                wrong.append(f"{set_name} {name}: {difference}")
        self.assertFalse(wrong, "\n".join(wrong))

    def test_tpch(self):
        self.check("tpch")

    def test_ssb(self):
        self.check("ssb")

    def test_hits(self):
        self.check("hits")


class GoldenOnThree(Golden):
    """The same answers from three backends."""

    backend_count = 3


def write():
    """Writes the answers on which this build and DuckDB agree; says where they do not."""
    import duckdb  # pylint: disable=import-outside-toplevel,import-error

    test = Golden()
    Golden.cluster = Cluster()
    disagreed = 0
    try:
        for set_name in ("tpch", "ssb", "hits"):
            test.load(set_name)
            peer = duckdb.connect()
            for statement in statements(set_name):
                peer.execute(re.split(r"\)\s*(?:ENGINE|\n?DUPLICATE KEY)", statement.replace("`", ""))[0].replace("int(11)", "int") + ")")
            for table, (columns, rows) in data_of(set_name).items():
                path = os.path.join(Golden.cluster.dir, f"{table}.csv")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(csv_of(rows))
                peer.execute(f"COPY {table} ({columns}) FROM '{path}' (HEADER false, DELIMITER '|', QUOTE '', NULL 'none', AUTO_DETECT false)")
            for name, query in queries(set_name).items():
                got = test.answer(set_name, query)
                # In a MySQL string the backslash is an escape; DuckDB takes it as it is.
                want = [["NULL" if v is None else str(v) for v in row] for row in peer.execute(query.replace("\\\\", "\\")).fetchall()]
                loose = [[g if close(g, w) else w for g, w in zip(*rows)] for rows in zip(got, want)] if len(got) == len(want) else want
                difference = differences(got, loose)
                if difference:
                    disagreed += 1
                    print(f"{set_name} {name}: {difference}")
                    continue
                if not got:
                    print(f"{set_name} {name}: no rows")
                with open(f"{GOLDEN}/{set_name}/{name}.tsv", "w", encoding="utf-8") as f:
                    f.writelines("\t".join(row) + "\n" for row in got)
    finally:
        Golden.cluster.close()
    sys.exit(1 if disagreed else 0)


def close(ours, theirs):
    """Equal but for the scale of a decimal or the last digits of a double, which the two systems choose differently."""
    try:
        return math.isclose(float(ours), float(theirs), rel_tol=1e-6)
    except ValueError:
        return False


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    main()
