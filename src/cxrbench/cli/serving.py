"""Subcommand that puts bundles behind HTTP."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrbench.cli.bundles import AllowModule

if TYPE_CHECKING:
    from cxrbench.bundle import Bundle

TOKEN = "CXRBENCH_TOKEN"  # noqa: S105 - the variable's name


def serve(
    folders: Annotated[list[Path], typer.Argument(help="Folders of bundles; the first answers where none is named.")],
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own ask for a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help=f"File with the token that requests must bear (default: {TOKEN}, or none).")
    ] = None,
    max_upload_mb: Annotated[int, typer.Option(min=1, max=512, help="Of one request.")] = 64,
    max_pixels: Annotated[int, typer.Option(min=256, max=2**26, help="Of one film.")] = 2**26,
    time_limit: Annotated[int, typer.Option(min=1, help="Seconds for an upload, and for its answer.")] = 60,
    batch: Annotated[int, typer.Option(min=1, help="Films that the networks see together.")] = 16,
    batch_wait_ms: Annotated[float, typer.Option(min=0, max=1000, help="How long a film waits for others.")] = 5,
    queue: Annotated[int, typer.Option(min=1, help="Films that may wait; more are refused for the moment.")] = 64,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that decode (default: one per core).")] = None,
    backend: Annotated[str | None, typer.Option(help="What computes (default: as predict).")] = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an export of one of the bundles to compute with; may be repeated."),
    ] = None,
    allow_module: AllowModule = None,
) -> None:
    """Answer over HTTP, with a page for a person: findings, heat maps, warnings. Stops at Ctrl-C or SIGTERM."""
    from cxrbench.bundle import load_bundle
    from cxrbench.environment import usable_cores

    named = _named(folders)
    _need_packages()
    from cxrbench.serve import Server, ServeSettings, create_app

    settings = ServeSettings.model_validate(
        {
            "host": host,
            "port": port,
            "token": _token(token_file),
            "max_upload_mb": max_upload_mb,
            "max_pixels": max_pixels,
            "time_limit_s": time_limit,
            "batch": batch,
            "batch_wait_ms": batch_wait_ms,
            "queue": queue,
            "workers": workers or usable_cores(),
            "backend": backend,
        }
    )
    loaded = {name: load_bundle(folder, allowed_modules=allow_module or ()) for name, folder in named.items()}
    bundles = _with_exports(loaded, export or ())
    app = create_app(bundles, settings)
    server = Server(app, settings)
    for one in app.state.service.served.values():
        if one.explainer.obstacle:
            print(f"note: {one.name}: no heat maps: {one.explainer.obstacle}", file=sys.stderr)
    if not settings.is_loopback and settings.token is None:
        print(f"warning: {host} is open to others, and no token is asked for: use --token-file", file=sys.stderr)
    print(f"serving {', '.join(named)} at {server.url}", flush=True)
    server.run()


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    """Bundles by the names of their folders."""
    from cxrbench.errors import ConfigError

    named: dict[str, Path] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in named:
            raise ConfigError(f"{named[name]} and {folder} have the same name {name!r}; rename one of the folders")
        named[name] = folder
    return named


def _with_exports(bundles: "Mapping[str, Bundle]", folders: Sequence[Path]) -> "dict[str, Bundle]":
    """Give each export to the bundle that it was made from."""
    from cxrbench.errors import ConfigError
    from cxrbench.predict.exported import bundle_of, with_export

    result = dict(bundles)
    for folder in folders:
        names = [name for name, bundle in bundles.items() if bundle.digest == bundle_of(folder)]
        if not names:
            raise ConfigError(f"--export {folder}: was made from none of the bundles that are served")
        result |= {name: with_export(bundles[name], folder) for name in names}
    return result


def _token(path: Path | None) -> str | None:
    """The token of a file, else of the environment.

    Raises:
        ConfigError: The file is empty, or has a token that no header can bear.
    """
    from cxrbench.errors import ConfigError

    token = path.read_text(encoding="utf-8").strip() if path else os.environ.get(TOKEN, "").strip()
    if path and not token:
        raise ConfigError(f"{path} is empty; write a token into it, such as `openssl rand -hex 24` makes")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError(f"{path or TOKEN}: a token has no blanks and ASCII characters only")
    return token or None


def _need_packages() -> None:
    """Refuse early where the extra is not installed."""
    from importlib.util import find_spec

    from cxrbench.errors import ConfigError

    for package in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        if find_spec(package) is None:
            raise ConfigError(f"serving needs {package}: pip install 'cxrbench[serve]'")


COMMANDS = (serve,)
