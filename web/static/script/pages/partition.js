// One partition: its nodes, its jobs, what they use and why they wait.

import { Chart } from '../chart.js';
import { link } from '../address.js';
import { BYTES, COUNT, bytes, count, natural, percent } from '../format.js';
import { h, replace } from '../dom.js';
import { Tile, bar, panel } from '../parts.js';
import { STATES, STATE_TARGET, nodeHistory, nodeStates } from '../slurm.js';
import { reasonsPanel, waitPanel } from './jobs.js';

export function partition({ cluster, address, zoom, reload }) {
  const c = `${cluster}.`;
  let name = address.get('partition');
  let inner = null;
  const tabs = h('nav', { class: 'chips', 'aria-label': 'Partitions' });
  const place = h('div');

  function open(next) {
    name = next;
    inner?.destroy();
    inner = name ? view(`${c}partition.${name}.`, name, zoom) : null;
    replace(place, inner ? inner.element : []);
  }
  open(name);

  return {
    element: h('div', { class: 'page' }, tabs, place),
    title: name ? `Partition ${name}` : 'Partitions',
    targets: () => ({
      now: [`${c}partition.*.nodes.total`, `${c}partition.*.jobs.running`, ...(inner?.now ?? [])],
      past: inner?.past ?? [],
    }),
    update(data) {
      const names = [...new Set(data.match(`${c}partition.*.nodes.total`).concat(data.match(`${c}partition.*.jobs.running`)).map((m) => m.name))].sort(natural);
      if (name && !names.includes(name)) names.push(name);
      if (!name && names.length) {
        const size = (n) => data.value(`${c}partition.${n}.nodes.total`) ?? 0;
        open(names.reduce((a, b) => (size(b) > size(a) ? b : a)));
        document.title = `Partition ${name} · ${cluster} · clusterload`;
        setTimeout(reload); // its own data is not asked for yet
        return;
      }
      replace(tabs, names.length ? h('ul', null, names.map((n) => h('li', null, h('a', { href: link('partition', { partition: n }), 'data-page': '', 'aria-current': n === name ? 'true' : null }, n))))
        : h('p', { class: 'empty' }, 'No data: the agent sends no partitions of this cluster.'));
      inner?.update(data);
    },
    destroy() { inner?.destroy(); },
  };
}

