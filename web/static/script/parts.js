// The parts that pages are made of: panels, tiles, bars, tables.

import { DASH, clock, count, percent } from './format.js';
import { h, replace, say } from './dom.js';

/** A panel with a heading: {element, body, note(text)}. wide is its width of twelve columns on a large screen. */
export function panel(title, { wide = 6, aside = null, id = null } = {}, ...children) {
  const name = id || `p-${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
  const note = h('span', { class: 'note' });
  const body = h('div', { class: 'body' }, children);
  const element = h('section', { class: `panel w${wide}`, 'aria-labelledby': name, 'data-panel': name.replace(/^p-/, '') },
    h('header', null, h('h2', { id: name }, title), note, aside), body);
  return { element, body, note: (text) => say(note, text || '') };
}

/** What stands where there is no data: what is missing, and what would bring it. */
export function empty(text) {
  return h('p', { class: 'empty' }, 'No data: ', text);
}

/** A reading's number: its text, dimmed and with its time where it is stale, a dash where there is none. */
export function figure(reading, format, end) {
  if (!reading || reading.value === null || reading.value === undefined) return h('span', { class: 'num none' }, DASH);
  const e = h('span', { class: reading.stale ? 'num stale' : 'num' }, format(reading.value));
  if (reading.stale) e.title = `last known at ${clock(reading.time, end)}`;
  return e;
}

/** A tile: a big number, what it is of, a line of its last hours. */
export class Tile {
  constructor(title, { href = null } = {}) {
    this.number = h('div', { class: 'big' });
    this.sub = h('div', { class: 'sub' });
    this.meter = h('div', { class: 'meter' });
    this.spark = h('div', { class: 'spark', 'aria-hidden': 'true' });
    const name = `t-${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
    this.element = h('section', { class: 'tile', 'aria-labelledby': name, 'data-tile': name.slice(2) },
      h('h2', { id: name }, href ? h('a', { href, 'data-page': '' }, title) : title), this.number, this.sub, this.meter, this.spark);
  }

  /** reading: the number; sub: the words below; ratio: of how much it is, for the meter; series: for the line. */
  set({ reading, format = count, sub = '', ratio = null, series = null, end, missing = 'not measured' }) {
    const none = !reading;
    this.element.classList.toggle('is-none', none);
    this.element.classList.toggle('is-stale', Boolean(reading?.stale));
    replace(this.number, figure(reading, format, end));
    say(this.sub, none ? `no data: ${missing}` : reading.stale ? `as of ${clock(reading.time, end)}` : sub);
    replace(this.meter, ratio === null || none ? [] : h('i', { style: { width: `${Math.max(0, Math.min(1, ratio)) * 100}%` } }));
    this.meter.hidden = ratio === null || none;
    replace(this.spark, series ? spark(series.values) : []);
  }
}

/** A line of values as a picture that stretches; nothing is drawn where there is no value. */
export function spark(values, { width = 200, height = 32 } = {}) {
  const seen = values.filter((v) => v !== null);
  if (seen.length < 2) return [];
  const low = Math.min(0, ...seen);
  const high = Math.max(...seen) || 1;
  const x = (i) => (i / (values.length - 1)) * width;
  const y = (v) => height - 1.5 - ((v - low) / (high - low || 1)) * (height - 3);
  let line = '';
  let area = '';
  let first = -1;
  for (let i = 0; i <= values.length; i++) {
    const v = values[i];
    if (v === null || v === undefined) {
      if (first >= 0) area += `L${x(i - 1).toFixed(1)} ${height}L${x(first).toFixed(1)} ${height}Z`;
      first = -1;
      continue;
    }
    const p = `${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    line += (first < 0 ? 'M' : 'L') + p;
    area += (first < 0 ? 'M' : 'L') + p;
    if (first < 0) first = i;
  }
  return h('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none' }, h('path', { class: 'area', d: area }), h('path', { class: 'line', d: line }));
}

/** A stacked bar: parts [{label, value, kind}], kind naming the colour. The words are in its label, and beside it. */
export function bar(parts, total, { label = '' } = {}) {
  const words = parts.filter((p) => p.value > 0).map((p) => `${count(p.value)} ${p.label}`).join(', ');
  return h('div', { class: 'stack', role: 'img', 'aria-label': `${label ? `${label}: ` : ''}${words || 'none'}`, title: words },
    parts.filter((p) => p.value > 0).map((p) => h('i', { class: `k-${p.kind}`, style: { flex: `${p.value / total} 1 0` } })));
}

/** A ratio as a thin bar with its number. */
export function ratioBar(value, total, { stale = false } = {}) {
  if (value === null || !total) return h('span', { class: 'num none' }, DASH);
  return h('span', { class: stale ? 'ratio is-old' : 'ratio' }, h('i', { 'aria-hidden': 'true' }, h('b', { style: { width: `${Math.min(100, (value / total) * 100)}%` } })), h('span', { class: stale ? 'num stale' : 'num' }, percent(value / total)));
}

/** The key to the colours of a stacked bar. */
export function keys(kinds) {
  return h('ul', { class: 'keys' }, kinds.map(([kind, label]) => h('li', null, h('i', { class: `k-${kind}` }), label)));
}

/** Names with a number and a bar each, the largest first: rows [{name, value, href, title, stale}]. */
export function ranking(rows, { format = count, most = 10, caption, columns = ['', ''] } = {}) {
  const top = [...rows].sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, most);
  const largest = Math.max(...top.map((r) => r.value), 1e-12);
  return h('table', { class: 'ranking' }, h('caption', { class: 'unseen' }, caption),
    h('thead', { class: 'unseen' }, h('tr', null, columns.map((c) => h('th', { scope: 'col' }, c)))),
    h('tbody', null, top.map((r) => h('tr', { 'data-name': r.key || r.name },
      h('th', { scope: 'row', title: r.title || null }, r.href ? h('a', { href: r.href, 'data-page': '' }, r.name) : r.name, r.sub ? h('small', null, r.sub) : null),
      h('td', null, h('i', { 'aria-hidden': 'true' }, h('b', { style: { width: `${Math.max(0.6, (r.value / largest) * 100)}%` } })), h('span', { class: r.stale ? 'num stale' : 'num' }, format(r.value)))))));
}

/** A table: columns [{title, number}], rows [[cell, …]] of text or elements. */
export function table(caption, columns, rows, { rowKeys = null } = {}) {
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption }, h('table', { class: 'data' },
    h('caption', { class: 'unseen' }, caption),
    h('thead', null, h('tr', null, columns.map((c) => h('th', { scope: 'col', class: c.number ? 'n' : null }, c.title)))),
    h('tbody', null, rows.map((cells, i) => h('tr', { 'data-name': rowKeys ? rowKeys[i] : null }, cells.map((c, k) => h(k === 0 ? 'th' : 'td', { scope: k === 0 ? 'row' : null, class: columns[k].number ? 'n' : null }, c)))))));
}
