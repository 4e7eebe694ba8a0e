// kill -9 of one of three nodes, at 200 requests a second and while 40 streams run.

import assert from 'node:assert/strict';
import {AsyncLocalStorage} from 'node:async_hooks';
import {after, test} from 'node:test';

import {readers} from './streams.mjs';
import {startGateway, startSim, until} from './world.mjs';

const model = 'llama3.2:3b';
const kSlots = 64;       // a node: enough that nothing here has to queue
const kTokens = 600;     // of a stream: some seconds
const kBetween = 5;      // milliseconds between two requests

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
  const sims = await Promise.all([1, 2, 3].map(() => startSim({slots: kSlots, speedup: 4})));
  const gateway = await startGateway(sims.map(({url}) => url), {slots: kSlots});
  after(() => Promise.all([gateway, ...sims].map((process) => process.stop())));
  await Promise.all(sims.map(({url}) => fetch(`${url}/api/generate`, {method: 'POST', body: JSON.stringify({model})})));

  // Streams begin in rounds, one of each library, until the node that will die serves each library too.
  const victim = 'node-1';
  const streams = [];
  while (streams.length < 40 || Object.keys(readers).some((library) => !at(victim, library))) {
    assert.ok(streams.length < 100, 'each library gets a stream on each of three equal nodes');
    const round = Object.keys(readers).map((library) => begin(gateway.url, library, `Tell me story ${streams.length}.`));
    streams.push(...round);
    await until(() => round.every(({text, error}) => text || error), 'a round of streams to begin');
  }
  function at(node, library) {
    return streams.some((stream) => stream.node === node && stream.library === library);
  }

  const requests = [];
  const steady = steadily(() => requests.push(shortRequest(gateway.url, requests.length)));
  await until(() => requests.length >= 200, 'a second of requests');
  assert.ok(streams.every(({done}) => !done), 'streams outlast the crash; else this test shows nothing');
  await sims[0].kill();
  const atCrash = requests.length;
  await until(() => requests.length >= atCrash + 400, 'two more seconds of requests');
  steady.stop();

  for (const request of await Promise.all(requests)) assert.deepEqual(request.failed, undefined, 'no request fails');
  await Promise.all(streams.map(({end}) => end));
  for (const {library, prompt, node, text, error} of streams) {
    const what = `${library} on ${node}`;
    let whole = '';
    await readers[library](sims[1].url, {model, prompt, tokens: kTokens}, (piece) => { whole += piece; });
    assert.ok(whole.startsWith(text) && text.length > 0, `${what}: each token once and in order; got ${text.length} characters`);
    if (node === victim) assert.ok(error, `${what}: the cut is an error`);
    if (node === victim) assert.ok(text.length < whole.length, `${what}: the crash came before the end`);
    if (node !== victim) assert.equal(error, undefined, `${what}: a stream elsewhere is not touched`);
    if (node !== victim) assert.equal(text, whole, `${what}: the whole answer`);
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
// A streamed one that is cut must throw while it is read, like any other; that it does is no failure here.
async function shortRequest(url, number) {
  const stream = number % 2 === 0;
  const body = JSON.stringify({model, prompt: `Number ${number}`, stream, options: {num_predict: 2}});
  let first = false;
  try {
    const answer = await plainFetch(`${url}/api/generate`, {method: 'POST', body});
    if (answer.status !== 200) return {failed: `${answer.status} ${await answer.text()}`};
    let text = '';
    for await (const piece of answer.body) {
      first = true;
      text += Buffer.from(piece).toString();
    }
    return JSON.parse(text.trim().split('\n').at(-1)).done ? {} : {failed: `ended well without its end: ${text}`};
  } catch (error) {
    return first && stream ? {} : {failed: `${error.message} ${error.cause?.message ?? ''}`};
  }
}
