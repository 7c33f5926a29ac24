import type { SilencesQuery } from '../gql/graphql.ts';
import { alertsLink } from '../lib/links.ts';

export type Silence = SilencesQuery['silences'][number];

export const phases = ['active', 'coming', 'over'] as const;
export type Phase = (typeof phases)[number];

const second = 1000; // ms

// When it ends, or ended.
export const endOf = ({ endsAt, endedAt }: Silence) => endedAt ?? endsAt;

export function phaseOf(silence: Silence, now: number): Phase {
  if (silence.endedAt || Date.parse(silence.endsAt) <= now) return 'over';
  return Date.parse(silence.startsAt) >= now + second ? 'coming' : 'active'; // now is to the second
}

// The alerts that it has silenced.
export const silencedLink = ({ id }: Silence) => alertsLink({ state: 'all', silence: id });
