"""A group of frontends: joining, leaving, statements on any of them, and leaders that are killed under load.

KILLS (3) says how often the leader is killed with SIGKILL while queries run on the other frontends and tables are made and rows
loaded through all of them. What was acknowledged is there afterwards, exactly once; queries on frontends that live never fail; the
time until the next write is acknowledged is reported.
"""

import os
import random
import shutil
import signal
import subprocess
import threading
import time

import mysql.connector
import pymysql

import nemesis
from groups import FrontendGroup, alive, clone_home, edit_log
from harness import ClusterTest, HOST, ROOT, TARGET, kill, main, pid_of, run, wait_until

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("SEED", "20261121"))
# Writes resume within 3 s on a machine that has nothing else to do; the limit leaves room for one that is busy.
RESUME_LIMIT_SECONDS = float(os.environ.get("RESUME_LIMIT", "10"))


class GroupCluster(FrontendGroup):
    """Three followers, to which an observer and others can be added."""

    def __init__(self):
        super().__init__(backends=1, frontends=3)
        self.extra = 0
        # Images often, so that members that were away need them. The whole group starts again.
        self.script("down")
        for process in self.frontends:
            with open(os.path.join(process["home"], "conf/fe.conf"), "a", encoding="utf-8") as f:
                f.write("edit_log_roll_num = 100\n")
        self.script("up", "--fe", "3")

    def new_frontend(self, role):
        """A home like that of the third frontend on ports of its own, known to the cluster."""
        self.extra += 1
        process = clone_home(self.frontends[2], os.path.join(self.dir, f"fe{3 + self.extra}"), 10 * self.extra)
        self.processes.append(process)
        self.frontends.append(process)
        if role:
            self.sql(f'ALTER SYSTEM ADD {role} "{edit_log(process)}"')
        return process

    def begin(self, process, *options):
        """Starts a frontend; it may have to wait for others."""
        return run(os.path.join(ROOT, "bin/start_fe.sh"), "--home", process["home"], "--daemon", *options, check=False)

    def forget(self, process):
        self.processes.remove(process)
        self.frontends.remove(process)


def warnings_of(process):
    with open(os.path.join(process["home"], "log/fe.warn.log"), encoding="utf-8") as f:
        return f.read()


