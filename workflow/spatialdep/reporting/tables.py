"""A table as CSV for machines, Markdown and HTML for the eye and LaTeX for the paper."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from spatialdep.atomic import atomic_write
from spatialdep.errors import UserError
from spatialdep.reporting.page import BEGIN, END, environment, page
from spatialdep.reporting.tidy import write_csv

FORMATS = ("csv", "md", "tex", "html")


@dataclass(frozen=True)
class Table:
    """A table in the form for machines and in that for people.

    Attributes
    ----------
    data
        All columns, numbers as they are: the CSV.
    shown
        The columns that people read, as text: Markdown and LaTeX.
    caption
        Above the table, one sentence.
    notes
        Below the table, a paragraph each.
    """

    data: pd.DataFrame
    shown: pd.DataFrame
    caption: str
    notes: list[str]


def write_tables(stem: Path, table: Table) -> list[Path]:
    """Write ``stem`` with the endings of :data:`FORMATS`, and return the paths."""
    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in FORMATS]
    write_csv(paths[0], table.data)
    with atomic_write(paths[1]) as stream:
        stream.write(markdown(table))
    with atomic_write(paths[2]) as stream:
        stream.write(latex(table, label=f"tab:{stem.name}"))
    with atomic_write(paths[3]) as stream:
        stream.write(page(table.caption, fragment(table)))
    return paths


def fragment(table: Table) -> str:
    """Return the table as a part of an HTML page, with caption and notes."""
    numeric = _numeric(table.shown)
    return FRAGMENT.render(
        caption=table.caption,
        columns=[(name, "number" if name in numeric else "") for name in table.shown.columns],
        rows=table.shown.to_numpy().tolist(),
        notes=table.notes,
    )


def read_fragment(path: Path) -> str:
    """Return the part that :func:`fragment` made out of a page that :func:`write_tables` wrote.

    Raises
    ------
    UserError
        If it is not there.
    """
    try:
        return path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: make it with `snakemake {path}`.") from error


def markdown(table: Table) -> str:
    """Return the table in Markdown, with caption and notes."""
    shown = table.shown
    right = dict.fromkeys(_numeric(shown), "right")
    body = shown.map(_escape_markdown).to_markdown(
        index=False,
        disable_numparse=True,
        colalign=[right.get(name, "left") for name in shown.columns],
    )
    return "\n\n".join([f"**{table.caption}**", body, *table.notes]) + "\n"


def latex(table: Table, label: str) -> str:
    """Return the table in LaTeX for booktabs, with caption and notes, to be pasted or input."""
    shown = table.shown
    numeric = _numeric(shown)
    text = shown.map(_escape_latex).rename(columns=_escape_latex)
    whole = text.style.hide(axis="index").to_latex(
        hrules=True,
        column_format="".join("r" if name in numeric else "l" for name in shown.columns),
        caption=_escape_latex(table.caption),
        label=label,
        position="tb",
        position_float="centering",
    )
    below = "\n".join(
        f"\\par\\smallskip\\footnotesize {_escape_latex(note)}" for note in table.notes
    )
    return whole.replace("\\end{table}", f"{below}\n\\end{{table}}" if below else "\\end{table}")


def _numeric(shown: pd.DataFrame) -> set[str]:
    """Return the columns that are set flush right: those whose cells begin with digits."""
    return {name for name in shown.columns if shown[name].str.match(r"^[−+\d–]").mean() > 0.5}


def _escape_markdown(text: str) -> str:
    return text.replace("|", "\\|")


def _escape_latex(text: str) -> str:
    return text.translate(LATEX)


FRAGMENT = environment().from_string(
    """\
<div class="table"><table>
<caption>{{ caption }}</caption>
<thead>
<tr>{% for name, kind in columns %}<th class="{{ kind }}">{{ name }}</th>{% endfor %}</tr>
</thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td class="{{ columns[loop.index0][1] }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% for note in notes %}<p class="note">{{ note }}</p>
{% endfor %}"""
)

LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "±": r"$\pm$", "×": r"$\times$", "−": "$-$", "–": "--", "…": r"\dots{}",
    }
)  # fmt: skip
