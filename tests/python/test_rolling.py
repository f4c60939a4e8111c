"""A whole cluster restarted node by node while it serves: no query and no load fails, and nothing is lost or there twice.

Clients know all frontends, as behind a balancer: one that takes no connections is passed over. What was sent must be answered.
Reports the latency before, during and after.
"""

import os
import statistics
import threading
import time

import pymysql

from harness import Cluster, ClusterTest, ROOT, main, run

ROWS = 200
QUERY = "SELECT COUNT(*), COUNT(DISTINCT load_no) FROM rolling.t"


class Clients:
    """Queries and loads in threads, until they are told to stop."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.stop = threading.Event()
        self.failures, self.times, self.loads = [], [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.query, args=(i,)) for i in range(2)] + [threading.Thread(target=self.load)]
        for thread in self.threads:
            thread.start()

    def connect(self, first):
        """The first frontend that takes the connection, beginning with one's own."""
        frontends = self.cluster.frontends
        last = None
        for i in range(len(frontends)):
            process = frontends[(first + i) % len(frontends)]
            try:
                return self.cluster.connect(host=process["host"], port=process["ports"]["query"], connect_timeout=5)
            except pymysql.err.OperationalError as e:
                last = e
        raise last

    def query(self, first):
        while not self.stop.is_set():
            start = time.monotonic()
            try:
                with self.connect(first) as connection, connection.cursor() as cursor:
                    cursor.execute(QUERY)
                    rows, loads = cursor.fetchall()[0]
                if rows != loads * ROWS:
                    self.failures.append(f"{rows} rows of {loads} loads")
                self.times.append((start, time.monotonic() - start))
            except Exception as e:  # pylint: disable=broad-except
                self.failures.append(f"query: {e!r}")
            self.stop.wait(0.02)

    def load(self):
        while not self.stop.is_set():
            body = "".join(f"{self.loads},{row}\n" for row in range(ROWS))
            try:
                answer = self.send(body)
                if answer["Status"] not in ("Success", "Publish Timeout"):
                    self.failures.append(f"load {self.loads}: {answer}")
                else:
                    self.loads += 1
            except Exception as e:  # pylint: disable=broad-except
                self.failures.append(f"load {self.loads}: {e!r}")
            self.stop.wait(0.05)

    def send(self, body):
        last = None
        for process in self.cluster.frontends:
            try:
                return self.cluster.stream_load("rolling", "t", body, at=process, label=f"load_{self.loads}", column_separator=",")
            except AssertionError as e:
                # Nobody listens there; everything else counts.
                if "curl failed with 7" not in str(e):
                    raise
                last = e
        raise last

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Rolling(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(backends=3, frontends=3)
        cls.cluster.wait_alive()
        cls.cluster.database("rolling")
        cls.cluster.sql('CREATE TABLE t (load_no INT, row_no INT) DUPLICATE KEY(load_no) DISTRIBUTED BY HASH(row_no) BUCKETS 3 PROPERTIES ("replication_num" = "3")', database="rolling")

    def pids(self):
        self.cluster.script("status")
        homes = [p["home"] for p in self.cluster.processes]
        return [open(next(os.path.join(h, f) for f in ("fe.pid", "be.pid") if os.path.exists(os.path.join(h, f))), encoding="utf-8").read().strip() for h in homes]

    def roll(self, *arguments):
        before = self.pids()
        run(os.path.join(ROOT, "bin/rolling_restart.sh"), "--dir", self.cluster.dir, "--timeout", "180", *arguments)
        after = self.pids()
        self.assertFalse(set(before) & set(after), "every node is another process")

    def test_1_nobody_notices(self):
        clients = Clients(self.cluster)
        try:
            time.sleep(3)
            begun = time.monotonic()
            self.roll()
            ended = time.monotonic()
            time.sleep(3)
        finally:
            clients.end()
        self.assertEqual(clients.failures, [])
        rows, loads = self.cluster.sql(QUERY)[0]
        self.assertEqual((rows, loads), (clients.loads * ROWS, clients.loads))
        phases = {"before": (0, begun), "during": (begun, ended), "after": (ended, float("inf"))}
        for name, (start, end) in phases.items():
            times = sorted(1000 * took for at, took in clients.times if start <= at < end)
            print(f"{name}: {len(times)} queries, median {statistics.median(times):.1f} ms, 99 % {times[len(times) * 99 // 100]:.1f} ms, slowest {times[-1]:.1f} ms", flush=True)
        print(f"{clients.loads} loads; the restart took {ended - begun:.1f} s", flush=True)

    def test_2_back_to_what_ran_before(self):
        self.roll("--rollback")
        for process in self.cluster.processes:
            program = os.path.join(process["home"], "current", f"mirrorship-{process['role']}")
            self.assertTrue(os.path.exists(program), program)
        self.assertEqual(self.cluster.sql("SELECT 1"), ((1,),))

    def test_3_a_sick_cluster_is_left_alone(self):
        run(os.path.join(ROOT, "bin/stop_be.sh"), "--home", self.cluster.backends[0]["home"])
        refused = run(os.path.join(ROOT, "bin/rolling_restart.sh"), "--dir", self.cluster.dir, check=False)
        # Until the frontend has noticed, the node itself is found missing.
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, "does not answer|does not run")
        self.cluster.start(self.cluster.backends[0])


if __name__ == "__main__":
    main()
