# One recipe for every image: docker build --build-arg SERVICE=sink .
# SERVICE is ingest, analyzer, sink, thumbnailer, dashboard, or local-azure (the local Azure that compose runs).
# Docker's older builder can build it too, which is what `az acr build` and azd's remote builds run: no cache mounts,
# and each stage works for every SERVICE, since that builder makes them all.
ARG SERVICE

FROM python:3.12-slim-bookworm AS build
ARG UV_VERSION=0.13.9
ARG CYCLONEDX_VERSION=7.5.0
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
    "uv==${UV_VERSION}" "cyclonedx-bom==${CYCLONEDX_VERSION}"
ENV UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    UV_NO_DEV=1 \
    UV_PROJECT_ENVIRONMENT=/app \
    UV_PYTHON=/usr/local/bin/python3.12 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# The lock file and what the members declare come first: dependencies are fetched again only when these change.
COPY pyproject.toml uv.lock ./
COPY libs/heliograph/pyproject.toml libs/heliograph/
COPY services/ingest/pyproject.toml services/ingest/
COPY services/analyzer/pyproject.toml services/analyzer/
COPY services/sink/pyproject.toml services/sink/
COPY services/thumbnailer/pyproject.toml services/thumbnailer/
COPY services/dashboard/pyproject.toml services/dashboard/
COPY local/azure/pyproject.toml local/azure/
COPY local/stack/pyproject.toml local/stack/
ARG SERVICE
# Optional parts of a service, e.g. EXTRAS="--extra replay" for the measured data that ingest can replay.
ARG EXTRAS=""
RUN uv sync --frozen --no-editable --no-install-workspace --package "heliograph-${SERVICE}" ${EXTRAS}

# The dashboard's page; the other images have none.
FROM node:22-bookworm-slim AS page
WORKDIR /src/services/dashboard/frontend
COPY services/dashboard/frontend/package.json services/dashboard/frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY services/dashboard/frontend/ ./
RUN npm run build && npm sbom --sbom-format cyclonedx > ../src/dashboard/static/app/sbom.cdx.json

FROM build AS sources
COPY libs/ libs/

FROM sources AS sources-ingest
COPY services/ingest/ services/ingest/
FROM sources AS sources-analyzer
COPY services/analyzer/ services/analyzer/
FROM sources AS sources-sink
COPY services/sink/ services/sink/
FROM sources AS sources-thumbnailer
COPY services/thumbnailer/ services/thumbnailer/
FROM sources AS sources-dashboard
COPY services/dashboard/src/ services/dashboard/src/
COPY --from=page /src/services/dashboard/src/dashboard/static/app services/dashboard/src/dashboard/static/app
FROM sources AS sources-local-azure
COPY local/azure/ local/azure/

# hadolint ignore=DL3006
FROM sources-${SERVICE} AS installed
ARG SERVICE
ARG EXTRAS=""
RUN uv sync --frozen --no-editable --package "heliograph-${SERVICE}" ${EXTRAS} \
 && printf 'import runpy\n\nrunpy.run_module("%s", run_name="__main__", alter_sys=True)\n' "${SERVICE}" > /app/service.py \
 && cyclonedx-py environment --output-reproducible --of JSON -o /app/sbom.cdx.json /app

# Azurite comes from npm; taken here, so that the container needs no network.
RUN if [ "${SERVICE}" = local-azure ]; then \
      /app/bin/python -c "from pathlib import Path; from local_azure.azurite import install; install(Path('/app/azurite'))" \
      && chmod -R a+rX /app/azurite; \
    fi
COPY deploy/rootfs.py /rootfs.py
COPY deploy/healthy.py /app/healthy.py
RUN python3.12 /rootfs.py /image

# Nothing but the service: no shell, no package manager.
FROM scratch
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="heliograph-${SERVICE}" \
      org.opencontainers.image.description="Real-time monitoring of a country's solar plants: ${SERVICE}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=installed /image /
ENV LANG=C.UTF-8 \
    PATH=/app/bin:/usr/local/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-S", "/app/healthy.py", "8080", "/healthz"]
ENTRYPOINT ["python"]
CMD ["/app/service.py"]
