/** What the reference page looks like, in light and in dark. */
export const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1d2433, #dfe4ee); --soft: light-dark(#5a6478, #9aa5ba);
  --line: light-dark(#dde2ea, #2c3444); --back: light-dark(#ffffff, #12161f); --shade: light-dark(#f4f6f9, #1a202c);
  --link: light-dark(#1a56c4, #7fb0ff); }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 19rem minmax(0, 1fr); color: var(--text);
  background: var(--back); font: 16px/1.55 system-ui, sans-serif; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; border-right: 1px solid var(--line);
  background: var(--shade); font-size: .8125rem; }
summary { font-weight: 600; cursor: pointer; }
nav h2 { margin: 1rem 0 .25rem; font-size: .8125rem; color: var(--soft); }
nav ul { margin: 0; padding: 0; list-style: none; overflow-wrap: break-word; }
nav li { padding: .125rem 0; }
main { max-width: 62rem; padding: 2rem clamp(1rem, 4vw, 3rem); }
h1 { font-size: 1.75rem; line-height: 1.2; }
main > h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
section { padding: .5rem 0 1rem; border-bottom: 1px solid var(--line); }
section:target h3 { text-decoration: underline; }
h3 a { color: inherit; text-decoration: none; }
h4 { margin: 1rem 0 .25rem; }
a { color: var(--link); }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code, pre, b { font-family: ui-monospace, monospace; font-size: .875em; }
pre { overflow: auto; padding: .75rem 1rem; border-radius: .5rem; background: var(--shade); }
i { color: var(--soft); font-size: .8125rem; }
.get { color: light-dark(#1a6b3c, #6fd19a); }
.post { color: light-dark(#1a56c4, #7fb0ff); }
.put { color: light-dark(#8a5300, #f0b866); }
.delete { color: light-dark(#b3261e, #ff938a); }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th, td { padding: .375rem .75rem .375rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
dl { display: grid; grid-template-columns: 14rem minmax(0, 1fr); gap: .375rem .75rem; font-size: .875rem; }
dt code { display: inline-block; min-width: 4rem; }
dd { margin: 0; overflow-wrap: break-word; }
dd p { margin: 0 0 .125rem; }
section > .table:last-child tr:last-child td { border-bottom: 0; }
h4 i { font-weight: 400; }
td code { overflow-wrap: anywhere; }
td:first-child code { overflow-wrap: normal; }
@media (max-width: 60rem) { body { display: block; } dl { display: block; } dd { margin: 0 0 .5rem 4.25rem; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); } }
@media (min-width: 60.01rem) { @supports selector(::details-content) { summary { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; } } }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`
