"""A cluster of real processes for a test program, and what its tests need to talk to it.

The cluster is made by bin/cluster.sh in a temporary directory and removed at the end; a failed run keeps the directory's logs
when KEEP is set in the environment.
"""

import atexit
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import pymysql

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
HOST = "127.0.0.1"
# Longest wait for something that happens by itself (a heartbeat, a recovery).
PATIENCE_SECONDS = 60


def run(*command, check=True, text=None, env=None):
    """Runs a command and returns its result; its output becomes part of the error."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=600, check=False, env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(what, condition, seconds=PATIENCE_SECONDS):
    """Waits for a condition; errors on the way (a server that is not back yet) count as not yet."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except Exception as e:  # pylint: disable=broad-except
            last = e
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s (last error: {last})")


def free_port_base(width=160):
    """The first of `width` ports that are all free and stay this program's: several test programs run at a time."""
    # Below the ports that outgoing connections take: a server that is away would find its own taken.
    base = 20000 + os.getpid() % 60 * 200
    for _ in range(100):
        if all(port_is_free(base + i) for i in list(range(0, 44)) + list(range(100, width))) and reserve(base):
            return base
        base = 20000 + (base - 20000 + 200) % 12000
    raise AssertionError("no free ports")


# Locks on the ports this program has taken: servers that are killed leave them free for a while.
RESERVED = []


