// The live feed: one subscription for the whole page. It goes on by itself after a lost connection, behind the last event that was
// seen, so that nothing is missed and nothing comes twice.
import { createClient, type Client } from 'graphql-ws/client';
import { useEffect, useEffectEvent } from 'react';
import { graphqlURL } from '../base.ts';
import { FeedCursorDocument, FeedDocument, type FeedSubscription } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { Store, useStore } from '../lib/store.ts';
import { ApiError, request } from './client.ts';
import { sessionOver } from './session.ts';

export type FeedEvent = FeedSubscription['feed'];

// connecting: for the first time. catching up: connected, and what is shown is older than what there is; behind says how old, in ms.
export type FeedState = { kind: 'connecting' | 'live' | 'catching up' | 'reconnecting' | 'offline'; behind: number };

const gather = 100; // ms that events are gathered before the views hear of them
const tooOld = 5_000; // ms: an event that comes later than that says that we are behind
const quiet = 1_500; // ms without an event after which there is nothing left to catch up with
const patience = 5_000; // ms for an answer to a ping
const refusals = new Set([4401, 4403]);

type Result = { data?: FeedSubscription | null; errors?: readonly { message: string; extensions?: { code?: unknown } | undefined }[] | undefined };

export class Feed {
  readonly state = new Store<FeedState>({ kind: 'connecting', behind: 0 });
  // Grows when events were lost for good (CURSOR_EXPIRED) and everything that is shown must be read anew.
  readonly era = new Store(0);
  #listeners = new Set<(events: FeedEvent[]) => void>();
  #gathered: FeedEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #calm: ReturnType<typeof setTimeout> | undefined;
  #cursor: string | null = null;
  #target: string | null = null; // the newest event when the connection was made
  #client: Client | undefined;
  #wake = () => {};
  #ended = false;
  #started: Promise<void> | undefined;

  // Resolves when the place in the feed is known: what is read after that can be brought up to date by the events. Fails with an
  // ApiError when the server refuses to say.
  start(): Promise<void> {
    this.#started ??= this.#begin();
    return this.#started;
  }

