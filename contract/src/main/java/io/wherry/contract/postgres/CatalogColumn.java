package io.wherry.contract.postgres;

import io.wherry.contract.postgres.TableShape.TypeName;

/**
 * A column as the catalog has it.
 *
 * @param typeKind {@code typtype}: b = base, c = composite, d = domain, e = enum, r = range, m = multirange
 * @param elementOid element type of an array, else 0
 * @param variable whether the type has variable length, so that a value may be TOASTed
 * @param identityKind {@code a}lways, by {@code d}efault, or empty
 * @param definition type with its modifier, and the collation if it differs from the type's, as SQL text
 */
public record CatalogColumn(
        String name,
        TypeName type,
        char typeKind,
        long typeOid,
        long elementOid,
        boolean variable,
        boolean notNull,
        String identityKind,
        boolean generated,
        String definition) {}
