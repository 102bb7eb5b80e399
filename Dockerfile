# The rehearsal as an image: `docker run --rm -v "$PWD:/work" IMAGE run rollout_week3 --on local`. The locked packages are
# in it; what npm installs comes with the first run. `--on kind` needs a Docker engine, and is for a machine without this.
ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
FROM ${BASE} AS wheel
COPY . /source
RUN python3 -m pip wheel --quiet --no-deps --wheel-dir /wheel /source

FROM ${BASE}
RUN useradd --create-home --uid 10001 rehearsal && mkdir /work && chown rehearsal /work
COPY --from=wheel /wheel /wheel
RUN python3 -m venv /opt/tekutoko && /opt/tekutoko/bin/pip install --quiet --no-deps --no-index /wheel/*.whl
USER rehearsal
WORKDIR /work
RUN /opt/tekutoko/bin/tekutoko-rehearsal demo --quiet --reports /tmp/demo && rm -rf /tmp/demo
ENTRYPOINT ["/opt/tekutoko/bin/tekutoko-rehearsal"]
