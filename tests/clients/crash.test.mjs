// kill -9 of one of three nodes, at 200 requests a second and while 40 streams run.

import assert from 'node:assert/strict';
import {AsyncLocalStorage} from 'node:async_hooks';
import {Agent, request} from 'node:http';
import {after, test} from 'node:test';

import {readers} from './streams.mjs';
import {startGateway, startSim, until} from './world.mjs';

const model = 'llama3.2:3b';
const kSlots = 64;       // a node: enough that nothing here has to queue
const kSpeedup = 0.25;   // with these a stream takes about nine seconds, and 40 of them little of this machine's time
const kTokens = 450;
const kBetween = 5;      // milliseconds between two requests
const agent = new Agent({keepAlive: true});

// The node that serves a stream, which no library tells: the header of the answer to whatever is fetched on its behalf.
const asked = new AsyncLocalStorage();
const {fetch: plainFetch} = globalThis;
globalThis.fetch = async (...args) => {
  const answer = await plainFetch(...args);
  const stream = asked.getStore();
  if (stream) stream.node = answer.headers.get('x-drover-node');
  return answer;
};

test('kill -9 of one of three nodes', {skip: process.env.CLIENTS_GATEWAY && 'needs simulated nodes'}, async () => {
  const sims = await Promise.all([1, 2, 3].map(() => startSim({slots: kSlots, speedup: kSpeedup})));
  // In memory on each node before the gateway looks, so that it sees three equal ones.
  await Promise.all(sims.map(({url}) => fetch(`${url}/api/generate`, {method: 'POST', body: JSON.stringify({model})})));
  const gateway = await startGateway(sims.map(({url}) => url), {slots: kSlots});
  after(() => Promise.all([gateway, ...sims].map((process) => process.stop())));

  const requests = [];
  const steady = steadily(() => requests.push(shortRequest(gateway.url, requests.length)));
  after(steady.stop);
  await until(() => requests.length >= 100, 'requests to flow');

  // Eight streams of each library; more only if no node happens to serve all libraries, since the one that dies must.
  const libraries = Object.keys(readers);
  const streams = [];
  const servesAll = (node) => libraries.every((library) => streams.some((one) => one.node === node && one.library === library));
  let victim = -1;
  while (victim < 0) {
    assert.ok(streams.length < 80, 'three equal nodes get about equal shares');
    const more = Array.from({length: streams.length === 0 ? 8 : 1}, () => libraries).flat();
    streams.push(...more.map((library, index) => begin(gateway.url, library, `Tell me story ${streams.length + index}.`)));
    await until(() => streams.every(({text, error}) => text || error), 'the streams to begin');
    victim = sims.findIndex((_, index) => servesAll(`node-${index + 1}`));
  }
  assert.ok(streams.every(({done}) => !done), 'streams outlast the crash; else this test shows nothing');
  await sims[victim].kill();
  const atCrash = requests.length;
  await until(() => requests.length >= atCrash + 400, 'two more seconds of requests');
  steady.stop();

  for (const {failed} of await Promise.all(requests)) {
    assert.equal(failed, undefined, `no request fails: ${failed}\n${gateway.log()}`);
  }
  await Promise.all(streams.map(({end}) => end));
  const survivor = sims[(victim + 1) % sims.length];
  const wholes = streams.map(({library, prompt}) => begin(survivor.url, library, prompt));
  await Promise.all(wholes.map(({end}) => end));
  for (const [index, {library, node, text, error}] of streams.entries()) {
    const what = `${library} on ${node}`;
    const whole = wholes[index].text;
    const hit = node === `node-${victim + 1}`;
    assert.ok(whole.startsWith(text) && text.length > 0, `${what}: each token once and in order; got ${text.length} characters`);
    if (hit) assert.ok(error, `${what}: the cut is an error`);
    if (hit) assert.ok(text.length < whole.length, `${what}: the crash came before the end`);
    if (!hit) assert.equal(error, undefined, `${what}: a stream elsewhere is not touched`);
    if (!hit) assert.equal(text, whole, `${what}: the whole answer`);
  }
});

// A running stream, whose fields fill as it goes; `end` resolves when it has ended, by error or not.
function begin(url, library, prompt) {
  const stream = {library, prompt, node: undefined, text: '', error: undefined, done: false};
  const take = (piece) => { stream.text += piece; };
  stream.end = asked.run(stream, () => readers[library](url, {model, prompt, tokens: kTokens}, take))
      .catch((error) => { stream.error = error; })
      .finally(() => { stream.done = true; });
  return stream;
}

// Calls `ask` every kBetween milliseconds on average, catching up after a late timer, until stopped.
function steadily(ask) {
  const started = Date.now();
  let asks = 0;
  const timer = setInterval(() => {
    for (; asks < (Date.now() - started) / kBetween; ++asks) ask();
  }, kBetween);
  return {stop: () => clearInterval(timer)};
}

// One small answer, streamed every other time. `failed`: what went wrong before its first byte, or at all where it is not streamed.
// A streamed one that is cut must be broken off, like any other; that it is, is no failure here.
// By node:http, since fetch takes an answer that is cut together with its head for one that never began.
function shortRequest(url, number) {
  const stream = number % 2 === 0;
  const body = JSON.stringify({model, prompt: `Number ${number}`, stream, options: {num_predict: 2}});
  return new Promise((resolve) => {
    const sent = request(`${url}/api/generate`, {method: 'POST', agent}, (answer) => {
      let text = '';
      const broken = () => resolve(stream ? {} : {failed: `broken off after ${text}`});
      answer.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('error', broken).on('end', () => {
        const last = text.trim().split('\n').at(-1);
        const whole = answer.statusCode === 200 && JSON.parse(last).done;
        resolve(whole ? {} : {failed: `${answer.statusCode} ${last}`});
      });
    });
    sent.on('error', ({message}) => resolve({failed: message})).end(body);
  });
}
