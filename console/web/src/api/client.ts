// One operation of the GraphQL API, over HTTP.
import { queryOptions } from '@tanstack/react-query';
import { graphqlURL } from '../base.ts';
import type { TypedDocumentString } from '../gql/graphql.ts';
import { setClock } from '../lib/clock.ts';
import { sessionOver } from './session.ts';

// What the API says when it refuses, made for people to read.
export class ApiError extends Error {
  constructor(
    message: string,
    readonly code: string, // as extensions.code has it; NETWORK when there was no answer at all
    readonly field?: string, // the input's path, such as input.config.slack.webhookUrl
  ) {
    super(message);
  }
}

type Answer = { data?: unknown; errors?: { message: string; extensions?: { code?: string; field?: string } }[] };

// The variables may be left out where none is required.
type Given<V> = Record<string, never> extends V ? [variables?: V, signal?: AbortSignal] : [variables: V, signal?: AbortSignal];

export async function request<R, V>(document: TypedDocumentString<R, V>, ...[variables, signal]: Given<V>): Promise<R> {
  let response: Response | undefined;
  let answer: Answer;
  const asked = Date.now();
  try {
    response = await fetch(graphqlURL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({ query: document.toString(), variables }),
      signal: signal ?? null,
    });
    setClock(response, asked);
    answer = (await response.json()) as Answer;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(response ? `The server answered with status ${response.status}.` : 'The server does not answer.', 'NETWORK');
  }
  if (response.status === 401) sessionOver();
  const problem = answer.errors?.[0];
  if (problem) throw new ApiError(sentence(problem.message), problem.extensions?.code ?? 'INTERNAL', problem.extensions?.field);
  return answer.data as R;
}

export const operationName = (document: TypedDocumentString<unknown, unknown>) =>
  /(?:query|mutation|subscription)\s+(\w+)/.exec(document.toString())?.[1] ?? 'anonymous';

// For useQuery: useQuery(apiQuery(ChannelsDocument, {filter})). The key is the operation's name and its variables, so
// queryClient.invalidateQueries({queryKey: ['Channels']}) reads all of them anew.
export const apiQuery = <R, V>(document: TypedDocumentString<R, V>, ...[variables]: Given<V>) =>
  queryOptions({
    queryKey: [operationName(document as TypedDocumentString<unknown, unknown>), variables ?? {}],
    queryFn: ({ signal }) => request(document, ...([variables, signal] as unknown as Given<V>)),
  });

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
