"""A cluster that runs two versions at once: upgraded node by node, halfway back, and up again, while it serves.

PREVIOUS names a directory with mirrorship-fe and mirrorship-be of the version before (CONTRIBUTING.md says how to build them). All
that a user does is tried in every mixed state: old and new backends exchange fragments and copies of replicas, a new follower has an
old leader, a new leader old followers. What the old version wrote is read by the new one and, after the way back, what the new one
wrote by the old. Meanwhile queries and loads run, none of which may fail. Without PREVIOUS the test is skipped.
"""

import os
import signal
import subprocess
import threading
import time
import unittest

from groups import FrontendGroup, edit_log
from harness import HOST, ROOT, TARGET, main, pid_of, run, wait_until
from test_rolling import Clients, QUERY, ROWS as ROWS_OF_A_LOAD

PREVIOUS = os.environ.get("PREVIOUS")
NEW = os.path.realpath(os.path.join(TARGET, "release"))
ROWS = 500
MODELS = {
    "d": ("k INT, s VARCHAR(20), v BIGINT", "DUPLICATE KEY(k)"),
    "u": ("k INT, s VARCHAR(20), v BIGINT", "UNIQUE KEY(k)"),
    "p": ("k INT, s VARCHAR(20), v BIGINT", "PRIMARY KEY(k)"),
    "a": ("k INT, s VARCHAR(20), v BIGINT SUM", "AGGREGATE KEY(k, s)"),
}
TURN_LIMIT_SECONDS = 900


def is_new(process):
    """Which of the two versions a process runs; None while it does not run."""
    try:
        program = os.readlink(f"/proc/{pid_of(process)}/exe").removesuffix(" (deleted)")
    except OSError:
        return None
    if os.path.basename(program) != f"mirrorship-{process['role']}":
        # The script that starts it: one that is stopped now would never become the process.
        return None
    return os.path.dirname(program) == NEW


class MixedCluster(FrontendGroup):
    """Begins with the version before."""

    def __init__(self):
        if not all(os.access(os.path.join(PREVIOUS, f"mirrorship-{role}"), os.X_OK) for role in ("fe", "be")):
            raise AssertionError(f"PREVIOUS: no mirrorship-fe and mirrorship-be in {PREVIOUS}")
        super().__init__(backends=3, frontends=3)

    def script(self, command, *args, check=True):
        # cluster.sh takes the programs from the target directory's release/.
        os.makedirs(os.path.join(self.dir, "target"), exist_ok=True)
        link = os.path.join(self.dir, "target/release")
        if not os.path.lexists(link):
            os.symlink(os.path.abspath(PREVIOUS), link)
        return run(os.path.join(ROOT, "bin/cluster.sh"), command, "--dir", self.dir, *args, check=check, env=os.environ | {"CARGO_TARGET_DIR": os.path.join(self.dir, "target")})

    def state(self):
        """(the leader is new, followers by version, backends by version), as far as it is known."""
        leader = self.leader()
        followers = frozenset(is_new(p) for p in self.frontends if p is not leader)
        return leader and is_new(leader), followers, frozenset(is_new(p) for p in self.backends)


def described(state):
    def versions(which):
        return " and ".join(sorted({True: "new", False: "old", None: "stopped"}[v] for v in which))

    return f"leader {versions([state[0]])}, followers {versions(state[1])}, backends {versions(state[2])}"


