// Is the cluster well now? Jobs and resources, partitions, why jobs wait, who uses it, slurmctld's health.

import { Chart } from '../chart.js';
import { link } from '../address.js';
import { COUNT, SECONDS, bytes, clock, compact, count, natural, percent, seconds } from '../format.js';
import { h, replace } from '../dom.js';
import { Tile, bar, empty, figure, keys, panel, ranking, ratioBar, table } from '../parts.js';
import { COMMANDS, STATES, STATE_TARGET, nodeHistory, nodeStates } from '../slurm.js';
import { reasonsPanel, waitPanel } from './jobs.js';

export function overview({ cluster, zoom }) {
  const c = `${cluster}.`;
  const verdict = h('section', { class: 'verdict', 'aria-label': 'State of the cluster' });
  const tiles = {
    running: new Tile('Running jobs'), pending: new Tile('Pending jobs'), nodes: new Tile('Nodes in use', { href: link('nodes') }),
    cpus: new Tile('CPUs'), gpus: new Tile('GPUs'), memory: new Tile('Memory'),
  };
  const jobs = new Chart({ title: 'Jobs', unit: COUNT, zoom });
  const states = new Chart({ title: 'Nodes by state', unit: COUNT, kind: 'stack', zoom });
  const partitions = panel('Partitions', { wide: 12 });
  const reasons = reasonsPanel(c);
  const waits = waitPanel(c, zoom);
  const accounts = panel('Top accounts', { wide: 4 });
  const users = panel('Top users', { wide: 4 });
  const control = controlPanel(c, zoom);
  const legacy = panel('Jobs by partition', { wide: 12 });
  legacy.element.hidden = true;
  const charts = [jobs, states, waits.chart, control.chart];

  return {
    element: h('div', { class: 'page' }, verdict, h('div', { class: 'tiles' }, Object.values(tiles).map((t) => t.element)),
      h('div', { class: 'grid' }, partitions.element, panel('Jobs', { wide: 6 }, jobs.element).element, panel('Nodes', { wide: 6 }, states.element).element,
        reasons.element, accounts.element, users.element, waits.element, control.element, legacy.element)),
    targets: () => ({
      now: [`${c}jobs.{running,pending,total}`, `${c}jobs.{cpus,gpus}.{running,pending}`, `${c}{cpus,gpus}.{alloc,total}`, `${c}mem.{alloc,total}_bytes`, `${c}${STATE_TARGET}`,
        `${c}partition.*.${STATE_TARGET}`, `${c}partition.*.jobs.{running,pending}`, `${c}partition.*.{cpus,gpus}.{alloc,total}`, `${c}partition.*.up`,
        ...['account', 'user'].flatMap((k) => [`${c}${k}.*.jobs.{running,pending}`, `${c}${k}.*.jobs.{cpus,gpus}.running`]),
        `${c}*.jobs_num`, ...reasons.now, ...waits.now, ...control.now],
      past: [`${c}jobs.{running,pending}`, `${c}{cpus,gpus}.alloc`, `${c}mem.alloc_bytes`, `${c}${STATE_TARGET}`, `${c}partition.*.jobs.{running,pending}`, ...reasons.past, ...waits.past, ...control.past],
    }),
    update(data) {
      const nodes = nodeStates(data, c);
      replace(verdict, sentence(data, c, nodes));
      setTiles(tiles, data, c, nodes);
      jobs.set(['running', 'pending'].map((s) => data.line(`${c}jobs.${s}`, s, `--${s}`)), data.range, 'No data: the agent sends no jobs of this cluster.');
      states.set(nodeHistory(data, c), data.range, 'No data: the agent sends no nodes of this cluster.');
      replace(partitions.body, partitionTable(data, c));
      reasons.update(data);
      waits.update(data);
      replace(accounts.body, shares(data, `${c}account`, 'Accounts'));
      replace(users.body, shares(data, `${c}user`, 'Users'));
      control.update(data);
      const lines = data.readings(`${c}*.jobs_num`);
      legacy.element.hidden = lines.length === 0;
      replace(legacy.body, ranking(lines.map((l) => ({ ...l })), { caption: 'Lines of squeue by partition', columns: ['Partition', 'Jobs'], most: 30 }));
    },
    destroy() { for (const chart of charts) chart.destroy(); },
  };
}

