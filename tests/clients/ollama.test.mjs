// ollama-js against Drover.

import {Ollama} from 'ollama';

import {readers} from './streams.mjs';
import {chunks, comparisonWorld, cutIsAnError, image, leavingFreesTheSlot, same, weather} from './world.mjs';

const world = await comparisonWorld('ollama');
const {models} = world;
const client = (host) => new Ollama({host});
const options = {temperature: 0, seed: 7, num_predict: 24};
const messages = [{role: 'user', content: 'Why is the sky blue?'}];
const prompt = 'Why is the sky blue?';
const tools = [{type: 'function', function: weather}];

same(world, 'version', (url) => client(url).version());
same(world, 'list', (url) => client(url).list());
same(world, 'show', (url) => client(url).show({model: models.chat}));
same(world, 'show of an unknown model', (url) => client(url).show({model: 'nobody'}), {fails: true});

same(world, 'generate', (url) => client(url).generate({model: models.chat, prompt, options}));
same(world, 'generate, streamed', (url) => chunks(client(url).generate({model: models.chat, prompt, options, stream: true})));
same(world, 'generate, raw', (url) => client(url).generate({model: models.chat, prompt, options, raw: true}));
same(world, 'generate of an unknown model', (url) => client(url).generate({model: 'nobody', prompt}), {fails: true});
same(world, 'load and unload', async (url) => [
  await client(url).generate({model: models.chat, prompt: ''}),
  await client(url).generate({model: models.chat, prompt: '', keep_alive: 0}),
]);

same(world, 'chat', (url) => client(url).chat({model: models.chat, messages, options}));
same(world, 'chat, streamed', (url) => chunks(client(url).chat({model: models.chat, messages, options, stream: true})));
same(world, 'a conversation', async (url) => {
  const first = await client(url).chat({model: models.chat, messages, options});
  const history = [...messages, first.message, {role: 'user', content: 'And at sunset?'}];
  return client(url).chat({model: models.chat, messages: history, options});
});
same(world, 'chat of an unknown model', (url) => client(url).chat({model: 'nobody', messages}), {fails: true});
same(world, 'chat, streamed, of an unknown model', (url) => chunks(client(url).chat({model: 'nobody', messages, stream: true})),
     {fails: true});
same(world, 'chat without a model', (url) => client(url).chat({messages}), {fails: true});
same(world, 'chat with messages of a wrong type', (url) => client(url).chat({model: models.chat, messages: 'hi'}), {fails: true});
same(world, 'chat with an option of a wrong type',
     (url) => client(url).chat({model: models.chat, messages, options: {num_ctx: 'many'}}), {fails: true});
same(world, 'running models', async (url) => {
  await client(world.node).chat({model: models.chat, messages, options});
  return client(url).ps();
});

same(world, 'tools', (url) => client(url).chat({model: models.tools, messages, options, tools}), {needs: 'tools'});
same(world, 'tools, streamed', (url) => chunks(client(url).chat({model: models.tools, messages, options, tools, stream: true})),
     {needs: 'tools'});
same(world, 'tools of a model without them',
     (url) => client(url).chat({model: models.embedding, messages, tools}), {needs: 'embedding', fails: true});
for (const think of [true, false]) {
  same(world, `thinking ${think}`, (url) => client(url).chat({model: models.thinking, messages, options, think}),
       {needs: 'thinking'});
  same(world, `thinking ${think}, streamed`,
       (url) => chunks(client(url).chat({model: models.thinking, messages, options, think, stream: true})), {needs: 'thinking'});
}
same(world, 'thinking of a model without it', (url) => client(url).chat({model: models.chat, messages, think: true}),
     {fails: true});
same(world, 'an image', (url) => client(url).chat(
    {model: models.vision, messages: [{role: 'user', content: 'What is this?', images: [image]}], options}), {needs: 'vision'});
same(world, 'an image that is none', (url) => client(url).chat(
    {model: models.vision, messages: [{role: 'user', content: 'What is this?', images: ['%%%']}]}), {needs: 'vision', fails: true});

same(world, 'embed', (url) => client(url).embed({model: models.embedding, input: 'sky'}), {needs: 'embedding'});
same(world, 'embed several', (url) => client(url).embed({model: models.embedding, input: ['sky', 'sea']}), {needs: 'embedding'});
same(world, 'embeddings', (url) => client(url).embeddings({model: models.embedding, prompt: 'sky'}), {needs: 'embedding'});
same(world, 'embed with an unknown model', (url) => client(url).embed({model: 'nobody', input: 'sky'}), {fails: true});

const long = {model: models.chat, messages, options: {...options, num_predict: 100_000}};

leavingFreesTheSlot(world, 'a stream', async (url) => {
  const stream = await client(url).chat({...long, stream: true});
  await stream[Symbol.asyncIterator]().next();
  return () => stream.abort();
});
leavingFreesTheSlot(world, 'an answer not yet there', (url) => {
  const aborter = new AbortController();
  const leaving = new Ollama({host: url, fetch: (input, init) => fetch(input, {...init, signal: aborter.signal})});
  const answer = leaving.chat(long).catch(() => {});
  return () => {
    aborter.abort();
    return answer;
  };
});

cutIsAnError(world, 'a stream of chat', '/api/chat',
             (url, take) => readers.ollama(url, {model: models.chat, prompt: prompt, tokens: 24}, take));
cutIsAnError(world, 'a stream of generate', '/api/generate', async (url, take) => {
  for await (const chunk of await client(url).generate({model: models.chat, prompt, options, stream: true})) take(chunk.response);
});
