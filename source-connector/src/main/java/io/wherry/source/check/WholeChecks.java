package io.wherry.source.check;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Patterns;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.source.server.Identities;
import io.wherry.source.server.Identities.Identity;
import io.wherry.source.server.Partition;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The part of the preflight that checks partitioned tables that are carried whole ({@code tables.whole}). */
public final class WholeChecks {
    // Seen on 13.23 and 14.24: the server does not send rows that are written to a table after the table was attached,
    // if the stream has already contained the table.
    private static final int SOURCE_SINCE = 15;

    private final CaptureGroup group;
    private final String role;
    private final List<Finding> findings = new ArrayList<>();

    private WholeChecks(CaptureGroup group) {
        this.group = group;
        this.role = Identifiers.quote(group.from().user());
    }

    public static List<Finding> check(Connection session, CaptureGroup group, List<CatalogTable> tables)
            throws SQLException {
        WholeChecks checks = new WholeChecks(group);
        List<CatalogTable> wholes =
                tables.stream().filter(CatalogTable::partitioned).toList();
        checks.settings(ServerVersion.major(session), wholes);
        List<Partition> partitions = Partition.read(session, group.migration());
        for (CatalogTable whole : wholes) {
            boolean followed = group.migration().tables().follows(whole.id());
            partitions.stream()
                    .filter(partition -> partition.root().equals(whole.id()))
                    .forEach(partition -> checks.partition(whole, partition, followed));
        }
        checks.identities(session, wholes, partitions);
        return checks.findings;
    }

    /** The tables. The partitions that hold rows take the place of a table that is carried whole. */
    public static List<CatalogTable> leaves(Connection session, CaptureGroup group, List<CatalogTable> tables)
            throws SQLException {
        Set<TableId> wholes = tables.stream()
                .filter(CatalogTable::partitioned)
                .map(CatalogTable::id)
                .collect(Collectors.toSet());
        if (wholes.isEmpty()) {
            return tables;
        }
        Set<Long> readable = new HashSet<>();
        Partition.read(session, group.migration()).stream()
                .filter(partition -> partition.leaf() && partition.readable())
                .forEach(partition -> readable.add(partition.oid()));
        List<CatalogTable> leaves = new ArrayList<>(
                tables.stream().filter(table -> !table.partitioned()).toList());
        Catalog.tables(session).stream()
                .filter(table -> wholes.contains(table.root()) && readable.contains(table.oid()))
                .forEach(leaves::add);
        return leaves;
    }

    private void settings(int version, List<CatalogTable> wholes) {
        for (String pattern : group.migration().tables().whole()) {
            if (wholes.stream()
                    .noneMatch(whole -> Patterns.matches(pattern, whole.id().toString()))) {
                findings.add(Finding.error(
                        "tables.whole",
                        pattern + " matches no selected partitioned table",
                        "Write schema.table of the topmost table, not of a partition"));
            }
        }
        if (!group.migration().tables().whole().isEmpty() && group.migration().schema() != TargetSchemaMode.EXISTING) {
            findings.add(Finding.error(
                    "tables.whole",
                    "is for a target with other partitions, but target.schema: create copies the source's partitions",
                    "Create the tables on the target and use target.schema: existing, or remove tables.whole"));
        }
        for (CatalogTable whole : wholes) {
            String name = whole.id().toString();
            if (version < SOURCE_SINCE) {
                findings.add(Finding.error(
                        name,
                        "cannot be carried whole: servers before " + SOURCE_SINCE
                                + " may leave out changes of newly attached partitions",
                        "Remove it from tables.whole: then each partition is carried as a table of its own"));
            }
            if (group.migration().apply().partitions().getOrDefault(name, 1) > 1) {
                findings.add(Finding.error(
                        name,
                        "is carried whole, so its changes may not go to several partitions of a topic",
                        "Remove it from apply.partitions"));
            }
        }
    }

    /** Partitions that have, or get, REPLICA IDENTITY FULL, and hold a column that the source could not publish. */
    private void identities(Connection session, List<CatalogTable> wholes, List<Partition> partitions)
            throws SQLException {
        for (Identity one :
                Identities.of(session, partitions.stream().map(Partition::oid).toList())) {
            partitions.stream()
                    .filter(partition -> partition.oid() == one.oid())
                    .flatMap(partition ->
                            wholes.stream().filter(whole -> partition.root().equals(whole.id())))
                    .filter(whole -> group.migration().tables().follows(whole.id()))
                    .filter(whole -> one.impossible()
                            || whole.primaryKey().isEmpty() && !one.virtual().isEmpty())
                    .forEach(whole -> error(
                            one.id().toString(),
                            one.problem() + ", part of " + whole.id() + ", which is carried whole",
                            "Give the partitioned table a key, drop the column, or name the table in tables.exclude or"
                                    + " tables.load-only"));
        }
    }

    private void partition(CatalogTable whole, Partition partition, boolean followed) {
        String name = partition.id().toString();
        String of = ", part of " + whole.id() + ", which is carried whole";
        String quoted = partition.id().quoted();
        if (!group.migration().tables().selects(partition.id())) {
            error(name, "is excluded" + of, "Correct tables.exclude, or remove " + whole.id() + " from tables.whole");
        }
        if (partition.kind() == 'f') {
            error(name, "is a foreign table" + of, "Detach it, or remove " + whole.id() + " from tables.whole");
        }
        if (!partition.leaf()) {
            return;
        }
        if (!partition.readable()) {
            error(
                    name,
                    "may not be read" + of,
                    "GRANT USAGE ON SCHEMA " + Identifiers.quote(partition.id().schema()) + " TO " + role
                            + "; GRANT SELECT ON " + quoted + " TO " + role);
        } else if (partition.filtered()) {
            error(name, "row-level security hides rows from this role" + of, "ALTER ROLE " + role + " BYPASSRLS");
        }
        if (!followed) {
            return;
        }
        if (partition.unlogged()) {
            error(
                    name,
                    "is unlogged: its changes are not in the write-ahead log" + of,
                    "ALTER TABLE " + quoted + " SET LOGGED");
        }
        if (partition.replicaIdentity() == ReplicaIdentity.INDEX) {
            error(
                    name,
                    "has an index as its replica identity, which may match several rows of the whole table" + of,
                    "ALTER TABLE " + quoted + " REPLICA IDENTITY "
                            + (whole.primaryKey().isEmpty() ? "FULL" : "DEFAULT"));
        } else if (partition.lacksIdentity(whole)) {
            findings.add(
                    partition.owned()
                            ? Finding.info(
                                    name, "has no key; Wherry sets REPLICA IDENTITY FULL while the migration runs")
                            : Finding.error(
                                    name,
                                    "has no key, so an update would not name its row" + of,
                                    "ALTER TABLE " + quoted + " REPLICA IDENTITY FULL"));
        }
    }

    private void error(String object, String problem, String remedy) {
        findings.add(Finding.error(object, problem, remedy));
    }
}
