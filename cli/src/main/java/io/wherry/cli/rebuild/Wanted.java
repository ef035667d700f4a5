package io.wherry.cli.rebuild;

import io.wherry.contract.config.Endpoint;
import java.util.List;
import java.util.Objects;

/**
 * What the operator asks a rebuild for.
 *
 * @param target the new database
 * @param until LSN or time as of which it is wanted; null = as late as the topics reach
 * @param follow whether the database then follows the topics
 * @param only names and patterns of the tables that are wanted, as given; empty = all tables
 */
public record Wanted(Endpoint target, String until, boolean follow, List<String> only) {
    public Wanted {
        Objects.requireNonNull(target, "target");
        only = List.copyOf(only);
    }
}
