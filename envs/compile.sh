#!/usr/bin/env bash
# Pins every package with hashes, all four files together so that they agree.
# Needs uv. Run it after changing an .in file: envs/compile.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")"
options=(--quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url
         --no-emit-find-links --no-header --no-annotate)
all=$(mktemp)
trap 'rm -f "$all"' EXIT
cat ./*.txt > "$all" 2>/dev/null || true
uv pip compile "${options[@]}" "$@" --output-file "$all" ./*.in
sed -i '/^ *--hash/d; s/ *\\$//' "$all"
for file in *.in; do
  uv pip compile "${options[@]}" --constraints "$all" --output-file "${file%.in}.txt" "$file"
done

# The same pins for `snakemake --sdm conda`, which takes no requirements file.
for file in *.txt; do
  {
    echo "# Made by compile.sh from $file."
    echo "channels: [conda-forge]"
    echo "dependencies:"
    echo "  - python=3.12"
    echo "  - pip"
    echo "  - pip:"
    sed -nE 's/^([A-Za-z0-9._-]+==[^\\]*[^\\ ]) *\\?$/      - "\1"/p' "$file"
  } > "${file%.txt}.yaml"
done
rm development.yaml
