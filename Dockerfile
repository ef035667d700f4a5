# Wherry: every service and every command. `docker build -t wherry .`, then `docker run --rm wherry check --help`.
# Target servers newer than 17 need newer client programs: --build-arg DEBIAN=forky-slim --build-arg POSTGRES_CLIENT=18
ARG DEBIAN=trixie-slim

# Maven artifacts that were downloaded before, none by default: --build-context artifacts=$HOME/.m2/repository
FROM scratch AS artifacts
WORKDIR /repository

FROM debian:bookworm-slim AS build
# Slim images lack the folder of manual pages, into which the JDK's package sets links.
RUN mkdir -p /usr/share/man/man1 && apt-get update -q \
 && apt-get install -q -y --no-install-recommends openjdk-17-jdk-headless maven
RUN jlink --add-modules java.se,jdk.charsets,jdk.crypto.ec,jdk.httpserver,jdk.jcmd,jdk.management,jdk.naming.dns,jdk.net,jdk.security.auth,jdk.security.jgss,jdk.unsupported,jdk.zipfs \
      --no-header-files --no-man-pages --strip-java-debug-attributes --compress 1 --output /jre \
 && /jre/bin/java -Xshare:dump
WORKDIR /wherry
COPY pom.xml ./
COPY .mvn .mvn
COPY contract contract
COPY source-connector source-connector
COPY sink-applier sink-applier
COPY cutover-coordinator cutover-coordinator
COPY embedded embedded
COPY cli cli
COPY rehearsal rehearsal
ARG MAVEN_FLAGS=
RUN --mount=type=bind,from=artifacts,target=/root/.m2/repository,rw \
    mvn -q -B package -Dmaven.test.skip=true -Dspotless.check.skip=true $MAVEN_FLAGS
# One copy of the libraries for both jars.
RUN mkdir -p /opt/wherry/cli/target /opt/wherry/rehearsal/target \
 && mv cli/target/lib cli/target/cli-*.jar /opt/wherry/cli/target/ \
 && mv rehearsal/target/rehearsal-*.jar /opt/wherry/rehearsal/target/ \
 && ln -s ../../cli/target/lib /opt/wherry/rehearsal/target/lib \
 && ln -s ../cli-0.1.0-SNAPSHOT.jar /opt/wherry/cli/target/lib/
COPY wherry /opt/wherry/wherry
# Classes as the JVM keeps them in memory: a command starts in half the time. The servers of this file do not exist.
RUN printf '%s\n' 'name: classes' \
      'source: {url: "jdbc:postgresql://127.0.0.1:1/none", user: none, password: none}' \
      'target: {url: "jdbc:postgresql://127.0.0.1:1/none", user: none, password: none}' \
      'kafka: {bootstrap.servers: "127.0.0.1:1", request.timeout.ms: 1000, default.api.timeout.ms: 1000}' \
      'registry: {url: "http://127.0.0.1:1"}' > /tmp/classes.yaml \
 && (PATH=/jre/bin:$PATH WHERRY_JAVA_OPTS="-Xmx512m -XX:ArchiveClassesAtExit=/opt/wherry/cli/target/cli-0.1.0-SNAPSHOT.jsa" \
      /opt/wherry/wherry check -f /tmp/classes.yaml || true) && test -s /opt/wherry/cli/target/cli-0.1.0-SNAPSHOT.jsa

FROM debian:${DEBIAN}
ARG POSTGRES_CLIENT=17
# The client programs without Debian's wrapper scripts, which would bring Perl.
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends libpq5 libreadline8t64 liblz4-1 libzstd1 zlib1g \
 && cd /tmp && apt-get download postgresql-client-${POSTGRES_CLIENT} && dpkg --unpack --force-depends postgresql-client-*.deb \
 && ln -s /usr/lib/postgresql/${POSTGRES_CLIENT}/bin/* /usr/local/bin/ \
 && rm -rf /tmp/*.deb /var/lib/apt/lists/* /var/cache/apt /usr/share/doc /usr/share/man \
 && useradd --uid 10001 --home-dir /var/lib/wherry --shell /usr/sbin/nologin wherry \
 && mkdir -p /var/lib/wherry/data /var/lib/wherry/pooler && chown -R wherry /var/lib/wherry
COPY --from=build /jre /opt/jre
COPY --from=build /opt/wherry /opt/wherry
RUN ln -s /opt/wherry/wherry /usr/local/bin/wherry
ENV PATH=/opt/jre/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8
USER wherry
# Relative names (-f m.yaml, data/) are those of this directory.
WORKDIR /var/lib/wherry
VOLUME /var/lib/wherry/data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["wherry", "health"]
ENTRYPOINT ["wherry"]
CMD ["help"]
