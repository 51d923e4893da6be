"""Writes the pages of this folder that are made from the code.

In: the settings' classes. Out: settings-reference.md beside this script. Law: what is written is what a test compares.
"""

from __future__ import annotations

from pathlib import Path

from controlplane.settings.reference import page

if __name__ == "__main__":
    Path(__file__).with_name("settings-reference.md").write_text(page())