  listen(listener: (events: FeedEvent[]) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#calm);
    removeEventListener('online', this.#hurry);
    removeEventListener('offline', this.#cut);
    document.removeEventListener('visibilitychange', this.#hurry);
    void this.#client?.dispose();
    this.#wake();
  }

  async #begin() {
    for (let failures = 0; ; failures++) {
      try {
        this.#cursor = (await request(FeedCursorDocument)).feedCursor;
        break;
      } catch (error) {
        if (this.#ended || !(error instanceof ApiError) || !['NETWORK', 'INTERNAL', 'OVERLOADED'].includes(error.code)) throw error;
        this.#set(navigator.onLine ? 'reconnecting' : 'offline');
        await this.#wait(failures);
      }
    }
    this.#target = this.#cursor;
    addEventListener('online', this.#hurry);
    addEventListener('offline', this.#cut);
    document.addEventListener('visibilitychange', this.#hurry);
    void this.#follow();
  }

  // Follows the feed until the end, over any number of connections.
  async #follow() {
    for (let failures = 0; !this.#ended; failures++) {
      const connected = await this.#connection();
      if (this.#ended) return;
      if (connected) failures = 0;
      this.#set(navigator.onLine ? 'reconnecting' : 'offline');
      await this.#wait(failures);
    }
  }

  // One connection, until it is lost; true when it was made.
  async #connection(): Promise<boolean> {
    const url = new URL(graphqlURL);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    let connected = false;
    let pong: ReturnType<typeof setTimeout> | undefined;
    const client = createClient({
      url: url.href,
      retryAttempts: 0,
      keepAlive: 10_000,
      on: {
        connected: () => {
          connected = true;
          void this.#aim();
        },
        ping: (received) => {
          if (!received) pong = setTimeout(() => client.terminate(), patience);
        },
        pong: (received) => {
          if (received) clearTimeout(pong);
        },
        closed: (event) => {
          clearTimeout(pong);
          if (refusals.has((event as CloseEvent).code)) sessionOver();
        },
      },
    });
    this.#client = client;
    // A refusal comes in a last answer, or as the end itself.
    const problem = await new Promise<unknown>((lost) => {
      let refused: unknown;
      client.subscribe<FeedSubscription>(
        { query: FeedDocument.toString(), variables: { after: this.#cursor } },
        {
          next: (result) => {
            refused = result.errors;
            this.#take(result as Result);
          },
          error: lost,
          complete: () => lost(refused),
        },
      );
    });
    await this.#failed(problem);
    clearTimeout(pong);
    void client.dispose();
    return connected;
  }

  // Asks how far there is to go, to say when everything is there.
  async #aim() {
    try {
      this.#target = (await request(FeedCursorDocument)).feedCursor;
    } catch {
      this.#target = null;
    }
    if (this.#target === null || this.#target === this.#cursor) this.#set('live');
    else {
      this.#set('catching up');
      this.#arrive();
    }
  }

  // The event that was aimed at may be gone with its alert: when nothing more comes, it is reached.
  #arrive() {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => this.state.get().kind === 'catching up' && this.#set('live'), quiet);
  }

  #take(result: Result) {
    const event = result.data?.feed;
    if (!event) return;
    this.#cursor = event.cursor;
    this.#gathered.push(event);
    this.#timer ??= setTimeout(this.#hand, gather);
    const { kind } = this.state.get();
    const behind = now() - Date.parse(event.at);
    if (event.cursor === this.#target) this.#target = null;
    if (behind > tooOld) {
      if (kind !== 'reconnecting' && kind !== 'offline') this.#set('catching up', behind);
      this.#arrive();
    } else if (kind === 'catching up' && this.#target === null) this.#set('live');
    else if (kind === 'catching up') this.#arrive();
  }

  #hand = () => {
    this.#timer = undefined;
    const events = this.#gathered;
    this.#gathered = [];
    if (!this.#ended) for (const listener of this.#listeners) listener(events);
  };

  async #failed(problem: unknown) {
    const errors = Array.isArray(problem) ? (problem as NonNullable<Result['errors']>) : [];
    const codes = errors.map(({ extensions }) => extensions?.code);
    if (codes.includes('UNAUTHENTICATED')) sessionOver();
    // What was missed is gone, or the server has another database now: begin anew, and read anew what is shown.
    if (!codes.includes('CURSOR_EXPIRED') && !codes.includes('BAD_USER_INPUT')) return;
    try {
      this.#cursor = (await request(FeedCursorDocument)).feedCursor;
      this.era.set(this.era.get() + 1);
    } catch {
      // The next turn finds out the same.
    }
  }

  #set(kind: FeedState['kind'], behind = 0) {
    const was = this.state.get();
    const rounded = Math.round(behind / 1000) * 1000;
    if (was.kind !== kind || was.behind !== rounded) this.state.set({ kind, behind: rounded });
  }

  // Half a second, then twice as long each time, up to 10 s; less when the network comes back or somebody looks.
  #wait(failures: number) {
    const ms = Math.min(500 * 2 ** failures, 10_000) * (0.8 + 0.4 * Math.random());
    return new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  #hurry = () => {
    if (!document.hidden) this.#wake();
  };

  // Browsers keep a socket open while they are offline. What would come in it is lost, so it is closed.
  #cut = () => {
    this.#set('offline');
    this.#client?.terminate();
  };
}

export const feed = new Store<Feed | null>(null);

// Calls back with the events that have happened, a few times a second at most.
export function useFeed(listener: (events: FeedEvent[]) => void) {
  const current = useStore(feed);
  const heard = useEffectEvent(listener);
  useEffect(() => current?.listen((events) => heard(events)), [current]);
}
