"""An installation that computes differently is found."""

import numpy as np
import pytest

from cxrbench.bundle import load_bundle
from cxrbench.bundle.network import TorchNetwork
from cxrbench.bundle.reference import check_reference, film_digest, reference_film
from cxrbench.errors import BundleError


def test_the_film_is_the_same_everywhere():
    film = reference_film()
    assert (film.shape, film.dtype) == ((640, 512), np.uint8)
    assert film_digest() == "72aeaaf187f9856c1fe7aec16762c5ce2751c5a9d0e7f74ac5631b7c8365191a"


def test_a_small_difference_is_found_and_named(small_bundle):
    bundle = load_bundle(small_bundle)
    network = TorchNetwork(bundle.classifier(bundle.members[0]))

    def shifted(by):
        def call(films, features):
            logits = network(films, features)
            logits[:, 2] += by
            return logits

        return [call]

    assert check_reference(bundle.reference, bundle.members, shifted(0), bundle.findings) < 1e-5
    with pytest.raises(BundleError, match=r"Effusion of member 1 has logit .*, expected "):
        check_reference(bundle.reference, bundle.members, shifted(1e-3), bundle.findings)
    with pytest.raises(BundleError, match="has logit nan"):
        check_reference(bundle.reference, bundle.members, shifted(np.nan), bundle.findings)


def test_another_film_is_no_reference(small_bundle):
    bundle = load_bundle(small_bundle)
    other = bundle.reference.model_copy(update={"pixels_sha256": "0" * 64})
    with pytest.raises(BundleError, match="the reference film differs"):
        check_reference(other, bundle.members, [], bundle.findings)
