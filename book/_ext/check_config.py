"""Refuse keys in ``_config.yml`` that nobody reads, and entries in ``_toc.yml`` that lead nowhere.

Jupyter Book ignores a misspelt key in silence, and the build says only in passing that a page is missing. Run before
a build: ``python book/_ext/check_config.py [folder]``. It prints one sentence a mistake and then ends with 1.
"""

from __future__ import annotations

import configparser
import difflib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from sphinx.config import Config

SUFFIXES = (".md", ".ipynb", ".rst")

# Settings of the HTML builder and of the extensions that we load; the core's own are asked of Sphinx.
EXTENSION_SETTINGS = {
    "autodoc_member_order", "autodoc_typehints", "autodoc_typehints_format", "bibtex_default_style",
    "bibtex_reference_style", "copybutton_exclude", "copybutton_prompt_is_regexp", "copybutton_prompt_text",
    "html_baseurl", "html_context", "html_copy_source", "html_css_files", "html_extra_path", "html_favicon",
    "html_js_files", "html_last_updated_fmt", "html_logo", "html_permalinks_icon", "html_show_search_summary",
    "html_show_sourcelink", "html_sidebars", "html_static_path", "html_theme_options", "html_title",
    "mathjax3_config", "mathjax_options", "mathjax_path", "myst_heading_anchors", "nb_ipywidgets_js",
    "nb_merge_streams", "python_display_short_literal_types", "recursive_update",
}  # fmt: skip

# Jupyter Book reads these, although its list of defaults does not hold them.
ALSO_READ = {
    "": {"project", "bibtex_bibfiles"},
    "execute": {"raise_on_error", "eval_regex", "show_tb"},
    "parse": {"myst_substitutions"},
    "html": {"navbar_footer_text"},
    "latex": {"latex_documents"},
}
# What lies below these is the writer's to name.
FREE = {"parse.myst_substitutions", "sphinx.local_extensions", "latex.latex_documents"}

TOC_KEYS = {
    "file", "url", "glob", "title", "caption", "numbered", "reversed", "hidden", "maxdepth", "titlesonly", "options",
    "chapters", "sections", "parts", "subtrees", "entries", "root", "format", "defaults", "meta",
}  # fmt: skip


class StrictLoader(yaml.SafeLoader):
    """YAML as usual, but a key that stands twice in one place is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Build a mapping, refusing repeated keys."""
        seen: set = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice: keep one of the two", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def package_folder(name: str) -> Path:
    """Return where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin:
        raise ModuleNotFoundError(f"{name} is not installed: run `make book`, which makes .venv")
    return Path(spec.origin).parent


def jupyter_book_keys() -> dict:
    """Return Jupyter Book's master list of keys, as nested mappings."""
    text = (package_folder("jupyter_book") / "default_config.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def theme_options() -> set[str]:
    """Return the options that the theme and its parent declare."""
    names: set[str] = set()
    for package in ("sphinx_book_theme", "pydata_sphinx_theme"):
        declared = configparser.RawConfigParser()
        declared.read(package_folder(package) / "theme" / package / "theme.conf", encoding="utf-8")
        names.update(declared["options"])
    return names


def unknown(keys: Iterator[str], known: set[str], where: str) -> list[str]:
    """Return a sentence for each key that is not known, naming the closest one that is."""
    problems = []
    for key in keys:
        if key in known:
            continue
        close = difflib.get_close_matches(str(key), sorted(known), n=1, cutoff=0.0)
        place = f"{where}.{key}" if where else str(key)
        problems.append(f"_config.yml: nobody reads the key '{place}'; the closest known key is '{close[0]}'.")
    return problems


def config_problems(config: object) -> list[str]:
    """Return a sentence for each mistake in the parsed ``_config.yml``."""
    if not isinstance(config, dict):
        return ["_config.yml: it must hold keys and values, such as `title: My book`."]
    master = jupyter_book_keys()
    problems = unknown(iter(config), set(master) | ALSO_READ[""], "")
    for section, value in config.items():
        known = master.get(section)
        if not isinstance(known, dict):
            continue
        if not isinstance(value, dict):
            problems.append(f"_config.yml: '{section}' must hold keys of its own, such as '{next(iter(known))}'.")
            continue
        problems += unknown(iter(value), set(known) | ALSO_READ.get(section, set()), section)
        for key, inner in value.items():
            if isinstance(known.get(key), dict) and isinstance(inner, dict) and f"{section}.{key}" not in FREE:
                problems += unknown(iter(inner), set(known[key]), f"{section}.{key}")
    sphinx = config.get("sphinx")
    settings = (sphinx.get("config") if isinstance(sphinx, dict) else None) or {}
    problems += unknown(iter(settings), set(Config.config_values) | EXTENSION_SETTINGS, "sphinx.config")
    options = settings.get("html_theme_options") or {}
    return problems + unknown(iter(options), theme_options(), "sphinx.config.html_theme_options")


def toc_entries(node: object) -> Iterator[dict]:
    """Yield every mapping in the parsed ``_toc.yml``, outermost first."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("options", "defaults", "meta"):
                yield from toc_entries(value)
    elif isinstance(node, list):
        for entry in node:
            yield from toc_entries(entry)


def toc_problems(toc: object, root: Path) -> list[str]:
    """Return a sentence for each mistake in the parsed ``_toc.yml`` of the book in folder ``root``."""
    if not isinstance(toc, dict) or "root" not in toc:
        return ["_toc.yml: it must name the first page, such as `root: book/index`."]
    problems, seen = [], set()
    for entry in toc_entries(toc):
        for key in entry:
            if key not in TOC_KEYS:
                close = difflib.get_close_matches(str(key), sorted(TOC_KEYS), n=1, cutoff=0.0)[0]
                problems.append(f"_toc.yml: nobody reads the key '{key}'; the closest known key is '{close}'.")
        for name in filter(None, (entry.get("root"), entry.get("file"))):
            stem = str(name)
            for suffix in SUFFIXES:
                stem = stem.removesuffix(suffix)
            if stem in seen:
                problems.append(f"_toc.yml: '{name}' stands twice; keep the entry where readers should meet it.")
            elif not any((root / f"{stem}{suffix}").is_file() for suffix in SUFFIXES):
                endings = " or ".join(f"{stem}{suffix}" for suffix in SUFFIXES[:2])
                problems.append(f"_toc.yml: '{name}' has no file; write {endings}, or take the entry out.")
            seen.add(stem)
    return problems


def problems_of(root: Path) -> list[str]:
    """Return a sentence for each mistake in the two files of the book in folder ``root``."""
    found: list[str] = []
    for name, judge in (("_config.yml", config_problems), ("_toc.yml", lambda toc: toc_problems(toc, root))):
        try:
            found += judge(yaml.load((root / name).read_text(encoding="utf-8"), Loader=StrictLoader))
        except FileNotFoundError:
            found.append(f"{name}: there is no such file in {root}; run this in the folder of the book.")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f", line {mark.line + 1}" if mark else ""
            found.append(f"{name}{place}: {getattr(error, 'problem', None) or 'this is not valid YAML'}.")
    return found


def main(arguments: list[str]) -> int:
    """Print the mistakes of the book in the given folder (the current one by default); return the exit status."""
    found = problems_of(Path(arguments[0]) if arguments else Path.cwd())
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
