"""compose.yaml, jenkins/ and the Jenkinsfile: what their schemas cannot check."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from epochal.records import EXIT_STATUS, State
from epochal.settings import Environment
from epochal.settings.server import ServerSettings
from epochal.settings.toml import parse

_TOP = Path(__file__).parent.parent
_COMPOSE: dict[str, Any] = yaml.safe_load((_TOP / "compose.yaml").read_text(encoding="utf-8"))
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_DOCKERFILE = (_TOP / "jenkins/Dockerfile").read_text(encoding="utf-8")
_CASC: dict[str, Any] = yaml.safe_load((_TOP / "jenkins/casc.yaml").read_text(encoding="utf-8"))


def _read_plugins() -> set[str]:
    lines = (_TOP / "jenkins/plugins.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition(":")[0] for line in lines if not line.startswith("#")}


def test_names_in_compose_are_defined_and_used() -> None:
    """The services, volumes, secrets, configs and build targets in compose.yaml are checked."""
    for name, service in _SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(_SERVICES), name
        conditions = {other: each["condition"] for other, each in service.get("depends_on", {}).items()}
        checked = [other for other, condition in conditions.items() if condition == "service_healthy"]
        assert all("healthcheck" in _SERVICES[other] for other in checked), name
        if "build" in service:
            assert f" AS {service['build']['target']}\n" in _DOCKERFILE
    volumes = {each.partition(":")[0] for service in _SERVICES.values() for each in service.get("volumes", [])}
    assert volumes == set(_COMPOSE["volumes"])
    secrets = {each for service in _SERVICES.values() for each in service.get("secrets", [])}
    assert secrets == set(_COMPOSE["secrets"])
    configs = {each["source"] for service in _SERVICES.values() for each in service.get("configs", [])}
    assert configs == set(_COMPOSE["configs"])


def test_secrets_are_made(tmp_path: Path) -> None:
    """scripts/secrets creates each secret file that compose.yaml reads, in a folder that only its owner may enter.

    Running it again keeps the secrets. Another checkout gets different ones.
    """

    def make(folder: Path) -> dict[str, str]:
        shutil.copytree(_TOP / "scripts", folder / "scripts", dirs_exist_ok=True)
        subprocess.run([str(folder / "scripts/secrets")], check=True, stdout=subprocess.DEVNULL)
        return {path.name: path.read_text() for path in (folder / ".secrets").iterdir()}

    contents = make(tmp_path)
    assert {f".secrets/{name}" for name in contents} == {each["file"] for each in _COMPOSE["secrets"].values()}
    assert make(tmp_path) == contents
    others = make(tmp_path / "other")
    assert [name for name in contents if contents[name] == others[name]] == ["ngrok_authtoken"]  # empty
    assert (tmp_path / ".secrets").stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"11[0-9a-f]{32}\n", contents["jenkins_token"])  # like the tokens that Jenkins makes
    assert len(contents["webhook_secret"]) > 32


def test_host_is_not_exposed() -> None:
    """The host's engine is not mounted, ports are bound to loopback, and only the engine for training is privileged."""
    text = "".join(path.read_text(encoding="utf-8") for path in [_TOP / "compose.yaml", *(_TOP / "jenkins").iterdir()])
    assert "docker.sock" not in text
    for name, service in _SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service.get("privileged", False) == (name == "engine")
    assert "2375" not in text


