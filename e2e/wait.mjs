// Waiting for conditions: nothing here waits longer than it must, and what does not come is named.

export const patience = 20_000; // ms

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Resolves with the first truthy value of `condition`, which may be async.
export async function until(what, condition, timeout = patience) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await pause(20);
  }
}

export async function within(what, promise, timeout = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeout} ms in vain for ${what}`)), timeout);
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

  // Resolves with the first truthy value of `condition(items)`; fails when the stream ends before.
  async see(what, condition, timeout = patience) {
    let waker;
    const seen = new Promise((done, fail) => {
      waker = () => {
        try {
          const value = condition(this.items);
          if (value) done(value);
          else if (this.ended) fail(new Error(`${this.name} ended before ${what}`, { cause: this.ended.error }));
        } catch (error) {
          fail(error);
        }
      };
      this.#wakers.add(waker);
      waker();
    });
    try {
      return await within(`${what} on ${this.name} (${this.items.length} items so far)`, seen, timeout);
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