/** The state of the cluster in a sentence or two. */
function sentence(data, c, nodes) {
  const running = data.reading(`${c}jobs.running`);
  const pending = data.reading(`${c}jobs.pending`);
  if (!nodes && !running) {
    return [h('h2', null, 'No data of Slurm in this range'), h('p', null, 'No data: neither jobs nor nodes have been sent. It is unknown, not idle.')];
  }
  const stale = [running, pending, nodes].filter(Boolean).every((r) => r.stale);
  const time = Math.max(...[running, nodes].filter(Boolean).map((r) => r.time));
  if (stale) {
    return [h('h2', { class: 'bad' }, `Nothing is known of Slurm since ${clock(time, data.end)}`),
      h('p', null, 'The figures below are the last that were known, and dimmed. What the cluster does now, they do not say.')];
  }
  const closed = data.readings(`${c}partition.*.up`).filter((r) => !r.stale && r.value === 0);
  const share = nodes ? nodes.out / nodes.total : 0;
  const used = nodes ? (nodes.allocated + nodes.mixed) / Math.max(1, nodes.total - nodes.out) : null;
  const level = share >= 0.2 || closed.length > 0 ? 'warn' : 'good';
  const head = used === null ? 'Slurm answers' : used > 0.97 ? 'Full' : used > 0.8 ? 'Busy' : used > 0.3 ? 'Partly used' : used > 0 ? 'Mostly idle' : 'Idle';
  const parts = [];
  if (nodes) parts.push(h('span', null, h('b', null, count(nodes.allocated + nodes.mixed)), ` of ${count(nodes.total)} nodes at work`));
  if (nodes?.drained) parts.push(h('span', null, h('b', null, count(nodes.drained)), ' drained'));
  if (nodes?.down) parts.push(h('span', null, h('b', null, count(nodes.down)), ' down'));
  if (pending) parts.push(h('span', null, h('b', null, count(pending.value)), ' jobs wait'));
  if (closed.length) parts.push(h('span', null, `${closed.length > 1 ? 'partitions' : 'partition'} closed: `, h('b', null, closed.map((p) => p.name).join(', '))));
  return [h('h2', { class: level }, head), h('p', { class: 'facts' }, parts)];
}

function setTiles(tiles, data, c, nodes) {
  const { end } = data;
  const missing = 'the agent sends none';
  const asked = (state) => {
    const parts = [];
    const cpus = data.value(`${c}jobs.cpus.${state}`);
    const gpus = data.value(`${c}jobs.gpus.${state}`);
    if (cpus !== null) parts.push(`${compact(cpus)} CPUs`);
    if (gpus) parts.push(`${compact(gpus)} GPUs`);
    return (state === 'pending' && parts.length ? 'asking for ' : '') + parts.join(', ');
  };
  for (const state of ['running', 'pending']) {
    tiles[state].set({ reading: data.reading(`${c}jobs.${state}`), sub: asked(state), series: data.series(`${c}jobs.${state}`), end, missing });
  }
  const used = nodes ? nodes.allocated + nodes.mixed : null;
  const allocated = nodeHistory(data, c).filter((s) => s.label === 'allocated' || s.label === 'mixed').map((s) => s.series.values);
  tiles.nodes.set({
    reading: nodes && { value: used, time: nodes.time, stale: nodes.stale }, sub: nodes ? `of ${count(nodes.total)}` : '', ratio: nodes ? used / nodes.total : null, end, missing,
    series: allocated.length === 2 ? { values: allocated[0].map((v, i) => (v === null ? null : v + allocated[1][i])) } : null,
  });
  for (const [name, path, format] of [['cpus', 'cpus.alloc', count], ['gpus', 'gpus.alloc', count], ['memory', 'mem.alloc_bytes', bytes]]) {
    const total = data.value(`${c}${path.replace('alloc', 'total')}`);
    const reading = data.reading(`${c}${path}`);
    const none = name === 'gpus' && total === 0;
    tiles[name].element.hidden = none;
    tiles[name].set({ reading, format, sub: total ? `of ${format(total)} · ${percent(reading ? reading.value / total : null)}` : '', ratio: total && reading ? reading.value / total : null, series: data.series(`${c}${path}`), end, missing });
  }
}

