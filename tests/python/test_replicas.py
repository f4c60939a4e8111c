"""Replicas over the life of a cluster: backends are killed, wiped, added, emptied and dropped while queries and loads go on.

Nothing a client sees fails: queries find other replicas, loads have their majority, and the replicas are whole again without hands.
"""

import glob
import os
import shutil
import threading
import time

import pymysql

from harness import Cluster, ClusterTest, HOST, damage, is_through, kill, main, run, wait_until

ROWS = 2000
TABLES = {
    "d": "DUPLICATE KEY(k)",
    "p": "PRIMARY KEY(k)",
    "u": "UNIQUE KEY(k)",
    "a": "AGGREGATE KEY(k)",
}
SHORT = {
    "heartbeat_retry_times": "2",
    "tablet_report_drop_tablet_delay_sec": "3",
    "tablet_sched_be_down_tolerate_time_s": "3600",
}


# Until a load is through that is sent again, as long as it takes. What its backend began ends when the backend counts as dead.
RESEND_SECONDS = 60
# Replicas are made again within this time.
REPAIR_SECONDS = 120


class Mix:
    """Queries, inserts and stream loads at a steady pace; what went wrong is kept."""

    def __init__(self, cluster, db):
        self.cluster, self.db, self.name = cluster, db, time.time_ns()
        self.errors, self.queries, self.loads = [], 0, 0
        self.stop = threading.Event()
        self.added = 0
        self.threads = [threading.Thread(target=self.guard, args=(work,)) for work in (self.query, self.query, self.load, self.insert)]

    def __enter__(self):
        self.cluster.sql("CREATE TABLE IF NOT EXISTS mix (k BIGINT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3", database=self.db)
        self.base = self.cluster.sql("SELECT COUNT(*) FROM mix", database=self.db)[0][0]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def guard(self, work):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            try:
                work(turn)
            except Exception as e:  # pylint: disable=broad-except
                self.errors.append(f"{time.strftime('%H:%M:%S')} {work.__name__}: {e}")
            time.sleep(0.02)

    def query(self, turn):
        table = list(TABLES)[turn % len(TABLES)]
        found = self.cluster.sql(f"SELECT COUNT(*), SUM(v) FROM {table}", database=self.db)
        if found != ((ROWS, expected_sum()),):
            raise AssertionError(f"{table}: {found}")
        self.queries += 1

    def load(self, turn):
        label = f"mix_{self.name}_{turn}"
        body = "".join(f"{turn},{i}\n" for i in range(10))
        deadline = time.monotonic() + RESEND_SECONDS
        # The body of a load goes to one backend: when that dies the client sends it again, under its label.
        while not self.sent(label, body):
            if time.monotonic() > deadline:
                raise AssertionError(f"{label} is not through within {RESEND_SECONDS} s")
            time.sleep(0.2)
        self.loads += 1
        self.added += 10

    def sent(self, label, body):
        """Whether the load is through; not while what a backend began before it died is still running."""
        try:
            answer = self.cluster.stream_load(self.db, "mix", body, column_separator=",", label=label)
        except AssertionError:
            return False
        if not is_through(answer) and answer["Status"] != "Label Already Exists":
            raise RuntimeError(f"{answer}")
        return is_through(answer)

    def insert(self, turn):
        self.cluster.sql(f"INSERT INTO mix VALUES ({turn}, 1), ({turn}, 2)", database=self.db)
        self.loads += 1
        self.added += 2

    def check(self, test):
        test.assertEqual(self.errors, [], f"{self.queries} queries, {self.loads} loads")
        test.assertGreater(self.queries, 10)
        test.assertGreater(self.loads, 5)
        wait_until("all loads are visible", lambda: self.cluster.sql("SELECT COUNT(*) FROM mix", database=self.db)[0][0] == self.base + self.added, 30)


def expected_sum():
    return sum(i % 7 for i in range(ROWS))


