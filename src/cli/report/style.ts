// The style sheet of the report, light and dark.

export const STYLE = `
:root { color-scheme: light dark; --text: #16202b; --dim: #5b6875; --line: #dde3e9; --page: #f6f8fa; --card: #ffffff; --c0: #1d6fd1; --c1: #d9730d; --good: 29 111 209; --bad: 217 60 43; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9ee; --dim: #98a5b3; --line: #2d3742; --page: #12171c; --card: #1a2129; --c0: #6cabf7; --c1: #f0a35e; --good: 108 171 247; --bad: 240 120 100; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 1040px; color: var(--text); background: var(--page); font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }
header, .wide, .tiles, .where, footer { grid-column: 1 / -1; }
h1 { font-size: 1.7rem; margin: 0; } h1 small { font-weight: 400; color: var(--dim); font-size: 1rem; }
h2 { font-size: 1.05rem; margin: 0 0 .4rem; } p { margin: .2rem 0 .6rem; color: var(--dim); }
.where { margin: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.15rem; overflow-x: auto; }
.two { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.5rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; margin: 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.tiles dt { color: var(--dim); font-size: .82rem; line-height: 1.3; } .tiles dd { margin: 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 500; } thead th { color: var(--dim); font-size: .82rem; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; } th, .tight { white-space: nowrap; } td { overflow-wrap: anywhere; } .left { color: var(--dim); }
.confusion td { text-align: center; padding: .45rem; border: 2px solid var(--card); border-radius: 6px; } .confusion thead th { text-align: center; } .confusion td small { display: block; color: var(--dim); }
.confusion .right { background: rgb(var(--good) / calc(var(--s) * .45)); } .confusion .wrong { background: rgb(var(--bad) / calc(var(--s) * .7)); }
pre { overflow-x: auto; margin: .4rem 0; padding: .7rem .9rem; background: var(--page); border: 1px solid var(--line); border-radius: 6px; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: var(--dim); }
.grid { stroke: var(--line); } .line { fill: none; stroke-width: 2; } .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .mark { stroke: var(--dim); stroke-dasharray: 4 4; }
.bar { fill: var(--c0); } .whisker { stroke: var(--text); opacity: .6; } .dot { fill: var(--c0); opacity: .35; }
footer { color: var(--dim); font-size: .85rem; }
@media (max-width: 760px) { body, .two { grid-template-columns: minmax(0, 1fr); } }
@media print { body { background: none; } section, .tiles div { break-inside: avoid; } }
`;
