"""Sphinx settings of the documentation site: `make docs`.

The pages are plain Markdown that a forge shows as well. A folder's README.md lists its pages, and the site's navigation
is made from these lists, so that no page is listed twice.
"""

import os
import re
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

import gnomon

project = "gnomon"
author = copyright = "The gnomon developers"
version = release = gnomon.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
root_doc = "README"
exclude_patterns = ["_build"]
nitpicky = True
# Signatures name types of other libraries, and of our own that are not public.
nitpick_ignore_regex = [("py:class", r"(?!gnomon\.\w+\.[A-Z]).*"), ("py:obj", r"typing\..*")]

myst_heading_anchors = 4
# A test runs the notebooks; the site shows them as they are kept, without results.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "fieldlist"]

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "imported-members": True, "exclude-members": "model_config"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
# In docstrings as on Markdown pages, `backquotes` hold code.
default_role = "literal"

html_theme = "pydata_sphinx_theme"
html_title = "gnomon"
html_copy_source = False
html_static_path = ["_site/site.css"]
html_css_files = ["site.css"]
html_extra_path = ["_site/index.html"]
html_sidebars = {"first_steps": []}
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}

DOCS = Path(__file__).parent
#: Pages that are links to files outside docs/, by the file that they lead to.
OUTSIDE = {page.resolve(): page for page in DOCS.rglob("*.md") if page.is_symlink()}
LINK = re.compile(r"\[([^\]\n]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
#: Packages whose names are imported on first use. With those of `gnomon.recorder` there would be two of the name `Run`.
ON_FIRST_USE = ("gnomon.services.catalogue", "gnomon.services.forward")
#: What a list's item or a table's row begins with: a title and a page, as a link or, from `prepare`, as a role.
LISTED = re.compile(r"^(?:- |\| )(?:\[|\{doc\}`)(.*?)(?:\]\(| <)([^)>#\s]+)[)>]", re.MULTILINE)


def prepare(app: Sphinx, name: str, source: list[str]) -> None:
    """Lead links to where the site has their targets, and give a README.md its table of contents.

    The table holds, in order, what the items of lists and the rows of tables begin with.
    """
    page = DOCS / f"{name}.md"
    if not page.exists():
        return  # a notebook
    home = page.resolve().parent

    def lead(match: re.Match[str]) -> str:
        text, link, anchor = match.groups()
        target = (home / link).resolve()
        if target in OUTSIDE:
            return f"{{doc}}`{text} </{OUTSIDE[target].relative_to(DOCS).with_suffix('')}>`"
        if target.is_dir():
            return text  # a forge shows folders, the site has none
        return f"[{text}]({os.path.relpath(target, page.parent)}{anchor or ''})"

    source[0] = text = LINK.sub(lead, source[0])
    if page.name == "README.md" and not page.is_symlink():
        entries = "\n".join(link if title.isdigit() else f"{title} <{link}>" for title, link in LISTED.findall(text))
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"


def bring_in(app: Sphinx) -> None:
    """Import what packages import on first use: autodoc shows what is there."""
    for name in ON_FIRST_USE:
        module = import_module(name)
        vars(module).update({each: getattr(module, each) for each in module.__all__})


def setup(app: Sphinx) -> None:
    """Register the hooks."""
    app.connect("builder-inited", bring_in)
    app.connect("source-read", prepare)
