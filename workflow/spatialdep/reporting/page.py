"""HTML pages that need nothing but themselves.

The templates are Python texts, since a job's code version sees Python alone.
"""

from functools import cache

from jinja2 import Environment, StrictUndefined

BEGIN, END = "<!-- begin -->", "<!-- end -->"

STYLE = """\
:root { --ink: #222; --soft: #666; --line: #ddd; --good: #00694a; --bad: #a33b00; --open: #59556f; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p { margin: .5rem 0; max-width: 44rem; }
nav a { margin-right: 1rem; }
a { color: #005a91; }
.note, .quiet { color: var(--soft); font-size: .85rem; }
.table { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; }
thead th { border-top: 2px solid var(--ink); border-bottom: 1px solid var(--ink); }
tbody tr:last-child td { border-bottom: 2px solid var(--ink); }
.number { text-align: right; white-space: nowrap; }
.claims { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem; }
.claim { border: 1px solid var(--line); border-radius: .4rem; padding: .75rem 1rem; }
.claim h3 { margin-top: 0; }
.claim p { margin: .25rem 0; }
.claim dl { margin: .5rem 0 0; }
.claim dt { font-weight: 600; margin-top: .5rem; }
.claim dd { margin: 0; }
.verdict { color: #fff; border-radius: .25rem; padding: .05rem .45rem; white-space: nowrap; }
.holds { background: var(--good); } .fails { background: var(--bad); }
.open { background: var(--open); }
.notrun { color: var(--ink); background: #fff; outline: 1px solid var(--soft); }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 44rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: #005a91; }
pre { overflow-x: auto; font-size: .8rem; background: #f6f6f6; padding: .75rem; }
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>
{{ style }}</style>
</head>
<body>
{{ begin }}
{{ body }}
{{ end }}
</body>
</html>
"""


@cache
def environment() -> Environment:
    """Return the environment of all templates: escapes what it is given, refuses what it is not."""
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(title: str, body: str) -> str:
    """Return a whole page around ``body``, which is HTML already."""
    # Not escaped here: the parts have been, or are our own texts.
    template = Environment(autoescape=False, undefined=StrictUndefined).from_string(PAGE)
    return template.render(title=title, body=body, style=STYLE, begin=BEGIN, end=END) + "\n"
