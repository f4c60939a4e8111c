"""Processes that are killed under load: what was acknowledged is there afterwards, exactly once, and nothing else.

Loads, upserts, deletes, schema changes and compactions run at once (crash_model.py) while the frontend or a backend dies, by
SIGKILL at a random moment or inside a named fail point. DURATION (45 s) says how long, SEED which random choices.
"""

import os
import time
import urllib.request

from crash_model import SEED, ModelTest
from harness import Cluster, HOST, kill, main, pid_of

DURATION = float(os.environ.get("DURATION", "45"))

BACKEND_POINTS = [
    "storage.commit",  # segments written, rowset not recorded
    "storage.committed",
    "storage.publish",
    "storage.primary.apply",  # the index is being changed
    "storage.compaction",
    "storage.compaction.swap",
]
FRONTEND_POINTS = ["fe.commit", "fe.publish", "fe.visible"]


class CrashCluster(Cluster):
    def __init__(self):
        # Takes orders about fail points; none is set yet.
        os.environ["MIRRORSHIP_FAIL_POINTS"] = ""
        super().__init__(backends=3)

    def arm(self, process, point):
        port = process["ports"]["http" if process["role"] == "fe" else "webserver"]
        request = urllib.request.Request(f"http://{HOST}:{port}/api/fail_point?name={point}&action=1*exit(137)", method="POST")
        urllib.request.urlopen(request, timeout=5).read()


class Crash(ModelTest):
    @classmethod
    def setUpClass(cls):
        print(f"SEED={SEED} DURATION={DURATION:.0f}", flush=True)
        cls.cluster = CrashCluster()
        cls.cluster.wait_alive()

    def strike(self):
        """One process dies and is started again; how."""
        process = self.random.choice([self.cluster.frontend] + self.cluster.backends)
        points = FRONTEND_POINTS if process["role"] == "fe" else BACKEND_POINTS
        how = "SIGKILL"
        if self.random.random() < 0.6:
            point = self.random.choice(points)
            self.cluster.arm(process, point)
            deadline = time.monotonic() + 6
            while time.monotonic() < deadline and alive(process):
                time.sleep(0.02)
            how = point if not alive(process) else f"SIGKILL, for {point} was not reached"
        else:
            time.sleep(self.random.random() * 2)
        kill(process)
        name = os.path.basename(process["home"])
        time.sleep(self.random.random())
        self.cluster.start(process)
        return name, how

    def test_nothing_is_lost_and_nothing_is_added(self):
        self.work_through(self.strike, DURATION)


def alive(process):
    pid = pid_of(process)
    if pid is None:
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    main()
