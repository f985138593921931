// Every node of the cluster as a cell of a grid: thousands at once, coloured by state or by load.

import { Chart } from '../chart.js';
import { go, link, read } from '../address.js';
import { BYTES, COUNT, bytes, clock, compact, count, natural } from '../format.js';
import { h, replace, say } from '../dom.js';
import { bar, empty, keys, panel, table } from '../parts.js';
import { CODES, STATES, STATE_TARGET, nodeHistory, nodeStates } from '../slurm.js';
import { lastPoint, patience } from '../data.js';
import { render } from '../graphite.js';
import { Grid } from '../grid.js';

const BY = [['state_code', 'State', (v) => CODES[v]?.[0] ?? 'unknown'], ['cpus_alloc', 'CPUs allocated', count], ['load', 'Load', compact], ['mem_alloc_bytes', 'Memory allocated', bytes], ['gpus_alloc', 'GPUs allocated', count]];

/** Groups nodes by their names' words: cn0001 and cn1400 are "cn". */
export function groups(names) {
  const found = new Map();
  for (const n of names) {
    const g = n.replace(/[0-9]+[^a-z]*$/i, '').replace(/[-_]+$/, '') || n;
    found.set(g, [...(found.get(g) || []), n]);
  }
  return [...found].sort((a, b) => b[1].length - a[1].length || natural(a[0], b[0]));
}

export function nodes({ cluster, address, zoom }) {
  const c = `${cluster}.`;
  let by = BY.find(([k]) => k === address.get('by')) || BY[0];
  let chosen = address.get('node');
  let values = new Map();
  const grid = new Grid({ choose: (n) => go(link('nodes', { node: n === read().get('node') ? null : n }), { replace: true }), describe });
  const history = new Chart({ title: 'Nodes by state', unit: COUNT, kind: 'stack', zoom, height: 150 });
  const summary = h('div');
  const legend = h('div', { class: 'scale' });
  const filter = h('input', { type: 'search', name: 'q', placeholder: 'Filter by name or state', 'aria-label': 'Filter by name or state', value: address.get('q'), oninput: () => {
    typing.clear();
    typing.wait();
    draw();
  } });
  const typing = { timer: 0, clear() { clearTimeout(this.timer); }, wait() { this.timer = setTimeout(() => go(link('nodes', { q: filter.value }), { replace: true }), 400); } };
  const choice = h('div', { class: 'segmented', role: 'group', 'aria-label': 'Colour by' });
  const rows = h('div');
  const details = h('details', { class: 'as-table', ontoggle: () => list() }, h('summary', null, 'Table of all nodes'), rows);
  const what = h('span', { class: 'note' });
  const body = h('div', { class: 'body' }, h('div', { class: 'toolbar' }, choice, filter, what), legend, grid.element, details);
  const none = h('div', { class: 'body', hidden: true }, empty('the agent sends no series of single nodes. They are off unless asked for: '), h('pre', null, '[aggregator.slurm]\nnodes = true'));
  const all = h('section', { class: 'panel w12', 'aria-labelledby': 'p-grid', 'data-panel': 'grid' }, h('header', null, h('h2', { id: 'p-grid' }, 'Every node')), body, none);
  const one = new NodePanel(c, zoom);
  let end = 0;

  function choices() {
    replace(choice, BY.map(([k, label]) => h('button', { type: 'button', 'data-key': `by-${k}`, 'aria-pressed': String(k === by[0]), onclick: () => go(link('nodes', { by: k === 'state_code' ? null : k }), { replace: true }) }, label)));
  }
  choices();

  function describe(name) {
    const v = values.get(name);
    const code = v?.state_code;
    const parts = [code === undefined ? 'no data' : CODES[code]?.[0] ?? `state ${code}`];
    if (by[0] !== 'state_code') parts.push(v && v[by[0]] !== undefined ? `${by[1]}: ${by[2](v[by[0]])}` : `${by[1]}: no data`);
    if (v?.since) parts.push(`no data since ${clock(v.since, end)}`);
    return parts.join(' · ');
  }

  function wanted(name) {
    const q = filter.value.trim().toLowerCase();
    return !q || name.includes(q) || describe(name).toLowerCase().includes(q);
  }

  function draw() {
    const names = [...values.keys()].filter(wanted).sort(natural);
    const most = by[0] === 'state_code' ? 0 : Math.max(1e-9, ...[...values.values()].map((v) => v[by[0]] ?? 0));
    grid.set(groups(names), (name) => {
      const v = values.get(name);
      if (v.since || v.state_code === undefined) return { kind: 'nodata' };
      if (by[0] === 'state_code') return { kind: CODES[v.state_code]?.[1] ?? 'other' };
      return v[by[0]] === undefined ? { kind: 'nodata' } : { heat: v[by[0]] / most };
    }, chosen);
    say(what, `${count(names.length)} of ${count(values.size)} nodes`);
    replace(legend, by[0] === 'state_code' ? keys([['allocated', 'allocated'], ['mixed', 'mixed'], ['idle', 'idle'], ['draining', 'draining'], ['drained', 'drained or failing'], ['down', 'down'], ['nodata', 'no data']])
      : h('p', { class: 'ramp' }, h('span', null, '0'), h('i', { 'aria-hidden': 'true' }), h('span', null, by[2](most))));
    list();
  }

  function list() {
    if (!details.open) return;
    const names = [...values.keys()].filter(wanted).sort(natural);
    replace(rows, names.length > 500 ? h('p', { class: 'what' }, `The first 500 of ${count(names.length)}; the filter finds the others.`) : null,
      table('All nodes', [{ title: 'Node' }, { title: 'State' }, ...(by[0] === 'state_code' ? [] : [{ title: by[1], number: true }])], names.slice(0, 500).map((n) => {
        const v = values.get(n);
        const state = v.since ? `no data since ${clock(v.since, end)}` : CODES[v.state_code]?.[0] ?? 'no data';
        return [h('a', { href: link('nodes', { node: n }), 'data-page': '' }, n), state, ...(by[0] === 'state_code' ? [] : [v[by[0]] === undefined ? '–' : by[2](v[by[0]])])];
      })));
  }

  return {
    element: h('div', { class: 'page' }, h('div', { class: 'grid' }, all, one.element, panel('All nodes by state', { wide: 12, id: 'p-history' }, summary, history.element).element)),
    targets: () => ({ now: [`${c}${STATE_TARGET}`], past: [`${c}${STATE_TARGET}`] }),
    /** A click on a node or a colour changes the address: the grid stays, and is drawn again. */
    keep(context) {
      if (context.address.page.id !== 'nodes' || context.cluster !== cluster) return false;
      by = BY.find(([k]) => k === context.address.get('by')) || BY[0];
      chosen = context.address.get('node');
      if (document.activeElement !== filter) filter.value = context.address.get('q');
      choices();
      return true;
    },
    async update(data, signal) {
      end = data.end;
      values = await readNodes(c, by[0], data, signal);
      none.hidden = values.size > 0;
      body.hidden = values.size === 0;
      draw();
      const s = nodeStates(data, c);
      replace(summary, s ? h('div', { class: s.stale ? 'nodebar tall stale' : 'nodebar tall' }, bar(s.parts, s.total, { label: 'All nodes' }), h('ul', { class: 'counts' }, STATES.filter(([k]) => k !== 'other' || s.other > 0).map(([k, label]) => h('li', null, h('i', { class: `k-${k}` }), h('b', { class: 'num', 'data-state': k }, count(s[k])), ` ${label}`)))) : null);
      history.set(nodeHistory(data, c), data.range, 'No data: the agent sends no nodes of this cluster.');
      await one.update(chosen, data, signal);
    },
    destroy() {
      typing.clear();
      history.destroy();
      grid.destroy();
      one.destroy();
    },
  };
}

