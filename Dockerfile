# The training image of one framework: `docker build --build-arg FRAMEWORK=torch .`
#
# An image trains the code that is mounted at /train. The pins of a framework are in requirements/<name>.txt, which the
# process runtime reads too. The build context may also have:
#   requirements.txt   what else the code needs
#   ca-bundle.pem      certificates to trust while building; with --build-arg PIP_CERT=/opt/epochal/ca-bundle.pem
# BASE_IMAGE is Debian or derived from it, with python3 (3.11 to 3.13) and its venv module.
ARG BASE_IMAGE=python:3.12-slim-bookworm

# The packages go into a virtual environment, because Debian's Python refuses to install any (PEP 668).
FROM ${BASE_IMAGE}
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /train
# Errors are sent to standard output, because an engine that transports both separately mixes up their order.
ENTRYPOINT ["sh", "-c", "exec \"$@\" 2>&1", "sh"]
CMD ["python3", "/train/nn.py"]

# The pattern in each COPY matches a file that may be missing. PIP_ONLY_BINARY is empty if the server allows source code to
# run while requirements.txt is installed.
ARG FRAMEWORK=keras
ARG PIP_CERT PIP_ONLY_BINARY=:all:
COPY requirements/${FRAMEWORK}.txt ca-bundle.pe[m] /opt/epochal/
RUN pip install --no-cache-dir --only-binary :all: -r "/opt/epochal/${FRAMEWORK}.txt"
COPY requirements/${FRAMEWORK}.txt requirements.tx[t] /opt/epochal/
RUN if [ -f /opt/epochal/requirements.txt ]; then pip install --no-cache-dir -r /opt/epochal/requirements.txt; fi
