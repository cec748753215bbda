# The training image of one framework: `docker build --build-arg FRAMEWORK=torch .`
#
# An image trains the code that is mounted at /train. The pins of a framework are in requirements/<name>.txt, which the
# process runtime reads too. The build context may also have:
#   requirements.txt   what else the code needs; its versions replace those of the pins
#   ca-bundle.pem      certificates to trust while building; with --build-arg PIP_CERT=/opt/epochal/ca-bundle.pem
# BASE_IMAGE is Debian or derived from it, with python3 (3.11 to 3.13) and its venv module. PACKAGES=any allows source code
# to run while requirements.txt is installed. TORCH_INDEX is PyTorch's index of wheels (cpu, cu130, …), or pypi.
ARG BASE_IMAGE=python:3.12-slim-bookworm

# The packages go into a virtual environment, because Debian's Python refuses to install any (PEP 668). The pattern in a COPY
# matches a file that may be missing.
FROM ${BASE_IMAGE} AS base
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG PIP_CERT
COPY epochal/runtimes/resolve.py ca-bundle.pe[m] /opt/epochal/
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv==0.13.9 && /opt/uv/bin/uv venv /opt/venv
# LightGBM needs this library of the system.
ARG FRAMEWORK=keras
RUN case $FRAMEWORK in lightgbm | xgboost) apt-get update -qq && apt-get install -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* ;; esac

# The versions of all packages are chosen before any is installed.
FROM base AS resolved
ARG FRAMEWORK=keras PACKAGES=wheels TORCH_INDEX=cpu PIP_CERT
COPY requirements/${FRAMEWORK}.* requirements.tx[t] /opt/epochal/
RUN [ $TORCH_INDEX = pypi ] || export UV_TORCH_BACKEND=$TORCH_INDEX; \
    ${PIP_CERT:+env SSL_CERT_FILE=$PIP_CERT} python -I /opt/epochal/resolve.py /opt/uv/bin/uv $FRAMEWORK $PACKAGES /opt/epochal

# Images of a framework share the layer with the pins, unless requirements.txt replaces some of them.
FROM base
ARG PACKAGES=wheels TORCH_INDEX=cpu PIP_CERT
COPY --from=resolved /opt/epochal/shared.txt /opt/epochal/
RUN [ $TORCH_INDEX = pypi ] || export UV_TORCH_BACKEND=$TORCH_INDEX; \
    ${PIP_CERT:+env SSL_CERT_FILE=$PIP_CERT} /opt/uv/bin/uv pip install --python /opt/venv --no-cache --compile-bytecode \
    --no-deps --only-binary :all: -r /opt/epochal/shared.txt
COPY --from=resolved /opt/epochal/packages.txt /opt/epochal/remarks.json /opt/epochal/requirements.tx[t] /opt/epochal/
RUN [ $TORCH_INDEX = pypi ] || export UV_TORCH_BACKEND=$TORCH_INDEX; \
    [ $PACKAGES = any ] || only="--only-binary :all:"; \
    ! grep -qs -e --hash /opt/epochal/requirements.txt || hashes="--constraints /opt/epochal/requirements.txt"; \
    ${PIP_CERT:+env SSL_CERT_FILE=$PIP_CERT} /opt/uv/bin/uv pip install --python /opt/venv --no-cache --compile-bytecode \
    --no-deps $only $hashes -r /opt/epochal/packages.txt

WORKDIR /train
# Errors are sent to standard output, because an engine that transports both separately mixes up their order.
ENTRYPOINT ["sh", "-c", "exec \"$@\" 2>&1", "sh"]
CMD ["python3", "/train/nn.py"]
