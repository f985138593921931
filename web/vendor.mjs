// Copies what the pages need of uPlot into static/vendor: `npm ci && npm run vendor`. The program comes as a script that
// sets a global; one line makes a module of it. Its licence goes with it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';

const from = new URL('node_modules/uplot/', import.meta.url);
const to = new URL('static/vendor/', import.meta.url);
const { version } = JSON.parse(await readFile(new URL('package.json', from), 'utf8'));
const licence = (await readFile(new URL('LICENSE', from), 'utf8')).trim();
const script = (await readFile(new URL('dist/uPlot.iife.min.js', from), 'utf8')).trim();
const style = (await readFile(new URL('dist/uPlot.min.css', from), 'utf8')).trim();

if (!/^(\/\*[^]*?\*\/\s*)?var uPlot=function/.test(script)) throw new Error('uPlot.iife.min.js does not begin with "var uPlot=function"');
const head = `/* uPlot ${version}, https://github.com/leeoniya/uPlot\n\n${licence}\n*/\n`;
await mkdir(to, { recursive: true });
await writeFile(new URL('uplot.js', to), `${head}${script}\nexport default uPlot;\n`);
await writeFile(new URL('uplot.css', to), `${head}${style}\n`);
