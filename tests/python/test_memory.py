"""A backend in a container of little memory: loads and queries that need more than there is are refused one by one, and the
process lives on. Needs the right to make control groups (root, version 1 or 2); skips without."""

import os
import re
import subprocess
import threading

import pymysql

from harness import ROOT, Cluster, ClusterTest, kill, main, pid_of

LIMIT_BYTES = 384 << 20
ROWS_PER_LOAD = 240_000
LOADS = 4
ROWS = ROWS_PER_LOAD * LOADS


class ControlGroup:
    """A control group with a memory limit; None from `make` says that the machine does not let us."""

    def __init__(self, path, peak, kills):
        self.path, self.peak_file, self.kills_file = path, peak, kills

    @classmethod
    def make(cls, name):
        v1, v2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
        try:
            if os.path.exists(f"{v1}/memory.limit_in_bytes"):
                group = cls(f"{v1}/{name}", "memory.max_usage_in_bytes", "memory.oom_control")
                limit, swap = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
            elif os.path.exists(f"{v2}/cgroup.controllers"):
                write(f"{v2}/cgroup.subtree_control", "+memory")
                group = cls(f"{v2}/{name}", "memory.peak", "memory.events")
                limit, swap = "memory.max", "memory.swap.max"
            else:
                return None
            os.makedirs(group.path, exist_ok=True)
            write(f"{group.path}/{limit}", str(LIMIT_BYTES))
        except OSError:
            return None
        try:
            write(f"{group.path}/{swap}", str(LIMIT_BYTES) if "memsw" in swap else "0")
        except OSError:
            pass  # A kernel that does not count swap.
        return group

    def run(self, *command):
        """Runs a command, and what it starts, inside the group."""
        script = f'echo $$ > "{self.path}/cgroup.procs" && exec "$@"'
        subprocess.run(["bash", "-c", script, "in-group", *command], check=True, capture_output=True, timeout=120)

    def kills(self):
        text = read(f"{self.path}/{self.kills_file}")
        return int(re.search(r"oom_kill (\d+)", text).group(1))

    def peak(self):
        try:
            return int(read(f"{self.path}/{self.peak_file}"))
        except OSError:
            return 0  # Older kernels of version 2.

    def remove(self):
        try:
            os.rmdir(self.path)
        except OSError:
            pass


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def body(load):
    """Rows with strings that no dictionary holds: about 300 bytes each, each number once in all loads."""
    filler = "abcdefghijklmnopqrstuvwxyz0123456789" * 6
    pieces = [filler[i : i + 60] for i in range(100)]
    first = load * ROWS_PER_LOAD
    return "\n".join(
        f"{i % 7},{i},{i % 1000},name of number {i:09} {pieces[i % 97]},{pieces[i % 89]}{i:07},{i * 7919 % ROWS:09} {pieces[i % 83]}"
        for i in range(first, first + ROWS_PER_LOAD)
    ).encode()


