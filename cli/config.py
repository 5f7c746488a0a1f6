"""`gnomon config`: show, check and explain the configuration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import ConfigFile, configure
from gnomon.cli.output import say

if TYPE_CHECKING:
    from gnomon.ioc.base.settings_list import Setting

app = typer.Typer(no_args_is_help=True, help="Show, check and explain the configuration of a server.")


@app.command()
def path(config: ConfigFile = None) -> None:
    """Print the file that the configuration is read from.

    For example `cp "$(gnomon config path)" my_ring.yaml` to start a configuration of your own.
    """
    from gnomon.cli.options import config_file

    typer.echo(config_file(config))


@app.command()
def show(
    config: ConfigFile = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Show only settings that differ from the default.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: values by key.")] = False,
) -> None:
    """Show all settings as a server would use them, and which of them differ from the default.

    For example `gnomon config show --config my_ring.yaml --changed`.
    """
    from gnomon.ioc.base.settings_list import as_text, list_settings

    wanted = [
        setting
        for setting in list_settings(configure(config))
        if not setting.is_part_of_item and (setting.changed or not changed)
    ]
    if as_json:
        import json

        typer.echo(json.dumps({setting.key: setting.value for setting in wanted}, ensure_ascii=False, indent=2))
        return
    for setting in wanted:
        mark = f"  # default: {as_text(setting.default)}" if setting.changed else ""
        typer.echo(f"{setting.key}: {as_text(setting.value)}{mark}")
    if not wanted:
        typer.echo("all settings have their default values", err=True)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Configuration files (YAML).")],
) -> None:
    """Check configuration files and the machine that each of them names; the first error is reported with its line.

    For example `gnomon config check my_ring.yaml`.
    """
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.ioc.base.settings_list import list_settings

    for file in files:
        settings = configure(file)
        found = find_machine(settings)
        changed = sum(setting.changed for setting in list_settings(settings))
        say(
            f"{file}: valid; role {settings.role}, machine {found.document.name}, "
            f"{len(pvs_of(found, settings.prefix))} PVs as {settings.prefix!r}...; "
            f"settings that differ from the default: {changed}"
        )


@app.command()
def explain(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key of a setting or section: `network.ca_port`, `guard`.")],
    config: ConfigFile = None,
) -> None:
    """Explain a setting, or all settings of a section: meaning, type, limits, default and present value.

    For example `gnomon config explain publish`.
    """
    from gnomon.ioc.base.config import ConfigError
    from gnomon.ioc.base.settings_list import list_settings
    from gnomon.lattice.near_names import near_names_hint

    settings = list_settings(configure(config))
    found = [s for s in settings if s.key == key or s.key.startswith(f"{key}.")]
    found = found or [s for s in settings if s.key.rpartition(".")[2] == key]
    if not found:
        names = {name for s in settings for name in (s.key, s.key.partition(".")[0], s.key.rpartition(".")[2])}
        hint = near_names_hint(key, sorted(names))
        raise ConfigError(f"no setting or section {key!r}{hint}; `gnomon config show` lists all settings")
    typer.echo("\n\n".join(_explained(setting) for setting in found))


def _explained(setting: "Setting") -> str:
    from gnomon.ioc.base.settings_list import as_text

    kind = f"{setting.type}, {setting.limits}" if setting.limits else setting.type
    lines = [setting.key, f"  {setting.description}", f"  type: {kind}", f"  default: {as_text(setting.default)}"]
    if setting.changed:
        lines.append(f"  value: {as_text(setting.value)}")
    return "\n".join(lines)
