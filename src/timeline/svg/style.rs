//! What the picture looks like, light and dark.

/// Fills differ in their pattern as well, for those who do not see the colours.
pub(super) const STYLE: &str = r##"<style>
svg { --bg: #ffffff; --fg: #1f2328; --muted: #656d76; --grid: #e4e7eb; --lane: #f3f5f7; --on: #ffffff;
  --busy: #2f6fb7; --failed: #c62828; --late: #b45309; --cancelled: #6b7280; --lost: #7b1fa2; --waiting: #8aa4bf;
  max-width: 100%; height: auto; font: 12px system-ui, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif }
@media (prefers-color-scheme: dark) {
  svg { --bg: #0d1117; --fg: #e6edf3; --muted: #8d96a0; --grid: #262c36; --lane: #161b22; --on: #0d1117;
    --busy: #6aa9e9; --failed: #ff7b72; --late: #e3a13d; --cancelled: #9aa4af; --lost: #d2a8ff; --waiting: #4a6078 } }
text { fill: var(--fg) } .muted { fill: var(--muted) } .title { font-size: 17px; font-weight: 600 }
.small { font-size: 10.5px } .group { font-weight: 600 } .in { fill: var(--on); font-size: 11px; pointer-events: none }
.in-failed { stroke: var(--failed) } .in-timed-out { stroke: var(--late) } .in-lost { stroke: var(--lost) }
.in-failed, .in-timed-out, .in-lost { stroke-width: 4; paint-order: stroke; stroke-linejoin: round }
.in-cancelled, .in-retried, .in-running { fill: var(--fg) }
.bg { fill: var(--bg) } .lane { fill: var(--lane) } .grid { stroke: var(--grid) } .waiting { fill: var(--waiting) }
.finished, .heap { fill: var(--busy) }
.running { fill: var(--busy); fill-opacity: .45; stroke: var(--busy); stroke-dasharray: 4 3 }
.failed { fill: url(#failed) } .timed-out { fill: url(#timed-out) } .lost { fill: url(#lost) }
.retried { fill: var(--bg); stroke: var(--failed) } .cancelled { fill: var(--bg); stroke: var(--cancelled); stroke-dasharray: 3 2 }
.inner { stroke: var(--bg); stroke-width: 1.5 }
.s1 { fill-opacity: .3 } .s2 { fill-opacity: .45 } .s3 { fill-opacity: .6 } .s4 { fill-opacity: .8 }
.m { stroke: var(--bg); stroke-width: 2.5; paint-order: stroke; stroke-linejoin: round }
.m-failed { fill: var(--failed) } .m-timed-out { fill: var(--late) } .m-lost { fill: var(--lost) }
.m-cancelled { fill: var(--cancelled) } .m-retried { fill: var(--failed) }
rect:hover, .m:hover { filter: brightness(1.25) }
.f0 { fill: var(--failed) } .t0 { fill: var(--late) } .l0 { fill: var(--lost) } .p { stroke: var(--bg); stroke-width: 1.5; stroke-opacity: .55; fill: none }
</style>
"##;

/// Patterns, and the marks, which have a shape each.
pub(super) const DEFINITIONS: &str = r##"<defs>
<pattern id="failed" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" class="f0"/><path class="p" d="M-1 1 1-1M0 6 6 0M5 7 7 5"/></pattern>
<pattern id="timed-out" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" class="t0"/><path class="p" d="M2.5 0V5"/></pattern>
<pattern id="lost" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" class="l0"/><path class="p" d="M0 0 6 6M6 0 0 6"/></pattern>
<path id="m-failed" d="M0-4.5 4.5 3.5H-4.5z"/>
<path id="m-timed-out" d="M-4-4.5H4L.8 0 4 4.5H-4L-.8 0z"/>
<path id="m-cancelled" d="M-4.5-1.3H4.5V1.3H-4.5z"/>
<path id="m-lost" d="M-4.5-2.7-2.7-4.5 0-1.8 2.7-4.5 4.5-2.7 1.8 0 4.5 2.7 2.7 4.5 0 1.8-2.7 4.5-4.5 2.7-1.8 0z"/>
<path id="m-retried" d="M0-4.5 4.5 0 0 4.5-4.5 0z"/>
</defs>
"##;
