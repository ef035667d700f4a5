package io.wherry.coordinator.proof;

import io.wherry.coordinator.thread.Beside;
import java.sql.Connection;

/**
 * One session for each side in auto-commit mode, and the thread on which the source works while the caller's thread works on the
 * target.
 */
public record BothSides(Connection source, Connection target, Beside beside) {}
