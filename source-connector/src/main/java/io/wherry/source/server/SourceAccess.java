package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;

/**
 * How one term reaches the source.
 *
 * @param sessions are aborted when the term ends
 * @param locks report what waits for a lock on a table
 */
public record SourceAccess(CaptureGroup group, OpenSessions sessions, TableLocks locks) {}
