#!/usr/bin/env python3
"""What years of life cost a table: ratios, each measured in one run against a running cluster. No test: it says, it does not judge.

    tables.py small-loads [--loads 10000] [--rows 5000000]   single-row loads, and scans once compaction has caught up
    tables.py latency [--rows 5000000] [--seconds 20]        query latency while loads and compactions run, beside idle
    tables.py upserts [--rows 10000000]                      20 batches of 100,000 random keys, beside appends to a duplicate-key table
    tables.py load DATA                                      lineitem of `gen.py DATA tpch 1 --csv` beside DuckDB's COPY
    tables.py big-load DATA [--gib 10]                       the same lines again and again, until one load has so many GiB

The cluster is $OURS (default 127.0.0.1:9030) with its web server on $OURS_HTTP (127.0.0.1:8040, of a backend). Needs pymysql and
curl; `load` needs duckdb. Everything made is dropped.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time

import pymysql

HOST, PORT = os.environ.get("OURS", "127.0.0.1:9030").split(":")
HTTP = os.environ.get("OURS_HTTP", "127.0.0.1:8040")
DATABASE = "bench_tables"
SCAN = "SELECT SUM(a), MAX(b), COUNT(DISTINCT k % 100) FROM {}"


class Session:
    def __init__(self):
        self.connection = pymysql.connect(host=HOST, port=int(PORT), user="root", autocommit=True)

    def sql(self, statement):
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def milliseconds(self, statement):
        start = time.perf_counter()
        self.sql(statement)
        return (time.perf_counter() - start) * 1000


def fresh():
    session = Session()
    session.sql(f"DROP DATABASE IF EXISTS {DATABASE} FORCE")
    session.sql(f"CREATE DATABASE {DATABASE}")
    session.sql(f"USE {DATABASE}")
    return session


def table(session, name, rows, model="DUPLICATE"):
    session.sql(f"CREATE TABLE {name} (k BIGINT, a BIGINT, b DOUBLE) {model} KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\")")
    session.sql(f"INSERT INTO {name} SELECT x, murmur_hash3_32(x), x / 7 FROM TABLE(generate_series(1, {rows})) g(x)")


def put(table_name, body, **headers):
    command = ["curl", "-sS", "--location-trusted", "-u", "root:", "-H", "Expect: 100-continue", "-H", "column_separator:,"]
    command += [part for key, value in headers.items() for part in ("-H", f"{key}:{value}")]
    command += ["-T", body if isinstance(body, str) else "-", f"http://{HTTP}/api/{DATABASE}/{table_name}/_stream_load"]
    given = {"input": body} if isinstance(body, bytes) else {} if isinstance(body, str) else {"stdin": body}
    answer = json.loads(subprocess.run(command, capture_output=True, check=True, **given).stdout)
    if answer["Status"] not in ("Success", "Publish Timeout"):
        raise RuntimeError(answer)
    return answer


def rowsets(session, name):
    return int(session.sql(f"SELECT MAX(NUM_ROWSET) FROM information_schema.be_tablets b JOIN information_schema.tables_config c ON b.TABLE_ID = c.TABLE_ID WHERE c.TABLE_SCHEMA = '{DATABASE}' AND c.TABLE_NAME = '{name}'")[0][0])


def median_scan(session, names, runs=31):
    """Medians of interleaved scans, so that a noisy moment is everybody's."""
    times = {name: [] for name in names}
    for name in names:
        session.sql(SCAN.format(name))
    for _ in range(runs):
        for name in names:
            times[name].append(session.milliseconds(SCAN.format(name)))
    return {name: statistics.median(found) for name, found in times.items()}


