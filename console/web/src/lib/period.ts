// A stretch of time in the address: since=1h, or from= and to=.
const hour = 3_600_000;

export const periods = { '1h': hour, '24h': 24 * hour, '7d': 7 * 24 * hour, '30d': 30 * 24 * hour } as const;
export type Period = keyof typeof periods;

const isPeriod = (text: string | null): text is Period => text !== null && Object.hasOwn(periods, text);
const moment = (text: string | null) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : undefined);

// What the address says: its period, or its moments.
export function periodOf(params: URLSearchParams, now: number): { period: Period | ''; from: string | undefined; to: string | undefined } {
  const since = params.get('since');
  if (isPeriod(since)) return { period: since, from: new Date(now - periods[since]).toISOString(), to: undefined };
  return { period: '', from: moment(params.get('from')), to: moment(params.get('to')) };
}
