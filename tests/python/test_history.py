"""Clients whose every call and answer is recorded, on a cluster that is harmed, and a judge of the whole history (history.py).

Sessions on every frontend, the observer too, make, drop, rename and widen tables of a few names, register labels with INSERT and
stream loads of which only one may succeed, and read both. Meanwhile nodes are killed, stand still, are cut off, have wrong clocks and
full disks (nemesis.py). SEED says which random choices, DURATION (55 s) how long; KEEP keeps directories and prints more.
"""

import collections
import json
import os
import random
import re
import threading
import time
import unittest

import pymysql

import history
import nemesis
from groups import NodeCluster, alive
from harness import main, wait_until
from history import Barrier, Operation

SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
DURATION = float(os.environ.get("DURATION", "55"))
# What must have succeeded in a minute for the run to say anything.
LEAST_PER_SECOND = {"change": 0.5, "load": 0.2, "look": 2}
ROWS = 4
# Longest wait for an answer; the outcome is unknown afterwards.
PATIENCE_SECONDS = 15
UNKNOWN_TABLE, TABLE_EXISTS = 5502, 1050
# A family of names is left alone after so many operations, or so many of unknown outcome.
FAMILY_OPERATIONS, FAMILY_UNKNOWN = 120, 4
FAMILIES = 3
# Labels that are read again.
RECENT_LABELS = 8
# Errors of connections: what was sent may have arrived.
LOST = {2002, 2003, 2006, 2013, 2014, 2055, 1053, 1317}


def unknown(error):
    """Whether an error leaves open what has become of the statement."""
    if not isinstance(error, pymysql.err.MySQLError) or isinstance(error, pymysql.err.InterfaceError):
        return True
    code, text = (error.args + (0, ""))[:2]
    return not isinstance(code, int) or code in LOST or any(words in str(text) for words in ("not known", "nobody knows"))


class Recorder:
    """All events, each session's in its order, and what clients agree on: the names and labels in use."""

    def __init__(self, seed):
        self.lock = threading.Lock()
        self.events, self.errors, self.stopping = [], collections.Counter(), threading.Event()
        self.done = collections.Counter()
        self.marks = 0
        self.random = random.Random(f"{seed}/names")
        self.families = [self.new_family(i) for i in range(FAMILIES)]
        self.next_family = FAMILIES
        self.label, self.tries = 0, 0
        # Acknowledged and not visible yet.
        self.late = []

    @staticmethod
    def new_family(number):
        return {"number": number, "operations": 0, "unknown": 0}

    def mark(self):
        with self.lock:
            self.marks += 1
            return self.marks

    def record(self, event, kind=None):
        with self.lock:
            self.events.append(event)
            if kind:
                late = event.answer.startswith("committed")
                self.done[f"{kind} that came later" if late else kind if event.known else f"{kind} of unknown outcome"] += 1

    def family(self):
        """One of the families in use."""
        with self.lock:
            i = self.random.randrange(FAMILIES)
            family = self.families[i]
            if family["operations"] >= FAMILY_OPERATIONS or family["unknown"] >= FAMILY_UNKNOWN:
                family = self.families[i] = self.new_family(self.next_family)
                self.next_family += 1
            family["operations"] += 1
            return family

    def label_to_try(self):
        """Four clients get the same label, one after the other."""
        with self.lock:
            self.tries += 1
            self.label = self.tries // 4
            return self.label

    def refused(self, what, error):
        with self.lock:
            text = error.args[1] if isinstance(error, pymysql.err.MySQLError) and len(error.args) > 1 else str(error)
            self.errors[f"{what}: {re.sub('[0-9]+', 'N', str(text))[:160]}"] += 1


def key_of(label):
    return f"label {label:06d}"


