# syntax=docker/dockerfile:1
# One image with the services: tracker, db-handler, notifier, api and follower. docker-compose.yml chooses which one a container runs.

FROM rust:1.95-bookworm AS builder
WORKDIR /src
COPY . .
# The caches keep downloaded crates and compiled dependencies from one build to the next. They are not part of the image,
# so the programs are copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p tracker -p db-handler -p notifier -p api -p follower \
    && install -D -t /out target/release/tracker target/release/db-handler target/release/notifier target/release/api \
        target/release/follower

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="crypto-tracker" \
      org.opencontainers.image.description="Records cryptocurrency markets: tracker, db-handler, notifier, api and follower" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# Certificates to recognise exchanges and mail servers by; curl for the health checks.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
# A volume mounted on /data takes over its owner, so that the tracker may write its queue there.
RUN groupadd --system --gid 10001 crypto \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin crypto \
    && install -d -o 10001 -g 10001 /data
COPY --from=builder /out/ /usr/local/bin/
USER 10001:10001
WORKDIR /data
ENV TRACKER_QUEUE_PATH=/data/tracker-queue.redb
CMD ["api"]
