// The Node client mysql2: connect, browse, query, prepared statements, errors. Prints `ok`, or fails with the difference.
// Run with NODE_PATH set to where mysql2 is installed: node browse.js PORT
const assert = require("node:assert");
const mysql = require("mysql2/promise");

async function main() {
  const connection = await mysql.createConnection({
    host: "127.0.0.1",
    port: Number(process.argv[2]),
    user: "root",
    password: "",
    supportBigNumbers: true,
    dateStrings: true,
    multipleStatements: true,
  });
  await connection.ping();
  await connection.query("CREATE DATABASE IF NOT EXISTS from_node");
  await connection.changeUser({ database: "from_node" });
  await connection.query("DROP TABLE IF EXISTS t");
  await connection.query(
    "CREATE TABLE t (id BIGINT, name VARCHAR(20), amount DECIMAL(10, 2), at DATETIME) DUPLICATE KEY (id) " +
      'DISTRIBUTED BY HASH (id) BUCKETS 1 PROPERTIES ("replication_num" = "1")',
  );
  const [inserted] = await connection.query("INSERT INTO t VALUES (1, 'a', 1.50, '2024-05-01 10:00:00'), (9007199254740993, 'ü', NULL, NULL)");
  assert.strictEqual(inserted.affectedRows, 2);

  const [rows, fields] = await connection.query("SELECT * FROM t ORDER BY id");
  assert.deepStrictEqual(fields.map((f) => f.name), ["id", "name", "amount", "at"]);
  assert.deepStrictEqual({ ...rows[0] }, { id: 1, name: "a", amount: "1.50", at: "2024-05-01 10:00:00" });
  assert.deepStrictEqual({ ...rows[1] }, { id: "9007199254740993", name: "ü", amount: null, at: null });

  const [prepared] = await connection.execute("SELECT id, name FROM t WHERE id > ? AND name <> ? ORDER BY id", [0, "a"]);
  assert.strictEqual(prepared.length, 1);
  assert.strictEqual(prepared[0].name, "ü");

  const [sets] = await connection.query("SELECT 1 AS one; SELECT 'two' AS two");
  assert.strictEqual(sets[0][0].one, 1);
  assert.strictEqual(sets[1][0].two, "two");

  const [tables] = await connection.query("SHOW TABLES");
  assert.strictEqual(Object.values(tables[0])[0], "t");
  await assert.rejects(connection.query("SELECT FROM"), (e) => e.errno === 1064);
  await connection.query("DROP DATABASE from_node FORCE");
  await connection.end();
  console.log("ok");
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
