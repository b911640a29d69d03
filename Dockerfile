# PostgreSQL with pgvector and itembank_embed, ONNX Runtime, and the default model: everything a search needs.
#   docker build -t itembank_embed .
#   docker build -t itembank_embed:gpu --build-arg ORT=gpu .
#   docker build -t itembank_embed:exporter --target exporter .    (makes model directories for the volume /models)
# `make image` builds it without Docker. Every version stands in dev/versions.env, but for the base images' here.
#
# Mirrors and registries of your own come as secrets, which leave nothing in the image:
#   --secret id=apt,src=apt.conf --secret id=pip,src=pip.conf --secret id=cargo,src=config.toml
#   --secret id=debian.sources,src=debian.sources   where apt.conf says so: Dir::Etc::SourceParts "/dev/null";
#                                                   Dir::Etc::SourceList "/etc/apt/secret.sources";
#   --secret id=ca,src=ca.crt                       whom cargo trusts; pip where its file says so: cert = /run/secrets/ca
ARG BASE_IMAGE=debian:trixie-slim
ARG RUST_IMAGE=rust:1.95-slim-trixie


# What Python is needed for. No source of the extension comes into these stages: a change of it fetches nothing.
FROM ${BASE_IMAGE} AS exporter
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/secret \
    --mount=type=secret,id=debian.sources,target=/etc/apt/secret.sources \
    apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 python3-venv && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV DEV_DIR=/build PYTHONDONTWRITEBYTECODE=1
COPY dev/versions.env dev/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    . dev/versions.env && python3 -m venv /build/venv && \
    /build/venv/bin/pip install --no-cache-dir --no-deps --only-binary :all: numpy==$PY_numpy onnx==$PY_onnx \
        ml_dtypes==$PY_ml_dtypes protobuf==$PY_protobuf typing_extensions==$PY_typing_extensions tokenizers==$PY_tokenizers
COPY models models
ENTRYPOINT ["/build/venv/bin/python", "models/export"]

FROM exporter AS model
COPY dev/lib.sh dev/model.sh dev/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    dev/model.sh multilingual-e5-small && rm -rf /build/downloads

FROM exporter AS runtime
ARG ORT=cpu
COPY docker/runtime.sh docker/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    docker/runtime.sh "$ORT" /runtime


FROM ${RUST_IMAGE} AS build
ARG PG=17
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/secret \
    --mount=type=secret,id=debian.sources,target=/etc/apt/secret.sources \
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential \
        ca-certificates clang libclang-dev libssl-dev pkg-config postgresql-server-dev-$PG python3 && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV DEV_DIR=/build PG_CONFIG=/usr/lib/postgresql/$PG/bin/pg_config
COPY dev/lib.sh dev/versions.env dev/cargo-pgrx.sh dev/
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=secret,id=cargo,target=/usr/local/cargo/config.toml --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -f /run/secrets/ca ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca; fi && \
    dev/cargo-pgrx.sh && \
    mkdir -p /build/pgrx/$PG && printf '[configs]\npg%s = "%s"\n' "$PG" "$PG_CONFIG" >/build/pgrx/$PG/config.toml
COPY Cargo.toml Cargo.lock itembank_embed.control ./
COPY dev/build.sh dev/postgres-choice.sh dev/
COPY packaging/third_party.py packaging/
COPY crates crates
COPY sql sql
COPY src src
# What cargo fetched and compiled stays in caches beside the image, so that an edit compiles only what it changed. cargo
# goes by the times of files, and the cache is that of all builds on this host: sources are new to it, whatever it has.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target,sharing=locked \
    --mount=type=secret,id=cargo,target=/usr/local/cargo/config.toml --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -f /run/secrets/ca ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca; fi && \
    find Cargo.toml itembank_embed.control crates sql src -type f -exec touch {} + && \
    dev/build.sh && \
    strip --strip-unneeded /usr/lib/postgresql/$PG/lib/itembank_embed.so /usr/lib/postgresql/$PG/lib/itembank-engine && \
    host=$(rustc -vV | sed -n 's/^host: //p') && cargo fetch --locked --target "$host" && \
    python3 packaging/third_party.py "pg$PG" "$host" >/build/THIRD-PARTY-LICENSES


FROM ${BASE_IMAGE}
ARG PG=17
# The number of the user is fixed, since volumes outlive images. The key is made by a package's installation: in an image
# it would be the same for all, and known to them.
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/secret \
    --mount=type=secret,id=debian.sources,target=/etc/apt/secret.sources \
    groupadd --system --gid 999 postgres && \
    useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres && \
    mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf && \
    apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        postgresql-$PG postgresql-$PG-pgvector tini && \
    rm -f /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log /var/cache/debconf/*-old && \
    install -d -o postgres -g postgres -m 0700 /var/lib/postgresql && install -d -m 0755 /models /docker-entrypoint-initdb.d
COPY --from=runtime /runtime/ /
RUN ldconfig
COPY --from=model /build/models/ /usr/share/postgresql/$PG/itembank_embed/models/
COPY docker/itembank_embed.conf /etc/itembank_embed/postgresql.conf
COPY docker/demo.sql /usr/share/itembank_embed/demo/
COPY tests/data/item_bank/ /usr/share/itembank_embed/demo/tests/data/item_bank/
COPY LICENSE packaging/debian/copyright /usr/share/doc/itembank_embed/
COPY --chmod=0755 docker/entrypoint.sh /usr/local/bin/itembank-entrypoint
COPY --from=build /build/THIRD-PARTY-LICENSES /usr/share/doc/itembank_embed/
COPY --from=build /usr/share/postgresql/$PG/extension/itembank_embed* /usr/share/postgresql/$PG/extension/
COPY --from=build /usr/lib/postgresql/$PG/lib/itembank_embed.so /usr/lib/postgresql/$PG/lib/itembank-engine \
    /usr/lib/postgresql/$PG/lib/

ENV PATH=/usr/lib/postgresql/$PG/bin:$PATH LANG=C.UTF-8 PGDATA=/var/lib/postgresql/$PG/data
# The NVIDIA container toolkit goes by these; without it they mean nothing.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
# Cargo.toml alone has it, and a label takes nothing from a file: `make image` hands it over, as --build-arg VERSION=… does.
ARG VERSION=unknown
LABEL org.opencontainers.image.title="itembank_embed" \
      org.opencontainers.image.description="PostgreSQL with embedding models inside: text and images in, pgvector vectors out" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0"
USER postgres
VOLUME ["/var/lib/postgresql", "/models"]
EXPOSE 5432
STOPSIGNAL SIGINT
# Through TCP, since while the first start fills the data directory a server listens on the socket alone; at the port
# that the server says it has.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --retries=3 \
    CMD ["sh", "-c", "pg_isready -q -h 127.0.0.1 -p \"$(sed -n 4p \"$PGDATA/postmaster.pid\" 2>/dev/null)\""]
ENTRYPOINT ["itembank-entrypoint"]
CMD ["postgres"]
