// What the tests of Node's client libraries share: a world to run in (simulated nodes behind Drover), and the three questions
// asked of every library: does a call through the gateway end like the same call made straight to a node, does leaving free the
// node's slot, and is a stream that was cut seen as an error?
//
// With CLIENTS_GATEWAY and CLIENTS_NODE set (base URLs), nothing is started: the comparisons run between those two, and what
// needs a simulated node is skipped. CLIENTS_MODELS (JSON, as `simulatedModels` below) then names the models there.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import readline from 'node:readline';
import {after, test} from 'node:test';

const simulatedModels = {
  chat: 'llama3.2:3b', tools: 'llama3.2:3b', thinking: 'qwen3:8b', vision: 'gemma3:4b', embedding: 'nomic-embed-text:latest',
};

// One red pixel.
export const image =
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

export const weather = {
  name: 'get_weather',
  description: 'The weather in a city',
  parameters: {type: 'object', properties: {city: {type: 'string', description: 'The city'}}, required: ['city']},
};

// The world that the comparisons run in: one node, so that what the gateway lists is what that node lists.
// `library` names it in front of each test.
export async function comparisonWorld(library) {
  const {CLIENTS_GATEWAY: gateway, CLIENTS_NODE: node, CLIENTS_MODELS: models} = process.env;
  if (gateway) return {library, gateway, node, models: JSON.parse(models)};
  const sim = await startSim();
  const drover = await startGateway([sim.url]);
  after(async () => {
    await drover.stop();
    await sim.stop();
  });
  return {library, gateway: drover.url, node: sim.url, models: simulatedModels, simulated: true};
}

// One simulated node in a process of its own, so that it can be killed.
export async function startSim({slots = 4, speedup = 5, seed = 7} = {}) {
  const process = start('sim', '--listen', '127.0.0.1:0', '--nodes', '1', '--seed', seed, '--slots', slots, '--speedup', speedup,
                        '--json');
  const {url} = JSON.parse(await process.line('stdout', /^\{.*"url"/));
  return {url, ...process};
}

export async function startGateway(nodes, {slots = 4} = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'drover-clients-'));
  const config = join(folder, 'drover.yaml');
  const list = nodes.map((url, index) => `  - {name: node-${index + 1}, url: "${url}", slots: ${slots}}\n`);
  await writeFile(config, `listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nnodes:\n${list.join('')}`);
  const process = start('serve', '--config', config);
  const [listening, admin] = await Promise.all([
    process.line('stderr', /listening on (http:\/\/[\d.:]+)/),
    process.line('stderr', /admin on (http:\/\/[\d.:]+)/),
  ]);
  const adminUrl = admin.match(/admin on (http:\/\/[\d.:]+)/)[1];
  await until(async () => (await fetch(`${adminUrl}/readyz`)).ok, 'the gateway to be ready');
  const stop = async () => {
    await process.stop();
    await rm(folder, {recursive: true});
  };
  return {...process, url: listening.match(/listening on (http:\/\/[\d.:]+)/)[1], admin: adminUrl, stop};
}

// Starts $DROVER. `line` waits for a line of its output; `stop` asks it to end and waits; `kill` is kill -9.
function start(...args) {
  const child = spawn(process.env.DROVER, args.map(String), {stdio: ['ignore', 'pipe', 'pipe']});
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const seen = {stdout: [], stderr: []};
  for (const name of ['stdout', 'stderr']) {
    readline.createInterface({input: child[name]}).on('line', (line) => {
      seen[name].push(line);
      if (seen[name].length > 200) seen[name].shift();  // the access log of a long test
    });
  }
  const line = (name, pattern) => until(() => {
    assert.equal(child.exitCode, null, `drover ${args[0]} ended early:\n${seen.stderr.join('\n')}`);
    return seen[name].find((text) => pattern.test(text));
  }, `drover ${args[0]} to print ${pattern}`);
  const end = (signal) => async () => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  };
  return {line, stop: end('SIGTERM'), kill: end('SIGKILL'), log: () => seen.stderr.join('\n')};
}

