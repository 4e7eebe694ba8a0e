// @langchain/openai against Drover.

import {HumanMessage} from '@langchain/core/messages';
import {ChatOpenAI, OpenAIEmbeddings} from '@langchain/openai';

import {readers} from './streams.mjs';
import {chunks, comparisonWorld, cutIsAnError, image, leavingFreesTheSlot, same, weather} from './world.mjs';

const world = await comparisonWorld('@langchain/openai');
const {models} = world;
const configured = (url) => ({apiKey: 'any', maxRetries: 0, configuration: {baseURL: `${url}/v1`}});
const chat = (url, more) => new ChatOpenAI(
    {...configured(url), model: models.chat, temperature: 0, maxTokens: 24, modelKwargs: {seed: 7}, ...more});
const prompt = 'Why is the sky blue?';
const tools = [{type: 'function', function: weather}];
const content = ({content, tool_calls, response_metadata, usage_metadata}) => (
    {content, tool_calls, response_metadata, usage_metadata});
const streamed = async (model, input) => (await chunks(model.stream(input))).map(content);

same(world, 'chat', async (url) => content(await chat(url).invoke(prompt)));
same(world, 'chat, streamed', (url) => streamed(chat(url), prompt));
same(world, 'a conversation', async (url) => content(await chat(url).invoke(
    [['system', 'Be brief.'], ['human', prompt], ['ai', 'Because.'], ['human', 'And at sunset?']])));
same(world, 'chat of an unknown model', (url) => chat(url, {model: 'nobody'}).invoke(prompt), {fails: true});
same(world, 'chat, streamed, of an unknown model', (url) => streamed(chat(url, {model: 'nobody'}), prompt), {fails: true});
same(world, 'a bad request', (url) => chat(url, {modelKwargs: {seed: 'many'}}).invoke(prompt), {fails: true});

same(world, 'tools', async (url) => content(await chat(url, {model: models.tools}).bindTools(tools).invoke(prompt)),
     {needs: 'tools'});
same(world, 'tools, streamed', (url) => streamed(chat(url, {model: models.tools}).bindTools(tools), prompt), {needs: 'tools'});
const thinking = () => ({model: models.thinking, modelKwargs: {seed: 7, reasoning_effort: 'high'}});
same(world, 'thinking', async (url) => content(await chat(url, thinking()).invoke(prompt)), {needs: 'thinking'});
same(world, 'thinking, streamed', (url) => streamed(chat(url, thinking()), prompt), {needs: 'thinking'});
const picture = new HumanMessage({content: [
  {type: 'text', text: 'What is this?'}, {type: 'image_url', image_url: {url: `data:image/png;base64,${image}`}}]});
same(world, 'an image', async (url) => content(await chat(url, {model: models.vision}).invoke([picture])), {needs: 'vision'});

const embeddings = (url, model) => new OpenAIEmbeddings({...configured(url), model});
same(world, 'embed', (url) => embeddings(url, models.embedding).embedQuery('sky'), {needs: 'embedding'});
same(world, 'embed several', (url) => embeddings(url, models.embedding).embedDocuments(['sky', 'sea']), {needs: 'embedding'});
same(world, 'embed with an unknown model', (url) => embeddings(url, 'nobody').embedQuery('sky'), {fails: true});

leavingFreesTheSlot(world, 'a stream', async (url) => {
  const aborter = new AbortController();
  const stream = await chat(url, {maxTokens: 100_000}).stream(prompt, {signal: aborter.signal});
  await stream.next();
  return () => aborter.abort();
});
leavingFreesTheSlot(world, 'an answer not yet there', (url) => {
  const aborter = new AbortController();
  const answer = chat(url, {maxTokens: 100_000}).invoke(prompt, {signal: aborter.signal}).catch(() => {});
  return () => {
    aborter.abort();
    return answer;
  };
});

cutIsAnError(world, 'a stream of chat', '/v1/chat/completions',
             (url, take) => readers['@langchain/openai'](url, {model: models.chat, prompt: prompt, tokens: 24}, take));
