"""The demo, at a size that tests can bear."""

from cxrbench import demo
from cxrbench.config import SplitPlan
from cxrbench.data.phantom import PhantomSettings


def test_the_demo_is_a_small_study_of_the_papers_approaches(tmp_path):
    settings = demo.demo_settings(tmp_path)
    assert settings.profile == "small"
    assert settings.weights == "stand-in"
    assert settings.approaches == (
        "ots",
        "ots-meta",
        "ft",
        "ft-meta",
        "1channel",
        "1channel-meta",
        "large",
        "large-meta",
    )


def test_it_goes_from_films_to_a_report_and_again_only_does_what_is_missing(cxrbench, tmp_path, monkeypatch):
    films = PhantomSettings(patients=12, seed=1, size_px=64, detail_px=32, prevalence_scale=5.0)
    monkeypatch.setattr(demo, "FILMS", films)
    whole = demo.demo_settings(tmp_path)
    change = {
        "approaches": ("1channel",),
        "splits": SplitPlan(resamples=1),
        "overrides": {"recipe.epochs": 1, "recipe.batch_size": 4},
    }
    monkeypatch.setattr(demo, "demo_settings", lambda out: whole.model_copy(update=change))
    code, out, err = cxrbench("demo", "--out", tmp_path)
    assert code == 0, err
    assert "1 to do" in out
    page = tmp_path / "study" / "report" / "index.html"
    assert f"report: {page}" in out
    assert "generated" in page.read_text(encoding="utf-8")
    code, out, err = cxrbench("demo", "--out", tmp_path)
    assert code == 0, err
    assert "1 done, 0 to do" in out
