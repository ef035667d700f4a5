package io.wherry.coordinator.witness;

/**
 * Changes of one table that the witness has read. An update that moves a row to another partition is a delete and an insert, as
 * the server sends it.
 *
 * @param updates an update that changes the key counts once
 * @param truncates of the table, or of partitions of a table that is carried whole
 */
public record Counts(long inserts, long updates, long deletes, long truncates) {}
