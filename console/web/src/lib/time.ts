// Times in words.
const exact = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
});

// "12 Dec 2025, 10:30:00", in the reader's time zone.
export const exactTime = (iso: string) => exact.format(new Date(iso));

const units: [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
  [1, 's'],
];

// "3h 20m": the two largest units.
export function span(ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1000));
  if (rest === 0) return '0s';
  const parts: string[] = [];
  for (const [size, unit] of units) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

// "12 ms", "1.3 s", "2 min": how long something took.
export function duration(ms: number): string {
  if (ms < 1) return '<1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

// "now", "20s ago", "3h ago", "in 20s": one unit, for lists.
export function relative(iso: string, now: number): string {
  const ms = now - Date.parse(iso);
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 2 && ms > -1000) return 'now';
  for (const [size, unit] of units) {
    if (seconds >= size) return ms >= 0 ? `${Math.floor(seconds / size)}${unit} ago` : `in ${Math.floor(seconds / size)}${unit}`;
  }
  return 'now';
}

const count = new Intl.NumberFormat('en-GB');
export const number = (n: number) => count.format(n);
export const plural = (n: number, one: string, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;