# What the whole table answers, if it does.
QUERIES = [
    ("SELECT count(*), sum(v), count(DISTINCT part) FROM wide", ((ROWS, ROWS * (ROWS - 1) // 2, 7),)),
    ("SELECT count(*) FROM (SELECT a, count(*) c FROM wide GROUP BY a) x WHERE c = 1", ((ROWS,),)),
    ("SELECT count(*) FROM (SELECT a, b, c, count(*) n FROM wide GROUP BY a, b, c) x", ((ROWS,),)),
    ("SELECT count(*) FROM wide l JOIN wide r ON l.b = r.b AND l.v = r.v", ((ROWS,),)),
    ("SELECT count(*), max(length(r.a)) FROM wide l JOIN wide r ON l.a = r.a AND l.c = r.c", ((ROWS, 85),)),
    ("SELECT v FROM (SELECT v, a, b, c, row_number() OVER (ORDER BY c, a) n FROM wide) x WHERE n = 1", ((0,),)),
    ("SELECT min(v) FROM (SELECT v, a, b, c FROM wide ORDER BY c, b, a LIMIT 900000) x", ((0,),)),
    ("SELECT count(DISTINCT a), count(DISTINCT b), count(DISTINCT c) FROM wide", ((ROWS, ROWS, ROWS),)),
    ("SELECT k, count(*) FROM wide GROUP BY k ORDER BY k LIMIT 2", ((0, ROWS // 1000), (1, ROWS // 1000))),
]


class SmallMemory(ClusterTest):
    """A backend of 384 MiB, and data of about as much as text a load."""

    @classmethod
    def setUpClass(cls):
        cls.group = ControlGroup.make(f"mirrorship-test-{os.getpid()}")
        if cls.group is None:
            return
        cls.cluster = Cluster()
        backend = cls.cluster.backends[0]
        kill(backend)
        conf = os.path.join(backend["home"], "conf/be.conf")
        write(conf, re.sub(r"(?m)^mem_limit.*\n", "", read(conf)))
        cls.group.run(os.path.join(ROOT, "bin/start_be.sh"), "--home", backend["home"], "--daemon")
        cls.cluster.wait_alive()
        cls.pid = pid_of(backend)

    @classmethod
    def tearDownClass(cls):
        if cls.cluster is not None:
            cls.cluster.close()
        if cls.group is not None:
            cls.group.remove()

    def assert_lives(self):
        self.assertEqual(self.group.kills(), 0, "the kernel killed something in the group")
        self.assertEqual(pid_of(self.cluster.backends[0]), self.pid)
        os.kill(self.pid, 0)

    def at_once(self, work, items):
        """Runs work on every item at the same time; their results, exceptions included."""
        results = [None] * len(items)

        def one(i):
            try:
                results[i] = work(items[i])
            except Exception as e:  # pylint: disable=broad-except
                results[i] = e

        threads = [threading.Thread(target=one, args=(i,)) for i in range(len(items))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def check(self, query, answer, expected):
        """1 when it was answered, 0 when it was refused for want of memory; anything else is a failure."""
        if isinstance(answer, pymysql.err.MySQLError):
            self.assertRegex(str(answer), "Memory of .* exceed limit", query)
            return 0
        self.assertEqual(tuple(answer), expected, query)
        return 1

    def setUp(self):
        if self.group is None:
            self.skipTest("no right to make control groups with a memory limit here")

    def test_loads_and_queries_beyond_memory(self):
        db = self.cluster.database("small_memory")
        partitions = ", ".join(f'PARTITION p{i} VALUES [("{i}"), ("{i + 1}"))' for i in range(7))
        self.cluster.sql(
            f"CREATE TABLE {db}.wide (part INT NOT NULL, v BIGINT NOT NULL, k INT NOT NULL, a VARCHAR(200), b VARCHAR(200), c VARCHAR(200)) "
            f"DUPLICATE KEY(part, v) PARTITION BY RANGE(part) ({partitions}) DISTRIBUTED BY HASH(v) BUCKETS 6 "
            'PROPERTIES ("replication_num" = "1")'
        )

        def load(number):
            return self.cluster.stream_load(db, "wide", body(number), column_separator=",", label=f"load_{number}")

        for number, result in enumerate(self.at_once(load, range(LOADS))):
            # A load that others left no memory is refused as a whole; alone it fits.
            if isinstance(result, dict) and result["Status"] == "Fail":
                self.assertRegex(result["Message"], "Memory of .* exceed limit")
                result = self.cluster.stream_load(db, "wide", body(number), column_separator=",", label=f"again_{number}")
            self.assertEqual((result["Status"], result["NumberLoadedRows"]), ("Success", ROWS_PER_LOAD), result)
        self.assert_lives()

        def ask(query):
            return self.cluster.sql(query[0], database=db)

        answered = sum(self.check(q, ask_or_error(ask, (q, e)), e) for q, e in QUERIES)
        self.assertGreaterEqual(answered, 2, "the cheap ones fit")
        self.assert_lives()
        together = self.at_once(ask, QUERIES)
        answered_together = sum(self.check(q, a, e) for (q, e), a in zip(QUERIES, together))
        self.assert_lives()

        # Queries and loads of the whole table into another one, at once.
        self.cluster.sql(f"CREATE TABLE {db}.copy LIKE {db}.wide")
        mixed = [(f"INSERT INTO {db}.copy SELECT * FROM {db}.wide", ())] + QUERIES[:4]
        for (q, e), a in zip(mixed, self.at_once(ask, mixed)):
            self.check(q, a, e)
        self.assertIn(self.cluster.sql(f"SELECT count(*) FROM {db}.copy"), (((0,),), ((ROWS,),)))
        self.assert_lives()

        # Nothing stays behind: what fits alone is answered.
        for q, e in (QUERIES[0], QUERIES[-1]):
            self.assertEqual(ask((q, e)), e)
        print(f"\n{answered} of {len(QUERIES)} queries answered one by one, {answered_together} at once; peak {self.group.peak() >> 20} MiB", flush=True)


def ask_or_error(ask, query):
    try:
        return ask(query)
    except pymysql.err.MySQLError as e:
        return e


if __name__ == "__main__":
    main()
