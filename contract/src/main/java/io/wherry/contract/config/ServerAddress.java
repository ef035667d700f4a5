package io.wherry.contract.config;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.postgresql.Driver;

/**
 * The address in a JDBC URL. Read once, and given in its own form to each program that opens sessions.
 *
 * @param hosts names or addresses; IPv6 addresses in brackets
 * @param ports one for each host
 * @param database name as the server knows it; nothing is percent-encoded
 * @param parameters of the driver
 */
public record ServerAddress(List<String> hosts, List<String> ports, String database, Map<String, String> parameters) {
    private static final String SCHEME = "jdbc:postgresql://";
    private static final String SHAPE =
            "Write jdbc:postgresql://host:5432/database; in the database's name, percent-encode"
                    + " characters that have a meaning in a URL: %20 for a blank, %25 for %, %2B for +, %2F for /, %3F for ?";
    /** Parameters for how a server is reached and how its identity is checked; every other parameter changes what sessions do. */
    private static final Set<String> CARRIED = Set.of(
            "ssl",
            "sslmode",
            "sslrootcert",
            "sslcert",
            "sslkey",
            "sslpassword",
            "sslpasswordcallback",
            "sslNegotiation",
            "sslResponseTimeout",
            "sslfactory",
            "sslfactoryarg",
            "sslhostnameverifier",
            "pemKeyAlgorithm",
            "channelBinding",
            "requireAuth",
            "scramMaxIterations",
            "authenticationPluginClassName",
            "gssEncMode",
            "gsslib",
            "gssResponseTimeout",
            "gssUseDefaultCreds",
            "kerberosServerName",
            "jaasApplicationName",
            "jaasLogin",
            "useSpnego",
            "sspiServiceClass",
            "connectTimeout",
            "loginTimeout",
            "cancelSignalTimeout",
            "targetServerType",
            "hostRecheckSeconds",
            "loadBalanceHosts",
            "localSocketAddress",
            "logServerErrorDetail",
            "tcpNoDelay",
            "receiveBufferSize",
            "sendBufferSize");

    private static final Set<String> LOGIN = Set.of("user", "password");

    private static final Map<String, String> SAME_IN_LIBPQ = Map.of(
            "sslmode", "PGSSLMODE",
            "sslrootcert", "PGSSLROOTCERT",
            "sslcert", "PGSSLCERT",
            "sslkey", "PGSSLKEY",
            "sslNegotiation", "PGSSLNEGOTIATION",
            "channelBinding", "PGCHANNELBINDING",
            "requireAuth", "PGREQUIREAUTH",
            "gssEncMode", "PGGSSENCMODE",
            "kerberosServerName", "PGKRBSRVNAME",
            "connectTimeout", "PGCONNECT_TIMEOUT");

    private static final Map<String, String> SERVER_TYPES = Map.of(
            "primary",
            "read-write",
            "master",
            "read-write",
            "secondary",
            "any",
            "preferSecondary",
            "any",
            "any",
            "any");

    public ServerAddress {
        hosts = List.copyOf(hosts);
        ports = List.copyOf(ports);
        parameters = Map.copyOf(parameters);
    }

    /** Why a URL cannot be used. */
    public record Problem(String problem, String remedy) {}

    /** @throws IllegalArgumentException when {@link #problems} would reject the URL */
    public static ServerAddress of(String url) {
        return parse(url).orElseThrow(() -> new IllegalArgumentException("not a PostgreSQL JDBC URL"));
    }

    /** Why Wherry's sessions cannot use the URL; empty when they can. Shows no value of a parameter: it may be secret. */
    public static List<Problem> problems(String url) {
        Optional<ServerAddress> parsed = parse(url);
        if (parsed.isEmpty()) {
            return List.of(new Problem("is not a PostgreSQL JDBC URL", SHAPE));
        }
        List<Problem> problems = new ArrayList<>();
        ServerAddress address = parsed.get();
        if (address.database().isEmpty()) {
            problems.add(new Problem("names no database", SHAPE));
        }
        if (address.hosts().stream().anyMatch(ServerAddress::isSocket)) {
            problems.add(new Problem(
                    "names a unix socket, which Java cannot open",
                    "Name a host and a port; on the server's machine: localhost, with listen_addresses = 'localhost'"));
        }
        if (address.hosts().stream().anyMatch(host -> host.contains(":") && !host.startsWith("["))) {
            problems.add(
                    new Problem("names an IPv6 address without brackets", "Write jdbc:postgresql://[::1]:5432/db"));
        }
        if (address.parameters().containsKey("user") || address.parameters().containsKey("password")) {
            problems.add(new Problem("holds a login", "Put it into user and password, which are never shown"));
        }
        for (String name : new TreeSet<>(address.parameters().keySet())) {
            if (!CARRIED.contains(name) && !LOGIN.contains(name)) {
                problems.add(new Problem("sets " + name + ", " + reason(name), "Take " + name + " out of the URL"));
            }
        }
        return problems;
    }

