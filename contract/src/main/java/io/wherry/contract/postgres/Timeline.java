package io.wherry.contract.postgres;

/**
 * Which history of which server an LSN belongs to. After a failover the same LSN may name another commit.
 *
 * @param system the server's system identifier
 * @param number of the timeline; every promotion of a standby begins another one
 */
public record Timeline(String system, int number) {}