class Client(threading.Thread):
    """Sessions on one frontend, one after the other."""

    def __init__(self, cluster, process, recorder, number):
        super().__init__(name=f"client {number}")
        self.cluster, self.process, self.recorder = cluster, process, recorder
        self.random = random.Random(f"{SEED}/client {number}")
        self.sessions, self.connection, self.session, self.number = 0, None, "", number
        self.failure = None

    def run(self):
        while not self.recorder.stopping.is_set():
            try:
                if self.connection is None:
                    self.open()
                self.step()
            except pymysql.err.MySQLError:
                # Not there, or a read that failed.
                self.close()
                self.recorder.stopping.wait(0.2)
            except BaseException as e:  # pylint: disable=broad-except
                self.failure = e
                return
            self.recorder.stopping.wait(self.random.uniform(0, 0.05))
        self.close()

    def open(self):
        self.connection = self.cluster.connect(host=self.process["host"], port=self.process["ports"]["query"], database="h", connect_timeout=3, read_timeout=PATIENCE_SECONDS)
        self.sessions += 1
        self.session = f"{nemesis.name_of(self.process)}/{self.number}.{self.sessions}"

    def close(self):
        if self.connection is not None:
            try:
                self.connection.close()
            except pymysql.err.MySQLError:
                pass
            self.connection = None

    def ask(self, statement):
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def step(self):
        choice = self.random.random()
        if choice < 0.08:
            self.sync()
        elif choice < 0.42:
            self.change_tables(self.recorder.family())
        elif choice < 0.65:
            self.look_at_tables(self.recorder.family())
        elif choice < 0.78:
            self.insert()
        elif choice < 0.93:
            self.look_at_rows(max(0, self.recorder.label - RECENT_LABELS), self.recorder.label)
        else:
            self.look_at_label(self.random.randint(max(0, self.recorder.label - RECENT_LABELS), self.recorder.label))

    def sync(self):
        called = time.monotonic()
        try:
            self.ask("SYNC")
        except pymysql.err.MySQLError as e:
            self.recorder.refused("SYNC", e)
            if unknown(e):
                raise
            return
        self.recorder.record(Barrier(self.session, called))

    # Tables.

    def change_tables(self, family):
        key = f"f{family['number']:05d}"
        name, other = self.random.sample([key + "a", key + "b"], 2)
        number = self.recorder.mark()
        kind = self.random.choices(["create", "drop", "rename", "add"], [5, 3, 2, 3])[0]
        mark = None
        # What the leader says when it refuses: what must have been so.
        refusals = {UNKNOWN_TABLE: history.shows(name, None)}
        if kind == "create":
            mark = f"c{number}"
            statement = f'CREATE TABLE {name} (k INT, {mark} INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "{self.random.choice([1, 3])}")'
            effect, refusals = history.create(name, "k", mark), {TABLE_EXISTS: history.exists(name)}
        elif kind == "drop":
            statement, effect = f"DROP TABLE {name}{self.random.choice(['', ' FORCE'])}", history.drop(name)
        elif kind == "rename":
            statement, effect = f"ALTER TABLE {name} RENAME {other}", history.rename(name, other)
            refusals[TABLE_EXISTS] = history.exists(other)
        else:
            mark = f"a{number}"
            statement, effect = f"ALTER TABLE {name} ADD COLUMN {mark} INT", history.add_column(name, mark)
        operation = Operation(key, self.session, statement.split(" (k")[0], time.monotonic(), effect, changes=True, mark=mark)
        try:
            self.ask(statement)
            operation.returned = time.monotonic()
            self.recorder.record(operation, "change")
        except Exception as e:
            code = e.args[0] if isinstance(e, pymysql.err.MySQLError) and e.args else None
            if unknown(e):
                family["unknown"] += 1
                operation.answer = f"unknown: {e}"
                self.recorder.record(operation, "change")
                raise
            if code in refusals:
                operation.effect, operation.changes, operation.mark = refusals[code], False, None
                operation.returned, operation.answer = time.monotonic(), e.args[1]
                self.recorder.record(operation, "refusal")
            else:
                # No part of the history: its mark must never be seen.
                self.recorder.refused(kind, e)

    def look_at_tables(self, family):
        key = f"f{family['number']:05d}"
        called = time.monotonic()
        if self.random.random() < 0.3:
            names = [name for (name,) in self.ask(f"SHOW TABLES LIKE '{key}%'")]
            operation = Operation(key, self.session, "SHOW TABLES", called, history.lists(names), answer=str(names))
        else:
            name = key + self.random.choice("ab")
            try:
                columns = tuple(row[0] for row in self.ask(f"DESC {name}"))
            except pymysql.err.MySQLError as e:
                if e.args[0] != UNKNOWN_TABLE:
                    self.recorder.refused("DESC", e)
                    raise
                columns = None
            seen = tuple(c for c in columns or () if c != "k")
            operation = Operation(key, self.session, f"DESC {name}", called, history.shows(name, columns), seen=seen, answer=str(columns))
        self.own_copy(operation)

    def look_at_families(self, count):
        """One list of all tables."""
        called = time.monotonic()
        found = {number: [] for number in range(count)}
        for (name,) in self.ask("SHOW TABLES LIKE 'f%'"):
            found[int(name[1:-1])].append(name)
        for number, names in found.items():
            self.own_copy(Operation(f"f{number:05d}", self.session, "SHOW TABLES", called, history.lists(names), answer=str(names)))

    def own_copy(self, operation):
        operation.own_copy, operation.returned = True, time.monotonic()
        self.recorder.record(operation, "look")

    # Labels.

    def insert(self):
        label, attempt = self.recorder.label_to_try(), self.recorder.mark()
        rows = ", ".join(f"({label}, {attempt}, {row})" for row in range(ROWS))
        operation = attempt_of(label, attempt, self.session, "INSERT")
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO loads WITH LABEL l{label} VALUES {rows}")
                info = self.connection._result.message.decode()  # pylint: disable=protected-access
            if "VISIBLE" in info:
                operation.returned = time.monotonic()
            else:
                self.later(operation, info)
            self.recorder.record(operation, "load")
        except Exception as e:
            if unknown(e):
                operation.answer = f"unknown: {e}"
                self.recorder.record(operation, "load")
                raise
            self.recorder.refused("INSERT", e)

    def later(self, operation, answer):
        """Committed; it has to become visible before the end. No session has to see it before."""
        operation.session, operation.answer = f"late {self.recorder.mark()}", f"committed: {answer}"
        self.recorder.late.append(operation)

    def look_at_rows(self, first, last):
        called = time.monotonic()
        try:
            rows = self.ask(f"SELECT label_no, attempt, COUNT(*), COUNT(DISTINCT row_no) FROM loads WHERE label_no BETWEEN {first} AND {last} GROUP BY label_no, attempt")
        except pymysql.err.MySQLError as e:
            self.recorder.refused("SELECT", e)
            if unknown(e):
                raise
            return
        for operation in looks_at_rows(rows, range(first, last + 1), self.session, called):
            self.own_copy(operation)

    def look_at_label(self, label):
        called = time.monotonic()
        try:
            states = [state for (state,) in self.ask(f"SELECT state FROM information_schema.loads WHERE db_name = 'h' AND label = 'l{label}'")]
        except pymysql.err.MySQLError as e:
            self.recorder.refused("loads", e)
            if unknown(e):
                raise
            return
        self.own_copy(Operation(key_of(label), self.session, "state of the label", called, history.finished("FINISHED" in states), answer=str(states)))


