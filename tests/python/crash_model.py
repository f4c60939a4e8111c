"""Work on a cluster that is harmed, and a model of what must be there.

Every change is tried again under its label until its outcome is known, so the model knows exactly which rows must be there. After
each harm the work pauses and all tables are compared with it. SEED says which random choices.
"""

import json
import os
import random
import threading
import time

from harness import ClusterTest, HOST, is_through, run

SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
# Longest wait until a change has a known outcome, or the tables show the model.
PATIENCE = 180
LOAD_ROWS = 200
KEYS = 400


class Gate:
    """Lets the work pause between two changes."""

    def __init__(self):
        self.condition = threading.Condition()
        self.paused = False
        self.stopped = False
        self.busy = 0

    def enter(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.paused or self.stopped)
            if self.stopped:
                return False
            self.busy += 1
            return True

    def leave(self):
        with self.condition:
            self.busy -= 1
            self.condition.notify_all()

    def pause(self):
        with self.condition:
            self.paused = True
            if not self.condition.wait_for(lambda: self.busy == 0, timeout=PATIENCE):
                raise AssertionError(f"{self.busy} changes have no outcome after {PATIENCE} s")

    def resume(self):
        with self.condition:
            self.paused = False
            self.condition.notify_all()

    def stop(self):
        with self.condition:
            self.stopped = True
            self.condition.notify_all()


class Work:
    """The changes of one kind, in a thread of their own."""

    def __init__(self, test, name, step):
        self.test, self.name, self.step = test, name, step
        self.random = random.Random(f"{SEED}/{name}")
        self.done = 0
        self.failure = None
        self.thread = threading.Thread(target=self.run, name=name)
        self.thread.start()

    def run(self):
        while self.test.gate.enter():
            try:
                self.step(self)
                self.done += 1
            except BaseException as e:  # pylint: disable=broad-except
                self.failure = e
                return
            finally:
                self.test.gate.leave()

    def until(self, what, attempt):
        """Tries until the outcome is known; errors on the way are those of a cluster that is not there."""
        deadline = time.monotonic() + PATIENCE
        last = None
        while time.monotonic() < deadline:
            try:
                if attempt():
                    return
            except Exception as e:  # pylint: disable=broad-except
                last = e
            time.sleep(0.2)
        raise AssertionError(f"{self.name}: {what} has no outcome after {PATIENCE} s: {last}")

    def load(self, table, label, body, **headers):
        """One load under its label, exactly once."""

        def attempt():
            answer = self.test.cluster.stream_load("crash", table, body, label=label, timeout="15", column_separator=",", **headers)
            if is_through(answer):
                return True
            raise AssertionError(json.dumps(answer))

        self.until(f"load {label} into {table}", attempt)

    def sql(self, statement, fine=()):
        def attempt():
            try:
                self.test.cluster.sql(statement, database="crash")
            except Exception as e:  # pylint: disable=broad-except
                if not any(text in str(e) for text in fine):
                    raise
            return True

        self.until(statement, attempt)