def small_loads(args):
    import http.client

    session = fresh()
    table(session, "plain", args.rows)
    table(session, "loaded", args.rows)
    before = median_scan(session, ["plain", "loaded"])
    threads, failed, slowest = 8, [], [0.0]

    def work(which):
        # One connection a thread: the client must not be what is measured.
        connection = http.client.HTTPConnection(HTTP, timeout=600)
        for i in range(which, args.loads, threads):
            start = time.perf_counter()
            connection.request(
                "PUT", f"/api/{DATABASE}/loaded/_stream_load", body=f"{i},1,1\n", headers={"Authorization": "Basic cm9vdDo=", "column_separator": ",", "Expect": "100-continue"}
            )
            answer = json.loads(connection.getresponse().read())
            slowest[0] = max(slowest[0], time.perf_counter() - start)
            if answer["Status"] not in ("Success", "Publish Timeout"):
                failed.append(answer["Message"])

    start = time.perf_counter()
    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    [w.start() for w in workers]
    [w.join() for w in workers]
    took = time.perf_counter() - start
    most, start = rowsets(session, "loaded"), time.perf_counter()
    while rowsets(session, "loaded") > 10 and time.perf_counter() - start < 300:
        time.sleep(1)
    settled = time.perf_counter() - start
    after = median_scan(session, ["plain", "loaded"])
    count = session.sql("SELECT COUNT(*) FROM loaded")[0][0]
    print(f"{args.loads} loads of one row by {threads} clients: {took:.1f} s, {args.loads / took:.0f}/s, slowest {slowest[0] * 1000:.0f} ms, failed {len(failed)} {failed[:1]}")
    print(f"rows {count} of {args.rows + args.loads}; rowsets of a tablet after the last load {most}, {rowsets(session, 'loaded')} after {settled:.0f} s")
    print(f"scan, loaded beside plain: {before['loaded'] / before['plain']:.2f} before, {after['loaded'] / after['plain']:.2f} after ({after['plain']:.1f} ms, {after['loaded']:.1f} ms)")


def latency(args):
    session = fresh()
    table(session, "t", args.rows)
    body = "".join(f"{i},{i * 31 % 1000003},{i}.5\n" for i in range(20_000)).encode()
    stop, loads = threading.Event(), [0]

    def load():
        while not stop.is_set():
            start = time.perf_counter()
            put("t", body)
            loads[0] += 1
            # A steady stream, not as much as fits in: the clients share the machine.
            stop.wait(max(0.0, 0.5 - (time.perf_counter() - start)))

    def median():
        end, times = time.perf_counter() + args.seconds, []
        while time.perf_counter() < end:
            times.append(session.milliseconds(SCAN.format("t WHERE k <= 1000000")))
            time.sleep(0.02)
        return statistics.median(times), sorted(times)[int(len(times) * 0.95)]

    median()
    idle = median()
    loader = threading.Thread(target=load)
    loader.start()
    busy = median()
    stop.set()
    loader.join()
    print(f"{loads[0]} loads of 20,000 rows in {args.seconds:.0f} s, rowsets {rowsets(session, 't')}")
    print(f"median: idle {idle[0]:.1f} ms, under load {busy[0]:.1f} ms, ratio {busy[0] / idle[0]:.2f}; 95th percentile {idle[1]:.1f} and {busy[1]:.1f} ms")


def upserts(args):
    session = fresh()
    names, took = ["plain", "keyed"], {"plain": [], "keyed": []}
    table(session, "plain", args.rows)
    table(session, "keyed", args.rows, model="PRIMARY")
    for batch in range(20):
        keys = f"SELECT 1 + murmur_hash3_32(x, 'batch {batch}') % {args.rows} AS k, x AS a, x / 3 AS b FROM TABLE(generate_series(1, 100000)) g(x)"
        for name in names:
            took[name].append(session.milliseconds(f"INSERT INTO {name} SELECT ABS(k), a, b FROM ({keys}) s"))
    scans, points = median_scan(session, names), {}
    for name in names:
        points[name] = statistics.median(session.milliseconds(f"SELECT a, b FROM {name} WHERE k = {1 + i * 7919 % args.rows}") for i in range(200))
    speed = {name: 100_000 * 20 / sum(times) * 1000 for name, times in took.items()}
    print(f"20 batches of 100,000 random keys into {args.rows} rows: upserts {speed['keyed']:.0f} rows/s, appends {speed['plain']:.0f} rows/s, ratio {speed['keyed'] / speed['plain']:.2f}")
    print(f"scan right after: primary key {scans['keyed']:.1f} ms, duplicate key {scans['plain']:.1f} ms, ratio {scans['keyed'] / scans['plain']:.2f}")
    print(f"one key: primary key {points['keyed']:.2f} ms, duplicate key {points['plain']:.2f} ms")
    time.sleep(20)
    scans = median_scan(session, names)
    print(f"20 s later: primary key {scans['keyed']:.1f} ms, duplicate key {scans['plain']:.1f} ms, ratio {scans['keyed'] / scans['plain']:.2f}")


