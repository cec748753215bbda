"""Register a repository's webhook through GitHub's REST API (see "REST API endpoints for repository webhooks")."""

from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from epochal.commit import identity
from epochal.errors import UsageError

API = "https://api.github.com"
_API_VERSION = "2022-11-28"
_TIMEOUT_SECONDS = 15.0
# Identifies a webhook that Epochal registered, even after a tunnel's address has changed; the gateway ignores the
# query string.
_MARKER = "registered-by=epochal"

_REMEDIES = {
    401: "EPOCHAL_GITHUB_TOKEN is not valid. Create a new token.",
    403: "EPOCHAL_GITHUB_TOKEN lacks the Webhooks permission (read and write); a classic token needs admin:repo_hook.",
    404: "the repository does not exist, or the owner of EPOCHAL_GITHUB_TOKEN is not one of its admins.",
    422: "the webhook was not accepted.",
    429: "too many requests were made with EPOCHAL_GITHUB_TOKEN. Try again later.",
}


def register_webhook(repository_url: str, address: str, secret: bytes, token: str, api: str = API) -> str:
    """Make GitHub send a repository's push events to ``address`` (https://…/webhook); return the outcome as a sentence.

    A webhook that already has this address, or that Epochal registered with another address, is updated, not
    duplicated. For a repository that is not on github.com, nothing is registered, and the sentence says so. Raises
    UsageError if GitHub cannot be reached or refuses the request.
    """
    host, _, name = identity(repository_url).partition("/")
    if host != "github.com" or name.count("/") != 1:
        return f"{host}/{name} is not a repository on github.com; add its webhook by hand"
    headers = {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": _API_VERSION,
        "User-Agent": "epochal",
        "Authorization": f"Bearer {token}",
    }
    # Always send the secret: GitHub does not reveal the old secret, and removes it if an update contains no secret.
    config = {"url": f"{address}?{_MARKER}", "content_type": "json", "insecure_ssl": "0", "secret": secret.decode()}
    hook = {"active": True, "events": ["push"], "config": config}
    with httpx.Client(base_url=api, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
        hooks = f"/repos/{quote(name)}/hooks"
        found = _find_webhook(_request(client, name, "GET", f"{hooks}?per_page=100"), address)
        if found is None:
            _request(client, name, "POST", hooks, {"name": "web", **hook})
            return f"GitHub now sends push events for {name} to {address}"
        _request(client, name, "PATCH", f"{hooks}/{int(found['id'])}", hook)
    before = _without_query(found["config"]["url"])
    if before == address:
        return f"GitHub already sends push events for {name} to {address}"
    return f"GitHub now sends push events for {name} to {address} instead of {before}"


def _find_webhook(hooks: Any, address: str) -> dict[str, Any] | None:
    """Return the webhook with this address, or else one that Epochal registered with another address, or else None."""
    known = [hook for hook in hooks if isinstance(hook.get("config", {}).get("url"), str)]
    same = [hook for hook in known if _without_query(hook["config"]["url"]) == address]
    marked = [hook for hook in known if _MARKER in hook["config"]["url"].partition("?")[2].split("&")]
    return next(iter(same + marked), None)


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _request(client: httpx.Client, name: str, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
    try:
        response = client.request(method, path, json=content)
    except httpx.HTTPError as error:
        host = urlsplit(str(client.base_url)).netloc
        raise UsageError(f"The webhook for {name} was not registered: {host} cannot be reached ({error}).") from None
    if not response.is_success:
        if response.is_redirect:
            why = "the repository was renamed or moved. Run epochal watch with its new address."
        else:
            limited = response.headers.get("X-RateLimit-Remaining") == "0"
            remedy = _REMEDIES.get(429 if limited else response.status_code, "try again later.")
            why = " ".join([remedy, *_error_messages(response)])
        raise UsageError(
            f"The webhook for {name} was not registered. GitHub responded with status {response.status_code}: {why}"
        )
    try:
        return response.json()
    except ValueError:
        raise UsageError(
            f"The webhook for {name} was not registered: the response from {client.base_url} is not JSON."
        ) from None


def _error_messages(response: httpx.Response) -> list[str]:
    """Return a sentence for each error in GitHub's response: ``message``, and those in ``errors`` (sent with status 422)."""
    try:
        content = response.json()
        parts = [content, *content.get("errors", [])]
        return [f"GitHub says: {item['message']}." for item in parts if isinstance(item, dict) and "message" in item]
    except (ValueError, AttributeError, TypeError):
        return []
