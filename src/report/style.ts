/** The style of our pages: readable on a phone, on a screen and on paper; contrast AA; nothing said by colour alone. */
export const STYLE = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, Arial, sans-serif; color: #202124; background: #fff; overflow-wrap: anywhere; }
main { max-width: 54rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.15rem; font-weight: 600; line-height: 1.4; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #dadce0; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.word { display: inline-block; font-weight: 700; font-size: 1.3rem; border: 3px solid #202124; padding: .1rem .8rem; margin: 0; }
.word.AUTHORIZED, .word.RECORDED { border-color: #137333; color: #0d5626; }
.word.VIOLATION { border-color: #b3261e; color: #fff; background: #8c1d18; }
.word.NOT_ESTABLISHED, .word.NOT_VERIFIED { border-color: #8a4b00; color: #6b3a00; border-style: dashed; }
.again { border-left: 6px solid #5f6368; padding: .4rem .8rem; background: #f1f3f4; }
.again.good { border-color: #137333; }
.again.bad { border-color: #b3261e; background: #fdecea; font-weight: 700; }
.note, .detail { color: #3c4043; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #dadce0; }
dl { display: grid; grid-template-columns: minmax(9rem, 16rem) 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: #3c4043; }
dd { margin: 0; }
pre { white-space: pre-wrap; background: #f1f3f4; padding: .6rem; font-size: .8rem; }
.picture { overflow-x: auto; }
.picture > svg { max-width: 100%; min-width: 48rem; height: auto; }
textarea, input { width: 100%; font: inherit; }
button { font: inherit; padding: .3rem .8rem; }
:focus-visible { outline: 3px solid #1558b0; outline-offset: 2px; }
@media (max-width: 36rem) {
  thead { display: none; }
  tr { display: block; border-bottom: 2px solid #dadce0; }
  td { display: block; border: 0; padding: .1rem 0; }
  td[data-label]:not([data-label=""])::before { content: attr(data-label) ": "; color: #3c4043; }
  dl { grid-template-columns: 1fr; }
}
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  button, textarea, label { display: none; }
  .picture { overflow: visible; }
  .picture > svg { min-width: 0; }
  h2 { break-after: avoid; }
  tr, li, dl, .again { break-inside: avoid; }
}
`;
