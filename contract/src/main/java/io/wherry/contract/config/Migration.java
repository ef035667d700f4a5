package io.wherry.contract.config;

import io.wherry.contract.name.Patterns;
import io.wherry.contract.name.TableId;
import io.wherry.contract.name.Topics;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One migration as configured: the whole YAML file, read and checked ({@link MigrationFile}).
 *
 * @param name prefix of topics, name of slot ({@code wherry_<name>}), publication and consumer group
 * @param kafka client properties, with {@code bootstrap.servers}; empty = embedded broker
 * @param registryUrl base of a Confluent-compatible API; empty = embedded registry
 * @param registryAccess login and TLS settings of the registry: {@code user}, {@code password}, {@code ssl.*} as Kafka has them
 * @param roleMap roles of the target by the source's role whose place they take; the others keep their names
 */
public record Migration(
        String name,
        Endpoint source,
        Endpoint target,
        TargetSchemaMode schema,
        Tables tables,
        Map<String, String> kafka,
        Optional<String> registryUrl,
        Map<String, String> registryAccess,
        Load load,
        Apply apply,
        Verify verify,
        Cutover cutover,
        Http http,
        Map<String, String> roleMap) {
    /** With the default proof, a registry that asks for no login, and every role keeping its name. */
    public Migration(
            String name,
            Endpoint source,
            Endpoint target,
            TargetSchemaMode schema,
            Tables tables,
            Map<String, String> kafka,
            Optional<String> registryUrl,
            Load load,
            Apply apply,
            Cutover cutover,
            Http http) {
        this(
                name,
                source,
                target,
                schema,
                tables,
                kafka,
                registryUrl,
                Map.of(),
                load,
                apply,
                Verify.DEFAULT,
                cutover,
                http,
                Map.of());
    }

    /** Who makes the tables on the target. */
    public enum TargetSchemaMode {
        CREATE,
        EXISTING
    }

    /**
     * Which tables: patterns {@code schema.table} with {@code *}; excluded wins over included.
     *
     * @param where SQL condition on the rows that are wanted, by {@code schema.table}; all rows of the others
     * @param loadOnly loaded once; changes are not followed, nor compared
     * @param whole partitioned tables that are carried as one table each, under their own name; the partitions of the others
     *     are tables of their own
     */
    public record Tables(
            List<String> include,
            List<String> exclude,
            Map<String, String> where,
            List<String> loadOnly,
            List<String> whole) {
        public Tables(List<String> include, List<String> exclude) {
            this(include, exclude, Map.of(), List.of(), List.of());
        }

        /** Whether the table, if it is partitioned and no partition itself, is carried as one. */
        public boolean isWhole(TableId table) {
            return selects(table) && matches(whole, table);
        }

        /** Whether the table's changes are wanted too. */
        public boolean follows(TableId table) {
            return selects(table) && !matches(loadOnly, table);
        }

        /** The condition on the table's rows as a WHERE clause, with a blank before it; empty = all rows. */
        public String whereClause(TableId table) {
            String condition = where.get(table.toString());
            return condition == null ? "" : " WHERE (" + condition + ")";
        }

        public boolean selects(TableId table) {
            return matches(include, table) && !matches(exclude, table);
        }

        private static boolean matches(List<String> patterns, TableId table) {
            return patterns.stream().anyMatch(p -> Patterns.matches(p, table.toString()));
        }
    }

    /**
     * @param readers parallel COPY readers on the source, and lanes
     * @param chunkBytes about the size of a chunk on the source
     * @param retries of a chunk, after which its table is given up until the operator says to try again
     */
    public record Load(int readers, long chunkBytes, int retries) {
        public static final int CHUNK_MEBIBYTES = 48;
        public static final int RETRIES = 5;

        public Load(int readers) {
            this(readers, (long) CHUNK_MEBIBYTES << 20, RETRIES);
        }
    }

    /**
     * @param workers parallel writers of changes on the target
     * @param partitions partitions of a change topic where more than one, by {@code schema.table}
     */
    public record Apply(int workers, Map<String, Integer> partitions) {}

    /**
     * How both sides are proven equal.
     *
     * @param witness whether a slot of the proof's own names the rows that change, so that the window compares only what changed
     *     last; otherwise the window compares every row
     * @param load share of the time in which the proof reads from the sides, in percent
     * @param sessions on each side, by which a pass compares parts of a table at the same time
     * @param wholeWithin tables that are proven are compared whole in the window too, the fastest first, as long as that is
     *     expected to take no longer in all than this
     * @param maxAge a cutover is refused when it would rely on a proof that began longer ago
     */
    public record Verify(boolean witness, int load, int sessions, Duration wholeWithin, Duration maxAge) {
        public static final Verify DEFAULT = new Verify(true, 50, 1, Duration.ofMillis(100), Duration.ofHours(24));
    }

    /**
     * @param maxLag end-to-end lag under which the target counts as in sync
     * @param stableFor how long the lag must stay under {@code maxLag}
     * @param maxDowntime from the fence to the switch row; past it the cutover aborts and the source serves again
     * @param views when the materialized views of the target are refreshed
     * @param fenceExcept roles that the fence leaves alone, because ours may not keep them out: the operator answers for them
     */
    public record Cutover(
            Duration maxLag,
            Duration stableFor,
            Duration maxDowntime,
            Views views,
            FenceMode fence,
            List<String> fenceExcept,
            Switch traffic) {
        public Cutover(Duration maxLag, Duration stableFor, Duration maxDowntime, FenceMode fence, Switch traffic) {
            this(maxLag, stableFor, maxDowntime, Views.IN_WINDOW, fence, List.of(), traffic);
        }
    }

    /** When materialized views are refreshed: before the applications reach the target, or right after. */
    public enum Views {
        IN_WINDOW,
        AFTER
    }

    /** How other roles are kept from writing on the source during the switch. */
    public enum FenceMode {
        NO_LOGIN,
        NO_CONNECT
    }

    /** What is done to move the applications: nothing (print), or a command. */
    public sealed interface Switch {
        record None() implements Switch {}

        /**
         * @param command executable and arguments; told the target by environment and JSON on standard input
         * @param environment names of further variables of ours that it gets; it inherits no other that could hold a secret
         */
        record Command(List<String> command, List<String> environment) implements Switch {
            public Command(List<String> command) {
                this(command, List.of());
            }
        }
    }

    /** Who may read the coordinator's answers over HTTP. */
    public enum Reading {
        /** Every client that reaches the port. */
        FREE,
        /** A client with the token, as for requests that change state. */
        TOKEN
    }

    /** Where a server listens. */
    public record Address(String host, int port) {
        public boolean isLoopback() {
            return host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]");
        }

        @Override
        public String toString() {
            return host + ":" + port;
        }
    }

    /**
     * @param token needed for every call that changes state; empty = made at start and kept in a file
     * @param names that a request beyond loopback may call this host by, beside its addresses
     * @param source where a source-connector in a process of its own listens; empty = it does not
     * @param sink the same for a sink-applier
     */
    public record Http(
            String host,
            int port,
            Optional<String> token,
            List<String> names,
            Reading reading,
            Optional<Address> source,
            Optional<Address> sink) {
        public Http {
            names = List.copyOf(names);
        }

        public Http(String host, int port, Optional<String> token) {
            this(host, port, token, List.of(), Reading.FREE, Optional.empty(), Optional.empty());
        }

        /** Where the coordinator listens. */
        public Address listen() {
            return new Address(host, port);
        }
    }

    public Topics topics() {
        return new Topics(name);
    }

    /** The same migration with the broker and the registry filled in, once embedded ones have started. */
    public Migration withServers(Map<String, String> kafkaProperties, String registry) {
        return new Migration(
                name,
                source,
                target,
                schema,
                tables,
                kafkaProperties,
                Optional.of(registry),
                registryAccess,
                load,
                apply,
                verify,
                cutover,
                http,
                roleMap);
    }
}
