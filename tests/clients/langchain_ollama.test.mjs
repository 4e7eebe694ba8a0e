// @langchain/ollama against Drover.

import {HumanMessage} from '@langchain/core/messages';
import {ChatOllama, Ollama, OllamaEmbeddings} from '@langchain/ollama';

import {readers} from './streams.mjs';
import {chunks, comparisonWorld, cutIsAnError, image, leavingFreesTheSlot, same, weather} from './world.mjs';

const world = await comparisonWorld('@langchain/ollama');
const {models} = world;
const sampling = {temperature: 0, seed: 7, numPredict: 24, maxRetries: 0};
const chat = (url, more) => new ChatOllama({baseUrl: url, model: models.chat, ...sampling, ...more});
const prompt = 'Why is the sky blue?';
const tools = [{type: 'function', function: weather}];
const content = ({content, tool_calls, additional_kwargs, response_metadata, usage_metadata}) => (
    {content, tool_calls, additional_kwargs, response_metadata, usage_metadata});
const streamed = async (model, input) => (await chunks(model.stream(input))).map(content);

same(world, 'chat', async (url) => content(await chat(url).invoke(prompt)));
same(world, 'chat, streamed', (url) => streamed(chat(url), prompt));
same(world, 'a conversation', async (url) => content(await chat(url).invoke(
    [['system', 'Be brief.'], ['human', prompt], ['ai', 'Because.'], ['human', 'And at sunset?']])));
same(world, 'generate', (url) => new Ollama({baseUrl: url, model: models.chat, ...sampling}).invoke(prompt));
same(world, 'chat of an unknown model', (url) => chat(url, {model: 'nobody'}).invoke(prompt), {fails: true});
same(world, 'chat, streamed, of an unknown model', (url) => streamed(chat(url, {model: 'nobody'}), prompt), {fails: true});
same(world, 'a bad request', (url) => chat(url, {numCtx: 'many'}).invoke(prompt), {fails: true});

same(world, 'tools', async (url) => content(await chat(url, {model: models.tools}).bindTools(tools).invoke(prompt)),
     {needs: 'tools'});
same(world, 'tools, streamed', (url) => streamed(chat(url, {model: models.tools}).bindTools(tools), prompt), {needs: 'tools'});
for (const think of [true, false]) {
  same(world, `thinking ${think}`, async (url) => content(await chat(url, {model: models.thinking, think}).invoke(prompt)),
       {needs: 'thinking'});
}
same(world, 'thinking, streamed', (url) => streamed(chat(url, {model: models.thinking, think: true}), prompt), {needs: 'thinking'});
const picture = new HumanMessage({content: [
  {type: 'text', text: 'What is this?'}, {type: 'image_url', image_url: `data:image/png;base64,${image}`}]});
same(world, 'an image', async (url) => content(await chat(url, {model: models.vision}).invoke([picture])), {needs: 'vision'});

const embeddings = (url, model) => new OllamaEmbeddings({baseUrl: url, model, maxRetries: 0});
same(world, 'embed', (url) => embeddings(url, models.embedding).embedQuery('sky'), {needs: 'embedding'});
same(world, 'embed several', (url) => embeddings(url, models.embedding).embedDocuments(['sky', 'sea']), {needs: 'embedding'});
same(world, 'embed with an unknown model', (url) => embeddings(url, 'nobody').embedQuery('sky'), {fails: true});

// The library hears a signal only when the next chunk has come, and a `break` out of its stream closes nothing; so the signal.
leavingFreesTheSlot(world, 'a stream', async (url) => {
  const aborter = new AbortController();
  const stream = await chat(url, {numPredict: 100_000}).stream(prompt, {signal: aborter.signal});
  await stream.next();
  const rest = chunks(stream).catch(() => {});
  return () => {
    aborter.abort();
    return rest;
  };
});

cutIsAnError(world, 'a stream of chat', '/api/chat',
             (url, take) => readers['@langchain/ollama'](url, {model: models.chat, prompt: prompt, tokens: 24}, take));
