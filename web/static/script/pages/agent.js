// The agent itself: its ticks, its commands, its queues, its databases.

import { Chart } from '../chart.js';
import { BYTES, COUNT, SECONDS, bytes, compact, count, natural, percent, seconds } from '../format.js';
import { h, replace } from '../dom.js';
import { Tile, figure, panel, spark, table } from '../parts.js';
import { COMMANDS } from '../slurm.js';

const commandColumns = [['seconds', 'Time', seconds], ['rows', 'Rows', count], ['bytes', 'Bytes', bytes], ['timeouts', 'Timeouts', count], ['parse_errors', 'Parse errors', count]];
const databaseColumns = [['sent', 'Sent', (v) => `${compact(v)}/s`], ['send_seconds', 'Send', seconds], ['rejected', 'Rejected', count], ['dropped', 'Dropped', count]];
const queueColumns = [['blocks', 'Blocks', count], ['bytes', 'Queue', bytes], ['oldest_seconds', 'Oldest', seconds]];

export function agent({ cluster, zoom }) {
  const a = `${cluster}.agent.`;
  const tiles = { series: new Tile('Series'), lag: new Tile('Tick lag'), interval: new Tile('Interval'), rss: new Tile('Memory'), cpu: new Tile('CPU') };
  const commands = panel('Commands', { wide: 12 });
  const aggregators = panel('Aggregators', { wide: 6 });
  const databases = panel('Databases and queues', { wide: 6 });
  const chart = {
    commands: new Chart({ title: 'Time of each command', unit: SECONDS, zoom }),
    queues: new Chart({ title: 'Oldest point in each queue', unit: SECONDS, zoom }),
    sent: new Chart({ title: 'Points taken a second', unit: COUNT, zoom }),
    bytes: new Chart({ title: 'Size of each queue', unit: BYTES, zoom }),
  };
  return {
    element: h('div', { class: 'page' }, h('div', { class: 'tiles five' }, Object.values(tiles).map((t) => t.element)), h('div', { class: 'grid' }, commands.element, aggregators.element, databases.element,
      panel('Time of each command', { wide: 6, id: 'p-c1' }, chart.commands.element).element, panel('Oldest point in each queue', { wide: 6, id: 'p-c2' }, chart.queues.element).element,
      panel('Points taken a second', { wide: 6, id: 'p-c3' }, chart.sent.element).element, panel('Size of each queue', { wide: 6, id: 'p-c4' }, chart.bytes.element).element)),
    targets: () => ({
      now: [`${a}{series,tick_lag_seconds,interval_seconds,rss_bytes}`, `${a}{cpu_seconds,unknown_tokens}.per_second`, `${a}command.*.{ok,seconds,rows,bytes,timeouts,parse_errors}`, `${a}command.*.{timeouts,parse_errors,rows,bytes}.per_second`,
        `${a}aggregator.*.{ok,seconds,series,skipped}`, `${a}aggregator.*.skipped.per_second`, `${a}queue.*.{bytes,blocks,oldest_seconds}`, `${a}database.*.{ok,sent,send_seconds,rejected,dropped}`, `${a}database.*.{sent,rejected,dropped}.per_second`],
      past: [`${a}{series,tick_lag_seconds,rss_bytes}`, `${a}cpu_seconds.per_second`, `${a}command.*.{ok,seconds}`, `${a}queue.*.{bytes,oldest_seconds}`, `${a}database.*.ok`, `${a}database.*.sent.per_second`],
    }),
    update(data) {
      setTiles(data);
      replace(commands.body, grid(data, 'command', 'Command', commandColumns, (n) => COMMANDS[n]?.program, 'the agent sends nothing of its commands.'));
      replace(aggregators.body, grid(data, 'aggregator', 'Aggregator', [['seconds', 'Time', seconds], ['series', 'Series', count], ['skipped', 'Ticks skipped', count]], null, 'the agent sends nothing of its aggregators.'));
      replace(databases.body, databaseTable(data));
      const lines = (kind, leaf) => data.match(`${a}${kind}.*.${leaf}`).sort((x, y) => natural(x.name, y.name)).map((m) => data.line(m.path, (kind === 'command' && COMMANDS[m.name]?.program) || m.name));
      chart.commands.set(lines('command', 'seconds'), data.range, 'No data: the agent sends no times of its commands.');
      chart.queues.set(lines('queue', 'oldest_seconds'), data.range, 'No data: the agent sends nothing of its queues.');
      chart.sent.set(lines('database', 'sent.per_second'), data.range, 'No data: the agent sends nothing of its databases.');
      chart.bytes.set(lines('queue', 'bytes'), data.range, 'No data: the agent sends nothing of its queues.');
    },
    destroy() { for (const one of Object.values(chart)) one.destroy(); },
  };

  function setTiles(data) {
    const { end } = data;
    const missing = 'the agent sends none';
    const unknown = data.value(`${a}unknown_tokens.per_second`);
    tiles.series.set({ reading: data.reading(`${a}series`), series: data.series(`${a}series`), sub: unknown ? `${compact(unknown * 60)} unknown words a minute in Slurm's output` : 'in each tick', end, missing });
    tiles.lag.set({ reading: data.reading(`${a}tick_lag_seconds`), format: seconds, series: data.series(`${a}tick_lag_seconds`), sub: 'behind its time', end, missing });
    tiles.interval.set({ reading: data.reading(`${a}interval_seconds`), format: seconds, sub: 'between ticks', end, missing });
    tiles.rss.set({ reading: data.reading(`${a}rss_bytes`), format: bytes, series: data.series(`${a}rss_bytes`), sub: 'resident', end, missing });
    tiles.cpu.set({ reading: data.reading(`${a}cpu_seconds.per_second`), format: (v) => (v < 0.1 ? `${(v * 100).toFixed(1)}%` : percent(v)), series: data.series(`${a}cpu_seconds.per_second`), sub: 'of one core', end, missing });
  }

  /** A state as a word with a mark: never by colour alone. */
  function state(data, path) {
    const r = data.reading(path);
    if (!r) return figure(null);
    if (r.stale) return h('span', { class: 'state none' }, 'silent');
    return r.value > 0 ? h('span', { class: 'state good' }, 'ok') : h('span', { class: 'state bad' }, 'failing');
  }

  /** A value, or its rate where it is a counter: "0/s" says that none is lost now. */
  function cell(data, path, format) {
    const plain = data.reading(path);
    if (plain) return figure(plain, format, data.end);
    const rate = data.reading(`${path}.per_second`);
    return rate ? figure(rate, (v) => (v === 0 ? '0' : `${compact(v)}/s`), data.end) : figure(null);
  }

  function grid(data, kind, title, columns, alias, why) {
    const names = [...new Set([...data.match(`${a}${kind}.*.ok`), ...data.match(`${a}${kind}.*.seconds`)].map((m) => m.name))].sort(natural);
    if (names.length === 0) return h('p', { class: 'empty' }, `No data: ${why}`);
    return table(title, [{ title }, { title: 'State' }, ...(kind === 'command' ? [{ title: 'Answers' }] : []), ...columns.map(([, t]) => ({ title: t, number: true }))], names.map((n) => [
      h('span', { class: 'name' }, n, alias?.(n) ? h('small', null, alias(n)) : null), state(data, `${a}${kind}.${n}.ok`),
      ...(kind === 'command' ? [timeline(data.series(`${a}${kind}.${n}.ok`))] : []),
      ...columns.map(([leaf, , format]) => cell(data, `${a}${kind}.${n}.${leaf}`, format))]), { rowKeys: names });
  }

  /** When a command answered over the range: gaps are when nothing is known. */
  function timeline(series) {
    if (!series) return figure(null);
    const good = series.values.filter((v) => v !== null && v > 0.5).length;
    const seen = series.values.filter((v) => v !== null).length;
    return h('span', { class: 'timeline', role: 'img', 'aria-label': `answered in ${percent(good / seen)} of the range` }, spark(series.values, { width: 200, height: 14 }));
  }

  function databaseTable(data) {
    const names = [...new Set([...data.match(`${a}database.*.ok`), ...data.match(`${a}queue.*.bytes`)].map((m) => m.name))].sort(natural);
    if (names.length === 0) return h('p', { class: 'empty' }, 'No data: the agent sends nothing of its databases.');
    return table('Databases and queues', [{ title: 'Database' }, { title: 'State' }, ...[...databaseColumns, ...queueColumns].map(([, t]) => ({ title: t, number: true }))], names.map((n) => [n, state(data, `${a}database.${n}.ok`),
      ...databaseColumns.map(([leaf, , format]) => (leaf === 'sent' && data.reading(`${a}database.${n}.sent.per_second`) ? figure(data.reading(`${a}database.${n}.sent.per_second`), format, data.end) : cell(data, `${a}database.${n}.${leaf}`, format))),
      ...queueColumns.map(([leaf, , format]) => figure(data.reading(`${a}queue.${n}.${leaf}`), format, data.end))]), { rowKeys: names });
  }
}
