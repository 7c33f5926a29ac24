import type { HeartbeatState, RustbucketRowFragment } from '../gql/graphql.ts';
import { span } from '../lib/time.ts';
import { Badge, type Tone } from '../ui/badges.tsx';
import { Ago, Countdown } from '../ui/time.tsx';

export const states: HeartbeatState[] = ['OFFLINE', 'ONLINE', 'UNWATCHED'];
export const stateNames: Record<HeartbeatState, string> = { OFFLINE: 'Offline', ONLINE: 'Online', UNWATCHED: 'Not watched' };
const tones: Record<HeartbeatState, Tone> = { OFFLINE: 'bad', ONLINE: 'good', UNWATCHED: 'calm' };

type Heartbeat = RustbucketRowFragment['heartbeat'];

export function HeartbeatBadge({ heartbeat }: { heartbeat: Heartbeat }) {
  const state = heartbeat?.state ?? 'UNWATCHED';
  return <Badge tone={tones[state]}>{stateNames[state]}</Badge>;
}

export const every = (seconds: number) => span(seconds * 1000);

export function LastSeen({ heartbeat }: { heartbeat: Heartbeat }) {
  return heartbeat?.lastSeenAt ? <Ago at={heartbeat.lastSeenAt} /> : <span className="muted">never</span>;
}

export function Due({ heartbeat }: { heartbeat: Heartbeat }) {
  if (!heartbeat || heartbeat.state === 'UNWATCHED') return <span className="muted">–</span>;
  return heartbeat.dueAt ? <Countdown at={heartbeat.dueAt} /> : <span className="overdue">overdue</span>;
}
