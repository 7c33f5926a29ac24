import type { ChannelRowFragment, HealthState } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { exactTime } from '../lib/time.ts';
import { Badge, type Tone } from '../ui/badges.tsx';

const words: Record<HealthState, [Tone, string, string]> = {
  OK: ['good', 'Works', 'The last attempt worked.'],
  FAILING: ['warn', 'Failing', 'The last attempts failed. Deliveries go on by their schedule.'],
  PAUSED: ['bad', 'Out of service', 'It failed 5 times in a row. Its deliveries wait without using up attempts; one at a time finds out whether it works again.'],
  BROKEN: ['bad', 'Broken', 'The service says that nothing will work until somebody mends the channel. Its deliveries wait: edit it, or test it once the service is mended.'],
};

export const isHeld = ({ heldUntil }: Pick<ChannelRowFragment['health'], 'heldUntil'>) => heldUntil !== null && Date.parse(heldUntil) > now();

// What to say of a channel in a word, and in a sentence.
export function standing({ isActive, health }: Pick<ChannelRowFragment, 'isActive' | 'health'>): [Tone, string, string] {
  if (!isActive) return ['calm', 'Off', 'It is told nothing.'];
  if (isHeld(health)) return ['warn', 'Held', 'The service asked for time (Retry-After): nothing is sent before, unless somebody changes its settings or tests it with success.'];
  if (health.state === 'OK' && health.lastSuccessAt === null) return ['info', 'Not used yet', 'It was told nothing so far.'];
  return words[health.state];
}

export function HealthBadge({ channel }: { channel: Pick<ChannelRowFragment, 'isActive' | 'health'> }) {
  const [tone, word, sentence] = standing(channel);
  return (
    <span title={`${sentence} Since ${exactTime(channel.health.since)}.`}>
      <Badge tone={tone}>{word}</Badge>
    </span>
  );
}