def attempt_of(label, attempt, session, how):
    return Operation(key_of(label), session, f"{how} {attempt}", time.monotonic(), history.load(str(attempt)), changes=True, mark=f"t{attempt}")


def looks_at_rows(rows, labels, session, called):
    """What a query says of each label: nothing, the rows of one attempt, or what never may be."""
    found = collections.defaultdict(list)
    for label, attempt, count, distinct in rows:
        found[label].append((attempt, count, distinct))
    for label in labels:
        attempts = found[label]
        whole = len(attempts) == 1 and attempts[0][1:] == (ROWS, ROWS)
        state = str(attempts[0][0]) if whole else ("" if not attempts else tuple(attempts))
        seen = tuple(f"t{attempt}" for attempt, _, _ in attempts)
        yield Operation(key_of(label), session, "SELECT", called, history.loaded_by(state), seen=seen, answer=str(attempts))


class Loader(Client):
    """Stream loads through one frontend. Each is a session of its own."""

    def open(self):
        self.connection = None

    def step(self):
        label, attempt = self.recorder.label_to_try(), self.recorder.mark()
        operation = attempt_of(label, attempt, f"load {attempt}", f"stream load at {nemesis.name_of(self.process)}")
        body = "".join(f"{label},{attempt},{row}\n" for row in range(ROWS))
        try:
            answer = self.cluster.stream_load("h", "loads", body, at=self.process, limit=PATIENCE_SECONDS, label=f"l{label}", column_separator=",", timeout="10")
        except (AssertionError, ValueError) as e:
            # Nobody listens there: nothing was sent.
            if "curl failed with 7:" not in str(e):
                operation.answer = f"unknown: {e}"
                self.recorder.record(operation, "load")
            self.recorder.stopping.wait(0.2)
            return
        status, message = answer["Status"], str(answer.get("Message", ""))
        if status == "Success":
            operation.returned = time.monotonic()
            self.recorder.record(operation, "load")
        elif status == "Publish Timeout":
            self.later(operation, status)
            self.recorder.record(operation, "load")
        elif status == "Label Already Exists" and answer.get("ExistingJobStatus") == "FINISHED":
            # Committed at least: it has to be visible before the end.
            operation.effect, operation.changes, operation.mark = history.finished(True), False, None
            self.later(operation, "label exists, finished")
            self.recorder.record(operation, "refusal")
        elif "not known" in message:
            operation.answer = f"unknown: {message}"
            self.recorder.record(operation, "load")
        else:
            self.recorder.refused("stream load", RuntimeError(json.dumps([status, message])))


