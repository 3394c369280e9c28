"""``pathloop info``."""

import argparse
import json
from pathlib import Path
from typing import Any

from pathloop.cli._options import Subparsers, add_srgb, positive_float
from pathloop.slides import OVERVIEW_PX, Slide, open_slide, profile_name, tissue_mask

EPILOG = """\
example:
  pathloop info slide.svs

JSON schema (--json, version 1): path, format, shape [height, width], um_per_px [y, x] or null, objective_power or
null, levels [{shape, downsample}], color_profile or null, srgb, associated [names],
tissue_mm2 or null, tissue_share 0..1, missing [texts].
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "info",
        help="describe a slide",
        description="Size, levels, um per px, tissue area, and what is missing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("slide", type=Path, metavar="SLIDE")
    parser.add_argument(
        "--um-per-px", type=positive_float, metavar="F", help="um per px of level 0, if the file lacks it"
    )
    add_srgb(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    with open_slide(options.slide, um_per_px=options.um_per_px, to_srgb=options.srgb) as slide:
        facts = _facts(slide)
    print(json.dumps(facts, indent=2) if options.json else _text(facts))
    return 0


def _facts(slide: Slide) -> dict[str, Any]:
    mask = tissue_mask(slide)
    missing = []
    if slide.scale is None:
        missing.append("um per px: give it with --um-per-px (0.25 for most 40x, 0.5 for most 20x scans)")
    if max(slide.levels[-1].shape) > OVERVIEW_PX:
        missing.append("small levels: overviews are slow; 'pathloop pyramids build' makes them once, in your cache")
    return {
        "version": 1,
        "path": str(slide.path),
        "format": slide.format,
        "shape": list(slide.shape),
        "um_per_px": None if slide.scale is None else [slide.scale.y, slide.scale.x],
        "objective_power": slide.objective_power,
        "levels": [{"shape": list(level.shape), "downsample": list(level.downsample)} for level in slide.levels],
        "color_profile": None if slide.icc_profile is None else profile_name(slide.icc_profile),
        "srgb": slide.is_srgb,
        "associated": list(slide.associated),
        "tissue_mm2": mask.area_mm2,
        "tissue_share": float(mask.mask.mean()),
        "missing": missing,
    }


def _text(facts: dict[str, Any]) -> str:
    height, width = facts["shape"]
    lines = [
        f"{facts['path']}",
        f"  format        {facts['format']}",
        f"  size          {width:,} x {height:,} px (width x height)",
    ]
    if facts["um_per_px"] is None:
        lines.append("  um per px     unknown")
    else:
        y, x = facts["um_per_px"]
        both = f"{x:.4f}" if y == x else f"{x:.4f} (x), {y:.4f} (y)"
        lines.append(f"  um per px     {both}   ({width * x / 1000:.2f} x {height * y / 1000:.2f} mm)")
    if facts["objective_power"]:
        lines.append(f"  objective     {facts['objective_power']:g}x")
    for index, level in enumerate(facts["levels"]):
        h, w = level["shape"]
        lines.append(f"  level {index}       {w:,} x {h:,} px, 1 : {level['downsample'][0]:.4g}")
    if facts["color_profile"]:
        use = "converted to sRGB" if facts["srgb"] else "not applied; --srgb does"
        lines.append(f"  colours       {facts['color_profile']} ({use})")
    area = "" if facts["tissue_mm2"] is None else f"{facts['tissue_mm2']:.2f} mm2, "
    lines.append(f"  tissue        {area}{facts['tissue_share']:.0%} of the slide")
    if facts["associated"]:
        lines.append(f"  also holds    {', '.join(facts['associated'])} (not shown: may carry a patient label)")
    lines += [f"  missing       {text}" for text in facts["missing"]]
    return "\n".join(lines)