    private static String reason(String parameter) {
        return switch (parameter) {
            case "options", "currentSchema" -> "which would replace the settings that keep values and names exact";
            case "ApplicationName" -> "which the cutover's fence uses to recognise Wherry's sessions";
            case "socketFactory", "socketFactoryArg" ->
                "which the client programs and Debezium cannot follow: sessions go by TCP, not by unix sockets";
            case "socketTimeout", "queryTimeout" ->
                "which would end each statement that takes longer, such as an index build;"
                        + " keep-alives detect a server that has vanished";
            case "tcpKeepAlive" -> "which is always on";
            case "service", "PGHOST", "PGPORT", "PGDBNAME" -> "which would replace the address in the URL";
            default -> "which Wherry's sessions set as they need it, or which some of them cannot use";
        };
    }

    private static boolean isSocket(String host) {
        return host.startsWith("/") || host.startsWith("@") || host.regionMatches(true, 0, "%2F", 0, 3);
    }

    private static Optional<ServerAddress> parse(String url) {
        int query = url.indexOf('?');
        String path = query < 0 ? url : url.substring(0, query);
        // Without the URL's parameters: one of them could replace the address.
        Properties parsed = url.startsWith(SCHEME) && path.indexOf('/', SCHEME.length()) >= 0
                ? Driver.parseURL(path, new Properties())
                : null;
        if (parsed == null) {
            return Optional.empty();
        }
        List<String> hosts = new ArrayList<>();
        for (String host : parsed.getProperty("PGHOST").split(",", -1)) {
            // The driver and libpq use different defaults for a missing host.
            hosts.add(host.isEmpty() ? "localhost" : host);
        }
        return Optional.of(new ServerAddress(
                hosts,
                List.of(parsed.getProperty("PGPORT").split(",")),
                parsed.getProperty("PGDBNAME", ""),
                parameters(query < 0 ? "" : url.substring(query + 1))));
    }

    private static Map<String, String> parameters(String query) {
        Map<String, String> parameters = new LinkedHashMap<>();
        for (String parameter : query.split("&")) {
            int equals = parameter.indexOf('=');
            if (!parameter.isEmpty()) {
                parameters.put(
                        equals < 0 ? parameter : parameter.substring(0, equals),
                        equals < 0 ? "" : decoded(parameter.substring(equals + 1)));
            }
        }
        return parameters;
    }

    private static String decoded(String value) {
        try {
            return URLDecoder.decode(value, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            // The parameter is not percent-encoded.
            return value;
        }
    }

    /** The URL of this address with another database. */
    public String url(String other) {
        StringBuilder url = new StringBuilder(SCHEME);
        for (int i = 0; i < hosts.size(); i++) {
            url.append(i == 0 ? "" : ",").append(hosts.get(i)).append(':').append(ports.get(i));
        }
        url.append('/').append(URLEncoder.encode(other, StandardCharsets.UTF_8));
        char separator = '?';
        for (Map.Entry<String, String> parameter : parameters.entrySet()) {
            url.append(separator)
                    .append(parameter.getKey())
                    .append('=')
                    .append(URLEncoder.encode(parameter.getValue(), StandardCharsets.UTF_8));
            separator = '&';
        }
        return url.toString();
    }

    /** The same address for libpq's environment. */
    public Map<String, String> environment() {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put(
                "PGHOST",
                String.join(
                        ",",
                        hosts.stream()
                                .map(host -> host.replaceAll("[\\[\\]]", ""))
                                .toList()));
        environment.put("PGPORT", String.join(",", ports));
        environment.put("PGDATABASE", database);
        if (parameters.containsKey("ssl") && !"false".equals(parameters.get("ssl"))) {
            environment.put("PGSSLMODE", "verify-full");
        }
        String type = SERVER_TYPES.get(parameters.getOrDefault("targetServerType", "any"));
        environment.put("PGTARGETSESSIONATTRS", type == null ? "any" : type);
        SAME_IN_LIBPQ.forEach((jdbc, libpq) -> {
            if (parameters.containsKey(jdbc)) {
                environment.put(libpq, parameters.get(jdbc));
            }
        });
        return environment;
    }
}
