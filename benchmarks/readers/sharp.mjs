// sharp.mjs FOLDER INPUT OUTPUT WIDTH: reads a picture with sharp, with its defaults, and writes a PNG.
// FOLDER is where sharp is installed. A width of 0 keeps the size. Without INPUT: versions.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [folder, source, target, width] = process.argv.slice(2);
const sharp = createRequire(resolve(folder, 'package.json'))('sharp');

if (source) {
  const picture = sharp(source).autoOrient();
  await (Number(width) ? picture.resize(Number(width)) : picture).png().toFile(target);
} else {
  console.log(`sharp ${sharp.versions.sharp} with libvips ${sharp.versions.vips}`);
}
