"""What the demo tells at its end."""

from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from commands.demo.display import printable


class S3Access(BaseModel):
    """How to look into the archive while it runs."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str


class Skipped(BaseModel):
    """An input that did not travel, and why."""

    path: str
    code: str
    reason: str


class Summary(BaseModel):
    """The last line of ``chasqui demo --json``.

    Attributes:
        restored_identical: Every input file was compared with what came back from the archive, and is equal.
        source_cleared: No archived file is left in SOURCE, and no package in a BUFFER.
        skipped: Inputs that cannot be filed (links, sockets, unreadable files).
        differences: What is not as it should be; empty after success.
    """

    observations: int
    files: int
    bytes: int
    packages: int
    bundles: int
    archived_packages: int
    staged_files: int
    restored_identical: bool
    source_cleared: bool
    previews: int
    dead_letters: int
    seconds: float
    s3: S3Access
    database_url: str
    nats_url: str
    processing_dir: str
    gateway_url: str
    filing_url: str
    workdir: str
    skipped: list[Skipped]
    differences: list[str]

    @property
    def good(self) -> bool:
        """Whether nothing was lost and nothing is left behind."""
        return self.restored_identical and self.source_cleared and self.dead_letters == 0


def tell(summary: Summary, console: Console, *, keeps_running: bool) -> None:
    """Show a summary to a person."""
    rows = Table(box=None, show_header=False, pad_edge=False)
    rows.add_column(style="bold")
    rows.add_column()
    files = f"{summary.files} files, {decimal(summary.bytes)}, in {summary.observations} observations"
    rows.add_row("taken", files)
    rows.add_row(
        "archived", f"{summary.archived_packages} of {summary.packages} packages, {summary.bundles} bundles"
    )
    rows.add_row(
        "brought back", _verdict(summary.restored_identical, f"{summary.staged_files} files, byte for byte")
    )
    rows.add_row("cleared", _verdict(summary.source_cleared, "SOURCE and BUFFER are empty again"))
    rows.add_row("previews", str(summary.previews))
    rows.add_row("dead letters", str(summary.dead_letters))
    rows.add_row("time", f"{summary.seconds:.1f} s")
    console.print(rows)
    for skipped in summary.skipped[:20]:
        console.print(Text(f"not filed: {printable(skipped.path)} ({skipped.reason})", style="yellow"))
    for difference in summary.differences[:20]:
        console.print(Text(printable(difference), style="red"))
    console.print(Text(f"restored data: {summary.processing_dir}"), soft_wrap=True)
    console.print(Text(f"logs:          {Path(summary.workdir) / 'logs'}"), soft_wrap=True)
    if keeps_running:
        console.print(Text(f"live page:     {summary.gateway_url}"))
        console.print(Text("Everything keeps running; Ctrl-C stops it. Try: chasqui status", style="cyan"))


def _verdict(good: bool, words: str) -> Text:
    return Text(f"✓ {words}", style="green") if good else Text(f"✗ not so: {words}", style="bold red")
