"""Registering the webhook at GitHub ("REST API endpoints for repository webhooks" in GitHub's documentation)."""

from typing import Any
from urllib.parse import urlsplit

import httpx

from epochal.errors import UsageError
from epochal.payload import identity

API = "https://api.github.com"

_TIMEOUT_SECONDS = 20.0
_PATH = "/webhook"


def register_webhook(repository: str, address: str, secret: bytes, token: str, api: str = API) -> str:
    """Create the repository's webhook for ``address``, or update the one that Epochal made before; says what it did.

    Known again by its path ``/webhook``: an ngrok address is another one every time. Raises UsageError where GitHub refuses
    or does not answer.
    """
    host, _, name = identity(repository).partition("/")
    if host != "github.com":
        raise UsageError(f"{repository} is not at GitHub: enter {address} there by hand.")
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    wanted = {
        "active": True,
        "events": ["push"],
        "config": {"url": address, "content_type": "json", "insecure_ssl": "0", "secret": secret.decode("utf-8")},
    }
    with httpx.Client(base_url=api, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
        hooks = f"/repos/{name}/hooks"
        known = _request(client, "GET", f"{hooks}?per_page=100", name)
        mine = next((hook for hook in known if _is_ours(hook)), None)
        if mine is None:
            _request(client, "POST", hooks, name, wanted | {"name": "web"})
            return f"GitHub: {name} has a new webhook for {address}"
        _request(client, "PATCH", f"{hooks}/{mine['id']}", name, wanted)
        return f"GitHub: the webhook of {name} leads to {address} now"


def _is_ours(hook: dict[str, Any]) -> bool:
    return urlsplit(str(hook.get("config", {}).get("url", ""))).path == _PATH


_REFUSALS = {
    401: "the token is not valid: make a new one",
    403: "the token lacks the right to manage webhooks (admin:repo_hook, or Webhooks: write)",
    404: "there is no such repository, or the token may not see its webhooks",
    422: "GitHub does not accept the webhook as it is",
}


def _request(client: httpx.Client, method: str, path: str, name: str, content: dict[str, Any] | None = None) -> Any:
    try:
        answer = client.request(method, path, json=content)
    except httpx.HTTPError as error:
        raise UsageError(f"GitHub cannot be reached for {name}: {error}.") from None
    if answer.is_success:
        return answer.json()
    why = _REFUSALS.get(answer.status_code, "try again later")
    raise UsageError(f"GitHub answered {answer.status_code} for {name}: {why} (EPOCHAL_GITHUB_TOKEN).")
