"""Registering the webhook, through a stand-in for GitHub's REST API on loopback."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from epochal.errors import UsageError
from epochal.forges.github_api import register_webhook
from tests.gateway.loopback import SECRET, URL, served

_ADDRESS = "https://epochal.ngrok.app/webhook"
_TOKEN = "github_pat_right"


class GitHub:
    """A stand-in for api.github.com with one repository, ada/digits, and its webhooks.

    Its requirements and responses follow GitHub's "REST API endpoints for repository webhooks" (list, create, update)
    and "Troubleshooting the REST API". It never reveals a secret.
    """

    def __init__(self) -> None:
        self.hooks: list[dict[str, Any]] = []
        self.requests: list[str] = []

    def app(self) -> Starlette:
        """Return the API as a Starlette application."""
        path = "/repos/{owner}/{name}/hooks"
        routes = [
            Route(path, self._list, methods=["GET"]),
            Route(path, self._create, methods=["POST"]),
            Route(f"{path}/{{hook:int}}", self._update, methods=["PATCH"]),
        ]
        return Starlette(routes=routes)

    async def _list(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse([_hide_secret(hook) for hook in self.hooks])

    async def _create(self, request: Request) -> Response:
        content = await request.json()
        if refusal := self._refusal(request):
            return refusal
        if content["name"] != "web" or content["config"]["url"] in [hook["config"]["url"] for hook in self.hooks]:
            errors = [{"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}]
            return JSONResponse({"message": "Validation Failed", "errors": errors}, 422)
        self.hooks.append({"type": "Repository", "id": len(self.hooks) + 12345678, **content})
        return JSONResponse(_hide_secret(self.hooks[-1]), 201)

    async def _update(self, request: Request) -> Response:
        content = await request.json()
        hook = next(hook for hook in self.hooks if hook["id"] == request.path_params["hook"])
        hook |= content
        return self._refusal(request) or JSONResponse(_hide_secret(hook))

    def _refusal(self, request: Request) -> Response | None:
        self.requests.append(request.method)
        assert request.headers["Accept"] == "application/vnd.github+json"
        assert request.headers["X-GitHub-Api-Version"] == "2022-11-28"
        assert request.headers["User-Agent"], "GitHub refuses requests without one"
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if token == "github_pat_expired":
            return JSONResponse({"message": "Bad credentials"}, 401)
        if token == "github_pat_reader":
            return JSONResponse({"message": "Resource not accessible by personal access token"}, 403)
        if token == "github_pat_busy":
            return JSONResponse({"message": "API rate limit exceeded"}, 403, headers={"X-RateLimit-Remaining": "0"})
        if token == "github_pat_refused":
            return JSONResponse({"message": "Validation Failed", "errors": [{"message": "url is not supported"}]}, 422)
        if token == "github_pat_ill":
            return Response("<html>502</html>", 502)
        if token == "github_pat_renamed":
            return RedirectResponse("https://api.github.com/repositories/1/hooks", 301)
        if (request.path_params["owner"], request.path_params["name"]) != ("ada", "digits"):
            return JSONResponse({"message": "Not Found"}, 404)
        return None


def _hide_secret(hook: dict[str, Any]) -> dict[str, Any]:
    return hook | {"config": hook["config"] | ({"secret": "********"} if "secret" in hook["config"] else {})}


@pytest.fixture
def github() -> Iterator[tuple[GitHub, str]]:
    """Yield the stand-in and its address."""
    stand_in = GitHub()
    with served(stand_in.app()) as api:
        yield stand_in, api


@pytest.mark.parametrize("url", [URL, "git@github.com:ada/digits.git", "https://ada:password@github.com/ada/digits"])
def test_webhook_is_registered(github: tuple[GitHub, str], url: str) -> None:
    """GitHub will send signed JSON, for pushes only, and verify the certificate. A sentence reports the result."""
    stand_in, api = github
    assert register_webhook(url, _ADDRESS, SECRET, _TOKEN, api) == (
        f"GitHub now sends push events for ada/digits to {_ADDRESS}"
    )
    (hook,) = stand_in.hooks
    assert hook["config"].pop("url").partition("?")[0] == _ADDRESS
    assert hook["config"] == {"content_type": "json", "insecure_ssl": "0", "secret": SECRET.decode()}
    assert (hook["events"], hook["active"]) == (["push"], True)


def test_new_address_updates_the_webhook(github: tuple[GitHub, str]) -> None:
    """An ngrok address may change. The webhook gets the new one and the current secret; the old address is reported."""
    stand_in, api = github
    register_webhook(URL, "https://old.ngrok.app/webhook", b"the secret before this one", _TOKEN, api)
    assert "instead of https://old.ngrok.app/webhook" in register_webhook(URL, _ADDRESS, SECRET, _TOKEN, api)
    assert register_webhook(URL, _ADDRESS, SECRET, _TOKEN, api).startswith("GitHub already sends")
    (hook,) = stand_in.hooks
    assert hook["config"]["url"].startswith(_ADDRESS)
    assert hook["config"]["secret"] == SECRET.decode()
    assert stand_in.requests == ["GET", "POST", "GET", "PATCH", "GET", "PATCH"]


def test_webhooks_of_others_are_left_alone(github: tuple[GitHub, str]) -> None:
    """A webhook for another ngrok address is left alone, too. One added by hand for this address is updated."""
    stand_in, api = github
    other = {"id": 1, "name": "web", "events": ["push"], "config": {"url": "https://other.ngrok.app/webhook"}}
    own = {"id": 2, "name": "web", "events": ["*"], "config": {"url": _ADDRESS, "content_type": "form"}}
    stand_in.hooks = [json.loads(json.dumps(other)), {"id": 3, "name": "email", "config": {}}, own]
    register_webhook(URL, _ADDRESS, SECRET, _TOKEN, api)
    assert len(stand_in.hooks) == 3
    assert stand_in.hooks[0] == other
    assert stand_in.hooks[2]["events"] == ["push"]
    assert stand_in.hooks[2]["config"]["content_type"] == "json"


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("github_pat_expired", "401: .*Create a new token. GitHub says: Bad credentials."),
        ("github_pat_reader", r"403: .*Webhooks permission \(read and write\).*Resource not accessible"),
        ("github_pat_busy", "403: .*Try again later. GitHub says: API rate limit exceeded"),
        ("github_pat_refused", "422: .*GitHub says: url is not supported"),
        ("github_pat_ill", "502: try again later"),
        ("github_pat_renamed", "301: .*Run epochal watch with its new address"),
    ],
)
def test_refusal_is_reported_with_its_remedy(github: tuple[GitHub, str], token: str, complaint: str) -> None:
    """The message is one line with the repository, what to do, and what GitHub said. It does not contain the token."""
    with pytest.raises(UsageError, match=f"^The webhook for ada/digits was not registered. .*{complaint}") as error:
        register_webhook(URL, _ADDRESS, SECRET, token, github[1])
    assert token not in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_repository_is_reported(github: tuple[GitHub, str]) -> None:
    """GitHub also answers 404 if the token may not see the repository, so the message gives both causes."""
    with pytest.raises(
        UsageError, match="404: the repository does not exist, or the owner of EPOCHAL_GITHUB_TOKEN is not"
    ):
        register_webhook("https://github.com/eve/digits", _ADDRESS, SECRET, _TOKEN, github[1])


def test_unreachable_host_is_reported() -> None:
    """The message names the host, and does not contain the token."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(UsageError, match=f"{host} cannot be reached") as error:
        register_webhook(URL, _ADDRESS, SECRET, _TOKEN, f"http://{host}")
    assert _TOKEN not in str(error.value)


@pytest.mark.parametrize("url", ["https://gitlab.com/ada/digits", "/srv/git/digits.git", "https://github.com/ada"])
def test_repository_elsewhere_is_not_registered(github: tuple[GitHub, str], url: str) -> None:
    """The token is not sent anywhere."""
    assert "not a repository on github.com" in register_webhook(url, _ADDRESS, SECRET, _TOKEN, github[1])
    assert github[0].requests == []
