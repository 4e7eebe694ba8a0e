// How each library reads a streamed chat: `readers[library](url, {model, prompt, tokens}, take)` asks `url` for so many tokens,
// gives each piece of text to `take`, and ends like the library's own stream: returns at its end, throws at its error.

import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {ChatOllama} from '@langchain/ollama';
import {ChatOpenAI} from '@langchain/openai';
import {streamText} from 'ai';
import {Ollama} from 'ollama';
import OpenAI from 'openai';

export const readers = {
  'ollama': async (url, {model, prompt, tokens}, take) => {
    const stream = await new Ollama({host: url}).chat({
      model, messages: [{role: 'user', content: prompt}], options: {temperature: 0, seed: 7, num_predict: tokens}, stream: true});
    for await (const chunk of stream) take(chunk.message.content);
  },
  'openai': async (url, {model, prompt, tokens}, take) => {
    const stream = await new OpenAI({baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0}).chat.completions.create({
      model, messages: [{role: 'user', content: prompt}], temperature: 0, seed: 7, max_tokens: tokens, stream: true});
    for await (const chunk of stream) take(chunk.choices[0]?.delta.content ?? '');
  },
  'ai': async (url, {model, prompt, tokens}, take) => {
    const provider = createOpenAICompatible({name: 'drover', baseURL: `${url}/v1`, apiKey: 'any'});
    const stream = streamText({
      model: provider(model), prompt, temperature: 0, seed: 7, maxOutputTokens: tokens, maxRetries: 0, onError: () => {}});
    for await (const part of stream.fullStream) {
      if (part.type === 'error') throw part.error;  // this library gives errors as parts
      if (part.type === 'text-delta') take(part.text);
    }
  },
  '@langchain/ollama': async (url, {model, prompt, tokens}, take) => {
    const chat = new ChatOllama({baseUrl: url, model, temperature: 0, seed: 7, numPredict: tokens, maxRetries: 0});
    for await (const chunk of await chat.stream(prompt)) take(chunk.content);
  },
  '@langchain/openai': async (url, {model, prompt, tokens}, take) => {
    const chat = new ChatOpenAI({apiKey: 'any', configuration: {baseURL: `${url}/v1`}, model, temperature: 0, maxTokens: tokens,
                                 modelKwargs: {seed: 7}, maxRetries: 0});
    for await (const chunk of await chat.stream(prompt)) take(chunk.content);
  },
};
