// sharp: one pipeline for each rendition, as people write it, or cascaded by hand through raw pixels.
// Arguments: the folder that sharp is installed in, and "each" or "cascade". The protocol is worker.py's.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const [folder, way] = process.argv.slice(2);
const sharp = createRequire(resolve(folder, 'package.json'))('sharp');

// Without info.premultiplied, which tells how the pixels came about and would say here what they are.
const fromRaw = ({ data, info: { width, height, channels } }) => sharp(data, { raw: { width, height, channels } });
const encode = (pipeline, job) => pipeline[job.format]({ quality: job.quality }).toBuffer();

// One after another, so that two threads on one core don't count each other's waiting as CPU time.
async function makeEach(content, job) {
  const made = [];
  for (const box of job.boxes) {
    made.push(await encode(sharp(content).autoOrient().resize(box, box, { fit: 'inside' }), job));
  }
  return made;
}

async function makeCascade(content, job) {
  const levels = [];
  for (const [width, height] of job.sizes) {
    const source = levels.findLast((level) => level.info.width >= 2 * width && level.info.height >= 2 * height);
    const start = source ? fromRaw(source) : sharp(content).autoOrient();
    levels.push(await start.resize(width, height, { fit: 'fill' }).raw().toBuffer({ resolveWithObject: true }));
  }
  const made = [];
  for (const level of levels) {
    made.push(await encode(fromRaw(level), job));
  }
  return made;
}

function peakBytes() {
  const line = readFileSync('/proc/self/status', 'utf8').match(/^VmHWM:\s+(\d+) kB$/m);
  return line ? Number(line[1]) * 1024 : 0;
}

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const make = { each: makeEach, cascade: makeCascade }[way];

answer({ versions: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, Node ${process.versions.node}` });
for await (const line of createInterface({ input: process.stdin })) {
  const { outputs, ...job } = JSON.parse(line);
  const content = readFileSync(job.input);
  const startedCpu = process.cpuUsage();
  const started = performance.now();
  let made;
  try {
    made = await make(content, job);
  } catch (error) {
    answer({ unsupported: error.message.split('\n')[0] });
    continue;
  }
  const wallSeconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(startedCpu);
  if (outputs) {
    made.forEach((rendition, at) => writeFileSync(join(outputs, `${job.boxes[at]}.${job.format}`), rendition));
  }
  answer({
    cpu_seconds: (user + system) / 1e6,
    wall_seconds: wallSeconds,
    output_bytes: made.reduce((sum, rendition) => sum + rendition.length, 0),
    peak_bytes: peakBytes(),
  });
}
