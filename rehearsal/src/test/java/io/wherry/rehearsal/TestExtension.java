package io.wherry.rehearsal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * An extension whose tables hold users' rows, as PostGIS, its topology and pg_partman have: contrib has none. Its version 1.1 makes
 * more rows of its own than 1.0, its version 2.0 has lost a column, and the rows of one table are not the
 * users' there.
 */
public final class TestExtension {
    public static final String NAME = "wherry_systems";

    private static final int NEWER_SINCE = 16;

    // Rows within the condition that the script made itself (tenant), a trigger that forbids what a user may not do, a
    // function that fails while a row is missing, and a table that is not registered.
    private static final String SCRIPT = """
            CREATE TABLE @extschema@.system (code int PRIMARY KEY, name text NOT NULL);
            INSERT INTO @extschema@.system VALUES (1, 'one'), (2, 'two')%s;
            SELECT pg_catalog.pg_extension_config_dump('system', 'WHERE NOT (code BETWEEN 1 AND %s)');
            CREATE TABLE @extschema@.tenant (id bigserial PRIMARY KEY, system int REFERENCES @extschema@.system, %s
                                             weight float8);
            INSERT INTO @extschema@.tenant (system, weight) VALUES (1, 0.1);
            SELECT pg_catalog.pg_extension_config_dump('tenant', '');
            SELECT pg_catalog.pg_extension_config_dump('tenant_id_seq', '');
            CREATE TABLE @extschema@.note (tenant bigint, body text);
            %s
            CREATE TABLE @extschema@.cache (v int);
            CREATE FUNCTION @extschema@.no_delete() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN RAISE EXCEPTION ''not by hand''; END';
            CREATE TRIGGER no_delete BEFORE DELETE ON @extschema@.tenant
                FOR EACH ROW EXECUTE PROCEDURE @extschema@.no_delete();
            CREATE FUNCTION @extschema@.name_of(wanted int) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT
                AS 'DECLARE found text; BEGIN SELECT name INTO STRICT found FROM @extschema@.system WHERE code = wanted;
                    RETURN found; END';
            """;

    /** Its script looks for tables where search_path is reset to, and sets it for the database, as PostGIS's geocoder and topology do. */
    public static final String BY_PATH = "wherry_by_path";

    private static final String LOOKS_AT_PATH = """
            DO $$ DECLARE path text := (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path');
            BEGIN
                EXECUTE 'SET search_path = by_path, ' || path;
                CREATE TABLE by_path.town (at cube);
                EXECUTE format('ALTER DATABASE %I SET search_path = %s, by_path', current_database(), path);
            END $$;
            """;

    private static final String NOTES = "SELECT pg_catalog.pg_extension_config_dump('note', '');";

    private TestExtension() {}

    /** Makes it available on embedded servers of a version; from 16 on, version 1.1 is the one that a server takes by itself. */
    public static void install(int major) {
        Path directory =
                new PostgresBinaries(Cache.standard()).installation(major).resolve("share/postgresql/extension");
        String version = major < NEWER_SINCE ? "1.0" : "1.1";
        write(directory.resolve(NAME + ".control"), "default_version = '" + version + "'\nsuperuser = true\n");
        write(directory.resolve(NAME + "--1.0.sql"), SCRIPT.formatted("", "9", "name text UNIQUE,", NOTES));
        write(
                directory.resolve(NAME + "--1.1.sql"),
                SCRIPT.formatted(
                        ", (11, 'eleven'), (12, 'twelve')",
                        "19",
                        "name text UNIQUE, since date DEFAULT now(),",
                        NOTES));
        write(directory.resolve(NAME + "--2.0.sql"), SCRIPT.formatted("", "9", "", ""));
    }

    /** Makes {@link #BY_PATH} available, which needs a type {@code cube} that search_path finds. */
    public static void installByPath(int major) {
        Path directory =
                new PostgresBinaries(Cache.standard()).installation(major).resolve("share/postgresql/extension");
        write(directory.resolve(BY_PATH + ".control"), "default_version = '1'\nschema = by_path\nsuperuser = true\n");
        write(directory.resolve(BY_PATH + "--1.sql"), LOOKS_AT_PATH);
    }

    /** Another test of this machine may do the same. */
    private static void write(Path file, String text) {
        try {
            Path partial = Files.createTempFile(file.getParent(), NAME, ".partial");
            Files.writeString(partial, text);
            partial.toFile().setReadable(true, false);
            Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