function view(p, name, zoom) {
  const tiles = { running: new Tile('Running jobs'), pending: new Tile('Pending jobs'), cpus: new Tile('CPUs'), gpus: new Tile('GPUs'), memory: new Tile('Memory') };
  const head = panel(`Nodes of ${name}`, { wide: 12, id: 'p-nodes-now' });
  const chart = {
    states: new Chart({ title: `Nodes of ${name} by state`, unit: COUNT, kind: 'stack', zoom }),
    jobs: new Chart({ title: `Jobs of ${name}`, unit: COUNT, zoom }),
    cpus: new Chart({ title: `CPUs of ${name}`, unit: COUNT, kind: 'stack', zoom }),
    gpus: new Chart({ title: `GPUs of ${name}`, unit: COUNT, kind: 'stack', zoom }),
    memory: new Chart({ title: `Memory of ${name}`, unit: BYTES, zoom }),
    load: new Chart({ title: `Load of ${name}`, unit: COUNT, zoom }),
  };
  const reasons = reasonsPanel(p, 6);
  const waits = waitPanel(p, zoom);
  const gpuPanel = panel('GPUs', { wide: 6, id: 'p-gpus' }, chart.gpus.element);
  const stacked = (data, of, out) => [['idle', 'idle', '--idle'], [out, 'not available', '--drained'], ['alloc', 'allocated', '--allocated']].map(([s, label, ink]) => data.line(`${p}${of}.${s}`, label, ink));
  return {
    element: h('div', null, h('div', { class: 'tiles five' }, Object.values(tiles).map((t) => t.element)), h('div', { class: 'grid' }, head.element,
      panel('Nodes by state', { wide: 6, id: 'p-states' }, chart.states.element).element, panel('Jobs', { wide: 6, id: 'p-jobs' }, chart.jobs.element).element,
      panel('CPUs', { wide: 6, id: 'p-cpus' }, chart.cpus.element).element, gpuPanel.element,
      panel('Memory', { wide: 6, id: 'p-memory' }, chart.memory.element).element, panel('Load and CPUs in use', { wide: 6, id: 'p-load' }, chart.load.element).element,
      reasons.element, waits.element)),
    now: [`${p}${STATE_TARGET}`, `${p}jobs.{running,pending}`, `${p}jobs.{cpus,gpus}.pending`, `${p}{cpus,gpus}.{alloc,idle,total}`, `${p}cpus.{other,load}`, `${p}gpus.unavail`, `${p}mem.{alloc,free,total}_bytes`, `${p}up`, ...reasons.now, ...waits.now],
    past: [`${p}${STATE_TARGET}`, `${p}jobs.{running,pending}`, `${p}cpus.{alloc,idle,other,load}`, `${p}gpus.{alloc,idle,unavail}`, `${p}mem.{alloc,free,total}_bytes`, ...waits.past],
    update(data) {
      const { end } = data;
      const missing = 'the agent sends none';
      for (const s of ['running', 'pending']) {
        const asked = data.value(`${p}jobs.cpus.${s}`);
        tiles[s].set({ reading: data.reading(`${p}jobs.${s}`), sub: asked !== null ? `asking for ${count(asked)} CPUs` : '', series: data.series(`${p}jobs.${s}`), end, missing });
      }
      for (const [k, path, format] of [['cpus', 'cpus.alloc', count], ['gpus', 'gpus.alloc', count], ['memory', 'mem.alloc_bytes', bytes]]) {
        const total = data.value(p + path.replace('alloc', 'total'));
        const reading = data.reading(p + path);
        const none = k === 'gpus' && total === 0;
        tiles[k].element.hidden = none;
        if (k === 'gpus') gpuPanel.element.hidden = none;
        tiles[k].set({ reading, format, sub: total ? `of ${format(total)} · ${percent(reading ? reading.value / total : null)}` : '', ratio: total && reading ? reading.value / total : null, series: data.series(p + path), end, missing });
      }
      states(data);
      chart.states.set(nodeHistory(data, p), data.range, 'No data: the agent sends no nodes of this partition.');
      chart.jobs.set(['running', 'pending'].map((s) => data.line(`${p}jobs.${s}`, s, `--${s}`)), data.range, 'No data: the agent sends no jobs of this partition.');
      chart.cpus.set(stacked(data, 'cpus', 'other'), data.range);
      chart.gpus.set(stacked(data, 'gpus', 'unavail'), data.range);
      chart.memory.set([['total', 'total', '--ink-3'], ['alloc', 'allocated', '--allocated'], ['free', 'free on the nodes', '--s2']].map(([s, label, ink]) => data.line(`${p}mem.${s}_bytes`, label, ink)), data.range);
      chart.load.set([data.line(`${p}cpus.alloc`, 'CPUs allocated', '--allocated'), data.line(`${p}cpus.load`, 'load', '--s2')], data.range);
      reasons.update(data);
      waits.update(data);
    },
    destroy() { for (const one of [...Object.values(chart), waits.chart]) one.destroy(); },
  };

  function states(data) {
    const s = nodeStates(data, p);
    const up = data.reading(`${p}up`);
    head.note([up && !up.stale ? (up.value ? 'open' : 'closed: takes no jobs') : '', s ? `${count(s.total)} nodes` : '', s?.draining ? `${count(s.draining)} draining` : ''].filter(Boolean).join(' · '));
    if (!s) {
      replace(head.body, h('p', { class: 'empty' }, 'No data: the agent sends no nodes of this partition.'));
      return;
    }
    replace(head.body, h('div', { class: s.stale ? 'nodebar tall stale' : 'nodebar tall' }, bar(s.parts, s.total, { label: `Nodes of ${name}` })),
      h('ul', { class: 'counts' }, STATES.filter(([k]) => k !== 'other' || s.other > 0).map(([k, label]) => h('li', null, h('i', { class: `k-${k}` }), h('b', { class: 'num', 'data-state': k }, count(s[k])), ` ${label}`))));
  }
}

