package io.wherry.source.load;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.source.control.ChunkLayout;
import java.util.List;

/**
 * What one round of the load reads.
 *
 * @param plan for the sink-applier
 * @param cuts of the tables that are read from the beginning, kept for a later term
 * @param chunks of all tables of the plan
 * @param moved tables that are not in the plan, because their name or the names of their columns have moved
 */
record RoundPlan(LoadPlan plan, List<ChunkLayout> cuts, List<Chunk> chunks, List<TableId> moved) {}