def reserve(base):
    """Takes the ports from `base` until this program ends, unless another test program has them."""
    lock = open(os.path.join(tempfile.gettempdir(), f"mirrorship-test-ports-{base}.lock"), "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    RESERVED.append(lock)
    atexit.register(os.remove, lock.name)
    return True


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((HOST, port))
        except OSError:
            return False
    return True


class Cluster:
    """Frontends (one, or a group of followers) and some backends as processes."""

    def __init__(self, backends=1, frontends=1, disks=1):
        self.dir = tempfile.mkdtemp(prefix="mirrorship-test-")
        self.script("up", "--fe", str(frontends), "--be", str(backends), "--disks", str(disks), "--port-base", str(free_port_base()))
        self.read()

    def read(self):
        with open(os.path.join(self.dir, "cluster.json"), encoding="utf-8") as f:
            self.processes = json.load(f)["processes"]
        self.frontends = [p for p in self.processes if p["role"] == "fe"]
        self.frontend = self.frontends[0]
        self.backends = [p for p in self.processes if p["role"] == "be"]
        self.query_port = self.frontend["ports"]["query"]
        self.http_port = self.frontend["ports"]["http"]

    def script(self, command, *args, check=True):
        return run(os.path.join(ROOT, "bin/cluster.sh"), command, "--dir", self.dir, *args, check=check)

    def close(self):
        self.script("down", check=False)
        for process in self.processes:
            kill(process)
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def connect(self, **options):
        options = {"host": HOST, "port": self.query_port, "user": "root", "password": "", "autocommit": True, **options}
        return pymysql.connect(**options)

    def sql(self, statement, parameters=None, **options):
        """Runs one statement on a connection of its own."""
        with self.connect(**options) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

    def database(self, name):
        self.sql(f"DROP DATABASE IF EXISTS {name} FORCE")
        self.sql(f"CREATE DATABASE {name}")
        return name

    def on(self, process, statement, **options):
        """Runs one statement on a frontend."""
        return self.sql(statement, host=process["host"], port=process["ports"]["query"], **options)

    def stream_load(self, database, table, body, user="root:", at=None, limit=600, **headers):
        """Loads a body with curl as a user would, at a frontend, in `limit` seconds; the answer is the JSON of the backend."""
        at = at or self.frontend
        command = ["curl", "-sS", "-m", str(limit), "--location-trusted", "-u", user, "-T", "-", "-H", "Expect: 100-continue"]
        for name, value in headers.items():
            command += ["-H", f"{name}:{value}"]
        command.append(f"http://{at['host']}:{at['ports']['http']}/api/{database}/{table}/_stream_load")
        done = subprocess.run(command, input=body if isinstance(body, bytes) else body.encode(), capture_output=True, timeout=600, check=False)
        if done.returncode != 0:
            raise AssertionError(f"curl failed with {done.returncode}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def http(self, port, path):
        return run("curl", "-sS", "-m", "10", f"http://{HOST}:{port}{path}").stdout

    def restart(self, process):
        """Kills a process with SIGKILL and starts it again in its home."""
        kill(process)
        self.start(process)

    def start(self, process):
        run(os.path.join(ROOT, f"bin/start_{process['role']}.sh"), "--home", process["home"], "--daemon")
        if process["role"] == "be":
            self.wait_alive()
        else:
            wait_until("the frontend answers", lambda: self.sql("SELECT 1") == ((1,),))

    def complaints(self, lines=6):
        """The last warnings of every process, for a test that fails."""
        out = []
        for process in self.processes:
            logs = os.path.join(process["home"], "log")
            for name in sorted(n for n in os.listdir(logs) if n in ("fe.warn.log", "be.WARNING.log")):
                with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as f:
                    # A machine that lost its power leaves zeros.
                    out += [f"{os.path.basename(process['home'])}: {line.strip(chr(0)).strip()[:400]}" for line in f.readlines()[-lines:]]
        return "\n".join(out)

    def alive_backends(self):
        with self.connect(cursorclass=pymysql.cursors.DictCursor) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW BACKENDS")
            return [row for row in cursor.fetchall() if str(row["Alive"]).lower() == "true"]

    def wait_alive(self):
        wait_until("all backends are alive", lambda: len(self.alive_backends()) == len(self.backends))


def is_through(answer):
    """Whether a stream load has committed what its label stands for, now or when it was sent before."""
    if answer["Status"] == "Label Already Exists":
        return answer.get("ExistingJobStatus") == "FINISHED"
    return answer["Status"] in ("Success", "Publish Timeout")


def pid_of(process):
    try:
        with open(os.path.join(process["home"], f"{process['role']}.pid"), encoding="utf-8") as f:
            return int(f.read())
    except (OSError, ValueError):
        return None


def kill(process):
    """SIGKILL, and waits until the process is gone."""
    pid = pid_of(process)
    if pid is None or not is_running(pid, process["role"]):
        return
    os.kill(pid, signal.SIGKILL)
    wait_until(f"{process['role']} {pid} is gone", lambda: not is_running(pid, process["role"]))


def damage(file):
    """Flips bits of one byte of a file, past its header."""
    with open(file, "r+b") as f:
        f.seek(40)
        byte = f.read(1)
        f.seek(40)
        f.write(bytes([byte[0] ^ 0x55]))


def is_running(pid, role):
    """Whether a process has threads left: after its first one is gone, others that wait for a disk still hold ports and locks."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            stat = f.read()
        return f"(mirrorship-{role})" in stat and (stat.rpartition(") ")[2][:1] != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1)
    except OSError:
        return False


class ClusterTest(unittest.TestCase):
    """Tests that share one cluster. The cluster is started by the first of them."""

    maxDiff = None
    backend_count = 1
    disk_count = 1
    cluster = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(cls.backend_count, disks=cls.disk_count)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def assert_error(self, number, text, statement, **options):
        """The statement is refused with this number and a message that contains the text."""
        with self.assertRaises(pymysql.err.MySQLError) as caught:
            self.cluster.sql(statement, **options)
        code, message = caught.exception.args[:2]
        self.assertEqual(code, number, message)
        self.assertIn(text, message)


def main():
    """Runs the tests of the calling program and closes with a line like cargo's."""
    result = unittest.main(verbosity=2, exit=False).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passed = result.testsRun - failed - len(result.skipped)
    state = "FAILED" if failed else "ok"
    print(f"test result: {state}. {max(passed, 0)} passed; {failed} failed; {len(result.skipped)} ignored", flush=True)
    sys.exit(1 if failed else 0)
