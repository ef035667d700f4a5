package io.wherry.coordinator.fence;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** Which roles can log in to which side after a cutover. The fence stays closed, and the operator manages the roles of the target. */
public final class Logins {
    private static final int SHOWN = 20;
    private static final String ROLES = """
            SELECT rolname, rolcanlogin, pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CONNECT')
              FROM pg_catalog.pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> current_user ORDER BY 1
            """;

    private Logins() {}

    private record Role(boolean login, boolean connect) {
        boolean enters() {
            return login && connect;
        }
    }

    /** @param fence that keeps the roles out of the source */
    public static List<String> read(Flow flow, Fence.Plan fence) throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "log-ins");
                Connection target = Sessions.open(flow.migration(), flow.to(), "log-ins")) {
            return lines(
                    roles(source),
                    roles(target),
                    fence,
                    new RoleMap(flow.migration().roleMap()),
                    flow.to().user(),
                    target.getCatalog());
        }
    }

    private static List<String> lines(
            Map<String, Role> source,
            Map<String, Role> target,
            Fence.Plan fence,
            RoleMap names,
            String own,
            String database) {
        TreeSet<String> out = new TreeSet<>(fence.roles());
        source.forEach((name, role) -> {
            if (role.login() && !role.connect()) {
                out.add(name);
            }
        });
        out.removeIf(name -> source.containsKey(name) && source.get(name).enters());
        List<String> still = source.keySet().stream()
                .filter(name -> source.get(name).enters())
                .toList();
        List<String> lines = new ArrayList<>();
        lines.add("source: closed to " + shown(out)
                + (still.isEmpty() ? "" : "; open to " + shown(still) + ", which must not write there any more"));
        List<String> enter = new ArrayList<>();
        List<String> remedies = new ArrayList<>();
        for (String name : out) {
            String there = names.role(name);
            Role role = target.get(there);
            String quoted = Identifiers.quote(there);
            if (there.equals(own) || role != null && role.enters()) {
                enter.add(there);
            } else if (role == null) {
                remedies.add("CREATE ROLE " + quoted + " LOGIN, with the grants it needs");
            } else {
                remedies.add(
                        role.login()
                                ? "GRANT CONNECT ON DATABASE " + Identifiers.quote(database) + " TO " + quoted
                                : "ALTER ROLE " + quoted + " LOGIN");
            }
        }
        lines.add("target: open to " + shown(enter));
        if (!remedies.isEmpty()) {
            lines.add("target: closed to other roles that could log in to the source; to let them in, on the target: "
                    + String.join("; ", remedies.stream().limit(SHOWN).toList())
                    + (remedies.size() > SHOWN ? "; and " + (remedies.size() - SHOWN) + " more" : ""));
        }
        return lines;
    }

    private static Map<String, Role> roles(Connection database) throws SQLException {
        Map<String, Role> roles = new LinkedHashMap<>();
        Queries.list(
                database, row -> roles.put(row.getString(1), new Role(row.getBoolean(2), row.getBoolean(3))), ROLES);
        return roles;
    }

    private static String shown(Iterable<String> names) {
        List<String> all = new ArrayList<>();
        names.forEach(all::add);
        if (all.isEmpty()) {
            return "no other role";
        }
        return String.join(", ", all.stream().limit(SHOWN).toList())
                + (all.size() > SHOWN ? " and " + (all.size() - SHOWN) + " more" : "");
    }
}
