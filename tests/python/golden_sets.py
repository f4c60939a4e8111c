"""Small data sets for the golden answers: TPC-H, the star schema benchmark and web hits, made from a fixed seed.

The columns, value domains and skew follow the published benchmarks, so that every query of the sets has rows to find; the rows are
our own. Only `random.Random.random` is used, whose sequence Python keeps for a seed: the same rows on every machine.

Each set is a function that returns {table: list of rows}; a row is a tuple of str, int and Decimal-like text in the order of COLUMNS.
"""

import datetime
import random

EPOCH = datetime.date(1992, 1, 1)
DAYS_OF_ORDERS = 2406  # 1992-01-01 to 1998-08-02
NATIONS = [
    ("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4), ("ETHIOPIA", 0), ("FRANCE", 3), ("GERMANY", 3),
    ("INDIA", 2), ("INDONESIA", 2), ("IRAN", 4), ("IRAQ", 4), ("JAPAN", 2), ("JORDAN", 4), ("KENYA", 0), ("MOROCCO", 0),
    ("MOZAMBIQUE", 0), ("PERU", 1), ("CHINA", 2), ("ROMANIA", 3), ("SAUDI ARABIA", 4), ("VIETNAM", 2), ("RUSSIA", 3),
    ("UNITED KINGDOM", 3), ("UNITED STATES", 1),
]  # fmt: skip
REGIONS = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"]
SEGMENTS = ["AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"]
PRIORITIES = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"]
MODES = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"]
INSTRUCTIONS = ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]
TYPES = [
    ["STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"],
    ["ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"],
    ["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"],
]
CONTAINERS = [["SM", "LG", "MED", "JUMBO", "WRAP"], ["CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"]]
COLORS = "almond azure blue brown chocolate coral cream forest frosted green ivory khaki lemon linen magenta navy olive pink red rose".split()
WORDS = "quick final pending ironic bold even special regular silent express deposits requests packages accounts theodolites ideas".split()

TPCH_COLUMNS = {
    "region": "r_regionkey,r_name,r_comment",
    "nation": "n_nationkey,n_name,n_regionkey,n_comment",
    "supplier": "s_suppkey,s_name,s_address,s_nationkey,s_phone,s_acctbal,s_comment",
    "customer": "c_custkey,c_name,c_address,c_nationkey,c_phone,c_acctbal,c_mktsegment,c_comment",
    "part": "p_partkey,p_name,p_mfgr,p_brand,p_type,p_size,p_container,p_retailprice,p_comment",
    "partsupp": "ps_partkey,ps_suppkey,ps_availqty,ps_supplycost,ps_comment",
    "orders": "o_orderkey,o_custkey,o_orderstatus,o_totalprice,o_orderdate,o_orderpriority,o_clerk,o_shippriority,o_comment",
    "lineitem": "l_orderkey,l_partkey,l_suppkey,l_linenumber,l_quantity,l_extendedprice,l_discount,l_tax,l_returnflag,l_linestatus,"
    "l_shipdate,l_commitdate,l_receiptdate,l_shipinstruct,l_shipmode,l_comment",
}
LINEORDER = (
    "lo_orderkey,lo_linenumber,lo_custkey,lo_partkey,lo_suppkey,lo_orderdate,lo_orderpriority,lo_shippriority,lo_quantity,lo_extendedprice,"
    "lo_ordtotalprice,lo_discount,lo_revenue,lo_supplycost,lo_tax,lo_commitdate,lo_shipmode"
)
SSB_COLUMNS = {
    "customer": "c_custkey,c_name,c_address,c_city,c_nation,c_region,c_phone,c_mktsegment",
    "supplier": "s_suppkey,s_name,s_address,s_city,s_nation,s_region,s_phone",
    "part": "p_partkey,p_name,p_mfgr,p_category,p_brand,p_color,p_type,p_size,p_container",
    "dates": "d_datekey,d_date,d_dayofweek,d_month,d_year,d_yearmonthnum,d_yearmonth,d_daynuminweek,d_daynuminmonth,d_daynuminyear,"
    "d_monthnuminyear,d_weeknuminyear,d_sellingseason,d_lastdayinweekfl,d_lastdayinmonthfl,d_holidayfl,d_weekdayfl",
    "lineorder": LINEORDER,
    "lineorder_flat": LINEORDER + ",c_name,c_address,c_city,c_nation,c_region,c_phone,c_mktsegment,s_name,s_address,s_city,s_nation,s_region,"
    "s_phone,p_name,p_mfgr,p_category,p_brand,p_color,p_type,p_size,p_container,d_year,d_yearmonthnum,d_yearmonth,d_weeknuminyear",
}


