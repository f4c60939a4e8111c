"""A table as a dictionary or a list: what a table of each model must hold after loads, updates, deletes and schema changes.

Values are Python's own (int, Decimal, date, datetime, str, float, None); a type says how they are written in SQL, CSV and JSON and what
the client gives for them. Conditions know their SQL text and their three-valued truth for a row.
"""

import datetime
from collections import Counter
from decimal import Decimal

WORDS = ["", "a", "b", "ab", "abc", "zz", "Ä", "日本", "it's", 'say "x"', "a b", "NULL", "0", "x" * 17, "a key longer than sixteen bytes"]


class Type:
    """A column type: its SQL, random values, how values are written and read."""

    def __init__(self, sql, make, read=lambda v: v, key=True):
        self.sql, self.make, self.read, self.key = sql, make, read, key

    def literal(self, value):
        if value is None:
            return "NULL"
        if self.sql == "BOOLEAN":
            return "true" if value else "false"
        if isinstance(value, (int, float, Decimal)):
            return str(value)
        return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"

    def csv(self, value):
        return "\\N" if value is None else str(value)

    def json(self, value):
        return value if value is None or isinstance(value, (int, float, str)) and abs(value if not isinstance(value, str) else 0) < 2**53 else str(value)

    def is_number(self):
        return self.sql in INTEGERS or self.sql.startswith("DECIMAL") or self.sql == "DOUBLE"

    def is_text(self):
        return self.sql.startswith(("VARCHAR", "CHAR"))


INTEGERS = {"TINYINT": 7, "SMALLINT": 15, "INT": 31, "BIGINT": 63, "LARGEINT": 127}


def integer(name):
    def make(rng):
        kind = rng.random()
        if kind < 0.9:
            return rng.randrange(-20, 60)
        far = 100 if name == "TINYINT" else 2 ** (INTEGERS[name] - 8)
        return rng.choice([0, far, -far])

    return Type(name, make, int)


def varchar(length):
    return Type(f"VARCHAR({length})", lambda rng: rng.choice([w for w in WORDS if len(w.encode()) <= length]))


def decimal(precision, scale):
    unit = Decimal(1).scaleb(-scale)
    return Type(f"DECIMAL({precision},{scale})", lambda rng: (Decimal(rng.randrange(-5000, 5000)) * unit).quantize(unit), lambda v: Decimal(v).quantize(unit))


BOOLEAN = Type("BOOLEAN", lambda rng: rng.randrange(2), int)
DOUBLE = Type("DOUBLE", lambda rng: rng.randrange(-100, 100) / 4, float, key=False)
DATE = Type("DATE", lambda rng: datetime.date(2024, 1, 1) + datetime.timedelta(days=rng.randrange(-3, 90)))
DATETIME = Type("DATETIME", lambda rng: datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=rng.randrange(200) * 1801))


def random_type(rng):
    return rng.choice(
        [
            *(integer(name) for name in INTEGERS),
            integer("INT"),
            varchar(rng.choice([10, 40])),
            varchar(65533),
            decimal(rng.choice([8, 15, 27]), rng.choice([0, 2, 4])),
            BOOLEAN,
            DOUBLE,
            DATE,
            DATETIME,
        ]
    )


def wider(ty, rng, text_too):
    """A type that values of another may be changed to, and the values' conversion; None if there is none here."""
    options = []
    if ty.sql in INTEGERS:
        names = list(INTEGERS)
        options = [(integer(name), int) for name in names[names.index(ty.sql) + 1 :]]
        if text_too:
            options.append((varchar(60), str))
    elif ty.sql.startswith("VARCHAR(") and ty.sql != "VARCHAR(65533)":
        options = [(varchar(65533), str)]
    elif ty is DATE:
        options = [(DATETIME, lambda d: datetime.datetime(d.year, d.month, d.day))]
    elif ty.sql.startswith("DECIMAL("):
        precision, scale = map(int, ty.sql[8:-1].split(","))
        options = [(decimal(p, scale), lambda v: v) for p in (15, 27, 38) if p > precision]
        if text_too:
            options.append((varchar(60), str))
    return rng.choice(options) if options else None


class Column:
    def __init__(self, name, ty, key=False, aggregate=None, nullable=True, default=None):
        self.name, self.ty, self.key, self.aggregate, self.nullable, self.default = name, ty, key, aggregate, nullable, default
        # Of a generated column: the column it is made of.
        self.source = None

    def generate(self, row):
        value = row[self.source.name]
        if value is None:
            return None
        return value + "!" if self.ty.is_text() else value * 2

    def value(self, rng):
        if self.nullable and rng.random() < 0.15:
            return None
        return self.ty.make(rng)

    def ddl(self, with_key=False):
        if self.source:
            name = self.source.name
            return f"`{self.name}` {self.ty.sql} AS " + (f"concat(`{name}`, '!')" if self.ty.is_text() else f"cast(`{name}` AS BIGINT) * 2")
        parts = [f"`{self.name}`", self.ty.sql]
        if with_key and self.key:
            parts.append("KEY")
        if self.aggregate:
            parts.append(self.aggregate)
        parts.append("NULL" if self.nullable else "NOT NULL")
        if self.default is not None:
            parts.append(f"DEFAULT '{1 if self.default is True else self.default}'".replace("'it's'", "\"it's\""))
        return " ".join(parts)


class Condition:
    """SQL text, the columns it names, and its truth for a row (a dict): True, False or None."""

    def __init__(self, sql, test):
        self.sql, self.test = sql, test


