"""Write a table into ``docs/security.md``: the attacks that each layer stops.

Run ``PYTHONPATH=tests python docs/layers.py``.
"""

from __future__ import annotations

from local.workers.test_confinement import DOCUMENT, prepared_scene, run_all, table_of

BEGIN, END = "<!-- layers: begin -->\n", "<!-- layers: end -->"


def main() -> None:
    """Run all attacks and replace the table in the document. Needs root."""
    with prepared_scene(0) as scene:
        table = table_of(run_all(scene, 0))
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
