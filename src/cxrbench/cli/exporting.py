"""Subcommand that gives a bundle's networks to other runtimes."""

from pathlib import Path
from typing import Annotated

import typer

from cxrbench.cli.bundles import AllowModule, BundleFolder


def export(
    folder: BundleFolder,
    to: Annotated[str, typer.Option(help="What to write: onnx, openvino or openvino-int8.")],
    with_preprocessing: Annotated[
        bool,
        typer.Option(
            "--with-preprocessing", help="Take films' squares (uint8) and patients' ages, not prepared arrays."
        ),
    ] = False,
    study: Annotated[
        Path | None, typer.Option(help="The bundle's study: compare AUCs on its test films too; int8 needs it.")
    ] = None,
    max_auc_loss: Annotated[
        float, typer.Option(min=0, help="Refuse int8 whose mean AUC may be this much lower (end of the 95 % interval).")
    ] = 0.01,
    out: Annotated[
        Path | None, typer.Option(help="Folder (default: exports in the bundle, where predict finds it).")
    ] = None,
    allow_module: AllowModule = None,
) -> None:
    """Write a bundle's networks as ONNX or OpenVINO files; refused unless they give torch's logits."""
    from cxrbench.bundle import load_bundle
    from cxrbench.export import Exporting, export_bundle
    from cxrbench.predict.exported import as_form

    how = Exporting(form=as_form(to), has_preprocessing=with_preprocessing, study=study, max_auc_loss=max_auc_loss)
    written, record = export_bundle(load_bundle(folder, allowed_modules=allow_module or ()), how, out)
    for member in record.members:
        print(f"{written / member.files[0].file}: {member.films_checked} films within {member.largest_difference:.1e}")
        if member.auc:
            apart = max(abs(one.torch - one.exported) for one in member.auc)
            print(
                f"AUC of {len(member.auc)} findings on {member.auc[0].images:,} test films: at most {apart:.1e} apart"
            )
        if (loss := member.auc_loss) and loss.upper is not None:
            interval = f"{loss.lower:.4f} to {loss.upper:.4f}"
            print(f"mean AUC over {len(loss.findings)} findings: {loss.loss:.4f} lower than torch's ({interval})")
        for each in member.inputs:
            print(f"  {each.name}: {each.type} ({', '.join(map(str, each.shape))}): {each.meaning}")
    for notice in record.notices:
        print(f"note: {notice}")


COMMANDS = (export,)