def compare(column, operator, value):
    tests = {
        "=": lambda a: a == value,
        "!=": lambda a: a != value,
        "<": lambda a: a < value,
        "<=": lambda a: a <= value,
        ">": lambda a: a > value,
        ">=": lambda a: a >= value,
    }
    name = column.name

    def test(row):
        return None if row[name] is None else tests[operator](sortable(row[name]))

    value = sortable(value)
    return Condition(f"`{name}` {operator} {column.ty.literal(unsortable(value))}", test)


def sortable(value):
    return value.encode() if isinstance(value, str) else value


def unsortable(value):
    return value.decode() if isinstance(value, bytes) else value


def simple_condition(rng, column, values):
    """A condition a DELETE takes on any model; mostly about values that exist."""

    def one():
        known = [v for v in values if v is not None]
        return rng.choice(known) if known and rng.random() < 0.8 else column.ty.make(rng)

    kind = rng.random()
    name = column.name
    if kind < 0.1:
        return Condition(f"`{name}` IS NULL", lambda row: row[name] is None)
    if kind < 0.15:
        return Condition(f"`{name}` IS NOT NULL", lambda row: row[name] is not None)
    if kind < 0.4 and column.ty is not BOOLEAN:
        inside = [one() for _ in range(rng.randrange(1, 5))]
        negated = rng.random() < 0.3
        texts = ", ".join(column.ty.literal(v) for v in inside)
        return Condition(
            f"`{name}` {'NOT ' if negated else ''}IN ({texts})", lambda row: None if row[name] is None else (row[name] in inside) != negated
        )
    return compare(column, rng.choice(["=", "=", "!=", "<", "<=", ">", ">="]), one())


def both(a, b):
    def test(row):
        x, y = a.test(row), b.test(row)
        return False if x is False or y is False else None if x is None or y is None else True

    return Condition(f"{a.sql} AND {b.sql}", test)


def either(a, b):
    def test(row):
        x, y = a.test(row), b.test(row)
        return True if x is True or y is True else None if x is None or y is None else False

    return Condition(f"({a.sql} OR {b.sql})", test)


def generated(name, source):
    """A column made of another, if one can be made of it."""
    if source.ty.is_text():
        ty = varchar(65533)
    elif source.ty.sql in ("TINYINT", "SMALLINT", "INT", "BIGINT"):
        ty = integer("BIGINT")
    else:
        return None
    column = Column(name, ty)
    column.source = source
    return column


def combine(aggregate, old, new):
    if aggregate == "REPLACE":
        return new
    if new is None:
        return old
    if old is None or aggregate == "REPLACE_IF_NOT_NULL":
        return new
    if aggregate == "SUM":
        return old + new
    return (min if aggregate == "MIN" else max)(old, new, key=sortable)


class Table:
    """A table's columns and the rows it must hold: dicts by column name, in a list."""

    def __init__(self, name, model, columns):
        self.name, self.model, self.columns = name, model, columns
        self.rows = []
        # Range partitions of the first column: name -> (low, high); None = not partitioned so.
        self.partitions = None
        self.rollups = {}
        self.sort_key = []

    def column(self, name):
        return next(c for c in self.columns if c.name == name)

    def keys(self):
        return [c for c in self.columns if c.key]

    def values(self):
        return [c for c in self.columns if not c.key and not c.source]

    def ordinary(self):
        return [c for c in self.columns if not c.source]

    def is_source(self, column):
        return any(c.source is column for c in self.columns)

    def key_of(self, row):
        return tuple(row[c.name] for c in self.columns if c.key)

    def refresh(self):
        """Generated columns follow the others."""
        for column in self.columns:
            if column.source:
                for row in self.rows:
                    row[column.name] = column.generate(row)

    def expected(self):
        self.refresh()
        return Counter(tuple(row[c.name] for c in self.columns) for row in self.rows)

    def load(self, rows, names, deletes=None, partial=False, condition=None):
        """Rows (dicts) of some columns in order; others get their defaults, or keep what they have when the load is partial."""
        if self.model == "DUPLICATE":
            self.rows += [self.complete(row, names) for row in rows]
            return
        known = {self.key_of(row): row for row in self.rows}
        if partial and deletes:
            # Of the rows of one key the last one counts, whatever it does.
            last = {self.key_of(row): i for i, row in enumerate(rows)}
            rows, deletes = [rows[i] for i in last.values()], [deletes[i] for i in last.values()]
        for i, row in enumerate(rows):
            key = tuple(row[c.name] if c.name in names else c.default for c in self.keys())
            old = known.get(key)
            if deletes and deletes[i]:
                known.pop(key, None)
            elif old is None:
                known[key] = self.complete(row, names)
            elif self.model == "PRIMARY":
                if condition and not is_at_least(row[condition], old[condition]):
                    continue
                known[key] = {**old, **{n: row[n] for n in names}} if partial else self.complete(row, names)
            else:
                new = self.complete(row, names)
                known[key] = {c.name: new[c.name] if c.key else combine(c.aggregate or "REPLACE", old[c.name], new[c.name]) for c in self.columns}
        self.rows = list(known.values())

    def complete(self, row, names):
        return {c.name: row[c.name] if c.name in names else c.default for c in self.columns}

    def recombine(self):
        """Rows whose keys became equal by a schema change are one."""
        if self.model == "AGGREGATE":
            rows, self.rows = self.rows, []
            self.load(rows, [c.name for c in self.columns])


def is_at_least(new, old):
    """NULL is the least of all."""
    return old is None or new is not None and sortable(new) >= sortable(old)
