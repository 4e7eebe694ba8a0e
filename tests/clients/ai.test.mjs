// The Vercel AI SDK with @ai-sdk/openai-compatible against Drover.

import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {embed, embedMany, generateText, jsonSchema, streamText, tool} from 'ai';

import {readers} from './streams.mjs';
import {comparisonWorld, cutIsAnError, image, leavingFreesTheSlot, same, weather} from './world.mjs';

const world = await comparisonWorld('ai');
const {models} = world;
const provider = (url) => createOpenAICompatible({name: 'drover', baseURL: `${url}/v1`, apiKey: 'any', includeUsage: true});
// Without retries of its own: they would hide what the gateway answers.
const call = (url, {model = models.chat, ...more}) => (
    {model: provider(url)(model), temperature: 0, seed: 7, maxOutputTokens: 24, maxRetries: 0, ...more});
const prompt = 'Why is the sky blue?';
const tools = {[weather.name]: tool({description: weather.description, inputSchema: jsonSchema(weather.parameters)})};
const thinking = {providerOptions: {drover: {reasoningEffort: 'high'}}};

async function generated(url, more) {
  const {text, reasoningText, toolCalls, finishReason, usage} = await generateText(call(url, {prompt, ...more}));
  return {text, reasoningText, toolCalls, finishReason, usage};
}

// The parts of a stream; the SDK delivers errors as parts, which become exceptions here.
async function* parts(url, more) {
  for await (const part of streamText(call(url, {prompt, onError: () => {}, ...more})).fullStream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') return;
    // These two hold the request and the answer's headers.
    if (part.type !== 'start-step' && part.type !== 'finish-step') yield part;
  }
}

const streamed = async (url, more) => {
  const list = [];
  for await (const part of parts(url, more)) list.push(part);
  return list;
};

same(world, 'text', (url) => generated(url, {}));
same(world, 'text, streamed', (url) => streamed(url, {}));
same(world, 'a conversation', (url) => generated(url, {prompt: undefined, messages: [
  {role: 'user', content: prompt}, {role: 'assistant', content: 'Because.'}, {role: 'user', content: 'And at sunset?'}]}));
same(world, 'an unknown model', (url) => generated(url, {model: 'nobody'}), {fails: true});
same(world, 'an unknown model, streamed', (url) => streamed(url, {model: 'nobody'}), {fails: true});
same(world, 'a bad request', (url) => generated(url, {providerOptions: {drover: {logprobs: 'many'}}}), {fails: true});

same(world, 'tools', (url) => generated(url, {model: models.tools, tools}), {needs: 'tools'});
same(world, 'tools, streamed', (url) => streamed(url, {model: models.tools, tools}), {needs: 'tools'});
same(world, 'thinking', (url) => generated(url, {model: models.thinking, ...thinking}), {needs: 'thinking'});
same(world, 'thinking, streamed', (url) => streamed(url, {model: models.thinking, ...thinking}), {needs: 'thinking'});
same(world, 'an image', (url) => generated(url, {model: models.vision, prompt: undefined, messages: [{role: 'user', content: [
  {type: 'text', text: 'What is this?'}, {type: 'image', image, mediaType: 'image/png'}]}]}), {needs: 'vision'});

const embedder = (url, model) => ({model: provider(url).textEmbeddingModel(model), maxRetries: 0});
const vector = ({embedding, embeddings, usage}) => ({embedding, embeddings, usage});
same(world, 'embed', async (url) => vector(await embed({...embedder(url, models.embedding), value: 'sky'})), {needs: 'embedding'});
same(world, 'embed several', async (url) => vector(await embedMany({...embedder(url, models.embedding), values: ['sky', 'sea']})),
     {needs: 'embedding'});
same(world, 'embed with an unknown model', (url) => embed({...embedder(url, 'nobody'), value: 'sky'}), {fails: true});

leavingFreesTheSlot(world, 'a stream', async (url) => {
  const aborter = new AbortController();
  const stream = parts(url, {maxOutputTokens: 100_000, abortSignal: aborter.signal});
  for await (const part of {[Symbol.asyncIterator]: () => ({next: () => stream.next()})}) {
    if (part.type === 'text-delta') break;  // and leave the stream itself open: it is the signal that is to close it
  }
  return () => aborter.abort();
});
leavingFreesTheSlot(world, 'an answer not yet there', (url) => {
  const aborter = new AbortController();
  const answer = generated(url, {maxOutputTokens: 100_000, abortSignal: aborter.signal}).catch(() => {});
  return () => {
    aborter.abort();
    return answer;
  };
});

cutIsAnError(world, 'a stream of text', '/v1/chat/completions',
             (url, take) => readers.ai(url, {model: models.chat, prompt: prompt, tokens: 24}, take));
