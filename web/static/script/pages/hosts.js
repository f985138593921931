// The machines that an agent measures: all at a glance, and one with a chart for each group of what is measured on it. The
// groups come from the metric tree: what an agent measures anew shows without a change here.

import { Chart } from '../chart.js';
import { link } from '../address.js';
import { clock, natural, unitOf, words } from '../format.js';
import { expand, render } from '../graphite.js';
import { h, replace, say } from '../dom.js';
import { figure, panel, ratioBar, table } from '../parts.js';

/** A name without its unit, which the axis shows. */
const plain = (name) => name.replace('/s', '').replace(/_(ratio|bytes|seconds|celsius|watts)$/, '');

/** The charts of a host: paths below "host.{host}." that are of one unit and stand together, like cpu.* or disk.*.busy_ratio. */
export function chartsOf(paths, prefix) {
  const found = new Map();
  for (const path of paths) {
    if (path === `${prefix}up`) continue; // the list says it
    const parts = path.slice(prefix.length).replace(/\.per_second$/, '/s').split('.');
    const unit = unitOf(path);
    const [group] = parts;
    const leaf = parts.length > 2 ? parts.slice(2).join('.') : '';
    const key = `${group}\u0000${leaf}\u0000${unit.name}${path.endsWith('.per_second') ? '/s' : ''}`;
    const chart = found.get(key) || { group, leaf, unit, series: [] };
    chart.series.push({ path, label: plain(leaf ? parts[1] : parts.slice(1).join('.') || group) });
    found.set(key, chart);
  }
  const order = ['cpu', 'load', 'memory', 'mem', 'swap', 'disk', 'net', 'network', 'filesystem', 'fs', 'pressure'];
  const rank = (g) => (order.indexOf(g) + order.length + 1) % (order.length + 1);
  return [...found.values()].map((c) => ({ ...c, series: c.series.sort((a, b) => natural(a.label, b.label)), title: [words(c.group), c.leaf ? words(plain(c.leaf)).toLowerCase() : ''].filter(Boolean).join(': ') }))
    .sort((a, b) => rank(a.group) - rank(b.group) || natural(a.title, b.title));
}

/** The paths of a host, at most four levels deep. */
async function pathsOf(prefix, signal) {
  const levels = await Promise.all(['*', '*.*', '*.*.*', '*.*.*.*'].map((q) => expand(`${prefix}${q}`, { signal })));
  const all = new Set(levels.flat());
  const branches = new Set();
  for (const p of all) for (let at = p.lastIndexOf('.'); at > 0; at = p.lastIndexOf('.', at - 1)) branches.add(p.slice(0, at));
  return [...all].filter((p) => !branches.has(p));
}

export function hosts({ cluster, address, zoom }) {
  const c = `${cluster}.`;
  const host = address.get('host');
  const list = panel('Hosts', { wide: 12 });
  const place = h('div', { class: 'grid' });
  const title = h('h2', { class: 'section', hidden: !host });
  let charts = [];
  let known = null;

  async function readHost(data, signal) {
    const prefix = `${c}host.${host}.`;
    known ??= await pathsOf(prefix, signal);
    say(title, `Host ${host}`);
    const groups = chartsOf(known, prefix).slice(0, 60);
    if (groups.length === 0) {
      known = null;
      replace(place, h('section', { class: 'panel w12' }, h('div', { class: 'body' }, h('p', { class: 'empty' }, `No data: nothing has been measured on ${host}. An agent that runs there with [aggregator.host] sends it.`))));
      return;
    }
    const end = Math.floor(data.end);
    const series = new Map((await render(groups.flatMap((g) => g.series.map((s) => s.path)), { from: Math.floor(data.range.start), until: end, points: 360, signal })).map((s) => [s.name, s]));
    if (charts.length !== groups.length) {
      for (const chart of charts) chart.destroy();
      charts = groups.map((g) => new Chart({ title: `${g.title} of ${host}`, unit: g.unit, height: 140, zoom }));
      replace(place, groups.map((g, i) => panel(g.title, { wide: 4, id: `p-h${i}` }, charts[i].element).element));
    }
    groups.forEach((g, i) => charts[i].set(g.series.map((s) => ({ label: s.label, series: series.get(s.path) })), data.range, 'No data in this range.'));
  }

  function names(data) {
    const found = data.match(`${c}host.*.up`).map((m) => m.name);
    return [...new Set([...found, ...listed])].sort(natural);
  }

  let listed = [];
  return {
    element: h('div', { class: 'page' }, h('div', { class: 'grid' }, list.element), title, place),
    title: host ? `Host ${host}` : 'Hosts',
    targets: () => ({
      now: [`${c}host.*.up`, `${c}host.*.load.1m`, `${c}host.*.cpu.{user,system,iowait,idle}_ratio`, `${c}host.*.memory.{used,total}_bytes`],
      past: [],
    }),
    async update(data, signal) {
      listed = (await expand(`${c}host.*`, { signal })).map((p) => p.slice(`${c}host.`.length));
      const all = names(data);
      if (all.length === 0) {
        replace(list.body, h('p', { class: 'empty' }, 'No data: no host is measured yet. An agent with [aggregator.host] sends what its own machine does.'));
      } else {
        replace(list.body, table('Hosts', [{ title: 'Host' }, { title: 'State' }, { title: 'Load', number: true }, { title: 'CPU' }, { title: 'Memory' }], all.map((n) => row(data, n)), { rowKeys: all }));
      }
      if (host) await readHost(data, signal);
    },
    destroy() { for (const chart of charts) chart.destroy(); },
  };

  function row(data, n) {
    const p = `${c}host.${n}.`;
    const up = data.reading(`${p}up`);
    const idle = data.reading(`${p}cpu.idle_ratio`);
    const used = data.value(`${p}memory.used_bytes`);
    const total = data.value(`${p}memory.total_bytes`);
    const load = data.reading(`${p}load.1m`);
    const state = !up ? '–' : up.stale ? h('span', { class: 'stale' }, `no data since ${clock(up.time, data.end)}`) : up.value ? 'up' : h('b', { class: 'alarm' }, 'down');
    return [h('a', { href: link('hosts', { host: n }), 'data-page': '', 'aria-current': n === host ? 'true' : null }, n), state, figure(load, (v) => v.toFixed(1), data.end),
      idle && !idle.stale ? ratioBar(1 - idle.value, 1) : figure(null), total ? ratioBar(used, total) : figure(null)];
  }
}
