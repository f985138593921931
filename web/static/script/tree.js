// The metric tree, opened level by level, after the ARIA pattern of a tree: arrows move, right opens, left closes.

import { natural } from './format.js';
import { find } from './graphite.js';
import { h } from './dom.js';

export class Tree {
  /** pick is called with the path of a chosen metric; root is opened at once. */
  constructor({ pick, root = '' }) {
    this.pick = pick;
    this.list = h('ul', { role: 'tree', 'aria-label': 'Metrics' });
    this.element = h('div', { class: 'tree' }, this.list);
    this.list.addEventListener('keydown', (e) => this.key(e));
    this.list.addEventListener('click', (e) => {
      const item = e.target.closest('[role=treeitem]');
      if (item) this.act(item);
    });
    this.fill(this.list, '', 1).then(() => {
      const first = root.split('.')[0];
      for (const item of this.list.children) if (item.dataset.path === first) this.open(item);
    }).catch(() => {});
  }

  async fill(list, above, level) {
    let found;
    try {
      found = await find(above ? `${above}.*` : '*');
    } catch (e) {
      list.replaceChildren(h('li', { class: 'empty' }, `No answer: ${e.message}`));
      throw e;
    }
    found.sort((a, b) => natural(a.name, b.name));
    list.replaceChildren(...found.map((f) => h('li', {
      role: 'treeitem', tabindex: -1, 'aria-level': level, 'aria-expanded': f.branch ? 'false' : null, 'data-path': f.path, 'data-leaf': f.leaf || null,
    }, h('span', { class: f.branch ? 'branch' : 'leaf' }, f.name))));
    if (level === 1 && list.firstElementChild) list.firstElementChild.tabIndex = 0;
  }

  async open(item) {
    item.setAttribute('aria-expanded', 'true');
    if (item.querySelector('ul')) return;
    const list = h('ul', { role: 'group' }, h('li', { class: 'empty' }, '…'));
    item.append(list);
    try {
      await this.fill(list, item.dataset.path, Number(item.getAttribute('aria-level')) + 1);
    } catch { /* said in the tree; opened again it asks again */
      item.setAttribute('aria-expanded', 'false');
      list.remove();
    }
  }

  act(item) {
    this.focus(item);
    if (item.getAttribute('aria-expanded') === 'false') this.open(item);
    else if (item.getAttribute('aria-expanded') === 'true') item.setAttribute('aria-expanded', 'false');
    else this.pick(item.dataset.path);
  }

  focus(item) {
    for (const e of this.list.querySelectorAll('[tabindex="0"]')) e.tabIndex = -1;
    item.tabIndex = 0;
    item.focus();
  }

  /** The items that are seen, in their order. */
  seen() {
    return [...this.list.querySelectorAll('[role=treeitem]')].filter((e) => !e.parentElement.closest('[aria-expanded=false]'));
  }

  key(e) {
    const item = e.target.closest('[role=treeitem]');
    if (!item) return;
    const all = this.seen();
    const i = all.indexOf(item);
    const expanded = item.getAttribute('aria-expanded');
    const above = item.parentElement.closest('[role=treeitem]');
    const steps = {
      ArrowDown: () => all[i + 1] && this.focus(all[i + 1]),
      ArrowUp: () => all[i - 1] && this.focus(all[i - 1]),
      Home: () => this.focus(all[0]),
      End: () => this.focus(all[all.length - 1]),
      ArrowRight: () => (expanded === 'false' ? this.open(item) : expanded === 'true' && all[i + 1] && this.focus(all[i + 1])),
      ArrowLeft: () => (expanded === 'true' ? item.setAttribute('aria-expanded', 'false') : above && this.focus(above)),
      Enter: () => this.act(item),
      ' ': () => this.act(item),
    };
    if (!steps[e.key]) return;
    e.preventDefault();
    e.stopPropagation();
    steps[e.key]();
  }
}
