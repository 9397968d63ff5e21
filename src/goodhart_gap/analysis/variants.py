"""Names of the ways to read a published headline."""

VARIANTS = {
    "as published": "nothing changed",
    "uncommitted passes fail": "passes without a committed answer count as failures",
    "uncommitted passes left out": "passes without a committed answer are left out",
    "never-explained tasks left out": "tasks solved but never once explained are left out",
    "both": "never-explained tasks left out, other passes without an answer count as failures",
}
"""Ways to read the headline, and what each does to the record."""
