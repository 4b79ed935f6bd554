"""A report as one HTML page that needs nothing else: no script, no style sheet, no font from anywhere."""

import html

from markdown_it import MarkdownIt

from muster.report import markdown
from muster.report.change_report import ChangeReport

COLOURS = {"safe": "#1a7f37", "needs care": "#9a6700", "dangerous": "#cf222e"}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; }
h2 { border-left: .4rem solid COLOUR; padding-left: .8rem; }
table { border-collapse: collapse; }
td, th { border: 1px solid #d1d9e0; padding: .3rem .7rem; text-align: left; }
code { background: #eff2f5; padding: .1rem .3rem; border-radius: .2rem; }
summary { cursor: pointer; font-weight: 600; }
"""


def render(report: ChangeReport) -> str:
    """The page: what the comment says, with the colour of the verdict."""
    # The comment has folding as its only HTML; everything that was written by others is escaped in it.
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.render(report))
    style = STYLE.replace("COLOUR", COLOURS[report.verdict.level])
    title = html.escape(f"{report.stack}: {report.verdict.level}")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}</body></html>\n'
