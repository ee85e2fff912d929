"""Results can be made again on any laptop: evaluate, report, compare and power run where torch cannot be imported."""

import subprocess
import sys

from fake_study import write_fake_study

SCRIPT = """
import sys
from pathlib import Path

for name in ("torch", "torchvision", "timm"):
    sys.modules[name] = None  # importing it fails from now on
try:
    import torch
except ImportError:
    pass
else:
    raise SystemExit("the bar does not hold")

from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.power import power
from cxrbench.evaluate.predictions import compare_files
from cxrbench.report import write_report

study = Path(sys.argv[1])
evaluate_study(study)
write_report(study)
runs = [study / "runs" / name / "resample-1" / "seed-0" / "predictions-test.parquet" for name in ("ft", "ft-meta")]
compare_files(runs, study / "table.parquet", study / "compared")
power(study / "table.parquet")
"""


def test_everything_after_training_runs_without_torch(tmp_path):
    study = write_fake_study(
        tmp_path / "study", patients=80, findings=("Effusion", "Infiltration", "Mass", "No Finding")
    )
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(study)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (study / "report" / "index.html").is_file()
    assert (study / "compared" / "comparison.csv").is_file()
