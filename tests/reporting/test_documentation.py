"""What is documented is what there is."""

from pathlib import Path

from spatialdep.reporting.tidy import COLUMNS, HISTORY_COLUMNS, MISSING_COLUMNS

README = Path(__file__).parents[2] / "results" / "README.md"


def test_every_column_of_the_tidy_table_is_documented_as_it_is_described():
    text = README.read_text(encoding="utf-8")
    for column in COLUMNS:
        assert f"| `{column.name}` |" in text
        assert column.description in text
    for name in (*HISTORY_COLUMNS, *MISSING_COLUMNS):
        assert f"`{name}`" in text