class History(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"SEED={SEED} DURATION={DURATION:.0f}", flush=True)
        cls.cluster = NodeCluster(followers=3, observers=1, backends=3, **nemesis.cluster_arguments())
        cls.cluster.sql("CREATE DATABASE h")
        cls.cluster.sql('CREATE TABLE h.loads (label_no INT, attempt BIGINT, row_no INT) DUPLICATE KEY(label_no) DISTRIBUTED BY HASH(row_no) BUCKETS 3 PROPERTIES ("replication_num" = "3")')
        # What was dropped is gone for good soon.
        cls.cluster.sql('ADMIN SET FRONTEND CONFIG ("catalog_trash_expire_second" = "30")')
        # And labels are forgotten, the oldest first; half a minute is longer than any client insists on one.
        cls.cluster.sql('ADMIN SET FRONTEND CONFIG ("label_keep_max_num" = "300")')
        for process in cls.cluster.frontends:
            cls.cluster.on(process, "SYNC")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def test_1_clocks_can_be_set(self):
        """What the run relies on: the wall clock of a process is wrong, and right again."""
        if nemesis.faketime_library() is None:
            self.skipTest("libfaketime is not installed (package faketime)")
        process = self.cluster.frontends[1]
        ahead = lambda: self.cluster.on(process, "SELECT UNIX_TIMESTAMP()")[0][0] - time.time()  # pylint: disable=unnecessary-lambda-assignment
        nemesis.set_clock(process["home"], "+900")
        wait_until("the clock is wrong", lambda: 890 < ahead() < 910)
        nemesis.set_clock(process["home"], "+0")
        wait_until("the clock is right", lambda: abs(ahead()) < 10)

    def test_2_the_history_is_right(self):
        cluster, recorder = self.cluster, Recorder(SEED)
        work = [Client(cluster, p, recorder, i) for i, p in enumerate(cluster.frontends * 2)]
        work += [Loader(cluster, p, recorder, 100 + i) for i, p in enumerate(cluster.frontends[:3])]
        harm = nemesis.Nemesis(cluster, SEED)
        for kind, why in harm.missing.items():
            print(f"no fault of this kind: {kind}: {why}", flush=True)
        for client in work:
            client.start()
        harm.start()
        try:
            time.sleep(DURATION)
        finally:
            harm.stop()
            recorder.stopping.set()
            harm.mend_all()
            for client in work:
                client.join()
        self.assertEqual([c.failure for c in work if c.failure], [])
        self.assertEqual(harm.failures, [])
        self.look_at_the_end(recorder)
        self.judge(recorder, harm)

    def look_at_the_end(self, recorder):
        """Every frontend has caught up, what is committed is visible, and all is read once more."""
        cluster = self.cluster
        for process in cluster.processes:
            wait_until(f"{process['home']} lives", lambda p=process: alive(p))
        for process in cluster.frontends:
            wait_until("all frontends are level", lambda p=process: cluster.on(p, "SYNC") is not None)
        cluster.wait_alive()
        committed = "SELECT COUNT(*) FROM information_schema.loads WHERE db_name = 'h' AND state IN ('COMMITTED', 'PREPARED')"
        wait_until("what is committed is visible", lambda: cluster.sql(committed) == ((0,),))
        end = time.monotonic()
        for operation in recorder.late:
            operation.returned = end
        for process in cluster.frontends:
            client = Client(cluster, process, recorder, "end")
            client.open()
            client.sync()
            self.assertIsInstance(recorder.events[-1], Barrier)
            for first in range(0, recorder.label + 1, 500):
                client.look_at_rows(first, min(first + 499, recorder.label))
            client.look_at_families(recorder.next_family)
            for number in range(max(0, recorder.next_family - 40), recorder.next_family):
                for _ in range(3):
                    client.look_at_tables({"number": number})
            client.close()

    def judge(self, recorder, harm):
        begun = time.monotonic()
        verdict = history.check(recorder.events, lambda key: "" if key.startswith("label") else ())
        took = time.monotonic() - begun
        done = ", ".join(f"{n} {kind}" for kind, n in sorted(recorder.done.items()))
        print(f"operations: {done}", flush=True)
        print(f"faults: {', '.join(f'{n} {kind}' for kind, n in sorted(harm.counts.items()))}", flush=True)
        print(f"{verdict.objects} objects judged in {took:.1f} s ({verdict.steps} states), {len(verdict.undecided)} undecided, {len(verdict.violations)} violations", flush=True)
        if os.environ.get("KEEP") or verdict.violations:
            print("\n".join(harm.story), flush=True)
            print("\n".join(f"{n:6} {text}" for text, n in recorder.errors.most_common(40)), flush=True)
        for violation in verdict.violations:
            print(f"SEED={SEED} {self.since(violation, harm.begun)}", flush=True)
        self.assertEqual([v.key for v in verdict.violations], [])
        self.assertEqual(verdict.undecided, [])
        for kind, least in LEAST_PER_SECOND.items():
            self.assertGreater(recorder.done[kind], least * DURATION, f"too few of: {kind}")

    @staticmethod
    def since(violation, begun):
        """The times of a violation as those of the faults."""
        for op in violation.operations:
            op.called, op.returned, op.earliest = op.called - begun, op.returned - begun, op.earliest - begun
        return violation


if __name__ == "__main__":
    main()