class Group(ClusterTest):
    @classmethod
    def setUpClass(cls):
        # Processes take orders about fail points.
        os.environ["MIRRORSHIP_FAIL_POINTS"] = ""
        cls.cluster = GroupCluster()
        cls.cluster.wait_alive()

    def test_1_everybody_tells_the_same_of_the_group(self):
        cluster = self.cluster
        for process in cluster.frontends:
            wait_until("all frontends are alive", lambda: all(r["Alive"] == "true" for r in cluster.shown(process).values()))
        tables = [cluster.shown(p) for p in cluster.frontends]
        for rows in tables:
            self.assertEqual(sorted(rows), sorted(edit_log(p) for p in cluster.frontends))
            self.assertEqual(sorted(r["Role"] for r in rows.values()), ["FOLLOWER", "FOLLOWER", "LEADER"])
            self.assertEqual({r["Join"] for r in rows.values()}, {"true"})
            self.assertEqual(len({r["ClusterId"] for r in rows.values()}), 1)
            for address, row in rows.items():
                process = next(p for p in cluster.frontends if edit_log(p) == address)
                self.assertEqual((int(row["QueryPort"]), int(row["HttpPort"]), int(row["RpcPort"])), tuple(process["ports"][k] for k in ("query", "http", "rpc")))
                self.assertGreater(int(row["ReplayedJournalId"]), 0)
                self.assertNotEqual((row["StartTime"], row["Version"]), ("NULL", ""))
        self.assertEqual(len({tuple(sorted((r["Id"], r["Role"]) for r in rows.values())) for rows in tables}), 1)
        proc = cluster.on(cluster.frontends[1], "SHOW PROC '/frontends'")
        self.assertEqual(len(proc), 3)

    def test_2_statements_on_any_frontend(self):
        cluster = self.cluster
        for number, process in enumerate(cluster.frontends):
            port = process["ports"]["query"]
            with cluster.connect(port=port) as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE any{number}")
                cursor.execute(f"USE any{number}")
                cursor.execute("CREATE TABLE t (k INT, v VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3")
                cursor.execute("SET @x = 7")
                # A session sees what it has written, wherever that was done.
                for i in range(20):
                    cursor.execute("INSERT INTO t VALUES (%s + @x, 'row')", (i,))
                    self.assertEqual(cursor.rowcount, 1)
                    cursor.execute("SELECT count(*), max(k) FROM t")
                    self.assertEqual(cursor.fetchall(), ((i + 1, i + 7),))
                cursor.execute("ALTER TABLE t ADD COLUMN w INT DEFAULT '3'")
                cursor.execute("SELECT sum(w) FROM t")
                self.assertEqual(cursor.fetchall(), ((60,),))
                cursor.execute("DELETE FROM t WHERE k < 17")
                cursor.execute("SELECT count(*) FROM t")
                self.assertEqual(cursor.fetchall(), ((10,),))
                cursor.execute("CREATE TEMPORARY TABLE tmp (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
                cursor.execute("INSERT INTO tmp VALUES (1)")
                cursor.execute("SELECT * FROM tmp")
                self.assertEqual(cursor.fetchall(), ((1,),))
                cursor.execute("SET GLOBAL query_timeout = %s", (400 + number,))
                # Errors keep their numbers on the way.
                with self.assertRaises(pymysql.err.MySQLError) as caught:
                    cursor.execute("CREATE TABLE t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
                self.assertEqual(caught.exception.args[0], 1050)
                with self.assertRaises(pymysql.err.MySQLError) as caught:
                    cursor.execute("INSERT INTO t VALUES (1)")
                self.assertEqual(caught.exception.args[0], 5604)
            loaded = cluster.stream_load(f"any{number}", "t", "100\tloaded\t1\n", at=process, label=f"any_{number}")
            self.assertEqual(loaded["Status"], "Success", loaded)
            again = cluster.stream_load(f"any{number}", "t", "100\tloaded\t1\n", at=process, label=f"any_{number}")
            self.assertEqual(again["Status"], "Label Already Exists", again)
            for other in cluster.frontends:
                cluster.on(other, "SYNC")
                self.assertEqual(cluster.on(other, f"SELECT count(*) FROM any{number}.t"), ((11,),))
                self.assertEqual(cluster.on(other, "SELECT @@global.query_timeout"), ((400 + number,),))
                self.assertEqual(len(cluster.on(other, f"SHOW TABLETS FROM any{number}.t")), 3)
                self.assertEqual([r[8] for r in cluster.on(other, "SHOW BACKENDS")], ["true"])

    def test_3_transactions_and_users_on_a_follower(self):
        cluster = self.cluster
        leader = cluster.wait_leader()
        follower = next(p for p in cluster.frontends if p is not leader)
        cluster.sql("CREATE DATABASE txn")
        cluster.sql("CREATE TABLE txn.t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
        with cluster.connect(port=follower["ports"]["query"], database="txn") as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO t VALUES (1), (2)")
            self.assertEqual(cluster.sql("SELECT count(*) FROM txn.t"), ((0,),))
            cursor.execute("COMMIT")
            cursor.execute("SELECT count(*) FROM t")
            self.assertEqual(cursor.fetchall(), ((2,),))
        cluster.on(follower, "CREATE USER bob IDENTIFIED BY 'secret'")
        for process in cluster.frontends:
            self.assertEqual(cluster.on(process, "SELECT 1", user="bob", password="secret"), ((1,),))
        cluster.sql("DROP USER bob")

    def test_35_sessions_are_seen_and_killed_from_anywhere(self):
        cluster = self.cluster
        names = {p["ports"]["query"]: row["Name"] for p in cluster.frontends for a, row in cluster.shown(p).items() if a == edit_log(p)}
        cluster.sql("CREATE DATABASE killed")
        cluster.sql("CREATE TABLE killed.t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
        ids = set()
        leader = cluster.wait_leader()
        for process in cluster.frontends:
            elsewhere = next(p for p in cluster.frontends if p is not process)
            # On a follower the last one runs on the leader, for a client of the follower.
            for text in ("SELECT sleep(100)", "SELECT count(*), sleep(100) FROM killed.t", "INSERT INTO killed.t SELECT sleep(100)"):
                with cluster.connect(port=process["ports"]["query"]) as connection:
                    id = connection.thread_id()
                    self.assertNotIn(id, ids, "connection ids are the group's")
                    ids.add(id)
                    problem = []

                    def run():
                        try:
                            with connection.cursor() as cursor:
                                cursor.execute(text)
                        except pymysql.err.MySQLError as e:
                            problem.append(e)

                    runs = threading.Thread(target=run)
                    runs.start()

                    def listed(at, statement="SHOW FULL PROCESSLIST"):
                        return [r for r in cluster.on(at, statement) if r[1] == id]

                    for at in cluster.frontends:
                        wait_until(f"{text} is seen at {edit_log(at)}", lambda: [r[9] for r in listed(at)] == [text])
                        self.assertEqual(listed(at)[0][0], names[process["ports"]["query"]])
                        query_id = listed(at)[0][14]
                        everywhere = cluster.on(at, "SHOW PROC '/global_current_queries'")
                        self.assertEqual([r[1] for r in everywhere if r[2] == query_id], [names[process["ports"]["query"]]])
                    if text.startswith("SELECT"):
                        cluster.on(elsewhere, f"KILL QUERY {id}")
                    else:
                        cluster.on(elsewhere, f"KILL QUERY '{query_id}'")
                    runs.join(20)
                    self.assertFalse(runs.is_alive(), f"{text} goes on")
                    self.assertIn("killed", str(problem[0]))
                    wait_until("it runs nowhere", lambda: not any(text in r[9] for p in cluster.frontends for r in cluster.on(p, "SHOW FULL PROCESSLIST")))
                    # The session goes on, until it is killed itself.
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT 1")
                        cluster.on(elsewhere, f"KILL {id}")
                        wait_until("it is gone", lambda: listed(process) == [])
                        with self.assertRaises(pymysql.err.MySQLError):
                            cursor.execute("SELECT 1")
            with self.assertRaises(pymysql.err.MySQLError) as caught:
                cluster.on(process, "KILL 5")
            self.assertEqual(caught.exception.args, (1094, "Unknown thread id: 5"))
            with self.assertRaises(pymysql.err.MySQLError) as caught:
                cluster.on(process, "KILL QUERY '00000000-0000-0000-0000-000000000000'")
            self.assertEqual(caught.exception.args[0], 1365)
        # One that does not answer is left out, after a short wait.
        silent = next(p for p in cluster.frontends if p is not leader)
        asked = next(p for p in cluster.frontends if p not in (leader, silent))
        os.kill(pid_of(silent), signal.SIGSTOP)
        try:
            begun = time.monotonic()
            seen = {r[0] for r in cluster.on(asked, "SHOW PROCESSLIST")}
            self.assertLess(time.monotonic() - begun, 5)
            self.assertNotIn(names[silent["ports"]["query"]], seen)
        finally:
            os.kill(pid_of(silent), signal.SIGCONT)

    def test_36_what_the_leader_knows_is_shown_by_all(self):
        cluster = self.cluster
        cluster.sql("CREATE DATABASE known")
        cluster.sql("CREATE TABLE known.t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2")
        cluster.sql("INSERT INTO known.t SELECT generate_series FROM TABLE(generate_series(1, 1000))")
        backend = cluster.sql("SHOW BACKENDS")[0][0]
        table = cluster.sql("SELECT TABLE_ID FROM information_schema.tables_config WHERE TABLE_SCHEMA = 'known'")[0][0]
        asked = [
            f"SELECT BE_ID, TABLET_ID, NUM_ROW, DATA_SIZE, DATA_DIR FROM information_schema.be_tablets WHERE TABLE_ID = {table} ORDER BY TABLET_ID",
            f"SELECT sum(b.NUM_ROW), count(*) FROM information_schema.be_tablets b JOIN information_schema.tables_config c ON b.TABLE_ID = c.TABLE_ID WHERE c.TABLE_SCHEMA = 'known'",
            "SELECT count(*) FROM information_schema.fe_tablet_schedules",
            f"SHOW PROC '/backends/{backend}/history'",
            f"SHOW PROC '/backends/{backend}'",
            "SHOW PROC '/cluster_balance'",
            "SHOW PROC '/cluster_balance/history_tablets'",
            "SHOW PROC '/statistic'",
            "ADMIN SHOW REPLICA STATUS FROM known.t",
            "ADMIN SHOW REPLICA DISTRIBUTION FROM known.t",
            "SHOW TABLETS FROM known.t",
            "SHOW DATA FROM known.t",
        ]
        leader = cluster.wait_leader()

        def rows():
            return cluster.on(leader, asked[1])[0][0]

        wait_until("the backend has reported", lambda: rows() == 1000)
        for statement in asked:
            for process in cluster.frontends:
                # What the disk has left changes all the time.
                wait_until(f"{statement} at {edit_log(process)}", lambda: cluster.on(process, statement) == cluster.on(leader, statement))

    def test_37_what_the_leader_knows_is_for_every_sort_of_query(self):
        cluster = self.cluster
        for process in cluster.frontends[:3]:
            with cluster.connect(port=process["ports"]["query"]) as connection, connection.cursor() as cursor:
                cursor.execute("SET @x = (SELECT count(*) >= 0 FROM information_schema.be_tablets)")
                cursor.execute("PREPARE s FROM 'SELECT count(*) >= ? FROM information_schema.be_tablets'")
                cursor.execute("SET @none = 0")
                for statement in ("SELECT @x", "EXECUTE s USING @none"):
                    cursor.execute(statement)
                    self.assertEqual(cursor.fetchall(), ((1,),), statement)
            binary = mysql.connector.connect(host=HOST, port=process["ports"]["query"], user="root", password="", use_pure=True)
            cursor = binary.cursor(prepared=True)
            cursor.execute("SELECT count(*) >= ? FROM information_schema.be_tablets", (0,))
            self.assertEqual([int(row[0]) for row in cursor.fetchall()], [1])
            binary.close()

    def test_4_an_observer_joins_and_serves(self):
        cluster = self.cluster
        early = cluster.new_frontend(None)
        # Not known yet: it waits and says why.
        cluster.begin(early, "--helper", edit_log(cluster.frontends[1]))
        wait_until("it says why it waits", lambda: "run ALTER SYSTEM ADD" in warnings_of(early))
        cluster.on(cluster.frontends[2], f'ALTER SYSTEM ADD OBSERVER "{edit_log(early)}"')
        wait_until("the observer serves", lambda: cluster.caught_up(early))
        row = cluster.shown(early)[edit_log(early)]
        self.assertEqual((row["Role"], row["IsHelper"], row["Alive"]), ("OBSERVER", "false", "true"))
        cluster.on(early, "CREATE DATABASE by_observer")
        self.assertIn(("by_observer",), cluster.on(early, "SHOW DATABASES"))
        self.assertIn(("by_observer",), cluster.sql("SHOW DATABASES"))
        self.assert_error(5064, "already exists", f'ALTER SYSTEM ADD OBSERVER "{edit_log(early)}"')
        # Later starts need no helper.
        kill(early)
        self.assertEqual(cluster.begin(early).returncode, 0)
        wait_until("the observer is back", lambda: cluster.caught_up(early))

    def test_5_an_emptied_member_gets_everything_again(self):
        cluster = self.cluster
        leader = cluster.wait_leader()
        victim = next(p for p in cluster.frontends[:3] if p is not leader)
        before = cluster.shown(leader)[edit_log(victim)]["Id"]
        cluster.on(leader, "ALTER SYSTEM CREATE IMAGE")
        kill(victim)
        shutil.rmtree(os.path.join(victim["home"], "meta"))
        cluster.on(leader, "CREATE DATABASE while_it_was_away")
        cluster.begin(victim, "--helper", edit_log(leader))
        wait_until("it is back", lambda: cluster.caught_up(victim))
        self.assertIn(("while_it_was_away",), cluster.on(victim, "SHOW DATABASES"))
        row = cluster.shown(leader)[edit_log(victim)]
        self.assertEqual(row["Role"], "FOLLOWER")
        self.assertNotEqual(row["Id"], before, "its votes are gone: it is another member")
        self.assertEqual(len(cluster.shown(leader)), len(cluster.frontends))

    def test_6_a_frontend_of_another_cluster_is_refused(self):
        cluster = self.cluster
        stranger = cluster.new_frontend("FOLLOWER")
        with open(os.path.join(stranger["home"], "conf/fe.conf"), "a", encoding="utf-8") as f:
            f.write("cluster_id = 12345\n")
        started = cluster.begin(stranger, "--helper", edit_log(cluster.wait_leader()))
        self.assertNotEqual(started.returncode, 0)
        self.assertIn("belongs to cluster 12345", started.stderr + started.stdout)
        cluster.sql(f'ALTER SYSTEM DROP FOLLOWER "{edit_log(stranger)}"')
        self.assertNotIn(edit_log(stranger), cluster.shown(cluster.wait_leader()))
        cluster.forget(stranger)

    def test_65_a_frontend_whose_clock_is_wrong_is_refused(self):
        if nemesis.faketime_library() is None:
            self.skipTest("libfaketime is not installed (package faketime)")
        cluster = self.cluster
        late = cluster.new_frontend("FOLLOWER")
        with open(os.path.join(late["home"], "conf/fe.conf"), "a", encoding="utf-8") as f:
            f.write("\n".join(nemesis.clock_settings(late["home"])) + "\n")
        for wrong in ("+7", "-7"):
            nemesis.set_clock(late["home"], wrong)
            started = cluster.begin(late, "--helper", edit_log(cluster.wait_leader()))
            self.assertNotEqual(started.returncode, 0)
            self.assertRegex(started.stderr + started.stdout, rf"the clock of frontend {edit_log(late)} differs from the leader's by [67]\d\d\d ms, more than 5000 ms")
            self.assertNotEqual(cluster.shown(cluster.wait_leader())[edit_log(late)]["Join"], "true")
        # Two seconds are no matter.
        nemesis.set_clock(late["home"], "+2")
        cluster.begin(late, "--helper", edit_log(cluster.wait_leader()))
        wait_until("it serves", lambda: cluster.caught_up(late))
        # Once it is a member, a clock that goes wrong is told of and does no harm.
        nemesis.set_clock(late["home"], "+60")
        wait_until("the clock is told of", lambda: "clock" in cluster.shown(cluster.wait_leader())[edit_log(late)]["ErrMsg"])
        cluster.on(late, "CREATE DATABASE by_one_who_is_late")
        self.assertIn(("by_one_who_is_late",), cluster.on(late, "SHOW DATABASES"))
        cluster.sql(f'ALTER SYSTEM DROP FOLLOWER "{edit_log(late)}"')
        wait_until("it stops by itself", lambda: not alive(late))
        cluster.forget(late)

    def test_7_a_dropped_follower_stops(self):
        cluster = self.cluster
        extra = cluster.new_frontend("FOLLOWER")
        cluster.begin(extra, "--helper", edit_log(cluster.wait_leader()))
        wait_until("it serves", lambda: cluster.caught_up(extra))
        leader = cluster.wait_leader()
        self.assert_error(5064, "can not drop current leader", f'ALTER SYSTEM DROP FOLLOWER "{edit_log(leader)}"')
        cluster.sql(f'ALTER SYSTEM DROP FOLLOWER "{edit_log(extra)}"')
        wait_until("it stops by itself", lambda: not alive(extra))
        cluster.sql("CREATE DATABASE after_the_drop")
        # What it has is of the past: it serves nobody, also when its address is known again.
        for again in (False, True):
            if again:
                cluster.sql(f'ALTER SYSTEM ADD FOLLOWER "{edit_log(extra)}"')
            started = cluster.begin(extra)
            self.assertNotEqual(started.returncode, 0, "it does not run")
            self.assertIn("it was dropped", started.stderr + started.stdout)
        # Emptied it joins; until it is let in its ports say that it is not ready.
        cluster.sql(f'ALTER SYSTEM DROP FOLLOWER "{edit_log(extra)}"')
        shutil.rmtree(os.path.join(extra["home"], "meta"))
        command = [os.path.join(ROOT, "bin/start_fe.sh"), "--home", extra["home"], "--daemon", "--helper", edit_log(cluster.wait_leader())]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            wait_until("it says so", lambda: "not ready" in cluster.http(extra["ports"]["http"], "/api/health"))
            with self.assertRaises(pymysql.err.MySQLError) as caught:
                cluster.on(extra, "SELECT 1")
            self.assertIn("not ready", caught.exception.args[1])
            cluster.sql(f'ALTER SYSTEM ADD FOLLOWER "{edit_log(extra)}"')
        wait_until("it serves", lambda: cluster.caught_up(extra))
        self.assertIn(("after_the_drop",), cluster.on(extra, "SHOW DATABASES"))
        cluster.sql(f'ALTER SYSTEM DROP FOLLOWER "{edit_log(extra)}"')
        wait_until("it stops by itself once more", lambda: not alive(extra))
        cluster.forget(extra)

    def test_72_a_leader_that_stops_lets_others_lead_first(self):
        """Statements keep coming through another frontend: they do not hold up a leader that is to stop, and none fails."""
        cluster = self.cluster
        leader = cluster.wait_leader()
        other = next(p for p in cluster.frontends[:3] if p is not leader)
        cluster.on(other, "CREATE DATABASE graceful")
        cluster.on(other, 'CREATE TABLE graceful.t (k INT) PROPERTIES ("replication_num" = "1")')
        stop, errors, done = threading.Event(), [], []

        def write():
            while not stop.is_set():
                try:
                    cluster.on(other, "INSERT INTO graceful.t VALUES (1)")
                    done.append(1)
                except pymysql.err.MySQLError as e:
                    errors.append(e)

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        wait_until("they write", lambda: len(done) > 20)
        begun = time.monotonic()
        run(os.path.join(ROOT, "bin/stop_fe.sh"), "-g", "--home", leader["home"])
        took = time.monotonic() - begun
        before = len(done)
        wait_until("they still write", lambda: len(done) > before + 20)
        stop.set()
        for writer in writers:
            writer.join()
        print(f"a leader under writes from elsewhere stopped in {took:.1f} s", flush=True)
        self.assertEqual(errors, [])
        self.assertLess(took, 30)
        wait_until("every row is there", lambda: cluster.on(other, "SELECT count(*) FROM graceful.t")[0][0] == len(done))
        cluster.begin(leader)
        wait_until("it is back", lambda: cluster.caught_up(leader))

    def hand_over(self):
        """Another frontend leads: the one that did, and the one that does."""
        cluster = self.cluster
        leader = cluster.wait_leader()
        target = next(p for p in cluster.frontends[:3] if p is not leader)
        answer = run("curl", "-sS", "-u", "root:", "-X", "POST", f"http://{HOST}:{leader['ports']['http']}/api/transfer_leader?to={edit_log(target)}").stdout
        self.assertIn('"status":"OK"', answer)
        wait_until("the other one leads", lambda: cluster.leader() is target)
        return leader, target

    def test_75_names_are_held_by_one_leader_only(self):
        """DROP TABLE t waits for a load while leadership moves and t gets another name: what was t is not dropped."""
        cluster = self.cluster
        leader, backend = cluster.wait_leader(), pid_of(cluster.backends[0])
        cluster.on(leader, "CREATE DATABASE held")
        cluster.on(leader, 'CREATE TABLE held.t (k INT) PROPERTIES ("replication_num" = "1")')
        cluster.on(leader, "ADMIN ENABLE FAILPOINT 'fe.publish'")
        outcome = {}

        def statement(name, text):
            try:
                outcome[name] = cluster.on(leader, text)
            except pymysql.err.MySQLError as e:
                outcome[name] = e.args

        threads = {"load": "INSERT INTO held.t WITH LABEL waits VALUES (1)", "drop": "DROP TABLE held.t"}
        threads = {name: threading.Thread(target=statement, args=(name, text)) for name, text in threads.items()}
        threads["load"].start()
        wait_until("it is committed", lambda: "COMMITTED" in cluster.on(leader, "SHOW TRANSACTION FROM held WHERE LABEL = 'waits'")[0])
        os.kill(backend, signal.SIGSTOP)
        try:
            threads["drop"].start()
            wait_until("the drop waits", lambda: any("DROP TABLE held.t" in str(row) for row in cluster.on(leader, "SHOW PROCESSLIST")))
            target = self.hand_over()[1]
            cluster.on(target, "ALTER TABLE held.t RENAME u")
        finally:
            os.kill(backend, signal.SIGCONT)
        for thread in threads.values():
            thread.join()
        # Only so the fail point of one that does not lead goes.
        kill(leader)
        cluster.begin(leader)
        wait_until("it is back", lambda: cluster.caught_up(leader))
        self.assertEqual(list(outcome["load"]), [])
        # There is no t; on a slow machine the drop has waited long enough for the load before.
        self.assertIn(outcome["drop"][0], (5502, 5064), outcome)
        wait_until("the load is visible", lambda: cluster.sql("SELECT * FROM held.u") == ((1,),))

    def test_8_leadership_is_handed_over(self):
        cluster = self.cluster
        leader, target = self.hand_over()
        # A leader that is stopped hands over too.
        cluster.on(target, "CREATE DATABASE handed_over")
        run(os.path.join(ROOT, "bin/stop_fe.sh"), "--home", target["home"])
        begun = time.monotonic()
        cluster.on(leader, "CREATE DATABASE handed_over_again")
        print(f"first change after a leader was stopped: {time.monotonic() - begun:.2f} s", flush=True)
        cluster.begin(target)
        wait_until("it is back", lambda: cluster.caught_up(target))

    def test_85_a_rehearsal_on_a_copy(self):
        """As operators try an upgrade: a copy of the leader's directory, other ports, another cluster id, the recovery setting."""
        cluster = self.cluster
        leader = cluster.wait_leader()
        cluster.sql("CREATE DATABASE IF NOT EXISTS before_the_copy")
        copy = cluster.new_frontend(None)
        shutil.copytree(os.path.join(leader["home"], "meta"), os.path.join(copy["home"], "meta"))
        with open(os.path.join(copy["home"], "conf/fe.conf"), "a", encoding="utf-8") as f:
            f.write("metadata_failure_recovery = true\ncluster_id = 777\n")
        started = cluster.begin(copy)
        self.assertEqual(started.returncode, 0, started.stderr + started.stdout)
        wait_until("it answers", lambda: cluster.on(copy, "SELECT 1") == ((1,),))
        rows = cluster.shown(copy)
        self.assertEqual([(r["Role"], r["ClusterId"], a) for a, r in rows.items()], [("LEADER", "777", edit_log(copy))])
        self.assertIn(("before_the_copy",), cluster.on(copy, "SHOW DATABASES"))
        cluster.on(copy, "CREATE DATABASE only_in_the_copy")
        # The backends stay with their cluster.
        self.assertEqual([r[8] for r in cluster.on(copy, "SHOW BACKENDS")], ["false"])
        self.assertEqual(len(cluster.alive_backends()), 1)
        self.assertNotIn(("only_in_the_copy",), cluster.on(leader, "SHOW DATABASES"))
        kill(copy)
        program = os.path.join(TARGET, "release/mirrorship-fe")
        images = run(program, "tool", "images", "--home", copy["home"]).stdout
        self.assertRegex(images, r"cluster \d+, \d+ databases")
        log = run(program, "tool", "dump-log", "--home", copy["home"]).stdout
        self.assertIn("only_in_the_copy", log)
        self.assertIn("BecomeCluster", log)
        cluster.forget(copy)

    def test_9_leaders_are_killed_under_load(self):
        print(f"SEED={SEED} KILLS={KILLS}", flush=True)
        cluster = self.cluster
        cluster.database("storm")
        cluster.sql("CREATE TABLE storm.t (k BIGINT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3")
        cluster.sql("INSERT INTO storm.t VALUES (-1, 0)")
        storm = Storm(cluster)
        storm.start()
        rng = random.Random(SEED)
        pauses = []
        try:
            for _ in range(KILLS):
                time.sleep(1 + rng.random())
                leader = cluster.wait_leader()
                # Clients of the dead frontend fail, of course.
                storm.spared = leader
                at = time.monotonic()
                kill(leader)
                wait_until("writes resume", lambda: storm.first_write_after(at) is not None)
                pauses.append(storm.first_write_after(at) - at)
                cluster.begin(leader)
                wait_until("the killed one is back", lambda: cluster.caught_up(leader))
                storm.spared = None
        finally:
            storm.stop()
        pauses.sort()
        print("writes resumed after: " + ", ".join(f"{p:.2f}" for p in pauses) + f" s (median {pauses[len(pauses) // 2]:.2f})", flush=True)
        print(f"{storm.queries} queries, {len(storm.loaded)} loads and {len(storm.made)} tables acknowledged, {len(storm.unsure)} writes without an answer", flush=True)
        self.assertEqual(storm.failed_queries, [])
        self.assertEqual(storm.wrong, [])
        self.assertGreater(len(storm.loaded), 0)
        for process in cluster.frontends:
            cluster.on(process, "SYNC")
            found = cluster.on(process, "SELECT k, count(*) FROM storm.t WHERE k >= 0 GROUP BY k")
            self.assertEqual([k for k, n in found if n != 1], [], "rows that are there twice")
            keys = {k for k, _ in found}
            self.assertEqual(sorted(storm.loaded - keys), [], "acknowledged rows that are missing")
            self.assertEqual(sorted(keys - storm.loaded - storm.unsure_keys), [], "rows that nobody loaded")
            tables = {name for (name,) in cluster.on(process, "SHOW TABLES FROM storm")}
            self.assertEqual(sorted(storm.made - tables), [], "acknowledged tables that are missing")
        self.assertLess(pauses[-1], RESUME_LIMIT_SECONDS)


class Storm:
    """Clients: queries on every frontend, tables and loads through any of them."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.frontends = list(cluster.frontends)
        self.spared = None
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.queries = 0
        self.failed_queries, self.wrong, self.unsure = [], [], []
        self.loaded, self.made, self.unsure_keys = set(), set(), set()
        self.writes = []
        self.next = 0
        work = [threading.Thread(target=self.query, args=(p,)) for p in self.frontends]
        work += [threading.Thread(target=self.load), threading.Thread(target=self.make), threading.Thread(target=self.insert)]
        self.threads = work

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def first_write_after(self, at):
        with self.lock:
            done = [end for begun, end in self.writes if begun >= at]
        return min(done, default=None)

    def wrote(self, begun):
        with self.lock:
            self.writes.append((begun, time.monotonic()))

    def any(self):
        """A frontend that is not about to die."""
        candidates = [p for p in self.frontends if p is not self.spared]
        with self.lock:
            self.next += 1
            return candidates[self.next % len(candidates)], self.next

    def query(self, process):
        connection = None
        seen = 0
        while not self.stopping.is_set():
            if self.spared is process or not alive(process):
                connection, seen = None, 0
                time.sleep(0.05)
                continue
            try:
                connection = connection or self.cluster.connect(host=process["host"], port=process["ports"]["query"])
                with connection.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM storm.t")
                    count = cursor.fetchall()[0][0]
                if count < seen:
                    self.wrong.append(f"{process['home']}: {count} rows after {seen}")
                seen = count
                self.queries += 1
            except pymysql.err.MySQLError as e:
                connection = None
                # Between the check and the query the frontend may have been killed.
                if self.spared is not process and alive(process):
                    self.failed_queries.append(f"{process['home']}: {e}")
            time.sleep(0.01)

    def load(self):
        while not self.stopping.is_set():
            process, number = self.any()
            begun = time.monotonic()
            key = number
            try:
                answer = self.cluster.stream_load("storm", "t", f"{key}\t1\n", at=process, label=f"storm_{number}")
                if answer["Status"] in ("Success", "Publish Timeout"):
                    self.loaded.add(key)
                    self.wrote(begun)
                    continue
                failure = answer
            except (AssertionError, ValueError) as e:
                failure = e
            self.unsure.append(f"load {number}: {failure}")
            self.unsure_keys.add(key)
            time.sleep(0.05)

    def insert(self):
        while not self.stopping.is_set():
            process, number = self.any()
            begun = time.monotonic()
            try:
                self.cluster.on(process, f"INSERT INTO storm.t VALUES ({number}, 2)")
                self.loaded.add(number)
                self.wrote(begun)
            except pymysql.err.MySQLError as e:
                self.unsure.append(f"insert {number}: {e}")
                self.unsure_keys.add(number)
            time.sleep(0.05)

    def make(self):
        while not self.stopping.is_set():
            process, number = self.any()
            begun = time.monotonic()
            name = f"t{number}"
            try:
                self.cluster.on(process, f"CREATE TABLE storm.{name} (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
                self.made.add(name)
                self.wrote(begun)
            except pymysql.err.MySQLError as e:
                self.unsure.append(f"table {number}: {e}")
            time.sleep(0.1)


if __name__ == "__main__":
    main()
