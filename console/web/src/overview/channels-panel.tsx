import { Link } from 'wouter';
import type { DeliveryFiguresQuery, HealthState, WaitingQuery } from '../gql/graphql.ts';
import { useNow } from '../lib/clock.ts';
import { duration, exactTime, number, span } from '../lib/time.ts';
import { WaitingDocument } from '../gql/graphql.ts';
import { PlaygroundLink } from '../ui/button.tsx';
import { Badge, type Tone } from '../ui/badges.tsx';
import { Loading } from '../ui/states.tsx';
import { deliveriesLink } from '../lib/links.ts';
import { Panel } from './panel.tsx';
import { percent } from './percent.ts';
import type { Range } from './range.ts';

type Props = {
  range: Range;
  stats: DeliveryFiguresQuery['deliveryStats'] | undefined;
  waiting: WaitingQuery | undefined;
  error: Error | null;
  onRetry: () => void;
};

type Row = {
  id: string;
  name: string;
  channel: WaitingQuery['channels'][number] | undefined; // undefined: it was deleted
  stats: DeliveryFiguresQuery['deliveryStats']['channels'][number] | undefined; // undefined: nothing was sent
};

// Those in trouble first, then by what they had to do.
function rows(stats: NonNullable<Props['stats']>, waiting: WaitingQuery): Row[] {
  const byId = new Map(stats.channels.map((one) => [one.channel.id, one]));
  const alive: Row[] = waiting.channels.map((channel) => ({ id: channel.id, name: channel.name, channel, stats: byId.get(channel.id) }));
  const known = new Set(waiting.channels.map(({ id }) => id));
  const gone: Row[] = stats.channels.filter(({ channel }) => !known.has(channel.id)).map((one) => ({ id: one.channel.id, name: one.channel.name, channel: undefined, stats: one }));
  const trouble = ({ stats }: Row) => (stats?.successRate == null ? 1 : stats.successRate);
  return [...alive, ...gone].sort((a, b) => trouble(a) - trouble(b) || (b.stats?.total ?? 0) - (a.stats?.total ?? 0) || a.name.localeCompare(b.name));
}

export function ChannelsPanel({ range, stats, waiting, error, onRetry }: Props) {
  const ready = stats && waiting;
  const all = ready ? rows(stats, waiting) : [];
  return (
    <Panel title="Channels" className="wide" error={ready ? null : error} onRetry={onRetry} actions={<PlaygroundLink query={WaitingDocument} />}>
      {!ready ? (
        <Loading rows={3} />
      ) : all.length === 0 ? (
        <p className="panel-empty muted">
          There is no channel yet, so nobody is told of alerts. <Link href="/channels">To the channels</Link>
        </p>
      ) : (
        <div className="table-box" tabIndex={0} role="region" aria-label="Channels, scrolls sideways">
          <table className="table channel-figures">
            <thead>
              <tr>
                <th scope="col">Channel</th>
                <th scope="col">Success</th>
                <th scope="col" className="number">Delivered</th>
                <th scope="col" className="number">Failed</th>
                <th scope="col" className="number"><abbr title="Half of what was delivered took at most so long">p50</abbr></th>
                <th scope="col" className="number"><abbr title="99 of 100 took at most so long">p99</abbr></th>
                <th scope="col" className="number">Waiting</th>
                <th scope="col" className="number">Oldest</th>
              </tr>
            </thead>
            <tbody>
              {all.map((row) => (
                <ChannelRow key={row.id} row={row} from={range.from} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

const troubles: Partial<Record<HealthState, [Tone, string]>> = { FAILING: ['warn', 'Failing'], PAUSED: ['bad', 'Out of service'], BROKEN: ['bad', 'Broken'] };

function ChannelRow({ row: { id, name, channel, stats }, from }: { row: Row; from: string }) {
  const linked = (n: number, status: string, since?: string) =>
    n > 0 ? <Link href={deliveriesLink({ channel: id, status, from: since })}>{number(n)}</Link> : <span className="muted">0</span>;
  const trouble = channel && troubles[channel.health.state];
  return (
    <tr>
      <th scope="row">
        {channel ? <Link href={`/channels/${id}`}>{name}</Link> : name} {trouble && <Badge tone={trouble[0]}>{trouble[1]}</Badge>}
        {channel && !channel.isActive && <Badge tone="calm">Inactive</Badge>}
        {!channel && <Badge tone="calm">Deleted</Badge>}
      </th>
      <td>
        {stats?.successRate == null ? (
          <span className="muted">–</span>
        ) : (
          <span className="rate">
            <span className="rate-bar" aria-hidden="true">
              <span className={stats.successRate < 0.95 ? 'bad' : ''} style={{ width: `${stats.successRate * 100}%` }} />
            </span>
            {percent(stats.successRate)}
          </span>
        )}
      </td>
      <td className="number">{linked(stats?.delivered ?? 0, 'DELIVERED', from)}</td>
      <td className="number">{linked(stats?.failed ?? 0, 'FAILED', from)}</td>
      <td className="number">{stats?.p50Ms == null ? <span className="muted">–</span> : duration(stats.p50Ms)}</td>
      <td className="number">{stats?.p99Ms == null ? <span className="muted">–</span> : duration(stats.p99Ms)}</td>
      <td className="number">{linked(channel?.health.waiting ?? 0, 'PENDING')}</td>
      <td className="number">{channel?.health.oldestWaitingSince ? <Oldest since={channel.health.oldestWaitingSince} /> : <span className="muted">–</span>}</td>
    </tr>
  );
}

function Oldest({ since }: { since: string }) {
  return (
    <time dateTime={since} title={exactTime(since)}>
      {span(useNow() - Date.parse(since))}
    </time>
  );
}
