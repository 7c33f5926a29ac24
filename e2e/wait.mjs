// Waiting for conditions: nothing here waits longer than it must, and what does not come is named.

// As long as a machine may take that stands still by turns, ms. Only what never comes takes that long.
export const patience = 90_000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// `what` is a text, or a function that gives one when the waiting is over: it can tell what was seen last.
const inVain = (what, timeout) => new Error(`waited ${timeout} ms in vain for ${typeof what === 'function' ? what() : what}`);

// Resolves with the first truthy value of `condition`, which may be async.
export async function until(what, condition, timeout = patience) {
  const deadline = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw inVain(what, timeout);
    await pause(20);
  }
}

export async function within(what, promise, timeout = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(inVain(what, timeout)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// What came in so far, and a way to wait for more.
export class Stream {
  items = [];
  ended = null; // {error} once nothing more comes
  #wakers = new Set();

  constructor(name) {
    this.name = name;
  }

  push(item) {
    this.items.push(item);
    this.#wake();
  }

  end(error = null) {
    this.ended ??= { error };
    this.#wake();
  }

  #wake() {
    for (const waker of this.#wakers) waker();
  }

  #soFar() {
    const last = JSON.stringify(this.items.at(-1)) ?? 'none';
    return `${this.items.length} items so far, the last one ${last.length > 500 ? `${last.slice(0, 500)}…` : last}`;
  }

  // Resolves with the first truthy value of `condition(items)`; fails when the stream ends before.
  async see(what, condition, timeout = patience) {
    let waker;
    const seen = new Promise((done, fail) => {
      waker = () => {
        try {
          const value = condition(this.items);
          if (value) done(value);
          else if (this.ended) fail(new Error(`${this.name} ended before ${what}: ${this.#soFar()}`, { cause: this.ended.error }));
        } catch (error) {
          fail(error);
        }
      };
      this.#wakers.add(waker);
      waker();
    });
    try {
      return await within(() => `${what} on ${this.name}: ${this.#soFar()}`, seen, timeout);
    } finally {
      this.#wakers.delete(waker);
    }
  }

  // A subscription says nothing when it begins: `poke` makes it speak, again and again until it does.
  async live(poke, timeout = patience) {
    await until(`${this.name} to begin`, async () => {
      if (this.ended) throw new Error(`${this.name} ended before it began`, { cause: this.ended.error });
      if (this.items.length > 0) return true;
      await poke();
      return this.see('a first item', (items) => items.length > 0, 250).catch((error) => {
        if (this.ended) throw error;
      });
    }, timeout);
    return this;
  }
}
