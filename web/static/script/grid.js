// A grid of cells on a canvas, in groups: thousands of nodes are drawn in a few milliseconds. The arrow keys move a cursor
// that is read out, the mouse shows what is below it, and Enter or a click chooses a cell.

import { colour, h, say } from './dom.js';

const LABEL = 20; // pixels of a group's heading
const GAP = 14; // pixels between groups

export class Grid {
  /** choose is called with the name of a chosen cell, describe gives the words for a name. */
  constructor({ choose, describe }) {
    Object.assign(this, { choose, describe });
    this.canvas = h('canvas', { tabindex: 0, role: 'img' });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.spoken = h('div', { class: 'unseen', 'aria-live': 'polite' });
    this.element = h('div', { class: 'cells' }, this.canvas, this.tip, this.spoken);
    this.cells = [];
    this.cursor = -1;
    this.canvas.addEventListener('pointermove', (e) => this.over(e));
    this.canvas.addEventListener('pointerleave', () => this.point(-1));
    this.canvas.addEventListener('click', (e) => { const i = this.at(e); if (i >= 0) this.choose(this.cells[i].name); });
    this.canvas.addEventListener('keydown', (e) => this.key(e));
    this.canvas.addEventListener('blur', () => this.point(-1));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.themed = () => this.draw();
    window.addEventListener('themechange', this.themed);
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener('themechange', this.themed);
  }

  /** groups: [[name, [cell names]]]; look: name → {kind} or {heat: 0..1}; chosen: the name of the chosen cell. */
  set(groups, look, chosen) {
    this.groups = groups;
    this.look = look;
    this.chosen = chosen;
    this.draw();
  }

  /** Cells are as large as lets them all be seen at once, from 8 to 26 pixels. */
  layout(width) {
    const n = this.groups.reduce((sum, [, names]) => sum + names.length, 0);
    const size = Math.max(width < 500 ? 12 : 10, Math.min(26, Math.floor(Math.sqrt((width * 520) / Math.max(1, n)))));
    const across = Math.max(1, Math.floor(width / size));
    this.cells = [];
    this.heads = [];
    let y = 0;
    for (const [group, names] of this.groups) {
      this.heads.push({ text: group, n: names.length, y });
      y += LABEL;
      names.forEach((name, i) => this.cells.push({ name, x: (i % across) * size, y: y + Math.floor(i / across) * size }));
      y += Math.ceil(names.length / across) * size + GAP;
    }
    Object.assign(this, { size, across, tall: Math.max(0, y - GAP) });
  }

  draw() {
    const width = this.element.clientWidth;
    if (!this.groups || width === 0) return;
    this.layout(width);
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.tall * ratio);
    this.canvas.style.height = `${this.tall}px`;
    this.canvas.setAttribute('aria-label', `Grid of ${this.cells.length} nodes. Arrow keys move through them, Enter shows one. A table follows.`);
    const ctx = this.canvas.getContext('2d');
    ctx.scale(ratio, ratio);
    ctx.textBaseline = 'top';
    for (const head of this.heads) {
      ctx.font = `600 12px ${colour('--font')}`;
      ctx.fillStyle = colour('--ink-2');
      ctx.fillText(head.text, 0, head.y + 2);
      const w = ctx.measureText(head.text).width;
      ctx.font = `12px ${colour('--font')}`;
      ctx.fillStyle = colour('--ink-3');
      ctx.fillText(String(head.n), w + 7, head.y + 2);
    }
    this.paint(ctx);
  }

  paint(ctx) {
    const inks = {};
    const ink = (kind) => (inks[kind] ??= colour(`--${kind}`));
    const ramp = Array.from({ length: 9 }, (_, i) => colour(`--heat-${i}`));
    const side = this.size - (this.size > 11 ? 2 : 1);
    for (const cell of this.cells) {
      const l = this.look(cell.name);
      ctx.fillStyle = l.kind ? ink(l.kind) : ramp[Math.max(0, Math.min(8, Math.round(l.heat * 8)))];
      ctx.fillRect(cell.x, cell.y, side, side);
      if (l.kind === 'down' || l.kind === 'nodata') this.mark(ctx, cell, side, l.kind === 'down' ? ink('panel') : ink('ink-3'), l.kind);
    }
    ctx.lineWidth = 2;
    this.cells.forEach((cell, i) => {
      if (cell.name !== this.chosen && i !== this.cursor) return;
      ctx.strokeStyle = i === this.cursor ? ink('ink') : ink('accent');
      ctx.strokeRect(cell.x - 0.5, cell.y - 0.5, side + 1, side + 1);
    });
  }

  /** Down is told by a cross too, no data by a stroke: not by colour alone. */
  mark(ctx, { x, y }, side, ink, kind) {
    ctx.strokeStyle = ink;
    ctx.lineWidth = 1.2;
    ctx.beginPath();
    const m = side * 0.28;
    ctx.moveTo(x + m, y + side - m);
    ctx.lineTo(x + side - m, y + m);
    if (kind === 'down') {
      ctx.moveTo(x + m, y + m);
      ctx.lineTo(x + side - m, y + side - m);
    }
    ctx.stroke();
  }

  at(e) {
    const r = this.canvas.getBoundingClientRect();
    const x = e.clientX - r.left;
    const y = e.clientY - r.top;
    return this.cells.findIndex((c) => x >= c.x && x < c.x + this.size && y >= c.y && y < c.y + this.size);
  }

  over(e) { this.point(this.at(e)); }

  point(i) {
    if (i === this.cursor) return;
    this.cursor = i;
    this.draw();
    const cell = this.cells[i];
    this.tip.hidden = !cell;
    if (!cell) return;
    this.tip.replaceChildren(h('b', null, cell.name), h('span', null, this.describe(cell.name)));
    const room = this.element.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(room, cell.x - this.tip.offsetWidth / 2 + this.size / 2))}px`;
    this.tip.style.top = `${cell.y - this.tip.offsetHeight - 8}px`;
  }

  key(e) {
    const i = Math.max(0, this.cursor);
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, ArrowUp: i - this.across, ArrowDown: i + this.across, Home: 0, End: this.cells.length - 1 }[e.key];
    if ((e.key === 'Enter' || e.key === ' ') && this.cells[this.cursor]) {
      e.preventDefault();
      this.choose(this.cells[this.cursor].name);
      return;
    }
    if (to === undefined || this.cells.length === 0) return;
    e.preventDefault();
    this.point(this.cursor < 0 ? 0 : Math.max(0, Math.min(this.cells.length - 1, to)));
    const { name } = this.cells[this.cursor];
    say(this.spoken, `${name}: ${this.describe(name)}`);
  }
}
