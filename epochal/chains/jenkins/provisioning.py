"""Making, changing and taking away the jobs and the view in any Jenkins; what is as it should be stays untouched."""

from collections.abc import Collection, Iterator

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.comparison import (
    differences,
    digest,
    lost,
    seal_of,
    sealed,
    sealed_description,
)
from epochal.chains.jenkins.definitions import Definition, job_names, render
from epochal.chains.jenkins.plugins import oldest_version, pinned_plugins, version_key
from epochal.records import Log
from epochal.settings import ServerSettings


def apply(client: JenkinsClient, settings: ServerSettings, left_out: Collection[str], log: Log) -> int:
    """Make Jenkins as the settings want it; returns how many jobs and views were changed.

    Raises JenkinsError before anything is touched where Jenkins is too old or lacks plugins, and after it where it lost
    a part of what it was given.
    """
    definitions = render(settings, left_out)
    refuse_unfit(client, definitions)
    changed = 0
    for definition in definitions:
        what = _apply(client, definition)
        changed += what != "unchanged"
        log(f"{definition.kind} {definition.name}: {what}")
    log(f"{changed} changed" if changed else "nothing to change: everything is as it should be")
    return changed


def preview(client: JenkinsClient, settings: ServerSettings, left_out: Collection[str], log: Log) -> int:
    """Tell what ``apply`` would change, as a diff; returns how many jobs and views."""
    definitions = render(settings, left_out)
    refuse_unfit(client, definitions)
    changed = 0
    for definition in definitions:
        there = _config(client, definition)
        state = _state(definition, there)
        changed += state != "unchanged"
        log(f"{definition.kind} {definition.name}: {state}")
        for difference in differences(definition.xml, there or "<none/>") if state != "unchanged" else ():
            log(str(difference))
    log("nothing was changed: this is what epochal jenkins apply would do")
    return changed


def delete(client: JenkinsClient, settings: ServerSettings, log: Log) -> None:
    """Take away the jobs and the view that ``apply`` made; what it did not make stays, whatever it is called."""
    names = [("view", f"{settings.jenkins.prefix}Epochal"), *(("job", name) for name in job_names(settings))]
    for kind, name in names:
        config = client.view_config(name) if kind == "view" else client.job_config(name)
        if config is None:
            log(f"{kind} {name}: not there")
        elif seal_of(config) is None:
            log(f"{kind} {name}: left alone, for Epochal did not make it")
        else:
            (client.delete_view if kind == "view" else client.delete_job)(name)
            log(f"{kind} {name}: deleted")


def states(client: JenkinsClient, definitions: list[Definition]) -> Iterator[tuple[Definition, str]]:
    """Each definition with ``unchanged``, ``missing``, or what is different about it."""
    for definition in definitions:
        yield definition, _state(definition, _config(client, definition))


def refuse_unfit(client: JenkinsClient, definitions: list[Definition]) -> None:
    """Raise JenkinsError where Jenkins is too old, or lacks a plugin, whose elements it would drop without a word."""
    version = client.version()
    if version_key(version) < version_key(oldest_version()):
        raise JenkinsError(f"{client.url} is Jenkins {version}; Epochal wants {oldest_version()} or newer.")
    missing = missing_plugins(client, definitions)
    if missing:
        listed = "\n".join(f"  {plugin}:{version}" for plugin, version in missing)
        raise JenkinsError(
            f"{client.url} lacks plugins that the jobs use, and would drop parts of them without a word:\n{listed}\n"
            "Install them (jenkins-plugin-cli --plugins NAME:VERSION, or Manage Jenkins, Plugins), or do without them: "
            "epochal jenkins apply --without NAME."
        )


def missing_plugins(client: JenkinsClient, definitions: list[Definition]) -> list[tuple[str, str]]:
    """The plugins that the definitions use and Jenkins does not have, each with the version that is wanted."""
    there, wanted = client.plugins(), pinned_plugins()
    used = set().union(*(definition.plugins for definition in definitions))
    return [(plugin, wanted[plugin]) for plugin in sorted(used) if plugin not in there]


def _apply(client: JenkinsClient, definition: Definition) -> str:
    there = _config(client, definition)
    state = _state(definition, there)
    if state == "unchanged":
        return state
    if there is not None and seal_of(there) is None:
        raise JenkinsError(
            f"{client.url} has a {definition.kind} {definition.name} that Epochal did not make. Rename or delete it, or "
            "set [jenkins] prefix in server.toml."
        )
    _write(client, definition, sealed(definition.xml), new=there is None)
    kept = _config(client, definition)
    if kept is None:
        raise JenkinsError(f"{client.url} took the {definition.kind} {definition.name}, but does not have it.")
    if dropped := lost(definition.xml, kept):
        raise JenkinsError(
            f"{client.url} lost parts of the {definition.kind} {definition.name}: {', '.join(dropped)}. "
            "Are the plugins installed and enabled?"
        )
    _seal(client, definition, digest(kept))
    return "made" if there is None else state


def _seal(client: JenkinsClient, definition: Definition, kept: str) -> None:
    if definition.kind == "job":
        client.describe_job(definition.name, sealed_description(definition.xml, kept))
    else:
        client.reconfig_view(definition.name, sealed(definition.xml, kept))
    # Saving it once more may have written defaults that were not in the file before: they are Jenkins' own doing.
    now = digest(_config(client, definition) or "<none/>")
    if now != kept and definition.kind == "job":
        client.describe_job(definition.name, sealed_description(definition.xml, now))


def _state(definition: Definition, there: str | None) -> str:
    if there is None:
        return "missing"
    seal = seal_of(there)
    if seal is None:
        return "not made by Epochal"
    if seal.rendered != digest(definition.xml):
        return "changed"
    return "unchanged" if seal.kept == digest(there) else "changed in Jenkins by somebody else, and set right"


def _config(client: JenkinsClient, definition: Definition) -> str | None:
    return (client.job_config if definition.kind == "job" else client.view_config)(definition.name)


def _write(client: JenkinsClient, definition: Definition, xml: str, *, new: bool) -> None:
    if definition.kind == "job":
        (client.create_job if new else client.reconfig_job)(definition.name, xml)
    else:
        (client.create_view if new else client.reconfig_view)(definition.name, xml)
