# syntax=docker/dockerfile:1
# A container of one file: nothing else is in it, no shell and no library. docs/container.md tells how it is used.

FROM rust:1.89-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /source
COPY . .
RUN cargo build --release --locked \
    && mkdir -p /image/data \
    && cp target/release/snugd /image/snugd

FROM scratch
COPY --from=build --chown=0:0 /image/snugd /snugd
COPY --from=build --chown=65532:65532 /image/data /data
# Any number that is not root's; a volume at /data is to be its own.
USER 65532:65532
ENV SNUGD_DATA=/data/snugd.db \
    SNUGD_MDNS=off
VOLUME /data
EXPOSE 5000 5001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/snugd", "healthcheck"]
ENTRYPOINT ["/snugd"]
