// MariaDB's JDBC driver: connect, browse metadata, query, prepared statements on both protocols, errors. Prints `ok`.
// java -cp MARIADB_JAR Browse.java PORT

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public class Browse {
    public static void main(String[] args) throws Exception {
        for (String options : new String[] {"useServerPrepStmts=false", "useServerPrepStmts=true"}) {
            browse("jdbc:mariadb://127.0.0.1:" + args[0] + "/?user=root&" + options);
        }
        System.out.println("ok");
    }

    static void browse(String url) throws Exception {
        try (Connection connection = DriverManager.getConnection(url); Statement statement = connection.createStatement()) {
            expect(connection.isValid(2), true);
            statement.execute("CREATE DATABASE IF NOT EXISTS from_jdbc");
            connection.setCatalog("from_jdbc");
            statement.execute("DROP TABLE IF EXISTS t");
            statement.execute("CREATE TABLE t (id BIGINT, name VARCHAR(20), amount DECIMAL(10, 2), at DATETIME) DUPLICATE KEY (id) "
                    + "DISTRIBUTED BY HASH (id) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")");
            expect(statement.executeUpdate("INSERT INTO t VALUES (1, 'a', 1.50, '2024-05-01 10:00:00'), (2, 'ü', NULL, NULL)"), 2);

            try (PreparedStatement query = connection.prepareStatement("SELECT id, name, amount, at FROM t WHERE id >= ? ORDER BY id")) {
                query.setLong(1, 1);
                try (ResultSet rows = query.executeQuery()) {
                    expect(rows.next(), true);
                    expect(rows.getLong("id"), 1L);
                    expect(rows.getString("name"), "a");
                    expect(rows.getBigDecimal("amount"), new BigDecimal("1.50"));
                    expect(rows.getTimestamp("at").toString(), "2024-05-01 10:00:00.0");
                    expect(rows.next(), true);
                    expect(rows.getString("name"), "ü");
                    expect(rows.getBigDecimal("amount"), null);
                    expect(rows.next(), false);
                }
            }

            DatabaseMetaData metadata = connection.getMetaData();
            try (ResultSet tables = metadata.getTables("from_jdbc", null, "%", null)) {
                expect(tables.next(), true);
                expect(tables.getString("TABLE_NAME"), "t");
            }
            try (ResultSet columns = metadata.getColumns("from_jdbc", null, "t", "%")) {
                StringBuilder names = new StringBuilder();
                while (columns.next()) {
                    names.append(columns.getString("COLUMN_NAME")).append(' ');
                }
                expect(names.toString(), "id name amount at ");
            }
            try {
                statement.executeQuery("SELECT FROM");
                throw new AssertionError("a syntax error was not reported");
            } catch (SQLException e) {
                expect(e.getErrorCode(), 1064);
            }
            statement.execute("DROP DATABASE from_jdbc FORCE");
        }
    }

    static void expect(Object actual, Object expected) {
        if (actual == null ? expected != null : !actual.equals(expected)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }
}
