"""A member's network in torch: weights in, logits out."""

from pathlib import Path

import numpy as np
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.bundle.record import Member
from cxrbench.errors import BundleError, ConfigError
from cxrbench.models.classifier import WITHOUT_MEMORY, Classifier, described


class TorchNetwork:
    """One member's network; arrays in, logits out, in full single precision."""

    def __init__(self, classifier: Classifier, *, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.classifier = classifier.to(self.device).eval()

    @torch.inference_mode()
    def __call__(self, films: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Films (B, 1, H, W), grey values in 0..1, and features (B, F) -> logits (B, L) float32."""
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True):
            inputs = (torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in (films, features))
            logits: NDArray[np.float32] = self.classifier(*inputs).float().cpu().numpy()
        return logits


def load_classifier(member: Member, path: Path, *, findings: int) -> Classifier:
    """Return the member's network with its weights, in evaluation mode.

    Raises:
        BundleError: The file holds no weights, or those of another network, or the network cannot be built here.
    """
    try:
        weights = load_file(path)
        _check_sizes(member, weights, findings=findings)
        classifier = Classifier(member.approach, findings=findings).to(memory_format=torch.channels_last)
        classifier.load_state_dict(weights)
    except (safetensors.SafetensorError, RuntimeError, OSError) as error:
        said = " ".join(str(error).split())[:160]
        raise BundleError(f"{path}: not the weights of approach {member.run.approach} ({said})") from None
    except ConfigError as error:
        raise BundleError(f"{path}: the network of approach {member.run.approach} cannot be built: {error}") from None
    return classifier.eval()


def _check_sizes(member: Member, weights: dict[str, Tensor], *, findings: int) -> None:
    """See that the weights are the network's, without its memory, however large a network is described."""
    if member.approach.network.backbone.name in WITHOUT_MEMORY:
        described(member.approach, findings=findings).load_state_dict(weights, assign=True)
