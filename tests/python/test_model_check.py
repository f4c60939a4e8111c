"""Random histories of small tables against a model: DDL, loads, updates, deletes, compactions and restarts; after every step the whole
table must be what the model (model_tables.py) says, and so must a random query.

SEED chooses the history (printed), DURATION the seconds it runs, BACKENDS and REPLICAS the cluster, MODELS the key models.
A failure prints the statements that made the table.
"""

import json
import os
import random
import time
from collections import Counter, deque

import pymysql

import model_tables as model
from harness import ClusterTest, main, run, wait_until, HOST

DURATION = float(os.environ.get("DURATION", "60"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1 << 31)
BACKENDS = int(os.environ.get("BACKENDS", "1"))
REPLICAS = int(os.environ.get("REPLICAS", str(min(BACKENDS, 3))))
MODELS = os.environ.get("MODELS", "DUPLICATE,AGGREGATE,UNIQUE,PRIMARY").split(",")
# Steps a table lives.
LIFE = 60
AGGREGATES = ["SUM", "MIN", "MAX", "REPLACE", "REPLACE_IF_NOT_NULL"]
DB = "model_check"


class Walk:
    """One table on its way: the statements that make steps, and the model beside it."""

    def __init__(self, cluster, rng, number, walks):
        self.walks = walks
        self.cluster, self.rng, self.number = cluster, rng, number
        self.log = deque(maxlen=400)
        self.counter = 0
        self.connection = cluster.connect(database=DB)
        self.begin()

    def note(self, text):
        self.log.append(text if len(text) < 3000 else text[:3000] + " ...")

    def sql(self, statement):
        self.note(statement)
        return self.ask(statement)[1]

    def ask(self, statement):
        """Names and rows of the answer."""
        if not self.connection.open:
            self.connection = self.cluster.connect(database=DB)
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return [d[0] for d in cursor.description or []], cursor.fetchall()

    # Tables.

    def begin(self):
        rng = self.rng
        name = f"t{self.number}_{self.counter}"
        if self.counter:
            self.sql(f"DROP TABLE {self.table.name}" + rng.choice(["", " FORCE"]))
            self.log.clear()
        self.counter += 1
        kind = rng.choice(MODELS)
        columns = [model.Column("k1", rng.choice([model.integer("INT"), model.integer("BIGINT"), model.integer("SMALLINT")]), key=True, nullable=kind != "PRIMARY")]
        for i in range(rng.choice([0, 0, 1, 2])):
            ty = self.key_type(kind)
            columns.append(model.Column(f"k{i + 2}", ty, key=True, nullable=kind != "PRIMARY" and rng.random() < 0.8))
        self.next_column = 0
        for _ in range(rng.randrange(1, 6)):
            columns.append(self.new_value(kind))
        if kind != "AGGREGATE" and rng.random() < 0.3:
            made = model.generated("g1", rng.choice(columns[1:]))
            columns += [made] if made else []
        self.table = model.Table(name, kind, columns)
        # A rollup is being built.
        self.building = False
        body = ", ".join(c.ddl() for c in columns)
        keys = ", ".join(c.name for c in self.table.keys())
        text = f"CREATE TABLE {name} ({body}) {kind} KEY ({keys})"
        self.expression = False
        # Few tables are large enough for many pages and segments; they live shorter.
        self.large = rng.random() < 0.15
        self.age = LIFE * 2 // 3 if self.large else 0
        layout = 1 if self.large else rng.random()
        if layout < 0.4:
            self.table.partitions = {}
            bounds = [-20, 0, 20, 40, 60]
            parts = []
            for low, high in zip(bounds, bounds[1:]):
                self.table.partitions[f"p{high}"] = (low, high)
                parts.append(f'PARTITION p{high} VALUES [("{low}"), ("{high}"))')
            text += f" PARTITION BY RANGE (k1) ({', '.join(parts)})"
            columns[0].nullable = False
            text = text.replace(f"`k1` {columns[0].ty.sql} NULL", f"`k1` {columns[0].ty.sql} NOT NULL")
        elif layout < 0.5:
            self.expression = True
            text += " PARTITION BY (k1)"
        text += f" DISTRIBUTED BY HASH (k1) BUCKETS {rng.randrange(1, 4)}"
        sortable = [c.name for c in columns if c.ty.key and not c.source]
        if kind in ("PRIMARY", "DUPLICATE") and rng.random() < 0.4:
            rng.shuffle(sortable)
            self.table.sort_key = sortable[: rng.randrange(1, len(sortable) + 1)]
            text += f" ORDER BY ({', '.join(self.table.sort_key)})"
        properties = {"replication_num": REPLICAS}
        if kind == "PRIMARY" and rng.random() < 0.5:
            properties["enable_persistent_index"] = rng.choice(["true", "false"])
        if rng.random() < 0.3:
            properties["compression"] = rng.choice(["LZ4", "ZSTD", "SNAPPY", "ZLIB"])
        if rng.random() < 0.3 and kind in ("PRIMARY", "DUPLICATE"):
            eligible = [c.name for c in columns if c.ty.is_text() or c.ty.sql in ("INT", "BIGINT", "DATE")]
            if eligible:
                properties["bloom_filter_columns"] = ",".join(rng.sample(eligible, 1))
        text += " PROPERTIES (" + ", ".join(f'"{k}" = "{v}"' for k, v in properties.items()) + ")"
        self.sql(text)

    def key_type(self, kind):
        while True:
            ty = model.random_type(self.rng)
            if ty.key and not (kind == "PRIMARY" and ty.sql.startswith("DECIMAL")):
                return ty

    def new_value(self, kind):
        rng = self.rng
        ty = model.random_type(rng)
        aggregate = None
        if kind == "AGGREGATE":
            fitting = [a for a in AGGREGATES if a != "SUM" or ty.is_number() and ty.sql != "TINYINT"]
            aggregate = rng.choice(fitting)
        self.next_column += 1
        column = model.Column(f"v{self.next_column}", ty, aggregate=aggregate, nullable=rng.random() < 0.8)
        if not column.nullable or rng.random() < 0.4:
            column.default = ty.make(rng)
            if isinstance(column.default, str):
                column.default = rng.choice(["", "dflt"])
            if ty is model.BOOLEAN:
                column.default = int(column.default)
        return column

    # Rows.

    def key_value(self, column):
        table = self.table
        if column.name == "k1":
            if table.partitions is not None:
                low, high = self.rng.choice(list(table.partitions.values()))
                return self.rng.randrange(low, high)
            if self.expression:
                return self.rng.randrange(0, 4)
            if column.nullable and self.rng.random() < 0.05:
                return None
            return self.rng.randrange(-30_000, 30_000) if self.large else self.rng.randrange(-20, 60)
        if self.rng.random() < 0.5 and column.ty.sql in model.INTEGERS:
            return self.rng.randrange(0, 3)
        return column.value(self.rng)

    def new_rows(self, names, count):
        table, rows = self.table, []
        for _ in range(count):
            if table.rows and self.rng.random() < (0.2 if self.large else 0.5):
                keys = {c.name: v for c, v in zip(table.keys(), table.key_of(self.rng.choice(table.rows)))}
            else:
                keys = {c.name: self.key_value(c) for c in table.keys()}
            row = {}
            for c in table.columns:
                if c.name in names:
                    row[c.name] = keys[c.name] if c.key else c.value(self.rng)
            rows.append(row)
        return rows

    def some_columns(self):
        """Names of all keys and some values; all columns most of the time."""
        table = self.table
        if self.rng.random() < 0.6:
            return [c.name for c in table.ordinary()]
        # Partial updates name the sort key.
        must = lambda c: c.key or not c.nullable and c.default is None or table.model == "PRIMARY" and c.name in table.sort_key
        return [c.name for c in table.ordinary() if must(c) or self.rng.random() < 0.6]

    def size(self):
        return self.rng.choice([1, 20, 400, 5000, 20_000] if self.large else [1, 1, 2, 5, 20, 100, 400])

    def insert(self):
        table = self.table
        names = self.some_columns()
        rows = self.new_rows(names, min(self.size(), 100))
        values = ", ".join("(" + ", ".join(table.column(n).ty.literal(r[n]) for n in names) + ")" for r in rows)
        # Columns that are left out: keys that exist keep what they have.
        partial = table.model == "PRIMARY" and len(names) < len(table.ordinary())
        self.sql(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {values}")
        table.load(rows, names, partial=partial)

    def stream_load(self):
        rng, table = self.rng, self.table
        names = self.some_columns()
        rows = self.new_rows(names, self.size())
        headers, deletes, condition, partial = {}, None, None, False
        if table.model == "PRIMARY":
            if len(names) < len(table.ordinary()):
                partial = True
                headers["partial_update"] = "true"
                headers["partial_update_mode"] = rng.choice(["row", "auto", "column"])
            if rng.random() < 0.3 and headers.get("partial_update_mode") != "column":
                deletes = [rng.random() < 0.3 for _ in rows]
            elif not partial and rng.random() < 0.3:
                fitting = [c.name for c in table.values() if c.ty.key]
                if fitting:
                    condition = headers["merge_condition"] = rng.choice(fitting)
        fields = list(names)
        rng.shuffle(fields)
        if rng.random() < 0.5 and not any(t in str(v) for r in rows for v in r.values() for t in "\t\n\\"):
            body = "\n".join("\t".join(table.column(n).ty.csv(r[n]) for n in fields) + ("\t%d" % deletes[i] if deletes else "") for i, r in enumerate(rows)) + "\n"
            headers["columns"] = ",".join(f"`{n}`" for n in fields) + (",__op" if deletes else "")
        else:
            objects = [{n: table.column(n).ty.json(r[n]) for n in fields} | ({"__op": int(deletes[i])} if deletes else {}) for i, r in enumerate(rows)]
            body = json.dumps(objects)
            headers |= {"format": "json", "strip_outer_array": "true", "columns": ",".join(fields) + (",__op" if deletes else "")}
        if rng.random() < 0.2:
            headers["strict_mode"] = "true"
        self.note(f"stream load into {table.name} {headers}:\n{body}")
        answer = self.cluster.stream_load(DB, table.name, body, **headers)
        if answer.get("Status") != "Success" or answer["NumberLoadedRows"] != len(rows):
            raise AssertionError(f"the load of {len(rows)} rows answers {answer}")
        table.load(rows, names, deletes=deletes, partial=partial, condition=condition)

    def insert_select(self):
        """The table's own rows once more, changed a little."""
        table = self.table
        numbers = [c for c in table.values() if c.ty.sql in ("BIGINT", "LARGEINT", "INT")]
        names = [c.name for c in table.ordinary()]
        exprs = {n: f"`{n}`" for n in names}
        change = None
        if numbers:
            change = self.rng.choice(numbers)
            exprs[change.name] = f"`{change.name}` % 100 + 1"
        condition = self.condition()
        rows = [dict(r) for r in table.rows if condition.test(r) is True]
        if table.model == "DUPLICATE" and len(table.rows) + len(rows) > (60_000 if self.large else 3000):
            return
        for row in rows:
            if change and row[change.name] is not None:
                v = row[change.name]
                row[change.name] = (abs(v) % 100) * (1 if v >= 0 else -1) + 1
        self.sql(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(exprs[n] for n in names)} FROM {table.name} WHERE {condition.sql}")
        table.load(rows, names)

    def overwrite(self):
        table, rng = self.table, self.rng
        names = [c.name for c in table.ordinary()]
        where = ""
        if table.partitions is not None and rng.random() < 0.7:
            part = rng.choice(list(table.partitions))
            low, high = table.partitions[part]
            where = f" PARTITION ({part})"
            rows = [r for r in self.new_rows(names, 30) if low <= r["k1"] < high]
            kept = [r for r in table.rows if not low <= r["k1"] < high]
        else:
            rows, kept = self.new_rows(names, rng.choice([1, 20])), []
        if not rows:
            return
        values = ", ".join("(" + ", ".join(table.column(n).ty.literal(r[n]) for n in names) + ")" for r in rows)
        self.sql(f"INSERT OVERWRITE {table.name}{where} ({', '.join(names)}) VALUES {values}")
        table.rows = kept
        table.load(rows, names)

    # Conditions.

    def simple(self, columns=None):
        self.table.refresh()
        column = self.rng.choice(columns or self.table.columns)
        sample = [r[column.name] for r in (self.rng.sample(self.table.rows, min(8, len(self.table.rows))))]
        return model.simple_condition(self.rng, column, sample)

    def condition(self):
        condition = self.simple()
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            condition = self.rng.choice([model.both, model.either])(condition, self.simple())
        return condition

    def update(self):
        table, rng = self.table, self.rng
        if table.model != "PRIMARY" or not table.values():
            return
        condition = self.condition()
        changed = rng.sample(table.values(), rng.randrange(1, min(3, len(table.values())) + 1))
        sets, functions = [], {}
        for c in changed:
            if c.ty.sql in ("BIGINT", "LARGEINT") and rng.random() < 0.5:
                n = rng.randrange(1, 5)
                sets.append(f"`{c.name}` = `{c.name}` + {n}")
                functions[c.name] = lambda old, n=n: None if old is None else old + n
            else:
                value = c.value(rng)
                sets.append(f"`{c.name}` = {c.ty.literal(value)}")
                functions[c.name] = lambda old, value=value: value
        self.sql(f"UPDATE {table.name} SET {', '.join(sets)} WHERE {condition.sql}")
        for row in table.rows:
            if condition.test(row) is True:
                row.update({n: f(row[n]) for n, f in functions.items()})

    def delete(self):
        table, rng = self.table, self.rng
        if table.rollups or self.building:
            return
        where = ""
        inside = lambda row: True
        if table.model == "PRIMARY":
            condition = self.condition()
        else:
            columns = table.columns if table.model == "DUPLICATE" else table.keys()
            columns = [c for c in columns if c.ty.sql != "DOUBLE"]
            condition = self.simple(columns)
            for _ in range(rng.choice([0, 1])):
                condition = model.both(condition, self.simple(columns))
            if table.partitions is not None and rng.random() < 0.3:
                part = rng.choice(list(table.partitions))
                low, high = table.partitions[part]
                where = f" PARTITION {part}"
                inside = lambda row: low <= row["k1"] < high
        self.sql(f"DELETE FROM {table.name}{where} WHERE {condition.sql}")
        table.rows = [r for r in table.rows if not (inside(r) and condition.test(r) is True)]

    # Partitions.

    def truncate(self):
        table, rng = self.table, self.rng
        if table.partitions and rng.random() < 0.8:
            part = rng.choice(list(table.partitions))
            low, high = table.partitions[part]
            self.sql(f"TRUNCATE TABLE {table.name} PARTITION ({part})")
            table.rows = [r for r in table.rows if not low <= r["k1"] < high]
        elif rng.random() < 0.3:
            self.sql(f"TRUNCATE TABLE {table.name}")
            table.rows = []

    def partition(self):
        table, rng = self.table, self.rng
        if table.partitions is None:
            return
        if len(table.partitions) > 2 and rng.random() < 0.5:
            part = rng.choice(list(table.partitions))
            low, high = table.partitions.pop(part)
            self.sql(f"ALTER TABLE {table.name} DROP PARTITION {part}" + rng.choice(["", " FORCE"]))
            table.rows = [r for r in table.rows if not low <= r["k1"] < high]
            return
        taken = {high for _, high in table.partitions.values()}
        free = [h for h in range(0, 121, 20) if h not in taken]
        if free:
            high = rng.choice(free)
            table.partitions[f"p{high}"] = (high - 20, high)
            self.sql(f'ALTER TABLE {table.name} ADD PARTITION p{high} VALUES [("{high - 20}"), ("{high}"))')

    # Schema.

    def add_column(self):
        table, rng = self.table, self.rng
        if len(table.columns) > 12:
            return
        if table.model != "AGGREGATE" and rng.random() < 0.15:
            self.add_generated()
            return
        column = self.new_value(table.model)
        if table.model != "PRIMARY" and not self.in_rollup() and rng.random() < 0.25:
            column.ty = self.key_type(table.model)
            column.key, column.aggregate, column.nullable = True, None, True
            column.default = rng.choice([None, column.ty.make(rng)])
            if isinstance(column.default, str):
                column.default = "dk"
        at = ""
        if column.key:
            position = len(table.keys())
        else:
            position = len(table.ordinary())
            if rng.random() < 0.4:
                position = rng.randrange(len(table.keys()), len(table.ordinary()) + 1)
                at = f" AFTER `{table.columns[position - 1].name}`"

        def done():
            table.columns.insert(position, column)
            for row in table.rows:
                row[column.name] = column.default

        self.alter(f"ADD COLUMN {column.ddl(with_key=table.model != 'AGGREGATE')}{at}", done)

    def add_generated(self):
        table = self.table
        self.next_column += 1
        made = model.generated(f"g{self.next_column}", self.rng.choice(table.ordinary()))
        if made and made.source.name != "k1":
            self.alter(f"ADD COLUMN {made.ddl()}", lambda: table.columns.append(made))

    def in_rollup(self, name=None):
        return any(name is None or name in names for names in self.table.rollups.values())

    def drop_column(self):
        table, rng = self.table, self.rng
        options = [c for c in table.columns if c.name != "k1" and not self.in_rollup(c.name) and not c.key and not table.is_source(c)]
        if table.model == "DUPLICATE" or table.model == "AGGREGATE" and not any("REPLACE" in c.aggregate for c in table.values()):
            options += [c for c in table.keys() if c.name != "k1" and not table.rollups and not table.is_source(c)]
        if len(table.values()) < 2 or not options:
            return
        column = rng.choice(options)
        if column.name in table.sort_key and (table.model == "PRIMARY" or len(table.sort_key) < 2):
            return

        def done():
            table.columns.remove(column)
            table.sort_key = [n for n in table.sort_key if n != column.name]
            for row in table.rows:
                row.pop(column.name, None)
            table.recombine()

        self.alter(f"DROP COLUMN `{column.name}`", done)

    def modify_column(self):
        table, rng = self.table, self.rng
        options = [c for c in table.columns if c.name != "k1" and not self.in_rollup(c.name) and not (c.key and table.model == "PRIMARY") and not c.source and not table.is_source(c)]
        if not options:
            return
        column = rng.choice(options)
        found = model.wider(column.ty, rng, text_too=not column.key and column.aggregate in (None, "REPLACE", "REPLACE_IF_NOT_NULL"))
        if not found:
            return
        ty, convert = found
        new = model.Column(column.name, ty, column.key, column.aggregate, column.nullable, None if column.default is None else convert(column.default))
        if isinstance(new.default, model.datetime.datetime):
            new.default = column.default if ty is column.ty else new.default

        def done():
            table.columns[table.columns.index(column)] = new
            for row in table.rows:
                if row[new.name] is not None:
                    row[new.name] = convert(row[new.name])

        self.alter(f"MODIFY COLUMN {new.ddl(with_key=table.model != 'AGGREGATE')}", done)

    def rename_column(self):
        table = self.table
        options = [c for c in table.columns if not self.in_rollup(c.name) and c.name != "k1"]
        if not options:
            return
        column = self.rng.choice(options)
        self.next_column += 1
        old, new = column.name, f"r{self.next_column}"
        self.sql(f"ALTER TABLE {table.name} RENAME COLUMN `{old}` TO `{new}`")
        column.name = new
        table.sort_key = [new if n == old else n for n in table.sort_key]
        for row in table.rows:
            row[new] = row.pop(old)

    def order_by(self):
        table, rng = self.table, self.rng
        columns = [c.name for c in (table.keys() if table.model in ("AGGREGATE", "UNIQUE") else table.ordinary()) if c.ty.key]
        if table.rollups:
            return
        rng.shuffle(columns)
        if table.model in ("PRIMARY", "DUPLICATE"):
            columns = columns[: rng.randrange(1, len(columns) + 1)]
            if len(columns) == len(table.columns):
                return
        elif len(columns) == len(table.columns):
            return

        def done():
            table.sort_key = columns

        self.alter(f"ORDER BY ({', '.join(f'`{c}`' for c in columns)})", done)

    def rollup(self):
        table, rng = self.table, self.rng
        if table.model == "PRIMARY":
            return
        if table.rollups and rng.random() < 0.5:
            name = rng.choice(list(table.rollups))
            del table.rollups[name]
            self.sql(f"ALTER TABLE {table.name} DROP ROLLUP {name}")
            return
        keys = [c.name for c in table.keys()]
        chosen = keys if table.model == "UNIQUE" else [k for k in keys if rng.random() < 0.6]
        if table.model == "AGGREGATE" and any("REPLACE" in c.aggregate for c in table.values()):
            chosen = keys
        values = [c.name for c in table.values() if rng.random() < 0.5]
        if not chosen or len(chosen) + len(values) == len(table.columns):
            return
        self.next_column += 1
        name = f"roll_{table.name}_{self.next_column}"

        def done():
            table.rollups[name] = chosen + values

        self.alter(f"ADD ROLLUP {name} ({', '.join(chosen + values)})", done, kind="ROLLUP")

    def alter(self, clause, done, kind="COLUMN"):
        """A change that may take a job: loads and deletes go on before it ends, other changes wait."""
        table, rng = self.table, self.rng
        self.sql(f"ALTER TABLE {table.name} {clause}")
        jobs = lambda: [r for r in self.sql(f"SHOW ALTER TABLE {kind} FROM {DB}") if r[1] == table.name and not {"FINISHED", "CANCELLED"} & set(map(str, r))]
        self.building = kind == "ROLLUP"
        if kind == "ROLLUP" or jobs():
            # The old columns are there until the end, and what is loaded meanwhile is in the new ones too.
            quiet = clause.startswith("ADD") and " SUM " in clause
            count = 0 if quiet else rng.choice([0, 0, 1, 3])
            steps = [self.insert, self.delete] + ([self.stream_load, self.update] if table.model == "PRIMARY" else [])
            for _ in range(count):
                try:
                    rng.choice(steps)()
                except (pymysql.err.MySQLError, AssertionError) as e:
                    # The job may end at any moment; what it does not allow is refused.
                    known = ("is not NORMAL", "must provide all sort key columns", "were changed while", "Unknown column", "column count")
                    if not any(k in str(e) for k in known):
                        raise
                    self.note(f"-- {e}")
                    wait_until("the job ends", lambda: not jobs())
                    break
        wait_until("the job ends", lambda: not jobs())
        failed = [r for r in self.sql(f"SHOW ALTER TABLE {kind} FROM {DB}") if r[1] == table.name and "CANCELLED" in map(str, r)]
        if failed:
            raise AssertionError(f"a schema change was cancelled: {failed}")
        self.building = False
        done()

    # Everything else.

    def compact(self):
        table = self.table
        if self.rng.random() < 0.3:
            self.sql(f"ALTER TABLE {table.name} COMPACT")
            return
        backends = {b["ports"]["be"] if "be" in b["ports"] else i: b for i, b in enumerate(self.cluster.backends)}
        for tablet in self.sql(f"SHOW TABLETS FROM {table.name}"):
            for backend in backends.values():
                url = f"http://{HOST}:{backend['ports']['webserver']}/api/compact?tablet_id={tablet[0]}&compaction_type={self.rng.choice(['base', 'cumulative'])}"
                run("curl", "-sS", "-m", "60", "-X", "POST", url)

    def restart(self):
        process = self.rng.choice(self.cluster.backends + [self.cluster.frontend] * (self.rng.random() < 0.3))
        self.note(f"-- restart {process['role']}")
        self.cluster.restart(process)
        if process["role"] == "fe":
            for walk in self.walks:
                walk.connection.close()
        wait_until("queries run", lambda: self.cluster.sql(f"SELECT count(*) FROM {DB}.{self.table.name}"))

    def step(self):
        self.age += 1
        if self.age > LIFE:
            self.begin()
            return "begin"
        steps = {
            self.insert: 12, self.stream_load: 12, self.insert_select: 4, self.overwrite: 2, self.update: 8, self.delete: 6, self.truncate: 1,
            self.partition: 2, self.add_column: 3, self.drop_column: 2, self.modify_column: 2, self.rename_column: 1, self.order_by: 1,
            self.rollup: 2, self.compact: 5, self.restart: 0.3,
        }
        skipped = os.environ.get("SKIP", "").split(",")
        steps = {s: w for s, w in steps.items() if s.__name__ not in skipped}
        step = self.rng.choices(list(steps), list(steps.values()))[0]
        self.note(f"-- step {self.age}: {step.__name__}")
        step()
        return step.__name__

    # What must hold.

    def check(self):
        table = self.table
        names, rows = self.ask(f"SELECT * FROM {table.name}")
        if names != [c.name for c in table.columns]:
            raise AssertionError(f"columns {names}, expected {[c.name for c in table.columns]}")
        self.compare(Counter(map(self.read, rows)), table.expected(), "SELECT *")
        condition = self.condition()
        chosen = self.rng.sample(table.columns, self.rng.randrange(1, len(table.columns) + 1))
        query = f"SELECT {', '.join(c.name for c in chosen)} FROM {table.name} WHERE {condition.sql}"
        got = Counter(tuple(None if v is None else c.ty.read(v) for c, v in zip(chosen, row)) for row in self.ask(query)[1])
        self.compare(got, Counter(tuple(r[c.name] for c in chosen) for r in table.rows if condition.test(r) is True), query)
        self.check_groups()

    def check_groups(self):
        table, rng = self.table, self.rng
        group = rng.sample(table.keys(), rng.randrange(0, len(table.keys()) + 1))
        values = [c for c in table.values() if c.ty.sql in model.INTEGERS]
        value = rng.choice(values) if values else table.keys()[0]
        function = rng.choice(["sum", "min", "max", "count"]) if values else "count"
        names = [c.name for c in group]
        query = f"SELECT {''.join(n + ', ' for n in names)}{function}({value.name}) FROM {table.name}"
        condition = None
        if rng.random() < 0.4:
            condition = self.simple(table.keys())
            query += f" WHERE {condition.sql}"
        if group:
            query += f" GROUP BY {', '.join(names)}"
        want = {} if group else {(): []}
        for row in table.rows:
            if condition is None or condition.test(row) is True:
                want.setdefault(tuple(row[n] for n in names), []).append(row[value.name])
        # Sums that leave the type come round at the other end.
        half = 1 << (127 if value.ty.sql == "LARGEINT" else 63)
        functions = {"sum": lambda all_of: (sum(all_of) + half) % (2 * half) - half, "min": min, "max": max}
        expected = Counter()
        for key, all_of in want.items():
            known = [v for v in all_of if v is not None]
            expected[key + (len(known) if function == "count" else functions[function](known) if known else None,)] += 1
        rows = self.ask(query)[1]
        got = Counter(tuple(None if v is None else c.ty.read(v) for c, v in zip(group, row)) + (None if row[-1] is None else int(row[-1]),) for row in rows)
        self.compare(got, expected, query)

    def read(self, row):
        return tuple(None if v is None else c.ty.read(v) for c, v in zip(self.table.columns, row))

    def compare(self, got, want, what):
        if got != want:
            missing, extra = want - got, got - want
            raise AssertionError(
                f"{what}: {sum(got.values())} rows, {sum(want.values())} expected\nmissing: {list(missing.items())[:10]}\nextra: {list(extra.items())[:10]}"
            )


class ModelCheck(ClusterTest):
    backend_count = BACKENDS

    def test_random_histories(self):
        print(f"SEED={SEED} DURATION={DURATION} BACKENDS={BACKENDS} REPLICAS={REPLICAS}", flush=True)
        self.cluster.database(DB)
        rng = random.Random(SEED)
        walks = []
        for i in range(6):
            walks.append(Walk(self.cluster, random.Random(rng.randrange(1 << 60)), i, walks))
        deadline = time.monotonic() + DURATION
        counts = Counter()
        while time.monotonic() < deadline:
            walk = rng.choice(walks)
            try:
                counts[walk.step()] += 1
                walk.check()
            except Exception as e:
                print("\n".join(walk.log), flush=True)
                raise AssertionError(f"SEED={SEED}, after {sum(counts.values())} steps, table {walk.table.name} ({walk.table.model}): {e}") from e
        # What was on disk is there again.
        for backend in self.cluster.backends:
            self.cluster.restart(backend)
        for walk in walks:
            wait_until("queries run", lambda walk=walk: walk.sql(f"SELECT count(*) FROM {walk.table.name}"))
            walk.check()
        print(f"{sum(counts.values())} steps: {dict(counts)}", flush=True)


if __name__ == "__main__":
    main()
