import type { RateLimit, RoutingReason, Severity } from '../gql/graphql.ts';
import { number, plural } from '../lib/time.ts';

// A name of the API as words: "BELOW_MIN_SEVERITY", "Below min severity".
export const titled = (name: string) => name.charAt(0) + name.slice(1).toLowerCase().replaceAll('_', ' ');

// What a channel is told of, in short.
export function toldOf(minSeverity: Severity, types: string[]): string {
  const which = types.length === 0 ? '' : ` of ${types.length > 2 ? `${types.length} types` : types.join(', ')}`;
  const bad = { LOW: 'All alerts', MEDIUM: 'Medium and high', HIGH: 'High only' }[minSeverity];
  return `${bad}${which}`;
}

export const limitInWords = (limit: Pick<RateLimit, 'perMinute' | 'burst'> | null) =>
  limit ? `${plural(limit.perMinute, 'message')} a minute, ${number(limit.burst)} at once` : 'None';

const reasons: Partial<Record<RoutingReason, string>> = {
  MATCHED: 'It is told.',
  NOTIFY_FALSE: 'The alert asks that nobody is told.',
  DUPLICATE: 'An open alert with the same key is counted up instead.',
  CHANNEL_INACTIVE: 'The channel is off.',
  BELOW_MIN_SEVERITY: 'The alert is not bad enough for it.',
  TYPE_NOT_SELECTED: 'It is told of other types only.',
  ABOUT_ITSELF: 'The alert is about this very channel.',
  NOTIFICATIONS_PAUSED: 'All notifications are paused.',
};

export const reasonInWords = (reason: RoutingReason) => reasons[reason] ?? `${titled(reason)}.`;