class Dice:
    """Draws from one seeded sequence."""

    def __init__(self, seed):
        self.next = random.Random(seed).random

    def below(self, n):
        return int(self.next() * n)

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def of(self, values):
        return values[self.below(len(values))]

    def words(self, n):
        return " ".join(self.of(WORDS) for _ in range(n))

    def skewed(self, n, power=3):
        """Small numbers come up much more often."""
        return int(n * self.next() ** power)


def cents(n):
    return f"{'-' if n < 0 else ''}{abs(n) // 100}.{abs(n) % 100:02d}"


def phone(nation, dice):
    return f"{nation + 10}-{dice.between(100, 999)}-{dice.between(100, 999)}-{dice.between(1000, 9999)}"


def tpch():
    dice = Dice("tpch")
    suppliers, customers, parts, orders = 100, 1500, 2000, 6000
    tables = {
        "region": [(i, name, dice.words(4)) for i, name in enumerate(REGIONS)],
        "nation": [(i, name, region, dice.words(4)) for i, (name, region) in enumerate(NATIONS)],
        "supplier": [],
        "customer": [],
        "part": [],
        "partsupp": [],
        "orders": [],
        "lineitem": [],
    }
    for key in range(1, suppliers + 1):
        nation = dice.below(25)
        comment = "careful Customer deposits Complaints" if key % 20 == 7 else dice.words(5)
        tables["supplier"].append((key, f"Supplier#{key:09d}", dice.words(2), nation, phone(nation, dice), cents(dice.between(-99999, 999999)), comment))
    for key in range(1, customers + 1):
        nation = dice.below(25)
        balance = cents(dice.between(-99999, 999999))
        tables["customer"].append((key, f"Customer#{key:09d}", dice.words(2), nation, phone(nation, dice), balance, dice.of(SEGMENTS), dice.words(6)))
    price = {}
    for key in range(1, parts + 1):
        maker = dice.between(1, 5)
        price[key] = 90000 + (key // 10) % 20001 + 100 * (key % 1000)
        tables["part"].append(
            (key, " ".join(dice.of(COLORS) for _ in range(5)), f"Manufacturer#{maker}", f"Brand#{maker}{dice.between(1, 5)}", " ".join(map(dice.of, TYPES)),
             dice.between(1, 50), " ".join(map(dice.of, CONTAINERS)), cents(price[key]), dice.words(2))
        )  # fmt: skip
        for i in range(4):
            supplier = (key + i * (suppliers // 4 + (key - 1) // suppliers)) % suppliers + 1
            tables["partsupp"].append((key, supplier, dice.between(1, 9999) if key % 9 else dice.between(1, 40), cents(dice.between(100, 100000)), dice.words(8)))
    today = datetime.date(1995, 6, 17)
    for i in range(orders):
        key = i // 8 * 32 + i % 8 + 1
        customer = dice.between(1, customers)
        customer -= customer % 3 == 0  # A third of the customers never order.
        date = EPOCH + datetime.timedelta(dice.below(DAYS_OF_ORDERS))
        total = shipped = 0
        lines = dice.between(1, 7)
        large = dice.below(200) == 0
        for line in range(1, (7 if large else lines) + 1):
            part = dice.between(1, parts)
            supplier = (part + dice.below(4) * (suppliers // 4 + (part - 1) // suppliers)) % suppliers + 1
            quantity = dice.between(43, 50) if large else dice.between(1, 50)
            extended, discount, tax = quantity * price[part], dice.between(0, 10), dice.between(0, 8)
            ship = date + datetime.timedelta(dice.between(1, 121))
            commit = date + datetime.timedelta(dice.between(30, 90))
            receipt = ship + datetime.timedelta(dice.between(1, 30))
            total += extended * (100 - discount) * (100 + tax) // 10000
            shipped += ship <= today
            tables["lineitem"].append(
                (key, part, supplier, line, cents(quantity * 100), cents(extended), cents(discount), cents(tax), dice.of("RA") if receipt <= today else "N",
                 "F" if ship <= today else "O", ship, commit, receipt, dice.of(INSTRUCTIONS), dice.of(MODES), dice.words(3))
            )  # fmt: skip
        lines = line
        status = "F" if shipped == lines else "O" if shipped == 0 else "P"
        comment = "special packages requests" if dice.below(20) == 0 else dice.words(5)
        tables["orders"].append((key, customer, status, cents(total), date, dice.of(PRIORITIES), f"Clerk#{dice.between(1, 10):09d}", 0, comment))
    return tables


def number(date):
    return date.year * 10000 + date.month * 100 + date.day


def ssb():
    dice = Dice("ssb")
    customers, suppliers, parts, orders = 600, 100, 1000, 8000
    tables = {"customer": [], "supplier": [], "part": [], "dates": [], "lineorder": [], "lineorder_flat": []}

    def place():
        # Two nations in three draws are those that the queries name.
        nation = dice.of([23, 24]) if dice.below(3) else dice.below(25)
        name = NATIONS[nation][0]
        return f"{name[:9]:<9}{dice.below(10)}", name, REGIONS[NATIONS[nation][1]], phone(nation, dice)

    for key in range(1, customers + 1):
        city, nation, region, number_ = place()
        tables["customer"].append((key, f"Customer#{key:09d}", dice.words(2), city, nation, region, number_, dice.of(SEGMENTS)))
    for key in range(1, suppliers + 1):
        city, nation, region, number_ = place()
        tables["supplier"].append((key, f"Supplier#{key:09d}", dice.words(2), city, nation, region, number_))
    for key in range(1, parts + 1):
        maker, category = dice.between(1, 5), dice.between(1, 5)
        brand = dice.of([21, 22, 28, 39]) if dice.below(4) == 0 else dice.between(1, 40)
        color = dice.of(COLORS)
        tables["part"].append(
            (key, f"{color} {dice.of(COLORS)}", f"MFGR#{maker}", f"MFGR#{maker}{category}", f"MFGR#{maker}{category}{brand}", color,
             " ".join(map(dice.of, TYPES)), dice.between(1, 50), " ".join(map(dice.of, CONTAINERS)))
        )  # fmt: skip
    by_date = {}
    for offset in range(2557):
        date = EPOCH + datetime.timedelta(offset)
        next_day = date + datetime.timedelta(1)
        season = ["Christmas", "Winter", "Winter", "Winter", "Spring", "Spring", *["Summer"] * 2, *["Fall"] * 3, "Christmas"][date.month - 1]
        weekday = date.isoweekday() % 7
        by_date[number(date)] = row = (
            number(date), f"{date:%B} {date.day}, {date.year}", f"{date:%A}", f"{date:%B}", date.year, date.year * 100 + date.month, f"{date:%b}{date.year}",
            weekday + 1, date.day, date.timetuple().tm_yday, date.month, (date.timetuple().tm_yday - 1) // 7 + 1, season, int(weekday == 6),
            int(next_day.day == 1), int(date.month == 12 and date.day == 25), int(1 <= weekday <= 5),
        )  # fmt: skip
        tables["dates"].append(row)
    for order in range(1, orders + 1):
        date = EPOCH + datetime.timedelta(dice.below(DAYS_OF_ORDERS))
        customer, priority = dice.of(tables["customer"]), dice.of(PRIORITIES)
        lines = []
        for line in range(1, dice.between(1, 7) + 1):
            part, supplier, quantity = dice.of(tables["part"]), dice.of(tables["supplier"]), dice.between(1, 50)
            extended, discount = quantity * dice.between(90000, 200000) // 100, dice.between(0, 10)
            commit = number(date + datetime.timedelta(dice.between(30, 90)))
            lines.append((line, part, supplier, quantity, extended, discount, extended * (100 - discount) // 100, extended * 6 // (10 * quantity), dice.between(0, 8), commit))
        total = sum(line[4] for line in lines)
        for line, part, supplier, quantity, extended, discount, revenue, cost, tax, commit in lines:
            row = (order, line, customer[0], part[0], supplier[0], number(date), priority, 0, quantity, extended, total, discount, revenue, cost, tax, commit, dice.of(MODES))
            tables["lineorder"].append(row)
            day = by_date[number(date)]
            tables["lineorder_flat"].append(row + customer[1:] + supplier[1:] + part[1:] + (day[4], day[5], day[6], day[11]))
    return tables


def hits(columns):
    """`columns` is a list of (name, type) of the table. Columns that no query reads are filled by their type."""
    dice = Dice("hits")
    words = ["".join(chr(97 + dice.below(26)) for _ in range(dice.between(3, 9))) for _ in range(400)]
    hosts = [f"{'www.' if i % 3 else ''}{words[i]}.{['com', 'net', 'org'][i % 3]}" for i in range(60)] + ["www.google.com", "maps.google.ru"]
    users = [435090932899640449] + [(1 << 40) + dice.below(1 << 61) for _ in range(1500)]
    phrases = [f"{dice.of(words)} {dice.of(words)}" for _ in range(300)]

    def url():
        i = dice.skewed(900)
        return f"http://{hosts[i * 37 % len(hosts)]}/{words[i % 400]}/{words[i * 7 % 400]}?id={i}", i

    rows = []
    for _ in range(12_000):
        user = dice.skewed(len(users))
        day, second = dice.below(31), dice.below(86400)
        time = datetime.datetime(2013, 7, 1) + datetime.timedelta(day, second)
        page, page_id = url()
        referer, referer_id = url() if dice.below(5) else ("", 0)
        phrase = dice.of(phrases[: 1 + dice.skewed(300)]) if dice.below(4) == 0 else ""
        mobile = dice.below(12) == 0
        width = dice.of([1366, 1920, 1280, 1024, 1600, 320])
        title = f"{words[page_id % 400]} - {'Google' if page_id % 9 == 0 else 'portal'} {words[page_id * 3 % 400]}"
        known = {
            "CounterID": 62 if dice.below(3) == 0 else 1 + dice.skewed(200), "EventDate": time.date(), "UserID": users[user], "EventTime": time,
            "WatchID": (1 << 60) + dice.below(1 << 61), "Title": title, "ClientIP": user * 2654435761 % (1 << 31), "RegionID": 1 + dice.skewed(120),
            "URL": page, "Referer": referer, "IsRefresh": int(dice.below(7) == 0), "ResolutionWidth": width, "ResolutionHeight": width * 9 // 16,
            "ClientEventTime": time, "LocalEventTime": time, "MobilePhone": dice.below(20) if mobile else 0,
            "MobilePhoneModel": f"{words[dice.skewed(30)]} x" if mobile else "", "TraficSourceID": dice.between(-1, 9), "SearchPhrase": phrase,
            "SearchEngineID": dice.between(1, 20) if phrase else 0, "AdvEngineID": dice.between(1, 30) if dice.below(30) == 0 else 0,
            "DontCountHits": int(dice.below(16) == 0), "IsLink": int(dice.below(6) == 0), "IsDownload": int(dice.below(250) == 0),
            "WindowClientWidth": width - dice.below(6) * 10, "WindowClientHeight": width * 9 // 16 - dice.below(4) * 50,
            "RefererHash": 3594120000172545465 if dice.below(5) == 0 else referer_id * 3202034522624059733 % (1 << 62),
            "URLHash": 2868770270353813622 if dice.below(9) == 0 else page_id * 2862933555777941757 % (1 << 62),
        }  # fmt: skip
        row = []
        for name, type_ in columns:
            if name in known:
                row.append(known[name])
            elif type_.startswith("DATETIME"):
                row.append(time)
            elif type_.startswith(("CHAR", "VARCHAR", "STRING")):
                row.append(dice.of("abcT5") if type_.startswith("CHAR") else "" if dice.below(10) else dice.of(words))
            else:
                row.append(dice.below(60))
        rows.append(tuple(row))
    return {"hits": rows}