class Battery(threading.Thread):
    """All that a user does, again and again, on each frontend in turn; says in which states it did."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.turns, self.states, self.failures = cluster, 0, {}, []
        self.stopping = threading.Event()
        self.added = {name: 0 for name in MODELS}

    def run(self):
        while not self.stopping.is_set():
            before = self.cluster.state()
            process = self.cluster.frontends[self.turns % 3]
            if is_new(process) is not None:
                try:
                    self.turn(process)
                    if self.cluster.state() == before:
                        self.states[before] = self.states.get(before, 0) + 1
                except Exception as e:  # pylint: disable=broad-except
                    # The frontend asked may be the one that is restarted: it takes no connections, or is another one now.
                    unheard = "Can't connect" in str(e) or "curl failed with 7" in str(e)
                    if not unheard and self.cluster.state() == before:
                        self.failures.append(f"{described(before)}; {os.path.basename(process['home'])}: {e!r}")
            self.turns += 1
            self.stopping.wait(0.05)

    def load(self, process, table, body, label):
        """As clients behind a balancer do: where nobody listens nothing was sent, and it is tried again."""
        while True:
            try:
                return self.cluster.stream_load("m", table, body, at=process, column_separator=",", label=label)
            except AssertionError as e:
                if "curl failed with 7" not in str(e) or is_new(process) is None or self.stopping.wait(0.2):
                    raise

    def turn(self, process):
        cluster, number = self.cluster, self.turns
        for name in MODELS:
            # Each model keeps the first of these rows: the same key and values come again.
            answer = self.load(process, name, f"{-1 - number},n,{number}\n", f"{name}_{number}")
            if answer["Status"] not in ("Success", "Publish Timeout"):
                raise AssertionError(f"load into {name}: {answer}")
            self.added[name] += 1
        cluster.on(process, f"INSERT INTO d VALUES ({-1 - number}, 'i', 1)", database="m")
        check_rows(lambda statement: cluster.on(process, statement, database="m"))
        for name in ("u", "p"):
            if cluster.on(process, f"SELECT s, v FROM {name} WHERE k = {-1 - number}", database="m") != (("n", number),):
                raise AssertionError(f"row {number} of {name} is not there")
        # A table of three replicas: with two a backend that is away would be missed.
        first, last = 1000 * number, 1000 * number + 99
        cluster.on(process, f"INSERT INTO work SELECT k + {first}, v FROM p WHERE k BETWEEN 0 AND 99", database="m")
        cluster.on(process, f"UPDATE work SET v = 1 WHERE k BETWEEN {first} AND {first + 9}", database="m")
        cluster.on(process, f"DELETE FROM work WHERE k BETWEEN {first + 50} AND {last}", database="m")
        cluster.on(process, f"ALTER TABLE work ADD COLUMN w{number} INT DEFAULT '2'", database="m")
        found = cluster.on(process, f"SELECT COUNT(*), SUM(v), SUM(w{number}) FROM work WHERE k BETWEEN {first} AND {last}", database="m")
        if found != ((50, 10 + sum(range(10, 50)), 100),):
            raise AssertionError(f"work: {found}")
        cluster.on(process, f"ALTER TABLE work DROP COLUMN w{number}", database="m")
        cluster.on(process, f'CREATE TABLE t{number} (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3 PROPERTIES ("replication_num" = "1")', database="m")
        cluster.on(process, f"ALTER TABLE t{number} RENAME r{number}", database="m")
        cluster.on(process, f"DROP TABLE r{number} FORCE", database="m")


def check_rows(ask):
    """The rows of the beginning, model by model and over exchanges between backends."""
    total = sum(range(ROWS))
    for name in MODELS:
        found = ask(f"SELECT COUNT(*), SUM(v), COUNT(DISTINCT s) FROM {name} WHERE k >= 0")
        if found != ((ROWS, total, 7),):
            raise AssertionError(f"{name}: {found}")
    joined = ask("SELECT COUNT(*), SUM(d.v + p.v) FROM d JOIN p ON d.v = p.v JOIN [SHUFFLE] u ON u.v = d.v WHERE d.k >= 0 AND p.k >= 0 AND u.k >= 0")
    if joined != ((ROWS, 2 * total),):
        raise AssertionError(f"join: {joined}")
    grouped = ask("SELECT s, COUNT(*), MAX(rank_of) FROM (SELECT s, RANK() OVER (PARTITION BY s ORDER BY v) AS rank_of FROM a WHERE k >= 0) r GROUP BY s ORDER BY s")
    if [(row[0], row[1], row[2]) for row in grouped] != [(f"s{i}", n, n) for i, n in ((i, len(range(i, ROWS, 7))) for i in range(7))]:
        raise AssertionError(f"windows: {grouped}")


@unittest.skipUnless(PREVIOUS, "PREVIOUS names no directory with the programs of the version before")
class MixedVersions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = MixedCluster()
        cls.cluster.wait_alive()
        cls.cluster.database("m")
        body = "".join(f"{i},s{i % 7},{i}\n" for i in range(ROWS))
        for name, (columns, keys) in MODELS.items():
            cls.cluster.sql(f'CREATE TABLE {name} ({columns}) {keys} DISTRIBUTED BY HASH(k) BUCKETS 3 PROPERTIES ("replication_num" = "3")', database="m")
            answer = cls.cluster.stream_load("m", name, body, column_separator=",")
            assert answer["Status"] == "Success", answer
        cls.cluster.sql('CREATE TABLE work (k INT, v INT) PRIMARY KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3 PROPERTIES ("replication_num" = "3")', database="m")
        for number in (1, 2):
            cls.cluster.sql(f'CREATE TABLE copied{number} (k INT, v INT) PRIMARY KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 6 PROPERTIES ("replication_num" = "1")', database="m")
            cls.cluster.sql(f"INSERT INTO copied{number} SELECT k, v FROM d", database="m")
        cls.cluster.database("rolling")
        cls.cluster.sql('CREATE TABLE t (load_no INT, row_no INT) DUPLICATE KEY(load_no) DISTRIBUTED BY HASH(row_no) BUCKETS 3 PROPERTIES ("replication_num" = "3")', database="rolling")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def roll(self, *arguments):
        """The script, in a group of processes of its own so that it can be held."""
        command = [os.path.join(ROOT, "bin/rolling_restart.sh"), "--dir", self.cluster.dir, "--timeout", "180", *arguments]
        return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # pylint: disable=consider-using-with

    def hold_when(self, script, reached):
        """Holds the script as soon as a node is another version; it waits for the cluster's health then."""
        deadline = time.monotonic() + TURN_LIMIT_SECONDS
        while not reached():
            self.assertIsNone(script.poll(), "the script has ended early")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        os.killpg(script.pid, signal.SIGSTOP)

    def finish(self, script):
        output, _ = script.communicate(timeout=TURN_LIMIT_SECONDS)
        self.assertEqual(script.returncode, 0, output)

    def settle(self, battery):
        """All nodes answer, and the battery has passed on every frontend in this state."""
        cluster = self.cluster
        wait_until("all nodes answer", lambda: len(cluster.alive_backends()) == 3 and all(cluster.on(p, "SELECT 1") for p in cluster.frontends))
        state, turns = cluster.state(), battery.turns
        wait_until("every frontend was tried", lambda: battery.turns > turns + 4 or battery.failures)
        self.assertEqual(battery.failures, [])
        self.assertEqual(cluster.state(), state)
        self.assertIn(state, battery.states)
        print(f"works: {described(state)}", flush=True)

    def copy(self, table):
        """Replicas are copied between backends, whichever has the only one."""
        self.cluster.sql(f'ALTER TABLE {table} SET ("replication_num" = "3")', database="m")

        def complete():
            rows = self.cluster.sql(f"ADMIN SHOW REPLICA STATUS FROM {table}", database="m")
            return len(rows) == 18 and all(row[12] == "OK" for row in rows)

        wait_until(f"{table} has all its replicas", complete)
        self.assertEqual(self.cluster.sql(f"SELECT COUNT(*), SUM(v) FROM {table} WHERE k >= 0", database="m"), ((ROWS, sum(range(ROWS))),))

    def lead(self, process):
        leader = self.cluster.wait_leader()
        run("curl", "-sS", "-u", "root:", "-X", "POST", f"http://{HOST}:{leader['ports']['http']}/api/transfer_leader?to={edit_log(process)}")
        wait_until("it leads", lambda: self.cluster.leader() is process)

    def count(self, processes, new=True):
        return sum(is_new(p) is new for p in processes)

    def test_two_versions_at_once(self):
        cluster = self.cluster
        clients, battery = Clients(cluster), Battery(cluster)
        battery.start()
        script = None
        try:
            self.settle(battery)
            script = self.roll("--binaries", NEW)
            self.hold_when(script, lambda: self.count(cluster.backends) == 1)
            self.settle(battery)
            self.copy("copied1")
            os.killpg(script.pid, signal.SIGCONT)
            self.hold_when(script, lambda: self.count(cluster.frontends) == 1)
            self.settle(battery)
            first = next(p for p in cluster.frontends if is_new(p))
            self.lead(first)
            self.settle(battery)
            self.lead(next(p for p in cluster.frontends if not is_new(p)))
            # Halfway back.
            os.killpg(script.pid, signal.SIGTERM)
            os.killpg(script.pid, signal.SIGCONT)
            script.communicate(timeout=60)
            script = self.roll("--rollback")
            self.hold_when(script, lambda: self.count(cluster.backends, new=False) == 1)
            self.settle(battery)
            self.copy("copied2")
            os.killpg(script.pid, signal.SIGCONT)
            self.finish(script)
            self.assertEqual(self.count(cluster.processes), 0)
            self.settle(battery)
            # And up again.
            script = self.roll("--binaries", NEW)
            self.finish(script)
            self.assertEqual(self.count(cluster.processes), 6)
            self.settle(battery)
        finally:
            if script is not None and script.poll() is None:
                os.killpg(script.pid, signal.SIGKILL)
            battery.stopping.set()
            battery.join()
            clients.end()
        self.assertEqual(clients.failures, [])
        self.assertEqual(battery.failures, [])
        self.assertEqual(cluster.sql(QUERY), ((clients.loads * ROWS_OF_A_LOAD, clients.loads),))
        for name, added in battery.added.items():
            found = cluster.sql(f"SELECT COUNT(*) FROM {name} WHERE k < 0 AND s = 'n'", database="m")
            self.assertEqual(found, ((added,),), name)
        print(f"{battery.turns} rounds of everything, {len(clients.times)} queries and {clients.loads} loads beside them", flush=True)


if __name__ == "__main__":
    main()