// Polls until `holds` gives something true, and returns that; fails after `seconds`. A refused connection counts as not yet.
export async function until(holds, what, seconds = 15) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await Promise.resolve().then(holds).catch((error) => {
      if (error.cause?.code !== 'ECONNREFUSED') throw error;
    });
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Does `call(baseUrl)` end alike through the gateway and straight on the node? With `fails`, both must throw, and alike.
// `needs` names the kind of model that the call uses; a world without one skips the test.
export function same(world, name, call, {needs = 'chat', fails = false} = {}) {
  test(`${world.library}: ${name}`, {skip: !world.models[needs] && `no model for ${needs} here`}, async () => {
    const direct = await outcome(call, world.node);
    assert.equal('error' in direct, fails, `straight to the node: ${JSON.stringify(direct).slice(0, 1000)}`);
    // What lists a fleet learns by probing it may lag a little behind the node itself.
    const deadline = Date.now() + (name.includes('running') ? 15_000 : 0);
    for (;;) {
      const through = await outcome(call, world.gateway);
      try {
        return assert.deepEqual(through, direct);
      } catch (difference) {
        if (Date.now() >= deadline) throw difference;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
}

async function outcome(call, url) {
  try {
    return {value: normalised(await call(url))};
  } catch (error) {
    // Only what a caller can act upon; the rest of an error object holds headers and stack.
    const {name, status, status_code, statusCode, code, type, param} = error;
    return {error: normalised({name, status: status ?? status_code ?? statusCode, code, type, param,
                               message: error.message.replaceAll(url, 'URL')})};
  }
}

// What two runs of one call may answer differently: times, durations, ids made by chance, how much of a prompt was cached, the
// path of a node's own store, and the order of a model's parameters, which a real server draws anew for every call.
const varying = /^(created|created_at|createdAt|expires_at|id|tool_call_id|toolCallId|.*_duration|.*cache.*)$/i;

function normalised(value) {
  return JSON.parse(JSON.stringify(value ?? null, (key, part) => {
    if (varying.test(key)) return undefined;
    if (typeof part !== 'string') return part;
    if (key === 'parameters' || key === 'modelfile') return part.replace(/\/\S*\/blobs\//g, 'STORE/').split('\n').sort();
    // The one text in which v0.24.0 differs from the release whose words the gateway uses.
    return key === 'message' ? part.replace(":latest' not found", "' not found") : part;
  }));
}

// A stream as a list, for comparing it chunk by chunk.
export async function chunks(stream) {
  const list = [];
  for await (const chunk of await stream) list.push(chunk);
  return list;
}

// `begin(baseUrl)` starts a long answer and resolves, once it runs, to the function that leaves it.
export function leavingFreesTheSlot(world, name, begin) {
  test(`${world.library}: leaving ${name} frees the slot`, {skip: !world.simulated && 'needs a simulated node'}, async () => {
    const before = await state(world.node);
    const leave = await begin(world.gateway);
    // Not merely taken in: a client that leaves during a load leaves the load to the gateway.
    await until(async () => (await state(world.node)).loaded.some(({running}) => running > 0), 'the request to run on the node');
    await leave();
    await until(async () => (await state(world.node)).in_flight === 0, 'the node to be idle', 5);
    assert.equal((await state(world.node)).aborted, before.aborted + 1, 'the node saw its client leave');
  });
}

// `read(baseUrl, take)` reads a streamed answer to its end and gives each piece of text to `take`.
// Whatever way the upstream connection ends early, the reader must see an error, after a part of the text and nothing else.
export function cutIsAnError(world, name, path, read) {
  for (const fault of ['cut', 'reset']) {
    const title = `${world.library}: ${name}, ended early by a ${fault}, is an error`;
    test(title, {skip: !world.simulated && 'needs a simulated node'}, async () => {
      let whole = '';
      await read(world.node, (text) => { whole += text; });
      await arm(world.node, {fault, after_tokens: 5, count: 1, path});
      let got = '';
      await assert.rejects(read(world.gateway, (text) => { got += text; }), 'the end of half an answer looked like success');
      assert.ok(got.length > 0 && got.length < whole.length, `a part of the text came: ${got}`);
      assert.ok(whole.startsWith(got), `what came is how the answer starts: ${got}`);
    });
  }
}

export async function arm(node, fault) {
  const answer = await fetch(`${node}/sim/faults`, {method: 'POST', body: JSON.stringify(fault)});
  assert.ok(answer.ok, `arming ${JSON.stringify(fault)}: ${answer.status} ${await answer.text()}`);
}

export async function state(node) {
  return (await fetch(`${node}/sim/state`)).json();
}
