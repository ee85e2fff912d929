"""The report's one HTML page."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrbench.report import words
from cxrbench.report.study import Study


def render_page(study: Study) -> str:
    """The page as HTML, with everything it needs inside."""
    environment = Environment(
        loader=PackageLoader("cxrbench.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2").render(study=study, words=words)
