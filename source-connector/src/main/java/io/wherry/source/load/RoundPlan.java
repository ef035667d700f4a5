package io.wherry.source.load;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.source.control.ChunkLayout;
import java.util.List;

/**
 * What one round of the load reads.
 *
 * @param plan tells the sink-applier what comes
 * @param cuts of the tables that are read from the beginning, to be remembered for a later term
 * @param chunks of all tables of the plan
 * @param moved tables that are not in the plan, as their name or columns have gone to others
 */
record RoundPlan(LoadPlan plan, List<ChunkLayout> cuts, List<Chunk> chunks, List<TableId> moved) {}
