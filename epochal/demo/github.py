"""A stand-in for GitHub: the post-receive hook of a bare repository, which sends the webhook that GitHub would send.

The headers, the signature and the JSON (the part of a push event that matters here) are like GitHub's; see GitHub's
"Webhook events and payloads" and "Validating webhook deliveries". For each updated reference, git writes a line
``<old> <new> <ref>`` to the hook's standard input.
"""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import httpx

from epochal.forges.github import sign
from epochal.settings import child_environment

_TIMEOUT_SECONDS = 10  # GitHub, too, waits this long for a response.


def push_event(repository: Path, old: str, new: str, reference: str) -> dict[str, object]:
    """Return the JSON that GitHub would send for a push of one reference to the bare ``repository``.

    ``old`` and ``new`` are commit hashes, all zeros for a reference that did not exist before or was deleted.
    """
    deleted = set(new) == {"0"}
    address = str(repository)
    return {
        "ref": reference,
        "before": old,
        "after": new,
        "created": set(old) == {"0"},
        "deleted": deleted,
        "forced": False,
        "base_ref": None,
        "compare": f"{address}/compare/{old[:12]}...{new[:12]}",
        "repository": {
            "id": 1,
            "name": repository.stem,
            "full_name": f"demo/{repository.stem}",
            "private": False,
            "html_url": address,
            "url": address,
            "clone_url": address,
            "git_url": address,
            "ssh_url": address,
            "default_branch": "main",
        },
        "pusher": {"name": "ada", "email": "ada@example.com"},
        "sender": {"login": "ada", "id": 1, "type": "User"},
        "commits": [],
        "head_commit": None if deleted else _head_commit(repository, new),
    }


def _head_commit(repository: Path, sha: str) -> dict[str, object]:
    form = "%an%x00%ae%x00%cI%x00%B"
    command = ["git", "-C", str(repository), "show", "--no-patch", f"--format={form}", sha]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment({}))
    name, email, timestamp, message = shown.stdout.split("\0", 3)
    author = {"name": name, "email": email, "username": "ada"}
    return {"id": sha, "message": message.strip(), "timestamp": timestamp, "author": author, "committer": author}


def deliver(address: str, secret: bytes, event: dict[str, object]) -> str:
    """Sign and POST an event; return the response as one line. Raises httpx.HTTPError if there is no response."""
    body = json.dumps(event).encode()
    headers = {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "Content-Type": "application/json",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": "push",
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature-256": sign(secret, body),
    }
    answer = httpx.post(address, content=body, headers=headers, timeout=_TIMEOUT_SECONDS)
    return f"webhook: {answer.status_code} {answer.text}"


def main() -> None:
    """Send a webhook for each updated reference that git lists on standard input, and print the responses.

    Usage: ``python -m epochal.demo.github REPOSITORY ADDRESS SECRET_FILE``.
    """
    repository, address, secret_file = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    secret = secret_file.read_text(encoding="ascii").strip().encode()
    for line in sys.stdin:
        old, new, reference = line.split()
        print(deliver(address, secret, push_event(repository, old, new, reference)))  # noqa: T201


if __name__ == "__main__":
    main()
