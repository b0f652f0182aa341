FROM python:3.11-slim-bookworm

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
# The package index that PyTorch names for its CPU builds saves gigabytes.
ARG TORCH_INDEX=

LABEL org.opencontainers.image.title="MRIderived" \
      org.opencontainers.image.description="A BIDS App: raw MRI to one table of MRI-derived measures" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"

# Any user, a read-only root, no HOME and no network: nothing is written outside the output and
# work folders, and nothing is fetched. A filled TemplateFlow folder may be mounted over this one;
# so may the weights for --anat-backend deepmriprep over /opt/deepmriprep (docs/usage.md).
ENV OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MKL_NUM_THREADS=1 \
    TEMPLATEFLOW_HOME=/opt/templateflow \
    TEMPLATEFLOW_AUTOUPDATE=off \
    MRIDERIVED_DEEPMRIPREP_MODELS=/opt/deepmriprep \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    MRIDERIVED_DOCKER_TAG=mriderived:${VERSION}

WORKDIR /opt/mriderived
COPY constraints.txt pyproject.toml README.md LICENSE CITATION.cff ./
COPY src ./src
COPY templates ./templates
COPY bids_validator_config ./bids_validator_config
# One layer, so that permissions do not store the packages twice. The packages of deepbet's window
# and of its post-processing are never imported.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX:+--index-url ${TORCH_INDEX}} torch \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt '.[validator]' \
    && /opt/venv/bin/pip uninstall --yes customtkinter darkdetect connected-components-3d fill-voids \
    && (/opt/venv/bin/python -m compileall -q /opt/venv/lib || echo 'some third-party tests do not compile') \
    && mkdir -p /opt/templateflow /opt/deepmriprep \
    && chmod -R a+rX /opt/venv /opt/templateflow /opt/deepmriprep \
    && echo "${VERSION}" > /version \
    && rm -rf src templates bids_validator_config

ENV PATH=/opt/venv/bin:$PATH
WORKDIR /tmp
ENTRYPOINT ["mriderived"]
