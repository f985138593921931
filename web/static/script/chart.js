// A chart over time: lines or a stack, with a legend that shows the values under the cursor, a keyboard's cursor, and the
// same numbers as a table.

import uPlot from '../vendor/uplot.js';
import { clock, clockSeconds, date } from './format.js';
import { colour, h, replace, say } from './dom.js';
import { align } from './data.js';

/** Colours for series that have none of their own; apart for people who do not see all colours. */
export const PALETTE = ['--s1', '--s2', '--s3', '--s4', '--s5', '--s6', '--s7', '--s8'];

const live = new Set();

/** Draws every chart anew: the theme has changed. */
export function redraw() {
  for (const c of live) c.rebuild();
}

const two = (n) => String(n).padStart(2, '0');

/** Labels of the time axis: times of day, with the date below the first of each day. */
function timeLabels(u, splits, axis, space, step) {
  let day = '';
  return splits.map((t) => {
    const d = new Date(t * 1000);
    const today = d.toDateString();
    const time = step < 60 ? `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}` : `${two(d.getHours())}:${two(d.getMinutes())}`;
    const label = step >= 86400 ? date(d) : day !== today && (day !== '' || step >= 3 * 3600) ? `${time}\n${date(d)}` : time;
    day = today;
    return label;
  });
}

