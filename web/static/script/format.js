// Numbers, sizes and times as people read them. A value that is not there is "–", never 0.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

export const DASH = '–';

const absent = (v) => v === null || v === undefined || Number.isNaN(v);

/** 1204 → "1,204"; 0.25 → "0.25". */
export function count(v) {
  if (absent(v)) return DASH;
  return Math.abs(v) >= 100 || Number.isInteger(v) ? whole.format(v) : fine.format(v);
}

/** At most four digits: 1204000 → "1.2M". */
export function compact(v) {
  if (absent(v)) return DASH;
  const a = Math.abs(v);
  for (const [limit, suffix] of [[1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (a >= limit) {
      const n = v / (limit === 1e4 ? 1e3 : limit);
      return (Math.abs(n) >= 100 ? n.toFixed(0) : trim(n.toFixed(1))) + suffix;
    }
  }
  if (a === 0) return '0';
  if (a < 0.001) return v.toExponential(1);
  return a >= 100 ? whole.format(v) : fine.format(a < 1 ? Number(v.toPrecision(2)) : v);
}

const trim = (s) => (s.includes('.') ? s.replace(/\.?0+$/, '') : s);

/** Bytes in binary units: "1.5 TiB". */
export function bytes(v) {
  if (absent(v)) return DASH;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let i = 0;
  let n = v;
  while (Math.abs(n) >= 1000 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${Math.abs(n) >= 100 || i === 0 ? n.toFixed(0) : trim(n.toFixed(1))} ${units[i]}`;
}

/** Seconds as a length of time: "8 ms", "1.2 s", "4 min", "2 h 10 min", "3 d 4 h". */
export function seconds(v) {
  if (absent(v)) return DASH;
  const a = Math.abs(v);
  if (a === 0) return '0 s';
  if (a < 0.001) return `${Math.round(v * 1e6)} µs`;
  if (a < 1) return `${trim((v * 1000).toFixed(a < 0.01 ? 1 : 0))} ms`;
  if (a < 100) return `${trim(v.toFixed(a < 10 ? 1 : 0))} s`;
  const m = Math.round(v / 60);
  if (m < 100 && m !== 60) return `${m} min`;
  const hours = Math.floor(m / 60);
  if (hours < 48) return m % 60 ? `${hours} h ${m % 60} min` : `${hours} h`;
  const d = Math.floor(hours / 24);
  return hours % 24 ? `${d} d ${hours % 24} h` : `${d} d`;
}

/** 0.934 → "93%". Neither 0% nor 100% is said of what only rounds to it. */
export function percent(v) {
  if (absent(v)) return DASH;
  if (v > 0 && v < 0.01) return '<1%';
  if (v < 1 && v > 0.99) return '>99%';
  return `${Math.round(v * 100)}%`;
}

const two = (n) => String(n).padStart(2, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A time of day, with the date where it is not today: "12:03", "18 Nov 12:03". t and now are in seconds. */
export function clock(t, now = Date.now() / 1000) {
  const d = new Date(t * 1000);
  const today = new Date(now * 1000);
  const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return d.toDateString() === today.toDateString() ? time : `${date(d)} ${time}`;
}

/** "12:03:20", "18 Nov 12:03:20". */
export function clockSeconds(t, now) {
  return `${clock(t, now)}:${two(new Date(t * 1000).getSeconds())}`;
}

/** "18 Nov" */
export function date(d) {
  return `${d.getDate()} ${months[d.getMonth()]}`;
}

/** The unit that a metric's name ends in. */
export function unitOf(path) {
  const rate = path.endsWith('.per_second');
  const name = rate ? path.slice(0, -'.per_second'.length) : path;
  const each = rate ? '/s' : '';
  if (/(^|[._])bytes(\.|$)/.test(name)) return { name: 'bytes', format: (v) => bytes(v) + (absent(v) ? '' : each) };
  if (/_seconds(\.|$)|\.seconds$/.test(name)) return { name: 'seconds', format: rate ? (v) => percent(v) : seconds };
  if (/_ratio(\.|$)|\.ratio$/.test(name)) return { name: 'ratio', format: percent };
  if (/_celsius$/.test(name)) return { name: 'celsius', format: (v) => (absent(v) ? DASH : `${compact(v)} °C`) };
  if (/_watts$/.test(name)) return { name: 'watts', format: (v) => (absent(v) ? DASH : `${compact(v)} W`) };
  return { name: 'count', format: (v) => compact(v) + (absent(v) ? '' : each) };
}

export const COUNT = { name: 'count', format: compact };
export const BYTES = { name: 'bytes', format: bytes };
export const SECONDS = { name: 'seconds', format: seconds };
export const RATIO = { name: 'ratio', format: percent };

/** snake_case names of Slurm as words: "assoc_grp_cpu_limit" → "Assoc grp CPU limit". */
export function words(name) {
  const s = name.replace(/^_/, '').replace(/_/g, ' ').replace(/\b(cpus?|gpus?|qos|tres|mem|oom|rpc|dbd)\b/g, (w) => (w === 'mem' ? 'memory' : w.replace(/^.*?(?=s?$)/, (x) => x.toUpperCase())));
  return s.charAt(0).toUpperCase() + s.slice(1);
}

/** Compares names so that n9 stands before n10. */
export const natural = new Intl.Collator('en', { numeric: true }).compare;