def test_everything_is_pinned() -> None:
    """Every image has a tag with a version, and every plugin has a version."""
    images = [service["image"] for service in _SERVICES.values() if "image" in service]
    images += re.findall(
        r"^ARG \w*IMAGE=(\S+)$", _DOCKERFILE + (_TOP / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(images) >= 5
    assert all(re.search(r":v?\d+\.\d+|:\d+\.v", image) for image in images), images
    froms = re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
    assert all(each.startswith("${") for each in froms)
    lines = [line for line in (_TOP / "jenkins/plugins.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert all(re.fullmatch(r"[a-z0-9-]+:\d[\w.-]*", line) for line in lines)


def test_variables_and_settings_are_valid() -> None:
    """Each EPOCHAL_ variable is known, each _FILE variable names a secret of its service, and server.toml is valid."""
    for service in _SERVICES.values():
        variables = {
            name: str(value) for name, value in service.get("environment", {}).items() if name.startswith("EPOCHAL_")
        }
        secrets = service.get("secrets", [])
        for name, value in variables.items():
            assert not name.endswith("_FILE") or value.removeprefix("/run/secrets/") in secrets
        Environment.read({name: value for name, value in variables.items() if not name.endswith("_FILE")})
    import tomllib

    text = re.sub(r"\$\{(\w+)[^}]*\}", r"https://example.com/\1", _COMPOSE["configs"]["server"]["content"])
    settings = parse(tomllib.loads(text), ServerSettings, "compose.yaml")
    assert settings.chain == "jenkins"
    assert settings.jenkins.url == "http://controller:8080/"
    users = {user["id"] for user in _CASC["jenkins"]["securityRealm"]["local"]["users"]}
    assert settings.jenkins.user in users
    assert settings.jenkins.label == _CASC["jenkins"]["nodes"][0]["permanent"]["labelString"]


def test_controller_is_closed() -> None:
    """The controller runs no builds, refuses anonymous users, uses crumbs and WebSocket, and gets the secrets in casc.yaml."""
    jenkins = _CASC["jenkins"]
    assert (jenkins["numExecutors"], jenkins["slaveAgentPort"], jenkins["markupFormatter"]) == (0, -1, "plainText")
    assert "crumbIssuer" in jenkins
    users = [entry["user"]["name"] for entry in jenkins["authorizationStrategy"]["globalMatrix"]["entries"]]
    assert users == ["admin", "epochal"]
    assert jenkins["nodes"][0]["permanent"]["launcher"]["inbound"] == {"webSocket": True}
    text = (_TOP / "jenkins/casc.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{(\w+)\}", text))
    assert named <= set(_SERVICES["controller"]["secrets"])
    assert {"configuration-as-code", "matrix-auth", "workflow-aggregator"} <= _read_plugins()


def test_jenkinsfile_is_the_chain() -> None:
    """The Jenkinsfile's stages run the job scripts, and each exit status that is not an error is mapped to a result."""
    text = (_TOP / "Jenkinsfile").read_text(encoding="utf-8")
    scripts = re.findall(r"\$EPOCHAL_SCRIPTS/(\w+)\.sh", text)
    assert scripts == ["pull", "train", "retrain"]
    assert all(os.access(_TOP / f"scripts/{script}.sh", os.X_OK) for script in scripts)
    mapping = {int(status): result for status, result in re.findall(r"(\d): '(\w+)'", text)}
    assert mapping == {0: "SUCCESS", 3: "UNSTABLE", 4: "ABORTED", 5: "ABORTED"}
    assert {EXIT_STATUS[state] for state in (State.REACHED, State.EXHAUSTED, State.SUPERSEDED, State.CANCELLED)} == set(
        mapping
    )
    assert EXIT_STATUS[State.FAILED] not in mapping  # this and every other status is FAILURE
    assert "disableConcurrentBuilds" not in text
    assert "timestamper" in _read_plugins()


@pytest.mark.docker
def test_gateway_image_can_be_built(docker_host: str, tmp_path: Path) -> None:
    """Epochal is installed in the image and can be run by the image's user."""
    base, bundle = os.environ["EPOCHAL_BASE_IMAGE"], os.environ.get("EPOCHAL_CA_BUNDLE", "")
    context = tmp_path / "context"
    ignored = shutil.ignore_patterns(
        ".git", ".venv", ".cache", ".demo", "__pycache__", ".*_cache", ".hypothesis", ".secrets"
    )
    shutil.copytree(_TOP, context, ignore=ignored)
    arguments = ["--build-arg", f"PYTHON_IMAGE={base}"]
    if bundle:
        shutil.copy(bundle, context / "ca-bundle.pem")
        arguments += ["--build-arg", "PIP_CERT=/opt/ca/ca-bundle.pem"]
    (context / ".dockerignore").unlink()
    docker = ["/usr/bin/docker", "--host", docker_host]
    build = [*docker, "build", "--file", str(context / "jenkins/Dockerfile"), "--target", "gateway", *arguments]
    _run([*build, "--tag", "epochal-gateway:test", str(context)])
    run = [*docker, "run", "--rm", "--env", "EPOCHAL_HOME=/srv/epochal", "epochal-gateway:test"]
    assert "no runs yet" in _run([*run, "epochal", "history"])
    installed = "/opt/epochal/lib/python3*/site-packages/epochal/installed"
    assert "pull.yaml" in _run([*run, "sh", "-c", f"ls {installed}/jobs"])


def _run(command: list[str]) -> str:
    # Use the classic builder, because Debian's engine has no buildx.
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
