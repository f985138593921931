// The cluster, the time range, the refresh and the theme: in the head of every page.

import { DEFAULTS, go, link, range, read } from './address.js';
import { date } from './format.js';
import { h, replace } from './dom.js';
import { redraw } from './chart.js';
import { serverNow } from './graphite.js';

const RANGES = [['-30min', '30 min'], ['-1h', '1 hour'], ['-3h', '3 hours'], ['-6h', '6 hours'], ['-12h', '12 hours'], ['-24h', '24 hours'], ['-7d', '7 days'], ['-30d', '30 days']];
const REFRESH = [['10', '10 s'], ['30', '30 s'], ['60', '1 min'], ['300', '5 min'], ['off', 'off']];
const THEMES = [['auto', 'as the system has it', 'M12 3a9 9 0 1 0 0 18z'], ['light', 'light', 'M12 7a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM12 1v3M12 20v3M1 12h3M20 12h3M4.2 4.2l2.1 2.1M17.7 17.7l2.1 2.1M4.2 19.8l2.1-2.1M17.7 6.3l2.1-2.1'], ['dark', 'dark', 'M20.5 14.5A9 9 0 1 1 9.5 3.5a7 7 0 0 0 11 11z']];

function select(name, label, options, value, change) {
  return h('label', { class: 'control' }, h('span', null, label), h('select', { name, onchange: (e) => change(e.target.value) },
    options.map(([v, text]) => h('option', { value: v, selected: v === value }, text))));
}

const two = (n) => String(n).padStart(2, '0');

/** "18 Nov 12:03 – 13:40", in the browser's time zone. */
export function spell(r) {
  const a = new Date(r.start * 1000);
  const b = new Date(r.end * 1000);
  const time = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;
  return `${date(a)} ${time(a)} – ${a.toDateString() === b.toDateString() ? '' : `${date(b)} `}${time(b)}`;
}

const field = (t) => { const d = new Date(t * 1000); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`; };

/** The dialog for a range of one's own. */
function askRange(r) {
  const from = h('input', { type: 'datetime-local', name: 'from', required: true, value: field(r.start) });
  const until = h('input', { type: 'datetime-local', name: 'until', required: true, value: field(r.end) });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const dialog = h('dialog', { 'aria-labelledby': 'range-title' }, h('form', {
    method: 'dialog',
    onsubmit: (e) => {
      e.preventDefault();
      const a = new Date(from.value).getTime() / 1000;
      const b = new Date(until.value).getTime() / 1000;
      if (!(b > a)) {
        wrong.textContent = 'The end has to come after the beginning.';
        return;
      }
      dialog.close();
      go(link(null, { from: String(a), until: String(b), refresh: null }));
    },
  }, h('h2', { id: 'range-title' }, 'Time range'), h('label', null, 'From', from), h('label', null, 'Until', until), wrong,
  h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), h('button', { type: 'submit', class: 'main' }, 'Show'))));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** A button that goes from theme to theme. */
function themeChoice() {
  const button = h('button', { type: 'button', class: 'theme', name: 'theme', onclick: () => {
    const [next] = THEMES[(THEMES.findIndex(([v]) => v === (document.documentElement.dataset.theme || 'auto')) + 1) % THEMES.length];
    try { localStorage.setItem('theme', next); } catch { /* until the page is left */ }
    if (next === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    show();
    redraw();
    window.dispatchEvent(new Event('themechange'));
  } });
  function show() {
    const [v, text, drawing] = THEMES.find(([t]) => t === (document.documentElement.dataset.theme || 'auto'));
    replace(button, h('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true', class: v }, v === 'auto' ? h('circle', { cx: 12, cy: 12, r: 9 }) : null, h('path', { d: drawing })));
    button.title = `Theme: ${text}`;
    button.setAttribute('aria-label', button.title);
  }
  show();
  return button;
}

let drawn = '';

/** Draws the controls for the address in force. */
export function controls(element, clusters, cluster) {
  const address = read();
  const r = range(address, serverNow());
  const key = JSON.stringify([clusters, cluster, r.from, r.until, address.get('refresh'), address.page.id]);
  if (key === drawn) return;
  drawn = key;
  const own = !r.live || !RANGES.some(([v]) => v === r.from);
  const options = [...(own ? [['own', r.live ? `last ${r.from.replace(/^-/, '')}` : spell(r)]] : []), ...RANGES, ['choose', 'From … until …']];
  const focused = document.activeElement?.name;
  replace(element,
    clusters.length > 1 || (cluster && !clusters.includes(cluster))
      ? select('cluster', 'Cluster', [...new Set([...clusters, cluster])].map((c) => [c, c]), cluster, (v) => go(link(null, { cluster: v, partition: null, host: null, node: null })))
      : h('span', { class: 'cluster', title: 'Cluster' }, cluster || ''),
    select('range', 'Time range', options, own ? 'own' : r.from, (v) => {
      drawn = '';
      if (v === 'choose') {
        controls(element, clusters, cluster);
        askRange(r);
      } else if (v !== 'own') go(link(null, { from: v, until: null }));
    }),
    r.live ? select('refresh', 'Refresh', REFRESH, REFRESH.some(([v]) => v === address.get('refresh')) ? address.get('refresh') : DEFAULTS.refresh, (v) => go(link(null, { refresh: v }), { replace: true }))
      : h('a', { class: 'live', href: link(null, { from: null, until: null }), 'data-page': '' }, 'Back to now'),
    themeChoice());
  if (focused) element.elements[focused]?.focus();
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  redraw();
  window.dispatchEvent(new Event('themechange'));
});
