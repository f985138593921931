// The metric tree, an editor of targets with Graphite's functions, and what they give as a chart, a table and CSV.

import { Chart } from '../chart.js';
import { go, link, read } from '../address.js';
import { clockSeconds, count, natural, unitOf } from '../format.js';
import { Failure, csv, find, functions, render, renderLink } from '../graphite.js';
import { h, replace, say } from '../dom.js';
import { panel, table } from '../parts.js';
import { Tree } from '../tree.js';
import { Complete } from '../complete.js';

const MOST = 60; // series that a chart shows

export function explore({ cluster, zoom }) {
  let chart = null;
  let unit = null;
  const fields = h('ol', { class: 'targets' });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const place = h('div');
  const result = h('div');
  const note = h('p', { class: 'what' });
  const choose = h('select', { 'aria-label': 'Function to put around the last target', onchange: () => wrap(choose.value) }, h('option', { value: '' }, 'Function …'));
  const editor = panel('Targets', { wide: 12, id: 'p-targets' }, h('form', { onsubmit: (e) => { e.preventDefault(); show(); } }, fields, h('div', { class: 'toolbar' },
    h('button', { type: 'submit', class: 'main' }, 'Show'), h('button', { type: 'button', onclick: () => { addField(''); fields.lastChild.querySelector('textarea').focus(); } }, 'Add a target'), choose,
    h('span', { class: 'push' }), h('button', { type: 'button', onclick: () => download() }, 'CSV'), h('a', { class: 'button', target: '_blank', rel: 'noopener', onclick: (e) => e.currentTarget.setAttribute('href', renderLink(targets(), { ...times(), format: 'json' })), href: 'render' }, 'JSON')), wrong));
  const chartPanel = panel('Chart', { wide: 12, id: 'p-explore-chart' }, note, place);
  const values = panel('Values', { wide: 12, id: 'p-values' }, result);
  const tree = new Tree({ pick: (path) => pick(path), root: cluster });

  const targets = () => [...fields.querySelectorAll('textarea')].map((t) => t.value.trim()).filter(Boolean);
  const times = () => ({ from: read().get('from'), until: read().get('until') });

  function addField(text) {
    const area = h('textarea', { rows: 1, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', 'aria-label': `Target ${fields.children.length + 1}`, placeholder: `${cluster || 'hpc1'}.jobs.running` });
    area.value = text;
    const fit = () => { area.style.height = 'auto'; area.style.height = `${area.scrollHeight + 2}px`; };
    area.addEventListener('input', fit);
    area.addEventListener('keydown', (e) => { if (e.key === 'Enter' && !e.shiftKey && !e.defaultPrevented) { e.preventDefault(); show(); } });
    const complete = new Complete(area, (q) => find(q), fit);
    fields.append(h('li', null, h('div', { class: 'field' }, area, complete.list), h('button', { type: 'button', class: 'quiet', 'aria-label': 'Remove this target', onclick: (e) => { e.target.closest('li').remove(); if (!fields.children.length) addField(''); show(); } }, '×')));
    requestAnimationFrame(fit);
  }

  function pick(path) {
    const last = fields.lastElementChild.querySelector('textarea');
    if (last.value.trim() === '') last.value = path;
    else addField(path);
    show();
  }

  /** Puts a function around the last target: sumSeries(…). What it wants besides is written in its words, to be replaced. */
  function wrap(name) {
    const f = known.find((x) => x.name === name);
    const last = fields.lastElementChild.querySelector('textarea');
    choose.value = '';
    if (!f) return;
    const rest = f.call.slice(f.call.indexOf('(') + 1, f.call.lastIndexOf(')')).split(',').slice(1).map((p) => p.trim()).filter((p) => p && !p.includes('=') && !p.startsWith('*'));
    last.value = `${f.name}(${[last.value.trim(), ...rest].join(', ')})`;
    last.dispatchEvent(new Event('input'));
    last.focus();
    if (rest.length) {
      const at = last.value.lastIndexOf(rest[0]);
      last.setSelectionRange(at, at + rest[0].length);
    } else show();
  }

  function show() { go(link('explore', { target: targets() })); }

  let known = [];
  let asked = false;
  async function loadFunctions() {
    if (asked) return;
    asked = true;
    try {
      known = await functions();
    } catch (e) {
      if (!(e instanceof Failure)) throw e;
      asked = false;
      return;
    }
    const groups = new Map();
    for (const f of known) groups.set(f.group, [...(groups.get(f.group) || []), f]);
    replace(choose, h('option', { value: '' }, 'Function …'), [...groups].sort((a, b) => natural(a[0], b[0])).map(([g, fs]) => h('optgroup', { label: g }, fs.map((f) => h('option', { value: f.name, title: `${f.call}\n${f.text}` }, f.name)))));
  }

  async function download() {
    try {
      const url = URL.createObjectURL(await csv(targets(), times()));
      h('a', { href: url, download: 'series.csv' }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    } catch (e) {
      say(wrong, `No CSV: ${e.message}`);
    }
  }

  function setFields(list) {
    if (JSON.stringify(targets()) === JSON.stringify(list) && fields.children.length) return;
    fields.replaceChildren();
    for (const t of list.length ? list : ['']) addField(t);
  }
  setFields(read().all('target'));

  return {
    element: h('div', { class: 'page explore' }, h('aside', { class: 'panel tree-panel', 'aria-labelledby': 'p-tree' }, h('header', null, h('h2', { id: 'p-tree' }, 'Metrics')), tree.element),
      h('div', { class: 'grid' }, editor.element, chartPanel.element, values.element)),
    targets: () => ({}),
    keep(context) {
      if (context.address.page.id !== 'explore' || context.cluster !== cluster) return false;
      setFields(context.address.all('target'));
      return true;
    },
    async update(data, signal) {
      loadFunctions();
      const list = read().all('target');
      let series = [];
      say(wrong, '');
      try {
        series = await render(list, { from: read().get('from'), until: read().get('until'), points: 700, signal });
      } catch (e) {
        if (!(e instanceof Failure) || e.status === 0 || e.status >= 502) throw e;
        say(wrong, e.message);
      }
      draw(series, list, data);
    },
    destroy() { chart?.destroy(); },
  };

  function draw(series, list, data) {
    const next = unitOf((series[0]?.name || list[0] || '').replace(/[)"'\s,].*$/, '').replace(/^.*\(/, ''));
    if (!chart || next.name !== unit.name) {
      chart?.destroy();
      unit = next;
      chart = new Chart({ title: 'What the targets give', unit, height: 320, zoom });
      replace(place, chart.element);
    }
    say(note, series.length > MOST ? `The first ${MOST} of ${count(series.length)} series are drawn; the table and the CSV hold all of them.` : '');
    chart.set(series.slice(0, MOST).map((s) => ({ label: s.name, series: s })), data.range, list.length === 0 ? 'Choose a metric in the tree, or write a target.' : 'No data: no series matches, or none has a value in this range.');
    values.element.hidden = series.length === 0;
    replace(result, series.length ? table('Values', [{ title: 'Series' }, ...['Last', 'At', 'Mean', 'Least', 'Most'].map((title) => ({ title, number: true }))], series.slice(0, 500).map((s) => {
      const seen = s.values.filter((v) => v !== null);
      let last = s.values.length - 1;
      while (last >= 0 && s.values[last] === null) last--;
      if (seen.length === 0) return [h('code', null, s.name), '–', 'no data', '–', '–', '–'];
      return [h('code', null, s.name), unit.format(s.values[last]), clockSeconds(s.start + last * s.step, data.end), unit.format(seen.reduce((a, b) => a + b, 0) / seen.length),
        unit.format(seen.reduce((a, b) => Math.min(a, b))), unit.format(seen.reduce((a, b) => Math.max(a, b)))];
    })) : []);
  }
}
