"""The look of the report, for light and dark screens and for paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --muted: #57606a; --rule: #d0d7de;
  --soft: #f4f6f8;
  --accent: #0072b2; --good: #00795a; --bad: #b3261e; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161b; --ink: #e6e9ed; --muted: #9aa4af;
  --rule: #343c46;
  --soft: #1b2129; --accent: #58b4ea; --good: #4fc79f; --bad: #ff8f86; --open: #e8bd4c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { margin: 0; font-size: 2.2rem; letter-spacing: -0.02em; }
header p { max-width: 44rem; color: var(--muted); }
h2 { margin: 0 0 1rem; font-size: 1.35rem; }
h2 span { display: inline-block; min-width: 1.9rem; margin-right: .35rem; border-radius: .95rem;
  background: var(--accent);
  color: var(--paper); text-align: center; font-size: 1.1rem; line-height: 1.9rem; }
h3 { margin: 1.75rem 0 .5rem; font-size: 1.05rem; }
section { margin: 2.5rem 0; padding-top: 1.75rem; border-top: 1px solid var(--rule); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
.tile { padding: .9rem 1rem; border: 1px solid var(--rule); border-radius: .6rem; background: var(--soft); }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; }
.tile span { color: var(--muted); font-size: .9rem; }
pre { margin: .4rem 0; padding: .55rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere;
  border-radius: .4rem; background: var(--soft);
  font: .86rem/1.5 ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.math { padding: .6rem 0; overflow-x: auto; font-size: 1.15rem; }
ol { padding-left: 1.4rem; }
.lemma { color: var(--muted); font-size: .9rem; }
summary { cursor: pointer; color: var(--accent); }
.wide { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid var(--rule); text-align: left; }
th { color: var(--muted); font-weight: 600; }
.verdict { padding: .1rem .6rem; border: 1px solid currentColor; border-radius: 1rem; font-weight: 600; }
.proved { color: var(--good); } .refuted { color: var(--bad); } .unknown { color: var(--open); }
figure { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1rem; margin: 1.25rem 0; }
figure svg { max-width: 100%; height: auto; }
dt { margin-top: .6rem; font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: .9rem; }
dd { margin: 0; }
footer { padding: 1.5rem 1.25rem 3rem; color: var(--muted); font-size: .85rem; }
@media print { section { break-inside: avoid; } }
"""
