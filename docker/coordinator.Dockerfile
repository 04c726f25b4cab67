# The coordinator. From the root of the tree:
#   docker build -f docker/coordinator.Dockerfile -t dovetail-coordinator:0.1.0 .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY deploy/install_packages deploy/packages.txt deploy/
# All but libtorch, which the coordinator never links.
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(deploy/install_packages --list build | grep -v torch)
COPY . .
RUN cmake --preset release -DDOVETAIL_TESTS=OFF -DDOVETAIL_WITH_TORCH=OFF \
 && cmake --build build/release --target dovetail-coordinator \
 && strip build/release/bin/dovetail-coordinator

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates libabsl20220623 libgomp1 libgrpc++1.51 libmuparser2v5 libnlopt0 libnlopt-cxx0 \
      libpqxx-6.4 libprometheus-cpp-core1.0 libprometheus-cpp-pull1.0 libprotobuf32 libspdlog1.10 \
      libssl3 libzstd1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin dovetail \
 && install -d -o 10001 -g 10001 -m 0700 /artifacts
COPY --from=build /src/build/release/bin/dovetail-coordinator /usr/local/bin/
USER 10001:10001
VOLUME /artifacts
EXPOSE 7070 9100
ENTRYPOINT ["dovetail-coordinator"]