/** A row a partition: its nodes as a bar, its jobs, its CPUs and GPUs. */
function partitionTable(data, c) {
  const names = data.match(`${c}partition.*.nodes.total`).concat(data.match(`${c}partition.*.jobs.running`)).map((m) => m.name);
  const unique = [...new Set(names)];
  if (unique.length === 0) return empty('the agent sends no partitions.');
  const states = new Map(unique.map((n) => [n, nodeStates(data, `${c}partition.${n}.`)]));
  unique.sort((a, b) => (states.get(b)?.total ?? 0) - (states.get(a)?.total ?? 0) || natural(a, b));
  const ratio = (of, p) => {
    const alloc = data.reading(`${p}${of}.alloc`);
    const total = data.value(`${p}${of}.total`);
    return alloc && total ? ratioBar(alloc.value, total, alloc) : total === 0 ? h('span', { class: 'num none', title: `no ${of}` }, '') : figure(null);
  };
  const rows = unique.map((name) => {
    const p = `${c}partition.${name}.`;
    const s = states.get(name);
    const up = data.reading(`${p}up`);
    return [
      h('span', { class: 'name' }, h('a', { href: link('partition', { partition: name }), 'data-page': '' }, name), up && up.value === 0 ? h('em', { class: 'tag' }, 'closed') : null),
      s ? h('span', { class: s.stale ? 'nodebar stale' : 'nodebar' }, bar(s.parts, s.total, { label: `Nodes of ${name}` })) : figure(null),
      ...[s?.total, s?.drained, s?.down].map((v, i) => (s ? h('span', { class: s.stale ? 'num stale' : v === 0 ? 'num none' : i === 2 ? 'num alarm' : 'num' }, count(v)) : figure(null))),
      figure(data.reading(`${p}jobs.running`), count, data.end), figure(data.reading(`${p}jobs.pending`), count, data.end),
      ratio('cpus', p), ratio('gpus', p),
    ];
  });
  return [table('Partitions', [{ title: 'Partition' }, { title: 'Nodes by state' }, { title: 'Nodes', number: true }, { title: 'Drained', number: true }, { title: 'Down', number: true },
    { title: 'Running', number: true }, { title: 'Pending', number: true }, { title: 'CPUs in use' }, { title: 'GPUs in use' }], rows, { rowKeys: unique }),
  keys(STATES.filter(([k]) => k !== 'other'))];
}

function shares(data, path, caption) {
  const byCPU = data.readings(`${path}.*.jobs.cpus.running`);
  const rows = byCPU.filter((r) => r.value > 0).map((r) => {
    const jobs = data.value(`${path}.${r.name}.jobs.running`);
    const gpus = data.value(`${path}.${r.name}.jobs.gpus.running`);
    const sub = [jobs !== null ? `${count(jobs)} jobs` : '', gpus ? `${count(gpus)} GPUs` : ''].filter(Boolean).join(', ');
    return { key: r.name, name: r.name === '_other' ? 'all others' : r.name, value: r.value, stale: r.stale, sub };
  });
  if (rows.length === 0) return byCPU.length ? h('p', { class: 'empty' }, 'None has a running job.') : empty(`the agent sends no ${caption.toLowerCase()}.`);
  return [h('p', { class: 'what' }, 'CPUs of running jobs'), ranking(rows, { caption, columns: [caption, 'CPUs'], most: 10 })];
}

/** How slurmctld is: what it takes to answer, its scheduler's cycles, its threads. */
function controlPanel(c, zoom) {
  const chart = new Chart({ title: 'Time that slurmctld takes to answer', unit: SECONDS, height: 150, zoom });
  const facts = h('dl', { class: 'facts-list' });
  const p = panel('slurmctld', { wide: 6 }, facts, chart.element);
  p.element.classList.add('fill');
  const rows = [['ctld.threads', 'Server threads', count], ['ctld.agent_queue', 'Agent queue', count], ['ctld.dbd_queue', 'Queue to slurmdbd', count],
    ['sched.main.mean_seconds', 'Main cycle, mean', seconds], ['sched.backfill.mean_seconds', 'Backfill cycle, mean', seconds],
    ['ctld.jobs.started.per_second', 'Jobs started', (v) => `${compact(v * 60)}/min`]];
  const now = [`${c}agent.command.*.seconds`, `${c}ctld.{threads,agent_queue,dbd_queue}`, `${c}sched.{main,backfill}.mean_seconds`, `${c}ctld.jobs.started.per_second`];
  return {
    ...p, chart, now, past: [`${c}agent.command.*.seconds`],
    update(data) {
      const commands = data.match(`${c}agent.command.*.seconds`).filter((m) => (COMMANDS[m.name]?.asks ?? 'slurmctld') === 'slurmctld').sort((a, b) => natural(a.name, b.name));
      chart.set(commands.map((m) => data.line(m.path, COMMANDS[m.name]?.program || m.name)), data.range, 'No data: the agent sends no times of its commands.');
      const known = rows.filter(([path]) => data.reading(c + path));
      replace(facts, known.map(([path, title, format]) => h('div', null, h('dt', null, title), h('dd', null, figure(data.reading(c + path), format, data.end)))));
      p.note(known.length ? '' : 'no data of its scheduler and threads: this agent does not read sdiag');
    },
  };
}

