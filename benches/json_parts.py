"""JSON columns stored in parts beside whole documents: the same rows and queries in one run, as ratios.

usage: json_parts.py MYSQL_PORT HTTP_PORT [rows]
"""

import json
import random
import statistics
import subprocess
import sys
import time

import pymysql

QUERIES = [
    ("sum of one path", "SELECT sum(get_json_int(j, '$.id')) FROM {t}"),
    ("one condition", "SELECT count(*) FROM {t} WHERE get_json_string(j, '$.kind') = 'refund'"),
    ("range pruned by zone maps", "SELECT count(*), sum(get_json_double(j, '$.price')) FROM {t} WHERE get_json_int(j, '$.id') < 20000"),
    ("group by nested path", "SELECT get_json_int(j, '$.user.level'), count(*), avg(get_json_double(j, '$.price')) FROM {t} GROUP BY 1"),
    ("cast of ->", "SELECT max(CAST(j->'user.id' AS BIGINT)) FROM {t}"),
    ("rare path", "SELECT count(get_json_int(j, '$.rare')) FROM {t}"),
    ("whole documents", "SELECT sum(length(CAST(j AS VARCHAR))) FROM {t}"),
]


def documents(rows):
    rng = random.Random(1)
    words = ["lamp", "chair", "table", "kitchen", "garden", "window", "carpet", "mirror"]
    for i in range(rows):
        doc = {
            "id": i,
            "kind": rng.choice(["sale", "sale", "sale", "refund", "gift"]),
            "price": round(rng.random() * 500, 2),
            "user": {"id": rng.randrange(10**6), "level": rng.randrange(12), "name": f"user {rng.randrange(10**5)}"},
            "note": " ".join(rng.choice(words) for _ in range(20)),
            "tags": rng.sample(words, 3),
        }
        if rng.random() < 0.01:
            doc["rare"] = i
        yield json.dumps({"k": i, "j": doc})


def main():
    port, http = int(sys.argv[1]), int(sys.argv[2])
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else 500_000
    connection = pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True)
    cursor = connection.cursor()
    cursor.execute("CREATE DATABASE IF NOT EXISTS json_bench")
    body = "\n".join(documents(rows)).encode()
    for table, flat in [("whole", "false"), ("parts", "true")]:
        cursor.execute(f"DROP TABLE IF EXISTS json_bench.{table} FORCE")
        cursor.execute(
            f"CREATE TABLE json_bench.{table} (k INT, j JSON) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2"
            f' PROPERTIES ("replication_num" = "1", "flat_json.enable" = "{flat}")'
        )
        started = time.monotonic()
        command = ["curl", "-sS", "--location-trusted", "-u", "root:", "-T", "-", "-H", "Expect: 100-continue", "-H", "format: json"]
        command += ["-H", "ignore_json_size: true", f"http://127.0.0.1:{http}/api/json_bench/{table}/_stream_load"]
        answer = json.loads(subprocess.run(command, input=body, capture_output=True, check=True).stdout)
        assert answer["Status"] == "Success", answer
        cursor.execute(f"SHOW DATA FROM json_bench.{table}")
        print(f"{table}: loaded {len(body) >> 20} MiB in {time.monotonic() - started:.1f} s, {cursor.fetchall()[0][2]} on disk")
    print("| query | whole ms | parts ms | ratio |\n|---|---|---|---|")
    for name, query in QUERIES:
        times = {}
        answers = []
        for table in ["whole", "parts"]:
            taken = []
            for _ in range(7):
                started = time.monotonic()
                cursor.execute(query.format(t=f"json_bench.{table}"))
                rows_found = cursor.fetchall()
                taken.append((time.monotonic() - started) * 1000)
            answers.append(sorted(rows_found, key=str))
            times[table] = statistics.median(taken[2:])
        same = all(len(a) == len(b) for a, b in zip(*answers))
        assert same, (name, answers)
        print(f"| {name} | {times['whole']:.1f} | {times['parts']:.1f} | {times['parts'] / times['whole']:.2f} |")


if __name__ == "__main__":
    main()
