"""The methods text: what was done, in sentences, with numbered references."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mriderived.measures.base import Measure
from mriderived.reports.rendering import render

#: "Esteban et al. 2017, doi:10.1371/x": the part before the comma is how people know the source.
_CITED = re.compile(
    r'(?P<label>(?:[A-Z][^()\[\],;.]*?(?:et al\.)?[^()\[\];.]*?\d{4}[a-z]?))?'
    r',?\s*(?:doi:\s*|https?://(?:dx\.)?doi\.org/)(?P<doi>10\.\d{4,9}/[^\s,;\]}]+)',
)
_URL = re.compile(r'https?://\S+')
_LATEX = {
    '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '$': r'\$', '&': r'\&', '#': r'\#',
    '%': r'\%', '_': r'\_', '^': r'\textasciicircum{}', '~': r'\textasciitilde{}',
}  # fmt: skip


class Part(NamedTuple):
    """A stretch of text or, with ``number``, a citation."""

    text: str
    number: int = 0


class Reference(NamedTuple):
    """A numbered source; ``label`` is author and year where the text names them."""

    number: int
    label: str
    url: str


@dataclass(frozen=True)
class Methods:
    """Paragraphs, each of them text and citations, and what they cite."""

    paragraphs: tuple[tuple[Part, ...], ...]
    references: tuple[Reference, ...]

    def to_markdown(self) -> str:
        """Return the text as Markdown."""
        paragraphs = [_join(p, lambda text: text, '[{}]') for p in self.paragraphs]
        values = {'paragraphs': paragraphs, 'references': self.references}
        return render('methods.md.j2', values).strip() + '\n'

    def to_latex(self) -> str:
        """Return the text as LaTeX with a bibliography of its own."""
        body = [_join(p, escape_latex, r'~\cite{{r{}}}').replace(' ~', '~')
                for p in self.paragraphs]  # fmt: skip
        items = [
            rf'\bibitem{{r{number}}} {escape_latex(label)} \url{{{url}}}'
            for number, label, url in self.references
        ]
        if items:
            items = [r'\begin{thebibliography}{99}', *items, r'\end{thebibliography}']
        return '\n\n'.join(body) + '\n\n' + '\n'.join(items) + '\n'


def escape_latex(text: str) -> str:
    r"""Escape what LaTeX would take for a command.

    >>> escape_latex('5 % of a_b')
    '5 \\% of a\\_b'
    """
    return ''.join(_LATEX.get(character, character) for character in text)


def _join(parts: Iterable[Part], write: Any, cite: str) -> str:
    return ''.join(cite.format(part.number) if part.number else write(part.text) for part in parts)


def write_methods(measures: Sequence[Measure], provenance: Mapping[str, Any]) -> Methods:
    """Put together the text of ``measures`` (those that were done) and number its sources."""
    book = _Bibliography()
    paragraphs: list[tuple[Part, ...]] = [(Part(_opening(provenance)),)]
    for measure in measures:
        text = ' '.join(measure.methods.split())
        if text:
            paragraphs.append(book.read(text, measure.reference))
    return Methods(tuple(paragraphs), tuple(book.references))


def cite_texts(texts: Iterable[str]) -> Methods:
    """Return paragraphs that name their sources themselves, with these numbered."""
    book = _Bibliography()
    paragraphs = tuple(book.read(text, '') for text in texts)
    return Methods(paragraphs, tuple(book.references))


def _opening(provenance: Mapping[str, Any]) -> str:
    version = str(provenance.get('version', ''))
    packages = provenance.get('packages')
    text = f'MRI-derived measures were obtained with {" ".join(["MRIderived", version]).strip()}'
    if isinstance(packages, Mapping) and packages:
        named = ', '.join(f'{name} {number}' for name, number in packages.items())
        text += f', which uses {named}'
    return f'{text}.'


class _Bibliography:
    """Numbers sources in the order in which they are first cited."""

    def __init__(self) -> None:
        self.references: list[Reference] = []

    def read(self, text: str, reference: str) -> tuple[Part, ...]:
        """Turn the sources that ``text`` names into numbers; ``reference`` is cited at least."""
        parts: list[Part] = []
        end = 0
        for match in _CITED.finditer(text):
            doi = match['doi']
            # a closing bracket belongs to the sentence unless the DOI opened it
            while doi[-1] in '.)' and (doi[-1] == '.' or doi.count(')') > doi.count('(')):
                doi = doi[:-1]
            label = (match['label'] or '').strip()
            parts.append(Part(f'{text[end : match.start()]}{label} '))
            parts.append(Part('', self._number(f'https://doi.org/{doi}', label)))
            end = match.start('doi') + len(doi)
        parts.append(Part(text[end:]))
        cited = {part.number for part in parts}
        if _URL.fullmatch(reference) and self._number(reference, '') not in cited:
            parts += [Part(' '), Part('', self._number(reference, ''))]
        return tuple(part for part in parts if part.text or part.number)

    def _number(self, url: str, label: str) -> int:
        for place, known in enumerate(self.references):
            if known.url.lower() == url.lower():
                if label and not known.label:
                    self.references[place] = known._replace(label=label)
                return known.number
        self.references.append(Reference(len(self.references) + 1, label, url))
        return len(self.references)
