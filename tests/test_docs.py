"""The pages of the repository: links lead somewhere, and nothing waits to be written."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Folders that are made here and are no part of the repository, beside hidden ones.
MADE = {'build', 'dist', 'demo', 'node_modules'}
PLACEHOLDER = re.compile(r'\b(TODO|FIXME|XXX+|TBD|TBA)\b|lorem ipsum|coming soon', re.IGNORECASE)
LINK = re.compile(r'!?\[[^\]]*\]\(\s*<?([^)\s>]+)[^)]*\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$', re.M)
HTML_LINK = re.compile(r'(?:href|src)="([^"]+)"')
FENCE = re.compile(r'^(```|~~~).*?^\1\s*$', re.M | re.S)


def find_pages(root: Path) -> list[Path]:
    return sorted(
        path
        for path in root.rglob('*.md')
        if not any(
            part.startswith('.') or part in MADE for part in path.relative_to(root).parts[:-1]
        )
    )


def find_links(text: str) -> list[str]:
    """Return the targets of all links outside of code."""
    text = re.sub(r'`[^`\n]*`', '', FENCE.sub('', text))
    found = [one or other for one, other in LINK.findall(text)]
    return found + HTML_LINK.findall(text)


def find_anchors(text: str) -> set[str]:
    """Return the anchors of the headings, made as GitHub makes them."""
    headings = re.findall(r'^#+\s+(.*?)\s*#*$', FENCE.sub('', text), re.M)
    plain = (re.sub(r'[^\w\- ]', '', heading.lower()) for heading in headings)
    return {heading.replace(' ', '-') for heading in plain}


def find_broken(page: Path, root: Path) -> list[str]:
    """Return the relative links of a page that lead nowhere, or out of the repository."""
    broken = []
    for link in find_links(page.read_text(encoding='utf-8')):
        if re.match(r'[a-z][a-z0-9+.-]*:', link, re.IGNORECASE):
            continue
        name, _, anchor = unquote(link).partition('#')
        target = (page.parent / name).resolve() if name else page
        is_there = target.is_relative_to(root) and target.exists()
        if is_there and anchor and target.suffix == '.md':
            is_there = anchor in find_anchors(target.read_text(encoding='utf-8'))
        if not is_there:
            broken.append(link)
    return broken


PAGES = find_pages(ROOT)


def test_the_pages_are_found() -> None:
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {'README.md', 'docs/usage.md', 'docs/measures/vbm.md'} <= names


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert find_broken(page, ROOT) == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_nothing_waits_to_be_written(page: Path) -> None:
    lines = page.read_text(encoding='utf-8').splitlines()
    found = [f'{number}: {line}' for number, line in enumerate(lines, 1)
             if PLACEHOLDER.search(line)]  # fmt: skip
    assert found == []


def test_broken_links_are_seen(tmp_path: Path) -> None:
    (tmp_path / 'there.md').write_text('# Here & there\n')
    page = tmp_path / 'page.md'
    page.write_text(
        '[a](there.md) [b](there.md#here--there) [c](gone.md) ![d](gone.png "title")\n'
        '[e](there.md#nowhere) [f](https://example.org) [g](../outside.md) `[h](code.md)`\n'
        '<a href="gone.html">i</a> [j](#top)\n\n# Top\n\n```\n[k](fenced.md)\n```\n\n'
        '[l]: reference.md\n'
    )
    assert find_broken(page, tmp_path) == [
        'gone.md', 'gone.png', 'there.md#nowhere', '../outside.md', 'reference.md', 'gone.html'
    ]  # fmt: skip


@pytest.mark.parametrize('text', ['TODO', 'a FIXME: b', 'XXX', 'Lorem ipsum dolor', 'tbd'])
def test_placeholders_are_seen(text: str) -> None:
    assert PLACEHOLDER.search(text)
    assert not PLACEHOLDER.search('A method, fixed.')
