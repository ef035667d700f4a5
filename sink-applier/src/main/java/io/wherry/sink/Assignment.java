package io.wherry.sink;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.sink.state.Until;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * What a sink-applier is to apply, and for whom.
 *
 * @param owner whom the target belongs to, as {@code wherry.migration} names it
 * @param inGroup whether the sink-applier is the member of the migration's consumer group; a migration has one member
 * @param until where applying ends
 * @param plans leaves out of a load plan the tables that are not to be loaded by it
 * @param tables whether a table is loaded at all: blocks of the others are passed over, whether or not the target has the table
 */
public record Assignment(
        String owner, boolean inGroup, Until until, UnaryOperator<LoadPlan> plans, Predicate<TableId> tables) {
    /** Everything, for the migration itself. */
    public static Assignment all(Migration migration) {
        return new Assignment(migration.name(), true, Until.never(), plan -> plan, table -> true);
    }
}
