package io.wherry.coordinator.dump;

import io.wherry.contract.config.Flow;
import io.wherry.contract.record.ReplicaIdentities;
import io.wherry.contract.record.ReplicaIdentities.Former;
import io.wherry.coordinator.dump.DumpScript.Entry;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The replica identities that a dump of the source would contain if the migration had not set any to FULL. So a table without a key
 * keeps its owner's identity on the target, although the dump is taken after Wherry has set FULL.
 *
 * @param all of tables whose identity the migration has set
 */
public record FormerIdentities(List<Former> all) {
    public static final FormerIdentities NONE = new FormerIdentities(List.of());

    public FormerIdentities {
        all = List.copyOf(all);
    }

    public static FormerIdentities read(Connection source, Flow flow) throws SQLException {
        return new FormerIdentities(ReplicaIdentities.read(source, flow).formers(source));
    }

    /** These identities and those of another moment: while a dump is taken, some may be set or restored. */
    public FormerIdentities and(FormerIdentities others) {
        List<Former> both = new ArrayList<>(all);
        others.all.stream()
                .filter(other -> all.stream().noneMatch(one -> one.full().equals(other.full())))
                .forEach(both::add);
        return new FormerIdentities(both);
    }

    /** The tables' entries (pre-data) with the former identities. Entries without statements stay, so that the count is still correct. */
    public List<Entry> ofTables(List<Entry> entries) {
        return entries.stream()
                .map(entry -> new Entry(
                        entry.kind(),
                        entry.name(),
                        entry.settings(),
                        entry.statements().stream()
                                .flatMap(statement ->
                                        former(statement).map(Former::ofTable).orElse(List.of(statement)).stream())
                                .toList()))
                .toList();
    }

    private Optional<Former> former(String statement) {
        return all.stream().filter(one -> one.full().equals(statement)).findFirst();
    }

    /** The indexes' entries (post-data) with the former identities: pg_dump states an identity with its index. */
    public List<Entry> ofIndexes(List<Entry> entries) {
        return entries.stream()
                .map(entry -> {
                    List<String> statements = new ArrayList<>(entry.statements());
                    for (Former one : all) {
                        if (!entry.statements().isEmpty()
                                && one.madeBy(entry.statements().get(0))
                                && !statements.contains(one.before())) {
                            statements.add(one.before());
                        }
                    }
                    return new Entry(entry.kind(), entry.name(), entry.settings(), statements);
                })
                .toList();
    }
}
