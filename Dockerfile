# docker buildx build --platform linux/amd64,linux/arm64 … makes it for both: no package has code of a machine's own. For a build
# that can be repeated, pin the base: --build-arg BASE=node:24-slim@sha256:…
ARG BASE=node:24-slim

# Stage one: what the image holds, built, trimmed and started once. Nothing of npm's or the build's reaches the last stage.
FROM --platform=$TARGETPLATFORM $BASE AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Install scripts never run (T51). What is installed, with its licences, is told by sbom.cdx.json (CycloneDX).
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && npm sbom --omit=dev --sbom-format=cyclonedx --package-lock-only > sbom.cdx.json \
 && find node_modules -type d \( -name test -o -name tests -o -name docs -o -name examples -o -name benchmark -o -name benchmarks \
      -o -name .github \) -prune -exec rm -rf {} + \
 && find node_modules -type f ! -iname 'licen*' ! -iname 'notice*' ! -iname 'copying*' \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.md' \) -delete
COPY . .
# The compile cache: compiled code and TypeScript with its types taken out, so that a start reads instead of compiling, on a
# read-only root too. Node looks it up by its own version, the user's number and each file's path and text: hence the same
# base, user and paths as below. (Under another user number, as OpenShift gives one with group 0, Node fills a folder of its own beside it.) One real start in sandbox
# mode fills it, and proves that what was trimmed is not missed and that SIGTERM ends in exit 0; then what is imported late.
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/.cache
RUN rm package-lock.json && install -d -o node -g node .cache
USER 1000:1000
RUN export DATA_DIR="$(mktemp -d)" HOST=127.0.0.1 PORT=3000 && { node src/server.ts >/dev/null & } && server=$! \
 && node -e "setTimeout(() => process.exit(1), 30000); setInterval(() => fetch('http://127.0.0.1:3000/docs/').then(r => r.ok && process.exit(), () => {}), 100)" \
 && kill -TERM $server && wait $server && rm -rf "$DATA_DIR" \
 && node -e "Promise.all(['./src/sandbox/index.ts', './src/upstream/egress.ts', 'pg'].map(name => import(name)))"
USER root
# Group 0 may add to it; what is there stays root's, so the default user cannot change what it runs.
RUN chown -R root:root .cache && chmod -R a=rX .cache && chmod 1775 .cache

# Stage two: the base without npm, manuals and caches, which a server does not need; Debian's copyright files stay.
FROM --platform=$TARGETPLATFORM $BASE AS root
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /usr/local/share/doc /usr/local/share/man /opt/yarn* /usr/share/man /usr/share/info \
      /usr/share/locale /usr/share/lintian /var/lib/apt/lists/* /var/cache/* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn* /root/.npm \
 && find /usr/share/doc -type f ! -name copyright -delete \
# Group 0 as well: OpenShift runs images under any user number, in that group.
 && install -d -o node -g root -m 770 /data
# Owned by root: the server cannot change its own code. It writes to /data, and nothing else of the image has to be writable.
COPY --from=build /app /app

# One layer: what stage two deletes is not in it.
FROM scratch
COPY --from=root / /
ARG VERSION=dev
LABEL org.opencontainers.image.title="Switchboard" \
      org.opencontainers.image.description="One provider-neutral WhatsApp API in front of WATI and the WhatsApp Cloud API" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data NODE_COMPILE_CACHE=/app/.cache \
    MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
WORKDIR /app
# The user node, by number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 1000:1000
VOLUME /data
EXPOSE 3000
# /livez, not /readyz: whoever acts on "unhealthy" restarts the container (Swarm, autoheal), and a restart mends neither a
# database that is away nor a server that is closing. Proxies ask /readyz themselves. The port opens only once the store is
# open, so a first "healthy" also means ready.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const { HOST: host, PORT: port } = process.env; require('node:http').get({ host, port, path: '/livez' }, r => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# No shell and no npm in between: SIGTERM reaches node itself.
CMD ["node", "--max-old-space-size=1024", "--max-semi-space-size=8", "--heap-growing-percent=100", "src/server.ts"]
