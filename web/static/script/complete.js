// Completion of metric paths in a text field, after the ARIA pattern of a combobox.

import { natural } from './format.js';
import { h } from './dom.js';

let made = 0;

export class Complete {
  /** find(query) gives [{path, name, branch}] of the metric tree; done is called after a path was put in. */
  constructor(field, find, done) {
    Object.assign(this, { field, find, done });
    this.list = h('ul', { class: 'complete', role: 'listbox', id: `complete-${++made}`, 'aria-label': 'Paths', hidden: true });
    field.setAttribute('role', 'combobox');
    field.setAttribute('aria-expanded', 'false');
    field.setAttribute('aria-autocomplete', 'list');
    field.setAttribute('aria-controls', this.list.id);
    field.addEventListener('input', () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.ask(), 120); });
    field.addEventListener('keydown', (e) => this.key(e), true);
    field.addEventListener('blur', () => setTimeout(() => this.close(), 150));
  }

  /** The path that the caret stands in: [from, to] of the text. */
  word() {
    const { value, selectionStart: caret } = this.field;
    let from = caret;
    while (from > 0 && !/[\s(),"']/.test(value[from - 1])) from--;
    return [from, caret];
  }

  async ask() {
    const [from, to] = this.word();
    const word = this.field.value.slice(from, to);
    const turn = (this.turn = (this.turn || 0) + 1);
    let found = [];
    if (/^[\w.*{}-]+$/.test(word) && !/^\d+$/.test(word)) {
      try {
        found = await this.find(`${word}*`);
      } catch { /* nothing is offered: the editor works without */ }
    }
    if (turn !== this.turn || document.activeElement !== this.field) return;
    this.offers = found.filter((f) => f.path !== word).sort((a, b) => natural(a.path, b.path)).slice(0, 40);
    this.at = -1;
    this.list.replaceChildren(...this.offers.map((f, i) => h('li', { role: 'option', id: `${this.list.id}-${i}`, 'aria-selected': 'false', onpointerdown: (e) => { e.preventDefault(); this.take(i); } }, f.name, f.branch ? h('small', null, '…') : null)));
    this.list.hidden = this.offers.length === 0;
    this.field.setAttribute('aria-expanded', String(!this.list.hidden));
  }

  close() {
    this.turn = (this.turn || 0) + 1;
    this.list.hidden = true;
    this.field.setAttribute('aria-expanded', 'false');
    this.field.removeAttribute('aria-activedescendant');
  }

  move(to) {
    this.list.children[this.at]?.setAttribute('aria-selected', 'false');
    this.at = (to + this.offers.length) % this.offers.length;
    const item = this.list.children[this.at];
    item.setAttribute('aria-selected', 'true');
    item.scrollIntoView({ block: 'nearest' });
    this.field.setAttribute('aria-activedescendant', item.id);
  }

  take(i) {
    const [from, to] = this.word();
    const f = this.offers[i];
    this.field.setRangeText(f.path + (f.branch && !f.leaf ? '.' : ''), from, to, 'end');
    this.close();
    this.done();
    if (f.branch && !f.leaf) this.ask();
  }

  key(e) {
    if (this.list.hidden) return;
    if (e.key === 'ArrowDown') this.move(this.at + 1);
    else if (e.key === 'ArrowUp') this.move(this.at <= 0 ? -1 : this.at - 1);
    else if (e.key === 'Escape') this.close();
    else if ((e.key === 'Enter' || e.key === 'Tab') && this.at >= 0) this.take(this.at);
    else return;
    e.preventDefault();
    e.stopImmediatePropagation();
  }
}
