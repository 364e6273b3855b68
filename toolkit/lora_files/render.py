"""Print a report for people."""

from __future__ import annotations

from .report import Report


def render(report: Report) -> str:
    """Return the report as text for people."""
    lines = [f"{report.path}", f"  kind        {report.kind}, {report.form or 'other'} format"]
    layers = ", ".join(f"{part} {count}" for part, count in report.layers.items())
    lines.append(f"  layers      {layers}")
    for title, counts in (
        ("rank", report.ranks),
        ("alpha", report.alphas),
        ("scale", report.scales),
    ):
        if counts:
            lines.append(f"  {title:11} {_counted(counts)}")
    lines.append(
        f"  size        {report.size_mb:.1f} MB, {report.parameters:,} parameters, "
        f"{'/'.join(report.dtypes)}"
    )
    for program, verdict in report.loads_in.items():
        lines.append(f"  {program:11} {verdict}")
    if report.norms:
        lines.append("  norm of what it adds to the weights")
        width = max(map(len, report.norms))
        lines += [f"    {block:{width}}  {size:.4g}" for block, size in report.norms.items()]
    if report.metadata:
        lines.append("  metadata")
        for key, text in report.metadata.items():
            short = text if len(text) <= 80 else f"{text[:77]}..."
            lines.append(f"    {key} = {short!r}" if "\n" in short else f"    {key} = {short}")
    lines += [f"  warning: {text}" for text in report.warnings]
    return "\n".join(lines)


def _counted(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    most = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{value} in {count}" for value, count in most[:6])
    return shown if len(most) <= 6 else f"{shown}, {len(most) - 6} others"
