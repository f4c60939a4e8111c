"""A cluster whose nodes are known by name (--host_type FQDN): they find each other, and again after they have moved to other addresses.

Every node has a network namespace, a name and a view of one hosts file; the machine's is not touched. Needs root; without it the tests
are skipped.
"""

import os
import unittest

from groups import NET, NodeCluster, ip, may_make_spaces, set_conf
from harness import kill, main, run, wait_until


class NamedCluster(NodeCluster):
    """Three frontends and a backend that know each other by name only."""

    def __init__(self):
        self.addresses = {}
        super().__init__()

    def named(self, process):
        return os.path.basename(process["home"]) + ".test"

    def node(self, role, number):
        process = super().node(role, number)
        if role == "fe":
            set_conf(process, priority_networks=None)
        self.addresses[self.named(process)] = process["host"]
        return process

    def hosts(self):
        """The hosts file, which nodes see through a mount of it: it is written in place."""
        path = os.path.join(self.dir, "hosts")
        with open(path, "w", encoding="utf-8") as f:
            f.write("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in self.addresses.items()))
        return path

    def command(self, process, *options):
        entered = super().command(process, *options)
        script = f'mount --make-rprivate / && mount --bind {self.hosts()} /etc/hosts && hostname {self.named(process)} && exec "$@"'
        first = process["role"] == "fe" and not os.path.exists(os.path.join(process["home"], "meta"))
        return entered[:4] + ["unshare", "-m", "-u", "bash", "-c", script, "_"] + entered[4:] + (["--host_type", "FQDN"] if first else [])

    def by_name(self, process):
        """SHOW FRONTENDS of one frontend: name -> row."""
        return {address.rpartition(":")[0]: row for address, row in self.shown(process).items()}

    def move(self, process, address):
        """A node that is down gets another address."""
        device = process["space"].replace("-", "n")
        ip("-n", process["space"], "addr", "del", f"{process['host']}/24", "dev", device)
        ip("-n", process["space"], "addr", "add", f"{address}/24", "dev", device)
        process["host"] = self.addresses[self.named(process)] = address
        self.hosts()


@unittest.skipUnless(may_make_spaces(), "no right to make network namespaces here")
class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = NamedCluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def works_everywhere(self, database):
        cluster = self.cluster
        names = {cluster.named(p) for p in cluster.frontends}
        for process in cluster.frontends:
            wait_until("all frontends are alive", lambda: {n for n, r in cluster.by_name(process).items() if r["Alive"] == "true"} == names)
            wait_until("the backend is alive", lambda: [r[8] for r in cluster.on(process, "SHOW BACKENDS")] == ["true"])
        cluster.on(cluster.frontends[0], f"CREATE DATABASE {database}")
        for process in cluster.frontends:
            table = f"{database}.by_{os.path.basename(process['home'])}"
            cluster.on(process, f"CREATE TABLE {table} (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
            cluster.on(process, f"INSERT INTO {table} VALUES (1), (2)")
            for other in cluster.frontends:
                cluster.on(other, "SYNC")
                self.assertEqual(cluster.on(other, f"SELECT count(*) FROM {table}"), ((2,),))

    def test_1_nodes_are_known_by_name(self):
        cluster = self.cluster
        self.works_everywhere("named")
        for process in cluster.frontends:
            self.assertEqual(set(cluster.by_name(process)), {"fe1.test", "fe2.test", "fe3.test"})
            self.assertEqual([r[1] for r in cluster.on(process, "SHOW BACKENDS")], ["be1.test"])

    def test_2_a_follower_moves(self):
        cluster = self.cluster
        leading = [n for n, r in cluster.by_name(cluster.frontends[0]).items() if r["Role"] == "LEADER"]
        follower = next(p for p in cluster.frontends if cluster.named(p) not in leading)
        kill(follower)
        cluster.move(follower, f"{NET}.{100 + cluster.frontends.index(follower)}")
        cluster.begin(follower)
        self.works_everywhere("moved")

    def test_3_all_nodes_move(self):
        cluster = self.cluster
        for number, process in enumerate(cluster.processes):
            kill(process)
            cluster.move(process, f"{NET}.{200 + number}")
        # The first frontend waits for a majority.
        for process in cluster.processes:
            run(*cluster.command(process), check=False)
        for process in cluster.frontends:
            wait_until("it answers", lambda: cluster.on(process, "SELECT 1") == ((1,),))
        self.works_everywhere("all_moved")


if __name__ == "__main__":
    main()
