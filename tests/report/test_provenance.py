"""Provenance is told: machines, versions, data, failures."""


def test_provenance_is_told(reported_page):
    for fact in (
        "Fake CPU", "torch", "2.15.0", "lost_000.png", "bad_000.png (the file ends early)",
        "2 ages are outside 0..120", "loss is nan in epoch 3, batch <7> & more",
        "cdcdcdcdcdcd", "resample-1", "generated radiographs, read as NIH ChestX-ray14",
    ):  # fmt: skip
        assert fact in reported_page.text
    assert "/somewhere" not in reported_page.text
