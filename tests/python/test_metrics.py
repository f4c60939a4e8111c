"""`/metrics` of a frontend and a backend: every documented name is there, the text is what scrapers take, and what happened is counted."""

import json
import os
import re

import pymysql

from harness import ClusterTest, HOST, ROOT, main, run, wait_until

LINE = re.compile(r'^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')


def documented():
    """The names in the tables of docs/metrics.md."""
    with open(os.path.join(ROOT, "docs/metrics.md"), encoding="utf-8") as f:
        return set(re.findall(r"^\| `(starrocks_[a-z0-9_]+)` ", f.read(), re.MULTILINE))


def parse(text):
    """{(name, labels): value} and {name: type}; anything that a scraper would stumble over is an assertion."""
    values, types, described, current = {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current, meaning = line.removeprefix("# HELP ").split(" ", 1)
            assert current not in described and meaning, line
            described.add(current)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == current and name not in types and kind in ("counter", "gauge", "summary"), line
            types[name] = kind
        else:
            matched = LINE.match(line)
            assert matched, line
            name, labels, value = matched.groups()
            family = re.sub("_(sum|count)$", "", name) if types[current] == "summary" else name
            assert family == current, f"{line} among the lines of {current}"
            pairs = LABEL.findall(labels or "")
            assert ",".join(f'{k}="{v}"' for k, v in pairs) == (labels or ""), line
            key = (name, tuple(sorted(pairs)))
            assert key not in values, f"twice: {line}"
            values[key] = float(value)
    assert set(types) == described
    return values, types


class Metrics(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.wait_alive()
        cls.ports = {"fe": cls.cluster.http_port, "be": cls.cluster.backends[0]["ports"]["webserver"]}
        cls.before = {role: cls.scrape(role)[0] for role in cls.ports}
        cls.work()
        cls.after = {role: cls.scrape(role)[0] for role in cls.ports}

    @classmethod
    def scrape(cls, role):
        return parse(cls.cluster.http(cls.ports[role], "/metrics"))

    @classmethod
    def work(cls):
        """Loads, queries and failures whose number the tests know."""
        cluster, db = cls.cluster, cls.cluster.database("metrics")
        for name, keys in [("d", "DUPLICATE"), ("p", "PRIMARY")]:
            cluster.sql(f'CREATE TABLE {name} (k INT, v INT) {keys} KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "1")', database=db)
            for part in range(2):
                body = "".join(f"{i},{i}\n" for i in range(100))
                answer = cluster.stream_load(db, name, body, column_separator=",", label=f"{name}{part}")
                assert answer["Status"] == "Success", answer
        cluster.sql("INSERT INTO d VALUES (1000, 1)", database=db)
        assert cluster.stream_load(db, "d", "1,1\n", column_separator=",", label="d0")["Status"] == "Label Already Exists"
        assert cluster.stream_load(db, "d", "1\n", column_separator=",")["Status"] == "Fail"
        assert cluster.sql("SELECT count(v), sum(v) FROM d", database=db) == ((201, 2 * sum(range(100)) + 1),)
        for _ in range(3):
            try:
                cluster.sql("SELECT nothing FROM d", database=db)
                raise AssertionError("a query for an unknown column was answered")
            except pymysql.err.MySQLError:
                pass
        for name in "dp":
            tablet = cluster.sql(f"SHOW TABLETS FROM {name}", database=db)[0][0]
            answer = run("curl", "-sS", "-X", "POST", f"http://{HOST}:{cls.ports['be']}/api/compact?tablet_id={tablet}&compaction_type=base").stdout
            assert '"Success"' in answer, answer

    def moved(self, role, name, **labels):
        """How much a value grew while the work was done."""
        key = (f"starrocks_{role}_{name}", tuple(sorted(labels.items())))
        return self.after[role][key] - self.before[role].get(key, 0.0)

    def value(self, role, name, **labels):
        return self.after[role][(f"starrocks_{role}_{name}", tuple(sorted(labels.items())))]

    def test_the_names_are_the_documented_ones(self):
        for role in self.ports:
            _, types = self.scrape(role)
            expected = {name for name in documented() if name.startswith(f"starrocks_{role}_")}
            self.assertEqual(set(types), expected)

    def test_a_frontend_counts_what_it_does(self):
        exactly = {
            "query_err": 3, "query_analysis_err": 3, "query_internal_err": 0, "query_timeout": 0, "txn_begin": 6, "txn_success": 5, "txn_failed": 1,
            "txn_reject": 1, "load_add": 6, "load_finished": 5, "txn_total_latency_ms_count": 5, "txn_publish_latency_ms_count": 5,
        }
        self.assertEqual({name: self.moved("fe", name) for name in exactly}, exactly)
        for name in ["request_total", "query_total", "query_success", "query_latency_ms_count", "edit_log_write", "edit_log_size_bytes", "max_journal_id",
                     "meta_log_count", "journal_write_latency_ms_count", "journal_write_batch_sum", "journal_write_bytes_sum", "editlog_write_latency_ms_count"]:
            self.assertGreater(self.moved("fe", name), 0, name)
        self.assertEqual(self.moved("fe", "query_total"), self.moved("fe", "query_success") + self.moved("fe", "query_err"))
        self.assertEqual(self.value("fe", "job", job="load", type="STREAM", state="FINISHED"), 4)
        self.assertEqual(self.value("fe", "job", job="load", type="INSERT", state="FINISHED"), 1)
        self.assertEqual(self.value("fe", "node_info", type="be_node_num", state="alive"), 1)
        self.assertEqual((self.value("fe", "txn_running"), self.value("fe", "scheduled_tablet_num")), (0, 0))
        for name in ["report_queue_size", "qps", "rps", "query_err_rate", "unfinished_query"]:
            self.assertGreaterEqual(self.value("fe", name), 0, name)

    def test_rates_follow_the_work(self):
        def rates():
            self.cluster.sql("SELECT 1")
            values, _ = self.scrape("fe")
            return values[("starrocks_fe_qps", ())] > 0 and values[("starrocks_fe_rps", ())] > 0
        wait_until("statements per second are told", rates)

        def scans():
            self.cluster.sql("SELECT sum(v) FROM metrics.p")
            return self.scrape("be")[0][("starrocks_be_query_scan_rows_per_second", ())] > 0
        wait_until("scanned rows per second are told", scans)

    def test_sizes_are_told(self):
        def told():
            values, _ = self.scrape("fe")
            table = values[("starrocks_fe_table_size_bytes", (("db_name", "metrics"), ("tbl_name", "d")))]
            return 0 < table <= values[("starrocks_fe_db_size_bytes", (("db_name", "metrics"),))]
        wait_until("the frontend knows sizes", told)
        for module in ["process", "local_queries"]:
            self.assertGreaterEqual(self.value("fe", "memory_usage", module=module), 0)
        self.assertGreater(self.value("fe", "memory_usage", module="process"), 1 << 20)
        self.assertGreater(self.value("fe", "jvm_heap_size_bytes", type="max"), self.value("fe", "jvm_heap_size_bytes", type="used"))
        self.assertGreater(self.value("fe", "jvm_thread", type="count"), 1)

    def test_a_backend_counts_what_it_does(self):
        # One row of an INSERT and 400 of stream loads; those of the refused load do not count.
        exactly = {"load_rows": 401, "publish_task_request_total": 5, "publish_task_failed_total": 0}
        self.assertEqual({name: self.moved("be", name) for name in exactly}, exactly)
        self.assertEqual(self.moved("be", "stream_load", type="load_rows"), 400)
        self.assertEqual(self.moved("be", "stream_load", type="receive_bytes"), self.moved("be", "streaming_load_bytes"))
        self.assertEqual({kind: self.moved("be", "txn_request", type=kind) for kind in ["begin", "exec", "commit", "rollback"]}, {"begin": 5, "exec": 5, "commit": 4, "rollback": 1})
        for name in ["load_bytes", "fragment_requests_total", "fragment_request_duration_us", "query_scan_rows", "query_scan_bytes", "pipe_driver_schedule_count",
                     "memtable_flush_total", "memtable_flush_duration_us", "page_cache_lookup_count", "rowset_count_generated_and_in_use", "metadata_mem_bytes"]:
            self.assertGreater(self.moved("be", name), 0, name)
        for kind in ["base", "update"]:
            self.assertEqual(self.moved("be", "engine_requests_total", type=f"{kind}_compaction", status="total"), 1)
            self.assertGreater(self.moved("be", "compaction_bytes_total", type=kind), 0)
        self.assertEqual((self.moved("be", "compaction_deltas_total", type="base"), self.moved("be", "compaction_deltas_total", type="update")), (3, 2))
        self.assertEqual((self.moved("be", "engine_requests_total", type="create_tablet", status="total"), self.moved("be", "engine_requests_total", type="create_tablet", status="failed")), (2, 0))
        self.assertGreater(self.value("be", "report_all_tablets_requests_total"), 0)

    def test_a_backend_tells_of_its_process(self):
        for name in ["process_mem_bytes", "process_fd_num_used", "process_fd_num_limit_soft", "process_thread_num", "brpc_endpoint_stub_count"]:
            self.assertGreater(self.value("be", name), 0, name)
        self.assertGreater(self.value("be", "cpu", mode="user", device="cpu"), 0)
        path = next(dict(labels)["path"] for name, labels in self.after["be"] if name == "starrocks_be_disks_total_capacity")
        self.assertGreater(self.value("be", "disks_total_capacity", path=path), self.value("be", "disks_avail_capacity", path=path))
        self.assertEqual(self.value("be", "disks_state", path=path), 1)
        # The second load of the primary-key table overwrote the rows of the first, and its index was used for that.
        self.assertEqual(self.value("be", "update_primary_index_num"), 1)
        self.assertGreater(self.value("be", "update_mem_bytes"), 0)

    def test_json_has_the_same_values(self):
        # A connection stays open, so that there is one to count.
        with self.cluster.connect():
            listed = {(v["tags"].pop("metric"), tuple(sorted(v["tags"].items()))) for v in json.loads(self.cluster.http(self.ports["fe"], "/metrics?type=json"))}
            self.assertEqual(listed, set(self.scrape("fe")[0]))

    def test_sql_shows_the_same_names(self):
        for role in self.ports:
            with self.cluster.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"SELECT DISTINCT NAME FROM information_schema.{role}_metrics")
                shown = {row[0] for row in cursor.fetchall()}
                values, _ = self.scrape(role)
            self.assertEqual(shown, {name for name, _ in values})


if __name__ == "__main__":
    main()
