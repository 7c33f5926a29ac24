// The filter of the alerts: from the address, for the server, and as the server has it, for what comes in live.
import type { AlertFilter, AlertRowFragment, AlertState } from '../gql/graphql.ts';
import { known } from '../lib/address.ts';
import { now } from '../lib/clock.ts';
import { severities } from '../ui/badges.tsx';

// What the list shows by state. active, all that is not resolved, is what one sees first.
export const shownStates = ['active', 'open', 'acknowledged', 'resolved', 'all'] as const;
export type ShownState = (typeof shownStates)[number];

export const statesOf: Record<ShownState, AlertState[] | undefined> = {
  active: ['OPEN', 'ACKNOWLEDGED'],
  open: ['OPEN'],
  acknowledged: ['ACKNOWLEDGED'],
  resolved: ['RESOLVED'],
  all: undefined,
};

export const shownState = (params: URLSearchParams): ShownState => known(params.getAll('state'), shownStates)[0] ?? 'active';

export const periods = { '15m': 15 * 60, '1h': 3600, '24h': 86_400, '7d': 7 * 86_400, '30d': 30 * 86_400 } as const; // seconds
export type Period = keyof typeof periods;

const moment = (text: string | null) => {
  const date = text ? new Date(text) : null;
  return date && !Number.isNaN(date.getTime()) ? date.toISOString() : undefined;
};

// Of the silence that is asked for, its number.
export const silenceIn = (params: URLSearchParams) => /^[1-9]\d{0,17}$/.exec(params.get('silence') ?? '')?.[0];

// Without the states: what is counted by state.
export function filterWithoutStates(params: URLSearchParams): AlertFilter {
  const filter: AlertFilter = {};
  const chosen = known(params.getAll('severity'), severities);
  if (chosen.length > 0) filter.severities = chosen;
  const types = params.getAll('type');
  if (types.length > 0) filter.types = types;
  const rustbucket = params.get('rustbucket');
  if (rustbucket) filter.rustbucketId = rustbucket;
  const assignee = params.get('assignee');
  if (assignee) filter.assignee = assignee;
  const silenced = params.get('silenced');
  if (silenced === 'yes' || silenced === 'no') filter.isSilenced = silenced === 'yes';
  const silence = silenceIn(params);
  if (silence) filter.silenceId = silence;
  const search = params.get('q');
  if (search) filter.search = search;
  const period = known(params.getAll('since'), Object.keys(periods) as Period[])[0];
  const after = period ? new Date(now() - periods[period] * 1000).toISOString() : moment(params.get('from'));
  if (after) filter.createdAfter = after;
  const before = period ? undefined : moment(params.get('to'));
  if (before) filter.createdBefore = before;
  return filter;
}

export function filterOf(params: URLSearchParams): AlertFilter {
  const states = statesOf[shownState(params)];
  return { ...filterWithoutStates(params), ...(states && { states }) };
}

export function matches(filter: AlertFilter, alert: AlertRowFragment): boolean {
  const { states, severities, types, rustbucketId, assignee, isSilenced, silenceId, search, createdAfter, createdBefore } = filter;
  if (states && !states.includes(alert.state)) return false;
  if (severities && !severities.includes(alert.severity)) return false;
  if (types && !types.includes(alert.type)) return false;
  if (rustbucketId && alert.rustbucket?.id !== rustbucketId) return false;
  if (assignee && alert.assignee !== assignee) return false;
  if (isSilenced != null && (alert.silence !== null) !== isSilenced) return false;
  if (silenceId && alert.silence?.id !== silenceId) return false;
  const at = Date.parse(alert.createdAt);
  if (createdAfter && at < Date.parse(createdAfter)) return false;
  if (createdBefore && at >= Date.parse(createdBefore)) return false;
  if (search) {
    const text = search.toLowerCase();
    if (!alert.type.toLowerCase().includes(text) && !alert.message.toLowerCase().includes(text)) return false;
  }
  return true;
}
