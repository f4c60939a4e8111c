"""JSON columns stored in parts answer as whole documents do, whatever is picked and however queries look at them."""

import json
import random

from harness import ClusterTest, main, run, HOST

PROPERTIES = 'PROPERTIES ("replication_num" = "1"{more})'


class Json(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.db = cls.cluster.database("docs")

    def sql(self, statement, *parameters):
        return self.cluster.sql(statement, *parameters, database=self.db)

    def table(self, name, keys, more=""):
        self.sql(
            f"CREATE TABLE {name} (k INT NOT NULL, j JSON) {keys} KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 " + PROPERTIES.format(more=more)
        )

    def compact(self, table):
        port = self.cluster.backends[0]["ports"]["webserver"]
        tablet = self.sql(f"SHOW TABLETS FROM {table}")[0][0]
        url = f"http://{HOST}:{port}/api/compact?tablet_id={tablet}&compaction_type=base"
        run("curl", "-sS", "-m", "60", "-X", "POST", url)

    def documents(self, n, seed):
        rng = random.Random(seed)
        for i in range(n):
            if rng.random() < 0.03:
                yield rng.choice([None, [1, 2], "text", 7, {}])
                continue
            doc = {"id": i, "price": rng.choice([rng.random() * 100, i]), "name": rng.choice(["a", "né", 'quo"te', "back\\slash", ""]), "ok": rng.random() < 0.5}
            doc["user"] = rng.choice([{"id": rng.randrange(9), "tags": ["x", i]}, {"id": rng.randrange(9), "deep": {"er": i}}, {"id": 1}])
            doc["mixed"] = rng.choice([1, "one", 1.5, None, [1], {"a": 1}])
            if rng.random() < 0.4:
                doc["nullable"] = rng.choice([None, i])
            if rng.random() < 0.01:
                doc["user"] = rng.choice([5, "nobody", None])
            if rng.random() < 0.05:
                doc[f"rare{i % 3}"] = i
            yield doc

    def load(self, tables, seed, n=3000, start=0):
        body = "\n".join(
            json.dumps({"k": start + i, "j": d}) for i, d in enumerate(self.documents(n, seed))
        )
        for table in tables:
            answer = self.cluster.stream_load(self.db, table, body, format="json", jsonpaths='["$.k", "$.j"]', columns="k, j")
            self.assertEqual(answer["Status"], "Success", answer)

    QUERIES = [
        "SELECT k, j FROM {t} ORDER BY k",
        "SELECT count(*), count(j), sum(get_json_int(j, '$.id')), min(get_json_string(j, '$.name')) FROM {t}",
        "SELECT sum(get_json_double(j, 'price')), sum(get_json_int(j, 'price')), count(get_json_string(j, 'price')) FROM {t}",
        "SELECT get_json_bool(j, '$.ok'), count(*), sum(length(get_json_string(j, '$.user'))) FROM {t} GROUP BY 1 ORDER BY 1",
        "SELECT get_json_int(j, '$.user.id'), count(*), max(get_json_int(j, '$.id')) FROM {t} GROUP BY 1 ORDER BY 1",
        "SELECT k, j->'user' FROM {t} WHERE get_json_int(j, '$.user.id') = 3 ORDER BY k",
        "SELECT k, get_json_string(j, '$.mixed'), j->'mixed', get_json_int(j, '$.mixed.a') FROM {t} ORDER BY k",
        "SELECT k, j->'nullable', json_exists(j, '$.nullable'), get_json_int(j, '$.nullable') FROM {t} ORDER BY k",
        "SELECT k, j->'rare1', get_json_int(j, '$.rare2'), j->'user.tags' FROM {t} WHERE j->'rare1' IS NOT NULL OR get_json_int(j, 'rare2') > 5 ORDER BY k",
        "SELECT sum(CAST(j->'id' AS INT)), count(CAST(j->'name' AS VARCHAR)), sum(CAST(j->'ok' AS BOOLEAN)) FROM {t} WHERE CAST(j->'id' AS BIGINT) BETWEEN 10 AND 2000",
        "SELECT k FROM {t} WHERE get_json_string(j, '$.name') = 'né' AND get_json_double(j, '$.price') > 50 ORDER BY k LIMIT 20",
        "SELECT get_json_int(a.j, '$.id'), get_json_string(b.j, '$.name') FROM {t} a JOIN {t} b ON get_json_int(a.j, '$.id') = get_json_int(b.j, '$.user.deep.er') ORDER BY 1, 2",
        "SELECT k, x FROM (SELECT k, get_json_int(j, '$.id') x, row_number() OVER (ORDER BY get_json_int(j, '$.user.id'), k) n FROM {t}) y WHERE n <= 7 ORDER BY n",
        "SELECT get_json_string(j, '$.user.deep'), get_json_string(j, '$.user.tags[1]'), j->'user.tags[0]' FROM {t} WHERE k % 50 = 3 ORDER BY k",
        "SELECT k FROM {t} WHERE get_json_int(j, '$.id') IS NULL ORDER BY k",
        "SELECT a.k, get_json_int(b.j, '$.id') FROM {t} a LEFT JOIN {t} b ON a.k = b.k + 2990 ORDER BY 1 LIMIT 20",
    ]

    def agree(self, tables, step):
        for query in self.QUERIES:
            answers = []
            for table in tables:
                answers.append(self.sql(query.format(t=table)))
            answers.append(self.cluster.sql("SELECT /*+ SET_VAR(cbo_prune_json_subfield=false) */" + query.format(t=tables[0])[6:], database=self.db))
            for table, answer in zip(tables[1:] + ["documents"], answers[1:]):
                self.assertEqual(answer, answers[0], f"{step}: {query} on {table}")

    def test_parts_answer_as_documents_do(self):
        self.table("flat", "DUPLICATE")
        self.table("whole", "DUPLICATE", ', "flat_json.enable" = "false"')
        self.table("flat_pk", "PRIMARY")
        self.table("flat_uniq", "UNIQUE")
        tables = ["flat", "whole", "flat_pk", "flat_uniq"]
        self.load(tables, 1)
        self.agree(tables, "loaded")
        self.load(tables, 2, n=500, start=3000)
        self.agree(tables, "loaded twice")
        for table in tables:
            self.compact(table)
        self.agree(tables, "compacted")
        for table in tables[:2]:
            self.sql(f"DELETE FROM {table} WHERE k < 100")
        self.sql("DELETE FROM flat_pk WHERE k < 100")
        self.sql("DELETE FROM flat_uniq WHERE k < 100")
        self.agree(tables, "deleted")
        self.sql("""UPDATE flat_pk SET j = parse_json('{"id": "text", "new": 1}') WHERE k = 200""")
        self.assertEqual(self.sql("SELECT get_json_string(j, '$.id'), j->'new' FROM flat_pk WHERE k = 200"), (("text", "1"),))
        plan = "\n".join(r[0] for r in self.sql("EXPLAIN VERBOSE SELECT sum(get_json_int(j, '$.id')) FROM flat"))
        self.assertIn("ColumnAccessPath: [get_json_int(", plan)

    def test_a_column_added_later(self):
        self.table("later", "DUPLICATE")
        self.load(["later"], 3, n=50)
        self.sql("ALTER TABLE later ADD COLUMN extra JSON")
        self.sql("""INSERT INTO later VALUES (100, NULL, parse_json('{"a": {"b": 5}}'))""")
        self.assertEqual(self.sql("SELECT count(*), sum(get_json_int(extra, '$.a.b')) FROM later"), ((51, 5),))

    def test_properties(self):
        for wrong in ['"flat_json.enable" = "maybe"', '"flat_json.enable" = "true", "flat_json.null.factor" = "2"', '"flat_json.nothing" = "1"']:
            with self.assertRaises(Exception, msg=wrong):
                self.table("wrong", "DUPLICATE", ", " + wrong)
        self.table("tuned", "DUPLICATE", ', "flat_json.enable" = "true", "flat_json.sparsity.factor" = "0.9", "flat_json.column.max" = "2"')
        self.load(["tuned"], 4, n=100)
        shown = self.sql("SHOW CREATE TABLE tuned")[0][1]
        self.assertIn('"flat_json.column.max" = "2"', shown)
        self.assertEqual(self.sql("SELECT count(get_json_int(j, '$.id')) > 90 FROM tuned"), ((1,),))
        before = self.sql("SELECT k, j FROM tuned ORDER BY k")
        with self.assertRaises(Exception):
            self.sql('ALTER TABLE tuned SET ("flat_json.null.factor" = "7")')
        self.sql('ALTER TABLE tuned SET ("flat_json.column.max" = "50")')
        self.load(["tuned"], 5, n=100, start=100)
        self.sql('ALTER TABLE tuned SET ("flat_json.enable" = "false")')
        with self.assertRaises(Exception):
            self.sql('ALTER TABLE tuned SET ("flat_json.column.max" = "5")')
        self.load(["tuned"], 6, n=100, start=200)
        self.sql("CREATE TABLE tuned_like LIKE tuned")
        self.compact("tuned")
        self.assertEqual(self.sql("SELECT k, j FROM tuned WHERE k < 100 ORDER BY k"), before)


if __name__ == "__main__":
    main()
