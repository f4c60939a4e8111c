"""What may befall the nodes of a cluster: kills, pauses, cuts between them, wrong clocks, full disks; one after the other, by seed.

Kinds this machine cannot do are left out; `missing` says which and why.
"""

import glob
import os
import random
import signal
import subprocess
import threading
import time

from groups import alive, may_make_spaces
from harness import is_running, kill, pid_of

DISK_BYTES = 768 << 20
# Seconds a clock is off at once, and how fast it runs.
JUMPS = ["+1", "-1", "+7", "-7", "+60", "-60", "+900", "-900", "+3000", "-3000"]
RATES = ["x1.5", "x0.5", "x3", "x0.1"]


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


def set_clock(home, value):
    """The next reading of the clock within a second is of the new one; only CLOCK_REALTIME is changed."""
    path = os.path.join(home, "clock")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(value + "\n")
    os.rename(path + ".new", path)


def clock_settings(home):
    """Lines of a conf file that let a test set the clock of a process; none where the library is missing."""
    library = faketime_library()
    if library is None:
        return []
    set_clock(home, "+0")
    return [
        f"LD_PRELOAD = {library}",
        f"FAKETIME_TIMESTAMP_FILE = {home}/clock",
        "FAKETIME_DONT_FAKE_MONOTONIC = 1",
        "DONT_FAKE_MONOTONIC = 1",
        "FAKETIME_CACHE_DURATION = 1",
        "NO_FAKE_STAT = 1",
    ]


class Disks:
    """A small file system in memory for the data of each node."""

    def __init__(self):
        self.mounted = []
        self.problem = None

    def prepare(self, role, home):
        at = os.path.join(home, "storage" if role == "be" else "meta")
        os.makedirs(at)
        if self.problem is None:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", at], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                self.mounted.append(at)
            else:
                self.problem = done.stderr.strip()

    def of(self, process):
        at = os.path.join(process["home"], "storage" if process["role"] == "be" else "meta")
        return at if at in self.mounted else None

    def close(self):
        for at in self.mounted:
            subprocess.run(["umount", "-l", at], check=False)
        self.mounted = []


class Nemesis:
    """Harms a cluster in a thread until it is told to stop, then mends everything."""

    def __init__(self, cluster, seed):
        self.cluster, self.disks = cluster, cluster.disks
        self.random = random.Random(f"{seed}/nemesis")
        self.stopping = threading.Event()
        self.counts, self.story, self.failures = {}, [], []
        self.begun = time.monotonic()
        self.kinds, self.missing = {"kill": self.kill, "pause": self.pause}, {}
        if cluster.spaces:
            self.kinds["partition"] = self.partition
        else:
            self.missing["partition"] = "no right to make network namespaces here"
        if faketime_library():
            self.kinds["clock"] = self.clock
        else:
            self.missing["clock"] = "libfaketime is not installed (package faketime)"
        if self.disks.problem is None:
            self.kinds["full disk"] = self.fill
        else:
            self.missing["full disk"] = f"file systems cannot be mounted here: {self.disks.problem}"
        self.thread = threading.Thread(target=self.run, name="nemesis")

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def tell(self, text):
        self.story.append(f"{time.monotonic() - self.begun:8.2f} {text}")

    def run(self):
        deck = []
        while not self.stopping.is_set():
            mends = []
            try:
                # Each kind comes as often as the others.
                deck = deck or self.random.sample(sorted(self.kinds), len(self.kinds))
                mends.append(self.strike(deck.pop()))
                if self.random.random() < 0.3:
                    self.stopping.wait(self.random.uniform(0, 1))
                    mends.append(self.strike(self.random.choice(sorted(self.kinds))))
                self.stopping.wait(self.random.uniform(0.3, 4))
                while mends:
                    mends.pop()()
                self.revive()
                self.stopping.wait(self.random.uniform(0, 1.5))
            except Exception as e:  # pylint: disable=broad-except
                self.failures.append(f"{e!r}")
                self.tell(f"failed: {e!r}")
                self.mend_all()

    def strike(self, kind):
        what, mend = self.kinds[kind]()
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.tell(f"{kind}: {what}")
        return mend

    def victim(self):
        """The leader as often as all other frontends together, a frontend as often as a backend."""
        if self.random.random() < 0.5:
            return self.random.choice(self.cluster.backends)
        leader = self.cluster.leader() if self.random.random() < 0.5 else None
        return leader or self.random.choice(self.cluster.frontends)

    # The kinds: each does it and gives what it did and how it is mended.

    def kill(self):
        process = self.victim()
        kill(process)
        return name_of(process), lambda: None

    def pause(self):
        process = self.victim()
        pid = pid_of(process)

        def mend():
            if is_running(pid, process["role"]):
                os.kill(pid, signal.SIGCONT)

        if is_running(pid, process["role"]):
            os.kill(pid, signal.SIGSTOP)
        return name_of(process), mend

    def partition(self):
        cluster = self.cluster
        how = self.random.choice(["alone", "alone", "one way", "halves", "from frontends", "from backends"])
        nodes = cluster.processes
        some = [self.victim()]
        others = nodes
        if how == "halves":
            some = self.random.sample(nodes, self.random.randint(1, len(nodes) - 1))
            others = [p for p in nodes if p not in some]
        elif how == "from frontends":
            others = cluster.frontends
        elif how == "from backends":
            others = cluster.backends
        back = how != "one way"
        others = [p for p in others if p not in some]
        cluster.cut(some, others, "add", back)
        return f"{' '.join(name_of(p) for p in some)} {how}", lambda: cluster.cut(some, others, "del", back)

    def clock(self):
        process = self.victim()
        value = self.random.choice(JUMPS) if self.random.random() < 0.6 else f"+0 {self.random.choice(RATES)}"
        set_clock(process["home"], value)
        # Often for longer than other faults.
        stay = self.random.random() < 0.5
        return f"{name_of(process)} {value}{' for long' if stay else ''}", (lambda: None) if stay else lambda: set_clock(process["home"], "+0")

    def fill(self):
        process = self.victim()
        filler = os.path.join(self.disks.of(process), "filler")
        size = 64 << 20
        with open(filler, "ab") as f:
            while size >= 4096:
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, size)
                except OSError:
                    size //= 2

        def mend():
            if os.path.exists(filler):
                os.unlink(filler)

        return name_of(process), mend

    def revive(self):
        """Starts what does not run. A wrong clock may forbid that."""
        for process in self.cluster.processes:
            if alive(process):
                continue
            if faketime_library():
                set_clock(process["home"], "+0")
            subprocess.run(self.cluster.command(process), capture_output=True, timeout=60, check=False)
            self.tell(f"started {name_of(process)}")

    def mend_all(self):
        self.cluster.join()
        for process in self.cluster.processes:
            if alive(process):
                os.kill(pid_of(process), signal.SIGCONT)
            if faketime_library():
                set_clock(process["home"], "+0")
            at = self.disks.of(process)
            if at and os.path.exists(os.path.join(at, "filler")):
                os.unlink(os.path.join(at, "filler"))
        self.revive()


def name_of(process):
    return os.path.basename(process["home"])


def settings(role, home):  # pylint: disable=unused-argument
    return clock_settings(home)


def cluster_arguments():
    """How a cluster is made to which all of this can happen."""
    return {"spaces": may_make_spaces(), "settings": settings, "disks": Disks()}
