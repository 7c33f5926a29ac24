import { useEffect, useEffectEvent, useMemo } from 'react';

// Runs at once, and then at most once in so many ms; the last call is never lost.
export function useThrottled(run: () => void, ms: number): () => void {
  const latest = useEffectEvent(run);
  const throttled = useMemo(() => new Throttle(ms), [ms]);
  useEffect(() => {
    throttled.run = () => latest();
    return () => throttled.stop();
  }, [throttled]);
  return throttled.call;
}

class Throttle {
  run = () => {};
  #ms: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again = false;

  constructor(ms: number) {
    this.#ms = ms;
  }

  call = () => {
    if (this.#timer !== undefined) {
      this.#again = true;
      return;
    }
    this.run();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) {
        this.#again = false;
        this.call();
      }
    }, this.#ms);
  };

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#again = false;
  }
}
