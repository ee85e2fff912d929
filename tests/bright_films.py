"""Films whose findings are bright halves, which every network learns in a few steps."""

from pathlib import Path

import cv2
import numpy as np

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def bright_release(folder: Path, *, patients: int = 30, side: int = 80, seed: int = 0) -> Path:
    """Write three films a patient in the layout of the NIH release: Effusion bright below, Mass above."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    lines, names = [HEADER], []
    for patient in range(1, patients + 1):
        sex, age = rng.choice(["F", "M"]), int(rng.integers(20, 90))
        for follow_up in range(3):
            has_effusion, has_mass = rng.random(2) < (0.5, 0.3)
            film = rng.normal(90, 20, (side, side))
            film[side // 2 :] += 60 * has_effusion
            film[: side // 3] += 60 * has_mass
            name = f"{patient:08d}_{follow_up:03d}.png"
            cv2.imwrite(str(folder / "images" / name), film.clip(0, 255).astype(np.uint8))
            found = [label for label, has in (("Effusion", has_effusion), ("Mass", has_mass)) if has]
            labels = "|".join(found) or "No Finding"
            view = rng.choice(["PA", "AP"])
            lines.append(f"{name},{labels},{follow_up},{patient},{age},{sex},{view},{side},{side},0.14,0.14")
            names.append(name)
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
    test_from = 3 * (patients * 4 // 5)
    (folder / "train_val_list.txt").write_text("\n".join(names[:test_from]) + "\n")
    (folder / "test_list.txt").write_text("\n".join(names[test_from:]) + "\n")
    return folder
