package io.wherry.contract.http;

import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * The host names that a request may be for.
 *
 * @param listening the host that the server listens on
 * @param names that requests beyond loopback may use, beside addresses
 */
record HostNames(String listening, List<String> names) {
    private static final Pattern LOOPBACK = Pattern.compile("localhost|127(\\.[0-9]{1,3}){3}|\\[::1]");
    private static final Pattern ADDRESS = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[[0-9a-fA-F:.%]+]");
    private static final Pattern PORT = Pattern.compile(":[0-9]{1,5}$");

    /**
     * Whether the request was meant for this server. Otherwise a web page could read everything here: its owner lets the page's
     * name resolve to this server's address (DNS rebinding), so that both have the same origin. The Host header holds the page's
     * name, and an address cannot be such a name. No page can make a browser send the Authorization header that changing calls
     * need, because this server answers no preflight.
     */
    boolean include(String header) {
        if (header == null) {
            return false;
        }
        String host = PORT.matcher(header).replaceFirst("").toLowerCase(Locale.ROOT);
        if (LOOPBACK.matcher(listening).matches()) {
            return LOOPBACK.matcher(host).matches();
        }
        return host.equals("localhost")
                || ADDRESS.matcher(host).matches()
                || host.equalsIgnoreCase(listening)
                || names.stream().anyMatch(host::equalsIgnoreCase);
    }
}
