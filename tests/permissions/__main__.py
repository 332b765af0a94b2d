"""Write the permission matrix into its page of the documentation."""

from __future__ import annotations

from tests.permissions.page import PAGE, with_block

if __name__ == "__main__":
    PAGE.write_text(with_block(PAGE.read_text()))
