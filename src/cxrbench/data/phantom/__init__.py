"""Generated chest radiographs with known truth, in the layout of the NIH release."""

from cxrbench.data.phantom.film import Picture, draw_film
from cxrbench.data.phantom.population import Film, Sign
from cxrbench.data.phantom.release import generate_release
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.truth import ideal_auc

__all__ = ["Film", "PhantomSettings", "Picture", "Sign", "draw_film", "generate_release", "ideal_auc"]
