//! The page's style sheet, for the screen and for print.

/// What figures look like, within a page and alone.
macro_rules! figures {
    () => {
        r#"svg text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; fill: #222; }
.tick { font-size: 11px; } .condition { font-size: 10.5px; } .label { font-size: 12px; }
.legend { font-size: 11.5px; }
svg .note { font-size: 11.5px; fill: #333; }
.panel { font-size: 12.5px; font-weight: 600; }
.axis { stroke: #333; stroke-width: 1; }
.zero { stroke: #c4c4c4; stroke-width: 1; }
.diagonal { stroke: #777; stroke-width: 1; stroke-dasharray: 4 3; }
.ceiling { stroke: #9a9a9a; stroke-width: 1.4; fill: none; }
.mean { stroke: #000; stroke-width: 1.6; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: butt; }
.thin { stroke-width: 1; }
.band { fill: #000; fill-opacity: 0.12; }
.mark { fill-opacity: 0.8; }
.edge { fill: #fff; stroke-width: 1.2; }
.border { stroke: #333; stroke-width: 0.8; }
.cell { stroke: #fff; stroke-width: 1; }
.swatch { stroke: #555; stroke-width: 0.6; }
.diagonal-cell { stroke: #222; stroke-width: 1.4; }
.cell-dark, .cell-light { font-size: 11px; font-variant-numeric: tabular-nums; }
svg .cell-light { fill: #fff; }
.map { image-rendering: pixelated; }
"#
    };
}

/// The style of a figure that stands alone.
pub(crate) const FIGURE_CSS: &str = figures!();

/// Everything the page's look depends on. No `<` or `&` may stand here: the page is also XML.
pub(crate) const CSS: &str = concat!(
    r#"
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 48px; max-width: 928px; background: #fff; color: #1a1a1a;
  font: 15px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 10px; }
h2 { font-size: 20px; margin: 44px 0 12px; padding-bottom: 5px; border-bottom: 1px solid #bbb; }
h3 { font-size: 16px; margin: 28px 0 10px; }
h4 { font-size: 14px; margin: 22px 0 8px; }
h1, h2, h3, h4 { break-after: avoid; }
p { margin: 0 0 12px; max-width: 74ch; }
.lead { font-size: 16px; }
p.note { max-width: 100ch; }
.note, figcaption { font-size: 13px; line-height: 1.45; color: #444; }
a { color: #005a8f; }
nav ul { margin: 0; padding-left: 20px; columns: 2; column-gap: 40px; font-size: 14px; }
nav li { break-inside: avoid; }
nav ul ul { columns: 1; font-size: 13px; }
dl { margin: 0 0 16px; }
dl div { display: flex; gap: 14px; padding: 3px 0; }
dt { flex: 0 0 170px; color: #555; }
dd { margin: 0; }
pre { margin: 0 0 16px; padding: 10px 14px; background: #f5f5f5; border: 1px solid #e2e2e2; border-radius: 3px;
  font: 12.5px/1.5 "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; margin: 0 0 10px; font-size: 13px; line-height: 1.35;
  font-variant-numeric: tabular-nums; border-bottom: 1.5px solid #333; }
caption { text-align: left; font-size: 13px; color: #444; padding: 0 0 7px; }
thead th { border-top: 1.5px solid #333; border-bottom: 1px solid #333; vertical-align: bottom; }
th, td { padding: 4px 10px 4px 0; vertical-align: top; }
th { text-align: left; font-weight: 600; }
td, th[scope=col] { overflow-wrap: anywhere; }
th[scope=rowgroup] { min-width: 100px; }
th[scope=row] { min-width: 130px; }
tbody th[scope=row] { font-weight: 400; }
.numbers td, .numbers thead th { text-align: right; padding: 4px 0 4px 14px; }
.numbers thead th.head { text-align: left; padding-left: 0; }
.numbers td, .numbers td span { white-space: nowrap; }
.many td span { display: block; }
tbody, .keep, .tasks { break-inside: avoid; }
h2 + .note { break-after: avoid; }
.numbers tbody + tbody tr:first-child > * { border-top: 1px solid #ccc; }
.words tbody tr + tr > td, .words tbody tr + tr > th[scope=row], .words tbody + tbody tr > * { border-top: 1px solid #e2e2e2; }
figure { margin: 0 0 24px; break-inside: avoid; }
figcaption { margin: 4px 0 6px; max-width: 110ch; }
figure > svg + .pairs { margin-top: 8px; }
details { margin: 0 0 5px; border: 1px solid #ddd; border-radius: 3px; }
summary { padding: 4px 10px; font-size: 13.5px; cursor: pointer; }
details[open] { padding: 0 8px; }
details[open] > summary { margin: 0 -8px 10px; border-bottom: 1px solid #ddd; }
details > figure { margin-bottom: 10px; }
.pairs { display: grid; grid-template-columns: 1fr 1fr; gap: 14px 40px; }
.pairs svg { width: 100%; }
.row { display: flex; flex-wrap: wrap; gap: 14px 40px; align-items: flex-start; }
svg { display: block; max-width: 100%; height: auto; break-inside: avoid; }
svg svg { display: inline; max-width: none; }
"#,
    figures!(),
    r#"span.swatch { display: inline-block; width: 9px; height: 9px; margin-right: 4px; border: 1px solid #555; }
footer { margin-top: 48px; padding-top: 10px; border-top: 1px solid #bbb; font-size: 12.5px; color: #555; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; }
  body { background: #15171a; color: #e4e4e4; }
  .note, figcaption, caption, dt, footer { color: #b8b8b8; }
  a { color: #7cc0f0; }
  pre { background: #1f2226; border-color: #3a3d42; }
  h2, footer { border-color: #4a4d52; }
  table, thead th { border-color: #8a8d92; }
  .numbers tbody + tbody tr:first-child > *, .words tbody tr + tr > td, .words tbody tr + tr > th[scope=row],
  .words tbody + tbody tr > * { border-color: #3a3d42; }
  details, details[open] > summary { border-color: #3a3d42; }
  /* The colours of figures are chosen to be told apart on white. */
  svg { background: #fff; padding: 8px; border-radius: 4px; }
  svg svg { background: none; padding: 0; }
}
@page { size: A4; margin: 15mm 14mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 10.5pt; }
  p { max-width: none; }
  p:not(.lead):not(.note), dl { font-size: 9.5pt; }
  table { font-size: 8.5pt; }
  .numbers td, .numbers thead th { padding-left: 8px; }
  h2 { margin-top: 26px; }
  a { color: inherit; text-decoration: none; }
  details:not([open]) { display: none; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"#
);