class Replicas(ClusterTest):
    backend_count = 4
    disk_count = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.wait_alive()
        for name, value in SHORT.items():
            cls.config(name, value)
        cls.db = cls.cluster.database("replicas")
        body = "".join(f"{i},{i % 7}\n" for i in range(ROWS))
        for name, keys in TABLES.items():
            value = "v BIGINT REPLACE" if name == "a" else "v BIGINT"
            cls.cluster.sql(f"CREATE TABLE {name} (k INT, {value}) {keys} DISTRIBUTED BY HASH(k) BUCKETS 4", database=cls.db)
            for part in (body[: len(body) // 2].rsplit("\n", 1)[0] + "\n", None):
                rest = body if part is None else part
                if part is None:
                    rest = body[len(body[: len(body) // 2].rsplit("\n", 1)[0]) + 1 :]
                answer = cls.cluster.stream_load(cls.db, name, rest, column_separator=",")
                assert answer["Status"] == "Success", answer
        # Rows that are replaced: delete vectors and merges have to come over.
        for name in ("p", "u", "a"):
            answer = cls.cluster.stream_load(cls.db, name, body, column_separator=",")
            assert answer["Status"] == "Success", answer
        for name in ("c1", "c2"):
            cls.cluster.sql(
                f"CREATE TABLE {name} (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 6 "
                'PROPERTIES ("colocate_with" = "g", "replication_num" = "2")',
                database=cls.db,
            )
            cls.cluster.sql(f"INSERT INTO {name} SELECT k, v FROM d", database=cls.db)

    @classmethod
    def config(cls, name, value):
        cls.cluster.sql(f'ADMIN SET FRONTEND CONFIG ("{name}" = "{value}")')

    def ids(self):
        """Heartbeat port → backend id, of the backends of the cluster."""
        return {int(row[2]): int(row[0]) for row in self.cluster.sql("SHOW BACKENDS")}

    def id_of(self, process):
        return self.ids()[process["ports"]["heartbeat"]]

    def unwell(self):
        total = [row for row in self.cluster.sql("SHOW PROC '/statistic'") if row[0] == "Total"][0]
        return int(total[7])

    def stat(self, name):
        return next(int(row[1]) for row in self.cluster.sql("SHOW PROC '/cluster_balance/sched_stat'") if row[0] == name)

    def wait_whole(self, what, seconds=REPAIR_SECONDS):
        """Until the scheduler has looked at every tablet again and found nothing to mend and nothing to move."""
        well_since = None

        def whole():
            nonlocal well_since
            checks = self.stat("num of checks")
            balanced = all(row[2] == "true" for row in self.cluster.sql("SHOW PROC '/cluster_balance/balance_stat'"))
            if self.unwell() or not balanced or self.tasks("pending") or self.tasks("running"):
                well_since = None
                return False
            well_since = checks if well_since is None else well_since
            return checks >= well_since + 3

        try:
            wait_until(what, whole, seconds)
        except AssertionError as e:
            rows = [row for row in self.replicas(*TABLES, "c1", "c2") if row[12] != "OK" or row[9] != "false"]
            raise AssertionError(f"{e}\n{self.unwell()} unwell, pending {self.tasks('pending')[:3]}, running {self.tasks('running')[:3]}, {rows[:5]}\n{self.cluster.complaints()}") from e

    def replicas(self, *tables):
        return [row for t in tables for row in self.cluster.sql(f"ADMIN SHOW REPLICA STATUS FROM {t}", database=self.db)]

    def tasks(self, which):
        return self.cluster.sql(f"SHOW PROC '/cluster_balance/{which}_tablets'")

    def done_since(self, before):
        """(reason, state) of the copies that ended after the first `before`."""
        return [(row[3], row[4]) for row in self.new_tasks(before)]

    def new_tasks(self, before):
        """Copies that ended after the first `before`, the newest first."""
        history = self.tasks("history")
        return history[: len(history) - before]

    def counts(self):
        rows = [row for t in (*TABLES, "mix") for row in self.cluster.sql(f"ADMIN SHOW REPLICA DISTRIBUTION FROM {t}", database=self.db)]
        out = {}
        for row in rows:
            out[int(row[0])] = out.get(int(row[0]), 0) + int(row[1])
        return out

    def check_data(self):
        for table in TABLES:
            self.assertEqual(self.cluster.sql(f"SELECT COUNT(*), SUM(v) FROM {table}", database=self.db), ((ROWS, expected_sum()),), table)
        joined = self.cluster.sql("SELECT COUNT(*), SUM(c1.v) FROM c1 JOIN c2 ON c1.k = c2.k", database=self.db)
        self.assertEqual(joined, ((ROWS, expected_sum()),))

    def history(self, process):
        return [row[2] for row in self.cluster.sql(f"SHOW PROC '/backends/{self.id_of(process)}/history'")]

    def test_1_a_killed_backend_is_not_noticed_and_comes_back_without_copies(self):
        self.wait_whole("start")
        before = len(self.tasks("history"))
        victim = self.cluster.backends[1]
        with Mix(self.cluster, self.db) as mix:
            time.sleep(2)
            kill(victim)
            time.sleep(12)
            self.assertIn("COMMUNICATION_ERROR", self.history(victim))
            self.cluster.start(victim)
            time.sleep(3)
        mix.check(self)
        print(f"killed under load: {mix.queries} queries, {mix.loads} loads, no error", flush=True)
        self.wait_whole("the replicas that missed loads have them")
        reasons = {reason for reason, _ in self.done_since(before)}
        self.assertLessEqual(reasons, {"VERSION_INCOMPLETE", "NEED_FURTHER_REPAIR"}, "only what was missed is copied")
        self.assertIn("PROCESS_RESTARTED", self.history(victim))
        self.check_data()

    def test_2_damaged_files_are_not_noticed_and_mended(self):
        victim = self.cluster.backends[0]
        self.cluster.restart(victim)
        files = sorted(glob.glob(os.path.join(victim["home"], "storage*/data/*/*/*.dat")))
        self.assertGreater(len(files), 3)
        for file in files:
            damage(file)
        # Every query meets them until they are known; none fails.
        for _ in range(20):
            self.check_data()
        self.wait_whole("the damaged replicas are made again")
        run("curl", "-sS", "-m", "10", "-X", "POST", f"http://{HOST}:{victim['ports']['webserver']}/api/scrub")
        time.sleep(3)
        self.wait_whole("the replicas nobody has read are made again too")
        self.check_data()

    def test_3_wiped_storage_is_filled_again(self):
        victim = self.cluster.backends[2]
        node = str(self.id_of(victim))
        with Mix(self.cluster, self.db) as mix:
            before = len(self.tasks("history"))
            lost = {row[0] for row in self.replicas(*TABLES, "c1", "c2", "mix") if row[2] == node}
            kill(victim)
            for path in glob.glob(os.path.join(victim["home"], "storage*/*")):
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
            self.cluster.start(victim)
            began = time.monotonic()
            # Queries notice some at once, the backend's report all.
            wait_until("the lost replicas are made again", lambda: lost <= {row[0] for row in self.new_tasks(before) if row[4] == "FINISHED"}, REPAIR_SECONDS)
            self.wait_whole("nothing is left to be made")
        mix.check(self)
        print(f"wiped: whole again after {time.monotonic() - began:.0f} s", flush=True)
        self.check_data()

    def test_4_a_backend_that_never_returns_is_replaced(self):
        victim = self.cluster.backends[3]
        gone = self.id_of(victim)
        self.config("tablet_sched_be_down_tolerate_time_s", "5")
        self.cluster.sql("CREATE TABLE changing (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 4", database=self.db)
        self.cluster.sql("INSERT INTO changing SELECT generate_series, generate_series FROM TABLE(generate_series(1, 1000))", database=self.db)
        with Mix(self.cluster, self.db) as mix:
            kill(victim)
            # The new tablets are made where they can be.
            self.cluster.sql("ALTER TABLE changing MODIFY COLUMN v BIGINT", database=self.db)
            wait_until("the rows are written anew", lambda: "FINISHED" in self.cluster.sql(f"SHOW ALTER TABLE COLUMN FROM {self.db} WHERE TableName = 'changing'")[0], 60)
            self.assertEqual(self.cluster.sql("SELECT count(*), sum(v) FROM changing", database=self.db), ((1000, 500500),))
            began = time.monotonic()
            wait_until("its replicas are elsewhere", lambda: self.counts().get(gone, 0) == 0, REPAIR_SECONDS)
            self.wait_whole("everything is whole on three backends")
            print(f"lost for good: whole again after {time.monotonic() - began:.0f} s", flush=True)
        mix.check(self)
        self.check_data()
        self.config("tablet_sched_be_down_tolerate_time_s", "3600")
        self.config("tablet_sched_disable_balance", "true")
        self.cluster.start(victim)
        time.sleep(4)
        self.assertEqual(self.counts().get(gone, 0), 0, "balancing is frozen")
        self.config("tablet_sched_disable_balance", "false")
        wait_until("it gets its share again", lambda: min(self.counts().values()) * 2 >= max(self.counts().values()), REPAIR_SECONDS)
        self.wait_whole("balanced")

    def test_5_added_and_emptied_under_load(self):
        leaving = self.cluster.backends[0]
        node = self.id_of(leaving)
        with Mix(self.cluster, self.db) as mix:
            self.cluster.script("up", "--fe", "1", "--be", "5", "--disks", "2")
            self.cluster.read()
            self.cluster.wait_alive()
            fresh = self.id_of(self.cluster.backends[4])
            wait_until("the new backend has its share", lambda: self.counts().get(fresh, 0) * 2 >= max(self.counts().values()), REPAIR_SECONDS)
            self.cluster.sql(f'ALTER SYSTEM DECOMMISSION BACKEND "{HOST}:{leaving["ports"]["heartbeat"]}"')
            wait_until("the emptied backend has left", lambda: node not in self.ids().values(), 180)
            self.wait_whole("everything is whole elsewhere")
        mix.check(self)
        print(f"added and emptied under load: {mix.queries} queries, {mix.loads} loads, no error", flush=True)
        self.assertEqual(glob.glob(os.path.join(leaving["home"], "storage*/data/*/*/*.dat")), [], "it holds nothing")
        self.check_data()
        groups = self.cluster.sql("SHOW PROC '/colocation_group'")
        self.assertEqual([row[7] for row in groups], ["true"])
        kill(leaving)
        self.cluster.backends[:] = [p for p in self.cluster.backends if p["home"] != leaving["home"]]

    def test_6_what_operators_ask_for(self):
        sql = self.cluster.sql
        for number in (2, 3):
            sql(f'ALTER TABLE d SET ("replication_num" = "{number}")', database=self.db)
            self.wait_whole(f"{number} replicas")
            wait_until("as many as asked for", lambda: len(sql("ADMIN SHOW REPLICA STATUS FROM d", database=self.db)) == 4 * number, REPAIR_SECONDS)
        self.assert_error(5064, "available BE nodes", 'ALTER TABLE d SET ("replication_num" = "9")', database=self.db)
        status = sql("ADMIN SHOW REPLICA STATUS FROM p", database=self.db)[0]
        tablet, backend = status[0], status[2]
        before = len(self.tasks("history"))
        sql(f'ADMIN SET REPLICA STATUS PROPERTIES("tablet_id" = "{tablet}", "backend_id" = "{backend}", "status" = "bad")')
        sql("ADMIN REPAIR TABLE p", database=self.db)
        self.assertEqual([row[1] for row in sql("SHOW PROC '/cluster_balance/priority_repair'")], ["p"])
        wait_until("the replica is made again", lambda: ("NEED_FURTHER_REPAIR", "FINISHED") in self.done_since(before), REPAIR_SECONDS)
        sql("ADMIN CANCEL REPAIR TABLE p", database=self.db)
        self.wait_whole("repaired")
        self.check_data()
        sql('CREATE TABLE one (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "1")', database=self.db)
        holder = int(sql("ADMIN SHOW REPLICA STATUS FROM one", database=self.db)[0][2])
        process = next(p for p in self.cluster.backends if self.id_of(p) == holder)
        port = process["ports"]["heartbeat"]
        self.assert_error(5064, "only copy", f'ALTER SYSTEM DROP BACKEND "{HOST}:{port}"')
        self.assert_error(5064, "insufficient BE number", "ALTER SYSTEM DECOMMISSION BACKEND " + ", ".join(f'"{HOST}:{p}"' for p in list(self.ids())[:3]))
        sql(f'ALTER SYSTEM MODIFY BACKEND "{HOST}:{port}" SET ("labels.location" = "rack:r1")')
        self.assertIn("rack:r1", [row[28] for row in sql("SHOW BACKENDS")])
        other = next(p for p in self.cluster.backends if self.id_of(p) != holder)
        sql(f'ALTER SYSTEM MODIFY BACKEND "{HOST}:{other["ports"]["heartbeat"]}" SET ("labels.location" = "rack:r2")')

        def held_by(table):
            return [int(row[2]) for row in sql(f"ADMIN SHOW REPLICA STATUS FROM {table}", database=self.db)]

        sql('ALTER TABLE one SET ("labels.location" = "rack:r2")', database=self.db)
        wait_until("it has moved", lambda: held_by("one") == [self.id_of(other)], REPAIR_SECONDS)
        sql('CREATE TABLE two (k INT) DISTRIBUTED BY HASH(k) BUCKETS 4 PROPERTIES ("replication_num" = "1", "labels.location" = "rack:r1")', database=self.db)
        self.assertEqual(set(held_by("two")), {holder})
        self.assert_error(5064, "Cannot find any backend with location: rack:r3", 'ALTER TABLE one SET ("labels.location" = "rack:r3")', database=self.db)
        self.assert_error(5064, "Invalid location: r1", 'ALTER TABLE one SET ("labels.location" = "r1")', database=self.db)
        for label_of in (port, other["ports"]["heartbeat"]):
            sql(f'ALTER SYSTEM MODIFY BACKEND "{HOST}:{label_of}" SET ("labels.location" = "")')
        sql("DROP TABLE two FORCE", database=self.db)
        for path in ("", "/cluster_load_stat", "/cluster_load_stat/HDD", "/working_slots", "/sched_stat", "/balance_stat", "/history_tablets"):
            self.assertTrue(sql(f"SHOW PROC '/cluster_balance{path}'"), path)
        self.assertTrue(sql("SELECT * FROM information_schema.fe_tablet_schedules WHERE STATE = 'FINISHED'"))
        # Declared lost: no grace.
        sql("DROP TABLE one FORCE", database=self.db)
        victim = self.cluster.backends[0]
        sql(f'ALTER SYSTEM DROP BACKEND "{HOST}:{victim["ports"]["heartbeat"]}"')
        self.wait_whole("three backends have everything")
        self.check_data()
        self.assertEqual(len(self.ids()), 3)


if __name__ == "__main__":
    main()
