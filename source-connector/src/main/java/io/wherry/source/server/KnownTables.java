package io.wherry.source.server;

import io.wherry.source.control.Routes;

/**
 * What one term knows about the tables of the source. Each part is safe for use by several threads.
 *
 * @param routes the topic of each table, and the oid that the topic belongs to
 * @param files the file that each table was loaded from
 * @param wholes the partitions of the tables that are carried whole
 */
public record KnownTables(Routes routes, TableFiles files, WholeTables wholes) {}
