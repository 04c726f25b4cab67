# The worker with the open synthesis and simulation tools. After docker/worker.Dockerfile:
#   docker build -f docker/worker-open-tools.Dockerfile -t dovetail-worker-open-tools:0.1.0 .
ARG WORKER=dovetail-worker:0.1.0
FROM ${WORKER}
USER root
# Verilator makes C++ and compiles it.
RUN apt-get update \
 && apt-get install -y --no-install-recommends yosys verilator g++ make \
 && rm -rf /var/lib/apt/lists/*
USER 10002:10002
