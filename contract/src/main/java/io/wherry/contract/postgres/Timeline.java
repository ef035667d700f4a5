package io.wherry.contract.postgres;

/**
 * The server and the history that an LSN belongs to. After a failover the same LSN may name another commit.
 *
 * @param system the server's system identifier
 * @param number of the timeline; every promotion of a standby starts another one
 */
public record Timeline(String system, int number) {}
