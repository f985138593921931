// Elements, made and replaced.

const SVG = 'http://www.w3.org/2000/svg';
const drawn = new Set(['svg', 'path', 'rect', 'line', 'circle', 'g', 'title']);

/**
 * Makes an element: h('a', {href: './', class: 'x', onclick: f}, 'text', child, …). Attributes that are null or false are
 * left out, children that are null or false too, and lists of children are flattened. Text is never read as HTML.
 */
export function h(tag, attributes, ...children) {
  const e = drawn.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'style') for (const [p, x] of Object.entries(v)) e.style.setProperty(p, x);
    else if (k === 'value') e.value = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ''));
  return e;
}

/** Replaces what an element holds, and gives the focus back to what has the same data-key or address as what had it. */
export function replace(element, ...children) {
  const had = document.activeElement;
  let key = null;
  if (had && had !== element && element.contains(had)) key = had.dataset.key || had.getAttribute('href');
  element.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ''));
  if (!key) return;
  for (const e of element.querySelectorAll('[data-key], [href]')) {
    if ((e.dataset.key || e.getAttribute('href')) === key) {
      e.focus({ preventScroll: true });
      return;
    }
  }
}

/** Sets an element's text where it differs: nothing is announced or drawn that has not changed. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A colour of the theme in force: colour('--accent'). */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
