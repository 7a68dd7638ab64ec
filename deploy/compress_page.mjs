// Compresses the files of the built dashboard ahead, each beside itself: node deploy/compress_page.mjs FOLDER
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = process.argv[2];
const texts = /\.(css|html|js|json|svg|txt|webmanifest)$/;
const most = 0.9; // of a file's size: what saves less is not worth the memory that the server keeps it in
const codings = {
  '.br': (content) => brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }),
  '.gz': (content) => gzipSync(content, { level: constants.Z_BEST_COMPRESSION }),
};

for (const name of readdirSync(folder, { recursive: true })) {
  if (!texts.test(name)) continue;
  const content = readFileSync(join(folder, name));
  for (const [suffix, compress] of Object.entries(codings)) {
    const smaller = compress(content);
    if (smaller.length < content.length * most) writeFileSync(join(folder, name + suffix), smaller);
  }
}
