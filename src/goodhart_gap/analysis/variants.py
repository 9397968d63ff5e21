"""Names of the ways to read a published headline."""

VARIANTS = {
    "as published": "nothing changed",
    "uncommitted passes fail": "passes without a committed answer count as failures",
    "never-explained tasks left out": "tasks solved but never once explained are left out",
    "all together": "both of these, and failures on a value of the task or of an earlier step are "
    "left out",
}
"""Ways to read the headline, and what each does to the record."""

WITHOUT = "without: "
"""Starts the name of a reading that leaves out what one artefact touches, and nothing else."""
