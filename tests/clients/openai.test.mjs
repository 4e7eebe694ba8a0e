// openai-node against Drover.

import OpenAI from 'openai';

import {readers} from './streams.mjs';
import {chunks, comparisonWorld, cutIsAnError, image, leavingFreesTheSlot, same, weather} from './world.mjs';

const world = await comparisonWorld('openai');
const {models} = world;
// Without retries of its own: they would hide what the gateway answers.
const client = (url) => new OpenAI({baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0});
const sampling = {temperature: 0, seed: 7, max_tokens: 24};
const messages = [{role: 'user', content: 'Why is the sky blue?'}];
const chat = (url, body) => client(url).chat.completions.create({model: models.chat, messages, ...sampling, ...body});
const streamed = (url, body) => chunks(chat(url, {stream: true, stream_options: {include_usage: true}, ...body}));
const tools = [{type: 'function', function: weather}];

same(world, 'models', async (url) => chunks(client(url).models.list()));
same(world, 'one model', async (url) => client(url).models.retrieve(models.chat));
same(world, 'an unknown model', (url) => client(url).models.retrieve('nobody'), {fails: true});

same(world, 'chat', (url) => chat(url));
same(world, 'chat, streamed', (url) => streamed(url));
same(world, 'chat, streamed, without usage', (url) => streamed(url, {stream_options: undefined}));
same(world, 'a conversation', async (url) => {
  const first = await chat(url);
  return chat(url, {messages: [...messages, first.choices[0].message, {role: 'user', content: 'And at sunset?'}]});
});
same(world, 'chat in parts', (url) => chat(url, {messages: [{role: 'user', content: [{type: 'text', text: 'Why blue?'}]}]}));
same(world, 'chat of an unknown model', (url) => chat(url, {model: 'nobody'}), {fails: true});
same(world, 'chat, streamed, of an unknown model', (url) => streamed(url, {model: 'nobody'}), {fails: true});
same(world, 'chat without messages', (url) => chat(url, {messages: []}), {fails: true});
same(world, 'chat with messages of a wrong type', (url) => chat(url, {messages: 'hi'}), {fails: true});

same(world, 'completion', (url) => client(url).completions.create({model: models.chat, prompt: 'The sky', ...sampling}));
same(world, 'completion, streamed', (url) => chunks(client(url).completions.create(
    {model: models.chat, prompt: 'The sky', ...sampling, stream: true, stream_options: {include_usage: true}})));
same(world, 'completion of an unknown model',
     (url) => client(url).completions.create({model: 'nobody', prompt: 'The sky'}), {fails: true});

same(world, 'tools', (url) => chat(url, {model: models.tools, tools}), {needs: 'tools'});
same(world, 'tools, streamed', (url) => streamed(url, {model: models.tools, tools}), {needs: 'tools'});
same(world, 'tools of a model without them', (url) => chat(url, {model: models.embedding, tools}),
     {needs: 'embedding', fails: true});
for (const effort of ['none', 'low', 'high']) {
  same(world, `thinking, effort ${effort}`, (url) => chat(url, {model: models.thinking, reasoning_effort: effort}),
       {needs: 'thinking'});
}
same(world, 'thinking, streamed', (url) => streamed(url, {model: models.thinking, reasoning_effort: 'high'}), {needs: 'thinking'});
const seen = (url) => [{role: 'user', content: [{type: 'text', text: 'What is this?'}, {type: 'image_url', image_url: {url}}]}];
same(world, 'an image', (url) => chat(url, {model: models.vision, messages: seen(`data:image/png;base64,${image}`)}),
     {needs: 'vision'});
same(world, 'an image by its address', (url) => chat(url, {model: models.vision, messages: seen('https://example.com/a.png')}),
     {needs: 'vision', fails: true});

for (const encoding_format of ['float', 'base64']) {
  same(world, `embeddings, ${encoding_format}`, (url) => client(url).embeddings.create(
      {model: models.embedding, input: ['sky', 'sea'], encoding_format}), {needs: 'embedding'});
}
same(world, 'embeddings, as by default', (url) => client(url).embeddings.create({model: models.embedding, input: 'sky'}),
     {needs: 'embedding'});
same(world, 'embeddings of an unknown model', (url) => client(url).embeddings.create({model: 'nobody', input: 'sky'}),
     {fails: true});
same(world, 'embeddings of tokens', (url) => client(url).embeddings.create({model: models.embedding, input: [1, 2]}),
     {needs: 'embedding', fails: true});

leavingFreesTheSlot(world, 'a stream', async (url) => {
  const stream = await chat(url, {max_tokens: 100_000, stream: true});
  await stream[Symbol.asyncIterator]().next();
  return () => stream.controller.abort();
});
leavingFreesTheSlot(world, 'an answer not yet there', (url) => {
  const aborter = new AbortController();
  const answer = client(url).chat.completions.create({model: models.chat, messages, max_tokens: 100_000}, {signal: aborter.signal})
      .catch(() => {});
  return () => {
    aborter.abort();
    return answer;
  };
});

cutIsAnError(world, 'a stream of chat', '/v1/chat/completions',
             (url, take) => readers.openai(url, {model: models.chat, prompt: messages[0].content, tokens: 24}, take));
cutIsAnError(world, 'a stream of completion', '/v1/completions', async (url, take) => {
  const stream = await client(url).completions.create({model: models.chat, prompt: 'The sky', ...sampling, stream: true});
  for await (const chunk of stream) take(chunk.choices[0]?.text ?? '');
});
