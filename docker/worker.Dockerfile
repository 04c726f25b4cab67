# A worker that trains, evaluates and lowers; no synthesis tools. From the root of the tree:
#   docker build -f docker/worker.Dockerfile -t dovetail-worker:0.1.0 .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY deploy/install_packages deploy/packages.txt deploy/
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(deploy/install_packages --list build)
COPY . .
RUN cmake --preset release -DDOVETAIL_TESTS=OFF \
 && cmake --build build/release --target dovetail-worker \
 && strip build/release/bin/dovetail-worker

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      bubblewrap ca-certificates libabsl20220623 libgomp1 libgrpc++1.51 libonnx1 \
      libopenblas0-pthread libprometheus-cpp-core1.0 libprometheus-cpp-pull1.0 libprotobuf32 \
      libspdlog1.10 libssl3 libtorch1.13 libzstd1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10002 --no-create-home --shell /usr/sbin/nologin dovetail-worker \
 && install -d -o 10002 -g 10002 -m 0700 /work
# Networks other than chains of dense layers are trained by libtorch, in a module beside the worker.
COPY --from=build /src/build/release/bin/dovetail-worker \
                  /src/build/release/bin/dovetail-train-torch.so /usr/local/bin/
USER 10002:10002
VOLUME /work
EXPOSE 9101
ENTRYPOINT ["dovetail-worker"]
CMD ["--work-dir", "/work"]
