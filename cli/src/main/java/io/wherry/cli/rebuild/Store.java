package io.wherry.cli.rebuild;

import io.wherry.contract.record.Json;
import io.wherry.coordinator.sql.Queries;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The state of a rebuild in schema {@code wherry} of its target: what it makes, and whether it has ended. */
final class Store {
    private static final String CREATE =
            "CREATE TABLE wherry.rebuild (one boolean PRIMARY KEY DEFAULT true CHECK (one),"
                    + " goal text NOT NULL, left_out text NOT NULL DEFAULT '[]', schema_place text, started_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
                    + " done_at timestamptz)";
    private static final String EXISTS = "SELECT pg_catalog.to_regclass('wherry.rebuild') IS NOT NULL";

    private Store() {}

    /** The goal that the target has; empty = no rebuild has begun there. */
    static Optional<Goal> goal(Connection target) throws SQLException {
        if (!Queries.truth(target, EXISTS)) {
            return Optional.empty();
        }
        return Queries.string(target, "SELECT goal FROM wherry.rebuild")
                .map(text -> Json.read(text.getBytes(StandardCharsets.UTF_8), Goal.class));
    }

    /** Part of the caller's transaction. */
    static void begin(Connection target, Goal goal) throws SQLException {
        Queries.execute(target, CREATE);
        Queries.update(
                target,
                "INSERT INTO wherry.rebuild (goal) VALUES (?)",
                new String(Json.write(goal), StandardCharsets.UTF_8));
    }

    /** Adds lines to what the database lacks by the operator's choice; part of the caller's transaction. */
    static void leaveOut(Connection target, List<String> lines) throws SQLException {
        List<String> all = new ArrayList<>(leftOut(target));
        all.addAll(lines);
        Queries.update(
                target, "UPDATE wherry.rebuild SET left_out = ?", new String(Json.write(all), StandardCharsets.UTF_8));
    }

    /** What the database lacks by the operator's choice, one line each. */
    static List<String> leftOut(Connection target) throws SQLException {
        return List.of(Json.read(
                Queries.string(target, "SELECT left_out FROM wherry.rebuild")
                        .orElseThrow()
                        .getBytes(StandardCharsets.UTF_8),
                String[].class));
    }

    /** The goal of a database that has followed the topics; part of the caller's transaction. */
    static void end(Connection target, Goal goal) throws SQLException {
        Queries.update(
                target, "UPDATE wherry.rebuild SET goal = ?", new String(Json.write(goal), StandardCharsets.UTF_8));
    }

    /** How much of the schema a database that follows the topics has. */
    static SchemaPlace schemaPlace(Connection target) throws SQLException {
        return Json.read(
                Queries.string(target, "SELECT schema_place FROM wherry.rebuild")
                        .orElseThrow()
                        .getBytes(StandardCharsets.UTF_8),
                SchemaPlace.class);
    }

    static void putSchemaPlace(Connection target, SchemaPlace place) throws SQLException {
        Queries.update(
                target,
                "UPDATE wherry.rebuild SET schema_place = ?",
                new String(Json.write(place), StandardCharsets.UTF_8));
    }

    static boolean isDone(Connection target) throws SQLException {
        return Queries.truth(target, "SELECT done_at IS NOT NULL FROM wherry.rebuild");
    }

    static void done(Connection target) throws SQLException {
        Queries.update(target, "UPDATE wherry.rebuild SET done_at = clock_timestamp()");
    }
}
