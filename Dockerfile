# One image, three commands: isthmus, envoy, and the demo API server (python -m servicecatalog).
#
# A folder `wheels` in the build context that fits the lock files (make wheels) stands in for a package registry.
# To pin the base to the byte: --build-arg BASE=debian@sha256:<digest>.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS base
# A base that has Python already is left as it is, so that it can be built on without a network.
RUN python3 -m ensurepip --version >/dev/null 2>&1 && test -d /etc/ssl/certs || { \
        apt-get update && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*; }

FROM base AS dependencies
WORKDIR /build
# The glob may match nothing; a plain name may not.
COPY requirements/bootstrap.txt requirements/runtime.txt wheel[s] wheels/
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_LINK_MODE=copy
# The Kubernetes client is a third of all modules, and only `isthmus up` and `isthmus sidecar --kubeconfig` import it.
RUN set -eu; \
    cd wheels; from=; \
    if sha256sum --check --status complete 2>/dev/null; then from='--no-index --find-links .'; fi; \
    python3 -m venv /build/tools; \
    /build/tools/bin/pip install --quiet --require-hashes $from -r bootstrap.txt; \
    python3 -m venv --without-pip /opt/python; \
    /build/tools/bin/uv pip install --quiet --python /opt/python/bin/python --require-hashes $from -r runtime.txt; \
    python3 -m compileall -q -j 0 -x /kubernetes/ /opt/python

FROM dependencies AS isthmus
COPY pyproject.toml README.md LICENSE ./
COPY envoy envoy
COPY controlplane controlplane
RUN tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/uv pip install --quiet --python /opt/python/bin/python --target /opt/isthmus --no-index --no-deps \
        dist/*.whl
COPY examples/servicecatalog/servicecatalog /opt/isthmus/servicecatalog
COPY deploy/compose/healthy.py /opt/isthmus/
RUN python3 -m compileall -q /opt/isthmus

FROM base
# Two layers, so that a change of Isthmus alone leaves the large one as it is.
COPY --from=dependencies /opt/python /opt/python
COPY --from=isthmus /opt/isthmus /opt/isthmus
ENV PATH=/opt/isthmus/bin:/opt/python/bin:$PATH PYTHONPATH=/opt/isthmus PYTHONDONTWRITEBYTECODE=1
# An empty volume takes over the owner of the folder it is mounted on. By the link commands find the settings themselves.
RUN cd /var/lib && mkdir -p isthmus/control-plane isthmus/envoy isthmus/servicecatalog isthmus/store /run/isthmus \
    && chmod 0700 isthmus isthmus/store /run/isthmus && chown -R 65532:65532 isthmus /run/isthmus \
    && ln -s /etc/isthmus isthmus/.isthmus
USER 65532:65532
WORKDIR /var/lib/isthmus
CMD ["isthmus", "--help"]
