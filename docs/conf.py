"""The documentation site: `make docs` builds it into build/docs, strictly and without the network."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent / "extensions"))

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]

project = "DynLive"
author = PROJECT["authors"][0]["name"]
copyright = f"{author}, MIT licence"  # Sphinx's name for it
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "mathml",
    "offline",
    "repository",
]
exclude_patterns = ["README.md"]
default_role = "py:obj"  # docstrings write `names` so

# -- Markdown ----------------------------------------------------------------------------------------------------------

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath", "html_image"]
myst_fence_as_directive = ["math"]  # ```math, as code forges show it
myst_heading_anchors = 4
myst_dmath_allow_labels = False
myst_links_external_new_tab = False

# -- reference from docstrings -----------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
add_module_names = False

# -- pages -------------------------------------------------------------------------------------------------------------

html_theme = "furo"
html_title = "DynLive"
html_static_path = ["_static"]
html_css_files = ["dynlive.css"]
html_favicon = "_static/logo.svg"
html_logo = "_static/logo.svg"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "sidebar_hide_name": False,
    "source_repository": REPOSITORY + "/",
    "source_branch": "main",
    "source_directory": "docs/",
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#1f4e9c", "color-brand-content": "#1f4e9c"},
    "dark_css_variables": {"color-brand-primary": "#8ab4f8", "color-brand-content": "#8ab4f8"},
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
