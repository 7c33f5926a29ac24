// What happened, in its order: the alert came in, what was decided, each attempt, what people did, and what comes next.
import type { ReactNode } from 'react';
import { duration, number, plural } from '../lib/time.ts';
import { BellIcon, CheckIcon, ClockIcon, CloseIcon, CommentIcon, EyeIcon, PersonIcon, ReopenIcon, type Icon } from '../ui/icons.tsx';
import { Ago } from '../ui/time.tsx';
import type { Tone } from '../ui/badges.tsx';
import { Expected } from './deliveries.tsx';
import type { FullAlert } from './detail.tsx';
import { channelTypeNames, deeds, told } from './words.ts';

type Entry = { key: string; at: string; tone: Tone; icon: Icon; text: ReactNode; more?: ReactNode };

const icons = { ACKNOWLEDGED: EyeIcon, ASSIGNED: PersonIcon, COMMENTED: CommentIcon, RESOLVED: CheckIcon, REOPENED: ReopenIcon };
const tones = { ACKNOWLEDGED: 'warn', ASSIGNED: 'calm', COMMENTED: 'calm', RESOLVED: 'good', REOPENED: 'bad' } as const;

export function Timeline({ alert }: { alert: FullAlert }) {
  const entries = [...beginning(alert), ...attempts(alert), ...people(alert)].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return (
    <ol className="timeline" aria-live="polite" aria-relevant="additions">
      {entries.map(({ key, at, tone, icon: Icon, text, more }) => (
        <li key={key} className={tone}>
          <span className="point">
            <Icon />
          </span>
          <div>
            <p>
              {text} <Ago at={at} className="muted" />
            </p>
            {more}
          </div>
        </li>
      ))}
      {waiting(alert)}
    </ol>
  );
}

function beginning({ createdAt, source, occurrences, routing }: FullAlert): Entry[] {
  const yes = routing.filter(({ willNotify }) => willNotify).map(({ channel }) => channel.name);
  const no = routing.length - yes.length;
  return [
    {
      key: 'created',
      at: createdAt,
      tone: 'info',
      icon: BellIcon,
      text: <strong>{source === 'SERVER' ? 'The server raised the alert' : source === 'IMPORT' ? 'The alert came in, in the former registry' : 'The alert came in'}</strong>,
      more: (
        <>
          {routing.length > 0 && (
            <p className="muted">
              {yes.length > 0 ? `To be told: ${yes.join(', ')}.` : 'Nobody was to be told.'}
              {no > 0 && ` ${plural(no, 'channel was', 'channels were')} left out.`}
            </p>
          )}
          {occurrences > 1 && <p className="muted">{`It was reported ${number(occurrences)} times since.`}</p>}
        </>
      ),
    },
  ];
}

function attempts({ deliveries }: FullAlert): Entry[] {
  return deliveries.flatMap((delivery) => {
    const { id, channel, kind, status, completedAt, error, attemptLog } = delivery;
    const whom = (
      <>
        <strong>{channel.name}</strong> <span className="muted">({channelTypeNames[channel.type]})</span>
      </>
    );
    const what = kind === 'ALERT' ? '' : ` of ${told[kind]}`;
    const entries = attemptLog.map((attempt): Entry => {
      const { number: n, startedAt, durationMs, statusCode, response, digestSize } = attempt;
      const facts = [n > 1 && `attempt ${n}`, statusCode !== null && `status ${statusCode}`, duration(durationMs), digestSize !== null && `in a digest of ${digestSize}`].filter(Boolean).join(' · ');
      return {
        key: `${id}/${n}/${startedAt}`,
        at: startedAt,
        tone: attempt.error ? 'bad' : 'good',
        icon: attempt.error ? CloseIcon : CheckIcon,
        text: attempt.error ? <>Telling {whom}{what} failed</> : <>{whom} was told{what}</>,
        more: (
          <>
            <p className="attempt-facts">{facts}</p>
            {attempt.error && <p className="attempt-error">{attempt.error}</p>}
            {response && (
              <details className="answer">
                <summary>Answer</summary>
                <pre tabIndex={0}>{response}</pre>
              </details>
            )}
          </>
        ),
      };
    });
    if (status === 'CANCELLED' && completedAt) {
      entries.push({ key: `${id}/end`, at: completedAt, tone: 'calm', icon: CloseIcon, text: <>{whom} is not told any more</>, more: error && <p className="muted">{error}</p> });
    }
    if (status === 'FAILED' && completedAt) {
      entries.push({ key: `${id}/end`, at: completedAt, tone: 'bad', icon: CloseIcon, text: <>Given up on {whom} after {plural(delivery.attempts, 'attempt')}</> });
    }
    return entries;
  });
}

function people({ history, resolvedAt, resolvedBy }: FullAlert): Entry[] {
  const entries = history.map(({ id, at, by, kind, text, assignee }): Entry => ({
    key: `event/${id}`,
    at,
    tone: tones[kind],
    icon: icons[kind],
    text: (
      <>
        <strong>{by}</strong> {deeds[kind]}
        {kind === 'ASSIGNED' && (assignee ? <> to <strong>{assignee}</strong></> : ' to nobody')}
      </>
    ),
    more: text && <p className="note" dir="auto">{text}</p>,
  }));
  // Resolved before there was a history.
  if (resolvedAt && !history.some(({ kind }) => kind === 'RESOLVED')) {
    entries.push({ key: 'resolved', at: resolvedAt, tone: 'good', icon: CheckIcon, text: resolvedBy ? <><strong>{resolvedBy}</strong> resolved it</> : 'It was resolved' });
  }
  return entries;
}

function waiting({ deliveries }: FullAlert): ReactNode {
  return deliveries
    .filter(({ status }) => status === 'PENDING')
    .map((delivery) => (
      <li key={`${delivery.id}/next`} className="next">
        <span className="point">
          <ClockIcon />
        </span>
        <div>
          <p>
            <strong>{delivery.channel.name}</strong> is still to be told{delivery.kind !== 'ALERT' && ` of ${told[delivery.kind]}`}:{' '}
            <Expected delivery={delivery} />
          </p>
        </div>
      </li>
    ));
}
