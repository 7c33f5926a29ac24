import { useEffect, useEffectEvent, useMemo } from 'react';

// Reads anew when it is called: at once, or `calm` ms after the reading before has ended. Readings never overlap, so a slow server is
// asked less, and the last call is never lost.
export function useRefresh(read: () => Promise<unknown>, calm: number): () => void {
  const latest = useEffectEvent(read);
  const turn = useMemo(() => new Turn(calm), [calm]);
  useEffect(() => {
    turn.begin(() => latest());
    return () => turn.end();
  }, [turn]);
  return turn.call;
}

class Turn {
  #calm: number;
  #read: (() => Promise<unknown>) | undefined;
  #busy = false;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(calm: number) {
    this.#calm = calm;
  }

  begin(read: () => Promise<unknown>) {
    this.#read = read;
    this.#busy = false;
  }

  end() {
    this.#read = undefined;
    this.#again = false;
    clearTimeout(this.#timer);
  }

  call = () => {
    this.#again = true;
    void this.#go();
  };

  async #go() {
    if (this.#busy || !this.#again || !this.#read) return;
    this.#busy = true;
    this.#again = false;
    try {
      await this.#read();
    } catch {
      // Whoever shows it tells so.
    }
    if (!this.#read) return;
    this.#timer = setTimeout(() => {
      this.#busy = false;
      void this.#go();
    }, this.#calm);
  }
}