/** The last values of all nodes: name → {state_code, [by], since}. since is set where the last point is old. */
async function readNodes(c, by, data, signal) {
  const paths = [`${c}node.*.state_code`, ...(by === 'state_code' ? [] : [`${c}node.*.${by}`])];
  const end = Math.floor(data.end);
  const found = new Map();
  for (const s of await render(paths.map((p) => `consolidateBy(${p},"last")`), { from: end - 300, until: end, points: 10, signal })) {
    const path = s.name.replace(/^consolidateBy\((.*),\s*["'][a-z]+["']\)$/, '$1');
    const at = path.lastIndexOf('.');
    const name = path.slice(`${c}node.`.length, at);
    const v = found.get(name) || {};
    const p = lastPoint(s);
    found.set(name, v);
    if (!p) continue;
    v[path.slice(at + 1)] = p.value;
    if (path.endsWith('.state_code') && data.end - p.time - s.step > patience(10)) v.since = p.time;
  }
  return found;
}

/** The history of the node that was chosen. */
class NodePanel {
  constructor(c, zoom) {
    this.c = c;
    this.cpus = new Chart({ title: 'CPUs', unit: COUNT, zoom, height: 140 });
    this.memory = new Chart({ title: 'Memory allocated', unit: BYTES, zoom, height: 140 });
    this.head = h('h2', { id: 'p-node' });
    this.links = h('span', { class: 'note' });
    this.element = h('section', { class: 'panel w12', 'aria-labelledby': 'p-node', 'data-panel': 'node', hidden: true }, h('header', null, this.head, this.links),
      h('div', { class: 'body pair' }, this.cpus.element, this.memory.element));
  }

  async update(name, data, signal) {
    this.element.hidden = !name;
    if (!name) return;
    say(this.head, `Node ${name}`);
    const p = `${this.c}node.${name}.`;
    replace(this.links, h('a', { href: link('hosts', { host: name }), 'data-page': '' }, 'as a host'), ' · ', h('a', { href: link('explore', { target: `${p}*` }), 'data-page': '' }, 'explore'), ' · ',
      h('a', { href: link('nodes', { node: null }), 'data-page': '' }, 'close'));
    const { start } = data.range;
    const read = new Map((await render([`${p}{cpus_alloc,load,gpus_alloc,mem_alloc_bytes}`], { from: Math.floor(start), until: Math.floor(data.end), points: 400, signal })).map((s) => [s.name, s]));
    this.cpus.set([['cpus_alloc', 'CPUs allocated', '--allocated'], ['load', 'load', '--s2'], ['gpus_alloc', 'GPUs allocated', '--s3']].map(([k, label, colour]) => ({ label, colour, series: read.get(p + k) })), data.range, `No data: nothing is known of ${name} in this range.`);
    this.memory.set([{ label: 'memory allocated', colour: '--s4', series: read.get(`${p}mem_alloc_bytes`) }], data.range, `No data: nothing is known of the memory of ${name} in this range.`);
  }

  destroy() {
    this.cpus.destroy();
    this.memory.destroy();
  }
}
