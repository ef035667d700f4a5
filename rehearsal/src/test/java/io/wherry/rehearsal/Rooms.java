package io.wherry.rehearsal;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.util.List;

/**
 * The packages of one module, in the order of their arrows: each room may use the rooms after it, and none before it, so there is
 * no cycle.
 *
 * @param parent package of the rooms
 * @param whole whether every class of the parent belongs to one of the rooms
 */
public record Rooms(String module, String parent, boolean whole, List<Room> rooms) {
    /** What the services share. */
    public static final Rooms CONTRACT = of(
            "contract",
            "io.wherry.contract",
            new Room("kafka", "clients of the broker and the registry"),
            new Room("http", "a service's HTTP server"),
            new Room("metrics", "what a process measures"),
            new Room("service", "the life of a process: start, pause, end"),
            new Room("record", "the records in topics"),
            new Room("postgres", "catalog, sessions, LSNs, schema `wherry`"),
            new Room("config", "the migration's file"),
            new Room("name", "tables, topics, identifiers"),
            new Room("error", "failures, by who can help"));

    /** From the source to Kafka. */
    public static final Rooms SOURCE = of(
            "source-connector",
            "io.wherry.source",
            new Room("", "the service: one term from the lock to its end"),
            new Room("check", "what is checked before a start"),
            new Room("load", "the full load, from snapshot to load topic"),
            new Room("debezium", "the engine and its task; nothing else touches Debezium"),
            new Room("publish", "source transactions into Kafka transactions; topics"),
            new Room("decode", "the server's messages into Avro records"),
            new Room("server", "publication, slot, locks and partitions of the source"),
            new Room("control", "what the source-connector remembers in Kafka"));

    /** From Kafka to the target. */
    public static final Rooms SINK = of(
            "sink-applier",
            "io.wherry.sink",
            new Room("", "the service: lease, sessions, threads"),
            new Room("plan", "load plans into the target"),
            new Room("load", "chunks into tables"),
            new Room("apply", "batches of changes into tables"),
            new Room("read", "records out of partitions"),
            new Room("write", "statements of a batch"),
            new Room("merge", "events of a batch into few statements (pure)"),
            new Room("table", "the target's catalog"),
            new Room("state", "checkpoints, barriers and tables in schema `wherry`"));

    /** Watches and drives the cutover. */
    public static final Rooms COORDINATOR = of(
            "cutover-coordinator",
            "io.wherry.coordinator",
            new Room("", "the service"),
            new Room("http", "REST API, metrics"),
            new Room("preflight", "what must hold before a migration starts"),
            new Room("machine", "the thread that decides; status"),
            new Room("cutover", "the list of steps and what they do"),
            new Room("fence", "keeps other roles out of the source"),
            new Room("traffic", "moves the applications"),
            new Room("verify", "compares rows"),
            new Room("proof", "equality by induction: passes, and what the operator asks"),
            new Room("whole", "which tables are compared whole, and how long that takes"),
            new Room("repair", "rows of the source, sent again"),
            new Room("recheck", "the rows that changed, and their comparison by key"),
            new Room("witness", "names the keys that change, by a slot of its own"),
            new Room("follow", "indexes and schema changes onto the target"),
            new Room("watch", "positions, lag, drain"),
            new Room("schema", "copies and compares schemas"),
            new Room("carry", "what no stream carries: large objects, rows of extensions"),
            new Room("journal", "states and what was done, in the target"),
            new Room("dump", "pg_dump and its text"),
            new Room("row", "a row as a text that is equal on both sides"),
            new Room("sql", "sessions and small questions"),
            new Room("thread", "threads and clocks"));

    /** The command line. */
    public static final Rooms CLI = of(
            "cli",
            "io.wherry.cli",
            new Room("", "the commands, and what one process needs to run the services"),
            new Room("rebuild", "another target from the topics alone"),
            new Room("log", "the log's format"));

    /** Rehearsals, soaks and benches, which no production process carries. */
    public static final Rooms REHEARSAL = new Rooms(
            "rehearsal",
            "io.wherry",
            false,
            List.of(
                    new Room("rehearsal.cli", "`wherry rehearse`, `wherry soak` and `wherry bench`"),
                    new Room("bench", "measurements beside what others do for the same"),
                    new Room("soak", "random faults under random histories"),
                    new Room("rehearsal", "rehearsals with live traffic"),
                    new Room("random", "random schemas and histories")));

    /** All modules that have rooms. */
    public static final List<Rooms> ALL = List.of(CONTRACT, SOURCE, SINK, COORDINATOR, CLI, REHEARSAL);

    /**
     * One package.
     *
     * @param name below the parent; empty = the parent itself
     * @param does the package's purpose, for the docs
     */
    public record Room(String name, String does) {}

    private static Rooms of(String module, String parent, Room... rooms) {
        return new Rooms(module, parent, true, List.of(rooms));
    }

    /** No room uses a room before it. */
    public ArchRule arrows() {
        List<String> packages = rooms.stream()
                .map(room -> room.name().isEmpty() ? parent : parent + "." + room.name())
                .toList();
        return classes()
                .that()
                .resideInAnyPackage(whole ? new String[] {parent + ".."} : packages.toArray(String[]::new))
                .should(new ArchCondition<>("be in a room of " + module + ", and use only rooms after it") {
                    @Override
                    public void check(JavaClass one, ConditionEvents events) {
                        int own = packages.indexOf(one.getPackageName());
                        if (own < 0) {
                            events.add(SimpleConditionEvent.violated(one, one.getName() + " is in no room"));
                        }
                        for (Dependency dependency : one.getDirectDependenciesFromSelf()) {
                            int other =
                                    packages.indexOf(dependency.getTargetClass().getPackageName());
                            if (other >= 0 && other < own) {
                                events.add(SimpleConditionEvent.violated(one, dependency.getDescription()));
                            }
                        }
                    }
                });
    }

    /** One row for each room, for the docs. */
    public static String table() {
        StringBuilder text = new StringBuilder("| module | room | holds |\n|---|---|---|\n");
        for (Rooms house : ALL) {
            for (Room room : house.rooms) {
                text.append("| %s | %s | %s |%n"
                        .formatted(
                                house.module, room.name().isEmpty() ? "(root)" : "`" + room.name() + "`", room.does()));
            }
        }
        return text.toString();
    }
}
