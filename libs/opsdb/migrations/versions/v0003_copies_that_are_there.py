"""The copies that are at a location, the oldest first: whoever clears it reads no more of them than it needs."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX = "ix_physical_copy_there"


def upgrade() -> None:
    """Make the index."""
    op.execute(f"CREATE INDEX {INDEX} ON physical_copy (location, created_at, id) WHERE state <> 'deleted'")


def downgrade() -> None:
    """Back to dead letters, holds and repairs."""
    op.execute(f"DROP INDEX {INDEX}")
