// Prints what the panel weighs after compression, and fails when the first view weighs more than it may.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_KIB = 250;
const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist), 'utf8');
const first = new Set([...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map((match) => match[1]));

const kib = (file) => gzipSync(readFileSync(new URL(file, dist))).length / 1024;
let firstView = kib('index.html');
const rows = readdirSync(new URL('assets/', dist))
  .filter((name) => /\.(js|css)$/.test(name))
  .map((name) => ({ name, size: kib(`assets/${name}`), first: first.has(`assets/${name}`) }))
  .sort((a, b) => b.size - a.size);

for (const row of rows) {
  if (row.first) firstView += row.size;
  console.log(`${row.size.toFixed(1).padStart(8)} KiB  ${row.first ? 'first view' : 'on demand '}  ${row.name}`);
}
console.log(`${firstView.toFixed(1).padStart(8)} KiB  first view in all, of ${LIMIT_KIB} KiB (gzip)`);
if (firstView > LIMIT_KIB) process.exit(1);
