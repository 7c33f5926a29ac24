import { useNow } from '../lib/clock.ts';
import { exactTime, relative, span } from '../lib/time.ts';

// "3m ago", with the exact time as its title.
export function Ago({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={exactTime(at)} className={className}>
      {relative(at, now)}
    </time>
  );
}

// "in 1m 20s", counting down; "now" when it is due.
export function Countdown({ at }: { at: string }) {
  const left = Date.parse(at) - useNow();
  return (
    <time dateTime={at} title={exactTime(at)} className="countdown">
      {left > 0 ? `in ${span(left)}` : 'now'}
    </time>
  );
}
