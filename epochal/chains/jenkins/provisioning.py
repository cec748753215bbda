"""Create, update and delete Epochal's jobs and view in Jenkins. Those that are up to date are not touched."""

from collections.abc import Collection
from typing import Literal

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.comparison import (
    add_seal,
    description_with_seal,
    differences,
    digest,
    missing_classes,
    read_seal,
)
from epochal.chains.jenkins.definitions import Definition, job_names, render
from epochal.chains.jenkins.plugins import MIN_VERSION, pinned_plugins, version_key
from epochal.records import Log
from epochal.settings import ServerSettings

NOT_OWN = "not created by Epochal"
_CHANGED_BY_OTHERS = "changed outside Epochal"


def apply(client: JenkinsClient, settings: ServerSettings, without: Collection[str], log: Log) -> int:
    """Create or update the jobs and the view, and return how many of them changed.

    ``without`` names plugins that the jobs should not use. Raises JenkinsError before any change if Jenkins is too old
    or lacks plugins. Also raises it, but keeps the changes made so far, if Jenkins has a job or view of the same name
    that Epochal did not create, or if Jenkins drops part of a definition.
    """
    definitions = render(settings, without)
    require_usable_jenkins(client, definitions)
    changed = 0
    for definition in definitions:
        outcome = _apply_definition(client, definition)
        changed += outcome != "unchanged"
        log(f"{definition.kind} {definition.name}: {outcome}")
    log(f"{changed} changed" if changed else "nothing to change: everything is up to date")
    return changed


def preview(client: JenkinsClient, settings: ServerSettings, without: Collection[str], log: Log) -> int:
    """Log the changes that ``apply`` would make, as a diff, and return how many jobs and views would change.

    Raises JenkinsError if Jenkins is too old, lacks plugins, or has a job or view that ``apply`` would not overwrite.
    """
    definitions = render(settings, without)
    require_usable_jenkins(client, definitions)
    changed = 0
    for definition in definitions:
        current = client.config(definition.kind, definition.name)
        state = compare_definition(definition, current)
        changed += state != "unchanged"
        log(f"{definition.kind} {definition.name}: {state}")
        _require_own(client, definition, current)
        for difference in differences(definition.xml, current or "<none/>") if state != "unchanged" else ():
            log(str(difference))
    log("dry run: nothing was changed")
    return changed


def delete(client: JenkinsClient, settings: ServerSettings, log: Log) -> None:
    """Delete the jobs and the view, except any that Epochal did not create."""
    view = f"{settings.jenkins.prefix}Epochal"
    for name in [view, *job_names(settings)]:
        kind: Literal["job", "view"] = "view" if name == view else "job"
        config = client.config(kind, name)
        if config is None:
            log(f"{kind} {name}: does not exist")
        elif read_seal(config) is None:
            log(f"{kind} {name}: left alone, because Epochal did not create it")
        else:
            (client.delete_view if kind == "view" else client.delete_job)(name)
            log(f"{kind} {name}: deleted")


def compare_definition(definition: Definition, current: str | None) -> str:
    """Return how a definition compares with the one in Jenkins, worded for the user: for example, ``unchanged``.

    ``current`` is the config.xml in Jenkins, or None if Jenkins has no job or view with the definition's name.
    """
    if current is None:
        return "missing"
    seal = read_seal(current)
    if seal is None:
        return NOT_OWN
    if seal.rendered != digest(definition.xml):
        return "changed"
    return "unchanged" if seal.stored == digest(current) else _CHANGED_BY_OTHERS


def require_usable_jenkins(client: JenkinsClient, definitions: list[Definition]) -> None:
    """Raise JenkinsError if Jenkins is too old or lacks a plugin that the definitions use.

    If Jenkins lacked a plugin, it would silently drop the plugin's elements from the definitions.
    """
    version = client.version()
    if version_key(version) < version_key(MIN_VERSION):
        raise JenkinsError(f"{client.url} runs Jenkins {version}; Epochal needs {MIN_VERSION} or newer.")
    missing = missing_plugins(client, definitions)
    if missing:
        listed = "\n".join(f"  {plugin}:{version}" for plugin, version in missing)
        raise JenkinsError(
            f"{client.url} would silently drop parts of the jobs, because it lacks these plugins:\n{listed}\n"
            "Install them (jenkins-plugin-cli --plugins NAME:VERSION, or Manage Jenkins > Plugins), or leave them out: "
            "epochal jenkins apply --without NAME."
        )


def missing_plugins(client: JenkinsClient, definitions: list[Definition]) -> list[tuple[str, str]]:
    """Return the plugins that the definitions use but Jenkins lacks, each with the version to install."""
    installed, pinned = client.plugins(), pinned_plugins()
    used = set().union(*(definition.plugins for definition in definitions))
    return [(plugin, pinned[plugin]) for plugin in sorted(used) if plugin not in installed]


def _apply_definition(client: JenkinsClient, definition: Definition) -> str:
    kind, name = definition.kind, definition.name
    current = client.config(kind, name)
    state = compare_definition(definition, current)
    if state == "unchanged":
        return state
    _require_own(client, definition, current)
    if kind == "job":
        write = client.create_job if current is None else client.reconfig_job
    else:
        write = client.create_view if current is None else client.reconfig_view
    write(name, add_seal(definition.xml))
    stored = client.config(kind, name)
    if stored is None:
        raise JenkinsError(f"{client.url} accepted the {kind} {name}, but did not store it.")
    if dropped := missing_classes(definition.xml, stored):
        raise JenkinsError(
            f"{client.url} dropped parts of the {kind} {name}: {', '.join(dropped)}. "
            "Check that their plugins are installed and enabled."
        )
    _store_seal(client, definition, digest(stored))
    if current is None:
        return "created"
    return f"{state}, restored" if state == _CHANGED_BY_OTHERS else state


def _require_own(client: JenkinsClient, definition: Definition, current: str | None) -> None:
    """Raise JenkinsError if the job or view in Jenkins with the definition's name was not created by Epochal.

    ``current`` is its config.xml, or None if Jenkins has no such job or view.
    """
    if current is not None and read_seal(current) is None:
        raise JenkinsError(
            f"{client.url} has a {definition.kind} named {definition.name} that Epochal did not create. Rename or "
            "delete it, or set [jenkins] prefix in server.toml."
        )


def _store_seal(client: JenkinsClient, definition: Definition, stored: str) -> None:
    if definition.kind == "view":
        client.reconfig_view(definition.name, add_seal(definition.xml, stored))
        return
    client.describe_job(definition.name, description_with_seal(definition.xml, stored))
    # Jenkins may have added defaults when it saved the description. Seal again, or they would count as a change.
    now = digest(client.config("job", definition.name) or "<none/>")
    if now != stored:
        client.describe_job(definition.name, description_with_seal(definition.xml, now))
