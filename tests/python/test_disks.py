"""Disks that are damaged, lost or full: replicas are made again, loads go elsewhere or are refused, the process lives on."""

import glob
import json
import os
import shutil

import pymysql

from harness import ClusterTest, HOST, damage, kill, main, run, wait_until

ROWS = 3000


class Disks(ClusterTest):
    backend_count = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.wait_alive()
        # The first backend gets a second disk.
        cls.first = cls.cluster.backends[0]
        cls.configure(storage_root_path="{home}/storage;{home}/storage2,medium:ssd")
        cls.db = cls.cluster.database("disks")
        body = "".join(f"{i},{i % 7}\n" for i in range(ROWS))
        for name, keys, medium in [("d", "DUPLICATE", "HDD"), ("p", "PRIMARY", "SSD")]:
            properties = f'PROPERTIES ("replication_num" = "3", "storage_medium" = "{medium}")'
            cls.cluster.sql(f"CREATE TABLE {name} (k INT, v INT) {keys} KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 4 {properties}", database=cls.db)
            for _ in range(2):
                answer = cls.cluster.stream_load(cls.db, name, body, column_separator=",")
                assert answer["Status"] == "Success", answer

    @classmethod
    def configure(cls, **settings):
        """Restarts the first backend with other settings."""
        path = os.path.join(cls.first["home"], "conf/be.conf")
        kill(cls.first)
        with open(path, encoding="utf-8") as f:
            lines = [line for line in f.read().splitlines() if line.split("=")[0].strip() not in settings]
        lines += [f"{key} = {value.format(home=cls.first['home'])}" for key, value in settings.items()]
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        cls.cluster.start(cls.first)

    def disks(self):
        """(state, tablets) of each disk of the first backend, by the last part of its path."""
        ids = [row[0] for row in self.cluster.sql("SHOW BACKENDS") if str(row[3]) == str(self.first["ports"]["be"])]
        rows = self.cluster.sql(f"SHOW PROC '/backends/{ids[0]}'")
        return {os.path.basename(row[0]): (row[6], int(row[9])) for row in rows}

    def bad(self):
        rows = [row for table in "dp" for row in self.cluster.sql(f"ADMIN SHOW REPLICA STATUS FROM {table}", database=self.db)]
        return [row for row in rows if row[9] == "true" or row[12] != "OK"]

    def bad_tablets(self):
        """What the first backend says itself."""
        metrics = self.cluster.http(self.first["ports"]["webserver"], "/metrics").splitlines()
        return float(next(line.split()[-1] for line in metrics if line.startswith("starrocks_be_bad_tablets ")))

    def scrub(self):
        port = self.first["ports"]["webserver"]
        before = json.loads(self.cluster.http(port, "/api/scrub"))["cycles"]
        run("curl", "-sS", "-m", "10", "-X", "POST", f"http://{HOST}:{port}/api/scrub")
        found = {}

        def complete():
            found.update(json.loads(self.cluster.http(port, "/api/scrub")))
            return found["cycles"] > before

        wait_until("all files are verified", complete)
        return found

    def check_data(self):
        for table, times in [("d", 2), ("p", 1)]:
            found = self.cluster.sql(f"SELECT COUNT(*), SUM(v) FROM {table}", database=self.db)
            self.assertEqual(found, ((ROWS * times, sum(i % 7 for i in range(ROWS)) * times),), table)

    def test_1_damage_is_found_and_mended(self):
        clean = self.scrub()
        self.assertEqual(clean["damaged_files"], 0, clean)
        files = sorted(glob.glob(os.path.join(self.first["home"], "storage*/data/*/*/*.dat")))
        self.assertGreater(len(files), 3)
        for file in files[:3]:
            damage(file)
        found = self.scrub()
        self.assertGreaterEqual(found["damaged_files"], 1, found)
        for part in ("tablet", ".dat", "offset"):
            self.assertIn(part, found["findings"][0])
        wait_until("the bad replicas are made again", lambda: not self.bad_tablets() and not self.bad())
        again = self.scrub()
        self.assertEqual(again["damaged_files"], found["damaged_files"], again)
        self.check_data()

    def test_2_a_disk_is_lost_and_comes_back(self):
        disks = self.disks()
        self.assertEqual({name: state for name, (state, _) in disks.items()}, {"storage": "ONLINE", "storage2": "ONLINE"})
        data = os.path.join(self.first["home"], "storage2/data")
        wait_until("the disk has the tablets of its medium", lambda: self.disks()["storage2"][1] == 4)
        shutil.move(data, data + ".away")
        wait_until("the disk is out of use", lambda: self.disks()["storage2"][0] == "OFFLINE")
        # Its tablets are made again on the other disk of the backend.
        wait_until("all replicas are whole", lambda: not self.bad() and self.disks()["storage"][1] >= 8)
        self.check_data()
        answer = self.cluster.stream_load(self.db, "p", "1,1\n", column_separator=",")
        self.assertEqual(answer["Status"], "Success", answer)
        shutil.move(data + ".away", data)
        wait_until("the disk is back", lambda: self.disks()["storage2"][0] == "ONLINE")
        wait_until("all replicas are whole", lambda: not self.bad())
        self.check_data()

    def test_3_a_full_disk_refuses_loads(self):
        self.configure(storage_flood_stage_usage_percent="0", storage_flood_stage_left_capacity_bytes=str(1 << 60))

        def made_elsewhere():
            self.cluster.sql('CREATE TABLE elsewhere (k INT, v INT) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ("replication_num" = "2")', database=self.db)
            return True

        # From the next heartbeat on the frontend knows.
        wait_until("tables are made elsewhere", made_elsewhere)
        # Two of three replicas take it.
        answer = self.cluster.stream_load(self.db, "d", "1,1\n", column_separator=",")
        self.assertEqual(answer["Status"], "Success", answer)
        with self.assertRaises(pymysql.err.MySQLError) as caught:
            self.cluster.sql('CREATE TABLE everywhere (k INT, v INT) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ("replication_num" = "3")', database=self.db)
        self.assertIn("available BE nodes", str(caught.exception))
        self.configure(storage_flood_stage_usage_percent="99", storage_flood_stage_left_capacity_bytes="1")
        wait_until("the replica that missed the load has it", lambda: not self.bad())


if __name__ == "__main__":
    main()
