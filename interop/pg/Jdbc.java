// PostgreSQL's JDBC driver asks a running service: parameters, batches of rows, metadata, refusals.
//
// Run: mvn -q dependency:copy -Dartifact=org.postgresql:postgresql:42.7.7 -DoutputDirectory=DIR
//      start `counterfoil serve LEDGER --pg 127.0.0.1:7412` over a ledger of at least 1,000 entries, then
//      TOKEN=cf_… java -cp DIR/postgresql-42.7.7.jar Jdbc.java 127.0.0.1 7412
// Each line of the output is one check, `ok` or `FAIL`; the exit code is 1 if any failed.

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

public class Jdbc {
    static boolean failed = false;

    interface Asking {
        void ask() throws SQLException;
    }

    static void check(String what, boolean holds) {
        failed |= !holds;
        System.out.println((holds ? "ok  " : "FAIL") + "  JDBC: " + what);
    }

    static void refused(String what, String state, Asking asking) {
        try {
            asking.ask();
            check(what + ": " + state, false);
        } catch (SQLException error) {
            if (!state.equals(error.getSQLState())) {
                System.out.println("      " + error.getSQLState() + " " + error.getMessage());
            }
            check(what + ": " + state, state.equals(error.getSQLState()));
        }
    }

    static Connection connect(String[] address, String password) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", "anyone");
        properties.setProperty("password", password);
        return DriverManager.getConnection("jdbc:postgresql://" + address[0] + ":" + address[1] + "/audit", properties);
    }

    static long number(Connection db, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int place = 0; place < values.length; place++) {
                statement.setObject(place + 1, values[place]);
            }
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getLong(1);
            }
        }
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(name));
        }
        return values;
    }

    public static void main(String[] address) throws Exception {
        try (Connection db = connect(address, System.getenv("TOKEN"))) {
            queries(db);
            metadata(db);
            transactions(db);
            refusals(db);
        } catch (SQLException error) {
            error.printStackTrace(System.out);
            check("no error", false);
        }
        refused("a wrong password", "28P01", () -> connect(address, "cf_wrong").close());
        System.exit(failed ? 1 : 0);
    }

    static void queries(Connection db) throws SQLException {
        long size = number(db, "SELECT count(*) FROM audit_log");
        check("count(*)", size >= 1000);
        // The driver prepares on the server, and goes over to binary, from the fifth time on.
        try (PreparedStatement one =
                db.prepareStatement("SELECT index, timestamp, actor, reason FROM audit_log WHERE index = ?")) {
            String first = null;
            boolean same = true;
            for (int time = 0; time < 10; time++) {
                one.setInt(1, 7);
                try (ResultSet rows = one.executeQuery()) {
                    rows.next();
                    String row = rows.getLong(1) + " " + rows.getTimestamp(2).toInstant() + " " + rows.getString(3);
                    first = first == null ? row : first;
                    same &= row.equals(first) && rows.getObject(2, OffsetDateTime.class) != null;
                }
            }
            check("the same row ten times, in text and binary", same && first.startsWith("7 "));
        }
        Timestamp at;
        try (Statement statement = db.createStatement();
                ResultSet rows = statement.executeQuery("SELECT timestamp FROM audit_log WHERE index = 7")) {
            check("a row", rows.next());
            at = rows.getTimestamp(1);
        }
        for (int time = 0; time < 7; time++) {
            long found = number(db, "SELECT count(*) FROM audit_log WHERE index <= ? AND timestamp <= ?", 7, at);
            check("int and timestamp parameters, time " + time, found >= 1 && found <= 8);
        }
        check("a long parameter", number(db, "SELECT count(*) FROM audit_log WHERE index < ?", 100L) == 100);
        check("a double parameter", number(db, "SELECT count(*) FROM audit_log WHERE index < ?", 99.5) == 100);
        check("a text parameter", number(db, "SELECT count(*) FROM audit_log WHERE actor = ?", "it's \\ nobody") == 0);
        check("a text parameter beside", number(db, "SELECT count(*) FROM audit_log WHERE actor LIKE ?", "%") == size);
        check("LIMIT ?", number(db, "SELECT count(*) FROM (SELECT index FROM audit_log LIMIT ?) some", 12) == 12);
        try (PreparedStatement any = db.prepareStatement("SELECT count(*) FROM audit_log WHERE index = ANY(?)")) {
            any.setArray(1, db.createArrayOf("int8", new Long[] {1L, 2L, 3L}));
            try (ResultSet rows = any.executeQuery()) {
                rows.next();
                check("= ANY(array)", rows.getLong(1) == 3);
            }
        }
        try (PreparedStatement described =
                db.prepareStatement("SELECT index, timestamp, context FROM audit_log WHERE actor = ? AND index > ?")) {
            check("columns before values", described.getMetaData().getColumnCount() == 3);
            check("int8", described.getMetaData().getColumnType(1) == Types.BIGINT);
            check("timestamptz", described.getMetaData().getColumnTypeName(2).equals("timestamptz"));
            check("parameters' types", described.getParameterMetaData().getParameterType(2) == Types.BIGINT);
        }
    }

    static void metadata(Connection db) throws SQLException {
        DatabaseMetaData about = db.getMetaData();
        check("the server's version", about.getDatabaseMajorVersion() == 16);
        try (ResultSet tables = about.getTables(null, "public", "%", new String[] {"TABLE"})) {
            check("getTables", column(tables, "TABLE_NAME").equals(List.of("audit_log")));
        }
        try (ResultSet tables = about.getTables(null, null, "audit%", null)) {
            check("getTables of any kind", column(tables, "TABLE_NAME").contains("audit_log"));
        }
        try (ResultSet columns = about.getColumns(null, "public", "audit_log", "%")) {
            List<String> names = column(columns, "COLUMN_NAME");
            check("getColumns", names.size() >= 26 && names.get(0).equals("index") && names.contains("context"));
        }
        try (ResultSet schemas = about.getSchemas()) {
            check("getSchemas", column(schemas, "TABLE_SCHEM").contains("public"));
        }
        try (ResultSet keys = about.getPrimaryKeys(null, "public", "audit_log")) {
            check("getPrimaryKeys: none", !keys.next());
        }
        try (ResultSet indices = about.getIndexInfo(null, "public", "audit_log", false, true)) {
            check("getIndexInfo: none", !indices.next());
        }
        try (ResultSet catalogs = about.getCatalogs()) {
            check("getCatalogs", column(catalogs, "TABLE_CAT").contains("audit"));
        }
        try (ResultSet types = about.getTypeInfo()) {
            check("getTypeInfo", column(types, "TYPE_NAME").contains("text"));
        }
        try (Statement statement = db.createStatement();
                ResultSet rows = statement.executeQuery(
                        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'audit_log'"
                                + " ORDER BY ordinal_position")) {
            check("information_schema.columns", rows.next() && rows.getString(2).equals("bigint"));
        }
    }

    static void transactions(Connection db) throws SQLException {
        db.setReadOnly(true);
        db.setAutoCommit(false);
        try (PreparedStatement some = db.prepareStatement("SELECT index FROM audit_log WHERE index >= ? ORDER BY index")) {
            some.setFetchSize(100);
            some.setLong(1, 5);
            long expected = 5;
            try (ResultSet rows = some.executeQuery()) {
                while (rows.next() && rows.getLong(1) == expected) {
                    expected++;
                }
            }
            check("rows by hundreds", expected >= 1000);
        }
        db.commit();
        db.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        check("SHOW TRANSACTION ISOLATION LEVEL", db.getTransactionIsolation() == Connection.TRANSACTION_REPEATABLE_READ);
        long before = number(db, "SELECT count(*) FROM audit_log");
        check("one state of the ledger", before == number(db, "SELECT count(*) FROM audit_log"));
        db.rollback();
        db.setAutoCommit(true);
    }

    static void refusals(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            refused("INSERT", "25006", () -> statement.executeUpdate("INSERT INTO audit_log (actor) VALUES ('x')"));
            refused("DELETE", "25006", () -> statement.executeUpdate("DELETE FROM audit_log"));
            refused("DROP", "25006", () -> statement.executeUpdate("DROP TABLE audit_log"));
            refused("a column that is none", "42703", () -> statement.executeQuery("SELECT nope FROM audit_log"));
            refused("no SQL", "42601", () -> statement.executeQuery("SELECT 1 FROM audit_log WHERE"));
            statement.setQueryTimeout(1);
            refused("a timeout of the client", "57014", () -> statement.executeQuery(
                    "SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d"));
        }
    }
}
