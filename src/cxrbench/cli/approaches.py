"""Subcommand about approaches: which there are, what one says, and whether it can be made."""

from typing import Annotated

import typer

from cxrbench.errors import ConfigError


def approaches(
    action: Annotated[str, typer.Argument(help="'list' with a pattern, or 'show' with a name or file.")] = "list",
    name: Annotated[str | None, typer.Argument(help="Pattern such as 'large*', or the approach to show.")] = None,
) -> None:
    """List the packaged approaches, or show one as written and as it resolves."""
    from cxrbench import config

    if action == "list":
        _list_approaches(name or "*")
    elif action == "show" and name is not None:
        _show_approach(name)
    else:
        raise ConfigError(
            f"approaches {action} {name or ''}: give 'list', or 'show' and a name or a YAML file; "
            f"names: {', '.join(config.approach_names())}"
        )


def _list_approaches(pattern: str) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from cxrbench import config

    names = config.approach_names(pattern)
    if not names:
        raise ConfigError(f"no approach matches {pattern!r}; names: {', '.join(config.approach_names())}")
    listing = Table(Column("approach", no_wrap=True), "input", "weights", "trained", "what it is", box=None)
    for each in names:
        found = config.load_approach(each)
        size = f"{found.input.image_size} px x {found.input.channels}"
        listing.add_row(each, size, found.network.weights.name, found.recipe.trained_parts, found.summary)
    Console().print(listing)


def _show_approach(name: str) -> None:
    """Print an approach as written, then every value that it resolves to; refused unless its network can be built."""
    import yaml

    from cxrbench import config
    from cxrbench.study.pretraining import check_networks

    approach = config.load_approach(name)  # all is checked before anything is printed
    check_networks([approach])
    print(config.approach_text(name).rstrip())
    resolved = yaml.safe_dump(approach.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)
    print("\n# as resolved:")
    print("\n".join(f"# {line}" for line in resolved.rstrip().splitlines()))


COMMANDS = (approaches,)
