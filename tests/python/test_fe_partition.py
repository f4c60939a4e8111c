"""A leader that is cut off from the other frontends, or stopped for a while, in network namespaces of its own.

Clients and the backend still reach every frontend; only the frontends do not reach each other. A leader that is cut off must not
acknowledge anything: the others have another one by then. Needs root; without it the tests are skipped.
"""

import os
import signal
import threading
import time
import unittest

import pymysql

from groups import NodeCluster, edit_log, may_make_spaces
from harness import kill, main, pid_of, wait_until
from test_fe_group import RESUME_LIMIT_SECONDS, Storm

CUT_SECONDS = float(os.environ.get("CUT", "6"))


@unittest.skipUnless(may_make_spaces(), "no right to make network namespaces here")
class Partition(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = NodeCluster()
        cls.cluster.on(cls.cluster.frontend, "CREATE DATABASE storm")
        cls.cluster.on(cls.cluster.frontend, "CREATE TABLE storm.t (k BIGINT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def strike(self, leader, begin, end):
        """Takes a leader away and back; the others lead meanwhile, and it acknowledges nothing."""
        cluster = self.cluster
        others = [p for p in cluster.frontends if p is not leader]
        stop = threading.Event()
        acknowledged = []

        def insist():
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    statement = f"INSERT INTO storm.t VALUES (-{number}, 0)" if number % 2 else f"CREATE DATABASE IF NOT EXISTS cut{number}"
                    cluster.on(leader, statement, read_timeout=30)
                    acknowledged.append(time.monotonic())
                except pymysql.err.MySQLError:
                    time.sleep(0.1)

        writer = threading.Thread(target=insist)
        begin()
        # What was under way when the link broke may have been confirmed just before.
        cut_at = time.monotonic() + 0.1
        writer.start()
        wait_until("the others have a leader", lambda: cluster.leader(others) in others)
        cluster.on(others[0], "CREATE DATABASE IF NOT EXISTS meanwhile")
        resumed = time.monotonic() - cut_at
        time.sleep(max(0, CUT_SECONDS - resumed))
        early = [t for t in acknowledged if t > cut_at]
        end()
        stop.set()
        writer.join(60)
        print(f"the others took changes after {resumed:.2f} s", flush=True)
        self.assertEqual(early, [], "a leader without a majority has acknowledged a change")
        self.assertIn(cluster.leader(others), others)
        wait_until("it follows", lambda: cluster.shown(leader)[edit_log(cluster.leader(others))]["Role"] == "LEADER")
        cluster.on(leader, "SYNC")
        self.assertIn(("meanwhile",), cluster.on(leader, "SHOW DATABASES"))
        cluster.on(leader, "DROP DATABASE meanwhile FORCE")

    def test_1_a_leader_that_is_cut_off(self):
        cluster = self.cluster
        leader = cluster.wait_leader()
        self.strike(leader, lambda: cluster.cut([leader], cluster.frontends), lambda: cluster.cut([leader], cluster.frontends, "del"))

    def test_2_a_leader_that_stands_still(self):
        cluster = self.cluster
        leader = cluster.wait_leader()
        pid = pid_of(leader)
        self.strike(leader, lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT))

    def test_3_cut_off_under_load(self):
        cluster = self.cluster
        storm = Storm(cluster)
        storm.start()
        try:
            for _ in range(2):
                time.sleep(1)
                leader = cluster.wait_leader()
                storm.spared = leader
                cluster.cut([leader], cluster.frontends)
                at = time.monotonic()
                others = [p for p in cluster.frontends if p is not leader]
                wait_until("writes resume", lambda: storm.first_write_after(at) is not None)
                resumed = storm.first_write_after(at) - at
                print(f"writes resumed after {resumed:.2f} s", flush=True)
                self.assertLess(resumed, RESUME_LIMIT_SECONDS, "no call waits for the time-out of a connection to the lost leader")
                time.sleep(2)
                cluster.cut([leader], cluster.frontends, "del")
                wait_until("it follows", lambda: cluster.leader([leader]) in others)
                storm.spared = None
        finally:
            storm.stop()
        self.assertEqual(storm.failed_queries, [])
        self.assertEqual(storm.wrong, [])
        for process in cluster.frontends:
            cluster.on(process, "SYNC")
            found = cluster.on(process, "SELECT k, count(*) FROM storm.t WHERE k > 0 GROUP BY k")
            self.assertEqual([k for k, n in found if n != 1], [])
            self.assertEqual(sorted(storm.loaded - {k for k, _ in found}), [])
            tables = {name for (name,) in cluster.on(process, "SHOW TABLES FROM storm")}
            self.assertEqual(sorted(storm.made - tables), [])

    def test_4_without_a_majority(self):
        cluster = self.cluster
        leader = cluster.wait_leader()
        others = [p for p in cluster.frontends if p is not leader]
        for process in others:
            kill(process)
        begun = time.monotonic()
        with self.assertRaises(pymysql.err.MySQLError):
            cluster.on(leader, "CREATE DATABASE nobody_confirms", read_timeout=60)
        self.assertLess(time.monotonic() - begun, 40, "the wait for a majority is bounded")
        self.assertEqual(cluster.on(leader, "SELECT count(*) >= 0 FROM storm.t"), ((1,),))
        for process in others:
            cluster.begin(process)
        wait_until("changes are taken again", lambda: cluster.on(leader, "CREATE DATABASE IF NOT EXISTS a_majority_again") is not None)


if __name__ == "__main__":
    main()