class ModelTest(ClusterTest):
    """Tests that harm a cluster while it works."""

    def setUp(self):
        self.gate = Gate()
        self.random = random.Random(SEED)
        # What must be there: rows of each load; key → value.
        self.loads = {}
        self.keys = {}
        self.changing = {}
        self.cluster.database("crash")
        replicated = 'PROPERTIES ("replication_num" = "3")'
        self.create("CREATE TABLE d (load_no INT, row_no INT, v BIGINT) DUPLICATE KEY(load_no, row_no) DISTRIBUTED BY HASH(row_no) BUCKETS 3 " + replicated)
        self.create('CREATE TABLE p (k INT, v BIGINT, s VARCHAR(40)) PRIMARY KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 3 PROPERTIES ("replication_num" = "1")')
        self.create("CREATE TABLE c (load_no INT, row_no INT) DUPLICATE KEY(load_no, row_no) DISTRIBUTED BY HASH(row_no) BUCKETS 2 " + replicated)

    def create(self, statement):
        self.cluster.sql(statement, database="crash")

    # The changes. Each worker has loads and keys of its own, so that their order is its own too.

    def add_rows(self, work):
        number = work.done * 10 + int(work.name[-1])
        body = "".join(f"{number},{row},{number * 1000 + row}\n" for row in range(LOAD_ROWS))
        work.load("d", f"d_{number}", body)
        self.loads[number] = LOAD_ROWS
        if work.done % 5 == 4:
            gone = work.random.choice([n for n in self.loads if n % 10 == number % 10])
            work.sql(f"DELETE FROM d WHERE load_no = {gone}")
            self.loads.pop(gone)

    def change_keys(self, work):
        own = int(work.name[-1])
        label = f"p_{own}_{work.done}"
        keys = work.random.sample(range(own * KEYS, (own + 1) * KEYS), 100)
        removed = set(work.random.sample(keys, 20)) if work.done % 3 == 2 else set()
        body = "".join(f"{k},{work.done},{label},{int(k in removed)}\n" for k in keys)
        work.load("p", label, body, columns="k,v,s,__op")
        for k in keys:
            if k in removed:
                self.keys.pop(k, None)
            else:
                self.keys[k] = (work.done, label)

    def change_schema(self, work):
        number = work.done
        body = "".join(f"{number},{row}\n" for row in range(50))
        work.load("c", f"c_{number}", body, columns="load_no,row_no")
        self.changing[number] = 50
        fine = ("already exist", "Duplicate column", "does not exist", "not exists", "Can not find column", "Unknown column")
        if number % 3 == 0:
            work.sql('ALTER TABLE c ADD COLUMN w INT DEFAULT "3"', fine)
        elif number % 3 == 1:
            # Every row is written again.
            work.sql("ALTER TABLE c MODIFY COLUMN w BIGINT", fine + ("Nothing is changed", "not change", "no change", "SCHEMA_CHANGE"))
        else:
            work.sql("ALTER TABLE c DROP COLUMN w", fine)

    def compact(self, work):
        def attempt():
            table = work.random.choice("dpc")
            tablet = work.random.choice(self.cluster.sql(f"SHOW TABLETS FROM {table}", database="crash"))[0]
            backend = work.random.choice(self.cluster.backends)
            kind = work.random.choice(["base", "cumulative"])
            url = f"http://{HOST}:{backend['ports']['webserver']}/api/compact?tablet_id={tablet}&compaction_type={kind}"
            run("curl", "-sS", "-m", "20", "-X", "POST", url)
            return True

        work.until("compaction", attempt)
        time.sleep(0.1)

    # The comparison.

    def differences(self):
        found = {row[0]: row[1:] for row in self.cluster.sql("SELECT load_no, COUNT(*), COUNT(DISTINCT row_no), SUM(v - load_no * 1000) FROM d GROUP BY load_no", database="crash")}
        expected = {n: (rows, rows, rows * (rows - 1) // 2) for n, rows in self.loads.items()}
        yield from compare("d", expected, {n: tuple(int(x) for x in row) for n, row in found.items()})
        yield from compare("p", self.keys, {row[0]: row[1:] for row in self.cluster.sql("SELECT k, v, s FROM p", database="crash")})
        found = {row[0]: row[1:] for row in self.cluster.sql("SELECT load_no, COUNT(*), COUNT(DISTINCT row_no) FROM c GROUP BY load_no", database="crash")}
        yield from compare("c", {n: (rows, rows) for n, rows in self.changing.items()}, found)
        labels = self.cluster.sql("SELECT label, COUNT(*) FROM information_schema.loads WHERE db_name = 'crash' AND state = 'FINISHED' GROUP BY label HAVING COUNT(*) > 1")
        yield from (f"label {label} is there {n} times" for label, n in labels)

    def check(self, after):
        """What is committed becomes visible soon, whoever has just started."""
        deadline = time.monotonic() + PATIENCE
        last = None
        while time.monotonic() < deadline:
            try:
                last = list(self.differences())
                if not last:
                    return
            except Exception as e:  # pylint: disable=broad-except
                last = [repr(e)]
            time.sleep(0.5)
        raise AssertionError(f"after {after}: {len(last)} differences: {last[:10]}\n{self.cluster.complaints()}")

    def work_through(self, strike, duration):
        """Harms the cluster again and again; `strike` does it once and says how."""
        workers = [Work(self, "rows 1", self.add_rows), Work(self, "rows 2", self.add_rows)]
        workers += [Work(self, "keys 1", self.change_keys), Work(self, "keys 2", self.change_keys)]
        workers += [Work(self, "schema", self.change_schema), Work(self, "compact", self.compact)]
        survived = {}
        try:
            end = time.monotonic() + duration
            while time.monotonic() < end:
                time.sleep(self.random.uniform(0.5, 2))
                name, how = strike()
                self.gate.pause()
                for work in workers:
                    if work.failure:
                        raise work.failure
                self.check(f"{name}: {how}")
                survived[how] = survived.get(how, 0) + 1
                self.gate.resume()
        finally:
            self.gate.stop()
            for work in workers:
                work.thread.join()
        done = ", ".join(f"{work.name}: {work.done}" for work in workers)
        print(f"survived: {sum(survived.values())} {survived}; changes: {done}; rows: {sum(self.loads.values())}, keys: {len(self.keys)}", flush=True)


def compare(table, expected, found):
    for key in sorted(set(expected) | set(found)):
        if expected.get(key) != found.get(key):
            yield f"{table}[{key}]: expected {expected.get(key)}, found {found.get(key)}"
