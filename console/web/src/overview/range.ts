// The time that the overview is about.
import type { StatsBucket } from '../gql/graphql.ts';
import { useTurn } from '../lib/clock.ts';

type Shape = {
  name: string;
  bucket: StatsBucket;
  step: number; // ms of a bucket
  buckets: number;
  calm: number; // ms between two readings while things happen
};

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const ranges = {
  '1h': { name: 'Last hour', bucket: 'MINUTE', step: minute, buckets: 60, calm: 2_000 },
  '24h': { name: 'Last 24 hours', bucket: 'HOUR', step: hour, buckets: 24, calm: 4_000 },
  '7d': { name: 'Last 7 days', bucket: 'HOUR', step: hour, buckets: 7 * 24, calm: 10_000 },
  '30d': { name: 'Last 30 days', bucket: 'DAY', step: day, buckets: 30, calm: 20_000 },
} as const satisfies Record<string, Shape>;

export type RangeName = keyof typeof ranges;
export type Range = Shape & { from: string };

// The range as it is now: it ends with the bucket that is filling up, and moves on when the next begins.
export function useRange(name: RangeName): Range {
  const shape = ranges[name];
  const last = useTurn(shape.step);
  return { ...shape, from: new Date(last - (shape.buckets - 1) * shape.step).toISOString() };
}

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });
const utcDate = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' });

// "10:31", "Fri 12 Dec, 10:00–11:00", "Fri 12 Dec, UTC": a bucket in words. Days are the server's, those of UTC.
export function bucketName(from: string, { bucket, step }: Shape): string {
  const at = new Date(from);
  if (bucket === 'DAY') return `${utcDate.format(at)}, UTC`;
  if (bucket === 'MINUTE') return time.format(at);
  return `${date.format(at)}, ${time.format(at)}–${time.format(new Date(at.getTime() + step))}`;
}

export const bucketEnd = (from: string, { step }: Shape) => new Date(Date.parse(from) + step).toISOString();