/** A colour nearer to the ground: #rrggbb of both. Areas in it are calmer than lines. */
function soften(ink, ground, ratio = 0.8) {
  const part = (c, i) => parseInt(c.slice(i, i + 2), 16);
  if (!/^#[0-9a-f]{6}$/i.test(ink) || !/^#[0-9a-f]{6}$/i.test(ground)) return ink;
  return `rgb(${[1, 3, 5].map((i) => Math.round(part(ink, i) * ratio + part(ground, i) * (1 - ratio))).join(' ')})`;
}

/** The points without a neighbour: a line would not show them. */
function lone(u, k) {
  const v = u.data[k];
  const found = [];
  for (let i = 0; i < v.length; i++) if (v[i] !== null && v[i] !== undefined && (v[i - 1] ?? null) === null && (v[i + 1] ?? null) === null) found.push(i);
  return found;
}

export class Chart {
  /**
   * title names the chart to those who do not see it; unit is one of format.js; kind is 'lines' or 'stack'; zoom is called
   * with the seconds of a range that was drawn with the mouse; max is a fixed top of the scale.
   */
  constructor({ title, unit, kind = 'lines', height = 180, zoom = null, max = null, legend = true }) {
    Object.assign(this, { title, unit, kind, height, zoom, max });
    this.hidden = new Set();
    this.plot = h('div', { class: 'plot', tabindex: 0, role: 'group', 'aria-roledescription': 'chart', 'aria-label': title });
    this.legend = h('ul', { class: 'legend', hidden: !legend });
    this.spoken = h('div', { class: 'unseen', 'aria-live': 'polite' });
    this.table = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${title}: table` });
    this.details = h('details', { class: 'as-table', ontoggle: () => this.fillTable() }, h('summary', null, 'Table'), this.table);
    this.note = h('p', { class: 'empty', hidden: true });
    this.element = h('div', { class: 'chart' }, this.plot, this.note, this.legend, this.details, this.spoken);
    this.plot.addEventListener('keydown', (e) => this.key(e));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.plot);
    this.plot.style.minHeight = `${height}px`;
    live.add(this);
  }

  destroy() {
    live.delete(this);
    this.observer.disconnect();
    this.u?.destroy();
    this.u = null;
  }

  /**
   * Shows series: [{label, series, colour, last}] with series as graphite.render gives them, over the range {start, end};
   * last is the reading that the legend shows as now, otherwise it is the last point drawn. end is what counts as now. Where none has a value, why is shown in their place.
   */
  set(list, range, why = 'No data in this range.') {
    const shown = list.filter((s) => s.series && s.series.values.some((v) => v !== null));
    this.empty = shown.length === 0;
    this.note.hidden = !this.empty;
    this.plot.hidden = this.empty;
    this.details.hidden = this.empty;
    say(this.note, this.empty ? why : '');
    this.range = range;
    const shape = shown.map((s) => `${s.label}\u0000${s.colour || ''}`).join('\u0001');
    this.list = shown;
    const { times, columns } = align(shown.map((s) => s.series));
    this.times = times;
    this.columns = columns;
    if (this.empty) {
      replace(this.legend);
      this.u?.destroy();
      this.u = null;
      this.shape = null;
      return;
    }
    if (shape !== this.shape || !this.u) {
      this.shape = shape;
      this.rebuild();
    } else {
      this.u.setData(this.drawn());
    }
    this.values(null);
    this.describe();
    if (this.details.open) this.fillTable();
  }

  ink(i) {
    const c = this.list[i].colour || PALETTE[i % PALETTE.length];
    return c.startsWith('--') ? colour(c) : c;
  }

  /** The columns as drawn: a stack's are sums, the first on top, so that each fills down to zero behind the next. */
  drawn() {
    if (this.kind !== 'stack') return [this.times, ...this.columns];
    const sums = [];
    let below = this.times.map(() => null);
    for (let k = this.columns.length - 1; k >= 0; k--) {
      if (!this.hidden.has(this.list[k].label)) {
        below = below.map((b, i) => (this.columns[k][i] === null || this.columns[k][i] === undefined ? b : (b ?? 0) + this.columns[k][i]));
      }
      sums[k] = below;
    }
    return [this.times, ...sums];
  }

  rebuild() {
    if (!this.list || this.empty) return;
    this.u?.destroy();
    const stack = this.kind === 'stack';
    const grid = { stroke: colour('--grid'), width: 1 };
    const axis = { stroke: colour('--ink-3'), font: `11px ${colour('--font')}`, ticks: { show: false }, grid };
    const series = this.list.map((s, i) => ({
      label: s.label,
      stroke: this.ink(i),
      width: stack ? 1 : 1.6,
      fill: stack ? soften(this.ink(i), colour('--panel')) : this.list.length === 1 ? `${this.ink(i)}1f` : undefined,
      points: stack ? { show: false } : { show: true, size: 4, fill: this.ink(i), filter: lone },
      show: !this.hidden.has(s.label),
    }));
    this.u = new uPlot({
      width: Math.max(120, this.plot.clientWidth || 400),
      height: this.height,
      padding: [10, 10, 0, 0],
      series: [{}, ...series],
      legend: { show: false },
      scales: { x: { time: true, range: () => [this.range.start, this.range.end] }, y: { range: (u, low, high) => this.scale(low, high) } },
      axes: [
        { ...axis, grid: { show: false }, values: timeLabels, space: 62, size: (u, labels) => ((labels || []).some((l) => l.includes('\n')) ? 38 : 25) },
        { ...axis, size: (u, values) => Math.max(34, ...(values || []).map((v) => 12 + 6.4 * String(v).length)), values: (u, splits) => splits.map(this.unit.format), space: 34, incrs: this.increments() },
      ],
      cursor: {
        sync: { key: 'time', setSeries: false, scales: ['x', null] },
        drag: { x: Boolean(this.zoom), y: false, setScale: false },
        points: { show: !stack, size: 6 },
        y: false,
      },
      hooks: {
        drawClear: [(u) => this.shade(u)],
        setCursor: [(u) => this.values(u.cursor.idx)],
        setSelect: [(u) => this.select(u)],
      },
    }, this.drawn(), this.plot);
    this.u.root.setAttribute('aria-hidden', 'true');
    this.rows();
  }

  increments() {
    if (this.unit.name === 'bytes') return Array.from({ length: 62 }, (_, i) => 2 ** i);
    if (this.unit.name === 'seconds') return [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000];
    return undefined;
  }

  /** The value axis begins at zero where nothing is below it: heights can be compared. */
  scale(low, high) {
    if (low === null || high === null) return [0, this.max ?? 1];
    const top = Math.max(this.max ?? 0, high);
    if (low >= 0) return [0, top === 0 ? 1 : top * (this.max && high <= this.max ? 1 : 1.06)];
    const margin = (high - low || 1) * 0.06;
    return [low - margin, high + margin];
  }

  /** Hatches the time after the last point: nothing is known of it. */
  shade(u) {
    const last = this.lastIndex();
    if (last < 0) return;
    const step = this.times[1] - this.times[0] || 10;
    const from = this.times[last] + step;
    if (this.range.end - from < Math.max(45, 3 * step)) return;
    const { ctx } = u;
    const x = u.valToPos(from, 'x', true);
    const { left, top, width, height } = u.bbox;
    const w = left + width - x;
    if (w < 3) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, top, w, height);
    ctx.clip();
    ctx.fillStyle = colour('--hatch-back');
    ctx.fillRect(x, top, w, height);
    ctx.strokeStyle = colour('--hatch');
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    for (let k = x - height; k < x + w; k += 7 * devicePixelRatio) {
      ctx.moveTo(k, top + height);
      ctx.lineTo(k + height, top);
    }
    ctx.stroke();
    const text = `no data since ${clock(this.times[last], this.range.end)}`;
    ctx.font = `${11 * devicePixelRatio}px ${colour('--font')}`;
    const room = ctx.measureText(text).width + 12 * devicePixelRatio;
    if (room < w) {
      ctx.fillStyle = colour('--panel');
      ctx.fillRect(x + (w - room) / 2, top + 6 * devicePixelRatio, room, 18 * devicePixelRatio);
      ctx.fillStyle = colour('--ink-2');
      ctx.textAlign = 'center';
      ctx.textBaseline = 'middle';
      ctx.fillText(text, x + w / 2, top + 15 * devicePixelRatio);
    }
    ctx.restore();
  }

  lastIndex() {
    for (let i = this.times.length - 1; i >= 0; i--) if (this.columns.some((c) => c[i] !== null && c[i] !== undefined)) return i;
    return -1;
  }

  select(u) {
    if (!this.zoom || u.select.width < 6) return;
    const a = u.posToVal(u.select.left, 'x');
    const b = u.posToVal(u.select.left + u.select.width, 'x');
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (b - a >= 30) this.zoom(Math.round(a), Math.round(b));
  }

  resize() {
    const width = this.plot.clientWidth;
    if (this.u && width > 0 && width !== this.u.width) this.u.setSize({ width, height: this.height });
  }

  /** The legend: a button a series, which hides and shows it. */
  rows() {
    this.cells = this.list.map(() => h('span', { class: 'v' }));
    const rows = this.list.map((s, i) => h('li', null, h('button', {
      type: 'button', 'data-key': `legend-${s.label}`, 'aria-pressed': String(!this.hidden.has(s.label)), title: s.title || s.label,
      onclick: () => this.toggle(s.label),
    }, h('i', { style: { background: this.ink(i) } }), h('span', { class: 'l' }, s.label), this.cells[i])));
    replace(this.legend, this.kind === 'stack' ? rows.reverse() : rows);
  }

  toggle(label) {
    if (this.hidden.has(label)) this.hidden.delete(label);
    else this.hidden.add(label);
    this.rebuild();
    this.values(null);
  }

  /** Puts the values of a time into the legend; null: the last ones, as the recent points have them and no mean of many. */
  values(index) {
    if (!this.cells) return;
    const rest = index === null || index === undefined;
    const i = rest ? this.lastIndex() : index;
    this.cells.forEach((cell, k) => {
      const last = rest ? this.list[k].last : null;
      say(cell, this.unit.format(last ? last.value : this.columns[k]?.[i] ?? null));
      cell.classList.toggle('stale', Boolean(last?.stale));
    });
    this.plot.dataset.at = rest || !this.times[i] ? '' : clockSeconds(this.times[i], this.range.end);
  }

  key(e) {
    if (!this.u) return;
    const last = this.times.length - 1;
    const at = this.at ?? this.lastIndex();
    const big = Math.max(1, Math.round(last / 20));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, PageDown: at - big, PageUp: at + big, Home: 0, End: last }[e.key];
    if (e.key === 'Escape') {
      this.at = null;
      this.u.setCursor({ left: -10, top: -10 });
      this.values(null);
      return;
    }
    if (to === undefined) return;
    e.preventDefault();
    this.at = Math.min(last, Math.max(0, to));
    this.u.setCursor({ left: this.u.valToPos(this.times[this.at], 'x'), top: 10 });
    this.values(this.at);
    say(this.spoken, `${clockSeconds(this.times[this.at], this.range.end)}: ${this.list.map((s, k) => `${s.label} ${this.unit.format(this.columns[k][this.at] ?? null)}`).join(', ')}`);
  }

  /** A sentence for who does not see the chart. */
  describe() {
    const parts = this.list.slice(0, 8).map((s, k) => {
      const seen = this.columns[k].filter((v) => v !== null && v !== undefined);
      return `${s.label} ${s.last?.stale ? 'last known' : 'now'} ${this.unit.format(s.last ? s.last.value : seen[seen.length - 1])}, between ${this.unit.format(Math.min(...seen))} and ${this.unit.format(Math.max(...seen))}`;
    });
    this.plot.setAttribute('aria-label', `${this.title}. ${parts.join('; ')}. Arrow keys move through time.`);
  }

  /** At most 60 rows, the newest first. */
  fillTable() {
    if (!this.details.open || !this.list) return;
    const every = Math.max(1, Math.ceil(this.times.length / 60));
    const rows = [];
    for (let i = this.times.length - 1; i >= 0; i -= every) {
      rows.push(h('tr', null, h('th', { scope: 'row' }, clockSeconds(this.times[i], this.range.end)), this.columns.map((c) => h('td', null, this.unit.format(c[i] ?? null)))));
    }
    replace(this.table, h('table', { class: 'data' }, h('caption', { class: 'unseen' }, this.title),
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Time'), this.list.map((s) => h('th', { scope: 'col' }, s.label)))), h('tbody', null, rows)));
  }
}
