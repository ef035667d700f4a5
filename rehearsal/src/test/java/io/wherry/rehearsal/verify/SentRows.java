package io.wherry.rehearsal.verify;

import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.repair.RepairSecrets;
import io.wherry.coordinator.repair.RepairedTable;
import io.wherry.coordinator.repair.Sending;
import io.wherry.coordinator.repair.SourceRows;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.stream.IntStream;

/** Sends rows of a running migration's table {@code public.hay (id int, …)} for repair, whatever the proof knows of them. */
final class SentRows {
    final Endpoint source;
    final Endpoint target;
    final RepairSecret secret;
    final RepairedTable table;
    private final MigrationFixture migration;

    /** Waits until the migration is in sync. */
    SentRows(MigrationFixture migration) {
        migration.awaitState(State.IN_SYNC);
        this.migration = migration;
        source = migration.migration().source();
        target = migration.migration().target();
        secret = RepairSecrets.of(migration.migration());
        table = new RepairedTable(
                migration.number(source, "SELECT 'public.hay'::regclass::oid::bigint"),
                new TableId("public", "hay"),
                "ONLY \"public\".\"hay\"",
                'd',
                List.of("id"),
                "\"id\" = ?::pg_catalog.text::pg_catalog.int4",
                "");
    }

    Sending send(Connection session, int... ids) throws SQLException {
        List<List<String>> keys =
                IntStream.of(ids).mapToObj(id -> List.of(Integer.toString(id))).toList();
        return new SourceRows(session, table)
                .send(keys, secret, migration.name, migration.flow().generation());
    }

    /** A row that is written now comes after everything before. */
    void awaitArrival() throws Exception {
        migration.execute(source, "INSERT INTO public.hay (id) VALUES (100000)");
        awaitNumber(1, "SELECT count(*) FROM public.hay WHERE id = 100000");
        migration.execute(source, "DELETE FROM public.hay WHERE id = 100000");
        awaitNumber(0, "SELECT count(*) FROM public.hay WHERE id = 100000");
    }

    private void awaitNumber(long expected, String sql) {
        await().atMost(MigrationFixture.PATIENCE).until(() -> migration.number(target, sql) == expected);
    }

    /** The rows of the target with these keys. */
    String onTarget(String columns, String ids) {
        return migration.text(
                target,
                "SELECT coalesce(string_agg(concat_ws(' ', " + columns + "), ', ' ORDER BY id), '') FROM public.hay"
                        + " WHERE id IN (" + ids + ")");
    }
}
