"""Groups of frontends and their backends, on one machine or each in a network namespace of its own.

A namespace lets a test cut nodes off from each other while the test itself still reaches all of them. It needs root.
"""

import os
import re
import shutil
import subprocess
import tempfile

import pymysql

from harness import Cluster, HOST, ROOT, free_port_base, is_running, kill, pid_of, run, wait_until

NET = f"10.77.{os.getpid() % 250}"
NAME = f"msp{os.getpid() % 10000}"
PORTS = {
    "fe": {"query": ("query_port", 9030), "http": ("http_port", 8030), "rpc": ("rpc_port", 9020), "edit_log": ("edit_log_port", 9010)},
    "be": {"be": ("be_port", 9060), "heartbeat": ("heartbeat_service_port", 9050), "brpc": ("brpc_port", 8060), "webserver": ("be_http_port", 8040)},
}


def edit_log(process):
    return f"{process['host']}:{process['ports']['edit_log']}"


def alive(process):
    pid = pid_of(process)
    return pid is not None and is_running(pid, process["role"])


def may_make_spaces():
    """Whether this machine lets us make network namespaces and links."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    trial = f"{NAME}-trial"
    made = ip("netns", "add", trial, check=False).returncode == 0 and ip("link", "add", f"{NAME}t", "type", "bridge", check=False).returncode == 0
    ip("link", "del", f"{NAME}t", check=False)
    ip("netns", "del", trial, check=False)
    return made


def ip(*words, check=True):
    return run("ip", *words, check=check)


class FrontendGroup(Cluster):
    """What one asks of a group of frontends."""

    def shown(self, process):
        """SHOW FRONTENDS of one frontend: name (host:edit-log port) -> row."""
        # One that stands still does not answer.
        options = {"connect_timeout": 5, "read_timeout": 5, "cursorclass": pymysql.cursors.DictCursor}
        with self.connect(host=process["host"], port=process["ports"]["query"], **options) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW FRONTENDS")
            return {f"{row['IP']}:{row['EditLogPort']}": row for row in cursor.fetchall()}

    def leader(self, asked=None):
        """The frontend that leads, by the word of those that live."""
        for process in asked or self.frontends:
            if not alive(process):
                continue
            try:
                rows = self.shown(process)
            except pymysql.err.MySQLError:
                continue
            for candidate in self.frontends:
                row = rows.get(edit_log(candidate))
                if row and row["Role"] == "LEADER" and alive(candidate):
                    return candidate
        return None

    def wait_leader(self):
        wait_until("a leader", lambda: self.leader() is not None)
        return self.leader()

    def caught_up(self, process):
        """The frontend answers and is level with the leader."""
        leader = self.wait_leader()
        row = self.shown(leader)[edit_log(process)]
        return row["Alive"] == "true" and row["Join"] == "true" and self.on(process, "SELECT 1") == ((1,),)


class NodeCluster(FrontendGroup):
    """Frontends (followers, then observers) and backends in homes the test writes itself, each in a namespace of its own if `spaces`.

    `settings(role, home)` gives further lines of a conf file. `disks` prepares homes before anything is put into them, and is closed
    when nothing runs any more.
    """

    def __init__(self, followers=3, observers=0, backends=1, spaces=True, settings=None, disks=None):  # pylint: disable=super-init-not-called
        self.dir = tempfile.mkdtemp(prefix="mirrorship-test-")
        self.processes, self.frontends, self.backends = [], [], []
        self.spaces = spaces
        self.settings, self.disks = settings or (lambda role, home: []), disks
        self.replicas = 3 if backends >= 3 else 1
        self.base = None if spaces else free_port_base()
        try:
            self.make(followers, observers, backends)
        except BaseException:
            self.close()
            raise

    def make(self, followers, observers, backends):
        if self.spaces:
            ip("link", "add", NAME, "type", "bridge")
            ip("addr", "add", f"{NET}.254/24", "dev", NAME)
            ip("link", "set", NAME, "up")
        for i in range(followers + observers):
            self.frontends.append(self.node("fe", i + 1))
        for i in range(backends):
            self.backends.append(self.node("be", i + 1))
        self.frontend = self.frontends[0]
        self.query_port, self.http_port = self.frontend["ports"]["query"], self.frontend["ports"]["http"]
        starting = [self.popen(process) for process in self.backends]
        self.begin(self.frontend)
        for i, process in enumerate(self.frontends[1:], 1):
            self.sql(f'ALTER SYSTEM ADD {"FOLLOWER" if i < followers else "OBSERVER"} "{self.named(process)}:{process["ports"]["edit_log"]}"')
            self.begin(process, "--helper", f'{self.named(self.frontend)}:{self.frontend["ports"]["edit_log"]}')
        for started in starting:
            started.wait(60)
        for process in self.backends:
            self.sql(f"ALTER SYSTEM ADD BACKEND \"{self.named(process)}:{process['ports']['heartbeat']}\"")
        self.wait_alive()

    def node(self, role, number):
        """A home, its conf file, and the namespace to run it in."""
        name = f"{role}{number}"
        home = os.path.join(self.dir, name)
        os.makedirs(os.path.join(home, "conf"))
        os.makedirs(os.path.join(home, "log"))
        if self.disks:
            self.disks.prepare(role, home)
        if self.spaces:
            host, ports = f"{NET}.{number + (10 if role == 'be' else 0)}", {key: port for key, (_, port) in PORTS[role].items()}
        else:
            first = self.base + 10 * (number - 1) + (100 if role == "be" else 0)
            host, ports = HOST, {key: first + i for i, key in enumerate(PORTS[role])}
        lines = [f"{PORTS[role][key][0]} = {port}" for key, port in ports.items()]
        lines += [f"priority_networks = {NET}.0/24" if self.spaces else "priority_networks = 127.0.0.0/8", f"sys_log_dir = {home}/log"]
        if role == "fe":
            lines += [f"meta_dir = {home}/meta", "heartbeat_interval_second = 1", f"default_replication_num = {self.replicas}"]
        else:
            os.makedirs(os.path.join(home, "storage"), exist_ok=True)
            lines += [f"storage_root_path = {home}/storage", "mem_limit = 20%"]
        with open(os.path.join(home, "conf", f"{role}.conf"), "w", encoding="utf-8") as f:
            f.write("\n".join(lines + self.settings(role, home)) + "\n")
        process = {"role": role, "home": home, "host": host, "ports": ports, "space": f"{NAME}-{name}"}
        if self.spaces:
            outer, inner = f"{NAME}h{name}", f"{NAME}n{name}"
            ip("netns", "add", process["space"])
            ip("link", "add", outer, "type", "veth", "peer", "name", inner)
            ip("link", "set", inner, "netns", process["space"])
            ip("link", "set", outer, "master", NAME)
            ip("link", "set", outer, "up")
            ip("-n", process["space"], "addr", "add", f"{host}/24", "dev", inner)
            ip("-n", process["space"], "link", "set", inner, "up")
            ip("-n", process["space"], "link", "set", "lo", "up")
        self.processes.append(process)
        return process

    def named(self, process):
        """How the cluster calls a node."""
        return process["host"]

    def command(self, process, *options):
        """What starts a process, in its namespace."""
        enter = ["ip", "netns", "exec", process["space"]] if self.spaces else []
        return enter + [os.path.join(ROOT, f"bin/start_{process['role']}.sh"), "--home", process["home"], "--daemon", *options]

    def popen(self, process):
        return subprocess.Popen(self.command(process), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # pylint: disable=consider-using-with

    def connect(self, **options):
        return super().connect(**{"host": self.frontend["host"], **options})

    def begin(self, process, *options):
        """Starts a process; a frontend answers afterwards."""
        run(*self.command(process, *options))
        if process["role"] == "fe":
            wait_until("it answers", lambda: self.on(process, "SELECT 1") == ((1,),))

    def cut(self, some, others, action="add", back=True):
        """Packets from some nodes to others (and back) vanish (add), or no longer (del). What is so already stays so."""
        for one in some:
            for other in others:
                if one is not other:
                    for source, target in [(one, other), (other, one)] if back else [(one, other)]:
                        ip("-n", source["space"], "route", action, "blackhole", f"{target['host']}/32", check=False)

    def join(self):
        """All nodes reach each other again."""
        for process in self.processes if self.spaces else []:
            ip("-n", process["space"], "route", "flush", "type", "blackhole", check=False)

    def close(self):
        for process in self.processes:
            kill(process)
        if self.spaces:
            for process in self.processes:
                ip("netns", "del", process["space"], check=False)
            ip("link", "del", NAME, check=False)
        if self.disks:
            self.disks.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


def set_conf(process, **settings):
    """Changes lines of a conf file; None removes one."""
    path = os.path.join(process["home"], f"conf/{process['role']}.conf")
    with open(path, encoding="utf-8") as f:
        lines = [line for line in f.read().splitlines() if line.split("=")[0].strip() not in settings]
    lines += [f"{key} = {value}" for key, value in settings.items() if value is not None]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def clone_home(model, home, shift):
    """A new home with the conf of another one, its ports moved."""
    os.makedirs(os.path.join(home, "conf"))
    os.makedirs(os.path.join(home, "log"))
    conf = f"conf/{model['role']}.conf"
    with open(os.path.join(model["home"], conf), encoding="utf-8") as f:
        text = f.read().replace(model["home"], home)
    text = re.sub(r"(?m)^(\w+_port = )(\d+)$", lambda m: f"{m[1]}{int(m[2]) + shift}", text)
    with open(os.path.join(home, conf), "w", encoding="utf-8") as f:
        f.write(text)
    return {"role": model["role"], "home": home, "host": model["host"], "ports": {k: v + shift for k, v in model["ports"].items()}}
