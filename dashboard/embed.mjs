/* The files of the built page as the table of httpapi/page_files.h: node embed.mjs <folder> > page_files.c
 *
 * As numbers, since C promises no string literal of more than 4095 bytes. An empty or missing folder
 * gives an empty table. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const types = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
};
const SCRIPT_MAX_GZ_BYTES = 150_000;

const folder = process.argv[2];
if (!folder) fail('usage: node embed.mjs <folder of the built page>');

const names = filesIn(folder).sort();
const lines = ['#include "httpapi/page_files.h"', ''];
const rows = [];
let scriptBytes = 0;

for (const [i, name] of names.entries()) {
  const data = readFileSync(join(folder, name));
  const packed = gzipSync(data, { level: 9 });
  const hasGz = packed.length < data.length * 0.9;
  const suffix = name.slice(name.lastIndexOf('.') + 1);
  const path = name === 'index.html' ? '/' : `/${name}`;

  if (!types[suffix]) fail(`embed: ${name}: what is its content type?`);
  if (!/^[\w./-]+$/.test(name)) fail(`embed: ${name}: not a name for a URL`);
  if (suffix === 'js') scriptBytes += packed.length;
  lines.push(array(`file_${i}`, data));
  if (hasGz) lines.push(array(`file_${i}_gz`, packed));
  rows.push(
    `{"${path}", "${types[suffix]}", file_${i}, ${data.length}, ` +
      `${hasGz ? `file_${i}_gz, ${packed.length}` : '0, 0'}, ${name.startsWith('assets/')}},`,
  );
}
if (scriptBytes > SCRIPT_MAX_GZ_BYTES)
  fail(`embed: ${scriptBytes} bytes of gzipped script; the page promises at most ${SCRIPT_MAX_GZ_BYTES}`);

lines.push('const struct page_file page_files[] = {', ...rows, '{0}};', '');
process.stdout.write(lines.join('\n'));

function filesIn(folder, prefix = '') {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name), `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`],
  );
}

function array(name, bytes) {
  const text = [];

  for (let at = 0; at < bytes.length; at += 24) text.push(`${bytes.subarray(at, at + 24).join(',')},`);
  return `static const unsigned char ${name}[] = {\n${text.join('\n')}\n};`;
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}
