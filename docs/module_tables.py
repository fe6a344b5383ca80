"""Write the tables of the Terraform module's inputs and outputs into its README.

The tables come from the module's own files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hcl2

MODULE = Path(__file__).parents[1] / "infra" / "terraform"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def read(file: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the blocks of one kind in one of the module's files, by name."""
    blocks = hcl2.loads((MODULE / file).read_text())[kind]
    return {
        name.strip('"'): {key: value for key, value in body.items() if not key.startswith("__")}
        for block in blocks
        for name, body in block.items()
    }


def describe() -> str:
    """Return the tables, as Markdown."""
    lines = ["### Inputs", "", "| name | type | default | description |", "| --- | --- | --- | --- |"]
    for name, variable in read("variables.tf", "variable").items():
        default = f"`{_source('variables.tf', name, 'default')}`" if "default" in variable else "required"
        kind = re.sub(r" +", " ", re.sub(r"(?<=[^{])\n +(?=\w)", ", ", _source("variables.tf", name, "type")))
        kind = kind.replace("\n", " ").replace("  ", " ")
        lines.append(f"| `{name}` | `{kind}` | {default} | {_text(variable['description'])} |")
    lines += ["", "### Outputs", "", "| name | description |", "| --- | --- |"]
    for name, output in read("outputs.tf", "output").items():
        lines.append(f"| `{name}` | {_text(output['description'])} |")
    return "\n".join(lines)


def _text(quoted: str) -> str:
    return quoted.strip('"').replace('\\"', '"')


def _source(file: str, variable: str, argument: str) -> str:
    """Return an argument as the file writes it."""
    block = re.search(rf'variable "{variable}" \{{\n(.*?)\n\}}', (MODULE / file).read_text(), re.DOTALL)
    found = re.search(
        rf"^  {argument} += (.*?)(?=^  \w|^$|\Z)", block[1] if block else "", re.DOTALL | re.MULTILINE
    )
    if not found:
        raise ValueError(f"{file}: expected {argument} in {variable}, found none")
    return found[1].strip()


def main() -> None:
    """Write the tables into the README."""
    readme = MODULE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{describe()}\n{END}{after}")


if __name__ == "__main__":
    main()