LINEITEM = """l_orderkey BIGINT NOT NULL, l_partkey INT NOT NULL, l_suppkey INT NOT NULL, l_linenumber INT NOT NULL, l_quantity DECIMAL(15,2) NOT NULL,
l_extendedprice DECIMAL(15,2) NOT NULL, l_discount DECIMAL(15,2) NOT NULL, l_tax DECIMAL(15,2) NOT NULL, l_returnflag VARCHAR(1) NOT NULL,
l_linestatus VARCHAR(1) NOT NULL, l_shipdate DATE NOT NULL, l_commitdate DATE NOT NULL, l_receiptdate DATE NOT NULL, l_shipinstruct VARCHAR(25) NOT NULL,
l_shipmode VARCHAR(10) NOT NULL, l_comment VARCHAR(44) NOT NULL"""


def load(args):
    import duckdb

    session = fresh()
    with tempfile.TemporaryDirectory(dir=args.data) as scratch:
        for kind in ("csv", "parquet"):
            path = find(args.data, "lineitem", kind)
            theirs, ours = [], []
            for turn in range(3):
                database = duckdb.connect(os.path.join(scratch, f"{kind}{turn}.duckdb"))
                database.execute("SET threads = 2")
                database.execute(f"CREATE TABLE lineitem ({LINEITEM})")
                start = time.perf_counter()
                options = "(DELIMITER '|', HEADER false)" if kind == "csv" else "(FORMAT parquet)"
                database.execute(f"COPY lineitem FROM '{path}' {options}")
                database.execute("CHECKPOINT")
                theirs.append(time.perf_counter() - start)
                database.close()
                name = f"lineitem_{kind}_{turn}"
                session.sql(f"CREATE TABLE {name} ({LINEITEM}) DUPLICATE KEY(l_orderkey) DISTRIBUTED BY HASH(l_orderkey) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\")")
                start = time.perf_counter()
                answer = put(name, path, **({"column_separator": "|"} if kind == "csv" else {"format": "parquet"}))
                ours.append(time.perf_counter() - start)
                session.sql(f"DROP TABLE {name} FORCE")
            print(f"{kind}: {answer['NumberLoadedRows']} rows; DuckDB COPY and CHECKPOINT {min(theirs):.2f} s, ours over HTTP {min(ours):.2f} s, ratio {min(ours) / min(theirs):.2f}")


def big_load(args):
    """One load of many GiB; watch the backend's memory beside it (its control group, or VmHWM in /proc/PID/status)."""
    path, session = find(args.data, "lineitem", "csv"), fresh()
    session.sql(f"CREATE TABLE big ({LINEITEM}) DUPLICATE KEY(l_orderkey) DISTRIBUTED BY HASH(l_orderkey) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\")")
    times = -(-int(args.gib * (1 << 30)) // os.path.getsize(path))
    lines = subprocess.Popen(["cat"] + [path] * times, stdout=subprocess.PIPE)
    start = time.perf_counter()
    answer = put("big", lines.stdout, column_separator="|", timeout="3600")
    took = time.perf_counter() - start
    lines.wait()
    counted = session.sql("SELECT COUNT(*), COUNT(DISTINCT l_orderkey) FROM big")[0]
    size = session.sql("SELECT SUM(DATA_SIZE) FROM information_schema.be_tablets")[0][0]
    print(f"{answer['Status']}: {answer['LoadBytes'] / (1 << 30):.2f} GiB, {answer['NumberLoadedRows']} rows in {took:.0f} s, {answer['LoadBytes'] / took / 1e6:.0f} MB/s; {counted} rows and keys, {size / (1 << 30):.2f} GiB on disk")


def find(data, name, kind):
    endings = {"csv": (".csv", ".tbl"), "parquet": (".parquet",)}[kind]
    for root, _, files in os.walk(data):
        for file in sorted(files):
            if file.startswith(name) and file.endswith(endings):
                return os.path.join(root, file)
    raise SystemExit(f"{data} holds no {kind} of {name}: gen.py {data} tpch 1 --csv")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    modes = parser.add_subparsers(required=True)
    for name, run in (("big-load", big_load), ("small-loads", small_loads), ("latency", latency), ("upserts", upserts), ("load", load)):
        mode = modes.add_parser(name)
        mode.set_defaults(run=run)
        mode.add_argument("--rows", type=int, default=10_000_000 if name == "upserts" else 5_000_000)
        mode.add_argument("--loads", type=int, default=10_000)
        mode.add_argument("--seconds", type=float, default=20)
        mode.add_argument("--gib", type=float, default=10)
        if name in ("load", "big-load"):
            mode.add_argument("data")
    args = parser.parse_args()
    try:
        args.run(args)
    finally:
        Session().sql(f"DROP DATABASE IF EXISTS {DATABASE} FORCE")


if __name__ == "__main__":
    main()
